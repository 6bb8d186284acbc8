"""The engine library as we allow it: our database, our JSON, no pickle, no network of its own."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from dbos import DBOS, DBOSClient, DBOSConfig, Serializer
from dbos._dbos import _get_dbos_instance
from dbos._recovery import recover_pending_workflows
from dbos._serialization import DefaultSerializer
from dbos._sys_db import SystemDatabase
from dbos._utils import GlobalParams
from sqlalchemy import URL, Engine, create_engine, event, inspect, text

from tieout.errors import Misconfigured
from tieout.store.connecting import server_engine
from tieout.store.own_sqlite import sqlite3

APPLICATION = "tieout"
# Raised only when a run begun by an older program cannot be carried on by this one.
ABI = "5"
ABIS_CARRIED_ON = frozenset({ABI})
EMBEDDED = "embedded"  # the executor of a SQLite file: there is one
QUEUE = "runs"
PARTS = "parts"  # of large reads: they must not wait for runs, nor runs for them
RUNS_POLLS = 2  # looks for a run within a poll: it leaves a place empty until the next one
PARTS_POLLS = 2  # times as long between two looks for a part: idle processes look, too
PARTS_AT_ONCE = 1  # in a process, of one connection; each is read by several sessions anyway
BUSY_TIMEOUT_SECONDS = 30
PREPARING_LOOK_SECONDS = 0.2
PREPARING_SECONDS_MAX = 120  # who is paused meanwhile keeps the others out for so long
ENDS_IDLE_SESSIONS = (14,)  # PostgreSQL since
PREPARING_LOCK_KEY = 7_105_121  # of PostgreSQL's advisory locks; any number nobody else uses
SPARE_THREADS = 8  # of parts, and of what the library does itself
CONNECTIONS_MAX = 8  # four processes are to find room at a server that takes a hundred
# Nobody waits inside the engine for a message, so this only sets how long closing takes.
LISTENER_POLL_SECONDS = 0.2
SCHEDULES_POLL_SECONDS = 3600.0  # schedules are ours; the library's are not used


def _refuse(*_: object) -> Any:
    raise ValueError("pickle is disabled: it would execute what somebody wrote into the database")


# A row names its own format and the library obeys it, whichever serializer is configured: so its
# pickle format must raise even for rows that we did not write (guide/engine.md §3.11).
for _word in ("serialize", "deserialize"):
    setattr(DefaultSerializer, _word, _refuse)
# With DBOS__CLOUD in its environment the library would call its vendor.
GlobalParams.dbos_cloud = False
# Its log goes where ours goes; its own handler would write to the terminal.
logging.getLogger("dbos").addHandler(logging.NullHandler())


class StrictJson(Serializer):
    """JSON and nothing else: the library is given the id of a run and told how the run ended."""

    def name(self) -> str:
        """The format's name in each row."""
        return "tieout-json-1"

    def serialize(self, data: Any) -> str:
        """One line of ASCII JSON; an error by its class and words. TypeError for anything else."""
        return json.dumps(data, allow_nan=False, separators=(",", ":"), default=_error_words)

    def deserialize(self, serialized_data: str) -> Any:
        """What `serialize` wrote; an error comes back as its words."""
        return json.loads(serialized_data)


def _error_words(value: object) -> str:
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    raise TypeError(f"a {type(value).__name__} is not for the library to keep")


def system_engine(url: URL) -> Engine:
    """Connections of the library to the database of the instance.

    Its own, beside the store's: on SQLite the library begins its migrations itself, and its many
    reads must not take the write lock as the store's transactions do. A process that is paused
    within a transaction of the library would lock its runs, and who takes them over, for good.
    """
    if url.get_backend_name() != "sqlite":
        return server_engine(url, pool_size=CONNECTIONS_MAX, max_overflow=0)
    # mode=rw: a database that was taken away is missed, not silently begun anew.
    there = url.set(
        database=f"file:{quote(url.database or '')}", query={"mode": "rw", "uri": "true"}
    )
    engine = create_engine(there, module=sqlite3, pool_size=CONNECTIONS_MAX, max_overflow=0)

    @event.listens_for(engine, "connect")
    def settings(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")

    return engine


def prepare(engine: Engine, runs_at_once: int, poll_seconds: float) -> None:
    """Bring the library's tables up to date and describe its queues.

    Before the launch, since the library looks for new queues only once a second after it. One
    process after the other: several may start at once.
    """
    with alone(engine):
        _migrate(engine)
        client = DBOSClient(
            system_database_engine=engine, serializer=StrictJson(), application_name=APPLICATION
        )
        client.register_queue(
            QUEUE,
            worker_concurrency=runs_at_once,
            partition_concurrency=1,
            polling_interval_sec=poll_seconds / RUNS_POLLS,
        )
        client.register_queue(
            PARTS,
            partition_worker_concurrency=PARTS_AT_ONCE,
            polling_interval_sec=poll_seconds * PARTS_POLLS,
        )
        client.destroy()


def _migrate(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        DBOS.migrate(engine.url.render_as_string(hide_password=False))
        return
    # Given an address, the library would open the file through Python's own copy of SQLite.
    SystemDatabase.create(
        "sqlite://", {}, engine, schema=None, serializer=StrictJson(), executor_id=None
    ).run_migrations()


@contextmanager
def alone(engine: Engine, *, seconds_max: int = PREPARING_SECONDS_MAX) -> Iterator[None]:
    """No other process prepares the same server meanwhile; a SQLite file has one executor.

    After `seconds_max` the server takes the lock away (PostgreSQL 14 and later).
    """
    if engine.dialect.name == "sqlite":
        yield
        return
    # No transaction: the library makes indexes that wait until every older one has ended. A
    # statement that waits for the lock would be one too, and both would wait for ever.
    lock = text("SELECT pg_try_advisory_lock(:key)")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if (engine.dialect.server_version_info or (0,)) >= ENDS_IDLE_SESSIONS:
            connection.execute(text(f"SET idle_session_timeout = '{seconds_max}s'"))
        while not connection.execute(lock, {"key": PREPARING_LOCK_KEY}).scalar_one():
            time.sleep(PREPARING_LOOK_SECONDS)
        try:
            yield
        finally:
            connection.invalidate()  # given back to the pool, it would keep the lock


def config(engine: Engine, executor: str, runs_at_once: int) -> DBOSConfig:
    """Everything the library is told. No conductor, no telemetry, no schedules."""
    return {
        "name": APPLICATION,
        "system_database_engine": engine,
        "executor_id": executor,
        "application_version": ABI,
        "serializer": StrictJson(),
        "max_executor_threads": runs_at_once + SPARE_THREADS,
        "notification_listener_polling_interval_sec": LISTENER_POLL_SECONDS,
        "scheduler_polling_interval_sec": SCHEDULES_POLL_SECONDS,
        "enable_otlp": False,
        "log_level": "WARNING",
    }


def give_to_the_living(unburied: Callable[[], set[str]]) -> list[str]:
    """Put back into the queue what executors had begun that live no more; their ids.

    `unburied` is asked after the library was: who has begun something by then is known by then.
    """
    begun = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
    holders = {workflow.executor_id for workflow in begun if workflow.executor_id}
    dead = sorted(holders - unburied())
    if dead:
        recover_pending_workflows(_get_dbos_instance(), dead)
    return dead


def put_back(workflow_id: str, executor: str) -> bool:
    """Give to the queue once more what `executor` had begun, unless it is another's by now.

    The library's own way to resume something does not ask whose it is: who was paused before it
    would have a run told twice at once that another executor has taken over.
    """
    system = _get_dbos_instance()._sys_db
    status = system.tables.workflow_status
    mine = [
        status.c.workflow_uuid == workflow_id,
        status.c.status == "PENDING",
        status.c.executor_id == executor,
    ]
    fresh = {
        "status": "ENQUEUED", "owner_xid": None, "started_at_epoch_ms": None,
        "recovery_attempts": 0,
    }  # fmt: skip
    with system.engine.begin() as connection:
        return connection.execute(status.update().where(*mine).values(fresh)).rowcount == 1


def refuse_stranded_runs(engine: Engine) -> None:
    """Refuse to start while runs are unfinished that this program cannot carry on.

    The library would leave them lying without a word (guide/engine.md §3.10).
    """
    schema = "dbos" if engine.dialect.name == "postgresql" else None
    if not inspect(engine).has_table("workflow_status", schema=schema):
        return
    table = f"{schema}.workflow_status" if schema else "workflow_status"
    unfinished = f"""
        SELECT application_version, count(*) FROM {table}
        WHERE status IN ('PENDING', 'ENQUEUED', 'DELAYED') AND application_version IS NOT NULL
        GROUP BY application_version ORDER BY application_version"""  # noqa: S608 - no input in it
    with engine.connect() as connection:
        found = [(row[0], row[1]) for row in connection.execute(text(unfinished))]
    strange = [(version, count) for version, count in found if version not in ABIS_CARRIED_ON]
    if strange:
        told = ", ".join(f"{count} of engine version {version}" for version, count in strange)
        raise Misconfigured(
            f"Unfinished runs were begun by another version of Tieout: {told}; this program "
            f"carries on version {ABI}.",
            untouched="Nothing was started; the runs are as they were.",
            do="Start the version that began them until they have ended, then this one.",
            who="whoever installed this version",
        )
