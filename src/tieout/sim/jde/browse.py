"""BROWSE of the data service: a query turned into row numbers, pages cut from them, next links."""

from __future__ import annotations

import json
import random
import secrets
from array import array as numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tieout.sim.jde.ledger import Ledger
from tieout.sim.jde.query import Asker, Where, array, column_of, only
from tieout.sim.jde.refusal import AisError, undocumented
from tieout.sim.jde.render import grid_rows, headings, version1_rows
from tieout.sim.jde.session import Session
from tieout.sim.jde.tables import TABLES, Column, Table

PAGE_ROWS_DEFAULT = 100  # J043
PAGE_ROWS_MAX = 10_000_000
EXPIRED = "JAS_MSG347: The query results expired.  Refresh them by clicking Find again."  # J050
NEXT_PATH = "/jderest/v2/dataservice/next"
_GRID_ID_FIRST = 46


@dataclass(slots=True)
class ResultSet:
    """The rows a BROWSE found, by row number, and how to print and page them."""

    table: Table
    columns: list[Column]
    output: str
    return_ids: str
    page_rows: int
    rows: numbers[int]
    more_beyond: bool = False  # rows exist past the last one kept
    rid: str = field(default_factory=lambda: secrets.token_hex(8))
    pages: int = 1
    touched: float = 0.0
    device: str = ""
    read_ahead: list[tuple[Any, ...]] | None = None
    found_now: Callable[[], numbers[int]] | None = None  # for pages by offset

    @property
    def grid_id(self) -> int:
        """The number AIS gives the grid; the same at every call."""
        return _GRID_ID_FIRST + list(TABLES).index(self.table.name)


@dataclass(frozen=True, slots=True)
class Page:
    """One page as JSON text: the value of `fs_DATABROWSE_<table>`, and whether more follow."""

    form: str
    more: bool


def columns_asked(table: Table, ids: object) -> list[Column]:
    """J031 J032: the columns of `returnControlIDs`; all when it is absent or empty."""
    if ids is None or ids == "":
        return list(table.columns.values())
    if not isinstance(ids, str):
        raise undocumented("returnControlIDs is not a string")
    asked = {column_of(table, name).alias for name in ids.split("|")}
    return [column for column in table.columns.values() if column.alias in asked]


def page_size(value: object, fetch_limit: int) -> int:
    """J043 J044: rows of a page; a string of digits or "No Max", never above the fetch limit."""
    if value is None:
        return min(PAGE_ROWS_DEFAULT, fetch_limit)
    if isinstance(value, str) and value.lower() == "no max":
        return fetch_limit
    if not isinstance(value, str) or not value.isdigit() or not 0 < int(value) <= PAGE_ROWS_MAX:
        raise undocumented(f"maxPageSize {value!r}")
    return min(int(value), fetch_limit)


def order_by(table: Table, aggregation: Mapping[str, Any], stable: bool) -> str | None:
    """J053 J054: the ORDER BY of a BROWSE, None without one; ties have no stable order."""
    only(aggregation, {"orderBy"}, "aggregation of a BROWSE")
    terms, named = [], set()
    for item in array(aggregation.get("orderBy", []), "orderBy"):
        order = only(item, {"column", "direction"}, "orderBy")
        if order.get("direction", "ASC") not in ("ASC", "DESC"):
            raise undocumented(f"direction {order['direction']!r}")
        column = column_of(table, order.get("column"))
        terms.append(f'"{column.alias}" {order.get("direction", "ASC")}')
        named.add(column.alias)
    if terms and not named.issuperset(table.key):
        terms.append("rowid" if stable else "random()")
    return ", ".join(terms) or None


class Browser:
    """Opens result sets over the ledger and prints their pages."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._random = random.Random(secrets.token_bytes(8))

    def open(
        self, table: Table, body: Mapping[str, Any], asker: Asker, output: str, paged: bool
    ) -> ResultSet:
        """Run the query of a BROWSE; `paged` keeps all row numbers for next-page links."""
        switches = asker.switches
        limit = switches["fetch_limit_rows"]
        ids = body.get("returnControlIDs")
        columns, size = columns_asked(table, ids), page_size(body.get("maxPageSize"), limit)
        stable = switches["order"] == "stable"
        order = order_by(table, body.get("aggregation") or {}, stable)
        where = Where(table, asker)
        clause = where.build(body.get("query"))
        sql = f'SELECT rowid FROM "{table.name}" WHERE {clause} '  # noqa: S608 - ours
        sql += f"ORDER BY {order or 'rowid'}"
        if not paged and (order or stable):
            sql += f" LIMIT {size + 1}"
        shuffled = not order and not stable

        def rows_now() -> numbers[int]:
            found = numbers("q", (row[0] for row in self._ledger.query(sql, where.parameters)))
            if shuffled:
                self._random.shuffle(found)
            return found[:limit] if switches["fetch_limit_links"] == "silent" else found  # J045

        found = rows_now()
        kept = len(found) if paged else size
        if paged and switches["fetch_limit_links"] == "stop":
            kept = limit
        result = ResultSet(table, columns, output, str(ids or ""), size, found[:kept])
        result.more_beyond = len(found) > kept
        if not find_pressed(body) and switches["find_needed"]:  # J046
            result.rows, result.more_beyond = numbers("q"), False
        if switches["cursor_reads"] == "offset" and paged:
            result.found_now = lambda: rows_now()[: kept if result.more_beyond else None]
        if switches["cursor_reads"] == "open":
            result.read_ahead = self._read(result, result.rows, asker)
        return result

    def _read(self, result: ResultSet, rows: numbers[int], asker: Asker) -> list[tuple[Any, ...]]:
        """The rows with these numbers in this order: columns, then the decimals of amounts."""
        names = [f'"{column.alias}"' for column in result.columns] + self._rules(result, asker)[0]
        sql = f"SELECT {', '.join(names)} FROM json_each(?) "  # noqa: S608 - ours
        sql += f'CROSS JOIN "{result.table.name}" AS t ON t.rowid = json_each.value'
        return self._ledger.query(sql, (json.dumps(list(rows)),))

    @staticmethod
    def _rules(result: ResultSet, asker: Asker) -> tuple[list[str], list[int]]:
        """J035: the different rules for decimals, and per column which one it follows."""
        rules: list[str] = []
        places = []
        for column in result.columns:
            place = -1
            if column.kind == "amount":
                rule = asker.currencies.of_column(result.table.owner, column.alias)
                if rule not in rules:
                    rules.append(rule)
                place = len(result.columns) + rules.index(rule)
            places.append(place)
        return rules, places

    def page(self, result: ResultSet, number: int, asker: Asker) -> Page:
        """J030 J041 J042: page `number` (from 0) as the value of `fs_DATABROWSE_<table>`."""
        start, end = number * result.page_rows, (number + 1) * result.page_rows
        more = end < len(result.rows) or result.more_beyond
        if result.read_ahead is not None:
            rows = result.read_ahead[start:end]
        else:
            rows = self._read(result, result.rows[start:end], asker)
        places = self._rules(result, asker)[1]
        if result.output == "VERSION1":
            grid = version1_rows(result.table, result.columns, rows, places, asker.date_format)
        else:
            grid = grid_rows(result.table, result.columns, rows, places)
        table = result.table
        summary = f'{{"records":{len(rows)},"moreRecords":{"true" if more else "false"}}}'
        form = (
            f'{{"title":"Data Browser - {table.name} [{table.title}]","data":{{"gridData":'
            f'{{"id":{result.grid_id},"fullGridId":"{result.grid_id}",{_columns(result)},'
            f'"rowset":{grid},"summary":{summary}}}}},"errors":[],"warnings":[]}}'
        )
        return Page(form, more)


def find_pressed(body: Mapping[str, Any]) -> bool:
    """J046: whether the request asks for the find to be run at all."""
    query = body.get("query")
    auto = query.get("autoFind") if isinstance(query, Mapping) else None
    return str(body.get("findOnEntry", "")).lower() == "true" or str(auto).lower() == "true"


def _columns(result: ResultSet) -> str:
    if result.output == "VERSION1":
        pairs = (f'"col_{at}":{json.dumps(c.title)}' for at, c in enumerate(result.columns))
        return '"titles":{' + ",".join(pairs) + "}"
    return f'"columns":{headings(result.table, result.columns)}'


def next_link(result: ResultSet, session: Session, host: str) -> str:
    """J047: the absolute address of the next page, with the token in it and a raw "|"."""
    parameters = {
        "stackId": "1", "stateId": str(result.pages), "rid": result.rid,
        "fullGridId": str(result.grid_id), "formOID": result.table.name,
        "token": quote(session.token, safe=""), "outputType": result.output,
    }  # fmt: skip
    if result.return_ids:
        parameters["returnControlIDs"] = result.return_ids
    if result.device:
        parameters["deviceName"] = quote(result.device, safe="")
    return f"{host}{NEXT_PATH}?" + "&".join(f"{k}={v}" for k, v in parameters.items())


def keep(session: Session, result: ResultSet, now: float, idle_seconds: float) -> None:
    """Keep the result set in the session for its next page; forget those that have expired."""
    result.touched, result.device = now, session.device
    with session.lock:
        for rid, other in list(session.cursors.items()):
            if now - other.touched > idle_seconds:
                del session.cursors[rid]
        session.cursors[result.rid] = result


def find(session: Session, rid: str, now: float, idle_seconds: float) -> ResultSet:
    """J050: the open result set `rid`; AisError with JAS_MSG347 when it expired."""
    result: ResultSet | None = session.cursors.get(rid)
    if result is None or now - result.touched > idle_seconds:
        session.cursors.pop(rid, None)
        raise AisError(500, EXPIRED, what="cursor")
    result.touched = now
    return result
