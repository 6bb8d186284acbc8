"""A process that may not be the only executor any more begins no further step."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from engine_program import RUN_SECONDS_MAX, Gate, Peer

from tieout.engine.durable import Engine, Pace
from tieout.engine.inline import tell_here
from tieout.engine.story import Interrupted, Run
from tieout.errors import Refused
from tieout.store.database import DatabaseAway, TryAgain
from tieout.store.steps import Step
from tieout.store.store import DATABASE_FILE, Store

PACE = Pace(poll_seconds=0.02, patience_seconds=0.5)


def until(happened: Callable[[], bool]) -> bool:
    """Looks until it has happened, or for too long."""
    deadline = time.monotonic() + RUN_SECONDS_MAX
    while not happened() and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    return happened()


def test_a_database_file_taken_away_stops_the_executor_and_none_is_begun_in_its_place(
    store: Store,
    ask: Callable[..., str],
    make_engine: Callable[..., Engine],
    peer: Peer,
    tmp_path: Path,
) -> None:
    gate = Gate()
    run = ask("actuals", "gate")
    first = make_engine(gate=gate.story)
    first.launch()
    assert gate.begun.wait(RUN_SECONDS_MAX)

    file = tmp_path / DATABASE_FILE
    file.rename(tmp_path / "taken")
    assert until(lambda: not first.alive)
    gate.open.set()
    with pytest.raises(Refused, match="replaced while it was open"):
        first.wait(run, RUN_SECONDS_MAX)
    assert until(lambda: first.close(0))
    assert not file.exists()
    assert peer.calls() == [f"read {run}"]

    (tmp_path / "taken").rename(file)
    assert store.run(run).outcome == "running"
    second = make_engine(gate=gate.story)
    second.launch()
    assert second.wait(run, RUN_SECONDS_MAX).outcome == "complete"
    assert peer.calls() == [f"read {run}"] * 2 + [f"send {run}"]


def test_a_sign_out_of_a_run_that_was_interrupted_is_kept_as_evidence(
    store: Store, ask: Callable[..., str]
) -> None:
    """Its process stops; the calls it made while it closed belong to the run all the same."""
    world = SignsOut()

    def power_cut(step: str, point: str) -> None:
        if point == "between":
            raise Interrupted

    run = ask()
    with pytest.raises(Interrupted):
        tell_here(store, run, world.story, lambda run: world, power_cut)
    assert [(call.step, call.n, call.path) for call in store.calls(run)] == [
        ("read ledger", 1, "/read"),
        ("read ledger", 2, "/logout"),
    ]

    assert tell_here(store, run, world.story, lambda run: world).outcome == "complete"
    assert store.audit(run=run)[-1].told == {"outcome": "complete", "calls": 3}


def test_a_database_that_was_away_between_two_steps_is_no_outcome_of_a_run(
    ask: Callable[..., str], make_engine: Callable[..., Engine], peer: Peer
) -> None:
    """A story asks the store between steps too, and so does whoever opens its connections."""
    away = [True]

    def story(run: Run, _world: object) -> dict[str, object]:
        run.step("read ledger", lambda step: peer.call("read") or {})
        if away:
            away.pop()
            raise DatabaseAway("The database does not answer.")
        run.step("send cells", lambda step: peer.call("send") or {})
        return {}

    run = ask("actuals", "away")
    engine = make_engine(away=story)
    engine.launch()
    assert engine.wait(run, RUN_SECONDS_MAX).outcome == "complete"
    assert peer.calls() == ["read", "send"]


def test_a_run_that_a_full_disk_kept_from_being_taken_up_is_taken_up_later(
    store: Store, ask: Callable[..., str], make_engine: Callable[..., Engine], peer: Peer
) -> None:
    full = [True]

    def guard(_connection: object) -> None:
        if full and threading.current_thread().name != "pick-up":
            full.pop()
            raise Refused("The disk of this instance is full.")

    run = ask()
    store.database.guard = guard
    engine = make_engine()
    engine.launch()
    until(lambda: store.run(run).finished)
    assert not full
    assert store.run(run).outcome == "complete"


def test_a_database_that_somebody_held_for_long_is_no_outcome_of_a_run(
    store: Store, ask: Callable[..., str], make_engine: Callable[..., Engine]
) -> None:
    """As a backup tool does: the run is told again as soon as the database is free."""
    held = [True]

    def guard(_connection: object) -> None:
        if held and threading.current_thread().name != "pick-up":
            held.pop()
            raise TryAgain("The database was held by another program for 30 seconds.")

    run = ask()
    store.database.guard = guard
    engine = make_engine()
    engine.launch()

    assert engine.wait(run, RUN_SECONDS_MAX).outcome == "complete"
    assert not held


def test_a_database_that_was_held_when_a_step_had_sent_something_is_no_outcome_of_a_run(
    store: Store, ask: Callable[..., str], make_engine: Callable[..., Engine], peer: Peer
) -> None:
    """Else the run would say that nothing was changed, and the other system has what was sent."""
    held: list[bool] = []

    def guard(_connection: object) -> None:
        if held and threading.current_thread().name != "pick-up":
            held.pop()
            raise TryAgain("The database was held.", untouched="Nothing was changed.")

    def story(run: Run, _world: object) -> dict[str, object]:
        def send(_step: Step) -> dict[str, object]:
            if peer.calls() == []:
                held.extend([True] * 4)
            peer.call("send")
            return {}

        run.step("send", send)
        return {}

    run = ask("actuals", "held")
    store.database.guard = guard
    engine = make_engine(held=story)
    engine.launch()

    assert engine.wait(run, RUN_SECONDS_MAX).outcome == "complete"
    assert held == []
    assert peer.calls() == ["send"] * 2, "the step looks at the other system before it acts again"


class SignsOut:
    """Connections that make a call while they are closed, as those of both systems do."""

    system, method, status, milliseconds, bytes_in, bytes_out, tries = (
        "jde",
        "POST",
        200,
        1,
        1,
        1,
        1,
    )

    def __init__(self) -> None:
        self.path = "/read"
        self._steps: list[Step] = []

    def __enter__(self) -> SignsOut:
        return self

    def __exit__(self, *_: object) -> None:
        self.path = "/logout"
        self._steps[-1].call(self)

    def story(self, run: Run, _world: object) -> dict[str, object]:
        run.step("read ledger", self._read)
        return {}

    def _read(self, step: Step) -> dict[str, object]:
        self._steps.append(step)
        step.call(self)
        return {}
