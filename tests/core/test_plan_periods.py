"""Which periods a plan may write, and what JD Edwards says to their G/L dates."""

from __future__ import annotations

from datetime import date

import pytest
from core_frames import reference, scope

from tieout.core.periods import Period
from tieout.core.plan_periods import first_period, later, plan_periods, says
from tieout.core.scope import CompanyScope
from tieout.errors import Misconfigured


def company(code: str = "00001", current: str = "2025-12") -> CompanyScope:
    """A company in its current period."""
    now = Period.parse(current)
    tables = reference(now.fiscal_year, now.number)
    found = scope(code, first="2022-01", last="2027-12", small_tables=tables)
    return found.companies[0]


@pytest.mark.parametrize(
    ("current", "period", "word"),
    [
        ("2025-06", "2024-12", "PYEB"),
        ("2025-06", "2025-05", "PBCO"),
        ("2025-06", "2025-06", ""),
        ("2025-06", "2025-07", ""),  # the next one
        ("2025-06", "2025-08", "PACO"),
        ("2025-06", "2025-12", "PACO"),
        ("2025-06", "2026-01", "WACO"),
        ("2025-12", "2026-01", ""),  # the next one, of the next year
        ("2025-12", "2026-02", "WACO"),
    ],
)
def test_jde_warns_of_dates_ahead_and_refuses_dates_behind(
    current: str, period: str, word: str
) -> None:
    one = company(current=current)
    following = later(one.current, 1, one.calendar)
    assert says(Period.parse(period), one.current, following) == word


@pytest.mark.parametrize(
    ("rule", "current", "first"),
    [
        ("current", "2025-06", "2025-06"),
        ("current + 1", "2025-06", "2025-07"),
        ("current+2", "2025-11", "2026-01"),  # 13 and 14 are no periods of their own here
        ("current + 1", "2025-12", "2026-01"),
        ("2026-05", "2025-06", "2026-05"),
    ],
)
def test_the_first_period_follows_the_companys_own_calendar(
    rule: str, current: str, first: str
) -> None:
    assert first_period(rule, company(current=current)) == Period.parse(first)


def test_a_thirteenth_period_with_a_day_of_its_own_is_a_step() -> None:
    assert first_period("current + 1", company("00060", "2025-12")) == Period(2025, 13)
    assert first_period("current + 1", company("00060", "2025-13")) == Period(2026, 1)


@pytest.mark.parametrize("rule", ["now", "current + x", "current +", "current - 1", "", "2026"])
def test_a_first_period_that_means_nothing_is_refused(rule: str) -> None:
    with pytest.raises(Misconfigured):
        first_period(rule, company())


def test_beyond_the_last_year_of_f0008_nothing_may_be_written() -> None:
    one = company()
    assert later(Period(2027, 12), 1, one.calendar) == Period(9999, 14)


def test_every_period_of_a_plan_has_a_date_that_falls_into_it() -> None:
    within = scope(first="2025-01", last="2027-12", period_13={"00060": "fold"})
    found = plan_periods(within, "current + 1")
    for row in found.iter_rows(named=True):
        calendar = next(c.calendar for c in within.companies if c.company == row["company"])
        assert calendar.period_of(row["gl_date"]) == Period(row["fiscal_year"], row["period"])
    weeks = found.filter(company="00200", member="Mar 26")
    assert weeks["gl_date"].to_list() == [date(2026, 3, 28)]
    assert found.select("company", "member").is_duplicated().sum() == 0
