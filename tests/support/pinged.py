"""One instance beside its practice systems, broken in one way at a time and then mended."""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from books import Books
from gateways import Proxy

from tieout.anaplan import consent
from tieout.clock import SystemClock
from tieout.http import Http
from tieout.outgoing import Allowed
from tieout.sim.authority import Signed, make_authority, server_context
from tieout.sim.box import Box, serve
from tieout.store.keys import in_home
from tieout.store.seats import Room, Seat, Sitter
from tieout.verbs import demo, pinging, practice, setting_up

LINES = 600
NAMED = "broken set-ups of which ping named the rung and the cause"
AUTHORITY = cache(make_authority)
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

    def certificate(self, fields: dict[str, str], *, registered: bool = False) -> None:
        """The connection to Anaplan signs in with what stands in `fields`."""
        right = practice.credentials(self.books.home)["anaplan"]
        safe = self.books.store.safe
        if registered:
            self.books.control("anaplan", "administer", do="register_certificate",
                               user=right["username"], pem=fields["certificate"])  # fmt: skip
        secret = 'secret = "secret://planning"'
        self.change(secret, f'{secret}\nsign_in = "certificate"')
        safe.put("planning", fields, "a test")
        self.undo.callback(safe.put, "planning", right, "a test")

    def behind(
        self, *, mine: Signed | None = None, proxy: str = "", login: str = "", old: bool = False
    ) -> None:
        """JD Edwards over TLS: asking for a certificate where `mine` is given, or by a proxy."""
        books, folder = self.books, self.folder
        tls = server_context(AUTHORITY().server(), folder, AUTHORITY().pem if mine else "")
        system = books.systems.jde
        url, stop = serve(Box(system, books.systems.clock), 0, control=False, tls=tls)
        self.undo.callback(stop)
        (folder / "ca.pem").write_text(AUTHORITY().pem)
        keys = [f'ca_file = "{folder / "ca.pem"}"']
        right = practice.credentials(books.home)["jde"]
        if mine is not None:
            keys.append("client_certificate = true")
            fields = {"certificate": mine.certificate, "private_key": mine.private_key}
            books.store.safe.put("erp", right | fields, "a test")
            self.undo.callback(books.store.safe.put, "erp", right, "a test")
        if proxy or login:
            stands = Proxy(proxy, login)
            self.undo.callback(stands.close)
            keys.append(f'proxy = "{stands.url}"')
        if old:
            self.switch("services", "v1")
        self.move("jde", f"{url}/jderest", *keys)
        if proxy or login:
            self.change("allow = [", f'allow = ["{stands.url}", ')

    def behind_proxy(
        self, status: str = "", login: str = "", *, down: bool = False, unlisted: bool = False
    ) -> Proxy:
        """Anaplan over TLS and by a proxy alone; one that is `down` is called all the same."""
        books, folder = self.books, self.folder
        tls = server_context(AUTHORITY().server(), folder)
        system = books.systems.anaplan
        url, stop = serve(Box(system, books.systems.clock), 0, control=False, tls=tls)
        self.undo.callback(stop)
        (folder / "ca.pem").write_text(AUTHORITY().pem)
        stands = Proxy(status, login)
        self.undo.callback(stands.close)
        if down:
            stands.close()
        plain, allow = books.systems.addresses["anaplan"], "" if unlisted else stands.url
        applied = books.store.config()
        assert applied is not None
        text = applied.text.replace(plain, url)
        text = text.replace("allow = [", f'allow = ["{allow or url}", ')
        head, _, tail = text.partition("[connections.planning]")
        keys = f'\nca_file = "{folder / "ca.pem"}"\nproxy = "{stands.url}"'
        tail = tail.replace("\nallow_http = true", keys, 1)
        setting_up.apply_project(books.instance, f"{head}[connections.planning]{tail}")
        return stands

    def consent(self, *, used: bool = False, client: str = "") -> None:
        """The connection to Anaplan signs in by a consent, whose access token has ended."""
        act = partial(self.books.control, "anaplan", "administer")
        url = self.books.systems.addresses["anaplan"]
        right = practice.credentials(self.books.home)["anaplan"]
        known = act(do="add_oauth_client")["client_id"]
        with closing(Http(url, system="Anaplan", clock=SystemClock(), allow_http=True,
                          allowed=Allowed([url]))) as oauth:  # fmt: skip
            asked = consent.ask(oauth, known)
            act(do="approve_device", user_code=asked.user_code, user=right["username"])
            patient = SimpleNamespace(
                monotonic=time.monotonic, now=self.books.instance.clock.now, sleep=lambda _: None
            )
            fields = consent.consented(oauth, known, asked, patient)
        secret = 'secret = "secret://planning"'
        self.change(secret, f'{secret}\nsign_in = "oauth"\noauth_url = "{url}"')
        fields |= {"access_ends": "0"} | ({"client_id": client} if client else {})
        safe = self.books.store.safe
        safe.put("planning", fields, "a test")
        self.undo.callback(safe.put, "planning", right, "a test")
        if used:
            act(do="revoke_consents", user=right["username"])

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
