"""What `tieout serve` and `tieout worker` share: they execute runs until they are stopped."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import TypeAlias

from tieout.app import Instance
from tieout.engine.durable import Engine
from tieout.engine.story import UNEXPECTED_EXIT_CODE
from tieout.errors import Misconfigured, Trouble
from tieout.verbs import running, schedule_overview
from tieout.verbs.keeping_house import House
from tieout.verbs.notifying import Notices

STEP_SECONDS_MAX = 60.0  # how long stopping waits for a step under way
DECISION_SECONDS_MAX = 5.0  # how long it waits for a decision about a due time
LOOK_SECONDS = 0.5

Note = Callable[[str], None]
Watch = Callable[[], None]  # called now and then; raises when what goes on beside has ended
Beside: TypeAlias = Callable[[Engine], AbstractContextManager[Watch]]


def work(instance: Instance, note: Note) -> None:
    """Execute runs beside other workers until SIGTERM or SIGINT; `tieout worker`.

    Misconfigured on SQLite, which has one executor.
    """
    if instance.store.database.is_sqlite:
        raise Misconfigured(
            "A SQLite file has one process that executes its runs: `tieout serve`.",
            untouched="Nothing was started.",
            do="Several workers need PostgreSQL: set TIEOUT_DATABASE to its URL.",
            who="who runs this installation",
        )
    work_until_stopped(instance, note, "tieout worker", _alone)


@contextmanager
def _alone(engine: Engine) -> Iterator[Watch]:
    yield lambda: None


def work_until_stopped(instance: Instance, note: Note, command: str, beside: Beside) -> None:
    """Execute runs until SIGTERM or SIGINT; unfinished runs are carried on by the next process.

    `beside` is what else goes on meanwhile. When a step outlives STEP_SECONDS_MAX after a signal,
    the process ends itself: whoever carries the run on begins that step again. Raises Busy when
    another process executes this SQLite file, and why it may not execute any more.
    """
    stop = threading.Event()
    # Before the executor starts: from now on a signal never tears a run, it asks for the end.
    before = {number: _ask(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        engine = running.engine_for(instance)
        engine.launch()
        schedules = schedule_overview.scheduler_for(instance)
        house = House(instance.store, engine)
        notices = Notices(instance)
        try:
            with beside(engine) as watch:
                schedules.start()
                house.start()
                notices.start()
                settle()
                if beside is _alone:
                    note(f"Executes runs as {engine.name}; Ctrl-C stops it.")
                while not stop.wait(LOOK_SECONDS):
                    watch()
                    engine.refuse_lost()
                note("Stopping: the step under way comes to its end first.")
        finally:
            schedules.close(DECISION_SECONDS_MAX)
            house.close(DECISION_SECONDS_MAX)
            notices.close(DECISION_SECONDS_MAX)
            _close(engine, command, note, sys.exception())
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def settle() -> None:
    """What is there when a process has started stays, so garbage is not looked for in it again.

    Looking through it took a tenth of a second each time, of whoever waited for a page then.
    """
    gc.collect()
    gc.freeze()


def _ask(number: int, stop: threading.Event) -> signal._HANDLER:
    def asked(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:  # asked twice at a terminal: at once
            os._exit(128 + number)
        stop.set()

    return signal.signal(number, asked)


def _close(engine: Engine, command: str, note: Note, error: BaseException | None) -> None:
    """Let the steps under way finish; unfinished runs stay for the next executor.

    `error` is what this process ends for, None when it was asked to: it is told, and gives the exit
    code, also when the process has to end itself here.
    """
    if engine.close(0.0) or engine.close(STEP_SECONDS_MAX):
        return
    note(
        f"A step did not end within {STEP_SECONDS_MAX:.0f} s; it is begun again by the next "
        f"`{command}` or `tieout run`."
    )
    if error is None:
        os._exit(0)
    told = error if isinstance(error, Trouble) else None
    note(told.sentence() if told else f"It ended for {type(error).__name__}.")
    os._exit(told.exit_code if told else UNEXPECTED_EXIT_CODE)
