"""Schedules and what became of their due times: each due time is a row, and there is only one.

Moments are those of the clock that decides what is due (`engine.scheduler`), on PostgreSQL the
server's. Who changes a schedule or a fire holds its lock for the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    and_,
    func,
    select,
    update,
)
from sqlalchemy.engine import Row

from tieout.store.columns import Json, Moment, Words
from tieout.store.database import insert_new, lock, try_lock
from tieout.store.schema import app_run, metadata

FIRE_STATES = (
    "running", "complete", "stopped", "asked", "skipped", "paused", "missed", "left out",
)  # fmt: skip
FIRES_SHOWN_MAX = 5
_STATES = ", ".join(f"'{state}'" for state in FIRE_STATES)

app_schedule = Table(
    "app_schedule",
    metadata,
    Column("name", Text, primary_key=True),
    Column("rule", Text, nullable=False),  # as it was read; "" when it is not configured any more
    Column("calendar", Text, nullable=False),  # digest of the periods and days off it was read by
    Column("dealt_with", Moment, nullable=False),  # what was due until then is decided
    Column("next_due", Moment),
    Column("paused_until", Moment),
    Column("paused_by", Words),
    Column("paused_why", Words),
    Column("skipped_by", Words),
    Column("skipped_why", Words),
    Index("app_schedule_due", "next_due"),
)

app_fire = Table(
    "app_fire",
    metadata,
    Column("schedule", Text, primary_key=True),
    Column("due", Moment, primary_key=True),
    Column("state", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Column("cause", Words, nullable=False),
    Column("by", Words, nullable=False),
    Column("why", Words, nullable=False),
    Column("flows", Json, nullable=False),
    Column("place", Integer, nullable=False),
    Column("decided_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("sentence", Words, nullable=False),
    CheckConstraint(f"state IN ({_STATES})", name="app_fire_state"),
    Index("app_fire_state_index", "state"),
)

app_fire_run = Table(
    "app_fire_run",
    metadata,
    Column("schedule", Text, primary_key=True),
    Column("due", Moment, primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("run", Text, ForeignKey("app_run.id"), nullable=False, unique=True),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a schedule beside its configuration."""

    name: str
    rule: str
    calendar: str
    dealt_with: datetime
    next_due: datetime | None = None
    paused_until: datetime | None = None
    paused_by: str | None = None
    paused_why: str | None = None
    skipped_by: str | None = None
    skipped_why: str | None = None


@dataclass(frozen=True, slots=True)
class Fire:
    """A due time, and how far what it began has come: `place` is that of the flow under way."""

    schedule: str
    due: datetime
    state: str
    times: int
    cause: str  # clock, period, person
    by: str
    why: str
    flows: Sequence[str]
    place: int
    decided_at: datetime
    sentence: str = ""
    ended_at: datetime | None = None
    runs: Mapping[int, str] = field(default_factory=dict)  # place → run


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A fire that is not through, with the run of its present flow; None when none has begun."""

    schedule: str
    due: datetime
    run: str | None
    outcome: str | None


def hold(connection: Connection, name: str) -> None:
    """Let nobody else decide about this schedule until the transaction ends."""
    lock(connection, f"schedule {name}")


def try_hold(connection: Connection, name: str) -> bool:
    """The same without waiting: False while another process decides about it."""
    return try_lock(connection, f"schedule {name}")


def due(connection: Connection, now: datetime) -> list[str]:
    """The schedules whose next time has come, those that have waited longest first."""
    query = select(app_schedule.c.name).where(app_schedule.c.next_due <= now)
    return list(connection.execute(query.order_by(app_schedule.c.next_due)).scalars())


def kept(connection: Connection) -> dict[str, Kept]:
    """What is known of every schedule, by name."""
    rows = connection.execute(select(app_schedule).order_by(app_schedule.c.name))
    return {row.name: Kept(**row._mapping) for row in rows}


def find(connection: Connection, name: str) -> Kept | None:
    """What is known of one."""
    row = connection.execute(select(app_schedule).where(app_schedule.c.name == name)).first()
    return Kept(**row._mapping) if row else None


def add(connection: Connection, new: Kept) -> None:
    """A schedule that was not known before."""
    insert_new(connection, app_schedule, {n: getattr(new, n) for n in Kept.__slots__})


def change(connection: Connection, name: str, **values: object) -> None:
    """Set columns of a schedule."""
    connection.execute(update(app_schedule).where(app_schedule.c.name == name).values(values))


def record(connection: Connection, fire: Fire) -> bool:
    """Write down what becomes of a due time; False when that was decided before."""
    row = {n: getattr(fire, n) for n in Fire.__slots__ if n != "runs"} | {"flows": [*fire.flows]}
    return insert_new(connection, app_fire, row)


def under_way(connection: Connection) -> list[UnderWay]:
    """The fires that are not through, oldest first."""
    present = and_(
        app_fire_run.c.schedule == app_fire.c.schedule, app_fire_run.c.due == app_fire.c.due,
        app_fire_run.c.place == app_fire.c.place,
    )  # fmt: skip
    query = (
        select(app_fire.c.schedule, app_fire.c.due, app_fire_run.c.run, app_run.c.outcome)
        .select_from(app_fire)
        .outerjoin(app_fire_run, present)
        .outerjoin(app_run, app_run.c.id == app_fire_run.c.run)
        .where(app_fire.c.state == "running")
        .order_by(app_fire.c.due)
    )
    return [UnderWay(*row) for row in connection.execute(query)]


def fire(connection: Connection, name: str, due: datetime) -> Fire:
    """One fire with its runs."""
    of = (app_fire.c.schedule == name, app_fire.c.due == due)
    row = connection.execute(select(app_fire).where(*of)).one()
    return _read(row, _runs(connection, name, [due]))


def fires(
    connection: Connection, name: str, *, states: Sequence[str] = FIRE_STATES,
    limit: int = FIRES_SHOWN_MAX,
) -> list[Fire]:  # fmt: skip
    """The fires of a schedule, newest first."""
    query = select(app_fire).where(app_fire.c.schedule == name, app_fire.c.state.in_(states))
    rows = connection.execute(query.order_by(app_fire.c.due.desc()).limit(limit)).all()
    runs = _runs(connection, name, [row.due for row in rows])
    return [_read(row, runs) for row in rows]


def busy(connection: Connection, name: str) -> bool:
    """Whether a fire of this schedule is not through yet."""
    return bool(fires(connection, name, states=("running",), limit=1))


def oldest_under_way(connection: Connection, name: str) -> datetime | None:
    """The due time of the oldest fire of this schedule that is not through."""
    query = select(func.min(app_fire.c.due))
    of = (app_fire.c.schedule == name, app_fire.c.state == "running")
    return connection.execute(query.where(*of)).scalar()


def link(connection: Connection, fire: Fire, run: str) -> None:
    """Note the run that carries the present flow of a fire."""
    key = {"schedule": fire.schedule, "due": fire.due, "place": fire.place}
    insert_new(connection, app_fire_run, key | {"run": run})


def move(connection: Connection, fire: Fire, **values: object) -> None:
    """Set columns of a fire."""
    of = (app_fire.c.schedule == fire.schedule, app_fire.c.due == fire.due)
    connection.execute(update(app_fire).where(*of).values(values))


def _runs(
    connection: Connection, name: str, dues: Sequence[datetime]
) -> dict[tuple[datetime, int], str]:  # fmt: skip
    of = (app_fire_run.c.schedule == name, app_fire_run.c.due.in_(dues))
    query = select(app_fire_run).where(*of)
    return {(row.due, row.place): row.run for row in connection.execute(query)}


def _read(row: Row[Any], runs: Mapping[tuple[datetime, int], str]) -> Fire:
    of = {place: run for (due, place), run in sorted(runs.items()) if due == row.due}
    return Fire(**row._mapping, runs=of)
