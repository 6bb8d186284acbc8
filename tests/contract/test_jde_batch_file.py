"""The batch file F0911Z1 and its program R09110Z: keys, numbers, headers and lines of a journal."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from jde_practice import USER
from journal_practice import LABOR, PLAN, RENT, Desk, documents, journal_practice, messages


def test_the_batch_file_is_read_like_any_table(desk: Desk) -> None:
    """J100"""
    numbers = desk.reserve()
    desk.plan(BatchNumber=numbers["BatchNumber"], DocumentNumber=numbers["DocumentNumber"])
    rows = desk.waiting("1")
    keys = [(r["F0911Z1_EDUS"], r["F0911Z1_EDBT"], r["F0911Z1_EDLN"]) for r in rows]
    batch = str(numbers["BatchNumber"])
    assert keys == [(USER, batch, 1), (USER, batch, 2)]
    row = rows[0]
    assert [row[f"F0911Z1_{a}"] for a in ("EDTC", "EDTR", "EDER", "EDSP")] == ["A", "J", "R", "1"]
    assert (row["F0911Z1_AA"], row["F0911Z1_LT"]) == (Decimal("100.25"), "BA")
    assert (row["F0911Z1_DGJ"], row["F0911Z1_DGM"], row["F0911Z1_DGY"]) == ("20260131", 1, 26)


def test_a_second_row_of_a_key_is_refused_and_nothing_more_is_entered(desk: Desk) -> None:
    """J100"""
    batch = desk.reserve()["BatchNumber"]
    desk.plan(BatchNumber=batch)
    answer = desk.plan(BatchNumber=batch)
    assert answer.status_code == 500
    assert f"{USER}, {batch}, K7Q2M9XA, 1" in answer.json()["message"]
    assert (len(desk.journal()), len(desk.waiting("1"))) == (2, 2)


def test_the_keys_are_what_the_call_says_in_this_order(desk: Desk) -> None:
    """J101"""
    desk.plan(
        ControlBatch="JAN26", TransactionNumber="T-1", BatchNumber=desk.reserve()["BatchNumber"]
    )
    desk.plan(ControlBatch="FEB26", DocumentNumber=desk.reserve()["DocumentNumber"], Reference2="B")
    desk.plan(Reference2="C")
    desk.plan(Reference2=None)
    found = {(r["F0911Z1_EDBT"], r["F0911Z1_EDTN"]) for r in desk.waiting("1")}
    numbers = {r["DOC"] for r in desk.ledger.rows("F0911", {"R2": "B"})}
    assert ("JAN26", "T-1") in found
    assert ("FEB26", str(numbers.pop())) in found
    assert {transaction for _, transaction in found} >= {"C", "1"}
    assert len({control for control, _ in found}) == 4


def test_the_document_type_is_bn_unless_the_call_names_another(desk: Desk) -> None:
    """J101 J123"""
    desk.plan(Reference2="OURS")
    desk.plan(Reference2="JOURNAL", DocumentType="JE")
    assert {row["F0911_DCT"] for row in desk.journal("OURS")} == {"BN"}
    assert {row["F0911_DCT"] for row in desk.journal("JOURNAL")} == {"JE"}
    desk.ais.switch("plan_document_type", "")
    desk.plan(Reference2="DEFAULT")
    assert {row["F0911_DCT"] for row in desk.journal("DEFAULT")} == {"JE"}


def test_a_transaction_with_an_error_stays_behind_while_the_others_go_in(desk: Desk) -> None:
    """J102"""
    rows = [
        {"AccountId": desk.account(code), "Amount": amount, "TransactionNumber": transaction}
        for transaction, code, amount in (
            ("ONE", RENT, "1"), ("ONE", LABOR, "2"), ("TWO", RENT, "3"), ("TWO", "30.9200", "4"),
            ("THREE", LABOR, "5"),
        )
    ]  # fmt: skip
    answer = desk.plan(Lines=rows)
    assert [d["TransactionNumber"] for d in answer.json()["Documents"]] == ["ONE", "THREE"]
    assert messages(answer) == ["PEC"]
    assert [row["F0911_AA"] for row in desk.journal()] == [1, 2, 5]
    assert len({row["F0911_ICU"] for row in desk.journal()}) == 1
    assert [(r["F0911Z1_EDTN"], r["F0911Z1_EDLN"]) for r in desk.waiting()] == [
        ("TWO", 3),
        ("TWO", 4),
    ]
    header = desk.header(answer.json()["BatchNumber"])
    assert (header["F0011_NDO"], header["F0011_AICU"]) == (2, 8)


def test_a_transaction_that_stayed_behind_goes_in_when_its_cause_is_gone(desk: Desk) -> None:
    """J102"""
    account = desk.account("30.9200")
    desk.plan((account, "4"))
    desk.ledger.update("F0901", {"PEC": ""}, {"AID": account})
    assert desk.orchestrations(process=True)["documents"] == 1
    assert (len(desk.journal()), desk.waiting()) == (1, [])


def test_a_blank_ledger_falls_back_to_actuals(desk: Desk) -> None:
    """J103"""
    lines = ((RENT, "10"), (LABOR, "-10"))
    for reference, blank in (("ABSENT", None), ("EMPTY", ""), ("BLANK", "  ")):
        assert len(documents(desk.plan(*lines, LedgerType=blank, Reference2=reference))) == 1
        assert {row["F0911_LT"] for row in desk.journal(reference)} == {"AA"}
    desk.ais.switch("default_ledger", "BA")
    desk.plan(*lines, LedgerType=None, Reference2="OTHER")
    assert {row["F0911_LT"] for row in desk.journal("OTHER")} == {"BA"}


def test_numbers_are_taken_as_sent_or_drawn(desk: Desk) -> None:
    """J104"""
    numbers = desk.reserve(2)
    batch, document = numbers["BatchNumber"], numbers["DocumentNumbers"][1]["DocumentNumber"]
    answer = desk.plan(BatchNumber=batch, DocumentNumber=document, Reference2="SENT")
    assert (answer.json()["BatchNumber"], documents(answer)) == (batch, [document])
    drawn = desk.plan(Reference2="DRAWN")
    assert drawn.json()["BatchNumber"] > batch
    assert documents(drawn)[0] > document
    assert {(r["F0911_ICU"], r["F0911_DOC"]) for r in desk.journal("SENT")} == {(batch, document)}


def test_a_batch_number_that_exists_takes_more_documents_or_refuses_them(desk: Desk) -> None:
    """J105"""
    batch = desk.reserve()["BatchNumber"]
    desk.plan(BatchNumber=batch, Reference2="FIRST")
    desk.people("approve", batch)
    desk.plan(BatchNumber=batch, Reference2="SECOND")
    header = desk.header(batch)
    assert (header["F0011_NDO"], header["F0011_IST"]) == (2, " ")
    desk.ais.switch("duplicate_batch", "refuse")
    assert messages(desk.plan(BatchNumber=batch, Reference2="THIRD")) == ["ICU"]
    desk.ais.switch("duplicate_batch", "join")
    desk.ais.control("event", name="in_use", batch_type="G", batch_number=batch)
    assert messages(desk.plan(BatchNumber=batch, Reference2="FOURTH")) == ["IST", "IST"]
    assert [len(desk.journal(r)) for r in ("FIRST", "SECOND", "THIRD", "FOURTH")] == [2, 2, 0, 0]


def test_a_document_number_that_exists_is_refused_or_renumbered(desk: Desk) -> None:
    """J106"""
    number = desk.reserve()["DocumentNumber"]
    desk.plan(DocumentNumber=number, Reference2="FIRST")
    again = desk.plan(DocumentNumber=number, GLDate="2026-02-28", Reference2="SECOND")
    assert (messages(again), again.json()["BatchNumber"]) == (["DOC"], 0)
    desk.ais.switch("duplicate_document", "renumber")
    drawn = documents(desk.plan(DocumentNumber=number, Reference2="THIRD"))
    assert drawn != [number]
    assert {row["F0911_DOC"] for row in desk.journal("THIRD")} == set(drawn)
    assert desk.journal("SECOND") == []


def test_numbers_nobody_drew_are_taken_or_refused(desk: Desk) -> None:
    """J107"""
    assert documents(desk.plan(BatchNumber=99_000, DocumentNumber=990_000)) == [990_000]
    desk.ais.switch("invented_numbers", "refuse")
    assert messages(desk.plan(BatchNumber=99_001, Reference2="A")) == ["ICU"]
    assert messages(desk.plan(DocumentNumber=990_001, Reference2="B")) == ["DOC"]
    numbers = desk.reserve()
    assert documents(desk.plan(BatchNumber=numbers["BatchNumber"],
                               DocumentNumber=numbers["DocumentNumber"])) != []  # fmt: skip


def test_a_journal_waits_for_approval_by_the_ledger_constant(desk: Desk) -> None:
    """J108"""
    pending = desk.header(desk.plan().json()["BatchNumber"])
    assert (pending["F0011_IST"], pending["F0011_ICUT"]) == (" ", "G")
    assert (pending["F0011_NDO"], pending["F0011_DOCN"]) == (1, 1)
    assert (pending["F0011_AICU"], pending["F0011_USER"]) == (Decimal("100.25"), USER)
    desk.ais.switch("approval_required", False)
    approved = desk.header(desk.plan().json()["BatchNumber"])
    assert (approved["F0011_IST"], approved["F0011_IAPP"]) == ("A", "A")


def test_new_lines_are_unposted_and_carry_what_was_sent(desk: Desk) -> None:
    """J109"""
    answer = desk.plan(Explanation="Plan 2026", Reference1="RUN7")
    row = desk.journal()[0]
    sent = {"EXA": "Plan 2026", "EXR": "plan", "R1": "RUN7", "R2": "K7Q2M9XA", "LT": "BA",
            "POST": " ", "AID": desk.account(RENT), "MCU": "          30", "OBJ": "6020",
            "CO": "00001", "KCO": "00001", "FY": 26, "PN": 1, "CTRY": 20, "CRCD": "USD",
            "CRRM": "D", "BCRC": "USD", "TORG": USER, "USER": USER, "PID": "R09110Z",
            "ICUT": "G", "ICU": answer.json()["BatchNumber"], "JELN": 1}  # fmt: skip
    assert {alias: row[f"F0911_{alias}"] for alias in sent} == sent
    before = desk.ledger.rows("F0902", {"LT": "BA", "FY": 26})
    assert before == []  # nothing is posted


def test_units_and_subledgers_go_along(desk: Desk) -> None:
    """J109"""
    desk.plan(Lines=[
        {"AccountId": desk.account("30.9100"), "Amount": "5", "Units": "2.5"},
        {"AccountId": desk.account("30.8740"), "Amount": "6", "Subledger": "00001001",
         "SubledgerType": "A"},
    ])  # fmt: skip
    first, second = desk.journal()
    assert (first["F0911_U"], first["F0911_UM"]) == (Decimal("2.5"), "EA")
    assert (second["F0911_SBL"], second["F0911_SBLT"]) == ("00001001", "A")


@pytest.mark.parametrize(
    ("company", "amount", "kept"),
    [("00001", "83.33", "83.33"), ("00070", "83", "83"), ("00090", "83.333", "83.333")],
)
def test_amounts_are_kept_in_the_decimals_of_the_company(
    desk: Desk, company: str, amount: str, kept: str
) -> None:
    """J117"""
    (account,) = desk.plain(company, 1)
    assert len(documents(desk.plan((account, amount), Company=company))) == 1
    assert [row["F0911_AA"] for row in desk.journal()] == [Decimal(kept)]
    assert [row["F0911Z1_AA"] for row in desk.waiting("1")] == [Decimal(kept)]
    more = f"{amount}1" if "." in amount else f"{amount}.1"
    answer = desk.plan((account, more), Company=company, Reference2="MORE")
    assert (answer.status_code, desk.journal("MORE"), desk.waiting()) == (500, [], [])
    desk.ais.switch("excess_decimals", "cut")
    desk.plan((account, f"-{more}"), Company=company, Reference2="CUT")
    assert [row["F0911_AA"] for row in desk.journal("CUT")] == [-Decimal(kept)]


@pytest.mark.parametrize(
    ("name", "width", "column"),
    [("Explanation", 30, "EXA"), ("Reference1", 8, "R1"), ("LedgerType", 2, "LT"),
     ("TransactionNumber", 22, ""), ("ControlBatch", 15, "")],
)  # fmt: skip
def test_a_text_longer_than_its_column_is_refused_or_cut(
    desk: Desk, name: str, width: int, column: str
) -> None:
    """J118"""
    text = ("BA" + "x" * width)[: width + 1]
    assert desk.plan(**{name: text}).status_code == 500
    assert (desk.journal(), desk.waiting()) == ([], [])
    desk.ais.switch("long_text", "cut")
    assert len(documents(desk.plan(**{name: text}))) == 1
    if column:
        assert {row[f"F0911_{column}"] for row in desk.journal()} == {text[:width]}


def test_journals_are_in_the_currency_of_the_company(desk: Desk) -> None:
    """J119"""
    assert desk.plan(Currency="EUR").status_code == 400  # no such input
    desk.plan()
    assert {(r["F0911_CRCD"], r["F0911_ACR"]) for r in desk.journal()} == {("USD", 0)}


def test_processed_rows_may_be_purged_and_then_no_key_protects(desk: Desk) -> None:
    """J120"""
    desk.ais.switch("purge_processed", True)
    batch = desk.reserve()["BatchNumber"]
    for _ in range(2):
        assert len(documents(desk.plan(BatchNumber=batch))) == 1
    assert (desk.waiting("1"), len(desk.journal())) == ([], 4)
    desk.ais.switch("purge_processed", False)
    desk.plan()
    assert desk.orchestrations(purge=True)["rows"] == 2


def test_the_report_takes_its_own_rows_or_all_that_wait(desk: Desk) -> None:
    """J121"""
    desk.orchestrations(next={"process": False})
    desk.plan(Reference2="STUCK")
    desk.plan(Reference2="OWN")
    assert (len(desk.journal("STUCK")), len(desk.journal("OWN"))) == (0, 2)
    desk.ais.switch("upload_selection", "all")
    answer = desk.plan(Reference2="ALL")
    assert len(documents(answer)) == 1
    assert len(desk.journal("STUCK")) == 2


def test_no_number_is_handed_out_twice(
    desk: Desk, tmp_path: Path, books: Path, dice: Random
) -> None:
    """J122"""
    batches, numbers = [], []
    for _ in range(6):
        if dice.random() < 0.3:
            event = desk.ais.control("event", name="unposted")
            batches.append(event["batch_number"])
            numbers.append(int(event["document"].split()[1]))
        found = desk.reserve(dice.randint(1, 3))
        batches.append(found["BatchNumber"])
        numbers += [n["DocumentNumber"] for n in found["DocumentNumbers"]]
    assert len(set(batches)) == len(batches)
    assert len(set(numbers)) == len(numbers)
    with journal_practice(tmp_path / "other", books) as other:
        other.reserve()
        other.ais.control("restart")
        other.ais.token = ""
        first, second = other.reserve(), other.reserve()
        assert first["BatchNumber"] < second["BatchNumber"]


def test_numbers_in_use_are_passed_over(desk: Desk) -> None:
    """J107 J122"""
    first = desk.reserve()
    batch, document = first["BatchNumber"] + 1, first["DocumentNumber"] + 1
    desk.plan(BatchNumber=batch, DocumentNumber=document)
    following = desk.reserve()
    assert (following["BatchNumber"], following["DocumentNumber"]) == (batch + 1, document + 1)


def test_a_reservation_of_nothing_or_of_half_a_document_is_refused(desk: Desk) -> None:
    """J122"""
    for wrong in ("0", "-1", "1.5", "2000"):
        assert desk.call("TIEOUT_ReserveBatch", {"Documents": wrong}).status_code == 400, wrong
    assert len(desk.reserve()["DocumentNumbers"]) == 1


def test_rows_of_one_document_agree_on_its_date_and_number(desk: Desk) -> None:
    """J102"""
    rows = [
        {"AccountId": a, "Amount": "1", "GLDate": day, "TransactionNumber": "ONE"}
        for a, day in zip(desk.plain("00001"), ("2026-01-31", "2026-02-28"), strict=True)
    ]
    assert messages(desk.plan(Lines=rows)) == ["DGJ"]
    rows = [row | {"TransactionNumber": str(n)} for n, row in enumerate(rows)]
    answer = desk.call(PLAN, desk.message(Lines=rows))
    assert len(documents(answer)) == 2
    assert [row["F0911_PN"] for row in desk.journal()] == [1, 2]


def test_thousands_of_lines_go_in_at_once(desk: Desk) -> None:
    """J102"""
    accounts = desk.plain("00001", 200)
    rows = [{"AccountId": a, "Amount": f"{n}.25"} for n, a in enumerate(accounts * 15, 1)]
    (number,) = documents(desk.plan(Lines=rows))
    total = desk.ledger.query("SELECT count(*), sum(AA) FROM F0911 WHERE DOC = ?", (number,))
    expected = sum(range(1, len(rows) + 1)) * 100 + 25 * len(rows)
    assert [tuple(row) for row in total] == [(len(rows), expected)]
