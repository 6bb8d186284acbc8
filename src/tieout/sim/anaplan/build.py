"""Makes users, workspaces, models, lists, modules and actions; every id is drawn anew."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any

from tieout.sim.anaplan.state import TIME_ID, Item, State, lower_id, model_id

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def add_user(state: State, email: str, password: str, *, first: str = "", last: str = "") -> str:
    """A user who may sign in with a password; the user's id."""
    if not state.meta("customer", ""):
        state.keep_meta("customer", lower_id())
    id_ = lower_id()
    names = {"firstName": first or "Integration", "lastName": last or "User"}
    state.do("insert into users values (?, ?, ?, ?)", id_, email, password, json.dumps(names))
    return id_


def add_workspace(state: State, name: str, *, tenant: str = "") -> str:
    """A workspace, of everybody or of the users of one tenant (A097); its id."""
    id_ = lower_id()
    data = json.dumps({"tenant": tenant} if tenant else {})
    state.do("insert into workspaces values (?, ?, ?)", id_, name, data)
    return id_


def add_model(state: State, workspace: str, name: str, years: Sequence[int] = ()) -> str:
    """A model with a monthly calendar of `years`; its id."""
    id_ = model_id()
    data = json.dumps({"activeState": "UNLOCKED"})
    state.do("insert into models values (?, ?, ?, ?)", id_, workspace, name, data)
    state.add_items(id_, TIME_ID, _calendar(years))
    return id_


def _calendar(years: Sequence[int]) -> list[Item]:
    """Months "Jan 24", their quarters "Q1 FY24" and years "FY24"; the latter two are totals."""
    items = []
    base = 5_000_000_000 + secrets.randbelow(10**8) * 10
    for n, year in enumerate(years):
        at = base + n * 100
        short = f"{year % 100:02d}"
        for quarter in range(4):
            for month in range(3 * quarter, 3 * quarter + 3):
                parent = str(at + 20 + quarter)
                items.append(Item(str(at + month), f"{MONTHS[month]} {short}", "", parent))
            name = f"Q{quarter + 1} FY{short}"
            items.append(Item(str(at + 20 + quarter), name, "", str(at + 30), {"total": True}))
        items.append(Item(str(at + 30), f"FY{short}", "", "", {"total": True}))
    return items


def add_list(
    state: State, model: str, name: str, *, properties: Sequence[tuple[str, str]] = (),
    top: str = "", items: Sequence[tuple[str, str]] = (),
) -> str:  # fmt: skip
    """A list with properties (name, TEXT | NUMBER | BOOLEAN) and first members (code, name)."""
    first_item = int(f"2{secrets.randbelow(9):02d}{secrets.randbelow(10**7):07d}00")
    shown: dict[str, Any] = {
        "properties": [
            {"name": n, "format": f, "formula": "", "notes": "", "referencedBy": ""}
            for n, f in properties
        ],
        "next_item": first_item + 1,
    }  # fmt: skip
    if top:
        shown["topLevelItem"] = {"id": str(first_item), "name": top}
    id_ = state.add(model, "list", name, **shown)
    ids = state.next_item_ids(model, id_, len(items))
    made = [Item(i, name_, code) for i, (code, name_) in zip(ids, items, strict=True)]
    state.add_items(model, id_, made)
    return id_


def add_module(
    state: State, model: str, name: str, dimensions: Sequence[str],
    line_items: Sequence[tuple[str, str]],
) -> tuple[str, dict[str, str]]:  # fmt: skip
    """A module over lists (and TIME_ID); line items are (name, format), format "=…" calculated.

    Returns its id and the ids of its line items by name.
    """
    module = state.add(model, "module", name, dimensions=list(dimensions))
    made = {}
    for title, kind in line_items:
        data = {"module": module, "format": "NUMBER" if kind.startswith("=") else kind}
        if kind.startswith("="):
            data["formula"] = kind[1:]
        made[title] = state.add(model, "line_item", title, **data)
    return module, made


def add_file(state: State, model: str, name: str, **layout: Any) -> str:
    """A file data source: comma, double quote, UTF-8, header in line 1, unless `layout` says so."""
    usual = {
        "delimiter": '"', "encoding": "UTF-8", "firstDataRow": 2, "format": "txt",
        "headerRow": 1, "separator": ",",
    }  # fmt: skip
    return state.add(model, "file", name, **(usual | layout))


def add_list_import(
    state: State, model: str, name: str, source: str, target: str, columns: dict[str, str],
    **rules: str,
) -> str:  # fmt: skip
    """An import into a list: column → code | name | parent | property:NAME, matched by code."""
    usual = {"identity": "code", "duplicates": "first", "unique_names": "reject"}
    return state.add(
        model, "import", name, importType="HIERARCHY_DATA", source=source, target=target,
        headers=list(columns), map=columns, **(usual | rules),
    )  # fmt: skip


def add_module_import(
    state: State, model: str, name: str, source: str, target: str, columns: dict[str, Any],
    clear: str = "none",
) -> str:  # fmt: skip
    """An import into a module: column → {"dimension": id} | {"line_item": id} | …."""
    return state.add(
        model, "import", name, importType="MODULE_DATA", source=source, target=target,
        headers=list(columns), map=columns, clear=clear,
    )  # fmt: skip


def add_view(
    state: State, model: str, name: str, module: str, axes: dict[str, list[str]], *,
    filtered: bool = False, totals: bool = False,
) -> str:  # fmt: skip
    """A saved view; `axes` has `rows`, `columns`, `pages` (dimension ids)."""
    full: dict[str, list[str]] = {"rows": [], "columns": [], "pages": []} | axes
    return state.add(model, "view", name, module=module, filter=filtered, totals=totals, **full)
