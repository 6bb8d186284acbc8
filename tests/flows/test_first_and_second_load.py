"""The first load brings every posted cent into Anaplan; a second one with nothing new is quiet."""

from __future__ import annotations

from random import Random

import pytest
from books import Books, Make, assert_tied, changed, told

JDE_REQUESTS_MAX = 8


@pytest.mark.parametrize("draw", range(2))
def test_anaplan_holds_every_posted_cent_after_the_first_load(
    make: Make, dice: Random, draw: int
) -> None:
    books = make(seed=dice.randrange(10**6), lines=dice.randrange(2_000, 5_000))

    run = books.load_everything()

    assert_tied(books, run)
    assert len(books.anaplan()) > 1_000


def test_a_second_run_with_nothing_new_asks_jde_at_most_eight_times_and_anaplan_never(
    books: Books,
) -> None:
    before = books.anaplan()
    books.requests("jde")
    books.requests("anaplan")

    run = books.run()

    assert run.outcome == "complete", told(books, run)
    assert run.sentence.startswith("Nothing new"), run.sentence
    asked = books.requests("jde")
    assert len(asked) <= JDE_REQUESTS_MAX, [e["path"] for e in asked]
    assert any("logout" in e["path"] for e in asked)
    assert books.requests("anaplan") == []
    assert changed(before, books.anaplan()) == {}
