"""A practice JD Edwards on a tiny ledger, served over HTTP for the contract tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tieout.sim.box import Box, serve
from tieout.sim.clock import PracticeClock
from tieout.sim.jde.ledger import Ledger, Row
from tieout.sim.jde.system import System, Verb

USER, PASSWORD, DEVICE = "TIEOUT", "open sesame", "tieout-test"
UNITS = ("30", "40", "M30")

# company, currency, decimals: the row's amount 1234 is 12.34, 1234 and 1.234
COMPANIES = (("00001", "USD", "2"), ("00070", "JPY", "0"), ("00090", "KWD", "3"))

# DOC, CO, LT, CRCD, MCU, AID, AA, ACR, EXR, POST, UPMJ
_LINES: tuple[tuple[Any, ...], ...] = (
    (1, "00001", "AA", "USD", "30", "00001001", 123450, 0, "rent", "P", 124091),
    (2, "00001", "AA", "USD", "30", "00001002", -123450, 0, "rent, and\n\"more\"", "P", 124091),
    (3, "00001", "AA", "KWD", "40", "00001001", 7, 21, "", "P", 124092),
    (3, "00001", "CA", "KWD", "40", "00001001", 21, 0, "", "P", 124092),
    (4, "00070", "AA", "JPY", "40", "00001003", 5000, 0, "  lead", "", 124093),
    (5, "00070", "AA", "USD", "M30", "00001003", -5000, -3333, "Rent", "P", 124094),
    (6, "00090", "AA", "KWD", "M30", "00001004", 1234567, 0, "日本 é", "P", 0),
    (7, "00090", "AA", "KWD", "M30", "00001005", 0, 0, "x", "P", 124366),
)  # fmt: skip


def lines() -> list[Row]:
    """The F0911 rows of the tiny ledger; amounts are scaled integers."""
    names = ["DOC", "CO", "LT", "CRCD", "MCU", "AID", "AA", "ACR", "EXR", "POST", "UPMJ"]
    same = {"DCT": "JE", "KCO": "00001", "DGJ": 124060, "JELN": 1, "CTRY": 20, "FY": 24, "PN": 2}
    return [
        same | dict(zip(names, row, strict=True)) | {"UPMT": 93005, "TICU": 5, "U": 150}
        for row in _LINES
    ]


def fill(ledger: Ledger) -> None:
    """Companies in three currencies, their units, and eight lines of the account ledger."""
    ledger.insert("F0013", ({"CRCD": c, "CDEC": d, "DL01": c} for _, c, d in COMPANIES))
    ledger.insert("F0010", ({"CO": co, "CRCD": c, "NAME": co} for co, c, _ in COMPANIES))
    ledger.insert("F0025", [{"LT": "AA"}, {"LT": "CA"}, {"LT": "XA", "CRCX": "KWD"}])
    ledger.insert("F0006", ({"MCU": unit, "CO": "00001", "STYL": "CC"} for unit in UNITS))
    ledger.insert("F0901", ({"AID": f"0000100{n}", "MCU": "30", "OBJ": f"{n}", "CO": "00070"}
                            for n in range(1, 6)))  # fmt: skip
    ledger.insert("F0902", [
        {"AID": "00001001", "CTRY": 20, "FY": 24, "LT": "AA", "CO": "00001", "MCU": "30",
         "AN01": 123450, "AND02": 1},
        {"AID": "00001003", "CTRY": 20, "FY": 24, "LT": "AA", "CO": "00070", "MCU": "40",
         "AN01": 5000},
        {"AID": "00001004", "CTRY": 20, "FY": 24, "LT": "AA", "CO": "00001", "MCU": "M30",
         "CRCX": "KWD", "AN01": 1234567},
    ])  # fmt: skip
    ledger.insert("F0911", lines())


class Ais:
    """A client without opinions: it sends what it is told and shows what came back."""

    def __init__(self, url: str, control_url: str, ledger: Ledger, clock: PracticeClock) -> None:
        self.url, self.control_url, self.ledger, self.clock = url, control_url, ledger, clock
        self.http = httpx2.Client(timeout=30)
        self.token = ""

    def send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """One request; `path` starts after /jderest."""
        self.http.cookies.clear()
        return self.http.request(method, f"{self.url}/jderest{path}", **options)

    def control(self, verb: str, **body: Any) -> dict[str, Any]:
        """One verb of the control port."""
        answer = self.http.post(f"{self.control_url}/control/{verb}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def switch(self, name: str, value: object) -> None:
        """Set one switch."""
        self.control("switch", name=name, value=value)

    def refused(self) -> list[dict[str, Any]]:
        """The calls that the practice AIS reports as not described by any document."""
        return list(self.control("report")["refused"])

    def sign_in(self, path: str = "/v2/tokenrequest", **more: Any) -> httpx2.Response:
        """Sign in with good credentials; remembers the token when there is one."""
        body = {"username": USER, "password": PASSWORD, "deviceName": DEVICE} | more
        answer = self.send("POST", path, json={k: v for k, v in body.items() if v is not None})
        if answer.status_code == 200:
            self.token = answer.json()["userInfo"]["token"]
        return answer

    def ask(self, path: str = "/v2/dataservice", **attributes: Any) -> httpx2.Response:
        """One data request over F0911 with the token in the body."""
        if not self.token:
            self.sign_in()
        body = {"token": self.token, "deviceName": DEVICE, "targetName": "F0911",
                "targetType": "table", "dataServiceType": "BROWSE", "findOnEntry": "true",
                "outputType": "GRID_DATA"} | attributes  # fmt: skip
        return self.send("POST", path, json={k: v for k, v in body.items() if v is not None})

    def rows(self, *conditions: dict[str, Any], **attributes: Any) -> list[dict[str, Any]]:
        """The rows of a BROWSE, numbers as Decimal."""
        if conditions:
            attributes["query"] = {"autoFind": True, "condition": list(conditions)}
        answer = self.ask(**attributes)
        assert answer.status_code == 200, answer.text
        return list(grid(answer, attributes.get("targetName", "F0911"))["rowset"])

    def documents(self, *conditions: dict[str, Any], **attributes: Any) -> list[int]:
        """The document numbers (F0911.DOC) a query finds, sorted; one per row."""
        return sorted(int(row["F0911_DOC"]) for row in self.rows(*conditions, **attributes))

    def output(self, aggregation: dict[str, Any], **attributes: Any) -> list[dict[str, Any]]:
        """The `output` of an AGGREGATION over F0911, numbers as Decimal."""
        answer = self.ask(dataServiceType="AGGREGATION", aggregation=aggregation, **attributes)
        assert answer.status_code == 200, answer.text
        return list(exact(answer)[f"ds_{attributes.get('targetName', 'F0911')}"]["output"])

    def follow(self, answer: httpx2.Response, method: str = "POST", **options: Any) -> Any:
        """The next page, by the query string of the link, sent to the address we know."""
        parts = urlsplit(answer.json()["links"][0]["href"])
        return self.send(method, f"{parts.path.removeprefix('/jderest')}?{parts.query}", **options)


def exact(answer: httpx2.Response) -> Any:
    """The body with numbers as Decimal."""
    return json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)


def grid(answer: httpx2.Response, table: str = "F0911") -> dict[str, Any]:
    """`gridData` of a BROWSE answer."""
    return dict(exact(answer)[f"fs_DATABROWSE_{table}"]["data"]["gridData"])


def where(control: str, operator: str, *contents: str, special: str = "LITERAL") -> dict[str, Any]:
    """One condition."""
    values = [{"content": content, "specialValueId": special} for content in contents]
    return {"controlId": control, "operator": operator, "value": values}


@contextmanager
def practice(
    folder: Path,
    filled: Callable[[Ledger], None] = fill,
    *,
    made: Callable[[Ledger, PracticeClock], dict[str, Verb]] | None = None,
    **options: Any,
) -> Iterator[Ais]:
    """A served practice JD Edwards in `folder`, with a client; `made` gives its further verbs."""
    clock, ledger = PracticeClock(), Ledger(folder / "jde.sqlite")
    if not ledger.rows("F0013"):
        filled(ledger)
    if made is not None:
        options["verbs"] = made(ledger, clock)
    system = System(ledger, clock, {USER: PASSWORD}, **options)
    box = Box(system, clock)
    url, stop = serve(box, 0, control=False)
    control_url, stop_control = serve(box, 0, control=True)
    ais = Ais(url, control_url, ledger, clock)
    try:
        yield ais
    finally:
        ais.http.close()
        stop()
        stop_control()
        system.close()
        ledger.close()
