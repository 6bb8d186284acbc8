"""See the batches that wait, decide over them, and see what became of their journals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tieout.app import Instance
from tieout.core.policy import Actor, Thing
from tieout.errors import Busy, Misconfigured, Refused
from tieout.store import batches, journals, people, runs
from tieout.store.batches import Batch, Decision
from tieout.store.journals import Journal
from tieout.store.runs import NewRun, Run
from tieout.store.schema import BATCH_STATES
from tieout.verbs import acting

SUBMIT = "submit_plan"  # the kind of the run that sends an approved batch
APPROVAL = "approval"  # what triggered it


def approvals(instance: Instance, *, every: bool = False) -> list[dict[str, Any]]:
    """The batches that wait for a decision, or with `every` all there ever were."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        states = BATCH_STATES if every else ("prepared",)
        return [batch_as_json(b) for b in batches.listed(connection, states=states)]


def approval(instance: Instance, batch_id: str) -> dict[str, Any]:
    """One batch with its journals and the digest that a decision has to name."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        batch = batches.find(connection, batch_id)
        found = journals.listed(connection, batch=batch_id)
    return batch_as_json(batch) | {"journals": [journal_as_json(j) for j in found]}


def prepared_in(instance: Instance, run_id: str) -> str:
    """The batch that a run prepared, "" when it prepared none."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        found = batches.listed(connection)
    return next((batch.id for batch in found if batch.run == run_id), "")


def approve(
    instance: Instance, batch_id: str, digest: str, reason: str = "", *, yes: Sequence[str] = ()
) -> dict[str, Any]:
    """Approve exactly the lines of `digest`, and start the run that sends them: both or neither.

    `yes`: the rules of what a person must say yes to apart; Refused names those that are missing.
    """
    return _decide(instance, batch_id, digest, approve=True, reason=reason, yes=yes)


def refuse(instance: Instance, batch_id: str, digest: str, reason: str) -> dict[str, Any]:
    """Decline a batch; who prepared it reads why."""
    return _decide(instance, batch_id, digest, approve=False, reason=reason)


def withdraw(instance: Instance, batch_id: str, reason: str) -> dict[str, Any]:
    """Make a batch void of which nothing was sent yet, approved or not; its preparer may too."""
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        batch = batches.held(connection, batch_id)
        by = acting.allowed(people.who(connection, token, at), "void", _thing(batch))
        done = batches.void(connection, batch_id, by.name, reason, at)
    return {"ok": True, **batch_as_json(done)}


def release(instance: Instance, name: str, reason: str) -> dict[str, Any]:
    """Let an absent journal go again once, and start the run that sends it."""
    if not reason.strip():
        raise Misconfigured(
            f"Journal {name} is not released without a reason.", untouched="It stays absent."
        )
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        found = journals.named(connection, name)
        batch = batches.held(connection, found.batch)
        thing = Thing(f"Journal {name}", found.state, batch.prepared_by)
        by = acting.allowed(people.who(connection, token, at), "release", thing)
        if under_way := runs.of_batch(connection, batch.flow, batch.id):
            raise Busy(
                f"{under_way[0].id} is at batch {batch.id}.", untouched="It was not released.",
                do=f"Release it when that has ended (`tieout show {under_way[0].id}`).",
            )  # fmt: skip
        run = instance.store.start_run(
            connection, _submission(runs.find(connection, batch.run), batch, by)
        )
        done = journals.release(connection, name, by.name, reason, at)
    return {"ok": True, "run": run.id, "journal": journal_as_json(done)}


def all_journals(instance: Instance, batch_id: str | None = None) -> list[dict[str, Any]]:
    """Every journal of every batch, or of one, as it was last seen in JD Edwards."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        return [journal_as_json(j) for j in journals.listed(connection, batch=batch_id)]


def _decide(
    instance: Instance, batch_id: str, digest: str, *, approve: bool, reason: str,
    yes: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    token, at = acting.held_token(instance), instance.clock.now()
    run = None
    with instance.store.begin() as connection:
        batch = batches.held(connection, batch_id)
        actor = people.who(connection, token, at)
        waiting = Thing(batch_id, "prepared", batch.prepared_by)  # the store tells who decided
        by = acting.allowed(actor, "approve" if approve else "decline", waiting)
        if approve:
            _refuse_unanswered(batch, yes)
            run = instance.store.start_run(
                connection, _submission(runs.find(connection, batch.run), batch, by)
            )
        decision = Decision(batch_id, digest, by.name, approve, reason)
        done = batches.decide(connection, decision, at)
    return {"ok": True, "run": run.id if run else None, **batch_as_json(done)}


def _refuse_unanswered(batch: Batch, yes: Sequence[str]) -> None:
    """Refused while something of a batch asks a person and they have not said yes to it."""
    asks = [ask for ask in batch.summary.get("asks", []) if ask["rule"] not in yes]
    if asks:
        rules = sorted({ask["rule"] for ask in asks})
        raise Refused(
            f"Batch {batch.id} asks first: {asks[0]['what']}"
            + (f" And {len(asks) - 1} more." if len(asks) > 1 else ""),
            untouched="It was not approved.",
            do=f"If it is meant, approve with {' '.join(f'--yes {rule}' for rule in rules)}.",
        )


def _submission(prepared: Run, batch: Batch, by: Actor) -> NewRun:
    """The run that sends a batch, under the configuration it was prepared under."""
    asked = {"batch": batch.id, "digest": batch.digest}
    version = prepared.config_version
    return NewRun(batch.flow, SUBMIT, by.name, APPROVAL, "waiting", version, asked, alone=False)


def _thing(batch: Batch) -> Thing:
    return Thing(f"Batch {batch.id}", batch.state, batch.prepared_by)


def batch_as_json(batch: Batch) -> dict[str, Any]:
    """A batch as `--json` prints it."""
    return {
        "batch": batch.id, "flow": batch.flow, "prepared_in": batch.run, "state": batch.state,
        "digest": batch.digest, "lines": batch.lines, "amount": batch.amount,
        "summary": dict(batch.summary), "prepared_by": batch.prepared_by,
        "prepared_at": batch.prepared_at, "decided_by": batch.decided_by,
        "decided_at": batch.decided_at, "reason": batch.reason,
    }  # fmt: skip


def journal_as_json(journal: Journal) -> dict[str, Any]:
    """A journal as `--json` prints it."""
    names = (
        "batch", "number", "company", "ledger", "fiscal_year", "period", "currency", "key",
        "token", "transaction", "batch_number", "document_number", "lines", "debit", "credit",
        "state", "sent_at", "looks", "looked_at", "resent",
    )  # fmt: skip
    told = {name: getattr(journal, name) for name in names}
    named = {"journal": journal.name, "given_up": journal.given_up}
    return told | named | {"evidence": dict(journal.evidence)}
