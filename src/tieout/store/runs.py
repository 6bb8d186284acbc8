"""Runs of flows and their steps: started, shown, finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, desc, func, insert, select, update
from sqlalchemy.engine import Row

from tieout.errors import Busy, Misconfigured, Refused
from tieout.store.database import lock
from tieout.store.schema import RUN_OUTCOMES, UNFINISHED, app_call, app_run, app_step

RUNS_SHOWN_MAX = 100
UNFINISHED_RUNS_MAX = 20_000
IDS_AT_ONCE = 500  # of one query
COMPACT = "compact"  # the kind of a run that copies files of the mirror, and moves no amount


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a flow, as it stands."""

    id: str
    flow: str
    kind: str
    number: int
    started_by: str
    trigger: str
    started_at: datetime
    outcome: str
    asked: Mapping[str, Any]
    figures: Mapping[str, Any]
    finished_at: datetime | None = None
    sentence: str = ""
    exit_code: int | None = None
    config_version: int | None = None
    part_of: str | None = None  # the run whose steps it carries out (store.parts)

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen in this run."""
        return self.outcome not in UNFINISHED


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a run is started with; `alone` refuses to start beside another unfinished run."""

    flow: str
    kind: str
    started_by: str
    trigger: str = "person"
    outcome: str = "running"
    config_version: int | None = None
    asked: Mapping[str, Any] | None = None
    alone: bool = True


@dataclass(frozen=True, slots=True)
class StepDone:
    """One committed step of a run."""

    name: str
    seq: int
    started_at: datetime
    finished_at: datetime
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CallMade:
    """The evidence of one exchange with a peer."""

    step: str
    n: int
    system: str
    method: str
    path: str
    status: int
    ms: int
    bytes_in: int
    bytes_out: int
    tries: int
    at: datetime


def start(connection: Connection, new: NewRun, at: datetime) -> Run:
    """Give the run its number and write it down; Busy when `alone` and another is unfinished."""
    lock(connection, f"run {new.flow}")
    if new.alone and (other := unfinished(connection, new.flow)):
        raise Busy(
            f"Run {other.id} of {new.flow} is not finished yet.",
            untouched="No new run was started.",
            do=f"Wait for it (`tieout show {other.id}`).",
        )
    number = connection.execute(_LAST_NUMBER, {"flow": new.flow}).scalar_one() + 1
    run = Run(
        id=f"{new.flow}-{number}",
        flow=new.flow,
        kind=new.kind,
        number=number,
        started_by=new.started_by,
        trigger=new.trigger,
        started_at=at,
        outcome=new.outcome,
        config_version=new.config_version,
        asked=dict(new.asked or {}),
        figures={},
    )
    connection.execute(insert(app_run), {name: getattr(run, name) for name in Run.__slots__})
    return run


_LAST_NUMBER = select(func.coalesce(func.max(app_run.c.number), 0)).where(
    app_run.c.flow == bindparam("flow")
)


def of_batch(connection: Connection, flow: str, batch: str, *, but: str = "") -> list[Run]:
    """The unfinished runs that send or follow a batch, oldest first, but for one of them."""
    query = select(app_run).where(app_run.c.flow == flow, app_run.c.outcome.in_(UNFINISHED))
    found = [read(row) for row in connection.execute(query.order_by(app_run.c.number))]
    return [run for run in found if run.asked.get("batch") == batch and run.id != but]


def find(connection: Connection, run: str) -> Run:
    """The run with this id; Misconfigured when there is none."""
    row = connection.execute(_FIND, {"run": run}).first()
    if row is None:
        raise unknown(run)
    return read(row)


def unknown(run: str) -> Misconfigured:
    """The refusal of the id of no run."""
    return Misconfigured(f"There is no run {run}.", do="`tieout runs` lists them.")


_FIND = select(app_run).where(app_run.c.id == bindparam("run"))


def unfinished(connection: Connection, flow: str) -> Run | None:
    """The flow's newest run that still waits or runs."""
    row = connection.execute(_UNFINISHED, {"flow": flow}).first()
    return None if row is None else read(row)


_UNFINISHED = (
    select(app_run)
    .where(app_run.c.flow == bindparam("flow"), app_run.c.outcome.in_(UNFINISHED))
    .order_by(desc(app_run.c.number))
    .limit(1)
)


def listed(
    connection: Connection,
    *,
    flow: str | None = None,
    outcomes: Sequence[str] = (),
    limit: int = RUNS_SHOWN_MAX,
) -> list[Run]:
    """Runs, newest first, without parts of others; those of one flow by their number.

    A clock can be set back.
    """
    query = select(app_run).where(app_run.c.part_of.is_(None))
    if flow is not None:
        query = query.where(app_run.c.flow == flow).order_by(desc(app_run.c.number))
    else:
        query = query.order_by(desc(app_run.c.started_at), desc(app_run.c.number))
    if outcomes:
        query = query.where(app_run.c.outcome.in_(outcomes))
    return [read(row) for row in connection.execute(query.limit(limit))]


def unfinished_ids(connection: Connection) -> list[str]:
    """The ids of runs that wait or run, oldest first; at most UNFINISHED_RUNS_MAX."""
    query = select(app_run.c.id).where(app_run.c.outcome.in_(UNFINISHED))
    query = query.order_by(app_run.c.started_at, app_run.c.number).limit(UNFINISHED_RUNS_MAX)
    return list(connection.execute(query).scalars())


def of_ids(connection: Connection, ids: Sequence[str]) -> list[Run]:
    """The runs with these ids, oldest first."""
    found: list[Run] = []
    for start in range(0, len(ids), IDS_AT_ONCE):
        query = select(app_run).where(app_run.c.id.in_(ids[start : start + IDS_AT_ONCE]))
        found += [read(row) for row in connection.execute(query)]
    return sorted(found, key=lambda run: (run.started_at, run.number))


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: its state word, its sentence, its exit code and its figures."""

    outcome: str
    sentence: str
    exit_code: int
    figures: Mapping[str, Any]


def finish(
    connection: Connection, run: str, ending: Ending, at: datetime,
    only: Sequence[str] = UNFINISHED,
) -> bool:  # fmt: skip
    """End a run whose outcome is one of `only`; False when it is another, which then stays."""
    if ending.outcome not in RUN_OUTCOMES or ending.outcome in UNFINISHED:
        raise ValueError(f"not how a run ends: {ending.outcome}")
    done = connection.execute(
        update(app_run)
        .where(app_run.c.id == run, app_run.c.outcome.in_(only))
        .values(
            outcome=ending.outcome,
            sentence=ending.sentence,
            exit_code=ending.exit_code,
            figures=dict(ending.figures),
            finished_at=at,
        )
    )
    return done.rowcount == 1


def take_up(connection: Connection, run: str) -> None:
    """A waiting run begins to run; Refused when it has ended."""
    # One statement: what is looked at first may have changed by the next one.
    if connection.execute(_TAKE_UP, {"of_run": run, "outcome": "running"}).rowcount == 0:
        find(connection, run)
        raise Refused(f"Run {run} has ended.", untouched="It stays as it is.")


_TAKE_UP = update(app_run).where(
    app_run.c.id == bindparam("of_run"), app_run.c.outcome.in_(UNFINISHED)
)


def among(connection: Connection, ids: Sequence[str]) -> dict[str, Run]:
    """Those of the runs with these ids, by id."""
    rows = connection.execute(select(app_run).where(app_run.c.id.in_(ids)))
    return {row.id: read(row) for row in rows}


def steps(connection: Connection, run: str) -> list[StepDone]:
    """The committed steps of a run in their order."""
    # Parts commit steps side by side: those that saw as many before them are told by the clock.
    query = select(app_step).where(app_step.c.run == run)
    query = query.order_by(app_step.c.seq, app_step.c.finished_at, app_step.c.name)
    return [
        StepDone(row.name, row.seq, row.started_at, row.finished_at, row.result)
        for row in connection.execute(query)
    ]


def calls(connection: Connection, run: str, *, step: str | None = None) -> list[CallMade]:
    """The exchanges of a run with its peers, those of failed tries of a step included."""
    query = select(*[app_call.c[name] for name in CallMade.__slots__]).where(app_call.c.run == run)
    if step is not None:
        query = query.where(app_call.c.step == step)
    return [CallMade(*row) for row in connection.execute(query.order_by(app_call.c.seq))]


def count_calls(connection: Connection, run: str) -> int:
    """How many exchanges a run had with its peers."""
    return connection.execute(_COUNT_CALLS, {"run": run}).scalar_one()


_COUNT_CALLS = select(func.count()).where(app_call.c.run == bindparam("run"))


def read(row: Row[Any] | Mapping[str, Any]) -> Run:
    """A run from a row of all columns."""
    return Run(**(row if isinstance(row, Mapping) else row._mapping))
