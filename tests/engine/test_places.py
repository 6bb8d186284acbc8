"""How many steps of a process work at once, and what a run that waits keeps from others."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tieout.engine.durable import Engine, Pace
from tieout.engine.places import Places, RestingClock
from tieout.engine.story import Run
from tieout.store.runs import NewRun
from tieout.store.steps import Step
from tieout.store.store import Store

SECONDS_MAX = 30.0


class Anaplan:
    """A clock that stands still for whoever sleeps until the task has ended."""

    def __init__(self) -> None:
        self.asleep, self.ended = threading.Semaphore(0), threading.Event()

    def now(self) -> datetime:
        return datetime(2026, 11, 26, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self.asleep.release()
        assert self.ended.wait(SECONDS_MAX), f"nothing ended the task of {seconds} s"


@pytest.fixture
def one_place(store: Store) -> Iterator[Callable[..., Engine]]:
    """An executor in which one step works at a time, each run in a lane of its own."""
    made: list[Engine] = []

    @contextlib.contextmanager
    def world_for(_run: str) -> Iterator[None]:
        yield None

    def make(places: Places, **stories: Any) -> Engine:
        engine = Engine(
            store, stories, world_for, pace=Pace(poll_seconds=0.02),
            lane_for=lambda run: run.id, places=places,
        )  # fmt: skip
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.close(0)


def asked(store: Store, kind: str, count: int) -> list[str]:
    new = [NewRun(f"{kind} {n}", kind, "Anna", outcome="waiting") for n in range(count)]
    return [store.new_run(one).id for one in new]


def test_while_twenty_runs_wait_for_anaplan_another_one_does_all_its_work(
    store: Store, one_place: Callable[..., Engine]
) -> None:
    anaplan, places = Anaplan(), Places(1)
    clock = RestingClock(anaplan, places)

    def imports(step: Step) -> dict[str, Any]:
        clock.sleep(60)
        return {}

    def reads(step: Step) -> dict[str, Any]:
        return {}

    def loading(run: Run, _world: object) -> dict[str, Any]:
        run.step("read", reads)
        run.step("import", imports)
        return {}

    def reading(run: Run, _world: object) -> dict[str, Any]:
        run.step("read", reads)
        run.step("compare", reads)
        return {}

    engine = one_place(places, loading=loading, reading=reading)
    waiting = asked(store, "loading", 20)
    engine.launch()
    for _ in waiting:
        assert anaplan.asleep.acquire(timeout=SECONDS_MAX)
    (quick,) = asked(store, "reading", 1)
    engine.start()
    assert engine.wait(quick, SECONDS_MAX).outcome == "complete"
    assert {store.run(one).outcome for one in waiting} == {"running"}
    anaplan.ended.set()
    assert {engine.wait(one, SECONDS_MAX).outcome for one in waiting} == {"complete"}


def test_no_more_steps_work_at_once_than_there_are_places(
    store: Store, one_place: Callable[..., Engine]
) -> None:
    at_work, most, counting = 0, 0, threading.Lock()
    all_in = threading.Event()

    def works(step: Step) -> dict[str, Any]:
        nonlocal at_work, most
        with counting:
            at_work += 1
            most = max(most, at_work)
            if at_work == 3:
                all_in.set()
        assert all_in.wait(SECONDS_MAX)  # three are needed to go on, so three do work at once
        with counting:
            at_work -= 1
        return {}

    def telling(run: Run, _world: object) -> dict[str, Any]:
        run.step("fold", works)
        run.step("compare", works)
        return {}

    engine = one_place(Places(3), telling=telling)
    runs = asked(store, "telling", 9)
    engine.launch()
    assert {engine.wait(one, SECONDS_MAX).outcome for one in runs} == {"complete"}
    assert most == 3


def test_who_waits_for_a_place_is_let_go_when_this_process_stops() -> None:
    places = Places(1)

    class Stops(Exception):
        pass

    def stops() -> None:
        raise Stops

    def waits() -> None:
        with contextlib.suppress(Stops), places.taken("late", stops):
            raise AssertionError("there is one place")

    with places.taken("first", stops):
        other = threading.Thread(target=waits)
        other.start()
        other.join(SECONDS_MAX)
        assert not other.is_alive()
    with places.taken("first", stops):
        places.rest()
        places.rest()  # twice gives nothing that another run has
        with places.taken("second", stops):
            pass


def test_a_step_that_waits_in_a_thread_of_its_own_keeps_no_place_from_whoever_it_waits_for(
    store: Store, one_place: Callable[..., Engine]
) -> None:
    """It may wait for a session, and the holder of the session for a place to go on to its end."""
    waits, seat = threading.Event(), threading.Event()

    def reads(step: Step, run: Run) -> dict[str, Any]:
        def reader() -> None:
            waits.set()
            deadline = time.monotonic() + SECONDS_MAX
            while not seat.wait(0.01) and time.monotonic() < deadline:
                run.go_on_waiting()

        other = threading.Thread(target=reader)
        other.start()
        other.join(2 * SECONDS_MAX)
        assert seat.is_set()
        return {}

    def reading(run: Run, _world: object) -> dict[str, Any]:
        run.step("read", reads, run)
        return {}

    def leaves(step: Step) -> dict[str, Any]:
        seat.set()
        return {}

    def leaving(run: Run, _world: object) -> dict[str, Any]:
        assert waits.wait(SECONDS_MAX)
        run.step("leave the seat", leaves)
        return {}

    engine = one_place(Places(1), reading=reading, leaving=leaving)
    (waiter,) = asked(store, "reading", 1)
    (holder,) = asked(store, "leaving", 1)
    engine.launch()
    assert engine.wait(holder, SECONDS_MAX).outcome == "complete"
    assert engine.wait(waiter, SECONDS_MAX).outcome == "complete"
