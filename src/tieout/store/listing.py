"""One page of a long table by its keyset: an index finds where it begins, nothing is skipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    func,
    or_,
    select,
)

from tieout.core.listing import (
    COUNTED_ROWS_MAX,
    NOT_OURS,
    Listed,
    Wanted,
    cursor,
    damaged,
    listed,
)
from tieout.store.columns import Moment, Money, clean

LOOKED_ROWS_MAX = 10_000  # for one page of a filter by a word that no index knows

LIKE_SIGNS = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


@dataclass(frozen=True, slots=True)
class Long:
    """How a long table is paged: what can be sorted, never NULL, and what tells its rows apart.

    `key` is the name of a column of the query; ties of the sorted column are told by it.
    """

    query: Select[Any]
    sorts: Mapping[str, ColumnElement[Any]]
    key: str
    key_column: ColumnElement[Any]
    finds: Mapping[str, ColumnElement[Any]]
    contains: frozenset[str] = frozenset()


def page(
    connection: Connection, table: Long, wanted: Wanted, count: int | None = None,
    shown: Wanted | None = None,
) -> Listed:  # fmt: skip
    """The wanted page, and how many rows the filter finds, up to COUNTED_ROWS_MAX and one.

    `count`: how many they are, from who knows; `shown`: what was asked for, if that is not all in
    `wanted`. Of a filter by a word no more than LOOKED_ROWS_MAX rows are looked through for a page:
    it may be short then, and the next one goes on.
    """
    looking = any(name in table.contains for name in wanted.found_by)
    looked, last = 0, None
    if looking:
        ids, looked, last = _looked_through(connection, table, wanted)
    else:
        found = _reached(table, filtered(table, wanted), wanted)
        ids = found.with_only_columns(table.key_column).order_by(*_order(table, wanted))
    rows = _rows(connection, table, ids.limit(wanted.rows + 1), wanted)
    more = len(rows) > wanted.rows
    rows = rows[: wanted.rows]
    if wanted.backwards:
        rows.reverse()
    if count is None:
        count = len(rows) if looking else _counted(connection, table, wanted)
    before = more if wanted.backwards else wanted.start is not None
    after_this = wanted.backwards or more
    told = listed(rows, shown or wanted, table.key, min(count, COUNTED_ROWS_MAX + 1), before,
                  after_this)  # fmt: skip
    if last is None:
        return told
    return replace(told, looked=looked) if more else _going_on(told, wanted, looked, last)


def _rows(
    connection: Connection, table: Long, ids: Select[Any], wanted: Wanted
) -> list[dict[str, Any]]:
    """The rows of the page and one more: found by the index alone, then read whole."""
    whole = select(*table.query.selected_columns).order_by(*_order(table, wanted))
    query = whole.where(table.key_column.in_(ids.scalar_subquery()))
    return [dict(row._mapping) for row in connection.execute(query)]


def _order(table: Long, wanted: Wanted) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Backwards is forwards in the other order, turned round at the end."""
    sort, key = table.sorts[wanted.sort], table.key_column
    if wanted.descending != wanted.backwards:
        return sort.desc(), key.desc()
    return sort.asc(), key.asc()


def _reached(table: Long, query: Select[Any], wanted: Wanted) -> Select[Any]:
    """The query from where the page begins."""
    if wanted.start is None:
        return query
    sort, key = table.sorts[wanted.sort], table.key_column
    descending = wanted.descending != wanted.backwards
    value, after = wanted.start
    if not (_fits(sort, value) and _fits(key, after)):
        raise damaged(NOT_OURS)
    beyond = (sort < value, key < after) if descending else (sort > value, key > after)
    # The first condition is implied by the second, and is one that an index can seek.
    reach = sort <= value if descending else sort >= value
    return query.where(reach, or_(beyond[0], and_(sort == value, beyond[1])))


def _fits(column: ColumnElement[Any], value: object) -> bool:
    """Whether a column can be compared with what a cursor names: anybody can write one."""
    kinds: tuple[type, ...] = (str,)
    if isinstance(column.type, Moment):
        kinds = (datetime,)
    elif isinstance(column.type, Money):
        kinds = (Decimal,)
    elif isinstance(column.type, Integer):
        kinds = (int,)
    return isinstance(value, kinds)


def _counted(connection: Connection, table: Long, wanted: Wanted) -> int:
    some = filtered(table, wanted).with_only_columns(table.key_column).limit(COUNTED_ROWS_MAX + 1)
    return connection.execute(select(func.count()).select_from(some.subquery())).scalar_one()


def _looked_through(
    connection: Connection, table: Long, wanted: Wanted
) -> tuple[Select[Any], int, tuple[Any, Any] | None]:
    """The keys of those that agree among the rows that are looked through, in their order.

    And how many rows that were, and the last if there are more. The rows are cut off first and
    compared with the word then: a database that may choose compares all there are.
    """
    exact = {n: word for n, word in wanted.found_by.items() if n not in table.contains}
    whole = _reached(table, filtered(table, replace(wanted, found_by=exact)), wanted)
    whole = whole.order_by(*_order(table, wanted))
    columns = (table.sorts[wanted.sort].label("at"), table.key_column.label("key"))
    words = {n: table.finds[n].label(f"in_{n}") for n in wanted.found_by if n in table.contains}
    cut = whole.with_only_columns(*columns, *words.values()).limit(LOOKED_ROWS_MAX).subquery()
    down = wanted.descending != wanted.backwards
    order = [c.desc() if down else c.asc() for c in (cut.c.at, cut.c.key)]
    agree = [_holds(cut.c[f"in_{n}"], clean(wanted.found_by[n])) for n in words]
    next_two = whole.with_only_columns(*columns).offset(LOOKED_ROWS_MAX - 1).limit(2)
    ends = connection.execute(next_two).all()
    last = (ends[0].at, ends[0].key) if len(ends) > 1 else None
    return select(cut.c.key).where(*agree).order_by(*order), LOOKED_ROWS_MAX, last


def _going_on(told: Listed, wanted: Wanted, looked: int, last: tuple[Any, Any]) -> Listed:
    """A page that is short because no more was looked through: where to go on."""
    place = cursor(*last)
    if wanted.backwards:
        return replace(told, looked=looked, before=place)
    return replace(told, looked=looked, after=place)


def filtered(table: Long, wanted: Wanted) -> Select[Any]:
    """The query with the conditions of the filter."""
    query = table.query
    for name, word in wanted.found_by.items():
        column = table.finds[name]
        words = clean(word)
        query = query.where(_holds(column, words) if name in table.contains else column == words)
    return query


def _holds(column: ColumnElement[Any], word: str) -> ColumnElement[bool]:
    """Whether a word stands in a column, in capitals or not."""
    return column.ilike(f"%{word.translate(LIKE_SIGNS)}%", escape="\\")
