"""What is left in object storage, or as a copy, and nobody needs, goes; nothing else does."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from kept_objects import kept
from object_storage import ObjectStorage

from tieout.store import objects, records
from tieout.store.files import ORPHAN_AGE_SECONDS_MIN
from tieout.store.objects import COPY_UNUSED_SECONDS_MIN, Objects
from tieout.store.ownership import MARK
from tieout.store.store import Store


def test_orphans_go_after_a_day_and_what_is_younger_or_visible_stays(
    stored: Store, begun: str, object_storage: ObjectStorage, prefix: str, bucket_place: Objects
) -> None:
    manifest = kept(stored, begun)
    object_storage.put(prefix, "actuals/lines/orphan.parquet", b"x")
    both = object_storage.names(prefix)

    assert stored.sweep() == []
    assert object_storage.names(prefix) == both
    now = datetime.now(UTC).timestamp()
    with stored.database.read() as connection:
        visible = records.paths(connection) | {MARK}
    assert bucket_place.sweep(lambda: visible, now + ORPHAN_AGE_SECONDS_MIN) == [
        "actuals/lines/orphan.parquet"
    ]
    assert object_storage.names(prefix) == [manifest.path]


def test_the_storage_is_listed_only_when_something_can_have_become_old(
    stored: Store, begun: str, object_storage: ObjectStorage
) -> None:
    def listed() -> int:
        return len([asked for asked in object_storage.asked if "list-type=2" in asked])

    stored.records.claim()
    object_storage.asked.clear()
    for _ in range(3):
        stored.sweep()
    assert listed() == 1
    mark = stored.records.root / objects.SWEPT
    yesterday = datetime.now(UTC).timestamp() - ORPHAN_AGE_SECONDS_MIN - 1
    os.utime(mark, (yesterday, yesterday))
    stored.sweep()
    assert listed() == 2


def test_a_copy_of_what_another_machine_purged_goes_too(
    stored: Store, begun: str, object_storage: ObjectStorage, prefix: str, tmp_path: Path
) -> None:
    manifest = kept(stored, begun)
    other = object_storage.place(prefix, tmp_path / "other")
    copy = other.local(manifest.path)

    stored.records.remove([manifest.path])  # by a purge, which is told to nobody but the database
    assert object_storage.names(prefix) == []
    assert not (stored.records.root / manifest.path).exists()
    assert copy.exists()
    other.sweep(set, datetime.now(UTC).timestamp() + 1)
    assert not copy.exists()


def test_copies_that_nobody_used_lately_make_room_for_others(
    bucket_place: Objects,
) -> None:
    names = [f"a/b/{n}" for n in range(5)]
    for name in names:
        bucket_place.write(name, lambda file: file.write(bytes(100)) and None)
    long_ago = datetime.now(UTC).timestamp() - COPY_UNUSED_SECONDS_MIN - 9
    for n, name in enumerate(names[:4]):
        os.utime(bucket_place.root / name, (long_ago - 9 + n, long_ago))

    bucket_place.make_room(bytes_max=250)

    assert [name for name in names if (bucket_place.root / name).exists()] == names[3:]
    bucket_place.make_room(bytes_max=0)
    left = [name for name in names if (bucket_place.root / name).exists()]
    assert left == names[4:], "one that was just used may be of a scan that is going on"
    assert bucket_place.size(names[0]) == 100, "the objects stay"
