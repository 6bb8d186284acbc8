"""A module that holds other line items beside the amount: none of them is taken for the amount."""

from __future__ import annotations

from decimal import Decimal

import pytest
from books import Books, Cell, told

BESIDE = "Last year"


@pytest.fixture
def beside(books: Books) -> Books:
    """The loaded company, whose module has another line item; no page of it shows both."""
    books.person("add_line_item", module="GL Actuals", name=BESIDE)
    months = 12 * len({cell[:3] for cell in amounts(books)})
    books.control("anaplan", "switch", name="read_page_rows", value=months)
    return books


def type_beside(books: Books, cell: Cell, value: Decimal) -> None:
    company, account, center, time = cell
    books.person(
        "set_cell", module="GL Actuals", line_item=BESIDE, company=company, account=account,
        cost_center=center, time=time, value=str(value),
    )  # fmt: skip


def amounts(books: Books) -> dict[Cell, Decimal]:
    rows = books.control("anaplan", "cells", module="GL Actuals")["cells"]
    return {
        (r["Companies"], r["GL Accounts"], r["Cost Centers"], r["Time"]): Decimal(r["value"])
        for r in rows if r["line_item"] == "Amount"
    }  # fmt: skip


def test_a_view_without_the_line_item_of_the_amount_is_refused_by_name(beside: Books) -> None:
    type_beside(beside, min(amounts(beside)), Decimal(1))
    beside.person("rename", kind="line_item", name="Amount", to="Actual")

    run = beside.tie_out()

    assert run.outcome == "failed", told(beside, run)
    assert "Actual, Last year" in run.sentence


def test_a_line_item_beside_the_amount_that_fills_a_page_alone_is_no_difference(
    beside: Books,
) -> None:
    cell = min(amounts(beside))
    type_beside(beside, cell, Decimal("4711"))

    run = beside.tie_out()

    assert (run.outcome, run.exit_code) == ("complete", 0), told(beside, run)
    assert not beside.open_cells()


def test_amounts_that_are_all_wiped_are_missed_although_another_line_item_shows_them_all(
    beside: Books,
) -> None:
    """The view leaves rows without numbers out, so that the other line item is alone in it."""
    state, held = beside.systems.anaplan.state, amounts(beside)
    with state.lock:
        (model,) = state.row("select id from models order by rowid")
        module = state.named(model, "module", "GL Actuals").id
        of = {t.name: t.id for t in state.things(model, "line_item") if t.data["module"] == module}
        state.do("delete from cells where line_item = ?", of[BESIDE])
        state.do("update cells set line_item = ? where line_item = ?", of[BESIDE], of["Amount"])

    run = beside.tie_out()

    assert (run.outcome, run.exit_code) == ("needs_attention", 6), told(beside, run)
    assert beside.rules(run) == {"anaplan-wiped"}
    assert len(beside.open_cells()) == len(held)


def test_an_amount_wiped_in_anaplan_is_found_although_another_line_item_still_shows_it(
    beside: Books,
) -> None:
    held = amounts(beside)
    cell = min(held)
    type_beside(beside, cell, held[cell])
    beside.type_over(cell, Decimal(0))

    run = beside.tie_out()

    assert (run.outcome, run.exit_code) == ("needs_attention", 6), told(beside, run)
    assert beside.open_cells() == {cell}

    run = beside.run()

    assert (run.outcome, run.exit_code) == ("complete", 0), told(beside, run)
    assert amounts(beside) == held
