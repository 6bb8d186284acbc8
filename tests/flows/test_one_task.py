"""Claims about tasks of several runs in one model: never two that are not over, whoever dies."""

from __future__ import annotations

import json

import pytest
from books import Books, assert_tied, told

from tieout.engine.story import Interrupted
from tieout.store import leases
from tieout.store.runs import Ending, Run
from tieout.verbs import seeing

TASK = r"/imports/\d+/tasks$"
MODEL = "FP&A 2026"
ASKED_FOR = "start the import:after"
LONG_SECONDS = 15.0  # of each of the three steps of a task


def tasks_take_long(books: Books, seconds: float = LONG_SECONDS) -> None:
    books.control("anaplan", "switch", name="task_step_seconds", value=seconds)


@pytest.fixture(autouse=True)
def patience(books: Books) -> None:
    """A look at a task every five seconds, as in real life, and a minute for each."""
    books.change_flow('poll = "100ms"', 'poll = "5s"\ntask_timeout = "60s"')


def killed(books: Books, moment: str, flow: str = "companies") -> Run:
    """A run whose process dies there."""

    def dies() -> None:
        raise Interrupted(moment)

    with pytest.raises(Interrupted):
        books.run(flow, full=True, meanwhile={moment: dies})
    run = books.store.unfinished_run(flow)
    assert run is not None
    return run


def most_open(books: Books) -> int:
    """The most tasks that the model ever had open at once."""
    return max(books.control("anaplan", "state")["open_tasks_max"].values())


def held(books: Books) -> list[str]:
    with books.store.database.read() as connection:
        return [lease.holder.run for lease in leases.listed(connection)]


def test_a_run_waits_for_the_task_of_a_run_that_was_killed_and_given_up(books: Books) -> None:
    tasks, began = books.tasks(), books.clock.monotonic()
    tasks_take_long(books)
    dead = killed(books, ASKED_FOR)
    assert held(books) == [dead.id]
    books.store.finish_run(dead.id, Ending("cancelled", "It was given up.", 1, {}))

    run = books.run("accounts", full=True)

    assert run.outcome == "complete", told(books, run)
    assert (books.tasks(), most_open(books)) == (tasks + 2, 1)
    assert books.clock.monotonic() - began >= 6 * LONG_SECONDS, "each took its whole time"
    assert held(books) == []


def test_a_run_that_was_killed_keeps_the_model_and_goes_on_with_its_own_task(books: Books) -> None:
    tasks = books.tasks()
    tasks_take_long(books)
    dead = killed(books, ASKED_FOR)
    (shown,) = seeing.show(books.instance, dead.id)["models"]
    assert (shown["model"], shown["asked_for"], shown["ended"]) == (MODEL, "Load Companies", False)

    other = books.run("accounts", full=True)

    assert (other.outcome, other.exit_code) == ("failed", 8)
    assert f"is in use by the run {dead.id} with Load Companies" in other.sentence
    assert "Nothing was started there by this run." in other.sentence
    assert (books.tasks(), held(books)) == (tasks + 1, [dead.id])
    done = books.carry_on(books.store.run(dead.id), {})
    assert done.outcome == "complete", told(books, done)
    assert (books.tasks(), most_open(books), held(books)) == (tasks + 1, 1, [])


@pytest.mark.parametrize("moment", ["upload the file:before", "upload the file:after"])
def test_a_run_that_died_before_it_asked_for_a_task_keeps_nobody_waiting(
    books: Books, moment: str
) -> None:
    dead = killed(books, moment)
    books.store.finish_run(dead.id, Ending("cancelled", "It was given up.", 1, {}))
    began = books.clock.monotonic()
    assert books.run("accounts", full=True).outcome == "complete"
    assert books.clock.monotonic() - began < 60


def test_a_start_that_was_lost_and_still_arrives_is_waited_for_by_the_next_run(
    books: Books,
) -> None:
    """The answer was lost, the process died, and nobody knows whether a task was made."""
    tasks = books.tasks()
    tasks_take_long(books)
    books.fault("anaplan", "cut_after", method="POST", path=TASK)
    books.fault("anaplan", "status", method="GET", path=TASK, nth=3, times=4, status=503, body="")
    lost = books.run("companies", full=True)
    assert (lost.exit_code, held(books)) == (10, [lost.id]), told(books, lost)
    books.no_more_faults()

    run = books.run("accounts", full=True)

    assert run.outcome == "complete", told(books, run)
    assert (books.tasks(), most_open(books), held(books)) == (tasks + 2, 1, [])


def test_a_start_that_was_lost_for_good_is_looked_for_before_another_is_made(books: Books) -> None:
    tasks = books.tasks()
    books.fault("anaplan", "cut_before", method="POST", path=TASK)
    lost = books.run("companies", full=True)
    assert (lost.exit_code, held(books)) == (10, [lost.id]), told(books, lost)
    began = books.clock.monotonic()
    assert books.run("accounts", full=True).outcome == "complete"
    assert books.clock.monotonic() - began >= 124, "as long as it may have been on its way"
    assert (books.tasks(), held(books)) == (tasks + 1, [])


def test_a_start_that_was_refused_keeps_nobody_waiting(books: Books) -> None:
    books.fault("anaplan", "status", method="POST", path=TASK, status=403, body="{}")
    assert books.run("companies", full=True).outcome == "failed"
    began = books.clock.monotonic()
    assert books.run("accounts", full=True).outcome == "complete"
    assert books.clock.monotonic() - began < 60


def test_a_task_that_was_cancelled_in_anaplan_frees_the_model(books: Books) -> None:
    books.fault(
        "anaplan", "status", method="GET", path=r"/imports/\d+/tasks/\w+", status=200,
        body=json.dumps({"task": {"taskId": "X", "taskState": "CANCELLED", "progress": 0.1}}),
    )  # fmt: skip
    assert books.run("companies", full=True).outcome == "needs_attention"
    assert held(books) == []


def test_an_export_that_is_not_over_keeps_the_next_import_waiting(books: Books) -> None:
    books.change_flow('{ view = "GL Actuals" }', '{ export = "GL Actuals Export" }')
    books.event("late_post")
    later = {"read back:before": lambda: tasks_take_long(books, 100.0)}
    run = books.run(meanwhile=later)
    assert (run.exit_code, held(books)) == (10, [run.id]), told(books, run)

    second = books.run("companies", full=True)

    assert (second.outcome, second.exit_code) == ("failed", 8), told(books, second)
    assert "is not over after 1 minutes" in second.sentence
    books.clock.sleep(300)
    tasks_take_long(books, 0.05)
    assert books.run("companies", full=True).outcome == "complete"
    assert most_open(books) == 1


def test_an_export_of_a_process_that_died_is_let_end_before_it_is_run_again(books: Books) -> None:
    books.change_flow('{ view = "GL Actuals" }', '{ export = "GL Actuals Export" }')
    books.event("late_post")
    dead = killed(books, "read back:inside", "actuals")
    assert held(books) == [dead.id]
    done = books.carry_on(books.store.run(dead.id), {})
    assert_tied(books, done)
    assert (most_open(books), held(books)) == (1, [])
