"""Findings, positions, tasks and chunks: what a later try or a later run starts from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from random import Random

import pytest
from sqlalchemy import event

from tieout.core.findings import Finding, Severity
from tieout.errors import Busy, Refused
from tieout.store import runs, tasks
from tieout.store.runs import Ending, NewRun
from tieout.store.steps import Step
from tieout.store.store import Store
from tieout.store.tasks import INTENDED, STARTED, Chunk, Task, TaskKey

MISSING = Finding(
    rule="unmatched-member",
    severity=Severity.REJECT,
    subject="8740.MEALS",
    what="Anaplan has no account 8740.MEALS.",
    remedy="Map it, or add it to the list.",
    company="00001",
    dimension="account",
    member="8740.MEALS",
    amount=Decimal("-1250.750"),
    currency="USD",
    cells=3,
    vendor_words="Invalid\x00 item",
)
NOTE = Finding("unposted", Severity.NOTE, "batch 1234", "Two lines are not posted.")


def test_a_finding_comes_back_as_it_was_made(store: Store, run: str) -> None:
    store.run_step(run, "check", lambda step: step.reject([MISSING, NOTE]) or {})
    [missing, note] = store.rejects(run=run)
    assert missing.finding.amount == Decimal("-1250.750")
    assert str(missing.finding.amount) == "-1250.750"
    assert missing.finding.vendor_words == "Invalid\ufffd item"
    assert note.finding == NOTE
    assert (missing.state, missing.flow, missing.run) == ("open", "actuals", run)
    assert store.rejects(flow="plan") == store.rejects(state="waived") == []


def test_a_finding_ends_once(store: Store, run: str) -> None:
    store.run_step(run, "check", lambda step: step.reject([MISSING, NOTE]) or {})
    [missing, note] = store.rejects(run=run)
    store.run_step(run, "mend", lambda s: s.settle([note.id], "fixed") or {})
    store.run_step(run, "again", lambda s: s.settle([missing.id, note.id], "sent again") or {})
    assert [(r.state, r.settled_run) for r in store.rejects(run=run)] == [
        ("sent again", run),
        ("fixed", run),
    ]
    assert store.rejects(state="open") == []
    for not_an_end in ("open", "lost"):
        with pytest.raises(ValueError, match="not how a reject ends"):
            store.run_step(run, "wrong", lambda s, end=not_an_end: s.settle([note.id], end) or {})


POSITIONS = ("2025-12-31", 114_365, {"updated": "2025-12-31", "time": 235_959}, ["a", None], "")


def test_a_position_moves_only_from_where_it_was_read(store: Store, run: str) -> None:
    def moves(name: str, n: int, expected: object, following: object) -> None:
        def function(step: Step) -> dict[str, object]:
            step.move_position(f"updated {n}", expected, following)
            return {}

        store.run_step(run, f"{name} {n}", function)

    for n, value in enumerate(POSITIONS):
        moves("first", n, None, value)
        read = store.position("actuals", f"updated {n}")
        assert read == value
        for name, stale in (("stale", "1999-12-31"), ("unset", None)):
            with pytest.raises(Busy, match="moved by another run"):
                moves(name, n, stale, "2026-01-01")
        moves("second", n, read, {"date": date(2026, 1, 31)})
        assert store.position("actuals", f"updated {n}") == {"date": "2026-01-31"}


def test_of_two_runs_that_move_a_position_at_once_one_wins(store: Store) -> None:
    started = [
        store.new_run(NewRun("actuals", "load_actuals", "Anna", alone=False)).id for _ in range(4)
    ]

    def move(run: str) -> str:
        try:
            store.run_step(run, "move", lambda s: s.move_position("updated", None, run) or {})
        except Busy:
            return ""
        return run

    with ThreadPoolExecutor(len(started)) as threads:
        winners = [run for run in threads.map(move, started) if run]
    assert winners == [store.position("actuals", "updated")]


def test_the_tasks_seen_before_a_start_are_remembered_by_its_next_try(
    store: Store, run: str
) -> None:
    key = TaskKey(run, "import", "imports", "112000000001")
    assert store.task(key) is None

    def intend(*known: str) -> Task:
        with store.begin() as connection:
            return tasks.intend(connection, key, known, store.clock.now())

    first = intend("A1", "A2")
    assert (first.known, first.task_id, first.state) == (("A1", "A2"), None, INTENDED)
    again = intend("A1", "A2", "A3")
    assert again == first, "A3 may be the task that the lost start made"
    with store.begin() as connection:
        for state in (STARTED, "COMPLETE"):
            tasks.note(connection, key, "A3", state, store.clock.now())
    done = intend("A1", "A2", "A3")
    assert (done.known, done.task_id, done.state) == (("A1", "A2"), "A3", "COMPLETE")


def test_the_first_missing_chunk_is_known_after_a_crash(store: Store, run: str) -> None:
    began = store.clock.now()
    for n, sha in ((0, "aa"), (2, "cc"), (0, "ab")):
        store.receive_chunk(run, "113000000001", Chunk(n, sha, 10_000_000))
    assert store.chunks(run, "113000000001") == {
        0: Chunk(0, "ab", 10_000_000),
        2: Chunk(2, "cc", 10_000_000),
    }
    first = store.chunks(run, "113000000001")[0].received_at
    assert first is not None
    assert began < first < store.clock.now(), "a receipt that is a day old is not trusted"
    assert store.chunks(run, "113000000002") == {}


def test_the_trail_stays_whole_whatever_is_done_in_what_order(store: Store, dice: Random) -> None:
    deeds = {
        "config": lambda n: store.apply_config(f"n = {n}", "Anna"),
        "run": lambda n: store.new_run(NewRun(f"flow{n}", "load_members", "Ben")),
        "step": lambda n: store.run_step(
            store.new_run(NewRun("steps", "load_members", "Ben", alone=False)).id,
            f"step {n}",
            lambda step: step.reject([MISSING]) or {"n": n},
        ),
        "end": lambda n: [
            store.finish_run(run.id, Ending("complete", "Ties.", 0, {}))
            for run in store.runs(outcomes=["running"], limit=1)
        ],
        "settle": lambda n: store.run_step(
            store.new_run(NewRun("steps", "load_members", "Ben", alone=False)).id,
            f"settle {n}",
            lambda step: step.settle([n], "fixed") or {},
        ),
    }
    for n in range(25):
        deeds[dice.choice(sorted(deeds))](n)
    verdict = store.verify_audit()
    assert verdict.whole
    assert verdict.entries > 0


def test_a_run_that_ends_just_before_it_is_taken_up_stays_ended(store: Store, run: str) -> None:
    """PostgreSQL shows the second statement of a transaction what was committed after the first."""
    if store.database.is_sqlite:
        return  # whoever writes keeps all others from writing
    ended = []

    @event.listens_for(store.database.engine, "before_cursor_execute")
    def ends(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE app_run") and not ended:
            ended.append(True)
            store.finish_run(run, Ending("cancelled", "Anna cancelled it.", 1, {}))

    try:
        with pytest.raises(Refused, match="has ended"), store.begin() as connection:
            runs.take_up(connection, run)
    finally:
        event.remove(store.database.engine, "before_cursor_execute", ends)
    assert store.run(run).outcome == "cancelled"
