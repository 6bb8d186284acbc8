"""The description of the API, OpenAPI 3.1, made from its table; `/api/v1/openapi.json`."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec

from tieout.web.api import values
from tieout.web.api.answering import BODY_BYTES_MAX, JSON, KEY_HEADER
from tieout.web.api.operation import File, Operation
from tieout.web.api.operations import OPERATIONS, PREFIX
from tieout.web.api.problems import PROBLEM
from tieout.web.render import VERSION

_REFERENCE = "#/components/schemas/{name}"
# Status → what it means, for every operation; those that fit only some are left out below.
PROBLEMS = {
    400: "The body is no JSON.", 401: "No token, or one that acts for nobody.",
    403: "Who holds the token may not do this.", 404: "What the path names does not exist.",
    409: "Somebody else holds what this needs, or it is not in the state for it.",
    413: f"The body is larger than {BODY_BYTES_MAX} bytes.",
    422: "What was asked is not understood, or cannot be.",
    429: "Too many calls; Retry-After says how many seconds to wait.",
    502: "It may have been done, and nobody knows: look before it is asked again.",
    503: "Try again later.",
}  # fmt: skip


@cache
def description() -> dict[str, Any]:
    """The whole description."""
    kinds: list[Any] = [values.Problem]
    for operation in OPERATIONS:
        kinds += [] if isinstance(operation.answers, File) else [operation.answers]
        kinds += [operation.body] if operation.body else []
    unique = list(dict.fromkeys(kinds))
    _, components = msgspec.json.schema_components(unique, ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        told = paths.setdefault(PREFIX + operation.path, {})
        told[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tieout", "version": VERSION, "license": {"name": "Apache-2.0"},
            "description": "Amounts are decimal strings. A command with an Idempotency-Key is "
            "carried out once. A list says in `next` where its next page begins; empty: it ends.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }  # fmt: skip


def _operation(operation: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.name, "summary": (operation.do.__doc__ or "").strip(),
        "description": f"Takes the right to “{operation.act}”.",
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": {str(operation.status): _answer(operation)} | _problems(operation),
    }  # fmt: skip
    if operation.method != "GET":
        told["parameters"].append({
            "name": KEY_HEADER, "in": "header", "required": False,
            "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        })  # fmt: skip
    if operation.body is not None:
        told["requestBody"] = {"required": True, "content": {JSON: _schema(operation.body)}}
    return told


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", operation.path)
    one = {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}
    return [{"name": n, "in": "path", "required": True, "schema": one} for n in names]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    [_], components = msgspec.json.schema_components([operation.query], ref_template=_REFERENCE)
    properties = components[operation.query.__name__]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in properties.items()
    ]


def _answer(operation: Operation) -> dict[str, Any]:
    if isinstance(operation.answers, File):
        binary = {"schema": {"type": "string", "format": "binary"}}
        return {"description": "The file.", "content": {operation.answers.media_type: binary}}
    return {"description": "Done.", "content": {JSON: _schema(operation.answers)}}


def _schema(kind: Any) -> dict[str, Any]:
    return {"schema": {"$ref": _REFERENCE.format(name=kind.__name__)}}


def _problems(operation: Operation) -> dict[str, Any]:
    left_out = set()
    if operation.loads is None:
        left_out.add(404)
    if operation.method == "GET":
        left_out |= {400, 413}
    content = {PROBLEM: _schema(values.Problem)}
    return {
        str(status): {"description": words, "content": content}
        for status, words in PROBLEMS.items()
        if status not in left_out
    }
