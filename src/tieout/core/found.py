"""What JD Edwards holds of a journal, compared with what was approved, line for line."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tieout.core.buckets import POSTED
from tieout.core.frames import AMOUNT, LEDGER_CELL, LINES, ZERO, Schema
from tieout.core.journal import Batch, Journal
from tieout.core.posting import Shown, Sight

VOID = "V"  # F0911.RE of a voided journal

_CELL = list(LEDGER_CELL)
# Lines of F0911 under the batch number, the document number or the reference of a journal.
FOUND: Schema = {
    **{name: LINES[name] for name in (*LEDGER_CELL, "amount", "posted", "reversal")},
    **{name: LINES[name] for name in ("document_type", "document", "batch_number")},
    "reference_1": pl.String,
    "reference_2": LINES["reference_2"],
}
# Unprocessed rows of F0911Z1 under its transaction number; their period is not known yet.
WAITING: Schema = {
    **{name: LINES[name] for name in ("ledger", "account_id", "gl_date", "amount")},
}


def shown(
    batch: Batch,
    journal: Journal,
    found: pl.DataFrame,
    waiting: pl.DataFrame,
    *,
    status: str = "",
    moved: bool | None = None,
) -> Shown:
    """One look, from the rows it read: FOUND, WAITING and the status of the batch (F0011.IST).

    Both references are looked at: people can edit the second of a posted line.
    """
    named = pl.any_horizontal(pl.col("reference_1", "reference_2") == journal.reference)
    marked = found.with_columns(ours=named.fill_null(False))
    ours = marked.filter("ours")
    voided = ours.filter(pl.col("reversal") == VOID).height > 0
    sight = Sight.WHOLE if voided else _sight(batch, journal, marked, waiting)
    posted = ours.height > 0 and bool((ours["posted"] == POSTED).all())
    return Shown(sight, status, posted, voided, moved)


def _sight(batch: Batch, journal: Journal, marked: pl.DataFrame, waiting: pl.DataFrame) -> Sight:
    approved = batch.lines_of(journal).with_columns(
        ledger=pl.lit(journal.ledger), gl_date=pl.lit(journal.gl_date, pl.Date),
        fiscal_year=pl.lit(journal.fiscal_year, pl.Int32),
        period=pl.lit(journal.period, pl.Int16),
    )  # fmt: skip
    ours = marked.filter("ours")
    if ours.is_empty() and not marked.is_empty():
        return Sight.FOREIGN
    documents = ours.select("document_type", "document", "batch_number").unique()
    strangers = ours.height < marked.height
    wrong_type = not (documents["document_type"] == journal.document_type).all()
    if strangers or wrong_type or documents.height > 1:
        return Sight.OTHER
    in_z = _compared(approved, waiting, ["ledger", "account_id", "gl_date"])
    in_ledger = _compared(approved, ours, _CELL)
    if in_ledger is Sight.NOTHING:
        return Sight.WAITING if in_z is Sight.WHOLE else in_z
    if in_z is Sight.NOTHING:
        return in_ledger
    return Sight.OTHER if Sight.OTHER in (in_z, in_ledger) else Sight.BOTH


def _compared(approved: pl.DataFrame, rows: pl.DataFrame, key: Sequence[str]) -> Sight:
    """NOTHING, PART, WHOLE or OTHER: count and sum per account, period and ledger."""
    if rows.is_empty():
        return Sight.NOTHING
    sums = [pl.len().alias("n"), pl.col("amount").sum().cast(AMOUNT)]
    wanted = approved.group_by(key).agg(sums)
    there = rows.group_by(key).agg(sums)
    if not there.join(wanted, on=[*key, "n", "amount"], how="anti", nulls_equal=True).is_empty():
        return Sight.OTHER
    return Sight.WHOLE if there.height == wanted.height else Sight.PART


def moved(
    lines: pl.DataFrame, before: pl.DataFrame, after: pl.DataFrame, others: pl.DataFrame
) -> bool:
    """Whether F0902 moved by exactly the lines of a journal, and what others posted meanwhile.

    `lines`, `others`: LEDGER_CELL, amount; `before`, `after`: LEDGER_CELL, balance. Cells outside
    `lines` are not looked at.
    """
    sums = [
        frame.group_by(_CELL).agg(pl.col(column).sum().cast(AMOUNT).alias(name))
        for frame, column, name in (
            (lines, "amount", "amount"), (others, "amount", "others"),
            (before, "balance", "before"), (after, "balance", "after"),
        )
    ]  # fmt: skip
    joined = sums[0]
    for frame in sums[1:]:
        joined = joined.join(frame, on=_CELL, how="left")
    filled = joined.with_columns(pl.col("others", "before", "after").fill_null(ZERO))
    change = pl.col("after") - pl.col("before")
    return filled.filter(change != pl.col("amount") + pl.col("others")).is_empty()
