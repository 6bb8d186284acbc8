"""The box around a practice system: requests and answers as values, HTTP, faults, log, control."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Protocol, runtime_checkable
from urllib.parse import parse_qs, urlsplit

from tieout.sim.clock import PracticeClock
from tieout.sim.faults import Fault, Faults

LOG_ENTRIES_MAX = 200_000
LOG_BODY_BYTES_MAX = 4_000
SLOW_BYTES_PER_SECOND = 20


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; header names are lower case, query values stay lists."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    peer: str = "127.0.0.1"
    raw_query: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; `headers` override the defaults."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


def json_response(status: int, value: object, **headers: str) -> Response:
    """An answer whose body is `value` as compact JSON."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status, body, dict(headers))


class System(Protocol):
    """A practice system: pure in the sense that it only turns a request into an answer."""

    name: str

    def handle(self, request: Request) -> Response:
        """Answer one request of the vendor's protocol."""
        ...

    def control(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        """Do one thing of the control port (`event`, `people`, `switch`, `restart`, …)."""
        ...


@runtime_checkable
class Postponing(Protocol):
    """A practice system whose calls can wait."""

    def postpone(self, request: Request, seconds: float) -> Response | None:
        """Let a call wait; None when it waits, else the answer that refuses it."""
        ...


@dataclass(slots=True)
class LogEntry:
    """What the control port's `log` shows of one request."""

    at: float
    method: str
    path: str
    query: str
    status: int
    bytes_in: int
    bytes_out: int
    fault: str | None
    body: str


class Box:
    """One practice system on its data port, with the faults and the log of that port."""

    def __init__(self, system: System, clock: PracticeClock) -> None:
        self.system, self.clock = system, clock
        self.faults = Faults()
        self._log: list[LogEntry] = []
        self._lock = threading.Lock()

    def keep(self, entry: LogEntry) -> None:
        """Add to the log, which holds at most LOG_ENTRIES_MAX entries."""
        with self._lock:
            if len(self._log) < LOG_ENTRIES_MAX:
                self._log.append(entry)

    def control(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        """Verbs every box has; the others go to the system."""
        if verb == "clock":
            if "advance" in body:
                self.clock.advance(float(body["advance"]))
            if "scale" in body:
                self.clock.set_scale(float(body["scale"]))
            return dict(self.clock.reading())
        if verb == "faults":
            return self.faults.control(body)
        if verb == "log":
            with self._lock:
                entries = [vars_of(e) for e in self._log]
                if body.get("clear"):
                    self._log.clear()
            return {"log": entries}
        return self.system.control(verb, body)


def vars_of(entry: LogEntry) -> dict[str, Any]:
    """A log entry as JSON."""
    return {name: getattr(entry, name) for name in LogEntry.__slots__}


def _entry(request: Request, at: float, fault: Fault | None) -> LogEntry:
    """The log's line for a request that has no answer yet."""
    return LogEntry(
        at=at,
        method=request.method,
        path=request.path,
        query=request.raw_query,
        status=0,
        bytes_in=len(request.body),
        bytes_out=0,
        fault=fault.kind if fault else None,
        body=request.body[:LOG_BODY_BYTES_MAX].decode("utf-8", "replace"),
    )


def _planned(fault: Fault) -> Response:
    """The answer that the fault itself describes."""
    return Response(fault.status, fault.body.encode(), dict(fault.headers), fault.content_type)


class _DataPort(BaseHTTPRequestHandler):
    """HTTP/1.1 with keep-alive; one write per answer, so that no answer waits for an ACK."""

    protocol_version = "HTTP/1.1"
    server_version = "practice"
    sys_version = ""
    box: ClassVar[Box]

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the box keeps its own log."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            self.command,
            parts.path,
            parse_qs(parts.query, keep_blank_values=True),
            {k.lower(): v for k, v in self.headers.items()},
            self.rfile.read(length) if length else b"",
            self.client_address[0],
            parts.query,
        )
        fault = self.box.faults.match(request.method, self.path, request.body)
        entry = _entry(request, self.box.clock.now(), fault)
        self.box.keep(entry)
        response = self._answer(request, fault)
        if response is not None:
            entry.status, entry.bytes_out = response.status, len(response.body)
            self._write(response, fault)

    def _answer(self, request: Request, fault: Fault | None) -> Response | None:
        """The answer under `fault`; None when the connection was cut without one."""
        if fault is None:
            return self.box.system.handle(request)
        for verb, body in fault.meanwhile.items():
            self.box.control(verb, body)
        if fault.kind == "status":
            return _planned(fault)
        if fault.kind == "cut_before":
            self._cut()
            return None
        if fault.kind == "late":  # processed after the caller gave up
            handle = self.box.system.handle
            threading.Timer(fault.seconds, handle, args=(request,)).start()
            time.sleep(fault.seconds)
            self._cut()
            return None
        if fault.kind in ("queued", "accepted"):
            return self._postponed(request, fault)
        if fault.kind == "delay":
            time.sleep(fault.seconds)
        if fault.kind == "twice":
            self.box.system.handle(request)
        response = self.box.system.handle(request)
        if fault.kind == "cut_after":
            self._cut()
            return None
        if fault.kind == "status_after":
            return _planned(fault)
        if fault.kind == "replace":  # processed, and the answer edited by a regular expression
            text = re.sub(fault.find, fault.body, response.body.decode(), flags=re.DOTALL)
            return Response(response.status, text.encode(), response.headers, response.content_type)
        return response

    def _postponed(self, request: Request, fault: Fault) -> Response | None:
        """The call waits: the caller is cut off, or told 202; a refused call is answered."""
        system = self.box.system
        if not isinstance(system, Postponing):
            return Response(501)
        refused = system.postpone(request, fault.seconds)
        if refused is None and fault.kind == "queued":
            self._cut()
            return None
        return refused or Response(202)

    def _cut(self) -> None:
        """Reset the connection, as a crashed peer or a firewall would."""
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True

    def _write(self, response: Response, fault: Fault | None) -> None:
        headers = {
            "Content-Type": response.content_type,
            "Date": self.date_time_string(self.box.clock.now()),
        }
        headers |= response.headers
        headers["Content-Length"] = str(len(response.body))
        if response.status in (204, 304):
            headers.pop("Content-Type", None)
        head = f"HTTP/1.1 {response.status} -\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        data = head.encode("latin-1") + b"\r\n"
        if self.command != "HEAD":
            data += response.body
        if fault is not None and fault.kind == "truncate":
            self.wfile.write(data[: len(data) - max(1, len(response.body) // 2)])
            self._cut()
        elif fault is not None and fault.kind == "drip":
            self._drip(data)
        else:
            self.wfile.write(data)
        self.wfile.flush()

    def _drip(self, data: bytes) -> None:
        for start in range(0, len(data), SLOW_BYTES_PER_SECOND):
            try:
                self.wfile.write(data[start : start + SLOW_BYTES_PER_SECOND])
                self.wfile.flush()
            except OSError:
                self.close_connection = True
                return
            time.sleep(1)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve


class _ControlPort(BaseHTTPRequestHandler):
    """`POST /control/VERB` with a JSON object; loopback only."""

    protocol_version = "HTTP/1.1"
    box: ClassVar[Box]

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_POST(self) -> None:
        """Run one control verb; a bad one answers 400 with the reason."""
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        verb = self.path.removeprefix("/control/")
        try:
            status, value = 200, self.box.control(verb, json.loads(raw) if raw.strip() else {})
        except (ValueError, KeyError, TypeError, LookupError) as error:
            status, value = 400, {"error": f"{type(error).__name__}: {error}"}
        body = json.dumps(value, default=str).encode()
        self.send_response_only(status)
        head = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, text in head.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def guard(self, tls: ssl.SSLContext) -> None:
        """Speak TLS; each caller shakes hands in the thread that serves it."""
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up is the caller's business."""


def serve(
    box: Box, port: int, *, control: bool, host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
) -> tuple[str, Callable[[], None]]:  # fmt: skip
    """Serve the data port (or, with `control`, the control port) in a thread, over TLS if given.

    Returns the base URL and a function that stops the server.
    """
    base = _ControlPort if control else _DataPort
    answering = type("Port", (base,), {"box": box, "wbufsize": -1})
    server = _Server((host, port), answering)
    if tls is not None:
        server.guard(tls)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return f"{'https' if tls else 'http'}://{host}:{server.server_address[1]}", stop
