"""The ways to get a token of Anaplan: user and password, or a certificate."""

from __future__ import annotations

import base64
import secrets
import struct
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from tieout.anaplan.wire import token_of
from tieout.certificates import Pair, pair_of
from tieout.clock import Clock
from tieout.errors import Refused, Unavailable, Uncertain
from tieout.http import Answer, Http
from tieout.pace import back_off
from tieout.project import AnaplanConnection

WHO = "the administrator of Anaplan"
TRIES = 3  # of a sign-in whose answer was lost
NONCE_BYTES = 150  # at least 100 (facts/anaplan.md §1.3)
REFUSED_STATUSES = (400, 401, 403)
UNITS_A_SECOND = {"seconds": 1, "milliseconds": 1000}

Credentials = Callable[[], Mapping[str, str]]


class SignIn(Protocol):
    """One way to get a token."""

    @property
    def renewable(self) -> bool:
        """Whether the token service renews and ends the token; else it ends by itself."""
        ...

    @property
    def ends_at(self) -> datetime | None:
        """Until when this way in holds, where that is known; a certificate's once it was used."""
        ...

    def token(self) -> tuple[str, float]:
        """A new token, and when it ends (seconds since 1970); Refused after one attempt."""
        ...


class Basic:
    """By user name and password; they are asked for when needed, so that no copy is kept."""

    renewable = True
    ends_at = None

    def __init__(self, auth: Http, credentials: Credentials) -> None:
        self._auth, self._credentials = auth, credentials

    def token(self) -> tuple[str, float]:
        """One attempt: a user whose password is wrong may be locked by more."""
        given = self._credentials()
        if not given.get("username") or not given.get("password"):
            raise no_credentials("user name and password")
        pair = f"{given['username']}:{given['password']}".encode()
        basic = {"Authorization": "Basic " + base64.b64encode(pair).decode()}
        answer = self._auth.send("POST", "/token/authenticate", headers=basic, repeatable=True)
        if answer.status in REFUSED_STATUSES:
            raise Refused(
                f"Anaplan did not accept the user name or password of {given['username']}.",
                untouched="Nothing was changed in Anaplan.",
                do="Check both, and that the user may sign in with a password (exception user); "
                "then run `tieout connect`.",
                who=WHO, evidence=answer.excerpt(), code="password",
            )  # fmt: skip
        return given_token(answer)


class ByCertificate:
    """By a certificate that Anaplan has registered, and what its private key signs.

    Format v2 signs the time too; where it is refused, `auto` tries v1 once, and goes on with what
    was accepted.
    """

    renewable = True

    def __init__(
        self, auth: Http, credentials: Credentials, clock: Clock, connection: AnaplanConnection
    ) -> None:
        self._auth, self._credentials, self._clock = auth, credentials, clock
        self._header, self._unit = connection.certificate_header, connection.certificate_time
        chosen = connection.certificate_format
        self._formats = ["v2", "v1"] if chosen == "auto" else [chosen]
        self.ends_at: datetime | None = None

    def token(self) -> tuple[str, float]:
        """What is wrong with the certificate itself is told before anything is sent."""
        pair = pair_of(self._credentials()).holding(self._clock.now())
        self.ends_at = pair.ends_at
        headers = {"Authorization": f"CACertificate {header_of(pair, self._header)}"}
        for form in self._formats:
            answer = self._asked(pair, form, headers)
            if answer.status not in REFUSED_STATUSES:
                self._formats = [form]
                return given_token(answer)
        tried = " and ".join(self._formats)
        raise Refused(
            f"Anaplan did not accept the certificate {pair.name} (format {tried}). It holds until "
            f"{pair.ends_at:%Y-%m-%d}, and its key fits.",
            untouched="Nothing was changed in Anaplan.",
            do="Let it be registered under Administration, Security, Certificates, for the user "
            "whose e-mail address it carries; the clock of this machine must be right too.",
            who=WHO, evidence=answer.excerpt(), code="certificate-not-accepted",
        )  # fmt: skip

    def _asked(self, pair: Pair, form: str, headers: Mapping[str, str]) -> Answer:
        """One format; what is signed anew for each try, because nothing signed counts twice."""
        lost: Uncertain | None = None
        for attempt in range(1, TRIES + 1):
            body = signed(pair, form, self._clock.now(), UNITS_A_SECOND[self._unit])
            try:
                return self._auth.send(
                    "POST", "/token/authenticate", headers=headers, json=body, repeatable=False
                )
            except Uncertain as uncertain:  # a token nobody has ends by itself
                lost = uncertain
            self._clock.sleep(back_off(None, attempt))
        raise Unavailable(
            f"The sign-in of Anaplan gave no answer, {TRIES} times.", do="Try again later.",
            evidence=lost.what if lost else "", code="sign-in-lost",
        )  # fmt: skip


def header_of(pair: Pair, form: str) -> str:
    """What stands behind `CACertificate`: base64 of the whole PEM, or its own base64 alone."""
    if form == "pem":
        return base64.b64encode(pair.pem.encode()).decode()
    return "".join(line for line in pair.pem.splitlines() if not line.startswith("-----"))


def signed(pair: Pair, form: str, now: datetime, units_a_second: int) -> dict[str, str]:
    """The body of a sign-in: random bytes, in v2 behind the time in 8 bytes, and a signature.

    SHA-512 with RSA (PKCS#1 v1.5) over the bytes themselves (facts/anaplan.md §1.3).
    """
    data = secrets.token_bytes(NONCE_BYTES)
    told = {}
    if form == "v2":
        seconds = int(now.timestamp())
        data = struct.pack(">q", seconds * units_a_second) + data
        told = {"encodedDataFormat": "v2"}
    return told | {
        "encodedData": base64.b64encode(data).decode(),
        "encodedSignedData": base64.b64encode(pair.signature(data)).decode(),
    }


def given_token(answer: Answer) -> tuple[str, float]:
    """The token of an answer that is no refusal of who signs in."""
    if not answer.ok:
        raise Refused(
            f"The sign-in of Anaplan answered {answer.status}.",
            do="Check auth_url.", who=WHO, evidence=answer.excerpt(), code="sign-in-failed",
        )  # fmt: skip
    return token_of(answer.json_object())


def no_credentials(what: str) -> Refused:
    """Nothing is stored that this way needs."""
    return Refused(
        f"There is no {what} for Anaplan.",
        do="Run `tieout connect` for this connection.", who="the administrator of Tieout",
        code="no-credentials",
    )  # fmt: skip


def chosen(
    connection: AnaplanConnection, auth: Http, credentials: Credentials, clock: Clock
) -> SignIn:
    """The way that a connection is configured for."""
    if connection.sign_in == "certificate":
        return ByCertificate(auth, credentials, clock, connection)
    return Basic(auth, credentials)
