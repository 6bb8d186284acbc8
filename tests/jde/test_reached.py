"""Claims about AIS servers behind others: a certificate of ours, a proxy, a gateway, old tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from gateways import Gateway, Proxy
from jde_practice import PASSWORD, USER, fill

from tieout.certificates import pair_of
from tieout.clock import SystemClock
from tieout.errors import Misconfigured, Refused, Unavailable
from tieout.http import Http
from tieout.jde.client import Jde
from tieout.jde.credentials import Credentials
from tieout.jde.tables import ACCOUNT_LEDGER, COMPANIES
from tieout.outgoing import Allowed
from tieout.project import JdeConnection
from tieout.sim.authority import Authority, Signed, make_authority, server_context
from tieout.sim.box import Box, serve
from tieout.sim.clock import PracticeClock
from tieout.sim.jde.ledger import Ledger
from tieout.sim.jde.system import System
from tieout.through import Means, Through

Connect = Callable[..., Jde]


class Served:
    """A practice JD Edwards over TLS that asks for a certificate, and over plain HTTP."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.close = folder, ExitStack()
        ledger = Ledger(folder / "jde.sqlite")
        with ledger.transaction():
            fill(ledger)
        clock = PracticeClock()
        self.system = System(ledger, clock, {USER: PASSWORD})
        self.box = Box(self.system, clock)
        self.ours: Authority = make_authority()
        self.mine: Signed = self.ours.client("tieout")
        tls = server_context(self.ours.server(), folder, self.ours.pem)
        self.guarded, stop = serve(self.box, 0, control=False, tls=tls)
        self.close.callback(stop)
        self.plain, stop = serve(self.box, 0, control=False)
        self.close.callback(stop)
        (folder / "ca.pem").write_text(self.ours.pem)

    def connect(
        self, url: str, means: Means | None = None, password: str = PASSWORD, **keys: Any
    ) -> Jde:
        """A client of the product; what it opened is closed at the end."""
        allowed = [url, *([means.through.url] if means and means.through else [])]
        http = Http(
            f"{url}/jderest", system="JD Edwards", clock=SystemClock(), allowed=Allowed(allowed),
            allow_http=True, ca_file=str(self.folder / "ca.pem"), timeout_seconds=10, tries=2,
            means=means or Means(),
        )  # fmt: skip
        connection = JdeConnection(
            url=f"{url}/jderest", environment="JPD920", secret="s", allow_http=True, page_rows=3,
            **keys,
        )  # fmt: skip
        jde = Jde(http, connection, lambda: Credentials(USER, password), SystemClock())
        self.close.callback(jde.close)
        return jde

    def showing(self, signed: Signed, through: Through | None = None) -> Means:
        fields = {"certificate": signed.certificate, "private_key": signed.private_key}
        return Means(lambda: pair_of(fields), through)

    def paths(self) -> list[str]:
        return [entry["path"] for entry in self.box.control("log", {"clear": True})["log"]]


@pytest.fixture(scope="module")
def module_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    one = Served(tmp_path_factory.mktemp("ais"))
    with one.close:
        yield one


@pytest.fixture
def served(module_served: Served) -> Iterator[Served]:
    yield module_served
    module_served.system.switches.control({"reset": True})
    module_served.paths()


def rows(jde: Jde) -> int:
    return sum(frame.height for frame in jde.read(ACCOUNT_LEDGER, None, columns=["document"]))


# ------------------------------------------------------------------ a certificate of ours


def test_a_server_that_asks_for_a_certificate_is_shown_ours(served: Served) -> None:
    jde = served.connect(served.guarded, served.showing(served.mine))
    assert jde.read_whole(COMPANIES, None, columns=["company"]).height == 3
    with pytest.raises(Refused, match=r"(?i)certificate.required") as without:
        served.connect(served.guarded).sign_in()
    assert without.value.code == "client-certificate"


def test_a_certificate_that_the_server_does_not_trust_is_told_as_such(served: Served) -> None:
    strange = make_authority("Somebody else").client("tieout")
    with pytest.raises(Refused, match="does not accept our certificate") as caught:
        served.connect(served.guarded, served.showing(strange)).sign_in()
    assert caught.value.code == "client-certificate-refused"


def test_a_key_that_does_not_fit_is_told_before_anything_is_sent(served: Served) -> None:
    other = served.ours.client("other")
    wrong = Signed(served.mine.certificate, other.private_key)
    served.paths()
    with pytest.raises(Misconfigured, match="does not fit"):
        served.connect(served.guarded, served.showing(wrong)).sign_in()
    assert served.paths() == []


# ------------------------------------------------------------------ a proxy


@pytest.fixture
def proxy(served: Served) -> Iterator[Callable[..., Proxy]]:
    with ExitStack() as opened:

        def open_one(*arguments: str) -> Proxy:
            made = Proxy(*arguments)
            opened.callback(made.close)
            return made

        yield open_one


def through(proxy: Proxy, login: tuple[str, str] | None = None) -> Through:
    return Through(proxy.url, Allowed([proxy.url]), lambda: login)


def test_a_proxy_carries_tls_to_the_server_and_sees_no_word_of_it(
    served: Served, proxy: Callable[..., Proxy]
) -> None:
    one = proxy()
    jde = served.connect(served.guarded, served.showing(served.mine, through(one)))
    assert jde.read_whole(COMPANIES, None, columns=["company"]).height == 3
    assert set(one.asked) == {served.guarded.removeprefix("https://")}


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [("403 Forbidden", Refused, "proxy-refuses"), ("502 Bad Gateway", Unavailable, "proxy"),
     ("407 Who?", Refused, "proxy-login")],
)  # fmt: skip
def test_a_proxy_that_does_not_let_us_through_is_told_apart_from_the_server(
    served: Served, proxy: Callable[..., Proxy], status: str, kind: type[Exception], code: str
) -> None:
    one = proxy(status)
    with pytest.raises(kind) as caught:
        served.connect(served.guarded, served.showing(served.mine, through(one))).sign_in()
    assert caught.value.code == code  # type: ignore[attr-defined]  # each kind is a Trouble
    assert "proxy" in str(caught.value)


def test_a_proxy_that_asks_who_we_are_is_told(served: Served, proxy: Callable[..., Proxy]) -> None:
    one = proxy("", "tieout:canary")
    means = served.showing(served.mine, through(one, ("tieout", "canary")))
    assert served.connect(served.guarded, means).sign_in().user == USER
    with pytest.raises(Refused) as caught:
        served.connect(served.guarded, served.showing(served.mine, through(one))).sign_in()
    assert caught.value.code == "proxy-login"


def test_a_proxy_that_is_not_allowed_is_not_called(served: Served) -> None:
    means = Means(None, Through("http://127.0.0.1:9", Allowed([served.guarded])))
    with pytest.raises(Misconfigured, match="not in the list of allowed addresses"):
        served.connect(served.guarded, means).sign_in()


# ------------------------------------------------------------------ a gateway, old tools


def test_a_gateway_may_have_each_service_at_a_path_of_its_own(served: Served) -> None:
    places = {"/sessions/": "/jderest/", "/data/": "/jderest/"}
    gateway = Gateway(served.plain, places)
    try:
        prefixes = {"tokenrequest": "/sessions", "dataservice": "/data"}
        jde = served.connect(gateway.url, prefixes=prefixes)
        assert rows(jde) == 8
        jde.close()
        assert {path.partition("?")[0] for path in gateway.asked} == {
            "/sessions/v2/tokenrequest", "/data/v2/dataservice", "/data/v2/dataservice/next",
            "/sessions/v2/tokenrequest/logout",
        }  # fmt: skip
    finally:
        gateway.close()


def test_a_server_with_version_1_of_the_services_alone_is_read_by_key_and_signed_out(
    served: Served,
) -> None:
    served.system.switches.control({"name": "services", "value": "v1"})
    others = len(served.system.sessions)
    jde = served.connect(served.plain)
    assert rows(jde) == 8
    jde.close()
    paths = served.paths()
    assert paths[0] == "/jderest/v2/tokenrequest"
    assert set(paths[1:]) == {
        "/jderest/tokenrequest", "/jderest/dataservice", "/jderest/v2/tokenrequest/logout",
        "/jderest/tokenrequest/logout",
    }  # fmt: skip
    assert len(served.system.sessions) == others


def test_a_wrong_password_at_an_old_server_is_tried_once(served: Served) -> None:
    served.system.switches.control({"name": "services", "value": "v1"})
    jde = served.connect(served.plain, password="wrong")
    with pytest.raises(Refused, match="did not accept the user"):
        jde.sign_in()
    assert served.paths() == ["/jderest/v2/tokenrequest", "/jderest/tokenrequest"]
