"""What exists: users, workspaces, models, modules, line items, actions, and their metadata."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

from tieout.sim.anaplan.state import LINE_ITEMS_ID, Thing
from tieout.sim.anaplan.tasks import KINDS
from tieout.sim.anaplan.tenants import workspaces_of
from tieout.sim.anaplan.views import Grid, dimension_name, layout_rows, view_of
from tieout.sim.anaplan.wire import Exchange, Refusal, enveloped, paged
from tieout.sim.box import Response

ODD = "SOMETHING_NEW"  # A046


def _sort_checked(exchange: Exchange, *fields: str) -> None:
    """`sort` on models, workspaces and users needs a sign and a known field (A018)."""
    sort = exchange.query("sort")
    if sort and (sort[0] not in "+- " or sort[1:] not in fields):
        raise Refusal(400, f"Invalid sort parameter: {sort}")


def get_me(exchange: Exchange) -> Response:
    """`GET /users/me` and `/users/{id}` (A022)."""
    wanted = exchange.ids.get("user_id", "me")
    id_ = exchange.user if wanted == "me" else wanted
    return enveloped("user", user=_user_json(exchange, id_))


def _user_json(exchange: Exchange, id_: str) -> dict[str, Any]:
    row = exchange.state.row("select id, email, data from users where id = ?", id_)
    if row is None:
        raise Refusal(404)
    names = {"firstName": "Integration", "lastName": "User"} | json.loads(row[2])
    return {
        "id": row[0], "active": True, "email": row[1], "emailOptIn": True, **names,
        "customerId": exchange.state.meta("customer", ""),
        "lastLoginDate": "2026-11-23T08:00:00.000+0000",
    }  # fmt: skip


def list_users(exchange: Exchange) -> Response:
    """`GET /users`."""
    _sort_checked(exchange, "firstName", "lastName", "email", "active", "lastLoginDate")
    ids = [r[0] for r in exchange.state.rows("select id from users order by email")]
    return paged(exchange, "user", "users", [_user_json(exchange, i) for i in ids])


def _workspace_json(exchange: Exchange, row: Any) -> dict[str, Any]:
    """Sizes only with `tenantDetails` (A020)."""
    shown = {"id": row[0], "name": row[1], "active": True}
    if exchange.flag("tenantDetails"):
        shown |= {"sizeAllowance": 1073741824, "currentSize": 474900}
    return shown


def list_workspaces(exchange: Exchange) -> Response:
    """`GET /workspaces`."""
    _sort_checked(exchange, "name", "sizeAllowance", "currentSize", "active")
    mine = workspaces_of(exchange.state, exchange.user)
    rows = exchange.state.rows("select id, name from workspaces order by name")
    shown = [_workspace_json(exchange, r) for r in rows if r[0] in mine]
    return paged(exchange, "workspace", "workspaces", shown)


def get_workspace(exchange: Exchange) -> Response:
    """`GET /workspaces/{id}`: a single object under a singular key (A023)."""
    row = exchange.state.row(
        "select id, name from workspaces where id = ?", exchange.ids["workspace"]
    )
    if row is None or row[0] not in workspaces_of(exchange.state, exchange.user):
        raise Refusal(404)
    return enveloped("workspace", workspace=_workspace_json(exchange, row))


def _model_json(exchange: Exchange, row: Any) -> dict[str, Any]:
    """One model; memory, serial number and the like only with `modelDetails` (A021)."""
    id_, name, workspace, data = row[0], row[1], row[2], json.loads(row[3])
    space = exchange.state.row("select name from workspaces where id = ?", workspace)[0]
    state = ODD if exchange.state.switch("odd_enums") else data["activeState"]
    shown: dict[str, Any] = {
        "id": id_, "activeState": state, "name": name, "currentWorkspaceId": workspace,
        "currentWorkspaceName": space, "categoryValues": [],
        "modelUrl": f"https://us1a.app.anaplan.com/core3/index.html#/w={workspace}&m={id_}",
        "isoCreationDate": "2022-02-10T19:14:23.000+0000",
        "lastModified": "2022-02-10T19:14:24.000+0000",
    }  # fmt: skip
    if exchange.flag("modelDetails"):
        shown |= {
            "memoryUsage": 474900, "lastSavedSerialNumber": 2000000,
            "lastModifiedByUserGuid": exchange.user,
            "modelTransactionRunning": _running(exchange, id_) is not None,
        }  # fmt: skip
    return shown


def _running(exchange: Exchange, model: str) -> Any:
    return exchange.state.row(
        "select t.id, u.email, t.started, t.kind from tasks t join users u on u.id = t.user "
        "where t.model = ? and t.state = 'IN_PROGRESS'",
        model,
    )


def list_models(exchange: Exchange) -> Response:
    """`GET /models` and `GET /workspaces/{w}/models` (A021)."""
    _sort_checked(exchange, "name", "activeState", "currentWorkspaceName", "currentWorkspaceId")
    only = exchange.ids.get("workspace")
    rows = exchange.state.rows("select id, name, workspace, data from models order by name")
    mine = workspaces_of(exchange.state, exchange.user)
    if only and only not in mine:
        raise Refusal(404)
    shown = [_model_json(exchange, r) for r in rows if r[2] in mine and only in (None, r[2])]
    return paged(exchange, "model", "models", shown)


def get_model(exchange: Exchange) -> Response:
    """`GET /models/{id}`."""
    row = exchange.state.row(
        "select id, name, workspace, data from models where id = ?", exchange.model
    )
    return enveloped("model", model=_model_json(exchange, row))


def status(exchange: Exchange) -> Response:
    """`…/status`: no envelope; progress -1.0 when idle, else who runs what since when (A068)."""
    data = json.loads(exchange.state.row("select data from models where id = ?", exchange.model)[0])
    running = _running(exchange, exchange.model)
    now = round(exchange.clock.now() * 1000)
    shown: dict[str, Any] = {
        "peakMemoryUsageEstimate": None, "peakMemoryUsageTime": None, "progress": -1.0,
        "currentStep": "Closed" if data.get("closed") else "Open", "tooltip": None,
        "exportTaskType": None, "creationTime": now, "taskId": None,
    }  # fmt: skip
    if running is not None:
        shown |= {
            "progress": 0.5, "currentStep": "Processing ...", "taskId": running[0],
            "tooltip": f"{running[3]} run by {running[1]}, started {round(running[2] * 1000)}",
        }  # fmt: skip
    return Response(200, json.dumps({"requestStatus": shown}).encode())


def open_model(exchange: Exchange) -> Response:
    """`POST …/open`: 202 and empty, 200 when it is open already (A070)."""
    return Response(202 if _set_closed(exchange, closed=False) else 200)


def close_model(exchange: Exchange) -> Response:
    """`POST …/close`: 204 and empty (A070)."""
    _set_closed(exchange, closed=True)
    return Response(204)


def wake(exchange: Exchange) -> None:
    """A closed model opens by itself at the first call that needs it (A070)."""
    _set_closed(exchange, closed=False)


def _set_closed(exchange: Exchange, *, closed: bool) -> bool:
    row = exchange.state.row("select data from models where id = ?", exchange.model)
    data = json.loads(row[0])
    changed = bool(data.get("closed")) is not closed
    data["closed"] = closed
    exchange.state.do("update models set data = ? where id = ?", json.dumps(data), exchange.model)
    return changed


def list_modules(exchange: Exchange) -> Response:
    """`GET …/modules`."""
    things = exchange.state.things(exchange.model, "module")
    return paged(exchange, "module", "modules", [{"id": t.id, "name": t.name} for t in things])


def list_line_items(exchange: Exchange) -> Response:
    """Line items of the model or of one module; with `includeAll` their settings (A084)."""
    only = exchange.ids.get("module")
    if only:
        exchange.thing("module", "module")
    things = [
        t for t in exchange.state.things(exchange.model, "line_item")
        if only in (None, t.data["module"])
    ]  # fmt: skip
    return enveloped("lineItem", items=[_line_item_json(exchange, t) for t in things])


def _line_item_json(exchange: Exchange, thing: Thing) -> dict[str, Any]:
    module = exchange.state.thing(exchange.model, thing.data["module"], "module")
    assert module is not None
    shown = {
        "id": thing.id, "name": thing.name, "moduleId": module.id, "moduleName": module.name,
    }  # fmt: skip
    if not exchange.flag("includeAll"):
        return shown
    lists = [d for d in module.data["dimensions"] if d.startswith("101")]
    version = {"id": "20000000020", "name": "Not applicable"}
    return shown | {
        "format": thing.data["format"], "formatMetadata": _format(thing), "summary": "Sum",
        "appliesTo": [
            {"id": d, "name": dimension_name(exchange.state, exchange.model, d)} for d in lists
        ],
        "timeScale": "Month", "timeRange": "Model Calendar", "version": version,
        "style": "NORMAL", "notes": "", "isSummary": False,
        "formula": thing.data.get("formula"), "formulaScope": "ALL_VERSIONS",
        "useSwitchover": False, "breakback": False, "broughtForward": False,
        "startOfSection": False,
    }  # fmt: skip


def _format(thing: Thing) -> dict[str, Any]:
    kind = thing.data["format"]
    if kind == "TEXT":
        return {"dataType": "TEXT", "textType": "GENERAL"}
    if kind != "NUMBER":
        return {"dataType": kind}
    return {
        "dataType": "NUMBER", "comparisonIncrease": "GOOD", "customUnits": None,
        "decimalPlaces": -1, "decimalSeparator": "FULL_STOP", "unitsDisplayType": "NONE",
        "unitsType": "NONE", "zeroFormat": "ZERO", "groupingSeparator": "COMMA",
        "minimumSignificantDigits": 4, "negativeNumberNotation": "MINUS_SIGN",
    }  # fmt: skip


def line_item_dimensions(exchange: Exchange) -> Response:
    """The dimensions of one line item (A084)."""
    thing = exchange.thing("line_item", "line_item")
    module = exchange.state.thing(exchange.model, thing.data["module"], "module")
    assert module is not None
    rows = [
        {"id": d, "name": dimension_name(exchange.state, exchange.model, d)}
        for d in module.data["dimensions"]
        if d != LINE_ITEMS_ID
    ]
    return enveloped("dimension", dimensions=rows)


def list_actions(exchange: Exchange) -> Response:
    """`GET …/imports|exports|processes|actions`: ids and names, and what links them (A082)."""
    kind = exchange.ids["kind"]
    rows = [_action_json(exchange, t) for t in exchange.state.things(exchange.model, KINDS[kind])]
    return paged(exchange, KINDS[kind], kind, rows)


def _action_json(exchange: Exchange, thing: Thing) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": thing.id, "name": thing.name}
    odd = bool(exchange.state.switch("odd_enums"))
    if thing.kind == "import":
        shown["importDataSourceId"] = thing.data["source"]
        shown["importType"] = ODD if odd else thing.data["importType"]
    elif thing.kind == "export":
        layout = ODD if odd else thing.data["layout"]
        shown |= {
            "exportType": layout, "exportFormat": "text/csv", "encoding": "UTF-8",
            "layout": layout,
        }  # fmt: skip
    elif thing.kind == "action":
        shown["actionType"] = "DELETE_BY_SELECTION"
    return shown


def get_import(exchange: Exchange) -> Response:
    """`importMetadata`: the stored mapping's headers, whatever was uploaded since (A053)."""
    thing = exchange.thing("action", "import")
    file = exchange.state.thing(exchange.model, thing.data["source"], "file")
    metadata: dict[str, Any] = {"name": thing.name, "type": "FILE"}
    if file is not None:
        metadata["source"] = {
            "textEncoding": file.data["encoding"], "columnSeparator": file.data["separator"],
            "textDelimiter": file.data["delimiter"], "headerRow": file.data["headerRow"],
            "firstDataRow": file.data["firstDataRow"], "decimalSeparator": ".",
            "headerNames": thing.data["headers"], "columnCount": len(thing.data["headers"]),
        }  # fmt: skip
    return enveloped("importMetadata", importMetadata=metadata)


def get_export(exchange: Exchange) -> Response:
    """`exportMetadata`; its row count is an estimate (A082)."""
    thing = exchange.thing("action", "export")
    state, model = exchange.state, exchange.model
    view = view_of(state, model, thing.data["view"])
    if view is None:
        raise Refusal(404)
    head = next(layout_rows(state, model, view.id, thing.data["layout"]), [])
    grid = Grid(state, model, view)
    labels = sum(1 for name in head if name in set(_dimension_names(exchange, grid)))
    metadata = {
        "columnCount": len(head), "rowCount": grid.cell_count(), "headerNames": head,
        "dataTypes": ["ENTITY"] * labels + _value_types(grid, thing, len(head) - labels),
        "listNames": [n if n in _dimension_names(exchange, grid) else "" for n in head],
        "exportFormat": "text/csv", "encoding": "UTF-8", "delimiter": '"', "separator": ",",
        "layout": thing.data["layout"],
    }  # fmt: skip
    return enveloped("exportMetadata", exportMetadata=metadata)


def _value_types(grid: Grid, export: Thing, columns: int) -> list[str]:
    """Formats are known where the line items stand in columns, else each is "MIXED" (A082)."""
    if export.data["layout"] != "TABULAR_MULTI_COLUMN" or LINE_ITEMS_ID not in grid.view.columns:
        return ["MIXED"] * columns
    place = grid.view.columns.index(LINE_ITEMS_ID)
    formats = {t.id: str(t.data["format"]) for t in grid.line_items}
    return [formats[key[place]] for key in product(*(grid.members[d] for d in grid.view.columns))]


def _dimension_names(exchange: Exchange, grid: Grid) -> list[str]:
    return [dimension_name(exchange.state, exchange.model, d) for d in grid.dimensions]


def get_process(exchange: Exchange) -> Response:
    """`processMetadata`: the actions in order (A082)."""
    thing = exchange.thing("action", "process")
    actions = []
    for id_ in thing.data["actions"]:
        action = exchange.state.thing(exchange.model, id_)
        if action is None:
            continue
        kind = {"import": "IMPORT", "export": "EXPORT"}.get(action.kind, "DELETE_BY_SELECTION")
        shown = {"id": id_, "name": action.name, "actionType": kind}
        if action.kind == "import" and exchange.flag("showImportDataSource"):
            shown["importDataSourceId"] = action.data["source"]
            shown["importType"] = action.data["importType"]
        actions.append(shown)
    return enveloped("processMetadata", processMetadata={"name": thing.name, "actions": actions})
