"""Sign-in to Anaplan by OAuth: a person consents once on a device, then tokens are renewed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tieout.anaplan.sign_in import REFUSED_STATUSES, WHO, no_credentials
from tieout.anaplan.wire import whole
from tieout.clock import Clock
from tieout.errors import Busy, Refused, Unavailable, Uncertain
from tieout.http import Answer, Http
from tieout.strict_json import plain

CODE_PATH, TOKEN_PATH = "/oauth/device/code", "/oauth/token"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SCOPE = "openid profile email offline_access"
CLIENT_ID, REFRESH_TOKEN = "client_id", "refresh_token"
ACCESS_TOKEN, ACCESS_ENDS = "access_token", "access_ends"
FRESH_SECONDS_MIN = 6 * 60.0  # longer than the token is renewed ahead of its end
WAIT_SECONDS_MAX, WAIT_PAUSE_SECONDS = 120.0, 0.5  # for somebody else's renewal
RENEWALS_MAX = 2  # of one sign-in: a lost answer is asked for once more
INTERVAL_SECONDS, SLOW_DOWN_SECONDS = 5, 5  # RFC 8628 §3.2, §3.5
DEVICE_SECONDS_MAX = 1800
LIFE_SECONDS_MAX = 35 * 60  # facts/anaplan.md §1.4
UNTOUCHED = "Nothing was changed in Anaplan."
AGAIN = "Run `tieout connect` for this connection, and consent again."


class Leave(Protocol):
    """Leave to renew, with what is stored now; `lost_at`: an earlier answer was lost then."""

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields of the secret."""
        ...

    @property
    def lost_at(self) -> datetime | None:
        """When; None where none was."""
        ...


class Kept(Protocol):
    """Where the consent of a connection is kept, for all processes."""

    def opened(self) -> Mapping[str, str]:
        """What is stored."""
        ...

    def claim(self) -> Leave | None:
        """Note that a renewal begins; None while somebody else renews."""
        ...

    def keep(self, fields: Mapping[str, str]) -> None:
        """Store what a renewal gave, before anything of it is used."""
        ...

    def give_up(self, lost_at: datetime | None) -> None:
        """The renewal did not happen, or since `lost_at` nobody knows."""
        ...


class ByConsent:
    """By a refresh token, which each renewal replaces; all processes share the access token."""

    renewable = False  # the token service knows nothing of it: the next one is asked for instead

    def __init__(
        self, oauth: Http, kept: Kept, clock: Clock, moment: Callable[[str], None]
    ) -> None:
        """`moment` is told where a crash test may end the process."""
        self._oauth, self._kept, self._clock, self._moment = oauth, kept, clock, moment
        self._given = ""

    @property
    def ends_at(self) -> datetime | None:
        """Nobody tells how long a consent lasts."""
        return None

    def token(self) -> tuple[str, float]:
        """The stored access token while it is fresh and was not given before; else a new one."""
        give_up = self._clock.monotonic() + WAIT_SECONDS_MAX
        while True:  # ends at give_up
            if found := self._fresh(self._kept.opened()):
                return found
            leave = self._kept.claim()
            if leave is not None:
                return self._fresh_at_last(leave) or self._renewed(leave)
            if self._clock.monotonic() > give_up:
                raise Busy(
                    "Another process renews the consent of Anaplan and does not come to its end.",
                    untouched=UNTOUCHED, do="Try again in some minutes.", code="consent-busy",
                )  # fmt: skip
            self._clock.sleep(WAIT_PAUSE_SECONDS)

    def _fresh(self, fields: Mapping[str, str]) -> tuple[str, float] | None:
        if not fields.get(CLIENT_ID) or not fields.get(REFRESH_TOKEN):
            raise no_credentials("consent")
        value, ends = fields.get(ACCESS_TOKEN, ""), float(fields.get(ACCESS_ENDS) or 0)
        left = ends - self._clock.now().timestamp()
        if not value or value == self._given or not left > FRESH_SECONDS_MIN:
            return None
        self._given = value
        return value, ends

    def _fresh_at_last(self, leave: Leave) -> tuple[str, float] | None:
        """Somebody else may have renewed between our two looks."""
        found = self._fresh(leave.fields)
        if found is not None:
            self._kept.give_up(leave.lost_at)
        return found

    def _renewed(self, leave: Leave) -> tuple[str, float]:
        lost_at = leave.lost_at
        for _ in range(RENEWALS_MAX):
            asked = {"grant_type": REFRESH_TOKEN}
            asked |= {name: leave.fields[name] for name in (CLIENT_ID, REFRESH_TOKEN)}
            try:
                answer = self._oauth.send("POST", TOKEN_PATH, json=asked, repeatable=False)
            except Uncertain:
                lost_at = lost_at or self._clock.now()
                continue
            except (Refused, Unavailable):
                self._kept.give_up(lost_at)  # it was certainly not sent
                raise
            if not answer.ok:
                self._kept.give_up(lost_at)
                raise _refused(answer, lost_at)
            self._moment("received")
            try:
                fields = tokens_of(answer, leave.fields, self._clock.now())
            except Refused:
                self._kept.give_up(lost_at or self._clock.now())  # it was carried out
                raise
            self._kept.keep(fields)
            self._moment("stored")
            self._given = fields[ACCESS_TOKEN]
            return self._given, float(fields[ACCESS_ENDS])
        self._kept.give_up(lost_at)
        raise Unavailable(
            "The answer of Anaplan to the renewal of the consent was lost, twice. The renewal may "
            "have been carried out; then the consent is used up.",
            untouched=UNTOUCHED, do="Try again; if it is refused then, consent again with "
            "`tieout connect`.", code="consent-in-doubt",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person has to be shown so that they consent."""

    device_code: str = field(repr=False)
    user_code: str
    address: str
    address_with_code: str
    seconds: int
    interval: int


def ask(oauth: Http, client_id: str) -> Asked:
    """Begin a consent on a device; Refused for a client that Anaplan does not know."""
    asked = {CLIENT_ID: client_id, "scope": SCOPE}
    answer = oauth.send("POST", CODE_PATH, json=asked, repeatable=True)
    if not answer.ok:
        raise _refused(answer, None)
    told = answer.json_object()
    texts = [_text(told, name) for name in ("device_code", "user_code", "verification_uri")]
    complete = plain(told.get("verification_uri_complete") or "")
    life = whole(told.get("expires_in"), "life of a code")
    interval = told.get("interval")
    pause = whole(interval, "pause between looks") if interval is not None else INTERVAL_SECONDS
    device, user, address = texts[0], plain(texts[1]), plain(texts[2])
    return Asked(device, user, address, complete, min(life, DEVICE_SECONDS_MAX), max(1, pause))


def consented(oauth: Http, client_id: str, asked: Asked, clock: Clock) -> dict[str, str]:
    """Wait until the person has consented; the fields of the secret. Refused when they have not."""
    give_up, pause = clock.monotonic() + asked.seconds, asked.interval
    body = {
        "grant_type": DEVICE_GRANT, "device_code": asked.device_code, CLIENT_ID: client_id
    }  # fmt: skip
    while clock.monotonic() < give_up:
        clock.sleep(pause)
        try:
            answer = oauth.send("POST", TOKEN_PATH, json=body, repeatable=False)
        except Uncertain:
            continue
        if answer.ok:
            return tokens_of(answer, {CLIENT_ID: client_id}, clock.now())
        error = _error(answer)
        if error == "slow_down":
            pause += SLOW_DOWN_SECONDS
        elif error != "authorization_pending":
            raise _refused(answer, None)
    raise _late()


def tokens_of(answer: Answer, before: Mapping[str, str], now: datetime) -> dict[str, str]:
    """The fields of a secret after an answer with tokens; a refresh token that stays is kept."""
    told = answer.json_object()
    access = _text(told, ACCESS_TOKEN)
    refresh = told.get(REFRESH_TOKEN) or before.get(REFRESH_TOKEN)
    if not isinstance(refresh, str) or not refresh:
        raise Refused(
            "Anaplan consented without a refresh token, so it would have to be asked every half "
            "hour.",
            untouched=UNTOUCHED, who=WHO, code="consent-without-refresh",
            do="Let refresh tokens be switched on for this OAuth client.",
        )  # fmt: skip
    life = min(whole(told.get("expires_in"), "life of a token"), LIFE_SECONDS_MAX)
    return {
        CLIENT_ID: before[CLIENT_ID], REFRESH_TOKEN: refresh, ACCESS_TOKEN: access,
        ACCESS_ENDS: f"{now.timestamp() + life:.0f}",
    }  # fmt: skip


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(f"The sign-in of Anaplan answered without {name}.", code="sign-in-failed")
    return value


def _error(answer: Answer) -> str:
    """The code of an OAuth error (RFC 6749 §5.2); "" for an answer that has none."""
    try:
        return plain(answer.json_object().get("error") or "")
    except Refused:
        return ""


def _late() -> Refused:
    return Refused(
        "Nobody consented before the code ended.", untouched=UNTOUCHED, do=AGAIN,
        code="consent-too-late",
    )  # fmt: skip


def _refused(answer: Answer, lost_at: datetime | None) -> Refused:
    """What an error of the OAuth service means."""
    error = _error(answer)
    if error == "expired_token":
        return _late()
    if error == "access_denied":
        return Refused(
            "The consent was declined.", untouched=UNTOUCHED, do=AGAIN, code="consent-declined"
        )
    if error == "invalid_grant" and lost_at is not None:
        return Refused(
            "The consent to sign in to Anaplan is used up: it was renewed at "
            f"{lost_at:%Y-%m-%d %H:%M} UTC, and the answer, with the next refresh token, was lost.",
            untouched=UNTOUCHED, do=AGAIN, who="who may consent for the Anaplan user",
            evidence=answer.excerpt(), code="consent-lost",
        )  # fmt: skip
    if error == "invalid_grant":
        return Refused(
            "The consent to sign in to Anaplan has ended, or was taken back.",
            untouched=UNTOUCHED, do=AGAIN, who="who may consent for the Anaplan user",
            evidence=answer.excerpt(), code="consent-ended",
        )  # fmt: skip
    if error in ("unauthorized_client", "invalid_client", "invalid_request"):
        return Refused(
            f"Anaplan does not accept the OAuth client ({error}).", untouched=UNTOUCHED, who=WHO,
            do="Check its client id, that it is one for device grants, and that the user's tenant "
            "allows it (not with single sign-on).",
            evidence=answer.excerpt(), code="consent-client",
        )  # fmt: skip
    what = f"answered {answer.status}" + (f" ({error})" if error else "")
    known = answer.status in REFUSED_STATUSES
    return Refused(
        f"The OAuth sign-in of Anaplan {what}.", untouched=UNTOUCHED, who=WHO,
        do="Ask what it means." if known else "Check oauth_url.",
        evidence=answer.excerpt(), code="sign-in-failed",
    )  # fmt: skip
