"""How connections to the database of an instance are opened: SQLite by default, PostgreSQL by URL.

SQLite runs with a rollback journal unless it is new enough for a sound write-ahead log (the
WAL-reset bug, fixed in 3.51.3: https://sqlite.org/wal.html), and always with synchronous=FULL
(guide/reliability.md §0.10: NORMAL loses acknowledged commits).
"""

from __future__ import annotations

import math
import sqlite3
import time
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from tieout.errors import Misconfigured

BUSY_TIMEOUT_SECONDS = 30
# A process that is paused within a transaction holds up everybody who waits for its locks.
IDLE_IN_TRANSACTION_SECONDS_MAX = 8
# Of libpq: a server that went away without a word is missed after half a minute.
NOTICES_A_DEAD_SERVER = {
    "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}  # fmt: skip
WAL_SOUND_SINCE = (3, 51, 3)
SUBSECONDS_SINCE = (3, 42, 0)  # unixepoch('subsec'), which the durable engine needs from 3.12 on
IDLE_SECONDS_MAX = 1.0  # of a connection that is used without trying it
_LEFT = "tieout_left"  # when it was given back
IMPATIENT = f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_SECONDS_MAX * 1000}"
OPENING = "tieout_opening"  # the execution option that says how a transaction begins on SQLite


def refuse_unsound_sqlite(python: tuple[int, ...], library: tuple[int, ...]) -> None:
    """Refuse Python ≥ 3.12 with SQLite < 3.42, where every durable run dies (engine.md §3.13)."""
    if python >= (3, 12) and library < SUBSECONDS_SINCE:
        spelled = ".".join(map(str, library))
        raise Misconfigured(
            f"Python {'.'.join(map(str, python))} here uses SQLite {spelled}, "
            "which is too old for it.",
            untouched="Nothing was changed.",
            do="Use Python 3.11, or a Python built with SQLite 3.42 or newer, or PostgreSQL.",
            who="who runs this installation",
        )


def journal_mode(library: tuple[int, ...]) -> str:
    """The journal that cannot corrupt the file with this SQLite."""
    return "WAL" if library >= WAL_SOUND_SINCE else "DELETE"


def server_engine(url: URL, **settings: Any) -> Engine:
    """Connections to a PostgreSQL server, `settings` as for SQLAlchemy's `create_engine`.

    One that was not used for IDLE_SECONDS_MAX is tried before it is used: the server may have been
    started again meanwhile. To try each one each time would cost a round trip for every statement.
    """
    told = {"options": IMPATIENT, **NOTICES_A_DEAD_SERVER}
    engine = create_engine(url, connect_args=told, **settings)

    @event.listens_for(engine, "checkin")
    def left(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_LEFT] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def taken(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        if time.monotonic() - record.info.get(_LEFT, math.inf) < IDLE_SECONDS_MAX:
            return
        try:
            engine.dialect.do_ping(connection)
        except Exception as error:  # whatever it is: the pool opens another one
            raise InvalidatePoolError from error

    return engine


def sqlite_engine(path: str) -> Engine:
    """Connections to a file that is there already."""
    # mode=rw: a database that was taken away is missed, not silently begun anew.
    there = f"file:{quote(path)}?mode=rw&uri=true"
    engine = create_engine(
        f"sqlite:///{there}", connect_args={"timeout": BUSY_TIMEOUT_SECONDS}, hide_parameters=True
    )
    mode = journal_mode(sqlite3.sqlite_version_info)

    @event.listens_for(engine, "connect")
    def settings(connection: sqlite3.Connection, _record: object) -> None:
        # Who is handed this engine without our options opens transactions as the driver does.
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # The driver would begin only at the first change, after our reads: too late for
        # look-then-write. A write lock taken at the start cannot fail in the middle either.
        if opening := connection.get_execution_options().get(OPENING):
            connection.exec_driver_sql(opening)

    return engine
