"""The demo's people and its plan: entered, prepared, approved by another, posted and verified."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tieout.app import Instance
from tieout.core.findings import counted
from tieout.engine.durable import Engine
from tieout.store import passwords, sign_in
from tieout.store.disk import write_private
from tieout.store.passwords import NewPassword
from tieout.verbs import approving, people, planning, practice, seeing

FLOW = "plan"
VERSION, MONTHS = "BUD26", 3  # which of the practice model's versions the planners enter, how far
TOKEN_DAYS = 366
PEOPLE_FILE = "people.json"
ALEX, ANA, PAT, AUDRA = "alex", "ana", "pat", "audra"
# The first adds the others, so that nobody has seen the token of who approves their batches.
ROLES = {
    ALEX: ("admin",), ANA: ("operator",), PAT: ("approver",), AUDRA: ("auditor",),
}  # fmt: skip
CREATED = ("created", "ready")  # journals that people at JD Edwards have still to post

Say = Callable[[str], None]


def make_people(instance: Instance) -> str:
    """Four people, their tokens in HOME/people.json, and Ana signed in on this directory.

    Returns the one password under which each of them signs in at the page, kept nowhere else.
    """
    tokens: dict[str, str] = {}
    by = instance
    for name, roles in ROLES.items():
        tokens[name] = people.add_user(by, name, roles, TOKEN_DAYS)["secret"]
        by = _as(instance, tokens[ALEX])
    told = {name: {"roles": ROLES[name], "token": token} for name, token in tokens.items()}
    write_private(instance.home / PEOPLE_FILE, json.dumps(told, indent=1).encode())
    sign_in.keep(instance.home, instance.store.safe.keys, tokens[ANA])
    password = passwords.generated()
    argon2 = passwords.hashed("", password)
    with instance.store.begin() as connection:
        for name in ROLES:
            kept = NewPassword(name, argon2, ALEX, "" if name == ALEX else ALEX)
            passwords.keep(connection, kept, instance.clock.now())
    return password


@contextmanager
def desk(instance: Instance, name: str) -> Iterator[Instance]:
    """The instance as one of the demo's people acts on it."""
    own = _as(instance, token_of(instance, name))
    try:
        yield own
    finally:
        own.close()


def token_of(instance: Instance, name: str) -> str:
    """The token of one of the demo's people."""
    told = json.loads((instance.home / PEOPLE_FILE).read_text(encoding="utf-8"))
    return str(told[name]["token"])


def _as(instance: Instance, token: str) -> Instance:
    return Instance(replace(instance.environment, token=token), instance.clock)


def add_plan(instance: Instance) -> None:
    """The modeller of the practice model makes the plan, its control module and their exports."""
    practice.control(instance.home, "anaplan", "people", do="add_plan")


def prepare_plan(instance: Instance, engine: Engine, say: Say) -> dict[str, Any]:
    """Planners enter and approve the budget, and it is prepared: the run, and what waits."""
    entered = practice.control(
        instance.home,
        "anaplan",
        "people",
        do="enter_plan",
        version=VERSION,
        months=MONTHS,
    )["cells"]
    say(f"Planners entered a budget of {entered:,} amounts in Anaplan.")
    return _prepare(instance, engine, say)


def _prepare(instance: Instance, engine: Engine, say: Say) -> dict[str, Any]:
    run = planning.prepare(instance, FLOW, engine=engine).run
    say(run.sentence)
    waiting = [b for b in approving.approvals(instance) if b["prepared_in"] == run.id]
    return {"run": run, "batch": waiting[0] if waiting else None}


def correct_plan(
    instance: Instance, found: dict[str, Any], engine: Engine, say: Say
) -> dict[str, Any]:
    """Planners take back what no journal may be written for, and it is prepared again."""
    refused = {
        (f["company"], f["member"])
        for f in seeing.rejects(instance, run=found["run"].id)
        if f["severity"] == "reject" and f["dimension"] == "account"
    }
    if not refused:
        return found
    cells = practice.control(instance.home, "anaplan", "cells", module="Approved Plan")["cells"]
    named = [
        [c[name] for name in ("Companies", "GL Accounts", "Cost Centers", "Versions", "Time")]
        for c in cells
        if c["line_item"] == "Approved" and (c["Companies"], c["GL Accounts"]) in refused
    ]
    practice.control(
        instance.home, "anaplan", "people", do="change_plan", cells=named, approved=False,
        approver="",
    )  # fmt: skip
    accounts = ", ".join(sorted({account for _, account in refused}))
    say(f"Planners took the approval of {counted(len(named), 'amount')} back (account {accounts}).")
    return _prepare(instance, engine, say)


def submit_plan(
    instance: Instance, batch: dict[str, Any], engine: Engine, say: Say
) -> list[dict[str, Any]]:
    """The people's part from the approval to the post; the batch after each time it was followed.

    Pat says yes to what the batch asks, which a person would look at first.
    """
    asks = batch["summary"]["asks"]
    for ask in asks:
        say(f"The batch asks: {ask['what']}")
    rules = sorted({ask["rule"] for ask in asks})
    why = "the demo's approver: as planned"
    with desk(instance, PAT) as pat:
        approving.approve(pat, batch["batch"], batch["digest"], why, yes=rules)
    yes = f", with yes to {', '.join(rules)}" if rules else ""
    say(f"Pat approved batch {batch['batch']}, which Ana had prepared{yes}.")
    submitted = planning.follow(instance, batch["batch"], engine)
    say(submitted["sentence"])
    posted = _post(instance, submitted["journals"])
    say(f"People at JD Edwards approved and posted {counted(posted, 'batch', 'batches')}.")
    checked = planning.check_journals(instance, engine=engine)
    for found in checked:
        say(found["sentence"])
    return [submitted, *checked]


def _post(instance: Instance, journals: list[dict[str, Any]]) -> int:
    """At JD Edwards people approve and post each batch of ours that waits; how many there were."""
    waiting = [j["batch_number"] for j in journals if j["state"] in CREATED]
    for number in waiting:
        for do in ("approve", "post"):
            practice.control(
                instance.home, "jde", "people", do=do, batch_type="G", batch_number=int(number)
            )
    return len(waiting)


def journals_table(instance: Instance) -> list[dict[str, Any]]:
    """Every journal with its amount: its lines added up without their signs."""
    names = ("batch", "journal", "company", "ledger", "currency", "fiscal_year", "period", "lines")
    return [
        {name: j[name] for name in names}
        | {"amount": j["debit"] + j["credit"], "state": j["state"]}
        for j in approving.all_journals(instance)
        if not j["given_up"]
    ]
