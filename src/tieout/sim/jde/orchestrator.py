"""The orchestrator of the practice AIS: takes calls, lets them wait, runs them, and answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from tieout.sim.box import Request, Response, json_response
from tieout.sim.clock import PracticeClock
from tieout.sim.jde.batch_file import BatchFile
from tieout.sim.jde.call_queue import (
    ASYNCHRONOUS,
    AUTHORS,
    QUEUES,
    SYNCHRONOUS,
    USER_ASYNCHRONOUS,
    Call,
    CallQueue,
)
from tieout.sim.jde.dates import to_julian
from tieout.sim.jde.discover import catalog, discovery, listed
from tieout.sim.jde.inputs import RESERVED, Reader
from tieout.sim.jde.ledger import Ledger
from tieout.sim.jde.message import json_object, sign_in_of
from tieout.sim.jde.orchestrations import PLAN_JOURNAL, RESERVE, Orchestration, named
from tieout.sim.jde.refusal import UNREADABLE, AisError
from tieout.sim.jde.runs import PlanRun, reserve, with_status
from tieout.sim.jde.session import Session
from tieout.sim.jde.switches import Switches
from tieout.sim.jde.upload import Upload

CALL_PATHS = ("/orchestrator/", "/v2/orchestrator/", "/v3/orchestrator/")
CATALOG, DISCOVER = "/v3/open-api-catalog3", "/discover"
PLANS = frozenset(("lines", "on_error", "process"))
WAIT_SECONDS = 0.02
GATEWAY = "<html><head><title>504 Gateway Time-out</title></head><body></body></html>"
FindSession = Callable[[Request, Mapping[str, Any]], Session]


class Orchestrator:
    """Calls of orchestrations for sessions that `find_session` finds."""

    def __init__(
        self, ledger: Ledger, clock: PracticeClock, switches: Switches, find_session: FindSession
    ) -> None:
        self._ledger, self._clock, self._switches = ledger, clock, switches
        self._find_session = find_session
        self._file, self._upload = BatchFile(ledger, switches), Upload(ledger, clock, switches)
        self.queue = CallQueue(ledger)
        self._running = threading.RLock()
        self._next: dict[str, Any] = {}

    def route(self, method: str, path: str) -> Callable[[Request], Response] | None:
        """What answers a path below /jderest, or None when it is none of the orchestrator's."""
        if method in ("GET", "POST") and path.startswith(CALL_PATHS):
            return self._call
        if method in ("GET", "POST") and _below(path, DISCOVER):
            return self._discover
        if method == "GET" and _below(path, CATALOG):
            return self._catalog
        return None

    def settle(self) -> None:
        """Run the waiting calls whose time has come."""
        with self._running:
            for call in self.queue.due(self._clock.now()):
                self._run_unseen(call)

    def _discover(self, request: Request) -> Response:
        """J099 J078: one orchestration, or all that are shown."""
        self._find_session(request, sign_in_of(request))
        return json_response(200, discovery(self._found(request, DISCOVER), self._switches))

    def _catalog(self, request: Request) -> Response:
        """J080: the same as an OpenAPI document."""
        self._find_session(request, sign_in_of(request))
        return json_response(200, catalog(self._found(request, CATALOG), self._switches))

    def _found(self, request: Request, path: str) -> list[Orchestration]:
        name = unquote(request.path.removeprefix("/jderest" + path)).strip("/")
        shown = listed(self._switches)
        if not name:
            return shown
        made = named(name)
        found = [one for one in shown if made is not None and one.name == made.name]
        if not found:
            raise self._unknown(name)
        return found

    def _unknown(self, name: str) -> AisError:
        """J079: no such orchestration."""
        status = self._switches["unknown_orchestration"]
        return AisError(status, f"Orchestration {name} not found", report=True)

    def _call(self, request: Request) -> Response:
        """J081 J088: accept one call and run it, now or later."""
        call = self._accept(request)
        if call.queue in (ASYNCHRONOUS, USER_ASYNCHRONOUS):
            self.queue.add(call, self._clock.now() + self._switches["async_seconds"])
            return Response(202)
        pause, until = threading.Event(), time.monotonic() + self._switches["gateway_seconds"]
        while self.queue.holds_up(call):
            if time.monotonic() >= until:  # J098
                self.queue.add(call, None, behind=True)
                return Response(504, GATEWAY.encode(), content_type="text/html")
            pause.wait(WAIT_SECONDS)
            self.settle()
        with self._running:
            return self._run(call)

    def postpone(self, request: Request, seconds: float) -> Response | None:
        """J097: accept a call that runs `seconds` later on the practice clock (0: when released).

        None when it waits; an answer when it was refused or is no call of an orchestration.
        """
        if not request.path.removeprefix("/jderest").startswith(CALL_PATHS):
            raise AisError(500, f"{request.path} cannot wait", report=True)
        call = self._accept(request)
        self.queue.add(call, self._clock.now() + seconds if seconds else None)
        return None

    def _accept(self, request: Request) -> Call:
        """Sign-in, name and queue of a call; its inputs are read when it runs."""
        name = unquote(request.path.partition("/orchestrator/")[2])
        body: dict[str, Any] = dict(sign_in_of(request))
        if request.method == "GET":
            body |= {k: v[0] for k, v in request.query.items() if not k.startswith("$")}
        body |= json_object(request, None, exact=True)
        session = self._find_session(request, body)
        made = named(name)
        if made is None or made.name != name:
            raise self._unknown(name)
        if request.method == "GET" and made.array:  # J080: only POST is offered
            raise AisError(405, f"{name} has an array input and takes POST only", report=True)
        author = AUTHORS[self._switches["orchestration_queue"]] if made.array else SYNCHRONOUS
        queue = body.get("jde__jobQueue", author)  # J088 J090
        if queue not in QUEUES:  # J089
            raise AisError(self._switches["invalid_input_status"], f"jde__jobQueue {queue!r}",
                           report=True)  # fmt: skip
        plan: dict[str, Any] = {}
        if made.name == PLAN_JOURNAL:
            plan, self._next = self._next, {}
        inputs = {key: value for key, value in body.items() if key not in RESERVED}
        text = json.dumps(inputs, default=_decimal)
        date_format = self._switches["simple_date_format"]
        return Call(session.user, date_format, name, text, queue, plan)

    def _run_unseen(self, call: Call) -> None:
        """Run a call whose caller is gone; its answer, good or bad, reaches nobody."""
        with suppress(AisError, *UNREADABLE):
            self._run(call)

    def _run(self, call: Call) -> Response:
        """J091: run a call, however often it came; every step commits for itself (J096)."""
        started = self._clock.now()
        made = named(call.name)
        if made is None:
            raise self._unknown(call.name)
        body = json.loads(call.body, parse_float=Decimal)
        sent = Reader(made, self._switches, call.date_format).read(body)
        today = self._clock.today()
        now = (to_julian(today.date()), today.hour * 10_000 + today.minute * 100 + today.second)
        if call.name == PLAN_JOURNAL:
            run = PlanRun(self._file, self._upload, self._switches, call.plan)
            output = run.run(sent, call.user, now, started)
        elif call.name == RESERVE:
            output = reserve(self._ledger, self._switches, sent)
        else:
            output = {}
        return json_response(200, with_status(output, self._switches, started, self._clock.now()))

    def restart(self) -> None:
        """J097: what waits survives a restart of the server, or not."""
        if self._switches["restart_queue"] == "drops":
            self.queue.take()
        self._next = {}

    def control(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The control verb `orchestrations`.

        `next` disturbs the next call ({"lines": n, "on_error": "abort" or "continue",
        "process": false}), `release` (true or a number) runs what waits, `drop` forgets it,
        `process` runs R09110Z on all rows that wait, `purge` deletes the processed ones.
        """
        if "next" in body:
            if set(body["next"]) - PLANS:
                raise ValueError(f"next takes {', '.join(sorted(PLANS))}")
            self._next = dict(body["next"])
        answer: dict[str, Any] = {}
        with self._running:
            if "release" in body:
                calls = self.queue.take(_number(body["release"]))
                for call in calls:
                    self._run_unseen(call)
                self.settle()
                answer["calls"] = len(calls)
            if "drop" in body:
                answer["calls"] = len(self.queue.take(_number(body["drop"])))
            if body.get("process"):
                taken = [d for outcome in self._upload.run() for d in outcome.taken()]
                answer["documents"] = len(taken)
            if body.get("purge"):
                answer["rows"] = self._file.purge()
        waiting = [
            {"number": w.number, "name": w.call.name, "user": w.call.user,
             "queue": w.call.queue, "due": w.due}
            for w in self.queue.waiting()
        ]  # fmt: skip
        return answer | {"waiting": waiting, "next": self._next,
                         "work_center": self._upload.work_center()}  # fmt: skip


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(root + "/")


def _number(value: object) -> int:
    """The number of one waiting call, or 0 for all of them (true)."""
    return 0 if value is True else int(str(value))


def _decimal(value: object) -> object:
    """A Decimal as the JSON text of the same digits, to be read as Decimal again."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"not JSON: {value!r}")
