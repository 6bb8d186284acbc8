"""Signing in by an issuer that vouches for people: nothing is believed that does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from desks import PROJECT
from issuer import CLIENT, SECRET, Issuer, also_at, issuing
from prepared_batches import journal, prepare
from web_office import HOST, Answer, Browser, WebOffice

from tieout.verbs import elsewhere, setting_up

SIGN_IN = """
[sign_in]
issuer = "{url}"
client_id = "tieout"
secret = "secret://sign-in"
title = "Acme"
roles = {{ "looks" = ["viewer"], "decides" = ["approver", "viewer"] }}
allow_http = true
"""


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


@pytest.fixture
def office(issuer: Issuer, tmp_path: Path) -> Iterator[WebOffice]:
    found = WebOffice(tmp_path / "home")
    setting_up.apply_project(found.owner, project(issuer, issuer.url))
    found.people()
    elsewhere.keep_secret(found.desk("eve"), SECRET)
    issuer.now = int(found.clock.now().timestamp())
    issuer.algorithm, issuer.signs_with, issuer.named = "RS256", "key", ""
    yield found
    found.close()


def project(issuer: Issuer, *allowed: str) -> str:
    """A project file that lets these addresses be called."""
    listed = ", ".join(f'"{url}"' for url in ("http://127.0.0.1:9", *allowed))
    outgoing = PROJECT.replace('allow = ["http://127.0.0.1:9"]', f"allow = [{listed}]")
    return outgoing + SIGN_IN.format(url=issuer.url)


def gone(browser: Browser) -> str:
    """Where the browser is sent."""
    answer = browser.ask("/login/elsewhere?next=%2Fruns")
    assert answer.status == 303, answer.text
    return answer.header("location")


def came(browser: Browser, address: str) -> Answer:
    """The browser follows a link of another site: what it says of that is told."""
    url = urlsplit(address)
    assert url.netloc == HOST
    return browser.ask(f"{url.path}?{url.query}", headers={"sec-fetch-site": "cross-site"})


def signed_in(office: WebOffice, issuer: Issuer, **claims: Any) -> tuple[Browser, Answer]:
    browser = office.browser()
    return browser, came(browser, issuer.vouch(gone(browser), **claims))


def test_who_is_vouched_for_is_signed_in_with_the_roles_of_their_groups(
    office: WebOffice, issuer: Issuer
) -> None:
    assert "Sign in with Acme" in office.browser().ask("/login").text
    browser, answer = signed_in(office, issuer, groups=["decides", "others"])
    assert (answer.status, answer.header("location")) == (303, "/runs"), answer.text
    me = browser.ask("/me").text
    assert "approver, viewer" in me
    [(by, _, told)] = [t for t in office.trail("added user") if t[1] == "max"]
    assert (by, told["roles"]) == (issuer.url, ["viewer", "approver"])
    later, _ = signed_in(office, issuer, preferred_username="renamed", groups=["looks"])
    assert "Your roles: viewer." in later.ask("/me").text, "it is the subject that counts"
    assert [t[1] for t in office.trail("signed in")][-2:] == ["max", "max"]


def test_what_is_asked_there_tells_no_secret_and_is_new_every_time(
    office: WebOffice, issuer: Issuer
) -> None:
    asked = [dict(parse_qsl(urlsplit(gone(office.browser())).query)) for _ in range(2)]
    assert asked[0]["client_id"] == CLIENT
    assert asked[0]["redirect_uri"] == f"http://{HOST}/login/back"
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[0][name]) >= 43
        assert asked[0][name] != asked[1][name]
    assert "code_verifier" not in asked[0]


LIES: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("for another client", {"aud": "another"}, {}),
    ("for several, given to another", {"aud": ["tieout", "another"], "azp": "another"}, {}),
    ("of another issuer", {"iss": "https://evil.example"}, {}),
    ("of another question", {"nonce": "another"}, {}),
    ("without a question", {"nonce": None}, {}),
    ("too old", {"exp": 1_000_000}, {}),
    ("of the future", {"iat": 9_999_999_999, "nbf": 9_999_999_999}, {}),
    ("of nobody", {"sub": None}, {}),
    ("signed by another key", {}, {"signs_with": "other"}),
    ("not signed", {}, {"algorithm": "none"}),
    ("signed with the public key", {}, {"algorithm": "HS256"}),
]


@pytest.mark.parametrize(("what", "claims", "switched"), LIES, ids=[lie[0] for lie in LIES])
def test_a_token_that_does_not_hold_signs_nobody_in(
    office: WebOffice, issuer: Issuer, what: str, claims: dict[str, Any], switched: dict[str, str]
) -> None:
    for name, value in switched.items():
        setattr(issuer, name, value)
    browser, answer = signed_in(office, issuer, **claims)
    assert answer.status == 403, what
    assert "did not hold" in answer.text
    assert "tieout_session" not in browser.cookies
    assert office.trail("signed in") == []
    [(_, _, told)] = office.trail("sign-in refused")
    assert "did not hold" in told["why"]


def test_what_another_browser_asked_for_signs_nobody_in(office: WebOffice, issuer: Issuer) -> None:
    back = issuer.vouch(gone(office.browser()))
    assert "this browser did not ask" in came(office.browser(), back).text
    other = office.browser()
    gone(other)
    assert "this browser did not ask" in came(other, back).text


def test_signing_in_there_ends_the_session_before(office: WebOffice, issuer: Issuer) -> None:
    browser = office.browser("anna")
    before = Browser(office.app, dict(browser.cookies))
    assert came(browser, issuer.vouch(gone(browser))).status == 303
    assert "max" in browser.ask("/me").text
    assert before.ask("/").status == 303, "anna's has ended"


def test_an_answer_is_taken_once(office: WebOffice, issuer: Issuer) -> None:
    browser = office.browser()
    back = issuer.vouch(gone(browser))
    kept = dict(browser.cookies)
    assert came(browser, back).status == 303
    again = Browser(office.app, kept)
    assert "it came back twice" in came(again, back).text


def test_who_has_no_role_or_the_name_of_another_is_not_let_in(
    office: WebOffice, issuer: Issuer
) -> None:
    assert "none of your groups" in signed_in(office, issuer, groups=["others"])[1].text
    taken = signed_in(office, issuer, preferred_username="eve", sub="s-2")[1]
    assert "a user here already" in taken.text
    elsewhere.bind(office.desk("eve"), "dora", "s-3")
    browser, answer = signed_in(office, issuer, preferred_username="whoever", sub="s-3")
    assert answer.status == 303
    assert "dora" in browser.ask("/me").text
    assert signed_in(office, issuer, preferred_username="OW NER", sub="s-4")[1].status == 422


def test_who_bound_an_approver_to_a_subject_is_not_approved_by_that_subject(
    office: WebOffice, issuer: Issuer
) -> None:
    eve = office.browser("eve")
    roles = ["operator", "admin"]
    assert eve.send("/settings/people/eve/roles", roles=roles).status == 303
    elsewhere.bind(office.desk("eve"), "ben", "eve-again")
    batch = prepare(office.store, journal("J1"), by="eve")
    as_ben, answer = signed_in(office, issuer, sub="eve-again", groups=["decides"])
    assert answer.status == 303, answer.text
    told = as_ben.send(f"/approvals/{batch.id}/approve", digest=batch.digest)
    assert told.status == 403
    assert "eve prepared" in told.text
    assert "eve has set your password or said who you are elsewhere" in as_ben.ask("/me").text
    other = prepare(office.store, journal("J2", company="00002"), by="anna")
    assert as_ben.ask(f"/approvals/{other.id}/approve").status == 200, "of anna's she decides"


def test_who_left_is_not_let_in_by_another_system(office: WebOffice, issuer: Issuer) -> None:
    signed_in(office, issuer, sub="s-5")
    assert office.browser("eve").send("/settings/people/max/close").status == 303
    browser, answer = signed_in(office, issuer, sub="s-5")
    assert answer.status == 422
    assert "they have left" in answer.text
    assert "tieout_session" not in browser.cookies


def test_an_issuer_that_is_another_one_or_refuses_is_told_in_words(
    office: WebOffice, issuer: Issuer
) -> None:
    browser = office.browser()
    address = gone(browser)
    state = dict(parse_qsl(urlsplit(address).query))["state"]
    refused = browser.ask(f"/login/back?error=access_denied&state={state}")
    assert "it was refused there" in refused.text
    issuer.named = "https://evil.example"
    answer = office.browser().ask("/login/elsewhere")
    assert answer.status == 403
    assert "does not say that it is this issuer" in answer.text


def test_tokens_and_keys_come_from_another_host_when_the_list_allows_it(
    office: WebOffice, issuer: Issuer
) -> None:
    with also_at(issuer) as other:
        browser, answer = signed_in(office, issuer)
        assert answer.status == 422
        host = other.removeprefix("http://")
        told = " ".join(answer.text.split())
        assert (
            f"The address of the token_endpoint of the sign-in elsewhere ({other}) is not in the "
            "list of allowed addresses."
        ) in told
        assert "It was not called" in told
        assert f'Add "{other}" to [outgoing] allow' in told
        assert "tieout_session" not in browser.cookies
        assert [asked for asked in issuer.hosts if asked.startswith(host)] == []
        assert "not in the list" in office.trail("sign-in refused")[-1][2]["why"]
        allowed = project(issuer, issuer.url, other)
        setting_up.apply_project(office.desk("eve"), allowed)
        browser, answer = signed_in(office, issuer)
        assert answer.status == 303, answer.text
        asked = [asked for asked in issuer.hosts if asked.startswith(host)]
        assert asked == [f"{host}/token", f"{host}/keys"]
        assert office.trail("signed in")[-1][1] == "max"


@pytest.mark.parametrize("address", ["", "https://127.0.0.1:9/keys", "file:///etc/passwd", "/keys"])
def test_an_address_that_is_of_another_kind_is_not_called(
    office: WebOffice, issuer: Issuer, address: str
) -> None:
    issuer.keys = address
    try:
        _, answer = signed_in(office, issuer)
    finally:
        issuer.keys = None
    assert answer.status == 403
    assert "its jwks_uri is missing or of another kind" in answer.text
