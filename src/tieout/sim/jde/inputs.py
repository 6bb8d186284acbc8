"""Messages to an orchestration: JDE Standard and Generic bodies as one set of typed values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from tieout.sim.jde.dates import strftime_of, to_julian
from tieout.sim.jde.orchestrations import DATE, NUMERIC, Input, Orchestration
from tieout.sim.jde.refusal import AisError
from tieout.sim.jde.switches import Switches

RESERVED = frozenset(
    ("username", "password", "environment", "role", "token", "deviceName", "jasserver",
     "jde__jobQueue")
)  # J087: they stand beside the inputs and are none  # fmt: skip
STANDARD, GENERIC = "JDE Standard", "Generic"
_STANDARD_MEMBERS = {"inputs", "detailInputs"}
_NUMBER = re.compile(r"[+-]?(\d{1,15}(\.\d*)?|\.\d+)")
NUMBER_DIGITS_MAX = 15
Values = dict[str, Any]  # text, a Decimal, or a Julian date; what was not sent is not in it


@dataclass(slots=True)
class Sent:
    """What a caller sent: the inputs, and the rows of the array input in their order."""

    inputs: Values = field(default_factory=dict)
    rows: list[Values] = field(default_factory=list)


class Reader:
    """Reads the message of one call by the definition of its orchestration."""

    def __init__(self, made: Orchestration, switches: Switches, date_format: str) -> None:
        self._made, self._switches = made, switches
        form = switches["orchestration_date"]  # J086
        self._date_format = date_format if form == "user" else form

    def read(self, body: Mapping[str, Any]) -> Sent:
        """J082 J083 J084: the message; AisError when it is not as the orchestration declares."""
        sent = {name: value for name, value in body.items() if name not in RESERVED}
        form = STANDARD if _STANDARD_MEMBERS & set(sent) else GENERIC
        declared = self._switches["input_format"]
        if sent and form != declared and self._switches["other_input_format"] == "refuse":
            raise self._wrong(f"{self._made.name} takes {declared} messages, not {form}")
        flat, rows = self._standard(sent) if form == STANDARD else self._generic(sent)
        known = {i.name: i for i in self._made.inputs}
        row_known = {i.name: i for i in self._made.row}
        return Sent(self._values(flat, known), [self._values(row, row_known) for row in rows])

    def _generic(self, sent: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Any]]:
        """J083: a flat object; the array input is a JSON array of objects."""
        flat = dict(sent)
        rows = flat.pop(self._made.array, []) if self._made.array else []
        return flat, self._list(rows, self._made.array)

    def _standard(self, sent: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Any]]:
        """J082: `inputs` of name and value, and `detailInputs` with `repeatingInputs`."""
        if set(sent) - _STANDARD_MEMBERS:
            raise self._wrong(f"undocumented members: {sorted(set(sent) - _STANDARD_MEMBERS)}")
        rows: list[Any] = []
        for detail in self._list(sent.get("detailInputs", []), "detailInputs"):
            item = self._object(detail, {"name", "repeatingInputs"}, "detailInputs")
            if not self._made.array or item.get("name") != self._made.array:
                raise self._wrong(f"{self._made.name} has no array input {item.get('name')!r}")
            for row in self._list(item.get("repeatingInputs", []), "repeatingInputs"):
                rows.append(self._pairs(self._object(row, {"inputs"}, "repeatingInputs")))
        return self._pairs(sent), rows

    def _pairs(self, holder: Mapping[str, Any]) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        for pair in self._list(holder.get("inputs", []), "inputs"):
            item = self._object(pair, {"name", "value"}, "inputs")
            name = item.get("name")
            if not isinstance(name, str) or name in pairs:
                raise self._wrong(f"input {name!r} without a name of its own")
            pairs[name] = item.get("value")
        return pairs

    def _values(self, sent: Any, known: Mapping[str, Input]) -> Values:
        values: Values = {}
        for name, value in self._object(sent, None, "a row").items():
            if name not in known:
                if self._switches["unknown_input"] == "refuse":  # J085
                    raise self._wrong(f"{self._made.name} has no input {name!r}")
                continue
            if value is not None and value != "":
                values[name] = self._typed(known[name], value)
        return values

    def _typed(self, spec: Input, value: Any) -> Any:
        """J085: a number may come as a number or as text; text as text or as a number."""
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise self._wrong(f"{spec.name} is no {spec.kind}: {value!r}")
        convert: Callable[[str], Any] = str
        if spec.kind == NUMERIC:
            convert = self._number
        elif spec.kind == DATE:
            convert = self._day
        return convert(f"{value:f}" if isinstance(value, Decimal) else str(value))

    def _number(self, text: str) -> Decimal:
        if not _NUMBER.fullmatch(text.strip()):
            raise self._wrong(f"not a number: {text!r}")
        number = Decimal(text.strip())
        if len(number.as_tuple().digits) > NUMBER_DIGITS_MAX:
            raise self._wrong(f"more than {NUMBER_DIGITS_MAX} digits: {text!r}")
        return number

    def _day(self, text: str) -> int:
        form = strftime_of(self._date_format)
        with suppress(ValueError):
            day = datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
            if day.strftime(form) == text:
                return to_julian(day)
        raise self._wrong(f"not a date as {self._date_format}: {text!r}")

    def _list(self, value: Any, what: str) -> list[Any]:
        if not isinstance(value, list):
            raise self._wrong(f"{what} is not an array")
        return value

    def _object(self, value: Any, members: set[str] | None, what: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping) or (members is not None and set(value) - members):
            raise self._wrong(f"{what} holds {value!r}")
        return value

    def _wrong(self, message: str) -> AisError:
        """J085: an input the definition does not have."""
        return AisError(self._switches["invalid_input_status"], message, report=True)
