"""The practice AIS server: which call goes where, sign-in and out, errors, and its control port."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from tieout.sim.box import Request, Response, json_response
from tieout.sim.clock import PracticeClock
from tieout.sim.jde.config import default_config, login_answer
from tieout.sim.jde.dataservice import DataService
from tieout.sim.jde.dates import stamp
from tieout.sim.jde.ledger import Ledger
from tieout.sim.jde.message import device_of, json_object, token_of
from tieout.sim.jde.orchestrator import Orchestrator
from tieout.sim.jde.refusal import UNREADABLE, AisError, Report, undocumented
from tieout.sim.jde.session import Session, Sessions
from tieout.sim.jde.simple import data_request
from tieout.sim.jde.switches import Switches

Verb = Callable[[dict[str, Any]], dict[str, Any]]
_SIMPLE_PATH = "/v2/dataservice/table/"
HTML = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
_SIGN_IN_WORDS = (
    "username password environment role jasserver deviceName applicationName psToken token "
    "requiredCapabilities"
)
_SIGN_IN_ATTRIBUTES = frozenset(_SIGN_IN_WORDS.split())
_VALIDATE_ATTRIBUTES = frozenset(("token", "deviceName", "touch"))
_LOGOUT_ATTRIBUTES = frozenset(("token", "deviceName"))


class System:
    """A practice JD Edwards: `handle` speaks AIS, `control` is the control port.

    `users` maps user names to passwords; `verbs` adds verbs to the control port (`event`,
    `people` of the demo company). `handle` may be called from many threads.
    """

    name = "jde"

    def __init__(
        self,
        ledger: Ledger,
        clock: PracticeClock,
        users: Mapping[str, str],
        verbs: Mapping[str, Verb] | None = None,
    ) -> None:
        self.ledger, self._clock = ledger, clock
        self.switches = Switches(
            ledger.recall("switches"), lambda text: ledger.remember("switches", text)
        )
        self.report = Report()
        self.sessions = Sessions(users, clock, self.switches)
        self._data = DataService(ledger, clock, self.switches, self.report)
        self.orchestrator = Orchestrator(ledger, clock, self.switches, self._session)
        clock.listen(self.orchestrator.settle)
        self._verbs = dict(verbs or {})
        self._routes: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "/defaultconfig"): self._config,
            ("POST", "/defaultconfig"): self._config,
            ("POST", "/tokenrequest"): self._login,
            ("POST", "/tokenrequest/logout"): self._logout,
            ("POST", "/dataservice"): self._dataservice,
        }
        self._only_v2: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("POST", "/tokenrequest/validate"): self._validate,
            ("POST", "/dataservice/next"): self._next,
            ("GET", "/dataservice/next"): self._next,
        }

    def close(self) -> None:
        """Let go of the clock; what waits stays in the practice state."""
        self._clock.forget(self.orchestrator.settle)

    def handle(self, request: Request) -> Response:
        """Answer one request of the AIS protocol."""
        if self.switches["html_status"]:  # J028: a proxy or container page instead of AIS
            return _html(self.switches["html_status"], "Service Unavailable")
        self.orchestrator.settle()
        return self._answer(request, lambda: self._route(request)(request))

    def postpone(self, request: Request, seconds: float) -> Response | None:
        """J097: let a call of an orchestration wait; None when it waits, else its refusal."""
        accepted: list[Response | None] = []

        def accept() -> Response:
            accepted.append(self.orchestrator.postpone(request, seconds))
            return Response(202)

        answer = self._answer(request, accept)
        return None if accepted else answer

    def _answer(self, request: Request, run: Callable[[], Response]) -> Response:
        """What `run` answers, or how it is refused."""
        try:
            return run()
        except AisError as error:
            return self._refuse(request, error)
        except UNREADABLE as error:
            return self._refuse(request, undocumented(f"{type(error).__name__}: {error}"))

    def _route(self, request: Request) -> Callable[[Request], Response]:
        path = request.path.removeprefix("/jderest")
        if self.switches["services"] == "v1" and path.startswith(("/v2/", "/v3/")):
            raise AisError(404, f"no such service: {request.path}")  # J140
        if request.method == "GET" and path.startswith(_SIMPLE_PATH):
            return self._simple
        if path != request.path and (found := self.orchestrator.route(request.method, path)):
            return found
        if path != request.path:
            inner = path.removeprefix("/v2")
            routes = self._routes if inner == path else self._routes | self._only_v2
            found = routes.get((request.method, inner))
            if found is not None:
                return found
            if any(inner == known for _, known in routes):
                raise AisError(405, f"Method {request.method} not allowed", report=True)
        raise AisError(404, f"no such service: {request.path}", report=True, what="path")

    def _refuse(self, request: Request, error: AisError) -> Response:
        if error.report:
            self.report.add(request.method, request.path, error.status, error.message)
        return self._error(request, error)

    def _error(self, request: Request, error: AisError) -> Response:
        """J019 J020 J027 J050 J061: the error body of each kind of refusal."""
        if error.what == "cursor":
            item = {"TITLE": error.message, "DESC": error.message}
            return json_response(error.status, {"sysErrors": [item]})
        if error.what == "path" and self.switches["unknown_path"] == "html":
            return _html(404, "Error 404--Not Found")
        form = self.switches["timestamp_format"]
        status = self.switches["error_status"] if error.what == "data" else error.status
        body = {
            "message": error.message,
            "exception": "java.lang.Exception" if form == "old" else "Exception",
            "timeStamp": stamp(self._clock.now(), form),
        }
        if error.what == "step":  # J093 J096
            body["status"] = "ERROR"
            if self.switches["status_keys"]:
                body["jde__status"] = "ERROR"
        return json_response(status, body)

    def _config(self, request: Request) -> Response:
        """J001: no sign-in needed."""
        return json_response(200, default_config(request, _version(request), self.switches))

    def _login(self, request: Request) -> Response:
        """J005 J008 J009 J013: sign in."""
        body = json_object(request, _SIGN_IN_ATTRIBUTES)
        if not self.switches["allowed_host"]:
            raise AisError(405, "AIS Server is not in the list of allowed hosts")
        if body.get("psToken") or body.get("token"):
            raise AisError(446, "SSO is not enabled")
        who = self.sessions.check(request, body)
        device = device_of(request, body)
        session = self.sessions.open(who, device, request.peer)
        answer = login_answer(session, _version(request), self.switches)
        cookie = f"JSESSIONID={session.cookie}; path=/jderest; HttpOnly"  # J025
        return json_response(200, answer, **{"Set-Cookie": cookie})

    def _validate(self, request: Request) -> Response:
        """J021 J022: whether the token lives; `touch` renews its idle clock."""
        body = json_object(request, _VALIDATE_ATTRIBUTES)
        touch = str(body.get("touch", "")).lower() == "true"
        self.sessions.find(token_of(request, body), device_of(request, body), request, touch=touch)
        return json_response(200, {"isValidSession": True})

    def _logout(self, request: Request) -> Response:
        """J023: the token is dead; the body of the answer is not documented."""
        self.sessions.close(token_of(request, json_object(request, _LOGOUT_ATTRIBUTES)))
        return Response(200)

    def _dataservice(self, request: Request) -> Response:
        body = json_object(request, None)
        return self._data.run(self._session(request, body), body, _version(request))

    def _simple(self, request: Request) -> Response:
        """J074: the GET form of a BROWSE."""
        table = request.path.removeprefix("/jderest" + _SIMPLE_PATH)
        body = data_request(table, request.query)
        return self._data.run(self._session(request, body), body, 2)

    def _next(self, request: Request) -> Response:
        if request.body.strip() not in (b"", b"null", b"{}"):  # J048
            raise undocumented("next with a body")
        query = dict(request.query)
        body = {name: values[0] for name, values in query.items()}
        return self._data.next(self._session(request, body), query)

    def _session(self, request: Request, body: Mapping[str, Any]) -> Session:
        """J015 J024: by token (body, header, query), or a passing session by credentials."""
        token, device = token_of(request, body), device_of(request, body)
        if token:
            return self.sessions.find(token, device, request)
        if "authorization" in request.headers or "username" in body:
            who = self.sessions.check(request, body)
            return self.sessions.open(who, device, request.peer, lasting=False)
        raise self.sessions.gone()

    def control(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        """`switch`, `report`, `state`, `restart`, `orchestrations`, and those of construction."""
        if verb == "switch":
            return self.switches.control(body)
        if verb == "report":
            return self.report.control(body)
        if verb == "restart":  # J026
            self.sessions.clear()
            self.orchestrator.restart()
            return self._state()
        if verb == "state":
            return self._state()
        if verb == "orchestrations":
            return self.orchestrator.control(body)
        if verb in self._verbs:
            with self.ledger.transaction():
                return self._verbs[verb](body)
        raise LookupError(f"no verb {verb!r}")

    def _state(self) -> dict[str, Any]:
        living = self.sessions.living()
        return {
            "sessions": len(living),
            "sessions_opened": self.sessions.opened,
            "sessions_unused": sum(s.touched == s.created for s in living),
            "sessions_most": self.sessions.most,
            "result_sets": sum(len(s.cursors) for s in living),
        }


def make_password() -> str:
    """A password for the service user, drawn when the practice state is made."""
    return secrets.token_urlsafe(18)


def _version(request: Request) -> int:
    return 2 if request.path.startswith("/jderest/v2/") else 1


def _html(status: int, title: str) -> Response:
    return Response(status, HTML.format(title).encode(), content_type="text/html")
