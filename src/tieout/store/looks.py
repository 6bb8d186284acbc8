"""What was last seen of companies' current periods (F0010) and of date patterns (F0008).

One row for each JD Edwards connection, for schedules. Who looks claims the look first, so that
several processes ask once; a company's move is noted in the transaction that decides what it
begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Table, Text, or_, select, true, update

from tieout.core.periods import FiscalCalendar, FiscalYear
from tieout.store.columns import Json, Moment, Words
from tieout.store.database import insert_new
from tieout.store.schema import metadata

app_look = Table(
    "app_look",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("asked_at", Moment),  # when somebody last set out to look
    Column("looked_at", Moment),  # when that last succeeded
    Column("patterns_at", Moment),
    Column("companies", Json, nullable=False),
    Column("patterns", Json, nullable=False),
    Column("trouble", Words, nullable=False),  # why it last did not; "" when it did
)


@dataclass(frozen=True, slots=True, order=True)
class Current:
    """Where a company stands: the first day of its fiscal year and its current period."""

    year_begins: str  # a date; "" when F0010 has none
    period: int
    pattern: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Look:
    """What was last seen through one connection."""

    connection: str
    asked_at: datetime | None = None
    looked_at: datetime | None = None
    patterns_at: datetime | None = None
    companies: Mapping[str, Current] = field(default_factory=dict)
    patterns: Mapping[str, FiscalCalendar] = field(default_factory=dict)
    trouble: str = ""


def looks(connection: Connection) -> dict[str, Look]:
    """What was seen, by connection."""
    return {row.connection: _read(row) for row in connection.execute(select(app_look))}


def marks(connection: Connection) -> tuple[object, ...]:
    """What changes whenever what was seen has changed."""
    columns = (app_look.c.connection, app_look.c.looked_at, app_look.c.patterns_at)
    return tuple(tuple(row) for row in connection.execute(select(*columns)))


def claim(
    connection: Connection, name: str, now: datetime, pause: timedelta, companies: Sequence[str]
) -> bool:
    """Set out to look, unless somebody did so less than `pause` ago.

    At once for a company that the last look, which found all of its own, was not about.
    """
    row = {"connection": name, "companies": {}, "patterns": {}, "trouble": ""}
    insert_new(connection, app_look, row)
    last = _read(connection.execute(select(app_look).where(app_look.c.connection == name)).one())
    free = or_(app_look.c.asked_at.is_(None), app_look.c.asked_at <= now - pause)
    answered = last.asked_at and last.looked_at and last.looked_at >= last.asked_at
    if answered and not set(companies) <= set(last.companies):
        free = true()
    claimed = update(app_look).where(app_look.c.connection == name, free).values(asked_at=now)
    return connection.execute(claimed.returning(app_look.c.connection)).first() is not None


def saw(
    connection: Connection, name: str, asked: datetime, now: datetime,
    companies: Mapping[str, Current], patterns: Mapping[str, FiscalCalendar] | None,
) -> list[str]:  # fmt: skip
    """Keep what was seen; the companies whose period or year has moved on since the last look.

    `patterns` None: they were not asked for. Nothing is kept when another look was since we
    `asked`: ours may be the older one, and what moved between the two would move once more.
    """
    before = _read(connection.execute(select(app_look).where(app_look.c.connection == name)).one())
    if before.looked_at is not None and before.looked_at > asked:
        return []
    values: dict[str, object] = {
        "looked_at": now, "trouble": "",
        "companies": {c: [s.year_begins, s.period, s.pattern] for c, s in companies.items()},
    }  # fmt: skip
    if patterns is not None:
        values |= {"patterns_at": now, "patterns": {n: _told(c) for n, c in patterns.items()}}
    connection.execute(update(app_look).where(app_look.c.connection == name).values(values))
    known = before.companies
    return [c for c, stands in companies.items() if c in known and stands > known[c]]


def failed(connection: Connection, name: str, trouble: str) -> None:
    """Keep why a look did not succeed."""
    row = update(app_look).where(app_look.c.connection == name).values(trouble=trouble)
    connection.execute(row)


def _told(calendar: FiscalCalendar) -> list[list[str]]:
    return [[str(day) for day in (y.begin, *y.ends)] for y in calendar.years.values()]


def _read(row: Any) -> Look:
    patterns = {}
    for name, years in row.patterns.items():
        days = [[date.fromisoformat(day) for day in year] for year in years]
        named = {ends[0].year: FiscalYear(begin, tuple(ends)) for begin, *ends in days}
        patterns[name] = FiscalCalendar(name, named)
    companies = {c: Current(*stands) for c, stands in row.companies.items()}
    return Look(
        row.connection, row.asked_at, row.looked_at, row.patterns_at, companies, patterns,
        row.trouble,
    )  # fmt: skip
