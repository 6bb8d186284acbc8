"""Unfinished runs of the store on their way through the library's queue, until one is told."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Set

from dbos import DBOS

from tieout.core.policy import SYSTEM
from tieout.engine import library
from tieout.engine.story import UNEXPECTED_EXIT_CODE
from tieout.store import runs
from tieout.store.runs import Ending
from tieout.store.store import Store

WORKFLOW = "run"
RECOVERIES_MAX = 10
LOOKS_IN_PATIENCE = 6  # how often within it all unfinished runs are looked after, not the new only
MOVES_MAX = 3  # how often a run that lies here is given to the queue once more
ASKED_FOR, BY_ITSELF = 1, 2  # priorities in a lane: what people wait for goes first


class RunQueue:
    """Which runs exist is the store's matter; this gives the library those it does not have yet.

    Runs of one lane go one after the other: those that people asked for first, else the oldest.
    """

    def __init__(
        self, store: Store, lane_for: Callable[[runs.Run], str], patience_seconds: float
    ) -> None:
        self._store, self._lane_for, self._patience = store, lane_for, patience_seconds
        self._executor = ""  # under which id the library executes here
        self.unwritten: dict[str, Ending] = {}  # endings the store did not take
        self._known: set[str] = set()  # given to the library
        self._looked_after = 0.0
        self._lying: dict[str, float] = {}  # since when a begun run is not told here
        self._moved: Counter[str] = Counter()  # how often it was given to the queue once more
        self._broken_off: set[str] = set()  # runs whose telling ended here without an ending

    @property
    def executor(self) -> str:
        """Under which id the library executes here."""
        return self._executor

    def executes_as(self, executor: str) -> None:
        """What was begun here under another id is not ours to look after any more."""
        self._executor = executor
        self.unwritten.clear()
        self._broken_off.clear()
        self._lying.clear()

    def look(self, active: Set[str]) -> list[str]:
        """Enqueue every unfinished run that the library does not have yet; their ids.

        Runs that the library gave up end here, with a sentence that says so. `active` are the runs
        being told in this process.
        """
        with self._store.database.read() as connection:
            unfinished = runs.unfinished_ids(connection)
        self._known &= set(unfinished)
        everything = time.monotonic() - self._looked_after > self._patience / LOOKS_IN_PATIENCE
        if everything:
            self._looked_after = time.monotonic()
        known = set() if everything else self._known - self._broken_off
        idle = [run for run in unfinished if run not in active and run not in known]
        idle += (self._begun_here() if everything else self._broken_off) - {*unfinished} - active
        if not idle:
            return []
        with self._store.database.read() as connection:
            found = runs.of_ids(connection, idle)
        ids = [_workflow_id(run) for run in found]
        listed = DBOS.list_workflows(workflow_ids=ids, load_input=False, load_output=False)
        states = {w.workflow_id: (w.status, w.executor_id) for w in listed}
        if everything:
            self._lying = {id_: since for id_, since in self._lying.items() if id_ in idle}
        asked = [(run, states.get(_workflow_id(run), (None, None))) for run in found]
        return [
            run.id for run, (state, executor) in asked if self._look_after(run, state, executor)
        ]

    def told(self, run_id: str) -> None:
        """A telling begins here: how an earlier one ended is of no matter any more."""
        self._broken_off.discard(run_id)

    def broken_off(self, run_id: str) -> None:
        """A telling ended here without an ending: it goes to the queue again at the next look."""
        self._broken_off.add(run_id)

    def _begun_here(self) -> set[str]:
        """What the library counts as begun here, also what has ended and keeps a lane for it."""
        begun = DBOS.list_workflows(
            status="PENDING", executor_id=self._executor, load_input=False, load_output=False
        )
        return {_run_id(workflow.workflow_id) for workflow in begun}

    def _look_after(self, run: runs.Run, state: str | None, executor: str | None) -> bool:
        """Do what a run needs that is not being told here; whether it was enqueued."""
        if state == "PENDING" and executor == self._executor:
            self._known.add(run.id)
            self._lies(run)
            return False
        # Another executor's is that one's matter, while it lives.
        self._lying.pop(run.id, None)
        self._broken_off.discard(run.id)
        if run.finished:
            return False
        if state is None:
            self._enqueue(run)
        elif state not in ("ENQUEUED", "DELAYED", "PENDING"):
            self._store.finish_run(run.id, _given_up(state))
        self._known.add(run.id)
        return state is None

    def _lies(self, run: runs.Run) -> None:
        """The library counts this run as begun, but nobody tells it here.

        Its telling was broken off; its outcome could not be written down, or the library did not
        learn that it was; or the answer was lost by which the library took it from the queue.
        """
        lies_seconds = time.monotonic() - self._lying.setdefault(run.id, time.monotonic())
        if run.id in self._broken_off:
            self._again(run)
        elif lies_seconds > self._patience:
            self._moved[run.id] += run.id not in self.unwritten  # there may be room now
            if self._moved[run.id] <= MOVES_MAX:
                self._again(run)
            else:
                self._give_up(run)

    def _again(self, run: runs.Run) -> None:
        library.put_back(_workflow_id(run), self._executor)
        self._broken_off.discard(run.id)
        self.unwritten.pop(run.id, None)
        self._lying.pop(run.id, None)

    def _give_up(self, run: runs.Run) -> None:
        """The library cannot read what it had written, and would keep the lane for it for ever."""
        DBOS.cancel_workflow(_workflow_id(run))
        words = "The engine's record of this run is damaged; the log has the details."
        self._store.finish_run(run.id, Ending("failed", words, UNEXPECTED_EXIT_CODE, {}))

    def _enqueue(self, run: runs.Run) -> None:
        DBOS.enqueue_workflow_with_options(
            {
                "workflow_name": WORKFLOW,
                "queue_name": library.QUEUE,
                "workflow_id": _workflow_id(run),
                "app_version": library.ABI,
                "queue_partition_key": self._lane_for(run),
                "priority": ASKED_FOR if run.started_by != SYSTEM else BY_ITSELF,
            },
            run.id,
        )


def _run_id(workflow_id: str) -> str:
    return workflow_id.partition(" ")[2]


def _workflow_id(run: runs.Run) -> str:
    """The library's id of a run: it starts what it got within one second in the order of ids."""
    return f"{run.started_at.isoformat(timespec='microseconds')} {run.id}"


def _given_up(status: str) -> Ending:
    words = f"The engine ended this run without an outcome ({status}); the log has the details."
    if status == "CANCELLED":
        return Ending("cancelled", "The run was cancelled.", UNEXPECTED_EXIT_CODE, {})
    if status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        words = (
            f"The process that executed this run died more than {RECOVERIES_MAX} times, so it is "
            "not begun again by itself. What was committed stays; the next run goes on from there."
        )
    return Ending("failed", words, UNEXPECTED_EXIT_CODE, {})
