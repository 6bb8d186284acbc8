"""Each failure: one sentence of what, who and what was not touched; the next run goes on."""

from __future__ import annotations

import json
import signal

import pytest
from demo_home import Done, Home, until

HTML = "<html><body>Server Manager</body></html>"


def told_once(done: Done, *wanted: str) -> str:
    """The command's sentence: it has each of `wanted`, stands there once, without a traceback."""
    told = " ".join(f"{done.out} {done.err}".split())
    for words in wanted:
        assert words in told, told
    assert "Traceback" not in told
    first = told.split(". ")[0]
    assert told.count(first) == 1, told
    return told


def something_to_send(home: Home) -> None:
    """A line posted late, its old date unmoved: the next run has a cell to send."""
    home.control("jde", "event", name="late_post")


def connect(home: Home, name: str, password: str) -> None:
    user = json.loads((home.path / "sim" / "credentials.json").read_text())
    system = {"erp": "jde", "planning": "anaplan"}[name]
    fields = json.dumps({"username": user[system]["username"], "password": password})
    assert home.run("connect", name, "--stdin", stdin=fields).code == 0


@pytest.mark.parametrize(
    ("name", "system", "door"),
    [("erp", "jde", "tokenrequest"), ("planning", "anaplan", "/token/authenticate")],
)
def test_a_wrong_password_is_tried_once_and_told_with_who_can_act(
    home: Home, name: str, system: str, door: str
) -> None:
    before = home.positions()
    connect(home, name, "not the password")
    home.forget_requests()
    done = home.run("run", "actuals", "--full")
    assert done.code == 4
    told = told_once(done, "password", "Who can do it:", "othing")
    assert f"tieout connect {name}" in told or "tieout connect" in told
    assert len(home.requests(system, door)) == 1
    assert home.changes() == []
    assert home.positions() == before
    assert "not the password" not in told


NAMES = [
    ("actuals", 'import = "Load GL Actuals"', "Load the Actuals", ("Load Cost Centers",)),
    ("actuals", 'view = "GL Actuals"', "All Actuals", ("GL Actuals",)),
    ("accounts", 'import = "Load GL Accounts"', "Load all Accounts", ("Load Companies",)),
    ("accounts", 'list = "GL Accounts"', "Chart", ("GL Accounts", "Cost Centers")),
    ("actuals", 'model = "FP&A 2026"', "FP&A 2027", ("FP&A 2026",)),
]


@pytest.mark.parametrize(("flow", "key", "name", "there"), NAMES, ids=lambda v: str(v)[:20])
def test_a_name_that_anaplan_does_not_know_is_told_with_those_there_are_before_anything_is_sent(
    home: Home, flow: str, key: str, name: str, there: tuple[str, ...]
) -> None:
    before = home.positions()
    home.project(key, f'{key.partition(" = ")[0]} = "{name}"')
    assert home.run("init", "--apply").code == 0
    something_to_send(home)
    home.forget_requests()
    done = home.run("run", flow, "--json")
    assert done.code == 3
    told_once(done, f"named '{name}'", *there, "Nothing was changed in Anaplan", "Who can do it:")
    assert home.changes() == []
    assert home.positions() == before


def test_a_renamed_column_stops_the_run_before_anything_is_touched(home: Home) -> None:
    before = home.positions()
    act = {"do": "rename_column", "import": "Load GL Actuals", "column": "Amount", "to": "Value"}
    home.control("anaplan", "people", **act)
    something_to_send(home)
    home.forget_requests()
    done = home.run("run", "actuals")
    assert done.code == 3
    wanted = ("Amount", "Value", "Load GL Actuals", "Nothing was changed in Anaplan")
    told_once(done, *wanted, "Who can do it:")
    assert home.changes() == []
    assert home.positions() == before


@pytest.mark.parametrize("status", [200, 502])
def test_an_ais_that_answers_html_is_told_in_one_sentence(home: Home, status: int) -> None:
    before = home.positions()
    home.control("jde", "switch", name="html_status", value=status)
    done = home.run("run", "actuals")
    assert done.code == 4
    told_once(done, "JD Edwards", "HTML" if status == 200 else "502")
    assert "<html" not in done.out + done.err
    assert home.positions() == before
    home.control("jde", "switch", reset=True)
    assert home.run("run", "actuals").code == 0


@pytest.mark.parametrize("room", [4_096, 200_000])
def test_a_full_disk_is_one_sentence_and_the_next_run_completes(home: Home, room: int) -> None:
    before = home.positions()
    home.practice()
    size = (home.path / "tieout.sqlite").stat().st_size
    done = home.run_on_full_disk(room if room < size else size, "run", "actuals", "--full")
    assert done.code not in (0, 1, 130), done
    told_once(done, "disk")
    assert home.positions() == before
    again = home.run("run", "actuals", "--full")
    assert again.code == 0, again
    assert "F0911 = F0902 = Anaplan" in again.out


def test_a_changed_project_file_stops_every_command_with_the_difference(home: Home) -> None:
    home.project('companies = ["00001", "00060"', 'companies = ["00001"')
    home.project("prior_years = 1\n", "")
    home.forget_requests()
    for words in (["run", "actuals"], ["tie-out", "--last"], ["connect", "erp", "--stdin"]):
        done = home.run(*words, stdin="{}")
        assert done.code == 3
        told = told_once(done, "differs from the applied configuration", "Nothing was run")
        assert 'flows.actuals.companies is ["00001", "00070"' in told
        assert "flows.actuals.prior_years is gone (was 1)" in told
    assert home.requests("jde") == []
    applied = home.run("init", "--apply")
    assert applied.code == 0
    assert "flows.actuals.prior_years is gone (was 1)" in applied.out
    assert home.run("tie-out", "--last").code == 0


def test_a_mistake_in_the_project_file_is_not_applied(home: Home) -> None:
    home.project("prior_years = 1", "prior_year = 1")
    done = home.run("init", "--apply", "--json")
    assert done.code == 3
    told_once(done, "prior_year", "did you mean `prior_years`?")
    home.project("prior_year = 1", "prior_years = 1")
    assert home.run("tie-out", "--last").code == 0


@pytest.mark.parametrize("key", ["missing", "another"])
def test_without_the_right_key_nothing_is_signed_in(home: Home, key: str) -> None:
    file = home.path / "key"
    kept = file.read_bytes()
    file.unlink()
    if key == "another":
        other = Home(home.path.parent / "other")
        assert other.run("init").code == 0
        file.write_bytes((other.path / "key").read_bytes())
        file.chmod(0o600)
    home.forget_requests()
    for words in (["run", "actuals"], ["run", "actuals", "--json"]):
        done = home.run(*words)
        assert done.code == 9, done
        told_once(done, "key")
    assert home.requests("jde") == []
    file.write_bytes(kept)
    file.chmod(0o600)
    assert home.run("run", "actuals").code == 0


def test_an_unmapped_unit_ends_with_rejects_and_what_to_do_about_it(home: Home) -> None:
    assert home.run("map", "business-unit", "J77", "--withdraw", "--why", "a test").code == 0
    done = home.run("run", "actuals")
    assert done.code == 5
    assert "business unit J77" in done.out
    assert "USD" in done.out
    assert f"Next: tieout --home {home.path} map business-unit J77 TARGET" in done.out
    assert home.run("map", "business-unit", "J77", "1", "--why", "mended").code == 0
    assert home.run("replay", "actuals-3", "--yes").code == 0


def test_a_cell_changed_in_anaplan_is_a_difference_and_never_complete(home: Home) -> None:
    cell = home.control("anaplan", "cells", module="GL Actuals")["cells"][0]
    members = [cell[n] for n in ("Companies", "GL Accounts", "Cost Centers", "Time")]
    act = {"do": "set_cell", "module": "GL Actuals", "members": members, "value": "12345.67"}
    home.control("anaplan", "people", **act)
    done = home.run("tie-out", "--json")
    assert done.code == 6
    assert done.json["ok"] is False
    assert sum(row["cells_differing"] for row in done.json["tie_out"]) == 1
    assert home.run("tie-out", "--last").code == 6
    assert home.run("run", "actuals").code == 0
    assert home.run("tie-out").code == 0


def test_ctrl_c_ends_the_command_and_the_next_run_carries_on(home: Home) -> None:
    home.control("jde", "faults", add={"kind": "delay", "seconds": 3, "path": "dataservice"})
    home.forget_requests()
    process = home.start("run", "actuals")
    until(lambda: home.requests("jde", "dataservice"))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "Interrupted" in err
    assert "Traceback" not in err
    done = home.run("run", "actuals")
    assert done.code == 0
    assert len(home.rows("select id from app_run where outcome in ('waiting','running')")) == 0


def test_a_worker_on_a_sqlite_file_says_what_it_needs(shared: Home) -> None:
    done = shared.run("worker")

    assert done.code == 3
    assert "Several workers need PostgreSQL" in done.err
