"""What may be purged, what stays of it, and the purge itself: one transaction, told in the trail.

Of a file its row of the manifest stays, of the calls of a run their number and hash, of both the
sums. Files are taken away after the commit: a process that dies in between leaves files that no
manifest shows any more, which the next purge or `sweep` removes, never a row whose file is gone
without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from tieout.core.findings import counted
from tieout.core.retention import KINDS, rule
from tieout.errors import Busy, Refused
from tieout.store import audit, runs
from tieout.store.audit import Telling
from tieout.store.database import Database, lock
from tieout.store.holds import LOCK
from tieout.store.kept import Item
from tieout.store.records import Manifest
from tieout.store.retention_schema import app_purge, app_purged
from tieout.store.schema import app_call, app_manifest

UNTOUCHED = "Nothing was purged."


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


@dataclass(frozen=True, slots=True)
class Decision:
    """Who purges, when, under which rules, what was shown to them, and why."""

    by: str
    at: datetime
    rules: Mapping[str, str]  # kind → age
    digest: str
    why: str = ""


def alone(connection: Connection, flows: Iterable[str]) -> None:
    """Busy while a run of one of `flows` is under way; none begins before this commits."""
    lock(connection, LOCK)
    for flow in sorted(flows):
        lock(connection, f"run {flow}")  # as a run does when it starts
        if run := runs.unfinished(connection, flow):
            raise Busy(
                f"{run.id} is under way and may need what would be purged.",
                untouched=UNTOUCHED,
                do=f"Purge when that has ended (`tieout show {run.id}`).",
            )


def purge(connection: Connection, decided: Decision, due: Sequence[Item]) -> int:
    """Write down that all of `due` is purged, and remove the calls; the number of the purge.

    The files are still there: take them away when this is committed.
    """
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


def objects(connection: Connection) -> set[str]:
    """The ids of everything that is marked as purged."""
    return set(connection.execute(select(app_purged.c.object)).scalars())


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
