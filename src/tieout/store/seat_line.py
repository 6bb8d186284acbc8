"""Who holds the seats at JD Edwards, and whether somebody stands in line for one."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, text

from tieout.store.seat_schema import NOBODY, app_seat, app_seat_line
from tieout.store.server_time import MICROSECONDS, clock_words

LINE_SECONDS_MAX = 15.0  # who did not look for so long stands in line no more


def waited_for(connection: Connection, name: str) -> bool:
    """Whether somebody stands in line for a seat of a connection."""
    line = _SOMEBODY.format(now=clock_words(connection))
    values = {"name": name, "ago": round(LINE_SECONDS_MAX * MICROSECONDS)}
    return connection.execute(text(line), values).first() is not None


_SOMEBODY = """
    SELECT run FROM app_seat_line WHERE connection = :name AND looked >= {now} - :ago LIMIT 1
"""


def taken(connection: Connection) -> dict[str, list[str]]:
    """Connection → the runs that hold its seats, one entry a seat; NOBODY: a command."""
    held = select(app_seat.c.connection, app_seat.c.run).where(app_seat.c.executor != NOBODY)
    found: dict[str, list[str]] = {}
    for name, run in connection.execute(held.order_by(app_seat.c.connection, app_seat.c.number)):
        found.setdefault(name, []).append(run)
    return found


def waiting(connection: Connection) -> dict[str, int]:
    """Connection → how many runs stand in line for a seat."""
    runs = func.count().label("runs")
    line = select(app_seat_line.c.connection, runs).group_by(app_seat_line.c.connection)
    return {row.connection: row.runs for row in connection.execute(line)}
