"""Claims about what `tieout doctor --ledger` finds out of a ledger before it is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from books import Books

from tieout.store.seats import Room, Seat, Sitter
from tieout.verbs import checking_ledger, doctoring, setting_up
from tieout.verbs.checking import Check, Looking

LINES = 600
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "doctor.md"
CODES = {
    "ledger-companies", "ledger-calendars", "ledger-codes", "ledger-batches", "ledger-stamps",
    "ledger-history", "ledger-balances", "ledger-speed", "ledger-clock", "ledger-decimals",
    "ledger-rules", "ledger-constants",
}  # fmt: skip


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path / "home", lines=LINES)
    yield made
    made.close()


def probed(books: Books) -> list[Check]:
    looking = Looking(books.instance.environment, clock=books.instance.clock)
    books.requests("jde")
    return list(checking_ledger.ledgers(looking, books.instance))


def told(checks: list[Check], code: str, state: str) -> list[str]:
    return [check.what for check in checks if (check.code, check.state) == (code, state)]


def test_a_ledger_in_good_health_is_told_question_by_question_and_the_session_is_ended(
    books: Books,
) -> None:
    checks = probed(books)

    assert {check.code for check in checks} == CODES
    assert all(f"| `{code}` |" in REFERENCE.read_text(encoding="utf-8") for code in CODES)
    assert not [check for check in checks if check.state == "trouble"]
    (lines,) = told(checks, "ledger-companies", "good")
    assert "00060 104" in lines, "posted lines by company"
    assert told(checks, "ledger-balances", "good")
    brought_forward, summarized = told(checks, "ledger-history", "notice")
    assert "(BF)" in brought_forward, "the demo company has lines that stand for purged ones"
    assert "summarized" in summarized
    (rules,) = told(checks, "ledger-rules", "good")
    assert "AA must balance, closes to retained earnings" in rules
    (amounts,) = told(checks, "ledger-decimals", "good")
    assert all(f" {currency}" in amounts for currency in ("USD", "JPY", "KWD", "EUR"))
    (constants,) = told(checks, "ledger-constants", "good")
    assert "manager approval yes" in constants
    assert not books.systems.jde.sessions, "no session is left at JD Edwards"


def test_a_posting_that_died_half_way_is_seen_in_lines_that_do_not_sum_up_to_balances(
    books: Books,
) -> None:
    died = books.event("died_post")

    (words,) = told(probed(books), "ledger-balances", "notice")

    assert f"do not agree in {died['company']} AA" in words


def test_a_company_that_the_user_may_not_see_is_named_with_who_can_change_that(
    books: Books,
) -> None:
    applied = books.store.config()
    assert applied is not None
    text = applied.text.replace('companies = ["00001"', 'companies = ["00999", "00001"', 1)
    assert text != applied.text
    setting_up.apply_project(books.instance, text)

    (check,) = [one for one in probed(books) if one.state == "trouble"]

    assert (check.code, check.exit_code) == ("ledger-companies", 3)
    assert check.what == "erp shows no company 00999 in F0010."
    assert "security administrator" in check.who


def test_when_runs_have_all_sessions_nobody_is_kept_waiting_and_it_is_said(books: Books) -> None:
    store = books.store
    for run in ("one", "two"):
        seat = Seat(
            store.database, Room("erp", 2, store.safe.keys),
            Sitter(run, store.database.executor), store.clock,
        )  # fmt: skip
        assert seat.take_free() is not None

    (check,) = probed(books)

    assert (check.code, check.state) == ("ledger", "notice")
    assert "All sessions that erp allows are in use" in check.what
    assert books.requests("jde") == []


def test_when_jd_edwards_lets_nobody_in_the_rest_is_told_all_the_same(books: Books) -> None:
    books.fault("jde", "status", path="tokenrequest$", times=9, status=403)

    found = doctoring.examine(Looking(books.instance.environment, port=0, ledger=True))

    checks = {check["code"]: check for check in found["checks"]}
    assert checks["ledger"]["state"] == "trouble"
    assert checks["records"]["state"] == "good"
    assert found["exit_code"] == checks["ledger"]["exit_code"] != 0


def test_amounts_that_come_as_the_digits_of_the_database_are_trouble(books: Books) -> None:
    books.fault(
        "jde", "replace", path="dataservice$", body_match="00090.*BROWSE|BROWSE.*00090", times=99,
        find=r'"F0911_AA":(-?)(\d+)\.(\d{3})', body=r'"F0911_AA":\1\2\3',
    )  # fmt: skip

    (check,) = [one for one in probed(books) if one.state == "trouble"]

    assert check.code == "ledger-decimals"
    assert "wrong by 1000 times" in check.what


def test_stamps_ahead_of_every_zone_and_a_server_whose_clock_is_off_are_trouble(
    books: Books,
) -> None:
    assert told(probed(books), "ledger-clock", "notice"), "nothing was posted lately"
    books.event("late_post")
    (words,) = told(probed(books), "ledger-clock", "good")
    assert "3 days again" in words
    books.set_actuals("overlap_days = 0")
    assert told(probed(books), "ledger-clock", "notice")

    books.fault(
        "jde", "status", path="defaultconfig$", status=200, body="{}", times=9,
        headers={"Date": "Sat, 01 Jan 2000 00:00:00 GMT"},
    )  # fmt: skip
    assert told(probed(books), "ledger-clock", "trouble")


def test_constants_that_let_closed_periods_move_are_told_with_what_to_do(books: Books) -> None:
    books.systems.jde.ledger.update("F0009", {"PBCO": "Y", "ALIA": "Y"}, {"SY": "09"})

    (check,) = [c for c in probed(books) if c.code == "ledger-constants"]

    assert check.state == "notice"
    assert "locked_through" in check.do
    books.systems.jde.ledger.delete("F0009", {"SY": "09"})
    (check,) = [c for c in probed(books) if c.code == "ledger-constants"]
    assert "shows no general accounting constants" in check.what


def test_a_ledger_that_has_no_rules_is_trouble_before_it_is_loaded(books: Books) -> None:
    books.systems.jde.ledger.delete("F0025", {"LT": "AA"})

    (check,) = [one for one in probed(books) if one.state == "trouble"]

    assert (check.code, check.exit_code) == ("ledger-rules", 3)
