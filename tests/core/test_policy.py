"""Who may do what, tried for every act, role, scope, state and preparer there is."""

from __future__ import annotations

from itertools import product

import pytest

from tieout.core import policy
from tieout.core.policy import ACTS, EVERYTHING, RIGHTS, ROLES, STATES, Actor, Thing, may, who_may
from tieout.store.schema import BATCH_STATES, JOURNAL_STATES

EVERY_STATE = ("", *BATCH_STATES, *JOURNAL_STATES, "signed", "withdrawn")
PREPARERS = ("anna", "ben", "carla", policy.SYSTEM, policy.OWNER, "")
DECIDING = (
    "approve",
    "decline",
    "release",
    "certify",
    "sign baseline",
    "approve configuration",
)  # written here again: the rule must not agree with itself only


def expected(actor: Actor, act: str, on: Thing) -> bool:
    """The rights as a controller would list them, independent of the rule's own order."""
    if not any(role in RIGHTS[act] for role in actor.roles):
        return False
    if EVERYTHING not in actor.scopes and act not in actor.scopes:
        return False
    if act in ("approve", "decline", "certify", "sign baseline", "approve configuration"):
        fit = on.state == "prepared"
    elif act == "void":
        fit = on.state in ("prepared", "approved")
    elif act == "withdraw baseline":
        fit = on.state in ("prepared", "signed")
    elif act == "release":
        fit = on.state in ("absent", "refused", "uncertain")  # the store looks closer at the last
    else:
        fit = True
    if act in DECIDING:
        people = {policy.OWNER, policy.SYSTEM}
        fit = fit and actor.name not in people and on.prepared_by not in ("", policy.OWNER)
        fit = fit and on.prepared_by not in (actor.name, *actor.handed_by.split())
    return fit


def actors() -> list[Actor]:
    scopes = [frozenset({EVERYTHING}), frozenset({"view"}), frozenset({"approve", "run"})]
    some = [
        Actor("ben", frozenset({role}), scope, handed)
        for role, scope, handed in product(ROLES, scopes, ("", "carla", "dan carla"))
    ]
    all_at_once = Actor("ben", frozenset(ROLES))
    return [*some, all_at_once, Actor("ben", frozenset()), policy.THE_OWNER, policy.THE_SYSTEM]


def test_every_act_by_every_role_in_every_state_is_as_the_table_of_rights_says() -> None:
    tried = 0
    for actor, act, state, preparer in product(actors(), ACTS, EVERY_STATE, PREPARERS):
        thing = Thing("plan-7", state, preparer)
        verdict = may(actor, act, thing)
        assert bool(verdict) == expected(actor, act, thing), (actor, act, thing)
        assert bool(verdict) == (verdict.why_not == "")
        assert not verdict.roles or set(verdict.roles) == set(RIGHTS[act])
        tried += 1
    assert tried > len(ROLES) * len(ACTS) * len(EVERY_STATE)


def test_no_role_and_no_scope_lets_the_preparer_approve() -> None:
    for state, act in product(EVERY_STATE, DECIDING):
        assert not may(Actor("anna", frozenset(ROLES)), act, Thing("plan-7", state, "anna"))


def test_who_handed_out_a_token_cannot_approve_with_it_what_they_prepared() -> None:
    ben = Actor("ben", frozenset({policy.APPROVER}), handed_by="anna")
    assert "has handed out the token" in may(ben, "approve", Thing("b", "prepared", "anna")).why_not
    assert may(ben, "approve", Thing("b", "prepared", "carla"))


def test_whoever_handed_something_on_counts_however_long_the_way_is() -> None:
    anna = Actor("anna", frozenset({policy.ADMIN}), handed_by=policy.OWNER)
    zoe = Actor("zoe", frozenset({policy.ADMIN}), handed_by=policy.hands(anna))
    assert policy.hands(zoe) == "zoe anna"
    eve = Actor("eve", frozenset({policy.APPROVER}), handed_by=policy.hands(zoe))
    for preparer in ("anna", "zoe"):
        told = may(eve, "approve", Thing("b", "prepared", preparer)).why_not
        assert f"{preparer} prepared b and has handed out the token" in told
    assert may(eve, "approve", Thing("b", "prepared", "an"))
    assert policy.hands(Actor("eve", frozenset(), handed_by="zoe eve")) == "eve zoe"


@pytest.mark.parametrize("role", ROLES)
def test_every_role_may_view_and_none_may_everything(role: str) -> None:
    allowed = [act for act in ACTS if role in RIGHTS[act]]
    assert "view" in allowed
    assert set(allowed) < set(ACTS)


def test_an_administrator_alone_neither_runs_nor_approves() -> None:
    admin = Actor("anna", frozenset({policy.ADMIN}))
    for act in ("run", "prepare", "approve", "release", "map"):
        assert not may(admin, act, Thing("b", STATES.get(act, ("",))[0], "carla"))


def test_what_is_of_one_person_is_touched_by_nobody_else_as_their_own() -> None:
    anna = Actor("anna", frozenset(ROLES))
    for act in ("make own token", "revoke own token", "change own password", "end own session"):
        assert may(anna, act, Thing("token 7", of="anna"))
        assert may(anna, act, Thing("token 7", of="ben")).why_not == "token 7 is not of anna."


def test_who_may_not_is_told_whom_to_ask() -> None:
    waiting = Thing("batch 7", "prepared", "anna")
    anna, ben, carla = (Actor(n, frozenset({policy.APPROVER})) for n in ("anna", "ben", "carla"))
    dan = Actor("dan", frozenset({policy.OPERATOR}))
    assert may(dan, "approve", waiting).who == "a person with the role approver"
    assert who_may([dan, carla, ben, anna], "approve", waiting) == ["ben", "carla"]
    assert may(ben, "approve", Thing("batch 7", "declined", "anna")).who == "", "nobody any more"


def test_an_act_that_does_not_exist_is_never_allowed() -> None:
    with pytest.raises(KeyError):
        may(policy.THE_OWNER, "aprove", Thing("b", "prepared", "anna"))
