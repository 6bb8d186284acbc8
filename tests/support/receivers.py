"""Receivers of notices: a mail server, a service over HTTPS; and who is called in this thread."""

from __future__ import annotations

import socketserver
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class MailServer:
    """Takes every mail; `got` are their texts, `knocks` counts who came.

    With `tls` it offers STARTTLS. `talks`: what it says first, instead of a greeting.
    """

    def __init__(
        self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0,
        talks: bytes = b"",
    ) -> None:  # fmt: skip
        self.got: list[str] = []
        self.knocks = 0
        mail_server = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                mail_server.knocks += 1
                try:
                    if talks:
                        while True:  # until the other side has had enough
                            self.wfile.write(talks)
                    self.wfile.write(b"220 mail\r\n")
                    while (line := self.rfile.readline().decode()) and self.answered(line[:4]):
                        pass
                except OSError:
                    return

            def answered(self, word: str) -> bool:
                verb = word.upper()
                if verb == "EHLO" and tls is not None:
                    self.wfile.write(b"250-mail\r\n250 STARTTLS\r\n")
                elif verb == "STAR" and tls is not None:
                    self.wfile.write(b"220 go on\r\n")
                    self.request = tls.wrap_socket(self.request, server_side=True)
                    self.rfile = self.request.makefile("rb")
                    self.wfile = self.request.makefile("wb", 0)
                elif verb == "DATA":
                    self.wfile.write(b"354 go on\r\n")
                    text = ""
                    while (part := self.rfile.readline().decode()) != ".\r\n":
                        text += part
                    mail_server.got.append(text)
                    self.wfile.write(b"250 ok\r\n")
                else:
                    self.wfile.write(b"221 bye\r\n" if verb == "QUIT" else b"250 ok\r\n")
                return verb != "QUIT"

        self._server = socketserver.ThreadingTCPServer((host, port), Session)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()


class Service(ThreadingHTTPServer):
    """Answers every request with `status`, `told` and `body`; `got` are the paths asked for."""

    daemon_threads = True

    def __init__(
        self, tls: ssl.SSLContext, host: str = "127.0.0.1", port: int = 0, status: int = 200,
        body: bytes = b"ok", **told: str,
    ) -> None:  # fmt: skip
        self.got: list[str] = []
        service = self

        class Page(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                service.got.append(self.path)
                self.send_response(status)
                for name, value in told.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer  # noqa: N815 - the names that http.server calls

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        super().__init__((host, port), Page)
        self.socket = tls.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that goes away is what some tests want."""

    def close(self) -> None:
        """Serve no more."""
        self.shutdown()
        self.server_close()


class _Ear(threading.local):
    heard: list[tuple[str, Any]] | None = None


_ear = _Ear()


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo") and _ear.heard is not None:
        _ear.heard.append((event, arguments[1] if event == "socket.connect" else arguments[0]))


sys.addaudithook(_hear)


@contextmanager
def called() -> Iterator[list[tuple[str, Any]]]:
    """Every connection and every look-up of a name by this thread, as Python itself reports it."""
    heard: list[tuple[str, Any]] = []
    _ear.heard = heard
    try:
        yield heard
    finally:
        _ear.heard = None
