"""How the systems of a project's connections are reached, and who signs in to Anaplan there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from tieout.anaplan import sign_in
from tieout.anaplan.consent import ByConsent
from tieout.anaplan.sign_in import SignIn
from tieout.certificates import Pair, pair_of
from tieout.clock import Clock
from tieout.engine.story import Failpoint
from tieout.http import TRIES, Call, Http
from tieout.outgoing import Allowed, Resolve, resolved
from tieout.pace import Pace
from tieout.project import AnaplanConnection, JdeConnection, Project
from tieout.project_words import seconds
from tieout.store.consents import Consent
from tieout.store.store import Store
from tieout.through import Means, Through

SECRET = "secret://"  # noqa: S105 - how a reference to what is sealed begins
PROXY_LOGIN = ("proxy_username", "proxy_password")  # beside the credentials of a connection
Told = Callable[[Call], None]


@dataclass(frozen=True, slots=True)
class Doors:
    """The ways out of one instance; `fence` is asked before each request."""

    store: Store
    clock: Clock
    fence: Pace
    failpoint: Failpoint
    resolve: Resolve = resolved

    def allowed(self, project: Project) -> Allowed:
        """The addresses that a project may call."""
        return Allowed(project.outgoing.allow, self.resolve)

    def http(
        self, project: Project, url: str, connection: JdeConnection | AnaplanConnection,
        told: Told | None, system: str, pace: Pace | None = None, tries: int = TRIES,
    ) -> Http:  # fmt: skip
        """One address of a connection, called as the connection says."""
        http = Http(
            url, system=system, clock=self.clock, allowed=self.allowed(project),
            timeout_seconds=seconds(connection.request_timeout), told=told,
            ca_file=connection.ca_file or None, allow_http=connection.allow_http,
            tries=tries, means=self.means(project, connection),
        )  # fmt: skip
        if pace is not None:
            http.keep(pace)
        http.keep(self.fence)  # last: nothing may come between it and the request
        return http

    def means(self, project: Project, connection: JdeConnection | AnaplanConnection) -> Means:
        """What a connection needs besides its address."""
        sticky = isinstance(connection, JdeConnection) and connection.cookies == "sticky"
        return Means(self._certificate(connection), self._through(project, connection), sticky)

    def _certificate(
        self, connection: JdeConnection | AnaplanConnection
    ) -> Callable[[], Pair] | None:
        """What to show to a server that asks for a certificate of ours, if it does."""
        if not isinstance(connection, JdeConnection) or not connection.client_certificate:
            return None
        opened = partial(self.store.safe.opened, secret_name(connection.secret))
        return lambda: pair_of(opened()).holding(self.clock.now())

    def _through(
        self, project: Project, connection: JdeConnection | AnaplanConnection
    ) -> Through | None:
        """The proxy of a connection, if it has one."""
        if not connection.proxy:
            return None
        opened = partial(self.store.safe.opened, secret_name(connection.secret))

        def login() -> tuple[str, str] | None:
            fields = opened()
            user, password = (fields.get(name, "") for name in PROXY_LOGIN)
            return (user, password) if user else None

        return Through(connection.proxy, self.allowed(project), login)

    def oauth(
        self, project: Project, connection: AnaplanConnection, close: ExitStack,
        told: Told | None = None, tries: int = TRIES,
    ) -> Http:  # fmt: skip
        """Where a connection by OAuth gets its tokens."""
        url, system = connection.oauth_url, "Anaplan's OAuth sign-in"
        http = self.http(project, url, connection, told, system, tries=tries)
        close.callback(http.close)
        return http

    def sign_in(
        self, project: Project, connection: AnaplanConnection, auth: Http, close: ExitStack,
        told: Told | None = None, tries: int = TRIES,
    ) -> SignIn:  # fmt: skip
        """The way in that a connection to Anaplan is configured for."""
        secret = secret_name(connection.secret)
        if connection.sign_in == "oauth":
            oauth = self.oauth(project, connection, close, told, tries)
            kept = Consent(self.store.database, self.store.safe, secret, self.clock)
            return ByConsent(oauth, kept, self.clock, partial(self.failpoint, "consent"))
        opened = partial(self.store.safe.opened, secret)
        return sign_in.chosen(connection, auth, opened, self.clock)


def secret_name(reference: str) -> str:
    """`secret://erp` → erp."""
    return reference.removeprefix(SECRET)
