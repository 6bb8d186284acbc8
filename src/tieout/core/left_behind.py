"""What a plan left in the ledger where none of its cells is meant to be any more."""

from __future__ import annotations

import polars as pl

from tieout.core.findings import Finding, Severity, counted
from tieout.core.frames import AMOUNT, DIFFERENCES, LEDGER_CELL, PLACE, Schema

SUBJECTS_SHOWN_MAX = 3
_CELL, _ALIKE = list(LEDGER_CELL), [*LEDGER_CELL, "alike", "subledger_type"]
_PLAN_CELL = ["company", "ledger", "account", "business_unit", "member"]
# What earlier journals of ours entered, and for which cell of the plan (Anaplan's codes).
ENTERED: Schema = {name: DIFFERENCES[name] for name in dict.fromkeys([*PLACE, *_PLAN_CELL])}


def left_behind(
    entered: pl.DataFrame, targets: pl.DataFrame, cells: pl.DataFrame, standing: pl.DataFrame
) -> list[Finding]:
    """Amounts in a place that a plan cell meant earlier and does not mean any more.

    The plan would be in the ledger twice, under the account and period it means now and under the
    old ones; or partly under a subledger that its account had before. A label that means another
    fiscal year now may have been given to it on purpose, as "P01" is each year: that is asked.
    `entered`: ENTERED; `targets`: PLAN_CELLS that may be sent; `cells`: DIFFERENCES; `standing`:
    PLACE, left.
    """
    before, means, stands = (_written_alike(rows) for rows in (entered, targets, standing))
    cell_sums, place_sums = (
        stands.group_by(key).agg(pl.col("left").sum().cast(AMOUNT), shown=pl.col("subledger").max())
        for key in (_CELL, _ALIKE)
    )
    moved = (
        before.join(
            means.select(*_PLAN_CELL, "currency", year="fiscal_year"), on=_PLAN_CELL, how="inner"
        )
        .join(cells, on=_CELL, how="anti")  # which every cell that the plan means now is among
        .join(cell_sums, on=_CELL, how="inner")
        .unique(_CELL)
        .with_columns(under=pl.lit(""), asks=pl.col("fiscal_year") != pl.col("year"))
        .drop("year")
    )
    named = pl.when(pl.col("shown") == "").then(pl.lit("none")).otherwise("shown")
    turned = (
        before.join(means.select(*_CELL, "currency"), on=_CELL, how="inner")
        .join(means, on=_ALIKE, how="anti")
        .join(place_sums, on=_ALIKE, how="inner")
        .unique(_ALIKE)
        .with_columns(under=pl.format(" under subledger {}", named), asks=pl.lit(False))
    )
    return _findings(pl.concat([moved, turned]).filter(pl.col("left") != 0))


def _written_alike(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds the subledger without the zeros and blanks that JD Edwards fills it up with."""
    return rows.with_columns(alike=pl.col("subledger").str.strip_chars().str.strip_chars_start("0"))


def _findings(old: pl.DataFrame) -> list[Finding]:
    number = pl.col("period").cast(pl.String).str.zfill(2)
    place = pl.format("{} in {}-{}{}", "account_id", "fiscal_year", number, "under")
    groups = old.group_by("company", "ledger", "currency", "asks").agg(
        cells=pl.len(), amount=pl.col("left").abs().sum().cast(AMOUNT),
        names=pl.format("{} × {}", "account", "business_unit").unique().sort()
        .head(SUBJECTS_SHOWN_MAX).str.join(", "),
        places=place.unique().sort().head(SUBJECTS_SHOWN_MAX).str.join(", "),
    )  # fmt: skip
    return [
        Finding(
            "plan-moved", Severity.ASK if row["asks"] else Severity.REJECT,
            f"company {row['company']}, ledger {row['ledger']}",
            f"{counted(row['cells'], 'amount')} of the plan ({row['names']}) were entered under "
            f"another {'fiscal year' if row['asks'] else 'account, subledger or period'} than they "
            f"mean now, and stand there still (account id {row['places']}).",
            ("If the label was given to another year on purpose, they stay: approve. Else put the "
             "period back" if row["asks"] else "Put the mapping, target or period back")
            + ", or have the old amounts reversed in JD Edwards; then prepare again.",
            row["company"], amount=row["amount"], currency=row["currency"], cells=row["cells"],
        )
        for row in groups.sort("company", "ledger", "currency", "asks").iter_rows(named=True)
    ]  # fmt: skip
