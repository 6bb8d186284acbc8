"""A run that somebody cancels ends before it loads anything, or goes on to its proof."""

from __future__ import annotations

import pytest
from books import Books, assert_tied

from tieout.errors import Misconfigured, Refused
from tieout.store.runs import NewRun
from tieout.verbs.cancelling import cancel


def cancelled_at(books: Books, moment: str) -> tuple[str, bool]:
    """The outcome of a run that is cancelled at this moment, and whether it was told it ends."""
    told: list[bool] = []

    def now() -> None:
        run = books.store.unfinished_run("actuals")
        assert run is not None
        told.append(cancel(books.instance, run.id, "the wrong month")["will_end"])

    run = books.run(meanwhile={moment: now})
    return run.outcome, told[0]


@pytest.mark.parametrize("moment", ["prove:after", "upload the file:after"])
def test_a_cancelled_run_loads_nothing_and_the_next_one_loads_all(
    books: Books, moment: str
) -> None:
    touched = books.event("late_post")

    outcome, will_end = cancelled_at(books, moment)

    assert (outcome, will_end) == ("cancelled", True)
    run = books.store.runs(flow="actuals")[0]
    assert run.exit_code == 130
    assert run.sentence.startswith("Cancelled by owner: the wrong month.")
    after = books.run()
    assert after.outcome == "complete"
    assert after.figures["rows_sent"] == len(touched["touched"])
    assert_tied(books, books.store.runs(flow="actuals")[0])


def test_a_run_whose_import_was_asked_for_goes_on_to_its_proof(books: Books) -> None:
    books.event("late_post")

    assert cancelled_at(books, "start the import:after") == ("complete", False)
    assert_tied(books, books.store.runs(flow="actuals")[0])


def test_a_waiting_run_ends_at_once_and_is_never_told(books: Books) -> None:
    run = books.store.new_run(NewRun("actuals", "load_actuals", "Anna", outcome="waiting"))

    ended = cancel(books.instance, run.id, "not today")

    assert (ended["outcome"], ended["will_end"]) == ("cancelled", True)
    assert books.carry_on(run, {}).outcome == "cancelled"
    assert books.store.steps(run.id) == []
    acts = [(entry.actor, entry.act) for entry in books.store.audit(run=run.id)]
    assert ("owner", "asked run to end") in acts
    with pytest.raises(Refused, match="has ended"):
        cancel(books.instance, run.id, "again")


def test_nobody_cancels_without_a_reason(books: Books) -> None:
    run = books.store.new_run(NewRun("actuals", "load_actuals", "Anna", outcome="waiting"))

    with pytest.raises(Misconfigured, match="without a reason"):
        cancel(books.instance, run.id, " ")
    assert books.store.run(run.id).outcome == "waiting"


def test_a_run_that_sends_a_batch_is_not_cancelled(books: Books) -> None:
    run = books.store.new_run(NewRun("plan", "submit_plan", "Anna", outcome="waiting"))

    with pytest.raises(Refused, match="journals are looked for one by one"):
        cancel(books.instance, run.id, "stop")
