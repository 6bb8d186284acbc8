"""What may be purged, what stays of it, and the purge itself: one transaction, told in the trail.

Of a file its row of the manifest stays, of the calls of a run their number and hash, of both the
sums. Files are taken away after the commit: a process that dies in between leaves files that no
manifest shows any more, which the next purge or `sweep` removes, never a row whose file is gone
without a word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.engine import Row

from tieout.core.findings import counted
from tieout.core.retention import IN_USE, KINDS, rule
from tieout.errors import Refused
from tieout.store import audit
from tieout.store.audit import Telling
from tieout.store.columns import canonical
from tieout.store.database import Database, lock
from tieout.store.holds import LOCK
from tieout.store.records import Manifest
from tieout.store.schema import (
    UNFINISHED,
    app_call,
    app_certification,
    app_manifest,
    app_open_cell,
    app_position,
    app_purge,
    app_purged,
    app_reject,
    app_run,
)

# Of other runs (of a plan, or of a kind of tomorrow) nothing is ever purged.
RUN_KINDS = ("load_actuals", "load_members", "tie_out", "compact")
LINES, EARLIER_LINES = "lines", "earlier_lines"
UPLOADS = ("file", "sent", "dump")
# What a run keeps for itself alone. Other kinds are replaced by later runs, or are in use.
OF_ONE_RUN = (
    "anaplan", "dirty", "folds", "gone", "in_list", "members", "moved_by_object", "moved_by_unit",
    "read_whole", "reads", "seen_batches", "seen_by_object", "seen_by_unit", "to_send", "touched",
    "waiting", "wanted", "would_find",
)  # fmt: skip
COMPARISONS = ("compared", "tie_out", "proved")  # the last one is looked at with all of its run
SETTLED = ("fixed", "sent again", "waived")


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
class Purged:
    """What stays of a file, or of the calls of a run."""

    object: str
    purge: int
    kind: str
    age: str
    flow: str
    run: str
    rows: int
    bytes: int
    sha256: str
    totals: Mapping[str, str]
    purged_at: datetime
    purged_by: str

    def sentence(self) -> str:
        """What a reader is told instead."""
        return (
            f"Purged on {self.purged_at:%Y-%m-%d} by {self.purged_by} under the rule "
            f"{rule(self.kind, self.age)}; totals and hashes remain."
        )


def kept(connection: Connection, uncounted: Collection[str]) -> list[Item]:
    """Everything that is kept, each with the kind of retention it falls under, oldest first.

    `uncounted`: ids of files of lines none of which counts any more.
    """
    needed = _needed_runs(connection)
    columns = app_run.c
    query = select(app_manifest, columns.kind.label("run_kind"))
    query = query.join(app_run, app_run.c.id == app_manifest.c.run)
    query = query.where(app_manifest.c.id.not_in(select(app_purged.c.object)))
    found = []
    for row in connection.execute(query.order_by(app_manifest.c.seq)):
        free = row.run_kind in RUN_KINDS and row.run not in needed
        kind = _kind(row, uncounted) if free else IN_USE
        found.append(
            Item(
                kind, row.id, row.flow, row.company, row.run, row.kind, row.path, row.rows,
                row.bytes, row.sha256, row.written_at, row.written_at,
            )
        )  # fmt: skip
    return [*found, *_calls(connection, needed)]


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
    newest = select(func.max(run.number).label("number"), run.flow).group_by(run.flow).subquery()
    of_last = (run.flow == newest.c.flow) & (run.number == newest.c.number)
    compared = (manifest.superseded_by.is_(None), manifest.kind.in_(COMPARISONS))
    queries = (
        select(run.id).where(run.outcome.in_(UNFINISHED)),
        select(run.id).join(newest, of_last),
        select(manifest.run).where(*compared),
        select(app_position.c.run),
        select(app_open_cell.c.since_run),
        select(app_reject.c.run).where(
            app_reject.c.state.not_in(SETTLED), app_reject.c.severity != "note"
        ),
        select(app_certification.c.run),
    )
    return {found for query in queries for found in connection.execute(query).scalars()}


def _calls(connection: Connection, needed: Collection[str]) -> Iterator[Item]:
    call, run = app_call.c, app_run.c
    query = (
        select(
            call.run, run.flow, run.kind, func.count().label("rows"),
            func.min(call.at).label("oldest"), func.max(call.at).label("newest"),
        )
        .join(app_run).group_by(call.run, run.flow, run.kind)
    )  # fmt: skip
    for row in connection.execute(query.order_by(call.run)):
        free = row.kind in RUN_KINDS and row.run not in needed
        size, digest = _calls_hashed(connection, row.run)
        yield Item(
            "calls" if free else IN_USE, row.run, row.flow, "", row.run, "calls", "", row.rows,
            size, digest, row.oldest, row.newest,
        )  # fmt: skip


def _calls_hashed(connection: Connection, run: str) -> tuple[int, str]:
    """Size and hash of the calls of a run, a line of JSON each, in their order."""
    digest, size = hashlib.sha256(), 0
    query = select(app_call).where(app_call.c.run == run).order_by(app_call.c.seq)
    for row in connection.execute(query):
        line = (canonical(dict(row._mapping)) + "\n").encode()
        digest.update(line)
        size += len(line)
    return size, digest.hexdigest()


def digest_of(rules: Mapping[str, str], due: Sequence[Item]) -> str:
    """What a preview is known by: the rules, and exactly what it would remove."""
    told = [[i.kind, i.object, i.rows, i.bytes, i.sha256] for i in due]
    return hashlib.sha256(canonical([dict(rules), sorted(told)]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Decision:
    """Who purges, when, under which rules, what was shown to them, and why."""

    by: str
    at: datetime
    rules: Mapping[str, str]  # kind → age
    digest: str
    why: str = ""


def purge(connection: Connection, decided: Decision, due: Sequence[Item]) -> int:
    """Write down that all of `due` is purged, and remove the calls; the number of the purge.

    The files are still there: take them away when this is committed.
    """
    lock(connection, LOCK)
    last = connection.execute(select(func.coalesce(func.max(app_purge.c.n), 0))).scalar_one()
    n: int = last + 1
    head = {
        "n": n, "purged_at": decided.at, "purged_by": decided.by, "digest": decided.digest,
        "why": decided.why,
    }  # fmt: skip
    connection.execute(insert(app_purge), head)
    rows = [
        {"object": i.object, "purge": n, "kind": i.kind, "age": decided.rules[i.kind],
         "flow": i.flow, "run": i.run, "rows": i.rows, "bytes": i.bytes, "sha256": i.sha256,
         "totals": dict(i.totals)}
        for i in due
    ]  # fmt: skip
    connection.execute(insert(app_purged), rows)
    for item in due:
        if not item.path:
            connection.execute(delete(app_call).where(app_call.c.run == item.run))
    tellings = [
        Telling(decided.by, "purged records", f"purge {n}", _told(decided, kind, due))
        for kind in dict.fromkeys(i.kind for i in due)
    ]
    audit.append(connection, decided.at, *tellings)
    return n


def _told(decided: Decision, kind: str, due: Sequence[Item]) -> dict[str, object]:
    mine = [i for i in due if i.kind == kind]
    return {
        "kind": kind, "rule": rule(kind, decided.rules[kind]),
        "digest": decided.digest, "why": decided.why,
        "files": [{"id": i.object, "totals": dict(i.totals)} for i in mine if i.path],
        "calls": [
            {"run": i.run, "rows": i.rows, "bytes": i.bytes, "sha256": i.sha256}
            for i in mine if not i.path
        ],
    }  # fmt: skip


def left_behind(connection: Connection) -> list[str]:
    """The paths of all files that were purged, whether or not they are still there."""
    query = select(app_manifest.c.path).join(app_purged, app_purged.c.object == app_manifest.c.id)
    return list(connection.execute(query).scalars())


def listed(
    connection: Connection, *, flow: str | None = None, run: str | None = None,
    objects: Sequence[str] | None = None,
) -> list[Purged]:  # fmt: skip
    """What was purged, oldest purge first; None means any."""
    columns, head = app_purged.c, app_purge.c
    query = select(app_purged, head.purged_at, head.purged_by).join(app_purge)
    if flow is not None:
        query = query.where(columns.flow == flow)
    if run is not None:
        query = query.where(columns.run == run)
    if objects is not None:
        query = query.where(columns.object.in_(objects))
    return [
        Purged(**row._mapping) for row in connection.execute(query.order_by(head.n, columns.object))
    ]


def of_run(connection: Connection, run: str) -> list[str]:
    """What of a run was purged, in a sentence for each purge and kind."""
    return _sentences(listed(connection, run=run))


def of_records(
    connection: Connection, flow: str, kinds: Sequence[str], place: Sequence[Any] = ()
) -> list[str]:
    """The same of the kept rows of some kinds, of a flow or (company, ledger, year) of it.

    Files of lines that were copied into another are not told: nothing of them is gone.
    """
    manifest = app_manifest.c
    query = select(manifest.id).where(manifest.flow == flow, manifest.kind.in_(kinds))
    columns = (manifest.company, manifest.ledger, manifest.fiscal_year)
    for column, value in zip(columns, place, strict=False):
        query = query.where(column == value)
    found = listed(connection, flow=flow)
    if not found:
        return []
    gone = query.where(manifest.id.in_(select(app_purged.c.object)))
    mine = set(connection.execute(gone).scalars())
    return _sentences([p for p in found if p.object in mine and p.kind != "compacted"])


def _sentences(found: Sequence[Purged]) -> list[str]:
    groups: dict[tuple[int, str], list[Purged]] = {}
    for one in found:
        groups.setdefault((one.purge, one.kind), []).append(one)
    return [
        f"{counted(sum(p.rows for p in those), 'row')} of {KINDS[kind]}: {those[0].sentence()}"
        for (_, kind), those in groups.items()
    ]


def explainer(database: Database) -> Callable[[Manifest], Refused | None]:
    """What tells a reader of a file that is not there that it was purged, when it was."""

    def explain(manifest: Manifest) -> Refused | None:
        with database.read() as connection:
            found = listed(connection, objects=[manifest.id])
        if not found:
            return None
        return Refused(f"{found[0].sentence()} It was {manifest.path} of run {manifest.run}.")

    return explain
