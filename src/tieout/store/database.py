"""Opens the database of an instance, runs transactions on it, and says in words what went wrong."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Table, column, inspect, select, table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.sql.dml import ReturningInsert

from tieout.errors import Misconfigured, Refused, Trouble, Unavailable
from tieout.store.connecting import (
    BUSY_TIMEOUT_SECONDS,
    database_gone,
    refuse_gone,
    refuse_unsound_sqlite,
    server_engine,
    sqlite_engine,
)
from tieout.store.machine import new_name
from tieout.store.own_sqlite import MOVED, sqlite3
from tieout.store.schema import SCHEMA_VERSION, VERSION_TABLE

TRANSACTION_TRIES_MAX = 4
_NO_TRANSACTION = "AUTOCOMMIT"
_TRAIL_KEY = "tieout_trail_key"  # where the key lies that seals what a transaction tells

T = TypeVar("T")


class TryAgain(Unavailable):
    """The database did not do a transaction because of another (lock, deadlock, serialisation)."""


class DatabaseAway(Unavailable):
    """The database does not answer: what a transaction did is not known to whoever asked for it."""


class Database:
    """One database; `engine` may be handed to a library that keeps its own tables in it."""

    def __init__(self, url: str | URL, trail_key: Path | None = None) -> None:
        """`trail_key` is the file of the key that seals the trail, for who adds to it."""
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"  # the embedded database
        self._path = self.url.database or ""  # of its file
        # What a writing transaction begins with, and the executor it is written by.
        self.guard: Callable[[Connection], None] = _anybody
        self.executor = new_name()
        if self.is_sqlite:
            refuse_unsound_sqlite(sys.version_info[:2], sqlite3.sqlite_version_info)
            self.engine = sqlite_engine(self._path)
        else:
            # An error must not carry ledger data into a log.
            self.engine = server_engine(
                self.url, isolation_level="READ COMMITTED", hide_parameters=True
            )
        options = {_TRAIL_KEY: trail_key}
        self._writing = self.engine.execution_options(**options)
        # At READ COMMITTED each statement sees what is committed by then, within a transaction or
        # not; so reading from a server needs none, and is one round trip instead of three. A file
        # is read the same way: SQLite opens no transaction that it is not told to open.
        alone = {} if self.is_sqlite else {"isolation_level": _NO_TRANSACTION}
        self._reading = self.engine.execution_options(**options, **alone)

    @classmethod
    def at(cls, path: Path, trail_key: Path | None = None) -> Database:
        """The SQLite database in `path`, made empty and private when it is not there yet."""
        with saying_what_failed():
            # SQLite gives its journal the mode of the database: nobody else may read either.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        return cls(URL.create("sqlite", database=str(path)), trail_key)

    def unguard(self) -> None:
        """Be no executor any more: transactions begin as anybody's."""
        self.guard = _anybody

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One writing transaction: committed when the block ends, undone when it raises."""
        with saying_what_failed(), self._writing.begin() as connection:
            if self.is_sqlite:
                refuse_gone(connection, self._path)
                # The driver would begin only at the first change, after our reads: too late for
                # look-then-write. A lock taken at the start cannot fail in the middle either.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            self.guard(connection)
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Statements that only read; each sees what is committed by then. No writer waits."""
        with saying_what_failed(), self._reading.begin() as connection:
            if self.is_sqlite:
                refuse_gone(connection, self._path)
            yield connection

    def transact(self, write: Callable[[Connection], T]) -> T:
        """Run `write` in one transaction, again when the database asks for it.

        `write` may run several times and its first commit may already have happened when the
        connection was lost: it must look before it inserts.
        """
        for tries in range(1, TRANSACTION_TRIES_MAX + 1):
            try:
                with self.begin() as connection:
                    return write(connection)
            except Unavailable:
                if tries == TRANSACTION_TRIES_MAX:
                    raise
        raise AssertionError("unreachable")

    def version(self) -> str:
        """The schema version of this database; empty when nothing was made yet."""
        with self.read() as connection:
            if not inspect(connection).has_table(VERSION_TABLE):
                return ""
            query = select(table(VERSION_TABLE, column("version_num")))
            return str(connection.execute(query).scalar() or "")

    def check(self) -> None:
        """Refuse a database this program does not know: a newer one, or one not yet migrated."""
        found = self.version()
        if found == SCHEMA_VERSION:
            return
        if found > SCHEMA_VERSION:
            raise newer_schema(found)
        raise Misconfigured(
            f"The database has schema {found or 'none'}; this program needs {SCHEMA_VERSION}.",
            untouched="Nothing was changed.",
            do="Run `tieout init` once; it keeps everything and brings the tables up to date.",
        )

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def _anybody(_connection: Connection) -> None:
    """No guard: not an executor among several."""


def newer_schema(found: str) -> Misconfigured:
    """The refusal of an old program that meets a database of a newer one."""
    return Misconfigured(
        f"The database was written by a newer Tieout (schema {found}; this program knows "
        f"{SCHEMA_VERSION}).",
        untouched="Nothing was read or changed.",
        do="Install the newer version again, or restore a backup made before the upgrade.",
        who="who runs this installation",
    )


def trail_key_of(connection: Connection) -> Path:
    """Where the key lies that seals what this transaction adds to the trail."""
    path = connection.get_execution_options().get(_TRAIL_KEY)
    if not isinstance(path, Path):
        raise TypeError("this database was opened by who adds nothing to the trail")
    return path


def lock(connection: Connection, name: str) -> None:
    """Make the transactions that ask for `name` go one after the other until they end."""
    if connection.dialect.name == "postgresql":
        _refuse_reader(connection)
        connection.execute(_LOCK, {"key": _number_of(name)})
    # SQLite: BEGIN IMMEDIATE already lets only one writer in.


def try_lock(connection: Connection, name: str) -> bool:
    """The same without waiting: False when another transaction has it."""
    if connection.dialect.name != "postgresql":
        return True
    _refuse_reader(connection)
    return bool(connection.execute(_TRY_LOCK, {"key": _number_of(name)}).scalar_one())


_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")


def _refuse_reader(connection: Connection) -> None:
    if connection.get_execution_options().get("isolation_level") == _NO_TRANSACTION:
        raise TypeError("who only reads has no transaction that could hold a lock")


@cache
def _number_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def insert_new(connection: Connection, into: Table, row: Mapping[str, object]) -> bool:
    """Insert `row` unless its key is there already; says whether it was inserted.

    On PostgreSQL it waits for a transaction that is inserting the same key.
    """
    statement = _inserting_new(into, connection.dialect.name)
    return connection.execute(statement, dict(row)).first() is not None


@cache
def _inserting_new(into: Table, dialect: str) -> ReturningInsert[Any]:
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    # Drivers do not agree on the row count of an INSERT; what it returns is exact.
    return make(into).on_conflict_do_nothing().returning(*into.primary_key.columns)


@contextmanager
def saying_what_failed() -> Iterator[None]:
    """Turn the failures of a database or a disk into one sentence for a person."""
    try:
        yield
    except DBAPIError as error:
        embedded = isinstance(error.orig, sqlite3.Error)
        trouble = _from_sqlite(error) if embedded else _from_postgres(error)
        if trouble is None:
            raise
        raise trouble from error
    except OSError as error:
        trouble = disk_trouble(error)
        if trouble is None:
            raise
        raise trouble from error


def disk_trouble(error: OSError) -> Trouble | None:
    """The refusal for a disk that takes no more, or None for another failure."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _disk_full(os.strerror(error.errno))
    if error.errno in (errno.EIO, errno.EROFS):
        return _disk_failed(os.strerror(error.errno))
    return None


def _disk_full(evidence: str) -> Refused:
    return Refused(
        "The disk of this instance is full, or this process may not write more to it.",
        untouched="Nothing was changed by this step.",
        do="Make room on it, then run the flow again: it goes on where it stopped.",
        who="who runs this machine",
        evidence=evidence,
    )


def _disk_failed(evidence: str) -> Refused:
    return Refused(
        "The disk of this instance could not be written.",
        untouched="Nothing was changed by this step.",
        do="Check the disk and its mount, then start Tieout again.",
        who="who runs this machine",
        evidence=evidence,
    )


def _from_sqlite(error: DBAPIError) -> Trouble | None:
    code: int = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    words = str(error.orig)
    if code == MOVED:
        return database_gone(words)
    match code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return _disk_full(words)
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_READONLY:
            return _disk_failed(words)
        case sqlite3.SQLITE_CANTOPEN:
            return database_gone(words)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return TryAgain(
                f"The database was held by another program for {BUSY_TIMEOUT_SECONDS} seconds.",
                untouched="Nothing was changed.",
                do="Try again; if a backup tool holds the file, let it use `tieout backup`.",
                evidence=words,
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return Refused(
                "The database file of this instance is damaged, or is not a database.",
                untouched="Nothing was changed.",
                do="Restore the last backup.",
                who="who runs this machine",
                evidence=words,
            )
    return None


def _from_postgres(error: DBAPIError) -> Trouble | None:
    state: Any = getattr(error.orig, "sqlstate", None)
    if state in ("40001", "40P01"):
        return TryAgain(
            "The database undid this in favour of something else that ran at the same time.",
            untouched="Nothing was changed.",
            do="Try again.",
            evidence=str(error.orig),
        )
    if state == "53100":
        return _disk_full(str(error.orig))
    if error.connection_invalidated or (isinstance(error, OperationalError) and state is None):
        return DatabaseAway(
            "The database does not answer, or it broke the connection.",
            do="See that PostgreSQL runs and that TIEOUT_DATABASE names it.",
            who="who runs the database",
            evidence=type(error.orig).__name__,  # the words may hold the address with its password
        )
    return None
