"""Where the pages are reached: never in the clear from another machine."""

from __future__ import annotations

import json
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import certificate
from demo_home import Home
from desks import Watch
from web_office import Browser, WebOffice

from tieout.errors import Misconfigured
from tieout.store import tries
from tieout.web.door import Door
from tieout.web.rates import AT_ONCE_REQUESTS_MAX, REQUESTS_A_SECOND

PROXY = "10.0.0.2"


@pytest.mark.parametrize("address", ["0.0.0.0", "10.0.0.7", "::", "192.168.1.1"])
def test_passwords_never_cross_a_network_in_the_clear(address: str) -> None:
    with pytest.raises(Misconfigured, match="in the clear") as refusal:
        Door(7070, address).check()
    assert "--certificate" in refusal.value.do
    Door(7070, address, proxies=[PROXY]).check()
    Door(7070, "127.0.0.1").check()
    Door(7070, "::1").check()


def test_a_door_that_cannot_be_meant_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    for door, words in (
        (Door(7070, "localhost"), "no address"),
        (Door(7070, proxies=["proxy.example"]), "no address"),
        (Door(7070, certificate=tmp_path / "none.pem"), "cannot be read"),
        (Door(7070, certificate=tmp_path / "missing.pem"), "cannot be read"),
        (Door(7070, certificate=certificate(tmp_path), proxies=[PROXY]), "both TLS"),
    ):
        with pytest.raises(Misconfigured, match=words):
            door.check()


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[WebOffice]:
    """Pages behind a proxy."""
    office = WebOffice(
        tmp_path / "home", secure=True, proxies=frozenset({PROXY}), clock=Watch(),
        names=frozenset({"tieout.example"}),
    )  # fmt: skip
    office.people()
    yield office
    office.close()


def test_behind_a_proxy_only_the_proxy_is_answered_and_only_over_tls(behind: WebOffice) -> None:
    over_tls = {"x-forwarded-proto": "https", "x-forwarded-for": "198.51.100.7"}
    proxy = Browser(behind.app, host="tieout.example", address=PROXY)
    assert proxy.ask("/login", headers=over_tls).status == 200
    assert proxy.ask("/login").status == 421
    assert proxy.ask("/login", headers=over_tls | {"x-forwarded-proto": "http"}).status == 421
    other = Browser(behind.app, host="tieout.example", address="10.0.0.3")
    assert other.ask("/login", headers=over_tls).status == 421


def test_the_address_of_a_person_is_the_one_that_the_proxy_saw(behind: WebOffice) -> None:
    behind.with_password("dora")
    headers = {
        "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.1, 198.51.100.7",
        "origin": "https://tieout.example",
    }  # fmt: skip
    proxy = Browser(behind.app, host="tieout.example", address=PROXY)
    form = {"name": "dora", "password": "wrong wrong wrong"}
    assert proxy.ask("/login", "POST", form, headers).status == 403
    [(_, name, told)] = behind.trail("sign-in refused")
    assert (name, told["from"]) == ("dora", "198.51.100.7"), "what stands before anybody can claim"


OVER_TLS = {"x-forwarded-proto": "https", "origin": "https://tieout.example"}


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        # As HAProxy does: what it saw stands in a line of its own, behind one that was sent.
        ({"X-Forwarded-For": "203.0.113.1", "x-forwarded-for": "198.51.100.7"}, "198.51.100.7"),
        # As Azure does: with the port.
        ({"x-forwarded-for": "203.0.113.1, 198.51.100.7:50123"}, "198.51.100.7"),
        ({"x-forwarded-for": "[2001:db8:1:2::7]:50123"}, "2001:db8:1:2::7"),
        ({"x-forwarded-for": "2001:DB8:1:2::7"}, "2001:db8:1:2::7"),
        ({"x-forwarded-for": "unknown"}, ""), ({}, ""),
    ],
)  # fmt: skip
def test_nobody_claims_the_address_of_another_in_any_way_of_writing_it(
    behind: WebOffice, lines: dict[str, str], seen: str
) -> None:
    behind.with_password("dora")
    proxy = Browser(behind.app, host="tieout.example", address=PROXY)
    form = {"name": "dora", "password": "wrong wrong wrong"}
    assert proxy.ask("/login", "POST", form, OVER_TLS | lines).status == 403
    assert [told["from"] for _, _, told in behind.trail("sign-in refused")] == [seen]
    cleartext = {"X-Forwarded-Proto": "https", "x-forwarded-proto": "http"}
    assert proxy.ask("/login", headers=lines | cleartext).status == 421


def test_who_has_many_addresses_of_one_network_has_no_more_tries(behind: WebOffice) -> None:
    behind.with_password("dora")
    form = {"name": "dora", "password": "wrong wrong wrong"}

    def guess(address: str) -> int:
        proxy = Browser(behind.app, host="tieout.example", address=PROXY)
        return proxy.ask("/login", "POST", form, OVER_TLS | {"x-forwarded-for": address}).status

    statuses = [guess(f"2001:db8:1:2::{n}") for n in range(6)]
    assert statuses == [403] * 5 + [429]
    assert guess("2001:db8:1:3::1") == 403, "another network"
    assert [tries.household(a) for a in ("::ffff:10.0.0.9", "10.0.0.9", "", "here")] == [
        "10.0.0.9", "10.0.0.9", "", "here",
    ]  # fmt: skip


def test_pages_are_reached_under_an_address_of_ipv6_too(tmp_path: Path) -> None:
    office = WebOffice(tmp_path / "home", names=Door(7070, "::1").known_names)
    for host, status in (("[::1]:7070", 200), ("[::1]", 200), ("[::2]:7070", 421), ("[", 421)):
        assert Browser(office.app, host=host).ask("/setup").status == status, host
    office.close()


def test_an_address_that_asks_too_often_has_to_wait_and_no_other(behind: WebOffice) -> None:
    def ask(address: str) -> int:
        headers = {"x-forwarded-proto": "https", "x-forwarded-for": address}
        proxy = Browser(behind.app, host="tieout.example", address=PROXY)
        return proxy.ask("/static/none.css", headers=headers).status

    statuses = [ask("198.51.100.7") for _ in range(AT_ONCE_REQUESTS_MAX + 40)]
    assert statuses.count(404) >= AT_ONCE_REQUESTS_MAX
    assert statuses[-1] == 429
    assert ask("198.51.100.8") == 404
    behind.site.clock.sleep(2 / REQUESTS_A_SECOND)
    assert ask("198.51.100.7") == 404


def test_the_pages_are_served_over_tls_with_a_certificate_of_ones_own(
    tmp_path: Path,
) -> None:
    home, pem = Home(tmp_path / "home"), certificate(tmp_path)
    assert home.run("init").code == 0
    process = home.start("serve", "--port", "0", "--certificate", str(pem))
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "https://127.0.0.1:" in line, line + process.stderr.read()
        code = process.stderr.readline()
        assert "There is no user yet" in code
        trusting = ssl.create_default_context(cafile=str(pem))
        url = line.split()[2] + "healthz"
        with urllib.request.urlopen(url, context=trusting, timeout=30) as answer:
            assert json.load(answer)["ok"] is True
            assert answer.headers["Strict-Transport-Security"]
    finally:
        process.terminate()
        process.communicate(timeout=60)
