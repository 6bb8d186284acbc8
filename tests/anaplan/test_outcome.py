"""Claims about outcomes: success is ours to judge, and a count that was not said is not zero."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest

from tieout.anaplan.outcome import Counts, TaskResult, task_result, task_state

NAMES = ["successRowCount", "warningsRowCount", "failedCount", "ignoredCount", "invalidCount",
         "totalRowCount"]  # fmt: skip
TEXT = "L: 13 (0/13) rows successful, 1 (0/1) rows has warnings, 2 failed, 3 ignored "


def judged(result: dict[str, Any] | None, state: str = "COMPLETE") -> TaskResult:
    task: dict[str, Any] = {"taskId": "T", "taskState": state, "progress": 1}
    if result is not None:
        task["result"] = result
    return task_result(task_state(task), "112000000001", "Load GL Actuals")


def detail(*counts: int, kind: str = "hierarchyRowsProcessed") -> dict[str, Any]:
    flat: list[str | None] = ["hierarchyName", None]
    for name, count in zip(NAMES, counts, strict=True):
        flat += [name, str(count)]
    return {"type": kind, "occurrences": 0, "localMessageText": "said", "values": flat}


def test_all_rows_taken_is_ok() -> None:
    result = judged({"successful": True, "details": [detail(90, 0, 0, 0, 0, 90)]})
    assert result.outcome == "ok"
    assert result.counts == Counts(90, 0, 0, 0, 0, 90)


@pytest.mark.parametrize("position", [1, 2, 3, 4])
def test_one_row_warned_failed_ignored_or_invalid_makes_it_partial(position: int) -> None:
    counts = [90, 0, 0, 0, 0, 91]
    counts[position] = 1
    assert judged({"successful": True, "details": [detail(*counts)]}).outcome == "partial"


def test_a_dump_or_the_word_failures_makes_it_partial_whatever_the_counts_say() -> None:
    clean = detail(90, 0, 0, 0, 0, 90)
    dump = {"successful": True, "failureDumpAvailable": True, "details": [clean]}
    assert judged(dump).outcome == "partial"
    flagged = detail(90, 0, 0, 0, 0, 90, kind="hierarchyRowsProcessedWithFailures")
    assert judged({"successful": True, "details": [flagged]}).outcome == "partial"


@pytest.mark.parametrize("successful", [False, None, "true", 1])
def test_only_a_plain_true_is_a_success(successful: object) -> None:
    result = judged({"successful": successful, "details": [detail(90, 0, 0, 0, 0, 90)]})
    assert result.outcome == "failed"


def test_the_words_of_a_failure_are_kept() -> None:
    details = [{"type": "uploadedFileNoLongerAvailable"}]
    result = judged({"successful": False, "details": details})
    assert result.outcome == "failed"
    assert result.words == ("uploadedFileNoLongerAvailable",)


def test_the_order_of_the_counts_does_not_matter(dice: Random) -> None:
    pairs = list(zip(NAMES, ["13", "1", "2", "3", "0", "19"], strict=True))
    dice.shuffle(pairs)
    flat = [text for pair in pairs for text in pair]
    result = judged({"successful": True, "details": [{"type": "x", "values": flat}]})
    assert result.counts == Counts(13, 1, 2, 3, 0, 19)


def test_counts_are_read_from_the_text_when_the_values_lack_them() -> None:
    result = judged({"successful": True, "details": [{"type": "x", "localMessageText": TEXT}]})
    assert result.counts == Counts(13, 1, 2, 3, None, None)
    assert result.outcome == "partial"


def test_counts_that_were_not_said_are_unknown_and_not_zero() -> None:
    result = judged(
        {"successful": True, "details": [{"type": "x", "values": ["failedCount", None]}]}
    )
    assert result.counts == Counts()
    assert result.outcome == "ok"


def test_a_process_is_as_good_as_its_worst_action() -> None:
    nested = [
        {"objectId": "112000000001", "successful": True, "details": [detail(5, 0, 0, 0, 0, 5)]},
        {"objectId": "112000000002", "objectName": "Second", "successful": False,
         "failureDumpAvailable": True, "details": [detail(1, 0, 4, 0, 0, 5)]},
    ]  # fmt: skip
    result = judged({"successful": True, "nestedResults": nested})
    assert result.outcome == "failed"
    assert [(o.object_id, o.outcome) for o in result.objects[:2]] == [
        ("112000000001", "ok"),
        ("112000000002", "failed"),
    ]
    assert result.counts.failed == 4
    assert result.objects[1].dump_available


def test_a_process_that_failed_by_itself_is_failed_though_its_actions_are_not() -> None:
    nested = [{"objectId": "112000000001", "successful": True}]
    result = judged(
        {"successful": False, "nestedResults": nested, "details": [{"type": "internalError"}]}
    )
    assert result.outcome == "failed"
    assert "internalError" in result.words


@pytest.mark.parametrize(("state", "outcome"), [("CANCELLED", "cancelled"), ("NEW", "failed")])
def test_no_other_end_than_complete_is_a_success(state: str, outcome: str) -> None:
    assert judged({"successful": True}, state).outcome == outcome


def test_a_result_survives_the_way_through_a_step() -> None:
    result = judged({"successful": True, "details": [detail(13, 1, 2, 3, 0, 19)]})
    assert msgspec.convert(msgspec.to_builtins(result), TaskResult) == result
