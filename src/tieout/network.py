"""Connections under `http.py`: every wait ends with the exchange, and TLS is always verified."""

from __future__ import annotations

import ipaddress
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore2

from tieout.errors import Misconfigured

WRITE_SLICE_BYTES = 256 * 2**10  # the deadline is looked at between slices


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
        return self._inner.read(max_bytes, self._deadlines.left(timeout))

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
    """TLS 1.2 or later with the authorities of `ca_file` (PEM), else those of this machine."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"The certificate file {ca_file!r} cannot be used: {error}.") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def is_never_used(host: str) -> bool:
    """Whether `host` is an address (not a name) that no connection may lead to."""
    try:
        address = ipaddress.ip_address(host.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_link_local or address.is_multicast or address.is_unspecified
