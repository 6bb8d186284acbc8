"""What was found wrong in a run's data, until somebody fixed it, sent it again or waived it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import Row

from tieout.core.findings import Finding, Severity
from tieout.store.schema import REJECT_STATES, app_reject


@dataclass(frozen=True, slots=True)
class Reject:
    """One finding of a run, and what became of it."""

    id: int
    run: str
    flow: str
    finding: Finding
    state: str
    settled_run: str | None


def add(connection: Connection, flow: str, run: str, found: Sequence[Finding]) -> None:
    """Write the findings of a run down, all open."""
    rows = []
    for finding in found:
        row = {name: getattr(finding, name) for name in Finding.__slots__}
        severity = finding.severity.value
        rows.append(row | {"severity": severity, "flow": flow, "run": run, "state": "open"})
    if rows:
        connection.execute(insert(app_reject), rows)


def listed(
    connection: Connection,
    *,
    run: str | None = None,
    flow: str | None = None,
    state: str | None = None,
    severity: Severity | None = None,
) -> list[Reject]:
    """Findings in the order they were made; None means any."""
    wanted = {"run": run, "flow": flow, "state": state, "severity": severity and severity.value}
    query = select(app_reject).order_by(app_reject.c.id)
    for column, value in wanted.items():
        if value is not None:
            query = query.where(app_reject.c[column] == value)
    return [_read(row) for row in connection.execute(query)]


def settle(connection: Connection, ids: Sequence[int], state: str, run: str) -> None:
    """Open rejects reach their end by a run; one settled before stays as it was."""
    if state not in REJECT_STATES or state == "open":
        raise ValueError(f"not how a reject ends: {state}")
    open_ones = (app_reject.c.id.in_(ids), app_reject.c.state == "open")
    connection.execute(update(app_reject).where(*open_ones).values(state=state, settled_run=run))


def _read(row: Row[Any]) -> Reject:
    columns = dict(row._mapping)
    told = {name: columns[name] for name in Finding.__slots__}
    finding = Finding(**told | {"severity": Severity(told["severity"])})
    return Reject(row.id, row.run, row.flow, finding, row.state, row.settled_run)
