"""Sessions of people at a browser: kept here, so that they can be looked at and ended."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from tieout.core.policy import EVERYTHING, Actor
from tieout.store import audit
from tieout.store.audit import Telling
from tieout.store.schema import app_user
from tieout.store.sign_in_schema import session as table

PREFIX = "session_"  # of what a cookie holds, so that it is never taken for a token
TEXT_BYTES, ID_BYTES = 32, 4
IDLE_MINUTES_MAX = 60  # long enough for a meeting, short enough for a desk left open
HOURS_MAX = 12  # one working day; then everybody signs in again
BROWSER_CHARACTERS_MAX = 200  # of what a browser says it is
SEEN_SECONDS_MIN = 60  # between two writes of when somebody was seen


@dataclass(frozen=True, slots=True)
class Session:
    """What may be told of a session: everything but what the cookie holds."""

    id: str
    user: str
    scopes: tuple[str, ...]
    way: str
    handed_by: str
    address: str
    browser: str
    made_at: datetime
    seen_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None

    def lives(self, at: datetime) -> bool:
        """Whether it acts for its user at this moment."""
        idle = at - self.seen_at > timedelta(minutes=IDLE_MINUTES_MAX)
        return self.ended_at is None and at < self.ends_at and not idle


@dataclass(frozen=True, slots=True)
class Begun:
    """A session just begun: what its cookie holds, and what the browser is known by later."""

    session: Session
    text: str = field(repr=False)
    known: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to be begun: whose, in which way vouched for, and from where."""

    user: str
    way: str
    handed_by: str = ""
    scopes: tuple[str, ...] = (EVERYTHING,)
    address: str = ""
    browser: str = ""


def begin(connection: Connection, new: NewSession, at: datetime) -> Begun:
    """Begin a session under an id that nobody has seen before, and tell that somebody signed in."""
    text, known = (PREFIX + secrets.token_urlsafe(TEXT_BYTES) for _ in range(2))
    session = Session(
        secrets.token_hex(ID_BYTES), new.user, new.scopes, new.way, new.handed_by, new.address,
        new.browser[:BROWSER_CHARACTERS_MAX], at, at, at + timedelta(hours=HOURS_MAX),
    )  # fmt: skip
    row = {name: getattr(session, name) for name in Session.__slots__}
    row |= {"scopes": list(new.scopes), "sha256": hashed(text), "known_sha256": hashed(known)}
    connection.execute(insert(table), row)
    detail = {"session": session.id, "way": new.way, "from": new.address}
    audit.append(connection, at, Telling(new.user, "signed in", new.user, detail))
    return Begun(session, text, known)


def holder(connection: Connection, text: str, at: datetime) -> Actor | None:
    """Who acts with what a cookie holds; None when it is unknown, has ended or its user has."""
    columns = [table.c[name] for name in Session.__slots__]
    query = select(*columns, app_user.c.roles).join(app_user, app_user.c.name == table.c.user)
    query = query.where(table.c.sha256 == hashed(text), app_user.c.closed_at.is_(None))
    row = connection.execute(query).first()
    if row is None:
        return None
    told = dict(row._mapping)
    roles = frozenset(told.pop("roles"))
    session = _read(told)
    if not session.lives(at):
        return None
    scopes = frozenset(session.scopes)
    return Actor(session.user, roles, scopes, session.handed_by, session=session.id)


def find(connection: Connection, session_id: str) -> Session | None:
    """A session by its id."""
    columns = [table.c[name] for name in Session.__slots__]
    row = connection.execute(select(*columns).where(table.c.id == session_id)).first()
    return _read(dict(row._mapping)) if row else None


def seen(connection: Connection, session_id: str, at: datetime) -> None:
    """Note that it was used just now."""
    connection.execute(update(table).where(table.c.id == session_id).values(seen_at=at))


def end(
    connection: Connection, by: str, at: datetime, *, session_id: str = "", user: str = ""
) -> list[str]:
    """End one session, or all of a user; the ids of those that had not ended."""
    same = table.c.id == session_id if session_id else table.c.user == user
    living = select(table.c.id).where(same, table.c.ended_at.is_(None))
    ids = list(connection.execute(living).scalars())
    for one in ids:
        ended = update(table).where(table.c.id == one).values(ended_at=at, ended_by=by)
        connection.execute(ended)
    return ids


def listed(connection: Connection, user: str, at: datetime) -> list[Session]:
    """The sessions of a user that act now, newest first."""
    columns = [table.c[name] for name in Session.__slots__]
    query = select(*columns).where(table.c.user == user, table.c.ended_at.is_(None))
    rows = connection.execute(query.order_by(table.c.made_at.desc()))
    return [s for s in (_read(dict(row._mapping)) for row in rows) if s.lives(at)]


def last_of_each(connection: Connection) -> dict[str, datetime]:
    """User → when they last signed in at a browser."""
    query = select(table.c.user, func.max(table.c.made_at)).group_by(table.c.user)
    return {row[0]: row[1] for row in connection.execute(query)}


def knows(connection: Connection, user: str, known: str) -> str:
    """The id of a session that this browser once had for the user, empty when there is none."""
    same = (table.c.known_sha256 == hashed(known), table.c.user == user)
    return str(connection.execute(select(table.c.id).where(*same)).scalar() or "")


def hashed(text: str) -> str:
    """What is kept of 256 random bits: no slow hash is needed."""
    return hashlib.sha256(text.encode()).hexdigest()


def _read(columns: Mapping[str, Any]) -> Session:
    scopes: Sequence[str] = columns["scopes"]
    return Session(**{**columns, "scopes": tuple(scopes)})
