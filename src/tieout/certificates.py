"""Certificates that sign us in elsewhere: read with their key, checked to fit, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from tieout.errors import Misconfigured, Refused

CERTIFICATE, PRIVATE_KEY, PASSPHRASE = "certificate", "private_key", "passphrase"
BEGINS = "-----BEGIN CERTIFICATE-----"
ENDS = "-----END CERTIFICATE-----"
KEEPER = "whoever holds the certificate"
UNTOUCHED = "Nothing was sent."


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate (PEM, one block) and the private key that fits it."""

    certificate: x509.Certificate
    key: PrivateKeyTypes = field(repr=False)
    chain: str = field(default="", repr=False)  # the PEM of what signed it, where it was given

    @property
    def pem(self) -> str:
        """The certificate alone as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def begins_at(self) -> datetime:
        """From when on it holds (UTC)."""
        return self.certificate.not_valid_before_utc

    @property
    def ends_at(self) -> datetime:
        """Until when it holds (UTC)."""
        return self.certificate.not_valid_after_utc

    @property
    def name(self) -> str:
        """Whose it is, as people read it."""
        subject = self.certificate.subject.rfc4514_string()
        return subject or f"number {self.certificate.serial_number}"

    def sealed_key(self, word: str) -> str:
        """The key as PEM that opens with `word` alone."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(word.encode()),
        ).decode()  # fmt: skip

    def signature(self, data: bytes) -> bytes:
        """SHA-512 with RSA (PKCS#1 v1.5) over `data`; Misconfigured for another kind of key."""
        if not isinstance(self.key, rsa.RSAPrivateKey):
            raise Misconfigured(
                f"An RSA key is needed; that of the certificate {self.name} is another kind.",
                untouched=UNTOUCHED, do="Get a certificate for an RSA key.", who=KEEPER,
                code="key-kind",
            )  # fmt: skip
        return self.key.sign(data, padding.PKCS1v15(), hashes.SHA512())

    def holding(self, now: datetime) -> Pair:
        """Itself; Refused when it has ended or does not hold yet."""
        if now > self.ends_at:
            raise Refused(
                f"The certificate {self.name} ended on {self.ends_at:%Y-%m-%d}.",
                untouched=UNTOUCHED, who=KEEPER, code="certificate-expired",
                do="Get the next one from who signs it, have it registered, and give it with "
                "`tieout connect`.",
            )  # fmt: skip
        if now < self.begins_at:
            raise Refused(
                f"The certificate {self.name} holds from {self.begins_at:%Y-%m-%d %H:%M} UTC on, "
                "not yet.",
                untouched=UNTOUCHED, who=KEEPER, code="certificate-not-yet-valid",
                do="Set the clock of this machine, or wait until the certificate holds.",
            )  # fmt: skip
        return self


def pair_of(fields: Mapping[str, str]) -> Pair:
    """The pair in the fields of a secret: `certificate`, `private_key`, `passphrase` if it has one.

    Misconfigured says which of them cannot be read, or that they do not fit; nothing of the key
    stands in it. The certificate may be followed by those that signed it, which become `chain`.
    """
    certificate, chain = _certificates(fields.get(CERTIFICATE, ""))
    pair = Pair(certificate, _key(fields), chain)
    if _public(pair.key.public_key()) != _public(certificate.public_key()):
        raise Misconfigured(
            f"The private key does not fit the certificate {pair.name}.",
            untouched=UNTOUCHED, who=KEEPER, code="key-does-not-fit",
            do="Give the key that was made for this certificate, with `tieout connect`.",
        )  # fmt: skip
    return pair


def ends_of(fields: Mapping[str, str]) -> datetime | None:
    """Until when the certificate of a secret holds; None when it has none that can be read."""
    if CERTIFICATE not in fields:
        return None
    try:
        return _certificates(fields[CERTIFICATE])[0].not_valid_after_utc
    except Misconfigured:
        return None


def _certificates(text: str) -> tuple[x509.Certificate, str]:
    """The first certificate, and the PEM of the others."""
    try:
        first, *others = x509.load_pem_x509_certificates(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Misconfigured(
            f"What was given as certificate cannot be read as PEM ({BEGINS} … {ENDS}).",
            untouched=UNTOUCHED, who=KEEPER, code="certificate-unreadable",
            do="Export it as PEM and give it with `tieout connect`.",
        ) from error  # fmt: skip
    chain = [one.public_bytes(serialization.Encoding.PEM).decode() for one in others]
    return first, "".join(chain)


def _key(fields: Mapping[str, str]) -> PrivateKeyTypes:
    passphrase = fields.get(PASSPHRASE) or None
    try:
        return serialization.load_pem_private_key(
            fields.get(PRIVATE_KEY, "").encode(), passphrase.encode() if passphrase else None
        )
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        how = " with this passphrase" if passphrase else ""
        needs = "" if passphrase else "; if it is sealed with a passphrase, give that too"
        raise Misconfigured(
            f"The private key cannot be read as PEM{how}.",
            untouched=UNTOUCHED, who=KEEPER, code="key-unreadable",
            do=f"Export it as PEM (PKCS#8) and give it with `tieout connect`{needs}.",
        ) from error  # fmt: skip


def _public(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined,no-any-return]  # every kind of key has it
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
