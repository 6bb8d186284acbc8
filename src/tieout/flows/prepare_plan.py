"""An approved plan of Anaplan becomes journals that wait for a person; nothing is sent here."""

from __future__ import annotations

from typing import Any

from tieout.core.findings import counted
from tieout.flows.bindings import stopped
from tieout.flows.closing import settle_earlier
from tieout.flows.earlier_journals import look_at_earlier, refuse_while_open
from tieout.flows.plan_batch import compare, moved_amount, summary_of
from tieout.flows.plan_export import check_exports, keep_export, read_plan
from tieout.flows.plan_ledger import read_accounts, read_calendar, read_ledger
from tieout.flows.sending import batch_as_kept
from tieout.flows.world import Result, Run, Steps, World
from tieout.project import SubmitPlan
from tieout.store import batches
from tieout.store.batches import NewBatch
from tieout.store.journals import NewJournal
from tieout.store.runs import NewRun
from tieout.store.steps import Step

OK, REJECTED, WAITS = 0, 5, 7
SUBMIT = "submit_plan"  # the kind of the run that sends an approved batch
NO_APPROVAL = 'the flow is configured with approval = "none"'


def prepare_plan(run: Run, world: World[SubmitPlan]) -> Result:
    """The story of one run: export, check, difference, journals; a batch that waits."""
    step = Steps(run, world)
    step("earlier journals", refuse_while_open)
    found = read_everything(run, step)
    if found.get("stops"):
        return step("stop before anything is touched", stopped, found["stops"])
    if world.asked.get("preview"):
        return step("preview", previewed, found)
    if not found["journals"]:
        return step("nothing to prepare", nothing_to_prepare, run.id, found)
    return step("keep the batch", keep_batch, run.id, found)


def read_everything(run: Run, step: Steps[SubmitPlan]) -> Result:
    """The plan and the ledger as they are now, compared; the batch that would be sent.

    With `stops`: what the flow names is not there, and nothing was read.
    """
    layouts = step("check the exports", check_exports)
    if layouts.get("stops"):
        return layouts
    step("read the calendar", read_calendar)
    step("export the plan", keep_export, "plan_file", layouts["plan"])
    if layouts["control"]:
        step("export the control totals", keep_export, "control_file", layouts["control"])
    plan = step("read the plan", read_plan, run.id, layouts)
    step("read the accounts", read_accounts)
    ledger = step("read the ledger", read_ledger, run.id)
    step("look at earlier journals", look_at_earlier, run.id, ledger)
    found = step("compare with the ledger", compare, run.id, plan["stops"], layouts["digest"])
    return found | {"rows": plan["rows"], "layout": layouts["digest"]}


def keep_batch(step: Step, world: World[SubmitPlan], run: str, found: dict[str, Any]) -> Result:
    """Keep the journals for a decision; with `approval = "none"` they are approved by rule."""
    store, batch = world.store, batch_as_kept(world, run)
    summary = summary_of(world, run) | {"layout": found["layout"]}
    new = NewBatch(
        batch.digest, moved_amount(batch), summary, [NewJournal.of(j) for j in batch.journals]
    )
    this, at = store.run(run), step.at()
    step.after(lambda c: batches.keep(c, this, new, step.name, at))
    by_rule = world.flow.approval == "none" and not found["asks"]
    if by_rule:
        batch_id = batches.id_of(run)
        asked = {"batch": batch_id, "digest": batch.digest}
        following = NewRun(
            this.flow, SUBMIT, this.started_by, "approval", "waiting", this.config_version, asked,
            alone=False,
        )  # fmt: skip
        step.after(lambda c: batches.approve_by_rule(c, batch_id, batch.digest, NO_APPROVAL, at))
        step.after(lambda c: store.start_run(c, following))
    settle_earlier(step, world, run, sent=True)
    ended = _ended(world, found, OK if by_rule else WAITS, _sentence(found, batches.id_of(run)))
    return ended | {"figures": ended["figures"] | {"batch": batches.id_of(run)}}


def nothing_to_prepare(
    step: Step, world: World[SubmitPlan], run: str, found: dict[str, Any]
) -> Result:
    """The ledger holds the plan already, or what is wrong keeps all of it back."""
    settle_earlier(step, world, run, sent=True)
    if not found["rejects"]:
        told = f"The ledger holds the plan of {world.flow_name} in all {found['cells']:,} cells."
        return _ended(world, found, OK, f"{told} No journal is needed.")
    told = "Nothing was prepared"
    return _ended(world, found, REJECTED, f"{told}: {_kept_back(found)}.")


def previewed(step: Step, world: World[SubmitPlan], found: dict[str, Any]) -> Result:
    """A preview keeps no batch."""
    told = f"{counted(found['journals'], 'journal')} of {counted(found['lines'], 'line')}"
    kept_back = f"; {_kept_back(found)}" if found["rejects"] else ""
    return _ended(world, found, OK, f"{told} would be prepared; nothing was{kept_back}.")


def _sentence(found: dict[str, Any], batch: str) -> str:
    told = f"{counted(found['journals'], 'journal')} of {counted(found['lines'], 'line')}"
    kept_back = (
        f" {_kept_back(found)[:1].upper()}{_kept_back(found)[1:]}." if found["rejects"] else ""
    )
    return f"Batch {batch} has {told} and waits for approval.{kept_back}"


def _kept_back(found: dict[str, Any]) -> str:
    companies = ", ".join(found["stopped"]) or "none"
    return f"{counted(found['rejects'], 'finding')} kept back the journals of company {companies}"


def _ended(world: World[SubmitPlan], found: dict[str, Any], code: int, sentence: str) -> Result:
    figures = {
        "rows_read": found["rows"], "cells": found["cells"], "journals": found["journals"],
        "lines": found["lines"], "amount": found["amount"], "rejects": found["rejects"],
        "stopped": found["stopped"], "asks": found["asks"], "rounded": found["rounded"],
    }  # fmt: skip
    outcome = "complete" if code == OK else "needs_attention"
    return {"outcome": outcome, "exit_code": code, "sentence": sentence, "figures": figures}
