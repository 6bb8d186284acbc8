"""What is known of a journal is kept whole, changed by one at a time, and told to the trail."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prepared_batches import ben_approves, journal, next_of, prepare, walk
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tieout.clock import SystemClock
from tieout.core import posting as core
from tieout.core.posting import Answer, Posting, State
from tieout.errors import Busy, Misconfigured, Refused
from tieout.store import batches, journals
from tieout.store.journals import ANSWERED, GONE, NEVER_THERE, UNSETTLED, Journal, Mover
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


def settle(
    store: Store, found: Journal, now: Posting, told: dict[str, object] | None = None, *,
    looked: bool = False,
) -> Journal:  # fmt: skip
    """One transaction of a run that knows `now` of a journal it read before."""
    with store.begin() as connection:
        at = store.clock.now()
        return journals.settle(connection, found, now, told or {}, ANNA, at, looked=looked)


# ------------------------------------------------------------------------ what is kept


def test_a_journal_is_followed_from_its_reservation_until_it_is_verified(
    store: Store, batch: str
) -> None:
    way = ("reserved", "sending", "uncertain", "created", "ready", "posted", "verified")
    done = walk(store, batch, *way[1:])
    assert (done.state, done.resent, done.name) == ("verified", False, f"{batch}/1")
    assert set(done.evidence) == {*way[1:], "posting"}, "what each look showed is kept"
    told = store.audit(object_=f"journal {batch}/1")
    assert [(e.told["from"], e.told["to"]) for e in told] == list(pairwise(way))
    assert {(e.told["key"], e.told["token"]) for e in told} == {("key A", "TA")}
    assert store.verify_audit().whole


def test_every_state_the_rules_know_can_be_kept(store: Store, batch: str) -> None:
    assert {str(state) for state in State} == set(JOURNAL_STATES)
    for state in State:
        found = find(store, batch)
        kept = settle(store, found, replace(found.posting, state=state))
        assert (kept.state, kept.posting.state) == (str(state), state)


MILLISECONDS = st.integers(0, 10**9).map(lambda n: timedelta(milliseconds=n))
POSTINGS = st.builds(
    Posting, state=st.sampled_from(State), numbered=st.just(True), queued=st.booleans(),
    said_no=st.booleans(), released=st.booleans(), seen=st.booleans(), sends=st.integers(0, 9),
    watched=MILLISECONDS, counted=MILLISECONDS, looks=st.integers(0, 99),
)  # fmt: skip


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with an approved and numbered journal, for many tries."""
    home: Path = tmp_path_factory.mktemp("one_store")
    opened = Store(home, SystemClock())
    opened.migrate()
    approved = ben_approves(opened, prepare(opened))
    number(opened, find(opened, approved.id))
    yield opened
    opened.close()


@given(POSTINGS, st.lists(st.sampled_from(("reason", "seen", "answer")), unique=True))
def test_all_that_is_known_of_a_journal_survives_the_database(
    one_store: Store, known: Posting, told: list[str]
) -> None:
    with one_store.database.read() as connection:
        (found,) = journals.listed(connection)
    kept = settle(one_store, found, known, dict.fromkeys(told, "as it was seen"))
    assert kept.posting == known
    assert find(one_store, found.batch).posting == known
    assert set(told) <= set(kept.evidence)


def test_the_time_that_was_watched_is_kept_to_the_millisecond_and_never_lengthened(
    store: Store, batch: str
) -> None:
    sent = walk(store, batch, "sending", "uncertain")
    watched = timedelta(minutes=29, seconds=59, milliseconds=999, microseconds=999)
    kept = settle(store, sent, replace(sent.posting, watched=watched, counted=watched))
    assert kept.posting.watched == watched - timedelta(microseconds=999)
    assert kept.posting.counted == kept.posting.watched


def test_looks_are_counted_anew_from_each_sending(store: Store, batch: str) -> None:
    sent = walk(store, batch, "sending")
    assert (sent.looks, sent.looked_at) == (0, None)
    assert sent.sent_at is not None
    looked = walk(store, batch, "uncertain")
    for _ in range(3):
        looked = settle(store, looked, looked.posting, {"seen": {"lines": 0}}, looked=True)
    assert (looked.state, looked.looks) == ("uncertain", 3)
    assert looked.looked_at is not None
    assert looked.looked_at > sent.sent_at
    last = store.audit(object_=f"journal {batch}/1")[-1]
    assert (last.act, last.told["evidence"]) == ("looked for journal", {"seen": {"lines": 0}})
    assert (last.run, last.step) == ("plan-1", "look")
    again = walk(store, batch, "absent", "sending")
    assert (again.looks, again.looked_at, again.resent) == (0, None, True)
    assert again.sent_at is not None
    assert again.sent_at > looked.looked_at


def test_what_certainly_did_not_leave_is_sent_later_as_if_for_the_first_time(
    store: Store, batch: str
) -> None:
    walk(store, batch, "sending", "reserved")
    again = walk(store, batch, "sending")
    assert (again.posting.sends, again.resent) == (1, False)
    acts = [e.act for e in store.audit(object_=f"journal {batch}/1")]
    assert acts == ["journal sending", "journal reserved", "journal sending"]


def test_what_was_told_before_stays_beside_what_is_told_later(store: Store, batch: str) -> None:
    first = settle(store, find(store, batch), Posting(), {"seen": {"lines": 0}, "reason": "none"})
    second = settle(store, first, first.posting, {"reason": "still none"})
    assert second.evidence["seen"] == {"lines": 0}
    assert second.evidence["reason"] == "still none"


# ------------------------------------------------------------------------ one at a time


def test_who_comes_too_late_is_told_so_and_changes_nothing(store: Store, batch: str) -> None:
    read = find(store, batch)
    before, told = walk(store, batch, "sending"), len(store.audit(object_=f"journal {batch}/1"))
    for state in (State.SENDING, State.CREATED, State.RESERVED):
        with pytest.raises(Busy, match="is sending, not as it was when it was looked at"):
            settle(store, read, next_of(read.posting, state), looked=True)
    assert find(store, batch) == before
    assert len(store.audit(object_=f"journal {batch}/1")) == told


def test_a_look_from_before_another_sending_says_nothing_of_it(store: Store, batch: str) -> None:
    read = walk(store, batch, "sending", "uncertain")
    before = walk(store, batch, "absent", "sending", "uncertain")
    assert (read.state, before.state) == ("uncertain", "uncertain")
    with pytest.raises(Busy, match="is uncertain, not as it was when it was looked at"):
        settle(store, read, read.posting.to(State.ABSENT), looked=True)
    assert find(store, batch) == before


def test_of_many_who_send_a_journal_at_once_one_does(store: Store, batch: str) -> None:
    together, read = Barrier(RACERS), find(store, batch)

    def send(_who: int) -> str:
        together.wait()
        try:
            return settle(store, read, next_of(read.posting, State.SENDING)).state
        except Busy:
            return "busy"

    with ThreadPoolExecutor(RACERS) as threads:
        told = sorted(threads.map(send, range(RACERS)))
    assert told == ["busy"] * (RACERS - 1) + ["sending"]
    assert [e.act for e in store.audit(object_=f"journal {batch}/1")] == ["journal sending"]


def test_nothing_is_sent_of_a_batch_that_is_not_approved(store: Store) -> None:
    waiting = prepare(store).id
    read = find(store, waiting)
    with pytest.raises(Refused, match="is prepared, not approved"):
        walk(store, waiting, "sending")
    with store.begin() as connection:
        batches.void(connection, waiting, "anna", "wrong", store.clock.now())
    with pytest.raises(Busy, match="is refused"):
        settle(store, read, next_of(read.posting, State.SENDING))
    with pytest.raises(Refused, match="is void, not approved"):
        walk(store, waiting, "sending")
    assert find(store, waiting).sent_at is None


# ------------------------------------------------------------------------ numbers and releases


def number(store: Store, found: Journal) -> Journal:
    with store.begin() as connection:
        numbers = ("4711", "900001")
        return journals.take_numbers(connection, found, numbers, ANNA, store.clock.now())


def test_reserved_numbers_are_kept_once_and_never_change(store: Store, batch: str) -> None:
    assert not find(store, batch).posting.numbered
    first = number(store, find(store, batch))
    assert (first.batch_number, first.document_number) == ("4711", "900001")
    assert first.posting.numbered
    assert number(store, first) == first
    with pytest.raises(Busy, match="has its numbers already"), store.begin() as connection:
        journals.take_numbers(connection, first, ("4712", None), ANNA, store.clock.now())
    sent = walk(store, batch, "sending")
    assert (sent.batch_number, sent.posting.numbered) == ("4711", True)


def test_a_journal_that_is_on_its_way_gets_no_numbers(store: Store, batch: str) -> None:
    sent = walk(store, batch, "sending")
    with pytest.raises(Busy, match="is sending and has its numbers"):
        number(store, sent)
    assert find(store, batch) == sent


def test_who_read_a_journal_before_it_got_its_numbers_cannot_send_it(
    store: Store, batch: str
) -> None:
    read = find(store, batch)
    number(store, read)
    with pytest.raises(Busy):
        settle(store, read, next_of(read.posting, State.SENDING))


def release(store: Store, name: str, by: str) -> Journal:
    with store.begin() as connection:
        return journals.release(connection, name, by, "JDE has nothing", store.clock.now())


@pytest.mark.parametrize("state", NEVER_THERE)
def test_what_is_proved_absent_goes_again_once_when_another_person_releases_it(
    store: Store, batch: str, state: str
) -> None:
    walk(store, batch, "sending", "uncertain", state)
    with pytest.raises(Refused, match="another person releases"):
        release(store, f"{batch}/1", "anna")
    assert not find(store, batch).posting.released
    released = release(store, f"{batch}/1", "ben")
    assert (released.state, released.posting.released) == ("absent", True)
    assert released.evidence["released"]["by"] == "ben"
    last = store.audit(object_=f"journal {batch}/1")[-1]
    assert (last.actor, last.told["evidence"]["released"]["reason"]) == ("ben", "JDE has nothing")
    again = walk(store, batch, "sending")
    assert (again.resent, "released" in again.evidence) == (True, False)
    assert not core.answered(again.posting, Answer.UNCLEAR).released, "it was for this once"


def test_only_a_journal_that_is_proved_absent_can_be_released(store: Store, batch: str) -> None:
    for state in sorted(set(JOURNAL_STATES) - {*NEVER_THERE}):
        put(store, batch, state)
        with pytest.raises(Refused, match=rf"is {state}; only one that is proved absent"):
            release(store, f"{batch}/1", "ben")
    for name in ("nothing", f"{batch}/2", "/1", ""):
        with pytest.raises(Misconfigured, match="There is no journal"):
            release(store, name, "ben")


def test_a_journal_that_was_given_up_is_released_by_nobody(store: Store, batch: str) -> None:
    walk(store, batch, "sending", "uncertain", "absent")
    prepare(store)
    assert find(store, batch).given_up
    with pytest.raises(Refused, match="is given up; only one that is proved absent"):
        release(store, f"{batch}/1", "ben")


def send_again(store: Store, name: str, by: str = "carla") -> Journal:
    with store.begin() as connection:
        return journals.send_again(connection, name, by, "by mistake", store.clock.now())


@pytest.mark.parametrize("state", GONE)
def test_a_named_person_says_that_what_was_taken_back_may_be_prepared_again(
    store: Store, batch: str, state: str
) -> None:
    gone = walk(store, batch, "sending", "created", state)
    again = send_again(store, f"{batch}/1")
    assert (again.state, again.posting) == (state, gone.posting)
    assert (again.evidence["again"]["by"], again.evidence["again"]["reason"]) == (
        "carla", "by mistake",
    )  # fmt: skip
    last = store.audit(object_=f"journal {batch}/1")[-1]
    assert (last.actor, last.told["evidence"]["again"]["by"]) == ("carla", "carla")


def test_only_what_people_took_back_or_changed_is_prepared_again(store: Store, batch: str) -> None:
    for state in sorted(set(JOURNAL_STATES) - set(ANSWERED)):
        put(store, batch, state)
        with pytest.raises(Refused, match=rf"is {state}; this is for one that people deleted"):
            send_again(store, f"{batch}/1")
    assert "again" not in find(store, batch).evidence


# ------------------------------------------------------------------------ one key, one journal


@pytest.mark.parametrize("state", [s for s in JOURNAL_STATES if s not in NEVER_THERE])
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


# ------------------------------------------------------------------------ journals of a flow


def of_flow(store: Store, flow: str, *states: str) -> list[str]:
    with store.database.read() as connection:
        return [j.name for j in journals.of_flow(connection, flow, states)]


def test_the_journals_of_a_flow_are_those_of_its_approved_batches_in_their_order(
    store: Store,
) -> None:
    first = ben_approves(store, prepare(store, journal("A"), journal("B", period=2)))
    walk(store, first.id, "sending", "created")
    walk(store, first.id, "sending", "uncertain", "created", number=2)
    other = ben_approves(store, prepare(store, journal("O", company="00060"), flow="forecast"))
    second = ben_approves(store, prepare(store, journal("C")))
    waiting = prepare(store, journal("W", company="00070"))
    assert of_flow(store, "plan", "created") == [f"{first.id}/1", f"{first.id}/2"]
    assert of_flow(store, "plan", *JOURNAL_STATES) == [
        f"{first.id}/1", f"{first.id}/2", f"{second.id}/1",
    ]  # fmt: skip
    assert of_flow(store, "plan", *UNSETTLED) == [f"{second.id}/1"], f"{waiting.id} only waits"
    assert of_flow(store, "forecast", *UNSETTLED) == [f"{other.id}/1"]
    assert of_flow(store, "plan") == of_flow(store, "none", *JOURNAL_STATES) == []
