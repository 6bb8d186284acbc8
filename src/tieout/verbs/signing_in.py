"""Sign in at a browser, change a password, and sign out."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from tieout.app import Instance
from tieout.core.policy import ADMIN, EVERYTHING, OWNER, ROLES, Actor, hands
from tieout.errors import Misconfigured, NotAllowed
from tieout.store import audit, passwords, people, sessions, tries
from tieout.store.audit import Telling
from tieout.store.passwords import NewPassword
from tieout.store.sessions import Begun, NewSession
from tieout.verbs import acting

CHANGE: Final = "change own password"
BY_PASSWORD, BY_SET_UP = "password", "setup"
CODES_TRIED_MAX = 20  # wrong codes before the first start has to be begun again


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody signs in: their address, their browser, and what it is known by."""

    address: str = ""
    browser: str = ""
    known: str = ""

    def session(
        self, user: str, way: str, handed_by: str = "", scopes: tuple[str, ...] = (EVERYTHING,)
    ) -> NewSession:
        """A session to be begun from here."""
        return NewSession(user, way, handed_by, scopes, self.address, self.browser)


def sign_in(instance: Instance, name: str, password: str, place: Place) -> Begun:
    """Begin a session; NotAllowed tells nobody which of name and password was wrong.

    TooManyTries when it comes too early. Whoever has a password that somebody else set can change
    it and do nothing else before.
    """
    at = instance.clock.now()
    counted = _count(instance, name, place)
    with instance.store.database.read() as connection:
        kept = passwords.find(connection, name)
    right = passwords.fits(kept, password)
    with instance.store.begin() as connection:
        if right and kept and passwords.still(connection, kept):
            _succeeded(connection, counted)
            scopes = (CHANGE,) if kept.temporary else (EVERYTHING,)
            new = place.session(name, BY_PASSWORD, kept.handed_by, scopes)
            return sessions.begin(connection, new, at)
        detail = {"from": place.address}
        audit.append(connection, at, Telling("", "sign-in refused", name[:64], detail))
    raise NotAllowed(
        "The name or the password is wrong.",
        untouched="Nobody was signed in.",
        do="Names are written in small letters. An administrator can set a new password.",
    )


def _succeeded(connection: Any, counted: Sequence[str]) -> None:
    """The right password was given: the tries of who gave it begin anew.

    Those of all at their address lose this one alone, or who knows one password could guess on.
    """
    who, *everybody = counted
    tries.forget(connection, who)
    for all_of_them in everybody:
        tries.take_back(connection, all_of_them)


def _count(instance: Instance, name: str, place: Place) -> list[str]:
    """Count a try; for whom it was counted: who tries, then everybody at their address."""
    at = instance.clock.now()
    with instance.store.begin() as connection:
        if place.known and (known := sessions.knows(connection, name, place.known)):
            who = f"browser {known}"
            tries.count(connection, who, tries.FREE_TRIES, at)
            return [who]
        where = tries.household(place.address)
        who = f"{name[:64]} at {where}"
        tries.count(connection, who, tries.FREE_TRIES, at)
        everybody = f"at {where}"
        tries.count(connection, everybody, tries.FREE_TRIES_OF_AN_ADDRESS, at)
        return [who, everybody]


def who(instance: Instance, *, seen: bool = True) -> Actor:
    """Who asks over the network, noted as `seen` now; NotAllowed when the session has ended."""
    at = instance.clock.now()
    with instance.store.database.read() as connection:
        actor = people.who(connection, acting.held_token(instance), at)
        session = sessions.find(connection, actor.session)
    pause = timedelta(seconds=sessions.SEEN_SECONDS_MIN)
    if seen and session and at - session.seen_at >= pause:
        with instance.store.begin() as connection:
            sessions.seen(connection, session.id, at)
    return actor


def sign_out(instance: Instance) -> None:
    """End the session that asks."""
    at = instance.clock.now()
    with instance.store.begin() as connection:
        actor = people.who(connection, acting.held_token(instance), at)
        ended = sessions.end(connection, actor.name, at, session_id=actor.session)
        told = Telling(actor.name, "signed out", actor.name, {"sessions": ended})
        audit.append(connection, at, told)


def change_password(instance: Instance, old: str, new: str, place: Place) -> Begun:
    """Change one's own password; every session of oneself ends, and another begins.

    Misconfigured for a wrong one or a weak one, TooManyTries when it comes too early.
    """
    actor = acting.require(instance, CHANGE)
    counted = _count(instance, actor.name, place)
    with instance.store.database.read() as connection:
        kept = passwords.find(connection, actor.name)
    if not passwords.fits(kept, old):
        raise Misconfigured(
            "The password you have now is another one.", untouched="It was not changed."
        )
    if hmac.compare_digest(old.encode(), new.encode()):
        raise Misconfigured("The new password is the old one.", untouched="It was not changed.")
    argon2 = passwords.hashed(actor.name, new)
    at = instance.clock.now()
    with instance.store.begin() as connection:
        by = people.who(connection, acting.held_token(instance), at)
        _succeeded(connection, counted)
        passwords.keep(connection, NewPassword(by.name, argon2, by.name, by.handed_by), at)
        sessions.end(connection, by.name, at, user=by.name)
        new_session = place.session(by.name, BY_PASSWORD, by.handed_by)
        return sessions.begin(connection, new_session, at)


def set_password(instance: Instance, user: str, text: str = "") -> str:
    """A temporary password for another user, by an administrator, or one's own; the password.

    An empty `text` draws one. All sessions of the user end.
    """
    acting.require(instance, CHANGE)
    text = text or passwords.generated()
    argon2 = passwords.hashed(user, text)
    at = instance.clock.now()
    with instance.store.begin() as connection:
        by = people.who(connection, acting.held_token(instance), at)
        own = by.name == user
        acting.allowed(by, CHANGE if own else "manage people")
        people.named(connection, user)
        handed_by = by.handed_by if own else hands(by)
        passwords.keep(connection, NewPassword(user, argon2, by.name, handed_by, not own), at)
        sessions.end(connection, by.name, at, user=user)
    return text


class FirstStart:
    """The first start of an instance without users: a code, told where it was started, opens it."""

    def __init__(self) -> None:
        self.code = passwords.generated()
        self._wrong = 0
        self._counting = threading.Lock()

    def first_user(
        self, instance: Instance, code: str, name: str, password: str, place: Place,
        roles: Sequence[str] = (ADMIN,),
    ) -> Begun:  # fmt: skip
        """Add the first administrator and sign them in; NotAllowed with a wrong code."""
        with self._counting:
            right = hmac.compare_digest(code.strip().lower().encode(), self.code.encode())
            if not right or self._wrong >= CODES_TRIED_MAX:
                self._wrong += 1
                raise NotAllowed(
                    "That is not the code.",
                    untouched="No user was added.",
                    do="Read it from the terminal where `tieout serve` runs"
                    + ("; start that again first." if self._wrong > CODES_TRIED_MAX else "."),
                )
        argon2 = passwords.hashed(name, password)
        at = instance.clock.now()
        with instance.store.begin() as connection:
            wanted = [role for role in ROLES if role in {*roles, ADMIN}]
            people.add_user(connection, name, wanted, OWNER, at)
            passwords.keep(connection, NewPassword(name, argon2, name), at)
            return sessions.begin(connection, place.session(name, BY_SET_UP), at)


def there_are_users(instance: Instance) -> bool:
    """Whether anybody could sign in; otherwise it is a first start."""
    with instance.store.database.read() as connection:
        return people.there_are_users(connection)
