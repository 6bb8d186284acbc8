"""What a plan is compared with in JD Edwards: calendar, accounts, and the ledger as it is now."""

from __future__ import annotations

import csv
from collections.abc import Collection
from dataclasses import replace

import polars as pl

from tieout.core.buckets import fold_balances
from tieout.core.difference import Holdings, placed
from tieout.core.frames import (
    AMOUNT,
    BUCKETS,
    DIFFERENCES,
    IN_FLIGHT,
    LEDGER_CELL,
    PLAN,
    PLAN_BALANCES,
    TARGETS,
    Schema,
    as_schema,
    empty,
)
from tieout.core.journal import HELD
from tieout.core.periods import Period, calendars
from tieout.core.plan_accounts import Chart
from tieout.core.plan_periods import plan_periods
from tieout.core.scope import Reference, Scope, ScopeRule, scope_of
from tieout.errors import Misconfigured
from tieout.flows.dimensions import ALWAYS
from tieout.flows.scope import PERIOD_TABLE, members_of, period_table, small_tables
from tieout.flows.world import PlanOf, Result, World
from tieout.jde import in_flight, tables
from tieout.jde.query import one_of
from tieout.project import SubmitPlan
from tieout.project_words import PERIODS_FROM_CALENDAR
from tieout.store import batches, journals
from tieout.store.schema import JOURNAL_STATES
from tieout.store.steps import Step

ACTUALS = "AA"
LAST_PERIOD = 14
CELL = list(LEDGER_CELL)
POSTED: Schema = {**{name: BUCKETS[name] for name in CELL}, "amount": AMOUNT}
MARKS: Schema = in_flight.MARKS
FILED: Schema = {"reference": pl.String, "company": pl.String, "lines": pl.Int64}
ACCOUNTS: Schema = dict.fromkeys(
    ("account_id", "company", "business_unit", "object_account", "subsidiary", "posting_edit",
     "currency"), pl.String,
)  # fmt: skip
UNITS: Schema = dict.fromkeys(("business_unit", "company", "posting_edit"), pl.String)


def shared(world: World[SubmitPlan]) -> PlanOf:
    """What the plan shares with the flow of its actuals."""
    assert world.plan is not None, "settings refuse a plan without actuals"
    return world.plan


def read_calendar(step: Step, world: World[SubmitPlan]) -> Result:
    """F0010, F0008, F0013 and F0025 as they are now, and the table of periods."""
    where = one_of("company", list(shared(world).companies))
    companies = world.jde.read_whole(tables.COMPANIES, where)
    for kind, frame in {"companies": companies, **small_tables(world.jde, companies)}.items():
        step.keep(kind, frame)
    step.keep("period_table", period_table(world.store.home, shared(world).actuals.periods))
    return {"companies": companies.height}


def scope_for(world: World[SubmitPlan], run: str) -> Scope:
    """Every period that a plan can name, from the first of the actuals to the last of F0008."""
    frames = {
        kind: world.of_this_run(run, kind, table.schema)
        for kind, table in (
            ("companies", tables.COMPANIES), ("patterns", tables.DATE_PATTERNS),
            ("currencies", tables.CURRENCIES), ("ledgers", tables.LEDGERS),
        )
    }  # fmt: skip
    actuals = shared(world).actuals
    years = [year for c in calendars(frames["patterns"]).values() for year in c.years]
    table = None
    if actuals.periods != PERIODS_FROM_CALENDAR:
        table = members_of(world.of_this_run(run, "period_table", PERIOD_TABLE))
    rule = ScopeRule(
        companies=shared(world).companies, ledgers=sorted(set(world.flow.ledgers().values())),
        from_period=Period.parse(actuals.from_period),
        to_period=Period(max(years, default=1), LAST_PERIOD), prior_years=0, locked_through=None,
        detail_from=None, period_13=dict(actuals.period_13), member_table=table,
    )  # fmt: skip
    return scope_of(rule, Reference(**frames))


def read_accounts(step: Step, world: World[SubmitPlan]) -> Result:
    """F0901 and F0006 of all companies: an account of another company is told as such.

    Keeps `accounts`, `units` and `targets`.
    """
    accounts = in_flight.posting_accounts(world.jde)
    step.keep("accounts", as_schema(accounts, ACCOUNTS))
    step.keep("units", as_schema(in_flight.posting_units(world.jde), UNITS))
    step.keep("targets", _targets(world))
    return {"accounts": accounts.height}


def _targets(world: World[SubmitPlan]) -> pl.DataFrame:
    """`targets` as a CSV of TARGETS; no rows without one."""
    if not world.flow.targets:
        return empty(TARGETS)
    path = world.store.home / world.flow.targets
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [[row[name].strip() for name in TARGETS] for row in csv.DictReader(file)]
        return pl.DataFrame(rows, schema=dict(TARGETS), orient="row")
    except (OSError, KeyError, ValueError, AttributeError) as error:
        raise Misconfigured(
            f"The table of targets {path} cannot be read: {error}.",
            untouched="Nothing was prepared.", do=f"Give it the columns {', '.join(TARGETS)}.",
        ) from error  # fmt: skip


def chart_for(world: World[SubmitPlan], run: str) -> Chart:
    """Accounts, units and mapping as this run read them."""
    return Chart(
        world.of_this_run(run, "accounts", ACCOUNTS), world.of_this_run(run, "units", UNITS),
        shared(world).actuals.account_code,
        {dimension: world.store.mapping(dimension) for dimension in ALWAYS},
        world.of_this_run(run, "targets", TARGETS),
    )  # fmt: skip


def read_ledger(step: Step, world: World[SubmitPlan], run: str) -> Result:
    """What the ledgers of the plan hold, and what is on its way into them, whoever entered it.

    Keeps `balances`, `posted` (the posted lines summed), `in_flight`, `documents` (HELD), `marks`:
    how many lines stand under each reference of ours, and `filed`: how many rows of the batch file.
    """
    scope, chart, type_ = scope_for(world, run), chart_for(world, run), world.flow.document_type
    years = _years(world, run, scope)
    ledgers = sorted(set(world.flow.ledgers().values()))
    for ledger in ledgers if years else []:
        entered, held = in_flight.ledger_now(world.jde, ledger, years, type_)
        filed = in_flight.with_account_ids(held.unprocessed, chart.accounts)
        moving = replace(held, unprocessed=filed).in_flight(type_)
        waiting, _ = placed(moving, scope, chart)
        ours = waiting.filter("ours")
        documents = _documents(entered.documents, ours)
        rows = ours.filter(pl.col("reference") != "").group_by("reference", "company")
        for kind, frame, schema in (
            ("balances", fold_balances(held.balances, PLAN_BALANCES), PLAN_BALANCES),
            ("posted", entered.posted, POSTED), ("in_flight", moving, IN_FLIGHT),
            ("documents", documents, HELD), ("marks", entered.marks, MARKS),
            ("filed", rows.agg(lines=pl.len()), FILED),
        ):  # fmt: skip
            step.keep(kind, as_schema(frame, schema), ledger=ledger)
    return {"ledgers": ledgers, "years": years}


def _years(world: World[SubmitPlan], run: str, scope: Scope) -> list[int]:
    """The fiscal years that the plan's members mean now or meant when they were entered before.

    And those of a complete plan's universe.
    """
    periods = plan_periods(scope, world.flow.first_period)
    named = world.of_this_run(run, "plan", PLAN).select("member").unique()
    years = set(periods.join(named, on="member", how="semi")["fiscal_year"].to_list())
    if world.flow.universe is not None:
        first, last = world.flow.universe.periods.split("..")
        years |= set(range(Period.parse(first).fiscal_year, Period.parse(last).fiscal_year + 1))
    return sorted(years | _meant_before(world, named, years))


def _meant_before(
    world: World[SubmitPlan], named: pl.DataFrame, years: Collection[int]
) -> set[int]:  # fmt: skip
    """Years but `years` for which journals of this flow entered members that the plan names."""
    with world.store.database.read() as connection:
        known = journals.of_flow(connection, world.flow_name, JOURNAL_STATES)
        others = [journal for journal in known if journal.fiscal_year not in years]
        prepared = {batches.find(connection, name).run for name in {j.batch for j in others}}
    meant: set[int] = set()
    for run in prepared:
        cells = world.lazy_of_this_run(run, "differences", DIFFERENCES)
        same = cells.join(named.lazy(), on="member", how="semi").select("fiscal_year").unique()
        meant |= set(same.collect()["fiscal_year"].to_list())
    return meant & {journal.fiscal_year for journal in others}


def _documents(entered: pl.DataFrame, waiting: pl.DataFrame) -> pl.DataFrame:
    """HELD: how many documents of ours each cell has seen, entered or still in the batch file."""
    filed = waiting.filter(pl.col("document") != "").select(*CELL, "document").unique()
    both = pl.concat([entered.select(CELL), as_schema(filed, {n: BUCKETS[n] for n in CELL})])
    return both.group_by(CELL).agg(documents=pl.len().cast(pl.Int64))


def holdings(world: World[SubmitPlan], run: str) -> Holdings:
    """The ledger as this run read it."""
    return Holdings(
        world.of_this_run(run, "balances", PLAN_BALANCES),
        world.of_this_run(run, "posted", POSTED), world.of_this_run(run, "in_flight", IN_FLIGHT),
    )  # fmt: skip


def usual_amounts(world: World[SubmitPlan], scope: Scope) -> pl.DataFrame:
    """account_id and amount in ledger sign: what the actuals of an account add up to.

    From the mirror of the flow of actuals, else from this and last year's balances.
    """
    kept = world.store.current(shared(world).actuals_name, "buckets")
    if kept:
        rows = world.store.scan(kept).filter(pl.col("ledger") == ACTUALS)
        sums = rows.group_by("account_id").agg(pl.col("amount").sum().cast(AMOUNT))
        return sums.collect()
    years = sorted({c.current.fiscal_year - back for c in scope.companies for back in (0, 1)})
    if not years:
        return pl.DataFrame(schema={"account_id": pl.String, "amount": AMOUNT})
    rows = fold_balances(in_flight.balances(world.jde, ACTUALS, years)).lazy()
    sums = rows.group_by("account_id").agg(amount=pl.col("balance").sum().cast(AMOUNT))
    return sums.collect()
