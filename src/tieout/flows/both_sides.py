"""Both sides of one period as they are kept: ledger lines, buckets with their balances, cells."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import polars as pl

from tieout.core import buckets as fold
from tieout.core.frames import BUCKET_KEY, BUCKETS, LINES, Schema, as_schema, empty
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
HELD_LINES: Schema = {**LINES, "read": pl.Int64, "bucket_currency": pl.String, "counts": pl.Boolean}


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


def lines_in(world: World[LoadActuals], buckets: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The ledger lines that these buckets hold (HELD_LINES), those of one file at a time.

    `counts`: no for a detail that a summary line stands for.
    """
    with_lines = buckets.filter(pl.col("lines") > 0).select(_READ)
    places = set(with_lines.select("company", "ledger", "fiscal_year").unique().iter_rows())
    files = [
        m for m in world.store.current(world.flow_name, "lines")
        if (m.company, m.ledger, m.fiscal_year) in places
    ]  # fmt: skip
    is_summary = pl.col("document_type") == fold.SUMMARY
    summed = [_held(world, file, with_lines, is_summary).select(_GRAIN) for file in files]
    summaries = pl.concat(summed or [empty(HELD_LINES).select(_GRAIN)]).unique()
    detail = (pl.col("summarized") == "Y").fill_null(False) & ~is_summary
    for file in files:
        lines = _held(world, file, with_lines).join(
            summaries.with_columns(summed=pl.lit(True)), on=_GRAIN, how="left", nulls_equal=True,
            maintain_order="left",
        )  # fmt: skip
        replaced = pl.col("summed").fill_null(False) & detail
        yield as_schema(lines.with_columns(counts=~replaced), HELD_LINES)


def _held(
    world: World[LoadActuals], file: Manifest, buckets: pl.DataFrame, *only: pl.Expr
) -> pl.DataFrame:
    """The lines of one file that the reads of `buckets` hold, in the order of the file."""
    periods = buckets["period"].unique().implode()
    own = ["bucket_currency" if name == "currency" else name for name in _READ]
    return (
        world.store.scan([file])
        .filter(pl.col("posted") == fold.POSTED, pl.col("period").is_in(periods), *only)
        .with_columns(bucket_currency=fold.bucket_currency())
        .join(buckets.lazy(), left_on=own, right_on=_READ, how="semi", maintain_order="left")
        .collect()
    )


def cells_of(world: World[LoadActuals], year: int, number: int) -> pl.LazyFrame:
    """The compared cells of a period, not read yet."""
    at = (pl.col("fiscal_year") == year) & (pl.col("period") == number)
    return world.lazy("compared", drill.COMPARED).filter(at)
