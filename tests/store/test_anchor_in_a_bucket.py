"""Checkpoints as objects of a bucket hold what a file of them holds, and are never replaced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from object_storage import BUCKET, Fault, ObjectStorage

from tieout.clock import SystemClock
from tieout.store import anchors, trail_export
from tieout.store.columns import canonical, parsed
from tieout.store.runs import Ending, NewRun
from tieout.store.store import Store
from tieout.store.verify_trail import verify

DONE = Ending("complete", "Tied.", 0, {})


@pytest.fixture
def anchored(object_storage: ObjectStorage, prefix: str, tmp_path: Path) -> Iterator[Store]:
    """A store that keeps its checkpoints in a bucket."""
    url = f"s3://{BUCKET}/{prefix}/anchor"
    anchor = anchors.named(url, object_storage.options())
    opened = Store(tmp_path, SystemClock(), anchor=anchor)
    opened.migrate()
    yield opened
    opened.close()


def ended_run(store: Store) -> str:
    run = store.new_run(NewRun("actuals", "load_actuals", "Anna")).id
    store.finish_run(run, DONE)
    return run


def checked(store: Store) -> list[str]:
    lines = trail_export.lines(store.database, store.clock.now())
    return verify(lines, anchors.read(store.anchor)).problems


def test_every_checkpoint_is_an_object_of_its_own_and_none_is_ever_written_over(
    anchored: Store, object_storage: ObjectStorage, prefix: str
) -> None:
    assert not anchors.exists(anchored.anchor)
    for _ in range(3):
        ended_run(anchored)

    names = object_storage.names(f"{prefix}/anchor")
    assert [name.partition("-")[0] for name in names] == [f"{n:012}" for n in range(4)]
    assert anchors.read(anchored.anchor).unreadable == 0
    assert len(anchors.read(anchored.anchor).checkpoints) == 3
    assert checked(anchored) == []
    assert anchors.exists(anchored.anchor)


def test_of_two_checkpoints_with_one_number_both_stay(anchored: Store) -> None:
    """As of two copies of a database that both went on."""
    ended_run(anchored)
    [line] = anchors.read(anchored.anchor).checkpoints

    anchors.add(anchored.anchor, [canonical(parsed(line) | {"run": "actuals-of-the-other"})])

    found = anchors.read(anchored.anchor).checkpoints
    assert [parsed(one)["n"] for one in found] == [1, 1]
    assert line in found


def test_an_older_copy_of_the_database_is_found_out_by_the_bucket(
    anchored: Store, object_storage: ObjectStorage, prefix: str
) -> None:
    ended_run(anchored)
    anchored.close()
    older = (anchored.home / "tieout.sqlite").read_bytes()
    ended_run(anchored)
    anchored.close()
    (anchored.home / "tieout.sqlite").write_bytes(older)

    assert any("of the anchor is not in the database" in p for p in checked(anchored))
    ended_run(anchored)
    names = object_storage.names(f"{prefix}/anchor")
    assert len(names) == 3, "what the bucket has stays, and no other takes its number"


def test_a_run_ends_without_its_bucket_and_the_next_brings_what_is_missing(
    anchored: Store, object_storage: ObjectStorage, prefix: str
) -> None:
    object_storage.faults = [Fault("PUT", status=403, code="AccessDenied")]
    run = ended_run(anchored)
    told = [e for e in anchored.audit(run=run) if e.act == "could not write anchor"]
    assert [e.object for e in told] == [f"s3://{BUCKET}/{prefix}/anchor"]
    assert "refuses to write" in str(told[0].detail)

    object_storage.faults.clear()
    ended_run(anchored)
    assert len(anchors.read(anchored.anchor).checkpoints) == 2
    assert checked(anchored) == []
