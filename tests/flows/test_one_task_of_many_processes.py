"""Claims about real processes that want tasks in one model, some of them killed: never two open."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

import lease_program
import pytest
from anaplan_practice import EMAIL, PASSWORD, Practice, practice

from tieout.clock import SystemClock
from tieout.store import leases
from tieout.store.runs import NewRun
from tieout.store.store import Store

PROCESSES, RUNS_EACH, KILLS = 3, 1, 2
SECONDS_MAX = 60


class Fleet:
    """Processes that tell runs, and what they are killed with."""

    def __init__(self, store: Store, served: Practice) -> None:
        self.store, self.served = store, served
        self.running: list[tuple[subprocess.Popen[str], list[str]]] = []

    def start(self, runs: list[str]) -> None:
        """One more process, which tells these runs."""
        database = self.store.database
        asked = {
            "home": str(self.store.home), "url": self.served.url, "runs": runs,
            "username": EMAIL, "password": PASSWORD,
            "database": "" if database.is_sqlite else database.url.render_as_string(False),
        }  # fmt: skip
        program = str(Path(lease_program.__file__))
        command = [sys.executable, program, json.dumps(asked)]
        self.running.append((subprocess.Popen(command, stdout=subprocess.PIPE, text=True), runs))

    def kill_while_a_task_runs(self, dice: Random) -> None:
        """kill -9 of the process whose task runs now, and another one goes on with its runs."""
        give_up = time.monotonic() + SECONDS_MAX
        while time.monotonic() < give_up:
            holder = next((held for held in self.held() if held.task is not None), None)
            mine = [each for each in self.running if holder and holder.holder.run in each[1]]
            if mine and holder and holder.holder.executor == f"process {mine[0][0].pid}":
                threading.Event().wait(dice.random() / 10)
                process, runs = mine[0]
                process.kill()
                process.communicate()
                self.running.remove(mine[0])
                self.start([run for run in runs if not self.store.run(run).finished])
                return
            threading.Event().wait(0.01)
        raise AssertionError("no task ran")

    def held(self) -> list[leases.Lease]:
        with self.store.database.read() as connection:
            return leases.listed(connection)

    def ended(self) -> list[dict[str, Any]]:
        """What all processes said, when they have ended."""
        said = [process.communicate(timeout=SECONDS_MAX)[0] for process, _ in self.running]
        return [json.loads(line) for text in said for line in text.splitlines()]


POSTGRES = pytest.param("postgresql", marks=pytest.mark.needs("postgres"))


@pytest.mark.parametrize("kind", ["sqlite", POSTGRES])
def test_processes_that_die_at_any_moment_never_have_two_tasks_in_a_model(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, dice: Random
) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else None
    store = Store(tmp_path, SystemClock(), url)
    store.migrate()
    with practice(tmp_path) as served:
        served.switch("task_step_seconds", 0.06)
        fleet = Fleet(store, served)
        wanted = [
            [store.new_run(NewRun(f"flow {p} {n}", "tasks", "Anna")).id for n in range(RUNS_EACH)]
            for p in range(PROCESSES)
        ]
        for runs in wanted:
            fleet.start(runs)
        for _ in range(KILLS):
            fleet.kill_while_a_task_runs(dice)
        said = fleet.ended()
        seen = served.system.control("state", {})
        assert {each["outcome"] for each in said} <= {"complete"}, said
        outcomes = [store.run(run).outcome for runs in wanted for run in runs]
        assert outcomes == ["complete"] * PROCESSES * RUNS_EACH
        assert max(seen["open_tasks_max"].values()) == 1
        assert fleet.held() == []
        started = len(seen["tasks"])
        assert started <= PROCESSES * RUNS_EACH * lease_program.TASKS + KILLS, "exports go again"
    store.close()
