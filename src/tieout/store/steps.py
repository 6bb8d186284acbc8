"""The unit of work of one durable step: its effects in our database are committed exactly once.

A step function may run several times (the process died, the engine tries again), but what it kept,
told and changed becomes visible in one transaction together with its `app_step` row. When that row
is there already, the step is not run again and its recorded result is returned.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import polars as pl
from sqlalchemy import Connection, bindparam, func, insert, select

from tieout.clock import Clock
from tieout.core.findings import Finding
from tieout.errors import Trouble
from tieout.store import audit, cancels, positions, records, rejects, runs
from tieout.store.columns import canonical, parsed
from tieout.store.database import insert_new
from tieout.store.files import Records, Written
from tieout.store.records import Manifest
from tieout.store.runs import Run
from tieout.store.schema import app_call, app_run, app_step

RESULT_BYTES_MAX = 65_536  # guide/engine.md §3.11: listing a run loads every result

Write = Callable[[Connection], object]
CallRow: TypeAlias = dict[str, Any]  # the columns of app_call but seq and n


class Call(Protocol):
    """One exchange with a peer, free of secrets (`tieout.http.Call`)."""

    @property
    def system(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def milliseconds(self) -> int: ...
    @property
    def bytes_in(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...
    @property
    def tries(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _Kept:
    manifest: Manifest
    replace: bool


@dataclass(frozen=True, slots=True)
class Before:
    """How a run stands when a step of it begins."""

    run: Run
    done: dict[str, Any] | None  # what the step's commit recorded, if there was one
    steps: int  # committed by then
    cancelled: bool  # a person asked the run to end, and it still may


def before(connection: Connection, run: str, name: str) -> Before:
    """How `run` stands before its step `name`; Misconfigured when there is no such run."""
    row = connection.execute(_BEFORE, {"run": run, "name": name}).first()
    if row is None:
        raise runs.unknown(run)
    stands = row._asdict()
    more = {name: stands.pop(name) for name in ("done", "steps", "cancelled")}
    return Before(Run(**stands), **more)


_OF_RUN = app_step.c.run == bindparam("run")
_RECORDED = select(app_step.c.result).where(_OF_RUN, app_step.c.name == bindparam("name"))
_BEFORE = select(
    app_run,
    _RECORDED.scalar_subquery().label("done"),
    select(func.count()).where(_OF_RUN).scalar_subquery().label("steps"),
    cancels.OF_RUN.exists().label("cancelled"),
).where(app_run.c.id == bindparam("run"))


class Step:
    """Gathers what one step did; nothing of it is visible before the step commits.

    `keep`, `keep_bytes` and `call` may be used by several threads at once.
    """

    def __init__(
        self,
        before: Before,
        name: str,
        files: Records,
        clock: Clock,
        late: Callable[[CallRow], None],
    ) -> None:
        """`late` takes the calls that are told after the step has ended."""
        self.run, self.name, self._number = before.run, name, before.steps + 1
        self._files, self._clock, self._late = files, clock, late
        self._lock = threading.Lock()
        self._over = self._inserted = False
        self._kept: list[_Kept] = []
        self._retired: list[str] = []
        self._calls: list[CallRow] = []
        self._tellings: list[audit.Telling] = []
        self._writes: list[Write] = []

    def keep(
        self,
        kind: str,
        frame: pl.DataFrame,
        *,
        company: str = "",
        ledger: str = "",
        fiscal_year: int = 0,
        replace: bool = False,
        sums: Mapping[str, str] | None = None,
    ) -> Manifest:
        """Write `frame` to the disk now; it becomes visible when the step commits.

        With `replace` it then takes the place of all earlier files of the same flow, kind, company,
        ledger and fiscal year; files of this same step stand side by side.
        """
        written = self._files.write_frame(self._place(kind), frame)
        key = (company, ledger, fiscal_year)
        return self._note(kind, written, key, replace, rows=frame.height, sums=sums)

    def keep_bytes(
        self,
        kind: str,
        data: bytes,
        suffix: str,
        *,
        rows: int = 0,
        company: str = "",
        ledger: str = "",
        fiscal_year: int = 0,
        replace: bool = False,
        sums: Mapping[str, str] | None = None,
    ) -> Manifest:
        """Keep bytes as they are (a chunk as sent, a dump as received); else as `keep`."""
        written = self._files.write_bytes(self._place(kind), data, suffix)
        key = (company, ledger, fiscal_year)
        return self._note(kind, written, key, replace, rows=rows, sums=sums)

    def retire(self, files: Sequence[Manifest]) -> None:
        """At commit, what this step keeps takes the place of these files."""
        self._retired += [manifest.id for manifest in files]

    def forget(self, files: Sequence[Manifest]) -> None:
        """Take back files that this step kept before: of a read that has to be begun anew."""
        gone = {manifest.id for manifest in files}
        with self._lock:
            self._kept = [kept for kept in self._kept if kept.manifest.id not in gone]
        self._files.remove(manifest.path for manifest in files)

    def _place(self, kind: str) -> tuple[str, str, str, str]:
        return (self.run.flow, kind, self.run.id, self.name)

    def _note(
        self,
        kind: str,
        written: Written,
        key: tuple[str, str, int],
        replace: bool,
        *,
        rows: int,
        sums: Mapping[str, str] | None,
    ) -> Manifest:
        company, ledger, fiscal_year = key
        manifest = Manifest(
            id=secrets.token_hex(16),
            run=self.run.id,
            step=self.name,
            flow=self.run.flow,
            kind=kind,
            company=company,
            ledger=ledger,
            fiscal_year=fiscal_year,
            path=written.path,
            rows=rows,
            bytes=written.bytes,
            sha256=written.sha256,
            written_at=self._clock.now(),
            sums=dict(sums or {}),
        )
        with self._lock:
            self._kept.append(_Kept(manifest, replace))
        return manifest

    def tell(self, act: str, object_: str, **detail: object) -> None:
        """One audit entry, in the name of who started the run; amounts as Decimal or text."""
        canonical(detail)  # a float or another unfit value fails here, where it is named
        self._tellings.append(
            audit.Telling(self.run.started_by, act, object_, detail, self.run.id, self.name)
        )

    def call(self, call: Call) -> None:
        """Note one exchange; it is recorded even when the step fails, or has ended already."""
        row = {
            "run": self.run.id, "step": self.name, "system": call.system, "method": call.method,
            "path": call.path, "status": call.status, "ms": call.milliseconds,
            "bytes_in": call.bytes_in, "bytes_out": call.bytes_out, "tries": call.tries,
            "at": self._clock.now(),
        }  # fmt: skip
        with self._lock:
            if not self._over:
                self._calls.append(row)
                return
        self._late(row)

    def at(self) -> datetime:
        """Now, for what this step writes down."""
        return self._clock.now()

    def after(self, write: Write) -> None:
        """Run `write` in the transaction that commits this step; it may be asked twice.

        A telling that it returns goes to the trail with those of the step.
        """
        self._writes.append(write)

    def move_position(self, name: str, expected: Any, value: Any) -> None:
        """Move a position of this flow at commit, if it still is `expected` (None: unset)."""
        at = self._clock.now()
        move = positions.Move(self.run.flow, name, expected, value, self.run.id, at)
        self.after(lambda connection: positions.move(connection, move))

    def replace_open_cells(self, cells: Sequence[positions.OpenCell]) -> None:
        """At commit, exactly `cells` stand open for this flow."""
        run = self.run
        self.after(lambda c: positions.replace_open_cells(c, run.flow, run.id, cells))

    def reject(self, found: Sequence[Finding]) -> None:
        """Write down what was found wrong, at commit."""
        at = self._clock.now()
        self.after(lambda c: rejects.add(c, self.run, found, at))

    def settle(self, ids: Sequence[int], state: str) -> None:
        """Rejects of earlier runs are `fixed`, `sent again` or `waived` by this run."""
        self.after(lambda c: rejects.settle(c, ids, state, self.run.id))

    # The end of a step, called by the store

    def end(self) -> None:
        """From now on calls are late: those of this step are about to be written."""
        with self._lock:
            self._over = True

    def discard(self) -> None:
        """Remove the files of a step that failed before its commit was tried."""
        with suppress(Trouble):  # what the step failed for is told; `sweep` removes what is left
            self._files.remove(kept.manifest.path for kept in self._kept)

    def done(self, result: Mapping[str, Any]) -> str:
        """The result as it is recorded, when all files are still where they were written.

        Asked before the transaction, which must not wait for a storage.
        """
        text = result_text(self.name, result)
        for kept in self._kept:
            self._files.require(kept.manifest)
        return text

    def write_calls(self, connection: Connection, started_at: datetime) -> None:
        """The evidence of a try that failed, unless its commit had happened after all."""
        if not self._committed(connection, started_at):
            add_calls(connection, self._calls)

    def calls_are_late(self) -> None:
        """The evidence could not be written; it is tried again at the end of the run."""
        for call in self._calls:
            self._late(call)

    def _committed(self, connection: Connection, started_at: datetime) -> bool:
        """Whether this try committed the step, and not another one."""
        if not self._inserted:
            return False
        same = (app_step.c.run == self.run.id, app_step.c.name == self.name)
        query = select(app_step.c.started_at).where(*same)
        return bool(connection.execute(query).scalar_one_or_none() == started_at)

    def commit(self, connection: Connection, result: str, started_at: datetime) -> dict[str, Any]:
        """Everything this step did, in the caller's transaction; the recorded result."""
        finished_at = self._clock.now()
        row = {
            "run": self.run.id, "name": self.name, "seq": self._number,
            "started_at": started_at, "finished_at": finished_at, "result": parsed(result),
        }  # fmt: skip
        if not insert_new(connection, app_step, row):
            # Another try committed it, perhaps this one before the connection broke. Our files
            # may be the visible ones, so they are left to `sweep`.
            self.write_calls(connection, started_at)
            if (done := recorded(connection, self.run.id, self.name)) is None:
                raise AssertionError(f"step {self.name} of {self.run.id} is there and is not")
            return done
        self._inserted = True
        told = self._commit_records(connection)
        wrote = [write(connection) for write in self._writes]
        more = [telling for telling in wrote if isinstance(telling, audit.Telling)]
        add_calls(connection, self._calls)
        tellings = (*self._tellings, *more, self._last_telling(told))
        audit.append(connection, finished_at, *tellings)
        committed: dict[str, Any] = parsed(result)
        return committed

    def _commit_records(self, connection: Connection) -> dict[str, object]:
        """The manifest rows, added and retired; what the trail says of them."""
        # Retire first, add afterwards: the files of one step never retire each other.
        keys = sorted({kept.manifest.key for kept in self._kept if kept.replace})
        retired = [id_ for key in keys for id_ in records.supersede(connection, key, self.run.id)]
        if self._retired:
            retired += records.retire(connection, self._retired, self.run.id)
        numbers = records.add(connection, [kept.manifest for kept in self._kept])
        told = [kept.manifest.told(numbers[kept.manifest.id]) for kept in self._kept]
        return {"kept": told, "retired": retired}

    def _last_telling(self, told: Mapping[str, object]) -> audit.Telling:
        # The rows with their hashes stand in the chain, so that a changed file contradicts it.
        detail = {**told, "calls": len(self._calls)}
        who = self.run.started_by
        return audit.Telling(who, "finished step", self.run.id, detail, self.run.id, self.name)


def add_calls(connection: Connection, calls: Sequence[CallRow]) -> None:
    """The evidence of calls, numbered on from that of earlier tries of the same step."""
    rows = [call | {"its_run": call["run"], "its_step": call["step"]} for call in calls]
    if rows:
        connection.execute(_ADD_CALLS, rows)


_EARLIER_CALLS = select(func.count()).where(
    app_call.c.run == bindparam("its_run"), app_call.c.step == bindparam("its_step")
)
_ADD_CALLS = insert(app_call).values(n=_EARLIER_CALLS.scalar_subquery() + 1)  # one row at a time


def recorded(connection: Connection, run: str, name: str) -> dict[str, Any] | None:
    """The result of a committed step, None when it is still to be done."""
    values = {"run": run, "name": name}
    result: dict[str, Any] | None = connection.execute(_RECORDED, values).scalar_one_or_none()
    return result


def result_text(name: str, result: Mapping[str, Any]) -> str:
    """The result as it is recorded; ValueError when it is too large to be one."""
    text = canonical(dict(result))
    if len(text.encode()) > RESULT_BYTES_MAX:
        raise ValueError(
            f"the result of step {name!r} has more than {RESULT_BYTES_MAX} bytes: "
            "keep the rows as a record and return what was kept"
        )
    return text
