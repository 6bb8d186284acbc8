"""A process killed between an upload and its commit leaves an object that nobody ever sees."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from demo_home import Home
from object_storage import BUCKET, ObjectStorage

from tieout.clock import SystemClock
from tieout.store.store import Store

PREFIX = "killed"
KILLED_AT = "write the file:inside"  # what it keeps is in the storage, nothing is committed


def test_a_load_killed_between_an_upload_and_its_commit_loads_right_and_the_orphan_goes(
    home: Home, object_storage: ObjectStorage, tmp_path: Path
) -> None:
    object_storage.move_in(PREFIX, home.path / "records")
    shutil.rmtree(home.path / "records")
    storage = object_storage.options(TIEOUT_RECORDS=f"s3://{BUCKET}/{PREFIX}")
    home.practice()
    home.control("jde", "event", name="late_post")

    died = home.run("run", "actuals", env=storage | {"TIEOUT_KILL_AT": KILLED_AT})

    assert died.code == -signal.SIGKILL, died.err
    orphans = set(object_storage.names(PREFIX)) - visible(home)
    assert orphans

    done = home.run("run", "actuals", "--json", env=storage)
    assert (done.code, done.json["outcome"]) == (0, "complete"), done.err
    assert orphans < set(object_storage.names(PREFIX)), "young ones may be of another worker"
    store = Store(home.path, SystemClock(), place=object_storage.place(PREFIX, tmp_path / "c"))
    assert set(store.sweep(age_seconds_min=0)) >= orphans
    store.close()
    assert set(object_storage.names(PREFIX)) == visible(home)
    assert not (home.path / "records").exists()


def visible(home: Home) -> set[str]:
    """What the manifest names."""
    return {path for (path,) in home.rows("select path from app_manifest")}
