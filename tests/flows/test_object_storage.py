"""With the records in object storage a load, its proof and all that is read later are the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from books import Books, assert_tied
from object_storage import BUCKET, Fault, ObjectStorage
from retained import LONG_AGO, RULES, advance, purge, rows

from tieout.errors import Refused
from tieout.flows.drill import Wanted
from tieout.verbs import retaining, seeing, trail
from tieout.verbs.tracing import trace


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    return f"books/{tmp_path.name}"


@pytest.fixture
def stored(
    unloaded: Books, object_storage: ObjectStorage, prefix: str, tmp_path: Path
) -> Iterator[Books]:
    """Books never loaded, whose records of the members were moved from a directory to a bucket."""
    object_storage.move_in(prefix, unloaded.home / "records")
    made = unloaded.copy(
        tmp_path / "home", records=f"s3://{BUCKET}/{prefix}", storage=object_storage.options()
    )
    shutil.rmtree(made.home / "records")
    yield made
    made.close()


def test_books_are_loaded_there_although_it_failed_once_and_are_the_same_on_another_machine(
    stored: Books, object_storage: ObjectStorage, prefix: str
) -> None:
    object_storage.faults = [Fault("PUT", words="actuals/", status=403, code="AccessDenied")]
    stopped = stored.run()
    assert (stopped.outcome, stopped.exit_code) == ("failed", 4)
    assert "refuses to write files in s3://records/books/" in stopped.sentence
    assert stored.store.current("actuals", "lines") == []

    object_storage.faults.clear()
    assert_tied(stored, stored.load_everything())
    paths = {path for (path,) in rows(stored, "select path from app_manifest")}
    assert set(object_storage.names(prefix)) == paths
    assert not (stored.home / "records").exists()

    shutil.rmtree(stored.home / "copies")  # another machine has none of the files
    stored.event("late_post")
    loaded = stored.run()
    assert_tied(stored, loaded)
    assert seeing.reproduce(stored.instance, loaded.id)["ok"]
    assert trace(stored.instance, Wanted(company="00001", account="5005"))["found"]
    assert trail.check(stored.instance)["ok"]


def test_a_purge_removes_the_objects_and_covers_no_loss_up_although_a_copy_is_whole(
    stored: Books, object_storage: ObjectStorage, prefix: str
) -> None:
    stored.change_flow("[flows.accounts]", f"{RULES}\n[flows.accounts]")
    assert stored.run("accounts").outcome == "complete"
    advance(stored, LONG_AGO)
    assert stored.run("accounts").outcome == "complete"
    due = [item["path"] for item in retaining.preview(stored.instance)["items"] if item["path"]]
    lost = (stored.home / "copies" / due[0]).read_bytes()
    object_storage.delete(prefix, due[0])
    with pytest.raises(Refused, match="it is missing"):
        purge(stored)

    object_storage.put(prefix, due[0], lost)
    before = set(object_storage.names(prefix))
    purge(stored)

    assert set(object_storage.names(prefix)) == before - set(due)
    assert not [path for path in due if (stored.home / "copies" / path).exists()]
    assert trail.check(stored.instance)["ok"]
