"""Account balances (F0902): read under the groups that moved, and which buckets they make dirty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from tieout.core import buckets as fold
from tieout.core.cells import remembered
from tieout.core.frames import ACCOUNT_YEARS, BALANCES, BUCKETS, Schema, as_schema
from tieout.core.members import refuse_collisions
from tieout.core.scope import Scope
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World
from tieout.jde import tables
from tieout.jde.query import Where, equal, every, one_of
from tieout.settings import LoadActuals
from tieout.store.steps import Step

ACCOUNT_COLUMNS = (
    "account_id", "company", "business_unit", "object_account", "subsidiary", "description",
)  # fmt: skip
ACCOUNTS: Schema = {**dict.fromkeys(ACCOUNT_COLUMNS, pl.String), "gone": pl.Boolean}
FEWER: Schema = {"company": pl.String, "ledger": pl.String, "fiscal_year": pl.Int32}


def read_accounts(step: Step, world: World[LoadActuals]) -> Result:
    """F0901 of the companies in scope, as it is now.

    An account that was there before and is not shown any more keeps its code and is marked: row
    security hides a unit from F0901 too, and its cells must not become zeros.
    """
    where = one_of("company", list(world.flow.companies))
    pages = list(world.jde.read(tables.ACCOUNTS, where, columns=ACCOUNT_COLUMNS))
    schema = dict.fromkeys(ACCOUNT_COLUMNS, pl.String)
    accounts = pl.concat(pages) if pages else pl.DataFrame(schema=schema)
    refuse_collisions(accounts, ("business_unit", "object_account", "subsidiary"), "F0901")
    kept = remembered(world.frame("accounts", ACCOUNTS), accounts)
    step.keep("accounts", as_schema(kept, ACCOUNTS), replace=True)
    return {"accounts": accounts.height, "no_longer_shown": kept.height - accounts.height}


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
        whole = changes["all_balances"] or _has_fewer(world, run, key)
        rows = _balances_of(world, run, key, everything=whole)
        if rows is None:
            dirty = _newly_in_scope(world, scope, key) if changes["reference_moved"] else None
            if dirty is not None and not dirty.is_empty():
                step.keep("dirty", dirty, **key)
                found.append([company, ledger, year, dirty.height])
            continue
        before = world.frame("balances", BALANCES, **key)
        proved = world.frame("buckets", BUCKETS, **key)
        before_years = world.frame("account_years", ACCOUNT_YEARS, **key)
        balances, years = fold.fold_balances(rows), fold.account_years(rows)
        if not whole:
            untouched = before_years.join(years, on=list(ACCOUNT_YEARS), how="anti")
            balances = pl.concat(
                [balances, before.join(untouched, on=list(ACCOUNT_YEARS), how="semi")]
            )
            years = pl.concat([years, untouched])
        dirty = within(fold.moved_buckets(proved, balances), scope)
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
    """F0902 rows of one partition: all, or those under groups that moved; None if none did."""
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


def _newly_in_scope(world: World[LoadActuals], scope: Scope, key: dict[str, Any]) -> pl.DataFrame:
    """Buckets that came into scope with a new period; their balances are known already."""
    proved = world.frame("buckets", BUCKETS, **key)
    return within(fold.moved_buckets(proved, world.frame("balances", BALANCES, **key)), scope)


def _has_fewer(world: World[LoadActuals], run: str, key: dict[str, Any]) -> bool:
    """Whether a group of the partition lost rows, so that only a whole read shows what is gone."""
    here = [pl.col(name) == value for name, value in key.items()]
    return not world.of_this_run(run, "fewer", FEWER).filter(*here).is_empty()


def _under_moved_groups(world: World[LoadActuals], run: str, key: dict[str, Any]) -> Where | None:
    """A balance that moved stands under a moved object and under a moved business unit."""
    here = [pl.col(name) == value for name, value in key.items()]
    objects = world.of_this_run(run, "moved_by_object").filter(*here)["object_account"].to_list()
    units = world.of_this_run(run, "moved_by_unit").filter(*here)["business_unit"].to_list()
    if not objects or not units:
        return None
    return every(one_of("object_account", objects), one_of("business_unit", units))


def within(keys: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """Only buckets of the companies and periods in scope."""
    members = scope.member_frame().select("company", "fiscal_year", "period")
    return keys.join(members, on=["company", "fiscal_year", "period"], how="semi")
