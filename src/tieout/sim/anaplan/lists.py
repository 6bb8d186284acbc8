"""Lists through the API: metadata, members as JSON or CSV, add, update, delete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tieout.sim.anaplan.list_import import PROPERTY, Members
from tieout.sim.anaplan.runs import remove_items
from tieout.sim.anaplan.state import Item, State, Thing
from tieout.sim.anaplan.wire import Exchange, Refusal, csv_text, enveloped, paged
from tieout.sim.box import Response

ITEMS_MAX = 100_000  # A072
FIELDS = ("id", "name", "code", "parent", "parentId")
TITLES = ("Id", "Name", "Code", "Parent", "Parent Id")


def list_lists(exchange: Exchange) -> Response:
    """Ids and names of all lists (A083)."""
    things = exchange.state.things(exchange.model, "list")
    return paged(exchange, "list", "lists", [{"id": t.id, "name": t.name} for t in things])


def get_list(exchange: Exchange) -> Response:
    """A list's metadata; what is not set is left out (A083)."""
    thing = exchange.thing("list", "list")
    count = len(exchange.state.items(exchange.model, thing.id))
    shown = {
        "id": thing.id, "name": thing.name, "hasSelectiveAccess": False,
        "properties": thing.data["properties"], "managedBy": "", "numberedList": False,
        "useTopLevelAsPageDefault": False, "itemCount": count,
        "permittedItems": 999_999_999 - count, "workflowEnabled": False,
        "productionData": False,
    }  # fmt: skip
    for name in ("parent", "topLevelItem"):
        if thing.data.get(name):
            shown[name] = thing.data[name]
    return enveloped("list", metadata=shown)


def get_items(exchange: Exchange) -> Response:
    """Members as JSON, or as CSV when asked (A071)."""
    thing = exchange.thing("list", "list")
    if exchange.accepts("text/csv"):
        rows = list_rows(exchange.state, exchange.model, thing.id, exchange.flag("includeAll"))
        return Response(200, csv_text(rows).encode(), content_type="text/csv")
    items = exchange.state.items(exchange.model, thing.id)
    names = _parent_names(exchange.state, exchange.model, thing, items)
    shown = [_item_json(i, names, thing, exchange.flag("includeAll")) for i in items]
    return enveloped("listItem", listItems=shown)


def _item_json(item: Item, names: dict[str, str], thing: Thing, everything: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": item.id, "name": item.name}
    if item.code:
        shown["code"] = item.code
    if item.parent:
        shown |= {"parent": names.get(item.parent, ""), "parentId": item.parent}
    if everything:
        formats = [p["name"] for p in thing.data["properties"]]
        shown |= {"subsets": {}, "properties": {n: item.data.get(n, "") for n in formats}}
    return shown


def _parent_names(state: State, model: str, thing: Thing, items: list[Item]) -> dict[str, str]:
    above = thing.data.get("parent")
    pool = state.items(model, above["id"]) if above else items
    return {i.id: i.name for i in pool}


def list_rows(
    state: State, model: str, list_id: str, everything: bool = True
) -> Iterator[list[str]]:
    """The members as CSV rows under one header line (A071)."""
    thing = state.thing(model, list_id, "list")
    assert thing is not None
    items = state.items(model, list_id)
    names = _parent_names(state, model, thing, items)
    titled = state.switch("list_csv_header") == "titles"
    extra = [p["name"] for p in thing.data["properties"]] if everything else []
    yield [*(TITLES if titled else FIELDS), *extra]
    for i in items:
        head = [i.id, i.name, i.code, names.get(i.parent, ""), i.parent]
        yield head + [i.data.get(name, "") for name in extra]


def _asked(exchange: Exchange) -> list[dict[str, Any]]:
    body = exchange.body()
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise Refusal(400, "items is required")
    if len(items) > ITEMS_MAX:
        raise Refusal(400, f"At most {ITEMS_MAX} items per call")  # A072
    return items


def post_items(exchange: Exchange) -> Response:
    """`POST …/items?action=add|delete` (A072)."""
    action = exchange.query("action")
    if action == "add":
        return _add(exchange)
    if action == "delete":
        return _delete(exchange)
    raise Refusal(400, "action is add or delete")


def _failure(index: int, kind: str, text: str) -> dict[str, Any]:
    return {"requestIndex": index, "failureType": kind, "failureMessageDetails": text}


def _add(exchange: Exchange) -> Response:
    thing, asked = exchange.thing("list", "list"), _asked(exchange)
    state, model = exchange.state, exchange.model
    members = Members(state.items(model, thing.id))
    made, failures = [], []
    for n, wanted in enumerate(asked):
        name, code = str(wanted.get("name", "")), str(wanted.get("code", ""))
        wrong = _properties_wrong(thing, wanted)
        if not name or name in members.by_name or (code and code in members.by_code):
            failures.append(_failure(n, "INCORRECT_FORMAT", f"name or code: {name or code}"))
            continue
        if wrong:
            failures.append(_failure(n, "INCORRECT_FORMAT", wrong))
            continue
        item = Item(state.next_item_ids(model, thing.id, 1)[0], name, code)
        _change(item, wanted, members)
        members.take(item)
        made.append(item)
    state.add_items(model, thing.id, made)
    counts: dict[str, Any] = {"added": len(made), "ignored": len(failures), "total": len(asked)}
    return enveloped("listItem", **counts, failures=failures)


def _properties_wrong(thing: Thing, wanted: dict[str, Any]) -> str:
    formats = {p["name"]: p["format"] for p in thing.data["properties"]}
    for name, value in (wanted.get("properties") or {}).items():
        if name not in formats or PROPERTY[formats[name]](str(value)) is None:
            return f"incorrect format -- column name:{name}, value:{value}"
    return ""


def _change(item: Item, wanted: dict[str, Any], members: Members) -> None:
    item.data.update({k: str(v) for k, v in (wanted.get("properties") or {}).items()})
    if "parent" in wanted:
        parent = members.find(str(wanted["parent"]))
        item.parent = parent.id if parent else ""


def put_items(exchange: Exchange) -> Response:
    """`PUT …/items`: by exactly one of id, code, name; a coded item by code or with it (A072)."""
    thing, asked = exchange.thing("list", "list"), _asked(exchange)
    state, model = exchange.state, exchange.model
    members = Members(state.items(model, thing.id))
    changed, failures = [], []
    for n, wanted in enumerate(asked):
        item = _identified(members, wanted)
        wrong = "item not found" if item is None else _properties_wrong(thing, wanted)
        if item is None or wrong:
            failures.append(_failure(n, "INCORRECT_FORMAT", wrong))
            continue
        if wanted.get("name") and ("id" in wanted or "code" in wanted):
            item.name = str(wanted["name"])
        _change(item, wanted, members)
        changed.append(item)
    state.save_items(model, thing.id, changed)
    counts: dict[str, Any] = {
        "updated": len(changed),
        "ignored": len(failures),
        "total": len(asked),
    }
    return enveloped("listItem", **counts, failures=failures)


def _identified(members: Members, wanted: dict[str, Any]) -> Item | None:
    if wanted.get("id"):
        item = members.by_id.get(str(wanted["id"]))
        return item if item and (not item.code or wanted.get("code") == item.code) else None
    if wanted.get("code"):
        return members.by_code.get(str(wanted["code"]))
    item = members.by_name.get(str(wanted.get("name", "")))
    return item if item and not item.code else None


def _delete(exchange: Exchange) -> Response:
    thing, asked = exchange.thing("list", "list"), _asked(exchange)
    members = Members(exchange.state.items(exchange.model, thing.id))
    gone, failures = [], []
    for n, wanted in enumerate(asked):
        by_id = members.by_id.get(str(wanted.get("id", "")))
        item = by_id or members.by_code.get(str(wanted.get("code", "")))
        if item is None:
            failures.append(_failure(n, "INCORRECT_FORMAT", "item not found"))
        else:
            gone.append(item.id)
    remove_items(exchange.state, exchange.model, gone, thing.id)
    return enveloped("listItem", deleted=len(gone), failures=failures)


def reset_index(exchange: Exchange) -> Response:
    """`POST …/resetIndex`: 200 and empty, 400 unless the list is empty (A072)."""
    thing = exchange.thing("list", "list")
    if exchange.state.items(exchange.model, thing.id):
        raise Refusal(400, "The list is not empty")
    return Response(200)
