"""A run that somebody cancels ends before it loads anything, or goes on to its proof."""

from __future__ import annotations

import pytest
from books import Books, assert_tied

from tieout.engine.story import Interrupted
from tieout.errors import Misconfigured, Refused
from tieout.flows.leasing import LOOK_SECONDS
from tieout.store import seats
from tieout.store.keys import in_home
from tieout.store.runs import Ending, NewRun, Run
from tieout.store.seats import Room, Seat, Sitter
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


def cancelled_while(books: Books, flow: str, pause_seconds: float) -> tuple[Run, float]:
    """A run that is cancelled at its first pause of that length; and how long it then went on."""
    asked: list[float] = []

    def passes(seconds: float) -> None:
        if seconds == pause_seconds and not asked:
            asked.append(books.clock.monotonic())
            run = books.store.unfinished_run(flow)
            assert run is not None
            assert cancel(books.instance, run.id, "it waits for too long")["will_end"]

    books.clock.passing = passes
    run = books.run(flow, full=True)
    books.clock.passing = None
    return run, books.clock.monotonic() - asked[0]


def test_a_run_that_waits_for_a_session_ends_when_it_is_cancelled(books: Books) -> None:
    books.change_flow('secret = "secret://erp"', 'secret = "secret://erp"\nreaders = 1')
    room, other = Room("erp", 1, in_home(books.home)), books.store.new_run(NewRun("x", "y", "Anna"))
    holder, next_one = (
        Seat(books.store.database, room, Sitter(other.id, who), books.clock) for who in "ab"
    )
    holder.take()

    run, seconds = cancelled_while(books, "companies", seats.LOOK_SECONDS / seats.NAPS)

    assert (run.outcome, seconds < 5) == ("cancelled", True)
    holder.leave(signed_out=True)
    assert next_one.take_free() == "", "nobody stands in line any more"
    next_one.leave(signed_out=True)
    assert books.run("companies", full=True).outcome == "complete"


@pytest.mark.parametrize("holder", ["goes on", "has ended"])
def test_a_run_that_waits_for_the_model_ends_when_it_is_cancelled(
    books: Books, holder: str
) -> None:
    def dies() -> None:
        raise Interrupted("killed")

    books.control("anaplan", "switch", name="task_step_seconds", value=100)
    with pytest.raises(Interrupted):
        books.run("companies", full=True, meanwhile={"start the import:after": dies})
    dead = books.store.unfinished_run("companies")
    assert dead is not None
    if holder == "has ended":  # its task goes on all the same, and is waited for
        books.store.finish_run(dead.id, Ending("cancelled", "It was given up.", 1, {}))
        books.change_flow('poll = "100ms"', 'poll = "5s"')
    pause_seconds = 1.0 if holder == "has ended" else LOOK_SECONDS
    tasks = books.tasks()

    run, seconds = cancelled_while(books, "accounts", pause_seconds)

    assert (run.outcome, seconds < 10) == ("cancelled", True), run.sentence
    assert books.tasks() == tasks
    books.clock.sleep(600)
    books.control("anaplan", "switch", name="task_step_seconds", value=0.05)
    if holder == "goes on":
        assert books.carry_on(books.store.run(dead.id), {}).outcome == "complete"
    assert books.run("accounts", full=True).outcome == "complete"
