"""Legal holds: until one is released, no purge removes what it covers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import Row

from tieout.errors import Misconfigured
from tieout.store import audit
from tieout.store.audit import Telling
from tieout.store.database import lock
from tieout.store.retention_schema import app_hold

LOCK = "retention"  # of who holds, releases or purges


@dataclass(frozen=True, slots=True)
class LegalHold:
    """What must stay, and why; of every flow or company where none is named."""

    name: str
    flow: str
    company: str
    why: str
    placed_by: str
    placed_at: datetime
    released_by: str | None = None
    released_at: datetime | None = None
    released_why: str = ""

    def covers(self, flow: str, company: str) -> bool:
        """Whether it holds what is of this flow and company ("": of several companies)."""
        return self.flow in ("", flow) and (not self.company or company in ("", self.company))


def place(connection: Connection, new: LegalHold) -> LegalHold:
    """Hold records from now on; Misconfigured when the name was used before."""
    lock(connection, LOCK)
    if new.name in {hold.name for hold in listed(connection)}:
        raise Misconfigured(
            f"There is, or was, a hold of the name {new.name}.",
            untouched="Nothing was changed.", do="Take another name, so that both can be told.",
        )  # fmt: skip
    row = {name: getattr(new, name) for name in LegalHold.__slots__}
    connection.execute(insert(app_hold), row)
    detail = {"flow": new.flow, "company": new.company, "why": new.why}
    audit.append(connection, new.placed_at, Telling(new.placed_by, "held", new.name, detail))
    return new


def release(connection: Connection, name: str, by: str, why: str, at: datetime) -> LegalHold:
    """End a hold; Misconfigured when there is none of this name that holds."""
    lock(connection, LOCK)
    if name not in {hold.name for hold in listed(connection) if hold.released_at is None}:
        raise Misconfigured(
            f"No hold of the name {name} is in force.",
            untouched="Nothing was changed.", do="`tieout retention` lists them.",
        )  # fmt: skip
    told = {"released_by": by, "released_at": at, "released_why": why}
    connection.execute(update(app_hold).where(app_hold.c.name == name).values(told))
    audit.append(connection, at, Telling(by, "released hold", name, {"why": why}))
    return next(hold for hold in listed(connection) if hold.name == name)


def listed(connection: Connection) -> list[LegalHold]:
    """Every hold there ever was, oldest first."""
    query = select(app_hold).order_by(app_hold.c.placed_at, app_hold.c.name)
    return [_read(row) for row in connection.execute(query)]


def in_force(connection: Connection) -> list[LegalHold]:
    """The holds that nobody has released."""
    return [hold for hold in listed(connection) if hold.released_at is None]


def _read(row: Row[Any]) -> LegalHold:
    return LegalHold(**row._mapping)
