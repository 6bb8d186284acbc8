"""Several executors on one PostgreSQL database: each run is told by one, and by a living one."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import engine_program
import psycopg
import pytest
from engine_program import RUN_SECONDS_MAX, Peer, four_steps, until
from sqlalchemy import make_url

from tieout.clock import SystemClock
from tieout.engine import library
from tieout.engine.durable import Engine, Pace
from tieout.engine.membership import BEAT_SECONDS, TTL_SECONDS
from tieout.engine.story import Run
from tieout.errors import Misconfigured
from tieout.store import audit, executors
from tieout.store.database import Database, DatabaseAway
from tieout.store.executors import Process, TakenForDead
from tieout.store.runs import NewRun
from tieout.store.seals import TRAIL_KEY_FILE
from tieout.store.steps import Step
from tieout.store.store import Store

pytestmark = pytest.mark.needs("postgres")
TAKE_OVER_SECONDS_MAX = 20  # issue 5
PACE = Pace(poll_seconds=0.05, patience_seconds=5)


@pytest.fixture
def homes(tmp_path: Path, postgres_url: str) -> Iterator[list[Store]]:
    """Two instances, as on two machines, on one PostgreSQL database."""
    stores = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        stores.append(Store(tmp_path / name, SystemClock(), postgres_url))
    stores[0].migrate()
    shutil.copy(stores[0].home / TRAIL_KEY_FILE, stores[1].home)
    yield stores
    for store in stores:
        store.close()


Start = Callable[[Path], "subprocess.Popen[str]"]


def test_who_waits_for_another_to_prepare_the_database_does_not_hold_it_up(
    postgres_url: str,
) -> None:
    url = make_url(postgres_url)
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with (
        psycopg.connect(plain, autocommit=True) as first,
        psycopg.connect(plain, autocommit=True) as sees,
    ):
        first.execute("SELECT pg_advisory_lock(%s)", [library.PREPARING_LOCK_KEY])
        first.execute("CREATE TABLE things (n int)")
        system = library.system_engine(url)
        waits = threading.Thread(target=library.prepare, args=(system, 1, 1.0))
        waits.start()
        asking = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_%advisory_lock($1)'"
        until(lambda: sees.execute(asking).fetchone() is not None)
        # As the library does: it waits for every statement that was begun before.
        sees.execute("SET statement_timeout = '10s'")
        sees.execute("CREATE INDEX CONCURRENTLY things_n ON things (n)")
        first.execute("SELECT pg_advisory_unlock(%s)", [library.PREPARING_LOCK_KEY])
        waits.join(RUN_SECONDS_MAX)
        assert not waits.is_alive()
        system.dispose()


def test_who_is_paused_while_it_prepares_the_database_keeps_others_out_for_a_while_only(
    postgres_url: str,
) -> None:
    system, ends, inside = library.system_engine(make_url(postgres_url)), Event(), Event()

    def is_paused() -> None:
        with library.alone(system, seconds_max=1):
            inside.set()
            ends.wait(RUN_SECONDS_MAX)

    paused = threading.Thread(target=is_paused)
    paused.start()
    assert inside.wait(RUN_SECONDS_MAX)
    began = time.monotonic()
    with library.alone(system):
        took = time.monotonic() - began
    ends.set()
    paused.join(RUN_SECONDS_MAX)
    system.dispose()
    assert took < RUN_SECONDS_MAX / 2


@pytest.fixture
def start_worker(tmp_path: Path, postgres_url: str) -> Iterator[Start]:
    """Starts a process that executes runs in a home; its calls of the peer are in `tmp_path`."""
    with ExitStack() as started:

        def start(home: Path) -> subprocess.Popen[str]:
            command = [
                sys.executable, engine_program.__file__, "--worker", str(home), postgres_url,
                str(tmp_path),
            ]  # fmt: skip
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            started.callback(_ended, process)
            assert process.stdout is not None
            assert process.stdout.readline() == "executes\n"
            return process

        yield start


def _ended(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.communicate()


def ask(store: Store, flow: str, kind: str) -> str:
    return store.new_run(NewRun(flow, kind, "Anna", outcome="waiting")).id


def known(store: Store) -> list[str]:
    with store.database.read() as connection:
        return [one.id for one in executors.listed(connection)]


def test_two_executors_share_the_runs_and_tell_each_run_once(
    homes: list[Store], tmp_path: Path, start_worker: Start, peer: Peer
) -> None:
    """Every telling calls the peer once for each step, whoever tells it."""
    asked = [ask(homes[0], f"flow{number}", "steps") for number in range(12)]
    workers = [start_worker(store.home) for store in homes]

    until(lambda: all(homes[0].run(run).finished for run in asked))

    assert [homes[0].run(run).outcome for run in asked] == ["complete"] * 12
    assert sorted(peer.calls()) == sorted(f"{act} {r}" for r in asked for act in ("read", "send"))
    assert len(known(homes[0])) == len(workers)


def test_a_part_of_a_killed_executor_is_read_by_another_and_no_other_part_is_read_again(
    homes: list[Store], start_worker: Start, peer: Peer
) -> None:
    run = ask(homes[0], "actuals", "in_parts")
    dies = start_worker(homes[0].home)
    until(lambda: f"part 2 of {run}" in peer.calls())  # where it is held
    start_worker(homes[1].home)
    until(lambda: f"part 3 of {run}" in peer.calls())  # the other reads beside it

    dies.kill()
    until(lambda: homes[0].run(run).finished, TAKE_OVER_SECONDS_MAX)

    assert homes[0].run(run).outcome == "complete"
    calls = peer.calls()
    assert [calls.count(f"part {n} of {run}") for n in (1, 2, 3)] == [1, 2, 1]
    assert calls.count(f"hand out {run}") == calls.count(f"send {run}") == 1
    assert not [call for call in calls if call.startswith("not in a part")]


def test_what_a_killed_executor_had_begun_is_carried_on_by_another_in_time(
    homes: list[Store], start_worker: Start, peer: Peer
) -> None:
    first = start_worker(homes[0].home)
    run = ask(homes[0], "actuals", "held")
    until(lambda: peer.calls() == [f"read {run}"])
    first.kill()
    first.wait()
    start_worker(homes[1].home)

    took = until(lambda: homes[1].run(run).finished)

    assert took < TAKE_OVER_SECONDS_MAX
    assert homes[1].run(run).outcome == "complete"
    assert peer.calls() == [f"read {run}"] * 2 + [f"send {run}"]
    with homes[1].database.read() as connection:
        assert audit.verify(connection).whole


def test_an_executor_that_wakes_after_it_was_taken_for_dead_begins_no_effect(
    homes: list[Store], start_worker: Start, peer: Peer
) -> None:
    """Paused in a step, replaced, woken: its commit is refused, and it calls nobody any more."""
    first = start_worker(homes[0].home)
    run = ask(homes[0], "actuals", "held")
    until(lambda: peer.calls() == [f"read {run}"])
    first.send_signal(signal.SIGSTOP)
    start_worker(homes[1].home)
    until(lambda: homes[1].run(run).finished, TAKE_OVER_SECONDS_MAX)
    done = peer.calls()

    peer.let()
    first.send_signal(signal.SIGCONT)
    later = ask(homes[0], "plan", "steps")
    until(lambda: homes[0].run(later).finished)
    until(lambda: len(known(homes[0])) == 2)  # it is an executor again, under another name

    assert done == [f"read {run}"] * 2 + [f"send {run}"]
    assert peer.calls() == [*done, f"read {later}", f"send {later}"]
    names = [step.name for step in homes[0].steps(run)]
    assert names == ["read ledger", "send cells"]


def test_an_executor_that_stops_hands_its_run_over_at_once(
    homes: list[Store], start_worker: Start, peer: Peer
) -> None:
    first = start_worker(homes[0].home)
    run = ask(homes[0], "actuals", "held")
    until(lambda: peer.calls() == [f"read {run}"])
    first.send_signal(signal.SIGTERM)
    peer.let()
    first.wait(RUN_SECONDS_MAX)
    assert [step.name for step in homes[0].steps(run)] == ["read ledger"]
    assert known(homes[0]) == []
    start_worker(homes[1].home)

    took = until(lambda: homes[1].run(run).finished)

    assert took < TTL_SECONDS
    assert peer.calls() == [f"read {run}", f"send {run}"]


def test_a_run_goes_on_where_it_was_when_the_database_broke_every_connection(
    homes: list[Store], tmp_path: Path, peer: Peer, postgres_url: str
) -> None:
    """A step finds its connections cut when it commits; it is told again, and the run completes."""
    url = make_url(postgres_url).set(drivername="postgresql").render_as_string(False)
    cut = []

    def read(step: Step, word: str) -> dict[str, object]:
        peer.call(word)
        if not cut:
            cut.append(True)
            with psycopg.connect(url) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        return {}

    def story(run: Run, _world: object) -> dict[str, object]:
        run.step("read ledger", read, f"read {run.id}")
        run.step("send cells", read, f"send {run.id}")
        return {}

    engine = Engine(homes[0], {"cut": story}, engine_program.world_in(tmp_path), pace=PACE)
    run = ask(homes[0], "actuals", "cut")
    engine.launch()

    assert engine.wait(run, RUN_SECONDS_MAX).outcome == "complete"
    assert peer.calls()[-1] == f"send {run}"
    assert peer.calls().count(f"send {run}") == 1
    assert engine.close(RUN_SECONDS_MAX)


def test_a_database_that_was_away_in_a_step_is_no_outcome_of_that_step(
    homes: list[Store], tmp_path: Path
) -> None:
    """The library would keep it as the step's error and raise it again at every later telling."""
    told = []

    def read(step: Step) -> dict[str, object]:
        told.append(step.name)
        if len(told) == 1:
            raise DatabaseAway("The database does not answer, or it broke the connection.")
        return {}

    def story(run: Run, _world: object) -> dict[str, object]:
        run.step("read ledger", read)
        return {}

    engine = Engine(homes[0], {"away": story}, engine_program.world_in(tmp_path), pace=PACE)
    run = ask(homes[0], "actuals", "away")
    engine.launch()

    assert engine.wait(run, RUN_SECONDS_MAX).outcome == "complete"
    assert len(told) == 2
    assert engine.close(RUN_SECONDS_MAX)


def test_an_old_executor_that_would_join_again_beside_newer_runs_stops_and_says_so(
    homes: list[Store], tmp_path: Path, postgres_url: str
) -> None:
    """It was taken for dead while somebody upgraded; it would be refused again every second."""
    engine = Engine(
        homes[0], {"four_steps": four_steps}, engine_program.world_in(tmp_path), pace=PACE
    )
    run = ask(homes[0], "actuals", "four_steps")
    engine.launch()
    assert engine.wait(run, RUN_SECONDS_MAX).outcome == "complete"
    url = make_url(postgres_url).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(url) as newer:
        newer.execute("UPDATE dbos.workflow_status SET application_version = '99', status = %s",
                      ["ENQUEUED"])  # fmt: skip
        newer.execute("DELETE FROM app_executor")

    until(lambda: not engine.alive)
    with pytest.raises(Misconfigured, match="1 of engine version 99"):
        until(engine.refuse_lost)
    assert engine.close(0)


def test_a_command_follows_a_run_that_a_worker_executes(
    homes: list[Store], tmp_path: Path, start_worker: Start
) -> None:
    """The command knows no flow of this kind, so it cannot have executed it itself."""
    start_worker(homes[1].home)
    run = ask(homes[0], "actuals", "steps")
    engine = Engine(homes[0], {"four_steps": four_steps}, engine_program.world_in(tmp_path))

    assert engine.carry_out(run, RUN_SECONDS_MAX).outcome == "complete"
    assert engine.close(0)


def test_who_was_taken_for_dead_can_commit_nothing_whatever_it_believes(
    homes: list[Store], postgres_url: str
) -> None:
    zombie = Database(postgres_url)
    with homes[0].begin() as connection:
        executors.join(connection, "a:1:x", Process("a", "a", 1, "4"))
    zombie.guard = lambda connection: executors.require(connection, "a:1:x")
    with zombie.begin():
        pass
    with homes[0].begin() as connection:
        assert executors.bury(connection, ["a:1:x"]) == ["a:1:x"]

    with pytest.raises(TakenForDead, match="others carry its runs on"), zombie.begin():
        pass
    zombie.close()


def test_an_executor_is_not_buried_while_a_transaction_of_it_commits(
    homes: list[Store], postgres_url: str
) -> None:
    alive = Database(postgres_url)
    with homes[0].begin() as connection:
        executors.join(connection, "a:1:x", Process("a", "a", 1, "4"))
    alive.guard = lambda connection: executors.require(connection, "a:1:x")
    with alive.begin(), homes[0].begin() as connection:
        assert executors.bury(connection, ["a:1:x"]) == []
    alive.close()


def test_beats_come_often_enough_to_miss_some(homes: list[Store]) -> None:
    """One lost beat and a slow one are not yet a death."""
    assert 3 * BEAT_SECONDS < TTL_SECONDS < TAKE_OVER_SECONDS_MAX
