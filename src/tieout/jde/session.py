"""One AIS session: signing in once, staying inside its published life, signing out."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from tieout.clock import Clock
from tieout.errors import Refused, Trouble, Unavailable, Uncertain
from tieout.http import SERVER_ERROR_STATUS, Answer, Http
from tieout.jde.credentials import Credentials, asking, authorized
from tieout.jde.page import PEER, complaints
from tieout.jde.paths import V1, V2, under
from tieout.jde.wire import Dialect, dialect_of
from tieout.project import JdeConnection
from tieout.strict_json import plain

OK_STATUS, NO_SUCH_PATH = 200, 404
GONE_STATUSES = (401, 403, 444)  # the session is unknown, expired or of another device (U1)
UNPUBLISHED_SECONDS_MAX = 50.0  # lives are published in whole minutes: younger is always alive
MARGIN_SHARE, MARGIN_SECONDS_MIN, MARGIN_SECONDS_MAX = 0.1, 5.0, 60.0
CNC = "the JDE administrator (CNC)"
UNTOUCHED = "Nothing was read, nothing was changed."


@dataclass(frozen=True, slots=True)
class Life:
    """How long a session may be idle and may live at all, in seconds; None if not published."""

    idle: float | None
    total: float | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What the server told about the session at sign-in."""

    token: str = field(repr=False)
    user: str
    environment: str
    role: str
    release: str
    dialect: Dialect
    password_ends: bool = False  # the server says that it is about to


class Seat(Protocol):
    """Leave to have one session open, among all runs and processes that share a connection."""

    @property
    def held(self) -> bool:
        """Whether a session may be opened now."""
        ...

    def take(self) -> str:
        """Wait for it; the token of a session that a dead process left behind there, or ""."""
        ...

    def take_free(self) -> str | None:
        """The same without waiting; None when all are in use, or somebody waits."""
        ...

    def sit(self, token: str) -> None:
        """The session that was opened."""
        ...

    def leave(self, *, signed_out: bool) -> None:
        """Give it back, with the session that could not be ended if it was not; never raises."""
        ...


class Session:
    """Signs in when first needed; not shared between threads (one reader, one session)."""

    def __init__(
        self, http: Http, connection: JdeConnection, credentials: Callable[[], Credentials],
        clock: Clock, seat: Seat | None = None,
    ) -> None:  # fmt: skip
        """Without `seat` nobody else shares the connection."""
        self._http, self._connection, self._credentials = http, connection, credentials
        self._clock, self._seat = clock, seat
        self._now: SignedIn | None = None
        self._left = ""  # the token of another's session that could not be signed out yet
        self._life: Life | None = None
        self._since = self._used = 0.0
        self.version = V2  # before the path of a service, as long as nothing says otherwise

    def current(self) -> SignedIn:
        """The session, signed in if it was not."""
        if self._now is None:
            if self._seat is not None and not self._seat.held:
                self._end_left(self._seat.take())
            try:
                self._now = self._sign_in()
            except Trouble:
                self._leave(signed_out=True)
                raise
            if self._seat is not None:
                self._seat.sit(self._now.token)
            self._since = self._used = self._clock.monotonic()
        return self._now

    @property
    def open(self) -> bool:
        """Whether it is signed in, or has a seat for it."""
        return self._now is not None or (self._seat is not None and self._seat.held)

    def may_open(self) -> bool:
        """Whether it is open, or may be opened without waiting for others."""
        if self._now is None and self._seat is not None and not self._seat.held:
            left = self._seat.take_free()
            if left is None:
                return False
            self._end_left(left)
        return True

    def fresh(self) -> SignedIn:
        """The session with enough life left for a new query; renewed if it is near its end."""
        if self._now is not None and self.near_its_end():
            self.close()
        return self.current()

    def near_its_end(self) -> bool:
        """Whether the session is about to reach its idle or total life.

        The server is asked for the lives only once, and only when a session has grown so old that
        they could matter: a poll that finds nothing new spends no request on it.
        """
        now = self._clock.monotonic()
        if self._now is None or now - self._since < UNPUBLISHED_SECONDS_MAX:
            return False
        if self._life is None:
            self._life = self._published_life()
        return _spent(now - self._used, self._life.idle) or _spent(
            now - self._since, self._life.total
        )

    def forget(self, status: int) -> None:
        """Leave a session that answered `status`; the next use signs in anew.

        Only 444 and 401 say that it is gone already: after the others it would stay open.
        """
        if status in (401, 444):
            self._now = None
        self.close()

    def send(
        self, path: str, *, json: object | None = None, query: str = "", repeatable: bool = True,
        once: bool = False, method: str = "POST",
    ) -> Answer:  # fmt: skip
        """One request inside the session; `repeatable` and `once` as for `Http.send`."""
        headers = self._headers(self.current().token)
        answer = self._http.send(
            method, path, headers=headers, query=query, json=json, repeatable=repeatable, once=once,
            under=under(self._connection, path),
        )  # fmt: skip
        self._used = self._clock.monotonic()
        return answer

    def unsigned(self, path: str) -> Answer:
        """One GET without signing in."""
        return self._http.send("GET", path, repeatable=True, under=under(self._connection, path))

    def ask(self, method: str, path: str, *, json: object | None = None) -> Answer:
        """One request that does no harm twice; a lost session is signed in again once."""
        for again in (False, True):
            self.fresh()
            answer = self.send(path, method=method, json=json)
            if answer.status not in GONE_STATUSES:
                break
            if not again:
                self.forget(answer.status)
        return answer

    def close(self) -> None:
        """Sign out, if signed in. Never raises: a session that stays behind ends by itself."""
        now, self._now = self._now, None
        self._leave(signed_out=now is None or self._end(now.token))

    def _leave(self, *, signed_out: bool) -> None:
        if self._seat is None:
            return
        self._end_left(self._left)
        if self._left and signed_out:
            signed_out = False
            with suppress(Trouble):  # for whoever has the seat next
                self._seat.sit(self._left)
        self._left = ""
        self._seat.leave(signed_out=signed_out)

    def _end_left(self, token: str) -> None:
        """Sign out what another left on the seat; what cannot be ended now is tried again later."""
        self._left = "" if self._end(token) else token

    def _end(self, token: str) -> bool:
        """Sign a session out; whether it is gone."""
        return not token or sign_out(self._http, self._connection, token)

    def _headers(self, token: str) -> dict[str, str]:
        return _headers(self._connection, token)

    def _sign_in(self) -> SignedIn:
        """One attempt: a second one with a wrong password could lock the user (J08).

        A lost answer is not asked for again either: every attempt that arrived leaves a session
        open of which we have no token.
        """
        connection, who = self._connection, self._credentials()
        answer = self._asked_in(who)
        if answer.status == NO_SUCH_PATH and self.version == V2:  # no password was looked at
            self.version = V1
            older = self._asked_in(who)
            if older.status == NO_SUCH_PATH:
                self.version = V2
            else:
                answer = older
        if answer.status != OK_STATUS:
            raise _sign_in_refused(answer, who.name, connection)
        told = answer.json_object()
        user = told.get("userInfo")
        token = user.get("token") if isinstance(user, dict) else None
        if not isinstance(user, dict) or not isinstance(token, str) or not token:
            words = complaints(told) or "no token was given"
            raise Refused(
                f"{PEER} did not let {who.name} in: {words}.",
                untouched=UNTOUCHED, who=CNC, evidence=words, code="no-token",
                do="Look into the log of the AIS server for this sign-in.",
            )  # fmt: skip
        try:
            return self._accepted(told, user, token)
        except Refused:
            self._now = SignedIn(token, "", "", "", "", Dialect())
            self.close()  # no session is left behind
            raise

    def _asked_in(self, who: Credentials) -> Answer:
        connection, path = self._connection, f"{self.version}/tokenrequest"
        try:
            return self._http.send(
                "POST", path, repeatable=False, headers=authorized(connection, who),
                json=asking(connection, who), under=under(connection, path),
            )  # fmt: skip
        except Uncertain as lost:
            raise _sign_in_lost(lost) from lost

    def _accepted(self, told: dict[str, Any], user: dict[str, Any], token: str) -> SignedIn:
        """The session, after checking that it is where we were told to read (J26)."""
        wanted = {"environment": self._connection.environment, "role": self._connection.role}
        for name, value in wanted.items():
            given = plain(told.get(name) or "")
            if given.upper() != value.strip().upper():
                raise Refused(
                    f"{PEER} signed in to the {name} {given or '(none)'}, not to {value}.",
                    untouched=UNTOUCHED,
                    do=f"Correct `{name}` of the connection, or what {PEER} allows its user.",
                    who=CNC, code=name,
                )  # fmt: skip
        return SignedIn(
            token, plain(told.get("username") or ""), wanted["environment"], wanted["role"],
            plain(user.get("appsRelease") or ""), dialect_of(user),
            told.get("passwordAboutToExpire") is True,
        )  # fmt: skip

    def _published_life(self) -> Life:
        """`/defaultconfig` (jde-ais.md §1.2); a server that does not say leaves it open."""
        try:
            answer = self.unsigned(f"{self.version}/defaultconfig")
            told = answer.json_object() if answer.status == OK_STATUS else {}
        except Trouble:
            told = {}
        return Life(_minutes(told.get("sessionTimeout")), _minutes(told.get("timeToLive")))


def sign_out(http: Http, connection: JdeConnection, token: str) -> bool:
    """End a session, which another process may have opened; whether it is gone."""
    for version in (V2, V1):
        path = f"{version}/tokenrequest/logout"
        try:
            with http.ending():
                answer = http.send(
                    "POST", path, headers=_headers(connection, token), repeatable=True,
                    json={"token": token, "deviceName": connection.device},
                    under=under(connection, path),
                )  # fmt: skip
        except Trouble:
            return False
        if answer.status != NO_SUCH_PATH:
            break
    return answer.status < SERVER_ERROR_STATUS  # what it does not know is gone


def _headers(connection: JdeConnection, token: str) -> dict[str, str]:
    return {"jde-AIS-Auth": token, "jde-AIS-Auth-Device": connection.device}


def _minutes(value: Any) -> float | None:
    text = str(value or "").strip()
    return int(text) * 60.0 if text.isdecimal() and int(text) > 0 else None


def _spent(seconds: float, life: float | None) -> bool:
    if life is None:
        return False
    margin = min(MARGIN_SECONDS_MAX, max(MARGIN_SECONDS_MIN, life * MARGIN_SHARE))
    return seconds >= life - margin


def _sign_in_lost(lost: Uncertain) -> Unavailable:
    return Unavailable(
        f"The sign-in failed, or its answer was lost: {lost.what}",
        untouched=UNTOUCHED, evidence=lost.evidence, who=CNC, code="sign-in-lost",
        do="Try again later; if it stays, show this to CNC. There was one attempt only, so that "
        "the user is not locked.",
    )  # fmt: skip


def _sign_in_refused(answer: Answer, username: str, connection: JdeConnection) -> Trouble:
    """What the status of the token service means, and who can do something about it (§2.1)."""
    words = said(answer)
    for name in ("environment", "role"):  # the only words of a refusal that tell it apart
        if answer.status == 403 and re.search(rf"\b{name}\b", words, re.IGNORECASE):
            return Refused(
                f"{PEER} does not let {username} into the {name} {getattr(connection, name)}.",
                untouched=UNTOUCHED, evidence=words, who=CNC, code=name,
                do=f"Give the user this {name}, or correct `{name}` of the connection.",
            )  # fmt: skip
    if answer.status in (401, 403):
        return Refused(
            f"{PEER} did not accept the user {username} and its password.",
            untouched=UNTOUCHED, evidence=words,
            do="Give them again with `tieout connect`. There was one attempt only, so that the "
            "user is not locked.",
            who="whoever holds the JDE service user", code="password",
        )  # fmt: skip
    if answer.status == 405:
        return Refused(
            f"{PEER} does not accept sign-ins from this AIS server: it is not in the allowedHosts "
            "of the HTML server.",
            untouched=UNTOUCHED, evidence=words,
            do="Add the AIS server to Allowed Hosts of the HTML server (Server Manager, Web "
            "Runtime) and restart the HTML server.",
            who=CNC, code="allowed-hosts",
        )  # fmt: skip
    if answer.status in (445, 446):
        return Refused(
            f"{PEER} answered the sign-in with a single-sign-on error ({answer.status}).",
            untouched=UNTOUCHED, evidence=words, who=CNC, code="single-sign-on",
            do="Use a user with a JD Edwards password, or let single sign-on be set up.",
        )  # fmt: skip
    if answer.status == 444:
        return Refused(
            f"{PEER} answered the sign-in with 444: it takes it for the use of a session that "
            "has ended.",
            untouched=UNTOUCHED, evidence=words, who=CNC, code="session-ended",
            do="Restart the sessions of the HTML server; behind a load balancer, set cookies = "
            '"sticky" for the connection.',
        )  # fmt: skip
    return failure(answer, "the sign-in")


def said(answer: Answer) -> str:
    """The peer's own words in an answer of any status, as `strict_json.plain` lets them pass."""
    try:
        told = answer.json()
    except Refused:
        return answer.excerpt()
    words = complaints(told)
    if not words and isinstance(told, dict):
        words = plain(told.get("message") or "")
    return words or answer.excerpt()


def failure(answer: Answer, what: str) -> Trouble:
    """The error for a status that is neither success nor a lost session."""
    words = said(answer)
    if answer.status == 404:
        return Refused(
            f"There is no AIS service at this address: {what} was answered with 404.",
            untouched=UNTOUCHED, evidence=words, who=CNC,
            do="The address ends in /jderest and names the AIS server, not the web client.",
        )  # fmt: skip
    if answer.status >= 500:
        return Unavailable(
            f"{PEER} failed at {what} ({answer.status}): {words}.",
            untouched=UNTOUCHED, do="Try again later; if it stays, show this to CNC.",
            who=CNC, evidence=words,
        )  # fmt: skip
    return Refused(
        f"{PEER} refused {what} ({answer.status}): {words}.", untouched=UNTOUCHED, evidence=words,
        who=CNC,
    )  # fmt: skip
