"""Claims about the session with JD Edwards: who signs in where, for how long, with what left."""

from __future__ import annotations

from typing import Any

import pytest

from tieout.errors import Refused, Trouble
from tieout.jde.client import Jde
from tieout.jde.session import Credentials
from tieout.jde.tables import ACCOUNT_LEDGER

Desk = Any  # the fixture's class lives in conftest

REFUSALS = [
    (405, "allowedHosts", "Allowed Hosts"),
    (403, "did not accept the user TIEOUT", "one attempt only"),
    (401, "did not accept the user TIEOUT", "one attempt only"),
    (445, "single-sign-on", "JD Edwards password"),
    (404, "no AIS", "/jderest"),
    (500, "failed at the sign-in", "Try again later"),
]


@pytest.mark.parametrize(("status", "what", "do"), REFUSALS)
def test_a_refused_sign_in_says_what_to_do_after_one_attempt(
    ledger: Desk, status: int, what: str, do: str
) -> None:
    ledger.fault("status", path="tokenrequest", status=status, body='{"message":"M"}', times=9)
    with pytest.raises(Trouble, match=what) as refused:
        ledger.client().count(ACCOUNT_LEDGER, None)
    assert do in refused.value.sentence()
    assert refused.value.evidence == "M"
    assert len(ledger.box.control("log", {})["log"]) == 1


@pytest.mark.parametrize("name", ["environment", "role"])
def test_another_environment_or_role_is_refused_and_left_at_once(ledger: Desk, name: str) -> None:
    ledger.ais.echo = {name: "OTHER"}
    with pytest.raises(Refused, match=f"signed in to the {name} OTHER"):
        ledger.client().count(ACCOUNT_LEDGER, None)
    assert ledger.ais.tokens == {}
    assert ledger.asked("dataservice") == []


def test_a_date_format_that_is_not_understood_stops_before_any_query(ledger: Desk) -> None:
    ledger.ais.user = {"simpleDateFormat": "QQ"}
    with pytest.raises(Refused, match="writes dates as 'QQ'"):
        ledger.client().count(ACCOUNT_LEDGER, None)
    assert ledger.ais.tokens == {}


def test_a_quiet_poll_asks_for_no_configuration(ledger: Desk) -> None:
    client = ledger.client()
    client.count(ACCOUNT_LEDGER, None)
    ledger.clock.sleep(49)
    client.count(ACCOUNT_LEDGER, None)
    client.close()
    assert [verb for verb, _ in ledger.ais.asked] == [
        "tokenrequest", "dataservice", "dataservice", "tokenrequest/logout",
    ]  # fmt: skip


def test_a_session_is_renewed_before_its_total_life_ends(ledger: Desk) -> None:
    client = ledger.client()
    for _ in range(80):  # 800 minutes, never idle for long
        client.count(ACCOUNT_LEDGER, None)
        ledger.clock.sleep(600)
    assert len(ledger.asked("tokenrequest")) == 2
    assert len(ledger.asked("tokenrequest/logout")) == 1
    assert len(ledger.asked("defaultconfig")) == 1
    assert all(entry["status"] == 200 for entry in ledger.box.control("log", {})["log"])


def test_a_session_is_renewed_before_its_idle_life_ends(ledger: Desk) -> None:
    client = ledger.client()
    client.count(ACCOUNT_LEDGER, None)
    ledger.clock.sleep(29 * 60 + 30)
    client.count(ACCOUNT_LEDGER, None)
    assert len(ledger.asked("tokenrequest")) == 2


@pytest.mark.parametrize("lives", [{}, {"sessionTimeout": "", "timeToLive": None}])
def test_a_server_that_publishes_no_life_is_used_until_it_says_no(
    ledger: Desk, lives: dict[str, Any]
) -> None:
    ledger.ais.lives = lives
    client = ledger.client()
    client.count(ACCOUNT_LEDGER, None)
    ledger.clock.sleep(10**6)
    assert client.count(ACCOUNT_LEDGER, None) == 10
    ledger.ais.tokens.clear()
    assert client.count(ACCOUNT_LEDGER, None) == 10
    assert len(ledger.asked("tokenrequest")) == 2


@pytest.mark.parametrize("status", [401, 403, 444])
def test_a_lost_session_is_signed_in_again_once(ledger: Desk, status: int) -> None:
    client = ledger.client()
    client.sign_in()
    body = '{"message":"Invalid Token","exception":"Exception"}'
    ledger.fault("status", path="dataservice$", status=status, body=body)
    assert client.count(ACCOUNT_LEDGER, None) == 10
    client.close()
    assert len(ledger.asked("tokenrequest")) == 2
    assert len(ledger.ais.tokens) == (0 if status == 403 else 1)  # 401, 444: gone at the server


def test_a_second_403_is_a_missing_permission(ledger: Desk) -> None:
    body = '{"message":"No permission on F0911","exception":"Exception"}'
    ledger.fault("status", path="dataservice$", status=403, body=body, times=9)
    client = ledger.client()
    with pytest.raises(Refused, match="does not let its user read F0911") as refused:
        client.count(ACCOUNT_LEDGER, None)
    assert "No permission on F0911" in refused.value.evidence
    client.close()
    assert len(ledger.asked("tokenrequest")) == 2
    assert ledger.ais.tokens == {}


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "status"])
def test_signing_out_never_fails(ledger: Desk, kind: str) -> None:
    client = ledger.client()
    client.count(ACCOUNT_LEDGER, None)
    ledger.fault(kind, path="logout", status=500, body="<html>", times=9)
    client.close()
    client.close()


def test_the_password_is_in_no_text_about_the_session(ledger: Desk) -> None:
    assert "geheim" not in repr(Credentials("TIEOUT", "geheim"))
    client: Jde = ledger.client()
    signed_in = client.sign_in()
    assert signed_in.token not in repr(signed_in)
    list(client.read(ACCOUNT_LEDGER, None))
    assert signed_in.token not in repr(ledger.calls)


def test_an_html_answer_names_the_likely_cause(ledger: Desk) -> None:
    client = ledger.client()
    ledger.fault(
        "status", status=200, body="<html>Sign on</html>", content_type="text/html", times=9
    )
    with pytest.raises(Refused, match="HTML page"):
        client.count(ACCOUNT_LEDGER, None)
