"""What to read of F0911: runs of whole periods, or the lines of dirty buckets of one period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import polars as pl

from tieout.core import buckets as fold
from tieout.core import proof
from tieout.core.frames import BUCKET_KEY, BUCKETS, Schema, empty
from tieout.core.scope import Scope
from tieout.errors import Refused
from tieout.flows.asked import LEDGER_PERIODS, read_anew
from tieout.flows.partitions import in_partition, partition_of, partitions, within
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World
from tieout.jde import tables
from tieout.jde.query import equal, every, one_of
from tieout.project import LoadActuals
from tieout.store.steps import Step

# Lines of one step. It ends with one reader waiting for the other and a commit to the disk, so it
# has many pages; when it breaks off, so many are read again.
READ_ROWS = 500_000
BRACKET_ROWS = 100_000  # lines between two totals: read again when something is posted among them
UNCOUNTED_ROWS = READ_ROWS // 10  # a part whose lines nobody counted is taken for so many
BUCKETS_PER_PERIOD_MAX = 2_000  # more dirty buckets than that: the whole period is read
READS_PER_RUN_MAX = 10_000  # numbers of reads in one run, so that read numbers stay unique
READS: Schema = {
    "read": pl.Int64,  # the step that reads this part
    "company": pl.String, "ledger": pl.String, "fiscal_year": pl.Int32,
    "periods": pl.List(pl.Int16),
    "buckets": pl.Int64,  # how many are wanted; null where whole periods are read
}  # fmt: skip
# Periods, how many lines to expect in them, and how many buckets are wanted (None: all).
Part: TypeAlias = tuple[list[int], int, int | None]
_KEY = list(BUCKET_KEY)
KEYS: Schema = {name: BUCKETS[name] for name in BUCKET_KEY}


def plan_reads(
    step: Step, world: World[LoadActuals], run: str, changes: dict[str, Any], number: int
) -> Result:
    """What to read of F0911: runs of whole periods, or the lines of dirty buckets of one period.

    Buckets that were held come again; periods before `detail_from` have no lines to read. Keeps
    `wanted`, the dirty buckets of years that are not read whole, and `reads`: the parts to read,
    in order, and the step in which each is read, from `number` + 1 on.
    """
    scope = scope_for(world)
    years = changes["years"] if changes["everything"] else []
    some_only = ~pl.col("fiscal_year").is_in(years)  # whole years are read without a list
    again = proof.worth_reading(
        world.lazy("buckets", BUCKETS), baselines_moved=changes["baselines_moved"]
    )
    dirty = world.lazy_of_this_run(run, "dirty", KEYS)
    both = pl.concat([dirty.select(_KEY), again.select(_KEY)]).filter(some_only)
    wanted, anew = within(both.unique().collect(), scope), read_anew(world, changes)
    return _planned(step, world, wanted, years, anew, number)


def plan_again(
    step: Step, world: World[LoadActuals], run: str, apart: Sequence[Sequence[Any]], number: int
) -> Result:
    """The same for exactly the buckets of some partitions that do not tie."""
    frames = [world.frame("buckets", BUCKETS, **partition_of(p)) for p in apart]
    wanted = pl.concat([empty(KEYS), *(proof.not_tied(f).select(_KEY) for f in frames)])
    return _planned(step, world, wanted, [], empty(LEDGER_PERIODS), number)


def _planned(
    step: Step, world: World[LoadActuals], wanted: pl.DataFrame, years: list[int],
    anew: pl.DataFrame, number: int,
) -> Result:  # fmt: skip
    scope = scope_for(world)
    step.keep("wanted", wanted)
    counts = _lines_by_period(world, scope, years)
    parts: list[dict[str, Any]] = []
    touched, read, size = [], number, 0
    for company, ledger, year in partitions(scope, scope.years()):
        key = partition_of((company, ledger, year))
        here = wanted.filter(in_partition(key))
        whole = anew.filter(in_partition(key))["period"].to_list()
        if year not in years and here.is_empty() and not whole:
            continue
        touched.append([company, ledger, year])
        periods = _detailed_periods(scope, company, year)
        if year in years:
            sizes = [counts.get((company, ledger, year, period), 0) for period in periods]
            found = _parts(periods, sizes)
        else:
            found = _dirty_parts(periods, here, whole)
        for part, rows, buckets in found:
            if not parts or size + rows > READ_ROWS:
                read, size = read + 1, 0
            size += rows
            parts.append(key | {"read": read, "periods": part, "buckets": buckets})
    if read >= READS_PER_RUN_MAX:
        raise Refused(
            f"This run would read in more than {READS_PER_RUN_MAX} steps.",
            untouched="Nothing was loaded.", do="Load fewer companies or years at a time.",
        )  # fmt: skip
    step.keep("reads", pl.DataFrame(parts, schema=READS))
    return {"reads": read, "partitions": touched}


def _lines_by_period(
    world: World[LoadActuals], scope: Scope, years: list[int]
) -> dict[tuple[str, str, int, int], int]:
    """How many posted lines JD Edwards counts per company, ledger, year and period."""
    if not years:
        return {}
    where = every(
        equal("posted", fold.POSTED), one_of("ledger", list(scope.rule.ledgers)),
        one_of("fiscal_year", list(years)), one_of("company", scope.company_codes()),
    )  # fmt: skip
    group = ("company", "ledger", "fiscal_year", "period")
    found = world.jde.groups(tables.ACCOUNT_LEDGER, group_by=group, where=where)
    return {row[:4]: row[4] for row in found.select(*group, "count").iter_rows()}


def _parts(periods: list[int], sizes: list[int]) -> list[Part]:
    """Consecutive periods put together until a part would hold more than BRACKET_ROWS lines."""
    parts: list[Part] = []
    for period, lines in zip(periods, sizes, strict=True):
        if parts and parts[-1][1] + lines <= BRACKET_ROWS:
            parts[-1] = ([*parts[-1][0], period], parts[-1][1] + lines, None)
        else:
            parts.append(([period], lines, None))
    return parts


def _dirty_parts(periods: list[int], dirty: pl.DataFrame, whole: list[int]) -> list[Part]:
    """One period each, of those that have dirty buckets or are read whole."""
    counts = dict(dirty.group_by("period").agg(pl.col("account_id").n_unique()).iter_rows())
    counts |= dict.fromkeys(whole, BUCKETS_PER_PERIOD_MAX + 1)
    return [
        ([p], UNCOUNTED_ROWS, counts[p] if counts[p] <= BUCKETS_PER_PERIOD_MAX else None)
        for p in periods
        if p in counts
    ]


def _detailed_periods(scope: Scope, company: str, year: int) -> list[int]:
    return [
        m.period.number
        for c in scope.companies
        if c.company == company
        for m in c.members
        if m.period.fiscal_year == year and scope.has_detail(m.period)
    ]
