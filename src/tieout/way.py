"""The way to another system before any word is exchanged: its name, its door, and its lock."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from cryptography import x509

from tieout.errors import Misconfigured, Refused, Trouble, Unavailable
from tieout.ladder import Told, coded
from tieout.network import trust
from tieout.outgoing import DEFAULT_PORTS, Allowed, Origin
from tieout.strict_json import plain
from tieout.through import NOTHING_BESIDES, Means, not_through

KNOCK_SECONDS_MAX = 10.0
PROXY_HEAD_BYTES_MAX = 16_384  # of its answer to CONNECT
ENDS_SOON = timedelta(days=30)
NETWORK = "the network team"
SERVER = "who runs the server"
TIEOUT = "the administrator of Tieout"
# What OpenSSL calls a chain that leads to nobody it trusts.
UNKNOWN_AUTHORITY = (18, 19, 20, 21)
NOT_YET, EXPIRED = 9, 10
OTHER_HOST = (62, 64)


class Way:
    """To one base URL, rung by rung; nothing is sent but what TLS itself says."""

    def __init__(
        self, url: str, system: str, now: Callable[[], datetime], *, ca_file: str = "",
        allowed: Allowed, allow_http: bool = False, seconds: float = KNOCK_SECONDS_MAX,
        means: Means = NOTHING_BESIDES,
    ) -> None:  # fmt: skip
        self._url, self._system, self._ca_file = url, system, ca_file
        self._allow_http, self._allowed = allow_http, allowed
        self._means, self._through = means, means.through
        self._found: list[str] = []  # where the host is, from the name on
        self._seconds, self._now = min(seconds, KNOCK_SECONDS_MAX), now
        self.from_address = self.to_address = ""  # known from the door on

    @property
    def origin(self) -> str:
        """Scheme, host and port as they are written: ways to the same one are one way."""
        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def host(self) -> str:
        """The host of the URL."""
        return urlsplit(self._url).hostname or ""

    @property
    def port(self) -> int:
        """Its port."""
        parts = urlsplit(self._url)
        return parts.port or DEFAULT_PORTS[parts.scheme]

    def name(self) -> Iterator[Told]:
        """The address may be called, and its host is known here."""
        with coded("address"):
            origin, _, _ = self._allowed.checked(self._url, self._system, self._allow_http)
            origin = self._through.origin if self._through else origin
        self._found = self._addresses(origin)
        yield Told(
            f"{origin.host} is {', '.join(sorted(self._found))}."
            + (f" That proxy is asked for {self.host}." if self._through else "")
        )

    def _addresses(self, origin: Origin) -> list[str]:
        try:
            return self._allowed.addresses(origin)
        except socket.gaierror as error:
            raise unknown_name(origin.host, error) from error
        except (OSError, UnicodeError) as error:
            raise Misconfigured(
                f"{self.host} cannot be the name of a machine.",
                do="Check the spelling of the address.", who=TIEOUT, code="unknown-name",
                evidence=str(error),
            ) from error  # fmt: skip

    def door(self) -> Iterator[Told]:
        """Something listens there."""
        with self._connected() as door:
            self.from_address, self.to_address = door.getsockname()[0], door.getpeername()[0]
        who = f"The proxy at {self.to_address}" if self._through else self.to_address
        yield Told(f"{who} answers on port {self._knocked[1]}; we come from {self.from_address}.")

    @property
    def _knocked(self) -> tuple[str, int]:
        """Host and port where we knock: those of the proxy, if there is one."""
        if self._through is None:
            return self.host, self.port
        return self._through.origin.host, self._through.origin.port

    def _connected(self) -> socket.socket:
        """To the first of the checked addresses that answers."""
        host, port = self._knocked
        for address in self._found[:-1]:
            with suppress(OSError):
                return socket.create_connection((address, port), self._seconds)
        there = "the proxy" if self._through else self._system
        machine = "The machine of the proxy" if self._through else "The machine"
        shown = f"{'the proxy ' if self._through else ''}{host}, port {port}"
        try:
            return socket.create_connection((self._found[-1], port), self._seconds)
        except ConnectionRefusedError as error:
            raise Unavailable(
                f"{machine} is there, but nothing listens on port {port} of {host}.",
                do=f"Start {there}, or correct its port; a firewall may also refuse us.",
                who=SERVER, evidence=str(error), code="closed",
            ) from error  # fmt: skip
        except TimeoutError as error:
            raise Unavailable(
                f"Nothing answered at {shown} in {self._seconds:g} seconds.",
                do="Let the firewall between this machine and that port be opened; the machine "
                "may also be down.", who=NETWORK, evidence=str(error), code="no-answer",
            ) from error  # fmt: skip
        except OSError as error:
            raise Unavailable(
                f"There is no way from this machine to {shown}.",
                do="Let the route be looked at.", who=NETWORK, evidence=str(error), code="no-way",
            ) from error  # fmt: skip

    def _let_through(self) -> socket.socket:
        """A connection to the host itself, which a proxy makes where there is one."""
        door = self._connected()
        if self._through is None:
            return door
        try:
            told = asked_of_proxy(door, f"{self.host}:{self.port}", self._through.login())
        except OSError:
            door.close()
            raise
        if not told.startswith("2"):
            door.close()
            raise not_through(self._system, told)
        return door

    def lock(self) -> Iterator[Told]:
        """TLS with a certificate that holds for this host, from an authority that is trusted."""
        if urlsplit(self._url).scheme == "http":
            yield Told(
                f"{self.host} is called without TLS: passwords and amounts travel in clear.",
                "no-lock", "Use https.", TIEOUT,
            )  # fmt: skip
            return
        with coded("ca-file"):
            trusted = trust(self._ca_file or None, self._means.shown())
        try:
            with trusted.wrap_socket(self._let_through(), server_hostname=self.host) as door:
                shown, version = door.getpeercert() or {}, door.version()
        except ssl.SSLCertVerificationError as error:
            raise self._not_trusted(error) from error
        except (OSError, ssl.SSLError) as error:
            raise Refused(
                f"Port {self.port} of {self.host} does not speak TLS 1.2 or later with us.",
                do="Check that the port is the one for https, and which versions of TLS the "
                "server offers.", who=SERVER, evidence=str(error), code="no-tls",
            ) from error  # fmt: skip
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
        by = f" through the proxy {self._knocked[0]}" if self._through else ""
        told = f"{version}{by}; the certificate of {self.host} holds until {ends:%Y-%m-%d}."
        if ends - self._now() < ENDS_SOON:
            yield Told(told, "ends-soon", "Renew the certificate of the server.", SERVER)
        else:
            yield Told(told)

    def _not_trusted(self, error: ssl.SSLCertVerificationError) -> Refused:
        shown, names, signer = f"The certificate of {self.host}", self._names(), self._signer()
        what, do, code = f"{shown} is not accepted: {error.verify_message}", "Renew it", "lock"
        who = SERVER
        if error.verify_code in UNKNOWN_AUTHORITY:
            what = f"{shown} is signed by {signer}, which this machine does not trust"
            do = "Set `ca_file` of the connection to the certificate of that authority (PEM)"
            code, who = "unknown-authority", TIEOUT
        elif error.verify_code in OTHER_HOST:
            what = f"{shown} is not for that name: it is for {names}"
            do = "Use the name that the certificate is for, or let the server have another one"
            code = "other-host"
        elif error.verify_code == EXPIRED:
            what, code = f"{shown} has expired", "expired"
        elif error.verify_code == NOT_YET:
            what, code = f"{shown} is not valid yet", "not-yet-valid"
            do = "Set the clock of this machine, or wait until the certificate holds"
        return Refused(
            f"{what}.", untouched="Nothing was sent.", do=f"{do}.", who=who, code=code,
            evidence=str(error.verify_message),
        )  # fmt: skip

    def _shown(self) -> x509.Certificate | None:
        """The certificate as it is, to be named to people; it is never relied upon.

        It is looked at where the door was knocked at, by the same proxy, and nothing is sent.
        """
        looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        looking.check_hostname, looking.verify_mode = False, ssl.CERT_NONE
        try:
            with looking.wrap_socket(self._let_through(), server_hostname=self.host) as door:
                return x509.load_der_x509_certificate(door.getpeercert(binary_form=True) or b"")
        except (OSError, ValueError, Trouble):
            return None

    def _signer(self) -> str:
        shown = self._shown()
        return shown.issuer.rfc4514_string() if shown else "an authority not told"

    def _names(self) -> str:
        shown = self._shown()
        if shown is None:
            return "another one"
        try:
            names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            return "another one"
        return ", ".join(str(n.value) for n in names.value) or "another one"


def asked_of_proxy(door: socket.socket, target: str, login: tuple[str, str] | None) -> str:
    """Ask a proxy for a connection to `target`; its status and reason, as "200 OK"."""
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if login is not None:
        pair = base64.b64encode(":".join(login).encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {pair}")
    door.sendall("\r\n".join([*lines, "", ""]).encode())
    head = b""
    while b"\r\n\r\n" not in head and len(head) < PROXY_HEAD_BYTES_MAX:
        piece = door.recv(1)  # not one byte of what follows belongs to the proxy
        if not piece:
            break
        head += piece
    status = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")[2]
    return plain(status) or "no answer"


def unknown_name(host: str, error: socket.gaierror) -> Trouble:
    """What an answer of the resolver means: no such name, or nobody who knows names."""
    if error.errno == socket.EAI_AGAIN:
        return Unavailable(
            f"The name server did not answer when it was asked for {host}.", who=NETWORK,
            do="Try again; if it stays, let the name server of this machine be looked at.",
            evidence=str(error), code="name-server",
        )  # fmt: skip
    return Misconfigured(
        f"No machine called {host} is known here.", who=NETWORK, evidence=str(error),
        do="Check the spelling of the address, or let the name be made known to this machine.",
        code="unknown-name",
    )  # fmt: skip
