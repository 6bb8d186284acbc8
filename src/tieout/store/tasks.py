"""What a step asked Anaplan to do, written down before it asks, so that a repeat finds it.

Both tables are written while a step is running, each row in its own transaction: they are the
memory of a step that may die between an effect in Anaplan and its own commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Insert, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tieout.store.database import insert_new
from tieout.store.schema import app_chunk, app_task

INTENDED = "intended"  # the task list was read, the start may or may not have been sent
STARTED = "started"  # Anaplan gave the task its id; later states are Anaplan's own words


@dataclass(frozen=True, slots=True)
class TaskKey:
    """Which start of which import, export or process, by which step."""

    run: str
    step: str
    kind: str
    anaplan_id: str


@dataclass(frozen=True, slots=True)
class Task:
    """A start: the ids of the tasks that were there before it, and the task it made."""

    key: TaskKey
    known: tuple[str, ...]
    task_id: str | None
    state: str
    intended_at: datetime


def intend(connection: Connection, key: TaskKey, known: Sequence[str], at: datetime) -> Task:
    """Note the tasks that are there before the start; what an earlier try noted stands."""
    row = {name: getattr(key, name) for name in TaskKey.__slots__}
    noted = {"known": list(known), "state": INTENDED, "intended_at": at, "changed_at": at}
    if insert_new(connection, app_task, row | noted):
        return Task(key, tuple(known), None, INTENDED, at)
    task = find(connection, key)
    assert task is not None, "it was there"
    return task


def find(connection: Connection, key: TaskKey) -> Task | None:
    """What is known of a start; None when it was never intended."""
    row = connection.execute(_FIND, _same(key)).first()
    if row is None:
        return None
    return Task(key, tuple(row.known), row.task_id, row.state, row.intended_at)


def note(connection: Connection, key: TaskKey, task_id: str, state: str, at: datetime) -> None:
    """The task has this id and is in this state."""
    values = {"task_id": task_id, "state": state, "changed_at": at}
    connection.execute(_NOTE, _same(key) | values)


def of_run(connection: Connection, run: str) -> Task | None:
    """The import or process a run started last; None when it started none."""
    query = select(app_task).where(app_task.c.run == run, app_task.c.kind != "exports")
    row = connection.execute(query.order_by(app_task.c.intended_at.desc()).limit(1)).first()
    if row is None:
        return None
    key = TaskKey(row.run, row.step, row.kind, row.anaplan_id)
    return Task(key, tuple(row.known), row.task_id, row.state, row.intended_at)


def _same(key: TaskKey) -> dict[str, str]:
    return {f"of_{name}": getattr(key, name) for name in TaskKey.__slots__}


_SAME = [app_task.c[name] == bindparam(f"of_{name}") for name in TaskKey.__slots__]
_FIND = select(app_task).where(*_SAME)
_NOTE = update(app_task).where(*_SAME)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk of a file that Anaplan has acknowledged, and when."""

    n: int
    sha256: str
    bytes: int
    received_at: datetime | None = field(default=None, compare=False)


def receive_chunk(connection: Connection, run: str, file: str, chunk: Chunk, at: datetime) -> None:
    """Anaplan acknowledged a chunk; a chunk sent again takes the place of the earlier one."""
    told = {
        "run": run, "file": file, "n": chunk.n,
        "sha256": chunk.sha256, "bytes": chunk.bytes, "received_at": at,
    }  # fmt: skip
    connection.execute(_receiving(connection.dialect.name), told)


@cache
def _receiving(dialect: str) -> Insert:
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = make(app_chunk)
    anew = {name: statement.excluded[name] for name in ("sha256", "bytes", "received_at")}
    key = list(app_chunk.primary_key.columns)
    return statement.on_conflict_do_update(index_elements=key, set_=anew)


def chunks(connection: Connection, run: str, file: str) -> dict[int, Chunk]:
    """The acknowledged chunks of a file, by number."""
    found = connection.execute(_CHUNKS, {"run": run, "file": file})
    return {row.n: Chunk(row.n, row.sha256, row.bytes, row.received_at) for row in found}


_CHUNKS = (
    select(app_chunk)
    .where(app_chunk.c.run == bindparam("run"), app_chunk.c.file == bindparam("file"))
    .order_by(app_chunk.c.n)
)
