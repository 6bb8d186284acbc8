"""The simple GET form of the data service: its query parameters as a data request (J074)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tieout.sim.jde.message import SIGN_IN
from tieout.sim.jde.refusal import undocumented

_OPERATORS = {
    "EQ": "EQUAL", "NE": "NOT_EQUAL", "LT": "LESS", "LE": "LESS_EQUAL", "GT": "GREATER",
    "GE": "GREATER_EQUAL", "STARTSWITH": "STR_START_WITH", "ENDSWITH": "STR_END_WITH",
    "CONTAINS": "STR_CONTAIN",
}  # fmt: skip
_FILTER = re.compile(r"(\S+) (\S+) (.*?)(?: (TODAY_\w+))?")
_PARAMETERS = {
    *SIGN_IN, "$filter", "$filterType", "$field", "$limit", "$sort", "$outputType", "$allowCache",
}  # fmt: skip


def data_request(table: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
    """The data request that `GET /v2/dataservice/table/{table}?…` stands for."""
    unknown = set(query) - _PARAMETERS
    if unknown:
        raise undocumented(f"undocumented parameters: {', '.join(sorted(unknown))}")
    conditions = [_condition(text) for text in query.get("$filter", [])]
    body: dict[str, Any] = {
        "targetName": table,
        "targetType": "table",
        "findOnEntry": "true",
        "outputType": query.get("$outputType", ["GRID_DATA"])[0],
        "returnControlIDs": "|".join(query.get("$field", [])),
        "query": {
            "condition": conditions,
            "matchType": query.get("$filterType", ["MATCH_ALL"])[0],
        },
        "aggregation": {"orderBy": [_order(text) for text in query.get("$sort", [])]},
    }
    if "$limit" in query:
        body["maxPageSize"] = query["$limit"][0]
    return body | {SIGN_IN[k]: v[0] for k, v in query.items() if k in SIGN_IN}


def _condition(text: str) -> dict[str, Any]:
    found = _FILTER.fullmatch(text)
    if not found or found[2] not in _OPERATORS:
        raise undocumented(f"$filter {text!r}")
    control, operator, content, special = found.groups()
    value = {"content": content, "specialValueId": special or "LITERAL"}
    return {"controlId": control, "operator": _OPERATORS[operator], "value": [value]}


def _order(text: str) -> dict[str, str]:
    direction = "DESC" if text.startswith("-") else "ASC"
    return {"column": text.removeprefix("-"), "direction": direction}
