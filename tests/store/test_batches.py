"""Batches are approved by another person, exactly as they were shown, once; on both databases."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from prepared_batches import ben_approves, journal, next_of, prepare, walk

from tieout.core.posting import State
from tieout.errors import Busy, Misconfigured, Refused
from tieout.store import batches, journals, runs
from tieout.store.batches import Batch, Decision
from tieout.store.journals import Journal, Mover
from tieout.store.runs import Ending, NewRun
from tieout.store.store import Store

APPROVALS_AT_ONCE = 12
NUMBERS = ("4711", "900001")


def found(store: Store, batch: str) -> Batch:
    with store.database.read() as connection:
        return batches.find(connection, batch)


def states(store: Store, batch: str) -> list[str]:
    with store.database.read() as connection:
        return [j.state for j in journals.listed(connection, batch=batch)]


def decide(store: Store, batch: str, by: str, **more: Any) -> Batch:
    told = {"digest": found(store, batch).digest, "approve": True, "reason": ""} | more
    with store.begin() as connection:
        return batches.decide(connection, Decision(batch, by=by, **told), store.clock.now())


def test_what_a_run_prepared_waits_with_its_journals_and_its_totals(store: Store) -> None:
    batch = prepare(store, journal("A", period=1), journal("B", period=2))
    assert (batch.state, batch.prepared_by, batch.lines) == ("prepared", "anna", 8)
    assert batch.amount == Decimal("200.00")
    assert batch.summary == {"zeroed": {"lines": 1, "amount": "12.50"}, "asks": []}
    with store.database.read() as connection:
        assert batches.listed(connection, states=("prepared",)) == [batch]
        kept = journals.listed(connection)
    assert [(j.name, j.state, j.key, j.debit) for j in kept] == [
        (f"{batch.id}/1", "reserved", "key A", Decimal("100.00")),
        (f"{batch.id}/2", "reserved", "key B", Decimal("100.00")),
    ]
    entry = store.audit(object_=batch.id)[0]
    assert (entry.actor, entry.act, entry.run) == ("anna", "prepared batch", batch.run)
    assert entry.told["keys"] == ["key A", "key B"]
    assert store.verify_audit().whole


def test_a_step_that_fails_leaves_no_batch(store: Store) -> None:
    with pytest.raises(ValueError, match="longer than 8"):
        prepare(store, journal("A", token="123456789"))
    with store.database.read() as connection:
        assert batches.listed(connection) == []
        assert journals.listed(connection) == []
        assert batches.owner_of(connection, ("BA", "00001", 2026)) is None


def test_the_approval_keeps_who_when_and_which_lines(store: Store) -> None:
    batch = prepare(store)
    done = ben_approves(store, batch)
    assert (done.state, done.decided_by, done.digest) == ("approved", "ben", batch.digest)
    assert done.decided_at is not None
    last = store.audit(object_=batch.id)[-1]
    assert (last.actor, last.act) == ("ben", "approved batch")
    assert last.told["digest"] == batch.digest
    assert states(store, batch.id) == ["reserved"]


@pytest.mark.parametrize("approve", [True, False])
def test_the_preparer_decides_nothing(store: Store, approve: bool) -> None:
    batch = prepare(store)
    with pytest.raises(Refused, match="another person"):
        decide(store, batch.id, "anna", approve=approve, reason="mine")
    assert found(store, batch.id) == batch


def test_an_approval_of_other_lines_than_the_batch_has_is_refused(store: Store) -> None:
    batch = prepare(store)
    other = hashlib.sha256(b"other lines").hexdigest()
    with pytest.raises(Refused, match="not those that were shown"):
        decide(store, batch.id, "ben", digest=other)
    assert found(store, batch.id) == batch


def test_an_approval_does_not_survive_a_changed_digest(store: Store) -> None:
    batch = ben_approves(store, prepare(store))
    other = hashlib.sha256(b"the ledger moved").hexdigest()
    with store.begin() as connection:
        assert batches.require_approved(connection, batch.id, batch.digest) == batch
        with pytest.raises(Refused, match="not those that were shown"):
            batches.require_approved(connection, batch.id, other)
    with store.begin() as connection:
        batches.void(connection, batch.id, "anna", "the ledger moved", store.clock.now())
    with store.begin() as connection, pytest.raises(Refused, match="is void"):
        batches.require_approved(connection, batch.id, batch.digest)
    assert states(store, batch.id) == ["refused"]
    with pytest.raises(Refused, match="is void already"):
        decide(store, batch.id, "ben")


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_a_decided_batch_refuses_a_second_decision(store: Store, first: bool, second: bool) -> None:
    batch = prepare(store)
    decide(store, batch.id, "ben", approve=first, reason="seen")
    word = "approved" if first else "declined"
    with pytest.raises(Refused, match=rf"is {word} already by ben \(seen\)"):
        decide(store, batch.id, "carla", approve=second, reason="too")
    assert found(store, batch.id).decided_by == "ben"


def test_declining_needs_a_reason_and_gives_the_journals_up(store: Store) -> None:
    batch = prepare(store)
    with pytest.raises(Misconfigured, match="without a reason"):
        decide(store, batch.id, "ben", approve=False, reason=" ")
    decide(store, batch.id, "ben", approve=False, reason="March is wrong")
    assert states(store, batch.id) == ["refused"]
    assert prepare(store).state == "prepared", "the same journal can be prepared again"


def test_many_approvals_at_once_leave_one_decision(store: Store) -> None:
    batch = prepare(store)
    together = Barrier(APPROVALS_AT_ONCE)

    def one(number: int) -> str:
        together.wait()
        try:
            decide(store, batch.id, f"approver{number}", approve=number % 2 == 0, reason="now")
        except Refused as refused:
            return refused.what
        return "done"

    with ThreadPoolExecutor(APPROVALS_AT_ONCE) as threads:
        told = list(threads.map(one, range(APPROVALS_AT_ONCE)))
    assert told.count("done") == 1
    assert all("already by approver" in words for words in told if words != "done")
    acts = [e.act for e in store.audit(object_=batch.id)]
    assert len(acts) == 2, "prepared, and decided once"
    assert found(store, batch.id).decided_by == f"approver{told.index('done')}"
    assert store.verify_audit().whole


def test_preparing_again_voids_what_waited(store: Store) -> None:
    first = prepare(store)
    second = prepare(store)
    assert (found(store, first.id).state, found(store, second.id).state) == ("void", "prepared")
    assert second.id in found(store, first.id).reason
    with pytest.raises(Refused, match="is void already"):
        decide(store, first.id, "ben")


def test_a_ledger_company_and_year_belongs_to_one_flow_while_a_journal_of_it_is_open(
    store: Store,
) -> None:
    ben_approves(store, prepare(store))
    with pytest.raises(Misconfigured, match="belongs to the flow plan"):
        prepare(store, journal("B"), flow="forecast")
    prepare(store, journal("B", company="00060"), flow="forecast")
    with store.database.read() as connection:
        assert batches.owner_of(connection, ("BA", "00001", 2026)) == "plan"
        assert batches.owner_of(connection, ("BA", "00060", 2026)) == "forecast"
        assert batches.owner_of(connection, ("BA", "00060", 2027)) is None


def test_a_renamed_flow_takes_over_what_nothing_is_open_of(store: Store) -> None:
    batch = ben_approves(store, prepare(store))
    walk(store, batch.id, "sending", "created")
    prepare(store, journal("B"), flow="budget")
    with store.database.read() as connection:
        assert batches.owner_of(connection, ("BA", "00001", 2026)) == "budget"


def test_what_is_prepared_again_goes_on_from_what_its_earlier_self_did(store: Store) -> None:
    batch = ben_approves(store, prepare(store))
    found = journal_of(store, batch.id)
    with store.begin() as connection:
        journals.take_numbers(connection, found, NUMBERS, Mover("anna"), store.clock.now())
    walk(store, batch.id, "sending", "uncertain", "absent")
    again = journal_of(store, prepare(store).id)
    assert again.state == "reserved"
    assert (again.batch_number, again.document_number) == NUMBERS
    assert (again.posting.sends, again.posting.numbered, again.resent) == (1, True, True)
    assert again.evidence["sent_before"] == f"{batch.id}/1"


def journal_of(store: Store, batch: str) -> Journal:
    with store.database.read() as connection:
        return journals.find(connection, batch, 1)


@pytest.mark.parametrize("moves", [(), ("sending",), ("sending", "uncertain")])
def test_nothing_is_prepared_over_a_journal_that_is_not_settled(
    store: Store, moves: tuple[str, ...]
) -> None:
    batch = ben_approves(store, prepare(store))
    walk(store, batch.id, *moves)
    with pytest.raises(Busy, match="what the ledger will hold is not known"):
        prepare(store, journal("B"))
    prepare(store, journal("C", company="00060"))


def test_a_journal_that_jde_shows_is_in_nobodys_way(store: Store) -> None:
    batch = ben_approves(store, prepare(store))
    walk(store, batch.id, "sending", "created")
    assert prepare(store, journal("B")).state == "prepared"


def test_a_batch_of_which_something_was_sent_cannot_be_voided(store: Store) -> None:
    batch = ben_approves(store, prepare(store))
    walk(store, batch.id, "sending")
    with store.begin() as connection, pytest.raises(Refused, match="was sent and is sending"):
        batches.void(connection, batch.id, "anna", "too late", store.clock.now())
    assert found(store, batch.id).state == "approved"


def test_an_absent_journal_is_given_up_when_its_amount_is_prepared_anew(store: Store) -> None:
    batch = ben_approves(store, prepare(store))
    walk(store, batch.id, "sending", "uncertain", "absent")
    again = prepare(store)
    assert states(store, batch.id) == ["refused"]
    assert [e.told["journals"] for e in store.audit(object_=again.id) if "gave up" in e.act] == [
        [f"{batch.id}/1"]
    ]


def test_an_approval_by_rule_says_that_no_person_decided(store: Store) -> None:
    batch = prepare(store)
    with store.begin() as connection:
        done = batches.approve_by_rule(
            connection, batch.id, batch.digest, "approval = none", store.clock.now()
        )
    assert (done.state, done.decided_by, done.reason) == ("approved", "system", "approval = none")


# ------------------------------------------------------------------------ stopping


def stop(store: Store, batch: str) -> Batch:
    with store.begin() as connection:
        return batches.void(connection, batch, "system", "the ledger moved", store.clock.now())


def test_a_batch_of_which_nothing_was_sent_is_void_when_it_is_stopped(store: Store) -> None:
    batch = ben_approves(store, prepare(store, journal("A"), journal("B", period=2)))
    walk(store, batch.id, "sending", "uncertain", "absent", number=2)
    done = stop(store, batch.id)
    assert (done.state, done.reason) == ("void", "the ledger moved")
    assert states(store, batch.id) == ["refused", "refused"]
    last = store.audit(object_=batch.id)[-1]
    assert (last.actor, last.act) == ("system", "voided batch")
    assert last.told["journals"] == [f"{batch.id}/1", f"{batch.id}/2"]


def test_of_a_batch_that_went_in_part_the_rest_is_given_up_and_the_batch_stays_approved(
    store: Store,
) -> None:
    batch = ben_approves(store, prepare(store, *(journal(f"{n}", period=n) for n in (1, 2, 3))))
    walk(store, batch.id, "sending", "created")
    walk(store, batch.id, "sending", "uncertain", number=2)
    done = stop(store, batch.id)
    assert done == found(store, batch.id) == batch
    assert states(store, batch.id) == ["created", "uncertain", "refused"]
    with store.database.read() as connection:
        kept = journals.listed(connection, batch=batch.id)
    assert [j.given_up for j in kept] == [False, False, True]
    last = store.audit(object_=batch.id)[-1]
    assert (last.act, last.told["journals"]) == ("gave up journals", [f"{batch.id}/3"])
    assert last.told["reason"] == "the ledger moved"
    assert walk(store, batch.id, "created", number=2).state == "created", "it is still followed"


def test_of_what_was_given_up_nothing_is_sent_by_who_read_it_before(store: Store) -> None:
    batch = ben_approves(store, prepare(store, journal("A"), journal("B", period=2)))
    walk(store, batch.id, "sending", "created")
    with store.database.read() as connection:
        read = journals.find(connection, batch.id, 2)
    stop(store, batch.id)
    going = next_of(read.posting, State.SENDING)
    with pytest.raises(Busy), store.begin() as connection:
        journals.settle(connection, read, going, {}, Mover("anna"), store.clock.now())
    assert states(store, batch.id) == ["created", "refused"]


# ------------------------------------------------------------------------ runs of a batch


def test_the_runs_of_a_batch_are_those_that_have_not_ended_oldest_first(store: Store) -> None:
    def asked(batch: str, flow: str = "plan", kind: str = "submit_plan") -> str:
        new = NewRun(flow, kind, "ben", outcome="waiting", asked={"batch": batch}, alone=False)
        return store.new_run(new).id

    def of(batch: str, but: str = "") -> list[str]:
        with store.database.read() as connection:
            return [run.id for run in runs.of_batch(connection, "plan", batch, but=but)]

    first, other = asked("plan-1-batch"), asked("plan-2-batch")
    follows = asked("plan-1-batch", kind="follow_journals")
    asked("plan-1-batch", flow="forecast")
    store.new_run(NewRun("plan", "prepare_plan", "anna", alone=False))
    assert of("plan-1-batch") == [first, follows]
    assert of("plan-1-batch", but=first) == [follows]
    assert of("plan-2-batch") == [other]
    store.finish_run(first, Ending("complete", "", 0, {}))
    assert of("plan-1-batch") == [follows]
    assert of("plan-3-batch") == []
