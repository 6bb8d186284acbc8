"""Schedules by JD Edwards: the close of a period in F0010, working days by F0008."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from threading import Event, Thread
from typing import Any

from fiscal_years import fiscal_calendar
from scheduled import Day, kind_of

from tieout.engine.scheduler import Scheduler
from tieout.engine.story import Interrupted
from tieout.errors import Unavailable
from tieout.flows.period_look import Seen
from tieout.store.looks import Current

CLOSES = """
[schedules.close]
when = "when the period closes"
run = ["actuals"]
"""
BY_LEDGER = """
[schedules.close]
when = "working day 1 at 06:00 America/Chicago"
run = ["accounts", "actuals"]
"""


def stands(period: int, year: str = "2026-01-01", pattern: str = "R") -> Current:
    return Current(year, period, pattern)


def test_the_close_of_a_period_begins_a_run_once_for_all_companies_that_moved(day: Day) -> None:
    day.ledger.companies = {"00001": stands(10), "00060": stands(10)}
    day.applies(CLOSES)
    for minute in range(0, 60, 10):
        day.at(f"2026-11-26T12:{minute:02d}Z")
        day.scheduler.look()
        day.scheduler.look()
    assert len(day.ledger.asked) == 6
    assert day.begun() == []
    day.ledger.companies = {"00001": stands(11), "00060": stands(11)}
    day.clock.at += timedelta(minutes=10)
    day.scheduler.look()
    day.scheduler.tick()
    assert day.begun() == ["actuals-1"]
    (fire,) = day.fires()
    assert (fire.state, fire.cause) == ("running", "period")
    assert fire.sentence == (
        "Company 00001 moved to period 11; company 00060 moved to period 11."
    )  # fmt: skip


def test_a_second_company_that_closes_meanwhile_is_loaded_after_the_first(small: Day) -> None:
    small.ledger.companies = {"00001": stands(12), "00060": stands(10)}
    small.applies(CLOSES.replace('"actuals"', '"accounts", "actuals"'))
    small.scheduler.look()
    small.clock.at += timedelta(minutes=10)
    small.ledger.companies = {"00001": stands(1, "2027-01-01"), "00060": stands(10)}
    small.scheduler.look()
    small.scheduler.tick()
    small.ends("accounts-1")
    small.clock.at += timedelta(minutes=10)
    small.ledger.companies = {"00001": stands(1, "2027-01-01"), "00060": stands(11)}
    small.scheduler.look()
    small.scheduler.tick()
    assert small.begun() == ["accounts-1", "actuals-1"]
    small.scheduler.tick()
    assert small.begun() == ["accounts-1", "actuals-1"]
    small.clock.at += timedelta(minutes=1)
    small.ends("actuals-1")
    small.scheduler.tick()
    assert small.begun() == ["accounts-1", "actuals-1", "accounts-2"]


def test_a_period_that_is_opened_again_closes_nothing(small: Day) -> None:
    small.ledger.companies = {"00001": stands(11), "00060": stands(11)}
    small.applies(CLOSES)
    small.scheduler.look()
    small.clock.at += timedelta(minutes=10)
    small.ledger.companies = {"00001": stands(10), "00060": stands(11)}
    small.scheduler.look()
    assert small.fires() == []
    small.clock.at += timedelta(minutes=10)
    small.ledger.companies = {"00001": stands(11), "00060": stands(11)}
    small.scheduler.look()
    assert [fire.state for fire in small.fires()] == ["running"]


def test_working_days_follow_the_date_pattern_of_the_company_of_the_flow(small: Day) -> None:
    small.ledger.companies = {"00001": stands(10, "2025-12-28", "W")}
    small.ledger.patterns = {"W": fiscal_calendar("4-4-5")}
    small.applies(BY_LEDGER)
    small.at("2026-11-26T12:00Z")
    assert small.kept().next_due is None
    small.scheduler.look()
    small.scheduler.tick()
    assert small.ledger.asked == [["00001"]]
    due = small.kept().next_due
    assert due is not None
    assert due == datetime.fromisoformat("2026-11-30T12:00Z")  # after Saturday 28 November
    assert date(2026, 11, 28) in fiscal_calendar("4-4-5").years[2026].ends


def test_a_time_that_passed_before_its_calendar_was_known_is_caught_up(small: Day) -> None:
    small.ledger.trouble = Unavailable("JD Edwards does not answer.")
    small.applies(BY_LEDGER)
    small.at("2026-11-26T12:00Z")
    small.scheduler.look()
    small.at("2026-12-01T12:00Z")
    small.ledger.trouble = None
    small.ledger.companies = {"00001": stands(10, "2025-12-28", "W")}
    small.ledger.patterns = {"W": fiscal_calendar("4-4-5")}
    small.scheduler.look()
    small.scheduler.tick()
    assert small.told() == [("11-30 12:00", "running")]


def test_a_ledger_that_does_not_answer_is_asked_again_after_the_pause_and_told(
    small: Day,
) -> None:
    small.ledger.trouble = Unavailable("JD Edwards does not answer.")
    small.applies(BY_LEDGER)
    for seconds in range(0, 1200, 5):
        small.clock.at = datetime.fromisoformat("2026-11-26T12:00Z") + timedelta(seconds=seconds)
        small.scheduler.look()
    assert len(small.ledger.asked) == 2
    with small.store.database.read() as connection:
        planned = small.scheduler.agenda(connection).schedules["close"]
    assert planned.trouble == "JD Edwards does not answer."


def test_a_look_that_comes_too_late_does_not_let_a_period_close_twice(small: Day) -> None:
    """It was asked before the period moved, and kept after another look had seen it move."""
    small.ledger.companies = {"00001": stands(10), "00060": stands(11)}
    small.applies(CLOSES)
    small.scheduler.look()
    small.clock.at += timedelta(minutes=10)

    def slow(*asked: Any) -> Seen:
        seen = small.ledger(*asked)
        small.clock.at += timedelta(minutes=10)
        small.ledger.companies = {"00001": stands(11), "00060": stands(11)}
        small.scheduler.look()
        return seen

    Scheduler(
        small.store, now=lambda connection: small.clock.at, kind_of=kind_of, look_at=slow
    ).look()
    assert len(small.fires()) == 1
    small.clock.at += timedelta(minutes=10)
    small.scheduler.look()
    assert len(small.fires()) == 1


def test_looks_go_on_when_one_was_interrupted(small: Day) -> None:
    """As one is when its process loses its hold on the database, and becomes an executor again."""
    looked = Event()

    def looks() -> None:
        if small.ledger.asked:
            looked.set()
        small.ledger.asked.append([])
        raise Interrupted("lost")

    thread = Thread(target=small.scheduler._again_and_again, args=(0.01, looks), daemon=True)
    thread.start()
    assert looked.wait(10)
    small.scheduler.close(0)
    thread.join(10)
