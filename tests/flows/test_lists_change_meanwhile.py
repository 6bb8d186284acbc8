"""Members that come or go while Anaplan is read back fall out of no comparison."""

from __future__ import annotations

from books import Books, told


def test_a_member_renamed_between_the_lists_and_the_cells_is_told_and_nothing_is_called_proved(
    books: Books,
) -> None:
    """Its cells come under a name that nobody knows, and would be taken for those of a total."""
    account = min(cell[1] for cell in books.anaplan())
    renamed = {"do": "change_item", "list": "GL Accounts", "item": account, "name": "Renamed now"}
    books.fault("anaplan", "delay", method="POST", path="/readRequests", meanwhile={
        "people": renamed,
    })  # fmt: skip

    run = books.tie_out()

    assert run.outcome == "failed", told(books, run)
    assert "GL Accounts changed while the cells were read: Renamed now" in run.sentence
    assert books.tie_out().outcome == "complete"


def test_totals_that_a_view_shows_are_no_members_that_came(books: Books) -> None:
    books.person("show_totals", view="GL Actuals")

    run = books.tie_out()

    assert (run.outcome, run.exit_code) == ("complete", 0), told(books, run)
