"""Four eyes: no way through the verbs lets who prepared a batch approve it; one decision holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from desks import Office
from prepared_batches import journal, prepare, walk

from tieout.app import Instance
from tieout.core.policy import ROLES
from tieout.errors import Busy, Misconfigured, NotAllowed, Refused, Trouble
from tieout.store.batches import Batch
from tieout.store.runs import Ending, NewRun
from tieout.verbs import approving, people

AT_ONCE = 12


@pytest.fixture
def batch(office: Office) -> Batch:
    """A batch that anna prepared."""
    return prepare(office.store)


def state(office: Office, batch: Batch) -> str:
    told = approving.approval(office.desk("dora"), batch.id)
    return str(told["state"])


def test_an_approval_starts_the_run_that_sends_in_the_name_of_the_approver(
    office: Office, batch: Batch
) -> None:
    done = approving.approve(office.desk("ben"), batch.id, batch.digest)
    assert (done["state"], done["decided_by"]) == ("approved", "ben")
    run = office.store.run(done["run"])
    assert (run.outcome, run.kind, run.started_by) == ("waiting", "submit_plan", "ben")
    assert run.asked == {"batch": batch.id, "digest": batch.digest}
    assert approving.approvals(office.desk("dora")) == []
    assert [b["state"] for b in approving.approvals(office.desk("dora"), every=True)] == [
        "approved"
    ]


@pytest.mark.parametrize("name", ["anna", "dora", "eve", "finn"])
def test_only_an_approver_decides_and_a_refused_approval_starts_nothing(
    office: Office, batch: Batch, name: str
) -> None:
    before = len(office.store.runs())
    with pytest.raises(NotAllowed, match="that takes the role approver"):
        approving.approve(office.desk(name), batch.id, batch.digest)
    with pytest.raises(NotAllowed, match="that takes the role approver"):
        approving.refuse(office.desk(name), batch.id, batch.digest, "no")
    assert (state(office, batch), len(office.store.runs())) == ("prepared", before)


# Every verb that touches a batch or a journal, by somebody who may everything.
DECISIONS: dict[str, Callable[[Instance, Batch], Any]] = {
    "approve": lambda i, b: approving.approve(i, b.id, b.digest),
    "refuse": lambda i, b: approving.refuse(i, b.id, b.digest, "no"),
    "release": lambda i, b: approving.release(i, f"{b.id}/1", "JDE has nothing"),
}


def test_the_preparer_cannot_approve_by_any_verb_with_any_token(office: Office) -> None:
    whole = people.add_user(office.desk("eve"), "max", ROLES, 90)
    desks = [office.with_token(whole["secret"])]
    for scopes in ([], ["approve"], ["approve", "decline", "release"]):
        made = people.make_token(desks[0], user=None, scopes=scopes, days=1, what_for="")
        desks.append(office.with_token(made["secret"]))
    batch = prepare(office.store, by="max")
    for desk in desks:
        for verb, decide in DECISIONS.items():
            with pytest.raises(NotAllowed, match="max"):
                decide(desk, batch)
            assert state(office, batch) == "prepared", verb
    assert office.store.runs(outcomes=["waiting"]) == []


def test_the_preparer_cannot_approve_with_a_token_they_made_for_somebody_else(
    office: Office,
) -> None:
    made = people.add_user(office.desk("eve"), "max", ["operator", "admin"], 90)
    admin = office.with_token(made["secret"])
    straw = people.add_user(admin, "straw", ["approver"], 90)
    second = people.make_token(
        office.with_token(straw["secret"]), user=None, scopes=[], days=1, what_for=""
    )
    for_ben = people.make_token(admin, user="ben", scopes=[], days=1, what_for="")
    batch = prepare(office.store, by="max")
    for token in (straw["secret"], second["secret"], for_ben["secret"]):
        with pytest.raises(NotAllowed, match="has handed out the token"):
            approving.approve(office.with_token(token), batch.id, batch.digest)
    assert approving.approve(office.desk("ben"), batch.id, batch.digest)["state"] == "approved"


def test_an_owner_approves_nothing_and_what_an_owner_prepared_nobody_approves(
    empty_office: Office,
) -> None:
    for by in ("owner", "system"):
        batch = prepare(empty_office.store, by=by)
        with pytest.raises(NotAllowed, match="takes a person of this instance"):
            approving.approve(empty_office.owner, batch.id, batch.digest)
    batch = prepare(empty_office.store, by="owner")
    empty_office.people()
    with pytest.raises(NotAllowed, match="prepared again by a user"):
        approving.approve(empty_office.desk("ben"), batch.id, batch.digest)
    assert approving.withdraw(empty_office.desk("anna"), batch.id, "again")["state"] == "void"


def test_an_approval_of_what_was_not_shown_is_refused(office: Office, batch: Batch) -> None:
    other = hashlib.sha256(b"yesterday's lines").hexdigest()
    for digest in (other, batch.digest[:12], ""):
        with pytest.raises(Refused, match="not those that were shown"):
            approving.approve(office.desk("ben"), batch.id, digest)
    assert state(office, batch) == "prepared"


ZEROED = {"rule": "plan-zeroed", "what": "2 cells would go to zero."}
FOREIGN = {"rule": "others-in-flight", "what": "3 lines of eva wait."}


@pytest.mark.parametrize("yes", [(), ("plan-zeroed",), ("others-in-flight", "plan-sign")])
def test_what_asks_a_person_is_said_yes_to_apart_or_nothing_is_approved(
    office: Office, yes: tuple[str, ...]
) -> None:
    batch = prepare(office.store, asks=[ZEROED, FOREIGN])
    before = len(office.store.runs())
    with pytest.raises(Refused, match="asks first") as caught:
        approving.approve(office.desk("ben"), batch.id, batch.digest, yes=yes)
    missing = {ZEROED["rule"], FOREIGN["rule"]} - {*yes}
    assert {w for w in caught.value.do.replace(".", "").split() if "-" in w} - {"--yes"} == missing
    assert (state(office, batch), len(office.store.runs())) == ("prepared", before)
    done = approving.approve(office.desk("ben"), batch.id, batch.digest, yes=[*yes, *missing])
    assert done["state"] == "approved"


def test_a_batch_that_asks_is_declined_without_a_yes(office: Office) -> None:
    batch = prepare(office.store, asks=[ZEROED])
    assert approving.refuse(office.desk("ben"), batch.id, batch.digest, "no")["state"] == "declined"


def test_many_approvers_at_once_leave_one_decision_and_one_run(
    office: Office, batch: Batch
) -> None:
    together = Barrier(AT_ONCE)
    desks = [office.desk(("ben", "carla")[n % 2]) for n in range(AT_ONCE)]

    def one(number: int) -> str:
        together.wait()
        try:
            if number % 3 == 2:
                done = approving.refuse(desks[number], batch.id, batch.digest, "no")
            else:
                done = approving.approve(desks[number], batch.id, batch.digest)
        except Refused as refused:
            return refused.what
        return str(done["state"])

    with ThreadPoolExecutor(AT_ONCE) as threads:
        told = list(threads.map(one, range(AT_ONCE)))
    done = [words for words in told if words in ("approved", "declined")]
    assert len(done) == 1
    assert done == [state(office, batch)]
    sent = [r for r in office.store.runs() if r.kind == approving.SUBMIT]
    assert len(sent) == (1 if done == ["approved"] else 0)
    assert office.store.verify_audit().whole


def test_deciding_preparing_and_starting_at_once_never_wait_for_each_other_for_ever(
    office: Office,
) -> None:
    together = Barrier(4)
    first = [prepare(office.store, journal(f"{n}", company=f"{n:05}"), flow=f"plan{n}")
             for n in range(4)]  # fmt: skip

    def one(number: int) -> str:
        flow = first[number].flow
        together.wait()
        approving.approve(office.desk("ben"), first[number].id, first[number].digest)
        for turn in range(3):
            office.store.new_run(NewRun(flow, "load_actuals", "anna", alone=False))
            walk(office.store, first[number].id, *(("sending",) if turn == 0 else ()))
        again = journal(f"again {number}"[:7], company=f"1{number:04}")
        return prepare(office.store, again, flow=flow).state

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(one, range(4))) == ["prepared"] * 4
    assert office.store.verify_audit().whole


def test_a_batch_is_withdrawn_by_its_preparer_until_something_of_it_was_sent(
    office: Office, batch: Batch
) -> None:
    with pytest.raises(NotAllowed):
        approving.withdraw(office.desk("dora"), batch.id, "no")
    assert approving.withdraw(office.desk("anna"), batch.id, "wrong month")["state"] == "void"
    with pytest.raises(NotAllowed, match="is void"):
        approving.withdraw(office.desk("anna"), batch.id, "twice")
    again = prepare(office.store)
    approving.approve(office.desk("ben"), again.id, again.digest)
    walk(office.store, again.id, "sending")
    with pytest.raises(Refused, match="was sent and is sending"):
        approving.withdraw(office.desk("anna"), again.id, "too late")


def test_another_approver_releases_an_absent_journal_and_starts_the_run_that_sends_it(
    office: Office, batch: Batch
) -> None:
    submitting = approving.approve(office.desk("ben"), batch.id, batch.digest)["run"]
    name = f"{batch.id}/1"
    with pytest.raises(NotAllowed, match="release is for absent"):
        approving.release(office.desk("ben"), name, "JDE has nothing")
    walk(office.store, batch.id, "sending", "uncertain")
    with pytest.raises(Busy, match=f"{submitting} is at batch"):
        approving.release(office.desk("ben"), name, "JDE has nothing")
    office.store.finish_run(submitting, Ending("needs_attention", "1 uncertain.", 10, {}))
    with pytest.raises(Refused, match="is uncertain; only one that is proved absent"):
        approving.release(office.desk("ben"), name, "JDE has nothing")
    walk(office.store, batch.id, "absent")
    with pytest.raises(Misconfigured, match="without a reason"):
        approving.release(office.desk("ben"), name, "")
    with pytest.raises(NotAllowed):
        approving.release(office.desk("anna"), name, "mine")
    done = approving.release(office.desk("ben"), name, "JDE has nothing")
    assert office.store.run(done["run"]).asked["batch"] == batch.id
    told = approving.all_journals(office.desk("dora"), batch.id)
    assert told[0]["evidence"]["released"]["by"] == "ben"
    assert walk(office.store, batch.id, "sending").resent


def test_a_batch_or_journal_that_is_not_there_is_told_so(office: Office) -> None:
    for verb in DECISIONS.values():
        with pytest.raises(Trouble, match="There is no"):
            verb(office.desk("ben"), Batch(**dict.fromkeys(Batch.__slots__) | {"id": "no"}))
