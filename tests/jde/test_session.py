"""Claims about the session with JD Edwards: who signs in where, for how long, with what left."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from tieout.errors import Refused, Trouble, Unavailable
from tieout.jde.client import Jde
from tieout.jde.credentials import Credentials
from tieout.jde.tables import ACCOUNT_LEDGER

Desk = Any  # the fixture's class lives in conftest

REFUSALS = [
    (405, "allowedHosts", "Allowed Hosts"),
    (403, "did not accept the user TIEOUT", "one attempt only"),
    (401, "did not accept the user TIEOUT", "one attempt only"),
    (445, "single-sign-on", "JD Edwards password"),
    (404, "no AIS", "/jderest"),
    (500, "The sign-in failed, or its answer was lost", "Try again later"),
]


@pytest.mark.parametrize(("status", "what", "do"), REFUSALS)
def test_a_refused_sign_in_says_what_to_do_after_one_attempt(
    ledger: Desk, status: int, what: str, do: str
) -> None:
    ledger.fault("status", path="tokenrequest", status=status, body='{"message":"M"}', times=9)
    with pytest.raises(Trouble, match=what) as refused:
        ledger.client().count(ACCOUNT_LEDGER, None)
    assert do in refused.value.sentence()
    assert refused.value.evidence in ("M", '{"message":"M"}')
    tried = 2 if status == 404 else 1  # no such path looks at no password: version 1 is tried
    assert len(ledger.box.control("log", {})["log"]) == tried


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut_after"}, {"kind": "truncate"},
        {"kind": "status_after", "status": 502, "body": "<html>"},
        {"kind": "status_after", "status": 503, "body": "{}"},
    ],
    ids=lambda f: f"{f['kind']}-{f.get('status', '')}",
)  # fmt: skip
def test_a_sign_in_whose_answer_is_lost_is_not_sent_again(
    ledger: Desk, fault: dict[str, Any]
) -> None:
    ledger.fault(path="tokenrequest", times=9, **fault)
    with pytest.raises(Unavailable, match="its answer was lost") as lost:
        ledger.client().count(ACCOUNT_LEDGER, None)
    assert "one attempt only" in lost.value.do
    assert len(ledger.asked("tokenrequest")) == len(ledger.ais.tokens) == 1


def test_a_wrong_password_whose_refusal_is_lost_is_tried_once_only(ledger: Desk) -> None:
    ledger.fault("cut_after", path="tokenrequest", times=9)
    with pytest.raises(Unavailable, match="its answer was lost"):
        ledger.client(password="wrong").count(ACCOUNT_LEDGER, None)
    assert len(ledger.asked("tokenrequest")) == 1


def test_a_sign_in_that_never_reached_the_server_is_tried_again(ledger: Desk) -> None:
    ledger.fault("status", path="tokenrequest", status=429, body="", times=2)
    assert ledger.client().count(ACCOUNT_LEDGER, None) == 10
    assert len(ledger.asked("tokenrequest")) == len(ledger.ais.tokens) == 1


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


PEERS_WORDS = {
    "a refused query": ("dataservice$", 400),
    "a failed query": ("dataservice$", 500),
    "a missing permission": ("dataservice$", 403),
    "a complaint": ("dataservice$", 200),
    "a refused sign-in": ("tokenrequest$", 403),
    "a failed sign-in": ("tokenrequest$", 500),
}


@pytest.mark.parametrize("case", PEERS_WORDS.values(), ids=PEERS_WORDS.keys())
def test_the_peers_words_are_one_short_line_without_secrets(
    ledger: Desk, case: tuple[str, int]
) -> None:
    path, status = case
    client = ledger.client()
    if path != "tokenrequest$":
        client.sign_in()
    secret = secrets.token_urlsafe(40)
    words = f"headers {{jde-AIS-Auth={secret}}}\nsecond line \x1b[31m" + "long " * 100_000
    ledger.fault(
        "status", path=path, status=status, times=9,
        body=json.dumps({"message": words, "exception": "E", "sysErrors": [{"TITLE": words}]}),
    )  # fmt: skip
    with pytest.raises(Trouble) as told:
        client.count(ACCOUNT_LEDGER, None)
    for text in (told.value.sentence(), told.value.evidence):
        assert secret not in text
        assert text.isprintable()
        assert len(text) < 1500
    assert "headers" in told.value.sentence() + told.value.evidence
