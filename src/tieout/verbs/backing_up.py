"""A backup of an instance: its database as of one moment and the files that it names."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tieout.app import Instance
from tieout.errors import Misconfigured, Refused
from tieout.store import backup
from tieout.store.backup import SNAPSHOTS_MAX, STEP
from tieout.store.database import Database
from tieout.store.disk import PART, make_directory
from tieout.store.seals import TRAIL_KEY_FILE
from tieout.store.store import DATABASE_FILE
from tieout.verbs import acting

RIGHT: Final = "back up"


def back_up(instance: Instance, to: Path) -> dict[str, Any]:
    """Bring the backup in the directory `to` up to date, or begin it.

    Runs go on meanwhile. The keys are not in it. Misconfigured for an instance on PostgreSQL,
    which has tools of its own, and for a place within the instance.
    """
    by = acting.require(instance, RIGHT)
    to = to.absolute()
    if not instance.store.database.is_sqlite:
        raise Misconfigured(
            "This instance is on PostgreSQL, which is backed up by its own tools.",
            untouched="Nothing was copied.",
            do="Use pg_dump or the backup of the server first, then copy the records: each file of "
            "them is written once and never changed.",
            who="who runs the database",
        )
    if to == instance.home or instance.home in to.parents:
        raise Misconfigured(
            f"{to} is within the instance that is to be backed up.",
            untouched="Nothing was copied.", do="Name a directory on another disk.",
        )  # fmt: skip
    with backup.alone(instance.home):
        return _backed_up(instance, to, by.name)


def _backed_up(instance: Instance, to: Path, by: str) -> dict[str, Any]:
    make_directory(to)
    store, place = instance.store, to / DATABASE_FILE
    part = place.with_name(place.name + PART)
    moment = instance.failpoint()
    for number in range(SNAPSHOTS_MAX):
        backup.copy_database(store.database, part)
        moment(STEP, "database")
        copy = Database.at(part, store.home / TRAIL_KEY_FILE)
        try:
            backup.note_what_may_leave(copy, by, instance.clock.now())
            done = backup.copy_files(copy, store.records, to)
        except FileNotFoundError as error:
            if number + 1 == SNAPSHOTS_MAX:
                raise _missing(error) from error
            continue
        finally:
            copy.close()
        moment(STEP, "files")
        backup.put_in_place(part, place)  # last: until now an earlier backup was whole
        return {"ok": True, "to": str(to), **asdict(done)}
    raise AssertionError("unreachable")


def _missing(error: FileNotFoundError) -> Refused:
    return Refused(
        f"The kept file {error.filename} is not there, so the backup is not complete.",
        untouched="The instance is as it was; what was copied before stays.",
        do="Restore this file from an earlier backup; `tieout audit verify` names others.",
        who="who runs this machine",
    )
