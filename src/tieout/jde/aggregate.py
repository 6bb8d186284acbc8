"""AGGREGATION requests and answers, in whatever form a release prints them (jde-ais.md §3.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
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
from tieout.strict_json import plain

DATE_GROUP_PATTERN = "yyyyMMdd"  # without a pattern a date group is a moment in an unknown zone
SUM_DIGITS_MAX, SUM_DECIMALS_MAX = 34, 4
# Of one answer: some 90,000 groups of F0902, each with 28 sums. Few ledgers have so many.
VALUES_MAX = 3_000_000
_PLAIN_SUM = r"^-?[0-9]{1,30}(\.[0-9]{1,4})?$"  # exact in AMOUNT whatever the digits are
INTEGER_DIGITS_MAX = 18  # of a count or a key: fits Int64 whatever the digits are
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([Ee][+-]?[0-9]{1,2})?")


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

    Raises Refused when the answer has another shape, a member is missing or is not of its kind.
    """
    keys = table.physical(group_by)
    schema: dict[str, Any] = {c.name: c.polars for c in keys}
    schema |= {f"max_{m}": table.column(m).polars for m in maxima}
    schema["count"] = pl.Int64
    output = _output(table, told)
    if not keys and len(output) != 1:
        raise Refused(f"{PEER} answered one total of {table.name} with {len(output)} rows.")
    rows = [_row(table, item, keys, [table.column(m) for m in maxima]) for item in output]
    values = zip(*rows, strict=True) if rows else ([] for _ in schema)
    try:
        found = pl.DataFrame(
            [
                pl.Series(name, list(of), kind)
                for (name, kind), of in zip(schema.items(), values, strict=True)
            ]
        )
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise Refused(
            f"{PEER} answered the totals of {table.name} with a value that is out of range.",
            evidence=plain(error),
        ) from error
    counts = found["count"].to_list()
    summed = [_sums(table, output, table.column(name), counts) for name in sums]
    found = found.hstack(summed)
    if FISCAL_YEAR in group_by:
        year = (pl.col("century") * 100 + pl.col("year")).cast(pl.Int32).alias(FISCAL_YEAR)
        found = found.with_columns(year)
    return found[[*group_by, *sums, *(f"max_{m}" for m in maxima), "count"]]


def _output(table: Table, told: dict[str, Any]) -> list[dict[str, Any]]:
    inside = told.get(f"ds_{table.name}")
    output = inside.get("output") if isinstance(inside, dict) else None
    if not isinstance(output, list) or not all(isinstance(o, dict) for o in output):
        raise Refused(f"{PEER} answered the totals of {table.name} in an unknown form.")
    return output


def _row(
    table: Table, item: dict[str, Any], groups: Sequence[Column], maxima: Sequence[Column]
) -> list[Any]:
    keys = item.get("groupBy", item)
    row = [value(c, _pick(table, keys, c.alias)) for c in groups]
    count = integer("count", _count(table, item))
    if count < 0:
        raise Refused(f"{PEER} counted {count} rows of {table.name}.")
    return [*row, *(value(c, _pick(table, item, c.alias, "_MAX")) for c in maxima), count]


def _sums(
    table: Table, output: Sequence[dict[str, Any]], column: Column, counts: Sequence[int]
) -> pl.Series:
    """The sums of a column: at once where all are plainly spelled, else one by one."""
    first = output[0] if output else {}
    spelled = next((n for n in _spellings(table, column.alias, "_SUM") if n in first), "")
    texts = [_as_text(item.get(spelled)) for item in output]
    plainly = pl.Series(column.name, texts, pl.String)
    if not plainly.null_count() and plainly.str.contains(_PLAIN_SUM).all():
        return plainly.cast(AMOUNT)
    exact = []
    for item, count in zip(output, counts, strict=True):
        told = _scalar(_pick(table, item, column.alias, "_SUM"))
        if told is None and count == 0:  # J066: a sum of no rows may be null
            told = 0
        exact.append(format(_exact(table, column.name, number(column.name, told)), "f"))
    return pl.Series(column.name, exact, pl.String).cast(AMOUNT)


def _as_text(told: Any) -> str | None:
    """A number as it was told, None for what has to be looked at."""
    if isinstance(told, str):
        return told
    if type(told) is int:  # a bool is no number
        return str(told)
    return format(told, "f") if isinstance(told, Decimal) else None


def _pick(table: Table, item: Any, alias: str, suffix: str = "") -> Any:
    """A member by any of its spellings."""
    for name in _spellings(table, alias, suffix):
        if isinstance(item, dict) and name in item:
            return item[name]
    raise Refused(f"{PEER} left {alias}{suffix} out of the totals of {table.name}.")


def _spellings(table: Table, alias: str, suffix: str) -> tuple[str, ...]:
    """The spellings seen: `F0911.AA_SUM`, `F0911_AA_SUM`, `AA_SUM`."""
    owner = table.owner or table.name
    return (f"{owner}.{alias}{suffix}", f"{owner}_{alias}{suffix}", alias + suffix)


def _count(table: Table, item: dict[str, Any]) -> Any:
    for name in ("COUNT", "*_COUNT", f"{table.name}.*_COUNT", "COUNT(*)"):
        if name in item:
            return item[name]
    raise Refused(f"{PEER} left COUNT out of the totals of {table.name}.")


def _exact(table: Table, name: str, total: Decimal) -> Decimal:
    """`total`, if it fits our amounts exactly."""
    if not total:
        return Decimal(0)  # however many decimals it is printed with
    _sign, digits, exponent = total.as_tuple()
    while digits and digits[-1] == 0 and int(exponent) < 0:
        digits, exponent = digits[:-1], int(exponent) + 1
    if int(exponent) < -SUM_DECIMALS_MAX or len(digits) + int(exponent) > SUM_DIGITS_MAX:
        raise Refused(f"{PEER} answered {total} for the sum of {name} of {table.name}: not exact.")
    return total


def value(column: Column, told: Any) -> Any:
    """A group key or maximum as our type, whatever form the release prints it in."""
    told = _scalar(told)
    if told is None or (isinstance(told, str) and not told.strip()):
        return None if column.kind == "date" else ("" if column.kind in ("text", "code") else 0)
    if column.kind == "date":
        return _date(column, told)
    if column.kind in ("text", "code", "printed"):
        text = str(told)
        return text.strip(" ") if column.kind == "code" else text.rstrip(" ")
    return integer(column.name, told) if column.kind == "integer" else number(column.name, told)


def _date(column: Column, told: Any) -> date | None:
    text = str(told).strip()
    try:
        if re.fullmatch(r"-?0{1,15}", text):
            return None
        if re.fullmatch(r"[0-9]{8}", text):
            return from_grid_date(text)
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
        if re.fullmatch(r"-?[0-9]{1,15}", text):
            return from_epoch_milliseconds(int(text))
    except (ValueError, OverflowError) as error:
        raise _not_a(f"date {column.name}", text) from error
    raise _not_a(f"date {column.name}", text)


def _scalar(told: Any) -> Any:
    """A value out of the object that old releases wrap it in."""
    return told.get("internalValue") if isinstance(told, dict) else told


def _not_a(what: str, told: Any) -> Refused:
    return Refused(f"{PEER} answered {plain(told)!r} for the {what}.")


def integer(name: str, told: Any) -> int:
    """A count or a whole number as a key, in any of the forms of `number`."""
    found = number(name, told)
    if found != found.to_integral_value() or found.adjusted() >= INTEGER_DIGITS_MAX:
        raise _not_a(f"whole number {name}", told)
    return int(found)


def number(name: str, told: Any) -> Decimal:
    """A sum or count, exact; text is accepted because some releases quote numbers."""
    told = _scalar(told)
    if isinstance(told, int | Decimal) and not isinstance(told, bool):
        return Decimal(told)
    text = told.strip() if isinstance(told, str) else ""
    if not _NUMBER.fullmatch(text):
        raise _not_a(f"number {name}", told)
    return Decimal(text)
