"""Commands of the API under the key that their caller gave them: each is carried out once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, select, update

from tieout.errors import Busy, Misconfigured
from tieout.store.database import insert_new
from tieout.store.sign_in_schema import command as table

KEPT_DAYS = 7  # a caller that tries again later has lost the thread


@dataclass(frozen=True, slots=True)
class Command:
    """A command with the key of its caller; `asked` is everything that was asked for."""

    user: str
    key: str
    asked: bytes

    @property
    def sha256(self) -> str:
        """What is kept of what was asked."""
        return hashlib.sha256(self.asked).hexdigest()


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer that was given the first time."""

    status: int
    answer: str


def begin(connection: Connection, command: Command, at: datetime) -> Kept | None:
    """Take the key for this command; the answer when it was carried out before.

    Misconfigured when the key belongs to another command, Busy while it is carried out, or when
    nobody knows what became of it.
    """
    connection.execute(delete(table).where(table.c.asked_at < at - timedelta(days=KEPT_DAYS)))
    row = {
        "user": command.user, "key": command.key, "sha256": command.sha256, "status": None,
        "answer": "", "asked_at": at,
    }  # fmt: skip
    if insert_new(connection, table, row):
        return None
    found = connection.execute(select(table).where(*_same(command))).one()
    if found.sha256 != command.sha256:
        raise Misconfigured(
            "This idempotency key belongs to another command.",
            untouched="Nothing was done.",
            do="Give every command a key of its own.",
        )
    if found.status is None:
        raise Busy(
            "The command with this idempotency key is being carried out, or was interrupted.",
            untouched="It was not begun again.",
            do="Look at what it should have changed before it is sent with another key.",
        )
    return Kept(found.status, found.answer)


def answered(connection: Connection, command: Command, kept: Kept) -> None:
    """Keep the answer for who asks again."""
    values = {"status": kept.status, "answer": kept.answer}
    connection.execute(update(table).where(*_same(command)).values(values))


def forget(connection: Connection, command: Command) -> None:
    """It was refused and changed nothing: the key is free again."""
    connection.execute(delete(table).where(*_same(command)))


def _same(command: Command) -> tuple[ColumnElement[bool], ...]:
    return table.c.user == command.user, table.c.key == command.key
