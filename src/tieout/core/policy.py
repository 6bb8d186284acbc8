"""Who may do what: one pure rule that every face of the product asks before it acts.

A right comes from a role, is narrowed by the scopes of the token that somebody holds, and is
limited by what it is used on: by its state, and by who prepared it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

OWNER = "owner"  # who acts on an instance without users
SYSTEM = "system"  # who acts for schedules
EVERYTHING = "everything"  # the scope of a token that is not narrowed

VIEWER, OPERATOR, APPROVER, ADMIN, AUDITOR = ("viewer", "operator", "approver", "admin", "auditor")
ROLES = (VIEWER, OPERATOR, APPROVER, ADMIN, AUDITOR)

Act = Literal[
    "view",
    "read trail",
    "hand out evidence",
    "run",
    "prepare",
    "steer schedules",
    "map",
    "settle rejects",
    "waive amounts",
    "check journals",
    "prepare certification",
    "certify",
    "prepare baseline",
    "sign baseline",
    "withdraw baseline",
    "approve",
    "decline",
    "void",
    "release",
    "configure",
    "approve configuration",
    "set credentials",
    "test connections",
    "manage people",
    "hold records",
    "purge records",
    "back up",
    "make own token",
    "revoke own token",
    "change own password",
    "end own session",
    "sign access review",
    "read metrics",
]
# What can be done → the roles that may.
RIGHTS: dict[Act, tuple[str, ...]] = {
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
    "back up": (ADMIN,),
    "make own token": ROLES,
    "revoke own token": ROLES,
    "change own password": ROLES,
    "end own session": ROLES,
    "sign access review": (APPROVER, AUDITOR),  # not by who gives the roles
    "read metrics": ROLES,
}
ACTS: tuple[Act, ...] = get_args(Act)
SCOPES = (EVERYTHING, *ACTS)

# The acts that are limited by the state of a batch or journal → the states they are for.
STATES: dict[Act, tuple[str, ...]] = {
    "approve": ("prepared",),
    "decline": ("prepared",),
    "certify": ("prepared",),
    "sign baseline": ("prepared",),
    "withdraw baseline": ("prepared", "signed"),
    "approve configuration": ("prepared",),
    "void": ("prepared", "approved"),
    "release": ("absent", "refused", "uncertain"),
}
OF_TWO_PEOPLE: tuple[Act, ...] = (
    "approve",
    "decline",
    "release",
    "certify",
    "sign baseline",
    "approve configuration",
)  # never by who prepared it; they may void it


OF_ONESELF: tuple[Act, ...] = (
    "make own token", "revoke own token", "change own password", "end own session",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person with roles, as far as the scopes of the token in their hand allow."""

    name: str
    roles: frozenset[str]
    scopes: frozenset[str] = frozenset({EVERYTHING})
    handed_by: str = ""  # the other people who have seen the token, and could act with it
    token: str = ""  # the id of the token, never the token
    session: str = ""  # the id of the session of a browser, never what the cookie holds


@dataclass(frozen=True, slots=True)
class Thing:
    """What is acted on, as far as it matters for who may."""

    name: str = ""
    state: str = ""
    prepared_by: str = ""
    of: str = ""  # the one person whose it is


def hands(by: Actor) -> str:
    """Through whose hands goes what somebody hands out: theirs, and of who could act as them.

    The owner is left out behind a user: nobody decides over what the owner prepared anyway.
    """
    before = (name for name in by.handed_by.split() if name != OWNER)
    return " ".join(dict.fromkeys((by.name, *before)))


INSTANCE = Thing("this instance")
THE_OWNER = Actor(OWNER, frozenset(ROLES))
THE_SYSTEM = Actor(SYSTEM, frozenset({OPERATOR}))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether somebody may do something: true, or false with the reason and who may instead."""

    why_not: str = ""
    roles: tuple[str, ...] = ()  # of who may; empty where nobody does it in this state

    def __bool__(self) -> bool:
        return not self.why_not

    @property
    def who(self) -> str:
        """Who can do it, as the end of a sentence."""
        return f"a person with the role {_either(self.roles)}" if self.roles else ""


YES = Verdict()


def may(actor: Actor, act: Act, on: Thing = INSTANCE) -> Verdict:
    """Whether `actor` may do `act` on this thing now, and if not, why.

    KeyError for an act that does not exist: nothing is allowed by a slip of the pen.
    """
    if not (held := holds(actor, act)):
        return held
    if act in OF_ONESELF and on.of not in ("", actor.name):
        return Verdict(f"{on.name} is not of {actor.name}.")
    if act in OF_TWO_PEOPLE and (alone := _alone(actor, act, on)):
        return Verdict(alone, RIGHTS[act])
    if act in STATES and on.state not in STATES[act]:
        told = f"{on.name} is {on.state or 'in no state'}: {act} is for {_either(STATES[act])}."
        return Verdict(told)
    return YES


def holds(actor: Actor, act: Act) -> Verdict:
    """Whether `actor` has the right at all, on whatever thing; KeyError as above."""
    roles = RIGHTS[act]
    if not actor.roles & set(roles):
        why = f"{actor.name} may not {act}: that takes the role {_either(roles)}."
        return Verdict(why, roles)
    if not actor.scopes & {EVERYTHING, act}:
        return Verdict(f"The token of {actor.name} was made for less than “{act}”.", roles)
    return YES


def who_may(people: Iterable[Actor], act: Act, on: Thing = INSTANCE) -> list[str]:
    """The names of those who may do it now: whom to ask."""
    return sorted(person.name for person in people if may(person, act, on))


def _alone(actor: Actor, act: Act, on: Thing) -> str:
    """Why this would not be the work of two people."""
    if actor.name in (OWNER, SYSTEM):
        return f"To {act} takes a person of this instance; {actor.name} is none."
    if on.prepared_by in ("", OWNER):
        return f"Nobody can say who prepared {on.name}; it has to be prepared again by a user."
    if on.prepared_by == actor.name:
        return f"{actor.name} prepared {on.name}; to {act} it takes another person."
    if on.prepared_by in actor.handed_by.split():
        return (
            f"{on.prepared_by} prepared {on.name} and has handed out the token of {actor.name}; "
            f"to {act} it takes a token that {on.prepared_by} has never seen."
        )
    return ""


def _either(states: tuple[str, ...]) -> str:
    return " or ".join(states)
