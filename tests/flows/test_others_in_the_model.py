"""Other people work in the model while a run loads it: the run ends right, or says it did not."""

from __future__ import annotations

import pytest
from books import Books, assert_quiet, assert_tied, changed, told

from tieout.sim.anaplan.demo_model import EMAIL

TASK = r"/imports/\d+/tasks$"
THEIR_IMPORT = {"people": {"do": "run", "kind": "import", "name": "Load GL Actuals"}}
OUR_USERS_IMPORT = {"people": {**THEIR_IMPORT["people"], "user": EMAIL}}
PROCESS = {"do": "run", "kind": "process", "name": "Load Actuals Process"}


def something_happened(books: Books) -> None:
    books.event("late_post")
    books.event("backdated", company="00060")


def switch(books: Books, name: str, value: object) -> None:
    books.control("anaplan", "switch", name=name, value=value)


@pytest.mark.parametrize("moment", ["upload the file:before", "start the import:before"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("busy_starts", "queue"), ("busy_starts", "wait"), ("busy_starts", 409),
        ("busy_uploads", "wait"), ("busy_uploads", 409),
    ],
)  # fmt: skip
def test_a_run_loads_beside_an_export_that_somebody_runs(
    books: Books, moment: str, name: str, value: str | int
) -> None:
    something_happened(books)
    tasks = books.tasks()
    switch(books, name, value)

    def somebody_exports() -> None:
        switch(books, "task_step_seconds", 0.5)
        books.person("run", kind="export", name="GL Actuals Export")
        books.clock.practice.advance(0.6)

    run = books.run(meanwhile={moment: somebody_exports})

    assert_tied(books, run)
    assert books.tasks() == tasks + 2
    assert books.control("anaplan", "state")["running_tasks_max"].popitem()[1] == 1
    assert_quiet(books)


@pytest.mark.parametrize("default", [False, True], ids=["no default file", "old default file"])
@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
def test_the_task_of_another_person_taken_for_ours_is_no_proof_of_a_load(
    books: Books, kind: str, default: bool
) -> None:
    """Our start is lost, and theirs is new in the list: only what is read back counts."""
    something_happened(books)
    if default:
        books.leave_default_file("4711")
    tasks = books.tasks()
    books.fault("anaplan", kind, method="POST", path=TASK, meanwhile=THEIR_IMPORT)

    run = books.run()

    assert books.faults_hit("anaplan") == 1
    assert books.tasks() == tasks + (1 if kind == "cut_before" else 2)
    differs = changed(books.expected(), books.anaplan())
    assert (run.outcome == "complete") is not bool(differs), told(books, run)
    assert bool(differs) is (default or kind == "cut_before")
    assert books.open_cells() >= differs.keys()
    books.no_more_faults()
    assert_tied(books, books.run())
    assert_quiet(books)


def test_a_task_of_our_own_user_that_loads_our_file_is_as_good_as_ours(books: Books) -> None:
    something_happened(books)
    tasks = books.tasks()
    books.fault("anaplan", "cut_before", method="POST", path=TASK, meanwhile=OUR_USERS_IMPORT)

    assert_tied(books, books.run())

    assert books.tasks() == tasks + 1
    assert_quiet(books)


@pytest.mark.parametrize("user", [EMAIL, ""], ids=["our own user", "somebody else"])
@pytest.mark.parametrize("nth", [1, 2])
def test_a_process_that_ends_in_the_middle_of_our_upload_loads_no_half_file(
    books: Books, user: str, nth: int
) -> None:
    """Only our own user's process sees our upload, and fails while the file is not complete."""
    books.send_in_small_pieces()
    held, touched = books.anaplan(), changed(books.anaplan(), books.expected())
    switch(books, "task_step_seconds", 0)
    process = PROCESS | ({"user": user} if user else {})
    books.fault("anaplan", "delay", method="PUT", path="/chunks/", nth=nth,
                meanwhile={"people": process})  # fmt: skip
    seen = []

    run = books.run(meanwhile={"upload the file:inside": lambda: seen.append(books.anaplan())})

    assert books.faults_hit("anaplan") == 1
    assert seen == [held]
    assert_tied(books, run)
    assert books.uploaded_cells() == touched
    assert_quiet(books)


@pytest.mark.parametrize("moment", ["upload the file:before", "start the import:before"])
def test_a_process_of_our_own_user_that_still_runs_when_we_load_changes_nothing_in_the_end(
    books: Books, moment: str
) -> None:
    something_happened(books)
    tasks = books.tasks()

    def process_is_queued() -> None:
        switch(books, "task_step_seconds", 0.3)
        books.control("anaplan", "people", **PROCESS, user=EMAIL)

    assert_tied(books, books.run(meanwhile={moment: process_is_queued}))

    assert books.tasks() == tasks + 2
    assert_quiet(books)
