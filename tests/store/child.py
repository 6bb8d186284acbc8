"""A process that works on a store and dies where it is told to; started by test_crash.py.

Usage: child.py HOME URL-or-"" PLAN RUN, where PLAN names one of the functions below.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from decimal import Decimal
from pathlib import Path

import polars as pl

from tieout.clock import SystemClock
from tieout.errors import Refused
from tieout.store.files import place_for
from tieout.store.mappings import Mapping
from tieout.store.steps import Step
from tieout.store.store import Store
from tieout.store.vault import make_key

FILE_BYTES_MAX = 200_000
LARGE_ROWS = 200_000


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def lines(rows: int = 3) -> pl.DataFrame:
    amounts = [Decimal(n * 7919 % 1_000_003).scaleb(-4) for n in range(rows)]
    return pl.DataFrame({"amount": amounts}, schema={"amount": pl.Decimal(38, 4)})


def keep(step: Step) -> dict[str, object]:
    step.keep("lines", lines(), company="00001", replace=True)
    step.keep_bytes("chunk", b"chunk 0", ".csv.gz")
    step.tell("read lines", "company 00001")
    step.move_position("updated", None, "2025-12-31")
    return {"rows": 3}


def before_the_commit(store: Store, run: str) -> None:
    """The files are on the disk, the transaction has not begun."""

    def function(step: Step) -> dict[str, object]:
        keep(step)
        die()
        return {}

    store.run_step(run, "read", function)


def inside_the_commit(store: Store, run: str) -> None:
    """The manifest rows are written, but not committed."""

    def function(step: Step) -> dict[str, object]:
        result = keep(step)
        step.after(lambda _connection: die())
        return result

    store.run_step(run, "read", function)


def while_a_file_is_written(store: Store, run: str) -> None:
    """The system ends the process at the write that exceeds its file size."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))
    store.run_step(run, "read", lambda step: {"rows": step.keep("lines", lines(LARGE_ROWS)).rows})


def after_the_commit(store: Store, run: str) -> None:
    """The step is committed; nobody was told."""
    store.run_step(run, "read", keep)
    die()


def for_ever(store: Store, run: str) -> None:
    """Commits step after step and acknowledges each on stdout."""
    number = 0
    while True:
        number += 1
        name = f"step {number}"
        store.run_step(run, name, lambda s: {"id": s.keep("lines", lines(), company="1").id})
        os.write(1, f"{name}\n".encode())


def file_too_large(store: Store, run: str) -> None:
    """The disk takes no more while a record is written."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))
    for keep_large in (
        lambda step: {"rows": step.keep("lines", lines(LARGE_ROWS)).rows},
        lambda step: {"id": step.keep_bytes("dump", b"x" * (FILE_BYTES_MAX + 1), ".csv").id},
    ):
        try:
            store.run_step(run, "read", keep_large)
        except Refused as refused:
            print(refused.sentence())


def database_too_large(store: Store, run: str) -> None:
    """The disk takes no more while the database is written."""
    size = (store.home / "tieout.sqlite").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    rows = [Mapping("account", f"{n:06}", "x" * 100) for n in range(2_000)]
    try:
        store.set_mappings(rows, "Anna")
    except Refused as refused:
        print(refused.sentence())
    try:
        store.run_step(run, "read", lambda step: {"text": "x" * 60_000})
    except Refused as refused:
        print(refused.sentence())


def key_too_large(store: Store, run: str) -> None:
    """The disk takes no more while the key is written."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
    try:
        make_key(store.home / "key")
    except Refused as refused:
        print(refused.sentence())


if __name__ == "__main__":
    home, url, plan, run_id = sys.argv[1:]
    place = place_for(os.environ.get("TIEOUT_RECORDS", ""), Path(home), os.environ)
    globals()[plan](Store(Path(home), SystemClock(), url or None, place=place), run_id)
