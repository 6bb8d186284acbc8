"""Object storage to test against: moto's S3 server as a process, behind a door that can fail."""

from __future__ import annotations

import http.client
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import obstore
from obstore.store import S3Store

from tieout.store.bucket import Patience
from tieout.store.objects import Objects
from tieout.store.ownership import MARK

BUCKET = "records"
START_SECONDS_MAX = 60
HURRIED = Patience(
    connect_seconds=1, silent_seconds=0.3, request_seconds=2, retries_max=1, retrying_seconds=2
)
XML = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code} it is</Message></Error>"


@dataclass
class Fault:
    """What happens instead, `times` times, to requests of a method whose path has these words.

    An answer of `status`, or (0) none at all; `cut` sends half of what the server answers.
    """

    method: str
    words: str = ""
    status: int = 503
    code: str = "SlowDown"
    times: int = 99
    cut: bool = False


@dataclass
class ObjectStorage:
    """A server, and the door to it: all requests of the product come by the door."""

    server: int  # its port
    door: ThreadingHTTPServer
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # methods and paths
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def endpoint(self) -> str:
        """Where the product finds it."""
        return f"http://127.0.0.1:{self.door.server_address[1]}"

    @contextmanager
    def encrypted(self, certificate: Path) -> Iterator[str]:
        """A second door, for https alone; its address."""
        door = _Quiet(("127.0.0.1", 0), self.door.RequestHandlerClass)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        door.socket = context.wrap_socket(door.socket, server_side=True)
        with _serving(door):
            yield f"https://127.0.0.1:{door.server_address[1]}"

    def options(self, **more: str) -> dict[str, str]:
        """What the environment has to say for it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIAPRACTICE", "AWS_SECRET_ACCESS_KEY": "s3-secret-canary",
        } | more  # fmt: skip

    def place(self, prefix: str, copies: Path, patience: Patience | None = None) -> Objects:
        """A place for records."""
        return Objects(f"s3://{BUCKET}/{prefix}", copies, self.options(), patience)

    def mend(self) -> None:
        """No more faults; who waits for an answer gets none."""
        self.faults.clear()
        self.asked.clear()
        self.released.set()
        self.released = threading.Event()

    def _store(self, prefix: str) -> S3Store:
        return S3Store(
            BUCKET, prefix=prefix, endpoint=f"http://127.0.0.1:{self.server}", region="us-east-1",
            access_key_id="x", secret_access_key="x", client_options={"allow_http": True},
        )  # fmt: skip

    def names(self, prefix: str) -> list[str]:
        """Every object below a prefix but its mark, looked up past the door."""
        pages = obstore.list(self._store(prefix), chunk_size=1000)
        return sorted(one["path"] for page in pages for one in page if one["path"] != MARK)

    def put(self, prefix: str, name: str, data: bytes) -> None:
        """Something is changed behind the product's back."""
        obstore.put(self._store(prefix), name, data)

    def delete(self, prefix: str, name: str) -> None:
        """Something is taken away behind the product's back."""
        obstore.delete(self._store(prefix), name)

    def move_in(self, prefix: str, directory: Path) -> None:
        """The files of a directory of records, as `aws s3 sync` brings them."""
        for path in directory.rglob("*"):
            if path.is_file():
                self.put(prefix, str(path.relative_to(directory)), path.read_bytes())

    def fault(self, method: str, path: str) -> Fault | None:
        """The fault that meets a request, if one does."""
        for fault in self.faults:
            if fault.times and fault.method in (method, "") and fault.words in path:
                fault.times -= 1
                return fault
        return None


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a head and its body are two writes
    storage: ObjectStorage

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.storage.asked.append(f"{self.command} {self.path}")
        fault = self.storage.fault(self.command, self.path)
        if fault is not None and not fault.cut:
            if not fault.status:
                self.storage.released.wait()  # it never answers while the test goes on
                return
            self._answer(fault.status, {}, XML.format(code=fault.code).encode())
            return
        server = http.client.HTTPConnection("127.0.0.1", self.storage.server)
        server.request(self.command, self.path, body, dict(self.headers.items()))
        answer = server.getresponse()
        headers = {
            name: value for name, value in answer.getheaders()
            if name.lower() not in ("content-length", "connection", "server", "date")
        }  # fmt: skip
        length = answer.getheader("Content-Length", "0")
        self._answer(answer.status, headers, answer.read(), length, cut=fault is not None)
        server.close()

    def _answer(
        self, status: int, headers: dict[str, str], body: bytes, length: str = "",
        *, cut: bool = False,
    ) -> None:  # fmt: skip
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        plain = self.command != "HEAD"
        self.send_header("Content-Length", str(len(body)) if plain else length or "0")
        self.end_headers()
        if plain:
            self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _any  # noqa: N815 - of http.server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that hangs up is what some tests want."""


@contextmanager
def served(directory: Path) -> Iterator[ObjectStorage]:
    """A server that has one empty bucket, and its door."""
    log = directory / "moto.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-p", "0"], stdout=out, stderr=out
        )
    try:
        port = _port(process, log)
        door = _Quiet(("127.0.0.1", 0), _Door)
        storage = ObjectStorage(port, door)
        door.RequestHandlerClass = type("_TheDoor", (_Door,), {"storage": storage})
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("PUT", f"/{BUCKET}")
        assert connection.getresponse().status == 200
        with _serving(door):
            yield storage
            storage.released.set()
    finally:
        process.kill()
        process.wait()


@contextmanager
def _serving(door: ThreadingHTTPServer) -> Iterator[None]:
    threading.Thread(target=door.serve_forever, daemon=True).start()
    yield
    door.shutdown()
    door.server_close()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        told = log.read_text()
        if "Running on http://127.0.0.1:" in told:
            return int(told.partition("Running on http://127.0.0.1:")[2].split()[0])
        time.sleep(0.02)
    raise AssertionError(log.read_text())
