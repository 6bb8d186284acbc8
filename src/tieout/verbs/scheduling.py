"""Schedules: what is due next and what became of the last times; skip, pause, run, answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tieout.app import Instance
from tieout.core.due import late
from tieout.core.local_time import reached, spelled
from tieout.core.policy import Actor
from tieout.core.schedule import next_times
from tieout.engine.agenda import Agenda, Planned
from tieout.engine.chain import NOT_RUN, PERSON, clock_of
from tieout.engine.lock import executor_of
from tieout.engine.scheduler import Scheduler
from tieout.errors import Busy, Misconfigured
from tieout.project import Flow, JdeConnection, Project, seconds
from tieout.store import audit, looks, people, schedules
from tieout.store.audit import Telling
from tieout.store.looks import Look
from tieout.store.schedules import Fire, Kept
from tieout.verbs import acting, running, seeing

TIMES_SHOWN = 5
STEER = "steer schedules"  # the act of core/policy.py
UNTOUCHED = "Nothing was changed."
LOOKS_MISSED_MAX = 3  # so many pauses without a look at F0010, and nobody would notice a close
WAITS, DID_NOT_RUN = 7, 6  # exit codes, docs/reference/exit-codes.md


def scheduler_for(instance: Instance) -> Scheduler:
    """What begins the runs of an instance's schedules."""

    def kind_of(flow: Flow) -> tuple[str, bool]:
        kind = running.kind_of(flow)
        return kind, kind != running.PREPARE

    return Scheduler(
        instance.store, now=clock_of(instance.given_clock), kind_of=kind_of,
        look_at=instance.look_at_periods,
    )  # fmt: skip


def overview(instance: Instance, name: str | None = None) -> dict[str, Any]:
    """Every schedule: what it runs, its next times, who paused it, its last times, what is amiss.

    `exit_code` is 6 when something did not run that should have, 7 when a time waits for an answer.
    """
    acting.require(instance, "view")
    project = instance.project()
    if name is not None:
        _known(instance, name)
    scheduler = scheduler_for(instance)
    with instance.store.database.read() as connection:
        agenda, now = scheduler.agenda(connection), clock_of(instance.given_clock)(connection)
        known, seen = schedules.kept(connection), looks.looks(connection)
        fires = {n: schedules.fires(connection, n) for n in agenda.schedules}
    pauses = {
        connection: timedelta(seconds=seconds(erp.look_at_periods))
        for connection, erp in project.connections.items()
        if isinstance(erp, JdeConnection)
    }

    def unseen(planned: Planned) -> list[str]:
        return _unseen(planned, pauses, now, seen)

    told = [
        _schedule(instance, planned, known.get(n), fires[n], now)
        | {"amiss": _amiss(planned, known.get(n), fires[n], now) + unseen(planned)}
        for n, planned in agenda.schedules.items()
        if name in (None, n)
    ]
    waits = any(s["asks"] for s in told)
    amiss = any(s["amiss"] for s in told)
    code = DID_NOT_RUN if amiss else WAITS if waits else 0
    return {
        "ok": not code, "exit_code": code, "at": now, "schedules": told,
        "configured": len(project.schedules),
    }  # fmt: skip


def _schedule(
    instance: Instance, planned: Planned, kept: Kept | None, fires: list[Fire], now: datetime
) -> dict[str, Any]:  # fmt: skip
    paused = kept.paused_until if kept and kept.paused_until and kept.paused_until > now else None
    found = next_times(planned.rule, now, planned.calendar, TIMES_SHOWN) if planned.calendar else []
    times = [
        {
            "at": at.astimezone(planned.zone), "spelled": spelled(at, planned.zone),
            "skipped": bool(kept and kept.skipped_by and at == found[0]),
            "paused": paused is not None and at < paused,
        }
        for at in found
    ]  # fmt: skip
    last = [_fire(instance, fire, planned) for fire in fires]
    calendar = planned.calendar.title if planned.calendar and planned.digest else ""
    return {
        "schedule": planned.name, "when": planned.schedule.when, "rule": str(planned.rule),
        "run": list(planned.flows), "missed": planned.schedule.missed, "zone": str(planned.zone),
        "calendar": calendar, "watched": list(planned.watched[1]) if planned.watched else [],
        "next": times, "paused_until": paused,
        "paused_by": kept.paused_by if kept and paused else None,
        "paused_why": kept.paused_why if kept and paused else None,
        "skips_next": bool(kept and kept.skipped_by),
        "skipped_by": kept.skipped_by if kept else None,
        "skipped_why": kept.skipped_why if kept else None,
        "last": last, "asks": [f["due"] for f in last if f["state"] == "asked"],
    }  # fmt: skip


def _fire(instance: Instance, fire: Fire, planned: Planned) -> dict[str, Any]:
    runs = [instance.store.run(run) for run in fire.runs.values()]
    return {
        "due": fire.due.astimezone(planned.zone), "spelled": spelled(fire.due, planned.zone),
        "state": fire.state, "times": fire.times, "cause": fire.cause, "by": fire.by,
        "why": fire.why, "sentence": fire.sentence,
        "runs": [{"run": r.id, "flow": r.flow, "outcome": r.outcome} for r in runs],
    }  # fmt: skip


def _amiss(
    planned: Planned, kept: Kept | None, fires: list[Fire], now: datetime
) -> list[str]:  # fmt: skip
    """What did not run, or cannot run, in sentences; empty when all is as it should be."""
    told = []
    due = kept.next_due if kept else None
    if due is not None and late(due, now):
        told.append(
            f"It was due at {spelled(due, planned.zone)} and nothing has begun: no process that "
            "executes runs is looking. Start `tieout serve`."
        )
    decided = [f for f in fires if f.state in (*NOT_RUN, "complete")]
    if decided and decided[0].state in NOT_RUN:
        at = spelled(decided[0].due, planned.zone)
        told.append(f"{at} {decided[0].state}. {decided[0].sentence}")
    if planned.trouble:
        told.append(planned.trouble)
    elif planned.digest and planned.calendar and planned.next_after(now) is None:
        until = planned.calendar.ends_known_until()
        told.append(f"{planned.calendar.title} has no period after {until}: no time is known.")
    return told


def _unseen(
    planned: Planned, pauses: Mapping[str, timedelta], now: datetime, seen: Mapping[str, Look]
) -> list[str]:  # fmt: skip
    """Whether a close would go unnoticed, because nobody looks at F0010 any more."""
    if planned.watched is None or planned.trouble:
        return []
    connection = planned.watched[0]
    look = seen.get(connection)
    if look is None or look.looked_at is None:
        return [f"F0010 has not been looked at yet through {connection}: is `tieout serve` there?"]
    if now - look.looked_at <= LOOKS_MISSED_MAX * pauses[connection]:
        return []
    return [f"F0010 was last looked at {spelled(look.looked_at, planned.zone)}: nobody looks now."]


# --- what people do -----------------------------------------------------------------------------


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
    _known(instance, name)
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
    _known(instance, name)
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
    if not wait and executor_of(instance.home):
        return _find(instance, name, due)
    with running.executing(instance) as executor:
        while (fire := _find(instance, name, due)).state == "running":
            run = fire.runs.get(fire.place)
            if run is None:  # another run of the flow goes first
                other = instance.store.unfinished_run(fire.flows[fire.place])
                run = other.id if other else None
            if run is not None:
                executor.carry_out(run, running.RUN_SECONDS_MAX)
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
    _known(instance, name)
    scheduler = scheduler_for(instance)
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, token, at), STEER)
        schedules.hold(connection, name)
        now = clock_of(instance.given_clock)(connection)
        kept = scheduler.bring_up_to_date(connection, name, now)
        done = change(connection, by, kept, now)
        detail = {"why": why, **{k: v for k, v in done.items() if k != "act"}}
        audit.append(connection, at, Telling(by.name, done["act"], name, detail))
    return overview(instance, name) | {"act": done["act"], "by": by.name}


def _known(instance: Instance, name: str) -> None:
    configured = instance.project().schedules
    if name not in configured:
        raise Misconfigured(
            f"There is no schedule {name!r}.", untouched=UNTOUCHED,
            do=f"Name one of: {', '.join(sorted(configured)) or 'none is configured'}.",
        )  # fmt: skip


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
    except ValueError:
        raise Misconfigured(
            f"{text!r} is no day or minute.", untouched=UNTOUCHED,
            do="Write 2026-12-01, or 2026-12-01 06:00.",
        ) from None  # fmt: skip
    return wall.astimezone(UTC) if wall.tzinfo else reached(wall, planned.zone)
