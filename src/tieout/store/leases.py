"""Which run may have a task in an Anaplan model: one row a model, held until its task has ended.

Time alone frees nothing: a task goes on in Anaplan whether or not the process that asked for it
lives. Another run takes the place of a holder that has ended, once Anaplan says what became of the
task (flows/leasing.py); a holder that was killed keeps it, and has it still when it is carried on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Select,
    Table,
    Text,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.engine import Row

from tieout.errors import Busy
from tieout.store import tasks
from tieout.store.columns import Json, Moment, Words
from tieout.store.database import insert_new
from tieout.store.schema import UNFINISHED, app_run, metadata
from tieout.store.tasks import Task, TaskKey

TAKEN = "taken"  # no task was asked for yet
STARTING = "starting"  # a start may or may not have been sent
STARTED = tasks.STARTED  # Anaplan gave the task its id

app_lease = Table(
    "app_lease",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("workspace", Text, primary_key=True),  # Anaplan's ids of both
    Column("model", Text, primary_key=True),
    Column("model_name", Words, nullable=False),
    Column("run", Text, nullable=False),
    Column("executor", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("kind", Text, nullable=False),  # imports, processes or exports; "" when taken
    Column("anaplan_id", Text, nullable=False),
    Column("name", Words, nullable=False),
    Column("known", Json, nullable=False),  # ids of the tasks that were there before the start
    Column("task_id", Text),
    Column("taken_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
)


class TakenOver(Busy):
    """The run is told by another process by now: what becomes of it is not this one's to say."""


@dataclass(frozen=True, slots=True)
class Place:
    """A model of Anaplan, by ids; `name` is for people."""

    tenant: str
    workspace: str
    model: str
    name: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A run, and the process that tells it."""

    run: str
    executor: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The import, process or export that a holder asks for, and which tasks it had before."""

    kind: str
    anaplan_id: str
    name: str
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a model; `asked` once a task may have been asked for, `task` once it has an id."""

    place: Place
    holder: Holder
    state: str
    asked: Asked | None
    task: str | None
    taken_at: datetime
    run_ended: bool  # only what became of its task keeps others waiting


def take(connection: Connection, place: Place, holder: Holder, at: datetime) -> Lease:
    """The lease: ours from now on if nobody held it or our run did, else the holder's.

    A run has one process that tells it: who takes its lease as another process takes it for good,
    so that the one before, should it still live, can start nothing more.
    """
    row = _key(place) | {
        "model_name": place.name, "run": holder.run, "executor": holder.executor,
        "state": TAKEN, "kind": "", "anaplan_id": "", "name": "", "known": [],
        "taken_at": at, "changed_at": at,
    }  # fmt: skip
    while True:  # ends, unless it is let go each time between two of our statements
        insert_new(connection, app_lease, row)
        if (found := find(connection, place)) is None:
            continue
        if found.holder.run != holder.run or found.holder.executor == holder.executor:
            return found
        connection.execute(_TAKE, _of(place, holder.run) | {"executor": holder.executor})


def take_over(connection: Connection, held: Lease, holder: Holder, at: datetime) -> bool:
    """Take the lease of a run that has ended and whose task is over; False when another did."""
    same = [
        *_OF_RUN, app_lease.c.state == held.state,
        app_lease.c.task_id.is_(None) if held.task is None else app_lease.c.task_id == held.task,
    ]  # fmt: skip
    values: dict[str, Any] = {
        "run": holder.run, "executor": holder.executor, "state": TAKEN, "kind": "",
        "anaplan_id": "", "name": "", "known": [], "task_id": None, "taken_at": at,
        "changed_at": at,
    }  # fmt: skip
    taken = update(app_lease).where(*same).values(values).returning(app_lease.c.run)
    return connection.execute(taken, _of(held.place, held.holder.run)).first() is not None


def note(
    connection: Connection, ours: Lease, asked: Asked | None, task: str | None, at: datetime
) -> None:
    """What is asked for (None: nothing after all), before the start; then the id of its task.

    TakenOver when the lease is not ours any more: then nothing may be started.
    """
    run, state = ours.holder.run, TAKEN if asked is None else STARTING if task is None else STARTED
    mine = _of(ours.place, run) | {"of_executor": ours.holder.executor}
    asked = asked or Asked("", "", "")
    values: dict[str, Any] = {
        "state": state, "kind": asked.kind, "anaplan_id": asked.anaplan_id, "name": asked.name,
        "known": list(asked.known), "task_id": task, "changed_at": at,
    }  # fmt: skip
    if connection.execute(_NOTE, mine | values).first() is None:
        raise TakenOver(
            f"Another process carries on {run} by now, or has the model {ours.place.name}.",
            untouched="This process started nothing there.",
            do=f"`tieout show {run}` tells how it goes on.",
        )


def intend(
    connection: Connection, ours: Lease, key: TaskKey, name: str, known: Sequence[str], at: datetime
) -> Task:
    """Note a start with the step that asks for it, as `tasks.intend` does, and with the lease."""
    task = tasks.intend(connection, key, known, at)
    note(connection, ours, Asked(key.kind, key.anaplan_id, name, task.known), task.task_id, at)
    return task


def note_task(
    connection: Connection, ours: Lease, key: TaskKey, asked: Asked, task: str, at: datetime
) -> None:
    """Note the id of the task with the step and with the lease."""
    tasks.note(connection, key, task, tasks.STARTED, at)
    note(connection, ours, asked, task, at)


def release(connection: Connection, place: Place, run: str) -> None:
    """Let the model go: Anaplan said that the task is over."""
    connection.execute(_RELEASE, _of(place, run))


def find(connection: Connection, place: Place) -> Lease | None:
    """Who holds a model."""
    row = connection.execute(_FIND, _of(place)).first()
    return None if row is None else _read(row)


def listed(connection: Connection) -> list[Lease]:
    """Who holds which model, oldest first."""
    return [_read(row) for row in connection.execute(_all().order_by(app_lease.c.taken_at))]


def _all() -> Select[Any]:
    return select(app_lease, app_run.c.outcome).outerjoin(app_run, app_run.c.id == app_lease.c.run)


def _read(row: Row[Any]) -> Lease:
    place = Place(row.tenant, row.workspace, row.model, row.model_name)
    asked = Asked(row.kind, row.anaplan_id, row.name, tuple(row.known))
    return Lease(
        place, Holder(row.run, row.executor), row.state, asked if row.kind else None, row.task_id,
        row.taken_at, row.outcome not in UNFINISHED,
    )  # fmt: skip


def _key(place: Place) -> dict[str, object]:
    return {"tenant": place.tenant, "workspace": place.workspace, "model": place.model}


def _of(place: Place, run: str = "") -> dict[str, object]:
    found = {f"of_{name}": value for name, value in _key(place).items()}
    return found | ({"of_run": run} if run else {})


_PLACE = [app_lease.c[name] == bindparam(f"of_{name}") for name in ("tenant", "workspace", "model")]
_OF_RUN = [*_PLACE, app_lease.c.run == bindparam("of_run")]
_FIND = _all().where(*_PLACE)
_TAKE = update(app_lease).where(*_OF_RUN)
_NOTE = (
    update(app_lease)
    .where(*_OF_RUN, app_lease.c.executor == bindparam("of_executor"))
    .returning(app_lease.c.run)
)
_RELEASE = delete(app_lease).where(*_OF_RUN)
