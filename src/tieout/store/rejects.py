"""What was not loaded and why, until somebody fixed it, sent it again or waived it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import Row

from tieout.store.schema import REJECT_STATES, app_reject


@dataclass(frozen=True, slots=True)
class Reject:
    """One thing that was not loaded: rule, subject, what it is worth, the remedy, whose words.

    `dimension` and `member` name the member the other side lacks; `cells` counts what it holds
    back. The store fills in the last five.
    """

    rule: str
    severity: str
    subject: str = ""
    dimension: str = ""
    member: str = ""
    company: str = ""
    amount: Decimal | None = None
    currency: str = ""
    cells: int = 0
    what: str = ""
    remedy: str = ""
    vendor_words: str = ""
    id: int = 0
    run: str = ""
    flow: str = ""
    state: str = "open"
    settled_run: str | None = None


def add(connection: Connection, flow: str, run: str, found: Sequence[Reject]) -> None:
    """Write rejects of a run down, all open."""
    rows = []
    for reject in found:
        row = {name: getattr(reject, name) for name in Reject.__slots__ if name != "id"}
        rows.append(row | {"flow": flow, "run": run, "state": "open", "settled_run": None})
    if rows:
        connection.execute(insert(app_reject), rows)


def listed(
    connection: Connection,
    *,
    run: str | None = None,
    flow: str | None = None,
    state: str | None = None,
) -> list[Reject]:
    """Rejects in the order they were found; a state or run of None means any."""
    query = select(app_reject).order_by(app_reject.c.id)
    for column, value in (("run", run), ("flow", flow), ("state", state)):
        if value is not None:
            query = query.where(app_reject.c[column] == value)
    return [_read(row) for row in connection.execute(query)]


def settle(connection: Connection, ids: Sequence[int], state: str, run: str | None) -> int:
    """Open rejects reach their end; how many did (one settled before stays as it was)."""
    if state not in REJECT_STATES or state == "open":
        raise ValueError(f"not how a reject ends: {state}")
    open_ones = (app_reject.c.id.in_(ids), app_reject.c.state == "open")
    done = connection.execute(
        update(app_reject).where(*open_ones).values(state=state, settled_run=run)
    )
    return done.rowcount


def _read(row: Row[Any]) -> Reject:
    return Reject(**row._mapping)
