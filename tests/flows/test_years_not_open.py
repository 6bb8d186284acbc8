"""Fiscal years that polls do not look at: what moves there is in Anaplan once, and is told."""

from __future__ import annotations

import pytest
from books import Books, assert_tied, changed, told

PLAIN = """SELECT count(*) FROM (SELECT DOC FROM F0911 WHERE CO = '00001' AND LT = 'AA'
AND POST = 'P' AND RE = '' AND SUMM = '' AND SBL = '' AND DCT IN ('RI', 'IM', 'PV')
GROUP BY DCT, DOC, KCO HAVING count(*) = 2 AND min(CO) = max(CO) AND min(CRRM) = 'D'
AND min(PN) > 1 AND max(FY) = 25)"""


@pytest.fixture
def closed_year(books: Books) -> Books:
    """The loaded company; polls look at the balances of 2025 alone."""
    books.change_flow("prior_years = 1", "prior_years = 0")
    assert_tied(books, books.run())
    return books


def journals_of_2025(books: Books) -> int:
    """How many journals an event could move before it comes to those of 2024."""
    return int(books.systems.jde.ledger.query(PLAIN)[0][0])


@pytest.mark.parametrize(("of", "to"), [(2025, "2024-05"), (2024, "2025-03")])
def test_a_journal_that_moves_between_a_closed_year_and_an_open_one_stands_in_anaplan_once(
    closed_year: Books, of: int, to: str
) -> None:
    nth = 0 if of == 2025 else journals_of_2025(closed_year)
    closed_year.event("move_period", company="00001", period=to, nth=nth)
    years = {cell[3][-2:] for cell in changed(closed_year.anaplan(), closed_year.expected())}
    assert years == {"24", "25"}

    run = closed_year.run()

    assert_tied(closed_year, run)
    assert any("earlier years" in reason for reason in run.figures["reasons"])


def test_what_moved_in_a_closed_year_is_no_news_for_a_poll_and_a_difference_for_the_tie_out(
    closed_year: Books,
) -> None:
    nth = journals_of_2025(closed_year)
    closed_year.event("move_period", company="00001", period="2024-04", nth=nth)

    quiet = closed_year.run()

    assert quiet.sentence.startswith("Nothing new"), told(closed_year, quiet)
    assert "fiscal years before 2025" in quiet.sentence

    apart = closed_year.tie_out()

    assert (apart.outcome, apart.exit_code) == ("needs_attention", 6), told(closed_year, apart)
    assert_tied(closed_year, closed_year.run())
