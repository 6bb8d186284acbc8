"""A balanced company proves nothing: no run is Complete unless every single cell ties."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from random import Random

import pytest
from books import Books, Cell, assert_quiet, assert_tied, changed, told

from tieout.store.runs import Run

HUNDRED = Decimal(100)
NO_CELL_HAS_IT = "4711.00"


def assert_not_complete(books: Books, run: Run, *rules: str) -> None:
    assert (run.outcome, run.exit_code) == ("needs_attention", 6), told(books, run)
    assert set(rules) <= books.rules(run), told(books, run)
    assert books.open_cells()


def two_accounts(books: Books, dice: Random) -> tuple[Cell, Cell]:
    """Cells of two accounts in one company, unit and month."""
    places: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in sorted(books.anaplan()):
        places.setdefault((cell[0], cell[2], cell[3]), []).append(cell)
    both = dice.sample(dice.choice([p for p in places.values() if len(p) > 1]), 2)
    return both[0], both[1]


def two_units(books: Books, dice: Random) -> tuple[Cell, Cell]:
    """Cells of two units in one company, account and month."""
    places: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in sorted(books.anaplan()):
        places.setdefault((cell[0], cell[1], cell[3]), []).append(cell)
    both = dice.sample(dice.choice([p for p in places.values() if len(p) > 1]), 2)
    return both[0], both[1]


def move_a_hundred(books: Books, cells: tuple[Cell, Cell]) -> None:
    held = books.anaplan()
    books.type_over(cells[0], held[cells[0]] - HUNDRED)
    books.type_over(cells[1], held[cells[1]] + HUNDRED)


Choose = Callable[[Books, Random], tuple[Cell, Cell]]


@pytest.mark.parametrize("choose", [two_accounts, two_units])
def test_a_hundred_moved_inside_anaplan_during_the_run_is_found_and_healed(
    books: Books, dice: Random, choose: Choose
) -> None:
    cells = choose(books, dice)
    books.event("backdated")

    run = books.run(meanwhile={"read back:before": lambda: move_a_hundred(books, cells)})

    assert_not_complete(books, run, "anaplan-differs")
    assert books.open_cells() == set(cells)
    assert_tied(books, books.run())
    assert books.uploaded_cells().keys() == set(cells)
    assert_quiet(books)


@pytest.mark.parametrize("choose", [two_accounts, two_units])
def test_the_tie_out_finds_a_hundred_moved_inside_anaplan_and_sends_nothing(
    books: Books, dice: Random, choose: Choose
) -> None:
    cells = choose(books, dice)
    move_a_hundred(books, cells)
    held, tasks, position = books.anaplan(), books.tasks(), books.position()

    run = books.tie_out()

    assert books.position() == position | {"proved": False}  # so that the next run looks at all

    assert_not_complete(books, run, "anaplan-differs")
    assert books.open_cells() == set(cells)
    assert (books.anaplan(), books.tasks()) == (held, tasks)
    assert books.position() == position | {"proved": False}, "the next run is not quiet"
    assert not books.tie_out_gaps().is_empty()
    assert_tied(books, books.run())


def test_the_tie_out_of_books_that_agree_is_complete(books: Books) -> None:
    assert_tied(books, books.tie_out())


def pretend_success(books: Books, rows: int) -> None:
    """Anaplan says that a task loaded every row, and no task ever runs."""
    task = "F" * 32
    counts = {"totalRowCount": rows, "successRowCount": rows, "failedCount": 0, "ignoredCount": 0}
    done = {"task": {
        "taskId": task, "taskState": "COMPLETE", "progress": 1.0, "currentStep": "Complete.",
        "result": {"successful": True, "failureDumpAvailable": False, "objectId": "", "details": [{
            "type": "lineItemRowsProcessed", "localMessageText": f"Amount: {rows} rows successful",
            "occurrences": 0, "values": [str(x) for pair in counts.items() for x in pair],
        }]},
    }}  # fmt: skip
    started = json.dumps({"task": {"taskId": task}})
    books.fault("anaplan", "status", method="POST", path=r"/imports/\d+/tasks", status=200,
                body=started)  # fmt: skip
    books.fault("anaplan", "status", method="GET", path=f"/tasks/{task}", status=200, times=99,
                body=json.dumps(done))  # fmt: skip


def test_an_import_that_says_it_loaded_and_loaded_nothing_is_not_complete(books: Books) -> None:
    books.event("late_post")
    touched = changed(books.anaplan(), books.expected())
    held = books.anaplan()
    pretend_success(books, len(touched))

    run = books.run()

    assert books.faults_hit("anaplan") >= 2
    assert_not_complete(books, run)
    assert books.open_cells() == touched.keys()
    assert books.anaplan() == held
    books.no_more_faults()
    assert_tied(books, books.run())
    assert books.uploaded_cells() == touched


def test_a_first_load_that_loaded_nothing_is_not_complete(new_books: Books) -> None:
    pretend_success(new_books, 1)

    run = new_books.run()

    assert run.outcome == "needs_attention", told(new_books, run)
    assert run.exit_code == 5, "cells of a first load that are not there were not loaded"
    assert new_books.anaplan() == {}
    assert len(new_books.open_cells()) > 1_000


def test_a_stale_cell_pasted_outside_the_ledger_is_found_and_zeroed(
    books: Books, dice: Random
) -> None:
    held = books.anaplan()
    months = sorted({c[3] for c in held if c[0] == "00001"})
    accounts, units = ({c[n] for c in held if c[0] == "00001"} for n in (1, 2))
    free = [
        cell
        for a in sorted(accounts)
        for u in sorted(units)
        if (cell := ("00001", a, u, dice.choice(months))) not in held
    ]
    pasted = dice.choice(free)
    books.type_over(pasted, Decimal(NO_CELL_HAS_IT))
    books.event("backdated")

    run = books.run()

    assert_not_complete(books, run, "not-of-the-ledger")
    assert books.open_cells() == {pasted}
    assert_tied(books, books.run())
    assert books.uploaded_cells() == {pasted: Decimal(0)}


def test_an_import_set_to_clear_all_items_is_found_and_healed(books: Books) -> None:
    books.person("set_clear_mode", **{"import": "Load GL Actuals", "mode": "all"})
    books.event("backdated")

    run = books.run()

    assert_not_complete(books, run, "anaplan-wiped")
    books.person("set_clear_mode", **{"import": "Load GL Actuals", "mode": "none"})
    assert_tied(books, books.run())
    assert_quiet(books)


def test_while_the_import_clears_all_items_no_run_is_complete_unless_every_cell_is_there(
    books: Books,
) -> None:
    books.person("set_clear_mode", **{"import": "Load GL Actuals", "mode": "all"})
    books.event("backdated")
    runs = [books.run() for _ in range(2)]
    for run in runs:
        assert run.outcome == "needs_attention" or not changed(books.expected(), books.anaplan())
    assert_tied(books, runs[-1])


@pytest.mark.parametrize("unit", ["45", "30"])
def test_a_unit_hidden_by_row_security_after_a_load_keeps_its_cells(
    books: Books, unit: str
) -> None:
    books.event("hide_unit", unit=unit)
    books.event("backdated", company="00060")
    held = books.anaplan()

    run = books.run()

    assert_not_complete(books, run)
    kept = {cell: value for cell, value in held.items() if cell[2] == unit}
    assert kept
    now = books.anaplan()
    assert {cell: now.get(cell) for cell in kept} == kept
    books.event("show_unit", unit=unit)
    assert_tied(books, books.run())
    assert_quiet(books)


def test_a_cell_the_ledger_never_had_is_not_emptied_while_a_unit_is_hidden(books: Books) -> None:
    held = books.anaplan()
    of_company = [c for c in held if c[0] == "00001"]
    cell = next(
        ("00001", account, unit, "Mar 25")
        for account in sorted({c[1] for c in of_company})
        for unit in sorted({c[2] for c in of_company})
        if ("00001", account, unit, "Mar 25") not in held
    )
    books.type_over(cell, Decimal(4711))
    assert_not_complete(books, books.tie_out())
    books.event("hide_unit", unit="30")

    assert_not_complete(books, books.run())

    assert books.anaplan()[cell] == 4711
    books.event("show_unit", unit="30")
    assert_tied(books, books.run())


@pytest.mark.parametrize(("unit", "rule"), [("45", "batch-without-lines"), ("30", "not-zero")])
def test_a_unit_hidden_before_the_first_load_is_noticed(
    new_books: Books, unit: str, rule: str
) -> None:
    new_books.set_actuals('unmatched = "load rest"')
    new_books.event("hide_unit", unit=unit)

    run = new_books.run()

    assert run.outcome == "needs_attention", told(new_books, run)
    assert rule in new_books.rules(run), told(new_books, run)
    assert not [cell for cell in new_books.anaplan() if cell[2] == unit]
    new_books.event("show_unit", unit=unit)
    last = new_books.run()
    assert {r.finding.rule for r in new_books.findings(last) if r.finding.severity != "note"} == {
        "unmatched-member"
    }, told(new_books, last)
