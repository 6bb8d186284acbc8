"""Where the pages are reached: on this machine, over TLS, or behind a proxy that is trusted."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from tieout.errors import Misconfigured
from tieout.web.view import LOOPBACK

HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Door:
    """An address and port, the names it is asked under, and what makes it safe.

    `proxies` are the addresses of those that speak TLS with people and pass on what they ask.
    """

    port: int
    address: str = HERE
    names: Sequence[str] = ()
    certificate: Path | None = None
    private_key: Path | None = None
    proxies: Sequence[str] = ()

    @property
    def is_here(self) -> bool:
        """Whether only this machine reaches it."""
        return ip_address(self.address).is_loopback

    @property
    def secure(self) -> bool:
        """Whether people reach it over TLS."""
        return self.certificate is not None or bool(self.proxies)

    @property
    def known_names(self) -> frozenset[str]:
        """Every name a request may ask under."""
        unspecified = ip_address(self.address).is_unspecified
        own = () if unspecified else (self.address,)
        return LOOPBACK | {name.lower() for name in (*self.names, *own)}

    def check(self) -> None:
        """Misconfigured when passwords would cross a network in the clear, or nothing fits."""
        for address in (self.address, *self.proxies):
            _refuse_strange(address)
        if self.certificate is not None and self.proxies:
            raise _wrong("both TLS of its own and a proxy that speaks it are named", "Name one.")
        if not (self.is_here or self.secure):
            raise _wrong(
                f"{self.address} is reached from other machines, and passwords would cross the "
                "network in the clear",
                "Give --certificate and --private-key, or --trusted-proxy with the address of the "
                "proxy that speaks TLS; without --address only this machine reaches it.",
            )
        if self.certificate is not None:
            self._check_certificate()

    def _check_certificate(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        assert self.certificate is not None
        try:
            context.load_cert_chain(self.certificate, self.private_key)
        except (OSError, ssl.SSLError) as error:
            raise _wrong(
                f"the certificate in {self.certificate} or its key cannot be read ({error})",
                "Both are PEM files; the key may stand in the file of the certificate.",
            ) from error


def _refuse_strange(address: str) -> None:
    try:
        ip_address(address)
    except ValueError as error:
        raise _wrong(f"{address!r} is no address", "Write it in numbers: 10.0.0.7.") from error


def _wrong(why: str, do: str) -> Misconfigured:
    return Misconfigured(
        f"The pages are not served: {why}.", untouched="Nothing was started.", do=do
    )
