"""The whole trail as lines of JSON, with all that it takes to check it without us.

First comes what the lines are, then every checkpoint, every row of the manifest (`purged`: its file
is marked as removed) and every entry, at last how many there were. `verify_trail.py` reads exactly
this, and so does `tieout audit verify`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection

from tieout.store import audit, checkpoints, purges, records
from tieout.store.columns import canonical, moment_text
from tieout.store.database import Database, lock

FORMAT = "tieout trail 1"


def lines(database: Database, at: datetime) -> Iterator[str]:
    """The lines without their ends; nobody who writes waits for who reads them.

    What is not an entry is read in one short transaction, as of one entry, at which the export
    ends; entries do not change any more, so they are read page by page afterwards.
    """
    with database.begin() as connection:
        lock(connection, audit.LOCK)  # PostgreSQL: whoever kept a file has told it, or waits
        signed, kept, head = _as_of_now(connection)
    yield canonical({"export": {"format": FORMAT, "at": moment_text(at)}})
    for line in signed:
        yield canonical({"checkpoint": line})
    for row in kept:
        yield canonical({"file": _exact(row)})
    count = 0
    for page in audit.pages(lambda after: _page(database, after)):
        for entry in page:
            if entry.seq <= head:
                count += 1
                yield canonical({"entry": _exact(audit.columns(entry))})
    yield canonical({"end": {"checkpoint": len(signed), "file": len(kept), "entry": count}})


def _page(database: Database, after: int) -> list[audit.Entry]:
    with database.read() as connection:
        return audit.entries(connection, after=after)


def _as_of_now(connection: Connection) -> tuple[list[str], list[dict[str, object]], int]:
    head = audit.last(connection)
    gone = purges.objects(connection)
    kept = records.as_stored(connection)
    for row in kept:
        if row["id"] in gone:
            row["purged"] = 1
    return checkpoints.lines(connection), kept, head.seq if head else 0


def _exact(row: dict[str, object]) -> dict[str, object]:
    # Only texts and whole numbers were written; what else stands there now is shown as it is.
    return {
        name: value if value is None or isinstance(value, str | int) else repr(value)
        for name, value in row.items()
    }
