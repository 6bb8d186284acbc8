"""A journal moves one known step at a time, once, and nobody sends it twice by accident."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, product
from threading import Barrier

import pytest
from prepared_batches import ben_approves, journal, prepare, walk
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tieout.errors import Busy, Misconfigured, Refused
from tieout.store import batches, journals
from tieout.store.journals import NEXT, Journal, Move, Mover
from tieout.store.schema import JOURNAL_STATES
from tieout.store.store import Store

ANNA = Mover("anna", "plan-1", "look")
RACERS = 8


@pytest.fixture
def batch(store: Store) -> str:
    """An approved batch of one journal."""
    return ben_approves(store, prepare(store)).id


def find(store: Store, batch: str, number: int = 1) -> Journal:
    with store.database.read() as connection:
        return journals.find(connection, batch, number)


def test_a_journal_is_followed_from_its_reservation_until_it_is_verified(
    store: Store, batch: str
) -> None:
    way = ("reserved", "sending", "uncertain", "created", "ready", "posted", "verified")
    done = walk(store, batch, *way[1:])
    assert (done.state, done.resent, done.name) == ("verified", False, f"{batch}/1")
    assert set(done.evidence) == set(way[1:]), "what each look showed is kept"
    told = store.audit(object_=f"journal {batch}/1")
    assert [(e.told["from"], e.told["to"]) for e in told] == list(pairwise(way))
    assert {(e.told["key"], e.told["token"]) for e in told} == {("key A", "TA")}
    assert store.verify_audit().whole


def test_every_state_has_its_ways_out_and_no_other_way_is_gone(store: Store, batch: str) -> None:
    assert set(NEXT) == set(JOURNAL_STATES)
    for since, to in product(JOURNAL_STATES, JOURNAL_STATES):
        if to in NEXT[since]:
            continue
        with pytest.raises(ValueError, match="no journal goes from"), store.begin() as connection:
            journals.move(connection, Move(batch, 1, since, to), ANNA, store.clock.now())
    assert find(store, batch).state == "reserved"


def test_who_comes_too_late_is_told_so_and_changes_nothing(store: Store, batch: str) -> None:
    walk(store, batch, "sending")
    before = find(store, batch)
    with pytest.raises(Busy, match="is sending, not reserved any more"), store.begin() as c:
        journals.move(c, Move(batch, 1, "reserved", "sending"), ANNA, store.clock.now())
    assert find(store, batch) == before


def test_of_many_who_send_a_journal_at_once_one_does(store: Store, batch: str) -> None:
    together = Barrier(RACERS)

    def send(_who: int) -> str:
        together.wait()
        try:
            with store.begin() as connection:
                step = Move(batch, 1, "reserved", "sending")
                return journals.move(connection, step, ANNA, store.clock.now()).state
        except Busy:
            return "busy"

    with ThreadPoolExecutor(RACERS) as threads:
        told = sorted(threads.map(send, range(RACERS)))
    assert told == ["busy"] * (RACERS - 1) + ["sending"]
    assert [e.act for e in store.audit(object_=f"journal {batch}/1")] == ["journal sending"]


def test_nothing_is_sent_of_a_batch_that_is_not_approved(store: Store) -> None:
    waiting = prepare(store).id
    with pytest.raises(Refused, match="is prepared, not approved"):
        walk(store, waiting, "sending")
    with store.begin() as connection:
        batches.void(connection, waiting, "anna", "wrong", store.clock.now())
    with pytest.raises(Busy, match="is refused"), store.begin() as connection:
        journals.move(connection, Move(waiting, 1, "reserved", "sending"), ANNA, store.clock.now())


def test_looks_are_counted_anew_from_each_sending(store: Store, batch: str) -> None:
    sent = walk(store, batch, "sending")
    assert sent.sent_at is not None
    for _ in range(3):
        with store.begin() as connection:
            journals.note_look(connection, sent, {"f0911z1": 0}, ANNA, store.clock.now())
    looked = find(store, batch)
    assert (looked.state, looked.looks) == ("sending", 3)
    assert looked.looked_at is not None
    assert looked.looked_at > sent.sent_at
    last = store.audit(object_=f"journal {batch}/1")[-1]
    assert last.told["seen"] == {"f0911z1": 0}
    assert (last.run, last.step) == ("plan-1", "look")
    walk(store, batch, "reserved")
    again = walk(store, batch, "sending")
    assert (again.looks, again.looked_at, again.resent) == (0, None, False)


def number(store: Store, found: Journal) -> Journal:
    with store.begin() as connection:
        numbers = ("4711", "900001")
        return journals.take_numbers(connection, found, numbers, ANNA, store.clock.now())


def test_reserved_numbers_are_kept_once_and_never_change(store: Store, batch: str) -> None:
    first = number(store, find(store, batch))
    assert (first.batch_number, first.document_number) == ("4711", "900001")
    assert number(store, first) == first
    with pytest.raises(Busy, match="has its numbers already"), store.begin() as connection:
        journals.take_numbers(connection, first, ("4712", None), ANNA, store.clock.now())


def test_a_numbered_journal_goes_again_by_itself_once(store: Store, batch: str) -> None:
    number(store, find(store, batch))
    again = walk(store, batch, "sending", "uncertain", "absent", "sending")
    assert again.resent
    with pytest.raises(Refused, match="sent twice already"):
        walk(store, batch, "uncertain", "absent", "sending")
    assert find(store, batch).state == "absent"


def test_a_journal_without_numbers_goes_again_only_when_another_person_releases_it(
    store: Store, batch: str
) -> None:
    with pytest.raises(Refused, match="without numbers of its own"):
        walk(store, batch, "sending", "uncertain", "absent", "sending")
    with pytest.raises(Refused, match="another person releases"):
        release(store, f"{batch}/1", "anna")
    released = release(store, f"{batch}/1", "ben")
    assert released.state == "absent"
    again = walk(store, batch, "sending")
    assert (again.resent, "released" in again.evidence) == (True, False)
    with pytest.raises(Refused, match="sent twice already"):
        walk(store, batch, "uncertain", "absent", "sending")
    acts = [(e.actor, e.act) for e in store.audit(object_=f"journal {batch}/1")]
    assert ("ben", "released journal") in acts


def release(store: Store, name: str, by: str) -> Journal:
    with store.begin() as connection:
        return journals.release(connection, name, by, "JDE has nothing", store.clock.now())


def test_only_an_absent_journal_can_be_released(store: Store, batch: str) -> None:
    walk(store, batch, "sending", "uncertain")
    with pytest.raises(Refused, match="is uncertain; only one that is absent"):
        release(store, f"{batch}/1", "ben")
    for name in ("nothing", f"{batch}/2", "/1", ""):
        with pytest.raises(Misconfigured, match="There is no journal"):
            release(store, name, "ben")


@pytest.mark.parametrize("state", [s for s in JOURNAL_STATES if s not in ("absent", "refused")])
def test_a_business_key_belongs_to_one_journal_that_is_or_may_be_in_jde(
    store: Store, batch: str, state: str
) -> None:
    put(store, batch, state)
    row = "INSERT INTO app_journal SELECT '{}', 2, company, ledger, fiscal_year, period, currency,"
    row += ' key, token, "transaction", batch_number, document_number, lines, debit, credit, '
    row += "'reserved', sent_at, looks, looked_at, evidence, resent FROM app_journal"
    with pytest.raises(IntegrityError), store.database.engine.begin() as connection:
        connection.execute(text(row.format(batch)))
    put(store, batch, "absent")
    with store.database.engine.begin() as connection:
        connection.execute(text(row.format(batch)))


def put(store: Store, batch: str, state: str) -> None:
    with store.begin() as connection:
        change = text("UPDATE app_journal SET state = :state WHERE batch = :batch")
        connection.execute(change, {"state": state, "batch": batch})


def test_the_same_journal_prepared_again_is_refused_in_words(store: Store, batch: str) -> None:
    walk(store, batch, "sending", "created")
    with pytest.raises(Refused, match=rf"is there already: {batch}/1 \(created\)"):
        prepare(store)
    with pytest.raises(Refused, match="The same journal is there already"):
        prepare(store, journal("B"), journal("B"))
    assert prepare(store, journal("C")).state == "prepared"


def test_a_journal_that_arrives_after_it_was_given_up_is_told_unless_another_took_its_place(
    store: Store, batch: str
) -> None:
    walk(store, batch, "sending", "uncertain", "absent")
    again = prepare(store)
    assert find(store, batch).state == "refused"
    with pytest.raises(Refused, match=rf"there already: {again.id}/1 \(reserved\)"):
        walk(store, batch, "created")
    with store.begin() as connection:
        batches.void(connection, again.id, "anna", "it came late", store.clock.now())
    assert walk(store, batch, "created").state == "created"
