"""AGGREGATION and COUNT of the data service: exact sums over integers, printed as AIS does."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from json.encoder import encode_basestring
from typing import Any

from tieout.sim.jde.dates import by_pattern, compact, epoch_milliseconds
from tieout.sim.jde.ledger import Ledger
from tieout.sim.jde.money import show
from tieout.sim.jde.query import Asker, Where, array, column_of, only
from tieout.sim.jde.refusal import undocumented
from tieout.sim.jde.tables import Column, Table

_FUNCTIONS = {
    "SUM": "SUM({0})", "MIN": "MIN({0})", "MAX": "MAX({0})", "COUNT": "COUNT({0})",
    "AVG": "SUM({0}) || '/' || COUNT({0})",
    "COUNT_DISTINCT": "COUNT(DISTINCT {0})", "SUM_DISTINCT": "SUM(DISTINCT {0})",
    "AVG_DISTINCT": "SUM(DISTINCT {0}) || '/' || COUNT(DISTINCT {0})",
}  # fmt: skip
_COMPARE = {"EQUAL": "eq", "NOT_EQUAL": "ne", "LESS": "lt", "LESS_EQUAL": "le",
            "GREATER": "gt", "GREATER_EQUAL": "ge"}  # fmt: skip
_SAMPLE_DAY = 124001


_Places = dict[str, int] | int  # decimals of every amount, or of the covered columns only


@dataclass(frozen=True, slots=True)
class Function:
    """One aggregate: the key it is printed under, its SQL, and how its value is printed."""

    key: str
    name: str
    column: Column | None
    sql: str

    @property
    def counts(self) -> bool:
        """Whether the value is a plain count."""
        return self.name.startswith("COUNT")


@dataclass(frozen=True, slots=True)
class Group:
    """One `groupBy` column as it was sent, its SQL, and whether it prints as a date."""

    key: str
    column: Column
    sql: str
    formatted: bool


class Aggregator:
    """Runs AGGREGATION and COUNT over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._random = random.Random(secrets.token_bytes(8))

    def count(self, table: Table, body: Mapping[str, Any], asker: Asker) -> int:
        """J062: how many rows the query finds."""
        where = Where(table, asker)
        clause = where.build(body.get("query"))
        sql = f'SELECT COUNT(*) FROM "{table.name}" WHERE {clause}'  # noqa: S608 - ours
        return int(self._ledger.query(sql, where.parameters)[0][0])

    def run(self, table: Table, body: Mapping[str, Any], asker: Asker) -> str:
        """J063: the `output` array of an AGGREGATION as JSON text."""
        asked = only(
            body.get("aggregation"),
            {"aggregations", "groupBy", "orderBy", "currency"},
            "aggregation",
        )
        functions = [_function(table, f) for f in array(asked.get("aggregations"), "aggregations")]
        if not functions:
            raise undocumented("an AGGREGATION without aggregations")
        groups = [_group(table, g) for g in array(asked.get("groupBy", []), "groupBy")]
        having = _having(table, body.get("having"))
        money, covered = _currency(table, asked.get("currency"), asker)
        sql, parameters = self._sql(table, body, asker, (groups, [*functions, *having], money))
        order = _order(table, groups, asked.get("orderBy", []))
        rows = self._ledger.query(sql + order, parameters)
        if not order and asker.switches["order"] == "unstable":  # J072
            self._random.shuffle(rows)
        printed = []
        for row in rows:
            values = row[len(groups) : len(groups) + len(functions)]
            tested = row[len(groups) + len(functions) : -2]
            places = _places(row, covered)
            if not _passes(having, tested, places):
                continue
            printed.append(_element(groups, functions, (row[: len(groups)], values), places, asker))
        if asker.switches["fetch_limit_groups"] == "silent":  # J075
            printed = printed[: asker.switches["fetch_limit_rows"]]
        return "[" + ",".join(printed) + "]"

    def _sql(
        self, table: Table, body: Mapping[str, Any], asker: Asker, parts: tuple[Any, Any, str]
    ) -> tuple[str, list[int | str]]:
        groups, functions, money = parts
        where = Where(table, asker)
        clause = where.build(body.get("query"))
        asked = [g.sql for g in groups] + [f.sql for f in functions]
        asked += [f"MIN({money})", f"MAX({money})"]
        sql = f'SELECT {", ".join(asked)} FROM "{table.name}" WHERE {clause}'  # noqa: S608 - ours
        if groups:
            sql += f" GROUP BY {', '.join(g.sql for g in groups)}"
        return sql, where.parameters


def _function(table: Table, value: object) -> Function:
    asked = only(value, {"aggregation", "column"}, "aggregations")
    name, sent = asked.get("aggregation"), asked.get("column")
    if name not in _FUNCTIONS:
        raise undocumented(f"aggregation {name!r}")
    if sent == "*":
        if name != "COUNT":
            raise undocumented(f"{name} of *")
        return Function("COUNT", "COUNT", None, "COUNT(*)")
    column = column_of(table, sent)
    if name.startswith(("SUM", "AVG")) and column.kind not in ("number", "amount"):
        raise undocumented(f"{name} of {column.alias}, which is no number")
    return Function(f"{sent}_{name}", name, column, _FUNCTIONS[name].format(f'"{column.alias}"'))


def _group(table: Table, value: object) -> Group:
    """J064: a date may be grouped by a pattern, or by calendar quarter."""
    asked = only(value, {"column", "specialHandling"}, "groupBy")
    column = column_of(table, asked.get("column"))
    special = asked.get("specialHandling") or ""
    name, key = f'"{column.alias}"', str(asked["column"])
    if special in ("", "User"):
        return Group(key, column, name, False)
    if column.kind != "date":
        raise undocumented(f"specialHandling {special!r} on {column.alias}")
    if special == "CALQTR":
        raise undocumented("specialHandling CALQTR: the form of its key is not published")
    try:
        by_pattern(_SAMPLE_DAY, special)
    except (ValueError, TypeError, AttributeError):
        raise undocumented(f"specialHandling {special!r}") from None
    quoted = special.replace("'", "''")
    return Group(key, column, f"jde_date({name}, '{quoted}')", True)


def _order(table: Table, groups: list[Group], asked: object) -> str:
    terms = []
    for item in array(asked, "orderBy"):
        order = only(item, {"column", "direction"}, "orderBy")
        alias = column_of(table, order.get("column")).alias
        found = [g.sql for g in groups if g.column.alias == alias]
        if not found or order.get("direction", "ASC") not in ("ASC", "DESC"):
            raise undocumented(f"orderBy {dict(order)!r} of an AGGREGATION")
        terms.append(f"{found[0]} {order.get('direction', 'ASC')}")
    return f" ORDER BY {', '.join(terms)}" if terms else ""


@dataclass(frozen=True, slots=True)
class Having(Function):
    """J065: one condition on a group."""

    operator: str
    values: tuple[Decimal, ...]


def _having(table: Table, value: object) -> list[Having]:
    if value is None:
        return []
    made = []
    for item in array(only(value, {"condition"}, "having").get("condition"), "having"):
        asked = only(item, {"aggregation", "controlId", "operator", "value"}, "having")
        function = _function(
            table, {"aggregation": asked.get("aggregation"), "column": asked.get("controlId")}
        )
        operator = str(asked.get("operator"))
        literals = [only(v, {"content", "specialValueId"}, "value") for v in asked["value"]]
        if operator not in _COMPARE or len(literals) != 1:
            raise undocumented(f"having with operator {operator!r} and {len(literals)} values")
        if function.column is not None and function.column.kind not in ("number", "amount"):
            raise undocumented(f"having over {function.column.alias}, which is no number")
        values = tuple(Decimal(str(v["content"])) for v in literals)
        made.append(
            Having(function.key, function.name, function.column, function.sql, operator, values)
        )
    return made


def _passes(having: list[Having], values: tuple[Any, ...], places: _Places) -> bool:
    for condition, value in zip(having, values, strict=True):
        number = Decimal(_number(condition, value, places) or 0)
        if not getattr(number, f"__{_COMPARE[condition.operator]}__")(condition.values[0]):
            return False
    return True


def _currency(table: Table, value: object, asker: Asker) -> tuple[str, list[str] | None]:
    """J040: SQL for the decimals the `currency` block asks for, and the columns it covers."""
    if value is None:
        return "2", []
    block = only(value, {"type", "keyCols", "currencyCols"}, "currency")
    keys = [
        f'"{table.name}"."{column_of(table, k).alias}"'
        for k in array(block.get("keyCols"), "keyCols")
    ]
    money = asker.currencies
    owner = '(SELECT m."CO" FROM "{0}" AS m WHERE m."{1}" = {2})'
    kind = block.get("type")
    rules = {
        ("COMPANY", 1): lambda: money.of_company(keys[0]),
        ("CURRENCYCODE", 1): lambda: money.of_code(keys[0]),
        ("MCU", 1): lambda: money.of_company(owner.format("F0006", "MCU", keys[0])),
        ("AID", 1): lambda: money.of_company(owner.format("F0901", "AID", keys[0])),
        ("LEDGERTYPE_CURRENCYCODE", 2): lambda: money.of_ledger(keys[0], money.of_code(keys[1])),
        ("LEDGERTYPE_COMPANY_CURRENCYCODE", 3): lambda: money.of_column(table.name, "AA"),
    }
    if (kind, len(keys)) not in rules:
        raise undocumented(f"currency type {kind!r} with {len(keys)} keyCols")
    columns = block.get("currencyCols")
    covered = None
    if columns:
        covered = [column_of(table, c).alias for c in array(columns, "currencyCols")]
    return rules[str(kind), len(keys)](), covered


def _places(row: tuple[Any, ...], covered: list[str] | None) -> _Places:
    least, most = row[-2], row[-1]
    if least != most:
        raise undocumented("a group that mixes currencies of different decimals")
    places = 2 if least is None else int(least)
    return places if covered is None else dict.fromkeys(covered, places)


def _number(function: Function, value: Any, places: _Places) -> str | None:
    """The exact text of a count, sum or average; None for a group without values."""
    if function.counts or function.column is None:
        return str(value)
    decimals = function.column.decimals  # J040: dictionary decimals, unless the block covers it
    if isinstance(places, dict):
        decimals = places.get(function.column.alias, decimals)
    elif function.column.kind == "amount":
        decimals = places
    if value is None:
        return None
    if function.name.startswith("AVG"):
        total, count = str(value).split("/")
        value = int((Decimal(total) / Decimal(count)).quantize(Decimal(1), ROUND_HALF_UP))
    return show(int(value), decimals)


def _element(
    groups: list[Group],
    functions: list[Function],
    row: tuple[tuple[Any, ...], tuple[Any, ...]],
    places: _Places,
    asker: Asker,
) -> str:
    """One element of `output`."""
    members = []
    if groups:
        inner = (
            f"{json.dumps(g.key)}:{_group_value(g, v)}" for g, v in zip(groups, row[0], strict=True)
        )
        members.append('"groupBy":{' + ",".join(inner) + "}")
    for function, value in zip(functions, row[1], strict=True):
        members.append(f"{json.dumps(function.key)}:{_value(function, value, places, asker)}")
    return "{" + ",".join(members) + "}"


def _group_value(group: Group, value: Any) -> str:
    if group.formatted or group.column.is_text:
        return encode_basestring(value or " ")
    if group.column.kind == "date":
        moment = epoch_milliseconds(value)
        return "null" if moment is None else str(moment)
    return show(value, group.column.decimals)


def _value(function: Function, value: Any, places: _Places, asker: Asker) -> str:
    """J066: least and greatest texts keep their leading blanks; no value is 0, or null."""
    column = function.column
    if not function.counts and column is not None:
        if column.is_text:
            return encode_basestring(value or " ")
        if column.kind == "date":
            form = asker.switches["date_aggregate"]
            shown = epoch_milliseconds(value or 0) if form == "epoch_ms" else compact(value or 0)
            return json.dumps(shown)
        if column.kind == "time":
            return str(value or 0)
    number = _number(function, value, places)
    if number is None:
        return "0" if asker.switches["empty_sum"] == "zero" else "null"
    return number
