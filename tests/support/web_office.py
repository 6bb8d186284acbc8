"""The pages of an office asked within this process: every answer as it would leave the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from argon2 import PasswordHasher
from batch_records import prepared
from desks import PROJECT, Office
from prepared_batches import ENDED, journal, prepare
from starlette.applications import Starlette

from tieout.app import Instance
from tieout.core.findings import Finding, Severity
from tieout.store import audit, configs, passwords, sessions
from tieout.store.passwords import NewPassword
from tieout.store.runs import NewRun
from tieout.store.sessions import NewSession
from tieout.verbs import approving, people, rejecting, retaining, running, setting_up
from tieout.web.routes import Address
from tieout.web.site import make_site
from tieout.web.view import Site

HOST = "127.0.0.1:7070"
ORIGIN = f"http://{HOST}"
SCHEDULED = """
[schedules.nightly]
when = "daily at 05:30 America/Chicago"
run = ["companies"]
[notices.desk]
to = "secret://desk"
"""
WHO = {  # a person for each role, and who is nobody
    "viewer": "dora", "operator": "anna", "approver": "ben", "admin": "eve", "auditor": "finn",
}  # fmt: skip
PASSWORD = "plum otter vivid lamp"  # of everybody whose password a test sets
HASHER = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def header(self, name: str) -> str:
        """A header, empty when it is not there."""
        return next((value for known, value in self.headers if known == name), "")

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies it sets; an empty one is forgotten."""
        made: SimpleCookie = SimpleCookie()
        for name, value in self.headers:
            if name == "set-cookie":
                made.load(value)
        return {name: morsel.value for name, morsel in made.items()}


@dataclass
class Browser:
    """A browser at the pages: it keeps cookies, and says that forms come from our own pages."""

    app: Starlette
    cookies: dict[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1"
    host: str = HOST

    def ask(
        self, path: str, method: str = "GET", form: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None, body: bytes | None = None,
    ) -> Answer:  # fmt: skip
        """One request; without `headers` one that changes something comes from a page of ours."""
        sent = {"host": self.host, "user-agent": "a test"}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        if method not in ("GET", "HEAD") and headers is None:
            sent["sec-fetch-site"] = "same-origin"
        if form is not None:
            body = urlencode(form, doseq=True).encode()
            sent["content-type"] = "application/x-www-form-urlencoded"
        sent |= headers or {}
        answer = asyncio.run(asked(self.app, method, path, sent, body or b"", self.address))
        for name, value in answer.cookies.items():
            self.cookies[name] = value
        return answer

    def send(self, path: str, **form: Any) -> Answer:
        """A form of one of our pages."""
        return self.ask(path, "POST", form)


async def asked(
    app: Starlette, method: str, path: str, headers: Mapping[str, str], body: bytes, client: str
) -> Answer:
    """One request to an ASGI program."""
    url = urlsplit(path)
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "path": url.path, "raw_path": url.path.encode(), "query_string": url.query.encode(),
        "scheme": "http", "server": ("127.0.0.1", 7070), "client": (client, 50_000),
        "root_path": "",
        "headers": [
            (n.lower().encode(), v.encode("latin-1"))  # two spellings are two lines
            for n, v in ({"content-length": str(len(body))} | dict(headers)).items()
        ],
    }  # fmt: skip
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()  # the browser stays until all of it has come
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    try:
        await app(scope, receive, send)
    except Exception:
        if not sent:  # the framework answers first and raises then, for the log of the server
            raise
    start = next(m for m in sent if m["type"] == "http.response.start")
    told = [(n.decode(), v.decode("latin-1")) for n, v in start["headers"]]
    return Answer(start["status"], told, b"".join(m.get("body", b"") for m in sent))


class WebOffice(Office):
    """An office with its pages."""

    def __init__(self, home: Path, url: str = "", **site: Any) -> None:
        super().__init__(home, url)
        setting_up.apply_project(self.owner, PROJECT + SCHEDULED)
        self._desks: dict[str, Instance] = {}
        self.site = Site(self.owner, running.engine_for(self.owner), **site)
        self.app = make_site(self.site)

    def browser(self, name: str = "", **more: Any) -> Browser:
        """A browser at which this person is signed in, or nobody."""
        found = Browser(self.app, **more)
        if name:
            with self.store.begin() as connection:
                new = NewSession(name, "password", address="127.0.0.1", browser="a test")
                begun = sessions.begin(connection, new, self.clock.now())
            found.cookies["tieout_session"] = begun.text
        return found

    def desk(self, name: str) -> Instance:
        """The same desk every time: opening one takes longer than asking it."""
        if name not in self._desks:
            self._desks[name] = super().desk(name)
        return self._desks[name]

    def with_password(self, name: str, *, temporary: bool = False, handed_by: str = "") -> None:
        """Give somebody the password of all tests, with a hash that is quickly compared."""
        kept = NewPassword(name, HASHER.hash(PASSWORD), handed_by or name, handed_by, temporary)
        with self.store.begin() as connection:
            passwords.keep(connection, kept, self.clock.now())

    def told(self) -> int:
        """The number of the newest entry of the trail."""
        with self.store.database.read() as connection:
            last = audit.last(connection)
        return last.seq if last else 0

    def trail(self, act: str, after: int = 0) -> list[tuple[str, str, dict[str, Any]]]:
        """Actor, object and detail of the entries of an act, from the one after `after`."""
        found = [e for e in self.store.audit(after=after) if e.act == act]
        return [(e.actor, e.object, e.told) for e in found]


# What stands in a path → things of this kind, in every state that matters.
Makes = Callable[[WebOffice, str], Sequence[str]]


def _runs(office: WebOffice, who: str) -> list[str]:
    return [office.store.new_run(NewRun("companies", "load_members", "anna", alone=False)).id]


def _finished_runs(office: WebOffice, who: str) -> list[str]:
    found = _runs(office, who)
    for run in found:
        office.store.finish_run(run, ENDED)
    return found


def _tokens(office: WebOffice, who: str) -> list[str]:
    """One of oneself, one of another."""
    found = []
    for user in (who or "dora", "carla"):
        made = people.make_token(office.desk(user), user=None, scopes=(), days=9, what_for="x")
        found.append(str(made["token"]["id"]))
    return found


def _sessions(office: WebOffice, who: str) -> list[str]:
    found = []
    for user in (who or "dora", "carla"):
        with office.store.begin() as connection:
            begun = sessions.begin(connection, NewSession(user, "password"), office.clock.now())
        found.append(begun.session.id)
    return found


def _user(office: WebOffice) -> str:
    """Somebody who may leave."""
    name = f"max{len(office.secrets)}"
    made = people.add_user(office.desk("eve"), name, ("viewer",), 9)
    office.secrets[name] = made["secret"]
    return name


def _journals(office: WebOffice, who: str) -> list[str]:
    key = f"key {len(office.store.runs(limit=1_000))}"
    make_place(office)
    batch = prepare(office.store, journal(key))
    return [f"{batch.id}.1"]


def _packs(office: WebOffice, who: str) -> list[str]:
    folder = office.home / "packs"
    folder.mkdir(exist_ok=True)
    (folder / "evidence-2025-03-1.zip").write_bytes(b"a pack")
    return ["evidence-2025-03-1.zip"]


def _rejects(office: WebOffice, who: str) -> list[str]:
    """One that waits, and one that is waived."""
    found = []
    for state in ("open", "waived"):
        finding = Finding(
            "import-rejected",
            Severity.REJECT,
            f"row {office.told()}",
            f"It was rejected ({state}).",
        )
        run = office.store.new_run(NewRun("companies", "load_members", "anna", alone=False)).id
        office.store.run_step(run, "find", lambda step, f=finding: step.reject([f]) or {})
        office.store.finish_run(run, ENDED)
        found.append(str(office.store.rejects(run=run)[0].id))
    rejecting.waive(office.desk("ben"), [int(found[1])], "a test")
    return found


def make_place(office: WebOffice) -> None:
    """What was approved and not sent is withdrawn, so that another batch can be prepared."""
    for batch in approving.approvals(office.desk("anna"), every=True):
        if batch["state"] == "approved":
            approving.withdraw(office.desk("anna"), batch["batch"], "a test")


def a_batch(office: WebOffice) -> str:
    """A batch that anna prepared."""
    make_place(office)
    return prepared(office)


def a_proposal(office: WebOffice, change: str = "") -> str:
    """A configuration that eve proposes to a second person."""
    text = f"{PROJECT}{SCHEDULED}# {office.clock.now()}\n{change}"
    with office.store.begin() as connection:
        return configs.propose(connection, text, "eve", "a test", office.clock.now()).id


def _holds(office: WebOffice, who: str) -> list[str]:
    name = f"hold-{office.told()}"
    retaining.hold(office.desk("eve"), name, why="a test")
    return [name]


PARTS: dict[str, Makes] = {
    "flow": lambda office, who: ["companies"],
    "journal": _journals,
    "entry": lambda office, who: ["1"],
    "pack": _packs,
    "run": lambda office, who: [*_runs(office, who), *_finished_runs(office, who)],
    "token": _tokens,
    "reject": _rejects,
    "batch": lambda office, who: [a_batch(office)],
    "connection": lambda office, who: ["erp"],
    "schedule": lambda office, who: ["nightly"],
    "notice": lambda office, who: ["desk"],
    "version": lambda office, who: ["1"],
    "proposal": lambda office, who: [a_proposal(office)],
    "hold": _holds,
    "session": _sessions,
    "user": lambda office, who: [_user(office)],
}


def paths(address: Address, office: WebOffice, who: str) -> list[str]:
    """The address with everything in it that there may be."""
    found = [address.path]
    # What is told live is told until the run ends, so here it has ended.
    makes = PARTS | ({"run": _finished_runs} if address.path.endswith("/live") else {})
    for name, make in makes.items():
        if f"{{{name}}}" in address.path:
            found = [p.replace(f"{{{name}}}", part) for p in found for part in make(office, who)]
    return found


def named(address: Address) -> str:
    """How a test calls it."""
    return f"{address.method} {address.path}"
