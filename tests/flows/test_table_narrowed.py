"""A flow of a table that was changed: what it leaves out is not emptied behind anybody's back."""

from __future__ import annotations

from books import Books, told
from table_books import balances_of_anaplan


def test_years_that_a_flow_loads_no_more_keep_their_numbers(tables: Books) -> None:
    before = balances_of_anaplan(tables)
    assert any(year == "2024" for _, _, _, year, _ in before)
    tables.change_flow("is = [2024, 2025]", "is = [2025]")

    run = tables.run("balances")

    assert run.outcome == "complete", told(tables, run)
    assert balances_of_anaplan(tables) == before


def test_what_other_conditions_leave_out_is_emptied_only_when_a_person_says_so(
    tables: Books,
) -> None:
    before = balances_of_anaplan(tables)
    tables.change_flow('is = ["00001", "00060", "00070", "00090", "00200"]', 'is = ["00001"]')

    runs = [tables.run("balances") for _ in range(2)]

    assert [r.exit_code for r in runs] == [6, 6], told(tables, runs[0])
    assert tables.rules(runs[1]) == {"table-narrowed"}
    assert balances_of_anaplan(tables) == before
    assert tables.run("balances", full=True).outcome == "complete"
    kept = {cell: amount for cell, amount in before.items() if cell[0] == "00001"}
    assert {c: a for c, a in balances_of_anaplan(tables).items() if a} == kept
