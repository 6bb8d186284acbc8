"""Signed statements of how far the trail has come, kept in the database and outside of it.

A checkpoint names an entry and its hash, and is signed with the key of the trail. One is made in
the transaction that ends a run. Each is then added to the anchor (`store.anchors`), which ought to
lie where whoever can change the database cannot: it shows an end that was cut off, an older copy of
the database, and a trail that somebody with the key wrote anew.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select

from tieout.core.policy import SYSTEM
from tieout.errors import Misconfigured
from tieout.store import anchors, audit, seals
from tieout.store.anchors import Anchored, name_of
from tieout.store.audit import Telling
from tieout.store.columns import canonical, moment_text, parsed
from tieout.store.database import Database, lock, trail_key_of
from tieout.store.schema import app_checkpoint

FORMAT, ANCHOR_FORMAT = "tieout checkpoint 1", "tieout anchor 1"
ANCHOR_FILE = "checkpoints.jsonl"


def add(connection: Connection, at: datetime, run: str = "") -> str:
    """Sign the newest entry, in the caller's transaction; the line that says so.

    Call it after something was told: a trail without entries cannot be signed.
    """
    lock(connection, audit.LOCK)
    key = seals.read(trail_key_of(connection))
    [first] = audit.entries(connection, limit=1)
    head = audit.last(connection) or first
    n = _newest(connection) + 1
    told = {
        "format": FORMAT, "n": n, "trail": first.hash, "seq": head.seq, "head": head.hash,
        "at": moment_text(at), "run": run, "public_key": key.public,
    }  # fmt: skip
    line = canonical(told | {"signature": key.sign(canonical(told))})
    connection.execute(insert(app_checkpoint), {"n": n, "line": line})
    return line


def lines(connection: Connection, after: int = 0) -> list[str]:
    """The checkpoints after number `after`, oldest first."""
    return list(connection.execute(_AFTER, {"after": after}).scalars())


_AFTER = (
    select(app_checkpoint.c.line)
    .where(app_checkpoint.c.n > bindparam("after"))
    .order_by(app_checkpoint.c.n)
)


def last(connection: Connection) -> dict[str, Any]:
    """What the newest checkpoint says; empty before the first."""
    query = select(app_checkpoint.c.line).order_by(app_checkpoint.c.n.desc()).limit(1)
    line = connection.execute(query).scalar()
    return dict(parsed(line)) if line else {}


def bring(database: Database, anchor: Anchored) -> int:
    """Add to the anchor what it lacks; how many lines. Misconfigured if that cannot be done.

    It is only ever added to, also by several processes at once: a line may then stand twice.
    """
    with database.read() as connection:
        newest = _newest(connection)
    last = anchors.last(anchor, newest)
    with database.read() as connection:
        missing = lines(connection, after=last.get("n", 0))
        first = audit.entries(connection, limit=1)
    if last and first and last["trail"] != first[0].hash:
        raise anchors.unfit(anchor, "it has the checkpoints of another trail")
    if missing and not last:
        public_key = parsed(missing[0])["public_key"]
        missing = [canonical({"anchor": ANCHOR_FORMAT, "public_key": public_key}), *missing]
    if missing:
        anchors.add(anchor, missing)
    return len(missing)


def _newest(connection: Connection) -> int:
    """The number of the last checkpoint, 0 before the first."""
    return int(connection.execute(_NEWEST).scalar_one())


_NEWEST = select(func.coalesce(func.max(app_checkpoint.c.n), 0))


def bring_or_tell(database: Database, anchor: Anchored, at: datetime, run: str) -> None:
    """The same at the end of a run, which has ended whatever the anchor says: the trail tells."""
    try:
        bring(database, anchor)
    except Misconfigured as trouble:
        told = Telling(
            SYSTEM, "could not write anchor", name_of(anchor), {"why": trouble.what}, run
        )
        database.transact(lambda connection: audit.append(connection, at, told))
