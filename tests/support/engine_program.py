"""Real processes for the engine's tests: they execute a run of a four-step story, and die.

    python engine_program.py HOME DATABASE_URL RUN KILL_AT…
    python engine_program.py --worker HOME DATABASE_URL PEER_HOME

Each KILL_AT is "step:point". A DATABASE_URL of "-" is the SQLite file of the instance. Calls of the
peer are lines in HOME/calls.txt, written and synced at once; what a step tells the audit trail is
its effect in our own database.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from tieout.clock import SystemClock
from tieout.engine.durable import Engine, Pace
from tieout.engine.story import Run, Story
from tieout.errors import Refused
from tieout.store import parts
from tieout.store.steps import Step
from tieout.store.store import Store

RUN_SECONDS_MAX = 30
LOOK_SECONDS = 0.02


def until(happened: Callable[[], object], seconds: float = RUN_SECONDS_MAX) -> float:
    """Looks until it has happened; how long that took."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        threading.Event().wait(LOOK_SECONDS)
    return time.monotonic() - began


class Peer:
    """A system outside: it remembers every call, also those of processes that died."""

    def __init__(self, home: Path) -> None:
        self._path = home / "calls.txt"

    def call(self, word: str) -> None:
        descriptor = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.write(descriptor, f"{word}\n".encode())
        os.fsync(descriptor)
        os.close(descriptor)

    def let(self) -> None:
        """Answer those who wait."""
        self._path.with_name("let").touch()

    def wait(self) -> None:
        """Until it lets us go on."""
        deadline = time.monotonic() + RUN_SECONDS_MAX
        while not self._path.with_name("let").exists() and time.monotonic() < deadline:
            threading.Event().wait(LOOK_SECONDS)

    def calls(self) -> list[str]:
        return self._path.read_text().splitlines() if self._path.exists() else []


def read(step: Step, peer: Peer, word: str) -> dict[str, Any]:
    """Reading twice does no harm."""
    peer.call(f"read {word}")
    step.tell("kept", word)
    return {"rows": 3, "total": Decimal("1250.75")}


def send(step: Step, peer: Peer, total: Decimal) -> dict[str, Any]:
    """Looks before it sends, as every effect at a peer must."""
    if f"send {total}" not in peer.calls():
        peer.call(f"send {total}")
    step.tell("kept", "receipt")
    return {"sent": total}


def four_steps(run: Run, peer: Peer) -> dict[str, Any]:
    balances = run.step("read balances", read, peer, "balances")
    ledger = run.step("read ledger", read, peer, "ledger")
    total = Decimal(balances["total"]) + Decimal(ledger["total"])
    sent = run.step("send cells", send, peer, total)
    run.step("move position", read, peer, "position")
    return {"sentence": f"{sent['sent']} sent.", "figures": {"rows_sent": 6}}


class Gate:
    """A step that says it has begun and goes on when it is let."""

    def __init__(self) -> None:
        self.begun, self.open = threading.Event(), threading.Event()

    def story(self, run: Run, peer: Peer) -> dict[str, Any]:
        run.step("read ledger", self._read, peer, run.id)
        run.step("send cells", self._send, peer, run.id)
        return {}

    def _read(self, step: Step, peer: Peer, word: str) -> dict[str, Any]:
        peer.call(f"read {word}")
        self.begun.set()
        assert self.open.wait(RUN_SECONDS_MAX)
        return {}

    def _send(self, step: Step, peer: Peer, word: str) -> dict[str, Any]:
        peer.call(f"send {word}")
        return {}


STEPS = ("read balances", "read ledger", "send cells", "move position")


def kill_at(wanted: str) -> Callable[[str, str], None]:
    """Ends this process as a power cut would, at the wanted point."""

    def reached(step: str, point: str) -> None:
        if f"{step}:{point}" == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    return reached


def world_in(home: Path) -> Callable[[str], contextlib.AbstractContextManager[Peer]]:
    @contextlib.contextmanager
    def world_for(run: str) -> Iterator[Peer]:
        yield Peer(home)

    return world_for


def execute(home: Path, url: str, run: str, wanted: str) -> None:
    """Execute `run` to its end, or die at `wanted`."""
    store = Store(home, SystemClock(), None if url == "-" else url)
    pace = Pace(poll_seconds=0.05)
    stories = {"four_steps": four_steps, "in_parts": in_parts, parts.KIND: part()}
    engine = Engine(store, stories, world_in(home), pace=pace, failpoint=kill_at(wanted))
    ended = engine.carry_out(run, timeout_seconds=60)
    print(json.dumps({"outcome": ended.outcome, "sentence": ended.sentence}), flush=True)
    os._exit(0 if engine.close(5) else 1)


def _two_steps(held: bool) -> Story:
    """Reads and sends; the first telling of a read that is `held` waits until the peer lets it."""

    def read(step: Step, peer: Peer, word: str) -> dict[str, Any]:
        first = word not in peer.calls()
        peer.call(word)
        if held and first:
            peer.wait()
        return {}

    def send(step: Step, peer: Peer, word: str) -> dict[str, Any]:
        peer.call(word)
        return {}

    def story(run: Run, peer: Peer) -> dict[str, Any]:
        run.step("read ledger", read, peer, f"read {run.id}")
        run.step("send cells", send, peer, f"send {run.id}")
        return {}

    return story


PARTS = 3


def in_parts(run: Run, peer: Peer) -> dict[str, Any]:
    """Hands out PARTS parts, and goes on when they are read."""

    def read(step: Step, peer: Peer, word: str) -> dict[str, Any]:
        peer.call(word)
        return {}

    def hand_out(step: Step, peer: Peer) -> dict[str, Any]:
        peer.call(f"hand out {run.id}")
        return {"parts": [{"what": f"company {n}", "n": n} for n in range(1, PARTS + 1)]}

    run.step("read balances", read, peer, f"balances {run.id}")
    run.in_parts("read ledger, in parts", hand_out, peer)
    for n in range(1, PARTS + 1):
        run.step(f"read ledger, {n}", read, peer, f"not in a part: {n} of {run.id}")
    run.step("send cells", read, peer, f"send {run.id}")
    return {"sentence": "All parts are read."}


def part(held: int = 0, refused: int = 0) -> Story:
    """Reads one part; the first telling of part `held` waits, and part `refused` is refused."""

    def read(step: Step, peer: Peer, word: str, n: int) -> dict[str, Any]:
        first = word not in peer.calls()
        peer.call(word)
        if n == held and first:
            peer.wait()
        if n == refused:
            raise Refused("JD Edwards says no.")
        return {"lines": n}

    def story(run: Run, peer: Peer) -> dict[str, Any]:
        n = run.told.asked["n"]
        run.step(f"read ledger, {n}", read, peer, f"part {n} of {run.id}", n)
        return {}

    return story


WORKER_STORIES = {
    "steps": _two_steps(held=False),
    "held": _two_steps(held=True),
    "in_parts": in_parts,
    parts.KIND: part(held=2),
}


def work(home: Path, url: str, peer_home: Path) -> None:
    """Execute runs until SIGTERM."""
    store = Store(home, SystemClock(), url)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    engine = Engine(
        store, WORKER_STORIES, world_in(peer_home), pace=Pace(poll_seconds=0.05),
        lane_for=lambda run: run.flow,
    )  # fmt: skip
    engine.launch()
    print("executes", flush=True)
    stop.wait()
    os._exit(0 if engine.close(0) else 1)


def main(home: str, url: str, run: str, *kills: str) -> None:
    """One process per kill point, then one that nobody kills; the signal of each is printed."""
    for wanted in (*kills, ""):
        child = os.fork()  # a process of its own that need not import everything again
        if child == 0:
            execute(Path(home), url, run, wanted)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"killed_at": wanted, "signal": os.WTERMSIG(status)}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--worker":
        work(Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
    main(*sys.argv[1:])
