"""Users, their tokens, and signing in on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tieout.app import Instance
from tieout.core.policy import EVERYTHING, Actor
from tieout.errors import Misconfigured, NotAllowed
from tieout.store import audit, people, sign_in
from tieout.store.audit import Telling
from tieout.store.people import Made, NewToken, Token, User
from tieout.verbs import acting

TOKEN_DAYS_USUAL = 90
TOKEN_DAYS_MAX = 366


def add_user(instance: Instance, name: str, roles: Sequence[str], days: int) -> dict[str, Any]:
    """A new user and a token to hand to them, which is told this once."""
    held, at = acting.held_token(instance), instance.clock.now()
    life = _life(days)
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, held, at), "manage people")
        user = people.add_user(connection, name, roles, by.name, at)
        new = NewToken(name, (EVERYTHING,), at + life, by, "first sign-in")
        made = people.make_token(connection, new, at)
    return {"ok": True, "user": _user(user), **_made(made)}


def users(instance: Instance) -> list[dict[str, Any]]:
    """Every user with their tokens, which are named but never shown."""
    acting.require(instance, "read trail")
    at = instance.clock.now()
    with instance.store.database.read() as connection:
        found, tokens = people.users(connection), people.tokens(connection)
    return [
        _user(user)
        | {"tokens": [_token(t) | {"lives": t.lives(at)} for t in tokens if t.user == user.name]}
        for user in found
    ]


def make_token(
    instance: Instance, *, user: str | None, scopes: Sequence[str], days: int, what_for: str
) -> dict[str, Any]:
    """A token for oneself, never wider than the one in hand, or by an administrator for another."""
    held, at = acting.held_token(instance), instance.clock.now()
    life, wanted = _life(days), tuple(dict.fromkeys(scopes)) or (EVERYTHING,)
    with instance.store.begin() as connection:
        by = people.who(connection, held, at)
        name = user or by.name
        own = name == by.name
        acting.allowed(by, "make own token" if own else "manage people")
        if own:
            _refuse_wider(by, wanted)
        new = NewToken(name, wanted, at + life, by, what_for)
        made = people.make_token(connection, new, at)
    return {"ok": True, **_made(made)}


def revoke_token(instance: Instance, token_id: str) -> dict[str, Any]:
    """A token acts for nobody from now on: one's own, or by an administrator anybody's."""
    held, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = people.who(connection, held, at)
        own = people.find(connection, token_id).user == by.name
        acting.allowed(by, "revoke own token" if own else "manage people")
        revoked = people.revoke(connection, token_id, by.name, at)
    return {"ok": True, "token": _token(revoked)}


def login(instance: Instance, text: str) -> dict[str, Any]:
    """Keep a token sealed in this instance's directory: commands here act as its holder."""
    at = instance.clock.now()
    if not text.strip():
        raise Misconfigured("No token was given.", untouched="Nothing was kept.")
    with instance.store.begin() as connection:
        actor = people.who(connection, text, at)
        sign_in.keep(instance.home, instance.store.safe.keys, text.strip())
        token = people.find(connection, actor.token)
        detail = {"token": token.id, "home": str(instance.home)}
        audit.append(connection, at, Telling(actor.name, "signed in", actor.name, detail))
    return {
        "ok": True, "user": actor.name, "roles": sorted(actor.roles), "token": _token(token),
    }  # fmt: skip


def logout(instance: Instance) -> bool:
    """Take the kept sign-in away; whether there was one."""
    return sign_in.forget(instance.home)


def _life(days: int) -> timedelta:
    if not 1 <= days <= TOKEN_DAYS_MAX:
        raise Misconfigured(
            f"A token cannot live for {days} days.",
            untouched="Nothing was made.",
            do=f"Give 1 to {TOKEN_DAYS_MAX} days.",
        )
    return timedelta(days=days)


def _refuse_wider(by: Actor, wanted: Sequence[str]) -> None:
    wider = [scope for scope in wanted if not by.scopes & {EVERYTHING, scope}]
    if wider:
        raise NotAllowed(
            f"The token of {by.name} was made for less than {', '.join(wider)}.",
            untouched="No token was made.",
            do=f"Ask for some of: {', '.join(sorted(by.scopes))}.",
        )


def _user(user: User) -> dict[str, Any]:
    return {
        "name": user.name, "roles": list(user.roles), "added_at": user.added_at,
        "added_by": user.added_by,
    }  # fmt: skip


def _token(token: Token) -> dict[str, Any]:
    names = (
        "id", "user", "what_for", "made_at", "made_by", "expires_at", "revoked_at", "revoked_by",
    )  # fmt: skip
    return {name: getattr(token, name) for name in names} | {"scopes": list(token.scopes)}


def _made(made: Made) -> dict[str, Any]:
    return {"token": _token(made.token), "secret": made.text}
