"""The store of one instance: its database, its records and its steps, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection

from tieout.clock import Clock
from tieout.errors import Trouble
from tieout.store import audit, migrate, positions, records, rejects, runs, steps
from tieout.store.database import Database
from tieout.store.records import ORPHAN_AGE_SECONDS_MIN, Manifest, Records
from tieout.store.runs import CallMade, Ending, NewRun, Run, StepDone
from tieout.store.steps import Step

DATABASE_FILE = "tieout.sqlite"
RECORDS_DIRECTORY = "records"


class Store:
    """Everything an instance remembers. Safe to use from several threads and processes."""

    def __init__(self, home: Path, clock: Clock, url: str | None = None) -> None:
        """Open the instance in `home`; `url` names a PostgreSQL database instead of its file."""
        self.home, self.clock = home, clock
        self.database = Database(url) if url else Database.at(home / DATABASE_FILE)
        self.records = Records(home / RECORDS_DIRECTORY)

    def migrate(self) -> None:
        """Bring the database up to date; a newer one is refused."""
        migrate.migrate(self.database)

    def check(self) -> None:
        """Refuse a database of another schema than this program's."""
        self.database.check()

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction for store functions that take a connection."""
        with self.database.begin() as connection:
            yield connection

    # Steps

    def step_result(self, run: str, name: str) -> dict[str, Any] | None:
        """What a committed step returned, None when it is still to be done."""
        with self.database.read() as connection:
            return steps.recorded(connection, run, name)

    def run_step(
        self, run: str, name: str, function: Callable[[Step], Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Do a step of a run once: returns its recorded result if it was committed before.

        Otherwise runs `function` and commits all it did, its audit entries and its result in one
        transaction. The result is the same JSON value the first time and every later time
        (Decimal comes back as text). When `function` raises, nothing it did is visible, but the
        calls it made are kept as evidence.
        """
        with self.database.read() as connection:
            if (done := steps.recorded(connection, run, name)) is not None:
                return done
            step = Step(runs.find(connection, run), name, self.records, self.clock)
        started_at = self.clock.now()
        try:
            result = steps.result_text(name, function(step))
        except BaseException:
            step.discard()
            self._keep_evidence(step)
            raise
        return self.database.transact(lambda c: step.commit(c, result, started_at))

    def _keep_evidence(self, step: Step) -> None:
        try:
            self.database.transact(step.write_calls)
        except Trouble:
            return  # the step's own failure is what the person must read

    # Records

    def current(
        self,
        flow: str,
        kind: str,
        *,
        company: str | None = None,
        ledger: str | None = None,
        fiscal_year: int | None = None,
    ) -> list[Manifest]:
        """The files of a flow that hold now, oldest first."""
        with self.database.read() as connection:
            return records.current(
                connection, flow, kind, company=company, ledger=ledger, fiscal_year=fiscal_year
            )

    def kept(self, run: str, *, step: str | None = None, kind: str | None = None) -> list[Manifest]:
        """The files a run kept, oldest first."""
        with self.database.read() as connection:
            return records.kept(connection, run, step=step, kind=kind)

    def scan(self, manifests: Sequence[Manifest], schema: pl.Schema | None = None) -> pl.LazyFrame:
        """The rows of `manifests` in their order; an empty frame of `schema` without any."""
        return self.records.scan(manifests, schema)

    def read_bytes(self, manifest: Manifest) -> bytes:
        """Kept bytes, checked against their hash."""
        return self.records.read_bytes(manifest)

    def sweep(self, *, age_seconds_min: float = ORPHAN_AGE_SECONDS_MIN) -> list[str]:
        """Remove files that no step committed; 0 only when no step can be running."""

        def visible() -> set[str]:
            with self.database.read() as connection:
                return records.paths(connection)

        return self.records.sweep(visible, age_seconds_min=age_seconds_min)

    # Runs

    def new_run(self, new: NewRun) -> Run:
        """Start a run; Busy when another of its flow is unfinished and `alone` is asked."""

        def write(connection: Connection) -> Run:
            run = runs.start(connection, new, self.clock.now())
            self._tell(connection, run, "started run", trigger=run.trigger, asked=run.asked)
            return run

        with self.begin() as connection:
            return write(connection)

    def finish_run(self, run: str, ending: Ending) -> Run:
        """End a run; one that has ended stays as it is."""

        def write(connection: Connection) -> Run:
            if runs.finish(connection, run, ending, self.clock.now()):
                done = runs.find(connection, run)
                self._tell(connection, done, "finished run", outcome=done.outcome)
            return runs.find(connection, run)

        return self.database.transact(write)

    def _tell(self, connection: Connection, run: Run, act: str, **detail: object) -> None:
        telling = audit.Telling(run.started_by, act, run.id, detail, run.id)
        audit.append(connection, self.clock.now(), telling)

    def unfinished_run(self, flow: str) -> Run | None:
        """The flow's newest run that still waits or runs."""
        with self.database.read() as connection:
            return runs.unfinished(connection, flow)

    def run(self, run: str) -> Run:
        """One run; Misconfigured when there is none of this id."""
        with self.database.read() as connection:
            return runs.find(connection, run)

    def runs(
        self,
        *,
        flow: str | None = None,
        outcomes: Sequence[str] = (),
        limit: int = runs.RUNS_SHOWN_MAX,
    ) -> list[Run]:
        """Runs, newest first."""
        with self.database.read() as connection:
            return runs.listed(connection, flow=flow, outcomes=outcomes, limit=limit)

    def steps(self, run: str) -> list[StepDone]:
        """The committed steps of a run."""
        with self.database.read() as connection:
            return runs.steps(connection, run)

    def calls(self, run: str, *, step: str | None = None) -> list[CallMade]:
        """The exchanges of a run with its peers."""
        with self.database.read() as connection:
            return runs.calls(connection, run, step=step)

    # Where a flow stands

    def position(self, flow: str, name: str) -> Any:
        """A kept position, None when it was never moved."""
        with self.database.read() as connection:
            return positions.position(connection, flow, name)

    def open_cells(self, flow: str) -> list[positions.OpenCell]:
        """The cells held open."""
        with self.database.read() as connection:
            return positions.open_cells(connection, flow)

    def rejects(
        self, *, run: str | None = None, flow: str | None = None, state: str | None = None
    ) -> list[rejects.Reject]:
        """What was not loaded."""
        with self.database.read() as connection:
            return rejects.listed(connection, run=run, flow=flow, state=state)
