"""An approved batch becomes journals in JD Edwards, each exactly once, and is followed there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from tieout.core.findings import counted
from tieout.core.journal import Journal as Built
from tieout.core.policy import SYSTEM
from tieout.core.posting import State
from tieout.flows.bindings import stopped
from tieout.flows.closing import settle_earlier
from tieout.flows.plan_batch import ASKS
from tieout.flows.prepare_plan import read_everything
from tieout.flows.sending import (
    OPEN,
    Watch,
    approved,
    batch_as_kept,
    look,
    reserve_numbers,
    send_journal,
)
from tieout.flows.world import Result, Run, Steps, World
from tieout.project import SubmitPlan
from tieout.store import batches, journals, runs
from tieout.store.batches import Batch
from tieout.store.runs import NewRun
from tieout.store.steps import Step

OK, NOT_SENT, DIFFERS, WAITS, UNKNOWN = 0, 4, 6, 7, 10
TRIES_MAX = 3  # of a journal that certainly did not leave
TRY_AGAIN_SECONDS = 10.0
LOOKS_MAX = 500  # of one run; a quiet period is over long before
CHANGES_TOLD_MAX = 3
SUBMIT, FOLLOW = "submit_plan", "follow_journals"  # kinds of runs that may send or look
NEVER_LEFT = (State.RESERVED,)
UNSENT = (State.RESERVED, State.ABSENT)  # what may go, the second not without reason
MAY_BE_THERE = (State.ABSENT, State.REFUSED, State.SENDING, State.UNCERTAIN, State.PARTIAL)


def submit_plan(run: Run, world: World[SubmitPlan]) -> Result:
    """Read everything again, and only if it still makes the same journals send them."""
    step, watch = Steps(run, world), Watch(world.clock)
    batch = str(world.asked["batch"])
    unsent = step("the approved batch", approved_batch, batch)["unsent"]
    kept_here, stale = "", False
    if unsent:
        found = read_everything(run, step)
        if found.get("stops"):
            return step("stop before anything is touched", stopped, found["stops"])
        same = step("compare with what was approved", compare_with_approved, run.id, batch)
        if same["differs"]:
            return step("void the approval", void_approval, batch, same["differs"])
        for number in same["send"] if world.flow.reserve else []:
            step(f"reserve numbers {number}", reserve_numbers, batch, number)
        for number in same["send"]:
            told = _send(run, step, watch, batch, number, found)
            kept_here, stale = told.get("not_sent", ""), bool(told.get("stale"))
            if kept_here or stale:
                break
    seen = step("look", look, batch, None, watch)
    again = stale or not set(seen["send"]) <= set(unsent)  # what this run tried, a person decides
    return step("close the run", close_the_run, batch, again, kept_here, seen["refused"])


def _send(
    run: Run, step: Steps[SubmitPlan], watch: Watch, batch: str, number: int, found: Result
) -> Result:
    """Send one journal; what certainly stayed here is tried again a little later."""
    compared = {"at": found["at"], "run": found["run"]}
    told: Result = {}
    for again in range(1, TRIES_MAX + 1):
        name = f"send journal {number}" if again == 1 else f"send journal {number}, try {again}"
        told = step(name, send_journal, batch, number, watch, compared)
        if not told.get("not_sent"):
            break
        if again < TRIES_MAX and watch.looked:
            run.pause(TRY_AGAIN_SECONDS)
    return told


def follow_journals(run: Run, world: World[SubmitPlan]) -> Result:
    """Look at all journals of a batch, and again until the outcome of each is known."""
    step, watch = Steps(run, world), Watch(world.clock)
    batch, numbers, again, refused = str(world.asked["batch"]), None, False, ""
    for number in range(1, LOOKS_MAX + 1):
        watch.looked = False
        seen = step(f"look {number}", look, batch, numbers, watch)
        numbers, again = seen["waiting"], again or bool(seen["send"])
        refused = seen["refused"]
        if not numbers:
            break
        if watch.looked:  # a look of an earlier process is not waited for again
            world.sign_out()
            run.pause(seen["wait"])
    return step("close the run", close_the_run, batch, again, "", refused)


# ------------------------------------------------------------------------ before anything is sent


def approved_batch(step: Step, world: World[SubmitPlan], batch_id: str) -> Result:
    """Exactly the lines that were approved, and which of their journals are still to be sent."""
    with world.store.database.read() as connection:
        batches.require_approved(connection, batch_id, str(world.asked["digest"]))
    known = approved(world, batch_id)
    unsent = [
        number for number, journal in known.stored.items()
        if journal.state in UNSENT and not journal.given_up
    ]  # fmt: skip
    return {"unsent": unsent, "journals": len(known.stored)}


def compare_with_approved(step: Step, world: World[SubmitPlan], run: str, batch_id: str) -> Result:
    """Whether plan and ledger still make the journals that were approved and not sent yet.

    Those that may have arrived are made again or not. What a person did not say yes to counts too.
    `send`: the journals that are made again, and so may go.
    """
    known, now = approved(world, batch_id), batch_as_kept(world, run)
    states = {n: State(j.state) for n, j in known.stored.items() if not j.given_up}
    must = {known.built(n).transaction_number for n, s in states.items() if s in NEVER_LEFT}
    may = {known.built(n).transaction_number for n, s in states.items() if s in MAY_BE_THERE}
    made = {journal.transaction_number: journal for journal in now.journals}
    gone = [j for j in known.batch.journals if j.transaction_number in must - made.keys()]
    new = [j for key, j in made.items() if key not in must | may]
    differs = [f"{_place(j)} would not be made any more" for j in gone]
    differs += [f"{_place(j)} would be made instead, of {_moves(j)}" for j in new]
    with world.store.database.read() as connection:
        batch = batches.find(connection, batch_id)
    said_yes = {(ask["rule"], ask["subject"]) for ask in batch.summary.get("asks", [])}
    asks = world.of_this_run(run, "asks", ASKS).select("rule", "subject", "what").rows()
    differs += [f"nobody was asked: {what}" for *ask, what in asks if tuple(ask) not in said_yes]
    if len(must) == len(known.stored) and not differs and now.digest != known.batch.digest:
        differs = ["the texts of its lines changed"]
    differs += filter(None, [world.outdated()])
    _settle_findings(step, world, run, batch)
    send = [
        n for n, state in states.items()
        if state in UNSENT and known.built(n).transaction_number in made
    ]  # fmt: skip
    return {"differs": differs[:CHANGES_TOLD_MAX], "changes": len(differs), "send": send}


def _settle_findings(step: Step, world: World[SubmitPlan], run: str, batch: Batch) -> None:
    """What this run finds stands in place of what was found before; a yes waives what asked."""
    settle_earlier(step, world, run, sent=True)
    said_yes = {(ask["rule"], ask["subject"]) for ask in batch.summary.get("asks", [])}
    here = world.store.rejects(run=run)
    step.settle([r.id for r in here if (r.finding.rule, r.finding.subject) in said_yes], "waived")


def _place(journal: Built) -> str:
    where = f"company {journal.company}, {journal.fiscal_year}-{journal.period:02d}"
    return f"the journal of {where} in ledger {journal.ledger}"


def _moves(journal: Built) -> str:
    return f"{counted(journal.lines, 'line')} and {journal.debits + journal.credits:f}"


def void_approval(
    step: Step, world: World[SubmitPlan], batch_id: str, differs: Sequence[str]
) -> Result:
    """The approval was for other journals: nothing more of the batch is sent."""
    why = f"since it was approved, plan or ledger changed: {'; '.join(differs)}"
    at = step.at()
    step.after(lambda c: batches.void(c, batch_id, SYSTEM, why, at))
    known = approved(world, batch_id).stored.values()
    if any(j.state in OPEN and not _asks(j) for j in known):
        _go_on(step, world, batch_id, FOLLOW)
    return {
        "outcome": "needs_attention", "exit_code": WAITS,
        "sentence": f"Nothing of batch {batch_id} was sent now: {why}. "
        f"Prepare it again (`tieout prepare {world.flow_name}`) and have it approved.",
        "figures": {"batch": batch_id},
    }  # fmt: skip


# ------------------------------------------------------------------------ the end of a run


def close_the_run(
    step: Step, world: World[SubmitPlan], batch_id: str, again: bool, kept_here: str, refused: str
) -> Result:
    """Say how every journal stands, and start the run that goes on where one has to.

    What is proved absent and may go again goes in a run of its own, which reads everything anew. A
    journal that asks a person is left to them: nothing goes on because of it. `kept_here` says why
    a journal did not leave, `refused` why JD Edwards could not be asked.
    """
    known = approved(world, batch_id)
    living = [j for j in known.stored.values() if not j.given_up]
    states = Counter(j.state for j in living)
    going = {j.state for j in living if not _asks(j)}
    if again and not (kept_here or refused):
        _go_on(step, world, batch_id, SUBMIT)
    elif going & set(OPEN) and not refused:  # else a person acts first
        _go_on(step, world, batch_id, FOLLOW)
    kept_here = kept_here or refused
    code = NOT_SENT if kept_here else exit_code_of(living)
    told = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
    sentence = f"Journals of batch {batch_id}: {told}."
    if kept_here:
        sentence = f"{kept_here} {sentence} `tieout journals check` goes on with it."
    reasons = sorted({str(j.evidence.get("reason", "")) for j in living if _asks(j)} - {""})
    if reasons:
        sentence += f" A person has to act: {'; '.join(reasons)}."
    outcome = "complete" if code == OK else "failed" if kept_here else "needs_attention"
    figures = {"batch": batch_id, "journals": dict(states), "lines": sum(j.lines for j in living)}
    return {"outcome": outcome, "exit_code": code, "sentence": sentence, "figures": figures}


def _asks(journal: journals.Journal) -> bool:
    return journal.evidence.get("act") == "ask" and "again" not in journal.evidence


def exit_code_of(found: Sequence[journals.Journal]) -> int:
    """How journals stand, as the exit code of a command: 10 unknown, 7 a release, 6 otherwise."""
    living = [j for j in found if not j.given_up and "again" not in j.evidence]
    states = {State(j.state) for j in living}
    if states & {State.SENDING, State.UNCERTAIN}:
        return UNKNOWN
    if State.ABSENT in states:
        return WAITS
    arrived = {State.RESERVED, State.CREATED, State.READY, State.POSTED, State.VERIFIED}
    return DIFFERS if states - arrived or any(map(_asks, living)) else OK


def _go_on(step: Step, world: World[SubmitPlan], batch_id: str, kind: str) -> None:
    """Start the next run of a batch, unless one is under way."""
    run, digest = step.run, approved(world, batch_id).batch.digest
    asked = {"batch": batch_id, "digest": digest}
    new = NewRun(
        run.flow, kind, run.started_by, "follow", "waiting", run.config_version, asked, alone=False
    )
    under_way = partial(runs.of_batch, flow=run.flow, batch=batch_id, but=run.id)
    step.after(lambda c: None if under_way(c) else world.store.start_run(c, new))
