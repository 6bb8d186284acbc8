"""A page of a list whose rows are columns: it is filtered, sorted and cut before it is values."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import polars as pl

from tieout.core.listing import COUNTED_ROWS_MAX, NOT_OURS, Column, Listed, Wanted, damaged, listed

KEY = "key"  # the column that tells rows of one value apart
LEAST = Decimal("-1e27")  # where an amount that is missing stands


def agreeing(columns: tuple[Column, ...], wanted: Wanted) -> list[pl.Expr]:
    """The conditions of a filter, read as `core.listing.page_of` reads it."""
    finds = {column.name: column.find for column in columns}
    found = []
    for name, word in wanted.found_by.items():
        told = pl.col(name).cast(pl.String).fill_null("").str.to_lowercase()
        inside = told.str.contains(word.lower(), literal=True)
        found.append(inside if finds.get(name) == "contains" else told == word.lower())
    return found


def page_of(found: pl.LazyFrame, wanted: Wanted) -> Listed:
    """The wanted page of the rows, by the keyset of the sorted column and KEY.

    They are read once, to be sorted and to be counted; only the page becomes values.
    """
    schema = found.collect_schema()
    kind = schema[wanted.sort]
    sort, down = pl.col(wanted.sort), wanted.descending != wanted.backwards
    if isinstance(kind, pl.Decimal):
        sort = sort.fill_null(pl.lit(LEAST, kind))
    found = found.with_columns(_sort=sort)
    at = pl.col("_sort")
    ahead = pl.lit(True)
    if wanted.start is not None:
        value, key = wanted.start
        if not (_fits(schema[KEY], key) and _fits(kind, value)):
            raise damaged(NOT_OURS)
        here = pl.lit(LEAST if value is None else value, kind)
        beyond = (at < here) if down else (at > here)
        same = (pl.col(KEY) < pl.lit(key)) if down else (pl.col(KEY) > pl.lit(key))
        ahead = beyond | ((at == here) & same)
    by = ["_sort", KEY]
    cut = found.filter(ahead).sort(by, descending=down).head(wanted.rows + 1).drop("_sort")
    rows, counted = pl.collect_all([cut, found.select(pl.len())])
    more = rows.height > wanted.rows
    told = rows.head(wanted.rows).to_dicts()
    if wanted.backwards:
        told.reverse()
    before = more if wanted.backwards else wanted.start is not None
    number = min(int(counted.item()), COUNTED_ROWS_MAX + 1)
    return listed(told, wanted, KEY, number, before, wanted.backwards or more)


def _fits(kind: pl.DataType, value: object) -> bool:
    """Whether a column can be compared with what a cursor names: anybody can write one."""
    if value is None:
        return isinstance(kind, pl.Decimal)
    if isinstance(kind, pl.Decimal):
        return isinstance(value, Decimal) and abs(value) < abs(LEAST)
    if kind.is_temporal():
        return isinstance(value, datetime)
    return isinstance(value, int) if kind.is_integer() else isinstance(value, str)
