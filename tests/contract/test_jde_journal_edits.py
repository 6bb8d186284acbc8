"""What keeps a journal out of the ledger, and what is only a warning."""

from __future__ import annotations

import pytest
from journal_practice import LABOR, RENT, Desk, documents, messages


def test_a_document_belongs_to_one_company(desk: Desk) -> None:
    """J110"""
    (other,) = desk.plain("00060", 1)
    assert set(messages(desk.plan((RENT, "1"), (other, "2"), Reference2="A"))) == {"CO"}
    assert set(messages(desk.plan((other, "2"), Reference2="B"))) == {"CO"}
    desk.ais.switch("multi_company", "accept")
    desk.plan((RENT, "1"), (other, "2"), Reference2="C")
    lines = [(r["F0911_KCO"], r["F0911_CO"], r["F0911_PN"]) for r in desk.journal("C")]
    assert lines == [("00001", "00001", 1), ("00001", "00060", 1)]
    assert desk.journal("A") == desk.journal("B") == []


def test_without_a_company_the_first_account_decides(desk: Desk) -> None:
    """J110"""
    (account,) = desk.plain("00090", 1)
    desk.plan((account, "1.234"), Company=None)
    assert {(r["F0911_KCO"], r["F0911_CO"], r["F0911_CRCD"]) for r in desk.journal()} == {
        ("00090", "00090", "KWD")
    }


# company, G/L date, what is said: a company of calendar months is in December 2025, 00090 too,
# which is the third period of its year.
DATES = (
    ("00001", "2025-12-31", "", ""), ("00001", "2026-01-31", "", ""),
    ("00001", "2026-02-28", "", "WACO"), ("00001", "2027-12-31", "", "WACO"),
    ("00001", "2025-11-30", "", "PBCO"), ("00001", "2024-12-31", "PYEB", ""),
    ("00001", "2028-01-31", "F0008", ""), ("00090", "2026-01-31", "", ""),
    ("00090", "2026-02-28", "", "PACO"), ("00090", "2026-09-30", "", "PACO"),
    ("00090", "2026-10-31", "", "WACO"), ("00060", "2025-12-30", "", ""),
    ("00060", "2025-12-31", "", ""), ("00200", "2025-11-22", "", "PBCO"),
)  # fmt: skip


@pytest.mark.parametrize(("company", "day", "error", "warning"), DATES)
def test_a_date_is_silent_a_warning_or_an_error(
    desk: Desk, company: str, day: str, error: str, warning: str
) -> None:
    """J111 J112"""
    (account,) = desk.plain(company, 1)
    answer = desk.plan((account, "5"), Company=company, GLDate=day)
    assert messages(answer) == ([error] if error else [])
    assert messages(answer, "Warnings") == ([warning] if warning else [])
    assert len(desk.journal()) == (0 if error else 1)


def test_the_day_after_period_twelve_is_period_thirteen(desk: Desk) -> None:
    """J109 J111"""
    (account,) = desk.plain("00060", 1)
    for day in ("2025-12-30", "2025-12-31"):
        desk.plan((account, "5"), Company="00060", GLDate=day)
    assert {row["F0911_PN"] for row in desk.journal()} == {12, 13}


def test_a_prior_year_entry_has_a_type_of_its_own(desk: Desk) -> None:
    """J111"""
    answer = desk.plan(GLDate="2024-12-31", DocumentType="##")
    assert (messages(answer, "Warnings"), len(documents(answer))) == (["PYEB"], 1)


def test_the_ledger_constant_may_forbid_periods_before_the_current_one(desk: Desk) -> None:
    """J111"""
    desk.ais.switch("pbco", "error")
    assert messages(desk.plan(GLDate="2025-11-30")) == ["PBCO"]
    assert desk.journal() == []


def test_a_year_without_date_pattern_takes_nothing(desk: Desk) -> None:
    """J112"""
    assert len(documents(desk.plan(GLDate="2027-06-30", Reference2="BEFORE"))) == 1
    desk.ledger.delete("F0008", {"DTPN": "R", "FY": 27})
    assert messages(desk.plan(GLDate="2027-06-30")) == ["F0008"]
    assert messages(desk.plan(GLDate=None)) == ["DGJ"]
    assert desk.journal() == []


def test_warnings_may_be_treated_as_errors(desk: Desk) -> None:
    """J113"""
    desk.ais.switch("warnings_block", True)
    assert messages(desk.plan(GLDate="2026-06-30")) == ["WACO"]
    assert desk.journal() == []
    assert len(documents(desk.plan(GLDate="2026-01-31"))) == 1


REFUSED_ACCOUNTS = (
    ("30.9200", "PEC"), ("30.9300", "PEC"), ("1.1291", "PEC"), ("40.6450", "0069"),
    ("30.8740", "SBL"), ("30.8741", "SBL"), ("30.9100", "U"), ("00099999", "AID"),
    ("12001", "AID"), ("", "AID"),
)  # fmt: skip


@pytest.mark.parametrize(("account", "code"), REFUSED_ACCOUNTS)
def test_an_account_that_takes_no_journal_keeps_it_back(
    desk: Desk, account: str, code: str
) -> None:
    """J114 J115"""
    answer = desk.plan((account, "5"))
    assert messages(answer)[0] == code
    assert (desk.journal(), len(desk.waiting())) == ([], 1)


def test_a_short_id_is_text_of_eight_digits_and_no_number(desk: Desk) -> None:
    """J114"""
    account = desk.account(RENT)
    lines = [{"AccountId": int(account), "Amount": 5}]
    assert messages(desk.plan(Lines=lines)) == ["AID"]


def test_a_budget_account_takes_budget_ledgers_only(desk: Desk) -> None:
    """J114"""
    assert len(documents(desk.plan(("30.9000", "5")))) == 1
    answer = desk.plan(("30.9000", "5"), (LABOR, "-5"), LedgerType="AA")
    assert messages(answer) == ["PEC"]


def test_a_subledger_is_forbidden_where_the_account_says_so(desk: Desk) -> None:
    """J114"""
    account = desk.account(RENT)
    desk.ledger.update("F0901", {"PEC": "X"}, {"AID": account})
    line = {"AccountId": account, "Amount": "5", "Subledger": "00001001", "SubledgerType": "A"}
    assert messages(desk.plan(Lines=[line])) == ["SBL"]
    del line["Subledger"]
    assert messages(desk.plan(Lines=[line], Reference2="TYPE")) == ["SBLT"]
    assert len(documents(desk.plan((account, "5")))) == 1


def test_a_line_needs_an_amount_or_units(desk: Desk) -> None:
    """J114"""
    assert messages(desk.plan((RENT, "0"))) == ["AA"]
    assert messages(desk.plan(Lines=[{"AccountId": desk.account(RENT)}])) == ["AA"]
    units = [{"AccountId": desk.account("30.9100"), "Units": "3"}]
    assert len(documents(desk.plan(Lines=units))) == 1


def test_actuals_must_balance_and_a_budget_need_not(desk: Desk) -> None:
    """J116"""
    assert len(documents(desk.plan())) == 1
    assert messages(desk.plan(LedgerType="AA", Reference2="ACTUAL")) == ["BAL"]
    desk.ledger.update("F0025", {"FLRB": "Y"}, {"LT": "BA"})
    assert messages(desk.plan(Reference2="MUST")) == ["BAL"]
    assert len(documents(desk.plan((RENT, "7"), (LABOR, "-7"), Reference2="EVEN"))) == 1


def test_a_ledger_or_document_type_nobody_defined_is_refused(desk: Desk) -> None:
    """J116 J123"""
    assert set(messages(desk.plan(LedgerType="ZZ"))) == {"LT"}
    assert messages(desk.plan(DocumentType="XX")) == ["DCT"]
    assert desk.journal() == []


def test_all_errors_of_a_transaction_are_told_at_once(desk: Desk) -> None:
    """J102 J094"""
    answer = desk.plan(("30.9200", "5"), ("30.9300", "0"), GLDate="2024-01-31")
    assert messages(answer) == ["PEC", "AA", "PEC", "PYEB"]
