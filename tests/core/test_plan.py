"""Plan amounts become ledger cells, or a finding says why not; all findings are told at once."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import polars as pl
import pytest
from core_frames import buckets, mapping
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_frames import actuals, chart, checked, plan, targets, told, years

from tieout.core.cells import fold
from tieout.core.findings import RULES, Severity
from tieout.core.frames import PLAN_CELLS, PLAN_CONTROL, empty
from tieout.core.plan import control_findings
from tieout.core.plan_rules import CELL_FAULTS, ROW_FAULTS

ONE = chart("1=00001/30.5005", "2=00001/30.4010")


def refused(cells: pl.DataFrame) -> list[str]:
    """Why rows may not be sent."""
    return [reason for reason in cells["reason"].to_list() if reason]


# ------------------------------------------------------------------------ what it becomes


def test_an_approved_amount_means_one_account_one_period_and_its_end_date() -> None:
    found = checked(plan({}), ONE)
    assert found.findings == ()
    assert found.unread.is_empty()
    row = found.cells.row(0, named=True)
    assert found.cells.schema == pl.Schema(dict(PLAN_CELLS))
    assert (row["company"], row["ledger"], row["account_id"]) == ("00001", "BA", "00000001")
    assert (row["fiscal_year"], row["period"], row["gl_date"]) == (2026, 1, date(2026, 1, 31))
    assert (row["target"], row["currency"], row["reason"]) == (Decimal(100), "USD", "")


def test_revenue_comes_back_as_a_credit_by_the_sign_table_of_actuals() -> None:
    found = checked(plan({"account": "4010", "amount": Decimal(70)}), ONE)
    assert found.cells.select("target", "sign").rows() == [(Decimal(-70), -1)]


def test_a_third_of_a_year_is_rounded_once_and_the_total_rounding_is_told() -> None:
    third = Decimal("83.333333333333333333")
    found = checked(plan(*({"amount": third, "member": f"{m} 26"} for m in ("Jan", "Feb"))), ONE)
    assert found.cells["target"].to_list() == [Decimal("83.33")] * 2
    assert found.rounded == {"USD": 2 * (Decimal("83.33") - third)}
    assert "-0.006666666666666666" in found.findings[-1].what


@pytest.mark.parametrize(
    ("company", "member", "gl_date", "period"),
    [
        ("00060", "Dec 26", date(2026, 12, 30), (2026, 12)),  # 13 folds into 12, which ends before
        ("00090", "Nov 25", date(2025, 11, 30), (2025, 2)),  # October to September
        ("00200", "Jan 26", date(2026, 1, 24), (2026, 1)),  # 4-4-5: no month end
    ],
)
def test_the_gl_date_is_the_period_end_of_the_companys_own_calendar(
    company: str, member: str, gl_date: date, period: tuple[int, int]
) -> None:
    known = chart(f"1={company}/30.5005")
    found = checked(plan({"company": company, "member": member}), known, first_period="2024-01")
    assert found.cells.select("gl_date").item() == gl_date
    assert found.cells.select("fiscal_year", "period").row(0) == period


def test_a_separate_thirteenth_period_is_written_at_its_own_end() -> None:
    table = {("A", 2026, 13): "P13 26", ("A", 2026, 12): "Dec 26"}
    within = years("00060", period_13={"00060": "separate"}, members=table)
    known = chart("1=00060/60.5005")
    rows = plan({"company": "00060", "business_unit": "60", "member": "P13 26"})
    assert checked(rows, known, scope=within).cells["gl_date"].to_list() == [date(2026, 12, 31)]


def test_a_thirteenth_period_that_ends_with_the_twelfth_cannot_be_written() -> None:
    table = {("R", 2026, 13): "P13 26"}
    within = years("00001", period_13={"default": "separate"}, members=table)
    assert told(checked(plan({"member": "P13 26"}), ONE, scope=within)).keys() == {"plan-period"}


def test_a_version_goes_to_its_ledger() -> None:
    rows = plan({"version": "Forecast"}, {"version": "Budget"}, {"version": "Draft"})
    ledgers = {"Budget": "BA", "Forecast": "JA"}
    found = checked(rows, ONE, ledgers=ledgers, allowed=("BA", "JA"))
    assert found.cells["ledger"].to_list() == ["BA", "JA"]
    assert told(found)["plan-version"] == ("version Draft", Decimal(100), 1)


# ------------------------------------------------------------------------ accounts


def test_a_plan_finds_its_account_through_the_mapping_of_actuals_of_that_period() -> None:
    known = chart(
        "1=00001/30.5005", "2=00001/30.5006", code="object",
        account=mapping("5005>OLD", "5005>NEW@2026-02", "5006>OLD@2026-02"),
    )  # fmt: skip
    rows = plan(*({"account": "OLD", "member": f"{m} 26"} for m in ("Jan", "Feb")))
    assert checked(rows, known).cells["account_id"].to_list() == ["00000001", "00000002"]


def test_several_accounts_behind_a_plan_cell_need_a_named_target() -> None:
    codes = ("1=00001/30.5005", "2=00001/30.5005.TRAVEL")
    found = checked(plan({}), chart(*codes, code="object"))
    assert found.cells.is_empty()
    assert found.unread.height == 1
    assert "account id 00000001, 00000002" in found.findings[0].what
    named = chart(*codes, code="object", targets=targets("00001/5005/30=2#7/A"))
    row = checked(plan({}), named).cells.row(0, named=True)
    assert (row["account_id"], row["subledger"], row["subledger_type"]) == ("00000002", "7", "A")


def test_codes_are_compared_and_never_put_together() -> None:
    """`30` + `5005` and `305` + `005` are one text and two accounts."""
    known = chart("1=00001/305.005", "2=00001/30.5005")
    assert checked(plan({}), known).cells["account_id"].to_list() == ["00000002"]
    assert told(checked(plan({"business_unit": "3", "account": "05005"}), known)).keys() == {
        "plan-account"
    }


def test_another_companys_account_is_never_written() -> None:
    known = chart("1=00060/30.5005")
    found = checked(plan({}), known)
    assert found.cells.is_empty()
    assert "account of company 00060" in found.findings[0].what
    named = chart("1=00060/60.5005", targets=targets("00001/5005/30=1"))
    assert told(checked(plan({}), named)).keys() == {"plan-account-company"}
    recoded = chart("1=00001/30.5005", units={"30": "00060"})
    assert refused(checked(plan({}), recoded).cells) == ["plan-account-company"]


def test_companies_that_share_a_code_are_told_apart_by_their_accounts() -> None:
    known = chart("1=00001/30.5005", "2=00060/60.5005", company=mapping("00060>00001"))
    rows = plan({}, {"business_unit": "60"})
    assert checked(rows, known).cells.select("company", "account_id").rows() == [
        ("00001", "00000001"), ("00060", "00000002"),
    ]  # fmt: skip


# ------------------------------------------------------------------------ everything that is wrong


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"company": "99999"}, "plan-company"),
        ({"member": "Jan 31"}, "plan-period"),  # F0008 ends in 2027
        ({"account": "7777"}, "plan-account"),
        ({"amount": None}, "plan-amount"),
        ({"amount": Decimal(10) ** 13}, "plan-amount"),  # sixteen digits with the cents
        ({"amount": -(Decimal(10) ** 19)}, "plan-amount"),
        ({"currency": "EUR"}, "plan-currency"),
        ({"approver": ""}, "plan-approver"),
        ({"member": "Nov 25"}, "period-closed"),  # PBCO
        ({"member": "Dec 24"}, "period-closed"),  # PYEB
        ({"member": "Dec 25"}, "before-switchover"),
    ],
)
def test_what_is_wrong_with_a_row_is_a_finding_and_the_row_is_not_sent(
    row: dict[str, object], rule: str
) -> None:
    found = checked(plan({}, row), ONE)
    if row.keys() & {"amount", "currency", "approver"}:
        found = checked(plan(row), ONE)
    finding = next(f for f in found.findings if f.rule == rule)
    assert finding.severity is Severity.REJECT
    assert finding.subject
    assert finding.remedy
    assert set(found.cells.filter(pl.col("reason") != "")["reason"].to_list()) <= {rule}
    good = 0 if row.keys() & {"amount", "currency", "approver"} else 1
    assert found.cells.filter(pl.col("reason") == "").height == good


@pytest.mark.parametrize("code", ["I", "N", "P", "M", "S", "U", "?"])
def test_an_account_that_takes_no_budget_journal_is_refused(code: str) -> None:
    found = checked(plan({}), chart(f"1=00001/30.5005:{code}"))
    assert refused(found.cells) == ["plan-account-closed"]
    assert f"code {code}" in found.findings[0].what


@pytest.mark.parametrize("code", ["", "B"])
def test_an_open_or_budget_only_account_is_written(code: str) -> None:
    assert checked(plan({}), chart(f"1=00001/30.5005:{code}")).findings == ()


def test_a_locked_original_budget_asks_a_person() -> None:
    found = checked(plan({}), chart("1=00001/30.5005:K"))
    assert [f.severity for f in found.findings] == [Severity.ASK]
    assert refused(found.cells) == []


@pytest.mark.parametrize(
    ("code", "target", "good"),
    [("L", "1", False), ("L", "1#7/A", True), ("X", "1", True), ("X", "1#7/A", False)],
)
def test_a_subledger_is_there_exactly_where_the_account_wants_one(
    code: str, target: str, good: bool
) -> None:
    known = chart(f"1=00001/30.5005:{code}", targets=targets(f"00001/5005/30={target}"))
    assert refused(checked(plan({}), known).cells) == ([] if good else ["plan-subledger"])


def test_an_account_in_another_currency_and_a_closed_unit_are_refused() -> None:
    foreign = chart("1=00001/30.5005:/EUR")
    assert refused(checked(plan({}), foreign).cells) == ["plan-account-currency"]
    closed = chart("1=00001/30.5005", closed_units={"30": "N"})
    assert refused(checked(plan({}), closed).cells) == ["plan-unit-closed"]


@pytest.mark.parametrize(
    ("ledger", "allowed"),
    [
        *((ledger, ledger) for ledger in ["AA", "AC", "CA", "XA", "YA", "ZA", "AZ", "AU", "CU"]),
        ("", ""), ("JA", "BA"), ("BX", "BX"), ("BB", "BB"), ("BU", "BU"), ("BE", "BE"),
    ],
)  # fmt: skip
def test_a_ledger_that_is_not_an_allowed_budget_ledger_is_never_written(
    ledger: str, allowed: str
) -> None:
    found = checked(plan({}), ONE, ledgers={"": ledger}, allowed=(allowed,))
    assert [f.rule for f in found.findings] == ["ledger-refused"]
    assert refused(found.cells) == ["ledger-refused"]


def test_two_rows_of_one_cell_are_both_refused() -> None:
    found = checked(plan({}, {"amount": Decimal(7), "approved": False}), ONE)
    assert told(found)["plan-duplicate"][2] == 1  # the one that is approved
    assert "plan-duplicate" in found.cells["reason"].to_list()


def test_two_plan_cells_of_one_account_are_both_refused() -> None:
    known = chart("1=00001/30.5005", targets=targets("00001/5006/30=1"))
    found = checked(plan({}, {"account": "5006"}), known)
    assert refused(found.cells) == ["plan-same-account"] * 2


def test_periods_beyond_the_next_are_recorded_and_accepted() -> None:
    rows = plan(*({"member": f"{m} 26"} for m in ("Jan", "Feb", "Dec")))
    found = checked(rows, ONE)
    assert [(f.severity, f.member) for f in found.findings] == [
        (Severity.NOTE, "Dec 26"), (Severity.NOTE, "Feb 26"),
    ]  # fmt: skip
    assert "WACO" in found.findings[0].what
    assert refused(found.cells) == []


def test_an_expense_planned_as_a_credit_asks_a_person() -> None:
    had = actuals(a1=500, a2=-900)
    rows = plan({"amount": Decimal(-5)}, {"account": "4010", "amount": Decimal(5)})
    found = checked(rows, ONE, usual=had)
    assert [(f.rule, f.severity, f.amount) for f in found.findings] == [
        ("plan-sign", Severity.ASK, Decimal(-5))
    ]


def test_unapproved_amounts_are_noted_and_kept_apart() -> None:
    found = checked(plan({}, {"account": "4010", "approved": False}), ONE)
    assert told(found)["plan-unapproved"] == ("company 00001", Decimal(100), 1)
    assert found.cells["reason"].to_list() == ["", "plan-unapproved"]


def test_everything_wrong_is_told_at_once() -> None:
    known = chart("1=00001/30.5005:I/EUR", closed_units={"30": "N"})
    row = {"currency": "EUR", "member": "Nov 25", "approver": "", "amount": Decimal(10) ** 14}
    found = checked(plan(row), known, ledgers={"": "AA"})
    rules = {f.rule for f in found.findings}
    assert rules == {
        "ledger-refused", "plan-currency", "plan-approver", "plan-account-closed", "plan-amount",
        "plan-account-currency", "plan-unit-closed", "period-closed",
    }  # fmt: skip
    assert set(found.cells["reason"].item().split()) == rules


@pytest.mark.parametrize("column", ["company", "account", "business_unit", "member", "version"])
def test_a_row_with_a_blank_code_does_not_fall_out_silently(column: str) -> None:
    found = checked(plan({}, {column: None}), ONE, ledgers={"": "BA"})
    if column == "version":
        assert told(found).keys() == {"plan-duplicate"}  # an export without versions says nothing
    else:
        assert found.unread.height == 1
        assert found.findings[0].severity is Severity.REJECT


def test_what_does_not_say_approved_is_not_approved() -> None:
    found = checked(plan({"approved": None}), ONE)
    assert found.cells["reason"].to_list() == ["plan-unapproved"]
    assert told(found).keys() == {"plan-unapproved"}


def test_absurd_amounts_are_refused_and_no_sum_of_them_runs_over() -> None:
    huge = Decimal(9) * 10**19
    found = checked(plan({"amount": huge}, {"amount": -huge, "account": "4010"}), ONE)
    assert refused(found.cells) == ["plan-amount"] * 2
    many = plan(*({"amount": huge, "account": str(n)} for n in range(9)))
    assert len(control_findings(many, empty(PLAN_CONTROL))) == 1


def test_a_company_is_known_by_its_code_in_anaplan() -> None:
    known = chart("1=00001/30.5005", company=mapping("00001>US01"))
    assert told(checked(plan({}), known)).keys() == {"plan-company"}
    assert checked(plan({"company": "US01"}), known).cells["company"].to_list() == ["00001"]


def test_every_rule_of_a_plan_is_explained_and_names_who_can_help() -> None:
    for fault in (*ROW_FAULTS, *CELL_FAULTS):
        assert fault.rule in RULES
        assert fault.remedy or fault.severity is Severity.NOTE


# ------------------------------------------------------------------------ there and back


@settings(max_examples=40)
@given(st.data())
def test_a_plan_written_to_the_ledger_and_loaded_as_actuals_is_the_plan_again(
    data: st.DataObject,
) -> None:
    """The mapping, signs and periods of the way back are those of the way there."""
    numbers = range(1, 7)
    objects = data.draw(st.permutations(["4000", "4999", "49995", "5005", "000456", "456"]))
    table = mapping(
        *data.draw(
            st.lists(
                st.sampled_from(
                    [
                        "4000>R1",
                        "5005>R2@2026-03",
                        "456>R3",
                        "4999>4999x@2026-05",
                        "5005>R4@2026-07",
                    ]
                ),
                unique=True,
            )
        )
    )
    units = mapping(*data.draw(st.lists(st.sampled_from(["30>C", "31>D@2026-04"]), unique=True)))
    known = chart(
        *(f"{n}=00001/{30 + n % 2}.{o}" for n, o in zip(numbers, objects, strict=True)),
        account=table, business_unit=units,
    )  # fmt: skip
    members = [f"{m} 26" for m in ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul"]]
    cells = data.draw(
        st.lists(
            st.tuples(st.sampled_from(numbers), st.sampled_from(members)), unique=True, min_size=1
        )
    )
    within = years()
    everything = buckets(
        *({"account_id": f"{n:08d}", "fiscal_year": 2026, "amount": 1, "ledger": "BA",
           "period": members.index(m) + 1} for n, m in cells)
    )  # fmt: skip
    dims = {"account": table, "business_unit": units}
    shown = fold(everything, known.accounts, within.member_frame(), code=known.code,
                 flip=("4000-4999",), tables=dims)  # fmt: skip
    amounts = st.decimals(-(10**9), 10**9, places=6)
    rows = plan(
        *(row | {"amount": data.draw(amounts)}
          for row in shown.select("company", "account", "business_unit", "member").to_dicts())
    )  # fmt: skip
    found = checked(rows, known, scope=within)
    assert found.unread.is_empty()
    assert refused(found.cells) == []
    written = buckets(
        *({"account_id": c["account_id"], "fiscal_year": c["fiscal_year"], "ledger": "BA",
           "period": c["period"], "amount": c["target"]} for c in found.cells.to_dicts())
    )  # fmt: skip
    back = fold(written, known.accounts, within.member_frame(), code=known.code,
                flip=("4000-4999",), tables=dims)  # fmt: skip
    key = ["company", "account", "business_unit", "member"]
    expected = {
        tuple(row[k] for k in key): row["amount"].quantize(Decimal("0.01"), ROUND_HALF_UP)
        for row in rows.to_dicts()
    }
    assert {row[:4]: row[4] for row in back.select(*key, "value").rows()} == expected
