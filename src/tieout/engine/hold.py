"""What makes this process the only executor of a database, for as long as it is true."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from tieout.errors import Busy, Refused, Trouble, Unavailable

LOCK_KEY = 7_105_121  # of PostgreSQL's advisory locks; any number nobody else uses

HELD = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    "AND pid = pg_backend_pid() AND classid = 0 AND objid = :key"
)


class Hold(Protocol):
    """Held until `close`, or until `kept` says that it was lost."""

    def kept(self) -> bool:
        """Whether no other process can have become the executor; once False, for ever."""
        ...

    def lost(self) -> Trouble:
        """What to tell who waits for a run when it is not kept any more."""
        ...

    def close(self) -> None:
        """Let another process become the executor."""
        ...


def hold(engine: Engine, file: Path) -> Hold:
    """Become the executor of the database behind `engine`; `file` holds it when it is SQLite.

    Two executors of one name would begin each other's runs again. Raises Busy.
    """
    return ServerHold(engine) if engine.dialect.name == "postgresql" else FileHold(file)


class ServerHold:
    """An advisory lock of PostgreSQL, which lives as long as its connection."""

    def __init__(self, engine: Engine) -> None:
        self._mutex = threading.Lock()
        self._connection: Connection | None = None
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        taken = text("SELECT pg_try_advisory_lock(:key)")
        if not connection.execute(taken, {"key": LOCK_KEY}).scalar():
            connection.close()
            raise Busy(
                "Another process executes the runs of this database.",
                untouched="Nothing was started here.",
                do="Follow the run from here, or start it again once that process ended.",
            )
        self._connection = connection

    def kept(self) -> bool:
        """Asks the server on the very connection that holds the lock."""
        with self._mutex:
            if self._connection is None:
                return False
            try:
                if self._connection.execute(HELD, {"key": LOCK_KEY}).scalar():
                    return True
            except DBAPIError:
                pass  # with the connection the lock is gone, whatever broke it
            self._end()
            return False

    def lost(self) -> Trouble:
        """Another process may have taken over."""
        return Unavailable(
            "The connection to the database broke that made this process its executor, so it "
            "stopped before the next step.",
            untouched="What was committed stays; the run is carried on by the next executor.",
            do="Start Tieout again, unless another process executes this database by now.",
        )

    def close(self) -> None:
        """Closes the connection; given back to a pool, it would keep the lock."""
        with self._mutex:
            self._end()

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


class FileHold:
    """The file itself: the instance's lock keeps others out as long as it is the same file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._identity = _identity(file)

    def kept(self) -> bool:
        """An open file that was deleted or replaced can be read on, as if nothing had happened."""
        if self._identity is not None and _identity(self._file) != self._identity:
            self._identity = None
        return self._identity is not None

    def lost(self) -> Trouble:
        """The file is gone."""
        return Refused(
            "The database file of this instance was taken away or replaced while it was open, so "
            "this process stopped before the next step.",
            untouched="Nothing was written to a file in its place.",
            do="Stop every Tieout process, put the right file in its place, then start again.",
            who="who runs this machine",
        )

    def close(self) -> None:
        """Nothing is held open."""


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino
