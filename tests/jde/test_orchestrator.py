"""Claims about orchestrations: found by name with their inputs, and numbers they hand out."""

from __future__ import annotations

from typing import Any

import pytest
from journal_office import Office
from journal_practice import PLAN, RESERVE

from tieout.errors import Misconfigured, Refused, Unavailable
from tieout.jde.orchestrations import GENERIC, STANDARD

CALLED = f"orchestrator/{RESERVE}"
SAMPLE = "JDE_ORCH_Sample_UpdateMeterReadings"
LINES = ("AccountId", "Amount", "Remark")


def columns(bureau: Office) -> dict[str, str]:
    array = bureau.orchestrator.named(PLAN).input("Lines")
    assert array is not None
    return {c.name: c.kind for c in array.columns}


def test_all_orchestrations_are_shown_by_name(bureau: Office) -> None:
    assert [o.name for o in bureau.orchestrator.shown()] == [SAMPLE, PLAN, RESERVE]


def test_one_is_found_with_format_inputs_and_the_columns_of_its_array(bureau: Office) -> None:
    found = bureau.orchestrator.named(PLAN)
    assert found.message_format == GENERIC
    kinds = {i.name: i.kind for i in found.inputs}
    wanted = {"BatchNumber": "Numeric", "Company": "String", "GLDate": "Date", "Lines": ""}
    assert wanted.items() <= kinds.items()
    assert columns(bureau)["Amount"] == "Numeric"


@pytest.mark.parametrize("shape", ["objects", "names", "absent"])
def test_the_catalog_tells_the_columns_that_discovery_leaves_out(
    bureau: Office, shape: str
) -> None:
    bureau.desk.ais.switch("discover_arrays", shape)
    assert set(LINES) <= set(columns(bureau))
    assert columns(bureau)["Amount"] == "Numeric"


def test_a_release_without_a_catalog_is_enough(bureau: Office) -> None:
    bureau.desk.fault("status", path="open-api", status=404, body="<html>", times=9)
    bureau.desk.ais.switch("discover_arrays", "absent")
    assert columns(bureau) == {}
    bureau.orchestrator.checked(PLAN, ["Company"], "Lines", ["Any"])


def test_what_was_found_out_is_asked_for_once_in_a_session(bureau: Office) -> None:
    first = bureau.orchestrator.named(PLAN)
    asked = len(bureau.calls)
    assert bureau.orchestrator.named(PLAN) is first
    assert len(bureau.calls) == asked == 3  # sign-in, catalog, discovery


@pytest.mark.parametrize("status", [500, 404, 400])
def test_a_name_that_is_not_there_is_told_with_those_that_are(bureau: Office, status: int) -> None:
    bureau.desk.ais.switch("unknown_orchestration", status)
    with pytest.raises(Misconfigured, match="It shows: TIEOUT_PlanJournal, ") as wrong:
        bureau.orchestrator.named("tieout_planJournal")
    assert RESERVE in wrong.value.what
    assert wrong.value.exit_code == 3


def test_a_hidden_orchestration_is_not_guessed_at(bureau: Office) -> None:
    bureau.desk.ais.switch("hidden_orchestrations", [PLAN])
    with pytest.raises(Misconfigured, match="shows no orchestration") as wrong:
        bureau.orchestrator.named(PLAN)
    assert "expose it in discovery" in wrong.value.sentence()


def test_hidden_inputs_cannot_be_checked_and_are_refused(bureau: Office) -> None:
    bureau.desk.ais.switch("hidden_inputs", [PLAN])
    with pytest.raises(Misconfigured, match="does not show its inputs"):
        bureau.orchestrator.checked(PLAN, ["Company"])


WRONG: list[tuple[list[str], str, list[str], str]] = [
    (["Batch"], "Lines", [], r"no input 'Batch'\. It has: BatchNumber, Company, "),
    ([], "Rows", [], "no input 'Rows'"),
    (["Company"], "Lines", ["Account"], r"no column 'Account'\. It has: AccountId, Amount"),
    (["token"], "Lines", [], "cannot be given token: AIS takes that for itself"),
]


@pytest.mark.parametrize(("names", "array", "row", "words"), WRONG, ids=lambda v: str(v)[:20])
def test_a_missing_input_is_told_with_those_that_are_there(
    bureau: Office, names: list[str], array: str, row: list[str], words: str
) -> None:
    with pytest.raises(Misconfigured, match=words):
        bureau.orchestrator.checked(PLAN, names, array, row)


def test_a_format_that_we_do_not_write_is_refused(bureau: Office) -> None:
    bureau.desk.fault("replace", path="discover", find="Generic", body="Oracle Cloud IoT", times=9)
    with pytest.raises(Misconfigured, match="takes messages in the format Oracle Cloud IoT"):
        bureau.orchestrator.checked(PLAN, ["Company"])


def test_a_lost_session_is_signed_in_again_for_a_question(bureau: Office) -> None:
    bureau.jde.sign_in()
    bureau.desk.ais.control("restart")
    assert bureau.orchestrator.named(PLAN).name == PLAN


def test_a_role_that_may_not_discover_is_told_so(bureau: Office) -> None:
    bureau.desk.fault("status", path="discover", status=403, body='{"message":"No"}', times=9)
    with pytest.raises(Refused, match="not let its user discover"):
        bureau.orchestrator.named(PLAN)


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [GENERIC, STANDARD])
@pytest.mark.parametrize("numbers", ["number", "text"])
def test_numbers_are_handed_out_once(bureau: Office, form: str, numbers: str) -> None:
    bureau.desk.ais.switch("input_format", form)
    bureau.desk.ais.switch("output_numbers", numbers)
    first, second = (bureau.orchestrator.reserve(RESERVE, n) for n in (1, 3))
    assert (len(first.documents), len(second.documents)) == (1, 3)
    assert first.batch_number != second.batch_number > 0
    assert len({*first.documents, *second.documents}) == 4


@pytest.mark.parametrize(
    "fault",
    [{"kind": "cut_after"}, {"kind": "status", "status": 503, "body": ""},
     {"kind": "status", "status": 444, "body": '{"message":"Invalid Token"}'}],
    ids=lambda f: str(f["kind"]) + str(f.get("status", "")),
)  # fmt: skip
def test_a_lost_reservation_is_asked_for_again(bureau: Office, fault: dict[str, Any]) -> None:
    bureau.desk.fault(path=CALLED, **fault)
    assert bureau.orchestrator.reserve(RESERVE).batch_number > 0
    assert bureau.posts(RESERVE) == 2


NO_NUMBERS = [
    (202, ""), (400, '{"message":"M"}'), (200, '{"message":"Orchestration has no output"}'),
    (200, '{"BatchNumber":7}'), (200, '{"BatchNumber":7,"DocumentNumber":8,"errors":["E"]}'),
    (200, '{"BatchNumber":0,"DocumentNumber":8}'), (200, "<html>"),
    (200, '{"a":{"BatchNumber":7},"b":{"BatchNumber":9},"DocumentNumber":8}'),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body"), NO_NUMBERS)
def test_an_answer_without_certain_numbers_is_refused(
    bureau: Office, status: int, body: str
) -> None:
    bureau.desk.fault("status", path=CALLED, status=status, body=body, times=9)
    with pytest.raises(Refused):
        bureau.orchestrator.reserve(RESERVE)


def test_an_orchestration_that_fails_for_good_hands_out_nothing(bureau: Office) -> None:
    bureau.desk.fault("status", path=CALLED, status=503, body="", times=9)
    with pytest.raises(Unavailable):
        bureau.orchestrator.reserve(RESERVE)


def test_several_documents_need_an_input_for_their_number(bureau: Office) -> None:
    with pytest.raises(Misconfigured, match="no input 'Documents'"):
        bureau.orchestrator.reserve(SAMPLE, 2)
    with pytest.raises(Refused, match="0 batch and 0 document numbers"):
        bureau.orchestrator.reserve(SAMPLE)
    assert bureau.posts(SAMPLE) == 1
