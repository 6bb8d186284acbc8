"""Starts both practice systems of a home: their states, four ports, addresses and credentials."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tieout.sim.anaplan.demo_model import EMAIL, make_demo_model
from tieout.sim.anaplan.system import AnaplanSystem, open_system
from tieout.sim.box import Box, serve
from tieout.sim.clock import PracticeClock
from tieout.sim.company.events import Events
from tieout.sim.company.living import Living
from tieout.sim.company.make import LINES_DEFAULT, NOTES, make_company
from tieout.sim.company.names import CATEGORIES
from tieout.sim.company.people import People
from tieout.sim.company.scene import Scene
from tieout.sim.guard import Guard, guarded
from tieout.sim.jde.ledger import Ledger
from tieout.sim.jde.system import System, make_password

JDE_USER = "TIEOUT"
PASSWORD = "service password"  # noqa: S105 - the name under which the state keeps it
PORTS = ("jde", "anaplan", "jde_control", "anaplan_control")  # in the order of port P, P+1, …


@dataclass(frozen=True, slots=True)
class Running:
    """Both practice systems as they are served; `stop` closes ports and states."""

    addresses: dict[str, str]
    folder: Path
    jde: System
    anaplan: AnaplanSystem
    clock: PracticeClock
    stop: Callable[[], None]


def start(
    home: Path, port: int = 0, *, seed: int = 1, lines: int = LINES_DEFAULT,
    trouble: bool = False, clock: PracticeClock | None = None, tls: bool = False,
    client_certificate: bool = False,
) -> Running:  # fmt: skip
    """Open the states in `home`/sim (made when they are not there) and serve the four ports.

    `tls` makes an authority too and serves https, and registers a certificate at practice Anaplan;
    with `client_certificate` practice JD Edwards asks for one. Both stay so at the next start.

    `port` 0 takes the ports of the last time while they are free, else any. OSError when a
    port is taken, BlockingIOError when the same home is being served already.
    """
    folder = home / "sim"
    folder.mkdir(parents=True, exist_ok=True)
    clock = clock or PracticeClock()
    with ExitStack() as opened:
        opened.enter_context(_only_one(folder))
        ledger = Ledger(folder / "jde.sqlite")
        opened.callback(ledger.close)
        anaplan = open_system(folder / "anaplan.sqlite", clock)
        opened.callback(anaplan.close)
        passwords = _make(ledger, anaplan, seed=seed, lines=lines, trouble=trouble)
        jde = _practice_jde(ledger, clock, passwords["jde"])
        opened.callback(jde.close)
        guard = guarded(folder, anaplan, clock, tls=tls, client_certificate=client_certificate)
        addresses = _serve(opened, folder, port, Box(jde, clock), Box(anaplan, clock), guard)
        users = {"jde": JDE_USER, "anaplan": EMAIL}
        secrets = {name: {"username": users[name], "password": passwords[name]} for name in users}
        _write(folder / "credentials.json", secrets)
        _write(folder / "erp.json", secrets["jde"])
        _write(folder / "planning.json", secrets["anaplan"])
        _write(folder / "addresses.json", addresses)
        return Running(addresses, folder, jde, anaplan, clock, opened.pop_all().close)


def _only_one(folder: Path) -> ExitStack:
    """A lock that this process alone holds on the practice systems of a home."""
    held = ExitStack()
    file = held.enter_context((folder / "lock").open("w"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise
    return held


def _make(
    ledger: Ledger, anaplan: AnaplanSystem, *, seed: int, lines: int, trouble: bool
) -> dict[str, str]:
    """Make what is not there yet, each state in one transaction; returns the passwords."""
    if ledger.recall(NOTES) is None:
        with ledger.transaction():
            make_company(ledger, seed=seed, lines=lines, trouble=trouble)
            ledger.remember(PASSWORD, make_password())
    state = anaplan.state
    with state.lock:
        if not state.rows("select id from models"):
            password = make_password()
            state.keep_meta(PASSWORD, password)
            make_demo_model(state, password, account_parents=tuple(CATEGORIES.items()))
        return {"jde": ledger.recall(PASSWORD) or "", "anaplan": str(state.meta(PASSWORD, ""))}


def _practice_jde(ledger: Ledger, clock: PracticeClock, password: str) -> System:
    living = Living(ledger, clock)
    people = People(living)
    scene = Scene(living, people)
    jde = System(ledger, clock, {JDE_USER: password}, {"event": Events(scene), "people": people})
    scene.switch = jde.switches.control
    return jde


def _serve(
    opened: ExitStack, folder: Path, port: int, jde: Box, anaplan: Box, guard: Guard
) -> dict[str, str]:
    """Serve the four ports; their base URLs by name."""
    boxes = (jde, anaplan, jde, anaplan)
    wanted = [port + n for n in range(4)] if port else _last_ports(folder)
    addresses = {}
    for name, box, number in zip(PORTS, boxes, wanted, strict=True):
        control, tls = name.endswith("control"), guard.get(name)
        try:
            url, stop = serve(box, number, control=control, tls=tls)
        except OSError:
            if port:
                raise
            url, stop = serve(box, 0, control=control, tls=tls)
        opened.callback(stop)
        addresses[name] = url
    return addresses


def _last_ports(folder: Path) -> list[int]:
    """The ports of the last time, so that a configuration made then still fits; else any."""
    file = folder / "addresses.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    return [urlsplit(known.get(name, "")).port or 0 for name in PORTS]


def _write(file: Path, value: object) -> None:
    """Write JSON that only the owner reads, whole or not at all."""
    part = file.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(value, out)
    part.replace(file)


def main(home: Path, port: int = 0, **options: Any) -> None:
    """Serve until SIGTERM or SIGINT, with the options of `start`.

    Prints the addresses as one JSON line when ready.

    Both signals are blocked in every thread and waited for, because a handler runs only when
    the main thread wakes, and a signal that another thread receives does not wake it.
    """
    wanted = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    running = start(home, port, **options)
    sys.stdout.write(json.dumps(running.addresses) + "\n")
    sys.stdout.flush()
    signal.sigwait(wanted)
    running.stop()
