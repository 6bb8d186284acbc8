"""A due time is one row, and a look at periods is made by one process."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from tieout.core.periods import FiscalCalendar, FiscalYear
from tieout.store import looks, schedules
from tieout.store.looks import Current
from tieout.store.schedules import Fire
from tieout.store.store import Store

DUE = datetime(2026, 12, 1, 12, tzinfo=UTC)
PAUSE = timedelta(minutes=10)
FIRE = Fire("close", DUE, "running", 1, "clock", "system", "", ["accounts"], 0, DUE)


def test_what_becomes_of_a_due_time_is_written_down_once(store: Store) -> None:
    with store.begin() as connection:
        assert schedules.record(connection, FIRE)
        assert not schedules.record(connection, replace(FIRE, state="missed"))
        assert schedules.record(connection, replace(FIRE, schedule="other"))
        assert [fire.state for fire in schedules.fires(connection, "close")] == ["running"]


def test_a_fire_knows_its_runs_by_their_place(store: Store, run: str) -> None:
    with store.begin() as connection:
        schedules.record(connection, FIRE)
        schedules.link(connection, FIRE, run)
        assert schedules.fire(connection, "close", DUE).runs == {0: run}
        (under_way,) = schedules.under_way(connection)
        assert (under_way.run, under_way.outcome) == (run, "running")
        schedules.move(connection, FIRE, state="complete")
        assert schedules.under_way(connection) == []


def test_another_process_does_not_wait_for_a_schedule_that_is_being_decided(store: Store) -> None:
    if store.database.is_sqlite:
        return  # there only one transaction writes at a time
    with store.begin() as first, store.begin() as second:
        schedules.hold(first, "close")
        assert not schedules.try_hold(second, "close")
        assert schedules.try_hold(second, "other")


def test_a_look_is_made_once_in_a_pause_and_at_once_for_a_new_company(store: Store) -> None:
    stands = {"00001": Current("2026-01-01", 11, "R")}
    with store.begin() as connection:
        assert looks.claim(connection, "erp", DUE, PAUSE, ["00001"])
        assert not looks.claim(connection, "erp", DUE, PAUSE, ["00001"])
        assert looks.saw(connection, "erp", DUE, DUE, stands, None) == []
        assert not looks.claim(connection, "erp", DUE + PAUSE / 2, PAUSE, ["00001"])
        assert looks.claim(connection, "erp", DUE + PAUSE / 2, PAUSE, ["00001", "00060"])
        looks.failed(connection, "erp", "No such company.")
        assert not looks.claim(connection, "erp", DUE + PAUSE, PAUSE, ["00001", "00060"])
        assert looks.claim(connection, "erp", DUE + PAUSE * 2, PAUSE, ["00001", "00060"])


def test_what_was_seen_comes_back_as_it_was(store: Store) -> None:
    year = FiscalYear(
        date(2026, 1, 1), tuple(date(2026, 1, 1) + timedelta(26 * n) for n in range(14))
    )
    patterns = {"R": FiscalCalendar("R", {2026: year})}
    stands = {"00001": Current("2026-01-01", 11, "R")}
    moved = {"00001": Current("2027-01-01", 1, "R")}
    with store.begin() as connection:
        looks.claim(connection, "erp", DUE, PAUSE, ["00001"])
        looks.saw(connection, "erp", DUE, DUE, stands, patterns)
        assert looks.saw(connection, "erp", DUE, DUE, moved, None) == ["00001"]
        assert looks.saw(connection, "erp", DUE, DUE, stands, None) == []  # opened again
        found = looks.looks(connection)["erp"]
    assert (dict(found.companies), dict(found.patterns)) == (stands, patterns)
