"""Every way in which the answer to a journal call is lost or wrong, and what the ledger shows."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from journal_practice import PLAN, Desk, journal_practice

ERRORS = '{"BatchNumber":0,"Documents":[],"Errors/Warnings":[{"Errors":[{"CODE":"X"}]}]}'
EMPTY = '{"message":"Orchestration has no output","timeStamp":""}'

# name, fault, status seen by the caller (0: connection lost), lines in the ledger at once
FAULTS: tuple[tuple[str, dict[str, Any], int, int], ...] = (
    ("cut before the commit", {"kind": "cut_before"}, 0, 0),
    ("cut after the commit", {"kind": "cut_after"}, 0, 2),
    ("half an answer", {"kind": "truncate"}, 0, 2),
    ("committed later than the caller waits", {"kind": "queued", "seconds": 90}, 0, 0),
    ("waits until it is released", {"kind": "queued"}, 0, 0),
    ("500 before the commit", {"kind": "status", "status": 500, "body": "{}"}, 500, 0),
    ("500 after the commit", {"kind": "status_after", "status": 500, "body": "{}"}, 500, 2),
    ("200 with errors, nothing done", {"kind": "status", "status": 200, "body": ERRORS}, 200, 0),
    ("200 with errors, all done", {"kind": "status_after", "status": 200, "body": ERRORS}, 200, 2),
    ("202, done at once", {"kind": "status_after", "status": 202, "body": ""}, 202, 2),
    ("202, done later", {"kind": "accepted", "seconds": 90}, 202, 0),
    ("202, done on release", {"kind": "accepted"}, 202, 0),
    ("empty output", {"kind": "status_after", "status": 200, "body": EMPTY}, 200, 2),
    ("444 after the commit", {"kind": "status_after", "status": 444, "body": "{}"}, 444, 2),
    ("HTML of a proxy", {"kind": "status_after", "status": 504, "body": "<html>",
                         "content_type": "text/html"}, 504, 2),
    ("sent twice by a proxy", {"kind": "twice"}, 200, 4),
    ("some lines, then cut", {"kind": "cut_after", "meanwhile": {
        "orchestrations": {"next": {"lines": 1, "on_error": "continue"}}}}, 0, 1),
    ("rows only, then 500", {"kind": "delay", "meanwhile": {
        "orchestrations": {"next": {"process": False}}}}, 500, 0),
)  # fmt: skip


def seen(call: Callable[[], httpx2.Response]) -> int:
    """The status the caller sees, 0 when the connection was lost."""
    try:
        return call().status_code
    except httpx2.TransportError:
        return 0


@pytest.mark.parametrize(("name", "fault", "status", "lines"), FAULTS, ids=[f[0] for f in FAULTS])
def test_a_fault_shows_the_caller_one_thing_and_the_ledger_another(
    desk: Desk, name: str, fault: dict[str, Any], status: int, lines: int
) -> None:
    """J096 J097"""
    desk.fault(**fault)
    assert seen(desk.plan) == status, name
    assert len(desk.journal()) == lines
    desk.ais.control("clock", advance=91)
    desk.orchestrations(release=True)
    later = len(desk.journal())
    assert later == (2 if fault["kind"] in ("queued", "accepted") else lines)
    assert seen(lambda: desk.plan(Reference2="NEXT")) == 200  # one fault, one call


def test_a_call_that_waits_runs_when_its_time_has_come_and_not_before(desk: Desk) -> None:
    """J097"""
    desk.fault("queued", seconds=90)
    assert seen(desk.plan) == 0
    desk.ais.control("clock", advance=80)
    assert desk.journal() == []
    desk.ais.control("clock", advance=11)
    assert len(desk.journal()) == 2


def test_calls_that_wait_are_released_one_by_one_or_lost(desk: Desk) -> None:
    """J097"""
    desk.fault("queued", times=3)
    for reference in ("ONE", "TWO", "THREE"):
        seen(lambda reference=reference: desk.plan(Reference2=reference))
    assert [w["number"] for w in desk.orchestrations()["waiting"]] == [1, 2, 3]
    assert desk.orchestrations(release=2)["calls"] == 1
    assert desk.orchestrations(drop=1)["calls"] == 1
    assert [len(desk.journal(r)) for r in ("ONE", "TWO", "THREE")] == [0, 2, 0]
    desk.orchestrations(release=True)
    assert [len(desk.journal(r)) for r in ("ONE", "TWO", "THREE")] == [0, 2, 2]


def test_a_gateway_gives_up_on_a_call_that_waits_and_the_call_runs_all_the_same(
    desk: Desk,
) -> None:
    """J098 J088"""
    desk.ais.switch("gateway_seconds", 0)
    single = {"jde__jobQueue": "JDE__SINGLE"}
    desk.fault("queued")
    assert seen(lambda: desk.plan(Reference2="ONE", **single)) == 0
    for reference in ("TWO", "THREE"):
        assert seen(lambda reference=reference: desk.plan(Reference2=reference, **single)) == 504
    desk.ais.control("clock", advance=900)
    assert [len(desk.journal(r)) for r in ("ONE", "TWO", "THREE")] == [0, 0, 0]
    desk.orchestrations(release=1)
    numbers = [int(desk.journal(r)[0]["F0911_DOC"]) for r in ("ONE", "TWO", "THREE")]
    assert numbers == sorted(numbers)
    assert desk.orchestrations()["waiting"] == []


def test_a_call_that_may_not_run_does_not_wait(desk: Desk) -> None:
    """J097"""
    desk.headers()
    desk.ais.control("restart")
    desk.fault("queued", times=2)
    assert seen(desk.plan) == 444
    desk.ais.token = ""
    assert seen(lambda: desk.call("TIEOUT_PlanJournals", desk.message())) == 500
    assert desk.orchestrations()["waiting"] == []


def test_a_waiting_call_with_a_bad_message_comes_to_nothing(desk: Desk) -> None:
    """J097"""
    desk.fault("accepted")
    assert seen(lambda: desk.plan(GLDate="soon")) == 202
    assert desk.orchestrations(release=True)["waiting"] == []
    assert (desk.journal(), desk.waiting()) == ([], [])


def test_a_released_call_clashes_with_the_same_call_sent_again(desk: Desk) -> None:
    """J097 J100"""
    numbers = desk.reserve()
    keys = {name: numbers[name] for name in ("BatchNumber", "DocumentNumber")}
    desk.fault("queued")
    assert seen(lambda: desk.plan(**keys)) == 0
    assert seen(lambda: desk.plan(**keys)) == 200
    desk.orchestrations(release=True)
    assert len(desk.journal()) == 2
    without = {"Reference2": "FREE"}  # without numbers nothing stops the second
    desk.fault("queued")
    seen(lambda: desk.plan(**without))
    seen(lambda: desk.plan(**without))
    desk.orchestrations(release=True)
    assert len(desk.journal("FREE")) == 4


def test_a_request_that_a_proxy_repeats_is_stopped_by_the_keys_it_carries(desk: Desk) -> None:
    """J091 J100 J106"""
    numbers = desk.reserve()
    keys = {name: numbers[name] for name in ("BatchNumber", "DocumentNumber")}
    desk.fault("twice")
    assert seen(lambda: desk.plan(**keys)) == 500
    assert len(desk.journal()) == 2
    desk.ais.switch("purge_processed", True)
    number = desk.reserve()["DocumentNumber"]
    desk.fault("twice")
    assert seen(lambda: desk.plan(DocumentNumber=number, Reference2="PURGED")) == 200
    assert len(desk.journal("PURGED")) == 2  # the document number stops it


def test_a_restart_between_look_and_send_takes_the_session_away(desk: Desk) -> None:
    """J026"""
    assert desk.journal() == []
    desk.ais.control("faults", add={"kind": "delay", "path": PLAN, "meanwhile": {"restart": {}}})
    assert seen(desk.plan) == 444
    desk.ais.token = ""
    assert desk.journal() == []
    assert seen(desk.plan) == 200


def test_somebody_posts_between_two_requests(desk: Desk) -> None:
    """J124"""
    batch = desk.plan().json()["BatchNumber"]
    act = {"do": "approve", "batch_type": "G", "batch_number": batch}
    desk.ais.control("faults", add={"kind": "delay", "path": "dataservice",
                                    "meanwhile": {"people": act}})  # fmt: skip
    assert desk.header(batch)["F0011_IST"] == "A"


def test_what_was_committed_and_what_waits_survives_a_killed_practice_system(
    tmp_path: Path, books: Path
) -> None:
    """J097"""
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    with journal_practice(first, books) as desk:
        desk.plan(Reference2="DONE")
        desk.fault("queued", seconds=60)
        seen(lambda: desk.plan(Reference2="LATE"))
        with sqlite3.connect(first / "jde.sqlite") as kept:  # as the files lie when it is killed
            kept.execute("PRAGMA wal_checkpoint")
        shutil.copy(first / "jde.sqlite", second / "jde.sqlite")
    with journal_practice(second, books) as desk:
        assert (len(desk.journal("DONE")), desk.journal("LATE")) == (2, [])
        desk.ais.control("clock", advance=61)
        assert len(desk.journal("LATE")) == 2
