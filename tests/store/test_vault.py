"""Sealed credentials open with their key, under their name, unchanged; or not at all."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from tieout.errors import KeyTrouble, Misconfigured
from tieout.store.store import Store
from tieout.store.vault import Key, make_key, read_key, seal, unseal

FIELDS = {"username": "TIEOUT", "password": "päss wörd \U0001f511"}
CANARY = "canary-7f3a-not-for-any-table"


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return make_key(tmp_path / "key")


def test_a_sealed_credential_opens_with_its_key(key: Key) -> None:
    sealed = seal(key, "erp", FIELDS)
    assert unseal(key, "erp", sealed) == FIELDS
    assert FIELDS["password"] not in sealed
    assert seal(key, "erp", FIELDS) != sealed, "the same password never looks the same twice"


def test_no_byte_of_a_sealed_credential_can_be_changed(key: Key) -> None:
    sealed = seal(key, "erp", FIELDS)
    for place, character in enumerate(sealed):
        for bit in range(7):
            changed = sealed[:place] + chr(ord(character) ^ 1 << bit) + sealed[place + 1 :]
            with pytest.raises(KeyTrouble):
                unseal(key, "erp", changed)


def test_a_sealed_credential_cannot_be_cut_short(key: Key) -> None:
    sealed = seal(key, "erp", FIELDS)
    for length in range(len(sealed)):
        with pytest.raises(KeyTrouble):
            unseal(key, "erp", sealed[:length])


def test_nothing_can_be_added_to_a_sealed_credential(key: Key) -> None:
    sealed = seal(key, "erp", FIELDS)
    twice = sealed.replace('"fields":{', '"fields":{},"fields":{', 1)
    for changed in (sealed + " ", sealed.replace(",", ", ", 1), twice):
        assert changed != sealed
        with pytest.raises(KeyTrouble):
            unseal(key, "erp", changed)


def test_credentials_cannot_be_swapped_between_names_or_fields(key: Key) -> None:
    erp, planning = seal(key, "erp", FIELDS), seal(key, "planning", FIELDS)
    with pytest.raises(KeyTrouble, match="belongs to another name"):
        unseal(key, "planning", erp)
    parts, others = json.loads(erp), json.loads(planning)

    def spelled(**changes: object) -> str:
        return json.dumps(
            {**parts, **changes}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )

    assert unseal(key, "erp", spelled()) == FIELDS
    fields = parts["fields"]
    for changed in (
        {"username": fields["password"], "password": fields["username"]},
        {"username": fields["username"]},
        {**fields, "password": others["fields"]["password"]},
        {},
    ):
        with pytest.raises(KeyTrouble):
            unseal(key, "erp", spelled(fields=changed))
    with pytest.raises(KeyTrouble):
        unseal(key, "erp", spelled(data_key=others["data_key"]))


def test_another_key_is_named_beside_the_one_that_is_needed(key: Key, tmp_path: Path) -> None:
    sealed = seal(key, "erp", FIELDS)
    other = make_key(tmp_path / "other")
    with pytest.raises(KeyTrouble) as refused:
        unseal(other, "erp", sealed)
    sentence = refused.value.sentence()
    assert key.fingerprint in sentence
    assert other.fingerprint in sentence
    assert refused.value.exit_code == 9


def test_a_key_is_never_overwritten_and_never_shown(key: Key, tmp_path: Path) -> None:
    before = (tmp_path / "key").read_bytes()
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyTrouble, match="already"):
        make_key(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == before
    assert repr(key) == "Key()"


@pytest.mark.parametrize("content", [b"", b"not base64!", b"c2hvcnQ=\n"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyTrouble, match="it is not a key"):
        read_key(path)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660])
def test_a_key_others_can_read_is_refused(key: Key, tmp_path: Path, mode: int) -> None:
    os.chmod(tmp_path / "key", mode)
    with pytest.raises(KeyTrouble, match="Other users of this machine can read the key"):
        read_key(tmp_path / "key")


def test_a_stored_credential_is_in_no_table_no_file_and_no_log_in_clear(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("sqlalchemy").setLevel(logging.DEBUG)
    make_key(store.home / "key")
    store.safe.put("erp", {"username": "TIEOUT", "password": CANARY}, "Anna")
    assert store.safe.opened("erp") == {"username": "TIEOUT", "password": CANARY}
    [note] = store.safe.listed()
    assert (note.name, note.set_by) == ("erp", "Anna")
    with store.database.read() as connection:
        sealed = connection.execute(text("SELECT sealed FROM app_secret")).scalar_one()
    told = [entry.detail for entry in store.audit()]
    logging.getLogger("sqlalchemy").setLevel(logging.NOTSET)
    assert "INSERT INTO app_secret" in caplog.text, "the log is as talkative as it can be"
    assert CANARY not in sealed + str(note) + str(told) + caplog.text
    for path in store.home.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path


def test_a_credential_can_be_set_again_and_a_missing_one_is_named(store: Store) -> None:
    make_key(store.home / "key")
    store.safe.put("erp", {"password": "old"}, "Anna")
    store.safe.put("erp", {"password": "new"}, "Ben")
    assert store.safe.opened("erp") == {"password": "new"}
    with pytest.raises(Misconfigured, match="No credentials are stored for planning"):
        store.safe.opened("planning")


def test_a_lost_key_stops_what_needs_it_and_is_not_replaced_unasked(store: Store) -> None:
    store.safe.make_key("Anna")
    first = read_key(store.home / "key")
    store.safe.put("erp", {"password": "old"}, "Anna")
    (store.home / "key").rename(store.home / "kept elsewhere")
    with pytest.raises(KeyTrouble, match=first.fingerprint) as refused:
        store.safe.opened("erp")
    assert "`tieout init --new-key`" in refused.value.do
    with pytest.raises(KeyTrouble, match=f"erp .key {first.fingerprint}.") as refused:
        store.safe.make_key("Anna")
    assert "`tieout init --new-key`" in refused.value.do
    assert not (store.home / "key").exists()
    (store.home / "kept elsewhere").rename(store.home / "key")
    assert store.safe.opened("erp") == {"password": "old"}


def test_under_a_new_key_credentials_are_entered_again_one_by_one(store: Store) -> None:
    store.safe.make_key("Anna")
    first = read_key(store.home / "key")
    for name in ("erp", "planning"):
        store.safe.put(name, {"password": "old"}, "Anna")
    (store.home / "key").rename(store.home / "lost")
    store.safe.make_key("Ben", anew=True)
    second = read_key(store.home / "key")

    store.safe.put("erp", {"password": "new"}, "Ben")
    assert store.safe.opened("erp") == {"password": "new"}
    with pytest.raises(KeyTrouble) as refused:
        store.safe.opened("planning")
    assert first.fingerprint in refused.value.what
    assert second.fingerprint in refused.value.what
    assert "`tieout connect NAME`" in refused.value.do
    held = {note.name: note.key_fingerprint for note in store.safe.listed()}
    assert held == {"erp": second.fingerprint, "planning": first.fingerprint}
    store.safe.put("planning", {"password": "new"}, "Ben")
    assert store.safe.opened("planning") == {"password": "new"}

    told = [(e.actor, e.act, e.told) for e in store.audit() if e.actor == "Ben"]
    sealed = {"erp": first.fingerprint, "planning": first.fingerprint}
    made = {"key": second.fingerprint, "sealed_with_others": sealed}
    again = {"fields": ["password"], "key": second.fingerprint, "replaced_key": first.fingerprint}
    assert told == [
        ("Ben", "made key", made),
        ("Ben", "set credential", again),
        ("Ben", "set credential", again),
    ]


def test_a_key_that_is_there_is_never_replaced_by_a_new_one(store: Store) -> None:
    store.safe.make_key("Anna")
    before = (store.home / "key").read_bytes()
    with pytest.raises(KeyTrouble, match="already"):
        store.safe.make_key("Anna", anew=True)
    assert (store.home / "key").read_bytes() == before
    assert [entry.act for entry in store.audit()] == ["made key"]


def test_a_disk_too_full_for_a_key_leaves_no_half_of_one(
    store: Store, child: Callable[[Store, str, str], list[str]]
) -> None:
    before = sorted(store.home.iterdir())
    done = subprocess.run(
        child(store, "key_too_large", "-"), capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("The disk of this instance is full")
    assert sorted(store.home.iterdir()) == before
