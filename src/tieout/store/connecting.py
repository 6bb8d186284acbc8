"""How connections to the database of an instance are opened: SQLite by default, PostgreSQL by URL.

SQLite runs with a rollback journal unless it is new enough for a sound write-ahead log (the
WAL-reset bug, fixed in 3.51.3: https://sqlite.org/wal.html), and always with synchronous=FULL
(guide/reliability.md §0.10: NORMAL loses acknowledged commits).
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from tieout.errors import Misconfigured, Refused
from tieout.store.own_sqlite import sqlite3

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
_FILE = "tieout_file"  # which file a connection was opened to


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


def database_gone(evidence: str) -> Refused:
    """The refusal to go on with a file that is not the one in its place."""
    return Refused(
        "The database file of this instance is not there, or was replaced while it was open.",
        untouched="Nothing was changed.",
        do="Stop every Tieout process, put the right file in its place, then start again.",
        who="who runs this machine",
        evidence=evidence,
    )


def sqlite_engine(path: str) -> Engine:
    """Connections to a file that is there already; `refuse_gone` says whether it still is.

    With a write-ahead log SQLite itself does not miss a file that was taken away or replaced: what
    is committed then is lost with it.
    """
    # mode=rw: a database that was taken away is missed, not silently begun anew.
    there = f"file:{quote(path)}?mode=rw&uri=true"
    engine = create_engine(
        f"sqlite:///{there}", module=sqlite3, connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
        hide_parameters=True,
    )  # fmt: skip
    mode = journal_mode(sqlite3.sqlite_version_info)

    @event.listens_for(engine, "connect")
    def settings(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        record.info[_FILE] = identity_of(path)
        # Who is handed this engine without our options opens transactions as the driver does.
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    return engine


def refuse_gone(connection: Connection, path: str) -> None:
    """Refused when the file in `path` is not the one that the connection was opened to."""
    # No listener of the library's "begin": with one it asks for listeners at every statement.
    if identity_of(path) != connection.info[_FILE]:
        raise database_gone(path)


def identity_of(path: str | Path) -> tuple[int, int] | None:
    """Which file lies there: its device and number; None when there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
