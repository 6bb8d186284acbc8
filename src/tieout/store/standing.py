"""What stands open, counted: cells by period, findings by flow; nothing is read row by row."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from tieout.store.reject_schema import app_reject
from tieout.store.schema import app_call, app_open_cell, app_step

Period = tuple[int, int]


def open_cells(connection: Connection, flow: str) -> dict[Period, int]:
    """How many cells of a flow are held open, by fiscal year and period."""
    cell = app_open_cell.c
    query = select(cell.fiscal_year, cell.period, func.count()).where(cell.flow == flow)
    rows = connection.execute(query.group_by(cell.fiscal_year, cell.period))
    return {(year, period): count for year, period, count in rows}


def of_run(connection: Connection, run: str, rows_max: int) -> dict[str, int]:
    """How many findings a run had by severity, counted up to `rows_max` of all."""
    some = select(app_reject.c.severity).where(app_reject.c.run == run).limit(rows_max).subquery()
    query = select(some.c.severity, func.count()).group_by(some.c.severity)
    return {row[0]: row[1] for row in connection.execute(query)}


def calls(connection: Connection, run: str) -> dict[str, tuple[int, int]]:
    """System → how many exchanges a run had with it, and their milliseconds."""
    call = app_call.c
    query = select(call.system, func.count(), func.sum(call.ms)).where(call.run == run)
    rows = connection.execute(query.group_by(call.system).order_by(call.system))
    return {system: (count, int(ms)) for system, count, ms in rows}


def steps_done(connection: Connection, run: str) -> int:
    """How many steps a run has committed."""
    query = select(func.count()).where(app_step.c.run == run)
    return connection.execute(query).scalar_one()
