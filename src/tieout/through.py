"""A proxy that stands between this machine and another system, and what it may answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tieout.certificates import Pair
from tieout.errors import Refused, Trouble, Unavailable
from tieout.outgoing import Allowed, Origin


@dataclass(frozen=True, slots=True)
class Through:
    """A proxy of this network: where it is, and who we are to it, if it asks."""

    url: str
    allowed: Allowed
    login: Callable[[], tuple[str, str] | None] = lambda: None

    @property
    def origin(self) -> Origin:
        """Its checked address; Misconfigured when that is not allowed. What it carries is TLS."""
        return self.allowed.checked(self.url, "the proxy", True)[0]


@dataclass(frozen=True, slots=True)
class Means:
    """What it takes besides an address: a certificate of ours, a proxy, cookies.

    `ours` is asked for it when a connection is made. `secret_paths`: paths are passwords, as those
    of webhooks are, and no sentence names one.
    """

    ours: Callable[[], Pair] | None = None
    through: Through | None = None
    keep_cookies: bool = False  # for load balancers that need them
    secret_paths: bool = False

    def shown(self) -> Pair | None:
        """The certificate to show to a server that asks for one."""
        return self.ours() if self.ours else None


NOTHING_BESIDES = Means()


def not_through(system: str, words: str) -> Trouble:
    """What a proxy says that does not let us through, as "407 …"."""
    if words.startswith("5"):
        return Unavailable(
            f"The proxy lets us through, but does not reach {system} ({words}).",
            untouched="Nothing was sent.", who="the network team", evidence=words, code="proxy",
            do="Check the address of the connection, and whether the proxy knows its host.",
        )  # fmt: skip
    if words.startswith("407"):
        return Refused(
            f"The proxy asks who we are before it lets us through to {system} (407).",
            untouched="Nothing was sent.", who="the network team", evidence=words,
            do="Give `proxy_username` and `proxy_password` with `tieout connect`.",
            code="proxy-login",
        )  # fmt: skip
    return Refused(
        f"The proxy does not let us through to {system} ({words}).",
        untouched="Nothing was sent.", who="the network team", evidence=words,
        do="Let the proxy allow this address, or correct `proxy` of the connection.",
        code="proxy-refuses",
    )  # fmt: skip
