"""A browser without a network, and every way in which people ask for the pages of an instance."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit

from starlette.applications import Starlette

from bench.measured import FLOW
from tieout.app import Instance
from tieout.core.listing import Column
from tieout.engine.durable import Engine
from tieout.errors import NotAllowed
from tieout.store import sessions
from tieout.store.sessions import NewSession
from tieout.verbs import people
from tieout.web.pages import approvals, audit, journals, mappings, rejects, runs, tie_outs
from tieout.web.pages.records import cell_address
from tieout.web.routes import ADDRESSES
from tieout.web.site import make_site
from tieout.web.view import Site

HOST = "127.0.0.1:7070"
WHO = "bea"
ROLES = ("admin", "operator", "approver")
# For who signs in, a stream that lasts, and what only another machine can answer.
LEFT_OUT = (
    "/login", "/login/elsewhere", "/login/back", "/setup", "/runs/{run}/live",
    "/journals/{journal}/release",  # no journal of this home is absent
)  # fmt: skip


@dataclass
class Asker:
    """The same requests and answers as a browser's; `only` addresses that begin so are asked."""

    app: Starlette
    cookie: str
    instance: Instance
    only: str = ""

    def ask(self, path: str) -> tuple[int, int]:
        """Status and bytes of the answer."""
        status, text = asyncio.run(self._asked(path))
        return status, len(text)

    def text(self, path: str) -> str:
        """The answer as text."""
        return asyncio.run(self._asked(path))[1].decode(errors="replace")

    def scope(self, path: str) -> dict[str, Any]:
        """A request of this browser, as a server hands it on."""
        url = urlsplit(path)
        return {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
            "path": url.path, "raw_path": url.path.encode(), "root_path": "", "scheme": "http",
            "query_string": url.query.encode(), "server": ("127.0.0.1", 7070),
            "client": ("127.0.0.1", 50_000),
            "headers": [(b"host", HOST.encode()), (b"accept", b"text/html"),
                        (b"cookie", f"tieout_session={self.cookie}".encode())],
        }  # fmt: skip

    async def _asked(self, path: str) -> tuple[int, bytes]:
        sent: list[dict[str, Any]] = []
        ended = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await ended.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(self.scope(path), receive, send)
        return sent[0]["status"], b"".join(m.get("body", b"") for m in sent)


def signed_in(instance: Instance, only: str = "") -> Asker:
    """Somebody with every role but that of the auditor, at the pages."""
    with suppress(NotAllowed):  # the home has its people already
        people.add_user(instance, WHO, ROLES, 9)
    with instance.store.begin() as connection:
        begun = sessions.begin(connection, NewSession(WHO, "password"), instance.clock.now())
    return Asker(make_site(Site(instance, cast(Engine, None))), begun.text, instance, only)


def addresses(asker: Asker) -> Iterator[tuple[str, list[str]]]:
    """Each address of the table of routes, with the ways in which it is asked for."""
    places, more = _places(asker.instance), _ways(asker)
    for address in ADDRESSES:
        path = address.path
        if address.method != "GET" or path in LEFT_OUT or not path.startswith(asker.only):
            continue
        for name, part in places.items():
            path = path.replace(name, quote(part))
        if "{" not in path:
            further = more.get(address.path)
            yield address.path, [path, *(further() if further else ())]


def _places(instance: Instance) -> dict[str, str]:
    """What a part of a path may name; a part with nothing to name is left out."""
    store = instance.store
    batch = next(iter(store.runs(flow="plan", limit=1)), None)
    prepared = store.runs(flow=FLOW, limit=1)[0].id
    last = next(r for r in store.runs(flow=FLOW) if r.number > 1)
    found = {
        "/replay/{run}": f"/replay/{prepared}", "{run}": last.id, "{entry}": "1000",
        "{user}": WHO, "{connection}": "erp", "{version}": "1", "{schedule}": "nightly",
    }  # fmt: skip
    found["/flows/{flow}/prepare"] = "/flows/plan/prepare"
    found["{flow}"] = FLOW
    with store.database.read() as connection:
        reject = connection.exec_driver_sql(
            "SELECT max(id) FROM app_reject WHERE settled_run IS NULL AND severity <> 'note'"
        ).scalar_one()
    found["{reject}"] = str(reject)
    if batch:
        found |= {"{batch}": f"{batch.id}-batch", "{journal}": f"{batch.id}-batch.1"}
    return found


def _ways(asker: Asker) -> dict[str, Callable[[], list[str]]]:
    """Of an address of the table: what tells its further ways."""
    instance = asker.instance
    compared = instance.store.scan(instance.store.current(FLOW, "compared"))
    cell = compared.filter(ledger_company="00001").slice(777, 1).collect().row(0, named=True)
    lines = instance.store.scan(instance.store.current(FLOW, "lines")[-1:])
    line = lines.slice(9_999, 1).collect().row(0, named=True)
    period = f"period={cell['fiscal_year']}-{cell['period']:02d}"
    company = f"{period}&company={cell['ledger_company']}"
    return {
        "/runs": lambda: _list(asker, "/runs", runs.COLUMNS, {
            "flow": FLOW, "outcome": "failed", "started_by": "bench"}),
        "/audit": lambda: _list(asker, "/audit", audit.COLUMNS, {
            "act": "finished step", "object": "actuals-11", "actor": "bench",
            "run": "actuals-10500"}),
        "/rejects": lambda: _list(asker, "/rejects", rejects.COLUMNS, {
            "rule": "not-proved", "state": "waived", "company": "00007", "owner": "bench",
            "what": "777777", "flow": FLOW, "run": "actuals-10000"}),
        "/tie-outs": lambda: _list(asker, "/tie-outs", tie_outs.COLUMNS, {"company": "00001"}),
        "/tie-outs/{flow}": lambda: [f"/tie-outs/{FLOW}?{period}", *_list(
            asker, f"/tie-outs/{FLOW}?{company}", tie_outs.CELLS, {
                "account": cell["account"], "business_unit": cell["business_unit"],
                "differs": "no"})],
        "/journals": lambda: _list(asker, "/journals", journals.COLUMNS, {"company": "00001"}),
        "/mappings": lambda: _list(asker, "/mappings", mappings.COLUMNS, {"source": "X00777"}),
        "/approvals/{batch}": lambda: _list(
            asker, f"/approvals/{_places(instance).get('{batch}', '')}", approvals.LINES,
            {"company": "00001", "account": "1003"}),
        "/records": lambda: [
            f"/records?account={cell['account']}", f"/records?q={cell['account']}",
            f"/records?document={line['document']}", f"/records?q={line['document']}",
            f"/records?q={cell['f0911']}", f"/records?amount={line['amount']}",
            f"/records?batch={line['batch_number']}", "/records?q=nothing-like-that",
            f"/records?company={cell['ledger_company']}&account={cell['account']}&{period}",
        ],
        "/records/cell": lambda: [cell_address(cell)],
        "/rejects/assign": lambda: [
            f"/rejects/assign?{urlencode([('id', n) for n in range(2, 60)])}",
            f"/rejects/assign?rule=not-proved&flow={FLOW}",
        ],
        "/mappings/new": lambda: [
            "/mappings/new?dimension=account&source=M7", "/mappings/new?q=10",
        ],
        "/mappings/code": lambda: ["/mappings/code?dimension=account&source=X00777"],
        "/replay/new": lambda: ["/replay/new?run=actuals-10003", "/replay/new?id=999999"],
        "/approvals": lambda: ["/approvals?all=yes"], "/": lambda: ["/?period=2024-03"],
        "/calendar": lambda: ["/calendar?schedule=nightly"],
    }  # fmt: skip


def _list(
    asker: Asker, path: str, columns: tuple[Column, ...], found_by: dict[str, str]
) -> list[str]:
    """A list by each filter, sorted by each column both ways, further on, and in large pages."""
    joined = "&" if "?" in path else "?"
    sorts = [sign + c.name for c in columns if c.sort for sign in ("", "-")]
    ways = [f"{path}{joined}sort={sort}" for sort in sorts]
    ways += [f"{path}{joined}{urlencode({k: v})}" for k, v in found_by.items()]
    ways += [f"{path}{joined}rows=500", path]
    later = []
    for way in (ways[0], ways[-1]):
        _, ahead, cursor = asker.text(way).partition("after=")
        if ahead:
            joined = "&" if "?" in way else "?"
            place = re.split(r'[&#"]', cursor)[0]
            later.append(f"{way}{joined}after={place}")
    return ways + later
