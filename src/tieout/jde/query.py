"""Which rows of a table to read, as small frozen values; `wire.query` turns them into AIS JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

Value = str | int | Decimal | date

# Every operator of facts/jde-ais.md §3.2 that the product needs.
EQUAL, NOT_EQUAL, LIST, BETWEEN = "EQUAL", "NOT_EQUAL", "LIST", "BETWEEN"
LESS, LESS_EQUAL, GREATER, GREATER_EQUAL = "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"
BLANK, NOT_BLANK = "STR_BLANK", "STR_NOT_BLANK"


@dataclass(frozen=True, slots=True)
class DaysAgo:
    """The server's today minus `days`: needs no date literal, so no date format."""

    days: int


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a column (our name or JDE's alias) with values."""

    column: str
    operator: str
    values: tuple[Value | DaysAgo, ...] = ()


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold."""

    parts: tuple[Where, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one part holds."""

    parts: tuple[Where, ...]


Where = Condition | Every | Either


def equal(column: str, value: Value) -> Condition:
    """The column equals `value`; a blank text is compared by STR_BLANK."""
    return blank(column) if value == "" else Condition(column, EQUAL, (value,))


def not_equal(column: str, value: Value) -> Condition:
    """The column differs from `value`."""
    return not_blank(column) if value == "" else Condition(column, NOT_EQUAL, (value,))


def one_of(column: str, values: tuple[Value, ...] | list[Value] | list[str] | list[int]) -> Where:
    """The column equals one of `values`; an empty list is a mistake of the caller."""
    if not values:
        raise ValueError(f"no values for {column}")
    filled = tuple(v for v in values if v != "")
    parts: list[Where] = [blank(column)] if len(filled) < len(values) else []
    if filled:
        single = len(filled) == 1
        parts.append(Condition(column, EQUAL if single else LIST, filled))
    return parts[0] if len(parts) == 1 else Either(tuple(parts))


def between(column: str, low: Value, high: Value) -> Condition:
    """From `low` to `high`, both included."""
    return Condition(column, BETWEEN, (low, high))


def at_least(column: str, value: Value | DaysAgo) -> Condition:
    """The column is `value` or more."""
    return Condition(column, GREATER_EQUAL, (value,))


def at_most(column: str, value: Value | DaysAgo) -> Condition:
    """The column is `value` or less."""
    return Condition(column, LESS_EQUAL, (value,))


def above(column: str, value: Value) -> Condition:
    """The column is more than `value`; a blank text has everything filled above it."""
    return not_blank(column) if value == "" else Condition(column, GREATER, (value,))


def blank(column: str) -> Condition:
    """The text is blank."""
    return Condition(column, BLANK)


def not_blank(column: str) -> Condition:
    """The text is not blank."""
    return Condition(column, NOT_BLANK)


def every(*parts: Where | None) -> Where | None:
    """All of `parts`; nothing at all (None) means every row."""
    flat: list[Where] = []
    for part in parts:
        if isinstance(part, Every):
            flat.extend(part.parts)
        elif part is not None:
            flat.append(part)
    if not flat:
        return None
    return flat[0] if len(flat) == 1 else Every(tuple(flat))


def either(*parts: Where) -> Where:
    """At least one of `parts`."""
    flat: list[Where] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Either) else (part,))
    return flat[0] if len(flat) == 1 else Either(tuple(flat))
