"""Posted lines whose period is no period, or is not that of their date, are told."""

from __future__ import annotations

import sqlite3

import pytest
from books import Books, told


def insert_line(books: Books, line: int, order: str = "DGJ DESC", **changed: int) -> None:
    """A loader of somebody writes a posted line, like another one but for what is `changed`."""
    db = sqlite3.connect(books.home / "sim" / "jde.sqlite", timeout=30)
    with db:
        db.row_factory = sqlite3.Row
        found = db.execute(
            "SELECT * FROM F0911 WHERE POST = 'P' AND LT = 'AA' AND CO = '00001' "
            f"ORDER BY {order}, DOC"
        ).fetchone()
        row = dict(found) | {"JELN": line} | changed
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        db.execute(f"INSERT INTO F0911 ({names}) VALUES ({marks})", list(row.values()))
    db.close()


@pytest.mark.parametrize("period", [0, 15])
def test_a_posted_line_of_a_period_that_no_year_has_is_told_and_nothing_is_called_complete(
    books: Books, period: int
) -> None:
    insert_line(books, 900 + period, PN=period)

    run = books.tie_out()

    assert (run.outcome, run.exit_code) == ("needs_attention", 6), told(books, run)
    [found] = [r.finding for r in books.findings(run, "period-missing")]
    assert (found.company, found.cells) == ("00001", 1)
    assert f"period {period} " in found.what


@pytest.mark.parametrize("outside", [{"FY": 19, "PN": 3}, {"CTRY": 19, "FY": 99, "PN": 3}])
def test_a_posted_line_dated_in_a_loaded_period_with_a_year_that_is_not_loaded_is_told(
    books: Books, outside: dict[str, int]
) -> None:
    """No bucket of the scope holds it, so that all three sides agree without it."""
    insert_line(books, 901, **outside)

    run = books.run()

    assert (run.outcome, run.exit_code) == ("needs_attention", 6), told(books, run)
    [found] = [r.finding for r in books.findings(run, "period-differs")]
    year = 100 * outside.get("CTRY", 20) + outside["FY"]
    assert (found.company, found.cells) == ("00001", 1)
    assert f"{year}-03" in found.what


def test_a_posted_line_dated_in_a_loaded_period_with_one_that_comes_later_is_told(
    books: Books,
) -> None:
    books.change_flow('to_period = "current"', 'to_period = "2025-10"')
    insert_line(books, 901, order="DGJ", FY=25, PN=12)

    run = books.run()

    [found] = [r.finding for r in books.findings(run, "period-differs")]
    assert (run.outcome, found.cells) == ("needs_attention", 1), told(books, run)
    assert "2025-12" in found.what
