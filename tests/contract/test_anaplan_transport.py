"""Practice Anaplan: the request budget, errors, paging, paths, ids, workspaces and models."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from anaplan_practice import OTHER, Practice, practice

from tieout.sim.anaplan import build

HEX = "[0-9a-f]{32}"


def hit(anaplan: Practice, times: int) -> list[int]:
    return [anaplan.send("GET", "/2/0/users/me").status_code for _ in range(times)]


def test_a_tenant_has_600_requests_a_minute_for_all_its_users(anaplan: Practice) -> None:
    """A012"""
    anaplan.switch("rate_per_minute", 60)
    codes = hit(anaplan, 40)
    anaplan.sign_in(OTHER)
    codes += hit(anaplan, 30)
    assert set(codes) == {200, 429}
    refused = anaplan.send("GET", "/2/0/users/me")
    assert refused.status_code == 429
    anaplan.clock.advance(float(refused.headers["Retry-After"]))
    assert hit(anaplan, 1) == [200]
    seen = anaplan.system.control("state", {})
    assert seen["requests_worst_minute"] >= 71
    assert seen["requests_refused"] == codes.count(429) + 1


def test_a_full_bucket_lets_more_pass_in_a_minute_than_a_strict_count(anaplan: Practice) -> None:
    """A012"""
    anaplan.switch("rate_per_minute", 20)
    codes = hit(anaplan, 20)
    anaplan.clock.advance(30)
    assert codes + hit(anaplan, 10) == [200] * 30
    anaplan.clock.advance(120)
    anaplan.switch("rate_counting", "window")
    assert hit(anaplan, 20) == [200] * 20
    anaplan.clock.advance(30)
    refused = anaplan.send("GET", "/2/0/users/me")
    assert refused.status_code == 429
    assert 25 <= int(refused.headers["Retry-After"]) <= 30
    anaplan.clock.advance(30)
    assert hit(anaplan, 1) == [200]


def test_every_tenant_has_a_budget_of_its_own(anaplan: Practice) -> None:
    """A012"""
    build.add_user(anaplan.system.state, "loader@other.example", OTHER)
    anaplan.system.state.db.commit()
    anaplan.switch("rate_per_minute", 5)
    assert hit(anaplan, 6)[-1] == 429
    assert anaplan.sign_in("loader@other.example", OTHER).status_code == 201
    assert hit(anaplan, 5) == [200] * 5
    seen = anaplan.system.control("state", {})["requests_by_tenant"]
    assert seen["other.example"] == {"worst_minute": 5, "taken": 5, "refused": 0}
    assert seen["example.com"] == {"worst_minute": 6, "taken": 6, "refused": 1}


def listed(anaplan: Practice, path: str, key: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = anaplan.send("GET", path).json()[key]
    return found


def test_users_of_another_tenant_see_its_workspaces_and_models_alone(anaplan: Practice) -> None:
    """A097"""
    ours = listed(anaplan, "/2/0/models", "models")
    made = anaplan.system.control("tenants", {"count": 2, "models": 3})["tenants"]
    assert listed(anaplan, "/2/0/models", "models") == ours
    tenant = made[1]
    assert anaplan.sign_in(tenant["username"], tenant["password"]).status_code == 201
    seen = listed(anaplan, "/2/0/models", "models")
    assert [one["name"] for one in seen] == tenant["models"] == ["Plan 1", "Plan 2", "Plan 3"]
    assert {one["currentWorkspaceName"] for one in seen} == {tenant["workspace"]}
    (space,) = listed(anaplan, "/2/0/workspaces", "workspaces")
    assert anaplan.send("GET", f"/2/0/workspaces/{space['id']}").status_code == 200
    other = ours[0]
    for path in (f"/models/{other['id']}", f"/workspaces/{other['currentWorkspaceId']}"):
        assert anaplan.send("GET", f"/2/0{path}").status_code == 404
    (load,) = listed(anaplan, f"/2/0/models/{seen[2]['id']}/imports", "imports")
    assert load["name"] == "Load Cost Centers"


def test_retry_after_may_be_a_date_or_absent(anaplan: Practice) -> None:
    """A012"""
    anaplan.switch("rate_per_minute", 1)
    hit(anaplan, 2)
    anaplan.switch("retry_after", "date")
    refused = anaplan.send("GET", "/2/0/users/me")
    at = parsedate_to_datetime(refused.headers["Retry-After"]).timestamp()
    assert 0 < at - anaplan.clock.now() <= 61
    anaplan.switch("retry_after", "absent")
    assert "Retry-After" not in anaplan.send("GET", "/2/0/users/me").headers


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("GET", "/no-such-thing", 404), ("PATCH", "/files", 405), ("PUT", "/imports", 405)],
)
def test_a_call_the_documents_do_not_describe_is_refused_and_reported(
    anaplan: Practice, method: str, path: str, code: int
) -> None:
    """A013"""
    answer = anaplan.on_model(method, path)
    assert answer.status_code == code
    body = answer.json()
    assert body["status"]["code"] == code
    assert body["path"] == anaplan.path + path
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z", body["timestamp"])
    report = anaplan.system.control("report", {})["report"]
    assert [(r["method"], r["path"]) for r in report] == [(method, anaplan.path + path)]


def test_an_unknown_id_is_404_without_a_report_entry(anaplan: Practice) -> None:
    """A013"""
    for path in ("/lists/101000000000", "/files/113999999999", "/imports/112999999999"):
        assert anaplan.on_model("GET", path).status_code == 404
    assert anaplan.system.control("report", {})["report"] == []


def test_an_undocumented_query_parameter_is_reported(anaplan: Practice) -> None:
    anaplan.get("/files?colour=blue")
    report = anaplan.system.control("report", {"clear": True})["report"]
    assert "colour" in report[0]["what"]
    assert anaplan.system.control("report", {})["report"] == []


def test_an_empty_collection_leaves_its_key_out(anaplan: Practice) -> None:
    """A014"""
    answer = anaplan.send("GET", f"/2/0/models/{anaplan.second}/imports").json()
    assert "imports" not in answer
    assert answer["status"] == {"code": 200, "message": "Success"}


def test_pages_tell_what_comes_before_and_after(anaplan: Practice) -> None:
    """A015"""
    first = anaplan.get("/imports?limit=2")
    paging = first["meta"]["paging"]
    assert (paging["currentPageSize"], paging["totalSize"], paging["offset"]) == (2, 3, 0)
    assert paging["next"].startswith("https://api.anaplan.com/2/0/models/")
    assert "previous" not in paging
    last = anaplan.get("/imports?limit=2&offset=2")
    assert "next" not in last["meta"]["paging"]
    assert "previous" in last["meta"]["paging"]
    assert len(first["imports"]) + len(last["imports"]) == 3


def test_a_server_may_send_smaller_pages_than_asked(anaplan: Practice) -> None:
    """A015"""
    anaplan.switch("page_cap", 1)
    answer = anaplan.get("/imports?limit=5000")
    assert answer["meta"]["paging"]["currentPageSize"] == len(answer["imports"]) == 1


def test_a_server_may_not_say_how_many_there_are_in_all(anaplan: Practice) -> None:
    """A015"""
    anaplan.switch("paging_total", "absent")
    paging = anaplan.get("/imports?limit=2")["meta"]["paging"]
    assert "totalSize" not in paging
    assert paging["currentPageSize"] == 2
    assert paging["next"].endswith("limit=2&offset=2")


def test_an_import_made_in_front_of_the_others_moves_them_back(anaplan: Practice) -> None:
    """A015: whoever reads page by page meanwhile sees one of them twice."""
    before = anaplan.get("/imports?limit=1")["imports"]
    anaplan.person("copy_import", **{"import": "Load Ledger", "to": "Another"})
    assert anaplan.get("/imports?limit=1&offset=1")["imports"] == before


@pytest.mark.parametrize("rest", ["/files", "/imports", "/lists", "/processes", "/status"])
def test_both_path_forms_answer_alike(anaplan: Practice, rest: str) -> None:
    """A016"""
    long = f"/2/0/workspaces/{anaplan.workspace}/models/{anaplan.model}{rest}"
    answers = [anaplan.send("GET", p).json() for p in (anaplan.path + rest, long)]
    for answer in answers:
        answer.get("requestStatus", {}).pop("creationTime", None)
    assert answers[0] == answers[1]


def test_a_model_is_not_read_through_its_workspace(anaplan: Practice) -> None:
    """A016"""
    path = f"/2/0/workspaces/{anaplan.workspace}/models/{anaplan.model}"
    assert anaplan.send("GET", path).status_code == 405


def test_model_ids_are_case_sensitive(anaplan: Practice) -> None:
    """A017"""
    assert anaplan.send("GET", f"/2/0/models/{anaplan.model}/files").status_code == 200
    assert anaplan.send("GET", f"/2/0/models/{anaplan.model.lower()}/files").status_code == 404
    wrong = f"/2/0/workspaces/{'0' * 32}/models/{anaplan.model}/files"
    assert anaplan.send("GET", wrong).status_code == 404


@pytest.mark.parametrize("what", ["models", "workspaces", "users"])
def test_sorting_needs_a_sign_at_the_top_and_is_ignored_below(anaplan: Practice, what: str) -> None:
    """A018"""
    field = "email" if what == "users" else "name"
    assert anaplan.send("GET", f"/2/0/{what}?sort={field}").status_code == 400
    assert anaplan.send("GET", f"/2/0/{what}?sort=-{field}").status_code == 200
    assert anaplan.send("GET", f"/2/0/{what}?sort=%2Bnonsense").status_code == 400
    assert anaplan.on_model("GET", "/files?sort=nonsense").status_code == 200


def test_ids_have_their_form_and_differ_in_every_state(anaplan: Practice, tmp_path: Path) -> None:
    """A019"""
    assert re.fullmatch(HEX, anaplan.workspace)
    assert re.fullmatch("[0-9A-F]{32}", anaplan.model)
    for kind, name, prefix in (
        ("list", "Accounts", "101"), ("module", "Ledger", "102"), ("import", "Load All", "112"),
        ("file", "Ledger.csv", "113"), ("export", "Ledger Export", "116"),
        ("action", "Delete Inactive", "117"), ("process", "Load All", "118"),
        ("line_item", "Amount", "206"), ("view", "Flat", "207"),
    ):  # fmt: skip
        found = anaplan.id(kind, "Load Ledger" if kind == "import" else name)
        assert re.fullmatch(prefix + r"\d{9}", found)
    items = anaplan.get(f"/lists/{anaplan.id('list', 'Accounts')}/items")["listItems"]
    assert all(re.fullmatch(r"2\d{11}", item["id"]) for item in items)
    (tmp_path / "other").mkdir()
    with practice(tmp_path / "other") as other:
        assert other.model != anaplan.model
        assert other.id("import", "Load Ledger") != anaplan.id("import", "Load Ledger")


def test_sizes_of_workspaces_come_on_demand_in_any_spelling_of_true(anaplan: Practice) -> None:
    """A020"""
    assert "currentSize" not in anaplan.send("GET", "/2/0/workspaces").json()["workspaces"][0]
    for word in ("true", "True"):
        path = f"/2/0/workspaces?tenantDetails={word}"
        assert "currentSize" in anaplan.send("GET", path).json()["workspaces"][0]


def test_models_tell_their_state_and_workspace(anaplan: Practice) -> None:
    """A021"""
    rows = anaplan.send("GET", "/2/0/models?modelDetails=true").json()["models"]
    assert [r["name"] for r in rows] == ["Second", "Small"]
    assert {r["activeState"] for r in rows} == {"UNLOCKED"}
    assert {r["currentWorkspaceName"] for r in rows} == {"Finance"}
    assert rows[0]["modelTransactionRunning"] is False
    assert "memoryUsage" not in anaplan.send("GET", "/2/0/models").json()["models"][0]
    inside = anaplan.send("GET", f"/2/0/workspaces/{anaplan.workspace}/models").json()["models"]
    assert [r["id"] for r in inside] == [r["id"] for r in rows]


def test_a_user_can_ask_who_he_is(anaplan: Practice) -> None:
    """A022"""
    me = anaplan.send("GET", "/2/0/users/me").json()["user"]
    assert (me["email"], me["active"]) == ("loader@example.com", True)
    users = anaplan.send("GET", "/2/0/users").json()["users"]
    assert me in users
    assert anaplan.send("GET", f"/2/0/users/{'0' * 32}").status_code == 404


def test_single_objects_have_singular_keys(anaplan: Practice) -> None:
    """A023"""
    answer = anaplan.send("GET", f"/2/0/models/{anaplan.model}").json()
    assert answer["model"]["name"] == "Small"
    answer = anaplan.send("GET", f"/2/0/workspaces/{anaplan.workspace}").json()
    assert answer["workspace"]["name"] == "Finance"
