"""Fiscal periods: date patterns (F0008), the period of a date, and Anaplan's period members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import polars as pl

PERIODS_MAX = 14
REGULAR_PERIODS_MAX = 12  # later ones are adjusting periods and follow the company's policy

Policy = Literal["fold", "separate", "refuse"]
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A period within a fiscal year; JDE names the year by the end of its first period."""

    fiscal_year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Period:
        """`2025-03` → Period(2025, 3)."""
        year, _, number = text.partition("-")
        return cls(int(year), int(number))

    def __str__(self) -> str:
        return f"{self.fiscal_year:04d}-{self.number:02d}"


@dataclass(frozen=True, slots=True)
class FiscalYear:
    """One row of F0008: the first day and the fourteen period ends (facts/jde-gl.md §2.5)."""

    begin: date
    ends: tuple[date, ...]

    def period_of(self, day: date) -> int | None:
        """The first period that ends on or after `day`; None outside the year."""
        if not self.begin <= day <= self.ends[-1]:
            return None
        return next(n for n, end in enumerate(self.ends, start=1) if day <= end)


@dataclass(frozen=True, slots=True)
class FiscalCalendar:
    """The fiscal years of one date pattern."""

    pattern: str
    years: Mapping[int, FiscalYear]

    def period_of(self, day: date) -> Period | None:
        """The period of a G/L date, or None when F0008 has no year for it."""
        for fiscal_year, year in self.years.items():
            number = year.period_of(day)
            if number is not None:
                return Period(fiscal_year, number)
        return None

    def end(self, period: Period) -> date | None:
        """The last day of a period."""
        year = self.years.get(period.fiscal_year)
        if year is None or not 1 <= period.number <= len(year.ends):
            return None
        return year.ends[period.number - 1]

    def between(self, first: Period, last: Period) -> list[Period]:
        """All periods from `first` to `last`, both included, of the years F0008 has.

        Fourteen a year, whatever the pattern uses: F0902 has fourteen columns, and an amount in a
        period that the pattern does not have must be seen, not passed over.
        """
        return [
            period
            for fiscal_year in sorted(self.years)
            for number in range(1, PERIODS_MAX + 1)
            if first <= (period := Period(fiscal_year, number)) <= last
        ]


def calendars(patterns: pl.DataFrame) -> dict[str, FiscalCalendar]:
    """F0008 rows (date_pattern, fiscal_year_start, end_01 … end_14) → a calendar per date pattern.

    The fiscal year is the calendar year in which the first period ends (facts/jde-gl.md §2.5). A
    name that two rows claim is nobody's: which of them an F0911 row means cannot be told. Nor can
    it of a row that F0008 itself calls another year (`fiscal_year`, where its FY is not 0).
    """
    years: dict[str, dict[int, FiscalYear]] = {}
    doubled: set[tuple[str, int]] = set()
    for row in patterns.iter_rows(named=True):
        ends = [row[f"end_{n:02d}"] for n in range(1, PERIODS_MAX + 1)]
        known = [end for end in ends if end is not None]
        if not known or row["fiscal_year_start"] is None:
            continue
        filled = tuple(end if end is not None else known[-1] for end in ends)
        pattern, name = row["date_pattern"], filled[0].year
        called = row.get("fiscal_year") or 0
        called = called if called % 100 else name
        if name in years.setdefault(pattern, {}) or called != name:
            doubled |= {(pattern, name), (pattern, called)}
        years[pattern][name] = FiscalYear(row["fiscal_year_start"], filled)
    return {
        pattern: FiscalCalendar(
            pattern,
            {
                name: year
                for name, year in sorted(by_year.items())
                if (pattern, name) not in doubled
            },
        )
        for pattern, by_year in years.items()
    }


def month_label(day: date) -> str:
    """Anaplan's label of the month that holds `day`, such as `Jan 25`."""
    return f"{MONTHS[day.month - 1]} {day.year % 100:02d}"


@dataclass(frozen=True, slots=True)
class PeriodMember:
    """Where a ledger period goes in Anaplan; `shown` is the period that holds it in the tie-out."""

    company: str
    period: Period
    shown: Period
    member: str  # "" when the policy refuses the period or no member is known


def shown_in(period: Period, policy: Policy) -> Period:
    """The period that shows `period` in Anaplan: 13 and 14 fold into 12 if the policy says so."""
    if policy == "fold" and period.number > REGULAR_PERIODS_MAX:
        return Period(period.fiscal_year, REGULAR_PERIODS_MAX)
    return period


def periods_in_scope(
    calendar: FiscalCalendar, first: Period, last: Period, policy: Policy
) -> list[Period]:
    """The periods from `first` to `last`, each with all periods that fold into the same one.

    Else the member of period 12 would hold a partial sum until the thirteenth became current.
    """
    begin, end = shown_in(first, policy), shown_in(last, policy)
    whole_year = Period(end.fiscal_year, PERIODS_MAX)
    return [p for p in calendar.between(begin, whole_year) if shown_in(p, policy) <= end]


def period_members(
    company: str,
    calendar: FiscalCalendar,
    periods: list[Period],
    policy: Policy,
    table: Mapping[tuple[str, int, int], str] | None = None,
) -> list[PeriodMember]:
    """Members of `periods` by a table (pattern, fiscal year, period) or by period end date.

    Adjusting periods (13, 14) fold into period 12, need a member of their own, or are refused.
    """
    result = []
    for period in periods:
        shown = shown_in(period, policy)
        key = (calendar.pattern, shown.fiscal_year, shown.number)
        end = calendar.end(shown)
        if period.number > REGULAR_PERIODS_MAX and policy == "refuse":
            member = ""
        elif table is not None:
            member = table.get(key, "")
        elif shown.number > REGULAR_PERIODS_MAX or end is None:
            member = ""  # "separate" needs a table: a calendar of months has no thirteenth
        else:
            member = month_label(end)
        result.append(PeriodMember(company, period, shown, member))
    return result
