"""Connections under `http.py`: where they may lead, TLS, and waits that end with the exchange."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import httpcore2

from tieout.errors import Misconfigured

DEFAULT_PORTS = {"http": "80", "https": "443"}
_PATTERN = re.compile(r"(https?)://(\[[0-9a-f:.*]+\]|[^/:@?#\s]+)(?::(\d{1,5}|\*))?/?")
TRUSTS_MAX = 16  # certificate files of one process
WRITE_SLICE_BYTES = 256 * 2**10  # the deadline is looked at between slices
READ_BYTES_MAX = 256 * 2**10  # at once, where so much is there; 64 KB cost four times the turns


class Deadlines(threading.local):
    """When the exchange of this thread must be over, by the machine's monotonic clock.

    Sockets wait in real seconds, so this is the one place that does not use the clock passed in.
    """

    at: float = 0.0

    def left(self, limit: float | None) -> float:
        """Seconds left, at most `limit`; raises when there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the whole exchange took too long")
        return left if limit is None else min(left, limit)


class _Stream(httpcore2.NetworkStream):
    """A connection each of whose waits ends with the exchange: a slow drip cannot prolong it."""

    def __init__(self, inner: httpcore2.NetworkStream, deadlines: Deadlines) -> None:
        self._inner, self._deadlines = inner, deadlines

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, until the deadline."""
        return self._inner.read(max(max_bytes, READ_BYTES_MAX), self._deadlines.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write in slices, looking at the deadline between them."""
        for start in range(0, len(buffer), WRITE_SLICE_BYTES):
            piece = buffer[start : start + WRITE_SLICE_BYTES]
            self._inner.write(piece, self._deadlines.left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:  # fmt: skip
        """The same connection under TLS."""
        left = self._deadlines.left(timeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._deadlines)

    def get_extra_info(self, info: str) -> Any:
        """What the pool asks to know whether an idle connection still lives."""
        return self._inner.get_extra_info(info)


class Network(httpcore2.SyncBackend):
    """Opens connections; never to link-local addresses, where clouds keep machine credentials."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None,
        local_address: str | None = None, socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:  # fmt: skip
        """Connect and check the address that was really reached, so that DNS cannot cheat."""
        left = self._deadlines.left(timeout)
        stream = super().connect_tcp(host, port, left, local_address, socket_options)
        address = str(stream.get_extra_info("server_addr")[0])
        if is_never_used(address):
            stream.close()
            raise Misconfigured(f"{host} leads to {address}, an address that is never used.")
        return _Stream(stream, self._deadlines)


def trust(ca_file: str | None) -> ssl.SSLContext:
    """TLS 1.2 or later with the authorities of `ca_file` (PEM), else those of this machine.

    Connections share what is read here, which takes longer than a request; a file that was
    changed since is read again.
    """
    try:
        return _trust(ca_file, os.stat(ca_file).st_mtime_ns if ca_file else 0)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            f"The certificate file {ca_file!r} cannot be used: {error}.",
            do="Set `ca_file` to a file of certificates in PEM.",
            who="the administrator of Tieout",
        ) from error


@lru_cache(maxsize=TRUSTS_MAX)
def _trust(ca_file: str | None, changed_at: int) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def expiries(ca_file: str) -> list[datetime]:
    """When each authority of `ca_file` ends; Misconfigured when the file cannot be used."""
    found = trust(ca_file).get_ca_certs()
    ends = [ssl.cert_time_to_seconds(str(one["notAfter"])) for one in found]
    return [datetime.fromtimestamp(end, UTC) for end in ends]


def is_never_used(host: str) -> bool:
    """Whether `host` is an address (not a name) that no connection may lead to."""
    try:
        address = ipaddress.ip_address(host.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_link_local or address.is_multicast or address.is_unspecified


def checked(base_url: str, system: str, allow_http: bool, allow: Sequence[str]) -> tuple[str, str]:
    """The base URL without trailing slash, and its path; Misconfigured if it may not be used."""
    shown = f"The address of {system}"
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise Misconfigured(f"{shown} is not an address: {error}.") from error
    if parts.scheme not in ("http", "https") or not host or not base_url.isprintable():
        raise Misconfigured(f"{shown} must start with https:// and name a host.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Misconfigured(f"{shown} must not hold a user, a password or a query.")
    if is_never_used(host):
        raise Misconfigured(f"{shown} is {host}, an address that is never used.")
    if parts.scheme == "http" and not allow_http:
        raise Misconfigured(
            f"{shown} starts with http://, which sends passwords in clear.",
            do="Use https, or set allow_http = true as an explicit exception.",
        )
    origin = (parts.scheme, host, str(port or DEFAULT_PORTS[parts.scheme]))
    fitting = [pattern for pattern in allow if _allowed(origin, pattern)]
    if allow and not fitting:
        raise Misconfigured(
            f"{shown} ({parts.scheme}://{host}:{origin[2]}) is not in the list of allowed "
            "addresses.",
            do="Add it to [outgoing] allow.", who="the administrator of Tieout",
        )  # fmt: skip
    return base_url.rstrip("/"), parts.path.rstrip("/")


def _allowed(origin: tuple[str, str, str], pattern: str) -> bool:
    """Whether `pattern` names this scheme, host and port; Misconfigured if it is no pattern."""
    found = _PATTERN.fullmatch(pattern.lower())
    if found is None:
        raise Misconfigured(
            f"The allowed address {pattern!r} is not https://host or https://host:port.",
            do="Correct [outgoing] allow; * stands for any characters, or for any port.",
        )
    scheme, host, port = found.groups()
    # fnmatch also knows [abc], which no host name needs.
    named = fnmatchcase(origin[1], host.strip("[]").replace("[", "[[]"))
    wanted = port or DEFAULT_PORTS[scheme]
    return origin[0] == scheme and named and wanted in ("*", origin[2])
