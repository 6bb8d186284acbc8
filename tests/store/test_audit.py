"""The trail can only grow, in one unbroken chain that anybody can recompute."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import product
from random import Random

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from tieout.store import audit
from tieout.store.audit import CHAIN_START, Entry, Telling
from tieout.store.seals import TRAIL_KEY_FILE
from tieout.store.steps import Step
from tieout.store.store import Store

KEY = bytes(range(32))
AT = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
THREADS = 8
APPENDS_EACH = 12


def tell(store: Store, *tellings: Telling) -> None:
    with store.begin() as connection:
        audit.append(connection, AT, *tellings)


def test_the_hash_of_an_entry_is_the_one_published_for_it(store: Store) -> None:
    # Golden vector: another verifier, in any language, must find the same.
    (store.home / TRAIL_KEY_FILE).write_bytes(base64.b64encode(KEY))
    detail = {"why": "naïve \u2028 \x01", "amount": "-12.50"}
    tell(store, Telling("Anna", "set mapping", "account 8740", detail, "actuals-1", "map"))
    [entry] = store.audit()
    assert entry.detail == '{"amount":"-12.50","why":"naïve \u2028 \\u0001"}'
    spelled = (
        '["tieout audit 2",1,"2026-01-05T06:00:00.000000Z","Anna","set mapping","account 8740",'
        + json.dumps(entry.detail, ensure_ascii=False)
        + f',"actuals-1","map","{CHAIN_START}","{entry.sealed_by}"]'
    )
    secret = hmac.new(KEY, b"tieout trail seals 1\x01", "sha256").digest()
    assert entry.seal == hmac.new(secret, spelled.encode(), "sha256").hexdigest()
    hashed = f'{spelled[:-1]},"{entry.seal}"]'
    assert entry.hash == hashlib.sha256(hashed.encode()).hexdigest()
    assert entry.sealed_by == "90f30b1119a793d2"
    assert entry.hash == "b046bcce3287b0dbee16bacc8839b7265f0cf1dde309248483d007a31b3b0e52"


def test_what_no_database_can_hold_does_not_stop_the_trail(store: Store) -> None:
    tell(store, Telling("A\x00", "said \ud800", "x", {"words": "a\x00b\udfff"}))
    assert store.verify_audit().whole
    [entry] = store.audit()
    assert entry.told == {"words": "a\ufffdb\ufffd"}


EDITS = (
    "UPDATE audit SET actor = 'Mallory' WHERE seq = 2",
    "UPDATE audit SET hash = hash",
    "DELETE FROM audit WHERE seq = 3",
    "DELETE FROM audit",
)


def test_the_database_refuses_to_edit_the_trail(store: Store) -> None:
    tell(store, *[Telling("Anna", "did", str(n), {}) for n in range(3)])
    before = store.audit()
    for statement in EDITS if store.database.is_sqlite else (*EDITS, "TRUNCATE audit"):
        with pytest.raises(DatabaseError, match="append-only"), store.begin() as connection:
            connection.execute(text(statement))
    assert store.audit() == before


COLUMNS = "(seq, at, actor, act, object, detail, run, step, previous, sealed_by, seal, hash)"
MISPLACED = {
    "in place of another": "2, '', 'M', '', '', '', '', '', '{head}', '', '', 'h'",
    "after a gap": "5, '', 'M', '', '', '', '', '', '{head}', '', '', 'h'",
    "from another chain": f"4, '', 'M', '', '', '', '', '', '{CHAIN_START}', '', '', 'h'",
}


def test_the_database_refuses_an_entry_that_does_not_follow_the_last(store: Store) -> None:
    tell(store, *[Telling("Anna", "did", str(n), {}) for n in range(3)])
    before = store.audit()
    ways = ["INSERT"] + (["INSERT OR REPLACE"] if store.database.is_sqlite else [])
    for how, way in product(MISPLACED.values(), ways):
        statement = f"{way} INTO audit {COLUMNS} VALUES ({how.format(head=before[-1].hash)})"
        with pytest.raises(DatabaseError, match="must follow"), store.begin() as connection:
            connection.execute(text(statement))
    assert store.audit() == before


def test_no_entry_gives_way_to_a_new_one_that_repeats_its_hash(store: Store) -> None:
    tell(store, *[Telling("Anna", "did", str(n), {}) for n in range(3)])
    before = store.audit()
    values = f"4, '', 'M', '', '', '', '', '', '{before[-1].hash}', '', '', '{before[1].hash}'"
    ways = ["INSERT"] + (["INSERT OR REPLACE"] if store.database.is_sqlite else [])
    for way in ways:
        with pytest.raises(DatabaseError), store.begin() as connection:
            connection.execute(text(f"{way} INTO audit {COLUMNS} VALUES ({values})"))
    assert store.audit() == before


def owner_lifts_the_rules(store: Store) -> None:
    """What somebody can do who owns the database; the chain must still tell."""
    names = {"sqlite": ["no_update", "no_delete", "follows"]}
    names["postgresql"] = ["no_change", "no_truncate", "follows"]
    kind = "sqlite" if store.database.is_sqlite else "postgresql"
    with store.begin() as connection:
        for name in names[kind]:
            on = "" if kind == "sqlite" else " ON audit"
            connection.execute(text(f"DROP TRIGGER audit_{name}{on}"))


def after_tampering(store: Store, *statements: str) -> audit.Verdict:
    """What the verifier says of an edited trail; the edit is undone afterwards."""
    with store.begin() as connection:
        edit = connection.begin_nested()
        for statement in statements:
            connection.execute(text(statement))
        verdict = audit.verify(connection)
        edit.rollback()
        assert audit.verify(connection).whole
    return verdict


def test_an_edited_column_is_found_and_its_entry_named(store: Store) -> None:
    tell(store, *[Telling("Anna", "did", str(n), {"n": n}) for n in range(5)])
    owner_lifts_the_rules(store)
    for column in Entry.__slots__:
        if column != "seq":
            edit = f"UPDATE audit SET {column} = {column} || ' ' WHERE seq = 3"
            assert after_tampering(store, edit).first_bad == 3, column


def test_a_removed_or_moved_entry_is_found(store: Store) -> None:
    tell(store, *[Telling("Anna", "did", str(n), {"n": n}) for n in range(5)])
    owner_lifts_the_rules(store)
    removed = "DELETE FROM audit WHERE seq = "
    assert after_tampering(store, removed + "3").first_bad == 3
    assert after_tampering(store, removed + "1").first_bad == 1
    closed_up = [f"UPDATE audit SET seq = {n} WHERE seq = {n + 1}" for n in (2, 3, 4)]
    assert after_tampering(store, removed + "2", *closed_up).first_bad == 2
    swapped = [f"UPDATE audit SET seq = {b} WHERE seq = {a}" for a, b in ((2, 90), (3, 2), (90, 3))]
    assert after_tampering(store, *swapped).first_bad == 2


def test_entries_written_at_the_same_time_stand_in_one_chain(store: Store, dice: Random) -> None:
    counts = [dice.randint(1, 3) for _ in range(THREADS)]
    together = threading.Barrier(THREADS)

    def one(who: int) -> None:
        together.wait()
        for n in range(APPENDS_EACH):
            tell(store, *[Telling(f"P{who}", "did", f"{who}/{n}", {})] * counts[who])

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(one, range(THREADS)))
    verdict = store.verify_audit()
    assert verdict.whole
    assert verdict.entries == APPENDS_EACH * sum(counts)


def test_the_trail_says_what_every_step_kept_and_by_whom(store: Store, run: str) -> None:
    def keep(step: Step) -> dict[str, object]:
        manifest = step.keep_bytes("dump", b"rejected", ".csv")
        step.tell("saved dump", "import Load GL Actuals", rows=1)
        return {"id": manifest.id}

    store.run_step(run, "save dump", keep)
    [manifest] = store.kept(run)
    entries = store.audit(run=run)
    assert [entry.act for entry in entries] == ["started run", "saved dump", "finished step"]
    assert {entry.actor for entry in entries} == {"Anna"}
    [kept] = entries[-1].told["kept"]
    assert kept.items() >= manifest.brief().items()
    assert (kept["path"], kept["bytes"]) == (manifest.path, len(b"rejected"))
