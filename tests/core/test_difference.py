"""A plan journal is a difference: target minus what is posted and what is on its way."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from core_frames import rows
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_frames import chart, checked, holdings, in_flight, plan, targets, years

from tieout.core.difference import (
    Holdings,
    Revision,
    Universe,
    out_of_balance,
    revise,
)
from tieout.core.findings import Severity
from tieout.core.frames import DIFFERENCES, PLAN_BALANCES
from tieout.core.left_behind import ENTERED
from tieout.core.periods import Period

CHART = chart("1=00001/30.5005", "2=00001/30.4010", "3=00001/30.6000", "4=00001/30.7000:I")
YEARS = years()
JAN = {(1, 1): 100}


def universe(**options: object) -> Universe:
    usual = {
        "companies": ["00001"], "accounts": ["5000-7999"], "first": Period(2026, 1),
        "last": Period(2026, 12), "confirmed": True,
    }  # fmt: skip
    return Universe(**(usual | options))


def revised(
    plan_rows: pl.DataFrame, held: Holdings, whole: Universe | None = None, **options: object
) -> Revision:
    found = checked(plan_rows, CHART, scope=YEARS, **options)
    return revise(found, held, YEARS, CHART, universe=whole)


def moves(found: Revision) -> dict[tuple[str, int], Decimal]:
    cells = found.to_send().select("account_id", "period", "difference")
    return {(row[0].lstrip("0"), row[1]): row[2] for row in cells.rows()}


# ------------------------------------------------------------------------ the difference


@pytest.mark.parametrize(
    ("posted", "waiting", "target", "difference"),
    [
        (0, 0, 120, 120),
        (100, 0, 120, 20),  # trap 12: never 220
        (120, 0, 120, 0),
        (100, 20, 120, 0),  # sent and not posted yet
        (100, 20, 100, -20),
        (0, 0, 0, 0),
        (50, 0, 0, -50),  # a zero that is approved takes the amount out
    ],
)
def test_a_journal_moves_the_ledger_to_its_target_and_no_further(
    posted: int, waiting: int, target: int, difference: int
) -> None:
    lines = in_flight({"amount": Decimal(waiting)}) if waiting else None
    found = revised(plan({"amount": Decimal(target)}), holdings({(1, 1): posted}, lines))
    assert found.cells.schema == pl.Schema(dict(DIFFERENCES))
    shown = found.cells.select("target", "posted", "in_flight", "difference").row(0)
    assert shown == tuple(map(Decimal, (target, posted, waiting, difference)))
    assert found.to_send().height == (difference != 0)
    assert found.findings == ()


def test_balances_are_summed_over_subledger_and_currency() -> None:
    several = rows(
        PLAN_BALANCES,
        [{"currency": "", "balance": Decimal(60)}, {"currency": "USD", "balance": Decimal(40)}],
        company="00001", ledger="BA", account_id="00000001", fiscal_year=2026, period=1,
    )  # fmt: skip
    held = Holdings(several, holdings(JAN).journals, in_flight())
    assert moves(revised(plan({"amount": Decimal(120)}), held)) == {("1", 1): Decimal(20)}


def test_what_folds_into_december_is_part_of_december() -> None:
    """Somebody posted a budget in period 13; the plan's December is what the ledger's must be."""
    known = chart("1=00060/60.5005")
    found = checked(
        plan({"company": "00060", "business_unit": "60", "member": "Dec 26"}), known, scope=YEARS
    )
    balances = rows(
        PLAN_BALANCES,
        [{"period": 12, "balance": Decimal(30)}, {"period": 13, "balance": Decimal(5)}],
        company="00060", ledger="BA", account_id="00000001", fiscal_year=2026,
    )  # fmt: skip
    lines = in_flight({"company": "00060", "gl_date": date(2026, 12, 31), "amount": Decimal(2)})
    held = Holdings(balances, balances.rename({"balance": "amount"}).drop("debit"), lines)
    cell = revise(found, held, YEARS, known).cells.row(0, named=True)
    assert (cell["posted"], cell["in_flight"], cell["difference"]) == (35, 2, 63)
    assert (cell["period"], cell["gl_date"]) == (12, date(2026, 12, 30))


def test_lines_of_others_on_their_way_count_and_ask_a_person() -> None:
    lines = in_flight(
        {"amount": Decimal(20)},
        {"amount": Decimal(5), "ours": False, "author": "EVE", "batch": "G 9"},
        {"amount": Decimal(9), "ours": False, "author": "EVE", "gl_date": date(2025, 12, 31)},
    )
    found = revised(plan({}), holdings(waiting=lines))
    assert moves(found) == {("1", 1): Decimal(75)}
    assert found.cells.select("in_flight", "others").row(0) == (25, 5)
    (finding,) = found.findings  # the line of another year is not ours to speak of
    assert (finding.rule, finding.severity) == ("others-in-flight", Severity.ASK)
    assert finding.amount == 5
    assert "EVE (batch G 9)" in finding.what


@pytest.mark.parametrize(
    "line",
    [
        {"account_id": "", "company": ""},  # named by its long number
        {"account_id": "00000099"},
        {"gl_date": date(2031, 1, 1)},
        {"gl_date": None},
    ],
)
def test_a_waiting_line_without_a_place_asks_a_person(line: dict[str, object]) -> None:
    found = revised(plan({}), holdings(waiting=in_flight(line | {"amount": Decimal(5)})))
    assert [(f.rule, f.amount) for f in found.findings] == [("in-flight-unplaced", 5)]


def test_a_waiting_line_without_company_takes_that_of_its_account() -> None:
    lines = in_flight({"company": "", "amount": Decimal(30)})
    assert moves(revised(plan({}), holdings(waiting=lines))) == {("1", 1): Decimal(70)}


def test_budgets_that_no_journal_explains_ask_a_person() -> None:
    found = revised(plan({}), holdings({(1, 1): 100, (3, 7): 40}, journals=JAN))
    (finding,) = found.findings
    assert (finding.rule, finding.severity) == ("content-without-journals", Severity.ASK)
    assert (finding.amount, finding.cells) == (40, 1)


def test_a_difference_too_long_for_the_ledger_is_refused() -> None:
    big = Decimal(9) * 10**12
    found = revised(plan({"amount": big}), holdings({(1, 1): -big}))
    assert found.to_send().is_empty()
    assert [f.rule for f in found.findings] == ["plan-amount"]


# ------------------------------------------------------------------------ partial and complete


def test_a_partial_plan_leaves_what_it_does_not_name() -> None:
    found = revised(plan({}), holdings({(1, 1): 100, (3, 1): 50}))
    assert found.to_send().is_empty()
    assert found.cells.height == 1


def test_a_complete_plan_brings_what_it_does_not_name_to_zero_apart() -> None:
    held = holdings({(1, 1): 100, (3, 1): 50, (3, 2): 7, (2, 1): 9})
    found = revised(plan({}), held, universe(last=Period(2026, 1)))
    assert moves(found) == {("3", 1): Decimal(-50)}  # 4010 and February are outside the universe
    assert found.cells.filter(pl.col("zeroed"))["account_id"].to_list() == ["00000003"]
    (finding,) = found.findings
    assert (finding.rule, finding.severity) == ("plan-zeroed", Severity.ASK)
    assert (finding.amount, finding.cells) == (-50, 1)


def test_what_is_on_its_way_goes_to_zero_too() -> None:
    lines = in_flight({"account_id": "00000003", "amount": Decimal(8)})
    found = revised(plan({}), holdings({(3, 1): 50} | JAN, lines), universe())
    assert moves(found) == {("3", 1): Decimal(-58)}


@pytest.mark.parametrize("row", [{"approved": False}, {"approver": ""}, {"amount": None}])
def test_a_cell_that_is_named_and_not_sent_is_not_zeroed(row: dict[str, object]) -> None:
    named = plan({}, {"account": "6000"} | row)
    assert moves(revised(named, holdings({(3, 1): 50} | JAN), universe())) == {}


def test_an_account_that_takes_no_journals_is_not_zeroed_and_told() -> None:
    found = revised(plan({}), holdings({(4, 1): 50} | JAN), universe())
    assert moves(found) == {}
    assert [f.rule for f in found.findings] == ["plan-account-closed"]


def test_closed_periods_are_not_zeroed() -> None:
    """In December 2025 a plan from `current + 2` on may not touch January."""
    named = plan({"member": "Mar 26"})
    found = revised(named, holdings({(3, 1): 50, (1, 3): 100}), universe(), first_period="2026-02")
    assert moves(found) == {}
    assert found.findings == ()  # nobody planned them, so nobody has to act


@pytest.mark.parametrize("row", [{"account": "404"}, {"member": "Jan 44"}, {"version": "x"}])
def test_nothing_is_zeroed_while_a_row_cannot_be_read(row: dict[str, object]) -> None:
    found = revised(plan({}, {"approved": False} | row), holdings({(3, 1): 50} | JAN), universe())
    assert moves(found) == {}
    assert [f.rule for f in found.findings] == ["plan-not-zeroed"]


def test_nothing_is_zeroed_without_a_control_export() -> None:
    found = revised(plan({}), holdings({(3, 1): 50} | JAN), universe(confirmed=False))
    assert moves(found) == {}
    assert [f.rule for f in found.findings] == ["plan-not-zeroed"]


# ------------------------------------------------------------------------ balancing ledgers


def test_a_ledger_that_must_balance_is_told_what_is_missing() -> None:
    found = revised(plan({}, {"account": "4010"}), holdings())
    assert out_of_balance(found.to_send(), ["BA"]) == []
    lame = revised(plan({}, {"account": "4010", "amount": Decimal(90)}), holdings())
    assert out_of_balance(lame.to_send(), ["BR"]) == []
    assert [f.amount for f in out_of_balance(lame.to_send(), ["BA"])] == [10]


# ------------------------------------------------------------------------ by a second path

CELLS = st.tuples(st.sampled_from([1, 3]), st.integers(1, 12))
CENTS = st.integers(-(10**6), 10**6).map(lambda n: Decimal(n) / 100)
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
OBJECTS = {1: "5005", 3: "6000"}


@settings(max_examples=40)
@given(
    target=st.dictionaries(CELLS, CENTS, min_size=1),
    posted=st.dictionaries(CELLS, CENTS),
    waiting=st.lists(st.tuples(CELLS, CENTS, st.booleans()), max_size=5),
    complete=st.booleans(),
)
def test_after_posting_the_ledger_equals_the_plan_and_a_second_run_moves_nothing(
    target: dict[tuple[int, int], Decimal],
    posted: dict[tuple[int, int], Decimal],
    waiting: list[tuple[tuple[int, int], Decimal, bool]],
    complete: bool,
) -> None:
    named = plan(
        *({"account": OBJECTS[n], "member": f"{MONTHS[p - 1]} 26", "amount": amount}
          for (n, p), amount in target.items())
    )  # fmt: skip
    lines = in_flight(
        *({"account_id": f"{n:08d}", "gl_date": date(2026, p, 3), "amount": amount, "ours": ours}
          for (n, p), amount, ours in waiting)
    )  # fmt: skip
    whole = universe() if complete else None
    found = revised(named, holdings(posted, lines), whole)
    after = dict(posted)
    for cell, amount, _ in waiting:
        after[cell] = after.get(cell, Decimal(0)) + amount
    before = dict(after)
    for (number, period), amount in moves(found).items():
        cell = (int(number), period)
        after[cell] = after.get(cell, Decimal(0)) + amount
    for cell in {*after, *target}:
        left = Decimal(0) if complete else before.get(cell, Decimal(0))
        assert after.get(cell, Decimal(0)) == target.get(cell, left)
    assert revised(named, holdings(after), whole).to_send().is_empty()


# ------------------------------------------------------------------------ a moved account


def entered(account_id: str, **more: object) -> pl.DataFrame:
    """What an earlier journal entered for the plan cell of `plan()`."""
    named = {
        "company": "00001", "ledger": "BA", "account_id": account_id.zfill(8),
        "fiscal_year": 2026, "period": 1, "account": "5005", "business_unit": "30",
        "member": "Jan 26", "subledger": "", "subledger_type": "",
    }  # fmt: skip
    return pl.DataFrame([named | more], schema=dict(ENTERED))


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ({(3, 1): 100}, True),  # entered under 30.6000, which nothing in the plan means now
        ({}, False),  # people have reversed it
        ({(3, 1): 0}, False),
    ],
)
def test_what_stands_under_an_account_the_plan_no_longer_means_stops_its_company(
    held: dict[tuple[int, int], int], told: bool
) -> None:
    found = checked(plan({"amount": Decimal(100)}), CHART, scope=YEARS)
    moved = revise(found, holdings(held), YEARS, CHART, entered=entered("3"))
    rules = {f.rule: f for f in moved.findings}
    assert ("plan-moved" in rules) == told
    if told:
        assert (rules["plan-moved"].amount, rules["plan-moved"].company) == (Decimal(100), "00001")
        assert rules["plan-moved"].severity is Severity.REJECT


@pytest.mark.parametrize(
    ("year", "period", "severity"), [(2026, 2, Severity.REJECT), (2025, 1, Severity.ASK)]
)
def test_what_stands_in_a_period_that_its_label_no_longer_means_stops_its_company_or_is_asked(
    year: int, period: int, severity: Severity
) -> None:
    found = checked(plan({"amount": Decimal(100)}), CHART, scope=YEARS)
    place = {"fiscal_year": year, "period": period}
    held = rows(
        PLAN_BALANCES, [place], company="00001", ledger="BA", account_id="00000001", currency="USD",
        balance=Decimal(100),
    )  # fmt: skip
    held = Holdings(held, holdings().journals, in_flight())
    moved = revise(found, held, YEARS, CHART, entered=entered("1", **place))
    (finding,) = [f for f in moved.findings if f.rule == "plan-moved"]
    assert (finding.amount, finding.severity) == (Decimal(100), severity)
    assert f"account id 00000001 in {year}-{period:02d}" in finding.what


def test_what_was_entered_under_the_same_account_or_for_another_cell_is_no_moved_plan() -> None:
    found = checked(plan({"amount": Decimal(100)}), CHART, scope=YEARS)
    for before in (entered("1"), entered("3", account="6000"), entered("3", member="Feb 26")):
        moved = revise(found, holdings({(3, 1): 100}), YEARS, CHART, entered=before)
        assert "plan-moved" not in {f.rule for f in moved.findings}


NEW, OLD, NONE = ("00001002", "A"), ("00001001", "A"), ("", "")
Subledger = tuple[str, str]


@pytest.mark.parametrize("where", ["posted", "waiting"])
@pytest.mark.parametrize(
    ("before", "standing", "told"),
    [
        (OLD, {OLD: 100}, "00001001"),
        (OLD, {OLD: 40, NEW: 60}, "00001001"),  # half of it was brought over by hand
        (OLD, {OLD: 0, NEW: 100}, None),  # all of it was
        (OLD, {}, None),
        (NONE, {NONE: 100}, "none"),
        (("00001002", "C"), {("00001002", "C"): 100}, "00001002"),
        (NEW, {NEW: 100}, None),
        (("1002", "A"), {NEW: 100}, None),  # JD Edwards fills it up with zeros
        (("1001", "A"), {OLD: 100}, "00001001"),
        (NEW, {OLD: 100}, None),  # somebody else's
    ],
)
def test_what_stands_under_a_subledger_that_the_plan_no_longer_means_stops_its_company(
    before: Subledger, standing: dict[Subledger, int], told: str | None, where: str
) -> None:
    known = chart("1=00001/30.5005", targets=targets("00001/5005/30=1#00001002/A"))
    found = checked(plan({"amount": Decimal(100)}), known, scope=YEARS)
    given = [
        {"subledger": name, "subledger_type": kind, "amount": Decimal(n), "balance": Decimal(n)}
        for (name, kind), n in standing.items()
    ]
    usual = {"company": "00001", "ledger": "BA", "account_id": "00000001"}
    held = rows(
        PLAN_BALANCES, [{k: v for k, v in row.items() if k != "amount"} for row in given],
        fiscal_year=2026, period=1, **usual,
    )  # fmt: skip
    lines = in_flight(*({k: v for k, v in row.items() if k != "balance"} for row in given))
    posted = where == "posted"
    ledger = Holdings(
        held if posted else held.clear(), holdings().journals, lines.clear() if posted else lines
    )
    old = entered("1", subledger=before[0], subledger_type=before[1])

    moved = revise(found, ledger, YEARS, known, entered=old)

    said = [f.what for f in moved.findings if f.rule == "plan-moved"]
    assert len(said) == (told is not None)
    assert all(f"00000001 in 2026-01 under subledger {told})" in what for what in said), said


def test_what_another_cell_left_under_a_subledger_of_the_account_counts_too() -> None:
    """Its approval was withdrawn: the account is meant by one cell that names another subledger."""
    known = chart("1=00001/30.5005", targets=targets("00001/5005/30=1#00001002/A"))
    found = checked(plan({"amount": Decimal(100)}), known, scope=YEARS)
    old = entered("1", account="6000")
    moved = revise(found, holdings({(1, 1): 30}), YEARS, known, entered=old)
    assert [f.amount for f in moved.findings if f.rule == "plan-moved"] == [Decimal(30)]
