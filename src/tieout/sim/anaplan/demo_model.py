"""The practice model of the demo company: workspace "Finance", model "FP&A 2026"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tieout.sim.anaplan import build
from tieout.sim.anaplan.state import LINE_ITEMS_ID, TIME_ID, State
from tieout.sim.company.names import CATEGORIES

YEARS = (2024, 2025, 2026)
MASTER_LISTS = ("Companies", "GL Accounts", "Cost Centers")
FISCAL_YEARS = ("2023", "2024", "2025", "2026")
BALANCES = ("Opening", *(f"Period {n}" for n in range(1, 15)))  # line items, a column each
PAYABLES = {  # property of the list "Open Payables" → its format, a column each
    "Company": "TEXT", "Supplier": "TEXT", "Invoice": "TEXT", "Invoice Date": "TEXT",
    "Due Date": "TEXT", "Pay Status": "TEXT", "Currency": "TEXT", "Open Amount": "NUMBER",
    "Open Foreign": "NUMBER",
}  # fmt: skip
CURRENCIES = ("USD", "EUR", "JPY", "KWD")
HEADERS = {
    "Companies": "Company", "GL Accounts": "Account", "Cost Centers": "Cost Center",
    "Ledgers": "Ledger", "Currencies": "Currency",
}  # fmt: skip
EMAIL = "tieout@example.com"


def make_demo_model(
    state: State,
    password: str,
    *,
    email: str = EMAIL,
    account_parents: Sequence[tuple[str, str]] = tuple(CATEGORIES.items()),
    cost_center_parents: Sequence[tuple[str, str]] = (),
) -> str:
    """Make the practice model and its service user; the model's id.

    `account_parents` (by default the demo company's category codes 1) and `cost_center_parents`
    are the roll-up members (code, name) the lists start with; all other members arrive through
    the imports.
    """
    build.add_user(state, email, password, first="Tieout", last="Service")
    model = build.add_model(state, build.add_workspace(state, "Finance"), "FP&A 2026", YEARS)
    lists = _lists(state, model, account_parents, cost_center_parents)
    _list_imports(state, model, lists)
    _actuals(state, model, lists)
    _balances(state, model, lists)
    _payables(state, model)
    state.db.commit()
    return model


def _lists(
    state: State,
    model: str,
    accounts: Sequence[tuple[str, str]],
    centers: Sequence[tuple[str, str]],
) -> dict[str, str]:
    properties = [("Company", "TEXT"), ("Active", "BOOLEAN")]
    return {
        "Companies": build.add_list(state, model, "Companies", top="All Companies"),
        "GL Accounts": build.add_list(
            state, model, "GL Accounts", top="All GL Accounts", items=accounts
        ),
        "Cost Centers": build.add_list(
            state, model, "Cost Centers", top="All Cost Centers", items=centers,
            properties=properties,
        ),
    }  # fmt: skip


def _list_imports(state: State, model: str, lists: dict[str, str]) -> None:
    head = {"Code": "code", "Name": "name"}
    columns = {
        "Companies": head,
        "GL Accounts": head | {"Parent": "parent"},
        "Cost Centers": head | {"Company": "property:Company", "Active": "property:Active"},
    }
    for name, mapping in columns.items():
        source = build.add_file(state, model, f"{name}.csv")
        build.add_list_import(
            state, model, f"Load {name}", source, lists[name], mapping, unique_names="suffix"
        )


def add_actuals_by_ledger(state: State, model: str) -> None:
    """What a modeller makes for more than one ledger: two lists, and module, import and view."""
    ledgers = [("AA", "Actual amounts"), ("CA", "Foreign currency")]
    currencies = [(code, code) for code in CURRENCIES]
    made = {name: state.named(model, "list", name).id for name in MASTER_LISTS}
    made["Ledgers"] = build.add_list(state, model, "Ledgers", items=ledgers)
    made["Currencies"] = build.add_list(state, model, "Currencies", items=currencies)
    _module_and_import(state, model, "GL Actuals by Ledger", made)


def _actuals(state: State, model: str, lists: dict[str, str]) -> None:
    """Module, saved view, import (only update imported cells), process and export."""
    view, load = _module_and_import(state, model, "GL Actuals", lists)
    state.add(model, "process", "Load Actuals Process", actions=[load])
    layout = "TABULAR_MULTI_COLUMN"
    state.add(model, "export", "GL Actuals Export", view=view, layout=layout)


def _module_and_import(
    state: State, model: str, name: str, lists: dict[str, str]
) -> tuple[str, str]:
    """A module over `lists` and Time, its view and its import; the ids of the last two."""
    order = list(lists.values())
    module, items = build.add_module(state, model, name, [*order, TIME_ID], [("Amount", "NUMBER")])
    axes = {"rows": order, "columns": [TIME_ID], "pages": [LINE_ITEMS_ID]}
    view = build.add_view(state, model, name, module, axes, filtered=True)
    source = build.add_file(state, model, f"{name}.csv")
    columns: dict[str, Any] = {HEADERS[of]: {"dimension": id_} for of, id_ in lists.items()}
    columns |= {"Time": {"dimension": TIME_ID}, "Amount": {"line_item": items["Amount"]}}
    return view, build.add_module_import(state, model, f"Load {name}", source, module, columns)


def _balances(state: State, model: str, lists: dict[str, str]) -> None:
    """Account balances by fiscal year: a module with a line item per period, view and import."""
    years = [(year, f"FY{year[2:]}") for year in FISCAL_YEARS]
    over = {HEADERS[name]: id_ for name, id_ in lists.items()}
    over["Fiscal Year"] = build.add_list(state, model, "Fiscal Years", items=years)
    order = list(over.values())
    name = "Account Balances"
    numbers = [(item, "NUMBER") for item in BALANCES]
    module, items = build.add_module(state, model, name, order, numbers)
    axes = {"rows": order, "columns": [LINE_ITEMS_ID]}
    build.add_view(state, model, name, module, axes, filtered=True)
    source = build.add_file(state, model, f"{name}.csv")
    columns: dict[str, Any] = {header: {"dimension": id_} for header, id_ in over.items()}
    columns |= {item: {"line_item": items[item]} for item in BALANCES}
    build.add_module_import(state, model, f"Load {name}", source, module, columns)


def _payables(state: State, model: str) -> None:
    """Open payables: a list with an item per voucher and its properties, and its import."""
    name = "Open Payables"
    payables = build.add_list(state, model, name, properties=list(PAYABLES.items()))
    source = build.add_file(state, model, f"{name}.csv")
    columns = {"Code": "code"} | {header: f"property:{header}" for header in PAYABLES}
    build.add_list_import(state, model, f"Load {name}", source, payables, columns)
