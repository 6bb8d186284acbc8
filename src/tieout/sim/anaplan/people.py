"""What a person does inside a model, and what tests may know about it: the control port's part."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tieout.sim.anaplan import tasks
from tieout.sim.anaplan.cell_write import put_cell
from tieout.sim.anaplan.demo_model import add_actuals_by_ledger
from tieout.sim.anaplan.files import DEFAULT_USER, put_content
from tieout.sim.anaplan.module_import import lookup, parsed, stored
from tieout.sim.anaplan.plan import add_plan, change_plan, enter_plan
from tieout.sim.anaplan.state import TIME_ID, Item, State, Thing

NOBODY = "0" * 32  # the id of a user without files
CLEAR_MODES = ("none", "mapped_source", "mapped", "all")  # A059


def _model(state: State, body: dict[str, Any]) -> str:
    """The model named in the body, by id or name; the first one when none is named."""
    rows = state.rows("select id, name from models order by rowid")
    wanted = body.get("model")
    for id_, name in rows:
        if wanted in (None, id_, name):
            return str(id_)
    raise LookupError(f"no model {wanted!r}")


def _set_cell(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """A value typed over a cell; members by code or name."""
    module = state.named(model, "module", body["module"])
    line_item = _line_item(state, model, module, str(body.get("line_item", "")))
    texts = _texts(state, model, module, body)
    key = []
    for dimension, text in zip(module.data["dimensions"], texts, strict=True):
        found = lookup(state, model, dimension)[0].get(text)
        if found is None:
            raise LookupError(f"no member {text!r}")
        key.append(found)
    value = parsed(line_item.data["format"], str(body["value"]))
    if value is None:
        raise ValueError(f"{body['value']!r} is no {line_item.data['format'].lower()}")
    put_cell(state, line_item.id, "|".join(key), stored(value))
    return {}


def _line_item(state: State, model: str, module: Thing, name: str) -> Thing:
    for thing in state.things(model, "line_item"):
        if thing.data["module"] == module.id and name in ("", thing.name):
            return thing
    raise LookupError(f"no line item {name!r}")


def _texts(state: State, model: str, module: Thing, body: dict[str, Any]) -> list[str]:
    """Coordinates in dimension order: `company`, `account`, `cost_center`, `time`, or `members`."""
    if "members" in body:
        return [str(m) for m in body["members"]]
    names = {"Companies": "company", "GL Accounts": "account", "Cost Centers": "cost_center"}
    texts = []
    for dimension in module.data["dimensions"]:
        thing = state.thing(model, dimension, "list")
        word = "time" if dimension == TIME_ID else names[thing.name if thing else ""]
        texts.append(str(body[word]))
    return texts


def _rename_import(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    thing = state.named(model, "import", body["import"])
    thing.name = str(body["to"])
    state.save(model, thing)
    return {"id": thing.id}


def _rename(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """Anything of the model gets another name, by its `kind`; its id stays (A053)."""
    thing = state.named(model, str(body["kind"]), body["name"])
    thing.name = str(body["to"])
    state.save(model, thing)
    return {"id": thing.id}


def _delete_import(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    thing = state.named(model, "import", body["import"])
    state.do("delete from objects where model = ? and id = ?", model, thing.id)
    return {"id": thing.id}


def _rename_column(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """The mapping now expects another header; files with the old one lose that column (A053)."""
    thing = state.named(model, "import", body["import"])
    old, new = str(body["column"]), str(body["to"])
    if old not in thing.data["headers"]:
        raise LookupError(f"no column {old!r}; there are {', '.join(thing.data['headers'])}")
    thing.data["headers"] = [new if h == old else h for h in thing.data["headers"]]
    thing.data["map"] = {new if k == old else k: v for k, v in thing.data["map"].items()}
    state.save(model, thing)
    return {"headers": thing.data["headers"]}


def _set_clear_mode(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """The admin's setting "Clear target prior to import" (A059)."""
    if body["mode"] not in CLEAR_MODES:
        raise ValueError(f"mode is one of {', '.join(CLEAR_MODES)}")
    thing = state.named(model, "import", body["import"])
    thing.data["clear"] = body["mode"]
    state.save(model, thing)
    return {}


def _set_import(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """Other settings of an import: `duplicates`, `unique_names`, `identity`."""
    thing = state.named(model, "import", body["import"])
    for name in ("duplicates", "unique_names", "identity"):
        if name in body:
            thing.data[name] = body[name]
    state.save(model, thing)
    return {}


def _set_formula(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """A line item that is calculated from now on (or no longer, with an empty formula; A058)."""
    module = state.named(model, "module", body["module"])
    line_item = _line_item(state, model, module, str(body.get("line_item", "")))
    line_item.data["formula"] = str(body["formula"])
    state.save(model, line_item)
    return {}


def _model_state(phase: str) -> Callable[[State, str, dict[str, Any]], dict[str, Any]]:
    def act_(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
        data = json.loads(state.row("select data from models where id = ?", model)[0])
        data["activeState"] = phase
        state.do("update models set data = ? where id = ?", json.dumps(data), model)
        return {}

    return act_


def _add_item(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """A member made by hand: `list`, `code`, `name`, `parent` (code or name)."""
    thing = state.named(model, "list", body["list"])
    code, name = str(body.get("code", "")), str(body.get("name") or body["code"])
    found = lookup(state, model, thing.id)[0]
    parent = found.get(str(body.get("parent", "")), "")
    id_ = state.next_item_ids(model, thing.id, 1)[0]
    state.add_items(model, thing.id, [Item(id_, name, code, parent)])
    return {"id": id_}


def _change_item(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """A member renamed, recoded or moved by hand: `list`, `item`, then `name`, `code`, `parent`."""
    thing = state.named(model, "list", body["list"])
    found = lookup(state, model, thing.id)[0]
    items = {i.id: i for i in state.items(model, thing.id)}
    item = items[found[str(body["item"])]]
    item.name, item.code = str(body.get("name", item.name)), str(body.get("code", item.code))
    if "parent" in body:
        item.parent = found[str(body["parent"])] if body["parent"] else ""
    state.save_items(model, thing.id, [item])
    return {}


def _show_totals(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """A saved view that shows totals as well, or no longer (A080)."""
    thing = state.named(model, "view", body["view"])
    thing.data["totals"] = bool(body.get("on", True))
    state.save(model, thing)
    return {}


def _set_default_file(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """A file left for everybody (A030): `file`, `text`."""
    file = state.named(model, "file", body["file"])
    put_content(state, 0.0, model, file.id, DEFAULT_USER, [str(body["text"]).encode()])
    return {}


def _copy_import(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """A copy of an import, listed before all others, so that pages shift (A015)."""
    thing = state.named(model, "import", body["import"])
    made = state.add(model, "import", str(body["to"]), **thing.data)
    state.do("update objects set pos = (select min(pos) from objects) - 1 where id = ?", made)
    return {"id": made}


def _add_line_item(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """A modeller adds a line item of numbers to a module: `module`, `name`."""
    module = state.named(model, "module", body["module"])
    state.add(model, "line_item", body["name"], module=module.id, format="NUMBER")
    return {}


def _add_ledgers(state: State, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """A modeller makes a module by ledger and currency, with its import and view."""
    add_actuals_by_ledger(state, model)
    return {}


ACTS: dict[str, Callable[[State, str, dict[str, Any]], dict[str, Any]]] = {
    "set_cell": _set_cell, "rename_import": _rename_import,
    "rename": _rename, "delete_import": _delete_import,
    "rename_column": _rename_column, "set_clear_mode": _set_clear_mode,
    "set_import": _set_import, "add_item": _add_item, "change_item": _change_item,
    "show_totals": _show_totals, "set_formula": _set_formula, "copy_import": _copy_import,
    "set_default_file": _set_default_file, "add_ledgers": _add_ledgers,
    "add_line_item": _add_line_item,
    "add_plan": add_plan, "enter_plan": enter_plan, "change_plan": change_plan,
    "lock_model": _model_state("LOCKED"), "archive_model": _model_state("ARCHIVED"),
    "unlock_model": _model_state("UNLOCKED"), "take_offline": _model_state("MAINTENANCE"),
}  # fmt: skip


def act(state: State, body: dict[str, Any], now: float) -> dict[str, Any]:
    """Do what a person does; `do` names it."""
    name = body.get("do")
    if name == "run":
        return _run(state, now, _model(state, body), body)
    if name not in ACTS:
        raise ValueError(f"do is one of run, {', '.join(sorted(ACTS))}")
    return ACTS[name](state, _model(state, body), body)


def _run(state: State, now: float, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """Somebody runs an action (`kind`, `name`), by default a user who never uploaded anything."""
    email = body.get("user")
    found = state.row("select id from users where email = ?", email) if email else (NOBODY,)
    if found is None:
        raise LookupError(f"no user {email!r}")
    action = state.named(model, str(body["kind"]), str(body["name"]))
    return {"id": tasks.enqueue(state, now, (model, found[0]), action, {})}


def module_cells(state: State, body: dict[str, Any]) -> list[dict[str, str]]:
    """All non-zero cells of a module: line item, member code per list, time, value as text."""
    model = _model(state, body)
    module = state.named(model, "module", body["module"])
    dimensions = module.data["dimensions"]
    words, codes = [], []
    for dimension in dimensions:
        thing = state.thing(model, dimension, "list")
        words.append(thing.name if thing else "Time")
        codes.append({i.id: i.code or i.name for i in state.items(model, dimension)})
    out = []
    for line_item in state.things(model, "line_item"):
        if line_item.data["module"] != module.id:
            continue
        for key, value in state.rows(
            "select key, value from cells where line_item = ?", line_item.id
        ):
            names = [of[m] for of, m in zip(codes, key.split("|"), strict=True)]
            row = {"line_item": line_item.name, **dict(zip(words, names, strict=True))}
            out.append(row | {"value": value})
    return out


def overview(state: State) -> dict[str, Any]:
    """Counts, open and running tasks, and the most tasks a model ever had open or running."""
    counts = {
        table: state.row(f"select count(*) from {table}")[0]  # noqa: S608 - our own names
        for table in ("tokens", "items", "cells", "chunks", "tasks", "dumps", "reads")
    }
    spans = state.rows("select model, started, finished from tasks where started is not null")
    return {
        "counts": counts,
        "tasks": [
            dict(zip(("id", "model", "kind", "parent", "state", "created"), r, strict=True))
            for r in state.rows(
                "select id, model, kind, parent, state, created from tasks order by seq"
            )
        ],
        "open_tasks_max": state.meta("open_tasks_max", {}),
        "running_tasks_max": _most_at_once(spans),
    }


def _most_at_once(spans: list[Any]) -> dict[str, int]:
    """Per model, the most tasks whose running times overlap."""
    most: dict[str, int] = {}
    for model in {s[0] for s in spans}:
        edges = []
        for _, started, finished in (s for s in spans if s[0] == model):
            edges.append((started, 1))
            if finished is not None:
                edges.append((finished, -1))
        running = 0
        for _, step in sorted(edges):
            running += step
            most[model] = max(most.get(model, 0), running)
    return most
