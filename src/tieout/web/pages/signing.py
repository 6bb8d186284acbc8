"""The pages of signing in, of the first start, of one's own password, and of signing out."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from tieout.errors import Misconfigured, NotAllowed, Trouble
from tieout.store.sessions import Begun
from tieout.store.tries import TooManyTries
from tieout.verbs import elsewhere, signing_in
from tieout.web.pages.appearance import way_back
from tieout.web.statuses import headers_of, status_of
from tieout.web.view import KNOWN_COOKIE, NOBODY, SESSION_COOKIE, View

KNOWN_SECONDS_MAX = 180 * 24 * 3600


def sign_in_page(view: View) -> Response:
    """The form; who is signed in already goes on, and a first start has its own page."""
    if view.actor is not NOBODY:
        return RedirectResponse(way_back(view.query.get("next", "")), 303)
    if not signing_in.there_are_users(view.instance):
        return RedirectResponse("/setup", 303)
    return _sign_in_form(view, view.query.get("next", ""))


def _sign_in_form(view: View, wanted: str, trouble: Trouble | None = None) -> Response:
    answer = view.page(
        "sign_in.html", section="", title="Sign in", status=status_of(trouble) if trouble else 200,
        wanted=way_back(wanted), elsewhere=elsewhere.configured(view.site.instance),
        trouble=trouble.sentence() if trouble else "", name=view.field("name"),
    )  # fmt: skip
    if trouble:
        answer.headers.update(headers_of(trouble))
    return answer


def sign_in(view: View) -> Response:
    """Begin a session under a new id, whatever cookie was sent."""
    name = view.field("name").strip().lower()
    try:
        begun = signing_in.sign_in(view.site.instance, name, view.field("password"), view.place)
    except (NotAllowed, TooManyTries) as trouble:
        return _sign_in_form(view, view.field("next"), trouble)
    if view.actor is not NOBODY:
        signing_in.sign_out(view.instance)
    return signed_in(view, begun, way_back(view.field("next")))


def signed_in(view: View, begun: Begun, to: str) -> Response:
    """Give the browser its new session, and go on."""
    must_change = signing_in.CHANGE in begun.session.scopes
    answer = RedirectResponse("/password" if must_change else to, 303)
    view.site.keep(answer, SESSION_COOKIE, begun.text)
    view.site.keep(answer, KNOWN_COOKIE, begun.known, KNOWN_SECONDS_MAX)
    return answer


def sign_out(view: View) -> Response:
    """End the session here and at the browser."""
    if view.actor is not NOBODY:
        signing_in.sign_out(view.instance)
    answer = RedirectResponse("/login", 303)
    view.site.forget(answer, SESSION_COOKIE)
    return answer


def set_up_page(view: View) -> Response:
    """The form of the first administrator, only while there is no user."""
    if signing_in.there_are_users(view.instance):
        return RedirectResponse("/login", 303)
    return _set_up_form(view)


def _set_up_form(view: View, trouble: Trouble | None = None) -> Response:
    return view.page(
        "setup.html", section="", title="First start",
        status=status_of(trouble) if trouble else 200, code=view.field("code"),
        name=view.field("name"), trouble=trouble.sentence() if trouble else "",
    )  # fmt: skip


def set_up(view: View) -> Response:
    """Add the first administrator, and sign them in."""
    if signing_in.there_are_users(view.instance):
        return RedirectResponse("/login", 303)
    try:
        _refuse_mistyped(view)
        begun = view.site.first_start.first_user(
            view.site.instance, view.field("code"), view.field("name").strip().lower(),
            view.field("password"), view.place,
        )  # fmt: skip
    except (NotAllowed, Misconfigured) as trouble:
        return _set_up_form(view, trouble)
    return signed_in(view, begun, "/")


def password_page(view: View) -> Response:
    """The form of one's own password."""
    return _password_form(view)


def _password_form(view: View, trouble: Trouble | None = None) -> Response:
    return view.page(
        "password.html", section="", title="Your password",
        status=status_of(trouble) if trouble else 200,
        trouble=trouble.sentence() if trouble else "",
        must=signing_in.CHANGE in view.actor.scopes,
    )  # fmt: skip


def change_password(view: View) -> Response:
    """Change it; all other sessions of oneself end."""
    try:
        _refuse_mistyped(view)
        begun = signing_in.change_password(
            view.instance, view.field("old"), view.field("password"), view.place
        )
    except (NotAllowed, Misconfigured, TooManyTries) as trouble:
        return _password_form(view, trouble)
    return signed_in(view, begun, "/")


def _refuse_mistyped(view: View) -> None:
    if view.field("password") != view.field("again"):
        raise Misconfigured("The two new passwords are not the same.", untouched="None was set.")
