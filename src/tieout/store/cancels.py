"""Runs that a person asked to end before their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, ForeignKey, Table, Text, bindparam, select

from tieout.store.columns import Moment, Words
from tieout.store.database import insert_new
from tieout.store.schema import app_task, metadata

app_cancel = Table(
    "app_cancel",
    metadata,
    Column("run", Text, ForeignKey("app_run.id"), primary_key=True),
    Column("asked_by", Words, nullable=False),
    Column("why", Words, nullable=False),
    Column("asked_at", Moment, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Cancel:
    """Who asked a run to end, and why."""

    run: str
    asked_by: str
    why: str
    asked_at: datetime


def ask(connection: Connection, cancel: Cancel) -> bool:
    """Ask a run to end; False when somebody asked before, whose words stand."""
    row = {name: getattr(cancel, name) for name in Cancel.__slots__}
    return insert_new(connection, app_cancel, row)


def asked(connection: Connection, run: str) -> Cancel | None:
    """Who asked a run to end, if somebody did and nothing of it is on its way in Anaplan.

    Once an import or process was asked for, the run goes on to its end: only that proves what the
    model holds.
    """
    row = connection.execute(OF_RUN, {"run": run}).first()
    return None if row is None else Cancel(**row._mapping)


_LOADS = select(app_task.c.run).where(
    app_task.c.run == bindparam("run"), app_task.c.kind != "exports"
)
OF_RUN = select(app_cancel).where(app_cancel.c.run == bindparam("run"), ~_LOADS.exists())
