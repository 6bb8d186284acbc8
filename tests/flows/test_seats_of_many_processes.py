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
from sqlalchemy import select

from tieout.clock import SystemClock
from tieout.store.runs import NewRun
from tieout.store.seat_schema import app_seat
from tieout.store.store import Store
from tieout.store.vault import KEY_FILE, make_key

READERS, ENDLESS, SMALL, SMALL_RUNS = 2, 10_000, 3, 2
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
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.processes.append(process)
        return process

    def go(self, *processes: subprocess.Popen[str]) -> None:
        """Let them begin, now that each has loaded what it needs."""
        for process in processes:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == "ready\n"
            process.stdin.write("go\n")
            process.stdin.flush()

    def until(self, opened: int) -> None:
        """Wait until so many sessions are open, and noted with their seats."""
        give_up = time.monotonic() + SECONDS_MAX
        while self.noted() < opened:
            assert time.monotonic() < give_up, "nobody signed in"
            threading.Event().wait(0.01)

    def noted(self) -> int:
        query = select(app_seat.c.number).where(app_seat.c.session != "")
        with self.store.database.read() as connection:
            return len(connection.execute(query).all())

    def ended(self, *processes: subprocess.Popen[str]) -> list[dict[str, Any]]:
        """What was said of the runs of these processes, when they have ended."""
        said = [process.communicate(timeout=SECONDS_MAX)[0] for process in processes]
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
    """One run reads for ever, in all sessions there are; others come meanwhile, and end."""
    large = fleet.start({fleet.new("large"): ENDLESS})
    small = [fleet.start({fleet.new(f"small {n}"): SMALL}) for n in range(SMALL_RUNS)]
    fleet.go(large)
    fleet.until(READERS)
    fleet.go(*small)
    said = fleet.ended(*small)
    assert [each["outcome"] for each in said] == ["complete"] * SMALL_RUNS, said
    assert large.poll() is None, "it reads on"
    assert fleet.ais.control("state")["sessions_most"] == READERS


def test_a_reader_that_is_killed_leaves_neither_a_seat_nor_a_session(fleet: Fleet) -> None:
    """kill -9 while both sessions are open: another process goes on, and ends what was left."""
    run, other = fleet.new("killed"), fleet.new("other")
    killed = fleet.start({run: ENDLESS})
    others = [fleet.start({run: SMALL}), fleet.start({other: SMALL})]
    fleet.go(killed)
    fleet.until(READERS)
    killed.kill()
    killed.communicate()
    assert fleet.ais.control("state")["sessions"] >= READERS - 1, "it signed out all the same"
    fleet.go(*others)
    said = fleet.ended(*others)
    assert [each["outcome"] for each in said] == ["complete"] * 2, said
    assert fleet.ais.control("state")["sessions_most"] <= READERS
