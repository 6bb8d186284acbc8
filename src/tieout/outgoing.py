"""Which addresses an instance calls: those its administrators list, resolved once and checked."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from tieout.addresses import LOOPBACK, Ip, address_in, is_never_called, special, spelled_plainly
from tieout.errors import Misconfigured
from tieout.strict_json import plain

DEFAULT_PORTS = {"http": 80, "https": 443}
LAST_PORT = 65_535
ADMINISTRATOR = "the administrator of Tieout"
_PATTERN = re.compile(r"(https?)://(\[[0-9a-f:.*]+\]|[^/:@?#\s]+)(?::(\d{1,5}|\*))?/?")
Resolve = Callable[[str, int], list[str]]


def resolved(host: str, port: int) -> list[str]:
    """The addresses of `host` as this machine knows them; raises what the library raises."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Once:
    """Asks for each name once: what a test of seconds tells of it is then also what it calls."""

    def __init__(self, resolve: Resolve = resolved) -> None:
        self._resolve = resolve
        self._known: dict[tuple[str, int], list[str]] = {}

    def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of `host`, as they were at the first call."""
        if (host, port) not in self._known:
            self._known[host, port] = self._resolve(host, port)
        return self._known[host, port]


@dataclass(frozen=True, slots=True)
class Origin:
    """What is allowed or not: a scheme, a host in small letters without brackets, and a port."""

    scheme: str
    host: str
    port: int

    def at(self, host: str) -> str:
        """The same with another host, as it is written in `[outgoing] allow`."""
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def __str__(self) -> str:
        return self.at(self.host)


class Allowed:
    """The list of `[outgoing] allow`; what is not in it is not called, and nothing is by default.

    `*` stands for any part of a host, or for any port. It never stands for this machine, nor for
    the addresses where clouds answer theirs: each of those must be listed by itself.
    """

    def __init__(self, patterns: Sequence[str], resolve: Resolve = resolved) -> None:
        self._patterns = [_parsed(pattern) for pattern in patterns]
        self._resolve = resolve

    def checked(self, base_url: str, system: str, allow_http: bool) -> tuple[Origin, str, str]:
        """Origin, base URL without trailing slash, and its path; Misconfigured if not allowed."""
        shown = f"The address of {system}"
        origin = _origin(base_url, shown)
        if origin.scheme == "http" and not allow_http:
            raise Misconfigured(
                f"{shown} starts with http://, which sends passwords in clear.",
                do="Use https, or set allow_http = true as an explicit exception.",
            )
        if not any(_fits(origin, pattern) for pattern in self._patterns):
            raise Misconfigured(
                f"{shown} ({origin}) is not in the list of allowed addresses.",
                untouched="It was not called.", do=f'Add "{origin}" to [outgoing] allow.',
                who=ADMINISTRATOR,
            )  # fmt: skip
        if (literal := address_in(origin.host)) is not None:
            self._check(origin, literal)
        parts = urlsplit(base_url)
        return origin, base_url.rstrip("/"), parts.path.rstrip("/")

    def addresses(self, origin: Origin) -> list[str]:
        """Where the host of a checked origin is, asked once: to be called as they are.

        Misconfigured when one of them may not be called; OSError when there is none.
        """
        found = self._resolve(origin.host, origin.port)
        if not found:
            raise OSError(f"no address is known of {origin.host}")
        for one in found:
            address = address_in(one)
            if address is None:
                raise Misconfigured(
                    f"The name server says that {origin.host} is at {plain(one)!r}, which is no "
                    "address.", untouched="It was not called.", code="never-used",
                )  # fmt: skip
            self._check(origin, address)
        return found

    def _check(self, origin: Origin, address: Ip) -> None:
        what, never = special(address), is_never_called(address)
        if not what or (self._names(origin, address, what) and not never):
            return
        leads = "" if origin.host == str(address) else f"leads to {address}, which "
        meant = f' If it is meant, add "{origin.at(str(address))}" to [outgoing] allow.'
        raise Misconfigured(
            f"{origin.host} {leads}is {what}: it is never used"
            + ("." if never else " unless it is listed by itself."),
            untouched="It was not called.",
            do="Correct the address of the connection, or the name server."
            + ("" if never else meant),
            who=ADMINISTRATOR, code="never-used",
        )  # fmt: skip

    def _names(self, origin: Origin, address: Ip, what: str) -> bool:
        """Whether a pattern without `*` in its host names this very address (or localhost)."""
        for scheme, host, port in self._patterns:
            if scheme != origin.scheme or port not in ("*", str(origin.port)):
                continue
            # RFC 6761: localhost is this machine, and no name server is asked for it.
            local = what == LOOPBACK and host == origin.host == "localhost"
            if local or address_in(host) == address:
                return True
        return False


def _origin(base_url: str, shown: str) -> Origin:
    """What a base URL calls; Misconfigured when it is no plain one."""
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise Misconfigured(f"{shown} is not an address: {error}.") from error
    if parts.scheme not in DEFAULT_PORTS or not host or not base_url.isprintable():
        raise Misconfigured(f"{shown} must start with https:// and name a host.")
    if "@" in parts.netloc or parts.query or parts.fragment or "\\" in base_url:
        raise Misconfigured(f"{shown} must not hold a user, a password or a query.")
    if port == 0 or parts.netloc.endswith(":"):
        raise Misconfigured(f"{shown} names no port that exists: 1 to {LAST_PORT}.")
    if why := spelled_plainly(host):
        raise Misconfigured(
            f"{shown}, {plain(host)}, cannot be the name of a machine: {why}.",
            untouched="It was not called.",
            do="Check the spelling of the address.", who=ADMINISTRATOR, code="unknown-name",
        )  # fmt: skip
    return Origin(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme])


def _parsed(pattern: str) -> tuple[str, str, str]:
    """Scheme, host and port of an allowed address; Misconfigured if it is none."""
    found = _PATTERN.fullmatch(pattern.lower())
    if found is None:
        raise Misconfigured(
            f"The allowed address {pattern!r} is not https://host or https://host:port.",
            do="Correct [outgoing] allow; * stands for any characters, or for any port.",
        )
    scheme, host, port = found.groups()
    return scheme, host.strip("[]"), port or str(DEFAULT_PORTS[scheme])


def _fits(origin: Origin, pattern: tuple[str, str, str]) -> bool:
    scheme, host, port = pattern
    # fnmatch also knows [abc] and ?, which no host name needs.
    literal = host.replace("[", "[[]").replace("?", "[?]")
    named = fnmatchcase(origin.host, literal) or (
        address_in(host) is not None and address_in(host) == address_in(origin.host)
    )
    return origin.scheme == scheme and named and port in ("*", str(origin.port))
