"""Who may do what: one pure rule that every face of the product asks before it acts.

A right comes from a role, is narrowed by the scopes of the token that somebody holds, and is
limited by what it is used on: by its state, and by who prepared it.
"""

from __future__ import annotations

from dataclasses import dataclass

OWNER = "owner"  # who acts on an instance without users
SYSTEM = "system"  # who acts for schedules
EVERYTHING = "everything"  # the scope of a token that is not narrowed

VIEWER, OPERATOR, APPROVER, ADMIN, AUDITOR = ("viewer", "operator", "approver", "admin", "auditor")
ROLES = (VIEWER, OPERATOR, APPROVER, ADMIN, AUDITOR)

# What can be done → the roles that may.
RIGHTS: dict[str, tuple[str, ...]] = {
    "view": ROLES,
    "read trail": (APPROVER, ADMIN, AUDITOR),
    "hand out evidence": (APPROVER, ADMIN, AUDITOR),
    "run": (OPERATOR,),
    "prepare": (OPERATOR,),
    "steer schedules": (OPERATOR,),
    "map": (OPERATOR,),
    "settle rejects": (OPERATOR, APPROVER),
    "waive amounts": (APPROVER,),
    "check journals": (OPERATOR, APPROVER, AUDITOR),
    "prepare certification": (OPERATOR,),
    "certify": (APPROVER,),
    "prepare baseline": (OPERATOR,),
    "sign baseline": (APPROVER,),
    "withdraw baseline": (OPERATOR, APPROVER),
    "approve": (APPROVER,),
    "decline": (APPROVER,),
    "void": (OPERATOR, APPROVER),
    "release": (APPROVER,),
    "configure": (ADMIN,),
    "approve configuration": (APPROVER, ADMIN),
    "set credentials": (ADMIN,),
    "test connections": (OPERATOR, ADMIN),
    "manage people": (ADMIN,),
    "hold records": (ADMIN,),
    "purge records": (ADMIN,),
    "make own token": ROLES,
    "revoke own token": ROLES,
}
ACTS = tuple(RIGHTS)
SCOPES = (EVERYTHING, *ACTS)

# The acts that are limited by the state of a batch or journal → the states they are for.
STATES: dict[str, tuple[str, ...]] = {
    "approve": ("prepared",),
    "decline": ("prepared",),
    "certify": ("prepared",),
    "sign baseline": ("prepared",),
    "withdraw baseline": ("prepared", "signed"),
    "approve configuration": ("prepared",),
    "void": ("prepared", "approved"),
    "release": ("absent", "refused", "uncertain"),
}
OF_TWO_PEOPLE = (
    "approve",
    "decline",
    "release",
    "certify",
    "sign baseline",
    "approve configuration",
)  # never by who prepared it; they may void it


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person with roles, as far as the scopes of the token in their hand allow."""

    name: str
    roles: frozenset[str]
    scopes: frozenset[str] = frozenset({EVERYTHING})
    handed_by: str = ""  # the other person who has seen the token, and could act with it
    token: str = ""  # the id of the token, never the token


@dataclass(frozen=True, slots=True)
class Thing:
    """What is acted on, as far as it matters for who may."""

    name: str = ""
    state: str = ""
    prepared_by: str = ""


INSTANCE = Thing("this instance")
THE_OWNER = Actor(OWNER, frozenset(ROLES))
THE_SYSTEM = Actor(SYSTEM, frozenset({OPERATOR}))


def may(actor: Actor, act: str, on: Thing = INSTANCE) -> bool:
    """Whether `actor` may do `act` on this thing now."""
    return not why_not(actor, act, on)


def why_not(actor: Actor, act: str, on: Thing = INSTANCE) -> str:
    """The reason for which `actor` may not do `act` on this thing, empty when they may.

    KeyError for an act that does not exist: nothing is allowed by a slip of the pen.
    """
    roles = RIGHTS[act]
    if not actor.roles & set(roles):
        return f"{actor.name} may not {act}: that takes the role {' or '.join(roles)}."
    if not actor.scopes & {EVERYTHING, act}:
        return f"The token of {actor.name} was made for less than “{act}”."
    if act in OF_TWO_PEOPLE and (alone := _alone(actor, act, on)):
        return alone
    if act in STATES and on.state not in STATES[act]:
        return f"{on.name} is {on.state or 'in no state'}: {act} is for {_either(STATES[act])}."
    return ""


def _alone(actor: Actor, act: str, on: Thing) -> str:
    """Why this would not be the work of two people."""
    if actor.name in (OWNER, SYSTEM):
        return f"To {act} takes a person of this instance; {actor.name} is none."
    if on.prepared_by in ("", OWNER):
        return f"Nobody can say who prepared {on.name}; it has to be prepared again by a user."
    if on.prepared_by == actor.name:
        return f"{actor.name} prepared {on.name}; to {act} it takes another person."
    if on.prepared_by == actor.handed_by:
        return (
            f"{actor.handed_by} prepared {on.name} and has handed out the token of {actor.name}; "
            f"to {act} it takes a token that {actor.handed_by} has never seen."
        )
    return ""


def _either(states: tuple[str, ...]) -> str:
    return " or ".join(states)
