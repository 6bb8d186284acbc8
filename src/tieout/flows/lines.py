"""Posted lines (F0911) into the mirror: what moved there, and the reading of what is planned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import polars as pl

from tieout.core import buckets as fold
from tieout.core import proof
from tieout.core.frames import BUCKET_KEY, BUCKETS, LINE_KEY, LINES, as_schema, empty
from tieout.core.scope import Scope
from tieout.core.tally import CurrencyOf, Tally, added, label, tally_of
from tieout.errors import Unavailable
from tieout.flows import mirror
from tieout.flows.asked import read_anew
from tieout.flows.at_once import ahead, by_readers
from tieout.flows.changes import SEEN, window_where
from tieout.flows.partitions import (
    ACCOUNTS_PER_QUERY_MAX,
    PARTITION,
    SPANNED,
    Partition,
    in_partition,
    partition_of,
    spans,
    within,
)
from tieout.flows.reads import READS_PER_RUN_MAX
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World
from tieout.jde import tables
from tieout.jde.client import Jde
from tieout.jde.query import Where, equal, every, one_of
from tieout.project import LoadActuals
from tieout.store.steps import Step

UNIT_ROWS = 40_000  # lines held in memory before they go to a file of the mirror
BATCHES_PER_QUERY_MAX = 100
TRIES_MAX = 3  # of one read that the ledger moved under
Selection: TypeAlias = tuple[Partition, Where | None]  # a partition, and which of its lines
_KEY = list(BUCKET_KEY)
_LINE_KEY = list(LINE_KEY)
_PERIOD = [*PARTITION, "period"]


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
    dirty = [_buckets_in_use(world, run), _of_periods_read_anew(world, changes)]
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


def _of_periods_read_anew(world: World[LoadActuals], changes: dict[str, Any]) -> pl.DataFrame:
    """The buckets of periods that a backfill reads whole: one without a line any more is zero."""
    buckets = world.lazy("buckets", BUCKETS).select(_KEY)
    return buckets.join(read_anew(world, changes).lazy(), on=_PERIOD, how="semi").collect()


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
