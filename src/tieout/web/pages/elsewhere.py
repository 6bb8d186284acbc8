"""To the sign-in of others and back: the browser keeps what was asked in a cookie meanwhile."""

from __future__ import annotations

import base64
import binascii

import msgspec
from starlette.responses import RedirectResponse, Response

from tieout.verbs import elsewhere, signing_in
from tieout.verbs.elsewhere import Asked, Came
from tieout.web.pages.appearance import way_back
from tieout.web.pages.signing import signed_in
from tieout.web.view import NOBODY, View

COOKIE, COOKIE_SECONDS_MAX = "tieout_asked", 600
BACK = "/login/back"


class _Kept(msgspec.Struct):
    asked: list[str]
    wanted: str


def start(view: View) -> Response:
    """Send somebody there; nothing is kept here."""
    address, asked = elsewhere.begin(view.instance, _back(view))
    kept = _Kept([asked.state, asked.nonce, asked.verifier], way_back(view.query.get("next", "")))
    answer = RedirectResponse(address, 303)
    text = base64.urlsafe_b64encode(msgspec.json.encode(kept)).decode()
    view.site.keep(answer, COOKIE, text, COOKIE_SECONDS_MAX)
    return answer


def back(view: View) -> Response:
    """Somebody comes back, and is signed in."""
    kept = _kept(view)
    asked = Asked(*kept.asked) if kept and len(kept.asked) == 3 else None
    came = Came(view.query, _back(view))
    begun = elsewhere.finish(view.site.instance, asked, came, view.place)
    if view.actor is not NOBODY:
        signing_in.sign_out(view.instance)
    answer = signed_in(view, begun, kept.wanted if kept else "/")
    view.site.forget(answer, COOKIE)
    return answer


def _back(view: View) -> str:
    scheme = "https" if view.site.secure else "http"
    return f"{scheme}://{view.request.headers['host']}{BACK}"


def _kept(view: View) -> _Kept | None:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(view.cookie(COOKIE)), type=_Kept)
    except (binascii.Error, msgspec.MsgspecError, ValueError):
        return None
