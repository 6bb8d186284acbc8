"""The message of an orchestration, JDE Standard or Generic, with amounts as they were approved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from tieout.jde.orchestrations import DATE, NUMERIC, STANDARD, Input, Orchestration
from tieout.jde.wire import Dialect

Sent = str | int | Decimal | date | None
Row = Mapping[str, Sent]

# A JDE amount has 15 digits, and a Java server that reads a number as a double keeps as many.
DIGITS_MAX = 15
ISO = Dialect("yyyy-MM-dd")  # the dates of Oracle's own example (jde-ais.md §4.2)


def message(
    orchestration: Orchestration, inputs: Row, array: str, rows: Iterable[Row], dates: Dialect
) -> dict[str, Any]:
    """The body of the call, without what AIS reads for itself.

    What is None is left out. ValueError for a value that its input does not take exactly.
    """
    found = orchestration.input(array)
    columns = found.columns if found else ()
    standard = orchestration.message_format == STANDARD
    flat = _spelled(inputs, orchestration.inputs, dates, standard)
    lines = [_spelled(row, columns, dates, standard) for row in rows]
    if not standard:
        return flat | {array: lines} if array else flat
    body: dict[str, Any] = {"inputs": _pairs(flat)}
    if array:
        repeating = [{"inputs": _pairs(line)} for line in lines]
        body["detailInputs"] = [{"name": array, "repeatingInputs": repeating}]
    return body


def _pairs(flat: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in flat.items()]


def _spelled(
    row: Row, inputs: Iterable[Input], dates: Dialect, as_text: bool
) -> dict[str, str | Decimal]:
    kinds = {i.name: i.kind for i in inputs}
    return {
        name: spelled(value, kinds.get(name, ""), dates, as_text=as_text)
        for name, value in row.items()
        if value is not None
    }


def spelled(value: Sent, kind: str, dates: Dialect, *, as_text: bool = False) -> str | Decimal:
    """One value for an input of `kind`: a number is a JSON number unless the message is text."""
    if isinstance(value, date) and not isinstance(value, datetime):
        if kind == NUMERIC:
            raise ValueError(f"{value} is a date, and the input is {kind}")
        return dates.date(value)
    if kind == DATE:
        raise ValueError(f"{value!r} is no date, and the input is {kind}")
    if isinstance(value, str) and kind != NUMERIC:
        return value
    text = ISO.number(_number(value))
    return text if as_text or (kind and kind != NUMERIC) else Decimal(text)


def _number(value: Any) -> Decimal:
    """`value` as an exact number; text only in the form that a number is written in."""
    try:
        number = Decimal(value) if isinstance(value, int | str | Decimal) else None
    except InvalidOperation:
        number = None
    if number is None or isinstance(value, bool) or not number.is_finite():
        raise ValueError(f"{value!r} is not a number")
    if isinstance(value, str) and f"{number:f}" != value:
        raise ValueError(f"{value!r} would lose characters in a Numeric input")
    whole = number.normalize()
    if len(whole.as_tuple().digits) > DIGITS_MAX or abs(whole.adjusted()) >= DIGITS_MAX:
        raise ValueError(f"{value} has more than {DIGITS_MAX} digits")
    return number
