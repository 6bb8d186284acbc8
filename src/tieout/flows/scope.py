"""The scope of an actuals flow: small tables of JD Edwards, read when they may have changed."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path

import polars as pl

from tieout.core.frames import Schema, empty
from tieout.core.periods import Period
from tieout.core.scope import Reference, Scope, ScopeRule, scope_of
from tieout.errors import Misconfigured
from tieout.flows.world import Result, World
from tieout.jde import tables
from tieout.jde.client import Jde
from tieout.jde.query import one_of
from tieout.project import LoadActuals
from tieout.store.steps import Step

COMPANY_COLUMNS = (
    "company", "name", "fiscal_year_start", "current_period", "normal_periods", "date_pattern",
    "currency",
)  # fmt: skip
READ_WITH_COMPANIES = ("patterns", "currencies", "ledgers")
PERIOD_TABLE: Schema = {
    "pattern": pl.String, "year": pl.Int64, "period": pl.Int64, "member": pl.String,
}  # fmt: skip
PERIODS_FROM_CALENDAR = "F0008"


def read_reference(step: Step, world: World[LoadActuals], full: bool) -> Result:
    """F0010 every time; F0008, F0013 and F0025 when F0010 moved or everything is read anew.

    Returns a digest of all of them and of the table of periods; the position keeps that of the last
    run that came to its end, so that a company's new period is not forgotten when a run fails.
    """
    where = one_of("company", list(world.flow.companies))
    companies = world.jde.read_whole(tables.COMPANIES, where, columns=COMPANY_COLUMNS)
    frames = {"companies": companies}
    kept = world.frame("companies", tables.COMPANIES.schema)
    frames["period_table"] = period_table(world.store.home, world.flow.periods)
    step.keep("period_table", frames["period_table"], replace=True)
    if not full and kept.height and companies.equals(kept.select(COMPANY_COLUMNS)):
        frames |= {kind: world.frame(kind, {}) for kind in READ_WITH_COMPANIES}
        return {"reference": _digest(frames)}
    for kind, frame in small_tables(world.jde, companies).items():
        frames[kind] = frame
        step.keep(kind, frame, replace=True)
    step.keep("companies", companies, replace=True)
    return {"reference": _digest(frames)}


def small_tables(jde: Jde, companies: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """F0008 of the patterns that `companies` (F0010) use, F0013 and F0025, whole."""
    patterns = sorted(set(companies["date_pattern"].to_list())) or ["R"]
    return {
        "patterns": jde.read_whole(tables.DATE_PATTERNS, one_of("date_pattern", patterns)),
        "currencies": jde.read_whole(tables.CURRENCIES, None),
        "ledgers": jde.read_whole(tables.LEDGERS, None),
    }


def _digest(frames: dict[str, pl.DataFrame]) -> str:
    told = "".join(kind + frame.write_csv() for kind, frame in sorted(frames.items()))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def scope_for(world: World[LoadActuals]) -> Scope:
    """The scope by the small tables this flow has kept; made anew when one of them is."""
    kinds = ("companies", *READ_WITH_COMPANIES, "period_table")
    kept = tuple(m.id for kind in kinds for m in world.store.current(world.flow_name, kind))
    if kept not in world.scopes:
        world.scopes[kept] = scope_by(world.flow, world.frame)
    return world.scopes[kept]


def scope_by(flow: LoadActuals, frame: Callable[[str, Schema], pl.DataFrame]) -> Scope:
    """The scope by small tables that `frame` finds by their kind."""
    rule = ScopeRule(
        companies=flow.companies,
        ledgers=flow.ledgers,
        from_period=Period.parse(flow.from_period),
        to_period=None if flow.to_period == "current" else Period.parse(flow.to_period),
        prior_years=flow.prior_years,
        locked_through=Period.parse(flow.locked_through) if flow.locked_through else None,
        detail_from=Period.parse(flow.detail_from) if flow.detail_from else None,
        period_13=dict(flow.period_13),
        member_table=(
            None if flow.periods == PERIODS_FROM_CALENDAR  # F0008 decides
            else members_of(frame("period_table", PERIOD_TABLE))
        ),
    )  # fmt: skip
    frames = {
        "companies": frame("companies", tables.COMPANIES.schema),
        "patterns": frame("patterns", tables.DATE_PATTERNS.schema),
        "currencies": frame("currencies", tables.CURRENCIES.schema),
        "ledgers": frame("ledgers", tables.LEDGERS.schema),
    }
    return scope_of(rule, Reference(**frames))


def members_of(table: pl.DataFrame) -> dict[tuple[str, int, int], str]:
    """Pattern, fiscal year, period → member of Anaplan's calendar."""
    return {(p, y, n): member for p, y, n, member in table.iter_rows()}


def period_table(home: Path, periods: str) -> pl.DataFrame:
    """`periods` as a CSV of pattern, year, period, member; no rows when F0008 decides."""
    if periods == PERIODS_FROM_CALENDAR:
        return empty(PERIOD_TABLE)
    path = home / periods
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [
                (row["pattern"], int(row["year"]), int(row["period"]), row["member"])
                for row in csv.DictReader(file)
            ]
        return pl.DataFrame(rows, schema=dict(PERIOD_TABLE), orient="row")
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise Misconfigured(
            f"The table of periods {path} cannot be read: {error}.",
            untouched="Nothing was read or sent.",
            do="Give it the columns pattern, year, period and member.",
        ) from error
