"""Rows that did not load as sent, kept as a dump: CSV, one per user and import."""

from __future__ import annotations

from dataclasses import dataclass

from tieout.sim.anaplan.state import State
from tieout.sim.anaplan.wire import csv_text

Key = tuple[str, str, str, str]  # model, user, import, task


@dataclass(slots=True)
class Reject:
    """One row that did not load as sent: `E` rejected, `W` loaded without the bad part (A047)."""

    line: int
    row: list[str]
    errors: list[str]
    status: str = "E"


def keep_dump(
    state: State, now: float, key: Key, header: list[str], rejects: list[Reject], status: bool
) -> None:
    """Replace the dump of this user and import; an error-free run removes it (A049)."""
    model, user, import_id, task = key
    state.do(
        "delete from dumps where model = ? and user = ? and import = ?", model, user, import_id
    )
    if not rejects:
        return
    most = max(len(r.errors) for r in rejects)
    head = [*header, "_Line_", *(f"_Error_{n}_" for n in range(1, most + 1))]
    rows = [["_Status_", *head] if status else head]  # A047
    for reject in rejects:
        cells = (reject.row + [""] * len(header))[: len(header)]
        errors = reject.errors + [""] * (most - len(reject.errors))
        row = [*cells, str(reject.line), *errors]
        rows.append([reject.status, *row] if status else row)
    text = csv_text(rows, quote_all=True)
    state.do(
        "insert into dumps values (?, ?, ?, ?, ?, ?)",
        model, user, import_id, task, text.encode(), now,
    )  # fmt: skip
