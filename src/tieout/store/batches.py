"""Batches: the prepared journals that people approve or decline, exactly as they saw them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.engine import Row

from tieout.core.policy import SYSTEM
from tieout.errors import Busy, Misconfigured, Refused
from tieout.store import audit, journals
from tieout.store.audit import Telling
from tieout.store.database import insert_new, lock
from tieout.store.journals import BATCHES, NEVER_THERE, UNSETTLED, NewJournal, Scope
from tieout.store.runs import Run
from tieout.store.schema import BATCH_STATES, app_batch, app_plan_scope

DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class NewBatch:
    """What a run prepared: the digest of its exact lines, their totals, and the journals."""

    digest: str
    amount: Decimal
    summary: Mapping[str, Any]  # totals per company, period and ledger; the zeroed lines apart
    journals: Sequence[NewJournal]


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch as it stands."""

    id: str
    flow: str
    run: str
    state: str
    digest: str
    lines: int
    amount: Decimal
    summary: Mapping[str, Any]
    prepared_by: str
    prepared_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decides over a batch; `digest` is that of the lines they saw."""

    batch: str
    digest: str
    by: str
    approve: bool
    reason: str = ""


def id_of(run: str) -> str:
    """The batch of a run that prepares; a run prepares one."""
    return f"{run}-batch"


def keep(connection: Connection, run: Run, new: NewBatch, step: str, at: datetime) -> Batch:
    """Keep what a run prepared, in the transaction of its step: it waits for a decision.

    Undecided batches of the same flow become void, and journals that never came to be are given
    up: this batch has their amounts. Busy when a journal of this ledger, company and year is not
    settled yet, Misconfigured when another flow owns one of them.
    """
    if not new.journals or not DIGEST.fullmatch(new.digest):
        raise ValueError("a batch has journals and the SHA-256 of their lines")
    lock(connection, BATCHES)
    scopes = sorted({journal.scope for journal in new.journals})
    _claim(connection, run, scopes)
    _refuse_unsettled(connection, scopes)
    _replace_earlier(connection, run, scopes, step, at)
    batch = Batch(
        id_of(run.id), run.flow, run.id, "prepared", new.digest,
        sum(journal.lines for journal in new.journals), new.amount, new.summary, run.started_by, at,
    )  # fmt: skip
    connection.execute(insert(app_batch), {n: getattr(batch, n) for n in Batch.__slots__})
    journals.add(connection, batch.id, new.journals)
    detail = {
        "digest": batch.digest, "lines": batch.lines, "amount": batch.amount,
        "keys": [journal.key for journal in new.journals],
    }  # fmt: skip
    telling = Telling(run.started_by, "prepared batch", batch.id, detail, run.id, step)
    audit.append(connection, at, telling)
    return find(connection, batch.id)


def held(connection: Connection, batch_id: str) -> Batch:
    """One batch that nobody else changes until this transaction ends.

    Whoever does more than decide in a transaction begins with it: then all take their locks in the
    same order, and none waits for another that waits for it.
    """
    lock(connection, BATCHES)
    return find(connection, batch_id)


def decide(connection: Connection, decision: Decision, at: datetime) -> Batch:
    """Approve or decline a batch; Refused, with what holds instead, when that cannot be."""
    lock(connection, BATCHES)
    batch = find(connection, decision.batch)
    word = "approved" if decision.approve else "declined"
    _refuse_decided(batch, word)
    refuse_other_lines(batch, decision.digest, word)
    if decision.by == batch.prepared_by:
        raise Refused(
            f"{decision.by} prepared batch {batch.id}; it takes another person to decide.",
            untouched=f"It was not {word}.",
            who="an approver who did not prepare it",
        )
    if not decision.approve and not decision.reason.strip():
        raise Misconfigured(
            f"Batch {batch.id} cannot be declined without a reason.",
            untouched="It still waits.",
            do="Say why; who prepared it reads it.",
        )
    return _decided(connection, batch, word, (decision.by, decision.reason), at)


def approve_by_rule(
    connection: Connection, batch_id: str, digest: str, why: str, at: datetime
) -> Batch:
    """Approve without a person, because the flow is configured so; the trail says that."""
    lock(connection, BATCHES)
    batch = find(connection, batch_id)
    _refuse_decided(batch, "approved")
    refuse_other_lines(batch, digest, "approved")
    return _decided(connection, batch, "approved", (SYSTEM, why), at)


def void(connection: Connection, batch_id: str, by: str, reason: str, at: datetime) -> Batch:
    """Nothing more of a batch is sent: void when nothing was, else what was not sent is given up.

    Refused when there is nothing left to take back here.
    """
    lock(connection, BATCHES)
    batch = find(connection, batch_id)
    if batch.state not in ("prepared", "approved"):
        raise _decided_before(batch, "made void")
    sent = _sent_of(connection, batch_id)
    if not sent:
        detail = {"reason": reason}
        return _void(connection, batch, Telling(by, "voided batch", batch_id, detail), at)
    given_up = _give_up(connection, batch, reason)
    if not given_up:
        raise Refused(
            f"Journal {sent[0].name} of it was sent and is {sent[0].state}.",
            untouched=f"Batch {batch_id} stays {batch.state}.",
            do="What is in JD Edwards is taken back there; `tieout journals check` sees it.",
        )
    told = {"reason": reason, "journals": given_up}
    audit.append(connection, at, Telling(by, "gave up journals", batch_id, told))
    return batch


def _sent_of(connection: Connection, batch_id: str) -> list[journals.Journal]:
    """The journals of a batch that may be in JD Edwards."""
    never_sent = ("reserved", *NEVER_THERE)
    return [j for j in journals.listed(connection, batch=batch_id) if j.state not in never_sent]


def require_approved(connection: Connection, batch_id: str, digest: str) -> Batch:
    """The batch, when exactly these lines are approved; Refused otherwise: send nothing."""
    batch = find(connection, batch_id)
    if batch.state != "approved":
        raise Refused(f"Batch {batch_id} is {batch.state}.", untouched="Nothing was sent.")
    refuse_other_lines(batch, digest, "sent")
    return batch


def find(connection: Connection, batch_id: str) -> Batch:
    """One batch; Misconfigured when there is none of this id."""
    row = connection.execute(select(app_batch).where(app_batch.c.id == batch_id)).first()
    if row is None:
        raise Misconfigured(f"There is no batch {batch_id}.", do="`tieout approvals` lists them.")
    return _read(row)


def listed(
    connection: Connection, *, flow: str | None = None, states: Sequence[str] = BATCH_STATES
) -> list[Batch]:
    """Batches in the order in which they were prepared; those that wait: `states=("prepared",)`."""
    query = select(app_batch).where(app_batch.c.state.in_(states))
    if flow is not None:
        query = query.where(app_batch.c.flow == flow)
    rows = connection.execute(query.order_by(app_batch.c.prepared_at, app_batch.c.id))
    return [_read(row) for row in rows]


def waiting(connection: Connection) -> int:
    """How many batches wait for a decision."""
    query = select(func.count()).select_from(app_batch).where(app_batch.c.state == "prepared")
    return int(connection.execute(query).scalar_one())


def owner_of(connection: Connection, scope: Scope) -> str | None:
    """The flow that owns a ledger, company and fiscal year; None before any prepared it."""
    ledger, company, fiscal_year = scope
    same = (
        app_plan_scope.c.ledger == ledger, app_plan_scope.c.company == company,
        app_plan_scope.c.fiscal_year == fiscal_year,
    )  # fmt: skip
    query = select(app_plan_scope.c.flow).where(*same)
    return connection.execute(query).scalar_one_or_none()


def _claim(connection: Connection, run: Run, scopes: Sequence[Scope]) -> None:
    """A flow takes over what another left: settings let no two of them own the same at a time."""
    for scope in scopes:
        ledger, company, fiscal_year = scope
        row = {"ledger": ledger, "company": company, "fiscal_year": fiscal_year}
        insert_new(connection, app_plan_scope, row | {"flow": run.flow, "run": run.id})
        owner = owner_of(connection, scope)
        if owner == run.flow:
            continue
        open_ones = journals.in_scopes(connection, [scope], UNSETTLED)
        if open_ones:
            raise Misconfigured(
                f"Ledger {ledger} of company {company} in {fiscal_year} belongs to the flow "
                f"{owner}, whose journal {open_ones[0].name} is {open_ones[0].state}.",
                untouched="Nothing was prepared.",
                do="`tieout journals check` settles it; then prepare again.",
            )
        mine = [app_plan_scope.c[name] == value for name, value in row.items()]
        taken = update(app_plan_scope).where(*mine).values(flow=run.flow, run=run.id)
        connection.execute(taken)


def _refuse_unsettled(connection: Connection, scopes: Sequence[Scope]) -> None:
    waits = journals.in_scopes(connection, scopes, UNSETTLED)
    if waits:
        raise Busy(
            f"Journal {waits[0].name} is {waits[0].state}: what the ledger will hold is not known.",
            untouched="Nothing was prepared.",
            do="Let its batch be submitted, or `tieout journals check`; then prepare again.",
        )


def _replace_earlier(
    connection: Connection, run: Run, scopes: Sequence[Scope], step: str, at: datetime
) -> None:
    following = id_of(run.id)
    detail = {"reason": f"{following} was prepared", "replaced_by": following}
    for earlier in listed(connection, flow=run.flow, states=("prepared",)):
        telling = Telling(run.started_by, "voided batch", earlier.id, detail, run.id, step)
        _void(connection, earlier, telling, at)
    never_came = journals.in_scopes(connection, scopes, NEVER_THERE)
    never_came = [journal for journal in never_came if not journal.given_up]
    if never_came:
        told = detail | {"journals": journals.give_up(connection, never_came, detail["reason"])}
        telling = Telling(run.started_by, "gave up journals", following, told, run.id, step)
        audit.append(connection, at, telling)


def _void(connection: Connection, batch: Batch, telling: Telling, at: datetime) -> Batch:
    reason = str(telling.detail["reason"])
    _change(connection, batch, {"state": "void", "reason": reason})
    given_up = _give_up(connection, batch, reason)
    told = {**telling.detail, "was": batch.state, "digest": batch.digest, "journals": given_up}
    named = Telling(telling.actor, telling.act, batch.id, told, telling.run, telling.step)
    audit.append(connection, at, named)
    return find(connection, batch.id)


def _give_up(connection: Connection, batch: Batch, why: str) -> list[str]:
    waiting = journals.listed(connection, batch=batch.id, states=("reserved", *NEVER_THERE))
    return journals.give_up(connection, [j for j in waiting if not j.given_up], why)


def _decided(
    connection: Connection, batch: Batch, word: str, why: tuple[str, str], at: datetime
) -> Batch:
    by, reason = why
    values = {"state": word, "decided_by": by, "decided_at": at, "reason": reason}
    _change(connection, batch, values)
    if word == "declined":
        _give_up(connection, batch, f"declined by {by}")
    detail = {
        "digest": batch.digest, "reason": reason, "prepared_by": batch.prepared_by,
        "lines": batch.lines, "amount": batch.amount,
    }  # fmt: skip
    audit.append(connection, at, Telling(by, f"{word} batch", batch.id, detail))
    return find(connection, batch.id)


def _refuse_decided(batch: Batch, word: str) -> None:
    if batch.state != "prepared":
        raise _decided_before(batch, word)


def _decided_before(batch: Batch, word: str) -> Refused:
    by = f" by {batch.decided_by}" if batch.decided_by else ""
    why = f" ({batch.reason})" if batch.reason else ""
    return Refused(
        f"Batch {batch.id} is {batch.state} already{by}{why}.",
        untouched=f"It was not {word}.",
    )


def refuse_other_lines(batch: Batch, digest: str, word: str) -> None:
    """Refused when `digest` is not that of the lines of the batch."""
    if digest != batch.digest:
        raise Refused(
            f"The lines of batch {batch.id} are not those that were shown (digest "
            f"{batch.digest[:12]}…, shown {digest[:12]}…).",
            untouched=f"It was not {word}.",
            do="Look at the batch as it is now; what changed has to be prepared and approved anew.",
        )


def _change(connection: Connection, batch: Batch, values: Mapping[str, Any]) -> None:
    same = (app_batch.c.id == batch.id, app_batch.c.state == batch.state)
    done = connection.execute(update(app_batch).where(*same).values(dict(values)))
    assert done.rowcount == 1, f"{batch.id} changed under the lock of {BATCHES}"


def _read(row: Row[Any]) -> Batch:
    return Batch(**row._mapping)
