"""Whatever happens in the ledger, the next run sends exactly the cells it touched, and ties."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from books import Books, Cells, assert_quiet, assert_tied, changed, told

Happening = Callable[[Books], Any]


def once(name: str, **body: Any) -> Happening:
    return lambda books: books.event(name, **body)


def posted_by_people(books: Books) -> None:
    """A batch is keyed, and posted by name."""
    keyed = books.event("unposted", amount="321.09", period="2025-06")
    books.event("post_batch", batch_type=keyed["batch_type"], batch_number=keyed["batch_number"])


def voided_by_people(books: Books) -> None:
    """A posted batch is voided, and the void posted."""
    keyed = books.event("backdated", amount="55.55")
    batch = {"batch_type": keyed["batch_type"], "batch_number": keyed["batch_number"]}
    assert books.run().outcome == "complete"
    books.control("jde", "people", do="void", **batch)
    books.event("post_batch", **batch)


def next_month_with_a_journal(books: Books) -> None:
    """The current period moves on, and the new one gets its first journal."""
    moved = books.event("change_period")
    books.event("backdated", period=moved["period"], amount="4711.00")


CHANGES_AMOUNTS: dict[str, Happening] = {
    "late post whose stamp stayed": once("late_post"),
    "late post whose stamp moved": once("late_post", restamp=True),
    "late post in yen": once("late_post", company="00070"),
    "late post in the odd fiscal year": once("late_post", company="00090"),
    "backdated entry": once("backdated"),
    "backdated entry of last year": once("backdated", period="2024-02"),
    "backdated entry in dinars": once("backdated", company="00090"),
    "backdated entry in period 13": once("backdated", company="00060", period="2025-13"),
    "journal moved to another period": once("move_period"),
    "journal moved to another year": once("move_period", period="2024-11"),
    "journal voided and entered again in another unit": once("void_reenter"),
    "amounts changed by a hand in the tables": once("edit_amount"),
    "cell that nets to zero": once("net_to_zero"),
    "account recoded": once("recode"),
    "account recoded to an object Anaplan knows": once("recode", account="30.7995.NEW"),
    "new journal posted by people": posted_by_people,
    "journal voided by people": voided_by_people,
    "first journal of the next period": next_month_with_a_journal,
}
CHANGES_NO_AMOUNT: dict[str, Happening] = {
    "remark edited": once("edit_text"),
    "two lines of one balance changed by opposite amounts": once("offset"),
    "batch that nobody posted": once("unposted"),
    "unposted batch deleted": once("delete_unposted"),
    "current period moved on": once("change_period"),
}


def zeros(cells: Cells) -> set[Any]:
    return {cell for cell, value in cells.items() if value == 0}


@pytest.mark.parametrize("name", CHANGES_AMOUNTS)
def test_the_next_run_loads_exactly_the_touched_cells_and_ties(books: Books, name: str) -> None:
    if name == "account recoded to an object Anaplan knows":
        books.event("add_account", code="30.7995.NEW")
        books.run("accounts")
        assert_tied(books, books.run())
    CHANGES_AMOUNTS[name](books)
    books.run("accounts")
    touched = changed(books.anaplan(), books.expected())
    assert touched, "the event changed nothing"
    tasks = books.tasks()

    run = books.run()

    assert_tied(books, run)
    assert books.uploaded_cells() == touched
    assert run.figures["rows_sent"] == len(touched)
    assert books.tasks() == tasks + 1
    assert_quiet(books)


@pytest.mark.parametrize("name", CHANGES_NO_AMOUNT)
def test_what_changes_no_posted_amount_sends_nothing_and_is_complete(
    books: Books, name: str
) -> None:
    before = books.expected()
    CHANGES_NO_AMOUNT[name](books)
    assert changed(before, books.expected()) == {}
    tasks = books.tasks()

    run = books.run()

    assert_tied(books, run)
    assert books.tasks() == tasks, told(books, run)
    assert_quiet(books)


def test_a_cell_that_nets_to_zero_and_a_moved_journal_are_sent_as_explicit_zeros(
    books: Books,
) -> None:
    books.event("net_to_zero")
    touched = changed(books.anaplan(), books.expected())
    assert zeros(touched)

    assert_tied(books, books.run())

    assert zeros(books.uploaded_cells()) == zeros(touched)


def test_a_new_account_goes_to_the_list_first_and_then_its_amount(books: Books) -> None:
    books.event("add_account", amount="77.10")

    early = books.run()
    assert (early.outcome, early.exit_code) == ("needs_attention", 5), told(books, early)
    assert "unmatched-member" in books.rules(early)
    assert books.run("accounts").outcome == "complete"
    run = books.run()

    assert_tied(books, run)
    assert Decimal("77.10") in books.uploaded_cells().values()
    assert_quiet(books)


def test_many_events_between_two_runs_are_all_found(books: Books) -> None:
    for name in ("late_post", "backdated", "move_period", "void_reenter", "net_to_zero", "offset",
                 "edit_text", "unposted"):  # fmt: skip
        books.event(name)
    touched = changed(books.anaplan(), books.expected())

    assert_tied(books, books.run())

    assert books.uploaded_cells() == touched
    assert_quiet(books)
