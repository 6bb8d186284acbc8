"""From a run that was asked for to its outcome, through interruptions and damage."""

from __future__ import annotations

import base64
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from dbos import DBOS
from engine_program import RUN_SECONDS_MAX, STEPS, Gate, Peer, four_steps, until

from tieout.core.policy import SYSTEM
from tieout.engine import library
from tieout.engine.durable import Engine
from tieout.engine.lock import executor_of
from tieout.errors import Misconfigured, Unavailable
from tieout.store.own_sqlite import sqlite3
from tieout.store.runs import NewRun
from tieout.store.store import DATABASE_FILE, Store


def test_a_waiting_run_is_taken_up_whichever_process_asked_for_it(
    store: Store, ask: Callable[..., str], make_engine: Callable[..., Engine]
) -> None:
    engine = make_engine()
    engine.launch()

    run = ask()

    assert engine.wait(run, RUN_SECONDS_MAX).outcome == "complete"
    assert [step.name for step in store.steps(run)][-1] == "move position"


def test_runs_of_one_lane_go_one_after_the_other_in_the_order_they_were_asked_for(
    ask: Callable[..., str], make_engine: Callable[..., Engine], peer: Peer
) -> None:
    gate = Gate()
    gate.open.set()
    asked = [ask(flow, "gate") for flow in ("cost_centers", "accounts", "actuals")]

    engine = make_engine(gate=gate.story)
    engine.launch()
    for run in asked:
        engine.wait(run, RUN_SECONDS_MAX)

    assert peer.calls() == [f"{act} {run}" for run in asked for act in ("read", "send")]


def test_a_run_interrupted_by_closing_is_carried_on_by_the_next_executor(
    store: Store, ask: Callable[..., str], make_engine: Callable[..., Engine], peer: Peer
) -> None:
    gate = Gate()
    run = ask("actuals", "gate")
    first = make_engine(gate=gate.story)
    first.launch()
    assert gate.begun.wait(RUN_SECONDS_MAX)
    threading.Timer(0.2, gate.open.set).start()

    assert first.close(0)
    assert store.run(run).outcome == "running"
    with pytest.raises(Unavailable, match="still under way"):
        first.wait(run, RUN_SECONDS_MAX)
    second = make_engine(gate=gate.story)
    second.launch()

    assert second.wait(run, RUN_SECONDS_MAX).outcome == "complete"
    assert peer.calls() == [f"read {run}", f"send {run}"]


def test_runs_of_different_lanes_go_side_by_side(
    ask: Callable[..., str], make_engine: Callable[..., Engine]
) -> None:
    first, second = Gate(), Gate()
    asked = [ask("actuals", "first"), ask("plan", "second")]
    engine = make_engine(lane_for=lambda run: run.flow, first=first.story, second=second.story)
    engine.launch()

    assert first.begun.wait(RUN_SECONDS_MAX)
    assert second.begun.wait(RUN_SECONDS_MAX)
    first.open.set()
    second.open.set()

    assert [engine.wait(run, RUN_SECONDS_MAX).outcome for run in asked] == ["complete"] * 2


def test_waiting_for_a_run_ends_with_the_time_and_the_run_goes_on(
    ask: Callable[..., str], make_engine: Callable[..., Engine]
) -> None:
    gate = Gate()
    run = ask("actuals", "gate")
    engine = make_engine(gate=gate.story)
    engine.launch()

    with pytest.raises(Unavailable, match="still under way"):
        engine.wait(run, 0)
    gate.open.set()

    assert engine.wait(run, RUN_SECONDS_MAX).outcome == "complete"


def test_a_run_of_an_unknown_kind_fails_with_a_sentence(
    ask: Callable[..., str], make_engine: Callable[..., Engine]
) -> None:
    run = ask("plan", "submit_plan")

    ended = make_engine().carry_out(run, RUN_SECONDS_MAX)

    assert (ended.outcome, ended.exit_code) == ("failed", 3)
    assert "submit_plan" in ended.sentence


def test_runs_of_an_unknown_engine_version_are_named_instead_of_stranded(
    store: Store,
    ask: Callable[..., str],
    make_engine: Callable[..., Engine],
    in_library: Callable[..., None],
) -> None:
    gate = Gate()
    run = ask("actuals", "gate")
    engine = make_engine(gate=gate.story)
    engine.launch()
    assert gate.begun.wait(RUN_SECONDS_MAX)
    threading.Timer(0.1, gate.open.set).start()
    engine.close(0)
    in_library("UPDATE workflow_status SET application_version = '99'")

    with pytest.raises(Misconfigured, match="1 of engine version 99"):
        make_engine().launch()

    assert store.run(run).outcome == "running"
    assert executor_of(store.home) is None


def test_a_planted_pickle_is_never_executed_and_raises(
    store: Store,
    ask: Callable[..., str],
    make_engine: Callable[..., Engine],
    in_library: Callable[..., None],
    tmp_path: Path,
) -> None:
    make_engine().carry_out(ask(), RUN_SECONDS_MAX)
    planted = base64.b64encode(pickle.dumps(Planted(tmp_path / "executed"))).decode()
    in_library("UPDATE workflow_input SET inputs = ?", planted)
    in_library("UPDATE workflow_output SET output = ?", planted)
    in_library("UPDATE workflow_status SET serialization = 'py_pickle'")

    (shown,) = DBOS.list_workflows()
    with pytest.raises(ValueError, match="pickle is disabled"):
        DBOS.get_result(shown.workflow_id)

    assert shown.input == planted
    assert not (tmp_path / "executed").exists()


class Planted:
    """What somebody who may write to the database would plant."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self._path,))


def test_a_run_whose_record_was_damaged_fails_and_the_next_one_goes_on(
    ask: Callable[..., str],
    make_engine: Callable[..., Engine],
    in_library: Callable[..., None],
    tmp_path: Path,
) -> None:
    gate = Gate()
    run = ask("actuals", "gate")
    first = make_engine(gate=gate.story)
    first.launch()
    assert gate.begun.wait(RUN_SECONDS_MAX)
    threading.Timer(0.1, gate.open.set).start()
    first.close(0)
    planted = base64.b64encode(pickle.dumps(Planted(tmp_path / "executed"))).decode()
    in_library("UPDATE workflow_input SET inputs = ?", planted)
    in_library("UPDATE workflow_status SET serialization = 'py_pickle'")

    second = make_engine(gate=gate.story)
    second.launch()
    ended = second.wait(run, RUN_SECONDS_MAX)

    assert (ended.outcome, ended.exit_code) == ("failed", 1)
    assert "record of this run is damaged" in ended.sentence
    assert not (tmp_path / "executed").exists()
    assert second.wait(ask("actuals", "gate"), RUN_SECONDS_MAX).outcome == "complete"


@pytest.fixture
def in_library(tmp_path: Path) -> Callable[..., None]:
    """Writes to the library's tables behind its back."""

    def write(statement: str, *values: object) -> None:
        connection = sqlite3.connect(tmp_path / DATABASE_FILE, timeout=RUN_SECONDS_MAX)
        with connection:
            connection.execute(statement, values)
        connection.close()

    return write


def test_a_run_whose_outcome_cannot_be_written_is_told_again_when_it_can(
    store: Store,
    ask: Callable[..., str],
    make_engine: Callable[..., Engine],
    in_library: Callable[..., None],
    peer: Peer,
) -> None:
    """As on a full disk, which takes the story's small steps and then nothing more."""
    gate = Gate()
    run = ask("actuals", "gate")
    engine = make_engine(gate=gate.story)
    engine.launch()
    assert gate.begun.wait(RUN_SECONDS_MAX)
    in_library(
        "CREATE TRIGGER no_room BEFORE UPDATE OF outcome ON app_run "
        "WHEN NEW.outcome <> 'running' BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    gate.open.set()

    told = engine.wait(run, RUN_SECONDS_MAX)
    assert (told.outcome, store.run(run).outcome) == ("failed", "running")
    in_library("DROP TRIGGER no_room")
    for _ in range(RUN_SECONDS_MAX * 20):
        if store.run(run).finished:
            break
        threading.Event().wait(0.05)

    assert store.run(run).outcome == "complete"
    assert peer.calls() == [f"read {run}", f"send {run}"]


def test_a_run_that_ended_keeps_no_lane_for_which_the_library_did_not_learn_of_its_end(
    store: Store,
    ask: Callable[..., str],
    make_engine: Callable[..., Engine],
    in_library: Callable[..., None],
) -> None:
    """As when the database goes away with the answer to the commit of the outcome."""
    engine = make_engine()
    engine.launch()
    ended = ask()
    assert engine.wait(ended, RUN_SECONDS_MAX).outcome == "complete"
    until(lambda: engine_states() == ["SUCCESS"])
    in_library("UPDATE workflow_status SET status = 'PENDING', owner_xid = 'an earlier claim'")

    following = ask("plan")

    assert engine.wait(following, RUN_SECONDS_MAX).outcome == "complete"
    assert [step.name for step in store.steps(ended)] == list(STEPS)


def test_a_run_that_another_executor_tells_by_now_is_not_given_to_the_queue_again(
    ask: Callable[..., str], make_engine: Callable[..., Engine]
) -> None:
    """Else a process that was paused before it does so would have the run told twice at once."""
    gate = Gate()
    run = ask("actuals", "gate")
    engine = make_engine(gate=gate.story)
    engine.launch()
    assert gate.begun.wait(RUN_SECONDS_MAX)
    (begun,) = DBOS.list_workflows(load_input=False, load_output=False)

    assert not library.put_back(begun.workflow_id, "another:1:x")
    assert engine_states() == ["PENDING"]
    gate.open.set()
    assert engine.wait(run, RUN_SECONDS_MAX).outcome == "complete"


def engine_states() -> list[str]:
    return [w.status for w in DBOS.list_workflows(load_input=False, load_output=False)]


def test_the_four_steps_are_shown_in_their_order(
    store: Store, ask: Callable[..., str], make_engine: Callable[..., Engine]
) -> None:
    run = ask()

    make_engine(four_steps=four_steps).carry_out(run, RUN_SECONDS_MAX)

    recorded = [step.name for step in store.steps(run)]
    assert recorded == ["read balances", "read ledger", "send cells", "move position"]
    (workflow,) = DBOS.list_workflows(load_input=False, load_output=False)
    assert not DBOS.list_workflow_steps(workflow.workflow_id), "what was done is known once"


def test_what_people_asked_for_goes_before_what_runs_by_itself(
    store: Store, ask: Callable[..., str], make_engine: Callable[..., Engine], peer: Peer
) -> None:
    gate, through = Gate(), Gate()
    through.open.set()
    first = ask("actuals", "gate")
    engine = make_engine(gate=gate.story, through=through.story)
    engine.launch()
    assert gate.begun.wait(RUN_SECONDS_MAX)
    by_itself = store.new_run(
        NewRun("accounts", "through", SYSTEM, trigger="schedule close", outcome="waiting")
    ).id
    assert engine.resume_unfinished() in ([by_itself], [])
    asked_for = ask("cost_centers", "through")
    assert engine.resume_unfinished() in ([asked_for], [])
    gate.open.set()

    for run in (first, by_itself, asked_for):
        engine.wait(run, RUN_SECONDS_MAX)
    order = [call for call in peer.calls() if call.startswith("read")]
    assert order == [f"read {run}" for run in (first, asked_for, by_itself)]
