"""A place that two instances were given by mistake is the first one's; nothing is removed there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kept_objects import keep, kept, total
from object_storage import BUCKET, ObjectStorage

from tieout.clock import SystemClock
from tieout.errors import Misconfigured
from tieout.store.files import place_for
from tieout.store.runs import NewRun
from tieout.store.store import Store


class Two:
    """Two instances, and the one place that both are told to use."""

    def __init__(self, tmp_path: Path, named: str, options: dict[str, str]) -> None:
        self.named, self.options = named, options
        self.first, self.second = (self.instance(tmp_path / name) for name in ("one", "two"))

    def instance(self, home: Path) -> Store:
        home.mkdir(exist_ok=True)
        store = Store(home, SystemClock(), place=place_for(self.named, home, self.options))
        store.migrate()
        if not store.runs():
            store.new_run(NewRun("actuals", "load_actuals", "Anna"))
        return store


@pytest.fixture(params=["directory", "bucket"])
def two(
    request: pytest.FixtureRequest, tmp_path: Path, object_storage: ObjectStorage, prefix: str
) -> Two:
    if request.param == "directory":
        return Two(tmp_path, f"file://{tmp_path}/shared", {})
    return Two(tmp_path, f"s3://{BUCKET}/{prefix}", object_storage.options())


def run_of(store: Store) -> str:
    return store.runs()[0].id


def test_a_second_instance_neither_writes_nor_removes_where_the_first_has_its_records(
    two: Two,
) -> None:
    manifest = kept(two.first, run_of(two.first))

    with pytest.raises(Misconfigured, match="holds the records of another instance"):
        two.second.sweep(age_seconds_min=0)
    with pytest.raises(Misconfigured, match="holds the records of another instance"):
        two.second.run_step(run_of(two.second), "read", keep)

    assert two.second.kept(run_of(two.second)) == []
    two.first.records.check(manifest)
    assert two.first.sweep(age_seconds_min=0) == []
    assert total(two.instance(two.first.home), manifest) == 1


def test_of_two_processes_that_are_the_first_to_write_to_a_new_place_neither_is_refused(
    two: Two,
) -> None:
    class Later:
        """The place, found without a mark and looked into when the other process has written."""

        def __init__(self) -> None:
            self._place = place_for(two.named, two.first.home, two.options)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._place, name)

        def is_empty(self) -> bool:
            keep_in(two.first, "read first")
            return self._place.is_empty()

    second = Store(two.first.home, SystemClock(), place=Later())

    keep_in(second, "read second")

    assert len(second.kept(run_of(second))) == 2


def keep_in(store: Store, step: str) -> None:
    store.run_step(run_of(store), step, keep)


def test_an_instance_told_of_another_place_does_not_go_on_there(two: Two, tmp_path: Path) -> None:
    """As when a command is run without the variables of the others: half of its records would lie
    elsewhere."""
    kept(two.first, run_of(two.first))
    elsewhere = place_for(str(tmp_path / "elsewhere"), tmp_path, {})
    stray = Store(two.first.home, SystemClock(), place=elsewhere)

    with pytest.raises(Misconfigured, match=r"the newest one \(actuals/lines/.*\) is not there"):
        stray.run_step(run_of(stray), "read more", keep)

    assert not (tmp_path / "elsewhere").exists()


def test_a_place_with_files_of_nobody_we_know_is_not_begun_in(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "thesis.doc").write_text("mine")
    two = Two(tmp_path, str(tmp_path / "shared"), {})

    with pytest.raises(Misconfigured, match="other files are there"):
        two.first.sweep(age_seconds_min=0)

    assert [path.name for path in (tmp_path / "shared").iterdir()] == ["thesis.doc"]


def test_records_that_were_moved_are_known_by_the_newest_of_them(
    tmp_path: Path, object_storage: ObjectStorage, prefix: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    before = Store(home, SystemClock())
    before.migrate()
    run = before.new_run(NewRun("actuals", "load_actuals", "Anna")).id
    manifest = kept(before, run)
    object_storage.move_in(prefix, home / "records")

    moved = Store(home, SystemClock(), place=object_storage.place(prefix, home / "copies"))
    moved.run_step(run, "read more", keep)

    assert total(moved, manifest) == 1
    assert len(object_storage.names(prefix)) == 2
