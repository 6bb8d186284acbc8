"""At most one process executes the runs of an instance; the others follow it or take over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import engine_program
import pytest
from engine_program import RUN_SECONDS_MAX, Gate

from tieout.engine.durable import Engine
from tieout.engine.lock import InstanceLock, executor_of
from tieout.engine.watch import follow
from tieout.errors import Busy
from tieout.store.runs import Run
from tieout.store.store import Store

HOLDER = """
import pathlib, sys
from tieout.engine.lock import InstanceLock
lock = InstanceLock(pathlib.Path(sys.argv[1]))
lock.take()
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held_elsewhere(tmp_path: Path) -> Any:
    """Another process that executes this instance."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        yield process
        process.kill()


def test_a_second_executor_is_told_which_process_executes(
    tmp_path: Path, held_elsewhere: subprocess.Popen[str], make_engine: Callable[..., Engine]
) -> None:
    assert executor_of(tmp_path) == held_elsewhere.pid

    with pytest.raises(Busy, match=str(held_elsewhere.pid)):
        make_engine().launch()


def test_a_run_is_followed_and_taken_over_when_its_executor_dies(
    ask: Callable[..., str],
    held_elsewhere: subprocess.Popen[str],
    make_engine: Callable[..., Engine],
) -> None:
    run = ask()
    threading.Timer(0.3, held_elsewhere.kill).start()

    ended = make_engine().carry_out(run, RUN_SECONDS_MAX)

    assert ended.outcome == "complete"


def test_a_command_has_its_run_executed_by_the_process_that_serves(
    ask: Callable[..., str], make_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    """The command does not know this flow, so it cannot have executed it itself."""
    gate = Gate()
    gate.open.set()
    serving = make_engine(gate=gate.story)
    serving.launch()
    run = ask("actuals", "gate")

    command = [sys.executable, engine_program.__file__, str(tmp_path), "-", run]
    told = subprocess.run(command, capture_output=True, text=True, check=True)

    assert json.loads(told.stdout.splitlines()[0])["outcome"] == "complete"


def test_following_a_run_that_nobody_executes_comes_back_at_once(
    store: Store, ask: Callable[..., str]
) -> None:
    assert not follow(store, ask(), RUN_SECONDS_MAX).finished


def test_looking_for_the_executor_does_not_keep_one_from_starting(tmp_path: Path) -> None:
    lock = InstanceLock(tmp_path)
    lock.take()
    lock.release()

    assert executor_of(tmp_path) is None
    lock.take()
    assert executor_of(tmp_path) == os.getpid()
    lock.release()


def test_a_second_engine_in_one_process_is_refused(make_engine: Callable[..., Engine]) -> None:
    make_engine().launch()

    with pytest.raises(Busy, match="already executes"):
        make_engine().launch()


def test_the_instance_stays_locked_while_a_step_still_works(
    ask: Callable[..., str], make_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    gate = Gate()
    ask("actuals", "gate")
    engine = make_engine(gate=gate.story)
    engine.launch()
    assert gate.begun.wait(RUN_SECONDS_MAX)

    assert not engine.close(0)
    assert executor_of(tmp_path) == os.getpid()
    gate.open.set()

    assert engine.close(0)
    assert executor_of(tmp_path) is None


def test_stopping_does_not_wait_for_a_look_at_waiting_runs_that_does_not_end(
    ask: Callable[..., str], make_engine: Callable[..., Engine]
) -> None:
    """The library waits for a database that is away, and tries again for as long as it takes."""
    looks, ends = threading.Event(), threading.Event()

    def lane(_run: Run) -> str:
        looks.set()
        ends.wait(RUN_SECONDS_MAX)
        return "all"

    engine = make_engine(lane)
    engine.launch()
    ask()
    assert looks.wait(RUN_SECONDS_MAX)
    began = time.monotonic()
    engine.close(0)
    took = time.monotonic() - began
    ends.set()

    assert took < RUN_SECONDS_MAX / 2
