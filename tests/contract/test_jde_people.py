"""What people at JD Edwards do with a batch of ours: approve, post, void, edit, add to, delete."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from expected import Expected, differing
from journal_practice import LABOR, RENT, Desk, documents

JANUARY = (2026, 1)


def entered(desk: Desk, **inputs: str) -> int:
    """Enter the usual plan; its batch number."""
    return int(desk.plan(**inputs).json()["BatchNumber"])


def posted(desk: Desk, **inputs: str) -> int:
    """The same, approved and posted."""
    batch = entered(desk, **inputs)
    desk.people("approve", batch)
    assert desk.people("post", batch)["status"] == "D"
    return batch


def state(desk: Desk) -> list[tuple[object, ...]]:
    """Line, amount and posted code of the plan's rows."""
    return [(r["F0911_JELN"], r["F0911_AA"], r["F0911_POST"]) for r in desk.journal()]


def balances(desk: Desk) -> list[int]:
    return [desk.held(desk.account(code), "BA", *JANUARY) for code in (RENT, LABOR)]


def test_posting_moves_the_balances_of_that_ledger_and_marks_batch_and_lines(desk: Desk) -> None:
    """J124"""
    actuals = desk.ledger.rows("F0902", {"LT": "AA"})
    batch = entered(desk)
    assert desk.people("approve", batch)["status"] == "A"
    assert (balances(desk), desk.header(batch)["F0011_IAPP"]) == ([0, 0], "A")
    desk.people("post", batch)
    assert balances(desk) == [10_025, -4_000]
    assert state(desk) == [(1, Decimal("100.25"), "P"), (2, -40, "P")]
    assert desk.header(batch)["F0011_IST"] == "D"
    assert desk.ledger.rows("F0902", {"LT": "AA"}) == actuals


def test_a_posted_budget_ties_by_a_second_path_and_leaves_actuals_alone(
    desk: Desk, tmp_path: Path
) -> None:
    """J124"""
    expected = Expected(tmp_path / "jde.sqlite")
    actuals = expected.lines(), expected.balances()
    for company, day in (("00060", "2025-12-31"), ("00070", "2026-06-30"), ("00090", "2026-03-31")):
        lines = [(account, "7") for account in desk.plain(company)]
        batch = desk.plan(*lines, Company=company, GLDate=day).json()["BatchNumber"]
        desk.people("approve", batch)
        desk.people("post", batch)
    assert differing(expected.lines(("BA",)), expected.balances(("BA",))) == {}
    held = {k: a for k, a in expected.balances(("BA",)).items() if k.company != "00001"}
    assert {(k.company, k.fiscal_year, k.period, k.currency) for k in held} == {
        ("00060", 2025, 13, "USD"), ("00070", 2026, 6, "JPY"), ("00090", 2025, 6, "KWD"),
    }  # fmt: skip
    assert set(held.values()) == {7}
    assert (expected.lines(), expected.balances()) == actuals
    expected.close()


def test_a_second_budget_adds_to_the_first(desk: Desk) -> None:
    """J124"""
    posted(desk)
    posted(desk)
    assert balances(desk) == [20_050, -8_000]


def test_nobody_posts_what_is_not_approved_or_approves_twice(desk: Desk) -> None:
    """J124"""
    batch = entered(desk)
    assert "not approved" in desk.refused("post", batch)
    desk.people("approve", batch)
    assert "not pending" in desk.refused("approve", batch)
    desk.people("post", batch)
    assert "not approved" in desk.refused("post", batch)
    assert balances(desk) == [10_025, -4_000]
    assert "no batch" in desk.refused("post", 1)


@pytest.mark.parametrize("cause", ["account", "unit", "date", "balance"])
def test_a_batch_with_an_error_is_not_posted(desk: Desk, cause: str) -> None:
    """J125"""
    batch = entered(desk)
    desk.people("approve", batch)
    if cause == "account":
        desk.ledger.update("F0901", {"PEC": "I"}, {"AID": desk.account(RENT)})
    elif cause == "unit":
        desk.ledger.update("F0006", {"PECC": "N"}, {"MCU": "30"})
    elif cause == "date":
        desk.ledger.delete("F0008", {"DTPN": "R", "FY": 26})
    else:
        desk.ledger.update("F0025", {"FLRB": "Y"}, {"LT": "BA"})
    answer = desk.people("post", batch)
    assert (answer["status"], answer["touched"]) == ("E", [])
    assert answer["errors"]
    assert "not approved" in desk.refused("post", batch)
    assert (balances(desk), desk.header(batch)["F0011_IST"]) == ([0, 0], "E")
    assert {row["F0911_POST"] for row in desk.journal()} == {" "}


@pytest.mark.parametrize(("moved", "held"), [(False, [0, 0]), (True, [10_025, 0])])
def test_a_post_that_dies_leaves_the_batch_in_use(desk: Desk, moved: bool, held: list[int]) -> None:
    """J126"""
    batch = entered(desk)
    desk.people("approve", batch)
    assert desk.people("post", batch, dies=1, balances=moved)["status"] == "U"
    assert [code for _, _, code in state(desk)] == ["P", " "]
    assert balances(desk) == held
    assert "not approved" in desk.refused("post", batch)


def test_a_void_reverses_the_document_once_it_is_posted(desk: Desk) -> None:
    """J127"""
    batch = posted(desk)
    desk.people("void", batch)
    rows = desk.journal()
    assert len(rows) == 4
    assert len({row["F0911_DOC"] for row in rows}) == 1
    assert len({row["F0911_DGJ"] for row in rows}) == 2
    assert ({row["F0911_RE"] for row in rows}, sum(r["F0911_AA"] for r in rows)) == ({"V"}, 0)
    assert (balances(desk), desk.header(batch)["F0011_IST"]) == ([10_025, -4_000], "A")
    desk.people("post", batch)
    assert balances(desk) == [0, 0]
    assert desk.people("void", batch)["touched"] == []  # what is voided is not voided again
    assert len(desk.journal()) == 4


def test_a_void_in_a_later_period_leaves_the_amount_in_the_first(desk: Desk) -> None:
    """J127"""
    batch = posted(desk)
    desk.people("void", batch, period="2026-03")
    desk.people("post", batch)
    assert balances(desk) == [10_025, -4_000]
    assert desk.held(desk.account(RENT), "BA", 2026, 3) == -10_025


def test_one_document_of_a_batch_is_voided_and_the_other_stays(desk: Desk) -> None:
    """J127"""
    batch = desk.reserve()["BatchNumber"]
    numbers = [documents(desk.plan(BatchNumber=batch, Reference2=r))[0] for r in ("ONE", "TWO")]
    desk.people("approve", batch)
    desk.people("post", batch)
    answer = desk.people("void", batch, document=f"BN {numbers[1]} 00001")
    assert {cell["document"] for cell in answer["touched"]} == {f"BN {numbers[1]} 00001"}
    desk.people("post", batch)
    assert balances(desk) == [10_025, -4_000]
    assert "no document" in desk.refused("void", batch, document="BN 1 00001")


def test_an_unposted_line_is_changed_and_its_batch_pending_again(desk: Desk) -> None:
    """J128 J130"""
    batch = entered(desk)
    desk.people("approve", batch)
    (other,) = desk.plain("00001", 1)
    answer = desk.people("edit", batch, line=1, amount="90.00", remark="less", account=other)
    assert answer["status"] == ""
    row = desk.journal()[0]
    changed = [row[f"F0911_{alias}"] for alias in ("AA", "EXR", "AID", "USER", "TORG")]
    assert changed == [90, "less", other, "MHOLT", "TIEOUT"]
    header = desk.header(batch)
    assert (header["F0011_AICU"], header["F0011_AME"]) == (Decimal("100.25"), 90)
    assert "not approved" in desk.refused("post", batch)


def test_of_a_posted_line_only_texts_change(desk: Desk) -> None:
    """J128"""
    batch = posted(desk)
    assert "posted" in desk.refused("edit", batch, line=1, amount="1.00")
    desk.people("edit", batch, line=1, remark="see mail", reference="OTHER")
    assert [row["F0911_JELN"] for row in desk.journal()] == [2]  # our token is gone from line 1
    assert desk.journal("OTHER")[0]["F0911_POST"] == "P"
    assert balances(desk) == [10_025, -4_000]


def test_an_unposted_batch_is_deleted_without_a_trace_but_in_the_batch_file(desk: Desk) -> None:
    """J128"""
    batch = entered(desk)
    assert desk.people("delete", batch)["status"] is None
    assert desk.journal() == []
    assert desk.ledger.rows("F0011", {"ICU": batch}) == []
    assert len(desk.waiting("1")) == 2


def test_one_unposted_document_is_deleted_and_the_header_stays(desk: Desk) -> None:
    """J128"""
    batch = desk.reserve()["BatchNumber"]
    numbers = [documents(desk.plan(BatchNumber=batch, Reference2=r))[0] for r in ("ONE", "TWO")]
    desk.people("delete", batch, document=f"BN {numbers[0]} 00001")
    assert (len(desk.journal("ONE")), len(desk.journal("TWO"))) == (0, 2)
    header = desk.header(batch)
    assert (header["F0011_NDO"], header["F0011_DOCN"]) == (2, 1)


def test_a_posted_journal_cannot_be_deleted(desk: Desk) -> None:
    """J128"""
    batch = posted(desk)
    assert "cannot be deleted" in desk.refused("delete", batch)
    assert len(desk.journal()) == 2


def test_lines_are_added_to_a_posted_journal_and_wait_for_their_post(desk: Desk) -> None:
    """J129 J130"""
    batch = posted(desk)
    more = [{"account": RENT, "amount": "7.00", "remark": "forgotten"}]
    assert desk.people("add", batch, lines=more)["status"] == ""
    assert [code for _, _, code in state(desk)] == ["P", "P", " "]
    assert balances(desk) == [10_025, -4_000]
    desk.people("approve", batch)
    desk.people("post", batch)
    assert balances(desk) == [10_725, -4_000]


def test_nobody_does_what_the_control_port_does_not_know(desk: Desk) -> None:
    """J124"""
    assert "approve, post, void" in desk.refused("burn", entered(desk))
