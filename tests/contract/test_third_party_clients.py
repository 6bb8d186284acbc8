"""Clients written by others, unmodified, against the practice Anaplan.

anaplan-sdk and apapi are used by their authors against real tenants. What they send and what they
insist on in an answer is therefore an independent check of our paths, envelopes and field names.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
from collections.abc import Iterator
from typing import Any

import anaplan_sdk
import apapi
import pytest
from anaplan_practice import ACCOUNTS_HEAD, EMAIL, LEDGER_HEAD, PASSWORD, Practice, counts
from anaplan_sdk.exceptions import AnaplanActionError, InvalidCredentialsException
from anaplan_transports import AsyncToPractice, ToPractice
from apapi.utils import ExportType, MIMEType, get_generic_session

GOOD = "00001,5005,Jan 24,10.50,,,,\n"
BAD = "00009,5005,Jan 24,1,,,,\n"
MINUTE = 60


def sdk_client(anaplan: Practice, **options: Any) -> anaplan_sdk.Client:
    """anaplan-sdk with its hard-coded hosts led to the practice system; each call is made once."""
    usual = {"transport": ToPractice(anaplan.url), "status_poll_delay": 0, "retry_count": 1}
    if not {"token", "user_email"} & set(options):
        usual["token"] = anaplan.token
    return anaplan_sdk.Client(
        workspace_id=anaplan.workspace, model_id=anaplan.model, **(usual | options)
    )


@pytest.fixture
def quick(anaplan: Practice) -> Practice:
    """Tasks end within milliseconds, because these clients poll without a pause."""
    anaplan.switch("task_step_seconds", 0.001)
    return anaplan


@pytest.fixture
def sdk(quick: Practice) -> anaplan_sdk.Client:
    return sdk_client(quick)


@pytest.fixture
def api(quick: Practice) -> Iterator[apapi.Connection]:
    session = get_generic_session(0)
    auth = apapi.BasicAuth(f"{EMAIL}:{PASSWORD}", auth_url=quick.url, session=session)
    yield apapi.Connection(auth, api_url=quick.url, _audit_url=quick.url)
    auth.close()


def number(anaplan: Practice, kind: str, name: str) -> int:
    """The SDK wants ids as numbers."""
    return int(anaplan.id(kind, name))


def run(anaplan: Practice, started: Any, status: Any) -> tuple[str, dict[str, Any]]:
    """Task id and result of a task started with apapi, which does not poll by itself."""
    task = started.json()["task"]["taskId"]
    anaplan.clock.advance(1)
    shown = status(task).json()["task"]
    assert shown["taskState"] == "COMPLETE"
    return task, dict(shown["result"])


def test_the_sdk_discovers_what_there_is(quick: Practice, sdk: anaplan_sdk.Client) -> None:
    assert [w.name for w in sdk.get_workspaces()] == ["Finance"]
    assert [m.id for m in sdk.get_models()] == [quick.second, quick.model]
    assert [m.id for m in sdk.get_models(True)] == [quick.second, quick.model]
    assert sdk.get_model().name == "Small"
    files = {f.name: f for f in sdk.get_files()}
    assert files["Ledger.csv"].id == int(quick.source("Load Ledger"))
    imports = {i.name: i for i in sdk.get_imports()}
    assert imports["Load Ledger"].file_id == files["Ledger.csv"].id
    assert imports["Load Accounts"].type == "HIERARCHY_DATA"
    assert [e.layout for e in sdk.get_exports()] == ["TABULAR_MULTI_COLUMN"]
    assert [a.name for a in sdk.get_actions()] == ["Delete Inactive"]
    assert [p.name for p in sdk.get_processes()] == ["Load All"]


def test_the_sdk_pages_through_lists_that_the_server_cuts(quick: Practice) -> None:
    quick.switch("page_cap", 2)
    sdk = sdk_client(quick)
    assert len(list(sdk.get_imports())) == 3
    assert len(list(sdk.get_files())) == 4
    assert len(list(sdk_client(quick, page_size=1).get_models())) == 2


def test_both_clients_see_the_same_ids(
    quick: Practice, sdk: anaplan_sdk.Client, api: apapi.Connection
) -> None:
    model = quick.model
    for theirs, key, ours in (
        (api.get_files(model), "files", sdk.get_files()),
        (api.get_imports(model), "imports", sdk.get_imports()),
        (api.get_exports(model), "exports", sdk.get_exports()),
        (api.get_actions(model), "actions", sdk.get_actions()),
        (api.get_processes(model), "processes", sdk.get_processes()),
        (api.get_lists(model), "lists", sdk.tr.get_lists()),
    ):
        assert [int(t["id"]) for t in theirs.json()[key]] == [o.id for o in ours]


def test_the_sdk_uploads_and_imports(quick: Practice, sdk: anaplan_sdk.Client) -> None:
    file, load = int(quick.source("Load Ledger")), number(quick, "import", "Load Ledger")
    sdk.upload_file(file, LEDGER_HEAD + GOOD)
    task = sdk.run_action(load)
    assert task.result.failure_dump_available is False
    assert quick.cells()["Amount", "00001", "5005", "Jan 24"] == "10.5"
    assert [t.id for t in sdk.get_task_summaries(load)] == [task.id]
    assert sdk.get_task_status(load, task.id).task_state == "COMPLETE"
    assert sdk.get_file(file) == (LEDGER_HEAD + GOOD).encode()


def test_the_sdk_cuts_a_file_in_the_middle_of_rows(quick: Practice) -> None:
    sdk = sdk_client(quick, upload_chunk_size=40, upload_parallel=False)
    file = int(quick.source("Load Ledger"))
    sdk.upload_file(file, LEDGER_HEAD + GOOD)
    assert next(f for f in sdk.get_files() if f.id == file).chunk_count > 1
    sdk.run_action(number(quick, "import", "Load Ledger"))
    assert quick.cells() == {("Amount", "00001", "5005", "Jan 24"): "10.5"}


def test_the_sdk_streams_a_file_of_unknown_length(quick: Practice, sdk: anaplan_sdk.Client) -> None:
    file = int(quick.source("Load Ledger"))
    sdk.upload_file_stream(file, iter([LEDGER_HEAD, GOOD]), batch_size=1)
    sdk.run_action(number(quick, "import", "Load Ledger"))
    assert len(quick.cells()) == 1
    assert b"".join(sdk.get_file_stream(file)) == (LEDGER_HEAD + GOOD).encode()


def test_the_sdk_runs_processes_deletions_and_exports(
    quick: Practice, sdk: anaplan_sdk.Client
) -> None:
    sdk.upload_file(int(quick.source("Load Accounts")), ACCOUNTS_HEAD + "6000,Fuel,PL,FALSE,1\n")
    sdk.upload_file(int(quick.source("Load Ledger")), LEDGER_HEAD + GOOD)
    task = sdk.run_action(number(quick, "process", "Load All"))
    assert [n.successful for n in task.result.nested_results] == [True, True]
    sdk.run_action(number(quick, "action", "Delete Inactive"))
    export = number(quick, "export", "Ledger Export")
    body = sdk.export_and_download(export)
    assert b"Amount,Main,Rent,10.5,0" in body
    assert b"".join(sdk.get_file_stream(export)) == body


def test_the_sdk_hides_rejected_rows_and_raises_on_a_refused_import(
    quick: Practice, sdk: anaplan_sdk.Client
) -> None:
    file, load = int(quick.source("Load Ledger")), number(quick, "import", "Load Ledger")
    with pytest.raises(AnaplanActionError):
        sdk.run_action(load)
    sdk.upload_file(file, LEDGER_HEAD + GOOD + BAD)
    assert sdk.run_action(load).result.failure_dump_available is True


def test_the_sdk_reads_and_writes_lists(
    quick: Practice, sdk: anaplan_sdk.Client, api: apapi.Connection
) -> None:
    accounts = number(quick, "list", "Accounts")
    assert {e.name for e in sdk.tr.get_lists()} == {"Accounts", "Companies"}
    assert sdk.tr.get_list_metadata(accounts).item_count == 2
    assert sdk.tr.insert_list_items(accounts, [{"name": "Fuel", "code": "6100"}]).added == 1
    changed = sdk.tr.update_list_items(accounts, [{"code": "6100", "name": "Petrol"}])
    assert changed.updated == 1
    names = [i.name for i in sdk.tr.get_list_items(accounts)]
    assert names == ["Profit and loss", "Rent", "Petrol"]
    seen = api.get_list_items(quick.model, str(accounts)).json()["listItems"]
    assert [i["name"] for i in seen] == names
    assert sdk.tr.delete_list_items(accounts, [{"code": "6100"}]).deleted == 1


def test_the_sdk_reads_and_writes_cells(quick: Practice, sdk: anaplan_sdk.Client) -> None:
    quick.load("Load Ledger", LEDGER_HEAD + GOOD)
    assert [m.name for m in sdk.tr.get_modules()] == ["Ledger"]
    views = {v.name: v.id for v in sdk.tr.get_views()}
    assert set(views) == {"Ledger", "Ledger.Flat"}
    info = sdk.tr.get_view_info(views["Ledger.Flat"])
    assert [d.name for d in info.rows] == ["Companies", "Accounts"]
    assert sdk.tr.get_line_items()[0].name == "Amount"
    shown = sdk.tr.get_view_data(views["Ledger.Flat"])
    assert shown["rows"][0]["cells"][0] == "10.5"
    raw = sdk.tr.get_view_data(views["Ledger.Flat"], data_format="text/csv")
    assert raw.startswith(b"Amount\n,,Jan 24,")
    cell = {
        "lineItemName": "Amount", "value": 12,
        "dimensions": [
            {"dimensionName": "Companies", "itemCode": "00001"},
            {"dimensionName": "Accounts", "itemCode": "5005"},
            {"dimensionName": "Time", "itemName": "Jan 24"},
        ],
    }  # fmt: skip
    assert sdk.tr.update_module_data(number(quick, "module", "Ledger"), [cell]) == 1
    assert quick.cells() == {("Amount", "00001", "5005", "Jan 24"): "12"}


def test_the_sdk_asks_about_the_model_and_the_user(
    quick: Practice, sdk: anaplan_sdk.Client
) -> None:
    assert sdk.tr.get_model_status().progress == -1.0
    sdk.tr.wake_model()
    sdk.tr.close_model()
    assert sdk.tr.get_model_status().current_step == "Closed"
    assert sdk.tr.get_current_period().period_text == "Dec 25"
    assert sdk.tr.get_model_calendar().fiscal_year.year == "FY25"
    found = sdk.tr.lookup_dimension_items(number(quick, "list", "Accounts"), codes=["5005"])
    assert [i.name for i in found] == ["Rent"]
    assert sdk.audit.get_user().email == EMAIL
    assert len(sdk.audit.get_users()) == 2


def test_the_sdk_signs_in_again_when_its_token_has_expired(quick: Practice) -> None:
    transport = ToPractice(quick.url)
    sdk = sdk_client(quick, token="stale", user_email=EMAIL, password=PASSWORD, transport=transport)
    assert len(list(sdk.get_imports())) == 3
    expected = ["imports", "authenticate", "imports"]
    assert transport.seen == expected
    quick.clock.advance(36 * MINUTE)
    assert len(list(sdk.get_imports())) == 3
    assert transport.seen[3:] == expected
    with pytest.raises(InvalidCredentialsException):
        sdk_client(quick, token="bad").get_imports()


def test_the_asynchronous_sdk_sees_the_same(quick: Practice) -> None:
    async def names() -> list[str]:
        client = anaplan_sdk.AsyncClient(
            workspace_id=quick.workspace, model_id=quick.model, token=quick.token,
            transport=AsyncToPractice(quick.url), retry_count=1,
        )  # fmt: skip
        return [i.name for i in await client.get_imports()]

    assert asyncio.run(names()) == ["Load Accounts", "Load Ledger", "Load Long"]


def test_apapi_signs_in_refreshes_validates_and_signs_out(
    quick: Practice, api: apapi.Connection
) -> None:
    assert api.authentication.validate_token() is True
    api.authentication.refresh_token()
    assert api.authentication.validate_token() is True
    api.authentication.session.post(f"{quick.url}/token/logout")
    assert api.authentication.validate_token() is False


def test_apapi_discovers_what_there_is(quick: Practice, api: apapi.Connection) -> None:
    spaces = api.get_workspaces().json()["workspaces"]
    assert spaces[0]["sizeAllowance"] > 0  # asked for as tenantDetails=True
    assert len(api.get_models().json()["models"]) == 2
    assert len(api.get_workspace_models(quick.workspace).json()["models"]) == 2
    assert api.get_model(quick.model).json()["model"]["memoryUsage"] > 0
    load = api.get_import(quick.model, quick.id("import", "Load Ledger")).json()
    assert load["importMetadata"]["source"]["headerNames"] == LEDGER_HEAD.strip().split(",")
    export = api.get_export(quick.model, quick.id("export", "Ledger Export")).json()
    assert export["exportMetadata"]["exportFormat"] == "text/csv"
    process = api.get_process(quick.model, quick.id("process", "Load All")).json()
    assert process["processMetadata"]["actions"][0]["importDataSourceId"]


def test_apapi_uploads_in_three_ways(quick: Practice, api: apapi.Connection) -> None:
    file, body = quick.source("Load Ledger"), (LEDGER_HEAD + GOOD).encode()
    assert api.put_file(quick.model, file, body).status_code == 204
    assert api.get_file(quick.model, file).content == body
    api.upload_file(quick.model, file, [body[:50], body[50:]])
    assert api.get_file(quick.model, file).content == body
    api.upload_file(quick.model, file, [gzip.compress(body)], MIMEType.APP_GZIP)
    assert api.get_file(quick.model, file).content == body
    assert api.delete_file(quick.model, file).status_code == 204


def test_apapi_reads_what_was_rejected(quick: Practice, api: apapi.Connection) -> None:
    model, load = quick.model, quick.id("import", "Load Ledger")
    rows = LEDGER_HEAD + GOOD + BAD + "00001,none,Jan 24,1,,,,\n"
    api.upload_file(model, quick.source("Load Ledger"), [rows.encode()])
    started = api.run_import(model, load, {"Version": "Actual"})
    task, result = run(quick, started, lambda t: api.get_import_task(model, load, t))
    assert (result["successful"], result["failureDumpAvailable"]) == (True, True)
    assert counts(result["details"][0])["failedCount"] == "2"
    assert [t["taskId"] for t in api.get_import_tasks(model, load).json()["tasks"]] == [task]
    whole = api.get_import_dump(model, load, task).content
    assert api.download_import_dump(model, load, task) == whole
    dump = list(csv.DictReader(whole.decode().splitlines()))
    assert [row["_Line_"] for row in dump] == ["3", "4"]


def test_apapi_runs_processes_exports_and_deletions(quick: Practice, api: apapi.Connection) -> None:
    model, process = quick.model, quick.id("process", "Load All")
    api.put_file(model, quick.source("Load Accounts"), ACCOUNTS_HEAD.encode())
    api.put_file(model, quick.source("Load Ledger"), (LEDGER_HEAD + GOOD + BAD).encode())
    started = api.run_process(model, process)
    task, result = run(quick, started, lambda t: api.get_process_task(model, process, t))
    load = result["nestedResults"][1]["objectId"]
    whole = api.get_process_dump(model, process, task, load).content
    assert api.download_process_dump(model, process, task, load) == whole
    export = quick.id("export", "Ledger Export")
    started = api.run_export(model, export)
    run(quick, started, lambda t: api.get_export_task(model, export, t))
    body = b"".join(api.download_file(model, export))
    assert body == api.get_file(model, export).content
    assert b"Amount,Main,Rent,10.5" in body
    action = quick.id("action", "Delete Inactive")
    started = api.run_action(model, action)
    _, result = run(quick, started, lambda t: api.get_action_task(model, action, t))
    assert result["successful"] is True


def test_apapi_reads_and_writes_lists(quick: Practice, api: apapi.Connection) -> None:
    model, accounts = quick.model, quick.id("list", "Accounts")
    assert api.get_list(model, accounts).json()["metadata"]["name"] == "Accounts"
    new = [{"name": "Fuel", "code": "6100"}]
    assert api.add_list_items(model, accounts, new).json()["added"] == 1
    changed = api.update_list_items(model, accounts, [{"code": "6100", "parent": "PL"}])
    assert changed.json()["updated"] == 1
    text = api.get_list_items(model, accounts, accept=MIMEType.TEXT_CSV).text
    assert "Fuel,6100,Profit and loss" in text
    gone = api.delete_list_items(model, accounts, [{"code": "6100"}])
    assert gone.json()["deleted"] == 1


def test_apapi_reads_large_lists_and_views(quick: Practice, api: apapi.Connection) -> None:
    quick.load("Load Ledger", LEDGER_HEAD + GOOD)
    model, accounts, view = quick.model, quick.id("list", "Accounts"), quick.id("view", "Flat")
    read = api.start_large_list_read(model, accounts).json()["listReadRequest"]["requestId"]
    quick.clock.advance(1)
    shown = api.get_large_list_read_status(model, accounts, read).json()["listReadRequest"]
    assert (shown["requestState"], shown["availablePages"]) == ("COMPLETE", 1)
    assert "5005" in api.get_large_list_read_data(model, accounts, read, "0").text
    assert api.delete_large_list_read(model, accounts, read).status_code == 200
    started = api.start_large_cell_read(model, view, ExportType.TABULAR_MULTI)
    read = started.json()["viewReadRequest"]["requestId"]
    quick.clock.advance(1)
    shown = api.get_large_cell_read_status(model, view, read).json()["viewReadRequest"]
    assert shown["successful"] is True
    page = api.get_large_cell_read_data(model, view, read, "0").text.splitlines()
    assert page[1].startswith("Amount,Main,Rent,10.5,")
    assert api.delete_large_cell_read(model, view, read).status_code == 200


def test_apapi_reads_modules_views_and_cells(quick: Practice, api: apapi.Connection) -> None:
    quick.load("Load Ledger", LEDGER_HEAD + GOOD)
    model, accounts, view = quick.model, quick.id("list", "Accounts"), quick.id("view", "Flat")
    assert api.get_modules(model).json()["modules"][0]["name"] == "Ledger"
    assert api.get_lineitems(model).json()["items"][0]["format"] == "NUMBER"
    assert len(api.get_views(model).json()["views"]) == 2
    assert api.get_view_dimensions(model, view).json()["columns"][0]["name"] == "Time"
    assert len(api.get_dimension_items(model, accounts).json()["items"]) == 2
    asked = {"codes": ["5005"]}
    found = api.check_dimension_items_id(model, accounts, asked).json()["items"]
    assert found[0]["name"] == "Rent"
    assert api.get_cell_data(model, view).json()["rows"][0]["cells"][0] == "10.5"
    dimensions = [
        {"dimensionId": quick.id("list", "Companies"), "itemCode": "00001"},
        {"dimensionId": accounts, "itemId": found[0]["id"]},
        {"dimensionName": "Time", "itemName": "Jan 24"},
    ]
    amount = quick.id("line_item", "Amount")
    cell = {"lineItemId": amount, "dimensions": dimensions, "value": 3}
    written = api.post_cell_data(model, quick.id("module", "Ledger"), [cell]).json()
    assert written["numberOfCellsChanged"] == 1


def test_apapi_asks_about_the_model(quick: Practice, api: apapi.Connection) -> None:
    assert api.get_model_status(quick.model).json()["requestStatus"]["currentStep"] == "Open"
    assert api.get_versions(quick.model).json()["versionMetadata"][0]["isActual"] is True
    assert api.get_current_period(quick.model).json()["currentPeriod"]["periodText"] == "Dec 25"
    year = api.get_fiscal_year(quick.model).json()["modelCalendar"]["fiscalYear"]["year"]
    assert year == "FY25"


def test_apapi_gives_up_when_its_token_has_expired(quick: Practice, api: apapi.Connection) -> None:
    quick.clock.advance(36 * MINUTE)
    with pytest.raises(Exception, match="Request failed"):
        api.get_workspaces()


def test_neither_client_sends_what_the_documents_do_not_describe(
    quick: Practice, sdk: anaplan_sdk.Client, api: apapi.Connection
) -> None:
    list(sdk.get_imports(sort_by="name"))
    api.get_models()
    api.get_views(quick.model)
    assert quick.system.control("report", {})["report"] == []
