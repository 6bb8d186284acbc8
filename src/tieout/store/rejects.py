"""What was found wrong in a run's data, until a run fixed it, sent it again, or a person waived it.

A reject *stands* until a run settles it: `fixed` when the run does not find it any more, `sent
again` when the run has found it too, whose own row then stands in its place. What people decided is
carried over to that row: an assignment wherever the same thing is found, a waiver only where it is
the same to the cent. A waiver takes a reject from the desk and does nothing else: no run asks for
the state of what it found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import Row

from tieout.core.findings import Finding, Severity
from tieout.errors import Misconfigured, Refused
from tieout.store import audit
from tieout.store.audit import Telling
from tieout.store.database import lock
from tieout.store.runs import Run
from tieout.store.schema import REJECT_STATES, app_reject

LOCK = "rejects"  # a decision and the run that carries it over go one after the other
UNDECIDED = ("open", "assigned")  # somebody still has to do something about it
REASONS_SHOWN_MAX = 5
IDS_PER_STATEMENT = 10_000  # SQLite takes 32,766 values in one
Place: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reject:
    """One finding of a run, and what became of it."""

    id: int
    run: str
    flow: str
    finding: Finding
    state: str
    settled_run: str | None
    first_seen: datetime
    owner: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    why: str = ""
    decided_on: int | None = None  # the earlier reject on which it was decided

    @property
    def stands(self) -> bool:
        """Whether no run has settled it."""
        return self.settled_run is None

    @property
    def name(self) -> str:
        """How the trail calls it."""
        return f"reject {self.id}"


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides about rejects, when, and with what note or reason."""

    by: str
    at: datetime
    why: str = ""


def add(
    connection: Connection, run: Run, found: Sequence[Finding], at: datetime
) -> Telling | None:  # fmt: skip
    """Write the findings of a run down; they stand in place of what earlier runs found the same.

    That holds even if the run breaks off afterwards: nothing stands twice. What the trail has to
    tell of waivers that go on is returned, to be told at the end of the transaction.
    """
    if not found:
        return None
    lock(connection, LOCK)
    earlier = [r for r in listed(connection, flow=run.flow, standing=True) if r.run != run.id]
    places: dict[Place, list[Reject]] = {}
    for reject in earlier:
        places.setdefault(_place(reject.finding), []).append(reject)
    rows = []
    for finding in found:
        row = {name: getattr(finding, name) for name in Finding.__slots__}
        row |= {"severity": finding.severity.value, "flow": run.flow, "run": run.id}
        rows.append(row | _carried(finding, places.get(_place(finding), []), at))
    now = {same(finding) for finding in found}
    again = [r.id for r in earlier if same(r.finding) in now]
    settle(connection, again, "sent again", run.id)
    connection.execute(insert(app_reject), rows)
    waived = [row["decided_on"] for row in rows if row["state"] == "waived"]
    detail = {"of": waived}
    return (
        Telling(run.started_by, "carried waivers over", run.id, detail, run.id) if waived else None
    )


def same(finding: Finding) -> tuple[str, str, str]:
    """What makes findings of two runs the same thing, whatever its amount is now."""
    return (finding.rule, finding.subject, finding.company)


def _place(finding: Finding) -> Place:
    return (*same(finding), finding.dimension, finding.member, finding.currency)


def _carried(finding: Finding, earlier: list[Reject], at: datetime) -> dict[str, Any]:
    """State, decision and age of a new row, from those that stood for the same before."""
    told: dict[str, Any] = {
        "state": "open", "first_seen": min([r.first_seen for r in earlier], default=at),
        "owner": None, "decided_by": None, "decided_at": None, "why": "", "decided_on": None,
    }  # fmt: skip
    if finding.severity is Severity.NOTE:
        return told
    exact = (finding.amount, finding.severity)
    waived = [
        r for r in earlier
        if r.state == "waived" and (r.finding.amount, r.finding.severity) == exact
    ]  # fmt: skip
    held = waived or [r for r in earlier if r.state == "assigned"]
    if not held:
        return told
    last = held[-1]
    earlier.remove(last)  # two that are alike were decided on one by one
    names = ("state", "owner", "decided_by", "decided_at", "why")
    decided = {name: getattr(last, name) for name in names}
    return told | decided | {"decided_on": last.decided_on or last.id}


def listed(
    connection: Connection,
    *,
    run: str | None = None,
    flow: str | None = None,
    state: str | None = None,
    standing: bool = False,
    ids: Iterable[int] | None = None,
) -> list[Reject]:
    """Findings in the order they were made; None means any, `standing` those no run has settled."""
    query = select(app_reject).order_by(app_reject.c.id)
    for column, value in {"run": run, "flow": flow, "state": state}.items():
        if value is not None:
            query = query.where(app_reject.c[column] == value)
    if standing:
        query = query.where(app_reject.c.settled_run.is_(None))
    if ids is not None:
        query = query.where(app_reject.c.id.in_(list(ids)))
    return [_read(row) for row in connection.execute(query)]


def find(connection: Connection, id_: int) -> Reject:
    """One reject; Misconfigured when there is none of this number."""
    found = listed(connection, ids=[id_])
    if not found:
        raise Misconfigured(f"There is no reject {id_}.", do="`tieout rejects --all` lists them.")
    return found[0]


def settle(connection: Connection, ids: Sequence[int], state: str, run: str) -> None:
    """Standing rejects reach their end by a run; one settled before stays as it was."""
    if state not in REJECT_STATES or state in UNDECIDED:
        raise ValueError(f"not how a reject ends: {state}")
    for start in range(0, len(ids), IDS_PER_STATEMENT):
        some = app_reject.c.id.in_(ids[start : start + IDS_PER_STATEMENT])
        standing = update(app_reject).where(some, app_reject.c.settled_run.is_(None))
        connection.execute(standing.values(state=state, settled_run=run))


# ---------------------------------------------------------------------------- decisions


def assign(
    connection: Connection, ids: Sequence[int], owner: str, decision: Decision
) -> list[Reject]:
    """Somebody looks after these from now on; a waived one has to be reopened first."""
    found = _fit(connection, ids, "assigned", _against_assigning)
    told = {"state": "assigned", "owner": owner}
    return _decide(connection, found, "assigned reject", told, decision)


def waive(connection: Connection, ids: Sequence[int], decision: Decision) -> list[Reject]:
    """These may stay as they are; what a batch asks is answered where it is approved."""
    found = _fit(connection, ids, "waived", _against_waiving)
    return _decide(connection, found, "waived reject", {"state": "waived"}, decision)


def reopen(connection: Connection, ids: Sequence[int], decision: Decision) -> list[Reject]:
    """What was waived or assigned is open again and nobody's."""
    found = _fit(connection, ids, "reopened", _against_reopening)
    told = {"state": "open", "owner": None}
    return _decide(connection, found, "reopened reject", told, decision)


def _against_assigning(reject: Reject) -> str:
    return "is waived; reopen it first" if reject.state == "waived" else ""


def _against_waiving(reject: Reject) -> str:
    if reject.finding.severity is Severity.ASK:
        return "is a question of a batch; who approves the batch answers it"
    return "is waived already" if reject.state == "waived" else ""


def _against_reopening(reject: Reject) -> str:
    return "is open" if reject.state == "open" else ""


def _fit(
    connection: Connection, ids: Sequence[int], done: str, against: Callable[[Reject], str]
) -> list[Reject]:
    """All of these rejects; Refused with every reason when one of them cannot be decided on."""
    lock(connection, LOCK)
    found = {reject.id: reject for reject in listed(connection, ids=ids)}
    wrong = []
    for id_ in dict.fromkeys(ids):
        reject = found.get(id_)
        if reject is None:
            why = "does not exist"
        elif reject.finding.severity is Severity.NOTE:
            why = "is a note, with nothing to decide"
        elif not reject.stands:
            why = f"is {reject.state} since {reject.settled_run}"
        else:
            why = against(reject)
        if why:
            wrong.append(f"{id_} {why}")
    if wrong:
        more = len(wrong) - REASONS_SHOWN_MAX
        told = "; ".join(wrong[:REASONS_SHOWN_MAX]) + (f"; and {more} more" if more > 0 else "")
        raise Refused(
            f"{len(wrong)} of {len(dict.fromkeys(ids))} rejects cannot be {done}: {told}.",
            untouched="All stay as they were, the others too.",
            do="Leave these out, or look again: `tieout rejects`.",
        )
    return list(found.values())


def _decide(
    connection: Connection, found: Sequence[Reject], act: str, told: dict[str, Any],
    decision: Decision,
) -> list[Reject]:  # fmt: skip
    ids = [reject.id for reject in found]
    made = {"decided_by": decision.by, "decided_at": decision.at, "why": decision.why}
    values = told | made | {"decided_on": None}
    connection.execute(update(app_reject).where(app_reject.c.id.in_(ids)).values(values))
    tellings = []
    for reject in found:
        f = reject.finding
        detail = {
            "run": reject.run, "rule": f.rule, "subject": f.subject, "company": f.company,
            "amount": f.amount, "currency": f.currency, "cells": f.cells, "before": reject.state,
            "owner": told.get("owner", reject.owner), "why": decision.why,
        }  # fmt: skip
        tellings.append(Telling(decision.by, act, reject.name, detail))
    audit.append(connection, decision.at, *tellings)
    return listed(connection, ids=ids)


def _read(row: Row[Any]) -> Reject:
    columns = dict(row._mapping)
    told = {name: columns.pop(name) for name in Finding.__slots__}
    finding = Finding(**told | {"severity": Severity(told["severity"])})
    return Reject(finding=finding, **columns)
