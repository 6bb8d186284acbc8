"""Users, their tokens and sessions, the review of who may what, and signing in on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from tieout.app import Instance
from tieout.core.policy import EVERYTHING, Actor, Thing, hands
from tieout.errors import Misconfigured, NotAllowed, Trouble
from tieout.store import audit, passwords, people, sessions, sign_in
from tieout.store.audit import Telling
from tieout.store.passwords import NewPassword
from tieout.store.people import Made, NewToken, Token, User
from tieout.store.sessions import Session
from tieout.verbs import acting

MANAGE: Final = "manage people"
REVIEW: Final = "sign access review"
REVIEWED = "signed access review"  # what an entry of the trail calls it
TOKEN_DAYS_USUAL = 90
TOKEN_DAYS_MAX = 366
USED_SECONDS_MIN = 60  # between two writes of when a token was used


def add_user(instance: Instance, name: str, roles: Sequence[str], days: int) -> dict[str, Any]:
    """A new user and a token to hand to them, which is told this once."""
    held, at = acting.held_token(instance), instance.clock.now()
    life = _life(days)
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, held, at), MANAGE)
        user = people.add_user(connection, name, roles, by.name, at)
        new = NewToken(name, (EVERYTHING,), at + life, by, "first sign-in")
        made = people.make_token(connection, new, at)
    return {"ok": True, "user": _user(user), **_made(made)}


def invite(instance: Instance, name: str, roles: Sequence[str]) -> dict[str, Any]:
    """A new user and a password to hand to them, which is told this once and changed at once."""
    acting.require(instance, MANAGE)
    password = passwords.generated()
    argon2 = passwords.hashed(name, password)
    held, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, held, at), MANAGE)
        user = people.add_user(connection, name, roles, by.name, at)
        passwords.keep(connection, NewPassword(name, argon2, by.name, hands(by), True), at)
    return {"ok": True, "user": _user(user), "password": password}


def set_roles(instance: Instance, name: str, roles: Sequence[str]) -> dict[str, Any]:
    """Give a user these roles instead of theirs."""
    held, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, held, at), MANAGE)
        user = people.set_roles(connection, name, roles, by.name, at)
    return {"ok": True, "user": _user(user)}


def close(instance: Instance, name: str) -> dict[str, Any]:
    """Somebody leaves: their sessions end, their tokens and password act for nobody."""
    held, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, held, at), MANAGE)
        people.close(connection, name, by.name, at)
    return {"ok": True, "user": name}


def end_sessions(instance: Instance, user: str) -> list[str]:
    """End all sessions of a user, by an administrator or by themselves."""
    held, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = people.who(connection, held, at)
        acting.allowed(by, "end own session" if user == by.name else MANAGE)
        people.named(connection, user)
        ended = sessions.end(connection, by.name, at, user=user)
        telling = Telling(by.name, "ended sessions", user, {"sessions": ended})
        audit.append(connection, at, telling)
    return ended


def end_session(instance: Instance, session_id: str) -> None:
    """End one session of one's own."""
    held, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = people.who(connection, held, at)
        acting.allowed(by, "end own session", session_thing(_session(connection, session_id)))
        ended = sessions.end(connection, by.name, at, session_id=session_id)
        telling = Telling(by.name, "ended sessions", by.name, {"sessions": ended})
        audit.append(connection, at, telling)


def users(instance: Instance) -> list[dict[str, Any]]:
    """Every user with when they last signed in, and their tokens: named but never shown."""
    acting.require(instance, "read trail")
    at = instance.clock.now()
    with instance.store.database.read() as connection:
        found, tokens = people.users(connection), people.tokens(connection)
        last = sessions.last_of_each(connection)
        living = {u.name: len(sessions.listed(connection, u.name, at)) for u in found}
    return [
        _user(user)
        | {
            "last_sign_in": last.get(user.name), "sessions": living[user.name],
            "tokens": [_told(t, at) for t in tokens if t.user == user.name],
        }
        for user in found
    ]  # fmt: skip


def user(instance: Instance, name: str) -> dict[str, Any]:
    """One user, as the list tells them; Misconfigured when there is none."""
    found = [u for u in users(instance) if u["name"] == name]
    if not found:
        raise Misconfigured(f"There is no user {name!r}.")
    return found[0]


def own(instance: Instance) -> dict[str, Any]:
    """Oneself: roles, sessions that act now, tokens."""
    actor = acting.require(instance, "view")
    at = instance.clock.now()
    with instance.store.database.read() as connection:
        tokens = [t for t in people.tokens(connection) if t.user == actor.name]
        living = sessions.listed(connection, actor.name, at)
    return {
        "name": actor.name, "roles": sorted(actor.roles), "handed_by": actor.handed_by,
        "sessions": [_session_told(s) | {"this": s.id == actor.session} for s in living],
        "tokens": [_told(t, at) for t in tokens],
    }  # fmt: skip


def token_thing(instance: Instance, token_id: str) -> Thing:
    """A token as something that is of somebody; Misconfigured when there is none."""
    with instance.store.database.read() as connection:
        return Thing(f"Token {token_id}", of=people.find(connection, token_id).user)


def session_thing(session: Session) -> Thing:
    """A session as something that is of somebody."""
    return Thing(f"Session {session.id}", of=session.user)


def session_named(instance: Instance, session_id: str) -> Thing:
    """The same by its id; Misconfigured when there is none."""
    with instance.store.database.read() as connection:
        return session_thing(_session(connection, session_id))


def user_thing(instance: Instance, name: str) -> Thing:
    """A user as something that is acted on; Misconfigured when there is none or they have left."""
    with instance.store.database.read() as connection:
        return Thing(people.named(connection, name).name)


def _session(connection: Any, session_id: str) -> Session:
    found = sessions.find(connection, session_id)
    if found is None:
        raise Misconfigured(f"There is no session {session_id}.")
    return found


def review(instance: Instance, note: str) -> dict[str, Any]:
    """Sign that somebody has looked at who may what, with all of it as it is now."""
    found = users(instance)
    held, at = acting.held_token(instance), instance.clock.now()
    seen = [{"name": u["name"], "roles": u["roles"]} for u in found if not u["closed_at"]]
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, held, at), REVIEW)
        told = Telling(by.name, REVIEWED, "access", {"note": note, "users": seen})
        audit.append(connection, at, told)
    return {"ok": True, "by": by.name, "at": at, "users": len(seen)}


def reviews(instance: Instance) -> list[dict[str, Any]]:
    """Every review that was signed, newest first."""
    acting.require(instance, "read trail")
    with instance.store.database.read() as connection:
        found = audit.entries(connection, object_="access")
    return [
        {"by": e.actor, "at": e.at, "note": e.told["note"], "users": len(e.told["users"])}
        for e in reversed(found)
        if e.act == REVIEWED
    ]


def make_token(
    instance: Instance, *, user: str | None, scopes: Sequence[str], days: int, what_for: str
) -> dict[str, Any]:
    """A token for oneself, or by an administrator for another.

    One's own is never wider than the token in hand, and never outlives it.
    """
    held, at = acting.held_token(instance), instance.clock.now()
    life, wanted = _life(days), tuple(dict.fromkeys(scopes)) or (EVERYTHING,)
    with instance.store.begin() as connection:
        by = people.who(connection, held, at)
        name = user or by.name
        own = name == by.name
        acting.allowed(by, "make own token" if own else MANAGE)
        if own:
            _refuse_wider(by, wanted)
        until = at + life
        if own and by.token:  # who has a token for a week cannot make it one for a year
            until = min(until, people.find(connection, by.token).expires_at)
        new = NewToken(name, wanted, until, by, what_for)
        made = people.make_token(connection, new, at)
    return {"ok": True, **_made(made)}


def revoke_token(instance: Instance, token_id: str) -> dict[str, Any]:
    """A token acts for nobody from now on: one's own, or by an administrator anybody's."""
    held, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = people.who(connection, held, at)
        own = people.find(connection, token_id).user == by.name
        acting.allowed(by, "revoke own token" if own else MANAGE)
        revoked = people.revoke(connection, token_id, by.name, at)
    return {"ok": True, "token": _token(revoked)}


def note_use(instance: Instance) -> None:
    """Keep when the token in hand was last used; what stands in the way is told by the verb."""
    at = instance.clock.now()
    with suppress(Trouble):
        held = acting.held_token(instance)
        with instance.store.database.read() as connection:
            actor = people.holder(connection, held, at) if held else None
            used = people.find(connection, actor.token).used_at if actor else None
        if actor and (used is None or at - used >= timedelta(seconds=USED_SECONDS_MIN)):
            with instance.store.begin() as connection:
                people.used(connection, actor.token, at)


def login(instance: Instance, text: str) -> dict[str, Any]:
    """Keep a token sealed in this instance's directory: commands here act as its holder."""
    at = instance.clock.now()
    if not text.strip():
        raise Misconfigured("No token was given.", untouched="Nothing was kept.")
    if text.strip().startswith(sessions.PREFIX):
        raise Misconfigured("That is a session, not a token.", untouched="Nothing was kept.")
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
        "added_by": user.added_by, "closed_at": user.closed_at, "closed_by": user.closed_by,
    }  # fmt: skip


def _session_told(session: Session) -> dict[str, Any]:
    names = ("id", "way", "address", "browser", "made_at", "seen_at", "ends_at")
    return {name: getattr(session, name) for name in names}


def _told(token: Token, at: datetime) -> dict[str, Any]:
    return _token(token) | {"lives": token.lives(at)}


def _token(token: Token) -> dict[str, Any]:
    names = (
        "id", "user", "what_for", "made_at", "made_by", "expires_at", "revoked_at", "revoked_by",
        "used_at",
    )  # fmt: skip
    return {name: getattr(token, name) for name in names} | {"scopes": list(token.scopes)}


def _made(made: Made) -> dict[str, Any]:
    return {"token": _token(made.token), "secret": made.text}
