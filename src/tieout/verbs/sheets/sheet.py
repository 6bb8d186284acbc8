"""A document of facts and tables, as plain values that every form of paper shows alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from tieout.verbs import words

Value: TypeAlias = "str | int | bool | Decimal | datetime | date | None"
Row: TypeAlias = Sequence[Value]
CURRENCY = "currency"  # the column that says how many decimals the amounts of a row have


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under their columns; `rows` is called once for each form, and may read as it goes."""

    name: str
    about: str  # a sentence: what a row is, and how its amounts are meant
    columns: tuple[str, ...]
    rows: Callable[[], Iterable[Row]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One document; amounts are Decimal, whole numbers int, and codes always text."""

    title: str
    verdict: str
    good: bool
    facts: Sequence[tuple[str, Value]]
    tables: Sequence[Table]


def currency_of(columns: Sequence[str], row: Row) -> str:
    """The currency of the amounts of a row, empty when no column says it."""
    return str(row[columns.index(CURRENCY)]) if CURRENCY in columns else ""


def places_of(columns: Sequence[str], row: Row) -> int:
    """The decimals that amounts of this row have at least: those of its currency."""
    return words.PLACES.get(currency_of(columns, row), words.PLACES_USUAL)


def plain(value: Value, places: int = words.PLACES_USUAL) -> str:
    """A value as a machine reads it: all digits of an amount, dates and moments in ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return words.exact(value, places)
    if isinstance(value, date):  # a moment too
        return value.isoformat()
    return str(value)
