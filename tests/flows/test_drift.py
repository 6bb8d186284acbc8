"""What a flow names is looked up before anything is touched; what drifted is told as findings."""

from __future__ import annotations

from typing import Any

import pytest
from books import Books, told
from member_lists import codes_of_accounts

from tieout.verbs import discovering

PLAN = "TIEOUT_PlanJournal"


def something_to_send(books: Books) -> None:
    """An account has another name in JD Edwards."""
    ledger = books.systems.jde.ledger
    row = next(r[0] for _, r in sorted(codes_of_accounts(books).items()) if len(r) == 1)
    ledger.update("F0901", {"DL01": f"{row['DL01']} anew"[:30]}, {"AID": row["AID"]})
    books.requests("anaplan")


def found(books: Books, run: str) -> list[tuple[str, str]]:
    """Rule and words of what a run found in the names of its flow."""
    every = [(r.finding.rule, r.finding.what) for r in books.store.rejects(run=run)]
    return [(rule, words) for rule, words in every if rule.startswith("binding-")]


def touched(books: Books) -> list[str]:
    asked = [e for e in books.requests("anaplan") if "/token" not in e["path"]]
    return [e["path"] for e in asked if e["method"] != "GET"]


# What somebody does in the model → the rule of the finding that stops the run, and its words.
STOPS = [
    ({"do": "rename", "kind": "import", "name": "Load GL Accounts", "to": "Load Accounts 2"},
     "binding-renamed", "is called 'Load Accounts 2' now"),
    ({"do": "rename", "kind": "list", "name": "GL Accounts", "to": "Chart"},
     "binding-renamed", "is called 'Chart' now"),
    ({"do": "delete_import", "import": "Load GL Accounts"}, "binding-missing", "Load Companies"),
    ({"do": "rename_column", "import": "Load GL Accounts", "column": "Name", "to": "Title"},
     "binding-unfit", "Since this flow last used it: 1 column added: Title; 1 column removed"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("act", "rule", "words"), STOPS, ids=[f"{s[1]} {n}" for n, s in enumerate(STOPS)]
)
def test_what_a_flow_names_and_is_no_longer_so_stops_it_before_anything_is_touched(
    books: Books, act: dict[str, Any], rule: str, words: str
) -> None:
    books.person(**act)
    something_to_send(books)
    drift = discovering.drift(books.instance, "accounts")
    run = books.run("accounts")

    assert (run.outcome, run.exit_code) == ("failed", 3), told(books, run)
    assert [r for r, _ in found(books, run.id)] == [rule]
    assert words in found(books, run.id)[0][1]
    assert touched(books) == []
    assert [(d["rule"], d["severity"]) for d in drift["drift"]] == [(rule, "reject")]
    assert drift["exit_code"] == 3


def test_a_flow_goes_on_when_the_name_is_back_and_nothing_stays_open(books: Books) -> None:
    act = {"do": "rename", "kind": "list"}
    books.person(**act, name="GL Accounts", to="Chart")
    something_to_send(books)
    assert books.run("accounts").exit_code == 3
    books.person(**act, name="Chart", to="GL Accounts")

    run = books.run("accounts")

    assert run.outcome == "complete", told(books, run)
    standing = books.store.rejects(flow="accounts", standing=True)
    assert [r for r in standing if r.finding.rule.startswith("binding-")] == []


def test_another_import_under_the_same_name_is_a_note_once_and_the_run_completes(
    books: Books,
) -> None:
    name = "Load GL Accounts"
    books.person("copy_import", **{"import": name, "to": "copy"})
    books.person("delete_import", **{"import": name})
    books.person("rename", kind="import", name="copy", to=name)
    for rules in (["binding-changed"], []):
        something_to_send(books)
        run = books.run("accounts")
        assert run.outcome == "complete", told(books, run)
        assert [r for r, _ in found(books, run.id)] == rules


def test_a_quiet_run_asks_anaplan_nothing_and_a_look_at_the_drift_starts_nothing(
    books: Books,
) -> None:
    books.requests("anaplan")
    assert books.run("accounts").sentence.startswith("Nothing new")
    assert books.requests("anaplan") == []
    assert discovering.drift(books.instance)["drift"] == []
    assert [p for p in touched(books) if "readRequests" not in p] == []


# ------------------------------------------------------------------ the catalogue


def kinds(one: dict[str, Any]) -> dict[str, int]:
    return {t["kind"]: 1 for t in one["things"]}


def test_everything_that_a_flow_may_name_is_shown_with_who_uses_it_and_kept_with_its_age(
    books: Books,
) -> None:
    first = discovering.discover(books.instance)
    books.requests("anaplan")
    books.clock.sleep(7_200)
    erp, planning = discovering.discover(books.instance)["connections"]

    assert books.requests("anaplan") == []
    assert planning["age_seconds"] >= 7_200
    assert kinds(planning).keys() >= {"import", "export", "file", "list", "view"}
    assert first["connections"][1]["about"]["model"] == "FP&A 2026"
    (plan,) = [t for t in erp["things"] if t["name"] == PLAN]
    assert plan["told"]["inputs"]["BatchNumber"] == "Numeric"
    assert plan["told"]["inputs"]["Lines.Amount"] == "Numeric"
    used = {(t["kind"], t["name"]): t["used_by"] for t in planning["things"] if t["used_by"]}
    assert used["import", "Load GL Accounts"] == ["accounts"]
    assert used["view", "GL Actuals.GL Actuals"] == ["actuals"]


def test_a_new_look_tells_what_changed_and_a_failed_one_shows_the_last_with_its_age(
    books: Books,
) -> None:
    discovering.discover(books.instance)
    books.person("rename", kind="import", name="Load GL Accounts", to="Load Accounts 2")
    books.person("delete_import", **{"import": "Load Companies"})
    books.control("jde", "switch", name="added_inputs", value={PLAN: {"Reason": "String"}})
    books.control("anaplan", "switch", name="odd_enums", value=True)
    erp, planning = discovering.discover(books.instance, refresh=True)["connections"]

    assert erp["changes"] == [f"orchestration {PLAN}: 1 input added: Reason"]
    assert "import Load Companies: gone" in planning["changes"]
    renamed = [c for c in planning["changes"] if "renamed from 'Load GL Accounts'" in c]
    assert len(renamed) == 1
    assert "SOMETHING_NEW" in renamed[0]  # a type that nobody knows is told, and stops nothing

    books.control("anaplan", "faults", add={"kind": "status", "status": 503, "path": "/2/0/"})
    again = discovering.discover(books.instance, "planning", refresh=True)
    assert again["exit_code"] == 4
    assert again["connections"][0]["trouble"]
    assert len(again["connections"][0]["things"]) == len(planning["things"])
