"""Certificates at the practice Anaplan: registered by a person, verified at each sign-in."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import struct
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tieout.sim.anaplan.state import State

AUTHORITIES = "authorities"  # the name under which the state keeps whom Anaplan trusts
BEGIN = b"-----BEGIN CERTIFICATE-----"
NONCE_BYTES_MIN = 100  # A099
TIME_BYTES = 8
BODY = {"encodedData", "encodedSignedData"}


class RefusedError(Exception):
    """This certificate does not sign in: 401."""


class MalformedError(Exception):
    """The header is no certificate: 400."""


def trust(state: State, pem: str) -> None:
    """From now on certificates that this authority signed may be registered."""
    state.keep_meta(AUTHORITIES, [*state.meta(AUTHORITIES, []), pem])


def register(state: State, email: str, pem: str, now: float) -> str:
    """What a tenant administrator does; the certificate's id. ValueError where Anaplan says no.

    One PEM block, signed by an authority and not by itself, in force, with the user's e-mail
    address in it (A102).
    """
    row = state.row("select id from users where email = ?", email)
    if row is None:
        raise LookupError(f"no user {email!r}")
    if pem.count(BEGIN.decode()) != 1:
        raise ValueError("one certificate in PEM is needed")
    certificate = x509.load_pem_x509_certificate(pem.encode())
    if certificate.issuer == certificate.subject:
        raise ValueError("the certificate is self-signed")
    if not _chained(state, certificate):
        raise ValueError("the certificate is signed by no authority that Anaplan trusts")
    if not _in_force(certificate, now):
        raise ValueError("the certificate is not in force")
    if email.lower() not in _emails(certificate):
        raise ValueError(f"the certificate does not carry the e-mail address {email}")
    fingerprint = _fingerprint(certificate)
    state.do("insert or replace into certificates values (?, ?, ?)", fingerprint, row[0], pem)
    return fingerprint


def remove(state: State, email: str) -> int:
    """Take all certificates of a user away; how many there were."""
    sql = "delete from certificates where user in (select id from users where email = ?)"
    return state.do(sql, email)


def user_of(state: State, now: float, header: str, body: bytes) -> str:
    """The id of the user whom a certificate and a signature sign in.

    MalformedError for a header that is no certificate, RefusedError for everything else.
    """
    certificate = _presented(header)
    row = state.row(
        "select user from certificates where fingerprint = ?", _fingerprint(certificate)
    )
    if row is None:
        raise RefusedError("not registered")  # A098
    if not _in_force(certificate, now) or not _chained(state, certificate):
        raise RefusedError("not in force")  # A098
    told = _told(body)
    data, signature = _decoded(told["encodedData"]), _decoded(told["encodedSignedData"])
    public = certificate.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise RefusedError("no RSA key")
    try:
        public.verify(signature, data, padding.PKCS1v15(), hashes.SHA512())
    except InvalidSignature as error:
        raise RefusedError("signature") from error
    _check_format(state, now, told, data)
    return str(row[0])


def _presented(header: str) -> x509.Certificate:
    """base64 of a whole PEM text, or the base64 that stands inside one (A098)."""
    try:
        raw = base64.b64decode(header, validate=True)
        if BEGIN in raw:
            if raw.count(BEGIN) != 1:
                raise MalformedError
            return x509.load_pem_x509_certificate(raw)
        return x509.load_der_x509_certificate(raw)
    except (binascii.Error, ValueError) as error:
        raise MalformedError from error


def _told(body: bytes) -> dict[str, str]:
    try:
        told = json.loads(body)
    except ValueError as error:
        raise RefusedError("body") from error
    if not isinstance(told, dict) or not told.keys() >= BODY:
        raise RefusedError("body")
    if not all(isinstance(value, str) for value in told.values()):
        raise RefusedError("body")
    return told


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise RefusedError("base64") from error


def _check_format(state: State, now: float, told: dict[str, str], data: bytes) -> None:
    """v1: random bytes; v2: the time in 8 bytes, then random bytes, never the same twice."""
    form = told.get("encodedDataFormat")
    if form is None:
        if state.switch("v2_required"):
            raise RefusedError("v1")  # A100
        if len(data) < NONCE_BYTES_MIN:
            raise RefusedError("nonce")  # A099
        return
    if form != "v2" or len(data) < TIME_BYTES + NONCE_BYTES_MIN or not state.switch("v2_known"):
        raise RefusedError("format")
    (at,) = struct.unpack(">q", data[:TIME_BYTES])
    unit = 1000 if state.switch("certificate_time") == "milliseconds" else 1  # A101
    if abs(at / unit - now) > float(state.switch("certificate_tolerance_seconds")):
        raise RefusedError("time")  # A101
    digest = hashlib.sha256(data).hexdigest()
    if not state.do("insert or ignore into signed values (?, ?)", digest, now):
        raise RefusedError("again")  # A100


def _in_force(certificate: x509.Certificate, now: float) -> bool:
    at = datetime.fromtimestamp(now, UTC)
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _chained(state: State, certificate: x509.Certificate) -> bool:
    for pem in state.meta(AUTHORITIES, []):
        authority = x509.load_pem_x509_certificate(pem.encode())
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return True
    return False


def _emails(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [one.lower() for one in names.value.get_values_for_type(x509.RFC822Name)]


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def listed(state: State) -> list[dict[str, Any]]:
    """What the console of the administrator shows: id, user, end."""
    sql = "select c.fingerprint, u.email, c.pem from certificates c join users u on u.id = c.user"
    return [
        {
            "id": fingerprint, "user": email,
            "ends": x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc.isoformat(),
        }
        for fingerprint, email, pem in state.rows(sql)
    ]  # fmt: skip
