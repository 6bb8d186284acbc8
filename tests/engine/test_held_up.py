"""A process that is paused at the worst moment holds nobody up for longer than a few seconds."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import engine_program
import pytest
from engine_program import Peer, until
from sqlalchemy import event, text

from tieout.clock import SystemClock
from tieout.engine import library
from tieout.engine.durable import Engine, Pace
from tieout.engine.membership import TTL_SECONDS, Membership
from tieout.engine.story import Run
from tieout.errors import Unavailable
from tieout.store import executors
from tieout.store.database import Database
from tieout.store.executors import Process, app_executor
from tieout.store.leases import TakenOver
from tieout.store.runs import NewRun
from tieout.store.steps import Step
from tieout.store.store import Store

pytestmark = pytest.mark.needs("postgres")
TAKE_OVER_SECONDS_MAX = 20  # issue 5


@pytest.fixture
def shared(tmp_path: Path, postgres_url: str) -> Iterator[Store]:
    """An instance on PostgreSQL."""
    store = Store(tmp_path, SystemClock(), postgres_url)
    store.migrate()
    yield store
    store.close()


@pytest.fixture
def start_worker(
    tmp_path: Path, postgres_url: str
) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a process that executes runs."""
    started = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, engine_program.__file__, "--worker", str(tmp_path), postgres_url,
                   str(tmp_path)]  # fmt: skip
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout is not None
        assert started[-1].stdout.readline() == "executes\n"
        return started[-1]

    yield start
    for process in started:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()


def test_a_process_paused_within_a_transaction_of_the_engine_keeps_no_run_from_the_living(
    shared: Store, start_worker: Callable[[], subprocess.Popen[str]], peer: Peer
) -> None:
    """The living are heard of all the while, though what they want to take over is locked."""
    first = start_worker()
    run = shared.new_run(NewRun("actuals", "held", "Anna", outcome="waiting")).id
    until(lambda: peer.calls() == [f"read {run}"])
    engine = library.system_engine(shared.database.url)
    with engine.connect() as paused:  # as the first worker would be
        paused.execute(text("UPDATE dbos.workflow_status SET updated_at = updated_at"))
        first.kill()
        first.wait()
        start_worker()
        silent = []

        def finished() -> bool:
            with shared.database.read() as connection:
                silent.extend(one.silent_seconds for one in executors.listed(connection)[:1])
            return shared.run(run).finished

        until(finished, TAKE_OVER_SECONDS_MAX)
        paused.invalidate()
    engine.dispose()

    assert shared.run(run).outcome == "complete"
    assert max(silent) < TTL_SECONDS / 2


def test_an_executor_that_is_heard_of_just_before_it_is_buried_lives(shared: Store) -> None:
    """Else it would go on with effects elsewhere, for seconds, beside whoever took over."""
    woken, other = "elsewhere:1:x", Database(shared.database.url)
    with other.begin() as connection:
        executors.join(connection, woken, Process("elsewhere", "another", 1, library.ABI))
        connection.execute(app_executor.update().values(beat=0))
    database = Database(shared.database.url)
    heard = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def wakes(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "SKIP LOCKED" in statement and not heard:
            with other.begin() as connection:
                heard.append(executors.beat(connection, woken))

    member = Membership(database, library.ABI, lambda: None)
    member.join()
    member._beat()
    with other.read() as connection:
        known = [one.id for one in executors.listed(connection)]
    member.close()
    other.close()
    assert heard == [True]
    assert woken in known


def test_a_run_of_an_executor_that_is_silent_but_not_buried_is_given_to_nobody(
    shared: Store, tmp_path: Path
) -> None:
    """Its beat is late and it is about to commit, so it is passed over: it goes on with its run."""
    late, gate = "elsewhere:1:late", engine_program.Gate()
    pace = Pace(poll_seconds=0.02)
    stories = {"gated": gate.story}
    engine = Engine(shared, stories, engine_program.world_in(tmp_path), pace=pace)
    engine.launch()
    run = shared.new_run(NewRun("actuals", "gated", "Anna", outcome="waiting")).id
    assert gate.begun.wait(TAKE_OVER_SECONDS_MAX)
    other = Database(shared.database.url)
    with other.begin() as connection:
        executors.join(connection, late, Process("elsewhere", "", 1, library.ABI))
        connection.execute(text("UPDATE app_executor SET beat = 0 WHERE id = :id"), {"id": late})
        begun = "UPDATE dbos.workflow_status SET executor_id = :id WHERE status = 'PENDING'"
        connection.execute(text(begun), {"id": late})
    try:
        with other.begin() as commits:
            executors.require(commits, late)
            engine._bury()
            with other.read() as connection:
                told = "SELECT status, executor_id FROM dbos.workflow_status"
                assert [tuple(row) for row in connection.execute(text(told))] == [("PENDING", late)]
    finally:
        other.close()
        gate.open.set()
        engine.close(5)
    assert shared.run(run).outcome == "complete"


def test_a_run_whose_model_another_process_took_for_it_is_not_ended_here(
    shared: Store, tmp_path: Path
) -> None:
    """Whoever carries it on says how it ends; when nobody does, it is told again."""
    tellings = []

    def imports(step: Step) -> dict[str, Any]:
        tellings.append(step.run.id)
        if len(tellings) == 1:
            raise TakenOver("Another process carries on.", untouched="Nothing.", do="Look.")
        return {}

    def story(run: Run, _world: object) -> dict[str, Any]:
        return run.step("start the import", imports)

    pace = Pace(poll_seconds=0.02, patience_seconds=0.2)
    engine = Engine(shared, {"load": story}, engine_program.world_in(tmp_path), pace=pace)
    run = shared.new_run(NewRun("actuals", "load", "Anna", outcome="waiting")).id
    engine.launch()
    try:
        assert engine.wait(run, TAKE_OVER_SECONDS_MAX).outcome == "complete"
    finally:
        engine.close(5)
    assert tellings == [run, run]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_executor_that_takes_up_no_more_runs_says_so(tmp_path: Path, postgres_url: str) -> None:
    """Else a worker would go on for ever and do nothing."""
    store = Store(tmp_path, SystemClock(), postgres_url)
    store.migrate()
    engine = Engine(store, {}, engine_program.world_in(tmp_path), pace=Pace(poll_seconds=0.02))
    engine.launch()
    engine.refuse_lost()
    held, engine._held = engine._held, Unfit()
    until(lambda: not engine.alive)
    engine._held = held
    with pytest.raises(Unavailable, match="takes up no more runs"):
        engine.refuse_lost()
    engine.close(5)
    store.close()


class Unfit:
    """A hold that cannot be asked."""

    def kept(self) -> bool:
        raise OSError("as when no file can be opened any more")

    def lost(self) -> Unavailable:
        return Unavailable("It is lost.")

    def close(self) -> None:
        """Nothing to let go of."""
