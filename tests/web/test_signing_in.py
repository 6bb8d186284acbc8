"""Signing in at the page: sessions begin, are carried on and end, and nobody takes one over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from demo_home import Home, Served, cookies_of

COOKIE = "tieout_session"


@pytest.fixture(scope="module")
def served(shared: Home) -> Iterator[Served]:
    with shared.served() as found:
        yield found


def test_who_is_not_signed_in_is_shown_the_page_of_signing_in(served: Served) -> None:
    status, headers, _ = served.ask("/")
    assert (status, headers["location"]) == (303, "/login")
    status, _, page = served.ask("/login")
    assert status == 200
    assert "Practice data" in page
    assert 'autocomplete="current-password"' in page


def test_a_wrong_password_does_not_tell_whether_there_is_such_a_user(served: Served) -> None:
    told = set()
    for name in ("pat", "nobody-at-all"):
        form = {"name": name, "password": "some other words"}
        status, headers, page = served.ask("/login", "POST", {"Origin": served.url}, form)
        assert status == 403
        assert "set-cookie" not in headers or not headers["set-cookie"]
        told.add(page.replace(f'value="{name}"', ""))
    assert len(told) == 1
    assert "The name or the password is wrong." in told.pop()


def test_a_session_that_was_signed_out_is_not_taken_again(served: Served) -> None:
    ana = served.signed_in("ana")
    assert ana.ask("/")[0] == 200
    status, headers, _ = ana.ask("/sign-out", "POST", form={})
    assert (status, headers["location"]) == (303, "/login")
    assert cookies_of(headers)[COOKIE] in ("", '""')
    assert ana.ask("/")[0] == 303, "the old cookie opens nothing"


def test_a_cookie_that_somebody_planted_is_not_the_one_of_the_session(served: Served) -> None:
    planted = {"Cookie": f"{COOKIE}=session_planted", "Origin": served.url}
    form = {"name": "audra", "password": served.password}
    status, headers, _ = served.ask("/login", "POST", planted, form)
    assert status == 303
    assert cookies_of(headers)[COOKIE] != "session_planted"
    assert served.ask("/", headers={"Cookie": f"{COOKIE}=session_planted"})[0] == 303
    line = next(li for li in headers["set-cookie"].splitlines() if li.startswith(COOKIE))
    assert "HttpOnly" in line
    assert "SameSite=lax" in line
    assert "Path=/" in line
