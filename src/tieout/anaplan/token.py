"""The sign-in to Anaplan: one token for all threads, renewed before its 35 minutes end."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tieout.anaplan.wire import token_of
from tieout.clock import Clock
from tieout.errors import Refused, Trouble, Unavailable
from tieout.http import Answer, Http

TOKEN_LIFE_SECONDS_MAX = 35 * 60.0
RENEW_AHEAD_SECONDS = 5 * 60.0
RENEW_AGAIN_SECONDS = 60.0  # after a renewal that failed while the token is still good
SIGN_IN_AGAIN_SECONDS = 60.0  # a 401 so soon after the last means that the user lacks a role
WHO = "the administrator of Anaplan"

Credentials = Callable[[], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float  # by the clock's monotonic time
    ends_at: float


class Tokens:
    """Hands out the token; at most one request to the sign-in host at a time.

    `credentials` gives {"username", "password"} when a sign-in is needed, so that no copy is kept.
    A password that was refused once is not tried again, lest the user be locked out.
    """

    def __init__(self, auth: Http, credentials: Credentials, clock: Clock) -> None:
        self._auth, self._credentials, self._clock = auth, credentials, clock
        self._lock = threading.Lock()
        self._token: _Token | None = None
        self._refusal: Refused | None = None
        self._refused_at: float | None = None

    def current(self) -> str:
        """A token that is good for some minutes; signs in or renews when needed."""
        with self._lock:
            token, now = self._token, self._clock.monotonic()
            if token is None or now >= token.ends_at:
                return self._sign_in()
            if now < token.renew_at:
                return token.value
            try:
                return self._renew(token)
            except Unavailable:  # the sign-in host is down, but the token still holds
                self._token = _Token(token.value, now + RENEW_AGAIN_SECONDS, token.ends_at)
                return token.value

    def after_refusal(self, refused: str) -> str:
        """A newer token than `refused`, which a call answered with 401; one request for all."""
        with self._lock:
            token, now, last = self._token, self._clock.monotonic(), self._refused_at
            if token is not None and token.value != refused:
                return token.value
            if token is not None and last is not None and now - last < SIGN_IN_AGAIN_SECONDS:
                return token.value
            self._refused_at = now
            return self._sign_in()

    def sign_out(self) -> None:
        """End the token at Anaplan, if there is one; failures do not matter, it ends by itself."""
        with self._lock:
            token, self._token = self._token, None
            if token is None:
                return
            try:
                self._auth.send(
                    "POST", "/token/logout", headers=_header(token.value), repeatable=True
                )
            except Trouble:
                return

    def _sign_in(self) -> str:
        if self._refusal is not None:
            raise self._refusal
        given = self._credentials()
        if not given.get("username") or not given.get("password"):
            raise Refused(
                "There is no user name and password for Anaplan.",
                do="Run `tieout connect` for this connection.", who="the administrator of Tieout",
                code="no-credentials",
            )  # fmt: skip
        pair = f"{given['username']}:{given['password']}".encode()
        basic = {"Authorization": "Basic " + base64.b64encode(pair).decode()}
        answer = self._auth.send("POST", "/token/authenticate", headers=basic, repeatable=True)
        if answer.status in (400, 401, 403):
            self._refusal = Refused(
                f"Anaplan did not accept the user name or password of {given['username']}.",
                untouched="Nothing was changed in Anaplan.",
                do="Check both, and that the user may sign in with a password (exception user); "
                "then run `tieout connect`.",
                who=WHO, evidence=answer.excerpt(), code="password",
            )  # fmt: skip
            raise self._refusal
        return self._keep(answer)

    def _renew(self, token: _Token) -> str:
        answer = self._auth.send(
            "POST", "/token/refresh", headers=_header(token.value), repeatable=True
        )
        return self._keep(answer) if answer.ok else self._sign_in()

    def _keep(self, answer: Answer) -> str:
        if not answer.ok:
            raise Refused(
                f"The sign-in of Anaplan answered {answer.status}.",
                do="Check auth_url.", who=WHO, evidence=answer.excerpt(), code="sign-in-failed",
            )  # fmt: skip
        value, expires_at = token_of(answer.json_object())
        life = expires_at - self._clock.now().timestamp()
        if not RENEW_AHEAD_SECONDS < life <= TOKEN_LIFE_SECONDS_MAX:
            life = TOKEN_LIFE_SECONDS_MAX  # the clocks of both machines disagree
        now = self._clock.monotonic()
        self._token = _Token(value, now + life - RENEW_AHEAD_SECONDS, now + life)
        return value


def _header(token: str) -> dict[str, str]:
    return {"Authorization": f"AnaplanAuthToken {token}"}
