"""Errors as pages: what happened and what to do, never a traceback or an internal name."""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import HTTPExceptionHandler

from tieout.core.policy import ACTS, holds
from tieout.errors import NotAllowed, Trouble
from tieout.verbs import acting
from tieout.web.answering import recognised
from tieout.web.api.problems import problem
from tieout.web.render import rendered
from tieout.web.statuses import headers_of, status_of
from tieout.web.view import Site, View, frame_of

log = logging.getLogger(__name__)
NUMBER_BYTES = 4  # of the number by which an error is found in the log
WORDS = {
    403: ("Not allowed", "This is not allowed."),
    404: ("No such page", "There is no such page. The start page is /."),
    405: ("Cannot be done", "This cannot be done at this address."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """What an error page says."""

    title: str
    what: str
    untouched: str = ""
    do: str = ""
    who: str = ""
    number: str = ""
    plain: str = ""  # all of it in one sentence, when that is not simply put together

    def sentence(self) -> str:
        """All of it, for who reads plain text."""
        return self.plain or " ".join(filter(None, (self.what, self.untouched, self.do)))


def errors_of(site: Site) -> dict[int | type[Exception], HTTPExceptionHandler]:
    """What is answered for each kind of error."""

    async def missing(request: Request, error: Exception) -> Response:
        known = error if isinstance(error, HTTPException) else HTTPException(404)
        title, sentence = WORDS.get(known.status_code, ("Cannot be shown", "This cannot be shown."))
        if known.detail != HTTPStatus(known.status_code).phrase:
            title, sentence = "Not there", known.detail
        told = Told(title, sentence)
        headers = dict(known.headers or {})
        return await run_in_threadpool(_answer, site, request, known.status_code, told, headers)

    async def trouble(request: Request, error: Exception) -> Response:
        assert isinstance(error, Trouble), "registered for it"
        status = status_of(error)
        told = Told(
            "Not allowed" if status == 403 else "This cannot be shown", error.what,
            error.untouched, error.do, _who(request, error), plain=error.sentence(),
        )  # fmt: skip
        return await run_in_threadpool(_answer, site, request, status, told, headers_of(error))

    async def unexpected(request: Request, error: Exception) -> Response:
        number = secrets.token_hex(NUMBER_BYTES)
        log.error("%s: the page %s could not be made", number, request.url.path, exc_info=error)
        told = Told(
            "An unexpected error", "This page could not be made.",
            "Nothing was changed.", f"The log in the home has the details under {number}.",
            number=number,
        )  # fmt: skip
        return await run_in_threadpool(_answer, site, request, 500, told)

    return {HTTPException: missing, Trouble: trouble, Exception: unexpected}


def _who(request: Request, error: Trouble) -> str:
    """Who can do it: of what somebody known was not allowed, by name as well."""
    view = getattr(request.state, "view", None)
    if not (isinstance(error, NotAllowed) and error.denied and error.who and view):
        return error.who
    act = next(act for act in ACTS if act == error.denied.act)
    names = [one.name for one in acting.everybody(view.instance) if holds(one, act)]
    return f"{error.who}: {', '.join(names)}" if names else error.who


def _answer(
    site: Site, request: Request, status: int, told: Told,
    headers: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    """A page for who reads pages, a sentence for every program; the API has its own form."""
    if request.url.path.startswith("/api/"):
        return problem(status, told.sentence(), headers)
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse(told.sentence() + "\n", status, headers)
    if getattr(request.state, "view", None) is None:  # no address of the table was asked for
        with suppress(Trouble):  # then the page is shown without its menu
            request.state.view = recognised(View(site, site.instance, request))
    values = {**frame_of(request, site.instance), "section": "", "title": told.title, "told": told}
    return HTMLResponse(rendered("error.html", values), status, headers)
