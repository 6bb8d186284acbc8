"""The audit trail: check it, hand it out, and sign how far it has come."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tieout.app import Instance
from tieout.store import anchors, audit, checkpoints, seals, trail_export
from tieout.store import records as manifest
from tieout.store.anchors import READING_THREADS_MAX
from tieout.store.audit import Telling
from tieout.store.verify_trail import Anchor, Hashed, verify
from tieout.verbs import acting


def check(instance: Instance, anchor: Path | None = None) -> dict[str, Any]:
    """Check every entry, checkpoint, manifest row and kept file against each other and the anchor.

    Misconfigured when the anchor is not there although there are checkpoints.
    """
    acting.require(instance, "read trail")
    key = instance.home / seals.TRAIL_KEY_FILE
    with _hashing(instance) as hashed:
        report = verify(
            trail_export.lines(instance.store.database, instance.clock.now()),
            _anchor(instance, anchor),
            hashed,
            seals.read(key).seal_key if key.exists() else None,
            seals.signed,
        )
    return {"ok": not report.problems, **asdict(report)}


@contextmanager
def _hashing(instance: Instance) -> Iterator[Hashed]:
    """What tells the hash of a kept file where it lies; of a storage it asks for many at once."""
    records = instance.store.records
    if records.place.is_of_the_home:
        yield records.digest
        return
    with instance.store.database.read() as connection:
        paths = manifest.paths(connection)
    with ThreadPoolExecutor(READING_THREADS_MAX) as threads:
        asked = {path: threads.submit(records.digest, path) for path in paths}
        try:
            yield lambda path: asked[path].result() if path in asked else records.digest(path)
        finally:
            threads.shutdown(cancel_futures=True)


def _anchor(instance: Instance, named: Path | None) -> Anchor | None:
    place = named or instance.store.anchor
    with instance.store.database.read() as connection:
        expected = named or instance.environment.anchor or checkpoints.lines(connection)
    return anchors.read(place) if expected or anchors.exists(place) else None


def standing(instance: Instance) -> dict[str, Any]:
    """How far the trail has come and how far it is signed; nothing is checked."""
    acting.require(instance, "read trail")
    with instance.store.database.read() as connection:
        last, signed = audit.last(connection), checkpoints.last(connection)
        [entry] = audit.entries(connection, after=last.seq - 1, limit=1) if last else [None]
    return {
        "entries": last.seq if last else 0, "last": entry.at if entry else "",
        "signed": signed.get("seq", 0), "checkpoint": signed.get("at", ""),
        "anchor": anchors.name_of(instance.store.anchor),
    }  # fmt: skip


def export(instance: Instance) -> Iterator[str]:
    """The whole trail as lines of JSON, for `verify_trail.py`."""
    acting.require(instance, "read trail")
    return trail_export.lines(instance.store.database, instance.clock.now())


def sign(instance: Instance) -> dict[str, Any]:
    """Sign how far the trail has come, and bring to the anchor whatever it lacks."""
    by = acting.require(instance, "read trail")
    store, at = instance.store, instance.clock.now()
    with store.begin() as connection:
        audit.append(connection, at, Telling(by.name, "made checkpoint", "trail", {}))
        line = checkpoints.add(connection, at)
    checkpoints.bring(store.database, store.anchor)
    return {"ok": True, "checkpoint": line, "anchor": anchors.name_of(store.anchor)}
