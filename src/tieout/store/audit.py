"""The append-only, hash-chained trail of who did what, written with the change it tells of.

Each entry's hash covers every column and the hash before it, in a spelling any language can
rebuild: SHA-256 of the canonical JSON array
`["tieout audit 1", seq, at, actor, act, object, detail, run, step, previous]`, where `detail` is
the stored text itself. Triggers refuse to edit, delete, replace or skip entries. A chain alone
cannot convict somebody who rewrites all of it (guide/reliability.md §0.11): keyed checkpoints kept
elsewhere come on top.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import Connection, desc, insert, select
from sqlalchemy.engine import Row

from tieout.store.columns import canonical, clean, moment_text, parsed
from tieout.store.database import lock
from tieout.store.schema import audit

CHAIN_FORMAT = "tieout audit 1"
CHAIN_START = "0" * 64
VERIFY_PAGE_ROWS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One link of the trail, as stored."""

    seq: int
    at: str
    actor: str
    act: str
    object: str
    detail: str
    run: str
    step: str
    previous: str
    hash: str

    def computed_hash(self) -> str:
        """What `hash` must be."""
        columns = [self.seq, self.at, self.actor, self.act, self.object, self.detail]
        array = [CHAIN_FORMAT, *columns, self.run, self.step, self.previous]
        return hashlib.sha256(canonical(array).encode()).hexdigest()

    @property
    def told(self) -> dict[str, Any]:
        """The detail as a mapping."""
        detail: dict[str, Any] = parsed(self.detail)
        return detail


@dataclass(frozen=True, slots=True)
class Telling:
    """One thing to be told: who, what was done, to what, and its particulars."""

    actor: str
    act: str
    object: str
    detail: Mapping[str, Any]
    run: str = ""
    step: str = ""


def append(connection: Connection, at: datetime, *tellings: Telling) -> None:
    """Add entries to the end of the chain, in the caller's transaction.

    Serialised over all processes: call it last in a transaction, so that others wait briefly.
    """
    if not tellings:
        return
    lock(connection, "audit")
    last = connection.execute(
        select(audit.c.seq, audit.c.hash).order_by(desc(audit.c.seq)).limit(1)
    ).first()
    seq, previous = (last.seq, last.hash) if last else (0, CHAIN_START)
    rows = []
    for telling in tellings:
        seq += 1
        entry = _entry(seq, moment_text(at), telling, previous)
        rows.append(_columns(entry))
        previous = entry.hash
    connection.execute(insert(audit), rows)


def _entry(seq: int, at: str, telling: Telling, previous: str) -> Entry:
    entry = Entry(
        seq=seq,
        at=at,
        actor=clean(telling.actor),
        act=clean(telling.act),
        object=clean(telling.object),
        detail=canonical(dict(telling.detail)),
        run=telling.run,
        step=telling.step,
        previous=previous,
        hash="",
    )
    return Entry(**{**_columns(entry), "hash": entry.computed_hash()})


def _columns(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__slots__}


def entries(
    connection: Connection,
    *,
    run: str | None = None,
    object_: str | None = None,
    after: int = 0,
    limit: int = VERIFY_PAGE_ROWS_MAX,
) -> list[Entry]:
    """The trail in order from the entry after `after`, optionally of one run or one object."""
    query = select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit)
    if run is not None:
        query = query.where(audit.c.run == run)
    if object_ is not None:
        query = query.where(audit.c.object == object_)
    return [_read(row) for row in connection.execute(query)]


def _read(row: Row[Any]) -> Entry:
    return Entry(**row._mapping)


def pages(page_after: Callable[[int], list[Entry]]) -> Iterator[list[Entry]]:
    """The whole trail page by page; `page_after(seq)` reads the one after entry `seq`."""
    after = 0
    while page := page_after(after):
        yield page
        after = page[-1].seq


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the whole chain found; `first_bad` is 0 when it is whole."""

    entries: int
    head: str
    first_bad: int
    why: str

    @property
    def whole(self) -> bool:
        """Whether every link holds."""
        return not self.first_bad


def verify(connection: Connection) -> Verdict:
    """Recompute the chain as one transaction sees it."""
    return verified(pages(lambda after: entries(connection, after=after)))


def verified(trail: Iterable[list[Entry]]) -> Verdict:
    """Recompute the chain from its start and name the first entry that does not fit."""
    count, head = 0, CHAIN_START
    for entry in chain.from_iterable(trail):
        why = _broken(entry, count + 1, head)
        if why:
            return Verdict(count, head, count + 1, why)
        count, head = count + 1, entry.hash
    return Verdict(count, head, 0, "")


def _broken(entry: Entry, seq: int, previous: str) -> str:
    if entry.seq != seq:
        return f"entry {seq} is missing"
    if entry.previous != previous:
        return f"entry {seq} does not follow the entry before it"
    if entry.hash != entry.computed_hash():
        return f"entry {seq} was edited"
    return ""
