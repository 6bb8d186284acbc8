"""The practice model's plan: what planners entered and approved comes out in its two exports."""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import Decimal

import pytest
from books import Books

HEADER = [
    "Companies", "GL Accounts", "Cost Centers", "Versions", "Time",
    "Amount", "Approved", "Approver",
]  # fmt: skip
Row = dict[str, str]


def exported(books: Books, name: str) -> list[Row]:
    """The rows of an export, run and downloaded through the API by the product's client."""
    run = books.store.runs(flow="actuals", limit=1)[0]
    with books.instance.world_for(run.id) as world:
        found = world.anaplan.find("exports", name)
        task = world.anaplan.start("exports", found.id, world.anaplan.task_ids("exports", found.id))
        assert world.anaplan.wait("exports", found.id, task, name=name).outcome == "ok"
        text = b"".join(world.anaplan.download(found.id)).decode("utf-8")
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
