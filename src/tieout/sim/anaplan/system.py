"""The practice Anaplan as a system: routes, guards, control verbs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tieout.sim.anaplan import (
    administer,
    auth,
    calendar,
    catalog,
    cell_write,
    cells,
    dumps,
    files,
    lists,
    oauth,
    people,
    reads,
    tasks,
)
from tieout.sim.anaplan.rate import Budgets, retry_after
from tieout.sim.anaplan.state import State
from tieout.sim.anaplan.switches import SWITCHES
from tieout.sim.anaplan.tenants import add_tenants, workspaces_of
from tieout.sim.anaplan.wire import MESSAGES, Exchange, Refusal, error
from tieout.sim.box import Request, Response
from tieout.sim.clock import PracticeClock

BUSY_POLL_SECONDS = 0.02
REPORT_ROWS_MAX = 10_000
DOCUMENTED_QUERY = {
    "limit", "offset", "sort", "tenantDetails", "modelDetails", "includeAll", "action", "pages",
    "format", "exportType", "moduleId", "maxRows", "includesubsidiaryviews",
    "showImportDataSource", "includeProcessDetails", "s",
}  # fmt: skip

BUSY = {"d": "busy_reads", "s": "busy_starts", "f": "busy_uploads"}  # A069, A092, A093

Answer = Callable[[Exchange], Response]


class Route(NamedTuple):
    """One documented call.

    `busy` is the switch that says what becomes of it while a task runs, empty when it passes;
    `writes` need an unlocked model, and `opens` says that it opens a closed one.
    """

    method: str
    pattern: re.Pattern[str]
    answer: Answer
    busy: str
    writes: bool
    opens: bool


def _route(method: str, path: str, answer: Answer, marks: str = "") -> Route:
    """`marks`: d for data, s for starts, f for files (what they do while a task runs), w writes."""
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
    pattern = pattern.replace("KIND", "(?P<kind>imports|exports|processes|actions)")
    busy = next((BUSY[mark] for mark in marks if mark in BUSY), "")
    opens = "d" in marks or "w" in marks
    return Route(method, re.compile(pattern), answer, busy, "w" in marks, opens)


TENANT_ROUTES = (
    _route("GET", "/users", catalog.list_users),
    _route("GET", "/users/{user_id}", catalog.get_me),
    _route("GET", "/workspaces", catalog.list_workspaces),
    _route("GET", "/workspaces/{workspace}", catalog.get_workspace),
    _route("GET", "/workspaces/{workspace}/models", catalog.list_models),
    _route("GET", "/models", catalog.list_models),
)
# Paths below …/models/{id}; served with and without …/workspaces/{id} in front (A016).
MODEL_ROUTES = (
    _route("GET", "", catalog.get_model),
    _route("GET", "/status", catalog.status),
    _route("POST", "/status", catalog.status),
    _route("POST", "/open", catalog.open_model),
    _route("POST", "/close", catalog.close_model),
    _route("GET", "/currentPeriod", calendar.get_current_period),
    _route("GET", "/modelCalendar", calendar.get_model_calendar),
    _route("GET", "/versions", calendar.get_versions),
    _route("GET", "/files", files.list_files),
    _route("POST", "/files/{file}", files.announce, "f"),
    _route("GET", "/files/{file}", files.get_file),
    _route("PUT", "/files/{file}", files.put_file, "f"),
    _route("DELETE", "/files/{file}", files.delete_file),
    _route("POST", "/files/{file}/complete", files.complete, "f"),
    _route("GET", "/files/{file}/chunks", files.list_chunks),
    _route("GET", "/files/{file}/chunks/{chunk}", files.get_chunk),
    _route("PUT", "/files/{file}/chunks/{chunk}", files.put_chunk, "f"),
    _route("GET", "/KIND", catalog.list_actions),
    _route("GET", "/(?P<kind>imports)/{action}", catalog.get_import),
    _route("GET", "/(?P<kind>exports)/{action}", catalog.get_export),
    _route("GET", "/(?P<kind>processes)/{action}", catalog.get_process),
    _route("GET", "/KIND/{action}/tasks", tasks.list_tasks),
    _route("POST", "/KIND/{action}/tasks", tasks.start, "sw"),
    _route("GET", "/KIND/{action}/tasks/{task}", tasks.get_task),
    _route("DELETE", "/KIND/{action}/tasks/{task}", tasks.cancel),
    _route("GET", "/(?P<kind>imports)/{action}/tasks/{task}/dump", dumps.get_dump),
    _route("GET", "/(?P<kind>imports)/{action}/tasks/{task}/dump/chunks", dumps.list_dump_chunks),
    _route(
        "GET", "/(?P<kind>imports)/{action}/tasks/{task}/dump/chunks/{chunk}", dumps.get_dump_chunk
    ),
    _route("GET", "/(?P<kind>processes)/{action}/tasks/{task}/dumps/{object}", dumps.get_dump),
    _route(
        "GET", "/(?P<kind>processes)/{action}/tasks/{task}/dumps/{object}/chunks",
        dumps.list_dump_chunks,
    ),
    _route(
        "GET", "/(?P<kind>processes)/{action}/tasks/{task}/dumps/{object}/chunks/{chunk}",
        dumps.get_dump_chunk,
    ),
    _route("GET", "/lists", lists.list_lists),
    _route("GET", "/lists/{list}", lists.get_list),
    _route("GET", "/lists/{list}/items", lists.get_items),
    _route("POST", "/lists/{list}/items", lists.post_items, "dw"),
    _route("PUT", "/lists/{list}/items", lists.put_items, "dw"),
    _route("POST", "/lists/{list}/resetIndex", lists.reset_index, "dw"),
    _route("GET", "/modules", catalog.list_modules),
    _route("GET", "/modules/{module}/views", cells.list_views),
    _route("GET", "/modules/{module}/lineItems", catalog.list_line_items),
    _route("POST", "/modules/{module}/data", cell_write.write, "dw"),
    _route("GET", "/lineItems", catalog.list_line_items),
    _route("GET", "/lineItems/{line_item}/dimensions", catalog.line_item_dimensions),
    _route(
        "GET", "/lineItems/{line_item}/dimensions/{dimension}/items", cells.dimension_items
    ),
    _route("GET", "/views", cells.list_views),
    _route("GET", "/views/{view}", cells.get_view),
    _route("GET", "/views/{view}/data", cells.get_data, "d"),
    _route("GET", "/views/{view}/dimensions/{dimension}/items", cells.dimension_items),
    _route("GET", "/dimensions/{dimension}/items", cells.dimension_items),
    _route("POST", "/dimensions/{dimension}/items", cells.find_items),
    *(
        _route(method, f"/{kind}s/{{{kind}}}/readRequests{tail}", answer, marks)
        for kind in ("view", "list")
        for method, tail, answer, marks in (
            ("POST", "/?", reads.start, "d"),
            ("GET", "/{read}", reads.get, ""),
            ("DELETE", "/{read}", reads.delete, ""),
            ("GET", "/{read}/pages/{page}", reads.get_page, ""),
        )
    ),
)  # fmt: skip
MODEL_PATH = re.compile(r"(?:/workspaces/(?P<w>[^/]+))?/models/(?P<m>[^/]+)(?P<rest>/.*)?")


class AnaplanSystem:
    """Answers the integration API and the token service from one state file."""

    name = "anaplan"

    def __init__(self, state: State, clock: PracticeClock) -> None:
        self.state, self.clock = state, clock
        self.budgets = Budgets()

    def handle(self, request: Request) -> Response:
        """Answer one request; what needs the model waits while it runs a task (A069, A092)."""
        give_up = time.monotonic() + float(self.state.switch("busy_wait_seconds"))
        charged = False
        while True:
            with self.state.change():
                response = self._answer(request, charged=charged)
            if response is not None:
                return response
            charged = True
            if time.monotonic() > give_up:
                return error(504, MESSAGES[504], request.path, self.clock.now())
            time.sleep(BUSY_POLL_SECONDS)

    def _answer(self, request: Request, *, charged: bool) -> Response | None:
        """One answer, or None when the model is busy and the caller has to wait."""
        now = self.clock.now()
        if request.path.startswith("/token/"):
            answer = auth.answer(self.state, self.clock, request)
            return answer or self._unknown(request, 404, now)
        if request.path in oauth.PATHS:
            answer = oauth.answer(self.state, self.clock, request)
            return answer or self._unknown(request, 405, now)
        if not charged:
            tenant = auth.tenant_of(self.state, now, request.headers.get("authorization", ""))
            strictly = self.state.switch("rate_counting") == "window"
            per_minute = int(self.state.switch("rate_per_minute"))
            wait = self.budgets.take(tenant, now, per_minute, strictly=strictly)
            if wait:
                head = retry_after(self.state.switch("retry_after"), now, wait)
                refused = error(429, MESSAGES[429], request.path, now)
                return Response(429, refused.body, head)
        tasks.pump(self.state, now)
        reads.pump(self.state, now)
        try:
            return self._api(request, now)
        except Refusal as refusal:
            return error(refusal.status, refusal.message, request.path, now)

    def _api(self, request: Request, now: float) -> Response | None:
        user = auth.user_of(self.state, now, request.headers.get("authorization", ""))
        if user is None:
            raise Refusal(401)  # A009
        if not request.path.startswith("/2/0/"):
            return self._unknown(request, 404, now)
        path = request.path.removeprefix("/2/0")
        exchange = Exchange(self.state, self.clock, request, user)
        self._watch_query(request, now)
        found = MODEL_PATH.fullmatch(path)
        if found is None:
            return self._dispatch(exchange, TENANT_ROUTES, path.rstrip("/"), now)
        self._enter_model(exchange, found["w"], found["m"])
        rest = found["rest"] or ""
        if found["w"] and not rest:
            return self._unknown(request, 405, now)  # A016
        return self._dispatch(exchange, MODEL_ROUTES, rest, now)

    def _enter_model(self, exchange: Exchange, workspace: str | None, model: str) -> None:
        """Ids are case-sensitive; a model of another workspace or tenant is not there (A017)."""
        row = self.state.row("select workspace from models where id = ?", model)
        if row is None or workspace not in (None, row[0]):
            raise Refusal(404)
        if row[0] not in workspaces_of(self.state, exchange.user):
            raise Refusal(404)  # A097
        exchange.model = model

    def _dispatch(
        self, exchange: Exchange, routes: tuple[Route, ...], path: str, now: float
    ) -> Response | None:
        methods = set()
        for route in routes:
            found = route.pattern.fullmatch(path)
            if found is None:
                continue
            methods.add(route.method)
            if route.method == exchange.request.method:
                exchange.ids = {k: v for k, v in found.groupdict().items() if v is not None}
                return self._guarded(exchange, route, path)
        return self._unknown(exchange.request, 405 if methods else 404, now)

    def _guarded(self, exchange: Exchange, route: Route, path: str) -> Response | None:
        if exchange.model and path:
            self._check_state(exchange.model, writes=route.writes)
            how = self.state.switch(route.busy) if route.busy else ""
            if how == "wait" and self._busy(exchange.model):
                return None
            if isinstance(how, int) and self._busy(exchange.model):
                raise Refusal(how, "The model is busy")  # A069, A092, A093
        if exchange.model and route.opens:
            catalog.wake(exchange)
        return route.answer(exchange)

    def _check_state(self, model: str, *, writes: bool) -> None:
        row = self.state.row("select data from models where id = ?", model)
        phase = json.loads(row[0])["activeState"]
        if phase == "ARCHIVED":
            raise Refusal(self.state.switch("archived_status"), "The model is archived")  # A070
        if phase in ("MAINTENANCE", "PRODUCTION_MAINTENANCE"):
            raise Refusal(self.state.switch("offline_status"), "The model is offline")  # A070
        if phase == "LOCKED" and writes:
            raise Refusal(self.state.switch("locked_status"), "The model is locked")  # A070

    def _busy(self, model: str) -> bool:
        sql = "select 1 from tasks where model = ? and state = 'IN_PROGRESS'"
        return self.state.row(sql, model) is not None

    def _unknown(self, request: Request, status: int, now: float) -> Response:
        """A call the documents do not describe: refused, and noted for `report` (A013)."""
        self._note(request, now, f"{status} undocumented call")
        return error(status, MESSAGES[status], request.path, now)

    def _watch_query(self, request: Request, now: float) -> None:
        for name in sorted(set(request.query) - DOCUMENTED_QUERY):
            self._note(request, now, f"undocumented query parameter {name}")

    def _note(self, request: Request, now: float, what: str) -> None:
        self.state.do(
            "insert into report (at, method, path, what) values (?, ?, ?, ?)",
            now, request.method, request.path, what,
        )  # fmt: skip

    def control(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        """The verbs of this practice system; LookupError names them for another one."""
        verbs = {
            "switch": self._switch, "report": self._report, "restart": self._restart,
            "state": self._state, "people": self._people, "cells": self._cells,
            "tenants": self._tenants, "administer": self._administer,
        }  # fmt: skip
        if verb not in verbs:
            raise LookupError(f"no verb {verb!r}; there are {', '.join(sorted(verbs))}")
        with self.state.change():
            tasks.pump(self.state, self.clock.now())
            return verbs[verb](body)

    def _switch(self, body: dict[str, Any]) -> dict[str, Any]:
        if "name" in body:
            self.state.set_switch(str(body["name"]), body["value"])
        return {"switches": {name: self.state.switch(name) for name in sorted(SWITCHES)}}

    def _report(self, body: dict[str, Any]) -> dict[str, Any]:
        rows = self.state.rows("select at, method, path, what from report order by seq")
        if body.get("clear"):
            self.state.do("delete from report")
        names = ("at", "method", "path", "what")
        return {"report": [dict(zip(names, r, strict=True)) for r in rows[:REPORT_ROWS_MAX]]}

    def _restart(self, body: dict[str, Any]) -> dict[str, Any]:
        """The token service forgets every token; models, files and tasks stay."""
        return {"tokens_dropped": self.state.do("delete from tokens")}

    def _state(self, body: dict[str, Any]) -> dict[str, Any]:
        return people.overview(self.state) | self.budgets.told()

    def _people(self, body: dict[str, Any]) -> dict[str, Any]:
        return people.act(self.state, body, self.clock.now())

    def _administer(self, body: dict[str, Any]) -> dict[str, Any]:
        return administer.act(self.state, body, self.clock.now())

    def _cells(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"cells": people.module_cells(self.state, body)}

    def _tenants(self, body: dict[str, Any]) -> dict[str, Any]:
        return add_tenants(self.state, body)

    def close(self) -> None:
        """Close the state file."""
        self.state.close()


def open_system(path: Path, clock: PracticeClock) -> AnaplanSystem:
    """The practice Anaplan over the state file at `path` (made empty when it is not there)."""
    return AnaplanSystem(State(path), clock)
