"""Who may do what, tried for every act, role, scope, state and preparer there is."""

from __future__ import annotations

from itertools import product

import pytest

from tieout.core import policy
from tieout.core.policy import ACTS, EVERYTHING, RIGHTS, ROLES, STATES, Actor, Thing, may, why_not
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
        fit = fit and on.prepared_by not in (actor.name, actor.handed_by)
    return fit


def actors() -> list[Actor]:
    scopes = [frozenset({EVERYTHING}), frozenset({"view"}), frozenset({"approve", "run"})]
    some = [
        Actor("ben", frozenset({role}), scope, handed)
        for role, scope, handed in product(ROLES, scopes, ("", "carla"))
    ]
    all_at_once = Actor("ben", frozenset(ROLES))
    return [*some, all_at_once, Actor("ben", frozenset()), policy.THE_OWNER, policy.THE_SYSTEM]


def test_every_act_by_every_role_in_every_state_is_as_the_table_of_rights_says() -> None:
    tried = 0
    for actor, act, state, preparer in product(actors(), ACTS, EVERY_STATE, PREPARERS):
        thing = Thing("plan-7", state, preparer)
        assert may(actor, act, thing) == expected(actor, act, thing), (actor, act, thing)
        assert may(actor, act, thing) == (why_not(actor, act, thing) == "")
        tried += 1
    assert tried > len(ROLES) * len(ACTS) * len(EVERY_STATE)


def test_no_role_and_no_scope_lets_the_preparer_approve() -> None:
    for state, act in product(EVERY_STATE, DECIDING):
        assert not may(Actor("anna", frozenset(ROLES)), act, Thing("plan-7", state, "anna"))


def test_who_handed_out_a_token_cannot_approve_with_it_what_they_prepared() -> None:
    ben = Actor("ben", frozenset({policy.APPROVER}), handed_by="anna")
    assert "has handed out the token" in why_not(ben, "approve", Thing("b", "prepared", "anna"))
    assert may(ben, "approve", Thing("b", "prepared", "carla"))


@pytest.mark.parametrize("role", ROLES)
def test_every_role_may_view_and_none_may_everything(role: str) -> None:
    allowed = [act for act in ACTS if role in RIGHTS[act]]
    assert "view" in allowed
    assert set(allowed) < set(ACTS)


def test_an_administrator_alone_neither_runs_nor_approves() -> None:
    admin = Actor("anna", frozenset({policy.ADMIN}))
    for act in ("run", "prepare", "approve", "release", "map"):
        assert not may(admin, act, Thing("b", STATES.get(act, ("",))[0], "carla"))


def test_an_act_that_does_not_exist_is_never_allowed() -> None:
    with pytest.raises(KeyError):
        may(policy.THE_OWNER, "aprove", Thing("b", "prepared", "anna"))
