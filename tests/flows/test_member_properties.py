"""Properties of members are proved like their names and parents, or are said not to be."""

from __future__ import annotations

from books import Books, told
from member_lists import rows_of


def unmap(books: Books, imported: str, column: str) -> None:
    """An administrator lets an import ignore a column of its file; its headers stay (A053)."""
    state = books.systems.anaplan.state
    with state.lock:
        (model,) = state.row("select id from models order by rowid")
        thing = state.named(model, "import", imported)
        del thing.data["map"][column]
        state.save(model, thing)


def close_a_unit(books: Books) -> str:
    """A cost center is closed in JD Edwards; its code."""
    units = rows_of(books, "F0006")
    unit = next(str(r["MCU"]) for r in units if r["STYL"] == "CC" and r["PECC"] == "")
    books.systems.jde.ledger.update("F0006", {"PECC": "N"}, {"MCU": unit})
    return unit.strip()


def test_a_property_that_the_import_did_not_take_is_told_and_not_called_proved(
    books: Books,
) -> None:
    unmap(books, "Load Cost Centers", "Active")
    unit = close_a_unit(books)

    run = books.run("cost_centers")

    assert (run.outcome, run.exit_code) == ("needs_attention", 5), told(books, run)
    [found] = [r.finding for r in books.findings(run, "property-differs")]
    assert (found.subject, found.cells) == ("Active of list Cost Centers", 1)
    assert unit in found.what
    assert books.run("cost_centers").outcome == "needs_attention", "it was forgotten"


def test_a_property_that_was_taken_is_proved_without_a_word(books: Books) -> None:
    close_a_unit(books)

    run = books.run("cost_centers")

    assert (run.outcome, run.exit_code) == ("complete", 0), told(books, run)
    assert not books.findings(run, "property-differs", "property-not-compared")


def test_a_column_that_no_property_is_called_after_is_said_not_to_be_compared(
    books: Books,
) -> None:
    state = books.systems.anaplan.state
    with state.lock:
        (model,) = state.row("select id from models order by rowid")
        thing = state.named(model, "list", "Cost Centers")
        for one in thing.data["properties"]:
            one["name"] = one["name"].replace("Company", "Owner")
        state.save(model, thing)
    close_a_unit(books)

    run = books.run("cost_centers")

    [found] = [r.finding for r in books.findings(run, "property-not-compared")]
    assert (run.outcome, found.severity) == ("complete", "note"), told(books, run)
    assert "Company" in found.what
