"""Sessions of the practice AIS: sign-in, tokens bound to a device, two lifetimes, cursors."""

from __future__ import annotations

import base64
import binascii
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tieout.sim.box import Request
from tieout.sim.clock import PracticeClock
from tieout.sim.jde.refusal import AisError
from tieout.sim.jde.switches import Switches

MINUTE_SECONDS = 60
TOKEN_BYTES = 70  # 70 % 3 = 1, so that the token ends in "=="


@dataclass(slots=True)
class Session:
    """One AIS session; `cursors` are the open result sets of its HTML server session."""

    token: str
    user: str
    environment: str
    role: str
    device: str
    peer: str
    created: float
    touched: float
    cookie: str
    cursors: dict[str, Any] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs in, and into what."""

    user: str
    environment: str
    role: str


class Sessions:
    """All living sessions. `users` maps user names to passwords."""

    def __init__(self, users: Mapping[str, str], clock: PracticeClock, switches: Switches) -> None:
        self._users = {name.upper(): password for name, password in users.items()}
        self._clock, self._switches = clock, switches
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self.opened = self.most = 0  # ever, and at once

    def __len__(self) -> int:
        with self._lock:
            return sum(not self._dead(s) for s in self._sessions.values())

    def living(self) -> list[Session]:
        """The sessions that have not expired."""
        with self._lock:
            return [s for s in self._sessions.values() if not self._dead(s)]

    def clear(self) -> None:
        """J026: a restart of the server; every token and every cursor is dead."""
        with self._lock:
            self._sessions.clear()

    def check(self, request: Request, body: Mapping[str, Any]) -> Credentials:
        """J005 J006 J007 J010 J014 J029: who the request says it is, or AisError 403."""
        user = self._who(request, body)
        headers = request.headers
        environment = body.get("environment") or headers.get("jde-ais-auth-environment")
        role = body.get("role") or headers.get("jde-ais-auth-role")
        environment = environment or self._switches["default_environment"]
        role = role or self._switches["default_role"]
        if environment not in self._switches["environments"]:
            raise AisError(403, f"User {user} is not authorized to environment {environment}")
        if role not in self._switches["roles"]:
            raise AisError(403, f"User {user} is not authorized to role {role}")
        return Credentials(user, environment, role)

    def _who(self, request: Request, body: Mapping[str, Any]) -> str:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if body.get("username") is not None:
            user, password = str(body["username"]), str(body.get("password", ""))
        elif scheme.lower() == "basic" and self._switches["allow_basic"]:
            user, password = _basic(value)
        elif scheme.lower() == "bearer" and value in self._switches["bearer_tokens"]:
            return str(self._switches["bearer_tokens"][value])
        else:
            raise AisError(403, "Authorization Failure: credentials are missing or not accepted")
        known = self._users.get(user.upper(), "")
        if not known or not secrets.compare_digest(known.encode(), password.encode()):
            raise AisError(403, "Authorization Failure: invalid user ID or password")
        return user.upper()

    def open(self, who: Credentials, device: str, peer: str, *, lasting: bool = True) -> Session:
        """J008: a new session; `lasting=False` (J024) keeps it out of the list."""
        now = self._clock.now()
        cookie = secrets.token_urlsafe(36)
        session = Session(
            _token(), who.user, who.environment, who.role, device, peer, now, now, cookie
        )
        if lasting:
            with self._lock:
                self._sessions = {k: s for k, s in self._sessions.items() if not self._dead(s)}
                self._sessions[session.token] = session
                self.opened += 1
                self.most = max(self.most, len(self._sessions))
        return session

    def find(self, token: str, device: str, request: Request, *, touch: bool = True) -> Session:
        """J016 J017 J018 J019 J025: the living session of the token, or AisError of a dead one."""
        with self._lock:
            session = self._sessions.get(token)
            if session is not None and self._dead(session):
                del self._sessions[token]
                session = None
            if session is None or not self._bound(session, device, request):
                raise self.gone()
            if touch:
                session.touched = self._clock.now()
            return session

    def close(self, token: str) -> None:
        """J023: log out."""
        with self._lock:
            session = self._sessions.pop(token, None)
            if session is None or self._dead(session):
                raise self.gone()

    def gone(self) -> AisError:
        """J019: what an unknown, expired or foreign token answers."""
        return AisError(self._switches["invalid_token_status"], "Invalid Token", what="token")

    def _dead(self, session: Session) -> bool:
        now = self._clock.now()
        idle = self._switches["session_idle_minutes"] * MINUTE_SECONDS
        total = self._switches["session_total_minutes"] * MINUTE_SECONDS
        return bool(now - session.touched > idle or now - session.created > total)

    def _bound(self, session: Session, device: str, request: Request) -> bool:
        if self._switches["device_check"]:
            if session.device != device:
                return False
            if not session.device and session.peer != request.peer:
                return False
        if self._switches["cookie_mode"] == "sticky":
            return f"JSESSIONID={session.cookie}" in request.headers.get("cookie", "")
        return True


def _basic(value: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise AisError(403, "Authorization Failure: unreadable Basic credentials") from None
    return user, password


def _token() -> str:
    """J008: opaque, with "+", "/" and "=" in it, so that a client must encode it in an address."""
    while True:
        token = "044" + base64.b64encode(secrets.token_bytes(TOKEN_BYTES)).decode()
        if "+" in token and "/" in token:
            return token
