"""Practice Anaplan: consent on a device, and refresh tokens that each use replaces."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from anaplan_practice import EMAIL, Practice

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def administer(anaplan: Practice, do: str, **body: str) -> dict[str, Any]:
    return dict(anaplan.system.control("administer", {"do": do, **body}))


def post(anaplan: Practice, path: str, **body: str) -> httpx2.Response:
    return anaplan.http.post(f"{anaplan.url}{path}", json=body)


@pytest.fixture
def client(anaplan: Practice) -> str:
    return str(administer(anaplan, "add_oauth_client")["client_id"])


def device(anaplan: Practice, client: str) -> dict[str, Any]:
    answer = post(anaplan, "/oauth/device/code", client_id=client, scope="openid offline_access")
    assert answer.status_code == 200
    return dict(answer.json())


def poll(anaplan: Practice, client: str, code: str) -> httpx2.Response:
    body = {"grant_type": DEVICE, "device_code": code, "client_id": client}
    return post(anaplan, "/oauth/token", **body)


def refresh(anaplan: Practice, client: str, token: str) -> httpx2.Response:
    body = {"grant_type": "refresh_token", "refresh_token": token, "client_id": client}
    return post(anaplan, "/oauth/token", **body)


def tokens(anaplan: Practice, client: str) -> dict[str, Any]:
    asked = device(anaplan, client)
    administer(anaplan, "approve_device", user_code=asked["user_code"], user=EMAIL)
    anaplan.clock.advance(5)
    return dict(poll(anaplan, client, asked["device_code"]).json())


def error(answer: httpx2.Response) -> str:
    assert not answer.is_success
    assert answer.json()["error_description"]
    return str(answer.json()["error"])


def test_a_code_waits_for_a_person_and_gives_tokens_once(anaplan: Practice, client: str) -> None:
    """A104, A105"""
    asked = device(anaplan, client)
    assert (asked["expires_in"], asked["interval"]) == (900, 5)
    assert asked["verification_uri_complete"].endswith(asked["user_code"])
    code = asked["device_code"]
    anaplan.clock.advance(5)
    assert error(poll(anaplan, client, code)) == "authorization_pending"
    assert error(poll(anaplan, client, code)) == "slow_down"
    anaplan.clock.advance(6)
    assert error(poll(anaplan, client, code)) == "slow_down"
    administer(anaplan, "approve_device", user_code=asked["user_code"], user=EMAIL)
    anaplan.clock.advance(20)
    answer = poll(anaplan, client, code)
    told = answer.json()
    assert answer.status_code == 200
    assert (told["expires_in"], told["token_type"]) == (2100, "Bearer")
    assert "profile" not in told["scope"]
    assert error(poll(anaplan, client, code)) == "invalid_grant"
    anaplan.token = told["access_token"]
    assert anaplan.send("GET", "/2/0/users/me").json()["user"]["email"] == EMAIL
    anaplan.clock.advance(2101)
    assert anaplan.send("GET", "/2/0/users/me").status_code == 401


def test_a_person_confirms_or_declines_on_a_page(anaplan: Practice, client: str) -> None:
    """A104"""
    for do, told in (("approve", 200), ("deny", 403)):
        asked = device(anaplan, client)
        address = asked["verification_uri_complete"]
        assert asked["user_code"] in anaplan.http.get(address).text
        form = {"user_code": asked["user_code"], "do": do}
        anaplan.http.post(asked["verification_uri"], data=form)
        anaplan.clock.advance(5)
        answer = poll(anaplan, client, asked["device_code"])
        assert answer.status_code == told
        if told != 200:
            assert error(answer) == "access_denied"


def test_a_code_ends_after_a_quarter_of_an_hour(anaplan: Practice, client: str) -> None:
    """A104"""
    asked = device(anaplan, client)
    anaplan.clock.advance(901)
    with pytest.raises(LookupError):
        administer(anaplan, "approve_device", user_code=asked["user_code"], user=EMAIL)
    assert error(poll(anaplan, client, asked["device_code"])) == "expired_token"


@pytest.mark.parametrize("path", ["/oauth/device/code", "/oauth/token"])
def test_a_client_that_was_not_registered_is_refused(anaplan: Practice, path: str) -> None:
    """A103, A107"""
    answer = post(anaplan, path, client_id="f" * 32)
    assert (answer.status_code, error(answer)) == (403, "unauthorized_client")
    anaplan.switch("oauth_error_status", 401)
    assert post(anaplan, path, client_id="f" * 32).status_code == 401
    assert anaplan.http.post(f"{anaplan.url}{path}", data={"client_id": "f"}).status_code == 401


def test_a_refresh_token_is_replaced_and_used_twice_ends_all_that_came_of_it(
    anaplan: Practice, client: str
) -> None:
    """A106"""
    first = tokens(anaplan, client)["refresh_token"]
    second = refresh(anaplan, client, first).json()["refresh_token"]
    assert second != first
    assert error(refresh(anaplan, client, first)) == "invalid_grant"
    assert error(refresh(anaplan, client, second)) == "invalid_grant"


def test_a_used_refresh_token_may_pass_and_one_may_stay(anaplan: Practice, client: str) -> None:
    """A106"""
    first = tokens(anaplan, client)["refresh_token"]
    anaplan.switch("refresh_reuse", "passes")
    assert refresh(anaplan, client, first).status_code == 200
    assert refresh(anaplan, client, first).status_code == 200
    anaplan.switch("rotating_refresh", False)
    last = tokens(anaplan, client)["refresh_token"]
    assert "refresh_token" not in refresh(anaplan, client, last).json()
    assert refresh(anaplan, client, last).status_code == 200


def test_a_refresh_token_ends_in_time_or_when_the_person_takes_it_back(
    anaplan: Practice, client: str
) -> None:
    """A106"""
    token = tokens(anaplan, client)["refresh_token"]
    anaplan.clock.advance(43_001)
    assert error(refresh(anaplan, client, token)) == "invalid_grant"
    anaplan.switch("refresh_seconds", 100_000)
    token = tokens(anaplan, client)["refresh_token"]
    anaplan.clock.advance(43_001)
    token = refresh(anaplan, client, token).json()["refresh_token"]
    administer(anaplan, "revoke_consents", user=EMAIL)
    assert error(refresh(anaplan, client, token)) == "invalid_grant"
