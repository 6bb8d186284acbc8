"""Claims about addresses: only those that may be called are, and a mistake is told as one."""

from __future__ import annotations

import pytest

from tieout.clock import SystemClock
from tieout.errors import Misconfigured
from tieout.http import Http


@pytest.mark.parametrize("url", ["https://h:99999", "https://h:x", "https://[::1", "https://h\x01"])
def test_an_address_that_is_none_is_told_as_a_mistake_in_the_configuration(url: str) -> None:
    with pytest.raises(Misconfigured, match="The address of The peer"):
        Http(url, system="The peer", clock=SystemClock())


@pytest.mark.parametrize("pattern", ["anaplan.com", "https://*:99999x", "https://a/b", "ftp://a"])
def test_an_allowed_address_that_is_no_pattern_is_a_mistake_in_the_configuration(
    pattern: str,
) -> None:
    """Even where another pattern fits, so that nobody believes that it counts."""
    allow = ["https://api.anaplan.com", pattern]
    with pytest.raises(Misconfigured, match="allowed address"):
        Http("https://api.anaplan.com", system="The peer", clock=SystemClock(), allow=allow)


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("https://ais.example.com:9300", "https://*:*"),
        ("https://AIS.example.com:9300", "https://ais.Example.com:*"),
        ("https://[2001:db8::1]:9300", "https://[2001:db8::1]:9300"),
    ],
)
def test_an_allowed_address_may_leave_the_port_open(url: str, pattern: str) -> None:
    Http(url, system="The peer", clock=SystemClock(), allow=[pattern]).close()


def test_http_without_tls_is_refused_unless_allowed() -> None:
    with pytest.raises(Misconfigured, match="passwords in clear"):
        Http("http://erp.example.com", system="JD Edwards", clock=SystemClock())


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
        Http(url, system="The peer", clock=SystemClock(), allow=allow, allow_http=True).close()
        return
    with pytest.raises(Misconfigured):
        Http(url, system="The peer", clock=SystemClock(), allow=allow, allow_http=True)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.1.1]", "0.0.0.0"]
)
def test_link_local_addresses_are_never_used(host: str) -> None:
    with pytest.raises(Misconfigured, match="never used"):
        Http(f"https://{host}/x", system="The peer", clock=SystemClock())
