"""What a story is given: its flow, both systems, the store and the clock; evidence of each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

import polars as pl

from tieout import memory
from tieout.anaplan.client import Anaplan
from tieout.clock import Clock
from tieout.core.findings import Finding
from tieout.core.frames import Schema, empty
from tieout.core.journal import Batch
from tieout.core.scope import Scope
from tieout.http import Call
from tieout.jde.client import Jde
from tieout.jde.orchestrator import Orchestrator
from tieout.project import LoadActuals, LoadMembers, SubmitPlan
from tieout.project_tables import LoadTable
from tieout.store.steps import Step
from tieout.store.store import Store

Result = dict[str, Any]


class Run(Protocol):
    """A durable run as the engine gives it to a story."""

    id: str
    flow: str

    def step(self, name: str, function: Callable[..., Result], *args: object) -> Result:
        """Carry out one step once in the life of the run."""
        ...

    def in_parts(self, name: str, function: Callable[..., Result], *args: object) -> None:
        """Carry out a step whose `parts` are runs of their own; goes on when all have ended."""
        ...

    def pause(self, seconds: float) -> None:
        """Let time pass between two steps."""
        ...

    def go_on_waiting(self) -> None:
        """Asked by who waits within a step; raises when nobody has to wait any more."""
        ...


AT_HAND_ROWS_MAX = 10_000  # of a frame that later steps of the same telling need not read again


class Evidence:
    """Notes every exchange with a peer in the step under way; both HTTP doors tell it."""

    def __init__(self) -> None:
        self.step: Step | None = None

    def __call__(self, call: Call) -> None:
        if self.step is not None:
            self.step.call(call)


class Patience:
    """Asked again and again by who waits for others within a step.

    It raises when the run was cancelled, or its process stops.
    """

    def __init__(self) -> None:
        self.ask: Callable[[], None] = _patient

    def __call__(self) -> None:
        self.ask()


def _patient() -> None:
    """Of nobody's run, as a connection test is."""


F = TypeVar("F", LoadActuals, LoadMembers, LoadTable, SubmitPlan)
L = TypeVar("L", LoadActuals, LoadMembers, LoadTable)  # the flows that load


def _nobody() -> bool:
    """Whether others wait, where nobody else reads."""
    return False


def _as_begun() -> str:
    """What differs from the configuration of a run, where nobody can change it."""
    return ""


def _nothing(step: str, point: str) -> None:
    """The moments of every process that is not a crash test."""


@dataclass(frozen=True, slots=True)
class PlanOf:
    """What a plan shares with the flow of its actuals, and which ledgers it may write."""

    actuals_name: str
    actuals: LoadActuals
    companies: tuple[str, ...]
    allowed: tuple[str, ...]


@dataclass
class World(Generic[F]):
    """Everything a story may touch. `asked`: what the run was asked for (full, unlock, replay)."""

    flow_name: str
    flow: F
    number: int  # of this run among the runs of its flow
    asked: Mapping[str, Any]
    readers: Sequence[Jde]  # sessions that may read at once; each signs in when it is first used
    anaplan: Anaplan
    store: Store
    clock: Clock
    dimensions: Mapping[str, str]  # account, business_unit, company → its Anaplan list
    configured: str  # digest of the flow and of both ends it connects
    target: str  # digest of the model, import and lists that it loads into
    chunk_bytes: int
    tenant: str  # of Anaplan, whose models only one run may have a task in
    executor: str  # the process that tells this run
    somebody_waits: Callable[[], bool] = _nobody  # for a session of JD Edwards
    outdated: Callable[[], str] = _as_begun  # what was applied since the run was begun, in words
    moment: Callable[[str, str], None] = _nothing  # of a step, where a crash test may interrupt
    parts_max: int = 1  # into how many parts a large read may be cut
    part: Mapping[str, Any] = field(default_factory=dict)  # what a part was asked for
    plan: PlanOf | None = None  # what a flow that submits a plan shares with its actuals
    evidence: Evidence = field(default_factory=Evidence)
    patience: Patience = field(default_factory=Patience)
    scopes: dict[tuple[str, ...], Scope] = field(default_factory=dict)  # by their records
    batches: dict[str, Batch] = field(default_factory=dict)  # by the run whose records they are
    at_hand: dict[str, pl.DataFrame] = field(default_factory=dict)  # by the id of their file

    @cached_property
    def orchestrator(self) -> Orchestrator:
        """The orchestrations of the first session; what was found out about one is asked once."""
        return Orchestrator(self.jde.session)

    @property
    def title(self) -> str:
        """The flow at the beginning of a sentence: "Cost centers"."""
        return self.flow_name.replace("_", " ").capitalize()

    @property
    def jde(self) -> Jde:
        """The first session; a quiet run uses no other."""
        return self.readers[0]

    def give_way(self) -> None:
        """Sign out of JD Edwards if others wait; whoever reads next stands in line behind them.

        Called at every natural pause: a run that reads for hours keeps nobody waiting for long.
        """
        if any(reader.session.open for reader in self.readers) and self.somebody_waits():
            self.sign_out()

    def sign_out(self) -> None:
        """End the sessions with JD Edwards, before a long pause; the next read signs in anew."""
        for reader in self.readers:
            reader.close()

    def frame(self, kind: str, schema: Schema, **key: Any) -> pl.DataFrame:
        """The rows of the current records of this flow and kind; empty when there are none."""
        manifests = self.store.current(self.flow_name, kind, **key)
        return self.store.scan(manifests).collect() if manifests else empty(schema)

    def lazy(self, kind: str, schema: Schema, **key: Any) -> pl.LazyFrame:
        """The same rows, not read yet: what is filtered out or not selected takes no memory."""
        manifests = self.store.current(self.flow_name, kind, **key)
        return self.store.scan(manifests) if manifests else empty(schema).lazy()

    def keep(self, step: Step, kind: str, rows: pl.DataFrame) -> None:
        """Keep rows with a step; few of them stay at hand for the next steps of this telling."""
        kept = step.keep(kind, rows)
        if rows.height <= AT_HAND_ROWS_MAX:
            self.at_hand[kept.id] = rows

    def of_this_run(self, run: str, kind: str, schema: Schema | None = None) -> pl.DataFrame:
        """What this run kept of a kind, in the order it was kept."""
        manifests = self.store.kept(run, kind=kind)
        if len(manifests) == 1 and (rows := self.at_hand.get(manifests[0].id)) is not None:
            return rows
        return self.store.scan(manifests).collect() if manifests else empty(schema or {})

    def lazy_of_this_run(self, run: str, kind: str, schema: Schema | None = None) -> pl.LazyFrame:
        """The same rows, not read yet."""
        manifests = self.store.kept(run, kind=kind)
        return self.store.scan(manifests) if manifests else empty(schema or {}).lazy()

    def last_of_this_run(self, run: str, kind: str, schema: Schema) -> pl.DataFrame:
        """What this run kept of a kind last, in one file."""
        manifests = self.store.kept(run, kind=kind)[-1:]
        return self.store.scan(manifests).collect() if manifests else empty(schema)

    def batches_seen(self, run: str, schema: Schema) -> pl.DataFrame:
        """The batches (F0011) this run saw, each as it saw it last."""
        seen = self.of_this_run(run, "seen_batches", schema)
        return seen.unique(["batch_type", "batch_number"], keep="last", maintain_order=True)

    def files_of_this_run(self, run: str, kind: str) -> Iterator[pl.DataFrame]:
        """The same rows, one file after the other."""
        for manifest in self.store.kept(run, kind=kind):
            rows = self.at_hand.get(manifest.id)
            yield self.store.scan([manifest]).collect() if rows is None else rows


class Steps(Generic[F]):
    """Calls steps of a run by name, each with the world and with its evidence noted."""

    def __init__(self, run: Run, world: World[F]) -> None:
        self._run = run
        self._world: World[F] = world
        world.patience.ask = run.go_on_waiting

    def __call__(self, name: str, function: Callable[..., Result], *args: object) -> Result:
        """`function(step, world, *args)` as one durable step."""
        return self._run.step(name, self._listened, function, *args)

    def in_parts(self, name: str, function: Callable[..., Result], *args: object) -> None:
        """The same, and the `parts` that it returns are told as runs of their own."""
        self._run.in_parts(name, self._listened, function, *args)

    def _listened(self, step: Step, function: Callable[..., Result], *args: object) -> Result:
        self._world.evidence.step = step
        try:
            result = function(step, self._world, *args)
            self._world.give_way()
            return result
        finally:
            memory.give_back()  # before the next step takes its own


def tell(step: Step, world: World[Any], findings: list[Finding]) -> None:
    """Write findings down with the run; a preview only counts them, since nothing was to happen."""
    if not world.asked.get("preview"):
        step.reject(findings)
