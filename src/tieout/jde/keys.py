"""Key order: the rows after the last one read, and those that a page repeats of the one before."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tieout.errors import Refused
from tieout.jde import wire
from tieout.jde.query import Value, Where
from tieout.jde.wire import Table
from tieout.strict_json import plain


def after(table: Table, rows: pl.DataFrame, columns: Sequence[str] = ()) -> Where:
    """Rows after the last one of `rows` in the order of the primary key, or of `columns`.

    The fiscal year is asked for as its two columns.

    Refused when a column of that key is no date: no document says where such a row stands in the
    order, and how to ask for what comes after it.
    """
    last = rows.select(columns or table.key).row(-1, named=True)
    key: list[tuple[str, Value]] = []
    for name, value in last.items():
        if name == wire.FISCAL_YEAR:
            key += [("CTRY", value // 100), ("FY", value % 100)]
        elif value is None:
            raise Refused(
                f"A row of {table.name} has no {name}, which is part of its key: the reading "
                "cannot go on after it.",
                untouched="Nothing was sent to Anaplan.", who="the JDE administrator (CNC)",
                do="Correct the row in JD Edwards, or read with a larger page_rows.",
                evidence=plain({k: v for k, v in last.items() if v is not None}),
            )  # fmt: skip
        else:
            key.append((name, value))
    return wire.after(key)


def unseen(table: Table, previous: pl.DataFrame | None, new: pl.DataFrame) -> pl.DataFrame:
    """`new` without rows that already stood at the end of the page before it (J12).

    Rows are in key order, so if one is repeated, the first of `new` stands in `previous`. Looked
    for without expressions of Polars: those wait for what other threads compute.
    """
    if previous is None or new.is_empty():
        return new
    first = first_key(table, new)
    narrow = next((k for k in table.key if previous.schema[k] == pl.Int64), table.key[0])
    values = previous.get_column(narrow).to_list()  # few rows share a value of this column
    value = first[table.key.index(narrow)]
    if value not in values:
        return new
    start = values.index(value)
    keys = list(zip(*(previous.get_column(k)[start:].to_list() for k in table.key), strict=True))
    if first not in keys:
        return new
    return new.join(
        previous.slice(start + keys.index(first)), on=new.columns, how="anti",
        nulls_equal=True, maintain_order="left",
    )  # fmt: skip


def first_key(table: Table, rows: pl.DataFrame) -> tuple[Value, ...]:
    """The key of the first row."""
    return tuple(rows.get_column(name)[0] for name in table.key)
