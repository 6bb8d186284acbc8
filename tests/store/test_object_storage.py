"""Records in object storage: what goes wrong there is told in a sentence, and nothing is lost."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import pytest
from certificates import signed_certificate
from kept_objects import keep, kept, total
from object_storage import BUCKET, HURRIED, Fault, ObjectStorage

from tieout.clock import SystemClock
from tieout.errors import Misconfigured, Refused, Trouble, Unavailable
from tieout.store import bucket, seals, trail_export
from tieout.store.disk import Directory
from tieout.store.files import place_for
from tieout.store.objects import Objects
from tieout.store.runs import Ending, NewRun
from tieout.store.steps import Step
from tieout.store.store import Store
from tieout.store.verify_trail import verify

LARGE_BYTES = bucket.CHUNK_BYTES + 1
DONE = Ending("complete", "Tied.", 0, {})
DAY = 86_400


def fetched(storage: ObjectStorage) -> int:
    """How many files were fetched."""
    return len([asked for asked in storage.asked if re.match("GET .*[.]parquet", asked)])


# ------------------------------------------------------------------ what the storage says

WRITES: dict[str, tuple[Fault, type[Trouble], str]] = {
    "is too busy": (Fault("PUT"), Unavailable, "does not answer, or answers that it cannot"),
    "has failed inside": (Fault("PUT", status=500), Unavailable, "does not answer"),
    "never answers": (Fault("PUT", status=0), Unavailable, "does not answer"),
    "denies": (Fault("PUT", status=403, code="AccessDenied"), Refused, r"refuses to write.*Denied"),
    "knows no such key": (
        Fault("PUT", status=403, code="InvalidAccessKeyId"), Refused, "InvalidAccessKeyId",
    ),
    "has no such bucket": (
        Fault("PUT", status=404, code="NoSuchBucket"), Misconfigured, f"no bucket {BUCKET}",
    ),
    "is of another region": (
        Fault("PUT", status=301, code="PermanentRedirect"), Refused, "does not understand how to",
    ),
}  # fmt: skip


@pytest.mark.parametrize("says", WRITES)
def test_a_step_whose_file_the_storage_does_not_take_says_so_and_changes_nothing(
    stored: Store, begun: str, object_storage: ObjectStorage, prefix: str, says: str
) -> None:
    fault, kind, words = WRITES[says]
    object_storage.faults = [fault]

    with pytest.raises(kind, match=words) as told:
        stored.run_step(begun, "read", keep)

    assert told.value.untouched == "Nothing was changed by this step."
    assert told.value.do
    assert told.value.who
    assert "s3-secret-canary" not in told.value.sentence() + told.value.evidence
    assert stored.steps(begun) == []
    assert object_storage.names(prefix) == []
    assert list(stored.records.root.rglob("*.parquet*")) == []


def test_a_storage_that_takes_nothing_away_either_does_not_hide_why_a_step_failed(
    stored: Store, begun: str, object_storage: ObjectStorage
) -> None:
    def fails(step: Step) -> dict[str, object]:
        keep(step)
        object_storage.faults = [Fault("", status=403, code="AccessDenied")]
        raise Refused("The ledger does not answer.")

    with pytest.raises(Refused, match="ledger does not answer"):
        stored.run_step(begun, "read", fails)


def test_a_request_that_failed_once_is_tried_again(
    stored: Store, begun: str, object_storage: ObjectStorage, prefix: str
) -> None:
    object_storage.faults = [Fault("PUT", times=1), Fault("GET", status=500, times=1)]

    manifest = kept(stored, begun)

    assert object_storage.names(prefix) == [manifest.path]
    assert total(stored, manifest) == 1


@pytest.mark.parametrize("hours", [0, 6])
def test_a_commit_asks_for_files_again_only_when_a_sweep_may_have_come_by(
    object_storage: ObjectStorage, prefix: str, tmp_path: Path, hours: int
) -> None:
    patience = dataclasses.replace(HURRIED, acknowledged_seconds=hours * 3600)
    place = object_storage.place(prefix, tmp_path / "copies", patience)
    store = Store(tmp_path, SystemClock(), place=place)
    store.migrate()
    run = store.new_run(NewRun("actuals", "load_actuals", "Anna")).id

    def swept(step: Step) -> dict[str, object]:
        keep(step)
        object_storage.delete(prefix, object_storage.names(prefix)[-1])
        return {}

    kept(store, run)
    assert len([asked for asked in object_storage.asked if asked.startswith("HEAD")]) == (not hours)
    if not hours:
        with pytest.raises(Refused, match="it is missing"):
            store.run_step(run, "read for a day", swept)
    store.close()


def test_tries_end_after_a_bound(stored: Store, begun: str, object_storage: ObjectStorage) -> None:
    object_storage.faults = [Fault("PUT")]

    with pytest.raises(Unavailable):
        stored.run_step(begun, "read", keep)

    tries = [asked for asked in object_storage.asked if asked.startswith("PUT")]
    assert len(tries) == 1 + HURRIED.retries_max


def test_nobody_answers_at_a_wrong_address(object_storage: ObjectStorage, tmp_path: Path) -> None:
    options = object_storage.options(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    place = Objects("s3://records/x", tmp_path, options, HURRIED)

    with pytest.raises(Unavailable, match=r"s3://records/x at http://127.0.0.1:9") as told:
        place.write("a/b/c", lambda file: file.write(b"x") and None)

    assert told.value.evidence == "Connect"


def test_a_bucket_that_is_not_there_is_told_from_a_file_that_is_not_there(
    object_storage: ObjectStorage, bucket_place: Objects, tmp_path: Path
) -> None:
    strange = Objects("s3://nowhere/x", tmp_path / "c", object_storage.options(), HURRIED)

    for ask in (strange.size, strange.digest, strange.local, lambda _: strange.sweep(set, 1)):
        with pytest.raises(Misconfigured, match="no bucket nowhere at http"):
            ask("a/b/c")
    for ask in (bucket_place.size, bucket_place.digest, bucket_place.local):
        with pytest.raises(FileNotFoundError):
            ask("a/b/c")


def test_a_certificate_that_nobody_here_trusts_is_named_and_ours_is_trusted(
    object_storage: ObjectStorage, tmp_path: Path
) -> None:
    ours, of_the_server = signed_certificate(tmp_path)
    with object_storage.encrypted(of_the_server) as address:
        options = object_storage.options(AWS_ENDPOINT_URL=address, AWS_ALLOW_HTTP="")
        trusting = Objects("s3://records/tls", tmp_path, options | {"AWS_CA_BUNDLE": str(ours)})
        trusting.write("a/b/c", lambda file: file.write(b"x") and None)
        assert trusting.size("a/b/c") == 1

        others = Objects("s3://records/tls", tmp_path, options, HURRIED)
        with pytest.raises(Misconfigured, match="not one that this machine trusts"):
            others.size("a/b/c")


REFUSED_URLS: dict[str, tuple[str, dict[str, str], str]] = {
    "a scheme of something else": ("ftp://records/x", {}, "TIEOUT_RECORDS names no place"),
    "a password in it": ("s3://me:canary@records/x", {}, "TIEOUT_RECORDS names no place"),
    "a query": ("az://records/x?sig=canary", {}, "TIEOUT_RECORDS names no place"),
    "no bucket": ("s3:///x", {}, "TIEOUT_RECORDS names no place"),
    "an unencrypted address": (
        "s3://records/x", {"AWS_ENDPOINT_URL": "http://minio:9000"}, "unencrypted",
    ),
    "certificates that are not there": (
        "s3://records/x", {"AWS_CA_BUNDLE": "/nowhere/ca.pem"}, "cannot be read: No such file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("has", REFUSED_URLS)
def test_a_place_that_cannot_be_meant_is_refused_at_once(tmp_path: Path, has: str) -> None:
    url, options, words = REFUSED_URLS[has]

    with pytest.raises(Misconfigured, match=words) as told:
        place_for(url, tmp_path, options)

    assert "canary" not in told.value.sentence()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_named_by_path_or_url_and_the_other_storages_by_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for named, root in (
        ("", tmp_path / "records"),
        ("elsewhere", tmp_path / "elsewhere"),
        ("/mnt/records", Path("/mnt/records")),
        ("file:///mnt/our%20records", Path("/mnt/our records")),
    ):
        found = place_for(named, tmp_path, {})
        assert isinstance(found, Directory)
        assert found.root == root
    with pytest.raises(Misconfigured, match="az://container/a cannot be opened: Account must be"):
        place_for("az://container/a", tmp_path, {})
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "finance")  # the library reads it by itself
    for named in ("s3://bucket/a/b", "az://container/a", "gs://bucket"):
        assert isinstance(place_for(named, tmp_path, {}), Objects)


# ------------------------------------------------------------------ what lies there


def test_a_file_that_vanished_or_was_changed_there_is_named_with_its_run(
    stored: Store, begun: str, object_storage: ObjectStorage, prefix: str
) -> None:
    manifest = kept(stored, begun)
    whole = (stored.records.root / manifest.path).read_bytes()
    told = f"{manifest.path} of run {begun} cannot be used"
    for data, why in (
        (whole[:-1] + b"!", "its content is not what was written"),
        (whole[:-1], f"it has {len(whole) - 1} bytes instead of {len(whole)}"),
        (None, "it is missing"),
    ):
        object_storage.delete(prefix, manifest.path)
        if data is not None:
            object_storage.put(prefix, manifest.path, data)
        with pytest.raises(Refused, match=f"{told}: {why}"):
            stored.records.check(manifest)
        elsewhere = object_storage.place(prefix, stored.home / f"other {why}")
        reader = Store(stored.home, SystemClock(), place=elsewhere)
        for read in (reader.read_bytes, lambda m: reader.scan([m])):  # noqa: B023 - used at once
            with pytest.raises(Refused, match=f"{told}: {why}"):
                read(manifest)
        reader.close()


def test_the_check_of_the_trail_reads_the_objects_and_not_their_copies(
    stored: Store, begun: str, object_storage: ObjectStorage, prefix: str
) -> None:
    manifest = kept(stored, begun)
    stored.finish_run(begun, DONE)

    def problems() -> list[str]:
        lines = trail_export.lines(stored.database, stored.clock.now())
        key = seals.read(stored.home / seals.TRAIL_KEY_FILE).seal_key
        return verify(lines, None, stored.records.digest, key, seals.signed).problems

    assert problems() == []
    object_storage.put(prefix, manifest.path, b"x" * manifest.bytes)
    assert ["is not the one that was written" in p for p in problems()] == [True]
    object_storage.delete(prefix, manifest.path)
    assert ["is missing or cannot be read" in p for p in problems()] == [True]
    assert total(stored, manifest) == 1, "the copy of this machine is whole"


@pytest.mark.parametrize("damage", ["gone", "cut", "changed"])
def test_a_copy_that_is_damaged_is_fetched_anew(stored: Store, begun: str, damage: str) -> None:
    manifest = kept(stored, begun)
    copy = stored.records.root / manifest.path
    whole = copy.read_bytes()
    for read in (
        lambda: total(stored, manifest) == 1,
        lambda: stored.read_bytes(manifest) == whole,
    ):
        if damage == "gone":
            copy.unlink()
        else:
            copy.write_bytes(whole[:-1] + (b"" if damage == "cut" else b"!"))
        assert read()
        assert copy.read_bytes() == whole


def test_a_file_is_fetched_once_and_what_was_written_here_never(
    stored: Store, begun: str, object_storage: ObjectStorage, prefix: str, tmp_path: Path
) -> None:
    manifest = kept(stored, begun)
    assert total(stored, manifest) == 1
    assert fetched(object_storage) == 0

    reader = Store(tmp_path, SystemClock(), place=object_storage.place(prefix, tmp_path / "other"))
    for _ in range(3):
        assert total(reader, manifest) == 1
    reader.close()
    assert fetched(object_storage) == 1


def test_an_answer_that_breaks_off_is_not_taken_for_the_file(
    stored: Store, begun: str, object_storage: ObjectStorage
) -> None:
    manifest = kept(stored, begun)
    (stored.records.root / manifest.path).unlink()
    object_storage.faults = [Fault("GET", words=".parquet", cut=True)]

    with pytest.raises(Unavailable):
        total(stored, manifest)

    assert list(stored.records.root.rglob("*.parquet*")) == []
    object_storage.faults = [Fault("GET", words=".parquet", cut=True, times=1)]
    assert total(stored, manifest) == 1


def test_a_large_file_goes_up_in_parts_and_comes_back_as_it_was(
    object_storage: ObjectStorage, prefix: str, tmp_path: Path
) -> None:
    data = os.urandom(LARGE_BYTES)
    place = object_storage.place(prefix, tmp_path / "copies")

    size, sha256 = place.write("a/b/c", lambda file: file.write(data) and None)

    assert len([a for a in object_storage.asked if "partNumber=" in a]) == 2
    assert (size, sha256) == (place.size("a/b/c"), place.digest("a/b/c"))
    assert place.local("a/b/c", anew=True).read_bytes() == data


def test_a_file_that_is_used_again_is_not_hashed_again(
    stored: Store, begun: str, object_storage: ObjectStorage, prefix: str, tmp_path: Path
) -> None:
    """The hash that a process found holds while inode and time of writing are the same."""
    manifest = kept(stored, begun)
    place = object_storage.place(prefix, tmp_path / "other")
    copy = place.local(manifest.path)
    os.utime(copy, (1, copy.stat().st_mtime))
    before = copy.stat()

    after = place.local(manifest.path).stat()

    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert after.st_atime > before.st_atime, "and who makes room sees that it was used"
