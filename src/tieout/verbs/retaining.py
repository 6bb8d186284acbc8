"""Retention: what is kept, what a purge would remove, legal holds, and the purge itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

import polars as pl

from tieout.app import Instance
from tieout.core.policy import INSTANCE
from tieout.core.retention import IN_USE, KINDS
from tieout.errors import Misconfigured, Refused
from tieout.flows.compacting import FILES_MIN, small_files
from tieout.flows.mirror import uncounted
from tieout.store import holds, kept, people, purges, records
from tieout.store.holds import LegalHold
from tieout.store.kept import Item, Weighed
from tieout.store.purges import UNTOUCHED, Decision
from tieout.store.records import Manifest
from tieout.store.runs import COMPACT
from tieout.verbs import acting, running, seeing

HOLD: Final = "hold records"  # the acts of core/policy.py
PURGE: Final = "purge records"


def overview(instance: Instance) -> dict[str, Any]:
    """What is kept by kind with its rule, age and size, the holds, and what was purged."""
    return _overview(instance, _weigh(instance))


def both(instance: Instance) -> tuple[dict[str, Any], dict[str, Any]]:
    """`overview` and `preview` of one moment; what is kept is looked through once."""
    found = _weigh(instance)
    return _overview(instance, found), _preview(found)


def _overview(instance: Instance, found: Weighed) -> dict[str, Any]:
    everything, rules = found.kept, found.rules
    with instance.store.database.read() as connection:
        placed = [asdict(hold) for hold in holds.listed(connection)]
        purged = [asdict(p) | {"sentence": p.sentence()} for p in purges.listed(connection)]
    names = {IN_USE: "needed by what holds now or stands open", **KINDS}
    kinds = [
        _summed([i for i in everything if i.kind == kind], kind)
        | {"what": what, "rule": rules.get(kind)}
        for kind, what in names.items()
    ]
    return {"ok": True, "kinds": kinds, "holds": placed, "purged": purged}


def preview(instance: Instance) -> dict[str, Any]:
    """Exactly what a purge would remove now, and what holds keep from it."""
    return _preview(_weigh(instance))


def _preview(found: Weighed) -> dict[str, Any]:
    return _as_json(found) | {"items": [_item(i) for i in found.due]}


def purge(instance: Instance, digest: str, why: str = "") -> dict[str, Any]:
    """Remove what the preview of `digest` showed, if it would show the same now.

    Refused when anything has changed since, or when a file is not the one that was written: a
    purge must not cover a loss up. Busy while a run of one of the flows is under way.
    """
    acting.require(instance, PURGE)
    store, token, at = instance.store, acting.held_token(instance), instance.clock.now()
    _remove_leftovers(instance)
    found = _weigh(instance)
    _same(found, digest)
    totals = _totals(instance, found.due)
    with store.begin() as connection:
        by = acting.allowed(people.who(connection, token, at), PURGE)
        purges.alone(connection, {i.flow for i in found.due})
        rules = instance.project().retention.rules()
        found = kept.weigh(connection, rules, at, partial(uncounted, store.records))
        _same(found, digest)
        due = [replace(item, totals=totals.get(item.object, {})) for item in found.due]
        decided = Decision(by.name, at, found.rules, digest, why)
        n = purges.purge(connection, decided, due)
    instance.failpoint()("purge", "committed")
    store.records.remove(item.path for item in due if item.path)
    return _as_json(found) | {"purge": n, "by": by.name, "at": at}


def compact(instance: Instance, flow: str | None = None) -> dict[str, Any]:
    """Copy the many small files of a mirror into few, as a run of its flow.

    Nothing is lost: see `flows.compacting`. Misconfigured when there are not many small files.
    """
    name = running.actuals_flow(instance, flow)
    if not small_files(instance.store.current(name, "lines")):
        raise Misconfigured(
            f"The mirror of {name} has no year with {FILES_MIN} small files, so there is nothing "
            "to gain.",
            untouched="Nothing was copied.",
        )  # fmt: skip
    done = running.run_flow(instance, name, kind=COMPACT)
    return seeing.run_as_json(done.run)


def hold(
    instance: Instance, name: str, *, flow: str = "", company: str = "", why: str
) -> dict[str, Any]:
    """Keep what is of a flow, of a company, or everything, from every purge."""
    if flow:
        seeing.known(instance, flow)
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, token, at), HOLD)
        placed = holds.place(connection, LegalHold(name, flow, company, why, by.name, at))
    return {"ok": True, **asdict(placed)}


def release(instance: Instance, name: str, why: str) -> dict[str, Any]:
    """End a hold."""
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, token, at), HOLD)
        done = holds.release(connection, name, by.name, why, at)
    return {"ok": True, **asdict(done)}


def _weigh(instance: Instance) -> Weighed:
    acting.require(instance, "view", INSTANCE)
    rules, now = instance.project().retention.rules(), instance.clock.now()
    unread = partial(uncounted, instance.store.records, known=instance.kept_reads)
    with instance.store.database.read() as connection:
        return kept.weigh(connection, rules, now, unread, instance.kept_calls)


def _same(found: Weighed, digest: str) -> None:
    if not found.due:
        raise Misconfigured(
            "There is nothing to purge now.", untouched=UNTOUCHED,
            do="`tieout retention preview` says what the rules and the holds keep.",
        )  # fmt: skip
    if found.digest != digest:
        raise Refused(
            "What a purge would remove now is not what that digest stands for.",
            untouched=UNTOUCHED,
            do="Look at it again: `tieout retention preview`.",
        )


def _totals(instance: Instance, due: Sequence[Item]) -> dict[str, dict[str, str]]:
    """The sum of every column of amounts of each file, by its id; each file is hashed first."""
    store = instance.store
    with store.database.read() as connection:
        manifests = records.among(connection, "id", [i.object for i in due if i.path])
    return {m.id: _sums(instance, m) for m in manifests}


def _sums(instance: Instance, manifest: Manifest) -> dict[str, str]:
    store = instance.store
    store.records.check(manifest)  # where it lies: a copy of it that is whole proves nothing
    if not manifest.path.endswith(".parquet"):
        return {}
    rows = store.scan([manifest])
    amounts = [n for n, kind in rows.collect_schema().items() if isinstance(kind, pl.Decimal)]
    if not amounts or not manifest.rows:
        return {}
    (found,) = rows.select(pl.col(amounts).sum()).collect().to_dicts()
    return {name: format(total, "f") for name, total in found.items() if total is not None}


def _remove_leftovers(instance: Instance) -> None:
    """Take away what an earlier purge had no time for."""
    with instance.store.database.read() as connection:
        paths = purges.left_behind(connection)
    instance.store.records.remove(paths)


def _as_json(found: Weighed) -> dict[str, Any]:
    kinds = [
        _summed([i for i in found.due if i.kind == kind], kind) | {"rule": age}
        for kind, age in found.rules.items()
    ]
    by_hold: dict[str, list[Item]] = {}
    for each, item in found.held:
        by_hold.setdefault(each.name, []).append(item)
    return {
        "ok": True, "digest": found.digest, "rules": dict(found.rules), "kinds": kinds,
        "held": [_summed(items, "") | {"hold": name} for name, items in by_hold.items()],
    }  # fmt: skip


def _summed(items: Sequence[Item], kind: str) -> dict[str, Any]:
    oldest: list[datetime] = [i.oldest for i in items]
    newest: list[datetime] = [i.newest for i in items]
    return {
        "kind": kind, "files": len([i for i in items if i.path]),
        "rows": sum(i.rows for i in items), "bytes": sum(i.bytes for i in items),
        "oldest": min(oldest, default=None), "newest": max(newest, default=None),
    }  # fmt: skip


def _item(item: Item) -> dict[str, Any]:
    names = ("kind", "flow", "company", "run", "record", "path", "rows", "bytes", "sha256")
    return {name: getattr(item, name) for name in names} | {"written_at": item.newest}
