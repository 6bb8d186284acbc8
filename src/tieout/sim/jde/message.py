"""What every call of the practice AIS carries: its JSON body, its token and its device name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tieout.sim.box import Request
from tieout.sim.jde.refusal import AisError

BODY_BYTES_MAX = 4_000_000
SIGN_IN = {"$token": "token", "$device": "deviceName", "$username": "username",
           "$password": "password", "$environment": "environment", "$role": "role"}  # fmt: skip


def token_of(request: Request, body: Mapping[str, Any]) -> str:
    """J015: body, header in any case, or `$token` in the query."""
    header = request.headers.get("jde-ais-auth", "")
    return str(body.get("token") or header or request.query.get("$token", [""])[0])


def device_of(request: Request, body: Mapping[str, Any]) -> str:
    """The device name, from the same three places."""
    header = request.headers.get("jde-ais-auth-device", "")
    return str(body.get("deviceName") or header or request.query.get("$device", [""])[0])


def sign_in_of(request: Request) -> dict[str, str]:
    """The credentials that the query parameters `$username` … `$role` carry."""
    return {SIGN_IN[k]: v[0] for k, v in request.query.items() if k in SIGN_IN}


def json_object(
    request: Request, attributes: frozenset[str] | None, *, exact: bool = False
) -> dict[str, Any]:
    """J011 J012: the JSON object of the body (empty: no attributes), or AisError 400, 415.

    `exact` reads fractions as Decimal.
    """
    if len(request.body) > BODY_BYTES_MAX:
        raise AisError(400, "request too large")
    if not request.body.strip():
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise AisError(415, f"Unsupported Media Type {kind}")
    try:
        body = json.loads(request.body, parse_float=Decimal if exact else float)
    except (ValueError, RecursionError):
        raise AisError(400, "the request is not readable JSON") from None
    if not isinstance(body, dict):
        raise AisError(400, "the request is not a JSON object")
    unknown = set(body) - (attributes if attributes is not None else set(body))
    if unknown:
        raise AisError(400, f"undocumented attributes: {sorted(unknown)}", report=True)
    return body
