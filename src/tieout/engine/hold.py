"""What lets this process execute the runs of a database, for as long as it is true."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tieout.engine.lock import InstanceLock
from tieout.errors import Refused, Trouble
from tieout.store.connecting import identity_of


class Hold(Protocol):
    """Held until `close`, or until `kept` says that it was lost."""

    def kept(self) -> bool:
        """Whether no other process can have taken over our runs; once False, for ever."""
        ...

    def lost(self) -> Trouble:
        """What to tell who waits for a run when it is not kept any more."""
        ...

    def close(self) -> None:
        """Let others take over what is unfinished."""
        ...


class FileHold:
    """The only executor of a SQLite file: its instance is locked, and it is still the same file."""

    def __init__(self, file: Path) -> None:
        """Raises Busy when another process executes the instance that `file` belongs to."""
        self._lock = InstanceLock(file.parent)
        self._lock.take()
        self._file = file
        self._identity = identity_of(file)

    def kept(self) -> bool:
        """An open file that was deleted or replaced can be read on, as if nothing had happened."""
        if self._identity is not None and identity_of(self._file) != self._identity:
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
        """Unlock the instance."""
        self._lock.release()
