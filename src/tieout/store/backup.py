"""A copy of a SQLite instance that can be put in its place: one moment, and the files it names."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from tieout.core.posting import PUT_BACK, may_leave
from tieout.errors import Busy, Refused
from tieout.store import batches, journals, records
from tieout.store.database import Database, saying_what_failed
from tieout.store.disk import Directory, flush_directory, make_directory
from tieout.store.files import RECORDS_DIRECTORY, Records
from tieout.store.journals import Mover
from tieout.store.own_sqlite import sqlite3
from tieout.store.records import Manifest

PAGES_AT_ONCE = 4096  # of the database, between which writers go on
LOCK_FILE = "backup.lock"
STEP = "backup"  # in which it happens, as the trail of the copy tells
ALONE = "PRAGMA journal_mode = DELETE"  # the file alone is the database
SNAPSHOTS_MAX = 3  # tried when a purge took away what the first one names


@dataclass(frozen=True, slots=True)
class Copied:
    """What a backup holds now: files that were copied, and those that were there already."""

    files: int
    bytes: int
    there_before: int


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Busy while another backup of the instance in `home` is under way: both would write one copy.

    The lock lies in the home, which is never on a network disk, as a backup may be.
    """
    descriptor = os.open(home / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                "Another backup of this instance is under way.", untouched="Nothing was copied.",
                do="Begin this one when that has ended.",
            ) from None  # fmt: skip
        yield
    finally:
        os.close(descriptor)


def copy_database(database: Database, to: Path) -> None:
    """Copy a SQLite database as it is at one moment, whoever writes meanwhile, and try the copy.

    Refused for a copy that is not sound. A copy in `to`, such as that of a killed backup, goes.
    """
    with saying_what_failed(), _saying_what_was_not_written():
        discard(to)
        os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with (
            closing(database.engine.raw_connection()) as source,
            closing(sqlite3.connect(to)) as copy,
        ):
            held = source.driver_connection
            assert held is not None
            # Else SQLite begins anew whenever somebody has written, and never ends among writers.
            held.execute("BEGIN")
            held.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
            held.backup(copy, pages=PAGES_AT_ONCE)
            held.rollback()
            copy.execute(ALONE)
            found = [row[0] for row in copy.execute("PRAGMA quick_check")]
        if found != ["ok"]:
            discard(to)
            raise Refused(
                f"The copy of the database is not sound: {found[0]}.",
                untouched="The instance and an earlier backup are as they were.",
                do="Run `tieout doctor`, check the disk, then try again.",
                who="who runs this machine",
            )


def note_what_may_leave(copy: Database, by: str, at: datetime) -> None:
    """In a copy: what is approved and has not left may have left by the time it is put back.

    So it is looked for during a quiet period there, like everything whose outcome is not known: a
    call may wait at JD Edwards, which shows nothing of it.
    """
    with copy.begin() as connection:
        for batch in batches.listed(connection, states=("approved",)):
            for one in journals.listed(connection, batch=batch.id, states=("reserved",)):
                mover, told = Mover(by, step=STEP), {"reason": PUT_BACK}
                journals.settle(connection, one, may_leave(one.posting), told, mover, at)


def put_in_place(part: Path, to: Path) -> None:
    """Let a whole copy, whose files are there, take the place of that of an earlier backup."""
    with saying_what_failed(), _saying_what_was_not_written():
        with closing(sqlite3.connect(part)) as copy:
            copy.execute(ALONE)
        _forget_logs(to)  # of a killed backup: they would be read into this one
        os.replace(part, to)
        flush_directory(to.parent)


def discard(copy: Path) -> None:
    """Remove a copy with its logs."""
    copy.unlink(missing_ok=True)
    _forget_logs(copy)


def _forget_logs(of: Path) -> None:
    for end in ("-wal", "-shm", "-journal"):
        of.with_name(of.name + end).unlink(missing_ok=True)


@contextmanager
def _saying_what_was_not_written() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Refused(
            "The copy of the database could not be written.",
            untouched="The instance and an earlier backup are as they were.",
            do="See that the disk of the backup has room and can be written, then try again.",
            who="who runs this machine",
            evidence=str(error),
        ) from error


def copy_files(copy: Database, kept: Records, to: Path) -> Copied:
    """Copy every file that the copied database names and `to` has not, each checked by its hash.

    FileNotFoundError when one was purged since the database was copied.
    """
    place = Directory(to / RECORDS_DIRECTORY, is_of_the_home=True)
    make_directory(place.root)
    files = size = before = 0
    for manifest in _named(copy):
        if _is_there(place, manifest):
            before += 1
            continue

        def fill(file: BinaryIO, manifest: Manifest = manifest) -> None:
            with kept.place.local(manifest.path).open("rb") as source:
                shutil.copyfileobj(source, file)

        written, digest = place.write(manifest.path, fill)
        if digest != manifest.sha256:
            place.remove([manifest.path])
            raise Refused(
                f"The kept file {manifest.path} of run {manifest.run} is not the one that was "
                "written, so it is not in the backup.",
                untouched="The instance is as it was; what was copied before stays.",
                do="Restore this file from an earlier backup; `tieout audit verify` names others.",
                who="who runs this machine",
            )
        files, size = files + 1, size + written
    return Copied(files, size, before)


def _named(copy: Database) -> Iterator[Manifest]:
    with copy.read() as connection:
        yield from records.there(connection)


def _is_there(place: Directory, manifest: Manifest) -> bool:
    """Only whole files have their name, and the hash of each was checked when it got it."""
    try:
        return place.size(manifest.path) == manifest.bytes
    except FileNotFoundError:
        return False
