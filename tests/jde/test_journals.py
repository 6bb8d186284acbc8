"""Claims about looking for a journal: whatever was answered, the look tells what is there."""

from __future__ import annotations

import time
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from journal_office import TOKEN, Office, office
from journal_practice import LABOR, PLAN, RENT, RESERVE

from tieout.jde.journals import FoundJournal, JournalKey, find_journal, with_headers

DAY = date(2026, 1, 31)
ERRORS = '{"BatchNumber":0,"Documents":[],"Errors/Warnings":[{"Errors":[{"CODE":"X"}]}]}'
EMPTY = '{"message":"Orchestration has no output","timeStamp":""}'
STOPS = {"orchestrations": {"next": {"lines": 1, "on_error": "continue"}}}
NOT_REACHED = {"orchestrations": {"next": {"process": False}}}


def sent(bureau: Office, **more: Any) -> int:
    """A journal under reserved numbers; its batch number, whatever was answered."""
    numbers = bureau.orchestrator.reserve(RESERVE)
    keys = {"BatchNumber": numbers.batch_number, "DocumentNumber": numbers.documents[0]}
    bureau.submit(keys | more, gl_date=DAY)
    return numbers.batch_number


def seen(found: FoundJournal) -> tuple[int, int]:
    """Our lines in the ledger, and rows that wait in the batch file."""
    assert found.others.is_empty()
    assert found.waiting is not None
    return found.lines.height, found.waiting.height


# name, fault, what a look sees at once, and what it sees when all that waited has run
FAULTS: tuple[tuple[str, dict[str, Any], tuple[int, int], tuple[int, int]], ...] = (
    ("cut before the commit", {"kind": "cut_before"}, (0, 0), (0, 0)),
    ("cut after the commit", {"kind": "cut_after"}, (2, 0), (2, 0)),
    ("half an answer", {"kind": "truncate"}, (2, 0), (2, 0)),
    ("committed later", {"kind": "queued", "seconds": 90}, (0, 0), (2, 0)),
    ("waits in the queue", {"kind": "queued"}, (0, 0), (2, 0)),
    ("500 before", {"kind": "status", "status": 500, "body": "{}"}, (0, 0), (0, 0)),
    ("500 after", {"kind": "status_after", "status": 500, "body": "{}"}, (2, 0), (2, 0)),
    ("200 with errors, nothing done",
     {"kind": "status", "status": 200, "body": ERRORS}, (0, 0), (0, 0)),
    ("200 with errors, all done",
     {"kind": "status_after", "status": 200, "body": ERRORS}, (2, 0), (2, 0)),
    ("202, done at once",
     {"kind": "status_after", "status": 202, "body": ""}, (2, 0), (2, 0)),
    ("202, done later", {"kind": "accepted", "seconds": 90}, (0, 0), (2, 0)),
    ("empty output",
     {"kind": "status_after", "status": 200, "body": EMPTY}, (2, 0), (2, 0)),
    ("444 after", {"kind": "status_after", "status": 444, "body": "{}"}, (2, 0), (2, 0)),
    ("a proxy's page",
     {"kind": "status_after", "status": 504, "body": "<html>"}, (2, 0), (2, 0)),
    ("some lines, then cut", {"kind": "cut_after", "meanwhile": STOPS}, (1, 0), (1, 0)),
    ("rows only, then 500", {"kind": "delay", "meanwhile": NOT_REACHED}, (0, 2), (0, 2)),
    ("the session is gone", {"kind": "delay", "meanwhile": {"restart": {}}}, (0, 0), (0, 0)),
    ("a proxy repeats it", {"kind": "twice"}, (2, 0), (2, 0)),
)  # fmt: skip


@pytest.mark.parametrize(("name", "fault", "now", "then"), FAULTS, ids=[f[0] for f in FAULTS])
def test_after_every_fault_a_look_tells_the_truth_and_nothing_was_sent_again(
    bureau: Office, name: str, fault: dict[str, Any], now: tuple[int, int],
    then: tuple[int, int],
) -> None:  # fmt: skip
    bureau.desk.fault(**fault)
    batch = sent(bureau)
    found = bureau.find(batch)
    assert seen(found) == now, name
    assert found.nothing == (now == (0, 0))
    bureau.desk.ais.control("clock", advance=91)
    bureau.desk.orchestrations(release=True)
    assert seen(bureau.find(batch)) == then
    assert bureau.posts() == 1


def test_what_is_committed_after_we_stopped_waiting_is_found_later(bureau: Office) -> None:
    with office(bureau.desk, seconds=1.0) as hasty:
        bureau.desk.fault("late", seconds=2)
        batch = sent(hasty)
        assert hasty.find(batch).nothing
        for _ in range(200):
            if not hasty.find(batch).nothing:
                break
            time.sleep(0.05)
        assert seen(hasty.find(batch)) == (2, 0)
        assert hasty.posts() == 1


def test_a_restart_between_look_and_send_leaves_nothing_and_the_next_look_signs_in(
    bureau: Office,
) -> None:
    numbers = bureau.orchestrator.reserve(RESERVE)
    bureau.orchestrator.named(PLAN)
    assert bureau.find(numbers.batch_number).nothing
    bureau.desk.ais.control("restart")
    told = bureau.submit({"BatchNumber": numbers.batch_number}, gl_date=DAY)
    assert told.status == 444
    assert bureau.find(numbers.batch_number).nothing
    assert bureau.posts() == 1


# --- what a look shows --------------------------------------------------------------------------


def test_a_whole_journal_is_shown_with_its_sums_its_batch_and_its_document(
    bureau: Office,
) -> None:
    batch = sent(bureau)
    found = bureau.find(batch)
    rent, labor = (bureau.desk.account(a) for a in (RENT, LABOR))
    names = ("company", "ledger", "account_id", "fiscal_year", "period", "amount")
    assert sorted(found.lines.select(names).rows()) == sorted([
        ("00001", "BA", rent, 2026, 1, Decimal("100.2500")),
        ("00001", "BA", labor, 2026, 1, Decimal("-40.0000")),
    ])  # fmt: skip
    assert found.batch_numbers == (batch,)
    assert [d[0] for d in found.documents] == ["BN"]
    assert found.posted_codes == {"": 2}
    (header,) = found.headers or ()
    assert (header.batch_number, header.status, found.status) == (batch, "", "")


def test_approval_and_post_are_followed(bureau: Office) -> None:
    batch = sent(bureau)
    bureau.desk.people("approve", batch)
    assert bureau.find(batch).status == "A"
    bureau.desk.people("post", batch)
    found = bureau.find(batch, batch_file=False)
    assert (found.status, found.posted_codes, found.waiting) == ("D", {"P": 2}, None)


def test_a_line_that_a_person_added_is_shown(bureau: Office) -> None:
    batch = sent(bureau)
    bureau.desk.people("add", batch, lines=[{"account": bureau.desk.account(RENT), "amount": 5}])
    assert bureau.find(batch).rows.height == 3


def test_somebody_elses_journal_under_our_batch_number_is_a_clash(bureau: Office) -> None:
    batch = bureau.orchestrator.reserve(RESERVE).batch_number
    bureau.desk.plan(BatchNumber=batch, Reference2="FOREIGN", ControlBatch="OTHER")
    found = bureau.find(batch)
    assert (found.lines.height, found.others.height, found.nothing) == (0, 2, False)


def test_somebody_elses_journal_under_our_document_number_is_a_clash(bureau: Office) -> None:
    document = bureau.orchestrator.reserve(RESERVE).documents[0]
    bureau.desk.plan(DocumentNumber=document, DocumentType="BN", Reference2="FOREIGN")
    found = bureau.find(0, document)
    assert (found.lines.height, found.others.height, found.nothing) == (0, 2, False)
    elsewhere = JournalKey(TOKEN, "BN", 0, document, document_company="00060")
    assert find_journal(bureau.jde, elsewhere).nothing  # a number of another company's documents


def test_rows_of_others_that_wait_under_our_keys_are_shown(bureau: Office) -> None:
    bureau.desk.orchestrations(next={"process": False})
    bureau.desk.plan(Reference2="FOREIGN", ControlBatch=TOKEN, TransactionNumber=TOKEN)
    found = bureau.find()
    assert found.waiting is not None
    assert found.waiting["reference_2"].to_list() == ["FOREIGN"] * 2
    assert not found.nothing


def test_waiting_rows_are_shown_as_they_would_be_entered(bureau: Office) -> None:
    bureau.desk.orchestrations(next={"process": False})
    waiting = bureau.find(sent(bureau)).waiting
    assert waiting is not None
    assert waiting.select("ledger", "account_id", "gl_date", "amount").rows() == [
        ("BA", bureau.desk.account(RENT), DAY, Decimal("100.2500")),
        ("BA", bureau.desk.account(LABOR), DAY, Decimal("-40.0000")),
    ]


def test_a_journal_under_another_number_than_ours_is_found_by_its_token(bureau: Office) -> None:
    bureau.submit(gl_date=DAY)  # JD Edwards draws the numbers
    found = bureau.find()
    assert seen(found) == (2, 0)
    (header,) = found.headers or ()
    assert (header.batch_number,) == found.batch_numbers
    reserved = bureau.orchestrator.reserve(RESERVE).batch_number
    assert bureau.find(reserved).batch_numbers == found.batch_numbers != (reserved,)


def test_the_token_is_found_in_reference_1_too(bureau: Office) -> None:
    bureau.submit({"Reference1": TOKEN, "Reference2": "OTHER"}, gl_date=DAY)
    assert bureau.find().lines.height == 2


def test_another_token_that_differs_in_case_only_is_not_ours(bureau: Office) -> None:
    bureau.desk.ais.switch("text_case", "ignored")
    bureau.desk.plan(Reference2=TOKEN.lower())
    assert bureau.find().nothing


def test_400_lines_are_looked_up_in_three_requests_and_the_header_in_the_next(
    bureau: Office,
) -> None:
    accounts = bureau.desk.plain("00001", 20)
    frame = bureau.lines(*((f"{n}.01", accounts[n % 20]) for n in range(1, 401)))
    numbers = bureau.orchestrator.reserve(RESERVE)
    bureau.submit({"BatchNumber": numbers.batch_number}, frame, gl_date=DAY)
    found = bureau.find(numbers.batch_number)
    assert seen(found) == (400, 0)
    assert found.lines["amount"].sum() == sum(n + Decimal("0.01") for n in range(1, 401))
    assert found.headers is None
    (header,) = with_headers(bureau.jde, found).headers or ()
    assert header.batch_number == numbers.batch_number
    again = bureau.find(numbers.batch_number, batch_file=False)
    assert (again.headers, again.lines.height) == ((header,), 400)


def test_a_silent_fetch_limit_hides_no_line(bureau: Office) -> None:
    accounts = bureau.desk.plain("00001", 2)
    frame = bureau.lines(*((f"{n}", accounts[n % 2]) for n in range(1, 251)))
    bureau.submit(frame=frame, gl_date=DAY)
    bureau.desk.ais.switch("fetch_limit_rows", 100)
    bureau.desk.ais.switch("fetch_limit_links", "silent")
    found = find_journal(bureau.jde, JournalKey(TOKEN, "BN"))
    assert found.lines.height == 250


def test_a_journal_that_moves_out_of_the_batch_file_during_a_look_is_not_missed(
    bureau: Office,
) -> None:
    bureau.desk.ais.switch("purge_processed", True)
    bureau.desk.orchestrations(next={"process": False})
    batch = sent(bureau)
    bureau.desk.ais.control("faults", add={
        "kind": "delay", "path": "dataservice", "nth": 2,
        "meanwhile": {"orchestrations": {"process": True}},
    })  # fmt: skip
    assert not bureau.find(batch).nothing
    assert bureau.find(batch).lines.height == 2


def test_several_documents_of_one_call_are_told_apart(bureau: Office) -> None:
    bureau.submit(gl_date=DAY)
    bureau.submit({"ControlBatch": "SECOND"}, gl_date=DAY)
    found = bureau.find()
    assert (found.lines.height, len(found.documents), len(found.batch_numbers)) == (4, 2, 2)
    assert len(found.headers or ()) == 2


@pytest.mark.parametrize("order", ["left_to_right", "and_first"])
@pytest.mark.parametrize("form", ["dd/MM/yyyy", "MM/dd/yyyy"])
def test_a_look_does_not_depend_on_how_ais_reads_nested_conditions(
    bureau: Office, order: str, form: str
) -> None:
    bureau.desk.ais.switch("complex_query_order", order)
    bureau.desk.ais.switch("simple_date_format", form)
    bureau.desk.plan(Reference2="FOREIGN")
    batch = sent(bureau)
    assert seen(bureau.find(batch)) == (2, 0)
    assert bureau.find(batch + 1).lines.height == 2
