"""What a task does when its turn comes: import, export, process, deletion; and its result."""

from __future__ import annotations

from typing import Any

from tieout.sim.anaplan.files import put_content
from tieout.sim.anaplan.list_import import ListImport, list_details
from tieout.sim.anaplan.module_import import ModuleImport, module_details
from tieout.sim.anaplan.rejects import Reject, keep_dump
from tieout.sim.anaplan.source import ImportFailed, Source, read_source
from tieout.sim.anaplan.state import State, Thing
from tieout.sim.anaplan.views import export_text

Who = tuple[str, str, str]  # model, user, task


def run_action(state: State, now: float, who: Who, kind: str, id_: str) -> dict[str, Any]:
    """Run one action for `who`; the result as kept (details with a dict of values)."""
    thing = state.thing(who[0], id_, kind)
    if thing is None:  # deleted by a person after the task was queued
        return _failed("", id_, "failedToLocateEntity", "The action no longer exists.")
    if kind == "process":
        return _process(state, now, who, thing)
    if kind == "export":
        return _export(state, now, who, thing)
    if kind == "action":
        return _delete_items(state, who, thing)
    return _import(state, now, who, thing)


def _base(name: str, id_: str) -> dict[str, Any]:
    return {
        "successful": True, "failureDumpAvailable": False, "objectId": id_, "objectName": name,
    }  # fmt: skip


def _failed(name: str, id_: str, kind: str, text: str) -> dict[str, Any]:
    """A whole action refused: `successful` false and the failure type in the details (A045)."""
    detail = {"type": kind, "text": text, "values": {}}
    return _base(name, id_) | {"successful": False, "details": [detail]}


def _import(state: State, now: float, who: Who, thing: Thing) -> dict[str, Any]:
    """Rejects make a dump, and leave `successful` true (A044); no reject, no dump (A049)."""
    model, user, task = who
    try:
        source = read_source(state, now, model, user, thing.data["source"])
        rejects, details = _load(state, model, thing, source)
    except ImportFailed as failure:
        return _failed(thing.name, thing.id, failure.kind, failure.text)
    with_status = thing.data["importType"] == "HIERARCHY_DATA"
    keep_dump(state, now, (model, user, thing.id, task), source.header, rejects, with_status)
    return _base(thing.name, thing.id) | {
        "failureDumpAvailable": bool(rejects), "details": details,
    }  # fmt: skip


def _load(
    state: State, model: str, thing: Thing, source: Source
) -> tuple[list[Reject], list[dict[str, Any]]]:
    if thing.data["importType"] == "HIERARCHY_DATA":
        run = ListImport(state, model, thing, source)
        tally = run.run()
        return tally.rejects, [list_details(run.target.name, tally)]
    module = ModuleImport(state, model, thing, source)
    details = [module_details(tally) for tally in module.run()]
    if state.switch("module_values") == "absent":
        details = [detail | {"values": {}} for detail in details]  # A087
    return module.rejects, details


def _process(state: State, now: float, who: Who, thing: Thing) -> dict[str, Any]:
    """Actions in order; the first that fails ends it, what ran before stays (A050)."""
    nested = []
    for action in thing.data["actions"]:
        found = state.thing(who[0], action)
        kind = found.kind if found else "import"
        nested.append(run_action(state, now, who, kind, action))
        if not nested[-1]["successful"]:
            break
    return _base(thing.name, thing.id) | {
        "successful": all(n["successful"] for n in nested),
        "failureDumpAvailable": any(n["failureDumpAvailable"] for n in nested),
        "nested": nested,
    }  # fmt: skip


def _export(state: State, now: float, who: Who, thing: Thing) -> dict[str, Any]:
    """The result is a file with the export's own id, private to the runner, in chunks (A051)."""
    model, user, _ = who
    body = export_text(state, model, thing.data["view"], thing.data["layout"]).encode()
    size = int(state.switch("export_chunk_bytes"))
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    put_content(state, now, model, thing.id, user, parts or [b""])
    detail = {"type": "exportSucceeded", "text": "Export succeeded", "values": {}}
    return _base(thing.name, thing.id) | {"details": [detail]}


def _delete_items(state: State, who: Who, thing: Thing) -> dict[str, Any]:
    """Delete from a list by selection: never a dump (A052)."""
    model, rule = who[0], thing.data
    gone = [
        i for i in state.items(model, rule["list"])
        if i.data.get(rule["property"]) == rule["value"]
    ]  # fmt: skip
    remove_items(state, model, [i.id for i in gone], rule["list"])
    text = f"{len(gone)} items deleted"
    detail = {"type": "deleteFromSelectionSucceeded", "text": text, "values": {}}
    return _base(thing.name, thing.id) | {"details": [detail]}


def remove_items(state: State, model: str, ids: list[str], list_id: str) -> None:
    """Take members out of a list, and their cells with them."""
    state.many(
        "delete from items where model = ? and list = ? and id = ?",
        ((model, list_id, i) for i in ids),
    )
    modules = [m for m in state.things(model, "module") if list_id in m.data["dimensions"]]
    gone = set(ids)
    for module in modules:
        place = module.data["dimensions"].index(list_id)
        for line_item in state.things(model, "line_item"):
            if line_item.data["module"] != module.id:
                continue
            keys = state.rows("select key from cells where line_item = ?", line_item.id)
            state.many(
                "delete from cells where line_item = ? and key = ?",
                [(line_item.id, k[0]) for k in keys if k[0].split("|")[place] in gone],
            )
