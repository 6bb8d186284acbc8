"""Practice Anaplan: the demo company's model, its names, and that it outlives a restart."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from anaplan_practice import Practice

from tieout.sim.anaplan.demo_model import EMAIL, make_demo_model
from tieout.sim.anaplan.system import open_system
from tieout.sim.box import Box, serve
from tieout.sim.clock import PracticeClock

HEAD = "Company,Account,Cost Center,Time,Amount\n"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Practice]:
    clock = PracticeClock()
    system = open_system(tmp_path / "anaplan.sqlite", clock)
    make_demo_model(system.state, "secret", account_parents=[("510", "Costs")])
    url, stop = serve(Box(system, clock), 0, control=False)
    served = Practice(url, system, clock, "FP&A 2026")
    served.sign_in(EMAIL, "secret")
    yield served
    served.http.close()
    stop()
    system.close()


def load_all(demo: Practice) -> None:
    demo.load("Load Companies", "Code,Name\n00001,Main\n")
    demo.load("Load GL Accounts", "Code,Name,Parent\n5005,Rent,510\n8740.TRAVEL,Travel,510\n")
    demo.load("Load Cost Centers", "Code,Name,Company,Active\n30,Plant,00001,TRUE\n")
    rows = "00001,5005,30,Jan 24,12.50\n00001,8740.TRAVEL,30,Dec 26,-1\n"
    assert demo.load("Load GL Actuals", HEAD + rows)["failureDumpAvailable"] is False


def cells(demo: Practice) -> dict[tuple[str, str], str]:
    found = demo.system.control("cells", {"module": "GL Actuals"})["cells"]
    return {(c["GL Accounts"], c["Time"]): c["value"] for c in found}


def test_the_demo_model_has_the_names_people_configure(demo: Practice) -> None:
    model = demo.get("")["model"]
    assert (model["name"], model["currentWorkspaceName"]) == ("FP&A 2026", "Finance")
    for kind, names in (
        ("lists", ["Companies", "GL Accounts", "Cost Centers", "Fiscal Years", "Open Payables"]),
        ("modules", ["GL Actuals", "Account Balances"]),
        ("imports", ["Load Companies", "Load GL Accounts", "Load Cost Centers",
                     "Load GL Actuals", "Load Account Balances", "Load Open Payables"]),
        ("processes", ["Load Actuals Process"]), ("exports", ["GL Actuals Export"]),
        ("views", ["GL Actuals", "GL Actuals.GL Actuals", "Account Balances",
                   "Account Balances.Account Balances"]),
    ):  # fmt: skip
        assert [t["name"] for t in demo.get(f"/{kind}")[kind]] == names
    action = demo.get(f"/imports/{demo.id('import', 'Load GL Actuals')}")
    headers = action["importMetadata"]["source"]["headerNames"]
    assert headers == ["Company", "Account", "Cost Center", "Time", "Amount"]


def test_members_and_amounts_reach_the_demo_model_through_its_imports(demo: Practice) -> None:
    load_all(demo)
    assert cells(demo) == {("5005", "Jan 24"): "12.5", ("8740.TRAVEL", "Dec 26"): "-1"}
    view = demo.id("view", "GL Actuals")
    rows = demo.on_model("GET", f"/views/{view}/data").text.splitlines()
    assert rows[0] == "Amount"
    assert rows[1].startswith(",,,Jan 24,Feb 24,")
    assert rows[2].startswith("Main,Rent,Plant,12.5,0,")
    assert len(rows) == 4


def test_two_accounts_of_one_name_are_numbered(demo: Practice) -> None:
    demo.load("Load GL Accounts", "Code,Name,Parent\n5005,Rent,510\n5006,Rent,510\n")
    items = demo.get(f"/lists/{demo.id('list', 'GL Accounts')}/items")["listItems"]
    assert [(i["code"], i["name"]) for i in items] == [
        ("510", "Costs"), ("5005", "Rent"), ("5006", "Rent~1"),
    ]  # fmt: skip


def test_a_person_tampers_by_code(demo: Practice) -> None:
    load_all(demo)
    where = {"company": "00001", "account": "5005", "cost_center": "30", "time": "Jan 24"}
    demo.person("set_cell", module="GL Actuals", line_item="Amount", value="99.99", **where)
    assert cells(demo)["5005", "Jan 24"] == "99.99"


def test_the_state_outlives_the_practice_system(demo: Practice, tmp_path: Path) -> None:
    load_all(demo)
    demo.switch("task_step_seconds", 1000)
    demo.upload("Load GL Actuals", HEAD + "00001,5005,30,Jan 24,7\n")
    demo.start("imports", "Load GL Actuals")
    again = open_system(tmp_path / "anaplan.sqlite", demo.clock)
    demo.clock.advance(5000)
    found = again.control("cells", {"module": "GL Actuals"})["cells"]
    assert {c["value"] for c in found} == {"7", "-1"}
    assert again.state.named(demo.model, "import", "Load Companies").id == demo.id(
        "import", "Load Companies"
    )
    again.close()


def test_many_callers_at_once_lose_nothing(demo: Practice) -> None:
    load_all(demo)
    file = demo.source("Load GL Actuals")
    months = [f"{m} 25" for m in ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug")]
    parts = [HEAD, *(f"00001,5005,30,{m},1\n" for m in months)]
    demo.on_model("POST", f"/files/{file}", json={"chunkCount": len(parts)})

    def put(number: int) -> None:
        head = {"Content-Type": "application/octet-stream"}
        path = f"/files/{file}/chunks/{number}"
        assert demo.on_model("PUT", path, content=parts[number].encode(), headers=head).is_success

    threads = [threading.Thread(target=put, args=(n,)) for n in range(len(parts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    demo.finish(demo.start("imports", "Load GL Actuals"))
    assert {time for _, time in cells(demo)} == {"Jan 24", "Dec 26", *months}
    seen = demo.system.control("state", {})
    assert seen["running_tasks_max"] == {demo.model: 1}


def test_a_clock_that_starts_anew_does_not_stop_the_queue(demo: Practice, tmp_path: Path) -> None:
    demo.clock.advance(100_000)
    demo.sign_in(EMAIL, "secret")
    load_all(demo)
    with_new_clock = PracticeClock()
    again = open_system(tmp_path / "anaplan.sqlite", with_new_clock)
    url, stop = serve(Box(again, with_new_clock), 0, control=False)
    later = Practice(url, again, with_new_clock, "FP&A 2026")
    later.sign_in(EMAIL, "secret")
    result = later.load("Load GL Actuals", HEAD + "00001,5005,30,Jan 24,3\n")
    assert result["successful"] is True
    later.http.close()
    stop()
    again.close()
