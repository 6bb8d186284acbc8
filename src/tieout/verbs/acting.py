"""Who acts: the holder of a token or of the kept sign-in; without users, the owner.

Every verb that changes something asks here first; nobody is somebody by giving a name.
"""

from __future__ import annotations

from tieout.app import Instance
from tieout.core.policy import INSTANCE, Actor, Thing, why_not
from tieout.errors import NotAllowed
from tieout.redaction import hide
from tieout.store import people, sign_in


def held_token(instance: Instance) -> str:
    """The token this process acts with: TIEOUT_TOKEN, else that of the kept sign-in, else none."""
    token = instance.environment.token or sign_in.token(instance.home, instance.store.safe.keys)
    hide(token)
    return token


def require(instance: Instance, act: str, on: Thing = INSTANCE) -> Actor:
    """Who acts; NotAllowed when nobody does, or when they may not do `act` on this."""
    token = held_token(instance)
    with instance.store.database.read() as connection:
        return allowed(people.who(connection, token, instance.clock.now()), act, on)


def allowed(actor: Actor, act: str, on: Thing = INSTANCE) -> Actor:
    """The actor; NotAllowed when they may not do `act` on this."""
    if why := why_not(actor, act, on):
        raise NotAllowed(why, untouched="Nothing was changed.", who=f"who may {act}")
    return actor
