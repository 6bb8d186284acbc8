"""The store of one instance: its database, its records and its steps, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection

from tieout.clock import Clock
from tieout.errors import Trouble
from tieout.store import (
    audit,
    cancels,
    checkpoints,
    configs,
    mappings,
    migrate,
    positions,
    purges,
    records,
    rejects,
    runs,
    seals,
    steps,
    tasks,
)
from tieout.store.anchors import Anchored
from tieout.store.audit import Entry, Telling, Verdict
from tieout.store.configs import Config
from tieout.store.database import Database
from tieout.store.files import ORPHAN_AGE_SECONDS_MIN, Place, Records, place_for
from tieout.store.home import refuse_network_disk
from tieout.store.keys import KeyPlace, in_home
from tieout.store.mappings import Held, SetMapping
from tieout.store.ownership import owner
from tieout.store.positions import OpenCell
from tieout.store.records import Manifest
from tieout.store.rejects import Reject
from tieout.store.runs import RUNS_SHOWN_MAX, CallMade, Ending, NewRun, Run, StepDone
from tieout.store.safe import Safe
from tieout.store.schema import UNFINISHED
from tieout.store.steps import Step
from tieout.store.tasks import Chunk, Task, TaskKey

DATABASE_FILE = "tieout.sqlite"
MAPPINGS_KEPT_MAX = 12  # tables in memory: four dimensions as they are, and as runs had them


class Store:
    """Everything an instance remembers. Safe to use from several threads and processes."""

    def __init__(
        self, home: Path, clock: Clock, url: str | None = None, anchor: Anchored | None = None,
        place: Place | None = None, keys: KeyPlace | None = None,
    ) -> None:  # fmt: skip
        """Open the instance in `home`; `url` names PostgreSQL, the others what is not in `home`."""
        self.home, self.clock = home, clock
        self.anchor: Anchored = anchor or home / checkpoints.ANCHOR_FILE
        if not url:
            refuse_network_disk(home)
        key = home / seals.TRAIL_KEY_FILE
        self.database = Database(url, key) if url else Database.at(home / DATABASE_FILE, key)
        self.safe = Safe(home, self.database, clock, keys or in_home(home))
        place = place or place_for("", home, {})
        self.records = Records(place, purges.explainer(self.database), owner(self.database))
        self._mappings: dict[tuple[str, int], Held] = {}  # by dimension, version
        self._late: dict[str, list[steps.CallRow]] = {}  # by run: told after their step had ended

    def migrate(self) -> None:
        """Bring the database up to date; a newer one is refused. A new trail gets its key."""
        migrate.migrate(self.database)
        with self.begin() as connection:
            audit.make_key(connection)

    def check(self) -> None:
        """Refuse a database of another schema than this program's."""
        self.database.check()

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def begin(self) -> AbstractContextManager[Connection]:
        """One transaction for store functions that take a connection."""
        return self.database.begin()

    # Steps

    def run_step(
        self, run: str, name: str, function: Callable[[Step], Mapping[str, Any]],
        cancelled: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:  # fmt: skip
        """Do a step of a run once: returns its recorded result if it was committed before.

        Otherwise runs `function` and commits all it did, its audit entries and its result in one
        transaction. The result is the same JSON value the first time and every later time
        (Decimal comes back as text). When `function` raises, nothing of it is visible but the calls
        it made, as evidence. `cancelled` is called first if somebody asked for that.
        """
        with self.database.read() as connection:
            before = steps.before(connection, run, name)
        if before.cancelled:
            cancelled()
        if before.done is not None:
            return before.done
        step = Step(before, name, self.records, self.clock, self._call_late)
        started_at = self.clock.now()
        try:
            result = self._done(step, function)
            return self.database.transact(lambda c: step.commit(c, result, started_at))
        except BaseException:
            self._keep_evidence(step, started_at)
            raise

    def _done(self, step: Step, function: Callable[[Step], Mapping[str, Any]]) -> str:
        try:
            return step.done(function(step))
        except BaseException:
            step.discard()
            raise
        finally:
            step.end()

    def _keep_evidence(self, step: Step, started_at: datetime) -> None:
        try:
            self.database.transact(lambda c: step.write_calls(c, started_at))
        except Trouble:
            step.calls_are_late()  # the step's own failure is what the person must read

    def write_late_calls(self, run: str) -> None:
        """Write down the calls of a run that its steps could not: a sign-out, or on a full disk."""
        if late := self._late.get(run, []):
            self.database.transact(lambda c: steps.add_calls(c, late))
            self._late.pop(run, None)

    def _call_late(self, call: steps.CallRow) -> None:
        self._late.setdefault(call["run"], []).append(call)

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

    def before(self, run: str, flow: str, kind: str, step: str | None = None) -> list[Manifest]:
        """The files that held when a run, or a step of it, began to keep files."""
        with self.database.read() as connection:
            return records.before(connection, run, flow, kind, step=step)

    def scan(
        self, manifests: Sequence[Manifest], schema: pl.Schema | None = None, *, source: str = "",
        more: Sequence[str] = (),
    ) -> pl.LazyFrame:  # fmt: skip
        """As `Records.scan`: the rows of `manifests`; an empty frame of `schema` without any."""
        return self.records.scan(manifests, schema, source=source, more=more)

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
        with self.begin() as connection:
            return self.start_run(connection, new)

    def start_run(self, connection: Connection, new: NewRun) -> Run:
        """The same in the caller's transaction."""
        run = runs.start(connection, new, self.clock.now())
        self._tell(connection, run, "started run", trigger=run.trigger, asked=run.asked)
        return run

    def finish_run(self, run: str, ending: Ending, only: Sequence[str] = UNFINISHED) -> Run:
        """End a run with a checkpoint, its late calls first; one that has ended stays as it is.

        `only`: the outcomes it may have now.
        """

        def write(connection: Connection) -> Run:
            steps.add_calls(connection, late)
            ends = runs.finish(connection, run, ending, self.clock.now(), only)
            done = runs.find(connection, run)
            if ends:
                calls = runs.count_calls(connection, run)
                self._tell(connection, done, "finished run", outcome=done.outcome, calls=calls)
                checkpoints.add(connection, self.clock.now(), run)
            return done

        late = self._late.get(run, [])
        ended = self.database.transact(write)
        self._late.pop(run, None)
        checkpoints.bring_or_tell(self.database, self.anchor, self.clock.now(), run)
        return ended

    def _tell(self, connection: Connection, run: Run, act: str, **detail: object) -> None:
        telling = Telling(run.started_by, act, run.id, detail, run.id)
        audit.append(connection, self.clock.now(), telling)

    def cancel_of(self, run: str) -> cancels.Cancel | None:
        """Who asked a run to end that may still end now."""
        with self.database.read() as connection:
            return cancels.asked(connection, run)

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
        limit: int = RUNS_SHOWN_MAX,
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

    def positions(self, flow: str) -> dict[str, Any]:
        """Every kept position of a flow by its name."""
        with self.database.read() as connection:
            return positions.of_flow(connection, flow)

    def open_cells(self, flow: str) -> list[OpenCell]:
        """The cells held open."""
        with self.database.read() as connection:
            return positions.open_cells(connection, flow)

    def rejects(
        self,
        *,
        run: str | None = None,
        flow: str | None = None,
        state: str | None = None,
        standing: bool = False,
    ) -> list[Reject]:
        """The findings of runs; None means any, `standing` those that no run has settled."""
        with self.database.read() as connection:
            return rejects.listed(connection, run=run, flow=flow, state=state, standing=standing)

    def standing(self, flow: str) -> Iterator[Reject]:
        """What no run of a flow has settled; of however much that is, a page is at hand."""
        return rejects.standing_of(self.database.read, flow)

    # What a running step remembers of Anaplan

    def task(self, key: TaskKey) -> Task | None:
        """What an earlier try of a step noted of its start; None when it never came so far."""
        with self.database.read() as connection:
            return tasks.find(connection, key)

    def chunks(self, run: str, file: str) -> dict[int, Chunk]:
        """The chunks of a file that Anaplan acknowledged to this run, by number."""
        with self.database.read() as connection:
            return tasks.chunks(connection, run, file)

    def receive_chunk(self, run: str, file: str, chunk: Chunk) -> None:
        """Anaplan acknowledged a chunk."""
        at = self.clock.now()
        self.database.transact(lambda c: tasks.receive_chunk(c, run, file, chunk, at))

    # What people set

    def config(self, version: int | None = None) -> Config | None:
        """The applied configuration, or that of an earlier version."""
        with self.database.read() as connection:
            if version is not None:
                return configs.find(connection, version)
            return configs.current(connection)

    def apply_config(self, text: str, by: str, why: str | None = None) -> Config:
        """Make `text` the configuration; the same text again makes no new version."""
        with self.begin() as connection:
            author = configs.Author(by, why)
            return configs.apply(connection, text, author, self.clock.now())[0]

    def set_mappings(self, rows: Sequence[mappings.Mapping], by: str) -> int:
        """Set mappings together; the version of the table they belong to."""
        with self.begin() as connection:
            version = mappings.add(connection, rows, by, self.clock.now())
            tellings = [
                Telling(
                    by, "withdrew mapping" if row.target is None else "set mapping",
                    f"{row.dimension} {row.source}",
                    {"target": row.target, "effective_from": row.effective_from, "why": row.why,
                     "version": version},
                )
                for row in rows
            ]  # fmt: skip
            audit.append(connection, self.clock.now(), *tellings)
            return version

    def mapping(self, dimension: str, *, at_version: int | None = None) -> pl.DataFrame:
        """Columns source, target, effective_from (`mappings.TABLE`) of the rows that hold."""
        return self._held(dimension, at_version)[1]

    def mappings_that_hold(self, dimension: str) -> list[SetMapping]:
        """The same rows with who set them, when and why."""
        return list(self._held(dimension, None)[0])

    def _held(self, dimension: str, at_version: int | None) -> Held:
        """What held in a version, kept: no setting of a version is ever changed."""
        with self.database.read() as connection:
            at = mappings.version(connection) if at_version is None else at_version
            held = self._mappings.get((dimension, at))
            if held is None:
                held = mappings.held(connection, dimension, at)
        while len(self._mappings) >= MAPPINGS_KEPT_MAX:
            self._mappings.pop(next(iter(self._mappings)), None)
        self._mappings[dimension, at] = held
        return held

    def mapping_version(self) -> int:
        """The version of the whole mapping table; 0 before the first mapping."""
        with self.database.read() as connection:
            return mappings.version(connection)

    def mapping_history(self, dimension: str, source: str) -> list[SetMapping]:
        """Every setting of one code, oldest first."""
        with self.database.read() as connection:
            return mappings.history(connection, dimension, source)

    # The trail

    def audit(
        self, *, run: str | None = None, object_: str | None = None, after: int = 0
    ) -> list[Entry]:
        """The next page of entries after entry `after`, of one run or object if asked."""
        with self.database.read() as connection:
            return audit.entries(connection, run=run, object_=object_, after=after)

    def verify_audit(self) -> Verdict:
        """Check every link and seal of the trail."""
        return audit.verified(self.audit_pages(), seals.read(self.home / seals.TRAIL_KEY_FILE))

    def audit_pages(self) -> Iterator[list[Entry]]:
        """The whole trail; writers need not wait for who reads it, since no page holds the next."""
        return audit.pages(lambda after: self.audit(after=after))
