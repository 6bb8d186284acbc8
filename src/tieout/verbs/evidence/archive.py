"""A ZIP that is written file by file, each hashed as it goes in, and named when it is whole."""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import polars as pl
from polars.io.plugins import register_io_source

from tieout.core.frames import Schema
from tieout.errors import Misconfigured, Refused, Trouble

COPY_BYTES = 1 << 20
READABLE = 0o644 << 16  # the mode of a file as ZIP keeps it
ROW_GROUP_ROWS = 100_000


class Archive:
    """What goes into `part`; every file has the time `at`. `files`: name → SHA-256 and bytes."""

    def __init__(self, part: Path, at: datetime) -> None:
        self.files: dict[str, tuple[str, int]] = {}
        self._part, self._time = part, at.astimezone(UTC).timetuple()[:6]
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "w+b")
        self._zip = zipfile.ZipFile(self._file, "w")

    @contextmanager
    def entry(self, name: str, *, packed: bool = False) -> Iterator[BinaryIO]:
        """A file to write to; `packed` when it is compressed already."""
        info = zipfile.ZipInfo(name, self._time)
        info.external_attr = READABLE
        info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        with self._zip.open(info, "w", force_zip64=True) as file:
            hashing = _Hashing(file)
            yield cast("BinaryIO", hashing)
        self.files[name] = (hashing.digest.hexdigest(), hashing.bytes)

    def text(self, name: str, text: str) -> None:
        """A file with this text."""
        with self.entry(name) as file:
            file.write(text.encode())

    def parquet(self, name: str, frame: pl.LazyFrame) -> None:
        """A Parquet file with the rows of `frame`, which are in memory a few at a time."""
        beside = self._part.with_suffix(".parquet")
        try:
            _sink(frame, beside)
            with beside.open("rb") as rows, self.entry(name, packed=True) as file:
                while block := rows.read(COPY_BYTES):
                    file.write(block)
        finally:
            beside.unlink(missing_ok=True)

    def parts(self, name: str, schema: Schema, parts: Iterator[pl.DataFrame]) -> None:
        """A Parquet file of frames of `schema`, of which one is in memory at a time."""
        troubles: list[Exception] = []

        def each(*_: object) -> Iterator[pl.DataFrame]:
            try:
                yield from parts
            except Trouble as trouble:  # the library would tell it in words of its own
                troubles.append(trouble)
                raise

        try:
            self.parquet(name, register_io_source(each, schema=pl.Schema(schema)))
        except pl.exceptions.PolarsError as error:
            raise (troubles[0] if troubles else error) from None

    def end(self) -> tuple[str, int]:
        """Close the ZIP and bring it to the disk; its SHA-256 and bytes."""
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.seek(0)
        digest = hashlib.file_digest(self._file, "sha256").hexdigest()
        return digest, os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Let go of the file, whatever became of it."""
        with suppress(OSError, ValueError):
            self._zip.close()
        self._file.close()


class _Hashing(io.RawIOBase):
    """Hashes and counts what is written through it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest, self.bytes = file, hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._file.write(data)
        self.digest.update(data)
        self.bytes += len(data)
        return len(data)


def _sink(frame: pl.LazyFrame, path: Path) -> None:
    try:
        frame.sink_parquet(path, row_group_size=ROW_GROUP_ROWS, maintain_order=True)
    except pl.exceptions.PolarsError as error:
        # The system's error is in the words: "… (os error 28)".
        if number := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(number[1]), str(error)) from error
        raise


@contextmanager
def made(path: Path, at: datetime) -> Iterator[tuple[Archive, Path]]:
    """An archive under a temporary name beside `path`, which is gone in the end.

    Misconfigured when there is a file of that name, or it cannot be written.
    """
    refuse_there(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        archive = Archive(part, at)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield archive, part
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        archive.close()
        part.unlink(missing_ok=True)


def refuse_there(path: Path) -> None:
    """Misconfigured when there is a file of that name."""
    if path.exists():
        raise Misconfigured(
            f"There is {path} already, and evidence is not written over.",
            untouched="Nothing was written.", do="Name another file with --to.",
        )  # fmt: skip


def _unwritable(path: Path, error: OSError) -> Refused:
    return Misconfigured(
        f"{path} cannot be written: {os.strerror(error.errno or 0)}.",
        untouched="There is no evidence pack of that name.",
    )
