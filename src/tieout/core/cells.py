"""Cells: buckets folded by account, business unit and period member, with Anaplan's sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from tieout.core.frames import AMOUNT, CELL_KEY, CELLS, ZERO, as_schema
from tieout.core.proof import BALANCE, HELD

_KEY = list(CELL_KEY)

UNKNOWN_ACCOUNT = "unknown account"
PERIOD_REFUSED = "no member for the period"
LOCKED = "locked period"


def account_code(rule: str) -> pl.Expr:
    """The code of an account by the flow's `account_code`."""
    joined = pl.concat_str(
        pl.col("object_account"),
        pl.when(pl.col("subsidiary") != "")
        .then(pl.lit(".") + pl.col("subsidiary"))
        .otherwise(pl.lit("")),
    )
    return {
        "object": pl.col("object_account"),
        "object.subsidiary": joined,
        "account": pl.col("business_unit") + pl.lit(".") + joined,
        "account_id": pl.col("account_id"),
    }[rule]


def flipped(ranges: Sequence[str]) -> pl.Expr:
    """Whether an object account lies in a range such as `4000-4999` (text order, as JDE sorts)."""
    expression = pl.lit(False)
    for text in ranges:
        first, _, last = text.partition("-")
        last = last or first
        longest = max(len(first), len(last))
        value = pl.col("object_account").str.slice(0, longest)
        expression = expression | value.is_between(pl.lit(first), pl.lit(last))
    return expression


def mapped(dimension: str, tables: Mapping[str, pl.DataFrame]) -> pl.Expr:
    """A code through the mapping table of its dimension; a code without a row maps to itself.

    `tables[dimension]`: source, target.
    """
    table = tables.get(dimension)
    if table is None or table.is_empty():
        return pl.col(dimension)
    return pl.col(dimension).replace(table["source"], table["target"])


def fold(
    buckets: pl.DataFrame,
    accounts: pl.DataFrame,
    members: pl.DataFrame,
    *,
    code: str,
    flip: Sequence[str],
    tables: Mapping[str, pl.DataFrame],
) -> pl.DataFrame:
    """Buckets → CELLS, one row per cell.

    `accounts`: account_id, business_unit, object_account, subsidiary as F0901 has them now;
    `members`: `Scope.member_frame`. A bucket takes F0902's value where F0902 speaks alone. A cell
    is held when one of its buckets is.
    """
    known = accounts.select("account_id", "business_unit", "object_account", "subsidiary")
    joined = (
        buckets.join(known.with_columns(known=pl.lit(True)), on="account_id", how="left")
        .join(members, on=["company", "fiscal_year", "period"], how="inner")
        .with_columns(pl.col("known").fill_null(False), account=account_code(code))
        .with_columns(
            pl.col("account").fill_null(pl.lit("?") + pl.col("account_id")),
            pl.col("business_unit").fill_null("?"),
            f0911=pl.when(pl.col("state") == BALANCE)
            .then(pl.col("balance"))
            .otherwise(pl.col("amount")),
            sign=pl.when(flipped(flip).fill_null(False)).then(-1).otherwise(1).cast(pl.Int8),
        )
    )
    held = (
        pl.when(pl.col("state") == HELD).then(pl.col("reason"))
        .when(~pl.col("known")).then(pl.lit(UNKNOWN_ACCOUNT))
        .when(pl.col("member") == "").then(pl.lit(PERIOD_REFUSED))
        .otherwise(pl.lit(""))
    )  # fmt: skip
    shown = pl.when(pl.col("sign") < 0).then(-pl.col("f0911")).otherwise(pl.col("f0911"))
    cells = (
        joined.with_columns(
            account=mapped("account", tables),
            business_unit=mapped("business_unit", tables),
            company=mapped("company", tables),
            held=held,
            shown=shown,
        )
        .group_by(_KEY)
        .agg(
            fiscal_year=pl.col("shown_year").min(),
            period=pl.col("shown_period").min(),
            sign=pl.when(pl.col("sign").max() == pl.col("sign").min())
            .then(pl.col("sign").min())
            .otherwise(1),
            f0911=pl.col("f0911").sum().cast(AMOUNT),
            f0902=pl.col("balance").sum().cast(AMOUNT),
            value=pl.col("shown").sum().cast(AMOUNT),
            buckets=pl.len().cast(pl.Int64),
            held=pl.col("held").max(),
        )
    )
    return as_schema(cells, CELLS).sort(_KEY)


def touched(cells: pl.DataFrame, proved: pl.DataFrame) -> pl.DataFrame:
    """CELL_KEY, value, held of every cell whose value is not the one proved in Anaplan before.

    A cell that is gone is touched with an explicit zero (rule 13); one that never had a value and
    is zero is not. `proved`: CELL_KEY, shown (what Anaplan was last proved to show).
    """
    joined = cells.join(proved, on=_KEY, how="full", coalesce=True).with_columns(
        pl.col("value").fill_null(ZERO),
        pl.col("shown").fill_null(ZERO),
        pl.col("held").fill_null(""),
    )
    return (
        joined.filter(pl.col("value") != pl.col("shown")).select(*_KEY, "value", "held").sort(_KEY)
    )
