"""The practice model's plan: what planners entered and approved comes out in its two exports."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from books import Books

from tieout.anaplan.client import Anaplan
from tieout.anaplan.exports import check_export_columns
from tieout.anaplan.plan_rows import control_rows, plan_rows
from tieout.core.plan import control_findings
from tieout.core.plan_members import in_codes
from tieout.errors import Misconfigured

HEADER = [
    "Companies", "GL Accounts", "Cost Centers", "Versions", "Time",
    "Amount", "Approved", "Approver",
]  # fmt: skip
COLUMNS = {
    "Companies": "company", "GL Accounts": "account", "Cost Centers": "business_unit",
    "Versions": "version", "Time": "period", "Amount": "amount", "Approved": "approved",
    "Approver": "approver",
}  # fmt: skip
CONTROLS = {
    "Companies": "company", "Versions": "version", "Time": "period", "Rows": "rows",
    "Total": "amount",
}  # fmt: skip
CONTROL = "Approved Plan Control"
LISTS = {"company": "Companies", "account": "GL Accounts", "business_unit": "Cost Centers"}
Row = dict[str, str]


@contextmanager
def connected(books: Books) -> Iterator[Anaplan]:
    """The product's client, as a run has it."""
    run = books.store.runs(flow="actuals", limit=1)[0]
    with books.instance.world_for(run.id) as world:
        yield world.anaplan


def downloaded(anaplan: Anaplan, name: str) -> bytes:
    """The file of an export, run and downloaded through the API."""
    found = anaplan.find("exports", name)
    task = anaplan.start("exports", found.id, anaplan.task_ids("exports", found.id))
    assert anaplan.wait("exports", found.id, task, name=name).outcome == "ok"
    return b"".join(anaplan.download(found.id))


def exported(books: Books, name: str) -> list[Row]:
    """The rows of an export, by Python's own reader of CSV."""
    with connected(books) as anaplan:
        text = downloaded(anaplan, name).decode("utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture
def planned(books: Books) -> Books:
    books.person("add_plan")
    assert books.person("enter_plan", version="BUD26")["cells"] > 0
    return books


def test_the_plan_comes_out_with_who_approved_it(planned: Books) -> None:
    rows = exported(planned, "Approved Plan")

    assert list(rows[0]) == HEADER
    assert {row["Approved"] for row in rows} == {"true", "false"}
    assert {row["Approver"] for row in rows if row["Approved"] == "false"} == {""}
    assert {row["Versions"] for row in rows} == {"Budget 2026"}
    assert {row["Time"] for row in rows} >= {"Jan 26", "Dec 26"}
    decimals = {-Decimal(row["Amount"]).normalize().as_tuple().exponent for row in rows}
    assert max(decimals) == 4, "planners round nothing"


def test_the_control_export_counts_and_adds_up_what_is_approved(planned: Books) -> None:
    expected: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(), Decimal()])
    for row in exported(planned, "Approved Plan"):
        if row["Approved"] == "true":
            place = expected[row["Companies"], row["Time"]]
            place[0] += 1
            place[1] += Decimal(row["Amount"])

    control = exported(planned, "Approved Plan Control")

    found = {
        (r["Companies"], r["Time"]): [Decimal(r["Rows"]), Decimal(r["Total"])] for r in control
    }
    assert found == dict(expected)


def test_a_second_version_stands_beside_the_first_and_a_change_moves_the_control(
    planned: Books,
) -> None:
    before = exported(planned, "Approved Plan Control")
    planned.person("enter_plan", version="FC26")
    cell = next(iter(planned.anaplan()))
    planned.person(
        "change_plan", cells=[[*cell[:3], "BUD26", "Jan 26"]], amount="1000.5", approved=True
    )

    after = exported(planned, "Approved Plan Control")

    versions = {row["Versions"] for row in after}
    assert versions == {"Budget 2026", "Forecast 2026"}
    budget = [row for row in after if row["Versions"] == "Budget 2026"]
    changed = [row for row in budget if row not in before]
    assert len(changed) == 1
    assert changed[0]["Time"] == "Jan 26"


def test_the_layout_of_both_exports_fits_the_flow_before_anything_is_run(planned: Books) -> None:
    tasks = planned.tasks()
    with connected(planned) as anaplan:
        plan, control = (anaplan.export_layout(n) for n in ("Approved Plan", CONTROL))
        by_id = anaplan.export_layout(plan.id)
        with pytest.raises(Misconfigured, match="There are: 'Approved Plan', '" + CONTROL):
            anaplan.export_layout("Plan")

    assert (by_id, list(plan.headers)) == (plan, HEADER)
    assert plan.data_types == ("ENTITY",) * 5 + ("NUMBER", "BOOLEAN", "TEXT")
    check_export_columns(plan, COLUMNS)
    check_export_columns(control, CONTROLS)
    with pytest.raises(Misconfigured, match="its columns 'Versions' are not named in the flow"):
        check_export_columns(plan, {h: m for h, m in COLUMNS.items() if m != "version"})
    assert planned.tasks() == tasks, "something was run"


def test_every_amount_of_the_plan_arrives_to_the_last_digit_under_its_code(planned: Books) -> None:
    cell = next(iter(planned.anaplan()))
    planned.person(
        "change_plan", cells=[[*cell[:3], "BUD26", "Jan 26"]],
        amount="1234567890123.123456789", approved=True, approver="ada, the controller",
    )  # fmt: skip
    with connected(planned) as anaplan:
        data, layout = downloaded(anaplan, "Approved Plan"), anaplan.export_layout("Approved Plan")
        lists = {d: anaplan.list_items(anaplan.find("lists", n).id) for d, n in LISTS.items()}

    rows, unreadable = plan_rows(data, layout, COLUMNS)
    codes, unknown = in_codes(rows, lists)

    assert (unreadable, unknown) == ([], [])
    expected = [
        (*list(row.values())[:5], Decimal(row["Amount"]), row["Approved"] == "true",
         row["Approver"])
        for row in csv.DictReader(data.decode().splitlines())
    ]  # fmt: skip
    shown = ["company", "account", "business_unit", "version", "member", "amount", "approved",
             "approver"]  # fmt: skip
    assert rows.select(shown).rows() == expected
    assert Decimal("1234567890123.123456789") in rows["amount"].to_list()
    entered = {
        (c["Companies"], c["GL Accounts"], c["Cost Centers"], c["Time"]): Decimal(c["value"])
        for c in planned.control("anaplan", "cells", module="Approved Plan")["cells"]
        if c["line_item"] == "Amount"
    }
    key = ["company", "account", "business_unit", "member", "amount"]
    assert {row[:4]: row[4] for row in codes.select(key).rows() if row[4]} == entered


def test_the_plan_agrees_with_its_control_export_until_one_of_them_is_changed(
    planned: Books,
) -> None:
    planned.person("enter_plan", version="FC26")
    with connected(planned) as anaplan:
        layout, control = (anaplan.export_layout(n) for n in ("Approved Plan", CONTROL))
        rows, _ = plan_rows(downloaded(anaplan, layout.name), layout, COLUMNS)
        told = control_rows(downloaded(anaplan, CONTROL), control, CONTROLS)
        approved = rows.filter("approved")

        assert told["rows"].sum() == approved.height > 0
        assert control_findings(approved, told) == []
        assert control_findings(approved[1:], told)[0].rule == "control-differs"

        cell = next(iter(planned.anaplan()))
        planned.person(
            "change_plan", cells=[[*cell[:3], "FC26", "Jan 26"]], amount="7.5", approved=True
        )
        later = control_rows(downloaded(anaplan, CONTROL), control, CONTROLS)

    assert [f.member for f in control_findings(approved, later)] == ["Jan 26"]
