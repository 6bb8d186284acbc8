"""Prepare a plan, follow what was approved, and see how every journal stands in JD Edwards."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from tieout.app import Instance
from tieout.engine.durable import Engine
from tieout.engine.watch import executed
from tieout.errors import Misconfigured
from tieout.flows.submit_plan import exit_code_of
from tieout.project import SubmitPlan
from tieout.store import batches, journals, people, runs
from tieout.store.journals import Journal
from tieout.store.runs import NewRun, Run
from tieout.verbs import acting, running, seeing
from tieout.verbs.approving import SUBMIT, batch_as_json, journal_as_json
from tieout.verbs.running import FOLLOW, PREPARE, Done

AT_REST = ("verified", "voided", "deleted")
FAILED = ("failed", "cancelled")


def plan_flows(instance: Instance) -> list[str]:
    """The names of the flows that submit a plan."""
    return [n for n, f in instance.project().flows.items() if isinstance(f, SubmitPlan)]


def prepare(
    instance: Instance, flow: str, *, again: Sequence[str] = (), why: str = "",
    engine: Engine | None = None,
) -> Done:  # fmt: skip
    """Compare the plan with the ledger and keep what differs as a batch that waits for approval.

    `again` names journals that people deleted or voided and whose amounts may be entered again.
    """
    asked = _asked(instance, flow, again, why)
    return running.run_flow(instance, flow, kind=PREPARE, asked=asked, engine=engine)


def begin(
    instance: Instance, flow: str, *, again: Sequence[str] = (), why: str = "",
    engine: Engine | None = None,
) -> Run:  # fmt: skip
    """The same without waiting for it: the run that prepares."""
    asked = _asked(instance, flow, again, why)
    return running.begin(instance, flow, kind=PREPARE, asked=asked, engine=engine)


def _asked(
    instance: Instance, flow: str, again: Sequence[str], why: str
) -> dict[str, Any] | None:  # fmt: skip
    """What a preparation is asked for, after journals that may be entered again were kept."""
    acting.require(instance, "prepare")
    if not isinstance(seeing.known(instance, flow), SubmitPlan):
        raise Misconfigured(
            f"The flow {flow} submits no plan.", untouched="Nothing was prepared.",
            do=f"Name one of: {', '.join(plan_flows(instance)) or 'none is configured'}.",
        )  # fmt: skip
    if again:
        _let_again(instance, flow, again, why)
    # A preparation that was begun before this was said has not heard it: it ends first.
    return {"again": sorted(again)} if again else None


def _let_again(instance: Instance, flow: str, names: Sequence[str], why: str) -> None:
    if not why.strip():
        raise Misconfigured(
            "Journals that were deleted or voided are not prepared again without a reason.",
            untouched="Nothing was prepared.", do="Say why with --why.",
        )  # fmt: skip
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, token, at), "prepare")
        for name in names:
            batch = batches.held(connection, journals.named(connection, name).batch)
            if batch.flow != flow:
                raise Misconfigured(
                    f"Journal {name} is of {batch.flow}, not of {flow}.",
                    untouched="Nothing was prepared.",
                )
            journals.send_again(connection, name, by.name, why, at)


def follow(instance: Instance, batch_id: str, engine: Engine | None = None) -> dict[str, Any]:
    """Carry out every run of a batch until its journals are settled, and say how they stand."""
    with instance.store.database.read() as connection:
        flow = batches.find(connection, batch_id).flow
    last: Run | None = None
    deadline = time.monotonic() + running.RUN_SECONDS_MAX
    with running.executing(instance, engine) as executor:
        while unfinished := _runs_of(instance, flow, batch_id):
            last = executor.carry_out(unfinished[0].id, deadline - time.monotonic())
    return standing(instance, batch_id, last)


def standing(instance: Instance, batch_id: str, last: Run | None = None) -> dict[str, Any]:
    """A batch and its journals as they stand, with the exit code that says so."""
    with instance.store.database.read() as connection:
        batch = batches.find(connection, batch_id)
        found = journals.listed(connection, batch=batch_id)
    code = exit_code_of(found)
    sentence = ""
    if last is not None:
        sentence = last.sentence
        code = code or last.exit_code or 0
        if last.outcome in FAILED:
            code = last.exit_code or code
    told = batch_as_json(batch) | {"journals": [journal_as_json(j) for j in found]}
    run = {"run": seeing.run_as_json(last)} if last else {}
    return {"ok": code == 0, "exit_code": code, "sentence": sentence, **told, **run}


def check_journals(
    instance: Instance, *, every: bool = False, engine: Engine | None = None
) -> list[dict[str, Any]]:
    """Look at JD Edwards now for every journal that is not at rest, and go on with what can be.

    With `every` also for those that were verified: what people changed since is told.
    """
    by = acting.require(instance, "check journals")
    checked = []
    with running.executing(instance, engine) as executor:
        for batch_id in _to_check(instance, every=every):
            _start(instance, batch_id, by.name)
            checked.append(follow(instance, batch_id, executor))
    return checked


def again(instance: Instance, batch_id: str, engine: Engine | None = None) -> dict[str, Any]:
    """Go on with one approved batch: everything is read again, and only the same journals go."""
    by = acting.require(instance, "check journals")
    with running.executing(instance, engine) as executor:
        _start(instance, batch_id, by.name)
        return follow(instance, batch_id, executor)


def _to_check(instance: Instance, *, every: bool) -> list[str]:
    with instance.store.database.read() as connection:
        approved = [b.id for b in batches.listed(connection, states=("approved",))]
        return [
            batch for batch in approved
            if any(_open(j) or every for j in journals.listed(connection, batch=batch))
        ]  # fmt: skip


def _open(journal: Journal) -> bool:
    return not journal.given_up and journal.state not in AT_REST


def _start(instance: Instance, batch_id: str, by: str) -> None:
    """A run that goes on with a batch, unless one is under way."""
    with instance.store.begin() as connection:
        batch = batches.held(connection, batch_id)
        if runs.of_batch(connection, batch.flow, batch_id):
            return
        waiting = journals.listed(connection, batch=batch_id, states=("reserved",))
        kind = SUBMIT if waiting else FOLLOW
        asked = {"batch": batch_id, "digest": batch.digest}
        version = runs.find(connection, batch.run).config_version
        new = NewRun(batch.flow, kind, by, "check", "waiting", version, asked, alone=False)
        instance.store.start_run(connection, new)


def _runs_of(instance: Instance, flow: str, batch_id: str) -> list[Run]:
    with instance.store.database.read() as connection:
        return runs.of_batch(connection, flow, batch_id)


def left_to(instance: Instance) -> bool:
    """Whether another process executes the runs of this instance."""
    return executed(instance.store)
