"""Rules 9 to 11 and 17: fiscal periods, adjusting periods, locks and the members of Anaplan."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from core_frames import COMPANIES, patterns, reference, scope
from hypothesis import given
from hypothesis import strategies as st

from tieout.core.periods import Period, calendars, month_label, period_members
from tieout.core.scope import current_period
from tieout.sim.company.calendar import period_of

CALENDARS = calendars(patterns())
DAYS = [date(2022, 1, 1) + timedelta(days=n) for n in range(6 * 366)]


@pytest.mark.parametrize("pattern", "RABC")
def test_every_day_of_six_years_falls_in_exactly_one_period(pattern: str) -> None:
    calendar = CALENDARS[pattern]
    covered = 0
    for day in DAYS:
        holding = [
            (year, number)
            for year, known in calendar.years.items()
            if (number := known.period_of(day)) is not None
        ]
        assert len(holding) <= 1, f"{day} is in {holding}"
        if not holding:
            first, last = min(calendar.years), max(calendar.years)
            outside = not calendar.years[first].begin <= day <= calendar.years[last].ends[-1]
            assert outside, f"{day} is in no period"
            continue
        covered += 1
        assert period_of(pattern, day) == holding[0], "the practice ledger dates it otherwise"
        assert calendar.period_of(day) == Period(*holding[0])
    assert covered > 5 * 365


@pytest.mark.parametrize(
    ("pattern", "day", "period", "month"),
    [
        ("R", date(2025, 12, 31), "2025-12", "Dec 25"),  # 12, 13 and 14 end on one day: all is 12
        ("A", date(2025, 12, 30), "2025-12", "Dec 25"),
        ("A", date(2025, 12, 31), "2025-13", "Dec 25"),  # trap 9
        ("B", date(2025, 11, 15), "2025-02", "Nov 25"),  # trap 8: year named by its first period
        ("B", date(2026, 9, 30), "2025-12", "Sep 26"),
        ("B", date(2025, 9, 30), "2024-12", "Sep 25"),
        ("C", date(2022, 1, 29), "2022-01", "Jan 22"),  # 4-4-5: weeks, not months
        ("C", date(2022, 1, 30), "2022-02", "Feb 22"),
        ("C", date(2022, 4, 2), "2022-03", "Apr 22"),
        ("R", date(2024, 2, 29), "2024-02", "Feb 24"),
    ],
)
def test_a_date_falls_in_the_period_and_month_a_controller_expects(
    pattern: str, day: date, period: str, month: str
) -> None:
    calendar = CALENDARS[pattern]
    found = calendar.period_of(day)
    assert str(found) == period
    assert found is not None
    (member,) = period_members("00001", calendar, [found], "fold")
    assert member.member == month


def test_a_date_beyond_the_date_pattern_has_no_period() -> None:
    assert CALENDARS["R"].period_of(date(2028, 1, 1)) is None
    assert CALENDARS["R"].end(Period(2028, 1)) is None
    assert CALENDARS["R"].end(Period(2025, 15)) is None


def test_a_year_without_its_last_period_ends_is_read_to_the_last_one_it_has() -> None:
    twelve = patterns().with_columns(end_13=pl.lit(None, pl.Date), end_14=pl.lit(None, pl.Date))
    assert calendars(twelve)["R"].period_of(date(2025, 12, 31)) == Period(2025, 12)
    unused = twelve.with_columns(pl.lit(None, pl.Date).alias(f"end_{n:02d}") for n in range(1, 13))
    assert calendars(unused) == {}


@pytest.mark.parametrize("day", [date(1999, 12, 31), date(2000, 1, 1), date(2099, 6, 30)])
def test_a_month_is_labelled_by_two_digits_of_its_year(day: date) -> None:
    assert month_label(day) == day.strftime("%b %y")


@given(st.integers(1900, 2099), st.integers(1, 14))
def test_the_text_of_a_period_reads_back_as_itself(year: int, number: int) -> None:
    assert Period.parse(str(Period(year, number))) == Period(year, number)


# ------------------------------------------------------------------------- scope


def loaded(company: str, **options: object) -> dict[str, str]:
    """Period → member of one company in scope."""
    found = scope(company, **options)  # type: ignore[arg-type]  # options of one test
    return {str(m.period): m.member for m in found.companies[0].members}


def test_a_scope_runs_from_its_first_period_to_the_current_one() -> None:
    found = loaded("00001", first="2024-11", small_tables=reference(2025, 2))
    regular = {period: member for period, member in found.items() if period[-2:] <= "12"}
    assert regular == {
        "2024-11": "Nov 24", "2024-12": "Dec 24", "2025-01": "Jan 25", "2025-02": "Feb 25",
    }  # fmt: skip


def test_two_companies_stand_in_different_current_periods() -> None:
    small = reference(2025, 6)
    small.companies[0, "current_period"] = 4
    found = scope("00001", "00060", small_tables=small)
    assert [str(c.current) for c in found.companies] == ["2025-04", "2025-06"]
    assert [str(c.members[-1].period) for c in found.companies] == ["2025-04", "2025-06"]


def test_a_scope_may_end_before_the_current_period() -> None:
    assert max(loaded("00001", last="2024-03")) == "2024-03"


@pytest.mark.parametrize("company", ["00001", "00060"])
@pytest.mark.parametrize("last", ["2025-12", "2025-13", "2025-14"])
def test_december_is_never_loaded_without_the_periods_that_fold_into_it(
    company: str, last: str
) -> None:
    found = loaded(company, first="2025-11", last=last)
    assert found == {
        "2025-11": "Nov 25", "2025-12": "Dec 25", "2025-13": "Dec 25", "2025-14": "Dec 25",
    }  # fmt: skip


def test_a_scope_that_starts_at_the_thirteenth_period_holds_all_of_december() -> None:
    assert loaded("00060", first="2025-13") == {
        "2025-12": "Dec 25", "2025-13": "Dec 25", "2025-14": "Dec 25",
    }  # fmt: skip


def test_an_amount_in_a_period_the_pattern_lacks_is_in_scope_and_so_is_seen() -> None:
    """Pattern R puts everything into period 12; F0902 has fourteen columns all the same."""
    assert "2024-14" in loaded("00001")


@pytest.mark.parametrize(
    ("policy", "member"), [("fold", "Dec 24"), ("separate", ""), ("refuse", "")]
)
def test_the_thirteenth_period_follows_the_policy_of_its_company(policy: str, member: str) -> None:
    assert loaded("00060", period_13={"00060": policy, "default": "fold"})["2024-13"] == member
    assert loaded("00060", period_13={"default": policy})["2024-13"] == member


def test_a_separate_thirteenth_period_goes_to_the_member_its_table_names() -> None:
    table = {("A", 2024, n): f"P{n:02d} FY24" for n in range(1, 14)}
    options = {"last": "2024-14", "members": table, "period_13": {"default": "separate"}}
    assert loaded("00060", **options)["2024-13"] == "P13 FY24"
    options["period_13"] = {"default": "fold"}
    assert loaded("00060", **options)["2024-13"] == "P12 FY24"
    options["period_13"] = {"default": "refuse"}
    assert loaded("00060", **options)["2024-13"] == ""


def test_two_periods_of_one_member_are_both_refused_and_told() -> None:
    table = {("R", 2025, n): "Jan 25" if n == 2 else f"M{n}" for n in range(1, 13)}
    table["R", 2025, 1] = "Jan 25"
    found = scope("00001", first="2025-01", members=table)
    members = {str(m.period): m.member for m in found.companies[0].members}
    assert members["2025-01"] == members["2025-02"] == ""
    assert members["2025-03"] == "M3"
    (finding,) = found.findings
    assert finding.rule == "period-missing"
    assert "2025-01 and 2025-02" in finding.what


def test_weeks_that_end_twice_in_one_month_need_a_table_and_are_not_added_up() -> None:
    f0008 = patterns()
    begin = date(2025, 1, 5)  # periods end on 1 February, 1 March and 29 March
    ends = [begin + timedelta(weeks=4 * n, days=-1) for n in range(1, 13)]
    row = {"date_pattern": "C", "fiscal_year_start": begin}
    row |= {f"end_{n:02d}": end for n, end in enumerate([*ends, ends[-1], ends[-1]], 1)}
    others = f0008.filter(pl.col("date_pattern") != "C")
    small = reference(2025, 12, pl.concat([others, pl.DataFrame([row])]))
    small.companies[4, "fiscal_year_start"] = begin
    found = scope("00200", first="2025-01", small_tables=small)
    labels = [month_label(end) for end in ends]
    clashing = {label for label in labels if labels.count(label) > 1}
    assert clashing, "the example must clash"
    assert not clashing & {m.member for m in found.companies[0].members}
    assert {f.member for f in found.findings} == clashing


def test_a_regular_period_that_the_table_does_not_name_is_told() -> None:
    table = {("R", 2025, n): f"M{n}" for n in range(1, 12)}
    found = scope("00001", first="2025-01", members=table)
    assert [(f.rule, "2025-12" in f.subject) for f in found.findings] == [("period-missing", True)]


def test_a_year_that_the_date_pattern_lacks_is_told_and_not_passed_over() -> None:
    small = reference(2025, 12, patterns(2025, 2027))
    found = scope("00001", first="2023-01", small_tables=small)
    (finding,) = found.findings
    assert finding.rule == "period-missing"
    assert "2023, 2024" in finding.what
    assert found.years() == [2025]


def test_a_company_of_which_no_period_has_come_is_told_and_not_passed_over() -> None:
    small = reference(2025, 12, patterns(2024, 2027))
    found = scope("00001", first="2026-02", small_tables=small)
    (finding,) = found.findings
    assert finding.rule == "period-missing"
    assert "from_period is 2026-02" in finding.what
    assert found.years() == []


def test_a_year_that_the_date_pattern_itself_calls_otherwise_is_told_and_not_loaded() -> None:
    """Else the balances of one year would be loaded under the months of the one before."""
    named = patterns(2024, 2027).with_columns(fiscal_year=pl.col("end_01").dt.year())
    called = pl.when(
        (pl.col("date_pattern") == "R") & (pl.col("fiscal_year") == 2024)
    ).then(2025).otherwise("fiscal_year")  # fmt: skip

    right = scope("00001", first="2024-01", small_tables=reference(2026, 12, named))
    wrong = reference(2026, 12, named.with_columns(fiscal_year=called))
    found = scope("00001", first="2024-01", small_tables=wrong)

    assert (right.years(), right.findings) == ([2024, 2025, 2026], ())
    (finding,) = found.findings
    assert finding.rule == "period-missing"
    assert "2024, 2025" in finding.what
    assert found.years() == [2026]


def test_a_year_that_two_rows_claim_is_nobodys_and_is_told() -> None:
    """A short year leaves two rows whose first periods end in one calendar year."""
    short = patterns().filter(
        (pl.col("date_pattern") == "R") & (pl.col("fiscal_year_start") == date(2024, 1, 1))
    )
    shifted = short.with_columns(pl.lit(date(2024, 7, 1)).alias("fiscal_year_start"))
    ends = [pl.lit(date(2024, 7 + n // 3, 28)).alias(f"end_{n:02d}") for n in range(1, 15)]
    small = reference(2025, 12, pl.concat([patterns(), shifted.with_columns(ends)]))
    found = scope("00001", first="2023-01", small_tables=small)
    assert found.years() == [2023, 2025]
    (finding,) = found.findings
    assert "fiscal year 2024" in finding.what


def test_what_cannot_be_resolved_is_told_in_words() -> None:
    small = reference()
    small.companies[1, "date_pattern"] = "Z"
    small.companies[2, "fiscal_year_start"] = date(2031, 1, 1)
    found = scope("09999", "00060", "00070", "00001", small_tables=small)
    assert found.company_codes() == ["00001"]
    assert [f.company for f in found.findings] == ["09999", "00060", "00070"]
    first, second, third = (f.what for f in found.findings)
    assert "not in F0010" in first
    assert "no rows in F0008" in second
    assert "no year that begins" in third


@pytest.mark.parametrize("number", [0, 15, None])
def test_an_impossible_current_period_resolves_to_nothing(number: int | None) -> None:
    row = {"fiscal_year_start": date(2025, 1, 1), "current_period": number}
    assert current_period(row, CALENDARS["R"]) is None


def test_a_company_named_twice_is_loaded_once() -> None:
    found = scope("00001", "00001")
    assert found.company_codes() == ["00001"]
    assert found.member_frame().is_duplicated().sum() == 0


def test_a_locked_period_includes_the_one_that_folds_into_it() -> None:
    frame = scope("00060", locked="2024-12").member_frame()
    locked = {
        f"{year}-{period:02d}"
        for year, period in frame.filter("locked").select("fiscal_year", "period").iter_rows()
    }
    assert locked == {f"2024-{n:02d}" for n in range(1, 15)}


def test_nothing_is_locked_without_a_lock() -> None:
    assert not scope("00060").member_frame()["locked"].any()


@pytest.mark.parametrize(
    ("prior_years", "expected"), [(0, [2025]), (1, [2024, 2025]), (9, [2023, 2024, 2025])]
)
def test_a_poll_looks_at_the_current_year_and_the_prior_ones(
    prior_years: int, expected: list[int]
) -> None:
    assert scope("00001", first="2023-01", prior_years=prior_years).open_years() == expected


def test_a_poll_looks_at_the_year_of_the_company_that_is_furthest_behind() -> None:
    small = reference(2025, 1)
    small.companies[0, "fiscal_year_start"] = date(2024, 1, 1)
    found = scope("00001", "00060", first="2022-01", prior_years=0, small_tables=small)
    assert found.open_years() == [2024, 2025]


def test_the_days_of_all_periods_of_a_company_do_not_overlap() -> None:
    days = scope(*COMPANIES).days()
    inside = days.filter(pl.col("first_day") <= pl.col("last_day")).sort("company", "first_day")
    following = inside.with_columns(
        gap=(pl.col("first_day") - pl.col("last_day").shift(1)).over("company").dt.total_days()
    )
    assert following["gap"].drop_nulls().unique().to_list() == [1]


def test_history_before_its_first_detail_is_told_from_what_lines_explain() -> None:
    found = scope("00001", detail="2024-07")
    assert not found.has_detail(Period(2024, 6))
    assert found.has_detail(Period(2024, 7))
    assert scope("00001").has_detail(Period(1999, 1))
    assert found.first_day_of_detail() == date(2024, 7, 1)
