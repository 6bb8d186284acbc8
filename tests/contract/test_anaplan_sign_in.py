"""Practice Anaplan: the token service and the check of every call."""

from __future__ import annotations

import base64
import re

import httpx2
import pytest
from anaplan_practice import EMAIL, Practice

MINUTE = 60


def token_call(anaplan: Practice, method: str, what: str, header: str) -> httpx2.Response:
    return anaplan.http.request(
        method, f"{anaplan.url}/token/{what}", headers={"Authorization": header}
    )


def lives(anaplan: Practice) -> bool:
    return anaplan.send("GET", "/2/0/users/me").status_code == 200


def test_a_password_buys_a_token_for_35_minutes(anaplan: Practice) -> None:
    """A001"""
    answer = anaplan.sign_in()
    info = answer.json()["tokenInfo"]
    assert (answer.status_code, answer.json()["status"]) == (201, "SUCCESS")
    assert abs(info["expiresAt"] / 1000 - anaplan.clock.now() - 35 * MINUTE) < 5
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", info["tokenId"])
    anaplan.clock.advance(34 * MINUTE)
    assert lives(anaplan)
    anaplan.clock.advance(2 * MINUTE)
    assert not lives(anaplan)


@pytest.mark.parametrize(("email", "password"), [(EMAIL, "wrong"), ("nobody@example.com", "")])
def test_a_wrong_password_or_user_is_a_bad_credential(
    anaplan: Practice, email: str, password: str
) -> None:
    """A002"""
    answer = anaplan.sign_in(email, password)
    assert answer.status_code == 401
    assert answer.json()["status"] == "FAILURE_BAD_CREDENTIAL"


@pytest.mark.parametrize(
    "header", ["", "Basic ???", "Basic " + base64.b64encode(b"no colon").decode(), "Bearer x"]
)
def test_a_malformed_header_is_told_apart_from_a_wrong_password(
    anaplan: Practice, header: str
) -> None:
    """A003"""
    answer = token_call(anaplan, "POST", "authenticate", header)
    assert (answer.status_code, answer.json()["status"]) == (400, "FAILURE_BAD_HEADER")


def test_refreshing_moves_the_end_of_the_same_token(anaplan: Practice) -> None:
    """A004"""
    before = anaplan.sign_in().json()["tokenInfo"]
    anaplan.clock.advance(30 * MINUTE)
    answer = token_call(anaplan, "POST", "refresh", f"AnaplanAuthToken {anaplan.token}")
    after = answer.json()["tokenInfo"]
    assert (answer.status_code, answer.json()["statusMessage"]) == (200, "Token refreshed")
    assert after["tokenValue"] == before["tokenValue"]
    assert after["expiresAt"] > before["expiresAt"]
    anaplan.clock.advance(30 * MINUTE)
    assert lives(anaplan)


@pytest.mark.parametrize(("method", "what"), [("POST", "refresh"), ("GET", "validate")])
def test_an_expired_token_cannot_be_refreshed_or_validated(
    anaplan: Practice, method: str, what: str
) -> None:
    """A005"""
    anaplan.clock.advance(36 * MINUTE)
    answer = token_call(anaplan, method, what, f"AnaplanAuthToken {anaplan.token}")
    assert answer.status_code == 401
    assert token_call(anaplan, method, what, "AnaplanAuthToken x").status_code == 401


def test_the_token_service_refuses_bearer(anaplan: Practice) -> None:
    """A006"""
    header = f"Bearer {anaplan.token}"
    calls = (("POST", "refresh"), ("GET", "validate"), ("POST", "logout"))
    codes = [token_call(anaplan, method, what, header).status_code for method, what in calls]
    assert codes == [400, 400, 401]


def test_validating_says_whose_token_it_is(anaplan: Practice) -> None:
    """A007"""
    answer = token_call(anaplan, "GET", "validate", f"AnaplanAuthToken {anaplan.token}").json()
    assert answer["userInfo"]["userId"] == EMAIL
    assert re.fullmatch("[0-9a-f]{32}", answer["userInfo"]["userGuid"])
    assert answer["statusMessage"] == "Token validated"


def test_a_token_is_dead_at_once_after_logout(anaplan: Practice) -> None:
    """A008"""
    header = f"AnaplanAuthToken {anaplan.token}"
    answer = token_call(anaplan, "POST", "logout", header)
    assert (answer.status_code, answer.content) == (204, b"")
    assert not lives(anaplan)
    assert token_call(anaplan, "GET", "validate", header).status_code == 401


def test_every_call_needs_a_live_token_under_either_name(anaplan: Practice) -> None:
    """A009"""
    for header, code in (
        (f"AnaplanAuthToken {anaplan.token}", 200),
        (f"Bearer {anaplan.token}", 200),
        ("AnaplanAuthToken wrong", 401),
        ("", 401),
    ):
        answer = anaplan.send("GET", "/2/0/workspaces", headers={"Authorization": header})
        assert answer.status_code == code


def test_an_unknown_field_may_appear_in_the_token_answer(anaplan: Practice) -> None:
    """A010"""
    assert "refreshToken" not in anaplan.sign_in().json()["tokenInfo"]
    anaplan.switch("extra_refresh_token", True)
    assert anaplan.sign_in().json()["tokenInfo"]["refreshToken"]


def test_a_restart_of_the_practice_system_drops_every_token(anaplan: Practice) -> None:
    assert anaplan.system.control("restart", {})["tokens_dropped"] == 1
    assert not lives(anaplan)
