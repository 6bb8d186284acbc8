"""Claims about runs and the sessions of their connection: taken late, given back, none left."""

from __future__ import annotations

from pathlib import Path

import pytest
from books import Books, assert_quiet, assert_tied
from sqlalchemy import select

from tieout.engine.story import Interrupted
from tieout.store.database import DatabaseAway
from tieout.store.keys import in_home
from tieout.store.runs import NewRun
from tieout.store.seat_schema import app_seat
from tieout.store.seats import Room, Seat, Sitter

ONE_READER = 'secret = "secret://erp"\nreaders = 1'


def sessions(books: Books) -> int:
    return int(books.control("jde", "state")["sessions"])


def held(books: Books) -> list[str]:
    query = select(app_seat.c.run).where(app_seat.c.executor != "")
    with books.store.database.read() as connection:
        return list(connection.execute(query).scalars())


def somebody_else(books: Books, flow: str = "other", allowed: int = 1) -> Seat:
    run = books.store.new_run(NewRun(flow, "load_actuals", "Anna")).id
    room, sitter = Room("erp", allowed, in_home(books.home)), Sitter(run, "another process")
    return Seat(books.store.database, room, sitter, books.clock)


def test_a_run_leaves_neither_a_session_nor_a_seat_however_it_ends(books: Books) -> None:
    assert_quiet(books)
    assert (sessions(books), held(books)) == (0, [])
    books.fault("jde", "status", path="dataservice", status=500, body="{}", times=50)
    assert books.run().outcome == "failed"
    books.no_more_faults()
    assert (sessions(books), held(books)) == (0, [])


def test_a_run_that_reads_for_long_gives_way_between_its_steps(books: Books) -> None:
    books.change_flow('secret = "secret://erp"', ONE_READER)
    books.event("late_post")
    other, got = somebody_else(books), list[str | None]()

    def waits() -> None:
        got.append(other._look(in_line=True))

    def reads_and_leaves() -> None:
        waits()
        other.leave(signed_out=True)

    meanwhile = {"look for changes:before": waits, "look for changes:inside": reads_and_leaves}
    run = books.run(meanwhile=meanwhile)

    assert_tied(books, run)
    assert got == [None, ""], "all in use, then its turn before the run went on"
    assert (sessions(books), held(books)) == (0, [])


def test_a_run_whose_import_takes_long_keeps_nobody_from_reading(books: Books) -> None:
    books.change_flow('secret = "secret://erp"', ONE_READER)
    books.event("late_post")
    books.control("anaplan", "switch", name="task_step_seconds", value=10)
    other, got = somebody_else(books), list[str | None]()
    waits = {"wait for the import:before": lambda: got.append(other._look(in_line=True))}

    def reads_and_leaves() -> None:
        got.append(other._look(in_line=True))
        other.leave(signed_out=True)

    run = books.run(meanwhile=waits | {"wait for the import:inside": reads_and_leaves})

    assert_tied(books, run)
    assert got == [None, ""]


def test_a_session_that_could_not_be_signed_out_is_not_forgotten(books: Books) -> None:
    """JD Edwards refuses every sign-out for a while, also those of who comes next."""
    out = {"path": "logout", "status": 503, "body": "{}"}
    books.fault("jde", "status", **out, times=500)
    assert_quiet(books)
    assert sessions(books) == 1
    books.event("late_post")

    def works_again() -> None:
        books.no_more_faults()

    assert_tied(books, books.run(meanwhile={"close the run:before": works_again}))
    assert (sessions(books), held(books)) == (0, [])


def test_an_interruption_stays_one_when_the_database_is_away_as_well(books: Books) -> None:
    """What others left cannot be looked after then; the run goes on later, and has not failed."""
    database = books.store.database
    first, second = (somebody_else(books, flow, 2) for flow in ("first", "second"))
    for each in (first, second):
        each.take()
    second.sit("044 of a session that was not signed out")
    for each in (first, second):
        each.leave(signed_out=each is first)

    def away(_connection: object) -> None:
        raise DatabaseAway("The database does not answer.")

    def stops() -> None:
        database.guard = away
        raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        books.run(meanwhile={"look for changes:between": stops})
    database.unguard()
    run = books.store.unfinished_run("actuals")
    assert run is not None
    assert books.carry_on(run, {}).outcome == "complete"
    assert (sessions(books), held(books)) == (0, [])


def test_a_run_does_not_wait_for_the_seat_it_had_itself_when_it_was_broken_off(
    books: Books,
) -> None:
    """Its process lives, and could not write down that it left."""
    books.change_flow('secret = "secret://erp"', ONE_READER)
    books.event("late_post")

    def away(_connection: object) -> None:
        raise DatabaseAway("The database does not answer.")

    def stops() -> None:
        books.store.database.guard = away
        raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        books.run(meanwhile={"look for changes:between": stops})
    books.store.database.unguard()
    run = books.store.unfinished_run("actuals")
    assert run is not None
    assert held(books) == [run.id]
    began = books.clock.monotonic()
    assert books.carry_on(run, {}).outcome == "complete"
    assert books.clock.monotonic() - began < 60
    assert (sessions(books), held(books)) == (0, [])


def test_a_process_that_tells_run_after_run_opens_no_more_and_more_files(books: Books) -> None:
    """Files, connections to both systems and to the database are given back with each run."""
    books.run("companies", full=True)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for flow in ("companies", "actuals") * 3:
        assert books.run(flow, full=flow == "companies").outcome == "complete"
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2
