"""Whose records lie in a place that several instances could be given by mistake.

A sweep removes what no manifest row names: in a place of another instance that would be all of its
records. So a bucket, or a directory outside of the home, bears the mark of one instance: the hash
with which its trail begins, which all homes on one database share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from tieout.errors import Misconfigured
from tieout.store import audit, records
from tieout.store.database import Database

MARK = "tieout-instance"  # the name of the file that says whose records lie beside it


@dataclass(frozen=True, slots=True)
class Owner:
    """How an instance marks its records, and a file that lies where they are; "" without any."""

    mark: bytes
    newest: str

    @property
    def sha256(self) -> str:
        """What the mark is known by."""
        return hashlib.sha256(self.mark).hexdigest()


def owner(database: Database) -> Callable[[], Owner]:
    """What tells who the owner is, when it is asked."""

    def told() -> Owner:
        with database.read() as connection:
            [first] = audit.entries(connection, limit=1)
            newest = records.newest(connection)
        mark = f"The records of the instance whose trail begins with {first.hash}.\n"
        return Owner(mark.encode(), newest)

    return told


def of_another(where: str) -> Misconfigured:
    """The refusal of a place that bears another mark."""
    return Misconfigured(
        f"{where} holds the records of another instance.",
        untouched="Nothing was written or removed there.",
        do="Let TIEOUT_RECORDS name a place, such as another prefix, that this instance alone has.",
        who="who runs this machine",
    )


def not_there(where: str, newest: str) -> Misconfigured:
    """The refusal of a place that bears no mark, and is not the one where the records are."""
    why = f"the newest one ({newest}) is not there" if newest else "other files are there"
    return Misconfigured(
        f"{where} is not where the records of this instance are: {why}.",
        untouched="Nothing was written or removed there.",
        do="Let TIEOUT_RECORDS name the place where they are; before the first run, an empty one.",
        who="who runs this machine",
    )
