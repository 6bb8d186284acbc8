"""What a person reads: a sentence for each wrong word, one object with --json, narrow tables."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from demo_home import Done, Home

AMOUNT = re.compile(r"-?\d+\.\d{2,4}")


def sentence_of(done: Done) -> str:
    """What a failed command told: the same text nowhere twice, and no traceback."""
    told = f"{done.out}\n{done.err}"
    assert "Traceback" not in told
    return " ".join(told.split())


def test_the_demo_prints_one_object_with_exact_amounts(made: tuple[Home, Done]) -> None:
    told = made[1].json
    assert told["ok"] is True
    assert {j["state"] for j in told["journals"]} == {"verified"}
    assert {j["currency"] for j in told["journals"]} == {"USD", "JPY", "KWD", "EUR"}
    for journal in told["journals"]:
        wanted = {"batch", "journal", "company", "period", "lines", "amount", "state"}
        assert wanted <= set(journal)
        assert AMOUNT.fullmatch(journal["amount"])
    for flow in told["flows"]:
        wanted = {"flow", "run", "outcome", "rows_read", "rows_sent", "rejects", "seconds"}
        assert wanted <= set(flow)
        assert isinstance(flow["seconds"], int | float)
    assert all(f["rows_read"] > 0 for f in told["flows"][:4])
    assert {row["ledger"] for row in told["tie_out"]} == {"AA"}
    assert {row["currency"] for row in told["tie_out"]} == {"USD", "JPY", "KWD", "EUR"}
    for row in told["tie_out"]:
        amounts = [row[n] for n in ("gross_f0911", "gross_f0902", "gross_anaplan")]
        assert amounts[0] == amounts[1] == amounts[2]
        assert AMOUNT.fullmatch(amounts[0])
        assert row["difference"] == "0.00"
        assert row["cells"] > 0
        assert row["cells_differing"] == 0


def cpu_seconds(program: str) -> tuple[float, str]:
    """What a new interpreter used for `program`, and its standard output."""
    measured = (
        f"{program}\nimport resource, sys\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "sys.stderr.write(str(used.ru_utime + used.ru_stime))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", measured], capture_output=True, text=True, check=True
    )
    return float(told.stderr), told.stdout


def test_the_help_is_there_before_the_columns_alone_would_be_loaded() -> None:
    help_seconds, told = cpu_seconds(
        "import sys; from tieout.cli.main import main\n"
        "sys.argv = ['tieout', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'polars', 'dbos', 'sqlalchemy', 'starlette', 'rich'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    assert "heavy: []" in told
    assert "tie-out" in told
    columns_seconds, _ = cpu_seconds("import polars")
    assert help_seconds < columns_seconds


WRONG_WORDS = [
    (["run", "nothing"], 3, "Name one of: accounts, actuals, companies, cost_centers, plan"),
    (["tie-out", "--flow", "nothing"], 3, "There is no flow 'nothing'"),
    (["tie-out", "--last", "--period", "March"], 3, "'March' is no period"),
    (["tie-out", "--last", "--period", "2099-01"], 3, "cannot be said to tie"),
    (["show", "actuals-99"], 3, "There is no run actuals-99"),
    (["replay", "actuals-99"], 3, "There is no run actuals-99"),
    (["connect", "nobody", "--stdin"], 3, "Name one of: erp, planning"),
    (["connect", "erp", "--stdin"], 3, "not one JSON object"),
    (["map", "colour", "1", "2"], 3, "Name one of: account, business-unit, company"),
    (["map", "account"], 2, "Give DIMENSION SOURCE TARGET"),
    (["prepare", "actuals"], 3, "submits no plan"),
    (["approvals", "plan-99-batch"], 3, "There is no batch plan-99-batch"),
    (["approvals", "--lines"], 2, "Name the BATCH"),
    (["journals", "plan-99-batch"], 3, "There is no batch plan-99-batch"),
    (["journals", "--all"], 2, "--all is for `tieout journals check`"),
    (["refuse", "plan-99-batch"], 2, "Missing option '--reason'"),
    (["withdraw", "plan-99-batch", "--reason", "no"], 3, "There is no batch plan-99-batch"),
    (["release", "plan-99-batch/1", "--reason", "no"], 3, "plan-99-batch/1"),
    (["frobnicate"], 2, "No such command"),
    (["run"], 2, "Missing argument 'FLOW'"),
]


@pytest.mark.parametrize(("words", "code", "says"), WRONG_WORDS, ids=lambda v: str(v)[:30])
def test_a_wrong_word_is_told_in_one_sentence_with_its_code(
    shared: Home, words: list[str], code: int, says: str
) -> None:
    done = shared.run(*words, stdin="no JSON")
    assert done.code == code
    assert says in sentence_of(done)
    assert done.out == ""


@pytest.mark.parametrize(("words", "code", "says"), WRONG_WORDS[::3], ids=lambda v: str(v)[:30])
def test_with_json_a_wrong_word_is_one_object_and_nothing_else(
    shared: Home, words: list[str], code: int, says: str
) -> None:
    done = shared.run(*words, "--json", stdin="no JSON")
    assert (done.code, done.err) == (code, "")
    assert (done.json["ok"], done.json["exit_code"]) == (False, code)
    assert says in done.json["error"]


SECRET = json.dumps({"username": "U", "password": "P-4711"})


@pytest.mark.parametrize(
    "words",
    [
        ["runs"], ["rejects", "--all"], ["map"], ["tie-out", "--last"], ["run", "actuals"],
        ["approvals"], ["approvals", "plan-2-batch"], ["journals"], ["journals", "check"],
        ["preview", "plan"],
        ["init", "--apply"], ["show", "actuals-2"], ["show", "actuals-2", "--reproduce"],
        ["connect", "erp", "--stdin"],
        ["map", "account", "1", "2", "--why", "a test"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_json_prints_exactly_one_object_when_all_is_well(shared: Home, words: list[str]) -> None:
    done = shared.run(*words, "--json", stdin=SECRET)
    assert done.code == 0, done
    assert done.json["ok"] is True
    assert done.out.count("\n") == 1
    assert "P-4711" not in done.out + done.err


@pytest.mark.parametrize("words", [["runs"], ["rejects", "--all"], ["show", "actuals-1"],
                                   ["tie-out", "--last"], ["approvals", "plan-2-batch", "--lines"],
                                   ["approvals", "--all"], ["journals"]], ids=" ".join)  # fmt: skip
def test_no_line_is_wider_than_a_terminal_of_80_columns(shared: Home, words: list[str]) -> None:
    shown = shared.run(*words, env={"COLUMNS": "80"}).out
    typed = ("Next:", "  or:")  # lines to copy are not wrapped
    long = [x for x in shown.splitlines() if len(x) > 80 and not x.startswith(typed)]
    assert shown
    assert long == []


def test_times_have_their_zone_and_amounts_their_currency(shared: Home) -> None:
    assert re.search(r"\d\d \w{3} \d{4} \d\d:\d\d:\d\d UTC", shared.run("runs").out)
    shown = shared.run("runs", env={"TZ": "America/Chicago"}).out
    assert re.search(r"\d\d:\d\d:\d\d C[SD]T", shown)
    assert re.search(r"1,204\.00 USD", shared.run("rejects", "--all").out)
    tied = shared.run("tie-out", "--last", "--period", "2025-03").out
    assert "Company 00070, ledger AA, amounts in JPY" in tied
    assert re.search(r"^total +\d+ +0 ( *[\d,]+\.\d{3}){3} +0\.000$", tied, re.MULTILINE)


def test_a_run_is_shown_with_where_its_rows_went(shared: Home) -> None:
    """The demo's first load: what came is what went, in finance words and in numbers."""
    shown = shared.run("show", "actuals-1").out
    lines = re.search(r"read ([\d,]+) lines: ([\d,]+) new$", shown, re.MULTILINE)
    assert lines
    assert lines[1] == lines[2]
    assert re.search(r"mirrored [\d,]+ lines: [\d,]+ folded into account balances", shown)
    assert "agree from step to step" in shown
    told = shared.run("show", "actuals-1", "--json").json["accounted"]
    assert told["agree"] is True
    assert {p["agrees"] for p in told["passages"]} == {True}
    sums = told["passages"][0]["came"]["sums"]
    assert set(sums) == {"AA USD", "AA EUR", "AA JPY", "AA KWD"}
    assert all(AMOUNT.fullmatch(amount) for amount in sums.values())


def test_a_reproduced_file_is_told_with_its_bytes_and_what_it_was_made_of(shared: Home) -> None:
    done = shared.run("show", "actuals-2", "--reproduce")
    told = " ".join(done.out.split())
    assert done.code == 0
    assert re.search(r"the same [\d,]+ bytes, [\d,]+ rows, SHA-256 [0-9a-f]{64}\.", told)
    assert "version 1 of the mapping" in told


def test_a_home_that_is_not_there_is_told_with_how_to_make_one(shared: Home) -> None:
    done = shared.run("--home", str(shared.path.parent / "none"), "runs", home=False)
    assert done.code == 3
    assert "`tieout init` makes one there" in sentence_of(done)


def test_a_new_home_gets_an_example_that_can_be_applied_and_connected(tmp_path: Path) -> None:
    new = Home(tmp_path / "new")
    made = new.run("init")
    assert made.code == 0
    assert "Next: tieout --home" in made.out
    text = (new.path / "tieout.toml").read_text()
    assert 'kind = "load_members"' in text
    assert 'kind = "load_actuals"' in text
    assert new.run("run", "actuals").code == 3
    assert new.run("init", "--apply", "--json").json["version"] == 1
    secret = json.dumps({"username": "A", "password": "B-17-secret"})
    sealed = new.run("connect", "erp", "--stdin", stdin=secret)
    assert sealed.code == 0
    kept = b"".join(p.read_bytes() for p in new.path.rglob("*") if p.is_file())
    assert b"B-17-secret" not in kept
    assert new.run("runs").out.startswith("No run yet.")
