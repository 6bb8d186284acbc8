"""Claims about tasks: never started twice, waited for with an end, told as they are."""

from __future__ import annotations

import threading
import time
from typing import Any

import polars as pl
import pytest
from planning import ACTUALS, Planning, actuals

from tieout.anaplan import wire
from tieout.anaplan.client import Action
from tieout.anaplan.outcome import TaskState
from tieout.clock import SystemClock
from tieout.errors import Refused, Unavailable, Uncertain
from tieout.http import Call

ONE_CELL = actuals(("00001", "5005", "30", "Jan 24", "100.50"))


@pytest.fixture
def ready(planning: Planning) -> Action:
    """The import of actuals, its file uploaded with one cell, not started."""
    planning.fill_lists()
    action = planning.client.action("Load GL Actuals")
    upload(planning, action, ONE_CELL)
    return action


def upload(planning: Planning, action: Action, frame: pl.DataFrame) -> None:
    planning.client.upload(
        action.file_id,
        lambda: wire.chunks([frame], ACTUALS, chunk_bytes=1_000_000),
        receipt=lambda number, digest: None,
    )


def run(planning: Planning, action: Action, **options: Any) -> Any:
    client = planning.client
    task = client.start(action.kind, action.id, client.task_ids(action.kind, action.id))
    return client.wait(action.kind, action.id, task, name=action.name, **options)


def tasks_started(planning: Planning, action: Action) -> int:
    return len(planning.client.task_ids(action.kind, action.id))


def test_an_import_that_takes_all_rows_is_ok_and_the_cell_is_there(
    planning: Planning, ready: Action
) -> None:
    seen: list[TaskState] = []
    result = run(planning, ready, progress=seen.append)
    assert result.outcome == "ok"
    assert result.counts.total == 1
    assert seen[-1].state == "COMPLETE"
    assert planning.cells()["value"].to_list() == [ONE_CELL["amount"][0]]


@pytest.mark.parametrize("kind", ["cut_after", "truncate", "status_after"])
def test_a_start_whose_answer_is_lost_is_adopted_and_not_started_again(
    planning: Planning, ready: Action, kind: str
) -> None:
    planning.fault(kind, method="POST", path="/tasks$", status=504)
    before = tasks_started(planning, ready)
    assert run(planning, ready).outcome == "ok"
    assert tasks_started(planning, ready) == before + 1


def posts(planning: Planning, action: Action) -> int:
    """How many starts of this action were sent, whether or not they arrived."""
    path = f"{action.id}/tasks"
    return sum(c.method == "POST" and c.path.endswith(path) for c in planning.calls)


def test_a_start_that_is_lost_and_not_seen_is_uncertain_and_not_sent_again(
    planning: Planning, ready: Action
) -> None:
    """It is looked for at least as long as a request may be held open, and the quiet period."""
    planning.fault("cut_before", method="POST", path="/tasks$", times=99)
    before = tasks_started(planning, ready)
    planning.clock.slept.clear()
    with pytest.raises(Uncertain, match="not known whether"):
        run(planning, ready)
    assert posts(planning, ready) == 1
    assert sum(planning.clock.slept) >= 20 + 60
    assert tasks_started(planning, ready) == before


def test_a_start_carried_out_after_the_look_is_over_is_never_a_second_one(
    planning: Planning, ready: Action
) -> None:
    """Anaplan holds the request open while the model is busy, longer than we wait and look."""
    client = planning.connect(
        clock=SystemClock(), timeout_seconds=0.3, poll_seconds=0.1, quiet_seconds=0.2
    )
    before = tasks_started(planning, ready)
    planning.fault("late", method="POST", path="/tasks$", seconds=1.5)
    with pytest.raises(Uncertain, match="may still be carried out"):
        client.start(ready.kind, ready.id, client.task_ids(ready.kind, ready.id))
    ended = planning.until(lambda: tasks_started(planning, ready) > before)
    assert ended
    assert posts(planning, ready) == 1
    planning.client.let_end(ready)
    assert tasks_started(planning, ready) == before + 1


def test_a_start_carried_out_after_the_time_out_is_found_while_looking(
    planning: Planning, ready: Action
) -> None:
    """The request timed out and the quiet period alone is over when the task appears."""
    client = planning.connect(
        clock=SystemClock(), timeout_seconds=1.5, poll_seconds=0.1, quiet_seconds=0.4
    )
    planning.fault("late", method="POST", path="/tasks$", seconds=2.4)
    known = client.task_ids(ready.kind, ready.id)
    task = client.start(ready.kind, ready.id, known)
    assert client.wait(ready.kind, ready.id, task).outcome == "ok"
    assert tasks_started(planning, ready) == len(known) + 1


def test_the_task_of_another_person_is_not_taken_for_ours(
    planning: Planning, ready: Action
) -> None:
    """It appeared after we looked at the list and before we asked for ours."""
    known = planning.client.task_ids(ready.kind, ready.id)
    theirs = planning.client.start(ready.kind, ready.id, known)
    ours = planning.connect().start(ready.kind, ready.id, known)
    assert ours != theirs
    assert tasks_started(planning, ready) == len(known) + 2


def test_when_several_tasks_are_new_all_of_them_are_over_before_ours_counts_as_over(
    planning: Planning, ready: Action
) -> None:
    """Nobody can tell which of them a lost start made, least of all without creation times."""
    planning.system.control("switch", {"name": "task_step_seconds", "value": 100})
    planning.fault(
        "cut_after", method="POST", path="/tasks$",
        meanwhile={"people": {"do": "run", "kind": "import", "name": "Load GL Actuals"}},
    )  # fmt: skip
    planning.fault(
        "replace", method="GET", path="/tasks$", times=99, find=r'"creationTime":\d+',
        body='"creationTime":0',
    )  # fmt: skip
    assert run(planning, ready).outcome in ("ok", "failed")
    planning.box.faults.control({"clear": True})
    states = [t.state for t in planning.client.tasks(ready.kind, ready.id)]
    assert states == ["COMPLETE", "COMPLETE"]


def test_a_task_started_before_a_crash_is_adopted(planning: Planning, ready: Action) -> None:
    known = planning.client.task_ids(ready.kind, ready.id)
    first = planning.client.start(ready.kind, ready.id, known)
    again = planning.connect().start(ready.kind, ready.id, known, again=True)
    assert again == first
    assert tasks_started(planning, ready) == len(known) + 1


def test_after_a_crash_without_a_task_it_is_started_when_the_quiet_period_is_over(
    planning: Planning, ready: Action
) -> None:
    known = planning.client.task_ids(ready.kind, ready.id)
    planning.clock.slept.clear()
    task = planning.client.start(ready.kind, ready.id, known, again=True)
    assert sum(planning.clock.slept) >= 60
    assert planning.client.wait(ready.kind, ready.id, task).outcome == "ok"
    assert posts(planning, ready) == 1


def test_tasks_that_are_not_over_are_let_end(planning: Planning, ready: Action) -> None:
    """Those of the process that runs the import, and those of the import itself."""
    process = planning.client.action("Load Actuals Process")
    assert planning.client.let_end(process) == ()
    for kind, id_ in (("processes", process.id), ("imports", process.import_id)):
        task = planning.client.start(kind, id_, planning.client.task_ids(kind, id_))
        assert [ended.task_id for ended in planning.client.let_end(process)] == [task]


class Away(Unavailable):
    """What we keep does not answer; Anaplan has nothing to do with it."""


class Pace:
    """Turns for every request until `trouble` is set."""

    trouble: Exception | None = None

    def wait(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def refused(self, seconds: float | None) -> None:
        """Nothing to tell."""


@pytest.mark.parametrize(("trouble", "told"), [(Away, Away), (Unavailable, Uncertain)])
def test_a_start_whose_answer_is_lost_stays_unknown_when_nobody_can_look(
    planning: Planning, ready: Action, trouble: type[Exception], told: type[Exception]
) -> None:
    """Only what is ours may be told again: Anaplan's silence says nothing of the start."""
    client, pace = planning.client, Pace()
    known = client.task_ids(ready.kind, ready.id)
    planning.door.keep(pace)
    planning.fault("cut_after", method="POST", path="/tasks$")

    def lost(call: Call) -> None:
        if call.method == "POST":
            pace.trouble = trouble("away")

    planning.hears(lost)
    with pytest.raises(told) as raised:
        client.start(ready.kind, ready.id, known)
    assert type(raised.value) is told
    pace.trouble = None
    assert tasks_started(planning, ready) == 1


def test_an_answer_without_a_task_id_counts_as_lost(planning: Planning, ready: Action) -> None:
    planning.fault(
        "replace", method="POST", path="/tasks$", find=r"^.*$", body="<html>proxy</html>"
    )
    before = tasks_started(planning, ready)
    assert run(planning, ready).outcome == "ok"
    assert tasks_started(planning, ready) == before + 1


def test_a_bare_task_id_is_read_as_older_documentation_shows_it(
    planning: Planning, ready: Action
) -> None:
    planning.fault(
        "replace", method="POST", path="/tasks$", find=r'^.*"taskId":\s*"(\w+)".*$',
        body=r'{"taskId":"\1"}',
    )  # fmt: skip
    assert run(planning, ready).outcome == "ok"


def test_a_start_that_is_refused_says_why_and_is_not_repeated(
    planning: Planning, ready: Action
) -> None:
    planning.fault("status", method="POST", path="/tasks$", status=422, times=9)
    with pytest.raises(Refused, match="archived"):
        run(planning, ready)
    assert planning.count("POST", f"{ready.id}/tasks") == 1


@pytest.mark.parametrize("status", [409, 423])
def test_a_busy_model_is_waited_for(planning: Planning, ready: Action, status: int) -> None:
    planning.fault("status", method="POST", path="/tasks$", status=status, times=2)
    assert run(planning, ready).outcome == "ok"
    assert planning.clock.slept.count(5.0) >= 1


@pytest.mark.parametrize("status", [500, 503])
def test_failed_polls_are_borne(planning: Planning, ready: Action, status: int) -> None:
    planning.fault("status", method="GET", path=r"/tasks/\w+$", status=status, times=12)
    assert run(planning, ready).outcome == "ok"


def test_polls_that_never_succeed_end_unavailable(planning: Planning, ready: Action) -> None:
    planning.fault("status", method="GET", path=r"/tasks/\w+$", status=503, times=10_000)
    with pytest.raises(Unavailable, match="polls in a row"):
        run(planning, ready)


def test_pauses_between_polls_grow_to_the_configured_one(planning: Planning, ready: Action) -> None:
    planning.fault(
        "replace", method="GET", path=r"/tasks/\w+$", times=6,
        find=r"^.*$", body='{"task":{"taskId":"A","taskState":"IN_PROGRESS"}}',
    )  # fmt: skip
    planning.clock.slept.clear()
    run(planning, ready)
    assert planning.clock.slept[:5] == [1.0, 1.5, 2.25, 3.375, 5.0]


@pytest.mark.parametrize("state", ["IN_PROGRESS", "NOT_STARTED", "CANCELLING", "SOMETHING_NEW"])
def test_a_task_that_does_not_end_is_uncertain_at_the_deadline(
    planning: Planning, ready: Action, state: str
) -> None:
    planning.fault(
        "replace", method="GET", path=r"/tasks/\w+$", times=100_000,
        find=r"^.*$", body=f'{{"task":{{"taskId":"A","taskState":"{state}"}}}}',
    )  # fmt: skip
    with pytest.raises(Uncertain, match="not over after 120 minutes"):
        run(planning, ready)


def answer_poll_with(planning: Planning, body: str, times: int = 100) -> None:
    planning.fault(
        "replace", method="GET", path=r"/tasks/\w+$", times=times, find=r"^.*$", body=body
    )


def test_a_cancelled_task_is_cancelled_and_no_success(planning: Planning, ready: Action) -> None:
    answer_poll_with(planning, '{"task":{"taskId":"A","taskState":"CANCELLED"}}')
    assert run(planning, ready).outcome == "cancelled"


def test_an_unknown_end_state_is_never_a_success(planning: Planning, ready: Action) -> None:
    answer_poll_with(
        planning, '{"task":{"taskId":"A","taskState":"FINISHED","result":{"successful":true}}}'
    )
    assert run(planning, ready).outcome == "failed"


def test_a_finished_task_without_result_is_uncertain(planning: Planning, ready: Action) -> None:
    answer_poll_with(planning, '{"task":{"taskId":"A","taskState":"COMPLETE"}}')
    with pytest.raises(Uncertain, match="no result"):
        run(planning, ready)


def test_a_task_that_anaplan_forgets_is_uncertain(planning: Planning, ready: Action) -> None:
    planning.fault("status", method="GET", path=r"/tasks/\w+$", status=404, times=100)
    with pytest.raises(Uncertain, match="no longer knows"):
        run(planning, ready)


def test_one_404_while_polling_is_borne(planning: Planning, ready: Action) -> None:
    planning.fault("status", method="GET", path=r"/tasks/\w+$", status=404, times=1)
    assert run(planning, ready).outcome == "ok"


def test_rejected_rows_make_it_partial_and_the_dump_names_the_line(planning: Planning) -> None:
    planning.fill_lists()
    action = planning.client.action("Load GL Actuals")
    frame = pl.concat([ONE_CELL, actuals(("00001", "9999", "30", "Jan 24", "7"))])
    upload(planning, action, frame)
    result = run(planning, action)
    assert result.outcome == "partial"
    assert (result.counts.total, result.counts.failed) == (2, 1)
    dump = planning.client.dump(action.kind, action.id, result.task_id)
    assert dump is not None
    rows = wire.dump_rows(dump)
    assert rows["line"].to_list() == [3]
    assert "9999" in rows["errors"][0]
    assert rows["Amount"].to_list() == ["7"]


def test_a_process_is_walked_action_by_action_and_its_dump_is_found(planning: Planning) -> None:
    planning.fill_lists()
    action = planning.client.action("Load Actuals Process")
    assert action.kind == "processes"
    upload(planning, action, actuals(("00001", "9999", "30", "Jan 24", "7")))
    result = run(planning, action)
    assert result.outcome == "partial"
    failed = next(o for o in result.objects if o.dump_available)
    assert failed.object_id == action.import_id
    dump = planning.client.dump(action.kind, action.id, result.task_id, failed.object_id)
    assert dump is not None
    assert wire.dump_rows(dump).height == 1


def test_a_missing_dump_is_none_and_not_an_error(planning: Planning, ready: Action) -> None:
    result = run(planning, ready)
    assert planning.client.dump(ready.kind, ready.id, result.task_id) is None


def test_many_threads_that_wait_share_one_token(planning: Planning, ready: Action) -> None:
    task = planning.client.start(
        ready.kind, ready.id, planning.client.task_ids("imports", ready.id)
    )
    results: list[str] = []

    def wait() -> None:
        results.append(planning.client.wait(ready.kind, ready.id, task).outcome)

    threads = [threading.Thread(target=wait) for _ in range(6)]
    for thread in threads:
        thread.start()
    give_up = time.monotonic() + 30
    for thread in threads:
        thread.join(max(0.0, give_up - time.monotonic()))
    assert results == ["ok"] * 6
    assert planning.count("POST", "/token/authenticate") == 1
