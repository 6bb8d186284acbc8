"""Claims about addresses: only those that may be called are, and a mistake is told as one."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from spellings import NAMES, spellings

from tieout.clock import SystemClock
from tieout.errors import Misconfigured, Unavailable
from tieout.http import Http
from tieout.outgoing import Allowed, Resolve, resolved


@pytest.mark.parametrize(
    "url",
    ["https://h:99999", "https://h:x", "https://[::1", "https://h\x01", "https://h:0", "http://h:"],
)
def test_an_address_that_is_none_is_told_as_a_mistake_in_the_configuration(url: str) -> None:
    with pytest.raises(Misconfigured, match="The address of The peer"):
        Http(url, system="The peer", clock=SystemClock(), allowed=Allowed(["https://*:*"]))


@pytest.mark.parametrize("pattern", ["anaplan.com", "https://*:99999x", "https://a/b", "ftp://a"])
def test_an_allowed_address_that_is_no_pattern_is_a_mistake_in_the_configuration(
    pattern: str,
) -> None:
    """Even where another pattern fits, so that nobody believes that it counts."""
    allow = ["https://api.anaplan.com", pattern]
    with pytest.raises(Misconfigured, match="allowed address"):
        Http(
            "https://api.anaplan.com",
            system="The peer",
            clock=SystemClock(),
            allowed=Allowed(allow),
        )


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("https://ais.example.com:9300", "https://*:*"),
        ("https://AIS.example.com:9300", "https://ais.Example.com:*"),
        ("https://[2001:db8::1]:9300", "https://[2001:DB8:0::1]:9300"),
    ],
)
def test_an_allowed_address_may_leave_the_port_open(url: str, pattern: str) -> None:
    Http(url, system="The peer", clock=SystemClock(), allowed=Allowed([pattern])).close()


def test_http_without_tls_is_refused_unless_allowed() -> None:
    allow = ["http://erp.example.com"]
    with pytest.raises(Misconfigured, match="passwords in clear"):
        Http(allow[0], system="JD Edwards", clock=SystemClock(), allowed=Allowed(allow))


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.anaplan.com/2/0", True),
        ("https://eu3.api.anaplan.com", True),
        ("https://ais.example.com:9300/jderest", True),
        ("https://ais.example.com/jderest", False),
        ("https://anaplan.com.evil.example", False),
        ("https://api.anaplan.com:8443", False),
        ("http://api.anaplan.com", False),
        ("https://api.anaplan.com@evil.example", False),
        ("https://evil.example?x=.anaplan.com", False),
        ("file:///etc/passwd", False),
        ("https:///x", False),
    ],
)
def test_only_addresses_of_the_allow_list_are_called(url: str, allowed: bool) -> None:
    allow = ["https://*.anaplan.com", "https://ais.example.com:9300"]
    if allowed:
        Http(
            url, system="The peer", clock=SystemClock(), allowed=Allowed(allow), allow_http=True
        ).close()
        return
    with pytest.raises(Misconfigured):
        Allowed(allow).checked(url, "The peer", True)


# ------------------------------------------------------------------ what is never called

EVERYTHING = ["https://*:*", "http://*:*", "https://*", "https://[*]:*"]


def asked_for(host: str, port: int) -> list[str]:
    """The test's name server; addresses are read as this machine reads them."""
    return NAMES.get(host.rstrip(".").lower()) or resolved(host, port)


def outcome(url: str, allow: list[str], resolve: Resolve = asked_for) -> str:
    """How a call ends: refused before anything was connected, or what came instead."""
    try:
        http = Http(
            url, system="The peer", clock=SystemClock(), allowed=Allowed(allow, resolve),
            allow_http=True, tries=1, timeout_seconds=1,
        )  # fmt: skip
        http.send("GET", "/x", repeatable=True)
    except Misconfigured:
        return "refused"
    except Unavailable as error:
        return error.sentence()
    return "answered"


def test_no_spelling_of_a_forbidden_address_is_called(
    record_property: Callable[[str, object], None],
) -> None:
    """Whatever the list allows by `*`; a door stands open on this machine and nobody comes."""
    hosts = spellings()
    assert len(hosts) >= 300
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        urls = [f"http://{host}:{port}/jderest" for host in hosts]
        called = {url: told for url in urls if (told := outcome(url, EVERYTHING)) != "refused"}
        assert called == {}
        record_property("spellings of forbidden addresses that were refused", len(set(hosts)))
        door.setblocking(False)
        with pytest.raises(BlockingIOError):
            door.accept()


@pytest.mark.parametrize("listed", ["http://127.0.0.1:{port}", "http://127.0.0.1:*"])
def test_an_address_of_this_machine_is_called_when_it_is_listed_by_itself(listed: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        allow = [listed.format(port=port)]
        for url in (f"http://127.0.0.1:{port}", f"http://ais.example:{port}"):
            listing = [*allow, f"http://ais.example:{port}"]
            assert "did not answer in time" in outcome(url, listing, lambda *_: ["127.0.0.1"])
            assert outcome(url.replace("http:", "https:"), listing) == "refused"
        assert outcome("http://127.0.0.1:1", [f"http://127.0.0.1:{port}"]) == "refused"


@pytest.mark.parametrize("address", ["224.0.0.1", "0.0.0.0", "::", "0.1.2.3", "ff02::1"])
def test_what_is_no_machine_is_not_called_even_when_listed(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    assert outcome(f"http://{host}:9", [f"http://{host}:9"]) == "refused"


def test_addresses_inside_a_company_are_called_like_others() -> None:
    for address in ("10.1.2.3", "192.168.7.7", "172.16.0.9", "fd12:3456::1", "2606:2800:21f::1"):
        found = Allowed(["https://ais.example.com:9300"], lambda *_, one=address: [one])
        origin, _, _ = found.checked("https://ais.example.com:9300/jderest", "The peer", False)
        assert found.addresses(origin) == [address]


def test_a_name_that_leads_elsewhere_the_second_time_is_not_followed() -> None:
    """The address that was checked is the one that is called: nothing asks again in between."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        allow = [f"http://ais.example:{port}", f"http://127.0.0.1:{port}"]
        told = outcome(f"http://ais.example:{port}", allow, lambda *_: next(answers))
        assert "did not answer in time" in told
        door.accept()[0].close()
    assert next(answers) == ["169.254.169.254"]


def test_an_empty_list_allows_nothing() -> None:
    with pytest.raises(Misconfigured, match="not in the list") as refused:
        Http("https://api.anaplan.com", system="Anaplan", clock=SystemClock(), allowed=Allowed([]))
    assert 'Add "https://api.anaplan.com:443" to [outgoing] allow' in refused.value.sentence()
