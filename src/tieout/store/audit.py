"""The append-only, sealed and hash-chained trail of who did what, written with the change itself.

An entry is spelled in a way any language can rebuild, as the canonical JSON array
`["tieout audit 2", seq, at, actor, act, object, detail, run, step, previous, sealed_by]`, where
`detail` is the stored text itself, `previous` the hash before it and `sealed_by` the name of the
key. Its seal is the HMAC-SHA-256 of that under the key of the trail, which whoever only writes the
database does not have; its hash, which needs no key, is the SHA-256 of the same array with the seal
behind it. Triggers refuse to edit, delete, replace or skip entries. `verify_trail` checks all that
for us and for auditors; against who cuts the end off, or has the key, stand the checkpoints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Select, bindparam, desc, insert, select
from sqlalchemy.engine import Row

from tieout.store import seals
from tieout.store.columns import canonical, clean, moment_text, parsed
from tieout.store.database import lock, trail_key_of
from tieout.store.schema import audit
from tieout.store.seals import TrailKey
from tieout.store.verify_trail import Broken, Chain

CHAIN_FORMAT = "tieout audit 2"
CHAIN_START = "0" * 64
VERIFY_PAGE_ROWS_MAX = 1_000
BEFORE_ALL = -(2**63)  # an entry that somebody slipped in before the first is seen too
LOCK = "audit"  # of who adds to the trail, or reads it together with what it tells of


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
    sealed_by: str
    seal: str
    hash: str

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


def append(connection: Connection, at: datetime, *tellings: Telling, anew: bool = False) -> None:
    """Add entries to the end of the chain, in the caller's transaction.

    Serialised over all processes: call it last in a transaction, so that others wait briefly.
    KeyTrouble without the key that sealed the last entry; with `anew` another key goes on.
    """
    if not tellings:
        return
    lock(connection, LOCK)
    path = trail_key_of(connection)
    key, head = seals.read(path), last(connection)
    if head and head.sealed_by != key.fingerprint and not anew:
        raise seals.another(path, head.sealed_by, key.fingerprint)
    seq, previous = (head.seq, head.hash) if head else (0, CHAIN_START)
    rows = []
    for telling in tellings:
        seq += 1
        rows.append(_sealed(key, seq, moment_text(at), telling, previous))
        previous = rows[-1]["hash"]
    connection.execute(_INSERT, rows)


def make_key(connection: Connection, *, anew: bool = False) -> TrailKey | None:
    """Draw the key of a trail that has no entry yet, or with `anew` one for a lost key.

    None when there is nothing to do: the key is there, or belongs to a trail and was not asked for.
    """
    lock(connection, LOCK)
    path, head = trail_key_of(connection), last(connection)
    if head and not anew:
        return None
    if not path.exists():
        return seals.make(path)
    key = seals.read(path)
    return key if head and head.sealed_by != key.fingerprint else None


def last(connection: Connection) -> Row[int, str, str] | None:
    """`seq`, `hash` and `sealed_by` of the newest entry, None before the first."""
    return connection.execute(_LAST).first()


# A detail may be long.
_LAST = select(audit.c.seq, audit.c.hash, audit.c.sealed_by).order_by(desc(audit.c.seq)).limit(1)
_INSERT = insert(audit)


def _sealed(key: TrailKey, seq: int, at: str, told: Telling, previous: str) -> dict[str, Any]:
    row = {
        "seq": seq, "at": at, "actor": clean(told.actor), "act": clean(told.act),
        "object": clean(told.object), "detail": canonical(dict(told.detail)), "run": told.run,
        "step": told.step, "previous": previous, "sealed_by": key.fingerprint,
    }  # fmt: skip
    spelled = [CHAIN_FORMAT, *row.values()]
    row["seal"] = key.seal(canonical(spelled))
    row["hash"] = hashlib.sha256(canonical([*spelled, row["seal"]]).encode()).hexdigest()
    return row


def entries(
    connection: Connection,
    *,
    run: str | None = None,
    object_: str | None = None,
    after: int = 0,
    limit: int = VERIFY_PAGE_ROWS_MAX,
) -> list[Entry]:
    """The trail in order from the entry after `after`, optionally of one run or one object."""
    only = {"run": run, "object": object_}
    given = {name: value for name, value in only.items() if value is not None}
    found = connection.execute(_entries(*given), given | {"after": after, "most": limit})
    return [_read(row) for row in found]


@cache
def _entries(*names: str) -> Select[Any]:
    query = select(audit).where(
        audit.c.seq > bindparam("after"), *(audit.c[name] == bindparam(name) for name in names)
    )
    return query.order_by(audit.c.seq).limit(bindparam("most"))


def _read(row: Row[Any]) -> Entry:
    return Entry(**row._mapping)


def pages(page_after: Callable[[int], list[Entry]]) -> Iterator[list[Entry]]:
    """The whole trail page by page; `page_after(seq)` reads the one after entry `seq`."""
    after = BEFORE_ALL
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
    """Check links and seals as one transaction sees them."""
    key = seals.read(trail_key_of(connection))
    return verified(pages(lambda after: entries(connection, after=after)), key)


def verified(trail: Iterable[list[Entry]], key: TrailKey) -> Verdict:
    """Check links and seals from the start and name the first entry that does not fit."""
    links = Chain(key.seal_key)
    try:
        for entry in chain.from_iterable(trail):
            links.add(columns(entry))
        links.end()
    except Broken as broken:
        return Verdict(links.seq, links.head, broken.seq, broken.why)
    return Verdict(links.seq, links.head, 0, "")


def columns(entry: Entry) -> dict[str, Any]:
    """Every stored column of an entry by its name."""
    return {name: getattr(entry, name) for name in Entry.__slots__}
