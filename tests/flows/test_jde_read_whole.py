"""A result that JD Edwards ends too early, without a word, is never taken for the whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from books import Books, Make, assert_quiet, assert_tied, changed

CONNECTION = 'secret = "secret://erp"'
PAGE_ROWS, LIMIT_ROWS = 10, 20  # every result set ends at the limit: "there are no more"


def small_pages(books: Books) -> None:
    books.change_flow(CONNECTION, f"{CONNECTION}\npage_rows = {PAGE_ROWS}")


def cut_off(books: Books) -> None:
    """From now on the fetch limit ends results with `moreRecords: false` (J045)."""
    books.control("jde", "switch", name="fetch_limit_rows", value=LIMIT_ROWS)
    books.control("jde", "switch", name="fetch_limit_links", value="silent")


@pytest.fixture
def cut_books(make: Make) -> Books:
    """Books that were loaded under such a limit, members and actuals."""
    books = make(lines=600)
    small_pages(books)
    cut_off(books)
    assert_tied(books, books.load_everything())
    return books


def in_jde(books: Books, what: str) -> int:
    """A count in the practice ledger itself."""
    with closing(sqlite3.connect(books.home / "sim" / "jde.sqlite")) as database:
        (found,) = database.execute(f"SELECT COUNT({what}").fetchone()
    return int(found)


def kept(books: Books, kind: str) -> int:
    manifests = books.store.current("actuals", kind)
    return books.store.scan(manifests).collect().height


def test_accounts_batches_and_members_are_all_there(cut_books: Books) -> None:
    companies = ", ".join(f"'{c}'" for c in cut_books.companies)
    accounts = in_jde(cut_books, f"*) FROM F0901 WHERE CO IN ({companies})")
    assert kept(cut_books, "accounts") == accounts > LIMIT_ROWS
    batches = in_jde(cut_books, "*) FROM F0011")
    assert kept(cut_books, "batches") == batches > LIMIT_ROWS


def test_what_happens_in_the_ledger_is_found_and_loaded(cut_books: Books) -> None:
    cut_books.event("late_post")
    cut_books.event("backdated", company="00060")
    touched = changed(cut_books.anaplan(), cut_books.expected())
    assert touched
    assert_tied(cut_books, cut_books.run())
    assert cut_books.uploaded_cells() == touched


def test_a_poll_that_finds_nothing_new_is_quiet_all_the_same(cut_books: Books) -> None:
    assert_quiet(cut_books)


def test_both_sides_can_be_tied_out_anew(cut_books: Books) -> None:
    assert cut_books.tie_out().outcome == "complete"


def test_a_sticky_balancer_is_used_when_the_connection_says_so(books: Books) -> None:
    books.control("jde", "switch", name="cookie_mode", value="sticky")
    books.event("late_post")
    failed = books.run()
    assert failed.outcome == "failed"
    assert "JD Edwards" in failed.sentence
    books.change_flow(CONNECTION, f'{CONNECTION}\ncookies = "sticky"')
    assert_tied(books, books.run())


@pytest.mark.parametrize("form", ["iso", "yyyyMMdd", "julian", "day_first"])
def test_date_literals_are_checked_when_everything_is_read(new_books: Books, form: str) -> None:
    new_books.control("jde", "switch", name="date_literal", value=form)
    run = new_books.run()
    assert run.outcome == "failed"
    assert "date" in run.sentence
    assert new_books.tasks() == 3  # the members', before


@pytest.mark.parametrize("first", ["00001", "00200"])
def test_every_posted_line_is_read_whichever_company_stands_first(
    new_books: Books, first: str
) -> None:
    """Also where the counts that only size the reads are cut off, and one company counts 0."""
    companies = sorted(new_books.companies, key=lambda company: (company != first, company))
    before = ", ".join(f'"{c}"' for c in new_books.companies)
    new_books.change_flow(
        f"companies = [{before}]", "companies = [" + ", ".join(f'"{c}"' for c in companies) + "]"
    )
    new_books.control("jde", "switch", name="fetch_limit_groups", value="silent")
    new_books.control("jde", "switch", name="fetch_limit_rows", value=60)
    listed = ", ".join(f"'{c}'" for c in companies)
    where = f"POST = 'P' AND LT = 'AA' AND CTRY * 100 + FY >= 2024 AND CO IN ({listed})"
    posted = in_jde(new_books, f"*) FROM F0911 WHERE {where}")

    run = new_books.run()

    assert run.figures["rows_read"] == posted
    assert kept(new_books, "lines") == posted


def test_a_refused_second_session_is_tried_once_and_ends_the_run(new_books: Books) -> None:
    """JD Edwards locks a user after a few wrong passwords (J08)."""
    new_books.requests("jde")
    new_books.fault("jde", "status", path="tokenrequest$", status=403, nth=2, times=999)

    run = new_books.run()

    assert run.outcome == "failed"
    asked = [r for r in new_books.requests("jde") if r["path"].endswith("tokenrequest")]
    assert len(asked) == 2
