"""Practice Anaplan: signing in with a certificate, in both formats."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

import httpx2
import pytest
from anaplan_practice import EMAIL, OTHER, Practice
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tieout.sim.authority import Authority, Signed, make_authority

NONCE = bytes(range(150))


@cache
def ours() -> Authority:
    return make_authority("Public authority")


@cache
def loader() -> Signed:
    return ours().person(EMAIL)


@cache
def other_authority() -> Authority:
    return make_authority("Unknown authority")


def administer(anaplan: Practice, do: str, **body: str) -> dict[str, object]:
    return anaplan.system.control("administer", {"do": do, **body})


@pytest.fixture
def registered(anaplan: Practice) -> Practice:
    administer(anaplan, "trust_authority", pem=ours().pem)
    administer(anaplan, "register_certificate", user=EMAIL, pem=loader().certificate)
    return anaplan


def whole(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


def bare(pem: str) -> str:
    return "".join(pem.splitlines()[1:-1])


def body(data: bytes, private_key: str, **more: str) -> dict[str, str]:
    key = serialization.load_pem_private_key(private_key.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    signature = key.sign(data, padding.PKCS1v15(), hashes.SHA512())
    texts = {"encodedData": data, "encodedSignedData": signature}
    return {name: base64.b64encode(value).decode() for name, value in texts.items()} | more


def v2(anaplan: Practice, private_key: str, ahead: float = 0, unit: int = 1) -> dict[str, str]:
    at = struct.pack(">q", int((anaplan.clock.now() + ahead) * unit))
    return body(at + NONCE, private_key, encodedDataFormat="v2")


def sign_in(anaplan: Practice, header: str, sent: dict[str, str]) -> httpx2.Response:
    return anaplan.http.post(
        f"{anaplan.url}/token/authenticate", json=sent,
        headers={"Authorization": f"CACertificate {header}"},
    )  # fmt: skip


@pytest.mark.parametrize("form", [whole, bare])
def test_a_registered_certificate_and_its_key_sign_in(
    registered: Practice, form: Callable[[str], str]
) -> None:
    """A098, A099"""
    header = form(loader().certificate)
    answer = sign_in(registered, header, body(NONCE, loader().private_key))
    assert (answer.status_code, answer.json()["statusMessage"]) == (201, "Login successful")
    registered.token = answer.json()["tokenInfo"]["tokenValue"]
    assert registered.send("GET", "/2/0/users/me").json()["user"]["email"] == EMAIL


def test_the_time_may_be_signed_too_and_nothing_signed_counts_twice(registered: Practice) -> None:
    """A100, A101"""
    header, sent = whole(loader().certificate), v2(registered, loader().private_key)
    assert sign_in(registered, header, sent).status_code == 201
    assert sign_in(registered, header, sent).status_code == 401
    late = v2(registered, loader().private_key, ahead=-400)
    assert sign_in(registered, header, late).status_code == 401
    milliseconds = v2(registered, loader().private_key, ahead=1, unit=1000)
    assert sign_in(registered, header, milliseconds).status_code == 401
    registered.switch("certificate_time", "milliseconds")
    assert sign_in(registered, header, milliseconds).status_code == 201
    registered.switch("certificate_tolerance_seconds", 500)
    late = v2(registered, loader().private_key, ahead=-400, unit=1000)
    assert sign_in(registered, header, late).status_code == 201


def test_either_format_may_be_the_only_one(registered: Practice) -> None:
    """A100"""
    header, key = whole(loader().certificate), loader().private_key
    registered.switch("v2_required", True)
    assert sign_in(registered, header, body(NONCE, key)).status_code == 401
    assert sign_in(registered, header, v2(registered, key)).status_code == 201
    registered.switch("v2_required", False)
    registered.switch("v2_known", False)
    assert sign_in(registered, header, v2(registered, key, ahead=1)).status_code == 401
    assert sign_in(registered, header, body(NONCE, key)).status_code == 201


def test_what_does_not_fit_is_refused_without_saying_why(registered: Practice) -> None:
    """A098, A099"""
    stranger = ours().person(OTHER)
    mine, key = whole(loader().certificate), loader().private_key
    good = body(NONCE, key)
    refused = [
        sign_in(registered, whole(stranger.certificate), body(NONCE, stranger.private_key)),
        sign_in(registered, mine, body(NONCE, stranger.private_key)),
        sign_in(registered, mine, good | {"encodedData": base64.b64encode(NONCE[1:]).decode()}),
        sign_in(registered, mine, body(NONCE[:99], key)),
        sign_in(registered, mine, good | {"encodedSignedData": "???"}),
        sign_in(registered, mine, {"encodedData": good["encodedData"]}),
        sign_in(registered, mine, good | {"encodedDataFormat": "v3"}),
    ]
    encoded_text = body(base64.b64encode(NONCE), key)  # the text signed, not the bytes
    refused.append(sign_in(registered, mine, good | {
        "encodedSignedData": encoded_text["encodedSignedData"]}))  # fmt: skip
    assert {answer.status_code for answer in refused} == {401}
    assert {answer.json()["status"] for answer in refused} == {"FAILURE_BAD_CREDENTIAL"}
    registered.switch("certificate_refusal", "FAILURE_BAD_CERTIFICATE")
    answer = sign_in(registered, mine, body(NONCE[:99], key))
    assert answer.json()["status"] == "FAILURE_BAD_CERTIFICATE"


@pytest.mark.parametrize("header", ["?", "???", "bm90IGEgY2VydGlmaWNhdGU="])
def test_a_header_that_is_no_certificate_is_malformed(registered: Practice, header: str) -> None:
    """A098, A003"""
    assert sign_in(registered, header, body(NONCE, loader().private_key)).status_code == 400


def test_a_certificate_is_refused_when_it_has_ended_or_was_taken_away(
    registered: Practice,
) -> None:
    """A098"""
    short = ours().person(EMAIL, days=1)
    administer(registered, "register_certificate", user=EMAIL, pem=short.certificate)
    header = whole(short.certificate)
    assert sign_in(registered, header, v2(registered, short.private_key)).status_code == 201
    registered.clock.advance(86_400 + 60)
    assert sign_in(registered, header, v2(registered, short.private_key)).status_code == 401
    mine = whole(loader().certificate)
    assert sign_in(registered, mine, v2(registered, loader().private_key)).status_code == 201
    administer(registered, "remove_certificates", user=EMAIL)
    registered.clock.advance(1)
    assert sign_in(registered, mine, v2(registered, loader().private_key)).status_code == 401


def test_only_certificates_of_a_trusted_authority_in_force_for_that_user_are_registered(
    anaplan: Practice,
) -> None:
    """A102"""
    administer(anaplan, "trust_authority", pem=ours().pem)
    now = datetime.now(UTC)
    for pem, words in (
        (other_authority().person(EMAIL).certificate, "no authority"),
        (other_authority().pem, "self-signed"),
        (ours().person(OTHER).certificate, "e-mail"),
        (ours().person(EMAIL, now=now - timedelta(days=9), days=1).certificate, "not in force"),
        (ours().person(EMAIL, begins_in=timedelta(days=2)).certificate, "not in force"),
        (loader().certificate * 2, "one certificate"),
    ):
        with pytest.raises(ValueError, match=words):
            administer(anaplan, "register_certificate", user=EMAIL, pem=pem)
    assert administer(anaplan, "list_certificates") == {"certificates": []}
    administer(anaplan, "register_certificate", user=EMAIL, pem=loader().certificate)
    listed = administer(anaplan, "list_certificates")["certificates"]
    assert isinstance(listed, list)
    assert listed[0]["user"] == EMAIL
