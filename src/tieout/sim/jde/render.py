"""Pages of rows as the JSON text of AIS: GRID_DATA and VERSION1, exact from scaled integers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from tieout.sim.jde.dates import compact, epoch_milliseconds, from_julian, strftime_of
from tieout.sim.jde.money import show
from tieout.sim.jde.tables import Column, Table

_DATA_TYPES = {"text": 2, "right": 2, "number": 9, "amount": 9, "time": 9, "date": 11}  # J039


class _Fragments(dict[Any, str]):
    """Value → its JSON fragment, made once per page and value."""

    def __init__(self, make: Callable[[Any], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, value: Any) -> str:
        made = self[value] = self._make(value)
        return made


def cell(column: Column, value: int | str, decimals: int) -> str:
    """One GRID_DATA cell as JSON text."""
    if column.is_text:
        return encode_basestring(str(value) or " ")  # J037
    if column.kind == "date":
        day = compact(int(value))  # J036
        return "null" if day is None else f'"{day}"'
    if column.kind == "time":
        return str(value)  # J038
    return show(int(value), decimals)  # J034


@lru_cache(maxsize=256)
def hash_order(keys: tuple[str, ...]) -> tuple[int, ...]:
    """J033: the positions of `keys` in the order of a Java HashMap, which is how AIS prints."""
    size = 16
    while len(keys) > size * 0.75:
        size *= 2
    return tuple(sorted(range(len(keys)), key=lambda at: _bucket(keys[at], size)))


def _bucket(key: str, size: int) -> int:
    number = 0
    for letter in key:
        number = (31 * number + ord(letter)) & 0xFFFFFFFF
    return (number ^ (number >> 16)) & (size - 1)


def grid_rows(
    table: Table, columns: Sequence[Column], rows: Sequence[Sequence[Any]], decimals: Sequence[int]
) -> str:
    """The `rowset` array of GRID_DATA.

    `rows` hold the columns in order, then one value per different amount rule; `decimals` gives
    per column the position of its rule in the row, or -1 when the column is no such amount.
    """
    if not rows:
        return "[]"
    turned = list(zip(*rows, strict=True))
    keys = tuple(f"{table.owner}_{column.alias}" for column in columns)
    made = []
    for at in hash_order(keys):
        rule = turned[decimals[at]] if decimals[at] >= 0 else None
        made.append(_fragments(columns[at], keys[at], turned[at], rule))
    return "[{" + "},{".join(map(",".join, zip(*made, strict=True))) + "}]"


def _fragments(
    column: Column, key: str, values: Sequence[Any], rule: Sequence[int] | None
) -> Iterable[str]:
    head = f'"{key}":'
    if rule is None or min(rule) == max(rule):
        places = column.decimals if rule is None else rule[0]
        return map(_Fragments(lambda v: head + cell(column, v, places)).__getitem__, values)
    pairs = _Fragments(lambda pair: head + show(pair[0], pair[1]))
    return map(pairs.__getitem__, zip(values, rule, strict=True))


def version1_rows(
    table: Table,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Any]],
    decimals: Sequence[int],
    date_format: str,
) -> str:
    """J039: the `rowset` array of VERSION1, one object per cell."""
    made = []
    for index, row in enumerate(rows):
        cells = [f'"rowIndex":{index},"MOExist":false']
        for at, column in enumerate(columns):
            places = row[decimals[at]] if decimals[at] >= 0 else column.decimals
            cells.append(_version1(table, column, row[at], (at, places), date_format))
        made.append("{" + ",".join(cells) + "}")
    return "[" + ",".join(made) + "]"


def _version1(
    table: Table, column: Column, value: Any, at: tuple[int, int], date_format: str
) -> str:
    number, places = at
    inner, shown = cell(column, value, places), str(value) or " "
    if column.kind == "date":
        day, moment = from_julian(value), epoch_milliseconds(value)
        inner = "null" if moment is None else f'"{moment}"'
        shown = " " if day is None else day.strftime(strftime_of(date_format))
    elif column.kind == "amount":
        whole, point, rest = show(value, places).partition(".")
        shown = f"{int(whole):,}" + point + rest
        shown = f"-{shown}" if value < 0 and not shown.startswith("-") else shown
    members = (
        f'"id":{number},"internalValue":{inner},"dataType":{_DATA_TYPES[column.kind]},"bsvw":true,'
        f'"title":{encode_basestring(column.title)},"visible":true,'
        f'"longName":{encode_basestring(column.alias)},"editable":false'
    )
    if not column.is_text and column.kind != "date":
        members += f',"dispDec":{places}'
    return f'"{table.owner}_{column.alias}":{{{members},"value":{encode_basestring(shown)}}}'


def headings(table: Table, columns: Sequence[Column]) -> str:
    """The `columns` object, in table order; headings end in blanks, as in real dumps (J032)."""
    pairs = [f'"{table.owner}_{c.alias}":{encode_basestring(c.title + " ")}' for c in columns]
    return "{" + ",".join(pairs) + "}"
