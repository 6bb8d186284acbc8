"""What people decide about schedules: skip, pause, resume, run now, answer; each with a reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from tieout.app import Instance
from tieout.core.local_time import reached
from tieout.core.policy import Actor
from tieout.engine.agenda import Agenda, Planned
from tieout.engine.chain import PERSON
from tieout.engine.watch import LOOK_SECONDS, executed
from tieout.errors import Busy, Misconfigured
from tieout.project import Project
from tieout.store import audit, people, schedules
from tieout.store.audit import Telling
from tieout.store.schedules import Fire, Kept
from tieout.verbs import acting, running, seeing
from tieout.verbs.schedule_overview import known, overview, scheduler_for

STEER: Final = "steer schedules"  # the act of core/policy.py
UNTOUCHED = "Nothing was changed."


def skip(instance: Instance, name: str, why: str) -> dict[str, Any]:
    """Leave the next time of a schedule out, once."""

    def change(connection: Any, by: Actor, kept: Kept, now: datetime) -> dict[str, Any]:
        if kept.skipped_by:
            raise Misconfigured(
                f"The next time of {name} is skipped already, by {kept.skipped_by}.",
                untouched=UNTOUCHED, do=f"`tieout schedule resume {name}` takes that back.",
            )  # fmt: skip
        schedules.change(connection, name, skipped_by=by.name, skipped_why=why)
        return {"act": "skipped next time", "due": kept.next_due}

    return _steer(instance, name, why, change)


def pause(instance: Instance, name: str, until: str, why: str) -> dict[str, Any]:
    """Leave out every time of a schedule until a day (its beginning) or a minute, in its zone."""

    def change(connection: Any, by: Actor, kept: Kept, now: datetime) -> dict[str, Any]:
        at = _moment(until, _planned(instance, connection, name))
        if at <= now:
            raise Misconfigured(
                f"{until} is over already.", untouched=UNTOUCHED,
                do="Give a later day or minute.",
            )  # fmt: skip
        schedules.change(connection, name, paused_until=at, paused_by=by.name, paused_why=why)
        return {"act": "paused schedule", "until": at}

    return _steer(instance, name, why, change)


def resume(instance: Instance, name: str, why: str = "") -> dict[str, Any]:
    """End a pause, and a skip that has not come yet; what was left out meanwhile stays left out."""

    def change(connection: Any, by: Actor, kept: Kept, now: datetime) -> dict[str, Any]:
        paused = kept.paused_until is not None and kept.paused_until > now
        if not paused and not kept.skipped_by:
            raise Misconfigured(
                f"{name} is neither paused nor skipped.", untouched=UNTOUCHED,
                do="`tieout schedule` shows how it stands.",
            )  # fmt: skip
        nobody = dict.fromkeys(
            ("paused_until", "paused_by", "paused_why", "skipped_by", "skipped_why")
        )
        # What came due during the pause was left out by it, whether anybody has looked since.
        due = kept.next_due
        dealt_with = now if paused and due is not None and due <= now else kept.dealt_with
        if dealt_with == now:
            planned = _planned(instance, connection, name)
            nobody |= {"next_due": planned.next_after(now)}
        schedules.change(connection, name, dealt_with=dealt_with, **nobody)
        return {"act": "resumed schedule"}

    return _steer(instance, name, why, change)


def run(instance: Instance, name: str, why: str) -> dict[str, Any]:
    """Run the flows of a schedule now, beside its times; Busy while a time of it is under way."""
    token, at = acting.held_token(instance), instance.clock.now()
    scheduler = scheduler_for(instance)
    known(instance, name)
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, token, at), "run")
        schedules.hold(connection, name)
        agenda = scheduler.agenda(connection)
        planned, now = agenda.schedules[name], scheduler.now(connection)
        _may_run(planned, agenda.project, by)
        if schedules.busy(connection, name):
            raise Busy(
                f"An earlier time of {name} is not through yet.", untouched="Nothing was run.",
                do=f"Wait for it: `tieout schedule {name}`.",
            )  # fmt: skip
        detail = {"why": why, "flows": list(planned.flows)}
        fire = Fire(
            name, now, "running", 1, PERSON, by.name, why, planned.flows, 0, now,
            f"Run by {by.name}: {why}",
        )  # fmt: skip
        scheduler.chain.begin(connection, fire, agenda)
        audit.append(connection, at, Telling(by.name, "ran schedule", name, detail))
    return {"ok": True, "schedule": name, "due": now, "run": list(planned.flows)}


def answer(instance: Instance, name: str, *, runs: bool, why: str) -> dict[str, Any]:
    """Say whether a missed time that asks runs now, or is skipped."""
    token, at = acting.held_token(instance), instance.clock.now()
    scheduler = scheduler_for(instance)
    known(instance, name)
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, token, at), "run" if runs else STEER)
        schedules.hold(connection, name)
        agenda = scheduler.agenda(connection)
        _may_run(agenda.schedules[name], agenda.project, by)
        asked = schedules.fires(connection, name, states=("asked",), limit=1)
        if not asked:
            raise Misconfigured(
                f"No missed time of {name} asks for an answer.", untouched=UNTOUCHED,
                do=f"`tieout schedule run {name} --why …` runs it now.",
            )  # fmt: skip
        scheduler.chain.answer(connection, asked[0], agenda, run=runs, by=by.name, why=why)
        detail = {"due": asked[0].due, "runs": runs, "why": why}
        audit.append(connection, at, Telling(by.name, "answered schedule", name, detail))
    return {"ok": True, "schedule": name, "due": asked[0].due, "runs": runs}


def carry_out(instance: Instance, name: str, due: datetime, *, wait: bool = True) -> Fire:
    """A fire as it ended: its runs executed here when nobody executes this instance, or followed.

    Without `wait` it is left to who executes the instance, if anybody does.
    """
    chain = scheduler_for(instance).chain
    if not wait and executed(instance.store):
        return _find(instance, name, due)
    with running.executing(instance) as executor:
        while (fire := _find(instance, name, due)).state == "running":
            run = fire.runs.get(fire.place)
            if run is None:  # another run of the flow goes first
                other = instance.store.unfinished_run(fire.flows[fire.place])
                run = other.id if other else None
            if run is not None:
                executor.carry_out(run, running.RUN_SECONDS_MAX)
            else:
                time.sleep(LOOK_SECONDS)  # an earlier time of the schedule goes first
            chain.go_on(name, due, _agenda(instance))
    return fire


def told_of(instance: Instance, fire: Fire) -> dict[str, Any]:
    """A fire as `schedule run` shows it, with its runs; the exit code is that of its last run."""
    runs = [seeing.run_as_json(instance.store.run(run)) for run in fire.runs.values()]
    code = runs[-1]["exit_code"] if runs else None
    return {
        "ok": fire.state == "complete", "schedule": fire.schedule, "due": fire.due,
        "state": fire.state, "sentence": fire.sentence, "runs": runs, "exit_code": code or 0,
    }  # fmt: skip


def _find(instance: Instance, name: str, due: datetime) -> Fire:
    with instance.store.database.read() as connection:
        return schedules.fire(connection, name, due)


def _agenda(instance: Instance) -> Agenda:
    with instance.store.database.read() as connection:
        return scheduler_for(instance).agenda(connection)


Change = Callable[[Any, Actor, Kept, datetime], dict[str, Any]]


def _steer(instance: Instance, name: str, why: str, change: Change) -> dict[str, Any]:
    """Change how a schedule stands, in one transaction with its entry in the trail."""
    token, at = acting.held_token(instance), instance.clock.now()
    acting.require(instance, STEER)
    known(instance, name)
    scheduler = scheduler_for(instance)
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, token, at), STEER)
        schedules.hold(connection, name)
        now = scheduler.now(connection)
        kept = scheduler.bring_up_to_date(connection, name, now)
        done = change(connection, by, kept, now)
        detail = {"why": why, **{k: v for k, v in done.items() if k != "act"}}
        audit.append(connection, at, Telling(by.name, done["act"], name, detail))
    return overview(instance, name) | {"act": done["act"], "by": by.name}


def _planned(instance: Instance, connection: Any, name: str) -> Planned:
    return scheduler_for(instance).agenda(connection).schedules[name]


def _may_run(planned: Planned, project: Project | None, by: Actor) -> None:
    """NotAllowed unless `by` may run every flow of the schedule."""
    acting.allowed(by, "run")
    for name in planned.flows:
        flow = project.flows.get(name) if project else None
        if flow is not None and running.kind_of(flow) == running.PREPARE:
            acting.allowed(by, "prepare")


def _moment(text: str, planned: Planned) -> datetime:
    """A day or a minute in the zone of a schedule, as an instant."""
    try:
        wall = datetime.fromisoformat(text)
        return wall.astimezone(UTC) if wall.tzinfo else reached(wall, planned.zone)
    except (ValueError, OverflowError):  # the first and the last day of all in another zone
        raise Misconfigured(
            f"{text!r} is no day or minute.", untouched=UNTOUCHED,
            do="Write 2026-12-01, or 2026-12-01 06:00.",
        ) from None  # fmt: skip
