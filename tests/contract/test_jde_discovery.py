"""Which orchestrations there are, and what they take: discovery and the OpenAPI catalog."""

from __future__ import annotations

from typing import Any

import pytest
from jde_practice import PASSWORD, USER
from journal_practice import PLAN, RESERVE, Desk, documents

CATALOG = "/v3/open-api-catalog3"


def plan_entry(desk: Desk) -> dict[str, Any]:
    (entry,) = desk.get(f"/discover/{PLAN}").json()["orchestrations"]
    return dict(entry)


def test_discovery_names_every_orchestration_with_its_inputs_and_their_types(desk: Desk) -> None:
    """J099"""
    found = {e["name"]: e for e in desk.get("/discover").json()["orchestrations"]}
    assert set(found) == {PLAN, RESERVE, "JDE_ORCH_Sample_UpdateMeterReadings"}
    plan = found[PLAN]
    assert plan["inputFormat"] == "Generic"
    kinds = {i["name"]: i["type"] for i in plan["inputs"] if "type" in i}
    assert (kinds["BatchNumber"], kinds["Company"], kinds["GLDate"]) == (
        "Numeric",
        "String",
        "Date",
    )
    assert found[RESERVE]["inputs"] == [{"name": "Documents", "type": "Numeric"}]


def test_one_orchestration_is_found_by_its_name_or_its_object_name(desk: Desk) -> None:
    """J099"""
    entry = plan_entry(desk)
    assert [o["name"] for o in entry["outputs"]] == [*desk.plan().json()]
    again = desk.get(f"/discover/{entry['omwObjectName']}").json()["orchestrations"]
    assert again == [entry]
    assert desk.ais.send("POST", "/discover", headers=desk.headers()).status_code == 200
    assert desk.get("/v3/discover").status_code == 404  # only the path without version


def test_nobody_discovers_anything_without_signing_in(desk: Desk) -> None:
    """J099 J080"""
    for path in ("/discover", CATALOG, f"/discover/{PLAN}"):
        assert desk.ais.send("GET", path).status_code == 444
        assert desk.ais.send("GET", path, auth=(USER, PASSWORD)).status_code == 200
    query = {"$username": USER, "$password": PASSWORD}
    assert desk.ais.send("GET", CATALOG, params=query).status_code == 200


def test_an_author_may_show_four_facts_only(desk: Desk) -> None:
    """J076"""
    assert plan_entry(desk)["udoGroup"] == "Shared"
    desk.ais.switch("discover_detail", "short")
    assert set(plan_entry(desk)) == {"name", "description", "inputFormat", "inputs"}


@pytest.mark.parametrize(
    ("shape", "first"),
    [
        ("objects", {"name": "AccountId", "type": "String"}),
        ("names", "AccountId"),
        ("absent", None),
    ],
)
def test_what_an_array_input_holds_is_told_in_one_of_three_ways(
    desk: Desk, shape: str, first: object
) -> None:
    """J077"""
    desk.ais.switch("discover_arrays", shape)
    (lines,) = [i for i in plan_entry(desk)["inputs"] if i["name"] == "Lines"]
    assert lines.get("array", [None])[0] == first
    assert lines["defaultValues"] == []


def test_a_hidden_orchestration_can_be_called_all_the_same(desk: Desk) -> None:
    """J078"""
    desk.ais.switch("hidden_inputs", [PLAN])
    entry = plan_entry(desk)
    assert (entry["inputs"], entry["exposeInputsInDiscovery"]) == ([], False)
    desk.ais.switch("hidden_orchestrations", [PLAN])
    names = [e["name"] for e in desk.get("/discover").json()["orchestrations"]]
    assert PLAN not in names
    assert desk.get(f"/discover/{PLAN}").status_code == 500
    assert f"/{PLAN}" not in desk.get(CATALOG).json()["paths"]
    assert len(documents(desk.plan())) == 1


def test_an_input_that_its_author_added_is_shown_in_discovery_and_catalog(desk: Desk) -> None:
    """J078"""
    desk.ais.switch("added_inputs", {PLAN: {"Reason": "String"}})
    names = [i["name"] for i in plan_entry(desk)["inputs"]]
    schemas = desk.get(CATALOG).json()["components"]["schemas"]
    assert "Reason" in names
    assert any("Reason" in schema.get("properties", {}) for schema in schemas.values())


@pytest.mark.parametrize("status", [500, 404, 400])
def test_an_unknown_orchestration_is_an_error(desk: Desk, status: int) -> None:
    """J079"""
    desk.ais.switch("unknown_orchestration", status)
    for answer in (
        desk.call("tieout_planjournal", desk.message()),
        desk.get("/discover/Nobody"),
        desk.get(f"{CATALOG}/Nobody"),
    ):
        assert answer.status_code == status
        assert "not found" in answer.json()["message"]
    assert len(desk.ais.refused()) == 3
    assert desk.journal() == []


def test_the_catalog_is_an_openapi_document_with_flat_inputs(desk: Desk) -> None:
    """J080"""
    catalog = desk.get(CATALOG).json()
    assert catalog["openapi"] == "3.0.1"
    assert catalog["servers"][0]["url"].endswith("/jderest/v3/orchestrator")
    schemas = catalog["components"]["schemas"]
    body = catalog["paths"][f"/{PLAN}"]["post"]["requestBody"]["content"]["application/json"]
    name = body["schema"]["$ref"].rpartition("/")[2]
    inputs = schemas[name]["properties"]
    assert inputs["BatchNumber"] == {"type": "number"}
    assert inputs["GLDate"] == {"type": "string"}
    row = schemas[inputs["Lines"]["items"]["$ref"].rpartition("/")[2]]["properties"]
    assert list(row)[:3] == ["AccountId", "Amount", "Remark"]
    assert f"{name}Grid_Lines_RowSet" in schemas
    assert set(schemas["ERROR"]["properties"]) == {"message", "exception", "timestamp"}
    assert "CONTINUED_ON_ERROR" in schemas


def test_the_catalog_offers_only_post_where_an_input_is_an_array(desk: Desk) -> None:
    """J080"""
    paths = desk.get(CATALOG).json()["paths"]
    assert set(paths[f"/{PLAN}"]) == {"post"}
    assert set(paths[f"/{RESERVE}"]) == {"post", "get"}
    assert [p["name"] for p in paths[f"/{RESERVE}"]["get"]["parameters"]][-1] == "Documents"
    one = desk.get(f"{CATALOG}/{RESERVE}").json()["paths"]
    assert set(one) == {f"/{RESERVE}"}
    assert desk.get(f"/v3/orchestrator/{PLAN}").status_code == 405


def test_every_reference_of_the_catalog_leads_somewhere(desk: Desk) -> None:
    """J080"""
    catalog = desk.get(CATALOG).json()
    seen: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            seen.extend([value["$ref"]] if "$ref" in value else [])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(catalog)
    known = {f"#/components/schemas/{name}" for name in catalog["components"]["schemas"]}
    assert set(seen) <= known
    assert len(seen) > 20
