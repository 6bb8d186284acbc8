"""Where a flow stands: its kept positions, and the cells that are held open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from tieout.errors import Busy
from tieout.store.columns import canonical, parsed
from tieout.store.database import insert_new
from tieout.store.schema import app_open_cell, app_position


@dataclass(frozen=True, slots=True)
class Move:
    """A position goes from the value it was read with to the next one."""

    flow: str
    name: str
    expected: Any
    value: Any
    run: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OpenCell:
    """A cell of Anaplan that is not proved and keeps its old value; the next run starts with it.

    `ledger` and `currency` are empty where a cell holds but one; `amount` is what the cell should
    show; `since_run` is filled in by the store.
    """

    company: str
    account: str
    business_unit: str
    member: str
    ledger: str
    currency: str
    fiscal_year: int
    period: int
    reason: str
    amount: Decimal
    since_run: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it this cell."""
        return (
            self.company, self.account, self.business_unit, self.member, self.ledger, self.currency,
        )  # fmt: skip


def position(connection: Connection, flow: str, name: str) -> Any:
    """The kept value, None when the flow never moved it."""
    return connection.execute(_POSITION, {"flow": flow, "name": name}).scalar_one_or_none()


def of_flow(connection: Connection, flow: str) -> dict[str, Any]:
    """Every kept value of a flow by its name."""
    return {row.name: row.value for row in connection.execute(_OF_FLOW, {"flow": flow})}


_OF_FLOW = select(app_position.c.name, app_position.c.value).where(
    app_position.c.flow == bindparam("flow")
)
_POSITION = select(app_position.c.value).where(
    app_position.c.flow == bindparam("flow"), app_position.c.name == bindparam("name")
)


def move(connection: Connection, step: Move) -> None:
    """Set a position if it still has the value it was read with; Busy otherwise."""
    values = {"value": step.value, "run": step.run, "moved_at": step.at}
    if step.expected is None:
        row = {"flow": step.flow, "name": step.name, **values}
        moved = insert_new(connection, app_position, row)
    else:
        # Stored JSON is canonical, so the read value spells the same text again.
        same = {
            "of_flow": step.flow, "of_name": step.name,
            "expected": parsed(canonical(step.expected)),
        }  # fmt: skip
        moved = connection.execute(_MOVE, same | values).rowcount == 1
    if not moved:
        raise Busy(
            f"The position {step.name} of {step.flow} was moved by another run meanwhile.",
            untouched="It was left where that run put it.",
            do="Run the flow again: it starts from there.",
        )


_MOVE = update(app_position).where(
    app_position.c.flow == bindparam("of_flow"),
    app_position.c.name == bindparam("of_name"),
    app_position.c.value == bindparam("expected"),
)


def open_cells(connection: Connection, flow: str) -> list[OpenCell]:
    """The cells held open now."""
    columns = [app_open_cell.c[name] for name in OpenCell.__slots__]
    query = select(*columns).where(app_open_cell.c.flow == flow)
    return [
        OpenCell(*row)
        for row in connection.execute(query.order_by(*app_open_cell.primary_key.columns))
    ]


def replace_open_cells(
    connection: Connection, flow: str, run: str, cells: Sequence[OpenCell]
) -> None:
    """From now on exactly `cells` are open; one that was open before keeps its first run."""
    since = {cell.key: cell.since_run for cell in open_cells(connection, flow)}
    connection.execute(delete(app_open_cell).where(app_open_cell.c.flow == flow))
    rows = [
        {name: getattr(cell, name) for name in OpenCell.__slots__}
        | {"flow": flow, "since_run": since.get(cell.key, run)}
        for cell in cells
    ]
    if rows:
        connection.execute(insert(app_open_cell), rows)
