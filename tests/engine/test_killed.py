"""A killed process loses nothing and repeats nothing that was committed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import engine_program
import pytest
from engine_program import STEPS, Peer

from tieout.clock import SystemClock
from tieout.store import audit
from tieout.store.runs import NewRun
from tieout.store.store import Store

POINTS = ("before", "inside", "after", "between")
PROCESS_SECONDS_MAX = 120


def executed(home: Path, url: str, run: str, kills: list[str]) -> list[dict[str, object]]:
    """Execute `run` in one process per kill point and a last one; what they printed."""
    command = [sys.executable, engine_program.__file__, str(home), url, run, *kills]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PROCESS_SECONDS_MAX, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def asked(home: Path, url: str) -> tuple[Store, str]:
    store = Store(home, SystemClock(), None if url == "-" else url)
    store.migrate()
    return store, store.new_run(NewRun("actuals", "four_steps", "Anna", outcome="waiting")).id


def assert_done_once(store: Store, run: str, home: Path) -> None:
    """The run is complete, each step committed once, and what was sent was sent once."""
    ended = store.run(run)
    assert (ended.outcome, ended.sentence) == ("complete", "2501.50 sent.")
    assert tuple(step.name for step in store.steps(run)) == STEPS
    with store.database.read() as connection:
        acts = [entry.act for entry in audit.entries(connection, run=run)]
        assert audit.verify(connection).whole
    assert acts.count("kept") == len(STEPS)
    assert acts.count("finished step") == len(STEPS)
    assert acts.count("finished run") == 1
    assert Peer(home).calls().count("send 2501.50") == 1


@pytest.mark.parametrize("step", STEPS)
def test_a_run_killed_at_every_point_of_a_step_goes_on_there_and_does_nothing_twice(
    step: str, tmp_path: Path
) -> None:
    store, run = asked(tmp_path, "-")
    kills = [f"{step}:{point}" for point in POINTS]

    told = executed(tmp_path, "-", run, kills)

    died = [line["killed_at"] for line in told if line.get("signal") == signal.SIGKILL]
    assert died == kills
    assert_done_once(store, run, tmp_path)


def test_steps_that_were_committed_before_the_kill_are_not_begun_again(tmp_path: Path) -> None:
    store, run = asked(tmp_path, "-")

    executed(tmp_path, "-", run, ["send cells:after", "move position:before"])

    assert Peer(tmp_path).calls() == [
        "read balances", "read ledger", "send 2501.50", "read position"
    ]  # fmt: skip
    assert_done_once(store, run, tmp_path)


@pytest.mark.needs("postgres")
def test_a_killed_run_goes_on_in_a_postgresql_database_too(
    tmp_path: Path, postgres_url: str, dice: Random
) -> None:
    store, run = asked(tmp_path, postgres_url)
    kills = [f"{step}:{dice.choice(POINTS)}" for step in STEPS]

    told = executed(tmp_path, postgres_url, run, kills)

    died = [line["killed_at"] for line in told if line.get("signal") == signal.SIGKILL]
    assert died == kills
    assert_done_once(store, run, tmp_path)
    store.close()


def test_a_run_whose_process_always_dies_is_given_up_and_says_so(tmp_path: Path) -> None:
    store, run = asked(tmp_path, "-")

    executed(tmp_path, "-", run, ["send cells:before"] * 12)

    ended = store.run(run)
    assert ended.outcome == "failed"
    assert "died more than 10 times" in ended.sentence
    assert Peer(tmp_path).calls() == ["read balances", "read ledger"]
