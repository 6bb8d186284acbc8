"""What to read of F0911: runs of whole periods, or the lines of dirty buckets of one period.

Where several processes may read, what is large is cut into parts that they read side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import polars as pl

from tieout.core import buckets as fold
from tieout.core import proof
from tieout.core.frames import BUCKET_KEY, BUCKETS, Schema, empty
from tieout.core.scope import Scope
from tieout.errors import Refused
from tieout.flows.asked import LEDGER_PERIODS, read_anew
from tieout.flows.partitions import in_partition, packed, partition_of, partitions, within
from tieout.flows.scope import scope_for
from tieout.flows.shares import how_many_parts, shared_out
from tieout.flows.world import Result, World
from tieout.jde import tables
from tieout.jde.query import equal, every, one_of
from tieout.project import LoadActuals
from tieout.store.steps import Step

# Lines of one step. It ends with one reader waiting for the other and a commit to the disk, so it
# has many pages; when it breaks off, so many are read again.
READ_ROWS = 500_000
BRACKET_ROWS = 100_000  # lines between two totals: read again when something is posted among them
UNCOUNTED_ROWS = READ_ROWS // 10  # a piece whose lines nobody counted is taken for so many
READS_A_PART = 2  # at least, so that parts can be made equally long
BUCKETS_PER_PERIOD_MAX = 2_000  # more dirty buckets than that: the whole period is read
READS_PER_RUN_MAX = 10_000  # numbers of reads in one run, so that read numbers stay unique
READS: Schema = {
    "read": pl.Int64,  # the step that reads this piece
    "part": pl.Int32,  # the part of the run that the step is handed out with; null: none
    "company": pl.String, "ledger": pl.String, "fiscal_year": pl.Int32,
    "periods": pl.List(pl.Int16),
    "buckets": pl.Int64,  # how many are wanted; null where whole periods are read
}  # fmt: skip
Counts: TypeAlias = Mapping[tuple[str, str, int, int], int]  # company, ledger, year, period → lines
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


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one query of lines selects: periods of a partition, or `buckets` of one period."""

    partition: tuple[str, str, int]
    periods: tuple[int, ...]
    rows: int  # to expect
    buckets: int | None  # how many are wanted; None: whole periods
    read: int = 0
    part: int | None = None


def _planned(
    step: Step, world: World[LoadActuals], wanted: pl.DataFrame, years: list[int],
    anew: pl.DataFrame, number: int,
) -> Result:  # fmt: skip
    scope = scope_for(world)
    step.keep("wanted", wanted)
    sought = {
        partition: found
        for partition in partitions(scope, scope.years())
        if (found := _sought(scope, partition, wanted, years, anew)) is not None
    }
    whole = {year for (_, _, year), found in sought.items() if None in found.values()}
    counts = _lines_by_period(world, scope, sorted(whole))
    parts = how_many_parts(world, sum(_sizes(sought, counts)))
    pieces = _in_reads(_pieces(sought, counts, parts), number, parts)
    last = max((piece.read for piece in pieces), default=number)
    if last >= READS_PER_RUN_MAX:
        raise Refused(
            f"This run would read in more than {READS_PER_RUN_MAX} steps.",
            untouched="Nothing was loaded.", do="Load fewer companies or years at a time.",
        )  # fmt: skip
    rows = [
        partition_of(p.partition)
        | {"read": p.read, "part": p.part, "periods": p.periods, "buckets": p.buckets}
        for p in pieces
    ]
    step.keep("reads", pl.DataFrame(rows, schema=READS))
    told = {"reads": last, "partitions": packed(sought)}
    return told | ({"parts": parts} if parts else {})


def _sought(
    scope: Scope, partition: tuple[str, str, int], wanted: pl.DataFrame, years: list[int],
    anew: pl.DataFrame,
) -> dict[int, int | None] | None:  # fmt: skip
    """The periods of a partition to be read, each with how many buckets are wanted; None: whole.

    None when nothing is sought in it.
    """
    company, _, year = partition
    periods = _detailed_periods(scope, company, year)
    if year in years:
        return dict.fromkeys(periods)
    key = partition_of(partition)
    dirty, whole = wanted.filter(in_partition(key)), anew.filter(in_partition(key))["period"]
    if dirty.is_empty() and whole.is_empty():
        return None
    counts: dict[int, int | None] = {
        period: count if count <= BUCKETS_PER_PERIOD_MAX else None
        for period, count in dirty.group_by("period").agg(
            pl.col("account_id").n_unique()
        ).iter_rows()
    }  # fmt: skip
    counts |= dict.fromkeys(whole)
    return {period: counts[period] for period in periods if period in counts}


Sought: TypeAlias = Mapping[tuple[str, str, int], Mapping[int, int | None]]


def _sizes(sought: Sought, counts: Counts) -> Iterator[int]:
    """How many lines each period has that is read whole."""
    for partition, periods in sought.items():
        for period, buckets in periods.items():
            if buckets is None:
                yield counts.get((*partition, period), 0)


def _pieces(sought: Sought, counts: Counts, parts: int) -> list[_Piece]:
    """Consecutive whole periods until a piece would hold more than BRACKET_ROWS lines.

    Or more than a read of a part, when there are `parts`. Of single buckets, each period is one.
    """
    rows_max = min(BRACKET_ROWS, _read_rows(sum(_sizes(sought, counts)), parts))
    found: list[_Piece] = []
    for partition, periods in sought.items():
        last: _Piece | None = None
        for period, buckets in periods.items():
            rows = UNCOUNTED_ROWS if buckets else counts.get((*partition, period), 0)
            if last and buckets is None and last.rows + rows <= rows_max:
                last = replace(last, periods=(*last.periods, period), rows=last.rows + rows)
                found[-1] = last
                continue
            found.append(_Piece(partition, (period,), rows, buckets))
            last = found[-1] if buckets is None else None
    return found


def _in_reads(pieces: list[_Piece], number: int, parts: int) -> list[_Piece]:
    """Pieces with their reads, numbered on from `number`; and with the part that each belongs to.

    Single buckets are not handed out: how long they take nobody knows, and often it is not long.
    """
    if not parts:
        return _packed(pieces, READ_ROWS, number)
    whole = [piece for piece in pieces if piece.buckets is None]
    handed_out = _packed(whole, _read_rows(sum(piece.rows for piece in whole), parts), number)
    some = [piece for piece in pieces if piece.buckets is not None]
    sizes: dict[int, int] = {}
    for piece in handed_out:
        sizes[piece.read] = sizes.get(piece.read, 0) + piece.rows
    part_of = shared_out(sizes, parts)
    after = max(piece.read for piece in handed_out)
    return [replace(p, part=part_of[p.read]) for p in handed_out] + _packed(some, READ_ROWS, after)


def _read_rows(rows: int, parts: int) -> int:
    """How many lines a read may hold when so many are cut into so many parts; 0: into none."""
    return min(READ_ROWS, -(-rows // (parts * READS_A_PART))) if parts else READ_ROWS


def _packed(pieces: Sequence[_Piece], rows_max: int, number: int) -> list[_Piece]:
    """Pieces one after the other into reads of at most so many lines."""
    found: list[_Piece] = []
    read, size = number, 0
    for piece in pieces:
        if not found or size + piece.rows > rows_max:
            read, size = read + 1, 0
        size += piece.rows
        found.append(replace(piece, read=read))
    return found


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


def _detailed_periods(scope: Scope, company: str, year: int) -> list[int]:
    return [
        m.period.number
        for c in scope.companies
        if c.company == company
        for m in c.members
        if m.period.fiscal_year == year and scope.has_detail(m.period)
    ]
