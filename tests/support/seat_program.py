"""A process that tells runs, each of which reads from one practice JD Edwards in several pieces.

    python seat_program.py '{"home": …, "database": …, "url": …, "readers": 2, "runs": {…}, …}'

`runs`: the id of a run → how many pieces it reads. Prints "ready" and waits for a line; then a line
for each run that has ended.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tieout.clock import SystemClock
from tieout.engine.inline import tell_here
from tieout.engine.story import Run
from tieout.flows.at_once import by_readers
from tieout.flows.world import Steps, World
from tieout.http import Http
from tieout.jde.client import Jde
from tieout.jde.credentials import Credentials
from tieout.jde.tables import ACCOUNT_LEDGER
from tieout.outgoing import Allowed
from tieout.project import JdeConnection
from tieout.store import seat_line
from tieout.store.keys import in_home
from tieout.store.seats import Room, Seat, Sitter
from tieout.store.steps import Step
from tieout.store.store import Store

PIECES_A_STEP = 10


def read(step: Step, world: World[Any], pieces: int) -> dict[str, Any]:
    """As many pieces as are asked for, by as many sessions as nobody else wants."""

    def one(reader: Jde, piece: int) -> int:
        return reader.count(ACCOUNT_LEDGER, None) + piece

    return {"read": len(by_readers(world, one, range(pieces)))}


def main(asked: dict[str, Any]) -> None:
    """Tell every run to its end."""
    clock, home = SystemClock(), Path(asked["home"])
    store = Store(home, clock, asked["database"] or None)
    room = Room("erp", asked["readers"], in_home(home))
    executor = f"{socket.gethostname()}:{os.getpid()}:test"
    connection = JdeConnection(
        url=asked["url"], environment=asked["environment"], secret="secret://erp", allow_http=True
    )
    who = Credentials(asked["username"], asked["password"])

    def waits() -> bool:
        with store.database.read() as reading:
            return seat_line.waited_for(reading, "erp")

    @contextmanager
    def world_for(run: str) -> Iterator[World[Any]]:
        with ExitStack() as close:
            readers = []
            for _ in range(asked["readers"]):
                http = Http(
                    asked["url"],
                    system="JD Edwards",
                    clock=clock,
                    allow_http=True,
                    allowed=Allowed([asked["url"].removesuffix("/jderest")]),
                )
                seat = Seat(store.database, room, Sitter(run, executor), clock)
                readers.append(Jde(http, connection, lambda: who, clock, seat))
                close.callback(http.close)
                close.callback(readers[-1].close)
            nothing: Any = None
            yield World(
                "flow", nothing, 1, {}, readers, nothing, store, clock, {}, "", "", 1, "acme",
                executor, waits,
            )  # fmt: skip

    def story(run: Run, world: World[Any]) -> dict[str, Any]:
        step, left, number = Steps(run, world), asked["runs"][run.id], 0
        while left > 0:
            number, now = number + 1, min(PIECES_A_STEP, left)
            left -= now
            step(f"read {number}", read, now)
        return {}

    print("ready", flush=True)
    sys.stdin.readline()
    for run in asked["runs"]:
        done = tell_here(store, run, partial(story), world_for)
        print(json.dumps({"run": run, "outcome": done.outcome, "said": done.sentence}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
