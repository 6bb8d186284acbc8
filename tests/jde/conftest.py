"""A small AIS server written for these tests alone, with a client in front of it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from journal_office import Office, office
from journal_practice import journal_practice, make_books

from tieout.http import Call, Http
from tieout.jde.client import Jde
from tieout.jde.credentials import Credentials
from tieout.jde.tables import TABLES
from tieout.outgoing import Allowed
from tieout.project import JdeConnection
from tieout.sim.box import Box, Request, Response, json_response, serve
from tieout.sim.clock import PracticeClock

FOREIGN = "http://ais.inside.example:7070"
EXPIRED = {
    "sysErrors": [{"TITLE": "JAS_MSG347: The query results expired.  Refresh them.", "DESC": ""}]
}
_encode = msgspec.json.Encoder(decimal_format="number").encode


class HandClock:
    """A clock that moves only when somebody moves it or sleeps on it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 25, 9, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def gl_row(document: int, amount: Any = "10.50", **other: Any) -> dict[str, Any]:
    """One posted line of the account ledger as the database holds it (dates as yyyyMMdd)."""
    row: dict[str, Any] = {c.alias: " " for c in TABLES["F0911"].columns}
    row |= {
        "DCT": "JE", "DOC": document, "KCO": "00001", "DGJ": "20251031", "JELN": Decimal("1.00"),
        "LT": "AA", "POST": "P", "CO": "00001", "AID": "00012592", "MCU": "          30",
        "OBJ": "5005", "CTRY": 20, "FY": 25, "PN": 10, "CRCD": "USD", "BCRC": "USD",
        "AA": Decimal(amount), "ICUT": "G", "ICU": 7, "UPMJ": "20251101", "UPMT": 91625,
    }  # fmt: skip
    return row | other


class SmallAis:
    """Tokens with a device, BROWSE with next links, AGGREGATION, on rows given by the test."""

    name = "small AIS"

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.tokens: dict[str, float] = {}
        self.cursors: dict[str, list[Any]] = {}
        self.password = "right-" + secrets.token_hex(4)
        self.echo: dict[str, Any] = {}
        self.user: dict[str, Any] = {"simpleDateFormat": "dd/MM/yyyy", "decimalFormat": "."}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.lives = {"sessionTimeout": "30", "timeToLive": "720"}
        self.hidden_after: int | None = None  # a DB fetch limit that nothing announces
        self.on_no_page: set[int] = set()  # documents that are counted and never shown
        self.between_pages: Callable[[], None] = lambda: None
        self.between_totals: Callable[[], None] = lambda: None  # after groups were told

    def control(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        raise ValueError(verb)

    def handle(self, request: Request) -> Response:
        body = json.loads(request.body) if request.body else {}
        verb = request.path.removeprefix("/jderest/v2/")
        self.asked.append((verb, body))
        if verb == "defaultconfig":
            return json_response(200, self.lives)
        if verb == "tokenrequest":
            return self._token(body)
        token = request.headers.get("jde-ais-auth", "")
        if token not in self.tokens or request.headers.get("jde-ais-auth-device") != "tieout":
            return json_response(444, {"message": "Invalid Token", "exception": "Exception"})
        if verb == "tokenrequest/logout":
            del self.tokens[token]
            return Response(200)
        if verb == "dataservice/next":
            return self._next(request.query["rid"][0])
        return self._data(body, token)

    def _token(self, body: dict[str, Any]) -> Response:
        if body["password"] != self.password:
            return json_response(403, {"message": "Authorization Failure", "exception": "E"})
        token = f"044{secrets.token_urlsafe(9)}+/="
        self.tokens[token] = self.clock.seconds
        told = {
            "username": body["username"],
            "environment": body["environment"],
            "role": body["role"],
        }
        user = {"token": token, "appsRelease": "E920", **self.user}
        return json_response(200, told | {"userInfo": user, "userAuthorized": False} | self.echo)

    def _data(self, body: dict[str, Any], token: str) -> Response:
        name = body["targetName"]
        rows = [r for r in self.tables.get(name, []) if self._matches(r, body["query"])]
        if body["dataServiceType"] == "AGGREGATION":
            told = Response(200, _encode({f"ds_{name}": {"output": _totals(rows, body)}}))
            if "groupBy" in body["aggregation"]:
                self.between_totals()
            return told
        order = [o["column"].split(".")[1] for o in body["aggregation"]["orderBy"]]
        rows.sort(key=lambda r: [r[a] if r[a] is not None else "" for a in order])
        aliases = [c.split(".")[1] for c in body["returnControlIDs"].split("|")]
        shown = [r for r in rows if r.get("DOC") not in self.on_no_page][: self.hidden_after]
        picked = [{f"{name}_{a}": r[a] for a in aliases} for r in shown]
        rid = secrets.token_hex(8)
        links = "enableNextPageProcessing" in body
        self.cursors[rid] = [
            name,
            picked,
            0,
            int(body["maxPageSize"]),
            token,
            links,
            self.clock.seconds,
        ]
        return self._next(rid)

    def _next(self, rid: str) -> Response:
        if self.cursors[rid][2]:
            self.between_pages()
        name, rows, start, size, token, linked, since = self.cursors[rid]
        if self.clock.seconds - since > 60:
            return json_response(500, EXPIRED)
        more = start + size < len(rows)
        grid = {
            "columns": {}, "rowset": rows[start : start + size],
            "summary": {"records": len(rows[start : start + size]), "moreRecords": more},
        }  # fmt: skip
        self.cursors[rid][2], self.cursors[rid][6] = start + size, self.clock.seconds
        page: dict[str, Any] = {
            f"fs_DATABROWSE_{name}": {"data": {"gridData": grid}, "errors": [], "warnings": []},
            "sysErrors": [],
        }
        if more and linked:
            href = f"{FOREIGN}/jderest/v2/dataservice/next?rid={rid}&token={quote(token, safe='')}"
            page["links"] = [
                {"rel": "next", "href": href + f"&returnControlIDs={name}.AA|{name}.CO"}
            ]
        return Response(200, _encode(page))

    def _matches(self, row: dict[str, Any], query: dict[str, Any]) -> bool:
        found = [self._holds(row, c) for c in query["condition"]]
        match = all(found) if query.get("matchType", "MATCH_ALL") == "MATCH_ALL" else any(found)
        for part in query.get("complexQuery", []):
            inside = self._matches(row, part["query"])
            match = match and inside if part["andOr"] == "AND" else match or inside
        return match

    def _holds(self, row: dict[str, Any], condition: dict[str, Any]) -> bool:
        value = row[condition["controlId"].split(".")[1]]
        wanted = [self._literal(value, v["content"]) for v in condition["value"]]
        value = value.rstrip() if isinstance(value, str) else value
        return {
            "EQUAL": lambda: value == wanted[0],
            "NOT_EQUAL": lambda: value != wanted[0],
            "LIST": lambda: value in wanted,
            "BETWEEN": lambda: wanted[0] <= value <= wanted[1],
            "GREATER": lambda: value > wanted[0],
            "GREATER_EQUAL": lambda: value >= wanted[0],
            "LESS_EQUAL": lambda: value <= wanted[0],
            "STR_BLANK": lambda: value == "",
            "STR_NOT_BLANK": lambda: value != "",
        }[condition["operator"]]()

    def _literal(self, value: Any, content: str) -> Any:
        if not isinstance(value, str):
            return Decimal(content)
        if content[2:3] == "/":
            return content[6:] + content[3:5] + content[:2]
        return content


def _totals(rows: list[dict[str, Any]], body: dict[str, Any]) -> list[dict[str, Any]]:
    asked = body["aggregation"]
    columns = [g["column"] for g in asked.get("groupBy", [])]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {} if columns else {(): rows}
    for row in rows if columns else []:
        groups.setdefault(tuple(row[c.split(".")[1]] for c in columns), []).append(row)
    output = []
    for key, members in groups.items():
        item: dict[str, Any] = {"groupBy": dict(zip(columns, key, strict=True))} if columns else {}
        for wanted in asked["aggregations"]:
            function, column = wanted["aggregation"], wanted["column"]
            if function == "COUNT":
                item["COUNT"] = len(members)
                continue
            values = [m[column.split(".")[1]] for m in members]
            total = (sum(values) if function == "SUM" else max(values)) if values else None
            item[f"{column}_{function}"] = total
        output.append(item)
    return output


class Desk:
    """The small AIS, its faults and clock, and clients made for it."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.ais = SmallAis(self.clock)
        self.box = Box(self.ais, PracticeClock())
        self.url, self.stop = serve(self.box, 0, control=False)
        self.calls: list[Call] = []
        self._opened: list[Http] = []

    def client(self, page_rows: int = 3, password: str = "", **options: Any) -> Jde:
        http = Http(
            self.url + "/jderest", system="JD Edwards", clock=self.clock, allow_http=True,
            allowed=Allowed([self.url]), told=self.calls.append,
        )  # fmt: skip
        self._opened.append(http)
        connection = JdeConnection(
            url=self.url + "/jderest", environment="JPD920", secret="secret://erp",
            page_rows=page_rows, allow_http=True, **options,
        )  # fmt: skip
        used = password or self.ais.password
        return Jde(http, connection, lambda: Credentials("TIEOUT", used), self.clock)

    def post(self, lines: int) -> None:
        """Only so many posted lines: documents from 101 on, of 10.50 each."""
        self.ais.tables["F0911"] = [gl_row(101 + n) for n in range(lines)]

    def fault(self, kind: str, **fields: Any) -> None:
        self.box.faults.control({"add": {"kind": kind, **fields}})

    def asked(self, verb: str) -> list[dict[str, Any]]:
        """The bodies of the requests for `verb` so far."""
        return [body for asked, body in self.ais.asked if asked == verb]

    def close(self) -> None:
        for http in self._opened:
            http.close()
        self.stop()


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A small AIS with nothing in it."""
    made = Desk()
    yield made
    made.close()


@pytest.fixture
def ledger(desk: Desk) -> Desk:
    """A small AIS with ten posted lines, documents 101 to 110, of 10.50 each."""
    desk.post(10)
    return desk


@pytest.fixture(scope="session")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger of the demo company, made once; tests work on copies."""
    file = tmp_path_factory.mktemp("books") / "jde.sqlite"
    make_books(file)
    return file


@pytest.fixture
def bureau(tmp_path: Path, books: Path) -> Iterator[Office]:
    """Our client of the orchestrations of a practice JD Edwards with the demo company."""
    with journal_practice(tmp_path, books) as served, office(served) as made:
        yield made
