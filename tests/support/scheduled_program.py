"""Four real processes that look at the schedules of one instance, their clocks minutes apart.

    python scheduled_program.py HOME DATABASE_URL SEED

What is due is decided by the database's clock, on which a minute passes in 0.4 s.
Three of the four are killed: in the middle of the transaction that begins a run, and at a random
moment; each is followed by another one. A run ends when any of them sees it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from scheduled import Ledger, kind_of
from sqlalchemy import Connection

from tieout.clock import SystemClock
from tieout.engine.scheduler import Scheduler
from tieout.errors import Trouble
from tieout.store import schedules
from tieout.store.runs import Ending
from tieout.store.schema import UNFINISHED
from tieout.store.server_time import server_moment
from tieout.store.store import Store

TIMES_FASTER = 150
SCHEDULES = 3  # of the test
WORKING_SECONDS = 2.5
WORKING_SECONDS_MAX = 20.0  # on a machine so busy that a schedule has not fired by then
BEGIN = datetime(2026, 11, 26, 12, 0, 30, tzinfo=UTC)


class Apart(SystemClock):
    """The clock of a machine that is some seconds ahead of the others."""

    def __init__(self, ahead_seconds: float) -> None:
        self._ahead = timedelta(seconds=ahead_seconds)

    def now(self) -> datetime:
        return super().now() + self._ahead


def due_by(began: datetime):
    def now(connection: Connection) -> datetime:
        return BEGIN + (server_moment(connection) - began) * TIMES_FASTER

    return now


def all_fired(store: Store) -> bool:
    try:
        with store.database.read() as connection:
            names = schedules.kept(connection)
            fired = [name for name in names if schedules.fires(connection, name, limit=1)]
    except Trouble:  # as in the product: looked at again
        return False
    return len(fired) == SCHEDULES


def look(home: Path, url: str, began: datetime, ahead_seconds: float, kill_at: str) -> None:
    """Look at the schedules, and end every run that is there, until the time is over."""
    left = [2]

    def failpoint(step: str, point: str) -> None:
        if f"{step}:{point}" == kill_at:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    store = Store(home, Apart(ahead_seconds), None if url == "-" else url)
    scheduler = Scheduler(
        store, now=due_by(began), kind_of=kind_of, look_at=Ledger(), failpoint=failpoint
    )  # fmt: skip
    until = began + timedelta(seconds=WORKING_SECONDS)
    give_up = began + timedelta(seconds=WORKING_SECONDS_MAX)
    while (now := datetime.now(UTC)) < until or (now < give_up and not all_fired(store)):
        try:
            scheduler.tick()
            for run in store.runs(outcomes=UNFINISHED):
                store.finish_run(run.id, Ending("complete", "All is in.", 0, {}))
        except Trouble as trouble:  # as in the product: looked at again
            print(trouble.evidence or trouble.what, file=sys.stderr)
        time.sleep(0.02)
    os._exit(0)


def main(home: str, url: str, seed: str) -> None:
    dice = Random(seed)
    began = datetime.now(UTC)
    children: dict[int, float] = {}
    killed = []

    def begin(ahead_seconds: float, kill_at: str = "") -> int:
        child = os.fork()
        if child == 0:
            look(Path(home), url, began, ahead_seconds, kill_at)
        children[child] = ahead_seconds
        return child

    begin(-120.0, "fire:recorded")
    begin(120.0, "fire:begun")
    begin(dice.uniform(-120, 120))
    victim = begin(dice.uniform(-120, 120))
    at = time.monotonic() + dice.uniform(0.3, WORKING_SECONDS / 2)
    while children:
        if victim and time.monotonic() > at:
            os.kill(victim, signal.SIGKILL)
            victim = 0
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            time.sleep(0.02)
            continue
        ahead_seconds = children.pop(child)
        if os.WIFSIGNALED(status):
            killed.append(os.WTERMSIG(status))
            begin(ahead_seconds)
    print(json.dumps({"killed": killed}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
