"""What an administrator of the tenant does about sign-ins: the control port's part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tieout.sim.anaplan import certificates, oauth
from tieout.sim.anaplan.state import State


def _trust(state: State, body: dict[str, Any], now: float) -> dict[str, Any]:
    certificates.trust(state, str(body["pem"]))
    return {}


def _register(state: State, body: dict[str, Any], now: float) -> dict[str, Any]:
    return {"id": certificates.register(state, str(body["user"]), str(body["pem"]), now)}


def _remove(state: State, body: dict[str, Any], now: float) -> dict[str, Any]:
    return {"removed": certificates.remove(state, str(body["user"]))}


def _list(state: State, body: dict[str, Any], now: float) -> dict[str, Any]:
    return {"certificates": certificates.listed(state)}


def _add_client(state: State, body: dict[str, Any], now: float) -> dict[str, Any]:
    return {"client_id": oauth.add_client(state)}


def _approve(state: State, body: dict[str, Any], now: float) -> dict[str, Any]:
    oauth.decide(state, str(body["user_code"]), str(body["user"]), approve=True, now=now)
    return {}


def _deny(state: State, body: dict[str, Any], now: float) -> dict[str, Any]:
    oauth.decide(state, str(body["user_code"]), str(body["user"]), approve=False, now=now)
    return {}


def _revoke(state: State, body: dict[str, Any], now: float) -> dict[str, Any]:
    return {"ended": oauth.revoke(state, str(body["user"]))}


ACTS: dict[str, Callable[[State, dict[str, Any], float], dict[str, Any]]] = {
    "trust_authority": _trust,
    "register_certificate": _register,
    "remove_certificates": _remove,
    "list_certificates": _list,
    "add_oauth_client": _add_client,
    "approve_device": _approve,
    "deny_device": _deny,
    "revoke_consents": _revoke,
}


def act(state: State, body: dict[str, Any], now: float) -> dict[str, Any]:
    """Do what `do` names; ValueError names what there is."""
    name = str(body.get("do"))
    if name not in ACTS:
        raise ValueError(f"do is one of {', '.join(sorted(ACTS))}")
    return ACTS[name](state, body, now)
