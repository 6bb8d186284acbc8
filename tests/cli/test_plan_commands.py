"""A plan from the command line: prepared, shown, decided over by another person, and followed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from demo_home import COMMAND_SECONDS_MAX, Done, Home
from expected import Expected

PLACES = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
CELLS = (("Jan 26", "800000"), ("Feb 26", "900000"))
REVENUE = ("00070", "4010", "72", "BUD26")  # company, account, cost center, version
ORCHESTRATION = r"/orchestrator/(v3/)?TIEOUT_PlanJournal"


def as_(home: Home, name: str, *words: str) -> Done:
    """A command by one of the demo's people; without a token Ana is signed in."""
    token = json.loads((home.path / "people.json").read_text())[name]["token"]
    return home.run(*words, env={"TIEOUT_TOKEN": token})


def plan(home: Home, *cells: tuple[str, str]) -> None:
    """Planners change these months of one account."""
    for month, amount in cells:
        home.control(
            "anaplan", "people", do="change_plan", cells=[[*REVENUE, month]], amount=amount
        )


def prepared(home: Home, *cells: tuple[str, str]) -> dict[str, Any]:
    """The batch of a changed plan, as Ana prepared it."""
    plan(home, *(cells or CELLS))
    done = home.run("prepare", "plan", "--json")
    assert done.code == 7, done
    batch: dict[str, Any] = done.json["batch"]
    return batch


def yes(batch: dict[str, Any]) -> list[str]:
    """What says yes to all that a batch asks."""
    return [word for ask in batch["summary"]["asks"] for word in ("--yes", ask["rule"])]


def approve(home: Home, batch: dict[str, Any], *more: str) -> Done:
    """Pat approves the batch."""
    words = ("approve", batch["batch"], "--digest", batch["digest"][:8], *yes(batch), *more)
    return as_(home, "pat", *words)


def state(home: Home, batch: dict[str, Any]) -> str:
    return str(home.run("approvals", batch["batch"], "--json").json["state"])


def journals(home: Home, batch: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = home.run("journals", batch["batch"], "--json").json["journals"]
    return found


def at_jde(home: Home, journal: dict[str, Any], *acts: str) -> None:
    """What people at JD Edwards do with the batch of a journal."""
    number = int(journal["batch_number"])
    for do in acts:
        home.control("jde", "people", do=do, batch_type="G", batch_number=number)


def test_the_balances_of_the_budget_ledger_are_the_approved_plan_rounded_to_the_currency(
    made: tuple[Home, Done], home: Home
) -> None:
    """By a second path: the tables of the practice ledger, and the cells of the practice model."""
    ledger = Expected(home.path / "sim" / "jde.sqlite")
    planned_with = {m["source"]: m["target"] for m in home.run("map", "--json").json["mappings"]}
    found: dict[tuple[str, ...], Decimal] = {}
    for key, balance in ledger.balances(("BA",)).items():
        month = ledger.month(key.company, key.fiscal_year, key.period)
        unit = planned_with.get(key.business_unit, key.business_unit)
        at = (key.company, key.account, unit, month)
        found[at] = found.get(at, Decimal(0)) + balance
    currencies = {j["company"]: j["currency"] for j in made[1].json["journals"]}
    items: dict[tuple[str, ...], dict[str, str]] = {}
    for cell in home.control("anaplan", "cells", module="Approved Plan")["cells"]:
        place = (cell["Companies"], cell["GL Accounts"], cell["Cost Centers"], cell["Time"])
        items.setdefault(place, {})[cell["line_item"]] = cell["value"]
    planned = {place: item for place, item in items.items() if item.get("Approved") == "true"}
    assert len(planned) > 2000  # a quarter of every account and center that was planned
    assert set(currencies) == {place[0] for place in planned}
    differing, lines = [], 0
    for place, item in planned.items():
        sign = -1 if "4000" <= place[1].partition(".")[0] <= "4999" else 1
        smallest = Decimal(1).scaleb(-PLACES[currencies[place[0]]])
        amount = sign * Decimal(item.get("Amount", "0")).quantize(smallest, ROUND_HALF_UP)
        lines += amount != 0
        if found.get(place, Decimal(0)) != amount:
            differing.append((place, amount, found.get(place)))
    assert differing == []
    assert lines == sum(j["lines"] for j in made[1].json["journals"])


def test_a_changed_plan_is_prepared_shown_approved_by_another_submitted_posted_and_verified(
    home: Home,
) -> None:
    plan(home, *CELLS)
    previewed = home.run("preview", "plan")
    assert (previewed.code, "would be prepared; nothing was" in previewed.out) == (0, True)
    assert home.run("approvals").out.startswith("No batch waits")
    done = home.run("run", "plan")
    assert done.code == 7
    assert "has 2 journals of 2 lines and waits for approval" in " ".join(done.out.split())
    (batch,) = home.run("approvals", "--json").json["approvals"]
    assert f"Next: tieout --home {home.path} approvals {batch['batch']}" in done.out
    assert [(t["currency"], t["period"]) for t in batch["summary"]["totals"]] == [
        ("JPY", 1), ("JPY", 2),
    ]  # fmt: skip
    shown = home.run("approvals", batch["batch"], "--lines").out
    assert "4010     72    2026-01" in shown
    assert batch["digest"][:12] in shown
    lines = home.run("approvals", batch["batch"], "--json").json["journal_lines"]
    assert [(x["member"], x["target"]) for x in lines] == [
        ("Jan 26", "-800000.00"), ("Feb 26", "-900000.00"),
    ]  # fmt: skip
    moved = sum(Decimal(x["debit"]) + Decimal(x["credit"]) for x in lines)
    assert moved == sum(Decimal(t["moved"]) for t in batch["summary"]["totals"])

    approved = approve(home, batch)
    assert approved.code == 0, approved
    assert "2 created" in approved.out
    assert {j["state"] for j in journals(home, batch)} == {"created"}
    for journal in journals(home, batch):
        at_jde(home, journal, "approve", "post")
    checked = home.run("journals", "check", "--json")
    assert (checked.code, checked.json["ok"]) == (0, True)
    assert {j["state"] for j in checked.json["batches"][0]["journals"]} == {"verified"}
    assert home.run("journals", "check").out == "No journal is open.\n"
    assert home.run("approvals").out.startswith("No batch waits")
    again = home.run("prepare", "plan", "--json")
    assert (again.code, again.json["batch"]) == (0, None)
    assert "No journal is needed" in again.json["sentence"]


def test_who_prepared_a_batch_approves_it_by_no_command_though_they_are_approvers(
    home: Home,
) -> None:
    added = home.run(
        "users", "add", "max", "--role", "operator", "--role", "approver", "--json"
    ).json
    max_ = {"TIEOUT_TOKEN": added["secret"]}
    plan(home, *CELLS)
    batch = home.run("prepare", "plan", "--json", env=max_).json["batch"]
    for words in (
        ("approve", batch["batch"], "--digest", batch["digest"], *yes(batch)),
        ("refuse", batch["batch"], "--digest", batch["digest"], "--reason", "no"),
    ):
        done = home.run(*words, env=max_)
        assert (done.code, done.out) == (4, "")
        assert "max prepared" in done.err
    for name in ("ana", "audra", "alex"):
        done = as_(home, name, "approve", batch["batch"], "--digest", batch["digest"])
        assert (done.code, "takes the role approver" in done.err) == (4, True)
    assert state(home, batch) == "prepared"
    assert approve(home, batch).code == 0


def test_only_the_digest_that_was_shown_approves_and_only_with_a_yes_to_what_is_asked(
    home: Home,
) -> None:
    batch = prepared(home, ("Jan 26", "-90000000"))  # revenue with the sign of an expense
    name, digest = batch["batch"], batch["digest"]
    asked = [a["rule"] for a in batch["summary"]["asks"] if REVENUE[0] in a["subject"]]
    assert "plan-sign" in asked
    shown = home.run("approvals", name)
    assert "It asks (--yes plan-sign)" in shown.out
    other = "0" * 64 if digest[0] != "0" else "1" * 64
    for words, code, says in (
        ((), 2, "Say which lines you have seen"),
        (("--digest", digest[:7]), 2, "Give 8 or more digits"),
        (("--digest", other, *yes(batch)), 4, "not those that were shown"),
        (("--digest", digest[:8] + other, *yes(batch)), 4, "not those that were shown"),
        (("--digest", digest[:8]), 4, "--yes plan-sign"),
        (("--digest", digest[:8], "--yes", "plan-growth"), 4, "--yes plan-sign"),
    ):
        done = as_(home, "pat", "approve", name, *words)
        assert (done.code, done.out) == (code, ""), (words, done)
        assert says in " ".join(done.err.split())
        assert state(home, batch) == "prepared"
    assert as_(home, "pat", "approve", name, "--json").json["exit_code"] == 2
    approved = approve(home, batch, "--json")
    assert (approved.code, approved.json["ok"], approved.json["state"]) == (0, True, "approved")
    assert [j["state"] for j in approved.json["journals"]] == ["created"]
    twice = approve(home, batch)
    assert (twice.code, "approved already by pat" in twice.err) == (4, True)
    assert len(journals(home, batch)) == 1
    asked = [f for f in home.run("rejects", "--all", "--json").json["rejects"]
             if f["rule"] == "plan-sign"]  # fmt: skip
    assert {f["state"] for f in asked} == {"sent again", "waived"}, "nothing is left to say yes to"


def at_a_terminal(home: Home, name: str, answers: str, *words: str) -> tuple[int, str]:
    """A command whose standard input is a terminal, where somebody types `answers`."""
    token = json.loads((home.path / "people.json").read_text())[name]["token"]
    keyboard, terminal = os.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "tieout", "--home", str(home.path), *words], stdin=terminal,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"TIEOUT_TOKEN": token, "COLUMNS": "100"},
        )  # fmt: skip
        os.write(keyboard, answers.encode())
        out, _ = process.communicate(timeout=COMMAND_SECONDS_MAX)
    finally:
        os.close(keyboard)
        os.close(terminal)
    return process.returncode, out


def test_at_a_terminal_the_batch_is_shown_and_each_thing_it_asks_is_asked_apart(
    home: Home,
) -> None:
    batch = prepared(home, ("Jan 26", "-90000000"))
    name, rules = batch["batch"], {ask["rule"] for ask in batch["summary"]["asks"]}
    for answers in ("n\n", "y\n" * len(rules) + "n\n"):
        code, told = at_a_terminal(home, "pat", answers, "approve", name)
        assert code == 7, told
        assert "Nothing was decided." in told
        assert state(home, batch) == "prepared"
    code, told = at_a_terminal(home, "pat", "y\n" * (len(rules) + 1), "approve", name)
    assert code == 0, told
    assert batch["digest"][:12] in told
    assert "plan-sign: is that meant?" in told
    assert "Approve exactly these lines?" in told
    assert "1 created" in told


def test_a_declined_or_withdrawn_batch_submits_nothing_and_says_why(home: Home) -> None:
    batch = prepared(home)
    digest = ("--digest", batch["digest"][:10])
    assert as_(home, "pat", "refuse", batch["batch"], *digest).code == 2
    done = as_(home, "pat", "refuse", batch["batch"], *digest, "--reason", "March is missing")
    assert done.code == 0, done
    assert f"Next: tieout --home {home.path} prepare plan" in done.out
    assert approve(home, batch).code == 4
    second = prepared(home)
    assert second["digest"] == batch["digest"], "the same plan makes the same lines"
    assert as_(home, "ana", "withdraw", second["batch"], "--reason", "wrong month").code == 0
    told = home.run("approvals", "--all").out
    assert "Declined by pat" in told
    assert "March is missing" in told
    assert "Void: wrong month" in told
    assert home.run("journals", batch["batch"]).out.startswith("None of these journals")
    assert all(j["given_up"] for j in journals(home, second))
    assert home.control("jde", "orchestrations")["waiting"] == []


def test_an_approval_that_nobody_waits_for_is_carried_out_by_the_next_check(home: Home) -> None:
    batch = prepared(home)
    done = approve(home, batch, "--no-wait")
    assert done.code == 0, done
    assert f"Next: tieout --home {home.path} journals check" in done.out
    assert {j["state"] for j in journals(home, batch)} == {"reserved"}
    checked = as_(home, "pat", "journals", "check")
    assert (checked.code, "2 created" in checked.out) == (0, True)


def test_a_journal_that_people_deleted_is_told_and_prepared_again_only_with_a_reason(
    home: Home,
) -> None:
    batch = prepared(home)
    assert approve(home, batch).code == 0
    first, second = journals(home, batch)
    at_jde(home, first, "delete")
    at_jde(home, second, "approve", "post")
    checked = home.run("journals", "check")
    assert checked.code == 6, checked
    told = " ".join(checked.out.split())
    assert f"{first['journal']} is deleted: JD Edwards showed it and shows it no longer" in told
    assert f"prepare FLOW --again {first['journal']} --why TEXT" in told
    assert [j["state"] for j in journals(home, batch)] == ["deleted", "verified"]
    assert home.run("prepare", "plan").code == 5, "what was deleted is not entered again by itself"
    assert home.run("prepare", "plan", "--again", first["journal"]).code == 3
    again = home.run(
        "prepare", "plan", "--again", first["journal"], "--why", "deleted by mistake", "--json"
    )
    assert again.code == 7, again
    assert again.json["batch"]["lines"] == 1


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
def test_a_journal_whose_answer_is_lost_is_in_the_ledger_once(home: Home, kind: str) -> None:
    """Cut before: it never arrived, twice, and a person lets it go again. Cut after: it did."""
    home.project('first_period = "current"', 'first_period = "current"\nquiet_period = "6s"')
    secret = 'secret = "secret://erp"'
    home.project(secret, f'{secret}\nrequest_timeout = "3s"')
    assert home.run("init", "--apply").code == 0
    batch = prepared(home, CELLS[0])
    fault = {"kind": kind, "method": "POST", "path": ORCHESTRATION}
    times = 2 if kind == "cut_before" else 1
    home.control("jde", "faults", add=fault | {"times": times})
    done = approve(home, batch)
    (journal,) = journals(home, batch)
    if kind == "cut_before":
        assert (done.code, journal["state"]) == (7, "absent"), done
        assert f"release {journal['journal']} --reason TEXT" in " ".join(done.out.split())
        assert as_(home, "ana", "release", journal["journal"], "--reason", "mine").code == 4
        done = as_(home, "pat", "release", journal["journal"], "--reason", "looked in P0911")
        (journal,) = journals(home, batch)
    assert (done.code, journal["state"]) == (0, "created"), done
    assert sum(f["hit"] for f in home.control("jde", "faults")["faults"]) == times
    at_jde(home, journal, "approve", "post")
    assert home.run("journals", "check").code == 0
    assert [j["state"] for j in journals(home, batch)] == ["verified"]
