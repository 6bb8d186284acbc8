"""Schedules as a person meets them: the command, a server that begins flows, a close in F0010."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from demo_home import Home, until

from tieout.app import Instance
from tieout.settings import Environment
from tieout.verbs.schedule_overview import scheduler_for

LOOK_REQUESTS_MAX = 4  # sign-in, F0010, sign-out, and a count before a page is believed
CHICAGO, DAY = ZoneInfo("America/Chicago"), timedelta(days=1)
MASTERS = """
[schedules.masters]
when = "every 30 minutes"
run = ["companies", "cost_centers"]
"""
CLOSE = """
[schedules.close]
when = "when the period closes"
run = ["actuals"]
companies = ["00001"]
[schedules.first_day]
when = "working day 1 at 06:00 America/Chicago"
run = ["actuals"]
calendar = "us"
[calendars.us]
connection = "erp"
company = "00001"
"""


def apply(home: Home, text: str) -> None:
    """Add tables to the project file, and apply it."""
    file = home.path / "tieout.toml"
    file.write_text(file.read_text() + text)
    assert home.run("init", "--apply").code == 0


def first_working_day(now: datetime) -> datetime:
    """The next one of a month, at six in Chicago: company 00001 has calendar months in F0008."""
    six = now.astimezone(CHICAGO).replace(hour=6, minute=0, second=0, microsecond=0)
    while (
        six <= now
        or six.weekday() > 4
        or any((six - n * DAY).weekday() < 5 for n in range(1, six.day))
    ):
        six = (six.replace(tzinfo=None) + DAY).replace(tzinfo=CHICAGO)
    return six


def instance_of(home: Home) -> Instance:
    return Instance(
        Environment(
            home=home.path, database="sqlite://", records="", kill_at="", log_level="WARNING",
            clock_url=home.practice()["jde_control"],
        )
    )  # fmt: skip


def test_a_server_begins_what_is_due_and_its_flows_go_one_after_the_other(home: Home) -> None:
    apply(home, MASTERS)
    clock = {"TIEOUT_CLOCK": home.practice()["jde_control"]}
    done = "select state, place from app_fire where state = 'complete'"
    with home.served(env=clock):
        until(lambda: home.rows("select 1 from app_schedule"))
        home.control("jde", "clock", advance=1800)
        until(lambda: home.rows(done))
    assert home.rows(done) == [("complete", 1)]
    runs = home.rows(
        "select flow, outcome from app_run where trigger = 'schedule masters' order by started_at"
    )
    assert runs == [("companies", "complete"), ("cost_centers", "complete")]
    shown = home.run("schedule", env=clock)
    assert shown.code == 0, shown
    assert shown.out.count("  next  ") == 5
    assert "complete: companies-2 complete, cost_centers-2 complete" in shown.out
    home.control("jde", "clock", advance=3600)
    told = home.run("schedule", env=clock)
    assert told.code == 6
    assert "! did not run: It was due at" in told.out


def test_a_person_runs_a_schedule_now_and_answers_only_what_asks(home: Home) -> None:
    apply(home, MASTERS)
    ran = home.run("schedule", "run", "masters", "--why", "a new cost center", "--json")
    assert ran.code == 0, ran
    told = json.loads(ran.out)
    assert [run["flow"] for run in told["runs"]] == ["companies", "cost_centers"]
    assert told["state"] == "complete"
    unknown = home.run("schedule", "answer", "masters", "run", "--why", "x")
    assert (unknown.code, unknown.err.count("\n")) == (3, 1)


def test_a_close_in_f0010_begins_a_run_and_a_quiet_look_asks_little(home: Home) -> None:
    apply(home, CLOSE)
    instance = instance_of(home)
    scheduler = scheduler_for(instance)
    scheduler.tick()
    scheduler.look()
    scheduler.tick()
    [(due,)] = home.rows("select next_due from app_schedule where name = 'first_day'")
    assert datetime.fromisoformat(due) == first_working_day(instance.clock.now())
    home.control("jde", "clock", advance=600)
    home.forget_requests()
    scheduler.look()
    asked = home.requests("jde")
    assert 0 < len(asked) <= LOOK_REQUESTS_MAX, asked
    assert "logout" in asked[-1]
    scheduler.look()  # not again before ten minutes are over
    assert home.requests("jde") == asked
    moved = home.control("jde", "event", name="change_period", company="00001")
    home.control("jde", "clock", advance=600)
    scheduler.look()
    scheduler.tick()
    instance.close()
    assert home.rows("select flow, outcome, trigger from app_run where outcome = 'waiting'") == [
        ("actuals", "waiting", "schedule close")
    ]
    number = int(moved["period"].rpartition("-")[2])
    assert home.rows("select cause, sentence from app_fire") == [
        ("period", f"Company 00001 moved to period {number}.")
    ]
