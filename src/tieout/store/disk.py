"""Files that a power cut does not take away again, readable by their owner alone.

`Directory` is the place of the records that needs nothing but a disk: a file is written under a
temporary name, flushed, and renamed, so that nobody ever finds half of one under its own name.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import polars as pl

from tieout.store.database import disk_trouble, saying_what_failed

PART = ".part"  # the end of the name of a file that is not complete


def write_private(path: Path, data: bytes) -> None:
    """Make `path` (0600) with `data`, on the disk when this returns; FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def flush_directory(directory: Path) -> None:
    """Bring the names in `directory` to the disk: a power cut may forget those of new files."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Make `directory` (0700) and those above it."""
    if directory.exists():
        return
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in missing:
        flush_directory(path.parent)


def filled(part: Path, fill: Callable[[BinaryIO], None]) -> tuple[int, str]:
    """Make `part` (0600) with what `fill` writes; how many bytes, and their hash as read back."""
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w+b") as file:
        try:
            fill(file)
            file.flush()
            os.fsync(descriptor)
        except pl.exceptions.PolarsError as error:
            raise _disk_error(error) from error
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return os.fstat(descriptor).st_size, digest


def _disk_error(error: pl.exceptions.PolarsError) -> Exception:
    # Polars wraps the system's error; its number stands in the words: "… (os error 28)".
    number = re.search(r"\(os error (\d+)\)", str(error))
    trouble = disk_trouble(OSError(int(number[1]), str(error))) if number else None
    return trouble or error


class Directory:
    """A directory of this machine as the place of the records (`store.files.Place`)."""

    def __init__(self, root: Path, *, is_of_the_home: bool = True) -> None:
        self.root, self.is_of_the_home = root, is_of_the_home

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.root)

    def is_empty(self) -> bool:
        """Whether no file is in it."""
        return not any(path.is_file() for path in self.root.rglob("*"))

    def write(self, path: str, fill: Callable[[BinaryIO], None]) -> tuple[int, str]:
        """Keep what `fill` writes; a power cut does not take it away once this has returned."""
        whole = self.root / path
        with saying_what_failed():
            make_directory(whole.parent)
            part = whole.with_name(whole.name + PART)
            try:
                written = filled(part, fill)
                os.rename(part, whole)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            flush_directory(whole.parent)
        return written

    def size(self, path: str) -> int:
        """How many bytes it has."""
        return (self.root / path).stat().st_size

    still = size

    def digest(self, path: str) -> str:
        """Its SHA-256."""
        with (self.root / path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def local(self, path: str, *, anew: bool = False) -> Path:
        """Where it is; there is no other copy, so `anew` is the same file."""
        return self.root / path

    def remove(self, paths: Sequence[str]) -> None:
        """Unlink them."""
        for path in paths:
            (self.root / path).unlink(missing_ok=True)

    def sweep(self, visible: Callable[[], set[str]], newest: float) -> list[str]:
        """Unlink old files, also those that were never completed."""
        found = swept(self.root, visible, newest)
        self.remove(found)
        return found


def swept(root: Path, visible: Callable[[], set[str]], newest: float) -> list[str]:
    """The files below `root` that were written until `newest` and are not `visible`."""
    found = [path for path in root.rglob("*") if path.is_file()]
    old = []
    for path in found:
        with suppress(FileNotFoundError):  # another process was faster
            if path.stat().st_mtime <= newest:
                old.append(path)
    kept = visible()
    return sorted(name for path in old if (name := str(path.relative_to(root))) not in kept)
