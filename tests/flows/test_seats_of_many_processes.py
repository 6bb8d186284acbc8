"""Claims about real processes that read from one JD Edwards: sessions, fairness, and deaths."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import seat_program
from jde_practice import PASSWORD, USER, Ais, practice

from tieout.clock import SystemClock
from tieout.store.runs import NewRun
from tieout.store.store import Store
from tieout.store.vault import KEY_FILE, make_key

READERS, LARGE, SMALL, SMALL_RUNS = 2, 80, 2, 2
SECONDS_MAX = 60
POSTGRES = pytest.param("postgresql", marks=pytest.mark.needs("postgres"))


class Fleet:
    """Processes that read, on one store and one practice JD Edwards."""

    def __init__(self, store: Store, ais: Ais) -> None:
        self.store, self.ais = store, ais
        self.processes: list[subprocess.Popen[str]] = []

    def new(self, flow: str) -> str:
        return self.store.new_run(NewRun(flow, "reads", "Anna")).id

    def start(self, runs: dict[str, int]) -> subprocess.Popen[str]:
        """A process that tells these runs, each of so many pieces."""
        database = self.store.database
        asked = {
            "home": str(self.store.home), "url": f"{self.ais.url}/jderest", "readers": READERS,
            "username": USER, "password": PASSWORD, "runs": runs, "environment": "JPD920",
            "database": "" if database.is_sqlite else database.url.render_as_string(False),
        }  # fmt: skip
        command = [sys.executable, str(Path(seat_program.__file__)), json.dumps(asked)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def until(self, opened: int) -> None:
        """Wait until so many sessions were opened."""
        give_up = time.monotonic() + SECONDS_MAX
        while self.ais.control("state")["sessions_opened"] < opened:
            assert time.monotonic() < give_up, "nobody signed in"
            threading.Event().wait(0.01)

    def ended(self) -> list[dict[str, Any]]:
        """What was said of all runs, when all processes have ended."""
        said = [process.communicate(timeout=SECONDS_MAX)[0] for process in self.processes]
        return [json.loads(line) for text in said for line in text.splitlines()]


@pytest.fixture(params=["sqlite", POSTGRES])
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fleet]:
    """No process yet."""
    postgres = request.param == "postgresql"
    url = request.getfixturevalue("postgres_url") if postgres else None
    store = Store(tmp_path, SystemClock(), url)
    store.migrate()
    make_key(tmp_path / KEY_FILE)
    with practice(tmp_path) as ais:
        delay = {"kind": "delay", "path": "dataservice", "seconds": 0.03, "times": 10_000}
        ais.control("faults", add=delay)
        made = Fleet(store, ais)
        yield made
        for process in made.processes:
            process.kill()
            process.wait()
    store.close()


def test_a_large_read_starves_nobody_and_no_more_sessions_are_open_than_allowed(
    fleet: Fleet,
) -> None:
    """One run reads for long; three others come, one after the other in a process each."""
    large = fleet.new("large")
    fleet.start({large: LARGE})
    fleet.until(READERS)
    small = [fleet.new(f"small {n}") for n in range(SMALL_RUNS)]
    for run in small:
        fleet.start({run: SMALL})
    said = fleet.ended()
    seen = fleet.ais.control("state")
    assert {each["outcome"] for each in said} == {"complete"}, said
    assert seen["sessions_most"] == READERS
    assert seen["sessions"] == 0
    by_end = sorted([*small, large], key=lambda run: fleet.store.run(run).finished_at or 0)
    assert by_end[-1] == large, "the small ones waited for the large one"


def test_a_reader_that_is_killed_leaves_neither_a_seat_nor_a_session(fleet: Fleet) -> None:
    """kill -9 while both sessions are open: another process goes on, and ends what was left."""
    run, other = fleet.new("killed"), fleet.new("other")
    process = fleet.start({run: LARGE})
    fleet.until(READERS)
    process.kill()
    process.communicate()
    fleet.processes.remove(process)
    assert fleet.ais.control("state")["sessions"] >= READERS - 1, "it signed out all the same"
    fleet.start({run: SMALL})
    fleet.start({other: 2 * SMALL})
    said = fleet.ended()
    seen = fleet.ais.control("state")
    assert [each["outcome"] for each in said] == ["complete"] * 2, said
    assert seen["sessions_most"] <= READERS
