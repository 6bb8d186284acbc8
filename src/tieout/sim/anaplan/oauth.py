"""The OAuth service: consent on a device, and refresh tokens that each use replaces."""

from __future__ import annotations

import html
import json
import secrets
import uuid
from typing import Any
from urllib.parse import parse_qs

from tieout.sim.anaplan.state import State
from tieout.sim.box import Request, Response, json_response
from tieout.sim.clock import PracticeClock

CODE_SECONDS, INTERVAL_SECONDS, SLOW_DOWN_SECONDS = 900, 5, 5  # A104
ACCESS_SECONDS = 2100  # A105
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
PATHS = ("/oauth/device/code", "/oauth/token", "/activate")
PAGE = (
    "<!doctype html><title>Connect a device</title><h1>Connect a device</h1><p>{said}</p>"
    '<form method="post"><label>Code <input name="user_code" value="{code}"></label>'
    '<button name="do" value="approve">Confirm</button>'
    '<button name="do" value="deny">Decline</button></form>'
)


def answer(state: State, clock: PracticeClock, request: Request) -> Response | None:
    """The answer of the OAuth service; None for a path or method it does not have."""
    calls = {
        ("POST", "/oauth/device/code"): _device_code,
        ("POST", "/oauth/token"): _token,
        ("GET", "/activate"): _page,
        ("POST", "/activate"): _confirmed,
    }
    call = calls.get((request.method, request.path))
    return None if call is None else call(state, clock.now(), request)


def add_client(state: State) -> str:
    """A client for device grants, registered by an administrator (A103); its id."""
    client = uuid.uuid4().hex
    state.do("insert into oauth_clients values (?)", client)
    return client


def decide(state: State, user_code: str, email: str, *, approve: bool, now: float) -> None:
    """A signed-in person confirms or declines a device; LookupError for no such code."""
    user = state.row("select id from users where email = ?", email)
    sql = "update devices set state = ?, user = ? where user_code = ? and state = 'pending'"
    sql += " and expires > ?"
    said = "approved" if approve else "denied"
    if user is None or not state.do(sql, said, user[0], user_code.upper(), now):
        raise LookupError(f"no code {user_code!r} waits")


def revoke(state: State, email: str) -> int:
    """A person takes all consents back; how many tokens that ended."""
    sql = "delete from refreshes where user in (select id from users where email = ?)"
    return state.do(sql, email)


def _error(state: State, code: str, message: str, status: int = 400) -> Response:
    if code not in ("authorization_pending", "slow_down"):
        status = int(state.switch("oauth_error_status"))  # A107
    return json_response(status, {"error": code, "error_description": message})


def _told(request: Request) -> dict[str, Any]:
    try:
        told = json.loads(request.body)
    except ValueError:
        return {}
    is_json = request.headers.get("content-type", "").startswith("application/json")
    return told if isinstance(told, dict) and is_json else {}


def _known(state: State, client: object) -> bool:
    return state.row("select 1 from oauth_clients where id = ?", str(client)) is not None


def _device_code(state: State, now: float, request: Request) -> Response:
    """A code for the program and one for the person (A104)."""
    told = _told(request)
    if not told.get("client_id"):
        return _error(state, "invalid_request", "client_id is missing")
    if not _known(state, told["client_id"]):
        return _error(state, "unauthorized_client", "Unknown or unsuitable client")  # A103
    letters = [secrets.choice(LETTERS) for _ in range(8)]
    user_code = f"{''.join(letters[:4])}-{''.join(letters[4:])}"
    device_code = secrets.token_urlsafe(24)
    row = (device_code, user_code, told["client_id"], "", "pending", now + CODE_SECONDS)
    state.do("insert into devices values (?, ?, ?, ?, ?, ?, ?, ?)", *row, INTERVAL_SECONDS, 0.0)
    scheme = "https" if state.meta("tls", False) else "http"
    address = f"{scheme}://{request.headers.get('host', '')}/activate"
    return json_response(
        200,
        {
            "device_code": device_code, "user_code": user_code, "verification_uri": address,
            "verification_uri_complete": f"{address}?user_code={user_code}",
            "expires_in": CODE_SECONDS, "interval": INTERVAL_SECONDS,
        },
    )  # fmt: skip


def _token(state: State, now: float, request: Request) -> Response:
    told = _told(request)
    if not _known(state, told.get("client_id")):
        return _error(state, "unauthorized_client", "Unknown or unsuitable client")  # A103
    if told.get("grant_type") == DEVICE_GRANT:
        return _by_device(state, now, told)
    if told.get("grant_type") == "refresh_token":
        return _by_refresh(state, now, told)
    return _error(state, "invalid_request", "grant_type is not known")


def _by_device(state: State, now: float, told: dict[str, Any]) -> Response:
    """Pending, too fast, late, declined, or tokens once (A104)."""
    sql = "select state, expires, pause, polled, user from devices where device_code = ?"
    row = state.row(f"{sql} and client = ?", told.get("device_code"), told["client_id"])
    if row is None:
        return _error(state, "invalid_grant", "Unknown device code")
    phase, expires, pause, polled, user = row
    if now > expires:
        return _error(state, "expired_token", "The device code has expired")
    if phase == "denied":
        return _error(state, "access_denied", "The user declined")
    too_fast = now - polled < pause
    pause += SLOW_DOWN_SECONDS if too_fast else 0
    sql = "update devices set polled = ?, pause = ? where device_code = ?"
    state.do(sql, now, pause, told["device_code"])
    if too_fast:
        return _error(state, "slow_down", "Polled too often")
    if phase == "pending":
        return _error(state, "authorization_pending", "The user has not decided yet")
    state.do("delete from devices where device_code = ?", told["device_code"])
    return _issued(state, now, told["client_id"], user, str(uuid.uuid4()))


def _by_refresh(state: State, now: float, told: dict[str, Any]) -> Response:
    """New tokens; the same refresh token twice ends all that came from it (A106)."""
    sql = "select family, user, expires, used from refreshes where token = ? and client = ?"
    row = state.row(sql, told.get("refresh_token"), told["client_id"])
    if row is None or now > row[2]:
        return _error(state, "invalid_grant", "Unknown or invalid refresh token.")
    family, user, _, used = row
    if used and state.switch("refresh_reuse") == "ends":
        state.do("delete from refreshes where family = ?", family)
        return _error(state, "invalid_grant", "Unknown or invalid refresh token.")
    if not state.switch("rotating_refresh"):
        return _issued(state, now, told["client_id"], user, family, keeps=True)
    state.do("update refreshes set used = 1 where token = ?", told["refresh_token"])
    return _issued(state, now, told["client_id"], user, family)


def _issued(
    state: State, now: float, client: str, user: str, family: str, *, keeps: bool = False
) -> Response:
    """An access token of 35 minutes, and (unless the one there is stays) a refresh token (A105)."""
    access = secrets.token_urlsafe(48)
    ids = (str(uuid.uuid4()), str(uuid.uuid4()))
    row = (access, *ids, user, now + ACCESS_SECONDS)
    state.do("insert into tokens values (?, ?, ?, ?, ?)", *row)
    told = {
        "access_token": access, "id_token": f"eyJ.{secrets.token_urlsafe(9)}.x",
        "scope": "openid email offline_access", "expires_in": ACCESS_SECONDS,
        "token_type": "Bearer",
    }  # fmt: skip
    if not keeps:
        refresh = secrets.token_urlsafe(32)
        ends = now + float(state.switch("refresh_seconds"))
        state.do("insert into refreshes values (?, ?, ?, ?, ?, 0)", refresh, family, client, user,
                 ends)  # fmt: skip
        told["refresh_token"] = refresh
    return json_response(200, told)


def _page(state: State, now: float, request: Request) -> Response:
    """Where a person types the code; the practice system takes the service user for signed in."""
    code = (request.query.get("user_code") or [""])[0]
    return _shown("Type the code that the program shows.", code)


def _confirmed(state: State, now: float, request: Request) -> Response:
    told = parse_qs(request.body.decode("utf-8", "replace"))
    code = (told.get("user_code") or [""])[0]
    email = state.row("select email from users order by rowid")[0]
    approve = told.get("do") == ["approve"]
    try:
        decide(state, code, str(email), approve=approve, now=now)
    except LookupError:
        return _shown("No such code waits.", code)
    return _shown(f"{email} has {'confirmed' if approve else 'declined'} the device.", "")


def _shown(said: str, code: str) -> Response:
    page = PAGE.format(said=html.escape(said), code=html.escape(code, quote=True))
    return Response(200, page.encode(), content_type="text/html; charset=utf-8")
