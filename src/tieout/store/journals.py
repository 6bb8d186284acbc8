"""The journals of batches: what was sent to JD Edwards under which key, and what became of it.

A journal stands here before it is sent. What may follow what is decided in `core.posting`; here it
is written down, with its audit entry, and only over what the writer has read: who comes too late is
told so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from sqlalchemy import Connection, insert, select, update

from tieout.core.journal import REFERENCE_CHARACTERS_MAX, TRANSACTION_CHARACTERS_MAX
from tieout.core.journal import Journal as Built
from tieout.core.posting import CLASH, Posting, State
from tieout.core.posting import release as core_release
from tieout.errors import Busy, Misconfigured, Refused
from tieout.store import audit
from tieout.store.audit import Telling
from tieout.store.database import lock
from tieout.store.schema import JOURNAL_STATES, app_batch, app_journal

_MILLISECONDS = ("watched_ms", "counted_ms")  # of a posting, as they are stored

Scope: TypeAlias = tuple[str, str, int]  # ledger, company, fiscal year: it belongs to one flow

BATCHES = "batches"  # the lock of who changes a batch or a journal

# Sent, or to be sent, and JD Edwards has not shown yet what became of it.
UNSETTLED = ("reserved", "sending", "uncertain", "partial")
GONE = ("deleted", "voided")  # people took them back in JD Edwards
ANSWERED = (*GONE, "drifted", "posted")  # what a person may say of that it is known
NEVER_THERE = ("absent", "refused")  # they do not hold their business key


@dataclass(frozen=True, slots=True)
class NewJournal:
    """A journal as it was prepared; its numbers in JD Edwards come when it is sent."""

    company: str
    ledger: str
    fiscal_year: int
    period: int
    currency: str
    key: str
    token: str
    transaction: str
    lines: int
    debit: Decimal
    credit: Decimal

    @classmethod
    def of(cls, built: Built) -> NewJournal:
        """A journal that `core.journal` built."""
        return cls(
            built.company, built.ledger, built.fiscal_year, built.period, built.currency,
            key=built.batch_token, token=built.reference, transaction=built.transaction_number,
            lines=built.lines, debit=built.debits, credit=built.credits,
        )  # fmt: skip

    @property
    def scope(self) -> Scope:
        """What one flow owns of it."""
        return (self.ledger, self.company, self.fiscal_year)


@dataclass(frozen=True, slots=True)
class Journal:
    """One journal as it stands."""

    batch: str
    number: int
    company: str
    ledger: str
    fiscal_year: int
    period: int
    currency: str
    key: str
    token: str
    transaction: str
    lines: int
    debit: Decimal
    credit: Decimal
    state: str
    batch_number: str | None = None
    document_number: str | None = None
    sent_at: datetime | None = None
    looks: int = 0
    looked_at: datetime | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    resent: bool = False

    @property
    def posting(self) -> Posting:
        """What `core.posting` decides by."""
        told = dict(self.evidence.get("posting", {}))
        watched, counted = (timedelta(milliseconds=told.pop(n, 0)) for n in _MILLISECONDS)
        numbered = bool(self.batch_number and self.document_number)
        return Posting(
            State(self.state), numbered=numbered, watched=watched, counted=counted, **told
        )

    @property
    def given_up(self) -> bool:
        """Whether it will never be sent."""
        return "given_up" in self.evidence

    @property
    def name(self) -> str:
        """How people and the trail call it."""
        return f"{self.batch}/{self.number}"

    @property
    def scope(self) -> Scope:
        """What one flow owns of it."""
        return (self.ledger, self.company, self.fiscal_year)


@dataclass(frozen=True, slots=True)
class Mover:
    """Who changes a journal, and in which step of which run."""

    by: str
    run: str = ""
    step: str = ""


def add(connection: Connection, batch: str, new: Sequence[NewJournal]) -> list[Journal]:
    """Reserve the keys of a batch's journals; Refused when another journal has one of them."""
    lock(connection, BATCHES)
    for journal in new:
        if len(journal.token) > REFERENCE_CHARACTERS_MAX:
            raise ValueError(f"longer than {REFERENCE_CHARACTERS_MAX} characters: {journal.token}")
        if len(journal.transaction) > TRANSACTION_CHARACTERS_MAX:
            raise ValueError(
                f"longer than {TRANSACTION_CHARACTERS_MAX} characters: {journal.transaction}"
            )
    _refuse_taken(connection, [journal.key for journal in new], batch)
    before = _sent_before(connection, [journal.key for journal in new])
    added = [
        Journal(batch, number, **{n: getattr(journal, n) for n in NewJournal.__slots__},
                state="reserved", **before.get(journal.key, {}))
        for number, journal in enumerate(new, start=1)
    ]  # fmt: skip
    rows = [{name: getattr(j, name) for name in Journal.__slots__} for j in added]
    connection.execute(insert(app_journal), rows)
    return added


def _sent_before(connection: Connection, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What a journal that is made again goes on from: its numbers, and that it was sent before.

    A call that was given up may still wait somewhere. Under the same numbers JD Edwards refuses the
    second of the two, and what was sent before is proved absent anew before it goes again.
    """
    query = select(app_journal).where(app_journal.c.key.in_(keys)).order_by(app_journal.c.sent_at)
    found: dict[str, dict[str, Any]] = {}
    for row in connection.execute(query):
        posting = row.evidence.get("posting", {})
        if posting.get("sends") and "disowned" not in row.evidence:
            kept = {"sends": posting["sends"], "queued": posting.get("queued", False)}
            found[row.key] = {
                "batch_number": row.batch_number, "document_number": row.document_number,
                "evidence": {"posting": kept, "sent_before": f"{row.batch}/{row.number}"},
                "resent": True,
            }  # fmt: skip
    return found


def settle(
    connection: Connection, journal: Journal, now: Posting, told: Mapping[str, Any], mover: Mover,
    at: datetime, *, looked: bool = False,
) -> Journal:  # fmt: skip
    """Write down what is known of `journal` now, and `told`, what says so.

    Busy when somebody changed it since it was read, and nothing is changed. Refused where it would
    be sent and its batch is not approved, or where another journal has taken its key.
    """
    lock(connection, BATCHES)
    found = find(connection, journal.batch, journal.number)
    if found.posting != journal.posting:
        raise Busy(
            f"Journal {found.name} is {found.state}, not as it was when it was looked at.",
            untouched=f"It was not made {now.state}.",
            do="Another run or person was faster: `tieout journals` shows how it stands.",
        )
    if found.state in NEVER_THERE and now.state not in NEVER_THERE:
        _refuse_taken(connection, [found.key], found.name)
    evidence = {**found.evidence, **told, "posting": _told(now)}
    if now.state not in NEVER_THERE:
        evidence.pop("given_up", None)  # it came all the same
    if told.get("seen", found.evidence.get("seen")) != found.evidence.get("seen"):
        evidence.pop("again", None)  # a person's yes was for what was seen then
    values: dict[str, Any] = {"state": str(now.state), "resent": now.sends > 1}
    if now.state is State.SENDING:
        _require_approved(connection, found)
        values |= {"sent_at": at, "looks": 0, "looked_at": None}
        evidence.pop("released", None)  # it was for this once
    elif looked:
        values |= {"looks": found.looks + 1, "looked_at": at}
    _change(connection, found, values | {"evidence": evidence})
    moved = now.state != found.state or now.state is State.SENDING
    act = f"journal {now.state}" if moved else "looked for journal"
    detail = {"from": found.state, "to": str(now.state), "evidence": dict(told)}
    _tell(connection, found, act, mover, at, detail)
    return find(connection, journal.batch, journal.number)


def _told(now: Posting) -> dict[str, Any]:
    """What the columns of a journal do not say of its posting."""
    names = ("queued", "said_no", "released", "seen", "sends", "looks")
    told: dict[str, Any] = {name: getattr(now, name) for name in names}
    times = (now.watched, now.counted)
    millisecond = timedelta(milliseconds=1)
    return told | {n: t // millisecond for n, t in zip(_MILLISECONDS, times, strict=True)}


def release(connection: Connection, name: str, by: str, reason: str, at: datetime) -> Journal:
    """A named person lets a journal that is proved absent go again, once; Refused for any other.

    Of one whose numbers somebody else's batch has, they say that it is not there.
    """
    lock(connection, BATCHES)
    found = named(connection, name)
    if found.state == State.UNCERTAIN and found.evidence.get("reason") == CLASH:
        told = {"disowned": {"by": by, "at": at, "reason": reason}}
        absent = found.posting.to(State.ABSENT)
        return settle(connection, found, absent, told, Mover(by), at)
    if found.state not in NEVER_THERE or found.given_up:
        raise Refused(
            f"Journal {name} is {'given up' if found.given_up else found.state}; only one that is "
            "proved absent can be sent again.",
            untouched="It was not released.",
        )
    prepared_by = _require_approved(connection, found)
    if by == prepared_by:
        raise Refused(
            f"{by} prepared batch {found.batch}; another person releases its journals.",
            untouched="It was not released.",
        )
    told = {"released": {"by": by, "at": at, "reason": reason}}
    return settle(connection, found, core_release(found.posting), told, Mover(by), at)


def send_again(connection: Connection, name: str, by: str, reason: str, at: datetime) -> Journal:
    """A named person knows what people did to a journal; its amounts may be prepared again."""
    lock(connection, BATCHES)
    found = named(connection, name)
    if found.state not in ANSWERED:
        raise Refused(
            f"Journal {name} is {found.state}; this is for one that people deleted, voided or "
            "changed, or whose balances did not move.",
            untouched="Nothing was prepared.",
        )
    told = {"again": {"by": by, "at": at, "reason": reason}}
    return settle(connection, found, found.posting, told, Mover(by), at)


def take_numbers(
    connection: Connection, journal: Journal, numbers: tuple[str | None, str | None], mover: Mover,
    at: datetime,
) -> Journal:  # fmt: skip
    """JD Edwards reserved these batch and document numbers for a journal; they never change."""
    lock(connection, BATCHES)
    found = find(connection, journal.batch, journal.number)
    held = (found.batch_number, found.document_number)
    if held == numbers:
        return found
    if held != (None, None) or found.state not in ("reserved", "absent"):
        raise Busy(
            f"Journal {found.name} is {found.state} and has its numbers already.",
            untouched="They stay as they are.",
        )
    reserved = {"batch_number": numbers[0], "document_number": numbers[1]}
    _change(connection, found, reserved)
    _tell(connection, found, "numbered journal", mover, at, reserved)
    return find(connection, journal.batch, journal.number)


def give_up(connection: Connection, given_up: Sequence[Journal], why: str) -> list[str]:
    """These will never be sent; the caller, who decides that, tells it. Their names."""
    for journal in given_up:
        evidence = {**journal.evidence, "given_up": why}
        _change(connection, journal, {"state": "refused", "evidence": evidence})
    return [journal.name for journal in given_up]


def find(connection: Connection, batch: str, number: int) -> Journal:
    """One journal; Misconfigured when there is none."""
    columns = [app_journal.c[name] for name in Journal.__slots__]
    query = select(*columns).where(app_journal.c.batch == batch, app_journal.c.number == number)
    row = connection.execute(query).first()
    if row is None:
        raise Misconfigured(
            f"There is no journal {batch}/{number}.", do="`tieout journals` lists them."
        )
    return Journal(**row._mapping)


def named(connection: Connection, name: str) -> Journal:
    """The journal that people call so: BATCH/NUMBER."""
    batch, _, number = name.rpartition("/")
    return find(connection, batch, int(number) if number.isdecimal() else 0)


def listed(
    connection: Connection, *, batch: str | None = None, states: Sequence[str] = JOURNAL_STATES,
    alike: Mapping[str, str | int] | None = None,
) -> list[Journal]:  # fmt: skip
    """Journals in the order in which they were prepared; None means of any batch.

    `alike`: values of their columns.
    """
    columns = [app_journal.c[name] for name in Journal.__slots__]
    query = select(*columns).join(app_batch).where(app_journal.c.state.in_(states))
    if batch is not None:
        query = query.where(app_journal.c.batch == batch)
    for name, value in (alike or {}).items():
        query = query.where(app_journal.c[name] == value)
    ordered = query.order_by(app_batch.c.prepared_at, app_batch.c.id, app_journal.c.number)
    return [Journal(**row._mapping) for row in connection.execute(ordered)]


def in_scopes(
    connection: Connection, scopes: Sequence[Scope], states: Sequence[str]
) -> list[Journal]:
    """Journals of approved batches in some ledgers, companies and years that are in these states.

    In `UNSETTLED` states, JD Edwards may or may not show them yet.
    """
    columns = [app_journal.c[name] for name in Journal.__slots__]
    query = select(*columns).join(app_batch).where(
        app_batch.c.state == "approved", app_journal.c.state.in_(states)
    )  # fmt: skip
    rows = connection.execute(query.order_by(app_journal.c.batch, app_journal.c.number))
    return [j for j in (Journal(**row._mapping) for row in rows) if j.scope in set(scopes)]


def of_flow(connection: Connection, flow: str, states: Sequence[str]) -> list[Journal]:
    """Journals of the approved batches of a flow that are in these states, in their order."""
    columns = [app_journal.c[name] for name in Journal.__slots__]
    query = select(*columns).join(app_batch).where(
        app_batch.c.state == "approved", app_batch.c.flow == flow, app_journal.c.state.in_(states)
    )  # fmt: skip
    ordered = query.order_by(app_batch.c.prepared_at, app_batch.c.id, app_journal.c.number)
    return [Journal(**row._mapping) for row in connection.execute(ordered)]


def _require_approved(connection: Connection, journal: Journal) -> str:
    """Who prepared its batch; Refused when that is not approved."""
    query = select(app_batch.c.state, app_batch.c.prepared_by)
    batch = connection.execute(query.where(app_batch.c.id == journal.batch)).one()
    if batch.state != "approved":
        raise Refused(
            f"Batch {journal.batch} is {batch.state}, not approved.",
            untouched=f"Journal {journal.name} was not sent.",
        )
    return str(batch.prepared_by)


def _refuse_taken(connection: Connection, keys: Sequence[str], for_: str) -> None:
    there = app_journal.c.state.not_in(NEVER_THERE)
    query = select(app_journal.c.batch, app_journal.c.number, app_journal.c.state)
    taken = connection.execute(query.where(there, app_journal.c.key.in_(keys)).limit(1)).first()
    if taken is not None or len(set(keys)) < len(keys):
        which = f"{taken.batch}/{taken.number} ({taken.state})" if taken else for_
        raise Refused(
            f"The same journal is there already: {which}.",
            untouched=f"Nothing was reserved for {for_}, and nothing was sent.",
            do="`tieout journals check` asks JD Edwards what became of it.",
        )


def _change(connection: Connection, journal: Journal, values: Mapping[str, Any]) -> None:
    """The compare-and-set behind every change: AssertionError when another one came between."""
    same = (
        app_journal.c.batch == journal.batch, app_journal.c.number == journal.number,
        app_journal.c.state == journal.state,
    )  # fmt: skip
    done = connection.execute(update(app_journal).where(*same).values(dict(values)))
    assert done.rowcount == 1, f"{journal.name} moved under the lock of {BATCHES}"


def _tell(
    connection: Connection, journal: Journal, act: str, mover: Mover, at: datetime,
    detail: Mapping[str, Any],
) -> None:  # fmt: skip
    told = {"key": journal.key, "token": journal.token, **detail}
    telling = Telling(mover.by, act, f"journal {journal.name}", told, mover.run, mover.step)
    audit.append(connection, at, telling)
