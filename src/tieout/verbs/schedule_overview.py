"""How the schedules stand: what is due next, what became of the last times, what did not run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Any

from tieout.app import Instance
from tieout.core.due import late
from tieout.core.local_time import spelled
from tieout.core.schedule import next_times
from tieout.engine.agenda import Planned
from tieout.engine.chain import NOT_RUN, clock_of
from tieout.engine.scheduler import Scheduler
from tieout.errors import Misconfigured
from tieout.project import Flow, JdeConnection
from tieout.project_words import seconds
from tieout.store import looks, runs, schedules
from tieout.store.looks import Look
from tieout.store.runs import Run
from tieout.store.schedules import Fire, Kept
from tieout.verbs import acting, running

TIMES_SHOWN = 5
PERIODS_SHOWN, CLOSE_DAYS = 9, 5  # of a calendar
DAYS_SHOWN_BACK = timedelta(days=125)  # so far back that the last quarter is among them
LOOKS_MISSED_MAX = 3  # so many pauses without a look at F0010, and nobody would notice a close
WAITS, DID_NOT_RUN = 7, 6  # exit codes, docs/reference/exit-codes.md


def scheduler_for(instance: Instance) -> Scheduler:
    """What begins the runs of an instance's schedules."""

    def kind_of(flow: Flow) -> tuple[str, bool]:
        kind = running.kind_of(flow)
        return kind, kind != running.PREPARE

    return Scheduler(
        instance.store, now=clock_of(instance.given_clock), kind_of=kind_of,
        look_at=instance.look_at_periods, failpoint=instance.failpoint(),
    )  # fmt: skip


def overview(instance: Instance, name: str | None = None) -> dict[str, Any]:
    """Every schedule: what it runs, its next times, who paused it, its last times, what is amiss.

    `exit_code` is 6 when something did not run that should have, 7 when a time waits for an answer.
    """
    acting.require(instance, "view")
    return standing(instance, name)


def standing(instance: Instance, name: str | None = None) -> dict[str, Any]:
    """The same for who has been asked already whether they may look."""
    project = instance.project()
    if name is not None:
        known(instance, name)
    scheduler = scheduler_for(instance)
    with instance.store.database.read() as connection:
        agenda, now = scheduler.agenda(connection), clock_of(instance.given_clock)(connection)
        kept, seen = schedules.kept(connection), looks.looks(connection)
        fires = {n: schedules.fires(connection, n) for n in agenda.schedules if name in (None, n)}
        begun = runs.among(
            connection, [r for f in fires.values() for x in f for r in x.runs.values()]
        )
    pauses = {
        connection: timedelta(seconds=seconds(erp.look_at_periods))
        for connection, erp in project.connections.items()
        if isinstance(erp, JdeConnection)
    }

    def due(planned: Planned) -> datetime | None:
        """Also when no process has looked since it was applied."""
        if (one := kept.get(planned.name)) is not None:
            paused = one.paused_until and one.next_due and one.next_due < one.paused_until
            return None if paused else one.next_due
        return planned.next_after(agenda.applied_at or now)

    def unseen(planned: Planned) -> list[str]:
        return _unseen(planned, pauses, now, seen)

    told = [
        _schedule(planned, kept.get(n), fires[n], begun, now)
        | {"amiss": _amiss(planned, due(planned), fires[n], now) + unseen(planned)}
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


def periods(instance: Instance) -> list[dict[str, Any]]:
    """The periods around now of each calendar that a schedule goes by, with their close days.

    `periods`: begins, ends, and the working days 1 to CLOSE_DAYS after; `now` marks the current.
    """
    acting.require(instance, "view")
    scheduler = scheduler_for(instance)
    with instance.store.database.read() as connection:
        agenda, now = scheduler.agenda(connection), clock_of(instance.given_clock)(connection)
    found: dict[str, dict[str, Any]] = {}
    for planned in agenda.schedules.values():
        calendar = planned.calendar
        if calendar is None or calendar.title in found:
            continue
        today = now.astimezone(planned.zone).date()
        ends = list(islice(calendar.ends_from(today - DAYS_SHOWN_BACK), PERIODS_SHOWN))
        rows = [
            {"begins": begins + timedelta(days=1), "ends": ends, "now": begins < today <= ends,
             "close": [calendar.working_day(ends, n) for n in range(1, CLOSE_DAYS + 1)]}
            for begins, ends in pairwise(ends)
        ]  # fmt: skip
        found[calendar.title] = {
            "calendar": calendar.title, "periods": rows, "zone": str(planned.zone),
            "holidays": sorted(calendar.holidays),
        }  # fmt: skip
    return list(found.values())


def _schedule(
    planned: Planned, kept: Kept | None, fires: list[Fire], begun: Mapping[str, Run],
    now: datetime,
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
    last = [_fire(fire, planned, begun) for fire in fires]
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


def _fire(fire: Fire, planned: Planned, begun: Mapping[str, Run]) -> dict[str, Any]:
    found = [begun[run] for run in fire.runs.values()]
    return {
        "due": fire.due.astimezone(planned.zone), "spelled": spelled(fire.due, planned.zone),
        "state": fire.state, "times": fire.times, "cause": fire.cause, "by": fire.by,
        "why": fire.why, "sentence": fire.sentence,
        "runs": [{"run": r.id, "flow": r.flow, "outcome": r.outcome} for r in found],
    }  # fmt: skip


def _amiss(
    planned: Planned, due: datetime | None, fires: list[Fire], now: datetime
) -> list[str]:  # fmt: skip
    """What did not run, or cannot run, in sentences; empty when all is as it should be."""
    told = []
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


def known(instance: Instance, name: str) -> None:
    """Misconfigured when no schedule of this name is configured; it lists those there are."""
    configured = instance.project().schedules
    if name not in configured:
        raise Misconfigured(
            f"There is no schedule {name!r}.", untouched="Nothing was changed.",
            do=f"Name one of: {', '.join(sorted(configured)) or 'none is configured'}.",
        )  # fmt: skip
