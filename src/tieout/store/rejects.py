"""What was found wrong in a run's data, until a run fixed it, sent it again, or a person waived it.

A reject *stands* until a run settles it: `fixed` when the run does not find it any more, `sent
again` when the run has found it too, whose own row then stands in its place. What people decided is
carried over to that row: an assignment wherever the same thing is found, a waiver only where it is
the same to the cent. A waiver takes a reject from the desk and does nothing else: no run asks for
the state of what it found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Select, and_, bindparam, insert, or_, select, update
from sqlalchemy.engine import Row

from tieout.core.findings import Finding, Severity
from tieout.errors import Misconfigured, Refused
from tieout.store import audit, piles
from tieout.store.audit import Telling
from tieout.store.database import lock
from tieout.store.piles import UNDECIDED
from tieout.store.reject_schema import REJECT_STATES, app_reject
from tieout.store.runs import Run

LOCK = "rejects"  # a decision and the run that carries it over go one after the other
REASONS_SHOWN_MAX = 5
REJECTS_TOLD_MAX = 100  # that are told of one cell
LINES_PER_STATEMENT = 100  # each is looked for by an index of its own
STANDING_AT_ONCE = 500  # of one query
IDS_PER_STATEMENT = 10_000  # SQLite takes 32,766 values in one
Place: TypeAlias = tuple[str, ...]
T = TypeVar("T")


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
    now = {same(finding) for finding in found}
    places: dict[Place, list[Reject]] = {_place(finding): [] for finding in found}
    again = []
    for reject in standing_of(lambda: nullcontext(connection), run.flow):
        if reject.run == run.id:
            continue
        if same(reject.finding) in now:
            again.append(reject.id)
        if (alike := places.get(_place(reject.finding))) is not None:
            alike.append(reject)
    rows = []
    for finding in found:
        row = {name: getattr(finding, name) for name in Finding.__slots__}
        row |= {"severity": finding.severity.value, "flow": run.flow, "run": run.id}
        rows.append(row | _carried(finding, places[_place(finding)], at))
    settle(connection, again, "sent again", run.id)
    on = piles.put(connection, rows)
    weighed = [
        row | {"pile": pile, "weight": piles.weight(row["amount"])}
        for row, pile in zip(rows, on, strict=True)
    ]
    connection.execute(insert(app_reject), weighed)
    waived = [row["decided_on"] for row in rows if row["state"] == "waived"]
    detail = {"of": waived}
    return (
        Telling(run.started_by, "carried waivers over", run.id, detail, run.id) if waived else None
    )


def about(
    connection: Connection, flow: str, members: Sequence[tuple[str, str]],
    lines: Sequence[tuple[str, int]],
) -> list[Reject]:  # fmt: skip
    """Rejects of a flow about these members (dimension and code), or these lines of runs' files.

    An empty dimension is any; the newest REJECTS_TOLD_MAX, in the order they were made.
    """
    column = app_reject.c
    of_members = [
        and_(column.member == code, *([column.dimension == dimension] if dimension else []))
        for dimension, code in members
    ]
    wanted = [*of_members]  # one after the other: each has an index of its own
    for some in _some(lines, LINES_PER_STATEMENT):  # a cell is sent with every run, for years
        wanted.append(or_(*(and_(column.run == run, column.line == line) for run, line in some)))
    found: dict[int, Reject] = {}
    for condition in wanted:
        query = select(app_reject).where(column.flow == flow, condition)
        rows = connection.execute(query.order_by(column.id.desc()).limit(REJECTS_TOLD_MAX))
        found |= {row.id: read(row) for row in rows}
    return [found[id_] for id_ in sorted(found)[-REJECTS_TOLD_MAX:]]


def of_code(connection: Connection, flow: str, code: str) -> list[Reject]:
    """The newest rejects of a flow of members about a code, by its member or by its subject.

    No index knows subjects: all that the flow ever found is looked through.
    """
    column = app_reject.c
    mine = (column.member == code) | column.subject.in_([code, f"member {code}"])
    query = select(app_reject).where(column.flow == flow, mine).order_by(column.id.desc())
    return [read(row) for row in connection.execute(query.limit(REJECTS_TOLD_MAX))][::-1]


def _some(all_: Sequence[T], many: int) -> Iterator[Sequence[T]]:
    """All of them, `many` at a time."""
    return (all_[start : start + many] for start in range(0, len(all_), many))


def same(finding: Finding) -> tuple[str, str, str]:
    """What makes findings of two runs the same thing, whatever its amount is now."""
    return (finding.rule, finding.subject, finding.company)


def _place(finding: Finding) -> Place:
    return (*same(finding), finding.dimension, finding.member, finding.currency)


def _carried(finding: Finding, earlier: list[Reject], at: datetime) -> dict[str, Any]:
    """State, decision and age of a new row, from those that stood for the same before."""
    told: dict[str, Any] = {
        "state": "open", "first_seen": min([r.first_seen for r in earlier], default=at),
        "settled_run": None, "owner": None, "decided_by": None, "decided_at": None, "why": "",
        "decided_on": None,
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
    only = {"run": run, "flow": flow, "state": state}
    given = {name: value for name, value in only.items() if value is not None}
    query = _listed(standing, *given)
    if ids is None:
        return [read(row) for row in connection.execute(query, given)]
    found: list[Reject] = []
    for some in _some(sorted({*ids}), IDS_PER_STATEMENT):
        rows = connection.execute(query.where(app_reject.c.id.in_(some)), given)
        found += [read(row) for row in rows]
    return found


def standing(connection: Connection, flow: str, after: int = 0) -> list[Reject]:
    """A page of what stands of a flow, from the one after `after` on, in the order it was made."""
    return [read(row) for row in connection.execute(_STANDING, {"flow": flow, "after": after})]


_STANDING = (
    select(app_reject)
    .where(
        app_reject.c.flow == bindparam("flow"),
        app_reject.c.settled_run.is_(None),
        app_reject.c.id > bindparam("after"),
    )
    .order_by(app_reject.c.id)
    .limit(STANDING_AT_ONCE)
)


def standing_of(
    reading: Callable[[], AbstractContextManager[Connection]], flow: str
) -> Iterator[Reject]:  # fmt: skip
    """All of it; of however much stands, no more than a page is at hand."""
    after = 0
    while True:
        with reading() as connection:
            page = standing(connection, flow, after)
        if not page:
            return
        yield from page
        after = page[-1].id


@cache
def _listed(standing: bool, *names: str) -> Select[Any]:
    query = select(app_reject).where(*(app_reject.c[name] == bindparam(name) for name in names))
    if standing:
        query = query.where(app_reject.c.settled_run.is_(None))
    return query.order_by(app_reject.c.id)


def find(connection: Connection, id_: int) -> Reject:
    """One reject; Misconfigured when there is none of this number."""
    found = listed(connection, ids=[id_])
    if not found:
        raise unknown(id_)
    return found[0]


def unknown(id_: int) -> Misconfigured:
    """The refusal of the number of no reject."""
    return Misconfigured(f"There is no reject {id_}.", do="`tieout rejects --all` lists them.")


def of_ids(connection: Connection, ids: Sequence[int]) -> list[Reject]:
    """Those of the rejects with these numbers that there are, in the order they were made."""
    found: list[Reject] = []
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), IDS_PER_STATEMENT):
        found += listed(connection, ids=wanted[start : start + IDS_PER_STATEMENT])
    return found


def settle(connection: Connection, ids: Sequence[int], state: str, run: str) -> None:
    """Standing rejects reach their end by a run; one settled before stays as it was."""
    if state not in REJECT_STATES or state in UNDECIDED:
        raise ValueError(f"not how a reject ends: {state}")
    if not ids:
        return
    lock(connection, LOCK)
    piles.take(connection, ids)
    for some in _some(ids, IDS_PER_STATEMENT):
        these = app_reject.c.id.in_(some)
        standing = update(app_reject).where(these, app_reject.c.settled_run.is_(None))
        connection.execute(standing.values(state=state, settled_run=run, pile=None))


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
    piles.take(connection, ids)
    for some in _some(ids, IDS_PER_STATEMENT):
        connection.execute(update(app_reject).where(app_reject.c.id.in_(some)).values(values))
    piles.put_again(connection, ids)
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


def read(row: Row[Any] | Mapping[str, Any]) -> Reject:
    """A reject from a row of all columns."""
    columns = dict(row if isinstance(row, Mapping) else row._mapping)
    del columns["pile"], columns["weight"]  # what finds and counts it, not what it is
    told = {name: columns.pop(name) for name in Finding.__slots__}
    finding = Finding(**told | {"severity": Severity(told["severity"])})
    return Reject(finding=finding, **columns)
