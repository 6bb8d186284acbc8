"""People are told once, elsewhere, of what they have to look at; no run fails for a notice."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from desks import PROJECT, Office
from gateways import Proxy
from receivers import MailServer
from sqlalchemy import insert

from tieout.core.findings import Finding, Severity
from tieout.errors import Misconfigured
from tieout.settings import read_project
from tieout.sim.authority import Authority, make_authority, server_context
from tieout.store import configs, notices
from tieout.store.runs import Ending, NewRun
from tieout.store.schedules import app_fire
from tieout.store.steps import Step
from tieout.verbs import notifying

MINUTE_SECONDS = 60


class Receiver:
    """Somebody's webhook: keeps what comes and answers what it is told to."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, Any]] = []
        self.status = 200
        receiver = self

        class Page(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                told = json.loads(body) if body else None
                receiver.got.append((self.command, self.path, told))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST = answer  # noqa: N815 - the names that http.server calls

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def events(self) -> list[tuple[str, str]]:
        return [(body["event"], body.get("run", "")) for _, _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def project(receiver: Receiver, **more: str) -> str:
    allow = f'allow = ["{receiver.url}", "http://127.0.0.1:9"]'
    keys = {"to": f'"{receiver.url}/hook/T0P?token=K7"', "allow_http": "true"} | more
    table = "\n".join(f"{key} = {value}" for key, value in keys.items())
    return PROJECT.replace('allow = ["http://127.0.0.1:9"]', allow) + f"[notices.team]\n{table}\n"


@pytest.fixture
def office(tmp_path: Path, receiver: Receiver) -> Iterator[Office]:
    made = Office(tmp_path / "home")
    made.store.apply_config(project(receiver), "owner")
    notifying.tell(made.owner)  # from now on
    yield made
    made.close()


def ended(office: Office, outcome: str, exit_code: int, *findings: Finding) -> str:
    """A run that ends so; its id."""
    run = office.store.new_run(NewRun("companies", "load_members", "owner"))

    def find(step: Step) -> dict[str, Any]:
        step.reject(list(findings))
        return {}

    office.store.run_step(run.id, "look", find)
    office.store.finish_run(run.id, Ending(outcome, "12.50 USD of 00001 differ", exit_code, {}))
    return run.id


def states(office: Office) -> list[tuple[str, str]]:
    found = notifying.overview(office.owner)["notices"]
    return [(one["about"], one["state"]) for one in found]


def test_a_run_that_needs_attention_or_failed_is_told_once_and_without_amounts(
    office: Office, receiver: Receiver
) -> None:
    found = Finding(
        "unmatched-member", Severity.REJECT, "account 8740", "12.50 USD", company="00001"
    )
    attention = ended(office, "needs_attention", 5, found)
    failed = ended(office, "failed", 4)
    ended(office, "complete", 0)
    ended(office, "needs_attention", 7)  # waits for approval, which the batch tells
    for _ in range(3):
        notifying.tell(office.owner)

    assert receiver.events() == [("needs attention", attention), ("failed", failed)]
    method, path, told = receiver.got[0]
    assert (method, path) == ("POST", "/hook/T0P?token=K7")
    assert told["rules"] == {"unmatched-member": 1}
    assert f"tieout show {attention}" in told["sentence"]
    for word in ("12.50", "USD", "8740", "00001"):
        assert word not in json.dumps(receiver.got)


@cache
def ours() -> Authority:
    return make_authority()


def certified(office: Office, days: int) -> None:
    """The credentials of the connection hold a certificate that ends then."""
    signed = ours().person("tieout@example.com", now=office.clock.now(), days=days)
    fields = {"certificate": signed.certificate, "private_key": signed.private_key}
    office.store.safe.put("planning", fields, "owner")


def test_a_certificate_that_ends_is_told_at_60_30_14_7_and_1_days_and_once_at_each(
    office: Office, receiver: Receiver
) -> None:
    for days in (61, 59, 20, 12, 6, 1, 0):
        certified(office, days)
        for _ in range(2):
            notifying.tell(office.owner)
    assert [told["days"] for _, _, told in receiver.got] == [59, 20, 12, 6, 1, 0]
    assert {told["event"] for _, _, told in receiver.got} == {"certificate ends"}
    assert "The certificate of planning ends in 59 days" in receiver.got[0][2]["sentence"]
    assert "has ended" in receiver.got[-1][2]["sentence"]


def test_the_next_limit_of_one_certificate_is_told_as_the_days_go_by(office: Office) -> None:
    certified(office, 61)
    now, told = office.clock.now(), []
    with office.store.database.read() as connection:
        for day in range(63):
            told += [(day, e.about) for e in notices.ending(connection, now + timedelta(days=day))]
    first = {about: day for day, about in reversed(told)}
    assert sorted(first.values()) == [1, 31, 47, 54, 60, 61]


def test_drift_is_told_as_such(office: Office, receiver: Receiver) -> None:
    drift = Finding("binding-changed", Severity.NOTE, "import X", "another id")
    run = ended(office, "complete", 0, drift)
    notifying.tell(office.owner)
    assert receiver.events() == [("drift", run)]


def test_what_waits_for_approval_longer_than_agreed_is_told_once(
    office: Office, receiver: Receiver
) -> None:
    with office.store.begin() as connection:
        configs.propose(connection, PROJECT, "eve", "a test", office.clock.now())
    notifying.tell(office.owner)
    assert receiver.got == []
    office.clock.sleep(8 * 3600)
    for _ in range(2):
        notifying.tell(office.owner)
    assert receiver.events() == [("waits for approval", "")]


def test_only_what_a_notice_names_is_told_through_it(office: Office, receiver: Receiver) -> None:
    office.store.apply_config(project(receiver, on='["failed"]'), "owner")
    ended(office, "needs_attention", 6)
    failed = ended(office, "failed", 1)
    notifying.tell(office.owner)
    assert receiver.events() == [("failed", failed)]


def test_a_receiver_that_is_away_gets_it_later_and_then_no_more(
    office: Office, receiver: Receiver
) -> None:
    ended(office, "failed", 4)
    receiver.status = 503
    assert notifying.tell(office.owner) == 0
    assert states(office)[0][1] == "waiting"
    receiver.status = 200
    notifying.tell(office.owner)  # not yet: a minute has to go by
    assert len(receiver.got) == 1
    office.clock.sleep(2 * MINUTE_SECONDS)
    for _ in range(2):
        notifying.tell(office.owner)
    assert len(receiver.got) == 2
    assert states(office)[0][1] == "sent"


def test_a_notice_that_cannot_be_sent_is_told_with_exit_code_4_and_without_its_address(
    office: Office, receiver: Receiver
) -> None:
    run = ended(office, "failed", 4)
    receiver.status = 404
    notifying.tell(office.owner)
    found = notifying.overview(office.owner)
    assert (found["exit_code"], states(office)) == (4, [(f"run {run}", "failed")])
    assert "answered 404" in found["notices"][0]["trouble"]
    assert "K7" not in json.dumps(found, default=str)
    assert "T0P" not in json.dumps(found, default=str)


def test_a_path_that_is_a_password_stands_in_no_word_about_a_receiver_that_is_away(
    office: Office, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    office.store.apply_config(project(receiver, to='"http://127.0.0.1:9/T0P/K7?k=W8"'), "owner")
    ended(office, "failed", 4)
    notifying.tell(office.owner)
    told = json.dumps(notifying.overview(office.owner), default=str) + caplog.text
    assert "was not reached" in told
    assert not [word for word in ("T0P", "K7", "W8") if word in told]


def test_an_address_that_is_not_allowed_is_never_called(office: Office, receiver: Receiver) -> None:
    text = project(receiver).replace(f'"{receiver.url}", "http', '"http')
    office.store.apply_config(text, "owner")
    ended(office, "failed", 4)
    notifying.tell(office.owner)
    assert receiver.got == []
    assert "not in the list of allowed" in notifying.overview(office.owner)["notices"][0]["trouble"]


def test_a_process_that_died_while_it_sent_is_not_followed_by_another_sending(
    office: Office, receiver: Receiver
) -> None:
    ended(office, "failed", 4)
    receiver.status = 503
    notifying.tell(office.owner)
    office.clock.sleep(2 * MINUTE_SECONDS)
    with office.store.begin() as connection:
        assert notices.claim(connection, office.clock.now()) is not None
    office.clock.sleep(notices.SENDING_SECONDS_MAX + 1)
    receiver.status = 200
    notifying.tell(office.owner)
    assert len(receiver.got) == 1
    assert states(office)[0][1] == "uncertain"


def test_an_address_may_be_sealed_and_stands_nowhere(office: Office, receiver: Receiver) -> None:
    text = project(receiver, to='"secret://hook"')
    office.store.apply_config(text, "owner")
    (office.home / "tieout.toml").write_text(text)
    notifying.connect(office.owner, "team", {"url": f"{receiver.url}/sealed/S3CRET"})
    notifying.test(office.owner, "team")
    assert [path for _, path, _ in receiver.got] == ["/sealed/S3CRET"]
    kept = b"".join(p.read_bytes() for p in office.home.rglob("*") if p.is_file())
    assert b"S3CRET" not in kept


def test_an_address_with_a_password_belongs_into_the_vault() -> None:
    with pytest.raises(Misconfigured, match="hold passwords and are sealed"):
        read_project(PROJECT + '[notices.team]\nto = "mailtos://me:pw@mail.example.com"\n')


def due(office: Office, state: str, minute: int) -> None:
    """A due time of the schedule, and what became of it."""
    now = office.clock.now()
    row = {
        "schedule": "nightly", "due": now.replace(minute=minute, second=0, microsecond=0),
        "state": state, "times": 1, "cause": "clock", "by": "system", "why": "",
        "flows": ["companies"], "place": 0, "decided_at": now, "ended_at": now, "sentence": "",
    }  # fmt: skip
    with office.store.begin() as connection:
        connection.execute(insert(app_fire), row)


def test_what_did_not_run_is_told(office: Office, receiver: Receiver) -> None:
    due(office, "missed", 1)
    due(office, "complete", 2)
    for _ in range(2):
        notifying.tell(office.owner)
    assert [e for e, _ in receiver.events()] == ["did not run"]
    assert receiver.got[0][2]["schedule"] == "nightly"


def test_a_heartbeat_says_that_a_schedule_began_ended_or_did_not_run(
    office: Office, receiver: Receiver
) -> None:
    schedule = '[schedules.nightly]\nwhen = "daily at 05:30"\nrun = ["companies"]\n'
    beat = f'heartbeat = "{receiver.url}/ping/U1D"\n'
    office.store.apply_config(project(receiver, on='["failed"]') + schedule + beat, "owner")
    notifying.tell(office.owner)
    for minute, state in enumerate(("running", "complete", "stopped", "missed", "skipped")):
        due(office, state, minute)
        for _ in range(2):
            notifying.tell(office.owner)
    (office.home / "tieout.toml").write_text(office.store.config().text)
    notifying.test(office.owner, "nightly")  # counts as neither a begin nor an end
    assert receiver.got.pop()[:2] == ("GET", "/ping/U1D/log")
    assert [(method, path) for method, path, _ in receiver.got] == [
        ("GET", "/ping/U1D/start"), ("GET", "/ping/U1D"), ("GET", "/ping/U1D/fail"),
        ("GET", "/ping/U1D/fail"),
    ]  # fmt: skip


@pytest.mark.parametrize("allowed", [True, False])
def test_a_notice_goes_by_mail_when_its_server_is_an_allowed_address(
    office: Office, receiver: Receiver, allowed: bool
) -> None:
    server = MailServer()
    port = server.port
    text = project(receiver, to='"secret://mail"')
    if allowed:
        text = text.replace("allow = [", f'allow = ["http://127.0.0.1:{port}", ')
    office.store.apply_config(text, "owner")
    (office.home / "tieout.toml").write_text(text)
    address = f"mailto://127.0.0.1:{port}?from=t@example.com&to=b@example.com&mode=insecure"
    notifying.connect(office.owner, "team", {"url": address})
    run = ended(office, "failed", 4)
    notifying.tell(office.owner)
    server.close()

    assert states(office) == [(f"run {run}", "sent" if allowed else "failed")]
    assert len(server.got) == allowed
    assert all(run in mail and "b@example.com" in mail for mail in server.got)


def test_an_address_of_a_kind_that_calls_any_host_is_refused(
    office: Office, receiver: Receiver
) -> None:
    text = project(receiver, to='"secret://json"')
    office.store.apply_config(text, "owner")
    (office.home / "tieout.toml").write_text(text)
    notifying.connect(office.owner, "team", {"url": "json://169.254.169.254/K7"})
    with pytest.raises(Misconfigured, match="not sent to addresses of the kind 'json'") as told:
        notifying.test(office.owner, "team")
    assert "K7" not in told.value.sentence()


@pytest.mark.parametrize("sealed", ["https://[hooks.example.com/T0P", "https://hooks:99x/T0P"])
def test_an_address_that_is_none_keeps_no_other_notice_from_being_told(
    office: Office, receiver: Receiver, sealed: str
) -> None:
    other = '[notices.another]\nto = "secret://another"\n'
    office.store.apply_config(project(receiver) + other, "owner")
    office.store.safe.put("another", {"url": sealed}, "owner")
    notifying.tell(office.owner)
    failed = ended(office, "failed", 4)
    for _ in range(2):
        notifying.tell(office.owner)
    assert receiver.events() == [("failed", failed)]
    assert sorted(state for _, state in states(office)) == ["failed", "sent"]
    assert "T0P" not in json.dumps(notifying.overview(office.owner), default=str)


def test_a_heartbeat_reaches_a_receiver_of_our_own_authority_through_a_proxy(
    office: Office, receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "ours.pem").write_text(ours().pem)
    tls = server_context(ours().server(), tmp_path)
    receiver.server.socket = tls.wrap_socket(receiver.server.socket, server_side=True)
    proxy, there = Proxy(), receiver.url.replace("http:", "https:")
    schedule = (
        '[schedules.nightly]\nwhen = "daily at 05:30"\nrun = ["companies"]\n'
        f'heartbeat = "{there}/ping/U1D"\n'
    )
    plain = project(receiver, on='["failed"]').replace(
        "allow = [", f'allow = ["{there}", "{proxy.url}", '
    )
    ways = {
        "the proxy alone": f'heartbeat_proxy = "{proxy.url}"\n',
        "both": f'heartbeat_proxy = "{proxy.url}"\nheartbeat_ca_file = "{tmp_path}/ours.pem"\n',
    }
    for minute, way in enumerate(ways.values()):
        office.store.apply_config(plain + schedule + way, "owner")
        notifying.tell(office.owner)
        due(office, "complete", minute)
        notifying.tell(office.owner)
    proxy.close()
    assert [path for _, path, _ in receiver.got] == ["/ping/U1D"]
    assert set(proxy.asked) == {there.removeprefix("https://")}
    assert [state for _, state in states(office)] == ["sent", "waiting"]
