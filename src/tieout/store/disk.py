"""Files that a power cut does not take away again, readable by their owner alone."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import polars as pl

from tieout.store.database import disk_trouble


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
