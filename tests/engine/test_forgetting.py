"""What the engine library remembers of ended runs goes after a while; the runs do not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import engine_program
import pytest
from dbos import DBOS
from engine_program import RUN_SECONDS_MAX, Peer

from tieout.clock import SystemClock
from tieout.engine import library
from tieout.engine.durable import Engine, Pace
from tieout.engine.forgetting import forget_ended
from tieout.engine.queue import WORKFLOW
from tieout.store.runs import NewRun
from tieout.store.store import Store
from tieout.verbs.keeping_house import House

AT_ONCE = timedelta(seconds=-1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A migrated store on either database."""
    postgres = request.param == "postgresql"
    url = request.getfixturevalue("postgres_url") if postgres else None
    opened = Store(tmp_path, SystemClock(), url)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def engine(store: Store, tmp_path: Path) -> Iterator[Engine]:
    """An executor of it."""
    made = Engine(
        store, {"four_steps": engine_program.four_steps}, engine_program.world_in(tmp_path),
        pace=Pace(poll_seconds=0.02, patience_seconds=0.5),
    )  # fmt: skip
    made.launch()
    yield made
    made.close(RUN_SECONDS_MAX)


def ended(store: Store, engine: Engine, count: int) -> list[str]:
    runs = []
    for n in range(count):
        run = store.new_run(NewRun(f"flow {n}", "four_steps", "Anna", outcome="waiting"))
        assert engine.wait(run.id, RUN_SECONDS_MAX).outcome == "complete"
        runs.append(run.id)
    known_ended(count)
    return runs


def known_ended(count: int) -> list[str]:
    """The library writes its own ending a moment after ours."""
    give_up = time.monotonic() + RUN_SECONDS_MAX
    while time.monotonic() < give_up:
        found = DBOS.list_workflows(load_input=False, load_output=False)
        if sum(w.status == "SUCCESS" for w in found) == count:
            return [w.workflow_id for w in found]
    raise AssertionError([(w.workflow_id, w.status) for w in found])


def test_what_the_engine_remembers_of_old_runs_goes_in_batches_and_the_runs_stay(
    store: Store, engine: Engine
) -> None:
    runs = ended(store, engine, 5)
    assert forget_ended(store) == 0
    assert len(known_ended(5)) == 5
    assert forget_ended(store, stays=AT_ONCE, batch=2) == 5
    assert not DBOS.list_workflows()
    assert [store.run(run).outcome for run in runs] == ["complete"] * 5
    assert all(store.steps(run) for run in runs)


def test_a_run_that_the_engine_forgot_is_not_told_again_under_its_old_id(
    store: Store, engine: Engine, tmp_path: Path
) -> None:
    (run,) = ended(store, engine, 1)
    (id_,) = known_ended(1)
    called = Peer(tmp_path).calls
    before, was = called(), store.run(run)
    assert forget_ended(store, stays=AT_ONCE) == 1
    assert engine.resume_unfinished() == []
    options: Any = {
        "workflow_name": WORKFLOW, "queue_name": library.QUEUE, "workflow_id": id_,
        "app_version": library.ABI, "queue_partition_key": "all",
    }  # fmt: skip
    DBOS.enqueue_workflow_with_options(options, run)
    assert known_ended(1) == [id_]  # the library ran it to its end, and nothing was told
    assert called() == before
    assert store.run(run) == was


def test_of_a_run_that_is_not_known_as_ended_the_engine_forgets_nothing(
    store: Store, engine: Engine
) -> None:
    ended(store, engine, 1)
    options: Any = {
        "workflow_name": WORKFLOW, "queue_name": library.QUEUE, "workflow_id": "then nobody's",
        "app_version": library.ABI, "queue_partition_key": "all",
    }  # fmt: skip
    DBOS.enqueue_workflow_with_options(options, "nobody's")
    DBOS.cancel_workflow("then nobody's")
    assert forget_ended(store, stays=AT_ONCE) == 1
    (left,) = DBOS.list_workflows()
    assert left.workflow_id == "then nobody's"


def test_a_process_that_executes_keeps_house_and_one_that_does_not_leaves_the_engine_alone(
    store: Store, engine: Engine
) -> None:
    ended(store, engine, 1)
    house = House(store, engine)
    assert house.tidy() == (0, 0)  # nothing is a week old
    house.start()
    house.close(RUN_SECONDS_MAX)
    assert house.tidy() == (0, 0)
