"""Posted lines (F0911) into the mirror: what moved, what is dirty, and the reading of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import polars as pl

from tieout.core import buckets as fold
from tieout.core import proof
from tieout.core.frames import BUCKET_KEY, BUCKETS, LINE_KEY, LINES, Schema, as_schema, empty
from tieout.core.scope import Scope
from tieout.core.tally import CurrencyOf, Tally, added, label, tally_of
from tieout.errors import Refused, Unavailable
from tieout.flows import mirror
from tieout.flows.at_once import ahead, by_readers
from tieout.flows.changes import SEEN, window_where
from tieout.flows.partitions import (
    ACCOUNTS_PER_QUERY_MAX,
    PARTITION,
    SPANNED,
    Partition,
    in_partition,
    partition_of,
    partitions,
    spans,
    within,
)
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World
from tieout.jde import tables
from tieout.jde.client import Jde
from tieout.jde.query import Where, equal, every, one_of
from tieout.project import LoadActuals
from tieout.store.steps import Step

UNIT_ROWS = 40_000  # lines held in memory before they go to a file of the mirror
# Lines of one step. It ends with one reader waiting for the other and a commit to the disk, so it
# has many pages; when it breaks off, so many are read again.
READ_ROWS = 500_000
BRACKET_ROWS = 100_000  # lines between two totals: read again when something is posted among them
UNCOUNTED_ROWS = READ_ROWS // 10  # a part whose lines nobody counted is taken for so many
BUCKETS_PER_PERIOD_MAX = 2_000  # more dirty buckets than that: the whole period is read
BATCHES_PER_QUERY_MAX = 100
READS_PER_RUN_MAX = 10_000  # numbers of reads in one run, so that read numbers stay unique
TRIES_MAX = 3  # of one read that the ledger moved under
READS: Schema = {
    "read": pl.Int64,  # the step that reads this part
    "company": pl.String, "ledger": pl.String, "fiscal_year": pl.Int32,
    "periods": pl.List(pl.Int16),
    "buckets": pl.Int64,  # how many are wanted; null where whole periods are read
}  # fmt: skip
Selection: TypeAlias = tuple[Partition, Where | None]  # a partition, and which of its lines
# Periods, how many lines to expect in them, and how many buckets are wanted (None: all).
Part: TypeAlias = tuple[list[int], int, int | None]
_KEY = list(BUCKET_KEY)
_LINE_KEY = list(LINE_KEY)


def read_moved_lines(
    step: Step, world: World[LoadActuals], run: str, changes: dict[str, Any]
) -> Result:
    """The date-filtered read and the rows of batches that moved, against the mirror.

    Keeps `dirty` buckets where a line arrived, changed or left, and those that hold lines of a
    batch which is in use now. Returns how many lines were seen.
    """
    scope = scope_for(world)
    frames: list[pl.DataFrame] = []
    if changes["lines_moved"]:
        window = window_where(world, scope, _since(world))
        frames.append(world.jde.read_whole(tables.ACCOUNT_LEDGER, window))
    if changes["batches_moved"]:
        frames.extend(_lines_of_batches(world, run, scope))
    seen = pl.concat(frames).unique(_LINE_KEY) if frames else empty(LINES)
    dirty = [_buckets_in_use(world, run)]
    if seen.height:
        dirty.append(fold.changed_lines(seen, current_lines(world, seen, _LINE_KEY)))
    step.keep("dirty", within(pl.concat(dirty).unique(), scope))
    return {"lines": seen.height}


def _buckets_in_use(world: World[LoadActuals], run: str) -> pl.DataFrame:
    """Buckets with mirrored lines of batches that are being posted: they are proved anew."""
    batches = world.of_this_run(run, "seen_batches", tables.BATCHES.schema)
    using = batches.filter(pl.col("status") == proof.IN_USE)
    if using.is_empty():
        return _no_buckets()
    lines = current_lines(world, using, ["batch_type", "batch_number"])
    return lines.with_columns(currency=fold.bucket_currency()).select(_KEY).unique()


def _since(world: World[LoadActuals]) -> str | None:
    before = world.store.position(world.flow_name, SEEN) or {}
    since: str | None = (before.get("window") or {}).get("since")
    return since


def _lines_of_batches(world: World[LoadActuals], run: str, scope: Scope) -> Iterator[pl.DataFrame]:
    """F0911 rows of batches that are not as they were kept."""
    columns = ["batch_type", "batch_number", "status", "updated", "updated_time"]
    seen = world.of_this_run(run, "seen_batches", tables.BATCHES.schema)
    kept = world.frame("batches", tables.BATCHES.schema)
    moved = seen.join(kept.select(columns), on=columns, how="anti", nulls_equal=True)
    for (batch_type,), rows in moved.group_by(["batch_type"]):
        numbers = sorted(rows["batch_number"].to_list())
        for start in range(0, len(numbers), BATCHES_PER_QUERY_MAX):
            where = every(
                equal("batch_type", str(batch_type)),
                one_of("batch_number", numbers[start : start + BATCHES_PER_QUERY_MAX]),
                one_of("ledger", list(scope.rule.ledgers)),
                one_of("company", scope.company_codes()),
            )
            yield world.jde.read_whole(tables.ACCOUNT_LEDGER, where)


def current_lines(world: World[LoadActuals], those: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """The lines of the mirror that hold now and share their `key` columns with a row of `those`.

    A line holds when it was kept by the read that its bucket names; older versions are history.
    """
    store, flow = world.store, world.flow_name
    reads = mirror.reads_that_hold(store.records, store.current(flow, "buckets"))
    manifests = mirror.counting(store.records, store.current(flow, "lines"), reads)
    for name in set(key) & set(SPANNED):
        manifests = mirror.spanning(manifests, name, those[name])
    if not manifests:
        return empty(LINES)
    wanted = those.lazy().select(key)
    lines = store.scan(manifests, more=[mirror.FIRST_KEPT]).join(wanted, on=key, how="semi")
    buckets = world.frame("buckets", BUCKETS).lazy().select(*_KEY, "read")
    held = lines.with_columns(bucket_currency=fold.bucket_currency())
    on = [name if name != "currency" else "bucket_currency" for name in _KEY]
    joined = held.join(buckets, left_on=[*on, "read"], right_on=[*_KEY, "read"], how="semi")
    return joined.select(LINES.keys()).collect()


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
    held = proof.worth_reading(world.lazy("buckets", BUCKETS)).select(_KEY)
    dirty = world.lazy_of_this_run(run, "dirty", {name: BUCKETS[name] for name in _KEY})
    both = pl.concat([dirty.select(_KEY), held]).filter(some_only)
    return _planned(step, world, scope, within(both.unique().collect(), scope), years, number)


def plan_again(
    step: Step, world: World[LoadActuals], run: str, apart: Sequence[Sequence[Any]], number: int
) -> Result:
    """The same for exactly the buckets of some partitions that do not tie."""
    frames = [world.frame("buckets", BUCKETS, **partition_of(p)) for p in apart]
    wanted = pl.concat([_no_buckets(), *(proof.not_tied(f).select(_KEY) for f in frames)])
    return _planned(step, world, scope_for(world), wanted, [], number)


def _planned(
    step: Step, world: World[LoadActuals], scope: Scope, wanted: pl.DataFrame, years: list[int],
    number: int,
) -> Result:  # fmt: skip
    step.keep("wanted", wanted)
    counts = _lines_by_period(world, scope, years)
    parts: list[dict[str, Any]] = []
    touched, read, size = [], number, 0
    for company, ledger, year in partitions(scope, scope.years()):
        key = partition_of((company, ledger, year))
        here = wanted.filter(in_partition(key))
        if year not in years and here.is_empty():
            continue
        touched.append([company, ledger, year])
        periods = _detailed_periods(scope, company, year)
        if year in years:
            sizes = [counts.get((company, ledger, year, period), 0) for period in periods]
            found = _parts(periods, sizes)
        else:
            found = _dirty_parts(periods, here)
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


def _dirty_parts(periods: list[int], dirty: pl.DataFrame) -> list[Part]:
    """One period each, of those that have dirty buckets."""
    counts = dict(dirty.group_by("period").agg(pl.col("account_id").n_unique()).iter_rows())
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


def read_lines(step: Step, world: World[LoadActuals], run: str, number: int) -> Result:
    """Read `number` of the plan: posted lines into the mirror, with their fold beside them."""
    parts = world.of_this_run(run, "reads").filter(pl.col("read") == number)
    wanted = world.last_of_this_run(run, "wanted", {name: BUCKETS[name] for name in _KEY})
    selections: list[Selection] = []
    looked_for = []
    for part in parts.iter_rows(named=True):
        key = {name: part[name] for name in PARTITION}
        base = _partition_where(key)
        here = wanted.filter(in_partition(key) & pl.col("period").is_in(part["periods"]))
        looked_for.append(here)
        if part["buckets"] is None:
            selections.append((key, every(base, one_of("period", part["periods"]))))
        else:
            wheres = _accounts_where(part["periods"], here)
            selections += [(key, every(base, where)) for where in wheres]
    return _mirror(step, world, selections, number, pl.concat([_no_buckets(), *looked_for]))


def _no_buckets() -> pl.DataFrame:
    return empty({name: BUCKETS[name] for name in _KEY})


def _partition_where(key: Partition) -> Where | None:
    return every(equal("posted", fold.POSTED), *(equal(name, key[name]) for name in PARTITION))


def _accounts_where(periods: list[int], buckets: pl.DataFrame) -> Iterator[Where | None]:
    """Conditions for the accounts of `buckets`, at most ACCOUNTS_PER_QUERY_MAX in each."""
    accounts = buckets["account_id"].unique().sort().to_list()
    for start in range(0, len(accounts), ACCOUNTS_PER_QUERY_MAX):
        some = accounts[start : start + ACCOUNTS_PER_QUERY_MAX]
        yield every(one_of("period", periods), one_of("account_id", some))


def _mirror(
    step: Step, world: World[LoadActuals], selections: Sequence[Selection], number: int,
    wanted: pl.DataFrame,
) -> Result:  # fmt: skip
    """Read the lines of `selections` into files of the mirror, by as many readers as are allowed.

    Every selection is bracketed by COUNT and SUM; when the ledger moved under it, it is read again
    under a read number of its own, so that no line of the broken read is ever current. `number` is
    that of the read in its run. A bucket of `wanted` that has no line any more folds to zero.
    Memory: twice UNIT_ROWS lines and a page per reader, and the folds of the whole read.
    """
    scope = scope_for(world)
    days, currency_of = scope.days(), scope.kept_in
    first = first_read(world.number) + number * TRIES_MAX

    def one(jde: Jde, selection: Selection) -> _Read:
        key, where = selection
        pages_of, broken = jde.read, Tally()
        for read_number in range(first, first + TRIES_MAX):
            before = jde.measure(tables.ACCOUNT_LEDGER, where, ("amount",))
            folds, came, unposted = [], Tally(), Tally()
            pages = pages_of(tables.ACCOUNT_LEDGER, where, expected=before.count)
            for unit in ahead(_units(pages)):
                numbered = unit.with_columns(read=pl.lit(read_number, pl.Int64))
                step.keep("lines", numbered, **key, sums=spans(numbered))
                folds.append(fold.fold_lines(unit, days))
                came += _counted(unit, key, currency_of)
                unposted += _unposted(unit, currency_of)
            if before == jde.measure(tables.ACCOUNT_LEDGER, where, ("amount",)) and (
                came.rows == before.count
            ):
                folded = fold.add_folds(folds, read_number)
                return _Read(folded, came + broken, unposted, broken)
            broken += came
            pages_of = jde.read_by_keys  # links that stop at a fetch limit would stop there again
        raise Unavailable(
            f"JD Edwards counts {before.count} posted lines of company {key['company']}, ledger "
            f"{key['ledger']}, {key['fiscal_year']}, and {came.rows} came when they were read; "
            f"{TRIES_MAX} tries did not agree.",
            untouched="Nothing was loaded.",
            do="Run again when the ledger is quiet; if the count stays higher, ask for a higher "
            "fetch limit or lower `page_rows`.",
        )

    done = by_readers(world, one, selections)
    folds: dict[tuple[Any, ...], list[pl.DataFrame]] = {}
    for (key, _), read in zip(selections, done, strict=True):
        folds.setdefault(tuple(key.values()), []).append(read.folded)
    # A number that no line of these buckets can carry: those of broken tries are never current.
    no_line = first + TRIES_MAX - 1
    for values, parts in folds.items():
        key, folded = partition_of(values), fold.join_folds(parts)
        emptied = wanted.filter(in_partition(key)).select(_KEY).join(folded, on=_KEY, how="anti")
        step.keep("folds", pl.concat([folded, fold.no_lines(emptied, no_line)]), **key)
    tally = {
        "read": added(read.came for read in done),
        "not posted": added(read.unposted for read in done),
        "broken off": added(read.broken for read in done),
    }
    return {
        "lines": tally["read"].rows - tally["broken off"].rows,
        "tally": {name: each.told() for name, each in tally.items()},
    }


@dataclass(frozen=True, slots=True)
class _Read:
    """One selection as it was read: its fold, and what came in all tries and in broken ones."""

    folded: pl.DataFrame
    came: Tally
    unposted: Tally
    broken: Tally


def first_read(number: int) -> int:
    """No read of the flow's run `number` has a lower number, none of an earlier run a higher."""
    return number * READS_PER_RUN_MAX * TRIES_MAX


def _counted(unit: pl.DataFrame, key: Partition, currency_of: CurrencyOf) -> Tally:
    """Lines of one partition; only in CA have they a currency of their own."""
    if key["ledger"] == fold.FOREIGN_LEDGER:
        return tally_of(of_buckets(unit), "amount", currency_of)
    name = label(key["ledger"], currency_of(key["ledger"], key["company"]))
    total = unit.select(pl.col("amount").sum()).item()
    return Tally(unit.height, {name: total})


def of_buckets(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines by the currency that their bucket has."""
    return lines.select("company", "ledger", "amount", currency=fold.bucket_currency())


def _unposted(unit: pl.DataFrame, currency_of: CurrencyOf) -> Tally:
    """Lines that came although only posted ones were asked for; they are never folded."""
    posted = unit["posted"].eq_missing(fold.POSTED)
    if posted.all():
        return Tally()
    return tally_of(of_buckets(unit.filter(~posted)), "amount", currency_of)


def _units(pages: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Pages gathered to frames of about UNIT_ROWS rows in the LINES schema."""
    held: list[pl.DataFrame] = []
    rows = 0
    for page in pages:
        held.append(page)
        rows += page.height
        if rows >= UNIT_ROWS:
            yield as_schema(pl.concat(held), LINES)
            held, rows = [], 0
    if rows:
        yield as_schema(pl.concat(held), LINES)
