"""`tieout ping` of Anaplan on broken set-ups: the right rung and cause, and who can mend it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

import pytest
from certificates import certificate
from pinged import NAMED, Broken, Cause, assert_told, documented, made
from receivers import called
from sqlalchemy import select, update

from tieout.anaplan import consent
from tieout.errors import Misconfigured
from tieout.sim.anaplan.demo_model import EMAIL
from tieout.sim.authority import Authority, make_authority
from tieout.store.schema import app_secret
from tieout.verbs import consenting, practice, setting_up

ANAPLAN, TIEOUT, SERVER = "administrator of Anaplan", "administrator of Tieout", "server"
ME, SIGN_IN = "/users/me$", "/token/authenticate$"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
UNLOCK = {"do": "unlock_model"}
IMPORT = {"import": "Load GL Actuals"}


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    """An instance in good health."""
    found = made(tmp_path_factory.mktemp("ping") / "home")
    yield found
    found.books.close()


@pytest.fixture
def broken(well: Broken) -> Iterator[Broken]:
    yield well
    well.mend()


def page_behind_tls(b: Broken) -> None:
    b.move("sign-in", b.page(certificate(b.folder, days=400)))


@cache
def ours() -> Authority:
    return make_authority()


def signed(b: Broken, *, other_key: bool = False, registered: bool = False, **times: Any) -> None:
    """A certificate for the practice user, and its key or another one."""
    b.books.control("anaplan", "administer", do="trust_authority", pem=ours().pem)
    mine = ours().person(EMAIL, **times)
    key = ours().person(EMAIL).private_key if other_key else mine.private_key
    fields = {"certificate": mine.certificate, "private_key": key}
    b.certificate(fields, registered=registered)


HOLDER = "holds the certificate"
CAUSES = {
    "a certificate that is not registered": Cause(
        signed, "let in", "certificate-not-accepted", "did not accept the certificate CN=tieout",
        ANAPLAN),
    "a certificate that has ended": Cause(
        lambda b: signed(b, now=LONG_AGO, days=2), "let in", "certificate-expired",
        "ended on 2020-01-03", HOLDER),
    "a certificate that does not hold yet": Cause(
        lambda b: signed(b, begins_in=timedelta(days=3)), "let in", "certificate-not-yet-valid",
        "not yet", HOLDER),
    "a key of another certificate": Cause(
        lambda b: signed(b, other_key=True), "let in", "key-does-not-fit", "does not fit",
        HOLDER, exit_code=3),
    "a certificate that ends soon": Cause(
        lambda b: signed(b, days=20, registered=True), "let in", "certificate-ends-soon",
        "the certificate holds until", HOLDER, "notice"),
    "a consent that was taken back": Cause(
        lambda b: b.consent(used=True), "let in", "consent-ended", "has ended, or was taken back",
        "may consent"),
    "a consent whose renewal was lost": Cause(
        lambda b: (b.consent(), b.books.fault("anaplan", "cut_after", path="/oauth/token$")),
        "let in", "consent-lost", "with the next refresh token, was lost", "may consent"),
    "an OAuth client that Anaplan does not know": Cause(
        lambda b: b.consent(client="f" * 32), "let in", "consent-client", "unauthorized_client",
        ANAPLAN),
    "an OAuth host that is down": Cause(
        lambda b: (b.consent(), b.answered("anaplan", "/oauth/token$", 503)), "let in",
        "consent-in-doubt", "was lost, twice"),
    "a certificate that is none": Cause(
        lambda b: b.certificate({"certificate": "?", "private_key": "?"}), "let in",
        "certificate-unreadable", "cannot be read", HOLDER, exit_code=3),
    "a sign-in address that nobody knows": Cause(
        lambda b: b.move("sign-in", "http://auth..anaplan"), "name", "unknown-name",
        "auth..anaplan", TIEOUT, exit_code=3),
    "a sign-in address where nothing listens": Cause(
        lambda b: b.move("sign-in", "http://127.0.0.1:1"), "door", "closed", "port 1", SERVER),
    "a proxy that shows its own certificate": Cause(
        page_behind_tls, "lock", "unknown-authority", "signed by CN=practice", TIEOUT),
    "a page instead of the API": Cause(
        lambda b: b.move("anaplan", b.page()), "who is it", "html-page", "api_url", TIEOUT),
    "a page instead of the sign-in": Cause(
        lambda b: b.move("sign-in", b.page()), "who is it", "html-page", "auth_url", TIEOUT),
    "a path that the API does not have": Cause(
        lambda b: b.answered("anaplan", ME, 404, body="{}"), "who is it", "no-such-path", "404",
        TIEOUT),
    "a version that the API does not have": Cause(
        lambda b: b.change("/2/0", "/2/9"), "right place", "models-refused", "404", ANAPLAN),
    "JSON of something else": Cause(
        lambda b: b.answered("anaplan", ME, 200, body="{}"), "who is it", "not-anaplan",
        "not Anaplan", TIEOUT),
    "an Anaplan that fails": Cause(
        lambda b: b.answered("anaplan", ME, 500), "who is it", "failing", "500", ANAPLAN),
    "an Anaplan that is being maintained": Cause(
        lambda b: b.answered("anaplan", ME, 503), "who is it", "gateway", "503"),
    "a tenant whose requests are used up": Cause(
        lambda b: b.answered("anaplan", ME, 429), "who is it", "too-many-requests", "429"),
    "no credentials": Cause(
        lambda b: b.change('"secret://planning"', '"secret://nobody"'), "let in",
        "no-credentials", "No credentials", exit_code=3),
    "a wrong password": Cause(
        lambda b: b.password("planning", "anaplan"), "let in", "password", "did not accept",
        ANAPLAN),
    "a sign-in that fails": Cause(
        lambda b: b.answered("anaplan", SIGN_IN, 500), "let in", "sign-in-failed", "500", ANAPLAN),
    "a workspace that is not the user's": Cause(
        lambda b: b.change('"Finance"', '"Finances"'), "right place", "missing-workspace",
        "There are: 'Finance'", ANAPLAN, exit_code=3),
    "a model that is not there": Cause(
        lambda b: b.change('model = "FP&A 2026"', 'model = "FP&A 2027"'), "right place",
        "missing-model", "'FP&A 2026'", ANAPLAN, exit_code=3),
    "models that may not be seen": Cause(
        lambda b: b.answered("anaplan", "/models", 403), "right place", "models-refused", "403",
        ANAPLAN),
    "an archived model": Cause(
        lambda b: b.person("archive_model", UNLOCK), "right place", "model-archived",
        "is archived", ANAPLAN),
    "a locked model": Cause(
        lambda b: b.person("lock_model", UNLOCK), "right place", "model-locked", "is locked",
        ANAPLAN),
    "a model that is offline": Cause(
        lambda b: b.person("take_offline", UNLOCK), "right place", "model-offline", "is offline",
        ANAPLAN),
    "a state that nobody knows": Cause(
        lambda b: b.switch_anaplan("odd_enums", True, False), "right place", "unknown-state",
        "a state that is not known here", ANAPLAN, "notice"),
    "a list that is not there": Cause(
        lambda b: b.change('list = "GL Accounts"', 'list = "G/L Accounts"'), "may read",
        "missing-list", "'GL Accounts'", ANAPLAN, exit_code=3),
    "a view that is not there": Cause(
        lambda b: b.change('view = "GL Actuals"', 'view = "Actuals"'), "may read",
        "missing-view", "'Actuals'", ANAPLAN, exit_code=3),
    "a view that may not be read": Cause(
        lambda b: b.answered("anaplan", "/views/[0-9]+$", 404), "may read", "read-refused",
        "no access", ANAPLAN),
    "an import that was renamed": Cause(
        lambda b: b.person("rename_import", {"do": "rename_import", "import": "Old",
                                             "to": "Load GL Actuals"}, **IMPORT, to="Old"),
        "may act", "missing-import", "'Old'", ANAPLAN, exit_code=3),
    "a column that was renamed": Cause(
        lambda b: b.person("rename_column", {"do": "rename_column", **IMPORT, "column": "Value",
                                             "to": "Amount"}, **IMPORT, column="Amount",
                           to="Value"),
        "may act", "import-columns", "expects the columns Value", ANAPLAN, exit_code=3),
    "an export that is not there": Cause(
        lambda b: b.change('export = "Approved Plan"', 'export = "The Plan"'), "may act",
        "missing-export", "'Approved Plan'", ANAPLAN, exit_code=3),
    "a column of an export that is not there": Cause(
        lambda b: b.change('"Approver" = "approver"', '"Signed by" = "approver"'), "may act",
        "export-columns", "'Signed by'", ANAPLAN, exit_code=3),
    "an import that reads no file": Cause(
        lambda b: b.fault("anaplan", "replace", "/imports$", find='"importDataSourceId": ?"[0-9]+"',
                          body='"otherSource": "1"'),
        "may act", "no-file", "does not read a file", ANAPLAN, exit_code=3),
    "imports that may not be seen": Cause(
        lambda b: b.answered("anaplan", "/imports", 403), "may act", "act-refused", "403",
        ANAPLAN),
    "a tenant of which nothing is left to others": Cause(
        lambda b: None, "limits", "no-headroom", "None of them", TIEOUT, "notice"),
    "a workspace that is nearly full": Cause(
        lambda b: b.fault("anaplan", "replace", "/workspaces/[^/]+$", find='currentSize": ?[0-9]+',
                          body='currentSize": 1073000000'),
        "limits", "nearly-full", "1,073 of 1,073 MB", ANAPLAN, "notice"),
}  # fmt: skip


NETWORK = "network team"
PROXIED = {
    "a proxy that refuses Anaplan": Cause(
        lambda b: b.behind_proxy("403 Forbidden"), "lock", "proxy-refuses",
        "does not let us through to Anaplan (403 Forbidden)", NETWORK),
    "a proxy that asks who we are": Cause(
        lambda b: b.behind_proxy(login="somebody:else"), "lock", "proxy-login", "asks who we are",
        NETWORK),
    "a proxy that does not reach Anaplan": Cause(
        lambda b: b.behind_proxy("502 Bad Gateway"), "lock", "proxy",
        "does not reach Anaplan (502 Bad Gateway)", NETWORK),
    "a proxy that is away": Cause(
        lambda b: b.behind_proxy(down=True), "door", "closed",
        "The machine of the proxy is there, but nothing listens", SERVER),
    "a proxy that is not allowed": Cause(
        lambda b: b.behind_proxy(unlisted=True), "name", "address",
        "The address of the proxy (http://127.0.0.1:", TIEOUT, exit_code=3),
    "a certificate of nobody we know, behind a proxy": Cause(
        lambda b: (b.behind_proxy(), b.change(f'ca_file = "{b.folder / "ca.pem"}"\n', "")), "lock",
        "unknown-authority", "signed by CN=Tieout practice authority", TIEOUT),
}  # fmt: skip


@pytest.mark.parametrize("name", PROXIED)
def test_what_a_proxy_before_anaplan_does_is_told_at_its_rung(
    broken: Broken, name: str, record_property: Callable[[str, object], None]
) -> None:
    assert_told(broken, "planning", PROXIED[name])
    record_property(NAMED, 1)


def test_the_rungs_of_anaplan_name_the_proxy_and_nothing_goes_past_it(broken: Broken) -> None:
    proxy = broken.behind_proxy(login="proxy user:proxy word")
    right = practice.credentials(broken.books.home)["anaplan"]
    login = {"proxy_username": "proxy user", "proxy_password": "proxy word"}
    setting_up.connect(broken.books.instance, "planning", right | login)
    with called() as heard:
        found = broken.ping("planning")
    assert found["ok"], found
    rungs = {rung["rung"]: rung["what"] for rung in found["rungs"]}
    assert "That proxy is asked for 127.0.0.1" in rungs["name"]
    assert "The proxy at 127.0.0.1 answers on port" in rungs["door"]
    assert "through the proxy 127.0.0.1" in rungs["lock"]
    port = int(proxy.url.rpartition(":")[2])
    assert {where for event, where in heard if event == "socket.connect"} == {("127.0.0.1", port)}
    assert "proxy word" not in str(found)


def test_the_address_that_a_test_tells_is_the_one_it_calls(broken: Broken) -> None:
    """Nobody asks the name server again in between: it could say something else by then."""
    found = broken.books.systems.addresses["jde"]
    broken.move("jde", found.replace("127.0.0.1", "localhost") + "/jderest")
    with called() as heard:
        assert broken.ping("erp")["ok"]
    asked = [where for event, where in heard if event == "socket.getaddrinfo"]
    assert asked.count("localhost") == 1
    assert any(event == "socket.connect" for event, _ in heard)


@pytest.mark.parametrize("name", CAUSES)
def test_what_fails_at_anaplan_is_told_at_its_rung(
    broken: Broken, name: str, record_property: Callable[[str, object], None]
) -> None:
    broken.books.requests("anaplan")
    assert_told(broken, "planning", CAUSES[name])
    record_property(NAMED, 1)
    asked = broken.books.requests("anaplan")
    sign_ins = [r for r in asked if r["path"].endswith("/token/authenticate")]
    formats = 2 if CAUSES[name].code == "certificate-not-accepted" else 1  # v2, then v1
    assert len(sign_ins) <= formats, "an account would be locked by more"
    assert [r for r in asked if r["path"].endswith("/tasks")] == [], "nothing is run by a test"


def test_a_model_that_holds_has_every_rung_and_the_token_is_ended(broken: Broken) -> None:
    broken.books.requests("anaplan")
    found = broken.ping("planning")
    assert [r["state"] for r in found["rungs"]].count("good") == 7
    assert (found["ok"], found["exit_code"]) == (True, 0)
    paths = [r["path"] for r in broken.books.requests("anaplan")]
    assert paths[-1] == "/token/logout"


def test_a_registered_certificate_is_let_in(broken: Broken) -> None:
    signed(broken, registered=True)
    assert broken.ping("planning")["ok"]


def test_a_process_killed_between_the_answer_and_its_storing_is_told_of(broken: Broken) -> None:
    broken.consent()
    home = broken.books.home
    command = [sys.executable, "-m", "tieout", "--home", str(home), "ping", "planning"]
    killed = {**os.environ, "TIEOUT_KILL_AT": "consent:received"}
    died = subprocess.run(command, env=killed, capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL
    name = broken.books.store.database
    with name.read() as connection:
        (by,) = connection.execute(select(app_secret.c.renewal_by)
                                   .where(app_secret.c.name == "planning")).one()  # fmt: skip
    assert by, "that a renewal had begun was noted before it was asked for"
    with name.begin() as connection:  # the five minutes that somebody alive would have
        long_ago = broken.books.instance.clock.now() - timedelta(minutes=6)
        connection.execute(update(app_secret).where(app_secret.c.name == "planning")
                           .values(renewal_at=long_ago))  # fmt: skip
    (found,) = [r for r in broken.ping("planning")["rungs"] if r["rung"] == "let in"]
    assert found["code"] == "consent-lost"
    assert f"{long_ago:%Y-%m-%d %H:%M}" in found["what"]


def test_a_consent_lets_in_and_the_next_refresh_token_is_kept(broken: Broken) -> None:
    broken.consent()
    before = broken.books.store.safe.opened("planning")["refresh_token"]
    assert broken.ping("planning")["ok"]
    assert broken.books.store.safe.opened("planning")["refresh_token"] != before


def test_a_code_is_shown_and_the_consent_sealed_when_it_is_confirmed(broken: Broken) -> None:
    broken.consent()
    act = partial(broken.books.control, "anaplan", "administer")
    client, shown = act(do="add_oauth_client")["client_id"], list[str]()

    def confirm(asked: consent.Asked) -> None:
        shown.append(asked.user_code)
        act(do="approve_device", user_code=asked.user_code, user=EMAIL)

    assert consenting.give(broken.books.instance, "planning", client, confirm) == "planning"
    (code,) = shown
    assert re.fullmatch("[A-Z]{4}-[A-Z]{4}", code)
    stored = broken.books.store.safe.opened("planning")
    assert stored["client_id"] == client
    assert broken.ping("planning")["ok"]
    with pytest.raises(Misconfigured, match="does not sign in by OAuth"):
        consenting.give(broken.books.instance, "erp", client, confirm)


def test_the_reference_page_names_every_code() -> None:
    assert {cause.code for cause in (CAUSES | PROXIED).values()} - documented() == set()
