"""A model is catalogued whatever it says of itself: new kinds, odd values, missing names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from planning import Planning

from tieout.anaplan.catalogue import CATALOGUED, everything
from tieout.sim.box import Request, Response, System, json_response

MODEL = {"id": "M", "name": "FP&A 2026", "currentWorkspaceId": "w",
         "currentWorkspaceName": "Finance", "activeState": "ASLEEP", "new": {"x": [1]}}  # fmt: skip
ODD: list[dict[str, Any]] = [
    {"id": "112000000001", "name": "Load", "importType": {"kind": "NEW"}, "layout": 7},
    {"id": "112000000002", "name": None, "importDataSourceId": ["113"], "moduleId": None},
    {"id": 112000000003, "name": "A number as id", "importType": "NEVER_SEEN"},
    {"name": "No id at all"},
]


class Odd:
    """An Anaplan of a later year."""

    name = "odd"

    def handle(self, request: Request) -> Response:
        if request.path.startswith("/token"):
            return json_response(201, {"tokenInfo": {"tokenValue": "t", "expiresAt": 1}})
        if request.path.endswith("/models"):
            return json_response(200, {"models": [MODEL]})
        if request.path.rpartition("/")[2] in CATALOGUED:
            return json_response(200, dict.fromkeys(CATALOGUED, ODD) | {"more": [1]})
        return json_response(404, {})

    def control(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        raise ValueError(verb)


@pytest.mark.parametrize("named", [(), ("Load", "112000000002", "A number as id")])
def test_what_nobody_knows_is_left_out_and_stops_nothing(
    served: Callable[[System], Planning], named: tuple[str, ...]
) -> None:
    found = list(everything(served(Odd()).client, named))
    assert len(found) == 3 * len(CATALOGUED)
    imports = [thing for thing in found if thing.kind == "import"]
    assert [(t.id, t.name, dict(t.told)) for t in imports] == [
        ("112000000001", "Load", {}),
        ("112000000002", "112000000002", {}),
        ("112000000003", "A number as id", {"type": "NEVER_SEEN"}),
    ]
