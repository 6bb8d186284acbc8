"""Sessions, passwords and the first start, asked within this process on either database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prepared_batches import journal, prepare
from web_office import PARTS, PASSWORD, Browser, WebOffice

from tieout.core.policy import ADMIN
from tieout.errors import NotAllowed
from tieout.store import sessions, tries
from tieout.verbs import approving, people, signing_in

COOKIE = "tieout_session"
RIGHT, WRONG = {"password": PASSWORD}, {"password": "four other long words"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WebOffice]:
    """Pages of an instance without users."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    found = WebOffice(tmp_path / "home", url)
    yield found
    found.close()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[WebOffice]:
    found = WebOffice(tmp_path / "home")
    found.people()
    yield found
    found.close()


def test_the_first_start_makes_an_administrator_with_the_code_of_the_terminal(
    empty: WebOffice,
) -> None:
    browser = empty.browser()
    assert browser.ask("/").header("location") == "/login"
    assert browser.ask("/login").header("location") == "/setup"
    form = {"name": "Eve", "password": PASSWORD, "again": PASSWORD}
    wrong = browser.send("/setup", code="aaaa-bbbb-cccc-dddd", **form)
    assert wrong.status == 403
    assert "Read it from the terminal" in wrong.text
    code = empty.site.first_start.code
    assert browser.send("/setup", code=code, **form | {"again": "another"}).status == 422
    assert browser.send("/setup", code=code, **form | {"name": "ow ner"}).status == 422
    made = browser.send("/setup", code=f" {code.upper()} ", **form)
    assert (made.status, made.header("location")) == (303, "/")
    assert browser.ask("/").status == 200
    assert empty.trail("added user") == [("owner", "eve", {"roles": [ADMIN]})]
    assert [who for who, _, _ in empty.trail("signed in")] == ["eve"]
    again = Browser(empty.app).send("/setup", code=code, **form | {"name": "mallory"})
    assert again.header("location") == "/login", "there is a first start once"
    assert len(empty.trail("added user")) == 1


def test_many_first_starts_at_once_make_one_administrator(empty: WebOffice) -> None:
    code = empty.site.first_start.code
    form = {"code": code, "password": PASSWORD, "again": PASSWORD}

    def start(number: int) -> int:
        return Browser(empty.app).send("/setup", name=f"eve{number}", **form).status

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(start, range(4)))
    assert len(empty.trail("added user")) == 1
    assert 500 not in statuses, "who comes too late is told so, or to try again"


def test_a_wrong_code_given_too_often_closes_the_first_start(empty: WebOffice) -> None:
    form = {"name": "eve", "password": PASSWORD, "again": PASSWORD}
    for _ in range(21):
        assert empty.browser().send("/setup", code="no", **form).status == 403
    closed = empty.browser().send("/setup", code=empty.site.first_start.code, **form)
    assert "start that again first" in closed.text
    assert empty.trail("added user") == []


def test_every_sign_in_has_a_new_session_and_ends_the_one_before(office: WebOffice) -> None:
    office.with_password("dora")
    browser = office.browser()
    browser.send("/login", name="dora", **RIGHT)
    first = browser.cookies[COOKIE]
    browser.send("/login", name="dora", **RIGHT)
    assert browser.cookies[COOKIE] != first
    stolen = Browser(office.app, {COOKIE: first})
    assert stolen.ask("/").status == 303, "the session before has ended"
    assert browser.ask("/").status == 200


def test_a_session_ends_when_nobody_used_it_for_an_hour(office: WebOffice) -> None:
    dora = office.browser("dora")
    for _ in range(3):
        office.clock.sleep(sessions.IDLE_MINUTES_MAX * 60 - 30)
        assert dora.ask("/").status == 200, "who goes on working stays signed in"
    office.clock.sleep(sessions.IDLE_MINUTES_MAX * 60 + 30)
    assert dora.ask("/").status == 303


def test_a_page_that_follows_a_run_keeps_nobody_signed_in_who_left_the_desk(
    office: WebOffice,
) -> None:
    [run] = PARTS["run"](office, "")[1:]
    dora = office.browser("dora")
    for _ in range(3):
        live = dora.ask(f"/runs/{run}/live", headers={"accept": "text/event-stream"})
        assert live.status == 200
        office.clock.sleep(sessions.IDLE_MINUTES_MAX * 60 / 3 + 10)
    assert dora.ask("/").status == 303


def test_an_office_behind_one_address_signs_in_without_waiting_and_guesses_no_more_for_it(
    office: WebOffice,
) -> None:
    office.with_password("dora")
    place, at = signing_in.Place("10.0.0.9"), office.clock.now()
    with office.store.begin() as connection:
        for _ in range(tries.FREE_TRIES_OF_AN_ADDRESS - 1):
            tries.count(connection, "at 10.0.0.9", 99, at)
    for _ in range(3):
        signing_in.sign_in(office.owner, "dora", PASSWORD, place)
    with pytest.raises(NotAllowed):
        signing_in.sign_in(office.owner, "guess", PASSWORD, place)
    with pytest.raises(tries.TooManyTries):
        signing_in.sign_in(office.owner, "another", PASSWORD, place)


def test_a_session_ends_after_a_working_day_however_often_it_is_used(office: WebOffice) -> None:
    dora = office.browser("dora")
    for _ in range(sessions.HOURS_MAX * 2 - 1):
        office.clock.sleep(1800)
        assert dora.ask("/me").status == 200
    office.clock.sleep(1800)
    assert dora.ask("/me").status == 303


def test_who_leaves_or_is_signed_out_by_an_administrator_is_out_at_once(office: WebOffice) -> None:
    dora, carla, eve = (office.browser(name) for name in ("dora", "carla", "eve"))
    assert eve.send("/settings/people/dora/sessions/end").status == 303
    assert dora.ask("/").status == 303
    assert eve.send("/settings/people/carla/close").status == 303
    assert carla.ask("/").status == 303
    office.with_password("carla")
    assert office.browser().send("/login", name="carla", **RIGHT).status == 403
    assert office.trail("closed user") == [("eve", "carla", {"sessions": 1})]


def test_the_last_administrator_can_neither_leave_nor_lose_the_role(office: WebOffice) -> None:
    eve = office.browser("eve")
    for path, form in (("close", {}), ("roles", {"roles": ["viewer"]})):
        answer = eve.send(f"/settings/people/eve/{path}", **form)
        assert answer.status == 409
        assert "the only administrator" in answer.text
    assert eve.send("/settings/people/anna/roles", roles=["operator", "admin"]).status == 303
    assert eve.send("/settings/people/eve/close").status == 303


def test_a_password_that_another_set_opens_only_the_page_that_changes_it(office: WebOffice) -> None:
    eve, max_ = office.browser("eve"), office.browser()
    added = eve.send("/settings/people", name="max", roles=["approver"])
    given = re.search(r"<code>(\w{4}-\w{4}-\w{4}-\w{4})</code>", added.text)
    assert given
    signed_in = max_.send("/login", name="max", password=given[1])
    assert signed_in.header("location") == "/password"
    for path in ("/", "/runs", "/me", "/settings/people"):
        assert max_.ask(path).header("location") == "/password"
    form = {"old": given[1], "password": PASSWORD, "again": PASSWORD}
    assert max_.send("/password", **form | {"old": "something else entirely"}).status == 422
    assert max_.send("/password", **form | {"password": "short", "again": "short"}).status == 422
    assert max_.send("/password", **form).header("location") == "/"
    assert max_.ask("/").status == 200
    assert "eve has set your password" in max_.ask("/me").text
    assert office.browser().send("/login", name="max", password=given[1]).status == 403


def test_the_sixth_wrong_password_has_to_wait_and_the_right_one_too(office: WebOffice) -> None:
    office.with_password("eve")
    mallory = office.browser(address="10.0.0.9")
    statuses = [mallory.send("/login", name="eve", **WRONG).status for _ in range(6)]
    assert statuses == [403] * 5 + [429]
    waiting = mallory.send("/login", name="eve", **RIGHT)
    assert (waiting.status, waiting.header("retry-after")) == (429, "1")
    assert "the next one is possible in 1 second" in waiting.text
    office.clock.sleep(2)
    assert mallory.send("/login", name="eve", **WRONG).status == 403
    told = mallory.send("/login", name="eve", **WRONG)
    assert told.header("retry-after") == "2", "it takes longer each time"


def test_nobody_shuts_the_administrator_out(office: WebOffice) -> None:
    office.with_password("eve")
    eve = office.browser()
    assert eve.send("/login", name="eve", **RIGHT).status == 303
    mallory = office.browser()  # from the same address, as behind one proxy
    for _ in range(9):
        mallory.send("/login", name="eve", **WRONG)
    assert mallory.send("/login", name="eve", **WRONG).status == 429
    assert office.browser(address="10.0.0.7").send("/login", name="eve", **RIGHT).status == 303
    del eve.cookies[COOKIE]
    assert eve.send("/login", name="eve", **RIGHT).status == 303, "her browser is known"


def test_many_wrong_passwords_at_once_are_not_each_the_first(office: WebOffice) -> None:
    office.with_password("eve")

    def guess(_: int) -> int:
        return office.browser(address="10.0.0.9").send("/login", name="eve", **WRONG).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(guess, range(12)))
    assert statuses.count(403) <= tries.FREE_TRIES
    assert 429 in statuses


def test_an_address_that_tries_many_names_has_to_wait_as_well(office: WebOffice) -> None:
    with office.store.begin() as connection:
        for _ in range(tries.FREE_TRIES_OF_AN_ADDRESS):
            tries.count(connection, "at 10.0.0.9", 99, office.clock.now())
    answer = office.browser(address="10.0.0.9").send("/login", name="another", **WRONG)
    assert answer.status == 429


def test_an_approver_whose_password_the_preparer_set_cannot_approve_for_them(
    office: WebOffice,
) -> None:
    office.with_password("ben", handed_by="anna")
    browser = office.browser()
    browser.send("/login", name="ben", **RIGHT)
    with office.store.database.read() as connection:
        actor = sessions.holder(connection, browser.cookies[COOKIE], office.clock.now())
    assert actor is not None
    assert actor.handed_by == "anna"


def test_people_that_a_preparer_made_up_cannot_approve_for_them(office: WebOffice) -> None:
    eve = office.browser("eve")
    eve.send("/settings/people/eve/roles", roles=["operator", "admin"])
    puppet = _made_up(office, eve, "zoe", "admin")
    second = _made_up(office, puppet, "max", "approver")
    third = people.make_token(
        office.site.instance.acting_with(puppet.cookies[COOKIE]), user="carla", scopes=(), days=9,
        what_for="x",
    )["secret"]  # fmt: skip
    batch = prepare(office.store, journal("J1"), by="eve")
    told = second.send(f"/approvals/{batch.id}/approve", digest=batch.digest)
    assert told.status == 403
    assert "eve prepared" in told.text
    assert "zoe and eve have set your password" in " ".join(second.ask("/me").text.split())
    with pytest.raises(NotAllowed, match="eve prepared"):
        approving.approve(office.site.instance.acting_with(third), batch.id, batch.digest)
    assert approving.approval(office.desk("ben"), batch.id)["state"] == "prepared"


def _made_up(office: WebOffice, by: Browser, name: str, role: str) -> Browser:
    """A browser where somebody sits who was added by who sits at another."""
    given = re.search(
        r"<code>(\w{4}-\w{4}-\w{4}-\w{4})</code>",
        by.send("/settings/people", name=name, roles=[role]).text,
    )
    assert given
    found = office.browser()
    found.send("/login", name=name, password=given[1])
    form = {"old": given[1], "password": PASSWORD, "again": PASSWORD}
    assert found.send("/password", **form).header("location") == "/"
    return found


def test_a_session_is_no_token_and_a_token_is_no_session(office: WebOffice) -> None:
    session = office.browser("eve").cookies[COOKIE]
    as_token = Browser(office.app).ask("/", headers={"authorization": f"Bearer {session}"})
    assert as_token.status == 303
    assert Browser(office.app, {COOKIE: office.secrets["eve"]}).ask("/").status == 303


def test_over_tls_the_cookie_is_of_this_host_alone(tmp_path: Path) -> None:
    office = WebOffice(tmp_path / "home", secure=True, names=frozenset({"tieout.example"}))
    office.people()
    office.with_password("dora")
    browser = Browser(office.app, host="tieout.example")
    form = {"name": "dora", **RIGHT}
    plain = browser.ask("/login", "POST", form, {"origin": "http://tieout.example"})
    assert plain.status == 403, "a page without TLS is another one"
    answer = browser.ask("/login", "POST", form, {"origin": "https://tieout.example"})
    assert answer.status == 303
    lines = [value for name, value in answer.headers if name == "set-cookie"]
    assert [line.split("=")[0] for line in lines] == [
        "__Host-tieout_session",
        "__Host-tieout_known",
    ]
    assert all("Secure" in line and "Path=/" in line and "Domain" not in line for line in lines)
    assert answer.header("strict-transport-security").startswith("max-age=")
    assert browser.ask("/").status == 200
    assert Browser(office.app, {COOKIE: browser.cookies["__Host-tieout_session"]},
                   host="tieout.example").ask("/").status == 303  # fmt: skip
    office.close()


def test_a_review_of_who_may_what_is_signed_and_kept(office: WebOffice) -> None:
    finn = office.browser("finn")
    assert finn.send("/settings/people/review", note="all is well").status == 303
    assert "finn has looked at 6 users" in finn.ask("/settings/people").text
    [(who, _, told)] = office.trail("signed access review")
    assert who == "finn"
    assert {"name": "ben", "roles": ["approver"]} in told["users"]


def test_nobody_is_led_to_another_site_after_signing_in(office: WebOffice) -> None:
    office.with_password("dora")
    for wanted in ("//evil.example", "/\\evil.example", "https://evil.example", "javascript:1"):
        answer = office.browser().send("/login", name="dora", next=wanted, **RIGHT)
        assert answer.header("location") == "/"


def test_after_signing_in_one_is_where_one_wanted_to_be(office: WebOffice) -> None:
    office.with_password("dora")
    browser = office.browser()
    asked = browser.ask("/runs?flow=actuals")
    assert asked.header("location") == "/login?next=%2Fruns%3Fflow%3Dactuals"
    form = browser.ask(asked.header("location")).text
    hidden = re.search(r'name="next" value="([^"]*)"', form)
    assert hidden
    answer = browser.send("/login", name="dora", next=hidden[1], **RIGHT)
    assert answer.header("location") == "/runs?flow=actuals"


def test_an_error_is_told_within_the_menu_to_who_is_signed_in_and_to_nobody_else(
    office: WebOffice,
) -> None:
    html = {"accept": "text/html"}
    for path, status in (("/nothing", 404), ("/runs/none", 404), ("/settings/keys", 403)):
        seen = office.browser("dora").ask(path, headers=html)
        assert seen.status == status
        assert 'aria-label="Main"' in seen.text, path
        assert "/sign-out" in seen.text
    put = office.browser("dora").ask("/runs", "PUT", headers=html)
    assert (put.status, 'aria-label="Main"' in put.text) == (405, True)
    nobody = office.browser().ask("/nothing", headers=html)
    assert (nobody.status, 'aria-label="Main"' in nobody.text) == (404, False)
    (office.home / "tieout.sqlite").rename(office.home / "away")
    away = office.browser()
    away.cookies = {COOKIE: "session_x"}
    assert away.ask("/nothing", headers=html).status == 404, "without its database as well"
    (office.home / "away").rename(office.home / "tieout.sqlite")


def test_a_foreign_name_reads_nothing_even_when_signed_in(office: WebOffice) -> None:
    browser = office.browser("eve")
    for host in ("evil.example", "127.0.0.1.evil.example", "", "[::1]", "a b"):
        browser.host = host
        answer = browser.ask("/")
        assert answer.status == 421
        assert "eve" not in answer.text
