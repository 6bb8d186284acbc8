"""Claims about signing in to Anaplan: once for all threads, ahead of time, and never in a loop."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from planning import PASSWORD, USER, Planning

from tieout.errors import Refused


def test_one_sign_in_serves_many_threads(planning: Planning) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(planning.client.all, ["lists", "imports", "files", "modules"] * 4))
    assert planning.count("POST", "/token/authenticate") == 1


def test_the_token_is_renewed_ahead_of_its_end_once_for_all_threads(planning: Planning) -> None:
    planning.client.resolve()
    planning.clock.practice.advance(31 * 60)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(planning.client.all, ["lists", "imports", "files", "modules"] * 4))
    assert planning.count("POST", "/token/refresh") == 1
    assert planning.count("POST", "/token/authenticate") == 1


def test_an_ended_token_is_replaced_by_a_new_sign_in(planning: Planning) -> None:
    planning.client.resolve()
    planning.clock.practice.advance(36 * 60)
    planning.client.all("lists")
    assert planning.count("POST", "/token/authenticate") == 2


def test_a_renewal_that_is_refused_falls_back_to_signing_in(planning: Planning) -> None:
    planning.client.resolve()
    planning.clock.practice.advance(31 * 60)
    planning.fault("status", path="/token/refresh", status=401, body="{}")
    planning.client.all("lists")
    assert planning.count("POST", "/token/authenticate") == 2


def test_a_sign_in_host_that_is_down_does_not_stop_a_token_that_still_holds(
    planning: Planning,
) -> None:
    planning.client.resolve()
    planning.clock.practice.advance(30.5 * 60)
    planning.fault("status", path="/token/", status=503, times=1000)
    planning.client.all("lists")
    tried = planning.count("POST", "/token/refresh")
    planning.client.all("imports")
    assert planning.count("POST", "/token/refresh") == tried


def test_a_wrong_password_is_tried_once_and_told_in_one_sentence(planning: Planning) -> None:
    planning.password = "CANARY-wrong"
    for _ in range(3):
        with pytest.raises(Refused, match="did not accept the user name or password") as caught:
            planning.client.resolve()
    assert planning.count("POST", "/token/authenticate") == 1
    said = caught.value.sentence() + caught.value.evidence
    assert "CANARY" not in said
    assert "tieout connect" in said
    assert USER in said


def test_a_401_on_a_call_is_answered_by_one_sign_in(planning: Planning) -> None:
    planning.client.resolve()
    planning.fault("status", path="/lists", status=401)
    assert planning.client.all("lists")
    assert planning.count("POST", "/token/authenticate") == 2


def test_a_401_that_stays_means_a_missing_role_and_is_not_looped_on(planning: Planning) -> None:
    planning.client.resolve()
    planning.fault("status", path="/lists", status=401, times=100)
    for _ in range(3):
        with pytest.raises(Refused, match="refuses this call"):
            planning.client.all("lists")
    assert planning.count("POST", "/token/authenticate") == 2


def test_closing_signs_out_and_a_client_that_never_called_does_not(planning: Planning) -> None:
    planning.connect().close()
    assert planning.count("POST", "/token/logout") == 0
    planning.client.resolve()
    planning.client.close()
    assert planning.count("POST", "/token/logout") == 1
    planning.client.all("lists")
    assert planning.count("POST", "/token/authenticate") == 2


def test_an_html_page_at_the_sign_in_is_told_as_such(planning: Planning) -> None:
    planning.fault("status", path="/token/", status=200, body="<html>proxy</html>", times=9)
    with pytest.raises(Refused, match="HTML page"):
        planning.client.resolve()


def test_neither_password_nor_token_is_in_evidence_or_logs(
    planning: Planning, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    planning.client.all("lists")
    told = repr(planning.calls) + caplog.text + repr(planning.client._tokens._token)
    assert planning.client._tokens.current() not in told
    assert PASSWORD not in told
