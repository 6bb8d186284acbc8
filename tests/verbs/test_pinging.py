"""`tieout ping` of JD Edwards on broken set-ups: the right rung and cause, and who can mend it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import certificate, signed_certificate
from pinged import AUTHORITY, NAMED, Broken, Cause, assert_told, documented, made

from tieout.errors import Misconfigured, Refused, Trouble
from tieout.sim.authority import Signed, make_authority
from tieout.verbs import demo, setting_up
from tieout.way import unknown_name

CNC, NETWORK, TIEOUT = "CNC", "network", "administrator of Tieout"
SECURITY, SERVER = "security", "server"
HOLDER = "holds the certificate"
DATA, SIGN_IN, CONFIG = "dataservice$", "tokenrequest$", "defaultconfig"


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


def closed_port(b: Broken) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    b.move("jde", f"http://127.0.0.1:{port}/jderest")


def this_machine(b: Broken) -> None:
    b.move("jde", "http://localhost:9/jderest")
    b.change('"http://localhost:9"', '"http://localhos*:9"')


def silent_port(b: Broken) -> None:
    """Its queue of connections is full, so that it drops those that come."""
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.listen(0)
    b.undo.callback(door.close)
    for _ in range(3):
        waiting = socket.socket()
        waiting.setblocking(False)
        waiting.connect_ex(door.getsockname())
        b.undo.callback(waiting.close)
    b.move("jde", f"http://127.0.0.1:{door.getsockname()[1]}/jderest", 'request_timeout = "200ms"')


def locked_by(b: Broken, pem: Path, *lines: str, ask_client: bool = False) -> None:
    b.move("jde", f"{b.page(pem, ask_client=ask_client)}/jderest", *lines)


def with_days(
    b: Broken, *, days: int = 400, begins_days: int = -9, host: str = "127.0.0.1"
) -> None:
    pem = certificate(b.folder, days=days, begins_days=begins_days, host=host)
    locked_by(b, pem, f'ca_file = "{pem}"')


def by_unknown(b: Broken) -> None:
    locked_by(b, signed_certificate(b.folder)[1])


def client_certificate(b: Broken) -> None:
    pem = certificate(b.folder, days=400)
    locked_by(b, pem, f'ca_file = "{pem}"', ask_client=True)


def slow_config(b: Broken) -> None:
    secret = 'secret = "secret://erp"'
    b.change(secret, f'{secret}\nrequest_timeout = "200ms"')
    b.fault("jde", "delay", CONFIG, seconds=0.5)


def hide_units(b: Broken, company: str = "") -> None:
    where = f" where CO = '{company}'" if company else ""
    rows = b.books.systems.jde.ledger.rows("F0911")
    units = {str(r["MCU"]).strip() for r in rows if not company or str(r["CO"]).strip() == company}
    assert units, where
    b.switch("hidden_business_units", sorted(units))


BEFORE_THE_SIGN_IN = {
    "a name that nobody knows": Cause(
        lambda b: b.move("jde", "http://ais..acme/jderest"), "name", "unknown-name",
        "cannot be the name of a machine", TIEOUT, exit_code=3),
    "a name that leads to an address that nobody listed": Cause(
        this_machine, "name", "never-used", "leads to 127.0.0.1, which is this machine itself",
        TIEOUT, exit_code=3),
    "an address that is not allowed": Cause(
        lambda b: b.change('allow = ["http', 'allow = ["https'), "name", "address",
        "not in the list of allowed addresses", TIEOUT, exit_code=3),
    "http without the exception": Cause(
        lambda b: b.change('secret = "secret://erp"\nallow_http = true',
                           'secret = "secret://erp"'),
        "name", "address", "sends passwords in clear", "", exit_code=3),
    "a port where nothing listens": Cause(
        closed_port, "door", "closed", "nothing listens on port", SERVER),
    "a port that a firewall swallows": Cause(
        silent_port, "door", "no-answer", "Nothing answered", NETWORK),
    "a network without a way": Cause(
        lambda b: b.move("jde", "http://255.255.255.255:9/jderest"), "door", "no-way",
        "no way from this machine", NETWORK),
    "an expired certificate": Cause(
        lambda b: with_days(b, days=-1), "lock", "expired", "has expired", SERVER),
    "a certificate that begins later": Cause(
        lambda b: with_days(b, begins_days=3), "lock", "not-yet-valid", "not valid yet", SERVER),
    "a certificate of another host": Cause(
        lambda b: with_days(b, host="127.0.0.9"), "lock", "other-host", "it is for 127.0.0.9",
        SERVER),
    "an authority that is not trusted": Cause(
        by_unknown, "lock", "unknown-authority", "signed by CN=ours", TIEOUT),
    "a port without TLS": Cause(
        lambda b: b.move("jde", b.page().replace("http:", "https:") + "/jderest"), "lock",
        "no-tls", "does not speak TLS", SERVER),
    "a file of authorities that is missing": Cause(
        lambda b: locked_by(b, certificate(b.folder), 'ca_file = "/nowhere/ca.pem"'), "lock",
        "ca-file", "cannot be used", exit_code=3),
    "a server that asks for a certificate of ours": Cause(
        client_certificate, "who is it", "client-certificate", "TLS", SERVER),
    "the page of the web client": Cause(
        lambda b: b.switch("html_status", 200), "who is it", "html-page", "an HTML page came", CNC),
    "a path without AIS": Cause(
        lambda b: b.change("/jderest", "/elsewhere"), "who is it", "no-such-path", "404", CNC),
    "JSON of something else": Cause(
        lambda b: b.answered("jde", CONFIG, 200, body="{}"), "who is it", "not-ais",
        "not an AIS server", CNC),
    "a gateway that is not ready": Cause(
        lambda b: b.answered("jde", CONFIG, 503), "who is it", "gateway", "503"),
    "a server that fails": Cause(
        lambda b: b.answered("jde", CONFIG, 500), "who is it", "failing", "500", CNC),
    "a gateway that wants another sign-in": Cause(
        lambda b: b.answered("jde", CONFIG, 401), "who is it", "gateway-refuses", "401", CNC),
    "a redirect": Cause(
        lambda b: b.answered("jde", CONFIG, 302, headers={"Location": "https://sso.acme/login"}),
        "who is it", "redirect", "redirect to sso.acme", "JD Edwards"),
    "a connection that is cut": Cause(
        lambda b: b.fault("jde", "cut_before", CONFIG), "who is it", "cut-off", "cut"),
    "a server that does not answer in time": Cause(
        slow_config, "who is it", "silent", "did not answer in time"),
    "tools without version 2": Cause(
        lambda b: b.answered("jde", "/v2/defaultconfig", 404), "who is it", "old-tools",
        "Tools 9.2.1.2", CNC),
}  # fmt: skip
FROM_THE_SIGN_IN = {
    "no credentials": Cause(
        lambda b: b.change('"secret://erp"', '"secret://nobody"'), "let in", "no-credentials",
        "No credentials", "password", exit_code=3),
    "a key that is lost": Cause(
        lambda b: b.lose_key(), "let in", "key", "sealed with the key", exit_code=9),
    "a host that JD Edwards does not allow": Cause(
        lambda b: b.switch("allowed_host", False), "let in", "allowed-hosts",
        "Tieout came from 127.0.0.1 to the AIS server 127.0.0.1", CNC),
    "a wrong password": Cause(
        lambda b: b.password("erp", "jde"), "let in", "password", "did not accept", "service user"),
    "a user of single sign-on": Cause(
        lambda b: b.answered("jde", SIGN_IN, 446, body="{}"), "let in", "single-sign-on", "446",
        CNC),
    "a sign-in that is answered 444": Cause(
        lambda b: b.answered("jde", SIGN_IN, 444, body="{}"), "let in", "session-ended", "444",
        CNC),
    "a sign-in without a token": Cause(
        lambda b: b.answered("jde", SIGN_IN, 200, body="{}"), "let in", "no-token",
        "no token was given", CNC),
    "a sign-in whose answer is lost": Cause(
        lambda b: b.fault("jde", "cut_after", SIGN_IN), "let in", "sign-in-lost", "lost", CNC),
    "AIS servers that do not share sessions": Cause(
        lambda b: b.switch("cookie_mode", "sticky"), "let in", "session-lost",
        "did not know it at the next call", CNC),
    "all sessions in use": Cause(
        lambda b: b.take_seats(), "let in", "no-seat", "All 2 sessions", TIEOUT, exit_code=8),
    "a password that is about to end": Cause(
        lambda b: b.fault("jde", "replace", SIGN_IN, find='ToExpire": ?false',
                          body='ToExpire": true'),
        "let in", "password-ends", "about to end", "service user", "notice"),
    "an environment that is not the user's": Cause(
        lambda b: b.switch("environments", ["PY920"]), "right place", "environment",
        "environment JPD920", CNC),
    "a role that is not the user's": Cause(
        lambda b: b.switch("roles", ["FINRPT"]), "right place", "role", "role *ALL", CNC),
    "a sign-in that led elsewhere": Cause(
        lambda b: b.fault("jde", "replace", SIGN_IN, find="JPD920", body="PY920"), "right place",
        "environment", "signed in to the environment PY920", CNC),
    "a table that may not be read": Cause(
        lambda b: b.answered("jde", DATA, 403, body_match='"F0902"'), "may read", "read-refused",
        "F0902", CNC),
    "a table that cannot be read": Cause(
        lambda b: b.answered("jde", DATA, 503, body_match='"F0901"'), "may read", "read-failed",
        "503"),
    "rows that security hides": Cause(
        hide_units, "may read", "no-rows", "sees 0 rows of F09", SECURITY),
    "a company that is not there": Cause(
        lambda b: b.change('companies = ["00001"', 'companies = ["00077", "00001"'), "may read",
        "missing-company", "no company 00077", TIEOUT, exit_code=3),
    "a company whose rows security hides": Cause(
        lambda b: hide_units(b, "00070"), "may read", "company-without-rows",
        "no row of company 00070", SECURITY, "notice"),
    "an orchestration that is not shared": Cause(
        lambda b: b.switch("hidden_orchestrations", ["TIEOUT_PlanJournal"]), "may act",
        "missing-orchestration", "'TIEOUT_PlanJournal'", "developer", exit_code=3),
    "an input that was renamed": Cause(
        lambda b: b.change('"GLDate" = ', '"GLDay" = '), "may act", "input", "no input 'GLDay'",
        "developer", exit_code=3),
    "inputs that are hidden": Cause(
        lambda b: b.switch("hidden_inputs", ["TIEOUT_PlanJournal"]), "may act", "hidden-inputs",
        "does not show its inputs", "developer", exit_code=3),
    "messages that we do not write": Cause(
        lambda b: b.fault("jde", "replace", "/discover/TIEOUT_PlanJournal",
                          find='inputFormat": ?"[^"]+"', body='inputFormat": "Oracle Cloud IoT"'),
        "may act", "message-format", "Oracle Cloud IoT", "developer", exit_code=3),
    "orchestrations that may not be seen": Cause(
        lambda b: b.answered("jde", "/discover", 403), "may act", "orchestrations-not-shown"),
    "a clock that goes otherwise": Cause(
        lambda b: b.answered("jde", CONFIG, 200, body='{"aisVersion": "EnterpriseOne 9.2.8.2"}',
                             headers={"Date": "Mon, 01 Jan 2024 00:00:00 GMT"}),
        "limits", "clocks-apart", "seconds from ours", CNC, "notice"),
    "pages that are cut": Cause(
        lambda b: b.switch("fetch_limit_rows", 20), "limits", "page-cut", "gives 20 rows at once",
        CNC, "notice"),
}  # fmt: skip


@pytest.mark.parametrize("name", BEFORE_THE_SIGN_IN)
def test_what_fails_before_the_sign_in_is_told_at_its_rung(
    broken: Broken, name: str, record_property: Callable[[str, object], None]
) -> None:
    broken.books.requests("jde")
    cause = BEFORE_THE_SIGN_IN[name]
    assert_told(broken, "erp", cause)
    record_property(NAMED, 1)
    asked = [r["path"] for r in broken.books.requests("jde")]
    assert len(asked) <= (2 if cause.code in ("old-tools", "no-such-path") else 1), "tried once"
    assert not [path for path in asked if "tokenrequest" in path]


CALLER = "tieout"
BEHIND = {
    "a server that does not trust our certificate": Cause(
        lambda b: b.behind(mine=stranger()), "who is it", "client-certificate-refused",
        "does not accept our certificate", SERVER),
    "a certificate of ours that has ended": Cause(
        lambda b: b.behind(mine=AUTHORITY().client(CALLER, days=-2)), "lock",
        "certificate-expired", f"The certificate CN={CALLER} ended", HOLDER),
    "a key that is not that of our certificate": Cause(
        lambda b: b.behind(mine=mixed()), "lock", "key-does-not-fit", "does not fit", HOLDER,
        exit_code=3),
    "a proxy that refuses this address": Cause(
        lambda b: b.behind(proxy="403 Forbidden"), "lock", "proxy-refuses",
        "does not let us through to the AIS server (403 Forbidden)", NETWORK),
    "a proxy that asks who we are": Cause(
        lambda b: b.behind(login="somebody:else"), "lock", "proxy-login", "asks who we are",
        NETWORK),
    "tools without version 2, where flows only read": Cause(
        lambda b: (b.change(demo.PLAN, ""), b.behind(old=True)), "who is it", "old-tools-read",
        "every page is a query of its own", CNC, "notice"),
}  # fmt: skip


def stranger() -> Signed:
    return make_authority("Somebody else").client(CALLER)


def mixed() -> Signed:
    mine, other = AUTHORITY().client(CALLER), AUTHORITY().client("other")
    return Signed(mine.certificate, other.private_key)


@pytest.mark.parametrize("name", BEHIND)
def test_what_stands_before_jd_edwards_is_told_at_its_rung(
    broken: Broken, name: str, record_property: Callable[[str, object], None]
) -> None:
    assert_told(broken, "erp", BEHIND[name])
    record_property(NAMED, 1)


def test_what_is_given_for_a_server_that_asks_for_our_certificate_must_fit_and_hold(
    broken: Broken,
) -> None:
    broken.behind(mine=AUTHORITY().client(CALLER), login="proxy user:proxy word")
    instance, safe = broken.books.instance, broken.books.store.safe
    good = {"username": "TIEOUT", "password": "practice", **pem(AUTHORITY().client(CALLER))}
    login = {"proxy_username": "proxy user", "proxy_password": "proxy word"}
    setting_up.connect(instance, "erp", good | login)
    assert safe.opened("erp") == good | login
    (noted,) = [note for note in safe.listed() if note.name == "erp"]
    assert noted.ends_at is not None
    old = pem(AUTHORITY().client(CALLER, days=-2))
    for wrong, words in ((pem(mixed()), "does not fit"), (old, "ended on")):
        with pytest.raises(Refused, match=words):
            setting_up.connect(instance, "erp", good | wrong)
    with pytest.raises(Misconfigured, match="lack certificate and private_key"):
        setting_up.connect(instance, "erp", {"username": "TIEOUT", "password": "practice"})
    assert safe.opened("erp") == good | login


def pem(signed: Signed) -> dict[str, str]:
    return {"certificate": signed.certificate, "private_key": signed.private_key}


def test_a_server_that_asks_for_our_certificate_has_every_rung(broken: Broken) -> None:
    broken.behind(mine=AUTHORITY().client(CALLER))
    assert broken.ping("erp")["ok"]


@pytest.mark.parametrize("name", FROM_THE_SIGN_IN)
def test_what_fails_from_the_sign_in_on_is_told_at_its_rung(
    broken: Broken, name: str, record_property: Callable[[str, object], None]
) -> None:
    broken.books.requests("jde")
    cause = FROM_THE_SIGN_IN[name]
    assert_told(broken, "erp", cause)
    record_property(NAMED, 1)
    signed_in = [r for r in broken.books.requests("jde") if r["path"].endswith("/tokenrequest")]
    refused = cause.rung in ("let in", "right place")
    assert len(signed_in) <= (1 if refused else 2), "an account would be locked by more"
    if cause.code != "sign-in-lost":
        assert not len(broken.books.systems.jde.sessions), "a session was left behind"


def test_a_connection_that_holds_has_every_rung(broken: Broken) -> None:
    found = broken.ping("erp")
    states = {r["rung"]: r["state"] for r in found["rungs"]}
    assert states == dict.fromkeys(states, "good") | {"lock": "notice"}
    assert all(r["milliseconds"] is not None for r in found["rungs"])
    assert (found["ok"], found["exit_code"], found["from"]) == (True, 0, "127.0.0.1")
    assert not len(broken.books.systems.jde.sessions)


def test_a_test_changes_nothing_on_either_side(broken: Broken) -> None:
    broken.books.requests("jde"), broken.books.requests("anaplan")
    for name in ("erp", "planning"):
        broken.ping(name)
    asked = broken.books.requests("jde") + broken.books.requests("anaplan")
    written = {r["path"] for r in asked if r["method"] != "GET"}
    reads = ("/tokenrequest", "/logout", "/validate", "/dataservice", "/token/authenticate")
    assert [path for path in written if not path.endswith(reads)] == []


def test_a_certificate_that_ends_soon_is_told_though_the_lock_holds(broken: Broken) -> None:
    with_days(broken, days=20)
    rungs = {r["rung"]: r for r in broken.ping("erp")["rungs"]}
    assert (rungs["lock"]["state"], rungs["lock"]["code"]) == ("notice", "ends-soon")
    assert "TLSv1.3" in rungs["lock"]["what"]
    assert rungs["who is it"]["code"] == "html-page"


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [(socket.EAI_NONAME, "unknown-name", "No machine called ais.acme"),
     (socket.EAI_AGAIN, "name-server", "name server did not answer")],
)  # fmt: skip
def test_an_unknown_name_is_not_a_name_server_that_is_away(
    number: int, code: str, words: str
) -> None:
    told: Trouble = unknown_name("ais.acme", socket.gaierror(number, "as the resolver says"))
    assert told.code == code
    assert words in told.what


def test_the_text_to_send_says_who_calls_whom_and_what_would_help(broken: Broken) -> None:
    broken.switch("allowed_host", False)
    found = broken.ping("erp")
    (letter,) = [r["letter"] for r in found["rungs"] if r["state"] == "trouble"]
    assert letter.startswith("To: the JDE administrator (CNC)\nSubject: Tieout and JD Edwards")
    for words in (found["url"], "from 127.0.0.1", "Allowed Hosts", "Nothing was changed"):
        assert words in letter


def test_a_connection_that_is_not_there_is_told_with_those_there_are(broken: Broken) -> None:
    with pytest.raises(Misconfigured, match="no connection elsewhere; there are: erp, planning"):
        broken.ping("elsewhere")


def test_the_reference_page_names_every_code() -> None:
    assert {
        cause.code for cause in (BEFORE_THE_SIGN_IN | FROM_THE_SIGN_IN | BEHIND).values()
    } - documented() == set()
