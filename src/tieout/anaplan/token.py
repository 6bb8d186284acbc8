"""The sign-in to Anaplan: one token for all threads, renewed before its 35 minutes end."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from tieout.anaplan.sign_in import SignIn, given_token
from tieout.clock import Clock
from tieout.errors import Refused, Trouble, Unavailable
from tieout.http import Http

TOKEN_LIFE_SECONDS_MAX = 35 * 60.0
RENEW_AHEAD_SECONDS = 5 * 60.0
RENEW_AGAIN_SECONDS = 60.0  # after a renewal that failed while the token is still good
SIGN_IN_AGAIN_SECONDS = 60.0  # a 401 so soon after the last means that the user lacks a role
# What was refused so is not tried again: the user would be locked, or it would end the same way.
FINAL = {
    "password", "certificate-not-accepted", "consent-ended", "consent-lost", "consent-client"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float  # by the clock's monotonic time
    ends_at: float


class Tokens:
    """Hands out the token; at most one request to the sign-in host at a time.

    `how` signs in when that is needed. A password that was refused once is not tried again, lest
    the user be locked out.
    """

    def __init__(self, auth: Http, how: SignIn, clock: Clock) -> None:
        self._auth, self._how, self._clock = auth, how, clock
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
            if token is None or not self._how.renewable:
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
        try:
            return self._keep(*self._how.token())
        except Refused as refusal:
            if refusal.code in FINAL:
                self._refusal = refusal
            raise

    def _renew(self, token: _Token) -> str:
        if not self._how.renewable:
            return self._sign_in()
        answer = self._auth.send(
            "POST", "/token/refresh", headers=_header(token.value), repeatable=True
        )
        return self._keep(*given_token(answer)) if answer.ok else self._sign_in()

    def _keep(self, value: str, expires_at: float) -> str:
        life = expires_at - self._clock.now().timestamp()
        if not RENEW_AHEAD_SECONDS < life <= TOKEN_LIFE_SECONDS_MAX:
            life = TOKEN_LIFE_SECONDS_MAX  # the clocks of both machines disagree
        now = self._clock.monotonic()
        self._token = _Token(value, now + life - RENEW_AHEAD_SECONDS, now + life)
        return value


def _header(token: str) -> dict[str, str]:
    return {"Authorization": f"AnaplanAuthToken {token}"}
