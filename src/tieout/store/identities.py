"""Who is who at another system that vouches for people, and what came back from there once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from tieout.errors import Misconfigured
from tieout.store import audit
from tieout.store.audit import Telling
from tieout.store.database import insert_new
from tieout.store.sign_in_schema import asked_elsewhere, identity

TAKEN_HOURS_KEPT = 24  # far longer than any issuer lets a code live


def take(connection: Connection, state_sha256: str, at: datetime) -> bool:
    """Whether this comes back for the first time."""
    old = at - timedelta(hours=TAKEN_HOURS_KEPT)
    connection.execute(delete(asked_elsewhere).where(asked_elsewhere.c.asked_at < old))
    row = {"state_sha256": state_sha256, "told": {}, "asked_at": at}
    return insert_new(connection, asked_elsewhere, row)


@dataclass(frozen=True, slots=True)
class Bound:
    """Who a subject is here; `handed_by`: the people who said so, and could be that subject."""

    user: str
    handed_by: str = ""


def bound(connection: Connection, issuer: str, subject: str) -> Bound | None:
    """The user who is this subject; None when nobody is."""
    query = select(identity.c.user, identity.c.handed_by).where(identity.c.issuer == issuer)
    row = connection.execute(query.where(identity.c.subject == subject)).first()
    return None if row is None else Bound(*row)


def bind(
    connection: Connection, issuer: str, subject: str, to: Bound, by: str, at: datetime
) -> None:
    """Say once and for all that this subject is this user; Misconfigured if it is another."""
    if (known := bound(connection, issuer, subject)) is not None:
        raise Misconfigured(f"That subject is {known.user} here.", untouched="It stays so.")
    row = {
        "issuer": issuer, "subject": subject, "user": to.user, "bound_at": at, "bound_by": by,
        "handed_by": to.handed_by,
    }  # fmt: skip
    connection.execute(insert(identity), row)
    detail = {"issuer": issuer, "subject": subject}
    audit.append(connection, at, Telling(by, "bound user", to.user, detail))
