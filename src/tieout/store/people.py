"""Users and their tokens. A token is shown once; only its SHA-256 is kept.

Who acts is asked here, whatever they act with: a token, or the session of a browser.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from tieout.core.policy import ADMIN, OWNER, ROLES, SCOPES, SYSTEM, THE_OWNER, Actor, hands
from tieout.errors import Misconfigured, NotAllowed, Refused
from tieout.store import audit, sessions
from tieout.store.audit import Telling
from tieout.store.database import lock
from tieout.store.schema import app_token, app_user

PEOPLE = "people"  # the lock of who adds users
TOKEN_PREFIX = "tieout_"  # noqa: S105 - no secret: what every token begins with, so scanners see it
TOKEN_BYTES = 32
TOKEN_ID_BYTES = 4
# One spelling for one person: two that look alike could approve each other's batches.
NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
RESERVED_NAMES = (OWNER, SYSTEM)


@dataclass(frozen=True, slots=True)
class User:
    """A person of this instance."""

    name: str
    roles: tuple[str, ...]
    added_at: datetime
    added_by: str
    closed_at: datetime | None = None
    closed_by: str | None = None

    @property
    def actor(self) -> Actor:
        """This person as they may act; one who has left has no roles."""
        return Actor(self.name, frozenset(() if self.closed_at else self.roles))


@dataclass(frozen=True, slots=True)
class Token:
    """What may be told of a token: everything but the token."""

    id: str
    user: str
    scopes: tuple[str, ...]
    what_for: str
    made_at: datetime
    made_by: str
    handed_by: str
    expires_at: datetime
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    used_at: datetime | None = None

    def lives(self, at: datetime) -> bool:
        """Whether it acts for its user at this moment."""
        return self.revoked_at is None and at < self.expires_at


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be made: for whom, how narrow, until when, and by whom."""

    user: str
    scopes: tuple[str, ...]
    expires_at: datetime
    by: Actor
    what_for: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """A token just made, and its text: nobody can see that again."""

    token: Token
    text: str = field(repr=False)


def there_are_users(connection: Connection) -> bool:
    """Whether this instance has users, so that its owner does not act any more."""
    return connection.execute(select(func.count()).select_from(app_user)).scalar_one() > 0


def add_user(
    connection: Connection, name: str, roles: Sequence[str], by: str, at: datetime
) -> User:
    """A new user; Misconfigured for a name or role that cannot be.

    The first one is an administrator, and only the first is added by the owner: from then on the
    owner acts no more, so somebody must be able to add the others.
    """
    _refuse_unfit(name, roles)
    lock(connection, PEOPLE)
    others = there_are_users(connection)
    if by == OWNER and others:
        raise Refused(
            "This instance has users now, so its owner adds none any more.",
            untouched="No user was added.",
            do="Sign in as an administrator: `tieout login`.",
        )
    if not others and ADMIN not in roles:
        raise Misconfigured(
            "The first user must be an administrator: nobody else could add the others.",
            untouched="No user was added.",
            do=f"`tieout users add {name} --role {ADMIN}`, and further roles if they have them.",
        )
    if any(user.name == name for user in users(connection)):
        raise Misconfigured(f"There is a user {name} already.", untouched="They stay as they are.")
    user = User(name, tuple(role for role in ROLES if role in roles), at, by)
    row = {"name": name, "roles": list(user.roles), "added_at": at, "added_by": by}
    connection.execute(insert(app_user), row)
    audit.append(connection, at, Telling(by, "added user", name, {"roles": list(user.roles)}))
    return user


def _refuse_unfit(name: str, roles: Sequence[str]) -> None:
    if not NAME.fullmatch(name) or name in RESERVED_NAMES:
        raise Misconfigured(
            f"{name!r} cannot be the name of a user.",
            untouched="No user was added.",
            do="Use up to 64 of a-z, 0-9, and . _ @ - behind the first; not owner or system.",
        )
    if not roles or set(roles) - set(ROLES):
        raise Misconfigured(
            f"The roles of {name} cannot be {', '.join(roles) or 'none'}.",
            untouched="No user was added.",
            do=f"Give some of: {', '.join(ROLES)}.",
        )


def users(connection: Connection) -> list[User]:
    """Every user, by name."""
    rows = connection.execute(select(app_user).order_by(app_user.c.name))
    return [User(**{**row._mapping, "roles": tuple(row.roles)}) for row in rows]


def named(connection: Connection, name: str) -> User:
    """A user who acts; Misconfigured for one who is unknown or has left."""
    found = [user for user in users(connection) if user.name == name and not user.closed_at]
    if not found:
        raise Misconfigured(
            f"There is no user {name!r} here, or they have left.",
            untouched="Nothing was changed.",
            do="`tieout users list` lists them.",
        )
    return found[0]


def set_roles(
    connection: Connection, name: str, roles: Sequence[str], by: str, at: datetime
) -> User:
    """Give a user other roles, from their next act on."""
    before = named(connection, name)
    _refuse_unfit(name, roles)
    lock(connection, PEOPLE)
    if ADMIN not in roles:
        _refuse_last_admin(connection, name)
    wanted = [role for role in ROLES if role in roles]
    connection.execute(update(app_user).where(app_user.c.name == name).values(roles=wanted))
    detail = {"before": list(before.roles), "roles": wanted}
    audit.append(connection, at, Telling(by, "changed roles", name, detail))
    return named(connection, name)


def close(connection: Connection, name: str, by: str, at: datetime) -> None:
    """Somebody leaves: they act no more, and what they did stays under their name."""
    named(connection, name)
    lock(connection, PEOPLE)
    _refuse_last_admin(connection, name)
    values = {"closed_at": at, "closed_by": by}
    connection.execute(update(app_user).where(app_user.c.name == name).values(values))
    ended = sessions.end(connection, by, at, user=name)
    audit.append(connection, at, Telling(by, "closed user", name, {"sessions": len(ended)}))


def _refuse_last_admin(connection: Connection, name: str) -> None:
    others = [u for u in users(connection) if u.name != name and ADMIN in u.actor.roles]
    if not others:
        raise Refused(
            f"{name} is the only administrator: nobody could add or change users any more.",
            untouched="Nothing was changed.",
            do="Give another user the role admin first.",
        )


def make_token(connection: Connection, new: NewToken, at: datetime) -> Made:
    """Make a token; Misconfigured for a user, scope or end that cannot be."""
    named(connection, new.user)
    if not new.scopes or set(new.scopes) - set(SCOPES) or new.expires_at <= at:
        raise Misconfigured(
            f"A token for {', '.join(new.scopes) or 'nothing'} until "
            f"{new.expires_at.isoformat(timespec='minutes')} cannot be made.",
            untouched="No token was made.",
            do=f"Its end must be ahead and its scopes some of: {', '.join(SCOPES)}.",
        )
    text = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    handed_by = new.by.handed_by if new.by.name == new.user else hands(new.by)
    token = Token(
        secrets.token_hex(TOKEN_ID_BYTES), new.user, new.scopes, new.what_for, at, new.by.name,
        handed_by, new.expires_at,
    )  # fmt: skip
    row = {name: getattr(token, name) for name in Token.__slots__}
    row |= {"scopes": list(token.scopes), "sha256": hashed(text)}
    connection.execute(insert(app_token), row)
    detail = {
        "user": token.user, "scopes": list(token.scopes), "what_for": token.what_for,
        "expires_at": token.expires_at,
    }  # fmt: skip
    audit.append(connection, at, Telling(new.by.name, "made token", f"token {token.id}", detail))
    return Made(token, text)


def revoke(connection: Connection, token_id: str, by: str, at: datetime) -> Token:
    """A token acts for nobody from now on; one revoked before stays as it was."""
    token = find(connection, token_id)
    same = (app_token.c.id == token_id, app_token.c.revoked_at.is_(None))
    values = {"revoked_at": at, "revoked_by": by}
    if connection.execute(update(app_token).where(*same).values(values)).rowcount:
        detail = {"user": token.user}
        audit.append(connection, at, Telling(by, "revoked token", f"token {token_id}", detail))
    return find(connection, token_id)


def find(connection: Connection, token_id: str) -> Token:
    """What may be told of a token; Misconfigured when there is none of this id."""
    found = [token for token in tokens(connection) if token.id == token_id]
    if not found:
        raise Misconfigured(f"There is no token {token_id}.", do="`tieout users list` lists them.")
    return found[0]


def tokens(connection: Connection) -> list[Token]:
    """Every token, those that act for nobody any more included, oldest first."""
    columns = [app_token.c[name] for name in Token.__slots__]
    rows = connection.execute(select(*columns).order_by(app_token.c.made_at, app_token.c.id))
    return [_read(dict(row._mapping)) for row in rows]


def holder(connection: Connection, text: str, at: datetime) -> Actor | None:
    """Who acts with this token; None when it is unknown, expired or revoked."""
    columns = [app_token.c[name] for name in Token.__slots__]
    query = select(*columns, app_user.c.roles).join(app_user, app_user.c.name == app_token.c.user)
    query = query.where(app_token.c.sha256 == hashed(text), app_user.c.closed_at.is_(None))
    row = connection.execute(query).first()
    if row is None:
        return None
    told = dict(row._mapping)
    roles = frozenset(told.pop("roles"))
    token = _read(told)
    if not token.lives(at):
        return None
    return Actor(token.user, roles, frozenset(token.scopes), token.handed_by, token.id)


def used(connection: Connection, token_id: str, at: datetime) -> None:
    """Note that a token was used just now."""
    connection.execute(update(app_token).where(app_token.c.id == token_id).values(used_at=at))


def who(connection: Connection, text: str, at: datetime) -> Actor:
    """Who acts with this token or session, or without one the owner of an instance without users.

    NotAllowed when nobody does: a token that does not act is never passed over for another way.
    """
    if text.startswith(sessions.PREFIX):
        if (at_a_browser := sessions.holder(connection, text, at)) is not None:
            return at_a_browser
        raise NotAllowed(
            "The session has ended.", untouched="Nothing was done.", do="Sign in again."
        )
    if text:
        if (found := holder(connection, text, at)) is not None:
            return found
        raise NotAllowed(
            "The token given here is unknown to this instance, has expired or was revoked.",
            untouched="Nothing was done.",
            do="Get another (`tieout tokens create`), then set TIEOUT_TOKEN or `tieout login`; "
            "`tieout login --forget` takes a kept sign-in away.",
            who="an administrator of this instance",
        )
    if there_are_users(connection):
        raise NotAllowed(
            "Nobody is signed in, and this instance has users.",
            untouched="Nothing was done.",
            do="`tieout login`, or set TIEOUT_TOKEN.",
        )
    return THE_OWNER


def hashed(text: str) -> str:
    """What is kept of a token. It is 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(text.strip().encode()).hexdigest()


def _read(columns: Mapping[str, Any]) -> Token:
    return Token(**{**columns, "scopes": tuple(columns["scopes"])})
