"""A model whose import clears its target loses nothing: every file holds all cells of the scope."""

from __future__ import annotations

from random import Random

import pytest
from books import Books, assert_quiet, assert_tied, changed, told

CLEAR_MODES = {"mapped": "mapped", "all": "all"}


def clearing(books: Books, says: str, does: str) -> None:
    books.set_actuals(f'import_clears = "{says}"')
    books.person("set_clear_mode", **{"import": "Load GL Actuals", "mode": does})


@pytest.mark.parametrize("clears", ["mapped", "all"])
def test_every_file_holds_all_cells_and_nothing_is_lost(books: Books, clears: str) -> None:
    clearing(books, clears, CLEAR_MODES[clears])
    books.event("late_post")
    books.event("move_period")

    assert_tied(books, books.run())

    sent = {cell: value for cell, value in books.uploaded_cells().items() if value}
    assert sent == books.expected()
    assert_quiet(books)


def test_a_clearing_import_is_not_run_when_no_amount_changed(books: Books) -> None:
    clearing(books, "all", "all")
    assert_tied(books, books.run())
    books.event("edit_text")
    tasks = books.tasks()

    assert_tied(books, books.run())

    assert books.tasks() == tasks


def test_cells_in_doubt_keep_their_value_although_the_import_clears_all(books: Books) -> None:
    clearing(books, "all", "all")
    held = books.anaplan()
    books.event("died_post", period="2025-05")
    books.event("backdated", company="00060")

    run = books.run()

    assert run.exit_code == 6, told(books, run)
    now = books.anaplan()
    assert {cell: now.get(cell) for cell in books.open_cells() if cell in held} == {
        cell: held[cell] for cell in books.open_cells() if cell in held
    }
    assert {cell[0] for cell in changed(held, now)} == {"00060"}
    assert changed(books.expected(), now).keys() == books.open_cells()


def test_a_stopped_company_keeps_its_cells_although_the_import_clears_all(books: Books) -> None:
    clearing(books, "all", "all")
    held = books.anaplan()
    books.event("add_account")
    books.event("backdated", company="00060")

    run = books.run()

    assert run.exit_code == 5, told(books, run)
    assert {cell[0] for cell in changed(held, books.anaplan())} == {"00060"}
    assert books.run("accounts").outcome == "complete"
    assert_tied(books, books.run())


def test_locked_periods_keep_their_cells_although_the_import_clears_all(books: Books) -> None:
    clearing(books, "all", "all")
    books.set_actuals('locked_through = "2024-12"')
    held = books.anaplan()
    books.event("backdated", period="2024-05")
    books.event("backdated", period="2025-05")

    run = books.run()

    assert run.exit_code == 6, told(books, run)
    assert all(cell[3].endswith("25") for cell in changed(held, books.anaplan()))
    assert all(cell[3] == "May 24" for cell in books.open_cells())


@pytest.mark.parametrize("does", ["mapped_source", "mapped", "all"])
def test_a_wipe_that_nobody_configured_is_healed_even_while_the_import_still_clears(
    books: Books, dice: Random, does: str
) -> None:
    books.person("set_clear_mode", **{"import": "Load GL Actuals", "mode": does})
    for name in ("late_post", "backdated", "void_reenter"):
        books.event(name)

    first = books.run()

    lost = changed(books.expected(), books.anaplan())
    if lost:
        assert first.exit_code == 6, told(books, first)
        assert books.open_cells() >= lost.keys()
        assert "anaplan-wiped" in books.rules(first)
        assert_tied(books, books.run())
    else:
        assert_tied(books, first)
    assert lost or does == "mapped_source"
    assert_quiet(books)


@pytest.mark.parametrize("clears", ["mapped", "all"])
def test_a_period_that_goes_alone_leaves_the_rest_as_it_was(books: Books, clears: str) -> None:
    clearing(books, clears, CLEAR_MODES[clears])
    assert_tied(books, books.run())
    books.event("late_post", company="00060")
    before = books.anaplan()

    run = books.run(periods={"from": "2025-03", "to": "2025-03", "companies": ["00001"]})

    assert run.exit_code == 6, told(books, run)
    assert changed(before, books.anaplan()) == {}
    assert_tied(books, books.run())
