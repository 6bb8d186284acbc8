"""Immutable files of kept rows and bytes, visible only through their committed manifest rows.

A file is written under a temporary name, flushed to the disk, hashed, and renamed to a name made
here (never from a peer's words); its manifest row follows in the step's transaction. A file without
a row belongs to a step that never committed: nobody reads it and `sweep` removes it.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import polars as pl
from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    func,
    insert,
    select,
    type_coerce,
    update,
)
from sqlalchemy.engine import Row
from sqlalchemy.types import NULLTYPE

from tieout.errors import Refused
from tieout.store.database import saying_what_failed
from tieout.store.disk import filled, flush_directory, make_directory
from tieout.store.retention_schema import app_purged
from tieout.store.schema import app_manifest

PARQUET_ZSTD_LEVEL = 1  # guide/dataplane.md §4: 17 bytes a row at 1.4 million rows a second
ORPHAN_AGE_SECONDS_MIN = 86_400  # another worker's step may be between its file and its commit
NAME_CHARACTERS_MAX = 60
IDS_AT_ONCE = 500  # of one statement
_UNFIT_FOR_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_PART = ".part"
_EMPTY = pl.Categorical()  # how a text column that is empty in every row is written
_AS_TEXT = pl.ScanCastOptions(categorical_to_string="allow")

Key: TypeAlias = tuple[str, str, str, str, int]  # flow, kind, company, ledger, fiscal year
_State: TypeAlias = tuple[str, int, int]  # the hash a file was found to have, its inode, its time


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one file holds: whose it is, how much, and the hash of its bytes."""

    id: str
    run: str
    step: str
    flow: str
    kind: str
    company: str
    ledger: str
    fiscal_year: int
    path: str
    rows: int
    bytes: int
    sha256: str
    written_at: datetime
    sums: Mapping[str, str] = field(default_factory=dict)
    superseded_by: str | None = None

    @property
    def key(self) -> Key:
        """What a newer file must share to take this one's place."""
        return (self.flow, self.kind, self.company, self.ledger, self.fiscal_year)

    def brief(self) -> dict[str, object]:
        """What a step's result says about this file."""
        return {"id": self.id, "kind": self.kind, "rows": self.rows, "sha256": self.sha256}

    def told(self, seq: int) -> dict[str, object]:
        """What the trail says about it: all that stands in row `seq` but what the entry says."""
        of_the_entry = ("run", "step", "superseded_by")
        names = [name for name in self.__slots__ if name not in of_the_entry]
        return {name: getattr(self, name) for name in names} | {"seq": seq}


@dataclass(frozen=True, slots=True)
class Written:
    """One finished file, its path relative to the records directory."""

    path: str
    bytes: int
    sha256: str


class Records:
    """The directory of files, `HOME/records`."""

    def __init__(
        self, root: Path, purged: Callable[[Manifest], Refused | None] = lambda _: None
    ) -> None:
        """`purged` says that a file that is not there was purged, when it was."""
        self.root, self._purged = root, purged
        self._checked: dict[str, _State] = {}  # by path; replaced whole, so threads may share it

    def write_frame(self, place: Sequence[str], frame: pl.DataFrame) -> Written:
        """`frame` as Parquet under `place` (flow, kind, run, step); amounts stay Decimal."""

        def fill(file: BinaryIO) -> None:
            _quick(frame).write_parquet(
                file, compression="zstd", compression_level=PARQUET_ZSTD_LEVEL
            )

        return self._write(place, ".parquet", fill)

    def write_bytes(self, place: Sequence[str], data: bytes, suffix: str) -> Written:
        """`data` exactly as it is, under a name that ends with `suffix` (".csv.gz", ".json")."""
        if not re.fullmatch(r"(\.[a-z0-9]{1,8}){1,2}", suffix):
            raise ValueError(f"not a file suffix: {suffix!r}")
        return self._write(place, suffix, lambda file: _write_all(file, data))

    def _write(
        self, place: Sequence[str], suffix: str, fill: Callable[[BinaryIO], None]
    ) -> Written:
        flow, kind, *rest = [_fit(word) for word in place]
        name = "-".join([*rest, secrets.token_hex(8)]) + suffix
        directory = self.root / flow / kind
        with saying_what_failed():
            make_directory(directory)
            part = directory / (name + _PART)
            try:
                written = filled(part, fill)
                os.rename(part, directory / name)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            flush_directory(directory)
            path = f"{flow}/{kind}/{name}"
            # It was hashed as it was read back, so this process need not do it again.
            self._checked[path] = _state(written[1], (directory / name).stat())
        return Written(path, *written)

    def scan(
        self, manifests: Sequence[Manifest], schema: pl.Schema | None = None, *, source: str = "",
        more: Sequence[str] = (),
    ) -> pl.LazyFrame:  # fmt: skip
        """The rows of all `manifests`, one after the other in their order.

        `source` names a column to be added that says in which file (`Manifest.path`) a row stands,
        `more` columns of text that only some files have: null in the others.
        Without manifests the frame is empty and has `schema`. Refused when a file is missing, or is
        not the one that was written: each is hashed the first time this process reads it, and again
        when it changed since.
        """
        if not manifests:
            return pl.LazyFrame(schema=schema)
        paths = [self._intact(manifest) for manifest in manifests]
        with paths[0].open("rb") as file:
            kinds = pl.read_parquet_schema(file)
        as_written = pl.Schema((n, pl.String if k == _EMPTY else k) for n, k in kinds.items())
        as_written.update(dict.fromkeys(more, pl.String()))
        # The home may have any name; nothing in a path of ours is a pattern.
        found = pl.scan_parquet(
            paths, glob=False, hive_partitioning=False, schema=as_written, cast_options=_AS_TEXT,
            include_file_paths=source or None, missing_columns="insert" if more else "raise",
        )  # fmt: skip
        if not source:
            return found
        return found.with_columns(pl.col(source).str.strip_prefix(f"{self.root}/"))

    def read_bytes(self, manifest: Manifest) -> bytes:
        """The kept bytes, checked against their hash."""
        data = self._path(manifest).read_bytes()
        if hashlib.sha256(data).hexdigest() != manifest.sha256:
            raise _damaged(manifest, "its content is not what was written")
        return data

    def check(self, manifest: Manifest) -> None:
        """Refuse a file whose bytes are no longer those that were written."""
        with open(self._path(manifest), "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != manifest.sha256:
            raise _damaged(manifest, "its content is not what was written")

    def _intact(self, manifest: Manifest) -> Path:
        path = self._path(manifest)
        state = _state(manifest.sha256, path.stat())
        if self._checked.get(manifest.path) != state:
            self.check(manifest)
            self._checked[manifest.path] = state
        return path

    def require(self, manifest: Manifest) -> None:
        """Refuse when the file is missing or cut."""
        self._path(manifest)

    def _path(self, manifest: Manifest) -> Path:
        path = self.root / manifest.path
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            raise self._purged(manifest) or _damaged(manifest, "it is missing") from None
        if size != manifest.bytes:
            raise _damaged(manifest, f"it has {size} bytes instead of {manifest.bytes}")
        return path

    def remove(self, paths: Iterable[str]) -> None:
        """Take away files of a step that failed before its commit was tried."""
        for path in paths:
            (self.root / path).unlink(missing_ok=True)

    def sweep(
        self,
        visible: Callable[[], set[str]],
        *,
        age_seconds_min: float = ORPHAN_AGE_SECONDS_MIN,
    ) -> list[str]:
        """Remove files older than `age_seconds_min` that no manifest names; returns their paths.

        `visible` is asked after the directory was listed, so that a file committed in between
        stays. An age of 0 is for a start-up at which no other process can be running a step.
        """
        # The file system stamps files with the machine's clock, so ages are measured by it.
        newest = time.time() - age_seconds_min
        found = [path for path in self.root.rglob("*") if path.is_file()]
        old = [path for path in found if path.stat().st_mtime <= newest]
        kept = visible()
        orphans = [path for path in old if str(path.relative_to(self.root)) not in kept]
        for path in orphans:
            path.unlink(missing_ok=True)
        return sorted(str(path.relative_to(self.root)) for path in orphans)


def _quick(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with text columns that are empty in every row as categories, of which it is one.

    Polars takes five times as long to write them as text. `scan` gives them back as text.
    """
    if frame.is_empty():
        return frame
    first = frame.row(0, named=True)  # most columns are told by their first value
    empty = [n for n, kind in frame.schema.items() if kind == pl.String and first[n] == ""]
    empty = [n for n in empty if frame[n].null_count() == 0 and frame[n].max() == ""]
    return frame.with_columns(pl.col(empty).cast(_EMPTY))


def _state(sha256: str, found: os.stat_result) -> _State:
    return sha256, found.st_ino, found.st_mtime_ns


def _fit(word: str) -> str:
    return _UNFIT_FOR_NAMES.sub("_", word)[:NAME_CHARACTERS_MAX] or "_"


def _write_all(file: BinaryIO, data: bytes) -> None:
    file.write(data)


def _damaged(manifest: Manifest, why: str) -> Refused:
    return Refused(
        f"The kept file {manifest.path} of run {manifest.run} cannot be used: {why}.",
        untouched="Nothing was changed.",
        do="Restore it from a backup, or load its company and year again from the ledger.",
        who="who runs this machine",
    )


# Manifest rows


def add(connection: Connection, manifests: Sequence[Manifest]) -> dict[str, int]:
    """Make files visible; the number of each one's row, by its id."""
    rows = [{name: getattr(m, name) for name in Manifest.__slots__} for m in manifests]
    if not rows:
        return {}
    numbered = insert(app_manifest).returning(app_manifest.c.id, app_manifest.c.seq)
    return {row.id: row.seq for row in connection.execute(numbered, rows)}


def supersede(connection: Connection, key: Key, run: str) -> list[str]:
    """Retire the visible files of `key` in favour of what `run` is about to add; their ids."""
    old = update(app_manifest).where(*_key(*key), app_manifest.c.superseded_by.is_(None))
    ids = old.values(superseded_by=run).returning(app_manifest.c.id)
    return sorted(connection.execute(ids).scalars())


def retire(connection: Connection, ids: Sequence[str], run: str) -> list[str]:
    """Retire these visible files in favour of what `run` is about to add; their ids."""
    retired: list[str] = []
    for start in range(0, len(ids), IDS_AT_ONCE):
        mine = app_manifest.c.id.in_(ids[start : start + IDS_AT_ONCE])
        still = app_manifest.c.superseded_by.is_(None)
        query = update(app_manifest).where(mine, still).values(superseded_by=run)
        retired += connection.execute(query.returning(app_manifest.c.id)).scalars()
    return sorted(retired)


def _there() -> ColumnElement[bool]:
    return app_manifest.c.id.not_in(select(app_purged.c.object))


def _key(
    flow: str, kind: str, company: str | None, ledger: str | None, fiscal_year: int | None
) -> list[ColumnElement[bool]]:
    given = {"company": company, "ledger": ledger, "fiscal_year": fiscal_year}
    columns = app_manifest.c
    return [columns.flow == flow, columns.kind == kind] + [
        columns[name] == value for name, value in given.items() if value is not None
    ]


def current(
    connection: Connection,
    flow: str,
    kind: str,
    *,
    company: str | None = None,
    ledger: str | None = None,
    fiscal_year: int | None = None,
) -> list[Manifest]:
    """The files that hold now, oldest first."""
    query = select(app_manifest).where(
        *_key(flow, kind, company, ledger, fiscal_year),
        app_manifest.c.superseded_by.is_(None), _there(),
    )  # fmt: skip
    return [_read(row) for row in connection.execute(query.order_by(app_manifest.c.seq))]


def kept(
    connection: Connection, run: str, *, step: str | None = None, kind: str | None = None
) -> list[Manifest]:
    """The files a run kept, superseded or not, oldest first."""
    wanted = [app_manifest.c.run == run]
    if step is not None:
        wanted.append(app_manifest.c.step == step)
    if kind is not None:
        wanted.append(app_manifest.c.kind == kind)
    query = select(app_manifest).where(and_(*wanted)).order_by(app_manifest.c.seq)
    return [_read(row) for row in connection.execute(query)]


def before(
    connection: Connection, run: str, flow: str, kind: str, *, step: str | None = None
) -> list[Manifest]:
    """The files that held when `run` (or its `step`) began to keep files, oldest first.

    Of kinds whose files always replace those of the same key: the last step that kept some of a key
    kept all that held of it. Superseded since or not.
    """
    columns = app_manifest.c
    mine = [columns.run == run] + ([columns.step == step] if step is not None else [])
    first = select(func.min(columns.seq)).where(*mine).scalar_subquery()
    query = select(app_manifest).where(
        columns.flow == flow, columns.kind == kind, columns.seq < first
    )
    found = [_read(row) for row in connection.execute(query.order_by(columns.seq))]
    last = {m.key: (m.run, m.step) for m in found}
    return [m for m in found if last[m.key] == (m.run, m.step)]


def of_flow(connection: Connection, flow: str, kind: str) -> list[Manifest]:
    """Every file of a kind that runs of a flow kept and no purge removed, oldest first."""
    query = select(app_manifest).where(*_key(flow, kind, None, None, None), _there())
    return [_read(row) for row in connection.execute(query.order_by(app_manifest.c.seq))]


def among(connection: Connection, column: str, values: Collection[str]) -> list[Manifest]:
    """The files whose `column` (id or path) is one of `values`, whatever became of them."""
    found, wanted = [], sorted(values)
    for start in range(0, len(wanted), IDS_AT_ONCE):
        some = app_manifest.c[column].in_(wanted[start : start + IDS_AT_ONCE])
        found += [_read(row) for row in connection.execute(select(app_manifest).where(some))]
    return found


def flows_with(connection: Connection, kind: str) -> list[str]:
    """The flows that ever kept a file of this kind."""
    query = select(app_manifest.c.flow).where(app_manifest.c.kind == kind).distinct()
    return sorted(connection.execute(query).scalars())


def paths(connection: Connection) -> set[str]:
    """The path of every visible file."""
    return set(connection.execute(select(app_manifest.c.path).where(_there())).scalars())


def as_stored(connection: Connection) -> list[dict[str, object]]:
    """Every row of the manifest with every column exactly as the database holds it."""
    columns = [type_coerce(column, NULLTYPE).label(column.name) for column in app_manifest.c]
    query = select(*columns).order_by(app_manifest.c.seq)
    return [dict(row._mapping) for row in connection.execute(query)]


def _read(row: Row[Any]) -> Manifest:
    columns = dict(row._mapping)
    del columns["seq"]
    return Manifest(**columns)
