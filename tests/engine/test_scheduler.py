"""What becomes of a due time: it runs once, one flow after the other, or it is said why not."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest
from scheduled import FLOWS, Day, kind_of

from tieout.core.due import due_until
from tieout.engine.scheduler import Scheduler
from tieout.project import Flow, LoadMembers
from tieout.store import schedules

DAILY = """
[schedules.close]
when = "daily at 05:30 America/Chicago"
run = ["accounts", "cost_centers", "actuals"]
"""
TWENTY = """
[schedules.close]
when = "every 20 minutes"
run = ["accounts"]
"""


# ---------------------------------------------------------------------------- the chain


def test_a_due_time_runs_its_flows_one_after_the_other_once(day: Day) -> None:
    day.applies(DAILY)
    day.at("2026-11-26T12:00Z")
    assert day.begun() == []
    day.at("2026-11-27T11:29:59Z")
    assert day.begun() == []
    for _ in range(3):
        day.at("2026-11-27T11:30Z")
    assert day.begun() == ["accounts-1"]
    day.ends("accounts-1")
    for _ in range(3):
        day.at("2026-11-27T11:31Z")
    assert day.begun() == ["accounts-1", "cost_centers-1"]
    day.ends("cost_centers-1")
    day.at("2026-11-27T11:32Z")
    day.ends("actuals-1")
    day.at("2026-11-27T11:33Z")
    assert day.told() == [("11-27 11:30", "complete")]
    assert [day.store.run(r).trigger for r in day.begun()] == ["schedule close"] * 3
    assert {day.store.run(r).started_by for r in day.begun()} == {"system"}
    assert day.store.verify_audit().whole


def test_a_chain_stops_where_a_flow_does_not_end_complete_and_says_so(small: Day) -> None:
    small.applies(DAILY)
    small.at("2026-11-26T12:00Z")
    small.at("2026-11-27T11:30Z")
    small.ends("accounts-1", "needs_attention", "3 rows were rejected.")
    small.at("2026-11-27T11:31Z")
    (fire,) = small.fires()
    assert fire.state == "stopped"
    assert fire.sentence == (
        "accounts-1 did not end complete: 3 rows were rejected. cost_centers and actuals did not "
        "run."
    )
    small.at("2026-11-28T11:30Z")
    assert small.begun() == ["accounts-1", "accounts-2"]


def test_a_schedule_that_cannot_be_begun_keeps_no_other_from_its_time_and_is_told_once(
    small: Day, caplog: pytest.LogCaptureFixture
) -> None:
    def only_actuals(flow: Flow) -> tuple[str, bool]:
        if isinstance(flow, LoadMembers):
            raise RuntimeError("a defect of this program")
        return kind_of(flow)

    small.scheduler = Scheduler(
        small.store, now=lambda connection: small.clock.at, kind_of=only_actuals,
        look_at=small.ledger,
    )  # fmt: skip
    small.applies(
        DAILY + DAILY.replace("close", "later").replace('"accounts", "cost_centers", ', "")
    )
    small.at("2026-11-26T12:00Z")
    for _ in range(2):
        small.at("2026-11-27T11:30Z")
    assert small.begun() == ["actuals-1"]
    assert small.fires() == []
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert told == ["the schedule close could not be dealt with; the others go on"]


def test_forty_schedules_due_at_one_moment_are_all_decided_in_one_look(small: Day) -> None:
    names = [f"s{number:02}" for number in range(40)]
    small.applies("".join(TWENTY.replace("close", name) for name in names))
    small.at("2026-11-26T12:00:01Z")

    small.at("2026-11-26T12:20Z")

    with small.store.database.read() as connection:
        decided = {name: schedules.fires(connection, name) for name in names}
    assert {name: len(found) for name, found in decided.items()} == dict.fromkeys(names, 1)


def test_a_flow_that_somebody_runs_already_is_waited_for(small: Day) -> None:
    small.applies(DAILY)
    small.at("2026-11-26T12:00Z")
    theirs = small.somebody_runs("accounts")
    small.at("2026-11-27T11:30Z")
    small.at("2026-11-27T11:31Z")
    assert small.begun() == [theirs]
    small.ends(theirs)
    small.at("2026-11-27T11:32Z")
    assert small.begun() == [theirs, "accounts-2"]


def test_a_time_that_comes_while_the_one_before_is_under_way_is_left_out(small: Day) -> None:
    small.applies(TWENTY)
    small.at("2026-11-26T12:00:01Z")
    small.at("2026-11-26T12:20Z")
    small.at("2026-11-26T12:40Z")
    small.ends("accounts-1")
    small.at("2026-11-26T13:00Z")
    assert small.told() == [
        ("11-26 12:20", "complete"), ("11-26 12:40", "left out"), ("11-26 13:00", "running"),
    ]  # fmt: skip


def test_a_chain_that_was_begun_goes_on_as_it_was_when_its_schedule_changes(small: Day) -> None:
    small.applies(DAILY)
    small.at("2026-11-26T12:00Z")
    small.at("2026-11-27T11:30Z")
    small.applies(DAILY.replace(', "cost_centers", "actuals"', ""))
    small.ends("accounts-1")
    small.at("2026-11-27T11:31Z")
    small.ends("cost_centers-1")
    small.at("2026-11-27T11:32Z")
    assert small.begun()[-1] == "actuals-1"


def test_a_flow_that_was_taken_out_of_the_file_stops_the_chain(small: Day) -> None:
    small.applies(DAILY)
    small.at("2026-11-26T12:00Z")
    small.at("2026-11-27T11:30Z")
    without = FLOWS.replace("flows.cost_centers", "flows.units")
    small.store.apply_config(without + DAILY.replace('"cost_centers", ', ""), "Anna")
    small.ends("accounts-1")
    small.at("2026-11-27T11:31Z")
    (fire,) = small.fires()
    assert (fire.state, fire.sentence) == (
        "stopped", "The flow cost_centers is not configured any more."
    )  # fmt: skip


def test_a_file_that_another_program_wrote_changes_nothing_that_is_kept(small: Day) -> None:
    small.applies(DAILY)
    small.at("2026-11-26T12:00Z")
    small.store.apply_config(FLOWS + DAILY + "[of_a_later_version]\n", "Anna")
    small.at("2026-11-27T11:30Z")
    assert small.fires() == []
    small.applies(DAILY)
    small.at("2026-11-27T11:31Z")
    assert small.told() == [("11-27 11:30", "running")]


# ---------------------------------------------------------------------------- missed times


@pytest.mark.parametrize(
    ("missed", "state", "runs"),
    [("once", "running", ["accounts-1"]), ("skip", "missed", []), ("ask", "asked", [])],
)
def test_times_at_which_nothing_ran_are_caught_up_once_skipped_or_asked_for(
    small: Day, missed: str, state: str, runs: list[str]
) -> None:
    small.applies(DAILY + f'missed = "{missed}"\n')
    small.at("2026-11-26T12:00Z")
    small.at("2026-11-30T12:00Z")  # four mornings without any process
    assert small.told() == [("11-30 11:30", state)]
    assert small.begun() == runs
    (fire,) = small.fires()
    assert fire.times == 4
    assert "Nothing ran when it was due (4 times in all)" in fire.sentence
    small.at("2026-11-30T12:01Z")
    assert len(small.fires()) == 1
    assert small.kept().next_due == datetime.fromisoformat("2026-12-01T11:30Z")


def test_a_time_that_comes_in_time_covers_those_that_were_missed(small: Day) -> None:
    small.applies(TWENTY + 'missed = "skip"\n')
    small.at("2026-11-26T12:00:01Z")
    small.at("2026-11-26T14:00:30Z")
    assert [(f.state, f.times) for f in small.fires()] == [("running", 6)]


def test_a_question_nobody_answered_is_over_with_the_next_time(small: Day) -> None:
    small.applies(DAILY + 'missed = "ask"\n')
    small.at("2026-11-26T12:00Z")
    small.at("2026-11-27T14:00Z")
    small.at("2026-11-28T11:30Z")
    assert small.told() == [("11-27 11:30", "missed"), ("11-28 11:30", "running")]


def test_a_process_that_comes_back_after_a_year_begins_one_run(small: Day) -> None:
    small.applies(TWENTY.replace("20 minutes", "1 minutes"))
    small.at("2026-11-26T12:00:01Z")
    small.at("2027-11-26T12:00:30Z")
    assert small.told() == [("11-26 12:00", "running")]
    assert small.kept().next_due == datetime.fromisoformat("2027-11-26T12:01Z")


# ---------------------------------------------------------------------------- the file


def test_a_new_schedule_counts_from_when_it_was_applied(small: Day) -> None:
    small.applies(DAILY)
    small.clock.at = datetime.fromisoformat("2026-11-27T12:00Z")
    small.scheduler.tick()  # the first process that looks
    assert small.told() == [("11-27 11:30", "running")]


def test_a_changed_rule_counts_from_now_on_and_a_schedule_taken_out_is_due_no_more(
    small: Day,
) -> None:
    small.applies(DAILY)
    small.at("2026-11-26T12:00Z")
    small.applies(DAILY.replace("05:30", "04:00"))
    small.at("2026-11-27T10:30Z")  # 04:00 was half an hour ago, and is a new rule
    assert small.begun() == []
    assert small.kept().next_due == datetime.fromisoformat("2026-11-28T10:00Z")
    small.applies("")
    small.at("2026-11-28T10:00Z")
    assert small.kept().next_due is None
    small.applies(DAILY.replace("05:30", "04:00"))
    small.at("2026-11-29T09:00Z")
    assert small.begun() == []
    assert small.kept().next_due == datetime.fromisoformat("2026-11-29T10:00Z")


def test_a_holiday_that_is_entered_late_moves_the_time_that_had_not_come_yet(small: Day) -> None:
    rule = '[schedules.close]\nwhen = "working day 1 at 06:00"\nrun = ["accounts"]\n'
    rule += 'calendar = "us"\n[calendars.us]\n'
    small.applies(rule)
    small.at("2026-11-26T12:00Z")
    assert small.kept().next_due == datetime.fromisoformat("2026-12-01T06:00Z")
    small.applies(rule + 'holidays = { 2026-12-01 = "Inventory" }\n')
    small.at("2026-11-26T12:01Z")
    assert small.kept().next_due == datetime.fromisoformat("2026-12-02T06:00Z")
    small.at("2026-12-02T06:00Z")
    assert small.told() == [("12-02 06:00", "running")]


def test_a_calendar_file_gives_the_period_ends(small: Day) -> None:
    (small.store.home / "weeks.csv").write_text("end\n2026-11-28\n2026-12-26\n")
    small.applies(
        '[schedules.close]\nwhen = "working day -1 at 18:00"\nrun = ["accounts"]\n'
        'calendar = "weeks"\n[calendars.weeks]\nfile = "weeks.csv"\n'
    )
    small.at("2026-11-26T12:00Z")
    assert small.kept().next_due == datetime.fromisoformat("2026-11-27T18:00Z")
    (small.store.home / "weeks.csv").write_text("end\n2026-11-21\n2026-12-19\n")
    small.at("2026-11-26T12:01Z")
    assert small.kept().next_due == datetime.fromisoformat("2026-12-18T18:00Z")


# ---------------------------------------------------------------------------- several processes


def test_clocks_apart_neither_begin_a_time_twice_nor_lose_one(day: Day, dice: Random) -> None:
    day.applies(TWENTY.replace("20 minutes", "5 minutes"))
    others = [day.another(dice.uniform(-120, 120)) for _ in range(4)]
    began = datetime.fromisoformat("2026-11-26T12:00Z")
    for second in range(0, 3600, 30):
        day.clock.at = began + timedelta(seconds=second)
        for run in day.begun():
            if not day.store.run(run).finished:
                day.ends(run)
        for scheduler in dice.sample(others, len(others)):
            scheduler.tick()
    fires = day.fires()
    due = [fire.due for fire in fires]
    assert due == [due[0] + timedelta(minutes=5 * n) for n in range(len(due))]
    assert len(due) >= 11
    assert {(fire.times, len(fire.runs)) for fire in fires} == {(1, 1)}
    assert len(day.begun()) == len(due)


@pytest.mark.parametrize(
    "when", ["daily at 02:30 America/Chicago", "every 6 hours from working day -2 to 5"]
)
def test_whatever_happens_every_due_time_is_accounted_for_once(
    small: Day, dice: Random, when: str
) -> None:
    missed = dice.choice(["once", "skip", "ask"])
    begin = small.clock.at = datetime.fromisoformat("2026-10-20T12:00Z")
    rule = DAILY.replace("daily at 05:30 America/Chicago", when)
    small.applies(rule + f'missed = "{missed}"\ncalendar = "months"\n[calendars.months]\n')
    schedulers = [small.another(dice.uniform(-120, 120)) for _ in range(3)]
    schedulers[0].tick()
    for _ in range(120):
        happens = dice.random()
        if happens < 0.5:
            hours = dice.choice([0.02, 0.5, 6, 6, 24, 24, 24 * 9])
            small.clock.at += timedelta(hours=hours)
        elif happens < 0.6:
            schedulers[dice.randrange(3)] = small.another(dice.uniform(-120, 120))  # restarted
        elif happens < 0.8:
            for run in small.begun():
                if not small.store.run(run).finished:
                    small.ends(run, dice.choice(["complete", "complete", "failed"]))
        elif happens < 0.85:
            steer(small, skipped_by="Anna", skipped_why="a test")
        elif happens < 0.9:
            until = small.clock.at + timedelta(hours=dice.choice([1, 30, 300]))
            steer(small, paused_until=until, paused_by="Anna", paused_why="a test")
        dice.choice(schedulers).tick()
    fires = small.fires()
    with small.store.database.read() as connection:
        planned = small.scheduler.agenda(connection).schedules["close"]
    assert planned.calendar is not None
    dues = due_until(planned.rule, begin, fires[-1].due, planned.calendar)[1:]
    place = 0
    for fire in fires:
        place += fire.times
        assert dues[place - 1] == fire.due, fire
        assert bool(fire.runs) <= (fire.state in ("running", "complete", "stopped"))
    assert place == len(dues)
    assert len([fire for fire in fires if fire.state == "running"]) <= 1
    assert sorted(run for fire in fires for run in fire.runs.values()) == sorted(small.begun())
    assert small.store.verify_audit().whole


def steer(day: Day, **values: object) -> None:
    """What a person decides, as the store keeps it."""
    with day.store.begin() as connection:
        schedules.change(connection, "close", **values)
