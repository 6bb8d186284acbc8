"""What a page is made from: the instance, what was asked, and who asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote as quoted
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tieout.app import Instance
from tieout.clock import Clock, SystemClock
from tieout.core.policy import INSTANCE, Act, Actor, Thing, Verdict, may
from tieout.engine.durable import Engine
from tieout.verbs import waiting
from tieout.verbs.signing_in import FirstStart, Place
from tieout.verbs.words import moment
from tieout.web.metrics import Answers
from tieout.web.once import Once
from tieout.web.render import rendered
from tieout.web.ribbon import ribbon_of
from tieout.web.twins import twin_of

THEMES = ("light", "dark")
THEME_COOKIE, SESSION_COOKIE, KNOWN_COOKIE = "tieout_theme", "tieout_session", "tieout_known"
LOOPBACK = frozenset({"127.0.0.1", "localhost"})
NOBODY = Actor("", frozenset())


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages of a server share."""

    instance: Instance
    engine: Engine
    first_start: FirstStart = field(default_factory=FirstStart)
    once: Once = field(default_factory=Once)
    names: frozenset[str] = LOOPBACK  # under which it may be asked
    secure: bool = False  # people reach it over TLS
    proxies: frozenset[str] = frozenset()  # addresses of who passes on what people ask
    clock: Clock = field(default_factory=SystemClock)  # of how often an address asks
    answers: Answers = field(default_factory=Answers)

    @property
    def prefix(self) -> str:
        """Of the names of cookies: over TLS a browser then takes them from this host alone."""
        return "__Host-" if self.secure else ""

    def keep(self, answer: Response, name: str, value: str, seconds: int | None = None) -> None:
        """Let the browser keep a cookie that no script of a page can read."""
        answer.set_cookie(
            self.prefix + name, value, max_age=seconds, path="/", secure=self.secure,
            httponly=True, samesite="lax",
        )  # fmt: skip

    def forget(self, answer: Response, name: str) -> None:
        """Let the browser forget it."""
        answer.delete_cookie(
            self.prefix + name, path="/", secure=self.secure, httponly=True, samesite="lax"
        )


@dataclass(frozen=True, slots=True)
class View:
    """One request for a page; `form` holds what was sent with it.

    `instance` acts as who is signed in: a verb that is called with it asks for their right, and
    writes their name. `actor` is NOBODY where an address is open to everybody and nobody is.
    """

    site: Site
    instance: Instance
    request: Request
    form: FormData = field(default_factory=FormData)
    actor: Actor = NOBODY
    csrf: str = ""  # the token that every form of this session carries
    thing: Thing = INSTANCE  # what the path names, as the table of routes loads it

    @property
    def engine(self) -> Engine:
        """The executor of this process."""
        return self.site.engine

    @property
    def query(self) -> Mapping[str, str]:
        """What the address asks for; of a name given twice, the last."""
        return dict(self.request.query_params)

    def path(self, name: str) -> str:
        """A part of the path, as the table of routes names it."""
        return str(self.request.path_params[name])

    def field(self, name: str) -> str:
        """What was written into a field of the form; empty for a file or nothing."""
        value = self.form.get(name, "")
        return value if isinstance(value, str) else ""

    def each(self, name: str) -> list[str]:
        """All values of a name that was sent several times, in the form or the address."""
        found = self.form.getlist(name) or self.request.query_params.getlist(name)
        return [value for value in found if isinstance(value, str)]

    def cookie(self, name: str) -> str:
        """A cookie of ours that came with the request."""
        return self.request.cookies.get(self.site.prefix + name, "")

    def may(self, act: Act, on: Thing | None = None) -> Verdict:
        """Whether who asks may do it, by default on what the path names, and why not.

        The verb asks again: this is for what a page shows or explains.
        """
        return may(self.actor, act, on or self.thing)

    @property
    def place(self) -> Place:
        """Where it is asked from."""
        client, browser = self.request.client, self.request.headers.get("user-agent", "")
        return Place(client.host if client else "", browser, self.cookie(KNOWN_COOKIE))

    @property
    def address(self) -> str:
        """The path and query of this page, to come back to."""
        query = self.request.url.query
        return self.request.url.path + (f"?{query}" if query else "")

    def page(
        self, template: str, *, section: str, title: str, command: Sequence[str] = (),
        evidence: Sequence[tuple[str, object]] = (), status: int = 200, **values: Any,
    ) -> HTMLResponse:  # fmt: skip
        """A page: `command` gives the same on the command line, `evidence` says what it is of."""
        told = {
            **values, **frame_of(self.request, self.instance), "section": section, "title": title,
            "command": (*command, *self._twin()), "evidence": self._evidence(evidence),
            "view": self, "csrf": self.csrf, "waiting_counts": self._counts(),
        }  # fmt: skip
        return HTMLResponse(rendered(template, told), status)

    def _evidence(self, told: Sequence[tuple[str, object]]) -> Sequence[tuple[str, object]]:
        """What a page is of, with who looked and when: it is printed and kept."""
        if not told:
            return ()
        now = moment(self.instance.clock.now())
        return (*told, ("Shown to", self.actor.name or "nobody known"), ("At", now))

    def _counts(self) -> dict[str, int]:
        """What waits, for the menu of who is signed in."""
        return waiting.counts(self.instance) if self.actor.name and may(self.actor, "view") else {}

    def _twin(self) -> tuple[str, ...]:
        """The call of the API that gives what this page shows, where there is one."""
        twin = twin_of(self.request.url.path, self.query)
        base = str(self.request.base_url).rstrip("/")
        return (
            (f'curl --fail -H "Authorization: Bearer $TIEOUT_TOKEN" {quoted(base + twin)}',)
            if (twin and self.request.method == "GET")
            else ()
        )


def frame_of(request: Request, instance: Instance | None) -> dict[str, Any]:
    """What the frame of every page needs, also of one that tells of an error."""
    view = getattr(request.state, "view", None)
    return {
        "theme": theme_of(request), "ribbon": ribbon_of(instance),
        "here": request.url.path, "view": view, "csrf": view.csrf if view else "",
        "command": (), "evidence": (), "waiting_counts": {},
    }  # fmt: skip


def theme_of(request: Request) -> str:
    """Light or dark: as it was chosen, else as the browser says, else light."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    if chosen not in THEMES:
        chosen = request.headers.get("sec-ch-prefers-color-scheme", "").strip('"')
    return chosen if chosen in THEMES else THEMES[0]
