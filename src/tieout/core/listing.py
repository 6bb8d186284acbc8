"""A list that people page through: its columns, what of it is wanted, and where a page begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeAlias

import msgspec

from tieout.errors import Misconfigured

ROWS_OF_A_PAGE = (50, 100, 500)  # people choose one of them
ROWS_MAX = 500
COUNTED_ROWS_MAX = 10_000  # more are told as "more than": nobody waits to have a million counted
WORD_CHARACTERS_MAX = 200  # of a filter
CURSOR_CHARACTERS_MAX = 2_000
LARGEST = 2**63 - 1  # whole number of a database

Value: TypeAlias = "str | int | Decimal | datetime | None"
Row: TypeAlias = Mapping[str, object]
Place: TypeAlias = tuple[int, Decimal, str]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a list: `kind` says how it is shown, `find` how it is filtered.

    `kind`: text, code, words, long (many words), count, amount, moment, lasted, choice, status, or
    filter for one that is no column at all but can be filtered by. `find`: empty when it is not
    filtered, `contains`, `equals`, or `choice` of `choices`. `link` names the field of the row
    that holds an address of ours.
    """

    name: str
    title: str
    kind: str = "text"
    sort: bool = False
    find: str = ""
    choices: tuple[tuple[str, str], ...] = ()  # value and its words
    link: str = ""

    @property
    def is_number(self) -> bool:
        """Whether it is aligned at its end, digit under digit."""
        return self.kind in ("count", "amount", "lasted")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are wanted: by what they are found, how they are sorted, where the page begins.

    `start` holds the value of the sorted column and the key of the row before the page; with
    `backwards` the row after it.
    """

    sort: str
    descending: bool = False
    found_by: Mapping[str, str] = field(default_factory=dict)
    start: tuple[Value, Value] | None = None
    backwards: bool = False
    rows: int = ROWS_OF_A_PAGE[0]


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list; `before` and `after` say where its neighbours begin, empty: no more.

    `found` counts all rows of the filter, up to COUNTED_ROWS_MAX and one. `looked`: how many rows
    were looked through for this page, when that was not all there are.
    """

    rows: Sequence[Row]
    wanted: Wanted
    found: int
    before: str = ""
    after: str = ""
    looked: int = 0


def read_wanted(columns: Sequence[Column], asked: Mapping[str, str], usual: Wanted) -> Wanted:
    """What the query of an address asks for; what it does not say is as `usual`.

    Misconfigured for a column that is not there, and for a cursor that is none of ours.
    """
    sort = asked.get("sort", "") or ("-" if usual.descending else "") + usual.sort
    name = sort.removeprefix("-")
    if name not in {c.name for c in columns if c.sort}:
        raise damaged(f"it sorts by {name!r}")
    found_by = {
        c.name: asked[c.name].replace("\0", "").strip()[:WORD_CHARACTERS_MAX]
        for c in columns if c.find and asked.get(c.name, "").strip()
    }  # fmt: skip
    for column in columns:
        chosen = found_by.get(column.name)
        if column.find == "choice" and chosen and chosen not in dict(column.choices):
            raise damaged(f"{column.title} cannot be {chosen!r}")
    rows = asked.get("rows", "") or str(usual.rows)
    if rows not in map(str, ROWS_OF_A_PAGE):
        raise damaged(f"it wants pages of {rows[:20]!r} rows")
    before, after = asked.get("before", ""), asked.get("after", "")
    return Wanted(
        name, sort.startswith("-"), {**usual.found_by, **found_by},
        read_cursor(before or after) if before or after else None, bool(before), int(rows),
    )  # fmt: skip


def damaged(why: str) -> Misconfigured:
    """The refusal of an address that no list of ours has made."""
    return Misconfigured(
        f"This address is damaged: {why}.", untouched="Nothing was changed.",
        do="Open the list anew from the menu.",
    )  # fmt: skip


def cursor(value: object, key: object) -> str:
    """A place in a list as text for an address."""
    return msgspec.json.encode([_tagged(value), _tagged(key)]).hex()


def _tagged(value: object) -> tuple[str, str]:
    if isinstance(value, int):
        return "i", str(int(value))
    if isinstance(value, Decimal):
        return "d", str(value)
    if isinstance(value, datetime):
        return "m", value.isoformat()
    return ("n", "") if value is None else ("s", str(value))


def _moment(text: str) -> datetime:
    """A moment that has a zone, and is one in UTC as well."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no moment")
    return moment.astimezone(UTC)


_READERS: dict[str, Callable[[str], Value]] = {
    "i": int, "d": Decimal, "m": _moment, "n": lambda _: None, "s": str,
}  # fmt: skip
NOT_OURS = "its place in the list is not one of ours"


def read_cursor(text: str) -> tuple[Value, Value]:
    """The place that a cursor names; Misconfigured when it is none of ours."""
    try:
        if len(text) > CURSOR_CHARACTERS_MAX:
            raise ValueError("too long")
        told = msgspec.json.decode(bytes.fromhex(text), type=list[tuple[str, str]])
        value, key = (_READERS[tag](raw) for tag, raw in told)
        if any(isinstance(v, int) and abs(v) > LARGEST for v in (value, key)):
            raise ValueError("no number of a database")
        if any(isinstance(v, Decimal) and not v.is_finite() for v in (value, key)):
            raise ValueError("no amount")
        if any(isinstance(v, str) and "\0" in v for v in (value, key)):
            raise ValueError("no text of a database")
    except (ValueError, KeyError, TypeError, ArithmeticError, msgspec.DecodeError):
        raise damaged(NOT_OURS) from None
    return value, key


def page_of(rows: Sequence[Row], columns: Sequence[Column], wanted: Wanted, key: str) -> Listed:
    """The wanted page of a list that is short enough to be held in memory."""
    kept = [row for row in rows if _agrees(row, columns, wanted.found_by)]

    def place(row: Row) -> tuple[Place, Place]:
        return _ordered(row.get(wanted.sort)), _ordered(row[key])

    kept.sort(key=place, reverse=wanted.descending)
    first, last = 0, len(kept)
    if wanted.start is not None:
        here = (_ordered(wanted.start[0]), _ordered(wanted.start[1]))
        passed = [
            n for n, row in enumerate(kept)
            if (place(row) > here if wanted.descending else place(row) < here) or place(row) == here
        ]  # fmt: skip
        if wanted.backwards:
            last = len([n for n in passed if place(kept[n]) != here])
            first = max(0, last - wanted.rows)
        else:
            first = len(passed)
    shown = kept[first : min(last, first + wanted.rows)]
    return listed(shown, wanted, key, len(kept), first > 0, first + len(shown) < len(kept))


def listed(
    rows: Sequence[Row], wanted: Wanted, key: str, found: int, more_before: bool, more_after: bool
) -> Listed:
    """A page with the cursors of its neighbours."""

    def at(row: Row) -> str:
        return cursor(row.get(wanted.sort), row[key])

    return Listed(
        rows, wanted, found,
        before=at(rows[0]) if rows and more_before else "",
        after=at(rows[-1]) if rows and more_after else "",
    )  # fmt: skip


def _agrees(row: Row, columns: Sequence[Column], found_by: Mapping[str, str]) -> bool:
    finds = {c.name: c.find for c in columns}
    for name, wanted in found_by.items():
        told = str("" if row.get(name) is None else row[name]).casefold()
        if finds.get(name) == "contains":
            if wanted.casefold() not in told:
                return False
        elif told != wanted.casefold():
            return False
    return True


def _ordered(value: object) -> Place:
    """A value as what can be compared with its like; what is missing comes first."""
    if value is None:
        return 0, Decimal(0), ""
    if isinstance(value, datetime):
        return 1, Decimal(0), value.astimezone(UTC).isoformat()
    if isinstance(value, str):
        return 1, Decimal(0), f"{value.casefold()}\0{value}"
    return 1, Decimal(str(int(value) if isinstance(value, bool) else value)), ""
