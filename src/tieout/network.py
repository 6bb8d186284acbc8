"""Connections under `http.py`: to checked addresses, TLS, and waits that end with the exchange."""

from __future__ import annotations

import os
import secrets
import ssl
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from tempfile import NamedTemporaryFile
from typing import Any

import httpcore2

from tieout.certificates import Pair
from tieout.errors import Misconfigured
from tieout.outgoing import Allowed, Origin

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
    """Opens connections to the addresses that were checked, and to no others."""

    def __init__(self, deadlines: Deadlines, allowed: Allowed, origin: Origin) -> None:
        self._deadlines, self._allowed, self._origin = deadlines, allowed, origin

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None,
        local_address: str | None = None, socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:  # fmt: skip
        """Ask where the host is once, check it, and connect there: a later answer cannot cheat.

        TLS is made with the name of the host all the same.
        """
        try:
            addresses = self._allowed.addresses(self._origin)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(str(error)) from error
        failed: Exception = httpcore2.ConnectError(f"no address is known of {host}")
        for address in addresses:
            try:
                left = self._deadlines.left(timeout)
                stream = super().connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
            else:
                return _Stream(stream, self._deadlines)
        raise failed


def trust(ca_file: str | None, ours: Pair | None = None) -> ssl.SSLContext:
    """TLS 1.2 or later with the authorities of `ca_file` (PEM), else those of this machine.

    Connections share what is read here, which takes longer than a request; a file that was
    changed since is read again. With `ours`, a certificate to show when a server asks for one, it
    is a context of its own.
    """
    try:
        if ours is not None:
            return _showing(_fresh(ca_file), ours)
        return _trust(ca_file, os.stat(ca_file).st_mtime_ns if ca_file else 0)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            f"The certificate file {ca_file!r} cannot be used: {error}.",
            do="Set `ca_file` to a file of certificates in PEM.",
            who="the administrator of Tieout",
        ) from error


def _showing(context: ssl.SSLContext, ours: Pair) -> ssl.SSLContext:
    """The library takes files only: the key lies there sealed by a word that only we know."""
    word = secrets.token_urlsafe()
    with NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(ours.pem + ours.chain + ours.sealed_key(word))
        file.flush()
        context.load_cert_chain(file.name, password=word)
    return context


@lru_cache(maxsize=TRUSTS_MAX)
def _trust(ca_file: str | None, changed_at: int) -> ssl.SSLContext:
    return _fresh(ca_file)


def _fresh(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def expiries(ca_file: str) -> list[datetime]:
    """When each authority of `ca_file` ends; Misconfigured when the file cannot be used."""
    found = trust(ca_file).get_ca_certs()
    ends = [ssl.cert_time_to_seconds(str(one["notAfter"])) for one in found]
    return [datetime.fromtimestamp(end, UTC) for end in ends]
