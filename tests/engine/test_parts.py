"""A run that hands out parts: told as runs, while it holds nothing; then it goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import engine_program
import pytest
from engine_program import PARTS, RUN_SECONDS_MAX, Peer, four_steps, in_parts, part

from tieout.core.policy import SYSTEM
from tieout.engine.durable import Engine
from tieout.engine.story import leave_out_parts
from tieout.store import cancels, parts
from tieout.store.cancels import Cancel
from tieout.store.runs import Run
from tieout.store.store import Store

Ask = Callable[..., str]
MakeEngine = Callable[..., Engine]


def parts_of(store: Store, run: str) -> list[Run]:
    with store.database.read() as connection:
        return parts.of_run(connection, run)


def read_in_parts(run: str) -> list[str]:
    """What the peer hears of a run whose every part is read once, and by nobody else."""
    read = [f"part {n} of {run}" for n in range(1, PARTS + 1)]
    return sorted([f"balances {run}", f"hand out {run}", f"send {run}", *read])


def until(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + RUN_SECONDS_MAX
    while not happened():
        assert time.monotonic() < give_up, "it did not happen in time"
        threading.Event().wait(0.02)


def test_more_cut_runs_than_places_for_runs_all_end_and_every_part_is_read_once(
    store: Store, ask: Ask, make_engine: MakeEngine, peer: Peer
) -> None:
    """Runs that wait for their parts hold no place; else parts would wait for them for ever."""
    asked = [ask(f"flow{number}", "in_parts") for number in range(6)]  # places for four
    engine = make_engine(lambda run: run.flow, in_parts=in_parts, **{parts.KIND: part()})
    engine.launch()

    ended = [engine.wait(run, RUN_SECONDS_MAX) for run in asked]

    assert [run.sentence for run in ended] == ["All parts are read."] * 6
    assert sorted(peer.calls()) == sorted(word for run in asked for word in read_in_parts(run))
    steps = [step.name for step in store.steps(asked[0])]
    assert steps[0] == "read balances"
    assert len(steps) == PARTS + 3


def test_a_run_that_waits_for_its_parts_keeps_nobody_from_the_same_model(
    store: Store, ask: Ask, make_engine: MakeEngine, peer: Peer
) -> None:
    large, small = ask("large", "in_parts"), ask("small")

    def lane(run: Run) -> str:
        return "parts" if run.part_of else "the model"

    stories = {"four_steps": four_steps, "in_parts": in_parts, parts.KIND: part(held=1)}
    engine = make_engine(lane, **stories)
    engine.launch()

    ended = engine.wait(small, RUN_SECONDS_MAX)

    assert ended.outcome == "complete"
    assert store.run(large).outcome == "running"
    until(lambda: f"part 1 of {large}" in peer.calls())
    assert f"part 2 of {large}" not in peer.calls()  # one at a time in a process
    peer.let()
    assert engine.wait(large, RUN_SECONDS_MAX).outcome == "complete"


def test_two_cut_runs_are_read_in_turn(
    store: Store, ask: Ask, make_engine: MakeEngine, peer: Peer
) -> None:
    """The first part of each goes before any second one, however large one of them is."""
    first, second = ask("first", "in_parts"), ask("second", "in_parts")

    def lane(run: Run) -> str:
        return "parts" if run.part_of else run.flow

    engine = make_engine(lane, in_parts=in_parts, **{parts.KIND: part(held=1)})
    engine.launch()
    until(lambda: len(parts_of(store, first)) + len(parts_of(store, second)) == 2 * PARTS)
    threading.Event().wait(0.2)  # until both are in the queue behind the part that is held
    peer.let()
    for run in (first, second):
        engine.wait(run, RUN_SECONDS_MAX)

    order = [word[len("part ")] for word in peer.calls() if word.startswith("part ")]
    assert order == ["1", "1", "2", "2", "3", "3"]


def test_parts_of_a_run_that_a_person_waits_for_go_two_for_one(
    store: Store, ask: Ask, make_engine: MakeEngine, peer: Peer
) -> None:
    """So it is through sooner, and a large one of it starves no other run."""

    def lane(run: Run) -> str:
        return "parts" if run.part_of else run.flow

    engine = make_engine(lane, in_parts=in_parts, **{parts.KIND: part(held=1)})
    nightly = ask("first", "in_parts", SYSTEM)
    engine.launch()
    until(lambda: f"part 1 of {nightly}" in peer.calls())
    asked_for = ask("second", "in_parts")
    engine.start()
    until(lambda: len(parts_of(store, asked_for)) == PARTS)
    threading.Event().wait(0.2)  # until they are in the queue behind the part that is held
    peer.let()
    for run in (nightly, asked_for):
        engine.wait(run, RUN_SECONDS_MAX)

    told = {asked_for: "asked for", nightly: "nightly"}
    order = [told[word.split()[-1]] for word in peer.calls() if word.startswith("part ")]
    assert order == ["nightly", "asked for", "asked for", "asked for", "nightly", "nightly"]


def test_a_part_that_is_refused_ends_the_run_and_the_parts_nobody_began(
    store: Store, ask: Ask, make_engine: MakeEngine, peer: Peer
) -> None:
    run = ask("actuals", "in_parts")
    engine = make_engine(in_parts=in_parts, **{parts.KIND: part(refused=1)})
    engine.launch()

    ended = engine.wait(run, RUN_SECONDS_MAX)

    assert (ended.outcome, ended.exit_code) == ("failed", 4)
    assert ended.sentence == (f"{run}.1, which reads company 1, failed: JD Edwards says no.")
    outcomes = [each.outcome for each in parts_of(store, run)]
    assert outcomes == ["failed", "cancelled", "cancelled"]
    assert f"send {run}" not in peer.calls()


def test_a_run_that_is_cancelled_while_it_waits_ends_with_its_parts(
    store: Store, ask: Ask, make_engine: MakeEngine, peer: Peer
) -> None:
    run = ask("actuals", "in_parts")
    engine = make_engine(in_parts=in_parts, **{parts.KIND: part(held=1)})
    engine.launch()
    until(lambda: f"part 1 of {run}" in peer.calls())

    with store.begin() as connection:
        cancels.ask(connection, Cancel(run, "Anna", "the wrong year", store.clock.now()))
    leave_out_parts(store, run, f"{run} was cancelled")
    peer.let()
    ended = engine.wait(run, RUN_SECONDS_MAX)

    assert ended.outcome == "cancelled"
    assert ended.sentence.startswith("Cancelled by Anna: the wrong year.")
    assert {each.outcome for each in parts_of(store, run)[1:]} == {"cancelled"}
    assert f"send {run}" not in peer.calls()


POINTS = ("before", "inside", "after", "between")


@pytest.mark.parametrize("step", ["read ledger, in parts", "read ledger, 2"])
def test_whoever_is_killed_at_whatever_moment_no_finished_part_is_read_again(
    store: Store, ask: Ask, peer: Peer, step: str
) -> None:
    """One process per moment dies there, with the run or with a part of it; the last ends it."""
    run = ask("actuals", "in_parts")
    kills = [f"{step}:{point}" for point in POINTS]
    command = [sys.executable, engine_program.__file__, str(store.home), "-", run, *kills]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told[-2]["outcome"] == "complete", done.stderr
    assert [each["killed_at"] for each in told if each.get("signal") == 9] == kills, done.stderr
    calls = peer.calls()
    assert [call for call in calls if call.startswith("not in a part")] == []
    for word in read_in_parts(run):
        again = "part 2" in word and step == "read ledger, 2"
        again = again or ("hand out" in word and step == "read ledger, in parts")
        assert calls.count(word) == (2 if again else 1), (word, calls)
    assert len(store.steps(run)) == PARTS + 3


def test_parts_are_numbered_within_their_run_and_listed_by_nobody_else(
    store: Store, ask: Ask, make_engine: MakeEngine
) -> None:
    run = ask("actuals", "in_parts")
    engine = make_engine(in_parts=in_parts, **{parts.KIND: part()})
    engine.launch()
    engine.wait(run, RUN_SECONDS_MAX)

    assert [each.id for each in parts_of(store, run)] == [f"{run}.{n}" for n in (1, 2, 3)]
    assert [each.id for each in store.runs()] == [run]
    assert store.unfinished_run("actuals") is None
    assert ask("actuals") == "actuals-2"
