"""What is kept, under which kind of retention it falls, and what is older than its rule says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import Connection, func, select, type_coerce
from sqlalchemy.engine import Row
from sqlalchemy.types import NULLTYPE

from tieout.core.retention import IN_USE, ends_before
from tieout.store import holds, piles, records
from tieout.store.columns import canonical, canonical_of_row
from tieout.store.holds import LegalHold
from tieout.store.records import Manifest
from tieout.store.retention_schema import app_purged
from tieout.store.runs import COMPACT
from tieout.store.schema import (
    UNFINISHED,
    app_call,
    app_certification,
    app_manifest,
    app_open_cell,
    app_position,
    app_run,
)

# The ids of those files of lines none of whose lines counts any more, by the files of buckets.
Uncounted: TypeAlias = Callable[[Sequence[Manifest], Sequence[Manifest]], set[str]]

RUNS_AT_ONCE = 200  # whose calls one statement reads

# Of other runs (of a plan, or of a kind of tomorrow) nothing is ever purged.
RUN_KINDS = ("load_actuals", "load_members", "load_table", "tie_out", COMPACT)
LINES, EARLIER_LINES = "lines", "earlier_lines"
UPLOADS = ("file", "sent", "dump")
# What a run keeps for itself alone. Other kinds are replaced by later runs, or are in use.
OF_ONE_RUN = (
    "anaplan", "dirty", "folds", "gone", "in_list", "members", "moved_by_object", "moved_by_unit",
    "pieces", "read_whole", "reads", "seen_batches", "seen_by_object", "seen_by_unit", "to_send",
    "touched", "waiting", "wanted", "would_find",
)  # fmt: skip
COMPARISONS = ("compared", "tie_out", "proved")  # the last one is looked at with all of its run


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of a run: how many, their size and hash, and when the first and last was made."""

    rows: int
    bytes: int
    sha256: str
    oldest: datetime
    newest: datetime


Known: TypeAlias = dict[str, Calls]  # by run


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is kept: a file, or (without a path) the calls of a run."""

    kind: str  # of retention, or IN_USE
    object: str
    flow: str
    company: str
    run: str
    record: str  # what kind of rows it holds
    path: str
    rows: int
    bytes: int
    sha256: str
    oldest: datetime
    newest: datetime
    totals: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Weighed:
    """All that is kept, and what has reached the age of its rule: due, or kept by a hold."""

    rules: Mapping[str, str]  # kind → age
    kept: Sequence[Item]
    due: Sequence[Item]
    held: Sequence[tuple[LegalHold, Item]]

    @property
    def digest(self) -> str:
        """What a preview is known by: the rules, and exactly what it would remove."""
        told = [[i.kind, i.object, i.rows, i.bytes, i.sha256] for i in self.due]
        return hashlib.sha256(canonical([dict(self.rules), sorted(told)]).encode()).hexdigest()


def weigh(
    connection: Connection, rules: Mapping[str, str], now: datetime, uncounted: Uncounted,
    known: Known | None = None,
) -> Weighed:  # fmt: skip
    """What a purge under these rules would remove now, and what the holds keep from it.

    `known` spares who only looks what this process has hashed before: a run that has as many calls
    as then has the same ones.
    """
    ends = {kind: ends_before(age, now) for kind, age in rules.items()}
    everything = kept(connection, uncounted, known)
    old = [i for i in everything if i.kind in ends and i.newest < ends[i.kind]]
    placed = holds.in_force(connection)
    held = {i.object: (each, i) for i in old for each in placed if each.covers(i.flow, i.company)}
    due = [i for i in old if i.object not in held]
    return Weighed(rules, everything, due, list(held.values()))


def kept(connection: Connection, uncounted: Uncounted, known: Known | None = None) -> list[Item]:
    """Everything that is kept, each with the kind of retention it falls under, oldest first."""
    needed, old = _needed_runs(connection), set[str]()
    for flow in records.flows_with(connection, "buckets"):
        lines = records.current(connection, flow, LINES)
        old |= uncounted(lines, records.current(connection, flow, "buckets"))
    columns = app_run.c
    query = select(app_manifest, columns.kind.label("run_kind"))
    query = query.join(app_run, app_run.c.id == app_manifest.c.run)
    query = query.where(app_manifest.c.id.not_in(select(app_purged.c.object)))
    found = []
    for row in connection.execute(query.order_by(app_manifest.c.seq)):
        free = row.run_kind in RUN_KINDS and row.run not in needed
        kind = _kind(row, old) if free else IN_USE
        found.append(
            Item(
                kind, row.id, row.flow, row.company, row.run, row.kind, row.path, row.rows,
                row.bytes, row.sha256, row.written_at, row.written_at,
            )
        )  # fmt: skip
    return [*found, *_calls(connection, needed, {} if known is None else known)]


def _kind(row: Row[Any], uncounted: Collection[str]) -> str:
    if row.kind in (LINES, EARLIER_LINES):
        if row.superseded_by is not None:
            return "compacted"
        return "lines" if row.kind == EARLIER_LINES or row.id in uncounted else IN_USE
    if row.kind in UPLOADS:
        return "uploads"
    return "workings" if row.kind in OF_ONE_RUN or row.superseded_by is not None else IN_USE


def _needed_runs(connection: Connection) -> set[str]:
    """Runs whose records something that stands open or holds today refers to."""
    manifest, run = app_manifest.c, app_run.c
    numbers = select(func.max(run.number).label("number"), run.flow).where(
        run.kind != COMPACT, run.part_of.is_(None)
    )  # fmt: skip
    newest = numbers.group_by(run.flow).subquery()
    of_last = (run.flow == newest.c.flow) & (run.number == newest.c.number)
    compared = (manifest.superseded_by.is_(None), manifest.kind.in_(COMPARISONS))
    queries = (
        select(run.id).where(run.outcome.in_(UNFINISHED)),
        select(run.id).join(newest, of_last),
        select(manifest.run).where(*compared),
        select(app_position.c.run),
        select(app_open_cell.c.since_run),
        piles.undecided_runs(),
        select(app_certification.c.run),
    )
    return {found for query in queries for found in connection.execute(query).scalars()}


def _calls(connection: Connection, needed: Collection[str], known: Known) -> Iterator[Item]:
    """The calls of each run; which runs have more than is `known` of them, an index alone tells."""
    call, run = app_call.c, app_run.c
    counts = select(call.run, func.count().label("rows")).group_by(call.run).subquery()
    query = select(counts, run.flow, run.kind).join(app_run, run.id == counts.c.run)
    found = connection.execute(query.order_by(counts.c.run)).all()
    news = [row.run for row in found if row.run not in known or known[row.run].rows != row.rows]
    for start in range(0, len(news), RUNS_AT_ONCE):
        known.update(_calls_hashed(connection, news[start : start + RUNS_AT_ONCE]))
    for row in found:
        free = row.kind in RUN_KINDS and row.run not in needed
        told = known[row.run]
        yield Item(
            "calls" if free else IN_USE, row.run, row.flow, "", row.run, "calls", "", told.rows,
            told.bytes, told.sha256, told.oldest, told.newest,
        )  # fmt: skip


def _calls_hashed(connection: Connection, runs: Sequence[str]) -> Iterator[tuple[str, Calls]]:
    """The calls of some runs; hashed is a line of JSON of each, in their order."""
    call = app_call.c
    as_held = [type_coerce(column, NULLTYPE).label(column.name) for column in call]
    query = select(*as_held).where(call.run.in_(runs)).order_by(call.run, call.seq)
    for run, those in groupby(connection.execute(query).mappings(), itemgetter("run")):
        digest, size, moments = hashlib.sha256(), 0, list[str]()
        for row in those:
            line = (canonical_of_row(dict(row)) + "\n").encode()
            digest.update(line)
            size += len(line)
            moments.append(row["at"])
        first, last = (datetime.fromisoformat(at) for at in (min(moments), max(moments)))
        yield run, Calls(len(moments), size, digest.hexdigest(), first, last)
