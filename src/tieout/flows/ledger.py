"""Reading the ledger into the mirror: balances, the lines of what moved, and their proof."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from tieout.core import buckets as fold
from tieout.core import proof
from tieout.core.frames import (
    ACCOUNT_YEARS,
    AMOUNT,
    BALANCES,
    BUCKET_KEY,
    BUCKETS,
    LINES,
    as_schema,
    empty,
)
from tieout.core.periods import Period
from tieout.core.scope import Scope
from tieout.flows.changes import window_where
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World
from tieout.jde import tables
from tieout.jde.query import Where, equal, every, one_of
from tieout.settings import LoadActuals
from tieout.store.steps import Step

UNIT_ROWS = 50_000  # lines held in memory before they go to a file of the mirror
ACCOUNTS_PER_QUERY_MAX = 200  # facts/jde-gl.md §3.2b
BUCKETS_PER_PERIOD_MAX = 2_000  # more dirty buckets than that: the whole period is read
BATCHES_PER_QUERY_MAX = 100
READS_PER_RUN_MAX = 100  # numbers of reads in one run, so that read numbers stay unique
_KEY = list(BUCKET_KEY)


def read_accounts(step: Step, world: World[LoadActuals]) -> Result:
    """F0901 of the companies in scope, as it is now."""
    columns = (
        "account_id",
        "company",
        "business_unit",
        "object_account",
        "subsidiary",
        "description",
    )
    where = one_of("company", list(world.flow.companies))
    pages = list(world.jde.read(tables.ACCOUNTS, where, columns=columns))
    accounts = pl.concat(pages) if pages else pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    step.keep("accounts", accounts, replace=True)
    return {"accounts": accounts.height}


# --- balances ---------------------------------------------------------------------------------


def read_balances(
    step: Step, world: World[LoadActuals], run: str, changes: dict[str, Any]
) -> Result:
    """F0902 under the groups that moved (or all of it), and which buckets it makes dirty.

    Keeps, per company, ledger and year: `balances`, `account_years` (the whole partition as it is
    now) and `dirty` (BUCKET_KEY). Returns the partitions that have something to read or to prove.
    """
    scope = scope_for(world)
    found = []
    for company, ledger, year in partitions(scope, changes["years"]):
        key: dict[str, Any] = {"company": company, "ledger": ledger, "fiscal_year": year}
        rows = _balances_of(world, run, key, everything=changes["everything"])
        if rows is None:
            continue
        before = world.frame("balances", BALANCES, **key)
        proved = world.frame("buckets", BUCKETS, **key)
        before_years = world.frame("account_years", ACCOUNT_YEARS, **key)
        balances, years = fold.fold_balances(rows), fold.account_years(rows)
        if not changes["everything"]:
            untouched = before_years.join(years, on=list(ACCOUNT_YEARS), how="anti")
            balances = pl.concat(
                [balances, before.join(untouched, on=list(ACCOUNT_YEARS), how="semi")]
            )
            years = pl.concat([years, untouched])
        dirty = _within(fold.moved_buckets(proved, balances), scope)
        step.keep("balances", balances, replace=True, **key)
        step.keep("account_years", years, replace=True, **key)
        step.keep("dirty", dirty, **key)
        found.append([company, ledger, year, dirty.height])
    return {"partitions": found}


def partitions(scope: Scope, years: Sequence[int]) -> list[tuple[str, str, int]]:
    """(company, ledger, fiscal year) in scope."""
    return [
        (company.company, ledger, year)
        for company in scope.companies
        for ledger in scope.rule.ledgers
        for year in company.years()
        if year in years
    ]


def _balances_of(
    world: World[LoadActuals], run: str, key: dict[str, Any], *, everything: bool
) -> pl.DataFrame | None:
    """F0902 rows of one partition: all of them, or those under groups that moved; None if none did."""
    columns = [
        "account_id", "fiscal_year", "ledger", "currency", "company",
        *(f"net_{n:02d}" for n in range(1, 15)), *(f"debit_{n:02d}" for n in range(1, 15)),
    ]  # fmt: skip
    where = every(
        equal("company", key["company"]), equal("ledger", key["ledger"]),
        equal("fiscal_year", key["fiscal_year"]),
    )  # fmt: skip
    if not everything:
        narrowed = _under_moved_groups(world, run, key)
        if narrowed is None:
            return None
        where = every(where, narrowed)
    pages = list(world.jde.read(tables.ACCOUNT_BALANCES, where, columns=columns))
    schema = {c: tables.ACCOUNT_BALANCES.schema[c] for c in columns}
    return pl.concat(pages) if pages else pl.DataFrame(schema=schema)


def _under_moved_groups(world: World[LoadActuals], run: str, key: dict[str, Any]) -> Where | None:
    """A balance that moved stands under a moved object and under a moved business unit."""
    here = [pl.col(name) == value for name, value in key.items()]
    objects = world.of_this_run(run, "moved_by_object").filter(*here)["object_account"].to_list()
    units = world.of_this_run(run, "moved_by_unit").filter(*here)["business_unit"].to_list()
    if not objects or not units:
        return None
    return every(one_of("object_account", objects), one_of("business_unit", units))


def _within(keys: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """Only buckets of the companies and periods in scope."""
    members = scope.member_frame().select("company", "fiscal_year", "period")
    return keys.join(members, on=["company", "fiscal_year", "period"], how="semi")


# --- lines that moved although no balance did -------------------------------------------------


def read_moved_lines(
    step: Step, world: World[LoadActuals], run: str, changes: dict[str, Any]
) -> Result:
    """The date-filtered read and the rows of batches that moved, against the mirror.

    Keeps `dirty` buckets where a line arrived, changed or left. Returns their partitions.
    """
    scope = scope_for(world)
    frames: list[pl.DataFrame] = []
    if changes["lines_moved"]:
        frames.extend(
            world.jde.read(tables.ACCOUNT_LEDGER, window_where(world, scope, _since(world)))
        )
    if changes["batches_moved"]:
        frames.extend(_lines_of_batches(world, run, scope))
    if not frames:
        return {"partitions": [], "lines": 0}
    seen = pl.concat(frames).unique(["document_type", "document", "document_company", "gl_date",
                                     "line_number", "ledger", "line_extension"])  # fmt: skip
    mirrored = current_lines(world, seen)
    dirty = _within(fold.changed_lines(seen, mirrored), scope)
    found = []
    for (company, ledger, year), rows in dirty.group_by("company", "ledger", "fiscal_year"):
        key: dict[str, Any] = {"company": company, "ledger": ledger, "fiscal_year": year}
        step.keep("dirty", rows, **key)
        found.append([company, ledger, year, rows.height])
    return {"partitions": sorted(found), "lines": seen.height}


def _since(world: World[LoadActuals]) -> str | None:
    signs = world.store.position(world.flow_name, "signs") or {}
    since: str | None = (signs.get("window") or {}).get("since")
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
            yield from world.jde.read(tables.ACCOUNT_LEDGER, where)


def current_lines(world: World[LoadActuals], keys: pl.DataFrame | None = None) -> pl.DataFrame:
    """The lines of the mirror that hold now, or those of them with the keys in `keys`.

    A line holds when it was kept by the read that its bucket names; older versions are history.
    """
    manifests = world.store.current(world.flow_name, "lines")
    if not manifests:
        return empty(LINES)
    lines = world.store.scan(manifests)
    if keys is not None:
        key = ["document_type", "document", "document_company", "gl_date", "line_number", "ledger",
               "line_extension"]  # fmt: skip
        lines = lines.join(keys.lazy().select(key), on=key, how="semi")
    buckets = world.frame("buckets", BUCKETS).lazy().select(*_KEY, "read")
    held = lines.with_columns(bucket_currency=fold.bucket_currency())
    on = [name if name != "currency" else "bucket_currency" for name in _KEY]
    joined = held.join(buckets, left_on=[*on, "read"], right_on=[*_KEY, "read"], how="semi")
    return joined.select(LINES.keys()).collect()


# --- lines ------------------------------------------------------------------------------------


def plan_reads(step: Step, world: World[LoadActuals], run: str, changes: dict[str, Any]) -> Result:
    """What to read of F0911: whole periods, or the lines of dirty buckets; one entry per read.

    Buckets that were held come again; periods before `detail_from` have no lines to read.
    """
    scope = scope_for(world)
    held = world.frame("buckets", BUCKETS).filter(pl.col("state") == proof.HELD).select(_KEY)
    dirty = world.of_this_run(run, "dirty", {name: BUCKETS[name] for name in _KEY})
    wanted = _within(pl.concat([dirty.select(_KEY), held]).unique(), scope)
    reads: list[dict[str, Any]] = []
    touched: set[tuple[str, str, int]] = set()
    for company, ledger, year in partitions(scope, scope.years()):
        here = (
            (pl.col("company") == company)
            & (pl.col("ledger") == ledger)
            & (pl.col("fiscal_year") == year)
        )
        buckets = wanted.filter(here)
        everything = changes["everything"] and year in changes["years"]
        if not everything and buckets.is_empty():
            continue
        touched.add((company, ledger, year))
        periods = _detailed_periods(scope, company, year)
        if everything:
            reads.append({"company": company, "ledger": ledger, "year": year, "periods": periods})
            continue
        for period in periods:
            count = buckets.filter(pl.col("period") == period)["account_id"].n_unique()
            if count:
                whole = count > BUCKETS_PER_PERIOD_MAX
                reads.append(
                    {"company": company, "ledger": ledger, "year": year, "periods": [period],
                     **({} if whole else {"buckets": count})}
                )  # fmt: skip
    step.keep("wanted", wanted)
    return {"reads": reads, "partitions": sorted(list(p) for p in touched)}


def _detailed_periods(scope: Scope, company: str, year: int) -> list[int]:
    return [
        m.period.number
        for c in scope.companies
        if c.company == company
        for m in c.members
        if m.period.fiscal_year == year and scope.has_detail(m.period)
    ]


def read_lines(
    step: Step, world: World[LoadActuals], run: str, read: dict[str, Any], number: int
) -> Result:
    """One read of posted lines into the mirror, with its fold beside it. Memory: UNIT_ROWS lines.

    `number` marks the read within this run; a repeated step writes the same files anew.
    """
    scope = scope_for(world)
    days = scope.days()
    read_number = world.number * READS_PER_RUN_MAX + number
    key = {"company": read["company"], "ledger": read["ledger"], "fiscal_year": read["year"]}
    folds: list[pl.DataFrame] = []
    rows = 0
    for unit in _units(_pages_of(world, run, read)):
        marked = unit.with_columns(read=pl.lit(read_number, pl.Int64))
        step.keep("lines", marked, **key)
        folds.append(fold.fold_lines(unit, days))
        rows += unit.height
    folded = fold.add_folds(folds, read_number)
    step.keep("folds", folded, **key)
    return {"lines": rows, "buckets": folded.height}


def _pages_of(world: World[LoadActuals], run: str, read: dict[str, Any]) -> Iterator[pl.DataFrame]:
    """Pages of the posted lines of one read."""
    if not read["periods"]:
        return
    base = every(
        equal("posted", fold.POSTED), equal("company", read["company"]), equal("ledger", read["ledger"]),
        equal("fiscal_year", read["year"]), one_of("period", read["periods"]),
    )  # fmt: skip
    if "buckets" not in read:
        yield from world.jde.read(tables.ACCOUNT_LEDGER, base)
        return
    wanted = world.of_this_run(run, "wanted").filter(
        (pl.col("company") == read["company"])
        & (pl.col("ledger") == read["ledger"])
        & (pl.col("fiscal_year") == read["year"])
        & pl.col("period").is_in(read["periods"])
    )
    accounts = wanted["account_id"].unique().sort().to_list()
    for start in range(0, len(accounts), ACCOUNTS_PER_QUERY_MAX):
        some = one_of("account_id", accounts[start : start + ACCOUNTS_PER_QUERY_MAX])
        yield from world.jde.read(tables.ACCOUNT_LEDGER, every(base, some))


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


# --- proof ------------------------------------------------------------------------------------


def prove(
    step: Step, world: World[LoadActuals], run: str, partition: list[Any], everything: bool
) -> Result:
    """Tie the lines of a partition to its balances; keep its `buckets` and those to read again.

    Balances are read once more, after the lines, for accounts that do not tie (the sandwich).
    """
    company, ledger, year = partition
    key = {"company": company, "ledger": ledger, "fiscal_year": year}
    scope = scope_for(world)
    before = world.frame("buckets", BUCKETS, **key)
    lines = _lines_side(world, run, key, before, everything)
    balances = world.frame("balances", BALANCES, **key)
    years = world.frame("account_years", ACCOUNT_YEARS, **key)
    in_use = _lines_in_use(world, run, key)
    tied = proof.tie(fold.join_sides(lines, balances, years), scope, in_use)
    again = _held_accounts(tied)
    if again:
        balances, years = _balances_again(world, key, again, balances, years)
        tied = proof.tie(fold.join_sides(lines, balances, years), scope, in_use)
        step.keep("balances", balances, replace=True, **key)
        step.keep("account_years", years, replace=True, **key)
    tied = _within(proof.hold_vanished(tied, before, years), scope)
    step.keep("buckets", tied, replace=True, **key)
    states = dict(tied.group_by("state").len().iter_rows())
    moved = tied.filter((pl.col("state") == proof.HELD) & (pl.col("amount") != pl.col("balance")))
    return {"buckets": tied.height, "states": states, "again": _accounts_by_period(moved)}


def _lines_side(
    world: World[LoadActuals], run: str, key: dict[str, Any], before: pl.DataFrame, everything: bool
) -> pl.DataFrame:
    """The fold of the mirror: what was read in this run replaces what was there of the same buckets."""
    names = [*_KEY, "lines", "amount", "misdated", "read"]
    schema = {name: BUCKETS[name] for name in names}
    here = [pl.col(name) == value for name, value in key.items()]
    folds = world.of_this_run(run, "folds", schema).select(names).filter(*here)
    latest = folds.sort("read").unique(_KEY, keep="last")
    if everything:
        return latest
    wanted = world.of_this_run(run, "wanted").select(_KEY).filter(*here)
    covered = pl.concat([wanted, latest.select(_KEY)]).unique()
    kept = before.filter(pl.col("lines") > 0).select(names).join(covered, on=_KEY, how="anti")
    return pl.concat([kept, latest])


def _held_accounts(tied: pl.DataFrame) -> list[str]:
    held = tied.filter((pl.col("state") == proof.HELD) & (pl.col("amount") != pl.col("balance")))
    return held["account_id"].unique().sort().to_list()


def _balances_again(
    world: World[LoadActuals], key: dict[str, Any], accounts: list[str],
    balances: pl.DataFrame, years: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:  # fmt: skip
    """F0902 of some accounts, read after their lines."""
    pages: list[pl.DataFrame] = []
    for start in range(0, len(accounts), ACCOUNTS_PER_QUERY_MAX):
        where = every(
            equal("company", key["company"]), equal("ledger", key["ledger"]),
            equal("fiscal_year", key["fiscal_year"]),
            one_of("account_id", accounts[start : start + ACCOUNTS_PER_QUERY_MAX]),
        )  # fmt: skip
        pages.extend(world.jde.read(tables.ACCOUNT_BALANCES, where))
    rows = pl.concat(pages) if pages else pl.DataFrame(schema=tables.ACCOUNT_BALANCES.schema)
    others = ~pl.col("account_id").is_in(accounts)
    return (
        pl.concat([balances.filter(others), fold.fold_balances(rows)]),
        pl.concat([years.filter(others), fold.account_years(rows)]),
    )


def _lines_in_use(world: World[LoadActuals], run: str, key: dict[str, Any]) -> pl.DataFrame:
    """BUCKET_KEY, in_use_amount, in_use_lines: what posted lines of batches in use put into buckets."""
    schema = {name: BUCKETS[name] for name in _KEY} | {
        "in_use_amount": AMOUNT,
        "in_use_lines": pl.Int64,
    }
    batches = world.of_this_run(run, "seen_batches", tables.BATCHES.schema)
    using = batches.filter(pl.col("status") == proof.IN_USE).select("batch_type", "batch_number")
    manifests = world.store.current(world.flow_name, "lines", **key)
    manifests += [
        m for m in world.store.kept(run, kind="lines")
        if m not in manifests and (m.company, m.ledger, m.fiscal_year) == tuple(key.values())
    ]  # fmt: skip
    if using.is_empty() or not manifests:
        return empty(schema)
    lines = (
        world.store.scan(manifests)
        .join(using.lazy(), on=["batch_type", "batch_number"], how="semi")
        .collect()
        .sort("read")
        .unique(["document_type", "document", "document_company", "gl_date", "line_number", "ledger",
                 "line_extension"], keep="last")
    )  # fmt: skip
    return (
        lines.with_columns(currency=fold.bucket_currency())
        .group_by(_KEY)
        .agg(
            in_use_amount=pl.col("amount").sum().cast(AMOUNT), in_use_lines=pl.len().cast(pl.Int64)
        )
    )


def _accounts_by_period(held: pl.DataFrame) -> dict[str, int]:
    return {str(p): n for p, n in held.group_by("period").len().sort("period").iter_rows()}


def read_again(
    step: Step, world: World[LoadActuals], run: str, partition: list[Any], number: int
) -> Result:
    """Read exactly the lines of the buckets that do not tie, once more."""
    company, ledger, year = partition
    key = {"company": company, "ledger": ledger, "fiscal_year": year}
    scope = scope_for(world)
    buckets = world.frame("buckets", BUCKETS, **key)
    held = buckets.filter((pl.col("state") == proof.HELD) & (pl.col("amount") != pl.col("balance")))
    detailed = [p for p in range(1, 15) if scope.has_detail(Period(year, p))]
    held = held.filter(pl.col("period").is_in(detailed)).select(_KEY)
    step.keep("wanted", held)
    read_number = world.number * READS_PER_RUN_MAX + number
    folds = []
    for (period,), rows in held.group_by(["period"]):
        accounts = rows["account_id"].unique().sort().to_list()
        for start in range(0, len(accounts), ACCOUNTS_PER_QUERY_MAX):
            where = every(
                equal("posted", fold.POSTED), equal("company", company), equal("ledger", ledger),
                equal("fiscal_year", year), equal("period", int(str(period))),
                one_of("account_id", accounts[start : start + ACCOUNTS_PER_QUERY_MAX]),
            )  # fmt: skip
            for unit in _units(world.jde.read(tables.ACCOUNT_LEDGER, where)):
                step.keep("lines", unit.with_columns(read=pl.lit(read_number, pl.Int64)), **key)
                folds.append(fold.fold_lines(unit, scope.days()))
    folded = fold.add_folds(folds, read_number)
    step.keep("folds", folded, **key)
    return {"buckets": held.height, "lines": int(folded["lines"].sum())}
