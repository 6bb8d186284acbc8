"""What people are told of, a row for each: it is sent once, by whichever process comes first.

The row is there before anything is sent and names what it is about, so that two processes, or one
that died, tell nothing twice. A row that was being sent when its process died may have arrived: it
is not sent again, and said to be uncertain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Row

from tieout.store.columns import Json, Moment, Words
from tieout.store.configs import app_proposal
from tieout.store.database import insert_new
from tieout.store.reject_schema import app_reject
from tieout.store.schedules import app_fire
from tieout.store.schema import app_batch, app_run, app_secret, metadata

STATES = ("begun", "waiting", "sending", "sent", "uncertain", "failed")
BEGUN = "begun"  # the row of a notice itself: what was before is not told
SENDING_SECONDS_MAX = 600  # then its process died meanwhile
NOTES_SHOWN_MAX = 100
DID_NOT_RUN = ("missed", "asked", "left out")
WAITS_EXIT_CODE = 7  # of a run whose batch waits, which is told by the batch
TOLD_DAYS_BEFORE = (60, 30, 14, 7, 1, 0)  # before the end of a certificate
DRIFT = "binding-"  # how the rules of drift begin

app_notice = Table(
    "app_notice",
    metadata,
    Column("notice", Text, primary_key=True),  # of the project file, or that of a heartbeat
    Column("about", Text, primary_key=True),
    Column("event", Text, nullable=False),
    Column("told", Json, nullable=False),
    Column("state", Text, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("next_at", Moment, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("trouble", Words, nullable=False),
    CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="app_notice_state"),
    Index("app_notice_next", "state", "next_at"),
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that people have to look at: ids, counts and rules; no amounts, no words of peers.

    `about` names it once for all; `flow` is "" for what belongs to none.
    """

    about: str
    event: str
    flow: str
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """One row: an event for one notice, and how far it has come."""

    notice: str
    about: str
    event: str
    told: Mapping[str, Any]
    state: str
    made_at: datetime
    next_at: datetime
    tries: int = 0
    trouble: str = ""


def begin(connection: Connection, notice: str, now: datetime) -> datetime:
    """Since when a notice tells: from its first sight on."""
    note = Note(notice, "", BEGUN, {}, BEGUN, now, now)
    insert_new(connection, app_notice, _row(note))
    key = (app_notice.c.notice == notice, app_notice.c.about == "")
    found: datetime = connection.execute(select(app_notice.c.made_at).where(*key)).scalar_one()
    return found


def add(connection: Connection, notice: str, event: Event, now: datetime) -> None:
    """An event for a notice, unless it has it already."""
    note = Note(notice, event.about, event.event, event.told, "waiting", now, now)
    insert_new(connection, app_notice, _row(note))


def claim(connection: Connection, now: datetime) -> Note | None:
    """The next row that is due, which is this process's to send now; None when there is none."""
    late = now - timedelta(seconds=SENDING_SECONDS_MAX)
    lost = (app_notice.c.state == "sending", app_notice.c.next_at <= late)
    words = "the process that sent it died; it may have arrived"
    connection.execute(
        update(app_notice).where(*lost).values(state="uncertain", trouble=words)
    )  # fmt: skip
    due = (app_notice.c.state == "waiting", app_notice.c.next_at <= now)
    query = select(app_notice).where(*due).order_by(app_notice.c.made_at, app_notice.c.about)
    row = connection.execute(query.limit(1)).first()
    if row is None:
        return None
    note = _read(row)
    same = (*_key(note), app_notice.c.state == "waiting")
    values = {"state": "sending", "next_at": now, "tries": note.tries + 1}
    if not connection.execute(update(app_notice).where(*same).values(values)).rowcount:
        return None
    return replace(note, state="sending", tries=note.tries + 1)


def settle(
    connection: Connection, note: Note, state: str, trouble: str = "",
    next_at: datetime | None = None,
) -> None:  # fmt: skip
    """What became of a row that this process had claimed."""
    values: dict[str, Any] = {"state": state, "trouble": trouble}
    values |= {"next_at": next_at} if next_at else {}
    connection.execute(update(app_notice).where(*_key(note)).values(values))


def listed(connection: Connection, states: Sequence[str] = STATES[1:]) -> list[Note]:
    """Rows, newest first."""
    query = select(app_notice).where(app_notice.c.state.in_(states))
    query = query.order_by(app_notice.c.made_at.desc(), app_notice.c.notice, app_notice.c.about)
    return [_read(row) for row in connection.execute(query.limit(NOTES_SHOWN_MAX))]


# ------------------------------------------------------------------ what happened


def ended_runs(connection: Connection, since: datetime) -> list[Event]:
    """The runs that failed or need attention since, and those that found drift."""
    drift = select(app_reject.c.run).where(
        app_reject.c.run == app_run.c.id, app_reject.c.rule.startswith(DRIFT)
    )
    bad = app_run.c.outcome.in_(("failed", "needs_attention"))
    query = select(app_run).where(app_run.c.finished_at >= since, or_(bad, drift.exists()))
    found = []
    for run in connection.execute(query.order_by(app_run.c.finished_at)):
        outcome, rules = run.outcome.replace("_", " "), _rules(connection, run.id)
        told = {
            "run": run.id, "flow": run.flow, "outcome": outcome, "exit_code": run.exit_code,
            "at": run.finished_at, "rules": rules,
        }  # fmt: skip
        if outcome in ("failed", "needs attention") and run.exit_code != WAITS_EXIT_CODE:
            found.append(Event(f"run {run.id}", outcome, run.flow, told))
        if any(rule.startswith(DRIFT) for rule in rules):
            found.append(Event(f"drift {run.id}", "drift", run.flow, told))
    return found


def _rules(connection: Connection, run: str) -> dict[str, int]:
    """Rule → how many findings of a run."""
    query = select(app_reject.c.rule, func.count()).where(app_reject.c.run == run)
    rows = connection.execute(query.group_by(app_reject.c.rule).order_by(app_reject.c.rule))
    return {row[0]: row[1] for row in rows}


def not_run(connection: Connection, since: datetime) -> list[Event]:
    """The due times at which nothing ran."""
    query = select(app_fire).where(
        app_fire.c.decided_at >= since, app_fire.c.state.in_(DID_NOT_RUN)
    )
    return [
        Event(
            f"time {fire.schedule} {fire.due.isoformat()}", "did not run", flow,
            {"schedule": fire.schedule, "due": fire.due, "state": fire.state,
             "flows": list(fire.flows)},
        )
        for fire in connection.execute(query.order_by(app_fire.c.due))
        for flow in list(fire.flows)[:1] or [""]
    ]  # fmt: skip


def waiting(connection: Connection, before: datetime) -> list[Event]:
    """Batches and configurations that wait for a second person since before this moment."""
    batches = select(app_batch).where(
        app_batch.c.state == "prepared", app_batch.c.prepared_at <= before
    )
    found = [
        Event(
            f"batch {b.id}", "waits for approval", b.flow,
            {"batch": b.id, "flow": b.flow, "since": b.prepared_at, "prepared_by": b.prepared_by},
        )
        for b in connection.execute(batches.order_by(app_batch.c.prepared_at))
    ]  # fmt: skip
    proposals = select(app_proposal).where(
        app_proposal.c.state == "prepared", app_proposal.c.proposed_at <= before
    )
    return found + [
        Event(
            f"proposal {p.id}", "waits for approval", "",
            {"proposal": p.id, "since": p.proposed_at, "prepared_by": p.proposed_by},
        )
        for p in connection.execute(proposals)
    ]  # fmt: skip


def ending(connection: Connection, now: datetime) -> list[Event]:
    """The certificates that end within 60, 30, 14, 7 or 1 days, or have ended: once for each."""
    query = select(app_secret.c.name, app_secret.c.ends_at).where(app_secret.c.ends_at.is_not(None))
    found = []
    for secret, ends in connection.execute(query.order_by(app_secret.c.name)):
        days = (ends - now) / timedelta(days=1)
        reached = [limit for limit in TOLD_DAYS_BEFORE if days <= limit]
        if reached:
            told = {"secret": secret, "ends": ends, "days": max(0, math.ceil(days))}
            about = f"certificate {secret} {ends.isoformat()} {reached[-1]}"
            found.append(Event(about, "certificate ends", "", told))
    return found


def beats(connection: Connection, schedule: str, since: datetime) -> list[Event]:
    """What a heartbeat tells: each due time that was begun, or has ended or did not run."""
    query = select(app_fire).where(
        app_fire.c.schedule == schedule,
        func.coalesce(app_fire.c.ended_at, app_fire.c.decided_at) >= since,
    )
    kinds = {"running": "start", "complete": "done", "stopped": "fail"}
    kinds |= dict.fromkeys(DID_NOT_RUN, "fail")
    return [
        Event(f"{fire.due.isoformat()} {kind}", kind, "", {"due": fire.due})
        for fire in connection.execute(query.order_by(app_fire.c.due))
        if (kind := kinds.get(fire.state))
    ]


def _key(note: Note) -> tuple[Any, ...]:
    return (app_notice.c.notice == note.notice, app_notice.c.about == note.about)


def _row(note: Note) -> dict[str, Any]:
    return {name: getattr(note, name) for name in Note.__slots__} | {"told": dict(note.told)}


def _read(row: Row[Any]) -> Note:
    return Note(**row._mapping)
