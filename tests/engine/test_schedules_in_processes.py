"""Each due time begins its flows exactly once, whatever happens to the processes that look."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
import scheduled_program
from scheduled import Day

from tieout.store.runs import Ending

PROGRAM = Path(scheduled_program.__file__)
NAMES = ("accounts", "cost_centers", "actuals")
EVERY_MINUTE = "".join(
    f'[schedules.{name}]\nwhen = "every 1 minutes"\nrun = ["{name}"]\n' for name in NAMES
)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))]
)
def test_four_processes_with_clocks_apart_of_which_some_are_killed_begin_each_time_once(
    database: str, tmp_path: Path, dice: Random, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else None
    day = Day(tmp_path, url, at="2026-11-26T12:00:30Z")
    day.store.migrate()
    day.applies(EVERY_MINUTE)
    day.store.close()

    command = [sys.executable, str(PROGRAM), str(tmp_path), url or "-", str(dice.random())]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    print(done.stderr)
    killed = json.loads(done.stdout)["killed"]
    assert set(killed) == {signal.SIGKILL}, done.stderr  # three on a machine that is not busy

    ending = Ending("complete", "All is in.", 0, {})
    for run in day.store.runs(outcomes=("waiting", "running")):
        day.store.finish_run(run.id, ending)
    begun = []
    for name in NAMES:
        fires = day.fires(name)
        assert fires
        before = fires[0].due - fires[0].times * MINUTE
        assert before == scheduled_program.BEGIN.replace(second=0)
        for fire in fires:  # every minute belongs to one fire, and to one alone
            assert fire.due - fire.times * MINUTE == before
            before = fire.due
            ran = fire.state in ("running", "complete")
            assert len(fire.runs) == (1 if ran else 0), fire
            begun += fire.runs.values()
    assert sorted(begun) == sorted(day.begun())
    assert {day.store.run(run).trigger for run in begun} == {f"schedule {n}" for n in NAMES}
    assert day.store.verify_audit().whole
    day.store.close()
