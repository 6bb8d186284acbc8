"""Errors as plain pages: what happened and what to do, never a traceback or an internal name."""

from __future__ import annotations

import logging

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import HTTPExceptionHandler

from tieout.errors import Trouble

log = logging.getLogger(__name__)


async def _missing(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    words = {
        404: "There is no such page. The start page is /.",
        405: "This page only shows; nothing can be sent.",
    }
    headers = error.headers if isinstance(error, HTTPException) else None
    return PlainTextResponse(words.get(status, "This cannot be shown.") + "\n", status, headers)


async def _trouble(request: Request, error: Exception) -> Response:
    sentence = error.sentence() if isinstance(error, Trouble) else str(error)
    return PlainTextResponse(sentence + "\n", 503)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("the page %s could not be made", request.url.path, exc_info=error)
    words = "This page could not be made; nothing was changed. The log in the home has the details."
    return PlainTextResponse(words + "\n", 500)


PLAIN_ERRORS: dict[int | type[Exception], HTTPExceptionHandler] = {
    HTTPException: _missing, Trouble: _trouble, Exception: _unexpected,
}  # fmt: skip
