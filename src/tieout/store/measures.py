"""Counts for a program that watches an instance, each by one statement."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from tieout.store.piles import UNDECIDED
from tieout.store.reject_schema import app_pile
from tieout.store.schema import app_batch, app_run


def runs(connection: Connection) -> dict[str, int]:
    """Runs by outcome."""
    query = select(app_run.c.outcome, func.count()).group_by(app_run.c.outcome)
    return {row[0]: row[1] for row in connection.execute(query)}


def open_rejects(connection: Connection) -> dict[str, int]:
    """Rejects that somebody has still to do something about, by cause; none of them is read."""
    query = select(app_pile.c.rule, func.sum(app_pile.c.rows))
    query = query.where(app_pile.c.state.in_(UNDECIDED)).group_by(app_pile.c.rule)
    return {row[0]: int(row[1]) for row in connection.execute(query)}


def waiting_batches(connection: Connection) -> int:
    """Batches that wait for a decision."""
    query = select(func.count()).select_from(app_batch).where(app_batch.c.state == "prepared")
    return connection.execute(query).scalar_one()
