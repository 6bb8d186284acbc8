"""Claims about TLS: a certificate that does not fit ends the call at once, in one sentence."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from certificates import certificate

import tieout
from tieout.clock import SystemClock
from tieout.errors import Misconfigured, Refused, Unavailable
from tieout.http import Call, Http
from tieout.network import trust
from tieout.outgoing import Allowed


class Page(BaseHTTPRequestHandler):
    """Answers every GET with an empty object."""

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


class Quiet(ThreadingHTTPServer):
    """A server that does not print what callers do to it."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A handshake that fails is what these tests want."""


@pytest.fixture
def started() -> Iterator[list[Quiet]]:
    servers: list[Quiet] = []
    yield servers
    for server in servers:
        server.shutdown()
        server.server_close()


def serve(started: list[Quiet], pem: Path | None, *, ask_client: bool = False) -> str:
    server = Quiet(("127.0.0.1", 0), Page)
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        if ask_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    started.append(server)
    return f"https://127.0.0.1:{server.server_address[1]}"


def call(url: str, ca_file: Path | None, calls: list[Call]) -> int:
    http = Http(
        url, system="The peer", clock=SystemClock(), ca_file=str(ca_file) if ca_file else None,
        told=calls.append, timeout_seconds=5, tries=2, allowed=Allowed([url]),
    )  # fmt: skip
    try:
        return http.send("GET", "/x", repeatable=True).status
    finally:
        http.close()


def test_a_private_authority_is_trusted_only_when_its_file_is_given(
    tmp_path: Path, started: list[Quiet]
) -> None:
    pem = certificate(tmp_path)
    url = serve(started, pem)
    calls: list[Call] = []
    assert call(url, pem, calls) == 200
    with pytest.raises(Refused, match=r"TLS connection .* was not made: self-signed"):
        call(url, None, calls)
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("host", "days", "words"), [("127.0.0.9", 1, "mismatch"), ("127.0.0.1", -1, "expired")]
)
def test_a_wrong_host_or_an_expired_certificate_is_refused_without_another_try(
    tmp_path: Path, started: list[Quiet], host: str, days: int, words: str
) -> None:
    pem = certificate(tmp_path, host=host, days=days)
    calls: list[Call] = []
    with pytest.raises(Refused, match=words):
        call(serve(started, pem), pem, calls)
    assert len(calls) == 1


def test_a_port_that_speaks_plain_http_is_told_as_such(
    tmp_path: Path, started: list[Quiet]
) -> None:
    calls: list[Call] = []
    with pytest.raises((Refused, Unavailable)) as caught:
        call(serve(started, None), certificate(tmp_path), calls)
    assert isinstance(caught.value, Refused)
    assert "that the port speaks https" in caught.value.sentence()


def test_a_server_that_demands_a_client_certificate_is_not_asked_twice(
    tmp_path: Path, started: list[Quiet]
) -> None:
    pem = certificate(tmp_path)
    calls: list[Call] = []
    with pytest.raises(Refused, match=r"(?i)certificate.required"):
        call(serve(started, pem, ask_client=True), pem, calls)
    assert len(calls) == 1


def test_a_missing_authority_file_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(Misconfigured, match="cannot be used"):
        call("https://127.0.0.1:9", Path("/nowhere/ca.pem"), [])


def test_connections_share_the_certificates_and_a_changed_file_is_read_again(
    tmp_path: Path,
) -> None:
    file = certificate(tmp_path)
    first = trust(str(file))
    assert trust(str(file)) is first
    os.utime(file, ns=(1, 1))
    assert trust(str(file)) is not first
    file.unlink()
    with pytest.raises(Misconfigured, match="certificate file"):
        trust(str(file))


# To say whose certificate was refused: it is shown to a person, and nothing is sent after it.
LOOKS_ONLY = [("way.py", "CERT_NONE"), ("way.py", "check_hostname")]
SWITCHES_OFF = ("CERT_NONE", "CERT_OPTIONAL", "unverified", "verify=False", "check_hostname")


def test_nothing_in_the_program_can_switch_the_check_of_certificates_off() -> None:
    sources = list(Path(tieout.__file__).parent.rglob("*.py"))
    found = [(p.name, word) for p in sources for word in SWITCHES_OFF if word in p.read_text()]
    assert sorted(found) == LOOKS_ONLY
    (way,) = [p.read_text() for p in sources if p.name == "way.py"]
    assert [way.count(word) for _, word in LOOKS_ONLY] == [1, 1]
    assert trust(None).verify_mode is ssl.CERT_REQUIRED
    assert trust(None).check_hostname
