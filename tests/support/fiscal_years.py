"""Fiscal years as companies have them: months, 4-4-5 with 52 or 53 weeks, thirteen periods."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import accumulate

from tieout.core.periods import FiscalCalendar, FiscalYear

DAY, WEEK = timedelta(days=1), timedelta(days=7)
YEARS = range(2025, 2033)
WEEKS_OF = {
    "4-4-5": (4, 4, 5) * 4, "4-5-4": (4, 5, 4) * 4, "5-4-4": (5, 4, 4) * 4, "thirteen": (4,) * 13,
}  # fmt: skip
PATTERNS = ("months", "months and 31 December", *WEEKS_OF)


def month_end(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1) - DAY


def saturday_near(day: date) -> date:
    """The Saturday nearest to `day`: 52 or 53 weeks from one year's to the next."""
    return day + timedelta(days=(5 - day.weekday() + 3) % 7 - 3)


def year_of(pattern: str, year: int, begins: int) -> FiscalYear:
    """The fiscal year whose first period ends in `year`, in or near the month `begins`."""
    if pattern.startswith("months"):
        ends = [month_end(year, begins + n) for n in range(12)]
        first = date(year, begins, 1)
        if pattern.endswith("December"):
            ends[11:] = [ends[11] - DAY, ends[11]]
        return FiscalYear(first, tuple((ends + ends[-1:] * 2)[:14]))
    eve = saturday_near(month_end(year, begins - 1) if begins > 1 else date(year - 1, 12, 31))
    last = saturday_near(month_end(year, begins + 11))
    ends = [eve + weeks * WEEK for weeks in accumulate(WEEKS_OF[pattern])]
    ends[-1] = last  # the 53rd week belongs to the last period
    return FiscalYear(eve + DAY, tuple((ends + ends[-1:] * 2)[:14]))


def fiscal_calendar(pattern: str, begins: int = 1) -> FiscalCalendar:
    return FiscalCalendar("X", {year: year_of(pattern, year, begins) for year in YEARS})


def years_of(pattern: str, begins: int = 1) -> list[tuple[date, ...]]:
    """The period ends of each year."""
    return [year.ends for year in fiscal_calendar(pattern, begins).years.values()]


def closes(pattern: str, begins: int = 1) -> list[date]:
    """The days on which a controller of such a company closes a period."""
    found = []
    for year in YEARS:
        ends = list(year_of(pattern, year, begins).ends)
        if pattern == "months":
            ends = ends[:12]
        elif pattern == "months and 31 December":
            ends = [*ends[:11], ends[12]]
        found += ends[:13] if pattern == "thirteen" else ends[:12]
    return found
