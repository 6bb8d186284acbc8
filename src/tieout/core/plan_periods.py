"""Periods of a plan: what each member means, its G/L date, and what JD Edwards says to that."""

from __future__ import annotations

from bisect import bisect_left

import polars as pl

from tieout.core.frames import Schema
from tieout.core.periods import FiscalCalendar, Period
from tieout.core.scope import CompanyScope, Scope
from tieout.errors import Misconfigured

# JD Edwards' own codes of what it says to a G/L date (facts/jde-gl.md §4.2).
PRIOR_YEAR, BEFORE_CURRENT, AHEAD, FAR_AHEAD = "PYEB", "PBCO", "PACO", "WACO"

CURRENT = "current"

PLAN_PERIODS: Schema = {
    "company": pl.String,
    "fiscal_year": pl.Int32,
    "period": pl.Int16,
    "shown_year": pl.Int32,
    "shown_period": pl.Int16,
    "member": pl.String,
    "base_currency": pl.String,
    "decimals": pl.Int8,
    "gl_date": pl.Date,
    "says": pl.String,  # "" for the current period and the next
    "early": pl.Boolean,  # before the first period that the plan may write
}


def plan_periods(scope: Scope, first: str) -> pl.DataFrame:
    """PLAN_PERIODS: the periods a plan can name; `first` is `current + 1` or a period such as
    `2026-05`.

    The G/L date is the period's own end in F0008. A period whose end date falls into another one
    (13 of a pattern that ends it with 12) cannot be written and is left out.
    """
    rows = []
    for company in scope.companies:
        begin, following = first_period(first, company), later(company.current, 1, company.calendar)
        for m in company.members:
            end = company.calendar.end(m.period)
            if not m.member or m.period != m.shown or end is None:
                continue
            if company.calendar.period_of(end) != m.period:
                continue
            year, number = m.period.fiscal_year, m.period.number
            rows.append((
                company.company, year, number, year, number, m.member, company.currency,
                company.decimals, end, says(m.period, company.current, following), m.period < begin,
            ))  # fmt: skip
    return pl.DataFrame(rows, schema=dict(PLAN_PERIODS), orient="row")


def says(period: Period, current: Period, following: Period) -> str:
    """What JD Edwards says to a G/L date in `period`: nothing for the current one and the next."""
    if period.fiscal_year < current.fiscal_year:
        return PRIOR_YEAR
    if period < current:
        return BEFORE_CURRENT
    if period <= following:
        return ""
    return AHEAD if period.fiscal_year == current.fiscal_year else FAR_AHEAD


def first_period(rule: str, company: CompanyScope) -> Period:
    """`current`, `current + 2` or `2026-05` as a period of the company.

    Raises Misconfigured.
    """
    word, _, count = rule.replace(" ", "").partition("+")
    if word == CURRENT and (count.isdigit() or "+" not in rule):
        return later(company.current, int(count or 0), company.calendar)
    year, _, number = rule.partition("-")
    if year.isdigit() and number.isdigit():
        return Period(int(year), int(number))
    raise Misconfigured(
        f"first_period = {rule!r} is neither `current`, `current + 1` nor a period as 2026-05.",
        untouched="Nothing was run.",
    )


def later(period: Period, steps: int, calendar: FiscalCalendar) -> Period:
    """The period `steps` after `period`; beyond the last year of F0008, the end of time.

    Periods that end with the one before (13 and 14 of most patterns) are no steps.
    """
    real = [
        p
        for p in calendar.between(period, Period(max(calendar.years, default=0), 14))
        if (end := calendar.end(p)) is not None and calendar.period_of(end) == p
    ]
    at = bisect_left(real, period) + steps
    return real[at] if at < len(real) else Period(9999, 14)
