"""AGGREGATION requests and answers, in whatever form a release prints them (jde-ais.md §3.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import polars as pl

from tieout.errors import Refused
from tieout.jde.page import PEER
from tieout.jde.wire import (
    AMOUNT,
    FISCAL_YEAR,
    Column,
    Table,
    from_epoch_milliseconds,
    from_grid_date,
)

DATE_GROUP_PATTERN = "yyyyMMdd"  # without a pattern a date group is a moment in an unknown zone
SUM_DIGITS_MAX, SUM_DECIMALS_MAX = 34, 4


def request(
    table: Table, group_by: Sequence[str], sums: Sequence[str], maxima: Sequence[str]
) -> dict[str, Any]:
    """The `aggregation` member: COUNT(*), SUM of `sums`, MAX of `maxima`, by `group_by`."""
    wanted = [("SUM", s) for s in sums] + [("MAX", m) for m in maxima]
    asked: dict[str, Any] = {
        "aggregations": [
            {"aggregation": "COUNT", "column": "*"},
            *(
                {"aggregation": function, "column": table.control(table.column(name))}
                for function, name in wanted
            ),
        ]
    }
    groups = [_group(table, column) for column in table.physical(group_by)]
    if groups:
        asked["groupBy"] = groups
        asked["orderBy"] = [{"column": g["column"], "direction": "ASC"} for g in groups]
    return asked


def _group(table: Table, column: Column) -> dict[str, str]:
    group = {"column": table.control(column)}
    return group | {"specialHandling": DATE_GROUP_PATTERN} if column.kind == "date" else group


def frame(
    table: Table, told: dict[str, Any], group_by: Sequence[str], sums: Sequence[str],
    maxima: Sequence[str],
) -> pl.DataFrame:  # fmt: skip
    """The answer as `group_by`, `sums` (Decimal), `max_…` and `count` (Int64), one row per group.

    Raises Refused when the answer has another shape or a member is missing.
    """
    groups = [(c.name, c) for c in table.physical(group_by)]
    schema: dict[str, Any] = {c.name: c.polars for _, c in groups}
    schema |= dict.fromkeys(sums, AMOUNT)
    schema |= {f"max_{m}": table.column(m).polars for m in maxima}
    schema["count"] = pl.Int64
    rows = [
        _row(table, item, [c for _, c in groups], sums, maxima) for item in _output(table, told)
    ]
    found = pl.DataFrame(rows, schema=schema, orient="row")
    if FISCAL_YEAR in group_by:
        year = (pl.col("century") * 100 + pl.col("year")).cast(pl.Int32).alias(FISCAL_YEAR)
        found = found.with_columns(year)
    return found.select(*group_by, *sums, *(f"max_{m}" for m in maxima), "count")


def _output(table: Table, told: dict[str, Any]) -> list[dict[str, Any]]:
    inside = told.get(f"ds_{table.name}")
    output = inside.get("output") if isinstance(inside, dict) else None
    if not isinstance(output, list) or not all(isinstance(o, dict) for o in output):
        raise Refused(f"{PEER} answered the totals of {table.name} in an unknown form.")
    return output


def _row(
    table: Table, item: dict[str, Any], groups: Sequence[Column], sums: Sequence[str],
    maxima: Sequence[str],
) -> list[Any]:  # fmt: skip
    keys = item.get("groupBy", item)
    row = [value(c, _pick(table, keys, c.alias)) for c in groups]
    for name in sums:
        total = number(name, _pick(table, item, table.column(name).alias, "_SUM"))
        row.append(_exact(table, name, Decimal(total)))
    for name in maxima:
        column = table.column(name)
        row.append(value(column, _pick(table, item, column.alias, "_MAX")))
    count = number("count", _count(table, item))
    if count != int(count):
        raise Refused(f"{PEER} counted {count} rows of {table.name}.")
    return [*row, int(count)]


def _pick(table: Table, item: Any, alias: str, suffix: str = "") -> Any:
    """A member by any of the spellings seen: `F0911.AA_SUM`, `F0911_AA_SUM`, `AA_SUM`."""
    for name in (f"{table.name}.{alias}", f"{table.name}_{alias}", alias):
        if isinstance(item, dict) and name + suffix in item:
            return item[name + suffix]
    raise Refused(f"{PEER} left {alias}{suffix} out of the totals of {table.name}.")


def _count(table: Table, item: dict[str, Any]) -> Any:
    for name in ("COUNT", "*_COUNT", f"{table.name}.*_COUNT", "COUNT(*)"):
        if name in item:
            return item[name]
    raise Refused(f"{PEER} left COUNT out of the totals of {table.name}.")


def _exact(table: Table, name: str, total: Decimal) -> Decimal:
    """`total`, if it fits our amounts exactly."""
    _sign, digits, exponent = total.normalize().as_tuple()
    if int(exponent) < -SUM_DECIMALS_MAX or len(digits) + int(exponent) > SUM_DIGITS_MAX:
        raise Refused(f"{PEER} answered {total} for the sum of {name} of {table.name}: not exact.")
    return total


def value(column: Column, told: Any) -> Any:
    """A group key or maximum as our type, whatever form the release prints it in."""
    if isinstance(told, dict):  # old releases wrap scalars
        told = told.get("internalValue")
    if told is None or (isinstance(told, str) and not told.strip()):
        return None if column.kind == "date" else ("" if column.kind in ("text", "code") else 0)
    if column.kind == "date":
        return _date(column, told)
    if column.kind in ("text", "code", "printed"):
        text = str(told)
        return text.strip(" ") if column.kind == "code" else text.rstrip(" ")
    return number(column.name, told)


def _date(column: Column, told: Any) -> date | None:
    text = str(told).strip()
    if re.fullmatch(r"[0-9]{8}", text):
        return from_grid_date(text)
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return date.fromisoformat(text)
    if re.fullmatch(r"-?[0-9]{1,15}", text):
        return from_epoch_milliseconds(int(text)) if int(text) != 0 else None
    raise Refused(f"JD Edwards answered {text!r} for the date {column.name}.")


def number(name: str, told: Any) -> Decimal | int:
    """A sum or count, exact; text is accepted because some releases quote numbers."""
    if isinstance(told, dict):
        told = told.get("internalValue")
    if told is None:
        return 0
    if isinstance(told, int | Decimal) and not isinstance(told, bool):
        return told
    try:
        number = Decimal(str(told).strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise Refused(f"JD Edwards answered {str(told)!r} for the number {name}.")
    return number
