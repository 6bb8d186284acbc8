"""The product's engine: runs that a killed process leaves behind are carried on by the next.

The engine library (DBOS) orders the runs, remembers which are unfinished and begins them again
after a crash; the store decides, step by step, what was already done
(docs/decisions/0006-steps-committed-by-us-and-dbos.md).
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from dbos import DBOS
from sqlalchemy import Engine as SqlEngine

from tieout.engine import library
from tieout.engine.hold import Hold, hold
from tieout.engine.lock import InstanceLock
from tieout.engine.story import (
    UNEXPECTED_EXIT_CODE,
    Failpoint,
    Interrupted,
    Result,
    Run,
    Story,
    WorldFor,
    ending_of_error,
    nothing_fails,
    tell,
)
from tieout.engine.watch import LOOK_SECONDS, follow
from tieout.errors import Busy, Misconfigured, Trouble, Unavailable
from tieout.store import runs
from tieout.store.runs import Ending
from tieout.store.schema import UNFINISHED
from tieout.store.store import DATABASE_FILE, Store

WORKFLOW = "run"
RECOVERIES_MAX = 10
WAITING_RUNS_MAX = 1000
LAST_STEP_SECONDS = 2.0  # how long closing waits for a step to reach its end before it gives up

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How busy an executor may be, and how long it lets a run lie that does not move."""

    runs_at_once: int = 4
    poll_seconds: float = 0.5
    patience_seconds: float = 30.0


class Engine:
    """The executor of one instance; at most one per instance and one per process.

    Which runs exist is the store's matter: an unfinished run in the store is the request to
    execute it, whichever process wrote it.
    """

    def __init__(
        self,
        store: Store,
        stories: Mapping[str, Story],
        world_for: WorldFor,
        *,
        pace: Pace = Pace(),
        lane_for: Callable[[runs.Run], str] = lambda run: "all",
        failpoint: Failpoint = nothing_fails,
    ) -> None:
        """`stories` by flow kind; `world_for(run id)` opens and closes the connections of a run.

        Runs of one lane go one after the other, oldest first: let it name what must not be used
        twice at once, such as the Anaplan model.
        """
        self._store, self._stories, self._world_for = store, stories, world_for
        self._pace, self._lane_for, self._failpoint = pace, lane_for, failpoint
        self._lock = InstanceLock(store.home)
        self._system: SqlEngine | None = None
        self._held: Hold | None = None
        self._picker: threading.Thread | None = None
        self._wake, self._closing, self._stopping = (threading.Event() for _ in range(3))
        self._changed = threading.Condition()
        self._active: set[str] = set()  # runs being told in this process
        self._lost: Trouble | None = None  # why this process may not execute any more
        self._unwritten: dict[str, Ending] = {}  # endings the store did not take
        self._lying: dict[str, float] = {}  # since when a begun run is not told here
        self._moved: set[str] = set()  # begun runs that were given to the queue once more

    def launch(self) -> None:
        """Become the executor: carry on what a killed process left, then take up waiting runs.

        Raises Busy when another process (named by its id) executes this instance, Misconfigured
        when unfinished runs were begun by a version that this one cannot carry on.
        """
        if _executors:
            raise Busy("This process already executes an instance.")
        self._lock.take()
        try:
            self._system = library.system_engine(self._store.database.url)
            self._held = hold(self._system, self._store.home / DATABASE_FILE)
            library.refuse_stranded_runs(self._system)
            library.prepare(self._system, self._pace.runs_at_once, self._pace.poll_seconds)
            _executors.append(self)
            DBOS(config=library.config(self._system))
            DBOS.launch()
            self.resume_unfinished()
        except BaseException:
            self._let_go()
            raise
        self._picker = threading.Thread(target=self._pick_up, name="pick-up", daemon=True)
        self._picker.start()

    @property
    def alive(self) -> bool:
        """Whether this process executes the instance and takes up waiting runs."""
        return self._picker is not None and self._picker.is_alive() and not self._closing.is_set()

    def start(self) -> None:
        """Take up runs that were committed just now at once instead of at the next look."""
        self._wake.set()

    def wait(self, run_id: str, timeout_seconds: float) -> runs.Run:
        """The run when it has ended. Raises Unavailable when it goes on after the time-out."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            run = self._as_it_stands(run_id)
            rest = deadline - time.monotonic()
            if run.finished:
                return run
            if self._lost is not None:
                raise self._lost
            if rest <= 0 or self._closing.is_set():
                raise _under_way(run_id)
            with self._changed:
                self._changed.wait(min(rest, self._pace.poll_seconds))

    def carry_out(self, run_id: str, timeout_seconds: float) -> runs.Run:
        """The run when it has ended: executed here when nobody executes this instance, or followed.

        When the other process ends or dies before the run did, this one takes over.
        """
        deadline = time.monotonic() + timeout_seconds
        while self._picker is None:
            try:
                self.launch()
            except Busy:
                rest = deadline - time.monotonic()
                run = follow(self._store, run_id, rest)
                if run.finished:
                    return run
                if rest <= 0:
                    raise _under_way(run_id) from None
                time.sleep(LOOK_SECONDS)
        self.start()
        return self.wait(run_id, deadline - time.monotonic())

    def resume_unfinished(self) -> list[str]:
        """Enqueue every unfinished run that the library does not have yet; their ids.

        Runs that the library gave up end here, with a sentence that says so.
        """
        unfinished = self._store.runs(outcomes=UNFINISHED, limit=WAITING_RUNS_MAX)
        idle = [run for run in reversed(unfinished) if run.id not in self._active]
        self._lying = {run.id: self._lying[run.id] for run in idle if run.id in self._lying}
        if not idle:
            return []
        ids = [_workflow_id(run) for run in idle]
        found = DBOS.list_workflows(workflow_ids=ids, load_input=False, load_output=False)
        states = {workflow.workflow_id: workflow.status for workflow in found}
        return [run.id for run in idle if self._look_after(run, states.get(_workflow_id(run)))]

    def close(self, finish_seconds: float) -> bool:
        """Let the runs under way finish, then stop; unfinished ones are carried on by the next.

        Returns False when a step still works in its thread: the process then has to end itself
        (`os._exit`), and the lock on the instance is held until it does.
        """
        self._closing.set()
        self._wake.set()
        if self._picker is not None:
            self._picker.join()
        self._until_idle(finish_seconds)
        self._stopping.set()
        idle = self._until_idle(LAST_STEP_SECONDS)
        if idle:
            self._let_go()
        return idle

    def _holds(self) -> bool:
        """Whether this process still is the only executor; the first time it is not, all stops."""
        if self._held is not None and not self._held.kept():
            self._lost = self._held.lost()
            self._closing.set()
            self._stopping.set()
            self._wake.set()
        return self._lost is None

    def _leave_the_library(self) -> None:
        if self in _executors:
            DBOS.destroy(workflow_completion_timeout_sec=0)
            _executors.remove(self)

    def _let_go(self) -> None:
        self._leave_the_library()
        if self._held is not None:
            self._held.close()
        if self._system is not None:
            self._system.dispose()
        self._lock.release()

    def tell(self, run_id: str) -> runs.Run:
        """Tell one run; called by the library, in a thread of its own."""
        with self._under_way(run_id):
            try:
                found = self._store.run(run_id)
                run = Run(found, self._store, self._keep, self._failpoint, self._go_on)
                story = self._stories.get(found.kind) or _no_story(found.kind)
                return tell(run, self._store, story, self._world_for)
            except Exception as error:
                # Not even its outcome could be written down; it is told again when that may work.
                self._unwritten[run_id] = ending_of_error(run_id, error)
                raise Interrupted(run_id) from error

    def _go_on(self) -> None:
        if self._stopping.is_set() or not self._holds():
            raise Interrupted("paused")

    def _keep(self, name: str, body: Callable[[], Result]) -> Result:
        self._go_on()
        try:
            return DBOS.run_step({"name": name}, body)
        except Exception as error:
            if self._holds():
                raise
            # Another process may be telling this run by now: its outcome is not ours to say.
            raise Interrupted(name) from error

    @contextmanager
    def _under_way(self, run_id: str) -> Iterator[None]:
        if self._closing.is_set():
            raise Interrupted(run_id)
        with self._changed:
            self._active.add(run_id)
        try:
            yield
        finally:
            with self._changed:
                self._active.discard(run_id)
                self._changed.notify_all()

    def _until_idle(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._active, timeout=seconds)

    def _pick_up(self) -> None:
        while not self._closing.is_set() and self._holds():
            try:
                self.resume_unfinished()
            except Exception:  # the database may be away for a while; the runs are still in it
                log.warning("waiting runs could not be looked up", exc_info=True)
            self._wake.wait(self._pace.poll_seconds)
            self._wake.clear()
        if self._lost is not None:
            log.error("%s", self._lost.sentence())
            self._leave_the_library()  # so that it takes no more runs from the queue

    def _look_after(self, run: runs.Run, state: str | None) -> bool:
        """Do what an unfinished run needs that is not being told here; whether it was enqueued."""
        if state != "PENDING":
            self._lying.pop(run.id, None)
        if state is None:
            self._enqueue(run)
        elif state == "PENDING":
            lies_seconds = time.monotonic() - self._lying.setdefault(run.id, time.monotonic())
            if lies_seconds > self._pace.patience_seconds:
                self._move(run)
        elif state not in ("ENQUEUED", "DELAYED"):
            self._store.finish_run(run.id, _given_up(state))
        return state is None

    def _move(self, run: runs.Run) -> None:
        """The library counts this run as begun, but nobody tells it."""
        del self._lying[run.id]
        unwritten = self._unwritten.pop(run.id, None) is not None
        if unwritten or run.id not in self._moved:
            # Its outcome could not be written down, and there may be room now; or an executor that
            # was losing its hold took it from the queue and put it down again.
            self._moved.add(run.id)
            DBOS.resume_workflow(_workflow_id(run), queue_name=library.QUEUE)
            return
        # The library could not read what it had written, and would keep the lane for it for ever.
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
            },
            run.id,
        )

    def _as_it_stands(self, run_id: str) -> runs.Run:
        run = self._store.run(run_id)
        if run.finished or run_id not in self._unwritten:
            return run
        ending = self._unwritten[run_id]
        return dataclasses.replace(
            run, outcome=ending.outcome, sentence=ending.sentence, exit_code=ending.exit_code
        )


def _workflow_id(run: runs.Run) -> str:
    """The library's id of a run: it starts what it got within one second in the order of ids."""
    return f"{run.started_at.isoformat(timespec='microseconds')} {run.id}"


# The library keeps one instance of itself per process, so there is one executor per process.
_executors: list[Engine] = []


@DBOS.workflow(name=WORKFLOW, max_recovery_attempts=RECOVERIES_MAX)
def _workflow(run_id: str) -> Result:
    if not _executors:
        raise Interrupted(run_id)
    run = _executors[0].tell(run_id)
    return {"outcome": run.outcome, "exit_code": run.exit_code}


def _no_story(kind: str) -> Story:
    def story(run: Run, world: object) -> Result:
        raise Misconfigured(
            f"This version of Tieout has no flow of the kind “{kind}”.",
            untouched="Nothing was read or sent.",
        )

    return story


def _under_way(run_id: str) -> Unavailable:
    return Unavailable(
        f"The run {run_id} is still under way.",
        untouched="It goes on; nothing was stopped.",
        do=f"`tieout show {run_id}` tells when it has ended.",
    )


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
