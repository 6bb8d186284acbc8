"""What stands before an AIS server: a proxy that carries TLS, a gateway with other paths."""

from __future__ import annotations

import base64
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HEAD_BYTES_MAX = 16_384


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that are cut are what these tests want."""


class Proxy:
    """Answers CONNECT with `status`, or carries what comes; `asked` are the targets."""

    def __init__(self, status: str = "", login: str = "") -> None:
        self.status, self.login, self.asked = status, login, list[str]()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Listen no more: who waits at the door would keep it open."""
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _serve(self) -> None:
        while True:  # ends when the door is closed
            try:
                caller, _ = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(caller,), daemon=True).start()

    def _carry(self, caller: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES_MAX:
            head += caller.recv(4096) or b"\r\n\r\n"
        lines = head.decode("latin-1").split("\r\n")
        if not lines[0]:  # somebody only knocked
            caller.close()
            return
        target = lines[0].split(" ")[1]
        self.asked.append(target)
        pair = base64.b64encode(self.login.encode()).decode()
        knows = (
            not self.login
            or f"proxy-authorization: basic {pair}".lower() in head.decode("latin-1").lower()
        )
        status = self.status or ("" if knows else "407 Proxy Authentication Required")
        if status:
            caller.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            caller.close()
            return
        host, _, port = target.partition(":")
        peer = socket.create_connection((host, int(port)))
        caller.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        for one, other in ((caller, peer), (peer, caller)):
            threading.Thread(target=_pour, args=(one, other), daemon=True).start()


def _pour(source: socket.socket, into: socket.socket) -> None:
    try:
        while piece := source.recv(65_536):
            into.sendall(piece)
        into.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        into.close()


class Gateway:
    """Forwards paths that begin with a key of `places` to its value at `target`; else 404."""

    def __init__(self, target: str, places: Mapping[str, str]) -> None:
        gateway = self
        self.asked: list[str] = []

        class Page(BaseHTTPRequestHandler):
            def forward(self) -> None:
                gateway.asked.append(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0)) or None
                begin = next((b for b in places if self.path.startswith(b)), None)
                status, told, kind = 404, b"<html>no such path</html>", "text/html"
                if begin is not None:
                    url = f"{target}{places[begin]}{self.path.removeprefix(begin)}"
                    status, told, kind = _fetched(url, self.command, body, dict(self.headers))
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            do_GET = do_POST = forward  # noqa: N815 - the names that http.server calls

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self._server = _Quiet(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()


def _fetched(
    url: str, method: str, body: bytes | None, headers: dict[str, Any]
) -> tuple[int, bytes, str]:
    kept = {k: v for k, v in headers.items() if k.lower() not in ("host", "accept-encoding")}
    request = urllib.request.Request(url, body, kept, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read(), answer.headers.get("content-type", "")
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers.get("content-type", "")
