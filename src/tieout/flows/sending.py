"""One journal at a time: look, send once, look; JD Edwards alone says what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from tieout.clock import Clock
from tieout.core import found as core
from tieout.core.buckets import fold_balances
from tieout.core.found import FOUND, WAITING
from tieout.core.frames import JOURNAL_LINES, LEDGER_CELL, PLAN_BALANCES, as_schema, empty
from tieout.core.journal import JOURNALS, Batch, batch_of
from tieout.core.journal import Journal as Built
from tieout.core.posting import (
    ARRIVED,
    NO_TIME,
    POSTED,
    Act,
    Answer,
    Decision,
    Patience,
    Posting,
    Shown,
    State,
    abandoned,
    answered,
    decide,
    sent,
)
from tieout.errors import Refused, Trouble, Unavailable
from tieout.flows.plan_ledger import POSTED as POSTED_LINES
from tieout.flows.world import Result, World
from tieout.jde import in_flight
from tieout.jde.journals import FoundJournal, JournalKey, find_journal
from tieout.jde.message import Sent
from tieout.jde.session import GONE_STATUSES
from tieout.jde.submission import LATER_QUEUES, NotSent, Submitted
from tieout.project import SubmitPlan
from tieout.project_words import seconds
from tieout.store import batches, journals
from tieout.store.journals import Journal, Mover
from tieout.store.steps import Step

FRESH = timedelta(minutes=10)  # how old the comparison with the ledger may be when a journal goes
GOOD_STATUSES = range(200, 300)
SOON = timedelta(seconds=2)
MISSED_WAIT_MAX = timedelta(minutes=5)  # between looks that JD Edwards does not answer
OPEN = (State.SENDING, State.UNCERTAIN, State.PARTIAL)  # their outcome is not known yet
INTERRUPTED = "its process ended while it was being sent"
_CELL = list(LEDGER_CELL)


@dataclass
class Watch:
    """What this process saw pass since it last looked at a journal; nothing after a restart."""

    clock: Clock
    looked: bool = False  # by this process, in the step just told
    missed: int = 0  # looks in a row that JD Edwards did not answer
    _last: dict[str, float] = field(default_factory=dict)

    def began(self) -> float:
        """When a look begins; hand it to `elapsed` when the look has succeeded."""
        self.looked = True
        return self.clock.monotonic()

    def elapsed(self, name: str, began: float) -> timedelta:
        """The time between the last look at a journal and this one."""
        last = self._last.get(name)
        self._last[name] = began
        return NO_TIME if last is None else timedelta(seconds=max(0.0, began - last))


@dataclass(frozen=True, slots=True)
class Approved:
    """A batch as it was approved, and its journals as they stand."""

    batch: Batch
    stored: Mapping[int, Journal]  # by number, from 1

    def built(self, number: int) -> Built:
        """The header of a journal as it was approved."""
        return self.batch.journals[number - 1]


def approved(world: World[SubmitPlan], batch_id: str) -> Approved:
    """The exact lines that were approved, from the records of the run that prepared them."""
    with world.store.database.read() as connection:
        batch = batches.find(connection, batch_id)
        found = journals.listed(connection, batch=batch_id)
    kept = batch_as_kept(world, batch.run)
    batches.refuse_other_lines(batch, kept.digest, "sent")
    return Approved(kept, {journal.number: journal for journal in found})


def batch_as_kept(world: World[SubmitPlan], run: str) -> Batch:
    """The batch that a run built, from its records, which never change."""
    if run not in world.batches:
        headers = world.of_this_run(run, "headers", JOURNALS)
        lines = world.of_this_run(run, "lines", JOURNAL_LINES)
        if headers.is_empty():
            return batch_of(headers, lines)
        world.batches[run] = batch_of(headers, lines)
    return world.batches[run]


def patience_of(flow: SubmitPlan) -> Patience:
    """How long a flow waits before it believes that nothing arrived."""
    return Patience(timedelta(seconds=seconds(flow.quiet_period)), flow.looks)


# ------------------------------------------------------------------------ looking


def key_of(world: World[SubmitPlan], stored: Journal, built: Built) -> JournalKey:
    """What a journal is found by: what goes along with it, and nothing else."""
    goes = set(world.flow.inputs.values())
    return JournalKey(
        built.reference, built.document_type, int(stored.batch_number or 0),
        int(stored.document_number or 0), built.batch_token if "batch_token" in goes else "",
        built.transaction_number if "transaction_number" in goes else "", built.company,
    )  # fmt: skip


def look_for(
    world: World[SubmitPlan], known: Approved, stored: Journal
) -> tuple[Shown, FoundJournal]:
    """One look at JD Edwards, at most three requests; F0902 is not asked."""
    built = known.built(stored.number)
    arrived = State(stored.state) in ARRIVED
    seen = find_journal(world.jde, key_of(world, stored, built), batch_file=not arrived)
    waiting = empty(WAITING) if seen.waiting is None else as_schema(seen.waiting, WAITING)
    rows = as_schema(seen.rows, FOUND)
    return core.shown(known.batch, built, rows, waiting, status=seen.status), seen


def told_of(seen: FoundJournal, decision: Decision) -> dict[str, Any]:
    """What a look found, as evidence."""
    return {
        "reason": decision.reason, "act": str(decision.act),
        "seen": {
            "lines": seen.lines.height, "others": seen.others.height,
            "debits": _added(seen.lines, 1), "credits": _added(seen.lines, -1),
            "waiting": 0 if seen.waiting is None else seen.waiting.height,
            "posted": seen.posted_codes.get("P", 0), "status": seen.status,
            "batches": list(seen.batch_numbers), "documents": [list(d) for d in seen.documents],
        },
    }  # fmt: skip


def _added(lines: pl.DataFrame, sign: int) -> str:
    """The debits (1) or credits (-1) of lines, positive, as text."""
    amount = pl.col("amount") * sign
    return str(lines.select(amount.filter(amount > 0).sum()).item())


class Moves:
    """Whether F0902 moved by exactly what was posted since a journal was compared, read once."""

    def __init__(self, world: World[SubmitPlan]) -> None:
        self._world = world
        self._now: dict[tuple[str, int], tuple[pl.DataFrame, pl.DataFrame]] = {}
        self._before: dict[str, tuple[pl.DataFrame, pl.DataFrame]] = {}

    def by(self, known: Approved, stored: Journal) -> bool:
        """Of one journal: the balances moved as much as the posted lines did, cell by cell."""
        built = known.built(stored.number)
        lines = cells_of(known, built)
        after, posted = self._read(built)
        before, earlier = self._earlier(str(stored.evidence.get("read_in", "")))
        others = pl.concat([
            posted.select(*_CELL, "amount"),
            earlier.select(*_CELL, amount=-pl.col("amount")),
            lines.select(*_CELL, amount=-pl.col("amount")),
        ])  # fmt: skip
        return core.moved(lines, before, after, others)

    def _earlier(self, run: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Balances and posted lines when the journal was compared; nothing where nobody knows."""
        if run not in self._before:
            kinds = (("balances", PLAN_BALANCES), ("posted", POSTED_LINES))
            balances, posted = (self._world.of_this_run(run, *kind) for kind in kinds)
            self._before[run] = (balances, posted)
        return self._before[run]

    def _read(self, built: Built) -> tuple[pl.DataFrame, pl.DataFrame]:
        place = (built.ledger, built.fiscal_year)
        if place not in self._now:
            entered, held = in_flight.ledger_now(
                self._world.jde, built.ledger, [built.fiscal_year], built.document_type
            )
            posted = as_schema(entered.posted, POSTED_LINES)
            self._now[place] = (fold_balances(held.balances), posted)
        return self._now[place]


def cells_of(known: Approved, built: Built) -> pl.DataFrame:
    """The lines of a journal as ledger cells with amounts."""
    lines = known.batch.lines_of(built).with_columns(
        ledger=pl.lit(built.ledger), fiscal_year=pl.lit(built.fiscal_year, pl.Int32),
        period=pl.lit(built.period, pl.Int16),
    )  # fmt: skip
    return lines.select(*_CELL, "amount")


def look(
    step: Step, world: World[SubmitPlan], batch_id: str, numbers: list[int] | None, watch: Watch
) -> Result:
    """Look at some journals of a batch (None: all that were sent); write down what is known.

    A look that JD Edwards does not answer is none. `waiting` are those whose outcome is not known
    yet, `wait` the seconds until the next look, `send` those that may go again without a person.
    """
    known, moves = approved(world, batch_id), Moves(world)
    waiting, send, waits = [], [], list[timedelta]()
    missed, refused, watch.looked = "", "", True
    for number in _sent(known) if numbers is None else numbers:
        stored = known.stored[number]
        if State(stored.state) is State.SENDING:
            waiting.append(number)
            if _left_behind(world, step, stored):
                write(step, stored, abandoned(stored.posting), {"reason": INTERRUPTED})
            continue
        began = watch.began()
        try:
            shown, seen = look_for(world, known, stored)
            if shown.posted and shown.status == POSTED and stored.state != State.VERIFIED:
                shown = replace(shown, moved=moves.by(known, stored))
        except Unavailable as cause:
            missed = cause.what
            waiting.append(number)
            continue
        except Refused as cause:  # asking again and again would help nobody
            refused = cause.sentence()
            break
        elapsed = watch.elapsed(stored.name, began)
        decision = decide(stored.posting, shown, elapsed, patience_of(world.flow))
        write(step, stored, decision.posting, told_of(seen, decision), looked=True)
        if decision.act is Act.SEND:
            send.append(number)
        elif decision.act is Act.LOOK and decision.posting.state in OPEN:
            waiting.append(number)
            waits.append(decision.wait)
    watch.missed = watch.missed + 1 if missed and not waits else 0
    wait = min(waits, default=min(SOON * 2**watch.missed, MISSED_WAIT_MAX))
    return {
        "waiting": [] if refused else waiting, "send": send, "missed": missed, "refused": refused,
        "wait": max(1, round(wait.total_seconds())),
    }  # fmt: skip


def _sent(known: Approved) -> list[int]:
    """The journals that may be in JD Edwards."""
    return [
        number for number, journal in known.stored.items()
        if not journal.given_up and journal.state != State.RESERVED
    ]  # fmt: skip


def _left_behind(world: World[SubmitPlan], step: Step, stored: Journal) -> bool:
    """Whether who was sending it is gone: an earlier process of this run, or a run that ended.

    Of two runs of this process one may be sending while the other looks.
    """
    sender = str(stored.evidence.get("sending_run", ""))
    return sender in ("", step.run.id) or world.store.run(sender).finished


def write(
    step: Step, stored: Journal, now: Posting, told: Mapping[str, Any], *, looked: bool = False
) -> None:
    """Write down what is known, in the transaction of the step."""
    mover, at = Mover(step.run.started_by, step.run.id, step.name), step.at()
    step.after(lambda c: journals.settle(c, stored, now, told, mover, at, looked=looked))


# ------------------------------------------------------------------------ sending


def reserve_numbers(step: Step, world: World[SubmitPlan], batch_id: str, number: int) -> Result:
    """Batch and document number for one journal, from next numbers; a repeated try wastes some."""
    stored = approved(world, batch_id).stored[number]
    if stored.state not in (State.RESERVED, State.ABSENT) or stored.batch_number:
        return {"numbers": [stored.batch_number, stored.document_number]}
    drawn = world.orchestrator.reserve(world.flow.reserve)
    numbers = (str(drawn.batch_number), str(drawn.documents[0]))
    mover, at = Mover(step.run.started_by, step.run.id, step.name), step.at()
    step.after(lambda c: journals.take_numbers(c, stored, numbers, mover, at))
    return {"numbers": list(numbers)}


def send_journal(
    step: Step, world: World[SubmitPlan], batch_id: str, number: int, watch: Watch,
    compared: Mapping[str, str],
) -> Result:  # fmt: skip
    """Look once more, store that it is being sent, send it once; the answer is evidence only.

    `compared`: `at`, when the ledger was compared, and `run`, which holds what it was then. An
    earlier try of this step that came to the call has left SENDING behind, and then nothing is
    sent. Returns `state`, or `not_sent` with the sentence of what kept it here, or `stale`.
    """
    known = approved(world, batch_id)
    stored = known.stored[number]
    if State(stored.state) is State.SENDING:
        write(step, stored, abandoned(stored.posting), {"reason": INTERRUPTED})
        return {"state": str(State.UNCERTAIN)}
    if stored.given_up:  # somebody withdrew the batch meanwhile
        return {"state": stored.state}
    age = world.clock.now() - datetime.fromisoformat(compared["at"])
    if not NO_TIME <= age <= FRESH:
        return {"state": stored.state, "stale": True}
    began = watch.began()
    try:
        shown, seen = look_for(world, known, stored)
    except Trouble as cause:  # the journals before it are looked after all the same
        return {"state": stored.state, "not_sent": cause.sentence()}
    elapsed = watch.elapsed(stored.name, began)
    decision = decide(stored.posting, shown, elapsed, patience_of(world.flow))
    told = told_of(seen, decision)
    if decision.act is not Act.SEND:
        write(step, stored, decision.posting, told, looked=True)
        return {"state": str(decision.posting.state)}
    going = sent(decision)
    if world.flow.queue in LATER_QUEUES:  # known before the call, whatever becomes of its answer
        going = replace(going, queued=True)
    told |= {"sending_run": step.run.id, "read_in": compared["run"]}
    mover = Mover(step.run.started_by, step.run.id, step.name)
    with world.store.begin() as connection:  # before the call: from now on it may have left
        batches.require_approved(connection, batch_id, known.batch.digest)
        stored = journals.settle(connection, stored, going, told, mover, step.at())
    world.moment(step.name, "intended")
    answer, evidence = _call(world, known, stored)
    world.moment(step.name, "answered")
    write(step, stored, answered(going, answer), {"answer": evidence})
    step.tell("sent journal", stored.name, key=stored.key, answer=str(answer))
    result = {"state": str(answered(going, answer).state)}
    return result | ({"not_sent": evidence["words"]} if answer is Answer.NOT_SENT else {})


def _call(
    world: World[SubmitPlan], known: Approved, stored: Journal
) -> tuple[Answer, dict[str, Any]]:
    """Submit one journal; how the call ended, and in which words."""
    flow, built = world.flow, known.built(stored.number)
    inputs = {name: _value(meaning, stored, built) for name, meaning in flow.inputs.items()}
    lines = known.batch.lines_of(built).select(
        pl.col(meaning).alias(name) for name, meaning in flow.line_inputs.items()
    )
    try:
        told = world.orchestrator.submit_journal(
            flow.orchestration, inputs, flow.lines, lines, queue=flow.queue, dates=flow.dates
        )
    except NotSent as cause:
        return Answer.NOT_SENT, {"words": cause.sentence(), "evidence": cause.evidence}
    return answer_of(told), {
        "status": told.status, "words": told.errors, "evidence": told.evidence,
        "batches": list(told.batch_numbers), "documents": list(told.documents),
    }  # fmt: skip


def _value(meaning: str, stored: Journal, built: Built) -> Sent:
    """What an input of the orchestration is given; None is left out."""
    values: dict[str, Sent] = {
        "batch_number": int(stored.batch_number) if stored.batch_number else None,
        "document_number": int(stored.document_number) if stored.document_number else None,
        "company": built.company, "ledger": built.ledger, "currency": built.currency,
        "document_type": built.document_type, "gl_date": built.gl_date, "token": built.reference,
        "batch_token": built.batch_token, "transaction_number": built.transaction_number,
        "explanation": built.explanation, "line_count": built.lines,
    }  # fmt: skip
    return values[meaning]


def answer_of(told: Submitted) -> Answer:
    """How a call ended, as far as its answer tells; none of these is believed without a look.

    That a session is gone says nothing against the journal.
    """
    if told.asynchronous:
        return Answer.QUEUED
    if told.errors and told.status not in GONE_STATUSES:
        return Answer.REFUSED
    return Answer.ACCEPTED if told.status in GOOD_STATUSES else Answer.UNCLEAR
