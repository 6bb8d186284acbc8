"""Claims about the sessions a connection allows: never more, first come first served, none lost."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event, Lock

import pytest
from sqlalchemy import Connection, delete, event, select, update

from tieout.clock import SystemClock
from tieout.core.policy import SYSTEM
from tieout.errors import Busy
from tieout.store import seat_line, seats
from tieout.store.database import Database, DatabaseAway
from tieout.store.keys import in_home
from tieout.store.runs import Ending, NewRun
from tieout.store.schema import app_run
from tieout.store.seat_schema import NOBODY, app_seat, app_seat_line
from tieout.store.seats import Room, Seat, Sitter
from tieout.store.store import Store
from tieout.store.vault import KEY_FILE, make_key


@pytest.fixture
def store(lasting: Store) -> Store:
    """A store in which nobody has a seat, and no run is under way."""
    with lasting.begin() as connection:
        for table in (app_seat, app_seat_line):
            connection.execute(delete(table))
        connection.execute(update(app_run).values(outcome="cancelled"))
    return lasting


class Hours:
    """A clock on which every sleep takes ten minutes; `passes` is called each time."""

    def __init__(self) -> None:
        self.at, self.passes = 0.0, lambda: None

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, _seconds: float) -> None:
        self.at += 600
        self.passes()


class Office:
    """Runs and their seats at one connection."""

    def __init__(self, store: Store, allowed: int = 2) -> None:
        self.store, self.clock = store, Hours()
        self.room = Room("erp", allowed, in_home(store.home))
        if not (store.home / KEY_FILE).exists():
            make_key(store.home / KEY_FILE)

    def run(self, flow: str, by: str = "Anna") -> str:
        return self.store.new_run(NewRun(flow, "load_actuals", by)).id

    def seat(self, run: str, executor: str = "one", allowed: int = 0) -> Seat:
        room = Room("erp", allowed or self.room.seats, self.room.keys)
        return Seat(self.store.database, room, Sitter(run, executor), self.clock)

    def stand_in_line(self, seat: Seat) -> None:
        assert seat._look(in_line=True) is None, "one look of somebody who waits"

    def waited_for(self) -> bool:
        with self.store.database.read() as connection:
            return seat_line.waited_for(connection, "erp")

    def rows(self) -> list[tuple[int, str, str]]:
        query = select(app_seat.c.number, app_seat.c.run, app_seat.c.session)
        with self.store.database.read() as connection:
            return [tuple(row) for row in connection.execute(query.order_by(app_seat.c.number))]


@pytest.fixture
def office(store: Store) -> Office:
    return Office(store)


def test_no_more_sessions_are_open_than_the_connection_allows(office: Office) -> None:
    first, second, third = (office.seat(office.run(f"flow {n}")) for n in range(3))
    assert (first.take(), second.take_free()) == ("", "")
    assert third.take_free() is None
    assert (first.held, second.held, third.held) == (True, True, False)
    first.leave(signed_out=True)
    assert third.take_free() == ""


def test_who_came_first_is_served_first_and_nobody_slips_in(office: Office) -> None:
    holder, early, late = (office.seat(office.run(f"flow {n}"), allowed=1) for n in range(3))
    holder.take()
    office.stand_in_line(early)
    office.stand_in_line(late)
    assert office.waited_for()
    holder.leave(signed_out=True)
    assert holder.take_free() is None, "others wait"
    office.stand_in_line(late)
    assert early.take() == ""
    early.leave(signed_out=True)
    assert late.take() == ""
    assert not office.waited_for()


def test_what_a_person_waits_for_goes_before_what_schedules_began(office: Office) -> None:
    holder, early, late = (
        office.seat(office.run(f"flow {n}", SYSTEM), allowed=1) for n in range(3)
    )
    holder.take()
    office.stand_in_line(early)
    office.stand_in_line(late)
    person = office.seat(office.run("now", "Anna"), allowed=1)
    office.stand_in_line(person)
    holder.leave(signed_out=True)
    office.stand_in_line(early)
    assert person.take() == ""
    person.leave(signed_out=True)
    office.stand_in_line(late)
    assert early.take() == ""


def test_who_waits_gets_the_seat_when_its_holder_gives_way(office: Office) -> None:
    holder, waiter = (office.seat(office.run(f"flow {n}"), allowed=1) for n in range(2))
    holder.take()
    office.clock.passes = lambda: holder.leave(signed_out=True) if office.waited_for() else None
    assert waiter.take() == ""
    assert office.clock.at == 600


def test_who_waits_in_vain_for_half_a_day_is_told_so(office: Office) -> None:
    office.seat(office.run("long"), allowed=1).take()
    with pytest.raises(Busy, match=r"All 1 sessions that erp allows .* in use for 12 hours"):
        office.seat(office.run("late"), allowed=1).take()


@pytest.mark.parametrize("looked", [0, 2**62], ids=["long ago", "before the clock was set back"])
def test_who_looks_no_more_stands_in_nobodys_way(office: Office, looked: int) -> None:
    holder, gone, waiter = (office.seat(office.run(f"flow {n}"), allowed=1) for n in range(3))
    holder.take()
    office.stand_in_line(gone)
    with office.store.begin() as connection:
        connection.execute(update(app_seat_line).values(looked=looked))
    assert looked or not office.waited_for()
    office.stand_in_line(waiter)
    holder.leave(signed_out=True)
    assert waiter.take() == ""


def test_a_seat_of_a_run_that_ended_or_goes_on_elsewhere_is_free(office: Office) -> None:
    ended, moved = office.run("ended"), office.run("moved")
    office.seat(ended, "dead").take()
    office.seat(moved, "dead").take()
    office.store.finish_run(ended, Ending("cancelled", "", 1, {}))
    following = office.run("next")
    assert office.seat(following).take_free() == ""
    assert office.seat(office.run("too many")).take_free() is None
    assert office.seat(moved, "another process").take_free() == ""
    assert {run for _, run, _ in office.rows()} == {moved, following}


def test_the_seats_of_processes_that_are_known_to_be_dead_are_free(office: Office) -> None:
    for name in ("one", "other"):
        office.seat(office.run(name), name).take()
    waiter = office.seat(office.run("waiter"), "third")
    office.stand_in_line(waiter)
    with office.store.begin() as connection:
        seats.free(connection, ["other", "third"])
    assert not office.waited_for()
    assert waiter.take_free() == ""


def test_a_look_at_a_run_that_has_ended_holds_its_seat_like_any_other(office: Office) -> None:
    run = office.run("ended")
    office.store.finish_run(run, Ending("complete", "", 0, {}))
    first, second = office.seat(run, allowed=1), office.seat(office.run("next"), allowed=1)
    first.take()
    assert second.take_free() is None
    first.leave(signed_out=True)
    assert second.take_free() == ""


def test_the_session_a_dead_process_left_is_told_to_who_gets_its_seat_next(office: Office) -> None:
    run = office.run("actuals")
    seat = office.seat(run, allowed=1)
    seat.take()
    seat.sit("044secret")
    assert "044secret" not in str(office.rows()), "it is a key to JD Edwards"
    assert office.seat(run, "another process", allowed=1).take() == "044secret"


def test_a_session_that_was_ended_is_told_to_nobody(office: Office) -> None:
    seat = office.seat(office.run("actuals"), allowed=1)
    for signed_out, left in ((True, ""), (False, "044secret")):
        seat.take()
        seat.sit("044secret")
        seat.leave(signed_out=signed_out)
        assert seat.take() == left
        seat.leave(signed_out=True)


def test_the_sessions_left_on_free_seats_are_told_until_they_have_ended(office: Office) -> None:
    for number, executor in enumerate(("dead", "alive")):
        seat = office.seat(office.run(f"flow {number}"), executor)
        seat.take()
        seat.sit(f"044 of the {executor}")
    me = Sitter("", "a third")
    with office.store.begin() as connection:
        assert seats.left_behind(connection, office.room, me) == []
        seats.free(connection, ["dead"])
        assert seats.may_be_left(connection, office.room, me)
        for _ in range(2):  # who was told may die before it has signed it out
            (left,) = seats.left_behind(connection, office.room, me)
            assert office.room.opened(left) == "044 of the dead"
        seats.ended(connection, office.room, left)
        assert seats.left_behind(connection, office.room, me) == []


def test_what_a_dead_process_left_of_a_run_that_needs_no_session_any_more_is_told(
    office: Office,
) -> None:
    run = office.run("actuals")
    seat = office.seat(run, "dead")
    seat.take()
    seat.sit("044secret")
    with office.store.begin() as connection:
        (left,) = seats.left_behind(connection, office.room, Sitter(run, "goes on"))
    assert office.room.opened(left) == "044secret"


def test_a_lower_limit_holds_as_soon_as_enough_have_left(office: Office) -> None:
    held = [office.seat(office.run(f"flow {n}"), allowed=3) for n in range(3)]
    for seat in held:
        seat.take()
    late = office.seat(office.run("late"), allowed=1)
    for seat in held:
        assert late.take_free() is None
        seat.leave(signed_out=True)
    assert late.take_free() == ""


def test_connections_do_not_share_their_seats(office: Office) -> None:
    office.seat(office.run("one"), allowed=1).take()
    room, sitter = Room("other", 1, office.room.keys), Sitter(office.run("other"), "one")
    assert Seat(office.store.database, room, sitter, office.clock).take_free() == ""


def test_a_process_of_this_machine_that_is_dead_keeps_no_seat(office: Office) -> None:
    """SQLite: there is no other machine, and nobody else who would find out."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    office.seat(office.run("one"), f"here:{process.pid}:abc", allowed=1).take()
    late = office.seat(office.run("late"), f"here:{os.getpid()}:abc", allowed=1)
    assert late.take_free() == ("" if office.store.database.is_sqlite else None)


def test_many_that_come_and_go_at_once_never_hold_more_than_all_seats(store: Store) -> None:
    office, counting = Office(store, allowed=2), Lock()
    sitting, most, over = 0, 0, Event()

    class Quick(SystemClock):
        def sleep(self, seconds: float) -> None:
            over.wait(min(seconds, 0.01))

    office.clock = Quick()  # type: ignore[assignment]  # any clock

    def come_and_go(seat: Seat) -> None:
        nonlocal sitting, most
        for _ in range(4):
            seat.take()
            with counting:
                sitting += 1
                most = max(most, sitting)
            with counting:
                sitting -= 1
            seat.leave(signed_out=True)

    runs = [office.seat(office.run(f"flow {n}"), f"process {n}") for n in range(5)]
    with ThreadPoolExecutor(len(runs)) as threads:
        list(threads.map(come_and_go, runs))
    assert most <= 2
    assert not office.waited_for()


class Away:
    """A database that is away: whoever writes is told so."""

    def __init__(self, store: Store) -> None:
        self.database = store.database

    def __enter__(self) -> None:
        self.database.guard = self._away

    def __exit__(self, *_: object) -> None:
        self.database.unguard()

    def _away(self, _connection: Connection) -> None:
        raise DatabaseAway("The database does not answer.")


@pytest.mark.parametrize("run", ["actuals", NOBODY])
def test_a_seat_left_while_the_database_was_away_is_free_when_its_process_looks_again(
    office: Office, run: str
) -> None:
    """Else a run would wait for itself, or a look at periods keep the seat for a day."""
    run = run and office.run(run)
    seat = office.seat(run, allowed=1)
    seat.take()
    with Away(office.store):
        seat.leave(signed_out=True)
    assert office.seat(run, allowed=1).take_free() == ""
    assert office.seat(office.run("other"), allowed=1).take_free() is None, "it was taken anew"


def test_a_seat_left_while_the_database_was_away_is_free_when_its_process_is_heard_of(
    office: Office,
) -> None:
    seat = office.seat(office.run("actuals"), allowed=1)
    seat.take()
    with Away(office.store):
        seat.leave(signed_out=True)
    with office.store.begin() as connection:
        seats.give_back(connection, "one")
    assert office.seat(office.run("other"), "two", allowed=1).take_free() == ""


def test_a_command_that_was_killed_keeps_no_seat(office: Office) -> None:
    """It is no executor that others would miss, and what it looked at has no run that ends."""
    url = office.store.database.url.render_as_string(hide_password=False)
    program = f"from tieout.store.database import Database; print(Database({url!r}).executor)"
    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    office.seat("look at actuals-1", ended.stdout.decode().strip(), allowed=1).take()
    assert office.seat(office.run("plan"), "two", allowed=1).take_free() == ""


def test_a_process_that_has_the_number_of_a_dead_one_does_not_keep_its_seat(office: Office) -> None:
    """As the first process of a container has it after each restart."""
    mine = Database(office.store.database.url).executor
    host, pid, rest = mine.split(":")
    machine, _, instance = rest.split("-")
    office.seat("look at actuals-1", f"{host}:{pid}:{machine}-0-{instance}", allowed=1).take()
    assert office.seat(office.run("plan"), "two", allowed=1).take_free() == ""
    office.seat("look at actuals-1", mine, allowed=2).take()
    assert office.seat(office.run("more"), "two", allowed=2).take_free() is None


def test_a_seat_that_was_taken_without_an_answer_is_not_taken_a_second_time(
    office: Office,
) -> None:
    """The database went away with the answer to the commit, and the taking was tried again."""
    run = office.run("actuals")
    seat = office.seat(run, executor="asks twice")
    lost = []

    @event.listens_for(office.store.database.engine, "commit")
    def committed(connection: Connection) -> None:
        if not lost:
            lost.append(connection)
            connection.connection.commit()
            raise DatabaseAway("The database does not answer.")

    try:
        assert seat.take() == ""
    finally:
        event.remove(office.store.database.engine, "commit", committed)
    assert lost
    assert [(number, who) for number, who, _ in office.rows() if who] == [(1, run)]
    seat.leave(signed_out=True)
    assert not any(who for _, who, _ in office.rows())


def test_a_seat_that_is_being_left_is_not_taken_by_another_thread_before_it_is(
    office: Office,
) -> None:
    """Else who leaves would give back the seat of who came, and a session too many be opened."""
    first, second = (office.seat(office.run(f"flow {n}"), "both", allowed=1) for n in range(2))
    assert first.take() == ""
    got: list[str | None] = []

    @event.listens_for(office.store.database.engine, "checkout")
    def between(*_: object) -> None:
        if not got:
            got.append("")
            got[:] = [second.take_free()]

    try:
        first.leave(signed_out=True)
    finally:
        event.remove(office.store.database.engine, "checkout", between)
    assert got == [None]
    assert second.take_free() == ""
    assert [number for number, who, _ in office.rows() if who] == [1]
