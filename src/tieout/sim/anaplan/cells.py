"""Reading views through the API: metadata, cell data as CSV or JSON, members of dimensions."""

from __future__ import annotations

from typing import Any

from tieout.sim.anaplan.state import LINE_ITEMS_ID, TIME_ID
from tieout.sim.anaplan.views import (
    LAYOUTS,
    Grid,
    View,
    dimension_name,
    grid_rows,
    layout_rows,
    saved_view_name,
    view_of,
)
from tieout.sim.anaplan.wire import Exchange, Refusal, csv_text, enveloped, paged
from tieout.sim.box import Response, json_response


def _view(exchange: Exchange) -> View:
    view = view_of(exchange.state, exchange.model, exchange.ids["view"])
    if view is None:
        raise Refusal(404)
    return view


def list_views(exchange: Exchange) -> Response:
    """All views of the model, or of one module: default views and saved ones (A079)."""
    only = exchange.ids.get("module")
    state, model = exchange.state, exchange.model
    rows = []
    for module in state.things(model, "module"):
        if only and module.id != only:
            continue
        name = "default" if only else module.name
        rows.append({"id": module.id, "name": name, "code": "", "moduleId": module.id})
        for view in state.things(model, "view"):
            if view.data["module"] == module.id:
                name = view.name if only else saved_view_name(state, model, view)
                rows.append({"id": view.id, "name": name, "code": "", "moduleId": module.id})
    if only and not rows:
        raise Refusal(404)
    return paged(exchange, "view", "views", rows)


def get_view(exchange: Exchange) -> Response:
    """The dimensions on each axis; an axis without dimensions is left out (A079)."""
    view, state, model = _view(exchange), exchange.state, exchange.model
    axes: dict[str, Any] = {
        axis: [{"id": d, "name": dimension_name(state, model, d)} for d in dimensions]
        for axis, dimensions in (
            ("rows", view.rows), ("columns", view.columns), ("pages", view.pages),
        )
    }  # fmt: skip
    return enveloped("view", viewName=view.name, viewId=view.id, **axes)


def get_data(exchange: Exchange) -> Response:
    """`GET …/views/{id}/data`: CSV (A074), or JSON with `format=v1` (A075); a cell cap (A076)."""
    view, state = _view(exchange), exchange.state
    layout = exchange.query("exportType")
    if layout and (layout not in LAYOUTS or not exchange.query("moduleId")):
        raise Refusal(400, "exportType and moduleId go together")  # A085
    grid = Grid(state, exchange.model, view)
    if grid.cell_count() > int(state.switch("cells_max")):
        raise Refusal(400, "The view contains more than 1000000 cells")
    chosen = _chosen(exchange, grid)
    if exchange.query("format") == "v1" and exchange.accepts("application/json"):
        return _json(exchange, grid, chosen)
    rows: Any = grid_rows(grid, chosen)
    if layout:
        rows = layout_rows(state, exchange.model, view.id, layout)
    text = csv_text(rows, quote_all="escaped=true" in exchange.request.headers.get("accept", ""))
    return Response(200, _head(exchange, grid, text).encode(), content_type="text/csv")


def _head(exchange: Exchange, grid: Grid, text: str) -> str:
    """At most `maxRows` data rows; header lines do not count (A085)."""
    most = exchange.query("maxRows")
    if not most.isdigit():
        return text
    heads = 1 if exchange.query("exportType") else len(grid.view.columns) + bool(grid.view.pages)
    return "".join(text.splitlines(keepends=True)[: heads + int(most)])


def _chosen(exchange: Exchange, grid: Grid) -> dict[str, str]:
    """The member chosen for each page dimension; the first one by default (A085)."""
    chosen = {d: grid.members[d][0] for d in grid.view.pages}
    pairs = [p for text in exchange.request.query.get("pages", []) for p in text.split(",") if p]
    for pair in pairs:
        dimension, _, member = pair.partition(":")
        if dimension not in chosen or member not in grid.names.get(dimension, {}):
            raise Refusal(400, f"Invalid page selection [{pair}]")
        chosen[dimension] = member
    return chosen


def _json(exchange: Exchange, grid: Grid, chosen: dict[str, str]) -> Response:
    columns, lines = grid.page(chosen)
    view = grid.view
    shown: dict[str, Any] = {}
    if view.pages:
        shown["pages"] = [grid.names[d][chosen[d]] for d in view.pages]
    shown["columnCoordinates"] = [grid.named(view.columns, c) for c in columns]
    rows = [{"rowCoordinates": grid.named(view.rows, r), "cells": cells} for r, cells in lines]
    most = exchange.query("maxRows")
    shown["rows"] = rows[: int(most)] if most.isdigit() else rows
    return json_response(200, shown)


def dimension_items(exchange: Exchange) -> Response:
    """Members of a dimension: id, name, code; Time only within a view or line item (A084)."""
    dimension = exchange.ids["dimension"]
    within = "view" in exchange.ids or "line_item" in exchange.ids
    if dimension == TIME_ID and not within:
        raise Refusal(400, "Time dimension is not supported")
    items = exchange.state.items(exchange.model, dimension)
    if dimension == LINE_ITEMS_ID:
        things = exchange.state.things(exchange.model, "line_item")
        rows = [{"id": t.id, "name": t.name, "code": ""} for t in things]
    elif items or exchange.state.thing(exchange.model, dimension, "list"):
        rows = [{"id": i.id, "name": i.name, "code": i.code} for i in items]
    else:
        raise Refusal(404)
    return paged(exchange, "dimension", "items", rows)


def find_items(exchange: Exchange) -> Response:
    """`POST …/dimensions/{id}/items`: members by `names` or `codes` (A084)."""
    body = exchange.body()
    exchange.thing("dimension", "list")
    names, codes = set(body.get("names") or []), set(body.get("codes") or [])
    items = exchange.state.items(exchange.model, exchange.ids["dimension"])
    rows = [
        {"id": i.id, "name": i.name, "code": i.code}
        for i in items
        if i.name in names or (i.code and i.code in codes)
    ]
    return enveloped("dimension", items=rows)
