"""Query objects of the data service as SQL: conditions, special values, match types, nesting."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tieout.sim.jde.dates import add_months, read_swapped, strftime_of, to_julian
from tieout.sim.jde.money import DECIMALS_MAX, Currencies
from tieout.sim.jde.refusal import AisError, undocumented
from tieout.sim.jde.switches import Switches
from tieout.sim.jde.tables import Column, Table

Parameters = list[int | str]

_COMPARE = {
    "EQUAL": "=", "NOT_EQUAL": "<>", "LESS": "<", "LESS_EQUAL": "<=",
    "GREATER": ">", "GREATER_EQUAL": ">=",
}  # fmt: skip
_STRINGS = {
    "STR_START_WITH": "substr({0}, 1, length(?)) = ?",
    "STR_END_WITH": "substr({0}, -length(?)) = ?",
    "STR_CONTAIN": "instr({0}, ?) > 0",
}  # fmt: skip
_BLANKS = {"STR_BLANK": "=", "STR_NOT_BLANK": "<>"}
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,9})?")
_DAYS = re.compile(r"TODAY_(PLUS|MINUS)_(DAY|MONTH|YEAR)")
_QUERY_MEMBERS = {"autoFind", "autoClear", "matchType", "condition", "complexQuery"}
LITERALS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Asker:
    """What a query depends on besides its text: user, today, date format, currencies."""

    user: str
    today: datetime
    date_format: str
    currencies: Currencies
    switches: Switches


def column_of(table: Table, control: object) -> Column:
    """J031 J061: the column named `TABLE.ALIAS` or `ALIAS`; an unknown name is refused."""
    if isinstance(control, str):
        owner, _, alias = control.rpartition(".")
        if owner in ("", table.owner) and alias in table.columns:
            return table.columns[alias]
    raise undocumented(f"controlId {control!r} is not a column of {table.name}")


def only(value: object, members: set[str], what: str) -> Mapping[str, Any]:
    """J061: `value` as an object that has no other members than the documented ones."""
    if not isinstance(value, Mapping):
        raise undocumented(f"{what} is not an object")
    unknown = set(value) - members
    if unknown:
        raise undocumented(f"{what} has undocumented members: {', '.join(sorted(unknown))}")
    return value


def array(value: object, what: str) -> list[Any]:
    """J061: `value` as an array."""
    if not isinstance(value, list):
        raise undocumented(f"{what} is not an array")
    return value


class Where:
    """A WHERE clause under construction for one table."""

    def __init__(self, table: Table, asker: Asker) -> None:
        self.table, self.asker = table, asker
        self._any_case = asker.switches["text_case"] == "ignored"  # J070
        self.parameters: Parameters = []

    def build(self, query: object) -> str:
        """SQL for the query object (None: all rows) and the row security (J068)."""
        clause = "1" if query is None else self._query(query)
        hidden = self.asker.switches["hidden_business_units"]
        if hidden and "MCU" in self.table.columns:
            self.parameters += [str(unit).strip().rjust(12) for unit in hidden]
            clause = f'({clause}) AND "MCU" NOT IN ({", ".join("?" * len(hidden))})'
        return clause

    def _query(self, value: object) -> str:
        query = only(value, _QUERY_MEMBERS, "query")
        match = query.get("matchType", "MATCH_ALL")
        if match not in ("MATCH_ALL", "MATCH_ANY"):  # J057
            raise undocumented(f"matchType {match!r}")
        parts = [self._condition(c) for c in array(query.get("condition", []), "condition")]
        clause = (" AND " if match == "MATCH_ALL" else " OR ").join(parts)
        for item in array(query.get("complexQuery", []), "complexQuery"):
            clause = self._nested(clause, item)
        return clause or "1"

    def _nested(self, clause: str, item: object) -> str:
        """J058: one nested query, joined to what stands before it by its own `andOr`."""
        nested = only(item, {"query", "andOr"}, "complexQuery")
        word = nested.get("andOr", "AND")
        if word not in ("AND", "OR"):
            raise undocumented(f"andOr {word!r}")
        inner = self._query(nested.get("query"))
        if not clause:
            return f"({inner})"
        if self.asker.switches["complex_query_order"] == "left_to_right":
            clause = f"({clause})"
        return f"{clause} {word} ({inner})"

    def _condition(self, value: object) -> str:
        condition = only(value, {"controlId", "operator", "value"}, "condition")
        column = column_of(self.table, condition.get("controlId"))
        operator = condition.get("operator")
        values = array(condition.get("value", []), "value")
        if len(values) > LITERALS_MAX:
            raise undocumented(f"{len(values)} values in one condition")
        return self.compare(column, str(operator), values)

    def compare(self, column: Column, operator: str, values: Sequence[object]) -> str:
        """J055: one condition with one of the 13 operators."""
        if operator in _BLANKS:
            self._count(operator, values, 0, 0)
            return f'"{column.alias}" {_BLANKS[operator]} {chr(39) * 2 if column.is_text else 0}'
        if operator in _STRINGS:
            self._count(operator, values, 1, 1)
            return self._string(column, operator, values[0])
        if operator == "BETWEEN":
            self._count(operator, values, 2, 2)
            name, marks = self._operands(column, values)
            return f"{name} BETWEEN {marks[0]} AND {marks[1]}"
        if operator == "LIST":
            self._count(operator, values, 1, LITERALS_MAX)
            name, marks = self._operands(column, values)
            return f"{name} IN ({', '.join(marks)})"
        if operator not in _COMPARE:
            raise undocumented(f"operator {operator!r}")
        self._count(operator, values, 1, 1)
        name, marks = self._operands(column, values)
        return f"{name} {_COMPARE[operator]} {marks[0]}"

    @staticmethod
    def _count(operator: str, values: Sequence[object], least: int, most: int) -> None:
        if not least <= len(values) <= most:
            raise undocumented(f"operator {operator} with {len(values)} values")

    def _string(self, column: Column, operator: str, value: object) -> str:
        if not column.is_text:
            raise undocumented(f"operator {operator} on {column.alias}, which is no text")
        sql, name, text = _STRINGS[operator], f'"{column.alias}"', str(self._value(column, value))
        if self._any_case:
            name, text = f"lower({name})", text.lower()
        self.parameters += [text] * sql.count("?")
        return sql.format(name)

    def _operands(self, column: Column, values: Sequence[object]) -> tuple[str, list[str]]:
        """The SQL of the column and one `?` per value, both on the same scale.

        J071: amounts are compared by the value that is displayed, whatever their currency, or
        by dictionary decimals.
        """
        literals = [self._value(column, value) for value in values]
        name = f'"{column.alias}"'
        if column.kind in ("number", "amount"):
            name, literals = self._scaled(column, [Decimal(text) for text in literals])
        elif column.is_text and self._any_case:
            name += " COLLATE NOCASE"
        self.parameters += literals
        return name, ["?"] * len(literals)

    def _scaled(self, column: Column, numbers: list[Decimal]) -> tuple[str, list[int | str]]:
        name = f'"{column.alias}"'
        if column.kind == "number":
            raw = [number.scaleb(column.decimals) for number in numbers]
            if all(number == int(number) for number in raw):  # keeps the index usable
                return name, [int(number) for number in raw]
            decimals = str(column.decimals)
        elif self.asker.switches["amount_literal"] == "dictionary":
            decimals = str(column.decimals)
        else:
            decimals = self.asker.currencies.of_column(self.table.owner, column.alias)
        fine = [number.scaleb(DECIMALS_MAX) for number in numbers]
        if any(number != int(number) for number in fine):
            raise undocumented(f"{column.alias} compared with more than {DECIMALS_MAX} decimals")
        powers = " ".join(
            f"WHEN {d} THEN {10 ** (DECIMALS_MAX - d)}" for d in range(DECIMALS_MAX + 1)
        )
        return f"({name} * CASE {decimals} {powers} END)", [int(number) for number in fine]

    def _value(self, column: Column, value: object) -> int | str:
        """J056: the literal or special value; text for text and numbers, CYYDDD for dates."""
        item = only(value, {"content", "specialValueId"}, "value")
        special = item.get("specialValueId", "LITERAL")
        content = item.get("content", "")
        if not isinstance(content, str):
            raise undocumented(f"content {content!r} is not a string")
        if special == "LITERAL":
            return _LITERALS[column.kind](self, column, content)
        if special == "LOGIN_USER" and column.kind == "text":
            return self.asker.user
        if column.kind != "date":
            raise undocumented(f"specialValueId {special!r} on {column.alias}")
        return to_julian(self._day(str(special), content).date())

    def _day(self, special: str, content: str) -> datetime:
        today = self.asker.today
        if special == "TODAY":
            return today
        found = _DAYS.fullmatch(special)
        if not found or not re.fullmatch(r"\d{1,5}", content):
            raise undocumented(f"specialValueId {special!r} with content {content!r}")
        count = int(content) * (1 if found[1] == "PLUS" else -1)
        if found[2] == "DAY":
            return today + timedelta(days=count)
        months = count * (12 if found[2] == "YEAR" else 1)
        moved = add_months(today.date(), months)
        return today.replace(year=moved.year, month=moved.month, day=moved.day)

    def _text(self, column: Column, content: str) -> str:
        """J060 J070: trailing blanks do not count, leading ones do, upper and lower case too."""
        text = content.rstrip(" ")
        if column.kind == "right" and text and self.asker.switches["mcu_literal"] == "justified":
            return text.lstrip(" ").rjust(column.width)
        return text

    def _number(self, column: Column, content: str) -> str:
        if not _NUMBER.fullmatch(content or "0"):
            raise AisError(500, f"{column.alias}: {content!r} is not a number")
        return content or "0"

    def _time(self, column: Column, content: str) -> int:
        return int(Decimal(self._number(column, content)))

    def _date(self, column: Column, content: str) -> int:
        """J059: a date literal in the session's own format, unless switched.

        A server that takes the day for the month does it leniently, as a SimpleDateFormat: a
        thirteenth month is the first of the year after.
        """
        form = self.asker.switches["date_literal"]
        if not content.strip():
            return 0
        if form in ("day_first", "month_first"):
            return to_julian(read_swapped(content, self.asker.date_format, form))
        if form == "julian" and re.fullmatch(r"\d{5,6}", content):
            return int(content)
        patterns = {"iso": "%Y-%m-%d", "yyyyMMdd": "%Y%m%d", "julian": "CYYDDD"}
        pattern = patterns.get(form, strftime_of(self.asker.date_format))
        try:
            day = datetime.strptime(content, pattern)  # noqa: DTZ007 - a date has no zone
        except ValueError:
            raise AisError(500, f"{column.alias}: {content!r} is not a date") from None
        if day.strftime(pattern) != content:  # strptime takes "3/1/2024" too; the format does not
            raise AisError(500, f"{column.alias}: {content!r} is not a date")
        return to_julian(day.date())


_LITERALS: dict[str, Callable[[Where, Column, str], int | str]] = {
    "text": Where._text, "right": Where._text, "number": Where._number, "amount": Where._number,
    "time": Where._time, "date": Where._date,
}  # fmt: skip
