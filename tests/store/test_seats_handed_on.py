"""A seat at JD Edwards that is left, and who waits for it in the same process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import event

from tieout.store import seat_line, seats
from tieout.store.keys import in_home
from tieout.store.runs import NewRun
from tieout.store.seats import Room, Seat, Sitter
from tieout.store.store import Store
from tieout.store.vault import KEY_FILE, make_key


class Naps:
    """A clock on which time passes only while somebody sleeps; `at_each` is called then."""

    def __init__(self, at_each: Callable[[int], None]) -> None:
        self.slept, self.times, self.at_each = 0.0, 0, at_each

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.slept, UTC)

    def monotonic(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.times += 1
        self.at_each(self.times)


def test_a_seat_that_is_left_goes_on_at_once_to_who_waits_in_the_same_process(
    store: Store,
) -> None:
    if not (store.home / KEY_FILE).exists():
        make_key(store.home / KEY_FILE)
    room = Room("erp", 1, in_home(store.home))

    def leave_at_the_second_nap(times: int) -> None:
        if times == 2:
            holder.leave(signed_out=True)

    clock = Naps(leave_at_the_second_nap)
    runs = [store.new_run(NewRun(flow, "load_actuals", "Anna")).id for flow in ("one", "two")]
    holder, waiter = (Seat(store.database, room, Sitter(run, "me"), clock) for run in runs)
    holder.take()
    assert waiter.take() == ""
    assert clock.slept < seats.LOOK_SECONDS


class Enough(Exception):
    """The test has seen what it wanted."""


def test_who_stands_far_back_in_a_line_looks_once_in_five_seconds(store: Store) -> None:
    if not (store.home / KEY_FILE).exists():
        make_key(store.home / KEY_FILE)
    room = Room("erp", 1, in_home(store.home))
    commits: list[int] = []
    event.listen(store.database.engine, "commit", lambda connection: commits.append(1))
    looks: list[int] = []  # of the last one, with each of its naps

    def seat(number: int, at_each: Callable[[int], None]) -> Seat:
        run = store.new_run(NewRun(f"flow {number}", "load_actuals", "Anna")).id
        return Seat(store.database, room, Sitter(run, "me"), Naps(at_each))

    def last(times: int) -> None:
        looks.append(len(commits))
        if times == 250:
            raise Enough

    stand = last
    for number in range(seats.IN_FRONT, -1, -1):
        behind = seat(number, stand)
        stand = lambda _times, behind=behind: behind.take()  # noqa: E731 - a nap lets another in
    seat(9, last).take()
    with pytest.raises(Enough):
        behind.take()
    assert len(set(looks)) == 3  # in 12.5 seconds
    assert seats.LOOK_SECONDS * seats.SELDOM < seat_line.LINE_SECONDS_MAX


def test_whose_turn_it_is_is_called_by_who_finds_a_seat_free_and_may_not_take_it(
    store: Store,
) -> None:
    if not (store.home / KEY_FILE).exists():
        make_key(store.home / KEY_FILE)
    room = Room("erp", 1, in_home(store.home))

    def seat(number: int, at_each: Callable[[int], None]) -> Seat:
        run = store.new_run(NewRun(f"flow {number}", "load_actuals", "Anna")).id
        return Seat(store.database, room, Sitter(run, "me"), Naps(at_each))

    def nothing(_times: int) -> None:
        return

    holder = seat(99, nothing)
    holder.take()
    came: list[Seat] = []

    def first_naps(times: int) -> None:
        if times == 2:
            holder.leave(signed_out=True)
        if times == 3:
            assert came[0]._look(in_line=True) is None  # it is not its turn

    clock = Naps(first_naps)
    run = store.new_run(NewRun("first", "load_actuals", "Anna")).id
    first = Seat(store.database, room, Sitter(run, "me"), clock)
    assert first._look(in_line=True) is None  # the head of the line of all processes

    def then_first(_times: int) -> None:
        first.take()
        raise Enough

    stand = then_first
    for number in range(seats.IN_FRONT):  # who waits here before it, and came later to the line
        one = seat(number, stand)
        came.append(one)
        stand = lambda _times, one=one: one.take()  # noqa: E731 - a nap lets another in
    with pytest.raises(Enough):
        came[-1].take()
    assert first.held
    assert clock.slept < seats.LOOK_SECONDS
