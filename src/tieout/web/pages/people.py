"""Oneself, the people of this instance, and the review of who may what."""

from __future__ import annotations

from typing import Any

from starlette.responses import RedirectResponse, Response

from tieout.core.policy import ROLES, SCOPES, Thing
from tieout.errors import Misconfigured, Refused, Trouble
from tieout.verbs import people, signing_in
from tieout.web.statuses import status_of
from tieout.web.view import View

# What each role is for, where roles are given.
ROLE_WORDS = {
    "viewer": "sees", "operator": "runs, maps, replays, prepares",
    "approver": "approves what others prepared, certifies",
    "admin": "connections, people, keys, retention",
    "auditor": "reads everything, the trail included, and makes evidence packs",
}  # fmt: skip
HERE = "/settings/people"


def me(view: View) -> Response:
    """Oneself: roles, sessions and tokens."""
    return _me(view)


def _me(view: View, made: dict[str, Any] | None = None, trouble: Trouble | None = None) -> Response:
    return view.page(
        "me.html", section="", title=view.actor.name, own=people.own(view.instance),
        scopes=SCOPES, made=made, trouble=trouble.sentence() if trouble else "",
        status=status_of(trouble) if trouble else 200, days=people.TOKEN_DAYS_USUAL,
        command=("tieout tokens create --scope run --days 30 --for \"nightly load\"",),
    )  # fmt: skip


def own_session(view: View) -> Thing:
    """The session that the path names, which must be one's own."""
    return people.session_named(view.instance, view.path("session"))


def own_token(view: View) -> Thing:
    """The token that the path names, which must be one's own."""
    return people.token_thing(view.instance, view.path("token"))


def end_own_session(view: View) -> Response:
    """One session of oneself ends."""
    people.end_session(view.instance, view.path("session"))
    return RedirectResponse("/me", 303)


def make_own_token(view: View) -> Response:
    """Make a token and show it, this once."""
    scopes = [s for s in view.form.getlist("scopes") if isinstance(s, str)]
    try:
        if not scopes:
            raise Misconfigured(
                "Nothing is ticked that the token may do.", untouched="Nothing was made."
            )
        days = _days(view.field("days"))
        made = people.make_token(
            view.instance, user=None, scopes=scopes, days=days, what_for=view.field("what_for")
        )
    except Misconfigured as trouble:
        return _me(view, trouble=trouble)
    return _me(view, made)


def _days(text: str) -> int:
    if not text.isdecimal() or len(text) > 4:
        raise Misconfigured("The days are no number.", untouched="Nothing was made.")
    return int(text)


def revoke_own_token(view: View) -> Response:
    """A token of oneself acts no more."""
    people.revoke_token(view.instance, view.path("token"))
    return RedirectResponse("/me", 303)


def everybody(view: View) -> Response:
    """Who may what, when they last signed in, and who has looked at that."""
    return _everybody(view)


def _everybody(
    view: View, told: dict[str, Any] | None = None, trouble: Trouble | None = None
) -> Response:
    return view.page(
        "people.html", section="settings", title="People", users=people.users(view.instance),
        reviews=people.reviews(view.instance), roles=ROLE_WORDS, told=told, name=view.field("name"),
        trouble=trouble.sentence() if trouble else "",
        status=status_of(trouble) if trouble else 200,
        command=("tieout users list", "tieout users review --note …"),
    )  # fmt: skip


def _roles(view: View) -> list[str]:
    return [role for role in ROLES if role in view.form.getlist("roles")]


def invite(view: View) -> Response:
    """Add somebody, and show the password they begin with, this once."""
    try:
        told = people.invite(view.instance, view.field("name").strip().lower(), _roles(view))
    except (Misconfigured, Refused) as trouble:
        return _everybody(view, trouble=trouble)
    return _everybody(view, told)


def named(view: View) -> Thing:
    """The user that the path names."""
    return people.user_thing(view.instance, view.path("user"))


def person(view: View) -> Response:
    """One user: roles, tokens, and what an administrator may do."""
    return _person(view)


def _person(view: View, password: str = "", trouble: Trouble | None = None) -> Response:
    found = people.user(view.instance, view.path("user"))
    return view.page(
        "person.html", section="settings", title=found["name"], user=found, roles=ROLE_WORDS,
        password=password, trouble=trouble.sentence() if trouble else "",
        status=status_of(trouble) if trouble else 200,
        command=(f"tieout users roles {found['name']} --role …",
                 f"tieout users password {found['name']}", f"tieout users close {found['name']}"),
    )  # fmt: skip


def set_roles(view: View) -> Response:
    """Other roles, from the next act on."""
    try:
        people.set_roles(view.instance, view.path("user"), _roles(view))
    except (Misconfigured, Refused) as trouble:
        return _person(view, trouble=trouble)
    return RedirectResponse(f"{HERE}/{view.path('user')}", 303)


def set_password(view: View) -> Response:
    """A new password to begin with, shown this once."""
    return _person(view, signing_in.set_password(view.instance, view.path("user")))


def end_sessions(view: View) -> Response:
    """Somebody has to sign in again everywhere."""
    people.end_sessions(view.instance, view.path("user"))
    return RedirectResponse(f"{HERE}/{view.path('user')}", 303)


def close(view: View) -> Response:
    """Somebody leaves."""
    try:
        people.close(view.instance, view.path("user"))
    except Refused as trouble:
        return _person(view, trouble=trouble)
    return RedirectResponse(HERE, 303)


def token_of(view: View) -> Thing:
    """The token that the path names, which must be of the user that it names."""
    found = people.token_thing(view.instance, view.path("token"))
    if found.of != view.path("user"):
        raise Misconfigured(f"{view.path('user')} has no token {view.path('token')}.")
    return Thing(found.name)  # an administrator acts on it, not its user


def revoke_token(view: View) -> Response:
    """A token of somebody acts no more."""
    people.revoke_token(view.instance, view.path("token"))
    return RedirectResponse(f"{HERE}/{view.path('user')}", 303)


def review(view: View) -> Response:
    """Sign that one has looked at who may what."""
    people.review(view.instance, view.field("note"))
    return RedirectResponse(HERE, 303)
