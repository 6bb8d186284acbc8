"""Every request goes through here: who asks, is it theirs, may they, and what became of it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Message, Receive

from tieout.core.policy import EVERYTHING
from tieout.errors import Misconfigured, NotAllowed
from tieout.store import sessions
from tieout.verbs import acting, signing_in
from tieout.verbs.signing_in import CHANGE
from tieout.web.routes import Address
from tieout.web.view import NOBODY, SESSION_COOKIE, Site, View

SAFE_METHODS = ("GET", "HEAD")
FORM_FILES_MAX, FORM_FIELDS_MAX = 4, 2_000
FIELD_BYTES_MAX = 10_000_000  # a table of mappings that was looked at is sent in one
NOBODYS_BYTES_MAX = 100_000  # of a form of who is not signed in: a name and a password
EVENTS = "text/event-stream"  # what a browser asks for that follows a run
CSRF = "csrf"  # the field of a form that holds its token
ONCE = "once"  # the field that tells one showing of a form from the next


def endpoint(site: Site, address: Address) -> Callable[[Request], Awaitable[Response]]:
    """The address as the framework wants it."""

    async def answered(request: Request) -> Response:
        view = View(site, site.instance, request)
        if request.method not in SAFE_METHODS:
            view = await run_in_threadpool(recognised, view)
            view = replace(view, form=await _form(address, view))
        return await run_in_threadpool(_answer, address, view)

    return answered


async def _form(address: Address, view: View) -> FormData:
    """What was sent; of who is not signed in nothing is read but what signs in, and little."""
    request = view.request
    if view.actor is NOBODY:
        if address.act is not None:
            return FormData()
        request = Request(request.scope, _little(request.receive))
    return await request.form(
        max_files=FORM_FILES_MAX, max_fields=FORM_FIELDS_MAX, max_part_size=FIELD_BYTES_MAX
    )


def _little(receive: Receive) -> Receive:
    body_bytes = 0

    async def received() -> Message:
        nonlocal body_bytes
        message = await receive()
        body_bytes += len(message.get("body", b""))
        if body_bytes > NOBODYS_BYTES_MAX:
            raise HTTPException(413, "That is more than is taken here.")
        return message

    return received


def _answer(address: Address, view: View) -> Response:
    """One request from who asks to what is shown; trouble ends in a page that says so."""
    if view.actor is NOBODY:
        view = recognised(view)
    view.request.state.view = view
    try:
        if view.request.method not in SAFE_METHODS:
            _refuse_forged(view)
        if address.act is None:
            return address.page(view)
        if view.actor is NOBODY:
            return _to_sign_in(view)
        if address.act != CHANGE and not view.actor.scopes & {EVERYTHING, address.act}:
            return RedirectResponse("/password", 303)
        if address.loads:
            view = _loaded(address, view)
        acting.allowed(view.actor, address.act, view.thing)
        return _once(address, view)
    except NotAllowed as trouble:
        acting.tell_denied(view.site.instance, trouble)
        raise


def _once(address: Address, view: View) -> Response:
    """The page; of a form that was sent twice, what became of it the first time."""
    number = view.field(ONCE)
    if not number:
        return address.page(view)
    form = f"{view.actor.session} {view.request.url.path} {number}"
    return view.site.once.answer(form, lambda: address.page(view))


def _loaded(address: Address, view: View) -> View:
    assert address.loads
    try:
        return replace(view, thing=address.loads(view))
    except Misconfigured as trouble:
        raise HTTPException(404, trouble.what) from trouble


def recognised(view: View) -> View:
    """Who asks, by the cookie; a session that has ended is nobody's.

    What a page asks by itself, to follow a run, keeps nobody signed in who has left the desk.
    """
    text = view.cookie(SESSION_COOKIE)
    if not text.startswith(sessions.PREFIX):
        return view
    theirs = view.instance.acting_with(text)
    try:
        actor = signing_in.who(theirs, seen=view.request.headers.get("accept") != EVENTS)
    except NotAllowed:
        return view
    csrf = hashlib.sha256(f"{CSRF} {text}".encode()).hexdigest()
    return replace(view, instance=theirs, actor=actor, csrf=csrf)


def _refuse_forged(view: View) -> None:
    """What changes something comes from a page of ours: by its headers, else by the form's token.

    A page of another site can neither read the token nor choose these headers.
    """
    headers = view.request.headers
    site, origin = headers.get("sec-fetch-site", ""), headers.get("origin", "")
    ours = f"{'https' if view.site.secure else 'http'}://{headers.get('host', '')}"
    if site:
        fits = site == "same-origin"
    elif origin:
        fits = origin == ours
    else:
        given = view.field(CSRF)
        fits = bool(view.csrf) and hmac.compare_digest(given.encode(), view.csrf.encode())
    if not fits:
        raise NotAllowed(
            "This did not come from a page of Tieout.",
            untouched="Nothing was changed.",
            do="Open the page again, and send it from there.",
        )


def _to_sign_in(view: View) -> Response:
    """To the page of signing in, and from there to what was asked for."""
    back = view.request.method in SAFE_METHODS and view.address != "/"
    wanted = f"?next={quote(view.address, safe='')}" if back else ""
    return RedirectResponse("/login" + wanted, 303)
