"""Stores to test against: a fresh SQLite file, a scratch PostgreSQL database."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from tieout.store.runs import NewRun
from tieout.store.store import Store

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


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A migrated store on either database."""
    postgres = request.param == "postgresql"
    url = emptied(request.getfixturevalue("scratch")) if postgres else None
    opened = Store(tmp_path, TickingClock(), url)
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
def child() -> Callable[[Store, str, str], list[str]]:
    """The command of a process that carries out a plan of child.py on a store and a run."""

    def command(store: Store, plan: str, run: str) -> list[str]:
        url = "" if store.database.is_sqlite else store.database.url.render_as_string(False)
        program = str(Path(__file__).with_name("child.py"))
        return [sys.executable, program, str(store.home), url, plan, run]

    return command


@pytest.fixture
def files(store: Store) -> Callable[[], list[Path]]:
    """What lies in the records directory now."""
    return lambda: sorted(path for path in store.records.root.rglob("*") if path.is_file())
