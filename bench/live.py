"""What one open page of a run that goes on costs the server: the processor's share over a minute.

The page is followed as a browser does, which asks anew when a stream has ended; another process
does a step of the run with twenty calls every STEP_SECONDS, as a run that reads a ledger.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.asked import Asker
from tieout.app import Instance
from tieout.clock import SystemClock
from tieout.settings import environment
from tieout.store.runs import Ending, NewRun
from tieout.store.steps import Step

SECONDS, STEP_SECONDS, CALLS = 60.0, 4.0, 20
CORES_MAX = 0.01  # of the processor's, for one open page
FLOW = "accounts"  # a flow of the full home that no other page is asked about
BY = "bench"


@dataclass(frozen=True, slots=True)
class Followed:
    """What was told, and the share of a core that it took, with that of a server's processes."""

    events: int
    share: float

    @property
    def ok(self) -> bool:
        """Whether it costs little, and something was told at all."""
        return self.share <= CORES_MAX and self.events > 1


@dataclass(frozen=True, slots=True)
class _Call:
    """One exchange of a run, as `store.steps` takes it."""

    system: str = "JD Edwards"
    method: str = "POST"
    path: str = "/jderest/v2/dataservice"
    status: int = 200
    milliseconds: int = 90
    bytes_in: int = 100_000
    bytes_out: int = 900
    tries: int = 1


def followed(asker: Asker, served: Callable[[], float], seconds: float = SECONDS) -> Followed:
    """Follow a run for so long; `served` tells the seconds of the database's own processes."""
    instance = asker.instance
    config = instance.store.config()
    assert config is not None
    new = NewRun(FLOW, "load_members", BY, config_version=config.version, alone=False)
    run = instance.store.new_run(new)
    asker.text(f"/runs/{run.id}")  # the page itself; what follows is what stays open
    url = instance.store.database.url.render_as_string(hide_password=False)
    database = "" if instance.store.database.is_sqlite else url
    command = [sys.executable, "-m", "bench.live", "--home", str(instance.home), "--run", run.id]
    teller = subprocess.Popen([*command, "--seconds", str(seconds), "--database", database])
    try:
        cpu, wall = time.process_time() + served(), time.perf_counter()
        events = asyncio.run(_follow(asker, f"/runs/{run.id}/live", seconds))
        spent = time.process_time() + served() - cpu
        return Followed(events, spent / (time.perf_counter() - wall))
    finally:
        teller.wait()
        instance.store.finish_run(run.id, Ending("complete", "It was followed.", 0, {}))


async def _follow(asker: Asker, path: str, seconds: float) -> int:
    events, ends = 0, time.monotonic() + seconds
    while time.monotonic() < ends:

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()  # the browser stays
            raise AssertionError("nobody sets it")

        async def send(message: Any) -> None:
            nonlocal events
            events += bool(message.get("body"))

        with suppress(TimeoutError):
            left = ends - time.monotonic()
            await asyncio.wait_for(asker.app(asker.scope(path), receive, send), left)
    return events


def tell(instance: Instance, run: str, seconds: float) -> None:
    """Do a step of a run every STEP_SECONDS, for so many seconds."""
    begun, number = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        number += 1
        instance.store.run_step(run, f"read lines of part {number}", _read)
        time.sleep(max(0.0, begun + number * STEP_SECONDS - time.monotonic()))


def _read(step: Step) -> dict[str, Any]:
    for _ in range(CALLS):
        step.call(_Call())
    return {"lines": 1_000}


def main() -> None:
    """The other process: it does the steps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--database", default="")
    given = parser.parse_args()
    where = environment(str(given.home))
    instance = Instance(replace(where, database=given.database or where.database), SystemClock())
    try:
        tell(instance, given.run, given.seconds)
    finally:
        instance.close()


if __name__ == "__main__":
    main()
