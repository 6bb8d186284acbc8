"""Batches as a run prepares them, for tests of what becomes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tieout.core import posting as core
from tieout.core.posting import ARRIVED, Act, Answer, Posting, State
from tieout.store import batches, journals
from tieout.store.batches import Batch, Decision, NewBatch
from tieout.store.journals import Journal, Mover, NewJournal
from tieout.store.runs import Ending, NewRun
from tieout.store.steps import Step
from tieout.store.store import Store

ENDED = Ending("complete", "1 batch waits for approval.", 7, {})


def journal(key: str = "A", **different: Any) -> NewJournal:
    """One journal of company 00001 in the budget ledger."""
    usual = {
        "company": "00001", "ledger": "BA", "fiscal_year": 2026, "period": 1, "currency": "USD",
        "key": f"key {key}", "token": f"T{key}", "transaction": f"X{key}", "lines": 4,
        "debit": Decimal("100.00"), "credit": Decimal("100.00"),
    }  # fmt: skip
    return NewJournal(**usual | different)


def prepare(
    store: Store, *new: NewJournal, flow: str = "plan", by: str = "anna",
    asks: Sequence[Mapping[str, Any]] = (),
) -> Batch:  # fmt: skip
    """A run by anna prepares these journals, as the last step of its story does."""
    new = new or (journal(),)
    lines = "\n".join(repr(j) for j in new)
    told = NewBatch(
        hashlib.sha256(lines.encode()).hexdigest(), sum((j.debit for j in new), Decimal(0)),
        {"zeroed": {"lines": 1, "amount": Decimal("12.50")}, "asks": list(asks)}, new,
    )  # fmt: skip
    run = store.new_run(NewRun(flow, "prepare_plan", by, alone=False))

    def keep(step: Step) -> dict[str, str]:
        at = store.clock.now()
        step.after(lambda c: batches.keep(c, step.run, told, step.name, at))
        return {"batch": batches.id_of(run.id)}

    batch = store.run_step(run.id, "keep the batch", keep)["batch"]
    store.finish_run(run.id, ENDED)
    with store.database.read() as connection:
        return batches.find(connection, batch)


def ben_approves(store: Store, batch: Batch) -> Batch:
    """Another person approves exactly this."""
    decision = Decision(batch.id, batch.digest, "ben", True)
    with store.begin() as connection:
        return batches.decide(connection, decision, store.clock.now())


def walk(store: Store, batch: str, *states: str, number: int = 1) -> Journal:
    """Settle a journal in these states, each in a transaction of its own."""
    with store.database.read() as connection:
        found = journals.find(connection, batch, number)
    for state in states:
        with store.begin() as connection:
            now, told = next_of(found.posting, State(state)), {state: "seen"}
            found = journals.settle(connection, found, now, told, Mover("anna"), store.clock.now())
    return found


def next_of(known: Posting, state: State) -> Posting:
    """A posting in its next state, as a run comes to know of it."""
    if state is State.SENDING:
        return core.sent(core.Decision(known, Act.SEND, "proved absent"))
    if known.state is State.SENDING and state in (State.RESERVED, State.UNCERTAIN):
        answer = Answer.NOT_SENT if state is State.RESERVED else Answer.UNCLEAR
        return core.answered(known, answer)
    return replace(known.to(state), seen=known.seen or state in ARRIVED)
