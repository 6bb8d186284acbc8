"""A private certificate authority for the practice systems, and what it signs."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

KEY_BITS = 2048
DAYS = 365
AUTHORITY_DAYS = 10 * 365
EARLIER = timedelta(days=1)  # everything holds since a day before it was made


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate and its private key as PEM texts."""

    certificate: str
    private_key: str


class Authority:
    """Signs certificates for servers, for clients and for people."""

    def __init__(self, certificate: x509.Certificate, key: rsa.RSAPrivateKey) -> None:
        self._certificate, self._key = certificate, key

    @property
    def pem(self) -> str:
        """What has to be trusted."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def server(self, host: str = "127.0.0.1") -> Signed:
        """For a server at an address or a name."""
        return self._signed("practice server", [_place(host)])

    def client(self, name: str, *, now: datetime | None = None, days: int = DAYS) -> Signed:
        """For a program that has to show who it is."""
        return self._signed(name, [], now=now, days=days)

    def person(
        self, email: str, *, now: datetime | None = None, days: int = DAYS,
        begins_in: timedelta = -EARLIER,
    ) -> Signed:  # fmt: skip
        """For a person, with an e-mail address in it, as S/MIME has it."""
        names = [x509.RFC822Name(email)]
        return self._signed(email, names, now=now, days=days, begins_in=begins_in)

    def _signed(
        self, name: str, names: Sequence[x509.GeneralName], *, now: datetime | None = None,
        days: int = DAYS, begins_in: timedelta = -EARLIER,
    ) -> Signed:  # fmt: skip
        key = _key()
        now = now or datetime.now(UTC)
        ends = now + timedelta(days=days)
        made = _builder(name, key, min(now + begins_in, ends - timedelta(hours=1)), ends)
        made = made.issuer_name(self._certificate.subject)
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        if names:
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        signed = made.sign(self._key, hashes.SHA256())
        pem = signed.public_bytes(serialization.Encoding.PEM).decode()
        return Signed(pem, _private(key))


def server_context(signed: Signed, folder: Path, callers: str = "") -> ssl.SSLContext:
    """TLS as a server; with `callers` (an authority in PEM) only for those whom it has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = folder / "server.pem"
    write_private(pem, signed.certificate + signed.private_key)
    context.load_cert_chain(pem)
    if callers:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=callers)
    return context


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)


def make_authority(name: str = "Tieout practice authority") -> Authority:
    """A new authority with a key of its own."""
    key, now = _key(), datetime.now(UTC)
    made = _builder(name, key, now - EARLIER, now + timedelta(days=AUTHORITY_DAYS))
    made = made.issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return Authority(made.sign(key, hashes.SHA256()), key)


def _builder(
    name: str, key: rsa.RSAPrivateKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def _private(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()  # fmt: skip


def _place(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
