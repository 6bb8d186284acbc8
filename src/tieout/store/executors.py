"""Which processes execute runs, and whether they still live: by the database's clock alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    Table,
    Text,
    bindparam,
    delete,
    select,
    update,
)

from tieout.errors import Unavailable
from tieout.store.columns import Words
from tieout.store.database import insert_new
from tieout.store.schema import metadata
from tieout.store.server_time import MICROSECONDS, read_server_time

app_executor = Table(
    "app_executor",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Words, nullable=False),
    Column("machine", Text, nullable=False),  # where its process id means something
    Column("pid", Integer, nullable=False),
    Column("abi", Text, nullable=False),
    Column("began", BigInteger, nullable=False),  # microseconds, the database's clock
    Column("beat", BigInteger, nullable=False),  # the same: when it was last heard of
)


class TakenForDead(Unavailable):
    """This process was not heard of for too long; what it tells now is not its own any more."""


@dataclass(frozen=True, slots=True)
class Executor:
    """One process that executes runs, and how long ago it was heard of."""

    id: str
    host: str
    machine: str
    pid: int
    abi: str
    began: int
    silent_seconds: float


@dataclass(frozen=True, slots=True)
class Process:
    """Which process an executor is, and the version of its engine."""

    host: str
    machine: str
    pid: int
    abi: str


def join(connection: Connection, executor: str, process: Process) -> None:
    """Be known as an executor from now on; `executor` is an id that nobody had before."""
    now = read_server_time(connection)
    who = {name: getattr(process, name) for name in Process.__slots__}
    insert_new(connection, app_executor, {"id": executor, **who, "began": now, "beat": now})


def beat(connection: Connection, executor: str) -> bool:
    """Be heard of; False when this executor was taken for dead, and its runs given to others."""
    now = read_server_time(connection)
    heard = update(app_executor).where(app_executor.c.id == executor).values(beat=now)
    return connection.execute(heard.returning(app_executor.c.id)).first() is not None


def require(connection: Connection, executor: str) -> None:
    """Refuse to go on when this executor was taken for dead; holds until the transaction ends.

    Raises TakenForDead. An executor is not buried while a transaction of it has asked.
    """
    if connection.execute(_MINE, {"id": executor}).first() is None:
        raise TakenForDead(
            "This process was taken for dead and others carry its runs on.",
            untouched="Nothing was changed by this step.",
            do="Nothing: the run goes on elsewhere.",
        )


_MINE = select(app_executor.c.id).where(app_executor.c.id == bindparam("id"))
_MINE = _MINE.with_for_update(read=True, key_share=True)


def bury(
    connection: Connection, dead: Sequence[str], alive: Callable[[], set[str]] = set
) -> list[str]:
    """Forget these executors; the ids of those that are known no more from now on.

    `alive` is asked when none of them can be heard of any more: who was until then lives. One that
    was paused within a transaction is passed over, not waited for, until the server ends that
    transaction (`connecting.IDLE_IN_TRANSACTION_SECONDS_MAX`).
    """
    known = select(app_executor.c.id).where(app_executor.c.id.in_(dead))
    locked = list(connection.execute(known.with_for_update(skip_locked=True)).scalars())
    living = alive() if locked else set()
    buried = [executor for executor in locked if executor not in living]
    leave(connection, buried)
    return buried


def leave(connection: Connection, executors: Sequence[str]) -> None:
    """Be known no more: after a stop, or when taken for dead."""
    connection.execute(delete(app_executor).where(app_executor.c.id.in_(executors)))


def listed(connection: Connection) -> list[Executor]:
    """All that are known, those that were heard of last first."""
    now = read_server_time(connection)
    rows = connection.execute(select(app_executor).order_by(app_executor.c.beat.desc()))
    return [
        Executor(
            r.id,
            r.host,
            r.machine,
            r.pid,
            r.abi,
            r.began,
            max(0.0, (now - r.beat) / MICROSECONDS),
        )
        for r in rows
    ]
