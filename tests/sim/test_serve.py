"""Both practice systems of a home start together, keep their state, and stop when told."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tieout.sim.serve import Running, start

LINES = 1_000
MAIN = "import sys; from pathlib import Path; from tieout.sim.serve import main; "
READY_SECONDS_MAX = 60


def sign_in(running: Running) -> tuple[int, int]:
    """The statuses with which both systems answer the credentials of the home."""
    kept = json.loads((running.folder / "credentials.json").read_text())
    jde = httpx2.post(
        f"{running.addresses['jde']}/jderest/v2/tokenrequest",
        json={**kept["jde"], "deviceName": "test"},
    )
    anaplan = httpx2.post(
        f"{running.addresses['anaplan']}/token/authenticate",
        auth=(kept["anaplan"]["username"], kept["anaplan"]["password"]),
    )
    return jde.status_code, anaplan.status_code


def control(running: Running, verb: str, **body: Any) -> dict[str, Any]:
    answer = httpx2.post(f"{running.addresses['jde_control']}/control/{verb}", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_credentials_of_the_home_open_both_systems_and_only_its_owner_reads_them(
    tmp_path: Path,
) -> None:
    running = start(tmp_path, lines=LINES)
    try:
        assert sign_in(running) == (200, 201)
        assert (tmp_path / "sim" / "credentials.json").stat().st_mode & 0o077 == 0
        addresses = json.loads((tmp_path / "sim" / "addresses.json").read_text())
        assert addresses == running.addresses
        assert list(addresses) == ["jde", "anaplan", "jde_control", "anaplan_control"]
    finally:
        running.stop()


def test_a_restart_keeps_ports_passwords_ledger_and_row_security(tmp_path: Path) -> None:
    first = start(tmp_path, lines=LINES)
    event = control(first, "event", name="backdated", amount="77.01")
    assert control(first, "event", name="hide_unit")["hidden"] == ["45"]
    secrets = (first.folder / "credentials.json").read_text()
    first.stop()
    second = start(tmp_path, lines=LINES * 2)
    try:
        assert second.addresses == first.addresses
        assert (second.folder / "credentials.json").read_text() == secrets
        assert sign_in(second) == (200, 201)
        rows = second.jde.ledger.rows("F0911", {"ICUT": "G", "ICU": event["batch_number"]})
        assert sorted(row["AA"] for row in rows) == [-7_701, 7_701]
        assert control(second, "event", name="show_unit")["hidden"] == []
    finally:
        second.stop()


def test_one_home_is_served_by_one_process(tmp_path: Path) -> None:
    running = start(tmp_path, lines=LINES)
    try:
        with pytest.raises(BlockingIOError):
            start(tmp_path)
        assert sign_in(running) == (200, 201)
    finally:
        running.stop()
    start(tmp_path).stop()


def test_people_and_events_are_verbs_of_the_control_port(tmp_path: Path) -> None:
    running = start(tmp_path, lines=LINES)
    try:
        entered = control(running, "event", name="unposted", company="00070")
        batch = {name: entered[name] for name in ("batch_type", "batch_number")}
        assert control(running, "people", do="post", **batch)["status"] == "D"
        url = f"{running.addresses['jde_control']}/control/event"
        refused = httpx2.post(url, json={"name": "earthquake"})
        assert refused.status_code == 400
        assert "late_post" in refused.json()["error"]
    finally:
        running.stop()


def test_something_may_happen_just_before_the_nth_request_of_a_kind(tmp_path: Path) -> None:
    running = start(tmp_path, lines=LINES)
    try:
        does = {"event": {"name": "backdated", "amount": "77.01"}}
        fault = {"kind": "delay", "path": "token", "nth": 2, "meanwhile": does}
        control(running, "faults", add=fault)
        for lines in (0, 2, 2):
            assert sign_in(running) == (200, 201)
            rows = running.jde.ledger.rows("F0911", {"AA": 7_701})
            rows += running.jde.ledger.rows("F0911", {"AA": -7_701})
            assert len(rows) == lines
    finally:
        running.stop()


@pytest.mark.parametrize("word", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_where_it_serves_and_ends_when_told(
    tmp_path: Path, word: signal.Signals
) -> None:
    code = f"{MAIN} main(Path(sys.argv[1]), lines={LINES})"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        answer = httpx2.post(f"{addresses['anaplan_control']}/control/clock", json={})
        assert answer.json()["scale"] == 1
        process.send_signal(word)
        assert process.wait(READY_SECONDS_MAX) == 0
    finally:
        process.kill()
        process.wait()


def test_over_tls_both_systems_show_certificates_of_one_authority_which_lies_beside_them(
    tmp_path: Path,
) -> None:
    running = start(tmp_path, lines=LINES, tls=True, client_certificate=True)
    folder = running.folder
    trusted = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    try:
        assert [url.partition(":")[0] for url in running.addresses.values()] == [
            "https", "https", "http", "http",
        ]  # fmt: skip
        asked = httpx2.Client(verify=trusted)
        url = f"{running.addresses['anaplan']}/2/0/users/me"
        assert asked.get(url).status_code == 401
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(url)
        jde = f"{running.addresses['jde']}/jderest/v2/defaultconfig"
        with pytest.raises(httpx2.TransportError):
            asked.get(jde)
        trusted.load_cert_chain(folder / "jde.pem", folder / "jde.key")
        assert httpx2.Client(verify=trusted).get(jde).status_code == 200
        assert (folder / "anaplan.key").stat().st_mode & 0o077 == 0
        [one] = running.anaplan.control("administer", {"do": "list_certificates"})["certificates"]
        assert one["user"] == "tieout@example.com"
    finally:
        running.stop()
    kept = (folder / "ca.pem").read_text()
    again = start(tmp_path, lines=LINES)
    try:
        assert again.addresses["jde"].startswith("https:")
        assert (folder / "ca.pem").read_text() == kept
    finally:
        again.stop()
