"""The plan in the practice model: a module by version, what planners enter, its two exports."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from zlib import crc32

from tieout.sim.anaplan import build
from tieout.sim.anaplan.cell_write import put_cell
from tieout.sim.anaplan.demo_model import MASTER_LISTS
from tieout.sim.anaplan.module_import import lookup, stored
from tieout.sim.anaplan.state import LINE_ITEMS_ID, TIME_ID, State, Thing

PLAN, CONTROL = "Approved Plan", "Approved Plan Control"
VERSIONS = (("BUD26", "Budget 2026"), ("FC26", "Forecast 2026"))
ITEMS = (("Amount", "NUMBER"), ("Approved", "BOOLEAN"), ("Approver", "TEXT"))
CONTROLS = (("Rows", "NUMBER"), ("Total", "NUMBER"))
LAYOUT = "TABULAR_MULTI_COLUMN"
FIRST_PLANNED_ACCOUNT = "4"  # balance sheet accounts are not planned
GROWTH = Decimal("1.031")
MONTHS_OF_A_YEAR = 12
PLANNER_DIGITS = Decimal("0.0001")  # planners divide years by twelve and round nothing
LEFT_OUT_OF = 10  # one cost center in so many is not approved yet
APPROVER = "controller@example.com"


def add_plan(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """A modeller makes the plan: module, control module, views and exports, nothing entered."""
    lists = {name: state.named(model, "list", name).id for name in MASTER_LISTS}
    lists["Versions"] = build.add_list(state, model, "Versions", items=VERSIONS)
    _module(state, model, PLAN, [*lists.values(), TIME_ID], ITEMS)
    _module(state, model, CONTROL, [lists["Companies"], lists["Versions"], TIME_ID], CONTROLS)
    return {}


def _module(
    state: State, model: str, name: str, dimensions: list[str], items: tuple[tuple[str, str], ...]
) -> None:
    """A module with a view of its entered rows (line items side by side) and an export of it."""
    module, _ = build.add_module(state, model, name, dimensions, items)
    axes = {"rows": dimensions, "columns": [LINE_ITEMS_ID]}
    view = build.add_view(state, model, name, module, axes, filtered=True)
    state.add(model, "export", name, view=view, layout=LAYOUT)


def enter_plan(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """Planners spread last year's amounts over the months of `year` in a `version`, and approve.

    Only the first so many `months` are entered. Amounts have four decimals in every currency. One
    cost center in ten is not approved. The answer counts the cells.
    """
    version, year = str(body.get("version", VERSIONS[0][0])), int(body.get("year", 2026))
    module = state.named(model, "module", PLAN)
    items = _line_items(state, model, module)
    member = _members(state, model, "Versions")[version]
    first = build.MONTHS[: int(body.get("months", MONTHS_OF_A_YEAR))]
    months = [_month(state, model, month, year) for month in first]
    codes = {i.id: i.code for i in state.items(model, module.data["dimensions"][2])}
    entered = 0
    for (company, account, center), total in _last_year(state, model, year - 1):
        monthly = (total * GROWTH / MONTHS_OF_A_YEAR).quantize(PLANNER_DIGITS, ROUND_HALF_EVEN)
        approved = crc32(codes[center].encode()) % LEFT_OUT_OF != 0
        for month in months:
            key = "|".join((company, account, center, member, month))
            put_cell(state, items["Amount"], key, stored(monthly))
            put_cell(state, items["Approved"], key, stored(approved))
            put_cell(state, items["Approver"], key, APPROVER if approved else "")
            entered += 1
    _count_anew(state, model)
    return {"cells": entered}


def change_plan(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """A planner changes cells: `cells` of (company, account, cost center, version, month), with
    `amount`, `approved` or `approver`, whichever is given."""
    module = state.named(model, "module", PLAN)
    items = _line_items(state, model, module)
    tables = [lookup(state, model, d)[0] for d in module.data["dimensions"]]
    for cell in body["cells"]:
        key = "|".join(table[str(m)] for table, m in zip(tables, cell, strict=True))
        if "amount" in body:
            put_cell(state, items["Amount"], key, stored(Decimal(str(body["amount"]))))
        if "approved" in body:
            put_cell(state, items["Approved"], key, stored(bool(body["approved"])))
        if "approver" in body:
            put_cell(state, items["Approver"], key, str(body["approver"]))
    _count_anew(state, model)
    return {"cells": len(body["cells"])}


def _last_year(
    state: State, model: str, year: int
) -> Iterator[tuple[tuple[str, str, str], Decimal]]:
    """What each account and cost center of the profit and loss shows in a year, in ids."""
    module = state.named(model, "module", "GL Actuals")
    item = _line_items(state, model, module)["Amount"]
    codes = {i.id: i.code for i in state.items(model, module.data["dimensions"][1])}
    months = {_month(state, model, month, year) for month in build.MONTHS}
    totals: dict[tuple[str, str, str], Decimal] = {}
    for key, value in _cells(state, item):
        company, account, center, month = key.split("|")
        if month in months and codes[account] >= FIRST_PLANNED_ACCOUNT:
            place = (company, account, center)
            totals[place] = totals.get(place, Decimal()) + Decimal(value)
    yield from sorted(totals.items())


def _count_anew(state: State, model: str) -> None:
    """The control module's formulas: rows and total of what is approved."""
    plan = state.named(model, "module", PLAN)
    items = _line_items(state, model, plan)
    amounts = dict(_cells(state, items["Amount"]))
    rows: dict[str, int] = {}
    totals: dict[str, Decimal] = {}
    for key, _ in _cells(state, items["Approved"]):  # a plan of zero is approved too
        company, _, _, version, month = key.split("|")
        at = "|".join((company, version, month))
        rows[at] = rows.get(at, 0) + 1
        totals[at] = totals.get(at, Decimal()) + Decimal(amounts.get(key, "0"))
    controls = _line_items(state, model, state.named(model, "module", CONTROL))
    for title, found in (("Rows", rows), ("Total", totals)):
        state.do("delete from cells where line_item = ?", controls[title])
        for at, number in found.items():
            put_cell(state, controls[title], at, stored(Decimal(number)))


def _cells(state: State, line_item: str) -> list[tuple[str, str]]:
    rows = state.rows("select key, value from cells where line_item = ?", line_item)
    return [(str(key), str(value)) for key, value in rows]


def _line_items(state: State, model: str, module: Thing) -> dict[str, str]:
    things = state.things(model, "line_item")
    return {t.name: t.id for t in things if t.data["module"] == module.id}


def _members(state: State, model: str, name: str) -> dict[str, str]:
    return {i.code: i.id for i in state.items(model, state.named(model, "list", name).id)}


def _month(state: State, model: str, month: str, year: int) -> str:
    """The id of "Jan 26"."""
    found = lookup(state, model, TIME_ID)[0]
    return found[f"{month} {year % 100:02d}"]
