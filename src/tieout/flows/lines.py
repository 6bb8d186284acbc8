"""Posted lines (F0911) into the mirror: what moved, what is dirty, and the reading of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl

from tieout.core import buckets as fold
from tieout.core import proof
from tieout.core.frames import BUCKET_KEY, BUCKETS, LINE_KEY, LINES, Schema, as_schema, empty
from tieout.core.scope import Scope
from tieout.errors import Unavailable
from tieout.flows.balances import ACCOUNTS_PER_QUERY_MAX, partitions, within
from tieout.flows.changes import SEEN, window_where
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World
from tieout.jde import tables
from tieout.jde.client import Jde
from tieout.jde.query import Where, equal, every, one_of
from tieout.settings import LoadActuals
from tieout.store.steps import Step

UNIT_ROWS = 20_000  # lines held in memory before they go to a file of the mirror
# Lines of one step. Each costs two totals and a first page per reader, so a step has many pages;
# when it breaks off, so many are read again.
READ_ROWS = 250_000
BUCKETS_PER_PERIOD_MAX = 2_000  # more dirty buckets than that: the whole period is read
BATCHES_PER_QUERY_MAX = 100
READS_PER_RUN_MAX = 10_000  # numbers of reads in one run, so that read numbers stay unique
TRIES_MAX = 3  # of one read that the ledger moved under
READS: Schema = {
    "company": pl.String, "ledger": pl.String, "year": pl.Int32, "periods": pl.List(pl.Int16),
    "buckets": pl.Int64,  # how many are wanted; null where whole periods are read
}  # fmt: skip
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
    manifests = world.store.current(world.flow_name, "lines")
    if not manifests:
        return empty(LINES)
    wanted = those.lazy().select(key)
    lines = world.store.scan(manifests).join(wanted, on=key, how="semi")
    buckets = world.frame("buckets", BUCKETS).lazy().select(*_KEY, "read")
    held = lines.with_columns(bucket_currency=fold.bucket_currency())
    on = [name if name != "currency" else "bucket_currency" for name in _KEY]
    joined = held.join(buckets, left_on=[*on, "read"], right_on=[*_KEY, "read"], how="semi")
    return joined.select(LINES.keys()).collect()


def plan_reads(step: Step, world: World[LoadActuals], run: str, changes: dict[str, Any]) -> Result:
    """What to read of F0911: runs of whole periods, or the lines of dirty buckets of one period.

    Buckets that were held come again; periods before `detail_from` have no lines to read. Keeps
    `wanted`, the dirty buckets of years that are not read whole, and `reads`: what to read, in
    order.
    """
    scope = scope_for(world)
    years = changes["years"] if changes["everything"] else []
    some_only = ~pl.col("fiscal_year").is_in(years)  # whole years are read without a list
    held = proof.worth_reading(world.lazy("buckets", BUCKETS)).select(_KEY)
    dirty = world.lazy_of_this_run(run, "dirty", {name: BUCKETS[name] for name in _KEY})
    both = pl.concat([dirty.select(_KEY), held]).filter(some_only)
    wanted = within(both.unique().collect(), scope)
    step.keep("wanted", wanted)
    counts = _lines_by_period(world, scope, years)
    reads: list[dict[str, Any]] = []
    touched = []
    for company, ledger, year in partitions(scope, scope.years()):
        place = {"company": company, "ledger": ledger, "year": year}
        here = wanted.filter(_in_partition(place))
        if year not in years and here.is_empty():
            continue
        touched.append([company, ledger, year])
        periods = _detailed_periods(scope, company, year)
        if year in years:
            sizes = [counts.get((company, ledger, year, period), 0) for period in periods]
            parts = _parts(periods, sizes)
        else:
            parts = [[p] for p in periods if p in set(here["period"].to_list())]
        for part in parts:
            buckets = here.filter(pl.col("period").is_in(part))["account_id"].n_unique()
            some = year not in years and buckets <= BUCKETS_PER_PERIOD_MAX
            reads.append(place | {"periods": part, "buckets": buckets if some else None})
    step.keep("reads", pl.DataFrame(reads, schema=READS))
    return {"reads": len(reads), "partitions": touched}


def _in_partition(place: dict[str, Any]) -> pl.Expr:
    here = {"company": place["company"], "ledger": place["ledger"], "fiscal_year": place["year"]}
    return pl.all_horizontal(pl.col(name) == value for name, value in here.items())


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
    found = world.jde.totals(tables.ACCOUNT_LEDGER, group_by=group, where=where)
    return {row[:4]: row[4] for row in found.select(*group, "count").iter_rows()}


def _parts(periods: list[int], sizes: list[int]) -> list[list[int]]:
    """Consecutive periods put together until a part would hold more than READ_ROWS lines."""
    parts: list[list[int]] = []
    size = 0
    for period, lines in zip(periods, sizes, strict=True):
        if parts and size + lines <= READ_ROWS:
            parts[-1].append(period)
            size += lines
        else:
            parts.append([period])
            size = lines
    return parts


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
    read = world.of_this_run(run, "reads").row(number - 1, named=True)
    base = _partition_where(read)
    periods = read["periods"]
    if read["buckets"] is None:
        wheres = [every(base, one_of("period", part)) for part in _shares(world, periods)]
        return _mirror(step, world, wheres, read, number, _no_buckets())
    wanted = world.of_this_run(run, "wanted").filter(
        _in_partition(read) & pl.col("period").is_in(periods)
    )
    wheres = [every(base, w) for w in _accounts_where(periods, wanted)]
    return _mirror(step, world, wheres, read, number, wanted)


def read_again(
    step: Step, world: World[LoadActuals], run: str, place: dict[str, Any], number: int
) -> Result:
    """Read exactly the lines of the buckets that do not tie, once more."""
    scope = scope_for(world)
    buckets = world.frame("buckets", BUCKETS).filter(_in_partition(place))
    held = proof.not_tied(buckets)
    periods = _detailed_periods(scope, place["company"], place["year"])
    held = held.filter(pl.col("period").is_in(periods)).select(_KEY)
    step.keep("wanted", held)
    base = _partition_where(place)
    wheres = [
        every(base, where)
        for (period,), rows in held.sort("period").group_by(["period"], maintain_order=True)
        for where in _accounts_where([int(str(period))], rows)
    ]
    return _mirror(step, world, wheres, place, number, held)


def _no_buckets() -> pl.DataFrame:
    return empty({name: BUCKETS[name] for name in _KEY})


def _partition_where(place: dict[str, Any]) -> Where | None:
    return every(
        equal("posted", fold.POSTED), equal("company", place["company"]),
        equal("ledger", place["ledger"]), equal("fiscal_year", place["year"]),
    )  # fmt: skip


def _accounts_where(periods: list[int], buckets: pl.DataFrame) -> Iterator[Where | None]:
    """Conditions for the accounts of `buckets`, at most ACCOUNTS_PER_QUERY_MAX in each."""
    accounts = buckets["account_id"].unique().sort().to_list()
    for start in range(0, len(accounts), ACCOUNTS_PER_QUERY_MAX):
        some = accounts[start : start + ACCOUNTS_PER_QUERY_MAX]
        yield every(one_of("period", periods), one_of("account_id", some))


def _shares(world: World[LoadActuals], periods: list[int]) -> list[list[int]]:
    """The periods dealt out to the readers."""
    readers = max(1, min(len(world.readers), len(periods)))
    return [share for n in range(readers) if (share := periods[n::readers])]


def _mirror(
    step: Step, world: World[LoadActuals], wheres: list[Where | None], place: dict[str, Any],
    number: int, wanted: pl.DataFrame,
) -> Result:  # fmt: skip
    """Read the lines of `wheres` into files of the mirror, by as many readers as are allowed.

    Every selection is bracketed by COUNT and SUM; when the ledger moved under it, it is read again
    under a read number of its own, so that no line of the broken read is ever current. `number` is
    that of the read in its run. A bucket of `wanted` that has no line any more folds to zero.
    Memory: UNIT_ROWS lines and a page per reader.
    """
    days = scope_for(world).days()
    first = (world.number * READS_PER_RUN_MAX + number) * TRIES_MAX
    key = {"company": place["company"], "ledger": place["ledger"], "fiscal_year": place["year"]}

    def one(jde: Jde, where: Where | None) -> tuple[pl.DataFrame, int]:
        read = jde.read
        for read_number in range(first, first + TRIES_MAX):
            before = jde.measure(tables.ACCOUNT_LEDGER, where, ("amount",))
            folds, rows = [], 0
            pages = read(tables.ACCOUNT_LEDGER, where, expected=before.count)
            for unit in _units(_ahead(pages)):
                step.keep("lines", unit.with_columns(read=pl.lit(read_number, pl.Int64)), **key)
                folds.append(fold.fold_lines(unit, days))
                rows += unit.height
            if before == jde.measure(tables.ACCOUNT_LEDGER, where, ("amount",)) and (
                rows == before.count
            ):
                return fold.add_folds(folds, read_number), rows
            read = jde.read_by_keys  # links that stop at a fetch limit would stop there again
        raise Unavailable(
            f"JD Edwards counts {before.count} posted lines of company {place['company']}, ledger "
            f"{place['ledger']}, {place['year']}, and {rows} came when they were read; "
            f"{TRIES_MAX} tries did not agree.",
            untouched="Nothing was loaded.",
            do="Run again when the ledger is quiet; if the count stays higher, ask for a higher "
            "fetch limit or lower `page_rows`.",
        )

    read = _by_readers(world, one, wheres)
    folded = fold.join_folds(part for part, _ in read)
    emptied = wanted.select(_KEY).join(folded, on=_KEY, how="anti")
    folded = pl.concat([folded, fold.no_lines(emptied, first)])
    step.keep("folds", folded, **key)
    what = f"{place['company']} {place['ledger']} {place['year']}"
    return {"what": what, "lines": sum(rows for _, rows in read), "buckets": folded.height}


def _by_readers(
    world: World[LoadActuals], one: Callable[[Jde, Where | None], tuple[pl.DataFrame, int]],
    wheres: list[Where | None],
) -> list[tuple[pl.DataFrame, int]]:  # fmt: skip
    """Deal the selections out to the readers, a session each, and collect every result."""
    readers = world.readers[: max(1, len(wheres))]
    shares = [wheres[n :: len(readers)] for n in range(len(readers))]
    if len(readers) == 1:
        return [one(readers[0], where) for where in shares[0]]

    def share(jde: Jde, wheres: list[Where | None]) -> list[tuple[pl.DataFrame, int]]:
        return [one(jde, where) for where in wheres]

    with ThreadPoolExecutor(len(readers)) as pool:
        started = [pool.submit(share, *pair) for pair in zip(readers, shares, strict=True)]
        return [result for future in started for result in future.result()]


def _ahead(pages: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same pages; the next one comes while the last is folded and written, never two."""
    with ThreadPoolExecutor(1) as fetching:
        coming = fetching.submit(next, pages, None)
        while (page := coming.result()) is not None:
            coming = fetching.submit(next, pages, None)
            yield page


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
