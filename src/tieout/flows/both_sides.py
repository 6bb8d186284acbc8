"""Both sides of one period as they are kept: ledger lines, buckets with their balances, cells."""

from __future__ import annotations

from datetime import date

import polars as pl

from tieout.core import buckets as fold
from tieout.core.frames import BUCKET_KEY, BUCKETS, LINES, Schema, empty
from tieout.core.proof import taken
from tieout.flows import drill
from tieout.flows.balances import ACCOUNTS
from tieout.flows.scope import scope_for
from tieout.flows.world import World
from tieout.project import LoadActuals
from tieout.store.records import Manifest

_READ = [*BUCKET_KEY, "read"]
_GRAIN = ["company", "ledger", "bucket_currency", "account_id", "fiscal_year", "period",
          "subledger", "subledger_type"]  # fmt: skip
_HELD: Schema = {**LINES, "read": pl.Int64, "bucket_currency": pl.String, "counts": pl.Boolean}


def first_day(world: World[LoadActuals], year: int, number: int) -> date | None:
    """The day on which a fiscal period begins in the first company that has it; None in none."""
    days = scope_for(world).days()
    here = days.filter((pl.col("fiscal_year") == year) & (pl.col("period") == number))
    return here["first_day"].min() if here.height else None  # type: ignore[return-value]  # a day


def buckets_of(world: World[LoadActuals], year: int, number: int) -> pl.DataFrame:
    """The buckets that are shown in a period, those of periods folded into it too.

    BUCKETS, with `f0911` (what stands for the ledger's side: the lines, or before `detail_from` the
    balance) and `cell_*`, the cell that each is folded into.
    """
    members = scope_for(world).member_frame()
    shown = members.filter((pl.col("shown_year") == year) & (pl.col("shown_period") == number))
    place = ["company", "fiscal_year", "period"]
    found = world.lazy("buckets", BUCKETS).join(
        shown.select(place).lazy(), on=place, how="semi", maintain_order="left"
    )  # fmt: skip
    whole = found.with_columns(f0911=taken()).collect()
    return drill.placed(world, whole, world.frame("accounts", ACCOUNTS)).sort(_READ)


def lines_in(world: World[LoadActuals], buckets: pl.DataFrame) -> pl.LazyFrame:
    """The ledger lines that these buckets hold, not read yet.

    LINES, `bucket_currency`, and `counts`: no for a detail that a summary line stands for.
    """
    with_lines = buckets.filter(pl.col("lines") > 0).select(_READ)
    places = set(with_lines.select("company", "ledger", "fiscal_year").unique().iter_rows())
    files = [
        m for m in world.store.current(world.flow_name, "lines")
        if (m.company, m.ledger, m.fiscal_year) in places
    ]  # fmt: skip
    if not files:
        return empty(_HELD).lazy()
    lines = _held(world, files, with_lines)
    summaries = lines.filter(pl.col("document_type") == fold.SUMMARY).select(_GRAIN).unique()
    summed = summaries.collect().with_columns(summed=pl.lit(True))
    detail = (pl.col("summarized") == "Y") & (pl.col("document_type") != fold.SUMMARY)
    known = lines.join(
        summed.lazy(), on=_GRAIN, how="left", nulls_equal=True, maintain_order="left"
    )
    replaced = pl.col("summed").fill_null(False) & detail.fill_null(False)
    return known.with_columns(counts=~replaced).select(list(_HELD))


def _held(world: World[LoadActuals], files: list[Manifest], buckets: pl.DataFrame) -> pl.LazyFrame:
    periods = buckets["period"].unique().implode()
    own = ["bucket_currency" if name == "currency" else name for name in _READ]
    return (
        world.store.scan(files)
        .filter(pl.col("posted") == fold.POSTED, pl.col("period").is_in(periods))
        .with_columns(bucket_currency=fold.bucket_currency())
        .join(buckets.lazy(), left_on=own, right_on=_READ, how="semi", maintain_order="left")
    )


def cells_of(world: World[LoadActuals], year: int, number: int) -> pl.LazyFrame:
    """The compared cells of a period, not read yet."""
    at = (pl.col("fiscal_year") == year) & (pl.col("period") == number)
    return world.lazy("compared", drill.COMPARED).filter(at)
