"""`tieout rejects` as people use it: by cause first, then row by row; decided for all or none."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from decimal import Decimal

import pytest
from demo_home import Done, Home, copied


@pytest.fixture(scope="module")
def stopped(
    made: tuple[Home, Done], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Home]:  # fmt: skip
    """A home where company 00001 waits, for a cost center lost its mapping.

    Every test leaves both rejects standing on the desk.
    """
    home = copied(made[0], tmp_path_factory.mktemp("stopped") / "home")
    withdrawn = home.run("map", "business-unit", "J77", "--withdraw", "--why", "a test")
    assert withdrawn.code == 0, withdrawn
    assert home.run("run", "actuals").code == 5
    yield home
    home.stop()


def as_person(home: Home, name: str, *words: str) -> Done:
    """A command in the name of one of the demo's people."""
    people = json.loads((home.path / "people.json").read_text())
    return home.run(*words, env={"TIEOUT_TOKEN": people[name]["token"]})


def numbers(home: Home) -> list[str]:
    return [str(r["id"]) for r in home.run("rejects", "--json").json["rejects"]]


def test_the_list_tells_causes_first_with_rows_amount_age_owner_and_state(stopped: Home) -> None:
    first, second = numbers(stopped)
    assert as_person(stopped, "ana", "rejects", "assign", first, "--to", "pat").code == 0

    lines = stopped.run("rejects").out.splitlines()

    head = ["cause", "flow", "rows", "amount", "open", "for", "owner", "state"]
    assert lines[1].split() == head
    cause = next(line for line in lines if line.startswith("unmatched-member"))
    for told in ("actuals", " 1 ", "1,204.00 USD", "under 1 hour", "pat", "assigned"):
        assert told in cause
    assert f"unmatched-member (numbers {first}): the Anaplan list has no such member" in " ".join(
        line.strip() for line in lines
    )
    at = next(n for n, line in enumerate(lines) if line.startswith(f"[{first}] "))
    assert "assigned to pat, open for under 1 hour" in " ".join(lines[at : at + 2])
    assert " map business-unit J77 TARGET" in lines[-1]
    for by, word in (("owner", "nobody"), ("state", "open")):
        table = stopped.run("rejects", "--by", by).out.splitlines()
        assert table[1].split()[0] == by
        assert any(line.startswith(word) for line in table)
    run = stopped.run("runs", "--json").json["runs"][0]["run"]
    of_run = stopped.run("rejects", "--flow", "actuals", "--run", run, "--json").json
    assert {r["id"] for r in of_run["rejects"]} >= {int(first), int(second)}
    trace = stopped.run("trace", "--reject", first)
    assert "3 cells" in trace.out, trace


def test_a_waiver_takes_an_approver_and_the_run_needs_attention_all_the_same(
    stopped: Home,
) -> None:
    first, second = numbers(stopped)
    waiving = ("rejects", "waive", f"{first}-{second}", "--why", "J77 closes")
    refused = as_person(stopped, "ana", *waiving)
    assert (refused.code, refused.out) == (4, "")
    assert "waive amounts: that takes the role approver" in refused.err
    partly = as_person(stopped, "pat", "rejects", "waive", first, "999", "--why", "J77 closes")
    assert partly.code == 4
    assert "1 of 2 rejects cannot be waived: 999 does not exist. All stay" in partly.err
    assert as_person(stopped, "pat", *waiving).out.startswith("Waived: 2 rejects.")

    again = stopped.run("run", "actuals")

    assert again.code == 5
    assert "waived by pat: J77 closes" in " ".join(again.out.split())
    listed = stopped.run("rejects")
    assert listed.out == "Nothing is open.\n2 rejects waived: `tieout rejects --all`.\n"
    standing = [r for r in stopped.run("rejects", "--all", "--json").json["rejects"]
                if r["state"] == "waived" and not r["settled_run"]]  # fmt: skip
    assert {r["decided_on"] for r in standing} == {int(first), int(second)}
    ids = [str(r["id"]) for r in standing]
    opened = as_person(stopped, "ana", "rejects", "reopen", *ids, "--why", "no", "--json").json
    assert [r["state"] for r in opened["rejects"]] == ["open", "open"]


def test_all_rejects_leave_as_a_table_for_a_spreadsheet(stopped: Home) -> None:
    file = stopped.path / "rejects.csv"
    told = stopped.run("rejects", "--all", "--csv", str(file), "--json").json
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert (
        told["rows"] == len(rows) == len(stopped.run("rejects", "--all", "--json").json["rejects"])
    )
    (row,) = (
        r for r in rows if r["rule"] == "unmatched-member" and r["state"] in ("open", "assigned")
    )
    assert (row["company"], Decimal(row["amount"]), row["currency"]) == (
        "00001", Decimal(1204), "USD",
    )  # fmt: skip
    assert stopped.run("rejects", "--csv", "-").out.splitlines()[0].startswith("id,flow,run,state")
    unwritable = stopped.run("rejects", "--csv", os.devnull + "/no/such/file")
    assert unwritable.code == 2
    assert "cannot be written" in unwritable.err


@pytest.mark.parametrize(
    "words",
    [
        ["rejects", "--all", "assign", "1", "--to", "ana"], ["rejects", "assign", "--to", "ana"],
        ["rejects", "waive", "1"], ["rejects", "waive", "5-4", "--why", "x"],
        ["rejects", "waive", "1-99999999", "--why", "x"], ["rejects", "reopen", "a", "--why", "x"],
        ["rejects", "--by", "amount"], ["trace", "--reject", "1", "--account", "8740"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_as_usage(stopped: Home, words: list[str]) -> None:
    done = stopped.run(*words)
    assert (done.code, done.out) == (2, ""), done
