"""Fiscal date patterns of the demo company: period ends, Julian dates, periods of dates."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

FIRST_YEAR, LAST_YEAR = 2022, 2027
PERIODS = 14
WEEKS_445 = (4, 4, 5) * 4
PATTERN_445_FIRST_DAY = date(2022, 1, 2)
DAYS_IN_52_WEEKS = 364


@dataclass(frozen=True, slots=True)
class FiscalYear:
    """One row of F0008: a pattern's year, its first day and its fourteen period ends."""

    pattern: str
    year: int
    first: date
    ends: tuple[date, ...]


@cache
def julian(day: date) -> int:
    """CYYDDD as JDE stores dates (jde-gl §2.1)."""
    return (day.year - 1900) * 1000 + day.timetuple().tm_yday


def from_julian(number: int) -> date:
    """The date of a CYYDDD number; 0 has none and is refused."""
    years, days = divmod(number, 1000)
    return date(1900 + years, 1, 1) + timedelta(days=days - 1)


def month_end(year: int, month: int) -> date:
    """The last day of a month; months above 12 run on into the next year."""
    years, index = divmod(month, 12)
    return date(year + years, index + 1, 1) - timedelta(days=1)


@cache
def fiscal_year(pattern: str, year: int) -> FiscalYear:
    """The fiscal year of `pattern` that is named `year`: the year in which period 1 ends (§2.5).

    R: calendar months. A: months, but period 12 ends on 30 December and 13 on the 31st.
    B: October to September. C: weeks 4-4-5.
    """
    if pattern == "C":
        first = PATTERN_445_FIRST_DAY + timedelta(days=DAYS_IN_52_WEEKS * (year - FIRST_YEAR))
        ends, day = [], first
        for weeks in WEEKS_445:
            day += timedelta(weeks=weeks)
            ends.append(day - timedelta(days=1))
        return FiscalYear(pattern, year, first, (*ends, ends[-1], ends[-1]))
    start = 10 if pattern == "B" else 1
    ends = [month_end(year, start + index) for index in range(12)]
    last = ends[-1]
    if pattern == "A":
        ends[-1] = last - timedelta(days=1)
    return FiscalYear(pattern, year, date(year, start, 1), (*ends, last, last))


@cache
def period_of(pattern: str, day: date) -> tuple[int, int]:
    """Fiscal year (four digits) and period of a G/L date: the first end not before it."""
    for year in (day.year - 1, day.year, day.year + 1):
        known = fiscal_year(pattern, year)
        if known.first <= day <= known.ends[-1]:
            return year, bisect_left(known.ends, day) + 1
    raise ValueError(f"pattern {pattern} has no fiscal year for {day}")


def days_of(pattern: str, year: int, period: int) -> tuple[date, date]:
    """First and last day of a period; period 13 of pattern A is one day."""
    known = fiscal_year(pattern, year)
    first = known.first if period == 1 else known.ends[period - 2] + timedelta(days=1)
    return first, known.ends[period - 1]


def pattern_rows(patterns: str) -> list[dict[str, int | str]]:
    """F0008 for FY2022 to FY2027, one row per pattern and year, as JDE stores it."""
    rows: list[dict[str, int | str]] = []
    for pattern in patterns:
        for year in range(FIRST_YEAR, LAST_YEAR + 1):
            known = fiscal_year(pattern, year)
            row: dict[str, int | str] = {
                "DTPN": pattern, "DFYJ": julian(known.first), "FQ": " ",
                "CTRY": year // 100, "FY": year % 100, "PNT": "C" if pattern == "C" else "R",
            }  # fmt: skip
            row |= {f"D{n:02}J": julian(end) for n, end in enumerate(known.ends, 1)}
            rows.append(row)
    return rows
