"""Where checkpoints are kept outside the database: lines of a file, or objects of a bucket.

In a bucket each line is an object of its own, named by its number and its hash: nothing is ever
written over another, and a lock of objects can hold each of them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from tieout.errors import Misconfigured, Trouble
from tieout.store.bucket import Bucket
from tieout.store.columns import parsed
from tieout.store.verify_trail import Anchor, read_anchor

Anchored: TypeAlias = Path | Bucket

TAIL_BYTES_MAX = 16_384  # some lines of an anchor, of which the last whole one is wanted
NUMBER_DIGITS, HASH_DIGITS = 12, 16  # of the name of an object
NUMBERS_LOOKED_THROUGH_MAX = 900  # before the newest, in one listing
READING_THREADS_MAX = 16


def named(text: str, options: Mapping[str, str]) -> Anchored | None:
    """What TIEOUT_ANCHOR names: a file, or a URL of object storage; None when it names nothing."""
    if "://" in text:
        return Bucket(text, options, variable="TIEOUT_ANCHOR")
    return Path(text).absolute() if text else None


def name_of(anchor: Anchored) -> str:
    """How it is called in sentences."""
    return anchor.url if isinstance(anchor, Bucket) else str(anchor)


def exists(anchor: Anchored) -> bool:
    """Whether anything was ever kept there; Misconfigured when a bucket does not say."""
    if isinstance(anchor, Path):
        return anchor.exists()
    with _saying(anchor, "read"):
        return next(anchor.listed(), None) is not None


def content(anchor: Anchored) -> bytes:
    """All its lines, as a file holds them; Misconfigured when there are none to be read."""
    with _saying(anchor, "read"):
        if isinstance(anchor, Path):
            return anchor.read_bytes()
        names = [one.name for one in anchor.listed()]
        if not names:
            raise unfit(anchor, "there are none", "read")
        with ThreadPoolExecutor(READING_THREADS_MAX) as threads:
            found = threads.map(lambda name: _line(anchor, name), names)
            return "".join(f"{line}\n" for line in found).encode()


def read(anchor: Anchored) -> Anchor:
    """What the anchor says; Misconfigured when it is not there."""
    return read_anchor(content(anchor).decode(errors="replace").split("\n"))


def last(anchor: Anchored, newest: int) -> dict[str, Any]:
    """The last checkpoint there; empty when it has none yet.

    `newest` is the number of the last one that there is: it cannot be far from the end.
    """
    with _saying(anchor, "written"):
        if isinstance(anchor, Path):
            return _last_line(anchor)
        nearly = _number(max(0, newest - NUMBERS_LOOKED_THROUGH_MAX))
        names = [one.name for one in anchor.listed(nearly)] or [o.name for o in anchor.listed()]
        found = read_anchor([_line(anchor, names[-1])]).checkpoints if names else ()
        return parsed(found[-1]) if found else {}


def add(anchor: Anchored, new: Sequence[str]) -> None:
    """Keep these lines there, on the disk when this returns."""
    with _saying(anchor, "written"):
        if isinstance(anchor, Path):
            _append(anchor, new)
            return
        for line in new:
            digest = hashlib.sha256(line.encode()).hexdigest()[:HASH_DIGITS]
            name = f"{_number(parsed(line).get('n', 0))}-{digest}.json"
            anchor.put(name, line.encode())


def unfit(anchor: Anchored, why: str, verb: str = "written") -> Misconfigured:
    """The refusal of an anchor that cannot be used."""
    return Misconfigured(
        f"The checkpoints in {name_of(anchor)} cannot be {verb}: {why.rstrip('.')}.",
        untouched="The trail, and the checkpoints in the database, are as they were.",
        do="Let TIEOUT_ANCHOR name a file that this process may append to, or a bucket that it may "
        "list, read and write; the next checkpoint brings what is missing there.",
        who="who runs this machine",
    )


@contextmanager
def _saying(anchor: Anchored, verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unfit(anchor, os.strerror(error.errno or 0), verb) from error
    except Misconfigured as trouble:
        raise (
            trouble
            if trouble.what.startswith("The checkpoints")
            else unfit(anchor, trouble.what, verb)
        ) from trouble
    except Trouble as trouble:
        raise unfit(anchor, trouble.what, verb) from trouble


def _number(n: int) -> str:
    return f"{n:0{NUMBER_DIGITS}}"


def _line(bucket: Bucket, name: str) -> str:
    return b"".join(bucket.chunks(name)).decode(errors="replace")


def _last_line(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES_MAX))
        tail = file.read().decode(errors="replace").split("\n")
    found = read_anchor(tail).checkpoints
    return parsed(found[-1]) if found else {}


def _append(anchor: Path, new: Sequence[str]) -> None:
    descriptor = os.open(anchor, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        torn = size and os.pread(descriptor, 1, size - 1) != b"\n"  # by a power cut
        os.write(descriptor, ("\n" * bool(torn) + "\n".join(new) + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
