"""Every check of `tieout doctor` is provoked: it tells what is wrong, what to do, and who can."""

from __future__ import annotations

import base64
import dataclasses
import json
import shutil
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from certificates import certificate
from desks import PROJECT, Office
from object_storage import BUCKET, Fault, ObjectStorage
from ward import GIVEN, Shifted, Ward

from tieout.engine.lock import InstanceLock
from tieout.errors import Misconfigured, NotAllowed
from tieout.settings import Environment
from tieout.sim.authority import make_authority
from tieout.store import executors, leases
from tieout.store.runs import Ending, NewRun
from tieout.store.schema import VERSION_TABLE
from tieout.store.store import Store
from tieout.verbs import doctoring, setting_up
from tieout.verbs.checking import Looking
from tieout.verbs.checking_instance import judged_durability
from tieout.verbs.checking_machine import judged_versions


def listening(ward: Ward) -> socket.socket:
    door = socket.create_server(("127.0.0.1", 0))
    ward.look_with(port=door.getsockname()[1])
    return door


def waiting_run(ward: Ward) -> None:
    store = Store(ward.home, Shifted(0))
    store.new_run(NewRun("companies", "load_members", "anna"))
    store.close()


def silent_process(ward: Ward) -> None:
    store = Store(ward.home, Shifted(0))
    with store.begin() as connection:
        process = executors.Process("host-of-night", "machine", 7, "4")
        executors.join(connection, "host:7:1", process)
    store.close()
    ward.edit("update app_executor set beat = beat - 90 * 1000000")


def task_nobody_saw_the_end_of(ward: Ward) -> None:
    store = Store(ward.home, Shifted(0))
    run = store.new_run(NewRun("actuals", "load_actuals", "anna")).id
    place, at = leases.Place("default", "8a8b", "FC12", "FP&A 2026"), Shifted(0).now()
    with store.begin() as connection:
        lease = leases.take(connection, place, leases.Holder(run, "one"), at)
        leases.note(connection, lease, leases.Asked("imports", "112", "Load GL"), "A1", at)
    store.finish_run(run, Ending("cancelled", "", 1, {}))
    store.close()


TOLD = """[notices.n]
to = "https://x.example"
ca_file = "{}"
"""
BEATS = """[schedules.s]
when = "daily at 05:30"
run = ["companies"]
heartbeat = "https://x.example"
heartbeat_ca_file = "{}"
"""


def trust_that_ended(ward: Ward, days: int, table: str = "") -> None:
    path = certificate(ward.home.parent, days=days)
    text = PROJECT.replace("[flows", f'ca_file = "{path}"\n[flows', 1)
    if table:
        text = PROJECT + table.format(path)
    (ward.home / "tieout.toml").write_text(text)
    store = Store(ward.home, Shifted(0))
    store.apply_config(text, "eve")
    store.close()


def sign_in_that_ends(ward: Ward, days: int) -> None:
    signed = make_authority().person("tieout@example.com", days=days)
    fields = {"certificate": signed.certificate, "private_key": signed.private_key}
    store = Store(ward.home, Shifted(0))
    store.safe.put("planning", fields, "eve")
    store.close()


def missed_time(ward: Ward) -> None:
    text = PROJECT + '[schedules.companies]\nwhen = "every 1 minutes"\nrun = ["companies"]\n'
    (ward.home / "tieout.toml").write_text(text)
    store = Store(ward.home, Shifted(-3600))
    store.apply_config(text, "eve")
    store.close()


def records_of_another(ward: Ward) -> None:
    place = ward.home.parent / "shared"
    place.mkdir()
    (place / "tieout-instance").write_text("The records of the instance next door.\n")
    ward.set(records=str(place))


def rows_of_the_engine(ward: Ward) -> None:
    ward.edit("create table workflow_status (id text)")
    ward.edit("insert into workflow_status values ('a'), ('b')")
    ward.look_with(engine_rows_many=1)


def miscounting_desk(ward: Ward) -> None:
    store = Store(ward.home, Shifted(0))
    run = store.new_run(NewRun("actuals", "load_actuals", "anna")).id
    store.close()
    ward.edit(
        "insert into app_pile (flow, run, rule, company, state, owner, currency, rows, cells, "
        f"amounts, amount) values ('actuals', '{run}', 'unmapped', '1', 'open', '', '', 1, 1, 0, 0)"
    )
    ward.edit("update app_run set outcome = 'complete'")


def another_key(ward: Ward, name: str) -> None:
    (ward.home / name).write_bytes(base64.b64encode(b"k" * 32))


Provoke = Callable[[Ward], object]
# What is done → the code under which it is told, how gravely, in which words, with which exit code.
SICK: dict[str, tuple[Provoke, str, str, str, int]] = {
    "the home is not there": (
        lambda w: shutil.rmtree(w.home), "home", "trouble", "no instance in", 3),
    "others may look into the home": (
        lambda w: w.home.chmod(0o755), "home", "trouble", "Other users of this machine", 3),
    "the disk is nearly full": (
        lambda w: w.look_with(disk_bytes_low=2**60), "disk", "notice", "GiB left", 0),
    "the disk is full": (
        lambda w: w.look_with(disk_bytes_min=2**60), "disk", "trouble", "GiB left", 3),
    "a time zone is missing": (
        lambda w: w.look_with(zones=("UTC", "Atlantis/Main")), "time-zones", "trouble",
        "Atlantis/Main", 3),
    "a proxy is named": (
        lambda w: w.set(standard={"HTTPS_PROXY": "http://u:canary@proxy:3128"}), "proxies",
        "notice", "HTTPS_PROXY: JD Edwards and Anaplan are not called by a proxy", 0),
    "the database is gone": (
        lambda w: (w.home / "tieout.sqlite").unlink(), "database", "trouble", "no database", 3),
    "the database is damaged": (
        lambda w: (w.home / "tieout.sqlite").write_bytes(b"nonsense " * 999), "database",
        "trouble", "damaged, or is not a database", 4),
    "no PostgreSQL answers": (
        lambda w: w.set(database="postgresql+psycopg://u:canary@127.0.0.1:9/x"), "database",
        "trouble", "does not answer", 4),
    "the database is of a newer program": (
        lambda w: w.edit(f"update {VERSION_TABLE} set version_num = '9999'"), "schema", "trouble",
        "written by a newer Tieout", 3),
    "the database is of an older program": (
        lambda w: w.edit(f"update {VERSION_TABLE} set version_num = '0001'"), "schema", "trouble",
        "this program needs", 3),
    "our clock is a little off": (
        lambda w: w.look_with(clock=Shifted(30)), "database-clock", "notice", "30.0 seconds", 0),
    "our clock is far off": (
        lambda w: w.look_with(clock=Shifted(-700)), "database-clock", "trouble", "700", 3),
    "the project file says something else": (
        lambda w: (w.home / "tieout.toml").write_text(PROJECT.replace("JPD920", "JPY920")),
        "configuration", "trouble", "differs from the applied configuration", 3),
    "the key is gone": (
        lambda w: (w.home / "key").unlink(), "vault-key", "trouble", "no such file", 9),
    "others may read the key": (
        lambda w: (w.home / "key").chmod(0o644), "vault-key", "trouble", "Other users", 9),
    "the key is another one": (
        lambda w: another_key(w, "key"), "vault-key", "trouble",
        "The credential erp is sealed with the key", 9),
    "the key of the trail is gone": (
        lambda w: (w.home / "trail-key").unlink(), "trail-key", "trouble", "seals the trail", 9),
    "the key of the trail is another one": (
        lambda w: another_key(w, "trail-key"), "trail-key", "trouble", "is sealed with the key", 9),
    "the anchor lies beside the database": (
        lambda w: w.set(anchor=""), "anchor", "notice", "beside what they are to prove", 0),
    "the anchor's disk is not mounted": (
        lambda w: w.set(anchor="/nowhere/anchor.jsonl"), "anchor", "trouble", "is not there", 3),
    "an executor fell silent": (
        silent_process, "executors", "notice",
        "Nothing was heard of process 7 on host-of-night", 0),
    "nobody executes a run": (
        waiting_run, "unfinished-runs", "notice", "Nobody executes what is unfinished (1 run)", 0),
    "a run ended before its task": (
        task_nobody_saw_the_end_of, "models", "notice",
        "The run actuals-1 ended, and whether Load GL is over in the model FP&A 2026", 0),
    "the engine remembers much": (
        rows_of_the_engine, "engine-rows", "notice", "remembers 2 runs", 0),
    "the desk counts what does not stand": (
        miscounting_desk, "desk", "trouble", "counts other rejects than stand, in 1 place", 4),
    "a schedule did not run": (
        missed_time, "schedules", "notice", "companies: It was due at", 0),
    "the records are no directory": (
        lambda w: w.set(records=str(w.home / "tieout.toml")), "records", "trouble",
        "place of the records cannot be used", 4),
    "the records are at an address that cannot be meant": (
        lambda w: w.set(records="s3://me:canary@bucket/x"), "records", "trouble",
        "TIEOUT_RECORDS names no place", 3),
    "the anchor is at an address that cannot be meant": (
        lambda w: w.set(anchor="ftp://me:canary@bucket/x"), "anchor", "trouble",
        "TIEOUT_ANCHOR names no place", 3),
    "the records are those of another instance": (
        records_of_another, "records", "trouble", "holds the records of another instance", 3),
    "a certificate of ours has ended": (
        lambda w: sign_in_that_ends(w, -1), "sign-in-ends", "trouble", "of planning ended", 3),
    "a certificate of ours ends soon": (
        lambda w: sign_in_that_ends(w, 9), "sign-in-ends", "notice", "of planning holds until", 0),
    "an authority has ended": (
        lambda w: trust_that_ended(w, -1), "ca-files", "trouble", "ended", 3),
    "the authority of a notice has ended": (
        lambda w: trust_that_ended(w, -1, TOLD), "ca-files", "trouble", "ended", 3),
    "the authority of a heartbeat has ended": (
        lambda w: trust_that_ended(w, -1, BEATS), "ca-files", "trouble", "ended", 3),
    "an authority ends soon": (
        lambda w: trust_that_ended(w, 9), "ca-files", "notice", "holds until", 0),
}  # fmt: skip


def test_of_an_instance_in_good_health_nothing_is_wrong(ward: Ward) -> None:
    found = ward.found()

    assert [c for c in found["checks"] if c["state"] == "trouble"] == []
    assert (found["ok"], found["exit_code"], found["troubles"]) == (True, 0, 0)
    assert {c["code"] for c in found["checks"] if c["state"] == "notice"} <= {"old-sqlite"}
    assert not [path for path in (ward.home / "records").rglob("*") if path.is_file()]


@pytest.mark.parametrize("sickness", SICK)
def test_what_is_wrong_is_told_under_its_code_with_what_to_do_and_who_can(
    ward: Ward, sickness: str
) -> None:
    provoke, code, state, words, exit_code = SICK[sickness]
    provoke(ward)

    found = ward.found()

    told = [c for c in found["checks"] if c["code"] == code and c["state"] == state]
    assert told, found["checks"]
    assert words in told[0]["what"]
    assert told[0]["do"]
    assert told[0]["who"]
    assert found["exit_code"] == exit_code
    assert "canary" not in json.dumps(found)


def test_a_taken_port_is_told_and_our_own_server_is_no_stranger(ward: Ward) -> None:
    with listening(ward):
        assert ward.check("port")["state"] == "notice"
        lock = InstanceLock(ward.home)
        lock.take()
        check = ward.check("port")
        assert (check["state"], "serves this instance" in check["what"]) == ("good", True)
        lock.release()


def test_a_waiting_run_is_nobody_s_business_while_a_process_executes_runs(ward: Ward) -> None:
    waiting_run(ward)
    lock = InstanceLock(ward.home)
    lock.take()

    assert ward.check("unfinished-runs")["state"] == "good"
    assert ward.check("executors")["what"] == "1 process can execute runs now."
    lock.release()


def test_nothing_configured_yet_is_a_word_and_no_trouble(ward: Ward) -> None:
    shutil.rmtree(ward.home)
    setting_up.make_instance(Office(ward.home).owner)
    ward.edit("delete from app_config")

    check = ward.check("configuration")

    assert (check["state"], check["what"]) == ("notice", "Nothing is configured yet.")


def test_versions_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(Misconfigured, match="too old for it"):
        list(judged_versions((3, 12, 1), (3, 40, 1)))
    assert [c.code for c in judged_versions((3, 11, 2), (3, 40, 1))] == ["versions", "old-sqlite"]
    assert [c.code for c in judged_versions((3, 12, 1), (3, 51, 3))] == ["versions"]


@pytest.mark.parametrize(
    ("name", "found", "state"),
    [
        ("SQLite 3.40.1", ("delete", "2"), "good"),
        ("SQLite 3.40.1", ("wal", "2"), "trouble"),
        ("SQLite 3.51.3", ("wal", "2"), "good"),
        ("SQLite 3.51.3", ("wal", "1"), "trouble"),
        ("PostgreSQL 17.2", ("on", "on"), "good"),
        ("PostgreSQL 17.2", ("on", "remote_apply"), "good"),
        ("PostgreSQL 17.2", ("on", "off"), "trouble"),
        ("PostgreSQL 17.2", ("off", "on"), "trouble"),
    ],
)
def test_a_database_that_may_forget_what_was_committed_is_told(
    name: str, found: tuple[str, str], state: str
) -> None:
    assert judged_durability(name, found).state == state


@pytest.mark.needs("postgres")
def test_a_postgres_that_commits_asynchronously_is_found_out(
    tmp_path: Path, postgres_url: str
) -> None:
    office = Office(tmp_path / "home", postgres_url)
    office.close()
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    environment = Environment(home=office.home, database=postgres_url, records="", **GIVEN)
    ward = Ward(office.home, Looking(environment))

    check = ward.check("durability")

    assert (check["state"], "and off instead of" in check["what"]) == ("trouble", True)
    assert check["who"] == "who runs the database"
    assert ward.check("database")["what"].startswith("PostgreSQL ")


def test_object_storage_is_probed_by_writing_reading_and_removing(
    ward: Ward, object_storage: ObjectStorage
) -> None:
    ward.set(records=f"s3://{BUCKET}/doctor", standard=object_storage.options())

    assert ward.check("records")["state"] == "good"
    probes = [line.split()[0] for line in object_storage.asked if "/doctor/probe/" in line]
    assert probes == ["PUT", "GET"]
    assert object_storage.names("doctor") == []

    object_storage.faults = [Fault("PUT", status=403, code="AccessDenied")]
    check = ward.check("records")
    assert (check["state"], "refuses to write" in check["what"]) == ("trouble", True)


class _Late(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response_only(404)
        self.send_header("Date", "Mon, 05 Jan 2026 06:00:00 GMT")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


def test_the_clocks_of_the_peers_are_asked_for_only_when_wanted(ward: Ward) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Late)
    Thread(target=server.serve_forever, daemon=True).start()
    text = PROJECT.replace("127.0.0.1:9", f"127.0.0.1:{server.server_port}")
    (ward.home / "tieout.toml").write_text(text)
    store = Store(ward.home, Shifted(0))
    store.apply_config(text, "eve")
    store.close()

    assert "peer-clock" not in {c["code"] for c in ward.found()["checks"]}
    ward.look_with(peers=True)
    told = [c for c in ward.found()["checks"] if c["code"] == "peer-clock"]

    assert [c["state"] for c in told] == ["trouble", "trouble"]
    assert ["that of erp are" in c["what"] for c in told] == [True, False]
    server.shutdown()
    server.server_close()
    assert ward.check("peer-clock")["exit_code"] == 4, "a peer that is not reached"


def test_who_may_not_look_gets_no_examination_of_the_instance(tmp_path: Path) -> None:
    office = Office(tmp_path / "home")
    office.clock.sleep((datetime.now(UTC) - office.clock.now()).total_seconds())
    office.people()
    environment = Environment(home=office.home, database=office.url, records="", **GIVEN)

    with pytest.raises(NotAllowed):
        doctoring.examine(Looking(environment))
    signed_in = dataclasses.replace(environment, token=office.secrets["dora"])
    assert doctoring.examine(Looking(signed_in))["checks"]
    office.close()


def test_every_code_stands_in_the_reference(ward: Ward) -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "doctor.md"
    rows = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    told = {line.split("`")[1] for line in rows}

    seen = {check["code"] for check in ward.found()["checks"]}
    seen |= {code for _, code, _, _, _ in SICK.values()}
    seen |= {"old-sqlite", "peer-clock", "rest"}  # not seen on every machine

    of_a_ledger = {code for code in told if code.startswith("ledger")}  # test_ledger_checks
    assert told - of_a_ledger == seen
