"""Every address of the table, asked by everybody: nobody reaches what their role does not allow."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from random import Random

import pytest
from starlette.requests import Request
from web_office import ORIGIN, PARTS, PASSWORD, WHO, WebOffice, named, paths

from tieout.core.policy import RIGHTS, may
from tieout.errors import Misconfigured
from tieout.store import people
from tieout.store.own_sqlite import sqlite3
from tieout.web.routes import ADDRESSES, ANYBODY, Address
from tieout.web.view import View

CAMPAIGN = bool({"fuzz", "all"} & set(os.environ.get("TIEOUT_CAMPAIGN", "").split(",")))
SAFE = ("GET", "HEAD")
CLOSED = [a for a in ADDRESSES if a.act is not ANYBODY]
CHANGING = [a for a in ADDRESSES if a.method not in SAFE]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebOffice]:
    """One office for all: whatever is asked makes its own things."""
    found = WebOffice(tmp_path_factory.mktemp("office") / "home")
    found.people()
    yield found
    found.close()


@pytest.mark.parametrize("address", CLOSED, ids=named)
def test_who_is_not_signed_in_sees_and_changes_nothing(office: WebOffice, address: Address) -> None:
    for path in paths(address, office, ""):
        answer = office.browser().ask(path, address.method)
        assert answer.status == 303
        assert answer.header("location").startswith("/login")
        assert answer.body == b""


@pytest.mark.parametrize("address", CLOSED, ids=named)
def test_a_session_that_was_signed_out_or_made_up_opens_nothing(
    office: WebOffice, address: Address
) -> None:
    who = next(who for role, who in WHO.items() if role in RIGHTS[address.act or "view"])
    path = paths(address, office, who)[0]
    left = office.browser(who)
    stolen = dict(left.cookies)
    assert left.send("/sign-out").status == 303
    for cookies in (stolen, {"tieout_session": "0" * 43}):
        before = office.told()
        answer = office.browser()
        answer.cookies = dict(cookies)
        seen = answer.ask(path, address.method)
        assert (seen.status, seen.body) == (303, b""), path
        assert seen.header("location").startswith("/login")
        assert office.told() == before, "nothing was done and nothing told"
        assert cookies["tieout_session"] not in seen.header("set-cookie"), "nor is it taken up"


def test_signing_in_gives_a_new_session_whatever_cookie_was_planted(office: WebOffice) -> None:
    office.with_password("dora")
    planted = {"tieout_session": "1" * 43, "tieout_known": "2" * 43}
    browser = office.browser()
    browser.cookies = dict(planted)
    assert browser.send("/login", name="dora", password=PASSWORD).status == 303
    for name, value in planted.items():
        assert browser.cookies[name] != value
        assert len(browser.cookies[name]) >= 43
    other = office.browser()
    other.cookies = planted
    assert other.ask("/").status == 303, "who planted it is not signed in"


@pytest.mark.parametrize("address", CLOSED, ids=named)
def test_every_role_reaches_exactly_what_the_policy_allows(
    office: WebOffice, address: Address, dice: Random
) -> None:
    assert address.act is not None
    refused = [who for role, who in WHO.items() if role not in RIGHTS[address.act]]
    let_in = [who for who in WHO.values() if who not in refused]
    # Pages take their time: without a campaign one who may sees them, and two who may not try.
    for who in WHO.values() if CAMPAIGN else [*some(refused, 2, dice), *some(let_in, 1, dice)]:
        reaches(office, address, who)


def some(people: list[str], number: int, dice: Random) -> list[str]:
    return dice.sample(people, min(number, len(people)))


def reaches(office: WebOffice, address: Address, who: str) -> None:
    """They reach everything the address names, or are told why not, as the policy says."""
    assert address.act is not None
    for path in paths(address, office, who):
        browser = office.browser(who)
        before = office.told()
        allowed = _allowed(office, address, who, path)
        answer = browser.ask(path, address.method)
        denied = office.trail("was not allowed", before)
        if allowed is None:
            assert answer.status == 404, (path, answer.text)
        elif allowed:
            assert answer.status not in (401, 403, 404), (path, answer.text)
            assert answer.status < 500, answer.text
            assert not denied
        else:
            assert answer.status == 403, (path, answer.status)
            assert [(actor, told["act"]) for actor, _, told in denied] == [(who, address.act)]
            assert "Nothing was changed" in answer.text


def _allowed(office: WebOffice, address: Address, who: str, path: str) -> bool | None:
    """What the policy says, of the thing that the address itself loads; None when there is none."""
    with office.store.database.read() as connection:
        actor = next(u.actor for u in people.users(connection) if u.name == who)
    assert address.act is not None
    if address.loads is None:
        assert "{" not in address.path, "what a path names is loaded, so that it can be looked at"
        return bool(may(actor, address.act))
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", address.path)
    match = re.fullmatch(pattern, path)
    assert match
    try:
        thing = address.loads(_view(office, match.groupdict()))
    except Misconfigured:
        return None
    return bool(may(actor, address.act, thing))


def _view(office: WebOffice, parts: dict[str, str]) -> View:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "path_params": parts}
    return View(office.site, office.desk("eve"), Request(scope))


@pytest.mark.parametrize("address", [a for a in CLOSED if "{" in a.path], ids=named)
def test_what_does_not_exist_is_not_there_for_anybody(office: WebOffice, address: Address) -> None:
    assert address.loads is not None
    strange = re.sub(r"\{\w+\}", "nothing-of-ours", address.path)
    for who in WHO.values():
        answer = office.browser(who).ask(strange, address.method)
        assert answer.status == 404, answer.text
    known = {name for part in re.findall(r"\{(\w+)", address.path) for name in [part]}
    assert known <= set(PARTS), "tests/support/web_office.py makes one of each kind"


FORGED: list[dict[str, str]] = [
    {}, {"origin": "https://evil.example"}, {"origin": "null"},
    {"origin": ORIGIN + ".evil.example"},
    {"origin": ORIGIN, "sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
]  # fmt: skip


@pytest.mark.parametrize("address", CHANGING, ids=named)
def test_a_form_of_another_site_changes_nothing(
    office: WebOffice, address: Address, dice: Random
) -> None:
    for who in ("", "eve"):
        browser = office.browser(who)
        path = paths(address, office, who)[0]
        form = {"csrf": "0" * 64, "name": "mallory", "roles": "admin"}
        for headers in FORGED if CAMPAIGN else [{}, dice.choice(FORGED)]:
            answer = browser.ask(path, address.method, form, headers)
            assert answer.status == 403, headers
            assert "did not come from a page of Tieout" in answer.text
            assert answer.header("set-cookie") == ""


def test_a_form_with_its_own_token_is_taken_from_a_browser_that_tells_nothing_else(
    office: WebOffice,
) -> None:
    dora = office.browser("dora")
    token = re.search(r'name="csrf" value="(\w{64})"', dora.ask("/me").text)
    assert token
    other = office.browser("dora")
    for browser, status in ((dora, 303), (other, 403)):
        answer = browser.ask("/sign-out", "POST", {"csrf": token[1]}, headers={})
        assert answer.status == status, "the token is of one session"


@pytest.mark.parametrize("address", [a for a in ADDRESSES if a.method in SAFE], ids=named)
def test_looking_changes_nothing_but_what_the_trail_tells(
    office: WebOffice, address: Address
) -> None:
    for path in paths(address, office, "eve"):
        browser = office.browser("eve")
        before = _rows(office)
        seen = {True: (200, 303), False: (403,), None: (404,)}[
            _allowed(office, address, "eve", path) if address.act else True
        ]
        if path.startswith("/login/"):
            seen = (403, 422)  # nobody else vouches for people of this office
        if path.endswith("/cancel"):
            seen = (*seen, 409)  # the run has ended
        assert browser.ask(path).status in seen
        assert browser.ask(path, "HEAD").status in seen
        assert _rows(office) == before


def _rows(office: WebOffice) -> dict[str, object]:
    """Every table but the trail, and when somebody was seen."""
    with sqlite3.connect(office.home / "tieout.sqlite") as database:
        names = [
            r[0] for r in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        return {
            name: database.execute(f'SELECT * FROM "{name}"').fetchall()
            for name in names if name != "audit"
        }  # fmt: skip


def test_every_act_is_of_the_policy_and_every_path_and_method_stands_there_once() -> None:
    assert {a.act for a in CLOSED} <= set(RIGHTS)
    spelled = [(a.method, re.sub(r"\{\w+\}", "{}", a.path)) for a in ADDRESSES]
    assert len(spelled) == len(set(spelled))
    assert {a.method for a in ADDRESSES} <= {"GET", "POST"}


OPEN = {"/login", "/login/elsewhere", "/login/back", "/setup", "/sign-out", "/appearance"}


def test_only_what_must_be_open_is_open_to_everybody() -> None:
    assert {a.path for a in ADDRESSES if a.act is ANYBODY} == OPEN


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "X"])
def test_methods_that_the_table_does_not_name_do_nothing(office: WebOffice, method: str) -> None:
    for path in ("/", "/login", "/runs"):
        assert office.browser("eve").ask(path, method).status == 405
    assert office.browser("eve").ask("/nothing", method).status == 404
