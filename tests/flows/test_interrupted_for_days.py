"""A run that lies for days, and is carried on: what Anaplan forgot meanwhile is sent again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from books import Books, assert_quiet, assert_tied, changed, told

from tieout.engine.story import Interrupted
from tieout.store.runs import Run


def die() -> None:
    raise Interrupted("the machine is switched off")


def interrupted(books: Books, moment: str) -> Run:
    """The run that died at `moment`."""
    with pytest.raises(Interrupted):
        books.run(meanwhile={moment: die})
    run = books.store.unfinished_run("actuals")
    assert run is not None
    return run


def pass_by(books: Books, **hours: float) -> None:
    """Nobody looks for so long."""
    books.clock.practice.advance(timedelta(**hours).total_seconds())


def chunks_put(books: Books) -> int:
    return sum(e["method"] == "PUT" and "/chunks/" in e["path"] for e in books.requests("anaplan"))


@pytest.mark.parametrize("hours", [1, 25, 49])
@pytest.mark.parametrize("moment", ["upload the file:inside", "upload the file:after"])
def test_a_file_uploaded_days_ago_is_uploaded_again_before_the_import_starts(
    books: Books, moment: str, hours: int
) -> None:
    books.send_in_small_pieces()
    touched = changed(books.anaplan(), books.expected())
    books.leave_default_file("4711")
    run = interrupted(books, moment)
    sent = chunks_put(books)
    assert sent > 1
    tasks = books.tasks()
    pass_by(books, hours=hours)

    ended = books.carry_on(run, {})

    assert_tied(books, ended)
    assert books.tasks() == tasks + 1
    assert chunks_put(books) == (sent if hours > 24 else 0)
    assert books.uploaded_cells() == touched
    assert_quiet(books)


def test_a_task_that_anaplan_no_longer_lists_is_told_as_unknown_and_the_next_run_ties(
    books: Books,
) -> None:
    books.event("late_post")
    run = interrupted(books, "wait for the import:before")
    pass_by(books, days=3)

    ended = books.carry_on(run, {})

    assert ended.exit_code == 10, told(books, ended)
    assert_tied(books, books.run())
    assert_quiet(books)


def test_rejects_whose_list_expired_are_told_and_their_cells_go_again(books: Books) -> None:
    """The dump is kept for 48 hours, and the machine is off for 49 before it is fetched."""
    account = {"list": "GL Accounts"}
    books.event("add_account", code="30.7995.NEW", amount="77.10")
    assert books.run("accounts").outcome == "complete"

    def gone() -> None:
        books.person("change_item", item="7995.NEW", code="GONE", name="Gone", **account)

    with pytest.raises(Interrupted):
        books.run(meanwhile={"start the import:before": gone, "wait for the import:after": die})
    books.person("change_item", item="GONE", code="7995.NEW", **account)
    pass_by(books, hours=49)
    run = books.store.unfinished_run("actuals")
    assert run is not None

    ended = books.carry_on(run, {})

    assert ended.outcome == "needs_attention", told(books, ended)
    (lost,) = books.findings(ended, "import-rejected")
    assert "its list of them is no longer there" in lost.finding.what
    assert {cell[1] for cell in books.open_cells()} == {"7995.NEW"}
    assert_tied(books, books.run())
    assert_quiet(books)
