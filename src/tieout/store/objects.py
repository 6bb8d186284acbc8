"""Object storage as the place of the records: one object a file, read through copies of this disk.

An object is put whole under its final name or not at all; what no manifest row names is swept.
Whoever reads needs all bytes of a file anyway, to hash them: so each is fetched once and kept as a
copy on the disk of this machine, from which it is scanned like any file. Copies are worth nothing:
they may be removed at any time, and one that is damaged is fetched anew.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tieout.store.bucket import Bucket, Patience
from tieout.store.database import saying_what_failed
from tieout.store.disk import PART, filled, make_directory, swept

COPIES_BYTES_MAX = 8 * 1024**3
COPY_UNUSED_SECONDS_MIN = 3600  # a younger one may be of a scan that is going on
SWEPT = ".swept"  # its time is that of the last sweep by this machine


class Objects:
    """A bucket, or a prefix of one, as the place of the records (`store.files.Place`)."""

    is_of_the_home = False

    def __init__(
        self, url: str, copies: Path, options: Mapping[str, str], patience: Patience | None = None
    ) -> None:
        """`copies` may be a directory yet to be made; for the rest see `Bucket`. Misconfigured."""
        self.url, self.root = url, copies
        self._patience = patience or Patience()
        self._bucket = Bucket(url, options, self._patience)
        self._fetched_bytes = 0
        self._put: dict[str, tuple[float, int]] = {}  # when the storage had it, and its size

    @property
    def name(self) -> str:
        """Its URL."""
        return self.url

    def is_empty(self) -> bool:
        """Whether there is no object."""
        return next(self._bucket.listed(), None) is None

    def write(self, path: str, fill: Callable[[BinaryIO], None]) -> tuple[int, str]:
        """Put what `fill` writes under its final name; it is safe when the storage says so."""
        with saying_what_failed(), self._part(path) as part:
            written = filled(part, fill)
            # A name of ours is drawn: what a repeated request overwrites is its own first try.
            self._bucket.put(path, part)
            self._put[path] = time.monotonic(), written[0]
            part.rename(self.root / path)
        return written

    def size(self, path: str) -> int:
        """How many bytes the object has."""
        return self._bucket.size(path)

    def still(self, path: str) -> int:
        """The same of what was written just now: the storage said that it has it.

        It is asked when so much time has passed that a sweep may have come by.
        """
        at, size = self._put.pop(path, (0.0, -1))
        lately = size >= 0 and time.monotonic() - at < self._patience.acknowledged_seconds
        return size if lately else self.size(path)

    def digest(self, path: str) -> str:
        """The SHA-256 of the object."""
        digest = hashlib.sha256()
        for chunk in self._bucket.chunks(path):
            digest.update(chunk)
        return digest.hexdigest()

    def local(self, path: str, *, anew: bool = False) -> Path:
        """The copy on this disk; the object is fetched when there is none."""
        copy = self.root / path
        if not anew and copy.exists():
            os.utime(copy, ns=(time.time_ns(), copy.stat().st_mtime_ns))  # used, and unchanged
            return copy
        with saying_what_failed(), self._part(path) as part:
            with part.open("xb") as file:
                for chunk in self._bucket.chunks(path):
                    self._fetched_bytes += file.write(chunk)
            part.rename(copy)
        if self._fetched_bytes > COPIES_BYTES_MAX // 8:
            self._fetched_bytes = 0
            self.make_room()
        return copy

    def remove(self, paths: Sequence[str]) -> None:
        """Delete the objects, and their copies on this disk."""
        for path in paths:
            (self.root / path).unlink(missing_ok=True)
        self._bucket.delete(paths)

    def sweep(self, visible: Callable[[], set[str]], newest: float) -> list[str]:
        """Delete old objects, and copies of what is not kept any more.

        The storage is listed only when something can have become old since this machine last did.
        """
        mark, orphans = self.root / SWEPT, list[str]()
        if not mark.exists() or mark.stat().st_mtime <= newest:
            old = [one.name for one in self._bucket.listed() if one.written <= newest]
            kept = visible()
            orphans = sorted(path for path in old if path not in kept)
            self.remove(orphans)
            with saying_what_failed():
                make_directory(self.root)
                mark.touch()
        for name in swept(self.root, visible, newest):
            if name != SWEPT:
                (self.root / name).unlink(missing_ok=True)
        return orphans

    @contextmanager
    def _part(self, path: str) -> Iterator[Path]:
        """Where to put what is not complete yet."""
        copy = self.root / path
        make_directory(copy.parent)
        part = copy.with_name(f"{copy.name}.{secrets.token_hex(4)}{PART}")
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)

    def make_room(self, bytes_max: int = COPIES_BYTES_MAX) -> None:
        """Remove copies, those used last excepted, until so few bytes of them are left."""
        copies = [(p, p.stat()) for p in self.root.rglob("*") if p.is_file()]
        left = sum(found.st_size for _, found in copies)
        oldest_first = sorted(copies, key=lambda copy: copy[1].st_atime)
        for path, found in oldest_first:
            if left <= bytes_max or found.st_atime > time.time() - COPY_UNUSED_SECONDS_MIN:
                return
            path.unlink(missing_ok=True)
            left -= found.st_size
