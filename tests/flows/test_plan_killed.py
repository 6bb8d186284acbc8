"""Whenever a process dies while a plan is prepared or sent, the next one goes on: each once."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

import pytest
from plan_faults import CALL, MINUTE, everything_answered
from plan_life import dies_after
from small_plan import SmallPlan, by_months

from tieout.engine.story import Failpoint, Interrupted

Small = Callable[[str], SmallPlan]
EVERY_MOMENT = "killed" in os.environ.get("TIEOUT_CAMPAIGN", "")
SAMPLE = 3
# What the calls meet that are under way when the process dies.
MEETS = {"nothing": {}, "cut after": {"kind": "cut_after"},
         "commit later": {"kind": "queued", "seconds": 10 * MINUTE}}  # fmt: skip


def listening(moments: list[str]) -> Failpoint:
    """Notes every moment of runs."""
    return lambda step, point: moments.append(f"{step}:{point}")


def chosen(count: int, dice: Random) -> list[int]:
    """The moments to die at, from 1: all of them in a campaign, else a sample with both ends."""
    if EVERY_MOMENT or count <= SAMPLE:
        return list(range(1, count + 1))
    return sorted({1, count, *dice.sample(range(2, count), SAMPLE - 2)})


@pytest.fixture
def moments_of_submit(small: Small) -> list[str]:
    """Every moment of submitting and following, in a life without trouble."""
    p, found = small("approved"), list[str]()
    p.follows(p.approved_batches()[0], moment=listening(found))
    return found


def assert_carried_on(p: SmallPlan) -> None:
    """The next process ends what the dead one began; nobody has to act; nothing is there twice."""
    p.checks()
    assert not p.asking(), [dict(j.evidence) for j in p.asking()]
    for journal in p.journals():
        assert len(p.documents_of(journal)) == 1, journal
        assert len(p.lines(journal)) == journal.lines
    everything_answered(p)
    assert {j.state for j in p.journals()} == {"verified"}
    assert p.held() == p.wanted(by_months)
    assert p.prepares().exit_code == 0
    assert p.store.verify_audit().whole


def test_the_moments_of_submit_are_those_of_every_step_and_those_around_the_call(
    moments_of_submit: list[str],
) -> None:
    steps = dict.fromkeys(moment.rpartition(":")[0] for moment in moments_of_submit)
    for step in steps:
        own = [m.rpartition(":")[2] for m in moments_of_submit if m.rpartition(":")[0] == step]
        usual = ["before", "inside", "after", "between"]
        call = ["before", "intended", "answered", *usual[1:]]
        assert own == (call if step.startswith("send journal") else usual), step
    assert {"reserve numbers 1", "send journal 1", "send journal 2", "look"} <= steps.keys()


@pytest.mark.parametrize("meets", MEETS)
def test_a_submission_killed_at_any_moment_is_carried_on_and_each_journal_is_there_once(
    small: Small, moments_of_submit: list[str], dice: Random, meets: str
) -> None:
    numbers = chosen(len(moments_of_submit), dice)
    first = moments_of_submit.index("send journal 1:before") + 1
    for number in numbers if meets == "nothing" else [n for n in numbers if n > first]:
        p = small("approved")
        if MEETS[meets]:
            p.books.fault("jde", method="POST", path=CALL, **MEETS[meets])

        with pytest.raises(Interrupted) as died:
            p.follows(p.approved_batches()[0], moment=dies_after(number))

        print(meets, number, died.value)
        assert_carried_on(p)


def test_a_submission_killed_again_and_again_is_there_once(small: Small, dice: Random) -> None:
    p, deaths = small("approved"), 0
    for _ in range(30):
        try:
            p.follows(p.approved_batches()[0], moment=dies_after(dice.randrange(1, 16)))
        except Interrupted as died:
            deaths += 1
            print(died)
            continue
        break

    assert deaths > 3
    assert_carried_on(p)


def test_a_preparation_killed_at_any_moment_is_carried_on_and_leaves_one_batch(
    small: Small, dice: Random
) -> None:
    p, moments = small("entered"), list[str]()
    p.prepares(moment=listening(moments))
    (whole,) = p.waiting()
    for number in chosen(len(moments), dice):
        p = small("entered")
        with pytest.raises(Interrupted) as died:
            p.prepares(moment=dies_after(number))
        print(number, died.value)

        p.prepares()

        (batch,) = p.waiting()
        assert batch.digest == whole.digest
        assert p.ledger.rows("F0911") == []
