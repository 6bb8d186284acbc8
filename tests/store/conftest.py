"""Stores to test against: a fresh SQLite file, a scratch PostgreSQL database, object storage."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from object_storage import HURRIED, ObjectStorage
from sqlalchemy import create_engine, make_url, text

from tieout.clock import SystemClock
from tieout.store.objects import Objects
from tieout.store.runs import NewRun
from tieout.store.store import Store

OBJECTS = "objects"
NOT_PARAMETRIZED = SimpleNamespace(params={})
DEFAULT_DATABASE = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"


class TickingClock:
    """A clock on which a second passes whenever somebody looks at it."""

    def __init__(self) -> None:
        self._at = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)

    def now(self) -> datetime:
        self._at += timedelta(seconds=1)
        return self._at

    def monotonic(self) -> float:
        return self._at.timestamp()

    def sleep(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def scratch() -> Iterator[str]:
    """A PostgreSQL database for the tests of one module, which empty it before they use it."""
    server = make_url(os.environ.get("TIEOUT_TEST_DATABASE", DEFAULT_DATABASE))
    name = f"tieout_store_{secrets.token_hex(6)}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def emptied(url: str) -> str:
    """The same database without any table: much faster than making another one."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return url


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With records in object storage only what is marked so is tested: the rest knows of none."""
    items[:] = [
        item for item in items
        if not any(
            isinstance(value, str) and value == OBJECTS
            for value in getattr(item, "callspec", NOT_PARAMETRIZED).params.values()
        )
        or item.get_closest_marker(OBJECTS)
    ]  # fmt: skip


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres")), OBJECTS]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A migrated store on either database, and (marked tests) one with records in a bucket."""
    postgres = request.param == "postgresql"
    url = emptied(request.getfixturevalue("scratch")) if postgres else None
    place = None
    if request.param == OBJECTS:
        storage: ObjectStorage = request.getfixturevalue("object_storage")
        place = storage.place(f"store/{secrets.token_hex(4)}", tmp_path / "copies")
    opened = Store(tmp_path, TickingClock(), url, place=place)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))],
)
def lasting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """The same for all tests of a module: made once, and left to them as the last one left it."""
    postgres = request.param == "postgresql"
    url = emptied(request.getfixturevalue("scratch")) if postgres else None
    opened = Store(tmp_path_factory.mktemp("store"), TickingClock(), url)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def flow() -> str:
    """The flow a test is about."""
    return "actuals"


@pytest.fixture
def run(store: Store, flow: str) -> str:
    """A run that has just begun."""
    return store.new_run(NewRun(flow=flow, kind="load_actuals", started_by="Anna")).id


@pytest.fixture
def place(store: Store) -> Objects | None:
    """Where the records of `store` lie, if that is object storage."""
    found = store.records.place
    return found if isinstance(found, Objects) else None


@pytest.fixture
def child(
    request: pytest.FixtureRequest, place: Objects | None
) -> Callable[[Store, str, str], list[str]]:
    """The command of a process that carries out a plan of child.py on a store and a run."""

    def command(store: Store, plan: str, run: str) -> list[str]:
        url = "" if store.database.is_sqlite else store.database.url.render_as_string(False)
        program = str(Path(__file__).with_name("child.py"))
        command = [sys.executable, program, str(store.home), url, plan, run]
        if place is None:
            return command
        storage: ObjectStorage = request.getfixturevalue("object_storage")
        names = {"TIEOUT_RECORDS": place.url} | storage.options()
        return ["env", *(f"{name}={value}" for name, value in names.items()), *command]

    return command


@pytest.fixture
def files(
    request: pytest.FixtureRequest, store: Store, place: Objects | None
) -> Callable[[], list[str]]:
    """The paths of all that lies in the records now, complete or not."""
    root = store.records.root
    if place is None:
        return lambda: sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
    storage: ObjectStorage = request.getfixturevalue("object_storage")
    return lambda: storage.names(prefix_of(place))


def prefix_of(place: Objects) -> str:
    """What all its names begin with in the bucket."""
    return place.url.split("/", 3)[3]


# Records in object storage, behind a client that is in a hurry


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    """What the names of one test begin with in the bucket."""
    return f"objects/{tmp_path.name}"


@pytest.fixture
def bucket_place(object_storage: ObjectStorage, prefix: str, tmp_path: Path) -> Objects:
    """A place for records there."""
    return object_storage.place(prefix, tmp_path / "copies", HURRIED)


@pytest.fixture
def stored(tmp_path: Path, bucket_place: Objects) -> Iterator[Store]:
    """A store that has its records there."""
    opened = Store(tmp_path, SystemClock(), place=bucket_place)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def begun(stored: Store) -> str:
    """A run of it that has just begun."""
    return stored.new_run(NewRun("actuals", "load_actuals", "Anna")).id
