"""A flow of a table that was changed: what it leaves out is not emptied behind anybody's back."""

from __future__ import annotations

from books import Books, told
from table_books import balances_of_anaplan, balances_of_jde

from tieout.verbs import setting_up


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


def test_a_look_at_both_sides_does_not_let_the_next_run_empty_what_a_flow_leaves_out(
    tables: Books,
) -> None:
    before = balances_of_anaplan(tables)
    own = '  { field = "LT", is = ["AA"] },'
    tables.change_flow(own, own + '\n  { field = "OBJ", is_not = ["1110"] },')
    assert tables.rules(tables.run("balances")) == {"table-narrowed"}

    tables.run("balances", kind="tie_out")
    run = tables.run("balances")

    assert tables.rules(run) == {"table-narrowed"}, told(tables, run)
    assert balances_of_anaplan(tables) == before


def test_numbers_of_a_code_that_was_mapped_elsewhere_are_emptied_after_a_look_at_both_sides(
    tables: Books,
) -> None:
    setting_up.set_mapping(tables.instance, "company", "00060", "00001", "merged")

    looked = tables.run("balances", kind="tie_out")
    assert "not-of-the-table" in tables.rules(looked), told(tables, looked)
    run = tables.run("balances")

    assert run.outcome == "complete", told(tables, run)
    assert not [cell for cell, amount in balances_of_anaplan(tables).items()
                if amount and cell[0] == "00060"]  # fmt: skip


def test_numbers_of_a_code_that_had_no_member_for_a_while_are_emptied_when_it_has_one(
    tables: Books,
) -> None:
    setting_up.set_mapping(tables.instance, "company", "00060", "NEWCO", "merged")
    assert tables.run("balances").exit_code == 5
    setting_up.set_mapping(tables.instance, "company", "00060", "00001", "merged")

    run = tables.run("balances")

    assert run.outcome == "complete", told(tables, run)
    shown = {cell: amount for cell, amount in balances_of_anaplan(tables).items() if amount}
    assert not [cell for cell in shown if cell[0] == "00060"]
    assert sum(shown.values()) == sum(balances_of_jde(tables).values())
