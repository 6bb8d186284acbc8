"""Practice Anaplan: busy, closed, locked, archived and offline models; what people do in them."""

from __future__ import annotations

import threading
import time

import httpx2
import pytest
from anaplan_practice import EMAIL, LEDGER_HEAD, OTHER, Practice

GOOD = "00001,5005,Jan 24,1,,,,\n"


def test_the_status_has_no_envelope_and_says_who_is_working(anaplan: Practice) -> None:
    """A068"""
    anaplan.switch("task_step_seconds", 100)
    for method in ("GET", "POST"):
        answer = anaplan.on_model(method, "/status").json()
        assert set(answer) == {"requestStatus"}
        assert answer["requestStatus"]["progress"] == -1.0
        assert answer["requestStatus"]["currentStep"] == "Open"
    anaplan.start("imports", "Load Ledger")
    anaplan.clock.advance(150)
    busy = anaplan.get("/status")["requestStatus"]
    assert busy["progress"] > 0
    assert EMAIL in busy["tooltip"]
    assert anaplan.get("?modelDetails=true")["model"]["modelTransactionRunning"] is True


@pytest.fixture
def busy(anaplan: Practice) -> Practice:
    """An import has been running for 50 seconds and takes 150 more."""
    anaplan.switch("task_step_seconds", 100)
    anaplan.upload("Load Ledger", LEDGER_HEAD + GOOD)
    anaplan.start("imports", "Load Ledger")
    anaplan.clock.advance(150)
    return anaplan


def taken(anaplan: Practice) -> int:
    """How many requests have arrived."""
    return sum(budget.taken for budget in list(anaplan.system.budgets.of_tenant.values()))


def held(anaplan: Practice, method: str, path: str, **options: object) -> httpx2.Response:
    """The answer to a request that is held open until the running task is over, 500 s later.

    The clock moves once the request has arrived, and nothing but the clock can end the task.
    """
    arrived = taken(anaplan)
    answers: list[httpx2.Response] = []
    asking = threading.Thread(
        target=lambda: answers.append(anaplan.on_model(method, path, **options))
    )
    asking.start()
    give_up = time.monotonic() + 10
    while taken(anaplan) == arrived:
        assert time.monotonic() < give_up, "the request never arrived"
        threading.Event().wait(0.01)
    assert anaplan.get("/imports")["imports"], "metadata does not wait"
    assert answers == []
    anaplan.clock.advance(500)
    asking.join(10)
    return answers[0]


def test_reading_cells_waits_while_the_model_works(busy: Practice) -> None:
    """A069"""
    read = held(busy, "GET", f"/views/{busy.id('view', 'Flat')}/data")
    assert "Main,Rent,1," in read.text


def tasks_of(anaplan: Practice, name: str) -> list[str]:
    tasks = anaplan.get(f"/imports/{anaplan.id('import', name)}/tasks")["tasks"]
    return [str(t["taskState"]) for t in tasks]


@pytest.mark.parametrize("how", ["queue", "wait", 409])
def test_a_task_started_while_another_runs_is_queued_held_open_or_refused(
    busy: Practice, how: str | int
) -> None:
    """A092"""
    busy.switch("busy_starts", how)
    path = f"/imports/{busy.id('import', 'Load Ledger')}/tasks"
    body = {"localeName": "en_US"}
    if how == "wait":
        assert held(busy, "POST", path, json=body).status_code == 200
        assert tasks_of(busy, "Load Ledger") == ["COMPLETE", "NOT_STARTED"]
        return
    answer = busy.on_model("POST", path, json=body)
    assert answer.status_code == (409 if how == 409 else 200)
    queued = [] if how == 409 else ["NOT_STARTED"]
    assert tasks_of(busy, "Load Ledger") == ["IN_PROGRESS", *queued]


@pytest.mark.parametrize("how", ["pass", "wait", 409])
def test_uploading_while_a_task_runs_passes_is_held_open_or_refused(
    busy: Practice, how: str | int
) -> None:
    """A093"""
    busy.switch("busy_uploads", how)
    path = f"/files/{busy.source('Load Accounts')}"
    body = {"chunkCount": -1}
    if how == "wait":
        asked_at = busy.clock.now()
        assert held(busy, "POST", path, json=body).status_code == 200
        assert float(busy.one("select touched from contents order by touched desc")) > asked_at + 99
        return
    codes = [
        busy.on_model("POST", path, json=body).status_code,
        busy.on_model(
            "PUT", f"{path}/chunks/0", content=b"Code\n",
            headers={"Content-Type": "application/octet-stream"},
        ).status_code,
        busy.on_model("POST", f"{path}/complete", json={}).status_code,
    ]  # fmt: skip
    assert codes == ([409] * 3 if how == 409 else [200, 204, 200])


def test_somebody_else_can_run_an_import_or_a_process(anaplan: Practice) -> None:
    """A030, A042: they read their own copy of the file; the task is in the list of the action."""
    anaplan.upload("Load Ledger", LEDGER_HEAD + GOOD)
    for kind, name in (("import", "Load Ledger"), ("process", "Load All")):
        anaplan.person("run", kind=kind, name=name)
    anaplan.clock.advance(60)
    assert tasks_of(anaplan, "Load Ledger") == ["COMPLETE"]
    assert anaplan.cells() == {}
    anaplan.person("run", kind="import", name="Load Ledger", user=EMAIL)
    anaplan.clock.advance(60)
    assert anaplan.cells() == {("Amount", "00001", "5005", "Jan 24"): "1"}
    with pytest.raises(LookupError):
        anaplan.person("run", kind="import", name="Load Ledger", user="nobody@example.com")
    anaplan.person("run", kind="import", name="Load Ledger", user=OTHER)


@pytest.mark.parametrize("code", [409, 504])
def test_a_busy_model_may_refuse_to_be_read(anaplan: Practice, code: int) -> None:
    """A069"""
    anaplan.switch("task_step_seconds", 100)
    anaplan.start("imports", "Load Ledger")
    anaplan.clock.advance(150)
    if code == 504:
        anaplan.switch("busy_wait_seconds", 0)
    else:
        anaplan.switch("busy_reads", code)
    path = f"/views/{anaplan.id('view', 'Flat')}/data"
    assert anaplan.on_model("GET", path).status_code == code


def test_a_model_can_be_closed_and_opened(anaplan: Practice) -> None:
    """A070"""
    text = {"Content-Type": "application/text"}
    assert anaplan.on_model("POST", "/open", headers=text).status_code == 200
    answer = anaplan.on_model("POST", "/close", headers=text)
    assert (answer.status_code, answer.content) == (204, b"")
    assert anaplan.get("/status")["requestStatus"]["currentStep"] == "Closed"
    answer = anaplan.on_model("POST", "/open", headers=text)
    assert (answer.status_code, answer.content) == (202, b"")
    anaplan.on_model("POST", "/close", headers=text)
    anaplan.on_model("GET", f"/views/{anaplan.id('view', 'Flat')}/data")
    assert anaplan.get("/status")["requestStatus"]["currentStep"] == "Open"


@pytest.mark.parametrize(
    ("act", "name", "code", "other", "phase"),
    [
        ("lock_model", "locked_status", 423, 503, "LOCKED"),
        ("archive_model", "archived_status", 422, 404, "ARCHIVED"),
        ("take_offline", "offline_status", 424, 409, "MAINTENANCE"),
    ],
)
def test_a_model_that_may_not_be_changed_says_so(
    anaplan: Practice, act: str, name: str, code: int, other: int, phase: str
) -> None:
    """A070"""
    path = f"/imports/{anaplan.id('import', 'Load Ledger')}/tasks"
    anaplan.person(act)
    assert anaplan.on_model("POST", path, json={"localeName": "en_US"}).status_code == code
    anaplan.switch(name, other)
    assert anaplan.on_model("POST", path, json={"localeName": "en_US"}).status_code == other
    assert anaplan.get("")["model"]["activeState"] == phase
    assert (anaplan.on_model("GET", "/files").status_code == 200) is (act == "lock_model")
    anaplan.person("unlock_model")
    assert anaplan.on_model("POST", path, json={"localeName": "en_US"}).status_code == 200


def test_the_calendar_and_the_versions_can_be_read_but_not_changed(anaplan: Practice) -> None:
    """A091"""
    assert anaplan.get("/currentPeriod")["currentPeriod"] == {
        "periodText": "Dec 25", "lastDay": "2025-12-31",
        "calendarType": "Calendar Months/Quarters/Years",
    }  # fmt: skip
    calendar = anaplan.get("/modelCalendar")["modelCalendar"]
    assert calendar["fiscalYear"]["endDate"] == "2025-12-31"
    assert (calendar["pastYearsCount"], calendar["futureYearsCount"]) == (1, 0)
    versions = anaplan.get("/versions")["versionMetadata"]
    assert [(v["name"], v["isActual"]) for v in versions] == [("Actual", True)]
    change = {"date": "2025-01-01"}
    assert anaplan.on_model("PUT", "/currentPeriod", json=change).status_code == 405


def test_a_person_can_type_over_a_cell_and_add_members(anaplan: Practice) -> None:
    anaplan.person("add_item", list="Accounts", code="6000", name="Travel", parent="PL")
    where = {"members": ["00001", "6000", "Jan 24"]}
    anaplan.person("set_cell", module="Ledger", line_item="Amount", value="5.5", **where)
    assert anaplan.cells() == {("Amount", "00001", "6000", "Jan 24"): "5.5"}
    anaplan.person("change_item", list="Accounts", item="6000", code="6001", parent="")
    assert anaplan.cells() == {("Amount", "00001", "6001", "Jan 24"): "5.5"}
    anaplan.person("set_cell", module="Ledger", line_item="Amount", value="0",
                   members=["00001", "6001", "Jan 24"])  # fmt: skip
    assert anaplan.cells() == {}


def test_a_person_can_rename_an_import(anaplan: Practice) -> None:
    before = anaplan.id("import", "Load Ledger")
    anaplan.person("rename_import", **{"import": "Load Ledger", "to": "Load Ledger 2"})
    assert anaplan.id("import", "Load Ledger 2") == before


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("people", {"do": "dance"}),
        ("people", {"do": "rename_import", "import": "none", "to": "x"}),
        ("switch", {"name": "none", "value": 1}),
        ("switch", {"name": "retry_after", "value": "never"}),
        ("dance", {}),
    ],
)
def test_a_control_verb_that_makes_no_sense_is_refused(
    anaplan: Practice, verb: str, body: dict[str, object]
) -> None:
    with pytest.raises((ValueError, LookupError)):
        anaplan.system.control(verb, body)
