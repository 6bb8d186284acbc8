"""One instance beside its practice systems, broken in one way at a time and then mended."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from books import Books

from tieout.store.keys import in_home
from tieout.store.seats import Room, Seat, Sitter
from tieout.verbs import demo, pinging, practice, setting_up

LINES = 600
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "ping.md"
GOOD_STATES = ("good", "notice")


@dataclass(frozen=True, slots=True)
class Cause:
    """What is done, and the rung and code under which it has to be told, in words."""

    provoke: Callable[[Broken], object]
    rung: str
    code: str
    words: str = ""
    who: str = ""
    state: str = "trouble"
    exit_code: int = 4


class _Page(BaseHTTPRequestHandler):
    """An HTML page, whatever is asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "23")
        self.end_headers()
        self.wfile.write(b"<html>the router</html>")

    do_POST = do_GET  # noqa: N815 - the library's name

    def log_message(self, *_: object) -> None:
        """Nobody wants to read it."""


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A handshake that fails is what these tests want."""


class Broken:
    """The instance; what a test breaks is mended by `mend`."""

    def __init__(self, books: Books, folder: Path) -> None:
        self.books, self.folder = books, folder
        self.undo = ExitStack()
        applied = books.store.config()
        assert applied is not None
        self._text = applied.text

    def mend(self) -> None:
        """Everything as it was."""
        self.undo.close()
        self.books.systems.jde.sessions.clear()  # one stays behind when its answer is lost
        for system in ("jde", "anaplan"):
            self.books.control(system, "faults", clear=True)
        self.books.control("jde", "switch", reset=True)
        applied = self.books.store.config()
        assert applied is not None
        if applied.text != self._text:
            setting_up.apply_project(self.books.instance, self._text)

    def ping(self, name: str) -> dict[str, Any]:
        """The ladder of one connection."""
        (found,) = pinging.ping(self.books.instance, name)["connections"]
        return dict(found)

    # ------------------------------------------------------------------ what can be broken

    def change(self, old: str, new: str) -> None:
        """The project says something else."""
        self.books.change_flow(old, new)

    def move(self, system: str, url: str, *lines: str) -> None:
        """The connection leads elsewhere, and that address is allowed."""
        found = self.books.systems.addresses
        self.change(
            f'allow = ["{found["jde"]}", "{found["anaplan"]}"]',
            f'allow = ["{found["jde"]}", "{found["anaplan"]}", "{"/".join(url.split("/")[:3])}"]',
        )
        old = {"jde": f'url = "{found["jde"]}/jderest"',
               "anaplan": f'api_url = "{found["anaplan"]}/2/0"',
               "sign-in": f'auth_url = "{found["anaplan"]}"'}[system]  # fmt: skip
        key = old.partition(" ")[0]
        self.change(f"\n{old}", "\n" + "\n".join([f'{key} = "{url}"', *lines]))

    def switch(self, name: str, value: object) -> None:
        """JD Edwards behaves otherwise."""
        self.books.control("jde", "switch", name=name, value=value)

    def switch_anaplan(self, name: str, value: object, usual: object) -> None:
        """Anaplan behaves otherwise until it is mended."""
        self.books.control("anaplan", "switch", name=name, value=value)
        self.undo.callback(self.books.control, "anaplan", "switch", name=name, value=usual)

    def fault(self, system: str, kind: str, path: str, **fields: Any) -> None:
        """Requests to a path go wrong, always."""
        self.books.fault(system, kind, path=path, times=99, **fields)

    def answered(self, system: str, path: str, status: int, **fields: Any) -> None:
        """Requests to a path are answered with a status."""
        self.fault(system, "status", path, status=status, **fields)

    def person(self, do: str, back: dict[str, Any], **body: Any) -> None:
        """Somebody changes the model until it is mended."""
        self.books.person(do, **body)
        self.undo.callback(self.books.person, **back)

    def password(self, connection: str, system: str) -> None:
        """A wrong password is stored."""
        right = practice.credentials(self.books.home)[system]
        instance = self.books.instance
        setting_up.connect(instance, connection, right | {"password": "wrong"})
        self.undo.callback(setting_up.connect, instance, connection, right)

    def lose_key(self) -> None:
        """The key file is gone."""
        key, away = self.books.home / "key", self.books.home / "key.away"
        key.rename(away)
        self.undo.callback(away.rename, key)

    def take_seats(self) -> None:
        """Other runs have all sessions in use."""
        store = self.books.store
        room = Room("erp", 2, in_home(self.books.home))
        for run in ("one", "two"):
            seat = Seat(store.database, room, Sitter(run, store.database.executor), store.clock)
            assert seat.take_free() is not None
            self.undo.callback(seat.leave, signed_out=True)

    def page(self, pem: Path | None = None, *, ask_client: bool = False) -> str:
        """A server of pages; its URL."""
        server = _Quiet(("127.0.0.1", 0), _Page)
        if pem is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            if ask_client:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(pem)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.undo.callback(server.server_close)
        self.undo.callback(server.shutdown)
        return f"{'https' if pem else 'http'}://127.0.0.1:{server.server_address[1]}"


def documented() -> set[str]:
    """The codes that the reference page names."""
    rows = [
        r.split("|") for r in REFERENCE.read_text(encoding="utf-8").splitlines() if r[:1] == "|"
    ]
    return {code for row in rows for code in re.findall("`([a-z-]+)`", row[2])}


def made(home: Path) -> Broken:
    """An instance in good health, with a plan that writes journals."""
    books = Books(home, lines=LINES)
    books.person("add_plan")
    applied = books.store.config()
    assert applied is not None
    setting_up.apply_project(books.instance, applied.text + demo.PLAN)
    return Broken(books, home.parent)


def assert_told(broken: Broken, connection: str, cause: Cause) -> dict[str, Any]:
    """The rung and the code are the right ones; below all holds, above nothing was reached."""
    cause.provoke(broken)
    found = broken.ping(connection)
    rungs = {rung["rung"]: rung for rung in found["rungs"]}
    names = list(rungs)
    at = names.index(cause.rung)
    rung = rungs[cause.rung]
    shown = [(r["rung"], r["state"], r["code"], r["what"]) for r in found["rungs"]]
    told = [rung, *rung["notices"]]
    (one,) = [t for t in told if t["code"] == cause.code] or [{}]
    assert one, shown
    assert rung["state"] == cause.state, shown
    assert all(rungs[name]["state"] in GOOD_STATES for name in names[:at]), shown
    assert cause.words in one["what"], shown
    assert one["do"], shown
    assert cause.who in one["who"], (shown, one["who"])
    kept = practice.credentials(broken.books.home).values()
    assert not [one for one in kept if one["password"] in str(found)], "a password was told"
    if cause.state == "trouble":
        assert all(rungs[name]["state"] == "not reached" for name in names[at + 1 :]), shown
        assert found["exit_code"] == cause.exit_code, found["exit_code"]
        assert cause.code in rung["letter"]
        assert rung["what"] in rung["letter"]
    else:
        assert found["exit_code"] == 0, shown
    return found
