"""Immutable files of kept rows and bytes, visible only through their committed manifest rows.

A file is written once, under a name made here (never from a peer's words), and hashed; its manifest
row (`store.records`) follows in the step's transaction. A file without a row belongs to a step that
never committed: nobody reads it and `sweep` removes it. Where the files lie is one of two places:
a directory (`store.disk`) or object storage (`store.objects`).
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias
from urllib.parse import unquote, urlsplit

import polars as pl

from tieout.errors import Refused
from tieout.store.disk import Directory
from tieout.store.objects import Objects
from tieout.store.ownership import MARK, Owner, not_there, of_another
from tieout.store.records import Manifest

RECORDS_DIRECTORY, COPIES_DIRECTORY = "records", "copies"  # of the home
PARQUET_ZSTD_LEVEL = 1  # guide/dataplane.md §4: 17 bytes a row at 1.4 million rows a second
ORPHAN_AGE_SECONDS_MIN = 86_400  # another worker's step may be between its file and its commit
NAME_CHARACTERS_MAX = 60
_UNFIT_FOR_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_EMPTY = pl.Categorical()  # how a text column that is empty in every row is written
_AS_TEXT = pl.ScanCastOptions(categorical_to_string="allow")

_State: TypeAlias = tuple[str, int, int]  # the hash a file was found to have, its inode, its time


class Place(Protocol):
    """Where files lie. Paths are relative to it; FileNotFoundError for one that is not there."""

    @property
    def root(self) -> Path:
        """The directory of this machine below which `local` finds files."""

    @property
    def name(self) -> str:
        """How it is called in sentences."""

    @property
    def is_of_the_home(self) -> bool:
        """Whether no other instance can have it."""

    def is_empty(self) -> bool:
        """Whether no file is there."""

    def write(self, path: str, fill: Callable[[BinaryIO], None]) -> tuple[int, str]:
        """Keep what `fill` writes, safe when this returns: how many bytes, and their SHA-256."""

    def size(self, path: str) -> int:
        """How many bytes lie there."""

    def still(self, path: str) -> int:
        """The same, asked before a commit of what was written just now."""

    def digest(self, path: str) -> str:
        """The SHA-256 of what lies there, read now."""

    def local(self, path: str, *, anew: bool = False) -> Path:
        """The file on a disk of this machine, `anew` when the one it has cannot be right."""

    def remove(self, paths: Sequence[str]) -> None:
        """Take files away; those that are gone already are no trouble."""

    def sweep(self, visible: Callable[[], set[str]], newest: float) -> list[str]:
        """Remove what was written until `newest` (seconds since 1970) and is not `visible`.

        `visible` is asked after the files were listed, so that one committed in between stays.
        """


def place_for(named: str, home: Path, options: Mapping[str, str]) -> Place:
    """The place that TIEOUT_RECORDS names: a directory, or a URL; empty is HOME/records.

    `options` are those of object storage, by their names in the environment. Misconfigured.
    """
    if "://" in named and not named.startswith("file://"):
        return Objects(named, home / COPIES_DIRECTORY, options)
    path = unquote(urlsplit(named).path) if named.startswith("file://") else named
    usual = (home / RECORDS_DIRECTORY).absolute()
    root = (home / path).absolute() if path else usual
    return Directory(root, is_of_the_home=root == usual)


@dataclass(frozen=True, slots=True)
class Written:
    """One finished file, its path relative to the place of the records."""

    path: str
    bytes: int
    sha256: str


class Records:
    """The files of one instance."""

    def __init__(
        self, place: Place, purged: Callable[[Manifest], Refused | None], owner: Callable[[], Owner]
    ) -> None:
        """`purged` says that a file that is not there was purged; `owner`, whose records these are.

        Nothing is asked of the place before it has to be.
        """
        self.place, self._purged, self._owner = place, purged, owner
        self._claimed = place.is_of_the_home
        self._checked: dict[str, _State] = {}  # by path; replaced whole, so threads may share it

    @property
    def root(self) -> Path:
        """The directory of this machine in which the files are read."""
        return self.place.root

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
        self.claim()
        flow, kind, *rest = [_fit(word) for word in place]
        path = f"{flow}/{kind}/{'-'.join([*rest, secrets.token_hex(8)])}{suffix}"
        size, sha256 = self.place.write(path, fill)
        # It was hashed as it was read back, so this process need not do it again.
        self._checked[path] = _state(sha256, self.root / path)
        return Written(path, size, sha256)

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
        for anew in (False, True):
            data = self._local(manifest, anew=anew).read_bytes()
            if hashlib.sha256(data).hexdigest() == manifest.sha256:
                return data
        raise _damaged(manifest, "its content is not what was written")

    def check(self, manifest: Manifest) -> None:
        """Refuse a file whose bytes, where it lies, are no longer those that were written."""
        with self._missed(manifest):
            size, found = self.place.size(manifest.path), ""
            if size == manifest.bytes:
                found = self.digest(manifest.path)
        _require_size(manifest, size)
        if found != manifest.sha256:
            raise _damaged(manifest, "its content is not what was written")

    def digest(self, path: str) -> str:
        """The SHA-256 of a file where it lies, read now; FileNotFoundError."""
        return self.place.digest(path)

    def _intact(self, manifest: Manifest) -> Path:
        for anew in (False, True):
            path = self._local(manifest, anew=anew)
            state = _state(manifest.sha256, path)
            if self._checked.get(manifest.path) == state:
                return path
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found == manifest.sha256:
                self._checked[manifest.path] = state
                return path
        raise _damaged(manifest, "its content is not what was written")

    def _local(self, manifest: Manifest, *, anew: bool) -> Path:
        path = self.place.local
        with self._missed(manifest):
            found = path(manifest.path, anew=anew)
            if (size := found.stat().st_size) != manifest.bytes and not anew:
                found = path(manifest.path, anew=True)
                size = found.stat().st_size
        _require_size(manifest, size)
        return found

    def require(self, manifest: Manifest) -> None:
        """Refuse to commit a file that is missing or cut."""
        with self._missed(manifest):
            size = self.place.still(manifest.path)
        _require_size(manifest, size)

    @contextmanager
    def _missed(self, manifest: Manifest) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise self._purged(manifest) or _damaged(manifest, "it is missing") from None

    def claim(self) -> None:
        """Refuse a place that is not this instance's, before anything is written or removed there.

        A place without a mark gets one when it is empty, or holds the newest file of this instance.
        """
        if self._claimed:
            return
        owner = self._owner()
        if (found := self._mark()) is None:
            if self._is_ours(owner):
                _, found = self.place.write(MARK, lambda file: _write_all(file, owner.mark))
            # Else another process of this instance may have come first, and written since.
            elif (found := self._mark()) is None:
                raise not_there(self.place.name, owner.newest)
        if found != owner.sha256:
            raise of_another(self.place.name)
        self._claimed = True

    def _mark(self) -> str | None:
        with suppress(FileNotFoundError):
            return self.place.digest(MARK)
        return None

    def _is_ours(self, owner: Owner) -> bool:
        if not owner.newest:
            return self.place.is_empty()
        try:
            self.place.size(owner.newest)
        except FileNotFoundError:
            return False
        return True

    def probe(self) -> None:
        """Write a file, read it and take it away; Refused or Unavailable when that does not go."""
        told = b"`tieout doctor` was here."
        try:
            written = self.write_bytes(("doctor", "probe", "probe"), told, ".txt")
            try:
                same = self.digest(written.path) == written.sha256
            finally:
                self.remove([written.path])
        except OSError as error:
            raise _unfit(error.strerror or "what was written is not there") from error
        if not same:
            raise _unfit("what comes back is not what was written")

    def remove(self, paths: Iterable[str]) -> None:
        """Take away files of a step that failed before its commit was tried, or purged ones."""
        self.place.remove(list(paths))

    def sweep(
        self,
        visible: Callable[[], set[str]],
        *,
        age_seconds_min: float = ORPHAN_AGE_SECONDS_MIN,
    ) -> list[str]:
        """Remove files older than `age_seconds_min` that no manifest names; returns their paths.

        An age of 0 is for a start-up at which no other process can be running a step.
        """
        self.claim()

        def ours() -> set[str]:
            return visible() | {MARK}

        # Files are stamped by the clock of the machine or of the storage, which may differ by much
        # less than a day from each other; the clock of a test stamps none.
        return self.place.sweep(ours, time.time() - age_seconds_min)


def _quick(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with text columns that are empty in every row as categories, of which it is one.

    Polars takes five times as long to write them as text. `scan` gives them back as text.
    """
    if frame.is_empty():
        return frame
    first = frame.row(0, named=True)  # most columns are told by their first value
    empty = [n for n, kind in frame.schema.items() if kind == pl.String and first[n] == ""]
    empty = [n for n in empty if frame[n].null_count() == 0 and frame[n].max() == ""]
    if not empty:
        return frame
    # Column by column: an expression of Polars costs more than the whole of a small frame.
    return pl.DataFrame([c.cast(_EMPTY) if c.name in empty else c for c in frame.iter_columns()])


def _state(sha256: str, path: Path) -> _State:
    found = path.stat()
    return sha256, found.st_ino, found.st_mtime_ns


def _fit(word: str) -> str:
    return _UNFIT_FOR_NAMES.sub("_", word)[:NAME_CHARACTERS_MAX] or "_"


def _write_all(file: BinaryIO, data: bytes) -> None:
    file.write(data)


def _require_size(manifest: Manifest, size: int) -> None:
    if size != manifest.bytes:
        raise _damaged(manifest, f"it has {size} bytes instead of {manifest.bytes}")


def _unfit(why: str) -> Refused:
    return Refused(
        f"The place of the records cannot be used: {why}.",
        untouched="Nothing was changed.",
        do="Let TIEOUT_RECORDS name a directory that this process may write, or object storage.",
        who="who runs this machine",
    )


def _damaged(manifest: Manifest, why: str) -> Refused:
    return Refused(
        f"The kept file {manifest.path} of run {manifest.run} cannot be used: {why}.",
        untouched="Nothing was changed.",
        do="Restore it from a backup, or load its company and year again from the ledger.",
        who="who runs this machine",
    )
