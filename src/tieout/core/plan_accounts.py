"""The account behind a plan cell: the mapping of actuals, read backwards, one account or none.

An account's codes in Anaplan are computed as `cells.fold` computes them and compared with the
plan's; no text is ever taken apart or put together to find an account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from tieout.core.cells import account_code
from tieout.core.frames import TARGETS
from tieout.core.mapping import through_mapping

DIMENSIONS = ("account", "business_unit", "company")
_CODES = ["company", "account", "business_unit"]
ACCOUNTS_SHOWN_MAX = 3


@dataclass(frozen=True, slots=True)
class Chart:
    """F0901 and F0006, the flow's account code and mapping tables, and explicit targets.

    `accounts`: account_id, company, business_unit, object_account, subsidiary, posting_edit,
    currency; `units`: business_unit, company, posting_edit; `tables`: as for `cells.fold`.
    """

    accounts: pl.DataFrame
    units: pl.DataFrame
    code: str
    tables: Mapping[str, pl.DataFrame]
    targets: pl.DataFrame


ACCOUNT_ATTRIBUTES = (
    "account_company", "object_account", "posting_edit", "account_currency", "unit_company",
    "unit_posting_edit",
)  # fmt: skip


def attributes(chart: Chart) -> pl.DataFrame:
    """account_id, ACCOUNT_ATTRIBUTES, own_code, own_unit: what the rules ask about an account."""
    units = chart.units.select(
        "business_unit", unit_company="company", unit_posting_edit="posting_edit"
    )
    found = chart.accounts.join(units, on="business_unit", how="left", validate="m:1")
    return found.select(
        "account_id", "object_account", "posting_edit", "unit_company", "unit_posting_edit",
        account_company="company", account_currency="currency", own_unit="business_unit",
        own_code=account_code(chart.code),
    )  # fmt: skip


def resolve(rows: pl.DataFrame, periods: pl.DataFrame, chart: Chart) -> pl.DataFrame:
    """Plan rows (PLAN and `row`, their number) with the account and period they mean.

    Adds ledger_company, the columns of `periods` (PLAN_PERIODS), account_id, matches (how many
    accounts there are), several (their ids), subledger, subledger_type and ACCOUNT_ATTRIBUTES.
    A row without exactly one account keeps its period, so that all its faults are told at once.
    """
    starts = _starts(chart.tables)
    homes = _in_anaplan(periods.with_columns(ledger_company="company"), chart.tables)
    homes = homes.with_columns(_epoch(starts)).drop("shown_year", "shown_period")
    spread = pl.concat(
        [
            rows.join(homes, on=["company", "member"], how="inner"),
            # A member that means no period still names an account, which has faults of its own.
            rows.join(homes, on=["company", "member"], how="anti").join(
                homes.select("company", "ledger_company", "base_currency", "decimals", "epoch")
                .sort("epoch").unique(["company", "ledger_company"], keep="last"),
                on="company", how="left",
            ),
        ],
        how="diagonal",
    )  # fmt: skip
    targets = chart.targets.select(*TARGETS)
    named = spread.join(targets, on=_CODES, how="semi").join(targets, on=_CODES, how="left")
    known = chart.accounts.select("account_id", ledger_company="company")
    own = known.with_columns(found="account_id")
    named = named.join(own, on=["account_id", "ledger_company"], how="left").with_columns(
        account_id="found"
    )
    mapped = spread.join(targets, on=_CODES, how="anti").join(
        _candidates(chart, homes, starts), on=[*_CODES, "ledger_company", "epoch"], how="left"
    )
    both = pl.concat([mapped, named.drop("found")], how="diagonal").sort(
        "row", "account_id", "ledger_company", nulls_last=True
    )
    ids = pl.col("account_id").drop_nulls().unique(maintain_order=True)
    one = both.group_by("row", maintain_order=True).agg(
        pl.exclude("row", "epoch").first(),
        matches=ids.len(),
        several=ids.head(ACCOUNTS_SHOWN_MAX).str.join(", "),
    )
    settled = one.with_columns(
        account_id=pl.when(pl.col("matches") == 1).then("account_id"),
        subledger=pl.col("subledger").fill_null(""),
        subledger_type=pl.col("subledger_type").fill_null(""),
    )
    return settled.join(
        attributes(chart).drop("own_code", "own_unit"), on="account_id", how="left", validate="m:1"
    )


def elsewhere(rows: pl.DataFrame, chart: Chart) -> pl.DataFrame:
    """row, elsewhere: another company of JD Edwards that has the account of a row without one."""
    starts = _starts(chart.tables)
    latest = pl.DataFrame({"epoch": [len(starts)]}, schema={"epoch": pl.Int32})
    everywhere = _candidates(chart, latest, starts).group_by("account", "business_unit")
    others = everywhere.agg(elsewhere=pl.col("ledger_company").min())
    ids = chart.accounts.select("account_id", of_target="company")
    targets = chart.targets.select(*_CODES, "account_id").join(ids, on="account_id")
    targets = targets.group_by(_CODES).agg(pl.col("of_target").min())
    return (
        rows.join(others, on=["account", "business_unit"], how="left")
        .join(targets, on=_CODES, how="left")
        .select("row", elsewhere=pl.coalesce("of_target", "elsewhere"))
    )


def _candidates(chart: Chart, homes: pl.DataFrame, starts: list[int]) -> pl.DataFrame:
    """Every account under its codes in Anaplan, once for each time the mapping tables change."""
    wanted = set(homes["epoch"].drop_nulls().to_list())
    epochs = pl.DataFrame(
        [(n, since // 100, since % 100) for n, since in enumerate([0, *starts]) if n in wanted],
        schema={"epoch": pl.Int32, "shown_year": pl.Int32, "shown_period": pl.Int32},
        orient="row",
    )
    accounts = chart.accounts
    if "ledger_company" in homes.columns:
        inside = homes["ledger_company"].unique().to_list()
        accounts = accounts.filter(pl.col("company").is_in(inside))
    rows = accounts.select(
        "account_id", "company", "business_unit", account=account_code(chart.code),
        ledger_company="company",
    ).join(epochs, how="cross")  # fmt: skip
    return _in_anaplan(rows, chart.tables).drop("shown_year", "shown_period")


def _in_anaplan(rows: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Codes of JD Edwards as Anaplan has them, for the dimensions that `rows` has."""
    for dimension in DIMENSIONS:
        if dimension in rows.columns:
            rows = through_mapping(rows, dimension, tables.get(dimension))
    return rows


def _starts(tables: Mapping[str, pl.DataFrame]) -> list[int]:
    """When a mapping table changes, as fiscal year and period (202504), in order."""
    found: set[int] = set()
    for table in tables.values():
        if "effective_from" in table.columns:
            texts = table["effective_from"].drop_nulls().unique().to_list()
            found |= {int(text.replace("-", "")) for text in texts if text}
    return sorted(found)


def _epoch(starts: list[int]) -> pl.Expr:
    """How many changes of the mapping tables a period has behind it."""
    at = pl.col("shown_year") * 100 + pl.col("shown_period").cast(pl.Int32)
    begun = [(at >= start).cast(pl.Int32) for start in starts]
    return pl.sum_horizontal(pl.lit(0, pl.Int32), *begun).cast(pl.Int32).alias("epoch")
