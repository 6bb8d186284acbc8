"""What people decide about schedules holds, takes a right and a reason, and is in the trail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from desks import PROJECT, ROLES, Office

from tieout.app import Instance
from tieout.engine.scheduler import Scheduler
from tieout.errors import Busy, Misconfigured, NotAllowed
from tieout.store.runs import Ending
from tieout.verbs import schedule_overview, scheduling, setting_up

EVENING = """
[schedules.evening]
when = "daily at 18:00 America/Chicago"
run = ["companies"]
"""
FIRST_DUE = datetime(2026, 1, 6, 0, 0, tzinfo=UTC)  # 18:00 in Chicago is midnight


class Scheduled:
    """An office whose companies are loaded every evening; it is the morning of 5 January."""

    def __init__(self, office: Office, rule: str = EVENING) -> None:
        self.office = office
        setting_up.apply_project(office.desk("eve"), PROJECT + rule)
        self.anna = office.desk("anna")
        self.scheduler: Scheduler = schedule_overview.scheduler_for(office.owner)
        self.scheduler.tick()

    def at(self, moment: datetime) -> None:
        self.office.clock.sleep((moment - self.office.clock.now()).total_seconds())
        self.scheduler.tick()

    def days_later(self, days: int, minutes: int = 1) -> None:
        """That many evenings after the first, some minutes after the time."""
        self.at(FIRST_DUE + timedelta(days=days, minutes=minutes))

    def shown(self) -> dict[str, Any]:
        (one,) = schedule_overview.overview(self.anna)["schedules"]
        return dict(one)

    def states(self) -> list[str]:
        return [fire["state"] for fire in self.shown()["last"]][::-1]

    def begun(self) -> list[str]:
        return [run.id for run in self.office.store.runs()][::-1]

    def end_runs(self) -> None:
        for run in self.begun():
            ending = Ending("complete", "All is in.", 0, {})
            self.office.store.finish_run(run, ending)
        self.scheduler.tick()

    def told(self, act: str) -> list[dict[str, Any]]:
        return [e.told for e in self.office.store.audit() if (e.act, e.object) == (act, "evening")]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An instance with the usual people, on SQLite: what differs is tried in the store's tests."""
    made = Office(tmp_path / "home")
    yield made.people()
    made.close()


@pytest.fixture
def evening(office: Office) -> Scheduled:
    """That office with its schedule."""
    return Scheduled(office)


ACTS: dict[str, Callable[[Instance], Any]] = {
    "skip": lambda i: scheduling.skip(i, "evening", "a test"),
    "pause": lambda i: scheduling.pause(i, "evening", "2026-02-01", "a test"),
    "run": lambda i: scheduling.run(i, "evening", "a test"),
}


@pytest.mark.parametrize("act", ACTS)
def test_only_an_operator_steers_a_schedule(evening: Scheduled, act: str) -> None:
    for name in ("dora", "finn", "ben", "eve"):
        before = len(evening.office.store.audit())
        with pytest.raises(NotAllowed):
            ACTS[act](evening.office.desk(name))
        assert len(evening.office.store.audit()) == before
    assert "operator" in ROLES["anna"]
    ACTS[act](evening.anna)


def test_the_next_five_times_are_shown_in_the_zone_of_the_schedule(evening: Scheduled) -> None:
    shown = evening.shown()
    assert [time["spelled"] for time in shown["next"]] == [
        f"{day} Jan 2026 18:00 CST" for day in ("Mon 05", "Tue 06", "Wed 07", "Thu 08", "Fri 09")
    ]
    assert shown["amiss"] == []


def test_a_skip_leaves_one_time_out_and_says_who_and_why(evening: Scheduled) -> None:
    done = scheduling.skip(evening.anna, "evening", "auditors in the ledger")
    assert done["schedules"][0]["next"][0]["skipped"]
    with pytest.raises(Misconfigured, match="skipped already, by anna"):
        scheduling.skip(evening.anna, "evening", "again")
    evening.days_later(0)
    evening.days_later(1)
    assert evening.states() == ["skipped", "running"]
    assert evening.shown()["last"][1]["sentence"] == "Skipped by anna: auditors in the ledger"
    assert evening.told("skipped next time")[0]["why"] == "auditors in the ledger"
    assert evening.office.store.verify_audit().whole


def test_a_pause_leaves_out_every_time_until_its_end_and_nothing_is_caught_up(
    evening: Scheduled,
) -> None:
    scheduling.pause(evening.anna, "evening", "2026-01-08 18:00", "the model is rebuilt")
    assert [t["paused"] for t in evening.shown()["next"]] == [True] * 3 + [False] * 2
    evening.days_later(0)
    evening.days_later(2)
    assert evening.states() == ["paused", "paused"]
    assert evening.begun() == []
    evening.days_later(3)
    assert evening.states() == ["paused", "paused", "running"]


def test_resume_ends_a_pause_and_what_it_left_out_stays_left_out(evening: Scheduled) -> None:
    scheduling.pause(evening.anna, "evening", "2026-03-01", "the model is rebuilt")
    evening.office.clock.sleep((FIRST_DUE + timedelta(days=2)).timestamp()
                               - evening.office.clock.now().timestamp())  # fmt: skip
    scheduling.resume(evening.anna, "evening")
    evening.days_later(2, minutes=2)
    assert evening.begun() == []
    evening.days_later(3)
    assert evening.begun() == ["companies-1"]
    with pytest.raises(Misconfigured, match="neither paused nor skipped"):
        scheduling.resume(evening.anna, "evening")


@pytest.mark.parametrize("until", ["2026-01-05", "next week", "2020-01-01 06:00"])
def test_a_pause_needs_a_day_to_come(evening: Scheduled, until: str) -> None:
    with pytest.raises(Misconfigured):
        scheduling.pause(evening.anna, "evening", until, "a test")
    assert evening.shown()["paused_until"] is None


def test_run_now_leaves_the_times_as_they_are_and_never_runs_beside_one(
    evening: Scheduled,
) -> None:
    scheduling.run(evening.anna, "evening", "a late journal")
    with pytest.raises(Busy):
        scheduling.run(evening.anna, "evening", "once more")
    run = evening.office.store.run("companies-1")
    assert (run.started_by, run.trigger) == ("anna", "schedule evening")
    evening.end_runs()
    evening.days_later(0)
    assert evening.states() == ["complete", "running"]
    assert evening.begun() == ["companies-1", "companies-2"]
    assert evening.told("ran schedule") == [{"why": "a late journal", "flows": ["companies"]}]


@pytest.mark.parametrize(("runs", "state"), [(True, "running"), (False, "skipped")])
def test_a_missed_time_that_asks_waits_for_an_answer(
    office: Office, runs: bool, state: str
) -> None:
    asks = Scheduled(office, EVENING + 'missed = "ask"\n')
    with pytest.raises(Misconfigured, match="No missed time of evening asks"):
        scheduling.answer(asks.anna, "evening", runs=True, why="too early")
    asks.days_later(0, minutes=90)
    found = schedule_overview.overview(asks.anna)
    assert found["exit_code"] == 7
    assert asks.begun() == []
    scheduling.answer(asks.anna, "evening", runs=runs, why="still needed")
    assert asks.states() == [state]
    assert asks.begun() == (["companies-1"] if runs else [])
    assert asks.shown()["last"][0]["sentence"].endswith("anna: still needed")


# ---------------------------------------------------------------------------- what did not run


def test_a_time_that_comes_while_nobody_looks_is_told_before_anybody_does(
    evening: Scheduled,
) -> None:
    evening.office.clock.sleep((FIRST_DUE - evening.office.clock.now()).total_seconds() + 360)
    found = schedule_overview.overview(evening.anna)
    assert (found["ok"], found["exit_code"]) == (False, 6)
    assert evening.shown()["amiss"] == [
        "It was due at Mon 05 Jan 2026 18:00 CST and nothing has begun: no process that executes "
        "runs is looking. Start `tieout serve`."
    ]


def test_a_chain_that_stopped_is_told_until_a_later_one_is_complete(evening: Scheduled) -> None:
    evening.days_later(0)
    ending = Ending("failed", "JD Edwards does not answer.", 4, {})
    evening.office.store.finish_run("companies-1", ending)
    evening.days_later(0, minutes=2)
    (told,) = evening.shown()["amiss"]
    assert told == (
        "Mon 05 Jan 2026 18:00 CST stopped. companies-1 did not end complete: JD Edwards does not "
        "answer."
    )
    evening.days_later(1)
    evening.end_runs()
    assert evening.shown()["amiss"] == []
    assert schedule_overview.overview(evening.anna)["exit_code"] == 0


def test_a_calendar_without_a_next_period_is_told(office: Office) -> None:
    (office.home / "ends.csv").write_text("end\n2025-12-31\n")
    rule = (
        '[schedules.evening]\nwhen = "working day 1 at 06:00"\nrun = ["companies"]\n'
        'calendar = "own"\n[calendars.own]\nfile = "ends.csv"\n'
    )
    found = Scheduled(office, rule).shown()
    assert found["amiss"] == ["the file ends.csv has no period after 2025-12-31: no time is known."]
    (office.home / "ends.csv").write_text("ends\n2025-12-31\n")
    found = Scheduled(office, rule).shown()
    assert "cannot be read" in found["amiss"][0]


def test_a_close_that_nobody_would_notice_is_told(office: Office) -> None:
    rule = (
        '[schedules.evening]\nwhen = "when the period closes"\nrun = ["companies"]\n'
        'calendar = "one"\n[calendars.one]\nconnection = "erp"\ncompany = "00001"\n'
    )
    closing = Scheduled(office, rule)
    assert "has not been looked at yet" in closing.shown()["amiss"][0]
    closing.scheduler.look()
    (told,) = closing.shown()["amiss"]
    assert told.startswith("No credentials are stored for erp.")


def test_an_unknown_schedule_is_refused_with_those_there_are(evening: Scheduled) -> None:
    for act in (
        lambda: scheduling.skip(evening.anna, "evenings", "x"),
        lambda: scheduling.run(evening.anna, "evenings", "x"),
        lambda: scheduling.answer(evening.anna, "evenings", runs=True, why="x"),
    ):
        with pytest.raises(Misconfigured) as told:
            act()
        assert told.value.do == "Name one of: evening."
