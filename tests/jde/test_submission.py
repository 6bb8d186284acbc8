"""Claims about sending a journal: one call, never repeated, whose answer proves nothing."""

from __future__ import annotations

import secrets
from datetime import date
from typing import Any

import polars as pl
import pytest
from journal_office import TOKEN, Office, office
from journal_practice import CALL, PLAN, RESERVE

from tieout.jde import submission
from tieout.jde.orchestrations import GENERIC, STANDARD
from tieout.jde.submission import NotSent, Submitted

DAY = date(2026, 1, 31)
ERRORS = '{"BatchNumber":0,"Errors/Warnings":[{"Errors":[{"CODE":"0069","TITLE":"Locked"}]}]}'
EMPTY = '{"message":"Orchestration has no output","timeStamp":""}'
REDIRECT = {"Location": "http://elsewhere.example/"}


def sent(bureau: Office, **options: Any) -> Submitted:
    return bureau.submit(gl_date=DAY, **options)


@pytest.mark.parametrize("form", [GENERIC, STANDARD])
def test_a_journal_arrives_as_it_was_given_in_the_format_its_author_chose(
    bureau: Office, form: str
) -> None:
    bureau.desk.ais.switch("input_format", form)
    numbers = bureau.orchestrator.reserve(RESERVE)
    told = sent(bureau, numbers={"BatchNumber": numbers.batch_number,
                                 "DocumentNumber": numbers.documents[0]})  # fmt: skip
    assert (told.status, told.errors, told.asynchronous) == (200, "", False)
    assert told.batch_numbers == (numbers.batch_number,)
    assert told.documents == numbers.documents
    rows = bureau.desk.journal(TOKEN)
    assert [(r["F0911_ICU"], r["F0911_DOC"]) for r in rows] == [
        (numbers.batch_number, numbers.documents[0])
    ] * 2
    assert [str(r["F0911_AA"]) for r in rows] == ["100.25", "-40.00"]
    assert bureau.posts() == 1


def test_dates_go_as_the_user_writes_them_where_the_author_wants_that(bureau: Office) -> None:
    bureau.desk.ais.switch("orchestration_date", "user")
    assert sent(bureau).status == 400
    assert sent(bureau, dates="user").status == 200
    assert {r["F0911_DGJ"] for r in bureau.desk.journal(TOKEN)} == {"20260131"}


def test_the_job_queue_goes_along_and_a_late_one_is_told(bureau: Office) -> None:
    assert not sent(bureau, queue="JDE__SINGLE").asynchronous
    told = sent(bureau, queue="JDE__ASYNCH")
    assert (told.status, told.asynchronous) == (202, True)
    bureau.desk.ais.switch("orchestration_queue", "JDE_ASYNC")
    assert sent(bureau).asynchronous


# name, fault, status that is kept, words of the evidence
ANSWERS: tuple[tuple[str, dict[str, Any], int, str], ...] = (
    ("cut before", {"kind": "cut_before"}, 0, ""),
    ("cut after", {"kind": "cut_after"}, 0, ""),
    ("half an answer", {"kind": "truncate"}, 0, ""),
    ("waits in the queue", {"kind": "queued"}, 0, ""),
    ("accepted", {"kind": "accepted"}, 202, ""),
    ("400", {"kind": "status", "status": 400, "body": '{"message":"M"}'}, 400, "M"),
    ("403", {"kind": "status", "status": 403, "body": '{"message":"M"}'}, 403, "M"),
    ("404", {"kind": "status", "status": 404, "body": "<html>M"}, 404, "M"),
    ("429", {"kind": "status", "status": 429, "body": "M"}, 429, "M"),
    ("444", {"kind": "status_after", "status": 444, "body": "{}"}, 444, "{}"),
    ("500 after", {"kind": "status_after", "status": 500, "body": "{}"}, 500, "{}"),
    ("502 of a proxy", {"kind": "status_after", "status": 502, "body": "<html>M"}, 502, "M"),
    ("redirect", {"kind": "status", "status": 307, "body": "", "headers": REDIRECT}, 307, ""),
    ("errors in 200", {"kind": "status_after", "status": 200, "body": ERRORS}, 200, "0069"),
    ("no output", {"kind": "status_after", "status": 200, "body": EMPTY}, 200, "no output"),
    ("no body", {"kind": "status_after", "status": 200, "body": ""}, 200, ""),
    ("a page", {"kind": "status", "status": 200, "body": "<html>Sign in"}, 200, "Sign in"),
)


@pytest.mark.parametrize(("name", "fault", "status", "words"), ANSWERS, ids=[a[0] for a in ANSWERS])
def test_every_answer_is_kept_as_evidence_and_the_call_is_made_once(
    bureau: Office, name: str, fault: dict[str, Any], status: int, words: str
) -> None:
    bureau.desk.fault(**fault)
    told = sent(bureau)
    assert told.status == status, name
    assert words in told.evidence
    assert told.batch_numbers == ()
    assert bureau.posts() == 1
    bureau.jde.sign_in()  # a look can follow


def test_errors_inside_are_told_in_jd_edwards_words(bureau: Office) -> None:
    bureau.desk.fault("status_after", status=200, body=ERRORS)
    assert sent(bureau).errors == "0069: Locked"


def test_evidence_holds_no_secret_and_stays_short(bureau: Office) -> None:
    secret = secrets.token_urlsafe(40)
    body = '{"message":"jde-AIS-Auth: ' + secret + '","errors":["password=' + secret + '"]}'
    bureau.desk.fault("status", status=500, body=body + " " * 10 + "long " * 100_000)
    told = sent(bureau)
    assert secret not in repr(told)
    assert len(told.evidence) <= 400


def test_a_lost_session_is_not_signed_in_again_to_send_again(bureau: Office) -> None:
    bureau.orchestrator.named(PLAN)
    bureau.desk.ais.control(
        "faults", add={"kind": "delay", "path": CALL, "meanwhile": {"restart": {}}}
    )
    assert sent(bureau).status == 444
    assert bureau.posts() == 1
    assert bureau.desk.journal(TOKEN) == []


def test_a_session_near_its_end_is_renewed_before_the_call_and_not_after(bureau: Office) -> None:
    bureau.orchestrator.named(PLAN)
    bureau.desk.ais.control("clock", advance=29 * 60 + 30)
    assert sent(bureau).status == 200
    assert bureau.posts() == 1


# --- proofs that nothing was sent ---------------------------------------------------------------


def test_without_a_connection_it_was_not_sent(bureau: Office) -> None:
    with (
        office(bureau.desk, url="http://127.0.0.1:9/jderest") as nobody,
        pytest.raises(NotSent, match="was not reached"),
    ):
        sent(nobody)


def test_a_refused_sign_in_is_proof_that_it_was_not_sent(bureau: Office) -> None:
    bureau.desk.fault("status", path="tokenrequest", status=403, body='{"message":"M"}', times=9)
    with pytest.raises(NotSent, match="did not accept the user") as told:
        sent(bureau)
    assert told.value.evidence == "M"
    assert bureau.posts() == 0


NOT_TAKEN: list[tuple[dict[str, Any], str]] = [
    ({"name": "TIEOUT_Plan"}, "It shows: TIEOUT_PlanJournal"),
    ({"numbers": {"Batch": 7}}, "no input 'Batch'"),
    ({"numbers": {"token": "x"}}, "AIS takes that for itself"),
    ({"queue": "JDE_SINGLE"}, "not a job queue"),
    ({"numbers": {"BatchNumber": "07"}}, "would lose characters"),
    ({"frame": pl.DataFrame({"Account": ["x"]})}, "no column 'Account'"),
    ({"frame": pl.DataFrame({"AccountId": []})}, "it has no lines"),
]


@pytest.mark.parametrize(("options", "words"), NOT_TAKEN, ids=[w for _, w in NOT_TAKEN])
def test_what_the_orchestration_does_not_take_is_not_sent(
    bureau: Office, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(NotSent, match=words):
        sent(bureau, **options)
    assert bureau.posts() == 0


# --- what an answer tells -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "batches"),
    [
        ({"BatchNumber": 7}, (7,)), ({"a": [{"F0911_ICU": "0007.0"}]}, (7,)),
        ({"Batch Number": 7, "x": {"ICU": 7}}, (7,)), ({"BatchNumber": 0}, ()),
        ({"BatchNumber": True}, ()), ({"BatchNumber": "123456789"}, ()),
        ({"BatchNumber": "7a"}, ()), ([{"icu": 7}, {"icu": 9}], (7, 9)), (None, ()),
    ],
    ids=str,
)  # fmt: skip
def test_numbers_are_found_whatever_the_author_called_them(
    told: Any, batches: tuple[int, ...]
) -> None:
    assert submission.numbers(told, submission.BATCH_NAMES) == batches


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"a": {"errors": [{"CODE": "1", "TITLE": "T"}]}}, "1: T"),
        ({"ServiceRequest1": {"forms": [{"fs_P": {"errors": [{"DESC": "D"}]}}]}}, "D"),
        ({"ServiceRequest2": {"submitted": True, "error": []}}, ""),
        ({"continuedOnError": [{"step": "s", "message": "M"}]}, "M"),
        ({"sysErrors": [{"TITLE": "T", "DESC": "T"}], "errors": []}, "T"),
        ({"jde__status": "ERROR"}, "status ERROR"), ({"jde__status": "SUCCESS"}, ""),
        ({"exception": "java.lang.Exception"}, "java.lang.Exception"),
        ({"Errors/Warnings": [{"Errors": [], "Warnings": [{"CODE": "PACO"}]}]}, ""), (None, ""),
    ],
    ids=str,
)  # fmt: skip
def test_errors_are_found_however_deep(told: Any, words: str) -> None:
    assert submission.errors(told) == words
