"""What stands in the way of a call, as programs read it: `application/problem+json`, RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from tieout.errors import Trouble
from tieout.web.api.values import Problem
from tieout.web.statuses import headers_of, status_of

PROBLEM = "application/problem+json"


def of_trouble(trouble: Trouble) -> Response:
    """A trouble with what a person or program may do."""
    status = status_of(trouble)
    told = Problem(
        "about:blank", HTTPStatus(status).phrase, status, trouble.what, trouble.untouched,
        trouble.do, trouble.who, trouble.code,
    )  # fmt: skip
    return Response(msgspec.json.encode(told), status, headers_of(trouble), PROBLEM)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """What is no trouble of a verb."""
    told = Problem("about:blank", HTTPStatus(status).phrase, status, detail)
    return Response(msgspec.json.encode(told), status, dict(headers or {}), PROBLEM)
