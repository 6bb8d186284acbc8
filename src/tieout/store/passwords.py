"""Passwords of people, of which only the Argon2id hash is kept; the only importer of argon2."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, insert, select

from tieout.errors import Misconfigured, Unavailable
from tieout.store import audit
from tieout.store.audit import Telling
from tieout.store.schema import app_user
from tieout.store.sign_in_schema import password as table

CHARACTERS_MIN = 12  # long is what counts; no rule about signs or digits
CHARACTERS_MAX = 256
NAME_CHARACTERS_MIN = 3  # a shorter name stands in many words
HASHES_AT_ONCE_MAX = 2  # each takes 64 MiB and a third of a second of a core
WAIT_SECONDS_MAX = 10.0  # for a turn to hash; whoever waits longer is told to try again
# Without the characters that are taken for others; four groups are 80 bits.
ALPHABET, GROUPS, GROUP_CHARACTERS = "abcdefghjkmnpqrstuvwxyz23456789", 4, 4

_turns = threading.BoundedSemaphore(HASHES_AT_ONCE_MAX)
_hasher = PasswordHasher()  # Argon2id, as RFC 9106 recommends where memory is short


@dataclass(frozen=True, slots=True)
class Password:
    """What is kept of somebody's password."""

    user: str
    argon2: str = field(repr=False)
    set_at: datetime
    set_by: str
    handed_by: str
    temporary: bool


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A hash to be kept: whose, by whom, who else knows it, and whether it must be changed."""

    user: str
    argon2: str = field(repr=False)
    by: str
    handed_by: str = ""
    temporary: bool = False


def generated() -> str:
    """A password, or a code, that nobody can guess and somebody can type."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_CHARACTERS))
              for _ in range(GROUPS))  # fmt: skip
    return "-".join(groups)


def hashed(user: str, text: str) -> str:
    """The hash of a new password, made outside of any transaction; Misconfigured if it is weak."""
    why = ""
    if len(text) < CHARACTERS_MIN:
        why = f"is shorter than {CHARACTERS_MIN} characters"
    elif len(text) > CHARACTERS_MAX:
        why = f"is longer than {CHARACTERS_MAX} characters"
    elif len(set(text.lower())) < CHARACTERS_MIN // 3 or (
        len(user) >= NAME_CHARACTERS_MIN and user in text.lower()
    ):
        why = "is too easy to guess"
    if why:
        raise Misconfigured(
            f"The password {why}.",
            untouched="It was not set.",
            do=f"Take {CHARACTERS_MIN} characters or more, such as four words; not the name.",
        )
    with _turn():
        return _hasher.hash(text)


def fits(kept: Password | None, text: str) -> bool:
    """Whether this is the password; without one it takes the same time to say no."""
    known = kept.argon2 if kept else _of_nobody()
    with _turn():
        try:
            _hasher.verify(known, text[:CHARACTERS_MAX])
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


@cache
def _of_nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe(32))


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=WAIT_SECONDS_MAX):
        raise Unavailable(
            "Too many people sign in at this moment.",
            untouched="Nobody was signed in.",
            do="Try again in a few seconds.",
        )
    try:
        yield
    finally:
        _turns.release()


def find(connection: Connection, user: str) -> Password | None:
    """The password of a user, None for who has none or is unknown."""
    row = connection.execute(select(table).where(table.c.user == user)).first()
    return Password(**row._mapping) if row else None


def still(connection: Connection, kept: Password) -> bool:
    """Whether what was looked at outside of this transaction holds in it, and its user acts."""
    acts = select(app_user.c.name).where(
        app_user.c.name == kept.user, app_user.c.closed_at.is_(None)
    )
    return connection.execute(acts).first() is not None and find(connection, kept.user) == kept


def keep(connection: Connection, new: NewPassword, at: datetime) -> None:
    """Keep a password in place of the one before, and tell that it was set."""
    connection.execute(delete(table).where(table.c.user == new.user))
    row = {
        "user": new.user, "argon2": new.argon2, "set_at": at, "set_by": new.by,
        "handed_by": new.handed_by, "temporary": new.temporary,
    }  # fmt: skip
    connection.execute(insert(table), row)
    detail = {"temporary": new.temporary}
    audit.append(connection, at, Telling(new.by, "set password", new.user, detail))
