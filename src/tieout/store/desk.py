"""The rejects desk read from the database: a page of what stands, and what a decision is about.

The piles say how many rejects agree with a filter before one is read. Few are found by their pile
and sorted; many are met soon by who walks along the index of what they are sorted by.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    any_,
    bindparam,
    func,
    select,
    true,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import UnaryExpression

from tieout.core.findings import Severity
from tieout.core.listing import COUNTED_ROWS_MAX, Listed, Wanted
from tieout.store import listing, piles
from tieout.store.columns import canonical
from tieout.store.listing import Long
from tieout.store.piles import ALIKE
from tieout.store.reject_schema import app_reject
from tieout.store.rejects import Reject, read

MEMBERS_AT_ONCE = 500  # of one query
_REJECT = app_reject.c
_SORTS: dict[str, ColumnElement[Any]] = {
    "id": _REJECT.id, "first_seen": _REJECT.first_seen, "company": _REJECT.company,
    "amount": _REJECT.weight, "cells": _REJECT.cells,
}  # fmt: skip
_FINDS: dict[str, ColumnElement[Any]] = {
    **{name: _REJECT[name] for name in ("flow", "run", "rule", "company", "state", "member")},
    "owner": func.coalesce(_REJECT.owner, ""), "what": _REJECT.what,
}  # fmt: skip
_ROWS = select(app_reject)
_ON_THE_DESK = Long(
    _ROWS.where(_REJECT.pile.is_not(None)), _SORTS, "id", _REJECT.id, _FINDS, frozenset({"what"})
)
_OF_RUN = replace(_ON_THE_DESK, query=_ROWS.where(_REJECT.severity != Severity.NOTE.value))
IDS_AT_ONCE = 5_000  # of one query


@dataclass(frozen=True, slots=True)
class Page:
    """Rejects of a page, with where its neighbours begin."""

    rejects: Sequence[Reject]
    listed: Listed


def page(connection: Connection, wanted: Wanted, *, waiting: bool = False) -> Page:
    """A page of what stands, waived ones too; of a run that is named, all that it found.

    `waiting`: only what is not decided.
    """
    if wanted.sort == "amount" and wanted.start is not None:
        value, key = wanted.start  # a cursor names the amount
        at = piles.weight(value) if isinstance(value, Decimal | None) else str(value)
        found = _page(connection, replace(wanted, start=(at, key)), waiting)
    else:
        found = _page(connection, wanted, waiting)
    told = [read(row) for row in found.rows]
    return Page(told, found)


def _page(connection: Connection, wanted: Wanted, waiting: bool) -> Listed:
    by = wanted.found_by
    if "run" in by:
        return listing.page(connection, _OF_RUN, wanted)
    table = _ON_THE_DESK
    if wanted.sort == "id":  # by the index of what stands, in the order of its numbers
        table = replace(table, query=table.query.where(_REJECT.settled_run.is_(None)))
    alike = {name: by[name] for name in by if name in ALIKE}
    others = {name: by[name] for name in by if name not in ALIKE}
    agreeing = [p for p in piles.listed(connection, alike) if p.undecided or not waiting]
    rows = sum(pile.rows for pile in agreeing)
    count = None if others else rows
    if "member" in by or not (alike or waiting):
        return listing.page(connection, table, wanted, count)
    few, sorts = rows <= COUNTED_ROWS_MAX, dict(_SORTS)
    column: ColumnElement[Any] = _REJECT.pile
    if few:
        sorts = {name: _apart(connection, sort) for name, sort in sorts.items()}
    else:
        column = _apart(connection, column)
    query = table.query.where(column.in_([pile.id for pile in agreeing]))
    table = replace(table, query=query, sorts=sorts)
    return listing.page(connection, table, replace(wanted, found_by=others), count, shown=wanted)


def _apart(connection: Connection, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column that SQLite shall not look for in an index; PostgreSQL has counted what is rare."""
    if connection.dialect.name != "sqlite":
        return column
    return UnaryExpression(column, operator=operators.custom_op("+"), type_=column.type)


def ids(connection: Connection, found_by: Mapping[str, str], rows_max: int) -> list[int]:
    """The numbers of undecided rejects that agree with values of ALIKE, the oldest piles first."""
    found: list[int] = []
    for pile in piles.listed(connection, found_by):
        if pile.undecided and len(found) < rows_max:
            query = select(_REJECT.id).where(_REJECT.pile == pile.id).order_by(_REJECT.first_seen)
            found += connection.execute(query.limit(rows_max - len(found))).scalars()
    return sorted(found)


def weighed(connection: Connection, wanted: Sequence[int]) -> list[dict[str, Any]]:
    """Of these rejects what a decision about many of them has to say, in their order."""
    names = ("id", "flow", "rule", "severity", "state", "owner", "cells", "amount", "currency")
    columns = [_REJECT[name] for name in names]
    found: list[dict[str, Any]] = []
    for start in range(0, len(wanted), IDS_AT_ONCE):
        mine = _numbered(connection, wanted[start : start + IDS_AT_ONCE])
        query = select(*columns).where(mine)
        rows = connection.execute(query.order_by(_REJECT.id))
        found += [dict(zip(names, row, strict=True)) for row in rows]
    return found


def _numbered(connection: Connection, ids: Sequence[int]) -> ColumnElement[bool]:
    """Rejects with one of these numbers: told as one value, for thousands take long to name."""
    if connection.dialect.name == "sqlite":
        each = func.json_each(canonical(list(ids))).table_valued("value")
        return _REJECT.id.in_(select(each.c.value))
    return _REJECT.id == any_(bindparam("ids", list(ids), ARRAY(BigInteger)))


def about(
    connection: Connection, on: Collection[int], dimension: str, members: Sequence[str]
) -> dict[int, list[int]]:
    """Pile → the numbers of its rejects about these members of a dimension."""
    found: dict[int, list[int]] = {}
    for start in range(0, len(members), MEMBERS_AT_ONCE):
        query = select(_REJECT.pile, _REJECT.id).where(
            _REJECT.member.in_(members[start : start + MEMBERS_AT_ONCE]),
            _REJECT.dimension == dimension, _apart(connection, _REJECT.pile).in_(list(on)),
        )  # fmt: skip
        for pile, id_ in connection.execute(query.order_by(_REJECT.id)):
            found.setdefault(pile, []).append(id_)
    return found


def members(connection: Connection) -> list[str]:
    """Every code that any reject was ever about, each found by the one before it in the index."""
    return list(connection.execute(_each_member(true(), "")).scalars())


def codes(connection: Connection, rule: str, after: str, rows_max: int) -> list[str]:
    """The codes that undecided rejects of a rule are about, from the one after `after`."""
    on = [pile.id for pile in piles.listed(connection, {"rule": rule}) if pile.undecided]
    if not on:
        return []
    # Along the index of members: whoever looks by the pile reads all that is on it.
    found = _each_member(_apart(connection, _REJECT.pile).in_(on), after).limit(rows_max)
    return list(connection.execute(found).scalars())


def _each_member(condition: ColumnElement[bool], after: str) -> Select[Any]:
    """Each member once, in their order: the next one is looked for, those between are not read."""
    first = select(func.min(_REJECT.member).label("member")).where(
        _REJECT.member > after, condition
    )
    one = first.cte("one", recursive=True)
    following = select(func.min(_REJECT.member)).where(_REJECT.member > one.c.member, condition)
    one = one.union_all(select(following.scalar_subquery()).where(one.c.member.is_not(None)))
    return select(one.c.member).where(one.c.member.is_not(None))


def first_about(connection: Connection, rule: str, wanted: Sequence[str]) -> list[Reject]:
    """The first undecided reject of a rule about each of these codes, of each dimension."""
    on = [pile.id for pile in piles.listed(connection, {"rule": rule}) if pile.undecided]
    if not on or not wanted:
        return []
    mine = (_REJECT.member.in_(list(wanted)), _apart(connection, _REJECT.pile).in_(on))
    first = select(func.min(_REJECT.id)).where(*mine).group_by(_REJECT.dimension, _REJECT.member)
    query = select(app_reject).where(_REJECT.id.in_(first.scalar_subquery())).order_by(_REJECT.id)
    return [read(row) for row in connection.execute(query)]


def on_piles(connection: Connection, on: Collection[int], rows_max: int) -> list[int]:
    """The numbers of the rejects on these piles, up to `rows_max`."""
    query = select(_REJECT.id).where(_REJECT.pile.in_(list(on))).limit(rows_max)
    return list(connection.execute(query).scalars())


def run_about(connection: Connection, rule: str, dimension: str, member: str) -> str:
    """The run that found something about this member last, of what stands; "" when none did."""
    query = select(_REJECT.run).where(
        _REJECT.member == member, _REJECT.dimension == dimension, _REJECT.rule == rule,
        _REJECT.settled_run.is_(None),
    )  # fmt: skip
    found = connection.execute(query.order_by(_REJECT.id.desc()).limit(1)).scalar_one_or_none()
    return found or ""
