"""The demo: practice systems beside an instance of their own, loaded, mended and tied out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from tieout.app import Instance
from tieout.engine.durable import Engine
from tieout.store.runs import Run
from tieout.verbs import approving, demo_plan, practice, running, seeing, setting_up
from tieout.verbs.demo_tables import BALANCES, PAYABLES
from tieout.verbs.words import money

FLOWS = ("companies", "accounts", "cost_centers", "actuals")

PROJECT = """\
# The demo's project: both systems are practice systems on this machine.
[outgoing]
allow = ["{jde}", "{anaplan}"]

[connections.erp]
system = "jde"
url = "{jde}/jderest"
environment = "JPD920"
role = "*ALL"
secret = "secret://erp"
allow_http = true

[connections.planning]
system = "anaplan"
api_url = "{anaplan}/2/0"
auth_url = "{anaplan}"
tenant = "practice"
headroom = 0
burst = 300
workspace = "Finance"
model = "FP&A 2026"
secret = "secret://planning"
poll = "100ms"
start_quiet = "4s"
allow_http = true

[flows.companies]
kind = "load_members"
members = "companies"
from = "erp"
to = "planning"
import = "Load Companies"
read_back = {{ list = "Companies" }}
columns = {{ "Code" = "code", "Name" = "description" }}

[flows.accounts]
kind = "load_members"
members = "accounts"
from = "erp"
to = "planning"
import = "Load GL Accounts"
account_code = "object.subsidiary"
read_back = {{ list = "GL Accounts" }}
columns = {{ "Code" = "code", "Name" = "description", "Parent" = "category_01" }}

[flows.cost_centers]
kind = "load_members"
members = "business_units"
where = {{ STYL = ["CC", "IS", "BS"] }}
from = "erp"
to = "planning"
import = "Load Cost Centers"
read_back = {{ list = "Cost Centers" }}
columns = {{ "Code" = "code", "Name" = "description", "Company" = "company", "Active" = "active" }}

[flows.actuals]
kind = "load_actuals"
from = "erp"
to = "planning"
ledgers = ["AA"]
companies = [{companies}]
from_period = "2024-01"
to_period = "current"
prior_years = 1
detail_from = "2024-01"
signs = {{ flip = ["4000-4999"] }}
import = "Load GL Actuals"
account_code = "object.subsidiary"
read_back = {{ view = "GL Actuals" }}
period_13 = {{ default = "fold" }}
columns = {{ "Company" = "company", "Account" = "account", "Cost Center" = "business_unit", \
"Time" = "period", "Amount" = "amount" }}
"""
PLAN = """
[flows.plan]
kind = "submit_plan"
from = "planning"
to = "erp"
export = "Approved Plan"
control_export = "Approved Plan Control"
columns = { "Companies" = "company", "GL Accounts" = "account", \
"Cost Centers" = "business_unit", "Versions" = "version", "Time" = "period", \
"Amount" = "amount", "Approved" = "approved", "Approver" = "approver" }
control_columns = { "Companies" = "company", "Versions" = "version", "Time" = "period", \
"Rows" = "rows", "Total" = "amount" }
versions = { "Budget 2026" = "BA" }
document_type = "BN"
label = "Anaplan Budget 26"
orchestration = "TIEOUT_PlanJournal"
reserve = "TIEOUT_ReserveBatch"
inputs = { "BatchNumber" = "batch_number", "ControlBatch" = "batch_token", \
"TransactionNumber" = "transaction_number", "DocumentType" = "document_type", \
"DocumentNumber" = "document_number", "Company" = "company", "LedgerType" = "ledger", \
"GLDate" = "gl_date", "Reference1" = "token", "Reference2" = "token", \
"Explanation" = "explanation" }
lines = "Lines"
line_inputs = { "AccountId" = "account_id", "Amount" = "amount", "Remark" = "remark", \
"Subledger" = "subledger", "SubledgerType" = "subledger_type", "LineNumber" = "line" }
first_period = "current"
"""
TABLES_FILE = "load-tables.toml"  # two more flows, for who wants to try them
COMPANIES = ("00001", "00060", "00070", "00090", "00200")
TROUBLED_COMPANY = "00900"

Say = Callable[[str], None]


def make_demo(instance: Instance, *, lines: int, seed: int, trouble: bool) -> dict[str, str]:
    """Practice systems, a configured instance and its people in one home; the addresses.

    Under `password` that of its people at the page, when they were made just now.
    """
    arguments = ["--lines", str(lines), "--seed", str(seed), *(["--trouble"] if trouble else [])]
    found = practice.start_practice(instance.home, *arguments)
    setting_up.make_instance(instance)
    if instance.store.config() is None:
        companies = [*COMPANIES, *([TROUBLED_COMPANY] if trouble else [])]
        listed = ", ".join(f'"{c}"' for c in companies)
        text = PROJECT.format(jde=found["jde"], anaplan=found["anaplan"], companies=listed)
        setting_up.apply_project(instance, text + PLAN)
        (instance.home / TABLES_FILE).write_text(BALANCES + PAYABLES, encoding="utf-8")
        users = practice.credentials(instance.home)
        setting_up.connect(instance, "erp", users["jde"])
        setting_up.connect(instance, "planning", users["anaplan"])
        demo_plan.add_plan(instance)
        found = found | {"password": demo_plan.make_people(instance)}
    return found


def load_demo(instance: Instance, *, mend: bool, say: Say) -> dict[str, Any]:
    """Run the four loads, then the plan; with `mend`, play the people's part in both.

    Then both sides tie, and every journal of the plan is verified.
    """
    with running.executing(instance) as engine:
        runs = _load(instance, engine, mend=mend, say=say)
        last = {run.flow: run for run in runs}
        ok = all(run.outcome == "complete" for run in last.values())
        prepared = demo_plan.prepare_plan(instance, engine, say)
        if mend:
            runs.append(prepared["run"])
            prepared = demo_plan.correct_plan(instance, prepared, engine, say)
        told = [seeing.run_as_json(run) for run in (*runs, prepared["run"])]
        if mend and prepared["batch"]:
            followed = demo_plan.submit_plan(instance, prepared["batch"], engine, say)
            told += [found["run"] for found in followed if "run" in found]
    journals = demo_plan.journals_table(instance)
    verified = bool(journals) and all(j["state"] == "verified" for j in journals)
    return {
        "ok": ok and verified, "flows": told,
        "tie_out": seeing.tie_out_table(instance, "actuals"), "journals": journals,
        "waiting": [b["batch"] for b in approving.approvals(instance)],
    }  # fmt: skip


def _load(instance: Instance, engine: Engine, *, mend: bool, say: Say) -> list[Run]:
    """The runs of the four loads; with `mend`, of what was mapped and sent again too."""
    runs: list[Run] = []
    for flow in FLOWS:
        runs.append(running.run_flow(instance, flow, engine=engine).run)
        say(runs[-1].sentence)
    if mend and runs[-1].outcome != "complete":
        for sentence in map_unmatched(instance, runs[-1]):
            say(sentence)
        asked = {"replay": runs[-1].id}
        runs.append(running.run_flow(instance, "actuals", asked=asked, engine=engine).run)
        say(runs[-1].sentence)
    return runs


def map_unmatched(instance: Instance, run: Run) -> list[str]:
    """What a person would do: map each unmatched unit to a unit of its company that is planned."""
    said = []
    members = instance.store.scan(instance.store.current("cost_centers", "proved")).collect()
    for found in seeing.rejects(instance, run=run.id):
        if found["rule"] != "unmatched-member" or found["dimension"] != "business_unit":
            continue
        planned = members.filter((pl.col("company") == found["company"]) & pl.col("active"))
        target = planned.sort("code")["code"][0]
        why = "the demo's person: this unit is planned together with the other"
        setting_up.set_mapping(instance, "business_unit", found["member"], target, why)
        amount = money(found["amount"], found["currency"])
        said.append(f"Mapped business unit {found['member']} ({amount}) to {target}.")
    return said
