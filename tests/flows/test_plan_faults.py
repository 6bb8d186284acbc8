"""Whatever goes wrong while a plan is sent: each journal once, or a person is told why not."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from plan_faults import (
    CALL,
    FAULTS,
    MINUTE,
    POINTS,
    TWICE,
    WIRE,
    Fault,
    everything_answered,
    heal,
    settle,
)
from small_plan import SmallPlan, asks, by_months

Small = Callable[[str], SmallPlan]
BEGUN = ("approved", "without numbers", "token alone")
ARRIVED = ("created", "ready", "posted", "verified")


def sample(cases: list[Any], count: int) -> list[Any]:
    """All cases in a campaign, else so many by the seed of the run."""
    if "faults" in os.environ.get("TIEOUT_CAMPAIGN", ""):
        return cases
    return Random(f"{os.environ['TIEOUT_SEED']} plan").sample(cases, count)


def at(moment: str, do: Callable[[], None]) -> Callable[[str, str], None]:
    """`do` at the first time that a run comes by a moment."""
    left = [1]

    def come_by(step: str, point: str) -> None:
        if left and f"{step}:{point}" == moment:
            left.clear()
            do()

    return come_by


def assert_once_or_asked(p: SmallPlan) -> None:
    """One living document per approved journal, or none or a part and a person who knows why."""
    for journal in p.journals():
        documents, lines = p.documents_of(journal), len(p.lines(journal))
        assert len(documents) <= 1, f"{journal.name} is in the ledger {len(documents)} times"
        assert lines <= journal.lines, f"{journal.name} has {lines} lines, not {journal.lines}"
        if journal.state in ARRIVED:
            assert lines == journal.lines, f"{journal.name} is {journal.state}, {lines} lines"
        else:
            assert asks(journal), f"{journal.name} is {journal.state} and nobody is asked"


def assert_ends_verified(p: SmallPlan) -> None:
    """People act, everything is posted, and F0902 is the quantised plan; again is nothing."""
    everything_answered(p)
    assert_once_or_asked(p) if p.asking() else None
    states = {j.name: (j.state, j.evidence.get("reason")) for j in p.journals()}
    assert {state for state, _ in states.values()} <= {"verified", "deleted"}, states
    assert p.held() == p.wanted(by_months)
    documents = len(p.ledger.rows("F0011"))
    assert p.prepares().exit_code == 0
    assert len(p.ledger.rows("F0011")) == documents
    assert p.store.verify_audit().whole


@pytest.mark.parametrize(
    ("fault", "begun"),
    sample([(f, b) for f in FAULTS for b in BEGUN if (f.name, b) != (TWICE, "token alone")], 8),
    ids=lambda value: getattr(value, "name", value),
)
def test_a_journal_whose_sending_goes_wrong_is_there_once_or_a_person_is_asked(
    small: Small, fault: Fault, begun: str
) -> None:
    p = small(begun)
    (batch,) = p.approved_batches()

    p.follows(batch, moment=at("send journal 1:intended", lambda: fault.arm(p)))
    settle(p)

    assert_once_or_asked(p)
    asked = [f"{j.name} {j.state}: {j.evidence['reason']}" for j in p.asking()]
    clear = fault.clear and (begun == "approved" or fault.numbered)
    assert bool(asked) is not clear, asked or "nobody is asked"
    print(f"share: {fault.name}: {len(asked)} of {len(p.journals())} wait")
    heal(p)
    assert_ends_verified(p)


def test_what_a_proxy_sent_twice_where_no_key_refuses_it_is_told_to_a_person(
    small: Small,
) -> None:
    p = small("token alone")
    (batch,) = p.approved_batches()
    p.books.fault("jde", "twice", method="POST", path=CALL)

    p.follows(batch)
    settle(p)

    (twice,) = p.asking()
    assert len(p.documents_of(twice)) == 2
    assert twice.state == "drifted"
    assert "twice" in twice.evidence["reason"]


@pytest.mark.parametrize(("point", "wire"), sample([(p, w) for p in POINTS for w in WIRE], 4))
def test_a_request_that_fails_at_any_point_of_submit_asks_nobody_and_sends_nothing_twice(
    small: Small, point: str, wire: str
) -> None:
    p = small("approved")
    (batch,) = p.approved_batches()
    moment, path = POINTS[point]
    if point == "follow":  # there is something to follow: how the call ended is not known
        p.books.fault("jde", "queued", method="POST", path=CALL, seconds=10 * MINUTE)
    fail = at(moment, lambda: p.books.fault("jde", path=path, **WIRE[wire]))

    p.follows(batch, moment=fail)
    hit = p.books.faults_hit("jde")
    p.books.no_more_faults()
    settle(p)

    assert hit > (point == "follow"), "the fault met no request"
    assert_once_or_asked(p)
    assert not p.asking()
    assert len({p.batch_of(j) for j in p.journals()}) == len(p.journals())
    assert_ends_verified(p)
