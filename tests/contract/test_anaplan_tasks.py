"""Practice Anaplan: tasks, their queue and results, dumps, processes, exports, deletions."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest
from anaplan_practice import ACCOUNTS_HEAD, LEDGER_HEAD, OTHER, Practice, counts

GOOD = "00001,5005,Jan 24,1,,,,\n"
BAD = "00009,5005,Jan 24,1,,,,\n"


@pytest.fixture
def slow(anaplan: Practice) -> Practice:
    """Every step of a task takes 100 seconds: one waiting, two running."""
    anaplan.switch("task_step_seconds", 100)
    return anaplan


def state_of(anaplan: Practice, task: str) -> str:
    return str(anaplan.get(task)["task"]["taskState"])


def test_a_task_needs_a_locale(anaplan: Practice) -> None:
    """A037"""
    path = f"/imports/{anaplan.id('import', 'Load Ledger')}/tasks"
    assert anaplan.on_model("POST", path, json={}).status_code == 400
    body = b'{"mappingParameters":[],"localeName":"en_US"}'
    assert anaplan.on_model("POST", path, content=body).status_code == 200
    anaplan.switch("locale_first", True)
    assert anaplan.on_model("POST", path, content=body).status_code == 400


def test_every_start_makes_a_new_task(anaplan: Practice) -> None:
    """A038"""
    tasks = [anaplan.start("imports", "Load Ledger").split("/")[-1] for _ in range(2)]
    assert len(set(tasks)) == 2
    assert all(re.fullmatch("[0-9A-F]{32}", t) for t in tasks)
    anaplan.switch("single_task_answer", "bare")
    path = f"/imports/{anaplan.id('import', 'Load Ledger')}/tasks"
    answer = anaplan.on_model("POST", path, json={"localeName": "en_US"}).json()
    assert re.fullmatch("[0-9A-F]{32}", answer["taskId"])


def test_tasks_of_a_model_run_one_after_the_other(slow: Practice) -> None:
    """A039"""
    first, second = slow.start("imports", "Load Ledger"), slow.start("exports", "Ledger Export")
    assert (state_of(slow, first), state_of(slow, second)) == ("NOT_STARTED", "NOT_STARTED")
    slow.clock.advance(110)
    assert (state_of(slow, first), state_of(slow, second)) == ("IN_PROGRESS", "NOT_STARTED")
    slow.clock.advance(200)
    assert (state_of(slow, first), state_of(slow, second)) == ("COMPLETE", "IN_PROGRESS")
    slow.clock.advance(200)
    assert state_of(slow, second) == "COMPLETE"
    seen = slow.system.control("state", {})
    assert seen["running_tasks_max"] == {slow.model: 1}
    assert seen["open_tasks_max"] == {slow.model: 2}


def test_a_result_appears_only_at_the_end(slow: Practice) -> None:
    """A040"""
    task = slow.start("exports", "Ledger Export")
    waiting = slow.get(task)["task"]
    assert "result" not in waiting
    assert waiting["progress"] == 0.0
    assert abs(waiting["creationTime"] / 1000 - slow.clock.now()) < 5
    slow.clock.advance(150)
    running = slow.get(task)["task"]
    assert 0 < running["progress"] < 1
    assert "result" not in running
    slow.clock.advance(200)
    over = slow.get(task)["task"]
    assert (over["progress"], over["currentStep"]) == (1.0, "Complete.")
    assert over["result"]["successful"] is True


def test_a_cancelled_import_leaves_nothing_behind(slow: Practice) -> None:
    """A041"""
    slow.upload("Load Ledger", LEDGER_HEAD + GOOD)
    task = slow.start("imports", "Load Ledger")
    slow.clock.advance(150)
    answer = slow.on_model("DELETE", task)
    assert (answer.status_code, answer.json()["task"]["taskState"]) == (200, "CANCELLING")
    assert state_of(slow, task) == "CANCELLING"
    slow.clock.advance(500)
    status = slow.get(task)["task"]
    assert status["taskState"] == "CANCELLED"
    assert "result" not in status
    assert slow.cells() == {}


def test_a_finished_task_cannot_be_cancelled(anaplan: Practice) -> None:
    """A041"""
    anaplan.upload("Load Ledger", LEDGER_HEAD + GOOD)
    task = anaplan.start("imports", "Load Ledger")
    anaplan.finish(task)
    anaplan.switch("cancel_answer", "empty")
    assert anaplan.on_model("DELETE", task).status_code == 204
    assert state_of(anaplan, task) == "COMPLETE"
    assert anaplan.cells() != {}


def test_a_task_is_found_under_its_own_action_only(anaplan: Practice) -> None:
    """A042"""
    task = anaplan.start("imports", "Load Ledger").split("/")[-1]
    wrong = anaplan.id("import", "Load Accounts")
    assert anaplan.on_model("GET", f"/imports/{wrong}/tasks/{task}").status_code == 404
    own = anaplan.id("import", "Load Ledger")
    assert anaplan.on_model("GET", f"/processes/{own}/tasks/{task}").status_code == 404


def test_task_lists_are_paged_oldest_first_and_never_404(anaplan: Practice) -> None:
    """A042"""
    tasks = []
    for _ in range(3):
        tasks.append(anaplan.start("imports", "Load Ledger").split("/")[-1])
        anaplan.clock.advance(1)
    path = f"/imports/{anaplan.id('import', 'Load Ledger')}/tasks"
    assert [t["taskId"] for t in anaplan.get(path)["tasks"]] == tasks
    assert [t["taskId"] for t in anaplan.get(path + "?sort=-creationTime")["tasks"]] == tasks[::-1]
    assert anaplan.get(path + "?limit=1")["meta"]["paging"]["totalSize"] == 3
    assert "tasks" not in anaplan.get("/imports/112999999999/tasks")


def test_counters_come_as_one_flat_list_in_any_order(anaplan: Practice) -> None:
    """A043"""
    orders = set()
    for _ in range(4):
        result = anaplan.load("Load Accounts", ACCOUNTS_HEAD + "6000,Travel,PL,TRUE,1\n")
        detail = result["details"][0]
        assert all(isinstance(v, str) for v in detail["values"])
        assert counts(detail)["hierarchyName"] == "Accounts"
        orders.add(tuple(detail["values"][::2]))
    assert len(orders) > 1


def test_an_import_with_rejects_still_calls_itself_successful(anaplan: Practice) -> None:
    """A044"""
    result = anaplan.load("Load Ledger", LEDGER_HEAD + GOOD + BAD)
    assert result["successful"] is True
    assert result["failureDumpAvailable"] is True
    detail = next(d for d in result["details"] if d["localMessageText"].startswith("Amount"))
    assert detail["type"] == "lineItemRowsProcessedWithFailures"
    assert "1 failed" in detail["localMessageText"]
    again = anaplan.load("Load Ledger", LEDGER_HEAD + GOOD)
    assert {d["type"] for d in again["details"]} == {"lineItemRowsProcessed"}


def test_a_whole_import_can_be_refused(anaplan: Practice) -> None:
    """A045"""
    result = anaplan.finish(anaplan.start("imports", "Load Ledger"))
    assert (result["successful"], result["failureDumpAvailable"]) == (False, False)
    assert result["details"][0]["type"] == "uploadedFileNoLongerAvailable"
    assert result["objectId"] == anaplan.id("import", "Load Ledger")


def test_new_words_may_appear_where_the_documents_list_some(anaplan: Practice) -> None:
    """A046"""
    anaplan.switch("odd_enums", True)
    assert anaplan.get("/imports")["imports"][0]["importType"] == "SOMETHING_NEW"
    assert anaplan.get("/exports")["exports"][0]["exportType"] == "SOMETHING_NEW"
    assert anaplan.get("")["model"]["activeState"] == "SOMETHING_NEW"


def test_the_dump_of_a_module_names_the_file_line_and_the_error(anaplan: Practice) -> None:
    """A047"""
    anaplan.load("Load Ledger", LEDGER_HEAD + GOOD + '00009,77,Jan 24,1,"a ""b""",,,\n')
    assert anaplan.dump_of("Load Ledger") == [
        '"Company","Account","Time","Amount","Note","Open","Due","Twice","_Line_",'
        '"_Error_1_","_Error_2_"',
        '"00009","77","Jan 24","1","a ""b""","","","","3","Item not found in list: 00009",'
        '"Item not found in list: 77"',
    ]


def test_the_dump_of_a_list_starts_with_a_status(anaplan: Practice) -> None:
    """A047"""
    rows = "6000,Travel,Nope,TRUE,1\n6000,Twice,PL,TRUE,1\n"
    anaplan.load("Load Accounts", ACCOUNTS_HEAD + rows)
    assert anaplan.dump_of("Load Accounts") == [
        '"_Status_","Code","Name","Parent","Active","Rank","_Line_","_Error_1_"',
        '"W","6000","Travel","Nope","TRUE","1","2","Invalid parent"',
        '"E","6000","Twice","PL","TRUE","1","3","Duplicate key: 6000"',
    ]


def test_a_dump_comes_in_chunks(anaplan: Practice) -> None:
    """A048"""
    anaplan.switch("dump_chunk_bytes", 50)
    anaplan.upload("Load Ledger", LEDGER_HEAD + BAD)
    task = anaplan.start("imports", "Load Ledger")
    anaplan.finish(task)
    whole = anaplan.on_model("GET", f"{task}/dump")
    chunks = anaplan.get(f"{task}/dump/chunks")
    assert chunks["meta"]["paging"]["currentPageSize"] == len(chunks["chunks"]) > 1
    parts = [
        anaplan.on_model("GET", f"{task}/dump/chunks/{c['id']}").content for c in chunks["chunks"]
    ]
    assert b"".join(parts) == whole.content
    assert max(map(len, parts)) <= 50
    assert whole.headers["Content-Type"] == "text/plain"
    assert anaplan.on_model("GET", f"{task}/dump/chunks/99").status_code == 404


def test_the_next_run_overwrites_the_dump(anaplan: Practice) -> None:
    """A049"""
    anaplan.upload("Load Ledger", LEDGER_HEAD + BAD)
    tasks = [anaplan.start("imports", "Load Ledger") for _ in range(2)]
    anaplan.clock.advance(60)
    codes = [anaplan.on_model("GET", f"{t}/dump").status_code for t in tasks]
    assert codes == [404, 200]
    assert anaplan.get(tasks[0])["task"]["result"]["failureDumpAvailable"] is True
    anaplan.load("Load Ledger", LEDGER_HEAD + GOOD)
    assert anaplan.on_model("GET", f"{tasks[1]}/dump").status_code == 404


def test_a_dump_is_kept_for_48_hours_and_per_user(anaplan: Practice) -> None:
    """A049"""
    anaplan.upload("Load Ledger", LEDGER_HEAD + BAD)
    task = anaplan.start("imports", "Load Ledger")
    anaplan.finish(task)
    anaplan.sign_in(OTHER)
    anaplan.load("Load Ledger", LEDGER_HEAD + GOOD)
    assert anaplan.on_model("GET", f"{task}/dump").status_code == 200
    anaplan.clock.advance(49 * 3600)
    anaplan.sign_in()
    assert anaplan.on_model("GET", f"{task}/dump").status_code == 404
    anaplan.switch("no_dump_status", 204)
    assert anaplan.on_model("GET", f"{task}/dump").status_code == 204


def test_a_task_leaves_its_list_after_two_days(anaplan: Practice) -> None:
    """A094"""
    path = f"/imports/{anaplan.id('import', 'Load Ledger')}/tasks"
    task = anaplan.start("imports", "Load Ledger")
    anaplan.finish(task)
    anaplan.clock.advance(47 * 3600)
    anaplan.sign_in()
    assert len(anaplan.get(path)["tasks"]) == 1
    anaplan.clock.advance(2 * 3600)
    anaplan.sign_in()
    assert "tasks" not in anaplan.get(path)
    assert anaplan.on_model("GET", task).status_code == 404
    anaplan.switch("task_hours", 100)
    assert len(anaplan.get(path)["tasks"]) == 1


def test_chunks_may_be_listed_in_any_order_and_counted_from_one(anaplan: Practice) -> None:
    """A095"""
    anaplan.load("Load Ledger", LEDGER_HEAD + GOOD + BAD)
    task = f"/imports/{anaplan.id('import', 'Load Ledger')}/tasks"
    task += f"/{anaplan.get(task)['tasks'][0]['taskId']}/dump/chunks"
    anaplan.finish(anaplan.start("exports", "Ledger Export"))
    export = f"/files/{anaplan.id('export', 'Ledger Export')}/chunks"
    anaplan.switch("dump_chunk_bytes", 50)
    for path in (task, export):
        ids = [c["id"] for c in anaplan.get(path)["chunks"]]
        bodies = [anaplan.on_model("GET", f"{path}/{n}").content for n in ids]
        anaplan.switch("chunk_listing", "descending")
        assert [c["id"] for c in anaplan.get(path)["chunks"]] == ids[::-1]
        anaplan.switch("chunk_listing", "from_one")
        listed = [c["id"] for c in anaplan.get(path)["chunks"]]
        assert listed == [str(int(n) + 1) for n in ids]
        assert [anaplan.on_model("GET", f"{path}/{n}").content for n in listed] == bodies
        assert anaplan.on_model("GET", f"{path}/0").status_code == 404
        anaplan.switch("chunk_listing", "ascending")


@pytest.mark.parametrize("how", ["gzip", "gzip_members"])
def test_a_download_may_be_gzip_on_its_way_when_the_caller_takes_it(
    anaplan: Practice, how: str
) -> None:
    """A096"""
    anaplan.load("Load Ledger", LEDGER_HEAD + GOOD + BAD)
    task = anaplan.get(path := f"/imports/{anaplan.id('import', 'Load Ledger')}/tasks")["tasks"][0]
    path += f"/{task['taskId']}/dump/chunks/0"
    plain = anaplan.on_model("GET", path).content
    anaplan.switch("download_encoding", how)
    answer = anaplan.on_model("GET", path, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    with anaplan.http.stream(
        "GET", anaplan.url + anaplan.path + path,
        headers={"Authorization": f"AnaplanAuthToken {anaplan.token}", "Accept-Encoding": "gzip"},
    ) as raw:  # fmt: skip
        packed = b"".join(raw.iter_raw())
    assert gzip.decompress(packed) == plain
    assert packed.count(b"\x1f\x8b\x08") == (1 if how == "gzip" else 2)
    bare = anaplan.on_model("GET", path, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in bare.headers
    assert bare.content == plain


def test_a_process_stops_at_the_first_failure_and_keeps_what_ran(anaplan: Practice) -> None:
    """A050"""
    anaplan.upload("Load Accounts", ACCOUNTS_HEAD + "6000,Travel,PL,TRUE,1\n")
    result = anaplan.finish(anaplan.start("processes", "Load All"))
    assert result["successful"] is False
    assert [n["successful"] for n in result["nestedResults"]] == [True, False]
    assert [n["objectId"] for n in result["nestedResults"]] == [
        anaplan.id("import", "Load Accounts"), anaplan.id("import", "Load Ledger"),
    ]  # fmt: skip
    items = anaplan.get(f"/lists/{anaplan.id('list', 'Accounts')}/items")["listItems"]
    assert "6000" in [i.get("code") for i in items]


def test_a_process_has_one_dump_per_action(anaplan: Practice) -> None:
    """A050"""
    anaplan.upload("Load Accounts", ACCOUNTS_HEAD)
    anaplan.upload("Load Ledger", LEDGER_HEAD + BAD)
    task = anaplan.start("processes", "Load All")
    result = anaplan.finish(task)
    assert [n["failureDumpAvailable"] for n in result["nestedResults"]] == [False, True]
    clean, dirty = (n["objectId"] for n in result["nestedResults"])
    assert anaplan.on_model("GET", f"{task}/dumps/{clean}/chunks").status_code == 404
    assert anaplan.get(f"{task}/dumps/{dirty}/chunks")["chunks"][0]["id"] == "0"
    part = anaplan.on_model("GET", f"{task}/dumps/{dirty}/chunks/0").text
    assert part == anaplan.on_model("GET", f"{task}/dumps/{dirty}").text
    assert "Item not found in list: 00009" in part


def test_an_export_is_a_private_file_with_the_exports_own_id(anaplan: Practice) -> None:
    """A051"""
    anaplan.load("Load Ledger", LEDGER_HEAD + GOOD)
    anaplan.switch("export_chunk_bytes", 100)
    result = anaplan.finish(anaplan.start("exports", "Ledger Export"))
    assert result["details"][0]["type"] == "exportSucceeded"
    export = anaplan.id("export", "Ledger Export")
    chunks = anaplan.get(f"/files/{export}/chunks")["chunks"]
    assert len(chunks) > 1
    whole = anaplan.on_model("GET", f"/files/{export}")
    assert whole.text.splitlines()[1].startswith("Amount,Main,Rent,1,0,0")
    anaplan.sign_in(OTHER)
    assert anaplan.on_model("GET", f"/files/{export}").status_code == 404


def test_a_deletion_takes_members_and_their_cells_and_has_no_dump(anaplan: Practice) -> None:
    """A052"""
    rows = "6000,Travel,PL,FALSE,1\n5005,Rent,PL,TRUE,1\n"
    anaplan.load("Load Accounts", ACCOUNTS_HEAD + rows)
    anaplan.load("Load Ledger", LEDGER_HEAD + GOOD + "00001,6000,Jan 24,3,,,,\n")
    result = anaplan.finish(anaplan.start("actions", "Delete Inactive"))
    assert result["details"][0]["type"] == "deleteFromSelectionSucceeded"
    assert result["failureDumpAvailable"] is False
    assert set(anaplan.cells()) == {("Amount", "00001", "5005", "Jan 24")}


def test_a_renamed_column_drops_out_of_the_import_in_silence(anaplan: Practice) -> None:
    """A053"""
    result = anaplan.load("Load Ledger", LEDGER_HEAD.replace("Amount", "Betrag") + GOOD)
    assert (result["successful"], result["failureDumpAvailable"]) == (True, False)
    assert anaplan.cells() == {}
    action = anaplan.id("import", "Load Ledger")
    headers = anaplan.get(f"/imports/{action}")["importMetadata"]["source"]["headerNames"]
    assert headers == LEDGER_HEAD.strip().split(",")
    anaplan.person("rename_column", **{"import": "Load Ledger", "column": "Amount", "to": "Betrag"})
    headers = anaplan.get(f"/imports/{action}")["importMetadata"]["source"]["headerNames"]
    assert headers[3] == "Betrag"
    anaplan.load("Load Ledger", LEDGER_HEAD + GOOD)
    assert anaplan.cells() == {}


@pytest.mark.parametrize("name", ["Company", "Time"])
def test_an_import_without_a_key_column_fails(anaplan: Practice, name: str) -> None:
    """A054"""
    text = LEDGER_HEAD.replace(name, "Other") + GOOD
    result = anaplan.load("Load Ledger", text)
    assert (result["successful"], result["details"][0]["type"]) == (False, "missingFields")
    anaplan.switch("missing_key_column", "rows")
    again: dict[str, Any] = anaplan.load("Load Ledger", text)
    assert (again["successful"], again["failureDumpAvailable"]) == (True, True)
    assert anaplan.cells() == {}


def test_a_deleted_import_fails_its_waiting_task(slow: Practice) -> None:
    task = slow.start("imports", "Load Ledger")
    slow.person("delete_import", **{"import": "Load Ledger"})
    slow.clock.advance(500)
    result = slow.get(task)["task"]["result"]
    assert (result["successful"], result["details"][0]["type"]) == (False, "failedToLocateEntity")
    assert [i["name"] for i in slow.get("/imports")["imports"]] == ["Load Accounts", "Load Long"]
