"""How many rejects stand, by what they are alike in: counted when they come and go, never again.

Who opens the desk asks for that first, and a million rows are not read to tell it. Whoever changes
a reject does so under the lock `rejects.LOCK`, and puts and takes it here in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, or_, select, update

from tieout.core.findings import Severity
from tieout.store.columns import clean
from tieout.store.reject_schema import app_pile, app_reject

UNDECIDED = ("open", "assigned")  # somebody still has to do something about it
ALIKE = ("flow", "run", "rule", "company", "state", "owner", "currency")
IDS_AT_ONCE = 500  # of one query
# A weight is text that sorts like the amount: so many digits before and after the point.
WHOLE_DIGITS, DIGITS = 24, 36
_LARGEST = 10**DIGITS - 1
Key: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pile:
    """Rejects that are alike: how many, their cells, and the sum of their amounts without signs."""

    id: int
    flow: str
    run: str
    rule: str
    company: str
    state: str
    owner: str
    currency: str
    rows: int
    cells: int
    amounts: int
    amount: Decimal

    @property
    def undecided(self) -> bool:
        """Whether somebody still has to do something about them."""
        return self.state in UNDECIDED


@dataclass(slots=True)
class _More:
    rows: int = 0
    cells: int = 0
    amounts: int = 0
    amount: Decimal = Decimal(0)

    def add(self, cells: int, amount: Decimal | None, sign: int = 1) -> None:
        self.rows += sign
        self.cells += sign * cells
        if amount is not None:
            self.amounts += sign
            self.amount += sign * abs(amount)


def weight(amount: Decimal | None) -> str:
    """Text in the order of amounts; of none at all comes first."""
    if amount is None:
        return ""
    scaled = min(int(abs(amount).scaleb(DIGITS - WHOLE_DIGITS)), _LARGEST)
    return f"1{_LARGEST - scaled:0{DIGITS}d}" if amount < 0 else f"2{scaled:0{DIGITS}d}"


def key_of(row: Mapping[str, Any]) -> Key | None:
    """In what a reject is like others of its pile; None when it stands on none."""
    if row["settled_run"] is not None or row["severity"] == Severity.NOTE.value:
        return None
    return tuple(clean(row[name] or "") for name in ALIKE)  # as it will be read again


def put(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[int | None]:
    """Rejects begin to stand; the pile of each, None where it stands on none."""
    more: dict[Key, _More] = {}
    for row in rows:
        if key := key_of(row):
            more.setdefault(key, _More()).add(row["cells"], row["amount"])
    known = _known(connection, more)
    _change(connection, {known[key]: change for key, change in more.items()})
    return [known[key] if (key := key_of(row)) else None for row in rows]


def take(connection: Connection, ids: Collection[int]) -> None:
    """Rejects are about to leave their piles: settled, or to be put on another."""
    less: dict[int, _More] = {}
    wanted, reject = sorted(ids), app_reject.c
    for start in range(0, len(wanted), IDS_AT_ONCE):
        query = select(reject.pile, reject.cells, reject.amount).where(
            reject.id.in_(wanted[start : start + IDS_AT_ONCE]), reject.pile.is_not(None)
        )
        for pile, cells, amount in connection.execute(query):
            less.setdefault(pile, _More()).add(cells, amount, -1)
    _change(connection, less)
    connection.execute(delete(app_pile).where(app_pile.c.id.in_(list(less)), app_pile.c.rows == 0))


def put_again(connection: Connection, ids: Collection[int]) -> None:
    """Rejects that were taken stand again, on the piles that they are like now."""
    names, wanted = ("id", "severity", "settled_run", "cells", "amount", *ALIKE), sorted(ids)
    for start in range(0, len(wanted), IDS_AT_ONCE):
        some = app_reject.c.id.in_(wanted[start : start + IDS_AT_ONCE])
        query = select(*(app_reject.c[name] for name in names)).where(some)
        rows = [dict(row._mapping) for row in connection.execute(query)]
        on = [
            {"of": row["id"], "on": pile}
            for row, pile in zip(rows, put(connection, rows), strict=True)
        ]
        connection.execute(_PUT, on)


_PUT = update(app_reject).where(app_reject.c.id == bindparam("of")).values(pile=bindparam("on"))


def _known(connection: Connection, keys: Iterable[Key]) -> dict[Key, int]:
    """The number of each pile, made where there is none yet."""
    wanted = set(keys)
    runs = sorted({key[ALIKE.index("run")] for key in wanted})
    known: dict[Key, int] = {}
    for start in range(0, len(runs), IDS_AT_ONCE):
        query = select(app_pile).where(app_pile.c.run.in_(runs[start : start + IDS_AT_ONCE]))
        for row in connection.execute(query):
            known[tuple(getattr(row, name) for name in ALIKE)] = row.id
    nothing = {"rows": 0, "cells": 0, "amounts": 0, "amount": Decimal(0)}
    for key in sorted(wanted - known.keys()):
        made = insert(app_pile).values(**dict(zip(ALIKE, key, strict=True)), **nothing)
        known[key] = connection.execute(made.returning(app_pile.c.id)).scalar_one()
    return known


def _change(connection: Connection, changes: Mapping[int, _More]) -> None:
    columns, ids = app_pile.c, sorted(changes)
    for start in range(0, len(ids), IDS_AT_ONCE):
        some = ids[start : start + IDS_AT_ONCE]
        sums = select(columns.id, columns.amount).where(columns.id.in_(some))
        now = {row.id: row.amount for row in connection.execute(sums)}
        rows = [
            {"of": id_, "more_rows": changes[id_].rows, "more_cells": changes[id_].cells,
             "more_amounts": changes[id_].amounts, "sum": now[id_] + changes[id_].amount}
            for id_ in some
        ]  # fmt: skip
        connection.execute(_CHANGE, rows)


_CHANGE = (
    update(app_pile)
    .where(app_pile.c.id == bindparam("of"))
    .values(
        rows=app_pile.c.rows + bindparam("more_rows"),
        cells=app_pile.c.cells + bindparam("more_cells"),
        amounts=app_pile.c.amounts + bindparam("more_amounts"),
        amount=bindparam("sum"),
    )
)


def listed(connection: Connection, found_by: Mapping[str, str] | None = None) -> list[Pile]:
    """The piles that agree with values of ALIKE."""
    query = select(*(app_pile.c[name] for name in Pile.__slots__))
    for name, value in (found_by or {}).items():
        query = query.where(app_pile.c[name] == value)
    return [Pile(*row) for row in connection.execute(query.order_by(app_pile.c.id))]


def count(connection: Connection, flow: str, *, rule: str = "") -> int:
    """How many rejects of a flow, or of a rule of it, somebody has to do something about."""
    query = _undecided(select(func.coalesce(func.sum(app_pile.c.rows), 0))).where(
        app_pile.c.flow == flow
    )
    if rule:
        query = query.where(app_pile.c.rule == rule)
    return int(connection.execute(query).scalar_one())


def undecided(connection: Connection) -> int:
    """How many rejects of all flows somebody has to do something about."""
    query = _undecided(select(func.coalesce(func.sum(app_pile.c.rows), 0)))
    return int(connection.execute(query).scalar_one())


def undecided_runs() -> Select[Any]:
    """The runs whose rejects somebody has to do something about, as a query."""
    return _undecided(select(app_pile.c.run).distinct())


def _undecided(query: Select[Any]) -> Select[Any]:
    return query.where(app_pile.c.state.in_(UNDECIDED))


def oldest(connection: Connection, ids: Collection[int]) -> dict[int, datetime]:
    """When the first of each of these piles was first seen."""
    first = (
        select(func.min(app_reject.c.first_seen))
        .where(app_reject.c.pile == app_pile.c.id)
        .scalar_subquery()
    )
    query, wanted = select(app_pile.c.id, first), sorted(ids)
    found: dict[int, datetime] = {}
    for start in range(0, len(wanted), IDS_AT_ONCE):
        some = query.where(app_pile.c.id.in_(wanted[start : start + IDS_AT_ONCE]))
        found |= {id_: at for id_, at in connection.execute(some) if at is not None}
    return found


def miscounted(connection: Connection) -> int:
    """How many piles count other rejects than lie on them, and rejects that stand and lie on none.

    Every reject that stands is read, so this is for who looks after an instance, not for a page.
    """
    reject, pile = app_reject.c, app_pile.c
    lie = (
        select(reject.pile, func.count().label("rows"), func.sum(reject.cells).label("cells"),
               func.count(reject.amount).label("amounts"))
        .where(reject.pile.is_not(None)).group_by(reject.pile).subquery()
    )  # fmt: skip
    here = lie.c.pile == pile.id
    otherwise = [lie.c[name] != pile[name] for name in ("rows", "cells", "amounts")]
    of_piles = select(func.count()).select_from(app_pile.outerjoin(lie, here))
    of_rejects = select(func.count()).select_from(lie.outerjoin(app_pile, here))
    loose = select(func.count()).where(
        reject.pile.is_(None), reject.settled_run.is_(None), reject.severity != Severity.NOTE.value
    )
    apart = (
        of_piles.where(or_(lie.c.pile.is_(None), *otherwise)),
        of_rejects.where(pile.id.is_(None)),
        loose,
    )
    # In one statement, so that what comes and goes meanwhile is not taken for a wrong count.
    told = select(*(each.scalar_subquery() for each in apart))
    return sum(map(int, connection.execute(told).one()))
