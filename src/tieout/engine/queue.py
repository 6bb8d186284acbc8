"""Unfinished runs of the store on their way through the library's queue, until one is told."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import TypeAlias

from dbos import DBOS

from tieout.core.policy import SYSTEM
from tieout.engine import library
from tieout.engine.story import UNEXPECTED_EXIT_CODE
from tieout.store import parts, runs
from tieout.store.parts import Standing
from tieout.store.runs import Ending
from tieout.store.store import Store

WORKFLOW = "run"
RECOVERIES_MAX = 10
LOOKS_IN_PATIENCE = 6  # how often within it all unfinished runs are looked after, not the new only
MOVES_MAX = 3  # how often a run that lies here is given to the queue once more
_State: TypeAlias = tuple[str, str | None]  # of a telling: its status, who has it
ASKED_FOR, BY_ITSELF = 1, 2  # priorities in a lane: what people wait for goes first


class RunQueue:
    """Which runs exist is the store's matter; this gives the library those it does not have yet.

    Runs of one lane go one after the other: those that people asked for first, else the oldest.
    Parts have a queue of their own: a process takes one of a connection at a time, the first part
    of every run before any second one, two of a run that a person waits for to one of another. A
    run that was cut leaves its queue, and is given to it once more when its parts have ended: so it
    holds nothing meanwhile, and parts never wait for it.
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
            cut = parts.standing(connection) if unfinished else {}
        self._known &= set(unfinished)
        everything = time.monotonic() - self._looked_after > self._patience / LOOKS_IN_PATIENCE
        if everything:
            self._looked_after = time.monotonic()
        known = set() if everything else self._known - self._broken_off - cut.keys()
        idle = [run for run in unfinished if run not in active and run not in known]
        ended = self._begun_here() if everything else self._broken_off
        ended = ended - {*unfinished} - active
        if not idle and not ended:
            return []
        with self._store.database.read() as connection:
            found = runs.of_ids(connection, [*idle, *ended])
            cut |= parts.standing(connection, sorted(ended)) if ended else {}
        times = {run.id: cut[run.id].cuts if run.id in cut else 0 for run in found}
        ids = [_workflow_id(run, n) for run in found for n in _last_two(times[run.id])]
        listed = DBOS.list_workflows(workflow_ids=ids, load_input=False, load_output=False)
        states = {w.workflow_id: (w.status, w.executor_id) for w in listed}
        if everything:
            self._lying = {
                id_: since for id_, since in self._lying.items() if id_ in {*idle, *ended}
            }
        return [
            run.id for run in found if self._look_after(self._telling(run, cut, states), states)
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

    def _telling(
        self, run: runs.Run, cut: Mapping[str, Standing], states: Mapping[str, _State]
    ) -> _Telling | None:  # fmt: skip
        """The telling of a run that is to be looked after; None while it waits for its parts."""
        stands = cut.get(run.id)
        times = stands.cuts if stands else 0
        if stands and _workflow_id(run, times) not in states:
            handed_out, _ = states.get(_workflow_id(run, times - 1), ("SUCCESS", None))
            if handed_out != "SUCCESS":  # it is at that still
                times -= 1
            elif stands.unfinished:
                return None
        return _Telling(run, times)

    def _look_after(self, telling: _Telling | None, states: Mapping[str, _State]) -> bool:
        """Do what a run needs that is not being told here; whether it was enqueued."""
        if telling is None:
            return False
        run = telling.run
        state, executor = states.get(telling.id, (None, None))
        if state == "PENDING" and executor == self._executor:
            self._known.add(run.id)
            self._lies(telling)
            return False
        # Another executor's is that one's matter, while it lives.
        self._lying.pop(run.id, None)
        self._broken_off.discard(run.id)
        if run.finished:
            return False
        if state is None:
            self._enqueue(telling)
        elif state not in ("ENQUEUED", "DELAYED", "PENDING") and not self._was_cut(telling):
            self._store.finish_run(run.id, _given_up(state))
        self._known.add(run.id)
        return state is None

    def _was_cut(self, telling: _Telling) -> bool:
        """Whether that telling ended because it handed out parts, after they were looked up."""
        with self._store.database.read() as connection:
            stands = parts.standing(connection, [telling.run.id]).get(telling.run.id)
        return stands is not None and stands.cuts > telling.times

    def _lies(self, telling: _Telling) -> None:
        """The library counts this run as begun, but nobody tells it here.

        Its telling was broken off; its outcome could not be written down, or the library did not
        learn that it was; or the answer was lost by which the library took it from the queue.
        """
        run = telling.run
        lies_seconds = time.monotonic() - self._lying.setdefault(run.id, time.monotonic())
        if run.id in self._broken_off:
            self._again(telling)
        elif lies_seconds > self._patience:
            self._moved[run.id] += run.id not in self.unwritten  # there may be room now
            if self._moved[run.id] <= MOVES_MAX:
                self._again(telling)
            else:
                self._give_up(telling)

    def _again(self, telling: _Telling) -> None:
        run = telling.run
        library.put_back(telling.id, self._executor)
        self._broken_off.discard(run.id)
        self.unwritten.pop(run.id, None)
        self._lying.pop(run.id, None)

    def _give_up(self, telling: _Telling) -> None:
        """The library cannot read what it had written, and would keep the lane for it for ever."""
        DBOS.cancel_workflow(telling.id)
        words = "The engine's record of this run is damaged; the log has the details."
        self._store.finish_run(telling.run.id, Ending("failed", words, UNEXPECTED_EXIT_CODE, {}))

    def _enqueue(self, telling: _Telling) -> None:
        run = telling.run
        by = ASKED_FOR if run.started_by != SYSTEM else BY_ITSELF
        DBOS.enqueue_workflow_with_options(
            {
                "workflow_name": WORKFLOW,
                "queue_name": _queue_of(run),
                "workflow_id": telling.id,
                "app_version": library.ABI,
                "queue_partition_key": self._lane_for(run),
                "priority": _turn(run) if run.part_of else by,
            },
            run.id,
        )


@dataclass(frozen=True, slots=True)
class _Telling:
    """One of the times that a run is told: once more for each time that it was cut before."""

    run: runs.Run
    times: int

    @property
    def id(self) -> str:
        """The library's id of it."""
        return _workflow_id(self.run, self.times)


def _last_two(times: int) -> tuple[int, ...]:
    return (times - 1, times) if times else (0,)


def _run_id(workflow_id: str) -> str:
    return workflow_id.partition(" ")[2]


def _workflow_id(run: runs.Run, times: int) -> str:
    """The library starts what it got within one second in the order of these ids."""
    again = f"+{times}" if times else ""
    return f"{run.started_at.isoformat(timespec='microseconds')}{again} {run.id}"


def _turn(part: runs.Run) -> int:
    """When it is a part's turn: two of a run that a person waits for to one of another."""
    return part.number if part.started_by != SYSTEM else 2 * part.number


def _queue_of(run: runs.Run) -> str:
    return library.PARTS if run.part_of else library.QUEUE


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
