"""Claims about the key of an instance: where it may be, that a wrong one is named, its change."""

from __future__ import annotations

import base64
import os
import shlex
import signal
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tieout.clock import SystemClock
from tieout.errors import KeyTrouble, Misconfigured
from tieout.settings import KeySources, environment
from tieout.store import sign_in, vault
from tieout.store.keys import KeyPlace, in_home, place_for
from tieout.store.rotation import Rewrapped, Rotation
from tieout.store.store import Store

SECRETS = {
    "erp": {"username": "TIEOUT", "password": "päss"},
    "planning": {"password": "key of planning"},
}


def drawn() -> str:
    return base64.b64encode(os.urandom(vault.KEY_BYTES)).decode()


def sources(**chosen: str) -> KeySources:
    return KeySources(chosen, variables=dict(os.environ))


def printing(*keys: str) -> str:
    """A command that prints keys."""
    return shlex.join([sys.executable, "-c", f"print({chr(10).join(keys)!r})"])


@pytest.mark.parametrize("kind", ["file", "environment", "command", "credential"])
def test_a_key_is_read_from_where_it_is_kept(tmp_path: Path, kind: str) -> None:
    key, path = drawn(), tmp_path / "tieout-key"
    path.write_text(key + "\n")
    path.chmod(0o400)
    named = {
        "file": sources(TIEOUT_KEY_FILE=str(path)),
        "environment": sources(TIEOUT_KEY=key),
        "command": sources(TIEOUT_KEY_COMMAND=printing(key)),
        "credential": KeySources(credentials=str(tmp_path)),
    }[kind]
    place = place_for(tmp_path / "home", named)
    assert place.kind == kind
    assert [k.secret for k in place.held()] == [base64.b64decode(key)]
    assert key not in f"{place} {place.name} {named}"


def test_a_key_of_systemd_may_be_read_by_the_user_of_the_service_and_nobody_else(
    tmp_path: Path,
) -> None:
    """systemd grants it by an access list, whose mask stands where the mode has the group."""
    (tmp_path / "tieout-key").write_text(drawn())
    place = place_for(tmp_path, KeySources(credentials=str(tmp_path)))
    (tmp_path / "tieout-key").chmod(0o440)
    assert len(place.held()) == 1
    (tmp_path / "tieout-key").chmod(0o444)
    with pytest.raises(KeyTrouble, match="Other users"):
        place.held()


def test_several_places_of_one_key_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="TIEOUT_KEY and TIEOUT_KEY_COMMAND name several"):
        place_for(tmp_path, sources(TIEOUT_KEY=drawn(), TIEOUT_KEY_COMMAND="cat key"))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("no-such-program --key", r"what `no-such-program …` prints: No such file"),
        (f"{sys.executable} -c 'raise SystemExit(\"token=abc sealed\")'", r"exit code 1 \(token=…"),
        ("echo", "it is not a key"),
        ("echo not-a-key", "it is not a key"),
    ],
)
def test_a_command_that_prints_no_key_is_told_with_what_it_said(
    tmp_path: Path, command: str, words: str
) -> None:
    with pytest.raises(KeyTrouble, match=words) as refused:
        place_for(tmp_path, sources(TIEOUT_KEY_COMMAND=command)).held()
    assert refused.value.exit_code == 9


def test_a_command_does_not_get_what_it_could_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = shlex.join([sys.executable, "-c", "import os; print(os.environ['TIEOUT_TOKEN'])"])
    monkeypatch.setenv("TIEOUT_TOKEN", drawn())
    monkeypatch.setenv("TIEOUT_KEY_COMMAND", asks)
    place = place_for(tmp_path, environment(str(tmp_path)).key)
    with pytest.raises(KeyTrouble, match="KeyError: 'TIEOUT_TOKEN'"):
        place.held()


# ------------------------------------------------------------------ the key that seals


def sealed(store: Store) -> Store:
    store.safe.make_key("Anna")
    for name, fields in SECRETS.items():
        store.safe.put(name, fields, "Anna")
    return store


def all_open(store: Store) -> bool:
    return {name: store.safe.opened(name) for name in SECRETS} == SECRETS


def again(store: Store, keys: KeyPlace | None = None) -> Store:
    """The same instance as another process opens it."""
    url = store.database.url if not store.database.is_sqlite else None
    return Store(store.home, SystemClock(), url, keys=keys)


def test_a_wrong_key_is_named_before_anything_is_done_and_nothing_is_overwritten(
    store: Store,
) -> None:
    sealed(store)
    right = (store.home / "key").read_bytes()
    fingerprint = in_home(store.home).fingerprints()
    wrong = KeyPlace("environment", drawn())
    other = again(store, wrong)
    before = [(note.name, note.key_fingerprint) for note in store.safe.listed()]
    for use in (other.safe.check, lambda: other.safe.put("erp", {"password": "x"}, "Ben")):
        with pytest.raises(KeyTrouble) as refused:
            use()
        assert refused.value.exit_code == 9
        assert f"sealed with the key {fingerprint}" in refused.value.what
        assert wrong.fingerprints() in refused.value.what
    other.close()
    assert [(note.name, note.key_fingerprint) for note in store.safe.listed()] == before
    assert (store.home / "key").read_bytes() == right
    store.safe.check()
    assert all_open(store)


def test_an_instance_of_before_takes_the_key_that_its_trail_tells(store: Store) -> None:
    sealed(store)
    with store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM app_key")
    other = again(store, KeyPlace("environment", drawn()))
    with pytest.raises(KeyTrouble, match="sealed with the key"):
        other.safe.check()
    assert store.safe.known() == []
    store.safe.check()
    [key] = store.safe.known()
    assert (key.fingerprint, key.state) == (in_home(store.home).fingerprints(), "current")
    other.close()


# ------------------------------------------------------------------ its change


def change(store: Store, moment: object = None) -> Rewrapped | None:
    rotation = Rotation(
        store.safe, store.database, SystemClock(), "Anna", moment or (lambda _: None)
    )
    new = rotation.prepare()
    moment and moment("prepared")  # type: ignore[operator]  # a test's own
    done = rotation.rewrap(new) if new else None
    moment and moment("rewrapped")  # type: ignore[operator]  # the same
    rotation.retire()
    return done


def test_a_changed_key_opens_everything_and_the_one_before_opens_nothing(store: Store) -> None:
    sealed(store)
    sign_in.keep(store.home, store.safe.keys, "token-of-anna")
    old = in_home(store.home).fingerprints()
    done = change(store)
    assert done is not None
    assert (done.old, done.credentials, done.left) == (old, 2, 0)
    assert in_home(store.home).fingerprints() == done.new != old
    assert all_open(store)
    assert sign_in.token(store.home, store.safe.keys) == "token-of-anna"
    assert {note.key_fingerprint for note in store.safe.listed()} == {done.new}
    retired = store.home / f"key.retired-{old}"
    assert retired.stat().st_mode & 0o777 == 0o600
    before = again(store, KeyPlace("file", str(retired)))
    with pytest.raises(KeyTrouble, match=f"sealed with the key {done.new}"):
        before.safe.check()
    before.close()
    acts = [(entry.act, entry.told) for entry in store.audit()][-2:]
    assert acts == [
        ("began key rotation", {"key": old, "next_key": done.new}),
        ("rotated key", {"key": done.new, "retired_key": old, "credentials": 2, "left": 0}),
    ]


POINTS = ("drawn", "prepared", "rewrapped", "kept")


@pytest.mark.parametrize("point", POINTS)
def test_a_change_that_is_killed_leaves_every_credential_readable_and_goes_on(
    store: Store, point: str
) -> None:
    sealed(store)
    sign_in.keep(store.home, store.safe.keys, "token-of-anna")
    old = in_home(store.home).fingerprints()

    def dies(at: str) -> None:
        if at == point:
            os.kill(os.getpid(), signal.SIGKILL)

    store.close()
    child = os.fork()
    if child == 0:
        try:
            change(again(store), dies)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

    for _ in range(2):  # another process, before and after it goes on
        found = again(store)
        found.safe.check()
        assert all_open(found)
        assert sign_in.token(store.home, found.safe.keys) == "token-of-anna"
        change(found)
        found.close()
    ended = again(store)
    states = [(key.fingerprint == old, key.state) for key in ended.safe.known()]
    assert states.count((True, "retired")) == 1
    assert [state for _, state in states].count("current") == 1
    assert "next" not in dict(states).values()
    assert all_open(ended)
    ended.close()


def test_a_prepared_key_seals_nothing_until_every_machine_has_it(store: Store) -> None:
    sealed(store)
    old = in_home(store.home).fingerprints()
    alone = again(store, KeyPlace("environment", (store.home / "key").read_text()))
    Rotation(store.safe, store.database, SystemClock(), "Anna", lambda _: None).prepare()
    store.safe.put("erp", SECRETS["erp"], "Ben")
    assert {note.key_fingerprint for note in store.safe.listed()} == {old}
    assert all_open(alone), "a machine that has the old key alone goes on"
    alone.close()


def test_a_key_that_others_keep_is_changed_when_they_add_a_new_one(store: Store) -> None:
    old, new = drawn(), drawn()

    def place(*keys: str) -> Mapping[str, KeyPlace]:
        return {"keys": KeyPlace("environment", " ".join(keys))}

    first = again(store, **place(old))
    first.safe.check()
    first.safe.put("erp", SECRETS["erp"], "Anna")
    with pytest.raises(KeyTrouble, match="There is no new key in the environment"):
        change(first)
    both = again(store, **place(old, new))
    done = change(both)
    assert done is not None
    assert done.credentials == 1
    last = again(store, **place(new))
    assert last.safe.opened("erp") == SECRETS["erp"]
    with pytest.raises(KeyTrouble, match="The credentials of this instance are sealed with"):
        first.safe.check()
    for one in (first, both, last):
        one.close()


def test_a_credential_that_was_changed_stops_the_change_of_the_key(store: Store) -> None:
    sealed(store)
    with store.begin() as connection:
        connection.exec_driver_sql(
            'UPDATE app_secret SET sealed = replace(sealed, \'"password":"\', \'"password":"A\')'
            " WHERE name = 'planning'"
        )
    held = {note.name: note.key_fingerprint for note in store.safe.listed()}
    with pytest.raises(KeyTrouble, match="planning does not open"):
        change(store)
    assert {note.name: note.key_fingerprint for note in store.safe.listed()} == held
    assert store.safe.opened("erp") == SECRETS["erp"]


def test_credentials_open_all_the_time_while_the_key_is_changed(store: Store) -> None:
    sealed(store)
    sign_in.keep(store.home, store.safe.keys, "token-of-anna")
    ended = threading.Event()

    def use() -> int:
        looks, user = 0, again(store)
        while not ended.is_set():
            assert user.safe.opened("erp") == SECRETS["erp"]
            assert sign_in.token(store.home, user.safe.keys) == "token-of-anna"
            looks += 1
        user.close()
        return looks

    with ThreadPoolExecutor(2) as pool:
        users = [pool.submit(use) for _ in range(2)]
        try:
            for _ in range(10):
                change(store)
        finally:
            ended.set()
        assert all(user.result() > 0 for user in users)
