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


def test_books_are_loaded_corrected_copied_and_purged_in_object_storage(
    stored: Books, object_storage: ObjectStorage, prefix: str
) -> None:
    stored.change_flow("[flows.accounts]", f"{RULES}\n[flows.accounts]")
    last = stored.load_everything()
    assert_tied(stored, last)
    paths = {path for (path,) in rows(stored, "select path from app_manifest")}
    assert set(object_storage.names(prefix)) == paths
    assert not (stored.home / "records").exists()

    # Another machine has none of the files: all is fetched, and the run goes on as ever.
    shutil.rmtree(stored.home / "copies")
    stored.event("late_post")
    loaded = stored.run()
    assert_tied(stored, loaded)
    assert seeing.reproduce(stored.instance, loaded.id)["ok"]
    assert trace(stored.instance, Wanted(company="00001", account="5005"))
    assert trail.check(stored.instance)["ok"]

    advance(stored, LONG_AGO)
    stored.event("late_post")
    assert_tied(stored, stored.run())
    before = set(object_storage.names(prefix))
    shown = retaining.preview(stored.instance)
    purge(stored)
    gone = {item["path"] for item in shown["items"] if item["path"]}
    assert gone
    assert set(object_storage.names(prefix)) == before - gone
    assert not [path for path in gone if (stored.home / "copies" / path).exists()]
    assert trail.check(stored.instance)["ok"]
    assert_tied(stored, stored.tie_out())


def test_a_purge_covers_no_loss_in_the_storage_up_although_its_copy_is_whole(
    stored: Books, object_storage: ObjectStorage, prefix: str
) -> None:
    stored.change_flow("[flows.accounts]", f"{RULES}\n[flows.accounts]")
    assert stored.run("accounts").outcome == "complete"
    advance(stored, LONG_AGO)
    assert stored.run("accounts").outcome == "complete"
    item = next(i for i in retaining.preview(stored.instance)["items"] if i["path"])
    object_storage.delete(prefix, item["path"])

    with pytest.raises(Refused, match="it is missing"):
        purge(stored)


def test_a_storage_that_stops_answering_stops_the_run_and_the_next_one_carries_on(
    stored: Books, object_storage: ObjectStorage
) -> None:
    object_storage.faults = [Fault("PUT", words="actuals/", status=403, code="AccessDenied")]
    stopped = stored.run()
    assert (stopped.outcome, stopped.exit_code) == ("failed", 4)
    assert "refuses to write files in s3://records/books/" in stopped.sentence
    assert stored.store.current("actuals", "lines") == []

    object_storage.faults.clear()
    assert_tied(stored, stored.load_everything())
