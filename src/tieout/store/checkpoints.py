"""Signed statements of how far the trail has come, kept in the database and outside of it.

A checkpoint names an entry and its hash, and is signed with the key of the trail. One is made in
the transaction that ends a run. Each is then appended to the anchor, a file that ought to lie where
whoever can change the database cannot: it shows an end that was cut off, an older copy of the
database, and a trail that somebody with the key wrote anew.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select

from tieout.core.policy import SYSTEM
from tieout.errors import Misconfigured
from tieout.store import audit, seals
from tieout.store.audit import Telling
from tieout.store.columns import canonical, moment_text, parsed
from tieout.store.database import Database, lock, trail_key_of
from tieout.store.schema import app_checkpoint
from tieout.store.verify_trail import Anchor, read_anchor

FORMAT, ANCHOR_FORMAT = "tieout checkpoint 1", "tieout anchor 1"
ANCHOR_FILE = "checkpoints.jsonl"
TAIL_BYTES_MAX = 16_384  # some lines of an anchor, of which the last whole one is wanted


def add(connection: Connection, at: datetime, run: str = "") -> str:
    """Sign the newest entry, in the caller's transaction; the line that says so.

    Call it after something was told: a trail without entries cannot be signed.
    """
    lock(connection, audit.LOCK)
    key = seals.read(trail_key_of(connection))
    [first] = audit.entries(connection, limit=1)
    head = audit.last(connection) or first
    n = connection.execute(select(func.coalesce(func.max(app_checkpoint.c.n), 0))).scalar_one() + 1
    told = {
        "format": FORMAT, "n": n, "trail": first.hash, "seq": head.seq, "head": head.hash,
        "at": moment_text(at), "run": run, "public_key": key.public,
    }  # fmt: skip
    line = canonical(told | {"signature": key.sign(canonical(told))})
    connection.execute(insert(app_checkpoint), {"n": n, "line": line})
    return line


def lines(connection: Connection, after: int = 0) -> list[str]:
    """The checkpoints after number `after`, oldest first."""
    query = select(app_checkpoint.c.line).where(app_checkpoint.c.n > after)
    return list(connection.execute(query.order_by(app_checkpoint.c.n)).scalars())


def bring(database: Database, anchor: Path) -> int:
    """Append to the anchor what it lacks; how many lines. Misconfigured if that cannot be done.

    It is only ever appended to, also by several processes at once: a line may then stand twice.
    """
    try:
        last = _last(anchor)
        with database.read() as connection:
            missing = lines(connection, after=last.get("n", 0))
            first = audit.entries(connection, limit=1)
        if last and first and last["trail"] != first[0].hash:
            raise unanchored(anchor, "it has the checkpoints of another trail")
        if missing and not last:
            public_key = parsed(missing[0])["public_key"]
            missing = [canonical({"anchor": ANCHOR_FORMAT, "public_key": public_key}), *missing]
        if missing:
            _append(anchor, missing)
    except OSError as error:
        raise unanchored(anchor, os.strerror(error.errno or 0)) from error
    return len(missing)


def bring_or_tell(database: Database, anchor: Path, at: datetime, run: str) -> None:
    """The same at the end of a run, which has ended whatever the anchor says: the trail tells."""
    try:
        bring(database, anchor)
    except Misconfigured as trouble:
        told = Telling(SYSTEM, "could not write anchor", str(anchor), {"why": trouble.what}, run)
        database.transact(lambda connection: audit.append(connection, at, told))


def read(anchor: Path) -> Anchor:
    """What the anchor says; Misconfigured when it is not there."""
    try:
        with anchor.open(encoding="utf-8", newline="\n", errors="replace") as file:
            return read_anchor(file)
    except OSError as error:
        raise unanchored(anchor, os.strerror(error.errno or 0), "read") from error


def unanchored(anchor: Path, why: str, verb: str = "written") -> Misconfigured:
    """The refusal of an anchor that cannot be used."""
    return Misconfigured(
        f"The checkpoints in {anchor} cannot be {verb}: {why}.",
        untouched="The trail, and the checkpoints in the database, are as they were.",
        do="Let TIEOUT_ANCHOR name a file that this process may append to; the next checkpoint "
        "brings what is missing there.",
        who="who runs this machine",
    )


def _last(anchor: Path) -> dict[str, Any]:
    """The last checkpoint in the file; empty when it has none yet."""
    if not anchor.exists():
        return {}
    with anchor.open("rb") as file:
        file.seek(max(0, anchor.stat().st_size - TAIL_BYTES_MAX))
        tail = file.read().decode(errors="replace").split("\n")
    found = read_anchor(tail).checkpoints
    return parsed(found[-1]) if found else {}


def _append(anchor: Path, new: Sequence[str]) -> None:
    descriptor = os.open(anchor, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        torn = size and os.pread(descriptor, 1, size - 1) != b"\n"  # by a power cut
        os.write(descriptor, ("\n" * bool(torn) + "\n".join(new) + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
