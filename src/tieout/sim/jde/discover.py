"""The discovery of orchestrations: `GET /discover` and the OpenAPI catalog, by their documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tieout.sim.jde.config import AIS_VERSION
from tieout.sim.jde.orchestrations import NUMERIC, ORCHESTRATIONS, Input, Orchestration
from tieout.sim.jde.switches import Switches

MEDIA = ("application/json", "application/xml")
_SHORT = ("name", "description", "inputFormat", "inputs")
_STATUSES = (("400", "Bad Request"), ("403", "Authorization Failure"), ("406", "Not Acceptable"),
             ("415", "Unsupported Media Type"), ("444", "Invalid Token"),
             ("500", "Internal Server Error"))  # fmt: skip
_HEADERS = ("jde-AIS-Auth", "jde-AIS-Auth-Device")
_EXPLAINED = ("403", "444", "500")


def listed(switches: Switches) -> list[Orchestration]:
    """J078: the orchestrations that their authors show."""
    hidden = switches["hidden_orchestrations"]
    added = switches["added_inputs"]
    return [
        replace(made, inputs=(*made.inputs, *(Input(*i) for i in added.get(made.name, {}).items())))
        for made in ORCHESTRATIONS.values()
        if made.name not in hidden
    ]


def discovery(found: list[Orchestration], switches: Switches) -> dict[str, Any]:
    """J099: the answer of `GET /discover`."""
    return {"orchestrations": [_entry(made, switches) for made in found]}


def _entry(made: Orchestration, switches: Switches) -> dict[str, Any]:
    shown = made.name not in switches["hidden_inputs"]
    entry: dict[str, Any] = {
        "name": made.name, "description": made.description, "longDescription": made.description,
        "category": made.category, "omwObjectName": made.object_name, "udoGroup": "Shared",
        "version": "v3", "inputFormat": switches["input_format"],
        "inputs": _inputs(made, switches) if shown else [],
        "outputs": [{"name": name} for name in _output_names(made)], "exampleOutput": "",
        "containsContinueOnError": False, "exposeOrchInDiscovery": True,
        "exposeInputsInDiscovery": shown, "fileInputs": False, "fileInputsRequired": False,
        "fileOutputs": False,
    }  # fmt: skip
    if switches["discover_detail"] == "short":  # J076
        return {name: entry[name] for name in _SHORT}
    return entry


def _output_names(made: Orchestration) -> list[str]:
    return [o.name for o in made.outputs] + ([made.output_array] if made.output_array else [])


def _inputs(made: Orchestration, switches: Switches) -> list[dict[str, Any]]:
    inputs: list[dict[str, Any]] = [{"name": i.name, "type": i.kind} for i in made.inputs]
    if not made.array:
        return inputs
    item: dict[str, Any] = {"name": made.array}
    shape = switches["discover_arrays"]  # J077
    if shape == "objects":
        item["array"] = [{"name": i.name, "type": i.kind} for i in made.row]
    elif shape == "names":
        item["array"] = [i.name for i in made.row]
    return [*inputs, item | {"defaultValues": []}]


def catalog(found: list[Orchestration], switches: Switches) -> dict[str, Any]:
    """J080: the answer of `GET /v3/open-api-catalog3`: an OpenAPI 3 document."""
    schemas: dict[str, Any] = {"ERROR": _error(), "CONTINUED_ON_ERROR": _continued()}
    for made in found:
        schemas |= _schemas(made, switches)
    return {
        "openapi": "3.0.1",
        "info": {"title": "JD Edwards EnterpriseOne", "version": AIS_VERSION.strip()},
        "servers": [{"url": f"{switches['advertised_url']}/jderest/v3/orchestrator"}],
        "security": [{"basicAuth": []}],
        "paths": {f"/{made.name}": _path(made) for made in found},
        "components": {
            "schemas": schemas,
            "securitySchemes": {"basicAuth": {"type": "http", "scheme": "basic"}},
        },
    }


def _path(made: Orchestration) -> dict[str, Any]:
    """POST, and GET with query parameters unless there is an array input."""
    headers = [_parameter("header", name, "string") for name in _HEADERS]
    reference = _reference(made.object_name)
    post = {
        "tags": [made.category], "summary": made.description, "operationId": f"post{made.name}",
        "parameters": headers, "responses": _responses(made),
        "requestBody": {"required": True, "content": {m: {"schema": reference} for m in MEDIA}},
    }  # fmt: skip
    if made.array:
        return {"post": post}
    query = [_parameter("query", i.name, _type(i)["type"]) for i in made.inputs]
    get = {
        "tags": [made.category], "summary": made.description, "operationId": f"get{made.name}",
        "parameters": [*headers, *query], "responses": _responses(made),
    }  # fmt: skip
    return {"post": post, "get": get}


def _parameter(place: str, name: str, kind: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": False, "schema": {"type": kind}}


def _responses(made: Orchestration) -> dict[str, Any]:
    schema = _reference(f"{made.object_name}_Output")
    media = (*MEDIA, "application/octet-stream")
    answers: dict[str, Any] = {
        "200": {"description": "OK", "content": {m: {"schema": schema} for m in media}}
    }
    for status, text in _STATUSES:
        answers[status] = {"description": text}
        if status in _EXPLAINED:
            answers[status]["content"] = {m: {"schema": _reference("ERROR")} for m in MEDIA}
    return answers


def _schemas(made: Orchestration, switches: Switches) -> dict[str, Any]:
    """Flat properties: inputs, outputs, and one row set per array."""
    name = made.object_name
    shown = made.name not in switches["hidden_inputs"]
    inputs = {i.name: _type(i) for i in made.inputs} if shown else {}
    schemas: dict[str, Any] = {}
    if made.array and shown:
        schemas |= _row_set(f"{name}Grid_{made.array}_RowSet", made.row)
        inputs[made.array] = _array(f"{name}Grid_{made.array}_RowSet")
    outputs = {o.name: _type(o) for o in made.outputs}
    if made.output_array:
        schemas |= _row_set(f"{name}_OutputGrid_{made.output_array}_RowSet", made.output_row)
        outputs[made.output_array] = _array(f"{name}_OutputGrid_{made.output_array}_RowSet")
    schemas[name] = {"type": "object", "properties": inputs}
    schemas[f"{name}_Output"] = {"type": "object", "properties": outputs}
    return schemas


def _row_set(name: str, columns: tuple[Input, ...]) -> dict[str, Any]:
    return {name: {"type": "object", "properties": {c.name: _type(c) for c in columns}}}


def _array(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _reference(name)}


def _type(column: Input) -> dict[str, str]:
    return {"type": "number" if column.kind == NUMERIC else "string"}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _error() -> dict[str, Any]:
    """The catalog writes `timestamp` where the bodies say `timeStamp`."""
    names = ("message", "exception", "timestamp")
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}}


def _continued() -> dict[str, Any]:
    names = ("step", "message", "timeStamp", "userDefinedErrorText", "type")
    properties: dict[str, Any] = {name: {"type": "string"} for name in names}
    properties |= {"iteration": {"type": "integer"}, "exceptionProcessResponse": {"type": "object"}}
    return {"type": "object", "properties": properties}
