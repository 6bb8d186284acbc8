"""A reject stands until a run settles it, and what people decided about it goes on with it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from tieout.core.findings import Finding, Severity
from tieout.errors import Misconfigured, Refused
from tieout.store import rejects
from tieout.store.rejects import Decision, Reject
from tieout.store.runs import NewRun
from tieout.store.store import Store

MISSING = Finding(
    "unmatched-member", Severity.REJECT, "account 8740", "Anaplan has no account 8740.",
    company="00001", dimension="account", member="8740", amount=Decimal("1204.00"),
    currency="USD", cells=3,
)  # fmt: skip
OTHER = replace(MISSING, subject="account 8750", member="8750")
NOTE = replace(MISSING, severity=Severity.NOTE, subject="batch 1234")
ASK = replace(MISSING, severity=Severity.ASK, subject="the sign of account 8740")


def found(store: Store, *findings: Finding, settles: bool = True, flow: str = "actuals") -> str:
    """A run that finds this and, unless it breaks off, settles what earlier runs had found."""
    run = store.new_run(NewRun(flow, "load_actuals", "Anna", alone=False)).id
    store.run_step(run, "find", lambda step: step.reject(findings) or {})
    if settles:
        earlier = [r.id for r in store.rejects(flow=flow, standing=True) if r.run != run]
        store.run_step(run, "close", lambda step: step.settle(earlier, "fixed") or {})
    return run


def standing(store: Store) -> list[Reject]:
    return store.rejects(standing=True)


def decided(store: Store, verb: str, ids: Sequence[int], *to: str, why: str = "") -> list[Reject]:
    """Pat decides."""
    decision = Decision("pat", store.clock.now(), why)
    with store.begin() as connection:
        done: list[Reject] = getattr(rejects, verb)(connection, ids, *to, decision)
    return done


def test_what_two_runs_find_stands_once_and_is_as_old_as_the_first(store: Store) -> None:
    found(store, MISSING)
    (first,) = standing(store)
    second = found(store, replace(MISSING, amount=Decimal("5.00")), OTHER)

    again, new = standing(store)
    assert (again.run, again.state, again.first_seen) == (second, "open", first.first_seen)
    assert new.first_seen > first.first_seen
    (before,) = store.rejects(state="sent again")
    assert (before.id, before.settled_run) == (first.id, second)


def test_a_run_that_breaks_off_leaves_nothing_standing_twice(store: Store) -> None:
    found(store, MISSING, OTHER)
    second = found(store, MISSING, settles=False)
    assert [(r.finding.subject, r.run) for r in standing(store)] == [
        ("account 8750", "actuals-1"), ("account 8740", second),
    ]  # fmt: skip
    found(store, flow="accounts")
    assert len(standing(store)) == 2, "another flow settles nothing of this one"


def test_a_gap_ends_its_age_and_every_decision(store: Store) -> None:
    found(store, MISSING, OTHER)
    (missing, other) = standing(store)
    decided(store, "assign", [missing.id], "anna")
    decided(store, "waive", [other.id], why="closes in May")
    found(store)
    assert [r.state for r in store.rejects()] == ["fixed", "fixed"]
    assert standing(store) == []

    found(store, MISSING, OTHER)

    assert [(r.state, r.owner, r.why) for r in standing(store)] == [("open", None, "")] * 2
    assert all(r.first_seen > other.first_seen for r in standing(store))


def test_an_assignment_goes_on_whatever_the_amount_becomes(store: Store) -> None:
    found(store, MISSING)
    (first,) = standing(store)
    decided(store, "assign", [first.id], "anna", why="ask the controller")
    for amount in ("1204.00", "7.00", "8.00"):
        found(store, replace(MISSING, amount=Decimal(amount)))
        (now,) = standing(store)
        assert (now.state, now.owner, now.why) == ("assigned", "anna", "ask the controller")
        assert (now.decided_by, now.decided_on) == ("pat", first.id)


@pytest.mark.parametrize(
    "other",
    [
        replace(MISSING, amount=Decimal("1204.01")), replace(MISSING, amount=None),
        replace(MISSING, company="00060"), replace(MISSING, currency="EUR"),
        replace(MISSING, member="8741"), replace(MISSING, severity=Severity.DIFFERENCE),
    ],
    ids=["a cent more", "no amount", "company", "currency", "member", "graver"],
)  # fmt: skip
def test_a_waiver_holds_for_exactly_what_was_waived(store: Store, other: Finding) -> None:
    found(store, MISSING)
    (first,) = standing(store)
    decided(store, "waive", [first.id], why="closes in May")
    found(store, replace(MISSING, amount=Decimal("1204.0000"), cells=4, what="in other words"))
    found(store, MISSING, settles=False)
    (same,) = standing(store)
    assert (same.state, same.why, same.decided_on) == ("waived", "closes in May", first.id)

    found(store, other)

    (anew,) = standing(store)
    assert (anew.state, anew.decided_by, anew.why) == ("open", None, "")


def test_of_two_that_are_alike_only_the_one_that_was_waived_stays_so(store: Store) -> None:
    found(store, MISSING, MISSING)
    decided(store, "waive", [standing(store)[0].id], why="once")
    found(store, MISSING, MISSING)
    assert [r.state for r in standing(store)] == ["waived", "open"]


def test_every_decision_and_every_waiver_that_goes_on_stands_in_the_trail(store: Store) -> None:
    found(store, MISSING)
    (first,) = standing(store)
    decided(store, "assign", [first.id], "anna", why="look")
    decided(store, "reopen", [first.id], why="on leave")
    decided(store, "waive", [first.id], why="closes in May")
    told = store.audit(object_=f"reject {first.id}")
    assert [(e.actor, e.act) for e in told] == [
        ("pat", "assigned reject"), ("pat", "reopened reject"), ("pat", "waived reject"),
    ]  # fmt: skip
    assert told[0].told["owner"] == "anna"
    assert (told[1].told["before"], told[1].told["why"]) == ("assigned", "on leave")
    assert (told[2].told["amount"], told[2].told["why"]) == ("1204.00", "closes in May")

    run = found(store, MISSING)

    (carried,) = (e for e in store.audit(run=run) if e.act == "carried waivers over")
    assert carried.told == {"of": [first.id]}
    assert store.verify_audit().whole


def test_a_bulk_decision_is_made_for_all_or_for_none_and_says_why(store: Store) -> None:
    found(store, MISSING, OTHER, NOTE, ASK)
    found(store, MISSING, ASK, NOTE)
    one, ask, note = (r.id for r in standing(store))
    before, entries = store.rejects(), len(store.audit())
    with pytest.raises(Refused) as refusal:
        decided(store, "waive", [one, ask, note, 2, 99], why="enough")
    told = refusal.value.sentence()
    for why in (
        f"{ask} is a question of a batch", f"{note} is a note", "2 is fixed since actuals-2",
        "99 does not exist", "4 of 5 rejects cannot be waived", "All stay as they were",
    ):  # fmt: skip
        assert why in told
    assert (store.rejects(), len(store.audit())) == (before, entries)
    decided(store, "waive", [one], why="enough")
    for verb, *words in (["assign", "anna"], ["waive"]):
        with pytest.raises(Refused, match="is waived"):
            decided(store, verb, [one], *words, why="again")
    assert decided(store, "reopen", [one], why="not yet")[0].state == "open"
    with pytest.raises(Refused, match="is open"):
        decided(store, "reopen", [one], why="again")


def test_a_reject_that_is_not_there_is_named(store: Store) -> None:
    with store.database.read() as connection, pytest.raises(Misconfigured, match="no reject 7"):
        rejects.find(connection, 7)


def test_rejects_are_looked_for_among_however_many_lines_and_numbers(store: Store) -> None:
    found(store, MISSING)
    lines = [(f"actuals-{n}", n) for n in range(1, 40_001)]
    with store.database.read() as connection:
        (about,) = rejects.about(connection, "actuals", [("account", "8740")], lines)
        (listed,) = rejects.listed(connection, ids=range(about.id, about.id + 40_000))
    assert about.finding.member == listed.finding.member == "8740"


def test_a_run_looks_through_however_much_stands_with_a_page_of_it_at_hand(store: Store) -> None:
    long, many = "x" * 4_000, 8 * rejects.STANDING_AT_ONCE + 1
    found(store, *(replace(OTHER, subject=f"account {n}", what=long) for n in range(many)), MISSING)
    first = store.rejects(run="actuals-1")[-1]
    tracemalloc.start()
    second = found(store, MISSING, settles=False)
    stands = [(r.id, r.run) for r in store.standing("actuals")]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert stands[-1][1] == second
    assert len(stands) == many + 1
    assert store.rejects(state="sent again") == [
        replace(first, state="sent again", settled_run=second)
    ]
    assert peak < len(long) * many / 2
