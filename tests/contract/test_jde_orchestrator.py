"""Calls of an orchestration: formats of the message, queues, answers, and steps that fail."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from random import Random
from typing import Any

import httpx2
import pytest
from jde_practice import DEVICE, PASSWORD, USER, exact
from journal_practice import PLAN, RESERVE, Desk, documents, messages


def standard(message: dict[str, Any]) -> dict[str, Any]:
    """A Generic message as JDE Standard."""

    def pairs(flat: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"name": name, "value": value} for name, value in flat.items()]

    flat = {name: value for name, value in message.items() if name != "Lines"}
    rows = [{"inputs": pairs(line)} for line in message["Lines"]]
    return {"inputs": pairs(flat), "detailInputs": [{"name": "Lines", "repeatingInputs": rows}]}


@pytest.mark.parametrize("version", ["", "/v2", "/v3"])
def test_every_version_of_the_path_runs_an_orchestration(desk: Desk, version: str) -> None:
    """J081"""
    assert len(documents(desk.call(PLAN, desk.message(), version))) == 1
    assert len(desk.journal()) == 2


def test_an_orchestration_without_array_answers_get_too(desk: Desk) -> None:
    """J081"""
    answer = desk.get(f"/v3/orchestrator/{RESERVE}?Documents=3").json()
    assert len(answer["DocumentNumbers"]) == 3


def test_a_jde_standard_message_says_the_same_as_a_generic_one(desk: Desk) -> None:
    """J082 J083 J084"""
    assert len(documents(desk.plan(Reference2="GENERIC"))) == 1
    desk.ais.switch("input_format", "JDE Standard")
    message = desk.message(Reference2="STANDARD")
    assert len(documents(desk.call(PLAN, standard(message)))) == 1
    columns = ("F0911_AID", "F0911_AA", "F0911_EXR", "F0911_LT", "F0911_DGJ", "F0911_JELN")
    both = [[{c: row[c] for c in columns} for row in desk.journal(reference)]
            for reference in ("GENERIC", "STANDARD")]  # fmt: skip
    assert both[0] == both[1]


def test_rows_of_the_array_keep_their_order(desk: Desk) -> None:
    """J083"""
    amounts = [f"{n}.01" for n in (9, 3, 7, 1, 5)]
    desk.plan(*((account, a) for account, a in zip(desk.plain("00001", 5), amounts, strict=True)))
    assert [row["F0911_AA"] for row in desk.journal()] == [Decimal(a) for a in amounts]


def test_a_message_in_the_other_format_is_refused_or_taken(desk: Desk) -> None:
    """J084"""
    answer = desk.call(PLAN, standard(desk.message()))
    assert (answer.status_code, desk.journal(), desk.waiting()) == (400, [], [])
    desk.ais.switch("other_input_format", "accept")
    assert len(documents(desk.call(PLAN, standard(desk.message())))) == 1


WRONG_INPUTS: list[dict[str, Any]] = [
    {"Batch": 1}, {"BatchNumber": "12a"}, {"BatchNumber": True}, {"GLDate": "01/31/2026"},
    {"GLDate": "2026-02-30"}, {"GLDate": "2026-1-31"}, {"Lines": {"AccountId": "x"}},
    {"Lines": ["x"]},
    {"Lines": [{"Account": "x"}]}, {"Lines": [{"Amount": "1,000.00"}]},
    {"Lines": [{"Amount": "NaN"}]}, {"Lines": [{"Amount": "1E5"}]}, {"Company": ["00001"]},
    {"inputs": {"Company": "00001"}}, {"Lines": [{"Amount": "1234567890123456"}]},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_INPUTS, ids=str)
def test_an_input_that_no_definition_has_changes_nothing(desk: Desk, wrong: dict[str, Any]) -> None:
    """J085"""
    answer = desk.plan(**wrong)
    assert answer.status_code == 400, answer.text
    assert (desk.journal(), desk.waiting()) == ([], [])
    assert len(desk.ais.refused()) == 1


def test_unknown_inputs_may_be_ignored_and_the_status_may_be_500(desk: Desk) -> None:
    """J085"""
    desk.ais.switch("invalid_input_status", 500)
    assert desk.plan(Batch="7").status_code == 500
    desk.ais.switch("unknown_input", "ignore")
    assert len(documents(desk.plan(Batch="7"))) == 1
    assert int(desk.journal()[0]["F0911_ICU"]) != 7


def test_amounts_come_exactly_as_number_or_as_text(desk: Desk) -> None:
    """J085"""
    accounts = desk.plain("00001", 3)
    lines = [{"AccountId": a, "Amount": n} for a, n in
             zip(accounts, (8.3, "8.3", 8), strict=True)]  # fmt: skip
    desk.plan(Lines=lines)
    assert [row["F0911_AA"] for row in desk.journal()] == [Decimal("8.3"), Decimal("8.3"), 8]


def test_a_date_is_taken_in_the_format_of_the_definition_only(desk: Desk) -> None:
    """J086"""
    desk.ais.switch("orchestration_date", "user")
    assert desk.plan().status_code == 400
    desk.plan(GLDate="01/31/2026")
    assert {row["F0911_DGJ"] for row in desk.journal()} == {"20260131"}


def test_credentials_may_stand_beside_the_inputs(desk: Desk) -> None:
    """J087"""
    body = desk.message() | {"username": USER, "password": PASSWORD, "deviceName": DEVICE}
    answer = desk.ais.send("POST", f"/v3/orchestrator/{PLAN}", json=body)
    assert len(documents(answer)) == 1
    path = f"/v3/orchestrator/{PLAN}"
    assert desk.ais.send("POST", path, json=desk.message()).status_code == 444
    dead = desk.message() | {"token": "dead"}
    assert desk.ais.send("POST", path, json=dead).status_code == 444
    assert len(desk.journal()) == 2


def test_asynch_answers_202_without_a_result_and_runs_later(desk: Desk) -> None:
    """J088"""
    answer = desk.plan(jde__jobQueue="JDE__ASYNCH")
    assert (answer.status_code, answer.content, desk.journal()) == (202, b"", [])
    (waiting,) = desk.orchestrations()["waiting"]
    assert (waiting["name"], waiting["queue"]) == (PLAN, "JDE__ASYNCH")
    desk.ais.control("clock", advance=6)
    assert len(desk.ledger.rows("F0911", {"R2": "K7Q2M9XA"})) == 2  # before anybody asks again
    assert desk.orchestrations()["waiting"] == []


def test_a_single_queue_runs_one_call_after_the_other(desk: Desk) -> None:
    """J088"""
    desk.fault("queued")
    with pytest.raises(httpx2.TransportError):
        desk.plan(Reference2="FIRST", jde__jobQueue="JDE__SINGLE")
    answers: list[int] = []
    second = threading.Thread(
        target=lambda: answers.append(
            desk.plan(Reference2="SECOND", jde__jobQueue="JDE__SINGLE").status_code
        )
    )
    second.start()
    third = desk.plan(Reference2="THIRD", jde__jobQueue="JDE__USER_SINGLE")
    assert (third.status_code, answers) == (200, [])
    assert not desk.ledger.rows("F0911", {"R2": "SECOND"})
    desk.orchestrations(release=True)
    second.join(timeout=10)
    assert answers == [200]
    numbers = [desk.ledger.rows("F0911", {"R2": r})[0]["DOC"] for r in ("FIRST", "SECOND")]
    assert numbers == sorted(numbers)


def test_an_unknown_queue_is_refused(desk: Desk) -> None:
    """J089"""
    for queue in ("JDE_SINGLE", "", "jde__single", None):
        answer = desk.call(PLAN, desk.message() | {"jde__jobQueue": queue})
        assert answer.status_code == 400, queue
    assert desk.journal() == []


def test_the_author_may_make_every_call_asynchronous(desk: Desk) -> None:
    """J090"""
    desk.ais.switch("orchestration_queue", "JDE_ASYNC")
    assert desk.plan().status_code == 202
    assert desk.reserve()["BatchNumber"] > 0  # that orchestration has a queue of its own
    assert len(documents(desk.plan(jde__jobQueue="JDE__DEFAULT"))) == 1


def test_the_same_call_twice_enters_two_journals_unless_a_key_forbids_it(desk: Desk) -> None:
    """J091"""
    first, second = documents(desk.plan()), documents(desk.plan())
    assert first != second
    assert len(desk.journal()) == 4
    numbers = desk.reserve()
    fixed = {"BatchNumber": numbers["BatchNumber"], "Reference2": "FIXED"}
    assert len(documents(desk.plan(**fixed))) == 1
    assert desk.plan(**fixed).status_code == 500
    assert len(desk.journal("FIXED")) == 2


def test_an_orchestration_without_mapped_output_says_so(desk: Desk) -> None:
    """J092"""
    desk.ais.switch("orchestration_output", "none")
    answer = desk.plan()
    assert answer.status_code == 200
    assert answer.json()["message"] == "Orchestration has no output"
    assert set(answer.json()) == {"message", "timeStamp"}
    assert len(desk.journal()) == 2
    sample = desk.call("JDE_ORCH_Sample_UpdateMeterReadings", {"EquipmentNumber": "7"})
    assert sample.json()["message"] == "Orchestration has no output"


def test_status_members_stand_beside_the_output_where_the_author_chose_them(desk: Desk) -> None:
    """J093"""
    assert "jde__status" not in desk.plan().json()
    desk.ais.switch("status_keys", True)
    answer = desk.plan().json()
    assert answer["jde__status"] == "SUCCESS"
    assert set(answer) >= {"jde__startTimestamp", "jde__endTimestamp",
                           "jde__serverExecutionSeconds"}  # fmt: skip
    assert desk.plan(GLDate="2026-06-30").json()["jde__status"] == "WARN"
    desk.orchestrations(next={"lines": 0})
    failed = desk.plan()
    assert (failed.status_code, failed.json()["jde__status"]) == (500, "ERROR")


def test_what_the_report_did_not_take_is_told_in_one_of_three_ways(desk: Desk) -> None:
    """J094"""
    bad = ((desk.account("30.9200"), "5"),)
    inside = desk.plan(*bad)
    assert (inside.status_code, messages(inside)) == (200, ["PEC"])
    assert (inside.json()["BatchNumber"], inside.json()["Documents"]) == (0, [])
    desk.ais.switch("upload_errors", "work_center")
    silent = desk.plan(*bad, Reference2="SILENT")
    assert (silent.status_code, messages(silent)) == (200, [])
    desk.ais.switch("upload_errors", "status")
    assert desk.plan(*bad, Reference2="LOUD").status_code == 500
    told = desk.orchestrations()["work_center"]
    assert [message["transaction"] for message in told] == ["K7Q2M9XA", "SILENT", "LOUD"]
    assert len(desk.waiting()) == 3


def test_numbers_of_an_answer_may_be_text(desk: Desk) -> None:
    """J095"""
    assert exact(desk.plan())["LinesWritten"] == 2
    desk.ais.switch("output_numbers", "text")
    answer = desk.plan().json()
    assert (answer["LinesWritten"], answer["Documents"][0]["Lines"]) == ("2", "2")
    assert desk.reserve()["BatchNumber"].isdigit()


def test_a_step_that_aborts_leaves_what_was_committed_before(desk: Desk) -> None:
    """J096"""
    desk.orchestrations(next={"lines": 1})
    answer = desk.plan(BatchNumber=desk.reserve()["BatchNumber"])
    assert (answer.status_code, answer.json()["status"]) == (500, "ERROR")
    assert ([row["F0911Z1_EDSP"] for row in desk.waiting()], desk.journal()) == (["0"], [])
    assert desk.orchestrations(process=True)["documents"] == 1  # somebody runs R09110Z later
    assert [row["F0911_AA"] for row in desk.journal()] == [Decimal("100.25")]


def test_a_step_that_goes_on_enters_some_of_the_lines(desk: Desk) -> None:
    """J096"""
    desk.orchestrations(next={"lines": 1, "on_error": "continue"})
    answer = desk.plan()
    assert answer.status_code == 200
    (told,) = answer.json()["continuedOnError"]
    assert told["iteration"] == 2
    assert answer.json()["LinesWritten"] == len(desk.journal()) == 1
    assert len(documents(desk.plan())) == 1  # the disturbance was for one call


def test_a_report_that_is_not_reached_leaves_all_rows_unprocessed(desk: Desk) -> None:
    """J096"""
    desk.orchestrations(next={"process": False})
    assert desk.plan().status_code == 500
    assert (len(desk.waiting()), desk.journal()) == (2, [])


def test_what_waits_survives_a_restart_or_not(desk: Desk) -> None:
    """J097"""
    for kept, lines in (("keeps", 2), ("drops", 0)):
        desk.ais.switch("restart_queue", kept)
        desk.fault("accepted", seconds=60)
        assert desk.plan(Reference2=kept.upper()).status_code == 202
        desk.ais.control("restart")
        desk.ais.token = ""
        desk.ais.control("clock", advance=61)
        assert len(desk.journal(kept.upper())) == lines


ODD: list[Any] = [
    None, True, 0, -1, 1.5, "", " ", "x", "9" * 40, "'", [], {}, [[]], [None], {"a": 1}, "-0",
    "\ud800", "\x00", "1e400", "日本", 10**30, "00000000", "2026-13-45",
]  # fmt: skip


def test_every_odd_call_gets_an_answer_and_enters_a_whole_journal_or_none(
    desk: Desk, dice: Random
) -> None:
    """J061 J085 J102"""
    for number in range(150):
        message = desk.message(Reference2=f"ODD{number}", BatchNumber=41_000 + number)
        if dice.random() < 0.5:
            message[dice.choice([*message, "DocumentNumber", "jde__jobQueue"])] = dice.choice(ODD)
        else:
            line = message["Lines"][dice.randrange(2)]
            line[dice.choice([*line, "Units", "LineNumber", "GLDate"])] = dice.choice(ODD)
        if dice.random() < 0.3:
            message |= {"jde__jobQueue": "JDE__ASYNCH"}
        text = json.dumps(message)
        headers = desk.headers() | {"Content-Type": "application/json"}
        answer = desk.ais.send("POST", f"/v3/orchestrator/{PLAN}", content=text, headers=headers)
        assert answer.status_code in (200, 202, 400, 500), text
        assert answer.status_code == 202 or isinstance(answer.json(), dict), text
    desk.ais.control("clock", advance=10)
    sizes = desk.ledger.query("SELECT DOC, count(*) FROM F0911 WHERE PID = 'R09110Z' GROUP BY DOC")
    assert {count for _, count in sizes} <= {1, 2}
    broken = desk.ledger.query(
        "SELECT DOC FROM F0911 WHERE PID = 'R09110Z' AND (LT = '' OR FY = 0 OR AA = 0 AND U = 0)"
    )
    assert broken == []
    assert len(documents(desk.plan())) == 1
