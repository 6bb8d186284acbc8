"""The token service: authenticate, refresh, validate, logout; and the check of every API call."""

from __future__ import annotations

import base64
import binascii
import secrets
import uuid
from typing import Any

from tieout.sim.anaplan import certificates
from tieout.sim.anaplan.state import State
from tieout.sim.anaplan.tenants import tenant_of_user
from tieout.sim.box import Request, Response, json_response
from tieout.sim.clock import PracticeClock

TOKEN_SECONDS = 35 * 60  # A001
VALIDATION_URL = "https://auth.anaplan.com/token/validate"


def answer(state: State, clock: PracticeClock, request: Request) -> Response | None:
    """The answer of the token service; None for a path or method it does not have."""
    calls = {
        ("POST", "/token/authenticate"): _authenticate,
        ("POST", "/token/refresh"): _refresh,
        ("GET", "/token/validate"): _validate,
        ("POST", "/token/logout"): _logout,
    }
    call = calls.get((request.method, request.path))
    return None if call is None else call(state, clock.now(), request)


def user_of(state: State, now: float, header: str) -> str | None:
    """The user id behind an API call's Authorization header, or None (A009)."""
    scheme, _, value = header.partition(" ")
    if scheme not in ("AnaplanAuthToken", "Bearer"):
        return None
    row = _live(state, now, value.strip())
    return None if row is None else str(row[3])


def tenant_of(state: State, now: float, header: str) -> str:
    """The tenant of that user, who shares its budget: what follows the @ (A012); "" of nobody."""
    user = user_of(state, now, header)
    return tenant_of_user(state, user) if user else ""


def _live(state: State, now: float, value: str) -> Any:
    return state.row("select * from tokens where value = ? and expires > ?", value, now)


def _failure(status: int, code: str, message: str) -> Response:
    return json_response(status, {"status": code, "statusMessage": message})


def _bad_header() -> Response:
    return _failure(400, "FAILURE_BAD_HEADER", "Invalid header. Verify the header.")  # A003


def _bad_token() -> Response:
    return _failure(401, "FAILURE_BAD_TOKEN", "Token is invalid or expired.")  # A005


def _authenticate(state: State, now: float, request: Request) -> Response:
    """201 with a token of 35 minutes (A001), 401 (A002, A098) or 400 (A003)."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme == "CACertificate":
        try:
            user = certificates.user_of(state, now, text.strip(), request.body)
        except certificates.MalformedError:
            return _bad_header()
        except certificates.RefusedError:
            words = str(state.switch("certificate_refusal"))
            return _failure(401, words, "Invalid credentials. Try again.")  # A098
        return _new_token(state, now, user)
    if scheme != "Basic":
        return _bad_header()
    return _by_password(state, now, text)


def _bad_credential() -> Response:
    message = "Invalid credentials. Try again."
    return _failure(401, "FAILURE_BAD_CREDENTIAL", message)  # A002


def _by_password(state: State, now: float, text: str) -> Response:
    try:
        pair = base64.b64decode(text.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return _bad_header()
    email, colon, password = pair.partition(":")
    if not colon:
        return _bad_header()
    user = state.row("select id, password from users where email = ?", email)
    known = user[1] if user else ""
    if not secrets.compare_digest(known.encode(), password.encode()) or not user:
        return _bad_credential()
    return _new_token(state, now, user[0])


def _new_token(state: State, now: float, user: str) -> Response:
    value = base64.b64encode(secrets.token_bytes(48)).decode()
    row = (value, str(uuid.uuid4()), str(uuid.uuid4()), user, now + TOKEN_SECONDS)
    state.do("insert into tokens values (?, ?, ?, ?, ?)", *row)
    return _token_answer(state, 201, "Login successful", row)


def _token_answer(state: State, status: int, message: str, row: Any) -> Response:
    info = {
        "tokenId": row[1], "tokenValue": row[0],
        "expiresAt": round(row[4] * 1000), "refreshTokenId": row[2],
    }  # fmt: skip
    if state.switch("extra_refresh_token"):
        info["refreshToken"] = str(uuid.uuid4())  # A010
    body = {
        "meta": {"validationUrl": VALIDATION_URL}, "status": "SUCCESS",
        "statusMessage": message, "tokenInfo": info,
    }  # fmt: skip
    return json_response(status, body)


def _token(state: State, now: float, request: Request) -> Any:
    """The live token row, or the answer that refuses (A005, A006)."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme != "AnaplanAuthToken" or not value.strip():
        return _bad_header()  # A006
    return _live(state, now, value.strip()) or _bad_token()


def _refresh(state: State, now: float, request: Request) -> Response:
    """A later expiry for the same token value (A004)."""
    row = _token(state, now, request)
    if isinstance(row, Response):
        return row
    row = (*row[:4], now + TOKEN_SECONDS)
    state.do("update tokens set expires = ? where value = ?", row[4], row[0])
    return _token_answer(state, 200, "Token refreshed", row)


def _validate(state: State, now: float, request: Request) -> Response:
    """Whose token it is and until when (A007)."""
    row = _token(state, now, request)
    if isinstance(row, Response):
        return row
    email = state.row("select email from users where id = ?", row[3])[0]
    body = {
        "meta": {"validationUrl": VALIDATION_URL}, "status": "SUCCESS",
        "statusMessage": "Token validated",
        "tokenInfo": {"expiresAt": round(row[4] * 1000), "tokenId": row[1]},
        "userInfo": {
            "userGuid": row[3], "userId": email, "customerGuid": state.meta("customer", ""),
        },
    }  # fmt: skip
    return json_response(200, body)


def _logout(state: State, now: float, request: Request) -> Response:
    """204, and the token is dead at once (A008); `Bearer` is a 401 here (A006)."""
    row = _token(state, now, request)
    if isinstance(row, Response):
        return row if row.status == 401 else _bad_token()
    state.do("delete from tokens where value = ?", row[0])
    return Response(204)
