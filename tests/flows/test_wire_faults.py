"""Whatever breaks on the wire, a run ends right or says in one sentence that it did not."""

from __future__ import annotations

import json

import pytest
from books import Books, assert_quiet, assert_tied, changed, told
from wire_faults import Case, cases

from tieout.store.runs import Run

UNEXPECTED = 1
PAGE_ROWS = 'secret = "secret://erp"'
TASK = r"/imports/\d+/tasks"


def small_pages(books: Books) -> None:
    """So few rows a page that a run has next pages."""
    books.change_flow(PAGE_ROWS, f"{PAGE_ROWS}\npage_rows = 10")


def a_task_that_never_starts(books: Books) -> None:
    """Anaplan queues what it is given; the connection waits a minute for it."""
    books.change_flow('poll = "100ms"', 'poll = "5s"\ntask_timeout = "60s"')
    books.control("anaplan", "switch", name="task_step_seconds", value=10**9)


def something_happened(books: Books) -> None:
    books.event("late_post")
    books.event("backdated", company="00060")


def assert_told_or_right(books: Books, run: Run, before: tuple[object, ...]) -> None:
    """Complete and right; or one sentence, nothing half-loaded that is not open, nothing moved."""
    if run.outcome == "complete":
        assert_tied(books, run)
        return
    assert run.exit_code != UNEXPECTED, told(books, run)
    assert run.sentence.strip()
    assert "\n" not in run.sentence
    assert "Traceback" not in run.sentence
    if run.outcome == "failed" or run.exit_code not in (5, 6):
        assert (books.position(), books.open_cells()) == before
    else:
        assert changed(books.expected(), books.anaplan()).keys() <= books.open_cells()


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_a_run_that_meets_a_fault_ends_right_or_says_so_and_the_next_one_completes(
    books: Books, case: Case
) -> None:
    small_pages(books)
    something_happened(books)
    before, tasks = (books.position(), books.open_cells()), books.tasks()
    books.fault(case.system, **case.fault)

    run = books.run()

    assert books.faults_hit(case.system) >= 1, "the fault met no request"
    assert_told_or_right(books, run, before)
    assert books.tasks() <= tasks + 1
    books.no_more_faults()
    last = books.run()
    assert_tied(books, last)
    assert books.control("anaplan", "state")["running_tasks_max"].popitem()[1] == 1
    assert_quiet(books)


def test_a_start_whose_answer_is_lost_is_adopted_and_not_started_again(books: Books) -> None:
    something_happened(books)
    tasks = books.tasks()
    books.fault("anaplan", "cut_after", method="POST", path=TASK)

    assert_tied(books, books.run())

    assert books.faults_hit("anaplan") == 1
    assert books.tasks() == tasks + 1


def test_a_start_that_was_lost_is_told_as_unknown_and_not_sent_again(books: Books) -> None:
    something_happened(books)
    before, tasks = (books.position(), books.open_cells()), books.tasks()
    books.fault("anaplan", "cut_before", method="POST", path=TASK)

    run = books.run()

    assert (run.exit_code, books.tasks()) == (10, tasks), told(books, run)
    assert_told_or_right(books, run, before)
    assert_tied(books, books.run())
    assert books.faults_hit("anaplan") == 1
    assert books.tasks() == tasks + 1


def test_an_upload_of_many_chunks_goes_on_after_a_lost_sign_in(books: Books) -> None:
    books.change_flow('secret = "secret://planning"',
                      'secret = "secret://planning"\nchunk_bytes = 1000')  # fmt: skip
    for period in range(1, 12):
        for company in ("00001", "00060", "00200"):
            books.event("backdated", company=company, period=f"2025-{period:02}")
    books.fault("anaplan", "status", method="PUT", path="/chunks/1", status=401, body="{}")
    books.fault("anaplan", "status", method="PUT", path="/chunks/0", status=503, times=2, body="")

    assert_tied(books, books.run())

    assert books.faults_hit("anaplan") == 3


def test_a_cancelled_task_is_told_and_sent_again_by_the_next_run(books: Books) -> None:
    something_happened(books)
    books.fault(
        "anaplan", "replace", method="GET", path=rf"{TASK}/\w+",
        find=r'"taskState":"\w+"(.*?)"result":\{.*\}\}\}?$', body='"taskState":"CANCELLED"}}',
    )  # fmt: skip
    books.fault(
        "anaplan", "status", method="GET", path=rf"{TASK}/\w+", nth=1, times=9, status=200,
        body=json.dumps({"task": {"taskId": "X", "taskState": "CANCELLED", "progress": 0.1}}),
    )  # fmt: skip

    run = books.run()

    assert (run.outcome, run.exit_code) == ("needs_attention", 5), told(books, run)
    assert "import-rejected" in books.rules(run), told(books, run)
    books.no_more_faults()
    assert_tied(books, books.run())


def test_a_task_that_never_starts_ends_the_run_at_its_deadline_as_unknown(books: Books) -> None:
    something_happened(books)
    position, tasks = books.position(), books.tasks()
    a_task_that_never_starts(books)

    run = books.run()

    assert (run.outcome, run.exit_code) == ("needs_attention", 10), told(books, run)
    assert (books.position(), books.tasks()) == (position, tasks + 1)
    books.control("anaplan", "switch", name="task_step_seconds", value=0.05)
    assert_tied(books, books.run())


def test_while_a_task_of_ours_is_unfinished_no_second_one_is_started(books: Books) -> None:
    something_happened(books)
    tasks = books.tasks()
    a_task_that_never_starts(books)
    assert books.run().exit_code == 10

    again = books.run()

    assert again.outcome != "complete"
    assert books.tasks() == tasks + 1, "two imports of one model stand in Anaplan's queue"


def test_a_read_back_that_lacks_rows_in_silence_is_not_complete(books: Books) -> None:
    something_happened(books)
    books.fault(
        "anaplan", "replace", method="GET", path="/pages/", find=r"(\n[^\n]+){40}\n?$", body="\n"
    )

    run = books.run()

    assert books.faults_hit("anaplan") == 1
    assert run.outcome != "complete", told(books, run)
    books.no_more_faults()
    assert_tied(books, books.run())
    assert_quiet(books)


@pytest.mark.parametrize("links", ["stop", "continue"])
def test_a_fetch_limit_below_the_page_does_not_cut_the_ledger_short(
    books: Books, links: str
) -> None:
    books.control("jde", "switch", name="fetch_limit_links", value=links)
    books.control("jde", "switch", name="fetch_limit_rows", value=200)
    something_happened(books)
    before = (books.position(), books.open_cells())

    run = books.run(full=True)

    assert_told_or_right(books, run, before)
    books.control("jde", "switch", reset=True)
    assert_tied(books, books.run(full=True))


def test_a_wrong_password_is_one_sentence_that_names_who_can_help(books: Books) -> None:
    something_happened(books)
    position, held = books.position(), books.anaplan()
    right = books.store.safe.opened("erp")
    books.store.safe.put("erp", {**right, "password": "wrong"}, "owner")
    books.requests("jde")

    run = books.run()

    assert (run.outcome, run.exit_code) == ("failed", 4), told(books, run)
    assert "TIEOUT" in run.sentence or "password" in run.sentence
    assert "Who can do it" in run.sentence
    assert sum(e["path"].endswith("/tokenrequest") for e in books.requests("jde")) == 1
    assert (books.position(), books.anaplan()) == (position, held)
    books.store.safe.put("erp", right, "owner")
    assert_tied(books, books.run())


def test_an_ais_that_answers_html_is_one_sentence(books: Books) -> None:
    something_happened(books)
    position, held = books.position(), books.anaplan()
    books.control("jde", "switch", name="html_status", value=200)

    run = books.run()

    assert run.outcome == "failed"
    assert run.exit_code == 4, told(books, run)
    assert "HTML" in run.sentence
    assert (books.position(), books.anaplan()) == (position, held)
    books.control("jde", "switch", reset=True)
    assert_tied(books, books.run())
