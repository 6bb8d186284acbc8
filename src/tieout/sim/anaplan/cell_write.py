"""`POST …/modules/{id}/data`: cells written one by one, failures told per request index."""

from __future__ import annotations

from typing import Any

from tieout.sim.anaplan.module_import import lookup, parsed, stored
from tieout.sim.anaplan.state import State, Thing
from tieout.sim.anaplan.views import dimension_name
from tieout.sim.anaplan.wire import Exchange, Refusal, enveloped
from tieout.sim.box import Response

CELLS_MAX = 100_000  # A073
BODY_BYTES_MAX = 15_000_000  # A073


class Coordinates:
    """Finds line items and cell keys of one module from ids, names or codes."""

    def __init__(self, state: State, model: str, module: Thing) -> None:
        self.dimensions: list[str] = module.data["dimensions"]
        self.names = {dimension_name(state, model, d): d for d in self.dimensions}
        self.found = {d: lookup(state, model, d) for d in self.dimensions}
        self.ids = {d: {i.id for i in state.items(model, d)} for d in self.dimensions}
        self.line_items = {
            t.id: t for t in state.things(model, "line_item") if t.data["module"] == module.id
        }

    def line_item(self, wanted: dict[str, Any]) -> Thing | None:
        """By `lineItemId` or `lineItemName`."""
        name = wanted.get("lineItemName")
        by_name = (t for t in self.line_items.values() if t.name == name)
        return self.line_items.get(str(wanted.get("lineItemId", ""))) or next(by_name, None)

    def key(self, coordinates: list[dict[str, Any]]) -> tuple[str, bool] | None:
        """(cell key, whether it is a total), or None when a member is missing or unknown."""
        members: dict[str, str] = {}
        for one in coordinates:
            name = str(one.get("dimensionName", ""))
            dimension = str(one.get("dimensionId") or self.names.get(name, ""))
            if dimension not in self.found:
                continue
            member = str(one.get("itemId", ""))
            if member not in self.ids[dimension]:
                text = str(one.get("itemCode") or one.get("itemName") or "")
                member = self.found[dimension][0].get(text, "")
            if member:
                members[dimension] = member
        if len(members) < len(self.dimensions):
            return None
        total = any(m in self.found[d][1] for d, m in members.items())
        return "|".join(members[d] for d in self.dimensions), total


def write(exchange: Exchange) -> Response:
    """Cells that cannot be written are failures; the others are written (A073)."""
    module, asked = exchange.thing("module", "module"), exchange.body()
    if not isinstance(asked, list):
        raise Refusal(400, "The body is an array of cells")
    if len(asked) > CELLS_MAX or len(exchange.request.body) > BODY_BYTES_MAX:
        raise Refusal(400, f"At most {CELLS_MAX} cells or 15 MB per call")
    places = Coordinates(exchange.state, exchange.model, module)
    changed, failures = 0, []
    every = exchange.state.switch("cell_failure_types") == "words"  # A090
    for n, wanted in enumerate(asked):
        wrong = _write_one(exchange.state, places, wanted)
        changed += wrong is None
        calculated = wrong is not None and wrong[0] == "cellIsCalculated"
        if wrong is not None and (calculated or every):
            failures.append(
                {"requestIndex": n, "failureType": wrong[0], "failureMessageDetails": wrong[1]}
            )
    shown: Any = failures
    if not failures and exchange.state.switch("cell_failures_empty") == "empty":
        shown = ()  # serialised as [] (A073)
    return enveloped("writeCellDataResponse", numberOfCellsChanged=changed, failures=shown)


def _write_one(state: State, places: Coordinates, wanted: dict[str, Any]) -> tuple[str, str] | None:
    line_item = places.line_item(wanted)
    if line_item is None:
        return "invalidLineItem", "the line item does not exist"
    key = places.key(wanted.get("dimensions") or [])
    if key is None:
        return "invalidDimensions", "a dimension item does not exist"
    if key[1] or line_item.data.get("formula"):
        text = "the cell is a calculated/aggregate cell and is not writeable"
        return "cellIsCalculated", text
    text = str(wanted.get("value", ""))
    value = parsed(line_item.data["format"], text)
    if value is None:
        return "invalidFormat", f"value: {text}"
    put_cell(state, line_item.id, key[0], stored(value))
    return None


def put_cell(state: State, line_item: str, key: str, text: str) -> None:
    """Write one cell; the empty text removes it."""
    if text:
        state.do("insert or replace into cells values (?, ?, ?)", line_item, key, text)
    else:
        state.do("delete from cells where line_item = ? and key = ?", line_item, key)
