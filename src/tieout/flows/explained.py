"""What stands behind every cell that does not tie: a class with its amount, or no explanation.

Three outcomes only: *tied*, *explained* (a class of facts/jde-gl.md §3.4, or a reason of our own
for which a cell was not sent, with its evidence) and *unexplained*. Unposted lines never explain a
posted difference, so they are no class, whatever their amount.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from tieout.core import cells as core
from tieout.core import proof, tie_out
from tieout.core.frames import AMOUNT, BUCKETS, CELL_KEY, ZERO, Schema, empty
from tieout.flows import drill
from tieout.flows.balances import ACCOUNTS
from tieout.flows.cells import DOUBTED, INCOMPLETE, MOVED, NOT_ASKED_FOR, STOPPED, UNMATCHED
from tieout.flows.scope import scope_for
from tieout.flows.world import World
from tieout.project import LoadActuals

TIED, EXPLAINED, UNEXPLAINED = "tied", "explained", "unexplained"
FROM_BALANCES = "taken from balances"  # before `detail_from`: there are no lines to prove it by
_KEY = list(CELL_KEY)
_PLACE = ["ledger_company", "ledger", "currency", "fiscal_year", "period"]


@dataclass(frozen=True, slots=True)
class Class:
    """What a class permits, and by what it is recognised."""

    evidence: str
    complete: bool = False
    certify: bool = False


CLASSES = {
    FROM_BALANCES: Class(
        "the period lies before detail_from: the value is F0902's own, without lines",
        complete=True,
    ),
    proof.BASELINE: Class(
        "a balance without journals that two people signed as its baseline",
        complete=True,
        certify=True,
    ),
    proof.DIED_POST: Class("lines of a batch in use make up the difference exactly"),
    proof.BATCH_IN_USE: Class("lines of a batch whose status is in use (F0011.IST = U)"),
    proof.WRONG_PERIOD: Class("lines whose period is not that of their G/L date (F0008)"),
    proof.NO_BALANCE_ROW: Class("posted lines on an account without F0902 row"),
    proof.NO_JOURNALS: Class("a balance in F0902 without any posted line"),
    proof.NO_LONGER_SHOWN: Class("F0902 showed the account before and shows it no longer"),
    proof.TOO_MANY_DECIMALS: Class("amounts finer than their currency"),
    core.UNKNOWN_ACCOUNT: Class("F0901 does not show the account id"),
    core.PERIOD_REFUSED: Class("the period has no member, or period 13 is refused"),
    core.LOCKED: Class("the balance changed in a locked period and was not sent"),
    core.TWO_CURRENCIES: Class("a mapping brings companies of several currencies together"),
    UNMATCHED: Class("the Anaplan list has no such member, and no mapping names another"),
    STOPPED: Class("another cell of the company has no member"),
    INCOMPLETE: Class("an account of the company is unknown"),
    DOUBTED: Class("not all of the company is shown to us"),
    NOT_ASKED_FOR: Class("it moved beside what a replay or backfill sent, and waits for a run"),
    MOVED: Class("its amount may stand in a held cell"),
}


def explained_cells(world: World[LoadActuals]) -> pl.DataFrame:
    """One row per cell and class: CELL_KEY, ledger_company, fiscal_year, period, class, outcome.

    With them `ledger_gap` (F0911 − F0902 of the buckets of this class) and `anaplan_gap` (F0911 −
    Anaplan, in the sign of the ledger). Cells that tie and were not taken from balances are left
    out.
    """
    compared = world.lazy("compared", drill.COMPARED)
    if not compared.collect_schema().get("f0911"):
        return empty(_SCHEMA)
    first = scope_for(world).rule.detail_from
    early = pl.lit(False)
    if first is not None:
        at = pl.col("fiscal_year").cast(pl.Int32) * 100 + pl.col("period")
        early = at < first.fiscal_year * 100 + first.number
    differs = tie_out.differs() | (pl.col("value") != pl.col("shown")) | (pl.col("held") != "")
    compared = compared.join(_signed(world).lazy(), on=_KEY, how="left")
    from_balances = early | pl.col("signed").is_not_null()
    found = compared.filter(differs | from_balances).with_columns(
        early=from_balances & ~differs,
        anaplan_gap=(pl.col("f0911") - pl.col("anaplan")).cast(AMOUNT),
    ).collect()  # fmt: skip
    reasons = _reasons(world)
    of_cells = found.join(reasons, on=_KEY, how="left", nulls_equal=True).with_columns(
        pl.when(pl.col("early") & pl.col("signed").fill_null(False)).then(pl.lit(proof.BASELINE))
        .when(pl.col("early")).then(pl.lit(FROM_BALANCES))
        .when(pl.col("held") != "").then(pl.col("held"))
        .otherwise(pl.col("reason").fill_null(UNEXPLAINED)).alias("class")
    )  # fmt: skip
    places = [*_KEY, "ledger_company", "fiscal_year", "period"]
    anaplan = of_cells.select(*places, "class", "anaplan_gap", ledger_gap=ZERO)
    ledger = (
        _held_buckets(world)
        .join(found.select(*places), on=_KEY, how="inner", nulls_equal=True)
        .select(*places, "class", "ledger_gap", anaplan_gap=ZERO)
    )
    every = pl.concat([anaplan, ledger.select(anaplan.columns)])
    summed = every.group_by(*places, "class").agg(pl.col("ledger_gap", "anaplan_gap").sum())
    known = pl.col("class").is_in(list(CLASSES))
    return (
        summed.with_columns(
            pl.when(known).then(pl.col("class")).otherwise(pl.lit(UNEXPLAINED)).alias("class"),
            outcome=pl.when(known).then(pl.lit(EXPLAINED)).otherwise(pl.lit(UNEXPLAINED)),
        )
        .group_by(*places, "class", "outcome")
        .agg(pl.col("ledger_gap", "anaplan_gap").sum().cast(AMOUNT))
        .select(list(_SCHEMA))
        .sort(*_KEY, "class")
    )


_SCHEMA: Schema = {
    **dict.fromkeys(CELL_KEY, pl.String), "ledger_company": pl.String, "fiscal_year": pl.Int32,
    "period": pl.Int16, "class": pl.String, "outcome": pl.String, "ledger_gap": AMOUNT,
    "anaplan_gap": AMOUNT,
}  # fmt: skip


def _reasons(world: World[LoadActuals]) -> pl.DataFrame:
    """Why the last run left cells open: CELL_KEY, reason."""
    rows = [
        {**{name: getattr(cell, name) for name in CELL_KEY}, "reason": cell.reason}
        for cell in world.store.open_cells(world.flow_name)
    ]
    return pl.DataFrame(rows, schema={**dict.fromkeys(CELL_KEY, pl.String), "reason": pl.String})


def _signed(world: World[LoadActuals]) -> pl.DataFrame:
    """CELL_KEY, signed of cells with a signed baseline: whether all that F0902 alone says is."""
    buckets = world.lazy("buckets", BUCKETS)
    if buckets.filter(pl.col("reason") == proof.BASELINE).head(1).collect().is_empty():
        return empty({**dict.fromkeys(CELL_KEY, pl.String), "signed": pl.Boolean})
    alone = buckets.filter((pl.col("state") == proof.BALANCE) & (pl.col("balance") != 0)).collect()
    placed = drill.placed(world, alone, world.frame("accounts", ACCOUNTS))
    cell = [pl.col(f"cell_{name}").alias(name) for name in CELL_KEY]
    signed = pl.col("reason") == proof.BASELINE
    found = placed.group_by(cell).agg(signed=signed.all(), some=signed.any())
    return found.filter("some").select(*_KEY, "signed")


def _held_buckets(world: World[LoadActuals]) -> pl.DataFrame:
    """What the held buckets put into cells: CELL_KEY, class, ledger_gap."""
    held = world.lazy("buckets", BUCKETS).filter(pl.col("state") == proof.HELD).collect()
    placed = drill.placed(world, held, world.frame("accounts", ACCOUNTS))
    gap = (pl.col("amount") - pl.col("balance")).cast(AMOUNT)
    return placed.select(
        *(pl.col(f"cell_{name}").alias(name) for name in CELL_KEY),
        pl.col("reason").alias("class"), ledger_gap=gap,
    )  # fmt: skip


def by_place(cells: pl.DataFrame) -> pl.DataFrame:
    """`explained_cells` per company, ledger, currency, period and class: counts and sums.

    Amounts are added without their signs: a balanced company would add up to nothing.
    """
    return (
        cells.group_by(*_PLACE, "class", "outcome")
        .agg(
            cells=pl.len(),
            ledger_gap=pl.col("ledger_gap").abs().sum().cast(AMOUNT),
            anaplan_gap=pl.col("anaplan_gap").abs().sum().cast(AMOUNT),
        )
        .sort(*_PLACE, "class")
    )
