"""The envelope of Anaplan's answers: meta, status, paging, errors, CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tieout.sim.anaplan.state import State, Thing
from tieout.sim.box import Request, Response, json_response
from tieout.sim.clock import PracticeClock

API_URL = "https://api.anaplan.com/2/0"
MESSAGES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 409: "Conflict", 415: "Unsupported Media Type",
    422: "Unprocessable Entity", 423: "Locked", 424: "Failed Dependency",
    429: "Too Many Requests",
    500: "Internal Server Error", 503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


class Refusal(Exception):
    """An answer that is not a success; `message` replaces the standard words of the status."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message or MESSAGES[status])
        self.status, self.message = status, message or MESSAGES[status]


@dataclass(slots=True)
class Exchange:
    """One request of the integration API on its way through: who asks, about which model."""

    state: State
    clock: PracticeClock
    request: Request
    user: str
    model: str = ""
    ids: dict[str, str] = field(default_factory=dict)

    def body(self) -> Any:
        """The JSON body; a broken one is a 400."""
        if not self.request.body.strip():
            return {}
        try:
            return json.loads(self.request.body, parse_float=Decimal)
        except ValueError as error:
            raise Refusal(400, "Malformed JSON") from error

    def query(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return self.request.query.get(name, [default])[0]

    def flag(self, name: str) -> bool:
        """A boolean query parameter, in any case: `true`, `True` (A020)."""
        return self.query(name).lower() == "true"

    def header(self, name: str) -> str:
        """A request header without its parameters, lower case."""
        return self.request.headers.get(name, "").split(";")[0].strip().lower()

    def accepts(self, kind: str) -> bool:
        """Whether the Accept header names `kind`."""
        return kind in self.request.headers.get("accept", "").lower()

    def thing(self, name: str, *kinds: str) -> Thing:
        """The object whose id stands in the path, or 404 (A013)."""
        found = self.state.thing(self.model, self.ids[name], *kinds)
        if found is None:
            raise Refusal(404)
        return found


def enveloped(schema: str, paging: dict[str, Any] | None = None, **values: Any) -> Response:
    """A success: meta, status, then `values`; a None or empty collection is left out (A014)."""
    meta: dict[str, Any] = {"schema": f"{API_URL}/objects/{schema}"}
    if paging is not None:
        meta["paging"] = paging
    shown = {k: v for k, v in values.items() if v is not None and v != []}
    return json_response(
        200, {"meta": meta, "status": {"code": 200, "message": "Success"}, **shown}
    )


def paged(exchange: Exchange, schema: str, key: str, rows: Sequence[Any]) -> Response:
    """One page of a collection with `meta.paging` (A015)."""
    limit = _number(exchange.query("limit"), 5000)
    offset = _number(exchange.query("offset"), 0)
    limit = min(limit, int(exchange.state.switch("page_cap")))
    page = list(rows[offset : offset + limit])
    paging: dict[str, Any] = {"currentPageSize": len(page), "offset": offset}
    if exchange.state.switch("paging_total") == "told":
        paging["totalSize"] = len(rows)
    url = "https://api.anaplan.com" + exchange.request.path
    if offset + len(page) < len(rows):
        paging["next"] = f"{url}?limit={limit}&offset={offset + len(page)}"
    if offset > 0:
        paging["previous"] = f"{url}?limit={limit}&offset={max(0, offset - limit)}"
    return enveloped(schema, paging if rows else None, **{key: page})


def _number(text: str, default: int) -> int:
    if not text:
        return default
    if not text.isdigit():
        raise Refusal(400, f"Invalid number: {text}")
    return int(text)


def error(status: int, message: str, path: str, now: float) -> Response:
    """The error body of the integration API (A013)."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
    body = {"status": {"code": status, "message": message}, "path": path, "timestamp": stamp}
    return json_response(status, body)


def csv_text(rows: Iterable[Sequence[str]], *, quote_all: bool = False) -> str:
    """Rows as CSV with LF line ends; quotes where needed, or everywhere."""
    out = io.StringIO()
    if quote_all:
        csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    else:
        csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def plain(number: Decimal) -> str:
    """A number as Anaplan prints it: decimal digits, no exponent, no trailing zeros (A081)."""
    if not number:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
