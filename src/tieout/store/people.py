"""Users and their tokens. A token is shown once; only its SHA-256 is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from tieout.core.policy import ADMIN, OWNER, ROLES, SCOPES, SYSTEM, THE_OWNER, Actor
from tieout.errors import Misconfigured, NotAllowed, Refused
from tieout.store import audit
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
    return [User(row.name, tuple(row.roles), row.added_at, row.added_by) for row in rows]


def make_token(connection: Connection, new: NewToken, at: datetime) -> Made:
    """Make a token; Misconfigured for a user, scope or end that cannot be."""
    if all(user.name != new.user for user in users(connection)):
        raise Misconfigured(
            f"There is no user {new.user!r}.",
            untouched="No token was made.",
            do="`tieout users list` lists them.",
        )
    if not new.scopes or set(new.scopes) - set(SCOPES) or new.expires_at <= at:
        raise Misconfigured(
            f"A token for {', '.join(new.scopes) or 'nothing'} until "
            f"{new.expires_at.isoformat(timespec='minutes')} cannot be made.",
            untouched="No token was made.",
            do=f"Its end must be ahead and its scopes some of: {', '.join(SCOPES)}.",
        )
    text = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    handed_by = new.by.handed_by if new.by.name == new.user else new.by.name
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
    row = connection.execute(query.where(app_token.c.sha256 == hashed(text))).first()
    if row is None:
        return None
    told = dict(row._mapping)
    roles = frozenset(told.pop("roles"))
    token = _read(told)
    if not token.lives(at):
        return None
    return Actor(token.user, roles, frozenset(token.scopes), token.handed_by, token.id)


def who(connection: Connection, text: str, at: datetime) -> Actor:
    """Who acts with this token, or without one the owner of an instance that has no users.

    NotAllowed when nobody does: a token that does not act is never passed over for another way.
    """
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
