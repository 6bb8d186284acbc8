"""An instance with a four-step flow, executed in the test's own process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import engine_program
import pytest
from scheduled import Day

from tieout.clock import SystemClock
from tieout.engine.durable import Engine, Pace
from tieout.engine.story import Story
from tieout.store.runs import NewRun, Run
from tieout.store.store import Store

Ask = Callable[..., str]
MakeEngine = Callable[..., Engine]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A migrated store on SQLite."""
    opened = Store(tmp_path, SystemClock())
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def ask(store: Store) -> Ask:
    """Writes down the wish for a run, as every face of the product does; its id."""

    def asked(flow: str = "actuals", kind: str = "four_steps", by: str = "Anna") -> str:
        return store.new_run(NewRun(flow, kind, by, outcome="waiting")).id

    return asked


@pytest.fixture
def peer(tmp_path: Path) -> engine_program.Peer:
    """The system outside."""
    return engine_program.Peer(tmp_path)


@pytest.fixture
def make_engine(store: Store, tmp_path: Path) -> Iterator[MakeEngine]:
    """Makes an engine of the instance; closed at the end."""
    made: list[Engine] = []

    def make(lane_for: Callable[[Run], str] = lambda run: "all", **stories: Story) -> Engine:
        stories = stories or {"four_steps": engine_program.four_steps}
        world_for = engine_program.world_in(tmp_path)
        pace = Pace(poll_seconds=0.02, patience_seconds=0.5)
        engine = Engine(store, stories, world_for, pace=pace, lane_for=lane_for)
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.close(0)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def day(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Day]:
    """An instance on either database, at noon of 26 November 2026."""
    postgres = request.param == "postgresql"
    made = Day(tmp_path, request.getfixturevalue("postgres_url") if postgres else None)
    made.store.migrate()
    yield made
    made.store.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Day]:
    """The same on SQLite alone."""
    made = Day(tmp_path)
    made.store.migrate()
    yield made
    made.store.close()
