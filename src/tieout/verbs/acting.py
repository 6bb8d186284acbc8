"""Who acts: the holder of a token or of the kept sign-in; without users, the owner.

Every verb that changes something asks here first; nobody is somebody by giving a name.
"""

from __future__ import annotations

from tieout.app import Instance
from tieout.core.policy import INSTANCE, Act, Actor, Thing, Verdict, holds, may
from tieout.errors import Denied, NotAllowed
from tieout.redaction import hide
from tieout.store import audit, people, sign_in
from tieout.store.audit import Telling


def held_token(instance: Instance) -> str:
    """What is acted with: who asked over the network brings theirs; else this process's own.

    That is TIEOUT_TOKEN, else the token of the kept sign-in, else none.
    """
    if instance.credential:
        return instance.credential
    token = instance.environment.token or sign_in.token(instance.home, instance.store.safe.keys)
    hide(token)
    return token


def require(instance: Instance, act: Act, on: Thing = INSTANCE) -> Actor:
    """Who acts; NotAllowed when nobody does, or when they may not do `act` on this."""
    token = held_token(instance)
    with instance.store.database.read() as connection:
        return allowed(people.who(connection, token, instance.clock.now()), act, on)


def allowed(actor: Actor, act: Act, on: Thing = INSTANCE) -> Actor:
    """The actor; NotAllowed when they may not do `act` on this."""
    return _unless(may(actor, act, on), actor, act, on)


def holding(actor: Actor, act: Act) -> Actor:
    """The actor; NotAllowed when they have not the right at all, on whatever thing."""
    return _unless(holds(actor, act), actor, act, INSTANCE)


def _unless(verdict: Verdict, actor: Actor, act: Act, on: Thing) -> Actor:
    if verdict:
        return actor
    raise NotAllowed(
        verdict.why_not, untouched="Nothing was changed.", who=verdict.who,
        denied=Denied(actor.name, act, on.name),
    )  # fmt: skip


def everybody(instance: Instance) -> list[Actor]:
    """The users of an instance as who acts: whom to ask for what oneself may not."""
    require(instance, "view")
    with instance.store.database.read() as connection:
        return [user.actor for user in people.users(connection)]


def tell_denied(instance: Instance, trouble: NotAllowed) -> None:
    """Keep in the trail that somebody known was not allowed something; others are not told of."""
    if (denied := trouble.denied) is None:
        return
    detail = {"act": denied.act, "why": trouble.what}
    with instance.store.begin() as connection:
        telling = Telling(denied.actor, "was not allowed", denied.on, detail)
        audit.append(connection, instance.clock.now(), telling)
