"""Which processes execute runs, and whether they still live: by the database's clock alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, Integer, Table, Text, delete, select, update

from tieout.store.columns import Words
from tieout.store.database import insert_new
from tieout.store.schema import metadata
from tieout.store.server_time import MICROSECONDS, read_server_time

app_executor = Table(
    "app_executor",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Words, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("abi", Text, nullable=False),
    Column("began", BigInteger, nullable=False),  # microseconds, the database's clock
    Column("beat", BigInteger, nullable=False),  # the same: when it was last heard of
)


@dataclass(frozen=True, slots=True)
class Executor:
    """One process that executes runs, and how long ago it was heard of."""

    id: str
    host: str
    pid: int
    abi: str
    began: int
    silent_seconds: float


def join(connection: Connection, executor: str, host: str, pid: int, abi: str) -> None:
    """Be known as an executor from now on; `executor` is an id that nobody had before."""
    now = read_server_time(connection)
    row = {"id": executor, "host": host, "pid": pid, "abi": abi, "began": now, "beat": now}
    insert_new(connection, app_executor, row)


def beat(connection: Connection, executor: str) -> bool:
    """Be heard of; False when this executor was taken for dead, and its runs given to others."""
    now = read_server_time(connection)
    heard = update(app_executor).where(app_executor.c.id == executor).values(beat=now)
    return connection.execute(heard.returning(app_executor.c.id)).first() is not None


def leave(connection: Connection, executors: Sequence[str]) -> None:
    """Be known no more: after a stop, or when taken for dead."""
    connection.execute(delete(app_executor).where(app_executor.c.id.in_(executors)))


def listed(connection: Connection) -> list[Executor]:
    """All that are known, those that were heard of last first."""
    now = read_server_time(connection)
    rows = connection.execute(select(app_executor).order_by(app_executor.c.beat.desc()))
    return [
        Executor(r.id, r.host, r.pid, r.abi, r.began, max(0.0, (now - r.beat) / MICROSECONDS))
        for r in rows
    ]
