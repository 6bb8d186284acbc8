"""A process that may not be the only executor any more begins no further step."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import engine_program
import psycopg
import pytest
from engine_program import RUN_SECONDS_MAX, Gate, Peer
from sqlalchemy import make_url

from tieout.clock import SystemClock
from tieout.engine.durable import Engine, Pace
from tieout.engine.inline import tell_here
from tieout.engine.story import Interrupted, Run
from tieout.errors import Refused, Unavailable
from tieout.store.runs import NewRun
from tieout.store.seals import TRAIL_KEY_FILE
from tieout.store.steps import Step
from tieout.store.store import DATABASE_FILE, Store

PACE = Pace(poll_seconds=0.02, patience_seconds=0.5)
LOCK_HOLDERS = """
    SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND d.datname = current_database()
      AND l.objsubid = 1 AND l.objid = 7105121"""


def until(happened: Callable[[], bool]) -> bool:
    """Looks until it has happened, or for too long."""
    deadline = time.monotonic() + RUN_SECONDS_MAX
    while not happened() and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    return happened()


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


@pytest.mark.needs("postgres")
def test_an_executor_whose_lock_was_lost_stops_and_another_carries_its_run_on(
    homes: list[Store], tmp_path: Path, peer: Peer, postgres_url: str
) -> None:
    gate = Gate()
    run = homes[0].new_run(NewRun("actuals", "gate", "Anna", outcome="waiting")).id
    first, second = (
        Engine(store, {"gate": gate.story}, engine_program.world_in(tmp_path), pace=PACE)
        for store in homes
    )
    first.launch()
    assert gate.begun.wait(RUN_SECONDS_MAX)
    assert first.alive

    with psycopg.connect(
        make_url(postgres_url).set(drivername="postgresql").render_as_string(False)
    ) as admin:
        assert len(admin.execute(LOCK_HOLDERS).fetchall()) == 1
    assert until(lambda: not first.alive)
    gate.open.set()

    with pytest.raises(Unavailable, match="connection to the database broke"):
        first.wait(run, RUN_SECONDS_MAX)
    assert until(lambda: first.close(0))
    assert homes[0].run(run).outcome == "running"
    assert peer.calls() == [f"read {run}"]

    second.launch()
    assert second.wait(run, RUN_SECONDS_MAX).outcome == "complete"
    assert second.close(RUN_SECONDS_MAX)
    assert peer.calls() == [f"read {run}", f"send {run}"]


@pytest.mark.needs("postgres")
def test_a_lock_lost_between_two_looks_is_missed_before_the_next_step(
    homes: list[Store], tmp_path: Path, peer: Peer, postgres_url: str
) -> None:
    """The step itself cuts the connection, and the engine looks only once in a long while."""

    def cut(step: Step, word: str) -> dict[str, object]:
        peer.call(word)
        url = make_url(postgres_url).set(drivername="postgresql").render_as_string(False)
        with psycopg.connect(url) as admin:
            admin.execute(LOCK_HOLDERS)
        return {}

    def send(step: Step, word: str) -> dict[str, object]:
        peer.call(word)
        return {}

    def story(run: Run, _world: object) -> dict[str, object]:
        run.step("read ledger", cut, "read")
        run.step("send cells", send, "send")
        return {}

    engine = Engine(
        homes[0], {"cut": story}, engine_program.world_in(tmp_path),
        pace=Pace(poll_seconds=5.0, patience_seconds=60.0),
    )  # fmt: skip
    run = homes[0].new_run(NewRun("actuals", "cut", "Anna", outcome="waiting")).id
    engine.launch()
    assert until(lambda: not engine.alive)
    assert until(lambda: engine.close(0))
    assert homes[0].run(run).outcome == "running"
    assert peer.calls() == ["read"]


def test_a_database_file_taken_away_stops_the_executor_and_none_is_begun_in_its_place(
    store: Store,
    ask: Callable[..., str],
    make_engine: Callable[..., Engine],
    peer: Peer,
    tmp_path: Path,
) -> None:
    gate = Gate()
    run = ask("actuals", "gate")
    first = make_engine(gate=gate.story)
    first.launch()
    assert gate.begun.wait(RUN_SECONDS_MAX)

    file = tmp_path / DATABASE_FILE
    file.rename(tmp_path / "taken")
    assert until(lambda: not first.alive)
    gate.open.set()
    with pytest.raises(Refused, match="taken away or replaced"):
        first.wait(run, RUN_SECONDS_MAX)
    assert until(lambda: first.close(0))
    assert not file.exists()
    assert peer.calls() == [f"read {run}"]

    (tmp_path / "taken").rename(file)
    assert store.run(run).outcome == "running"
    second = make_engine(gate=gate.story)
    second.launch()
    assert second.wait(run, RUN_SECONDS_MAX).outcome == "complete"
    assert peer.calls() == [f"read {run}"] * 2 + [f"send {run}"]


def test_a_sign_out_of_a_run_that_was_interrupted_is_kept_as_evidence(
    store: Store, ask: Callable[..., str]
) -> None:
    """Its process stops; the calls it made while it closed belong to the run all the same."""
    world = SignsOut()

    def power_cut(step: str, point: str) -> None:
        if point == "between":
            raise Interrupted

    run = ask()
    with pytest.raises(Interrupted):
        tell_here(store, run, world.story, lambda run: world, power_cut)
    assert [(call.step, call.n, call.path) for call in store.calls(run)] == [
        ("read ledger", 1, "/read"),
        ("read ledger", 2, "/logout"),
    ]

    assert tell_here(store, run, world.story, lambda run: world).outcome == "complete"
    assert store.audit(run=run)[-1].told == {"outcome": "complete", "calls": 3}


class SignsOut:
    """Connections that make a call while they are closed, as those of both systems do."""

    system, method, status, milliseconds, bytes_in, bytes_out, tries = (
        "jde",
        "POST",
        200,
        1,
        1,
        1,
        1,
    )

    def __init__(self) -> None:
        self.path = "/read"
        self._steps: list[Step] = []

    def __enter__(self) -> SignsOut:
        return self

    def __exit__(self, *_: object) -> None:
        self.path = "/logout"
        self._steps[-1].call(self)

    def story(self, run: Run, _world: object) -> dict[str, object]:
        run.step("read ledger", self._read)
        return {}

    def _read(self, step: Step) -> dict[str, object]:
        self._steps.append(step)
        step.call(self)
        return {}
