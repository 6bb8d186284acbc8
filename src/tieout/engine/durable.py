"""The product's engine: runs that a killed process leaves behind are carried on by the next.

The engine library (DBOS) orders the runs, remembers which are unfinished and begins them again
after a crash; the store decides, step by step, what was already done
(docs/decisions/0003-steps-committed-by-us-and-dbos.md).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from dbos import DBOS
from sqlalchemy import Engine as SqlEngine

from tieout.engine import library
from tieout.engine.lock import InstanceLock
from tieout.engine.story import (
    UNEXPECTED_EXIT_CODE,
    Books,
    Ending,
    Failpoint,
    Interrupted,
    Result,
    Run,
    Story,
    WorldFor,
    tell,
)
from tieout.engine.watch import follow
from tieout.errors import Busy, Misconfigured, Trouble, Unavailable

WORKFLOW = "run"
QUEUE = "runs"
RECOVERIES_MAX = 10
TELL_AGAIN_SECONDS = 30.0  # a run whose outcome could not be written: the disk may have room then
LAST_STEP_SECONDS = 2.0  # how long closing waits for a step to reach its end before it gives up

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an instance lives and how busy its executor may be."""

    home: Path
    database_url: str
    runs_at_once: int = 4
    poll_seconds: float = 0.5


class Engine:
    """The executor of one instance; at most one per instance and one per process.

    Which runs exist is the store's matter: a waiting run in the store is the request to execute
    it, whichever process wrote it.
    """

    def __init__(
        self,
        books: Books,
        stories: Mapping[str, Story],
        world_for: WorldFor,
        place: Place,
        *,
        lane_for: Callable[[str], str] = lambda run: "all",
        failpoint: Failpoint = lambda step, point: None,
    ) -> None:
        """`stories` by flow kind; `world_for(run)` opens and closes the connections of a run.

        Runs of one lane go one after the other, in the order of their ids within a second: let it
        name what must not be used twice at once, such as the Anaplan model.
        """
        self._books, self._stories, self._world_for = books, stories, world_for
        self._place, self._lane_for, self._failpoint = place, lane_for, failpoint
        self._lock = InstanceLock(place.home)
        self._system: SqlEngine | None = None
        self._picker: threading.Thread | None = None
        self._wake, self._closing, self._stopping = (threading.Event() for _ in range(3))
        self._changed = threading.Condition()
        self._known: set[str] = set()  # runs that the library has from us
        self._active: set[str] = set()  # runs being told in this process
        self._unwritten: dict[str, tuple[Ending, float]] = {}  # endings the store did not take

    def launch(self) -> None:
        """Become the executor: carry on what a killed process left, then take up waiting runs.

        Raises Busy when another process (named by its id) executes this instance, Misconfigured
        when unfinished runs were begun by a version that this one cannot carry on.
        """
        if _executors:
            raise Busy("This process already executes an instance.")
        self._lock.take()
        try:
            self._system = library.system_engine(self._place.database_url)
            library.refuse_stranded_runs(self._system)
            _executors.append(self)
            DBOS(config=library.config(self._system))
            DBOS.launch()
            DBOS.register_queue(
                QUEUE,
                worker_concurrency=self._place.runs_at_once,
                partition_concurrency=1,
                polling_interval_sec=self._place.poll_seconds,
                on_conflict="always_update",
            )
            self.resume_unfinished()
        except BaseException:
            self.close(0)
            raise
        self._picker = threading.Thread(target=self._pick_up, name="pick-up", daemon=True)
        self._picker.start()

    def start(self, run_id: str) -> None:
        """Execute the run soon; its row must be committed. Without effect for a known run."""
        self._wake.set()

    def wait(self, run_id: str, timeout_seconds: float) -> Ending:
        """The run's ending. Raises Unavailable when it is still under way after the time-out."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            ending = self._books.ending(run_id) or self._not_written(run_id)
            rest = deadline - time.monotonic()
            if ending is not None:
                return ending
            if rest <= 0 or self._closing.is_set():
                raise _under_way(run_id)
            with self._changed:
                self._changed.wait(min(rest, self._place.poll_seconds))

    def carry_out(self, run_id: str, timeout_seconds: float) -> Ending:
        """The run's ending, executed here when nobody executes this instance, else followed.

        When the other process ends or dies before the run did, this one takes over.
        """
        deadline = time.monotonic() + timeout_seconds
        while self._system is None:
            try:
                self.launch()
            except Busy:
                rest = deadline - time.monotonic()
                ending = follow(self._books, self._place.home, run_id, rest)
                if ending is not None:
                    return ending
                if rest <= 0:
                    raise _under_way(run_id) from None
        return self.wait(run_id, deadline - time.monotonic())

    def resume_unfinished(self) -> list[str]:
        """Hand every unfinished run that the library does not have yet to it; their ids."""
        taken = []
        for run_id in self._books.unfinished_runs():
            if run_id not in self._known and self._hand_over(run_id):
                taken.append(run_id)
        return taken

    def close(self, finish_seconds: float) -> bool:
        """Let the runs under way finish, then stop; unfinished ones are carried on by the next.

        Returns False when a step still works in its thread: the process then has to end itself
        (`os._exit`), and the lock on the instance is held until it does.
        """
        self._closing.set()
        self._wake.set()
        self._until_idle(finish_seconds)
        self._stopping.set()
        idle = self._until_idle(LAST_STEP_SECONDS)
        if self in _executors:
            DBOS.destroy(workflow_completion_timeout_sec=0)
            _executors.remove(self)
        if self._picker is not None:
            self._picker.join()
        if idle:
            if self._system is not None:
                self._system.dispose()
            self._lock.release()
        return idle

    def tell(self, run_id: str) -> Ending:
        """Tell one run; called by the library, in a thread of its own."""
        with self._under_way(run_id):
            kind = self._books.flow_kind(run_id)
            story = self._stories.get(kind, _no_story)
            run = Run(run_id, kind, self._books, self._keep, self._failpoint)
            try:
                return tell(run, self._books, story, self._world_for)
            except Exception as error:
                log.exception("run %s: its outcome could not be written down", run_id)
                self._unwritten[run_id] = (_unwritten(run_id, error), time.monotonic())
                raise Interrupted(run_id) from error

    def _keep(self, name: str, body: Callable[[], Result]) -> Result:
        if self._stopping.is_set():
            raise Interrupted(name)
        try:
            return DBOS.run_step({"name": name}, body)
        except Trouble:
            raise
        except Exception as error:
            if self._stopping.is_set():  # the library is gone and could not keep the result
                raise Interrupted(name) from error
            raise

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
        while not self._closing.is_set():
            try:
                self.resume_unfinished()
                self._tell_again()
            except Exception:  # the database may be away for a while; the runs are still in it
                log.warning("waiting runs could not be looked up", exc_info=True)
            self._wake.wait(self._place.poll_seconds)
            self._wake.clear()

    def _hand_over(self, run_id: str) -> bool:
        """Enqueue a run, or end one that the library gave up; False for the latter."""
        found = DBOS.get_workflow_status(run_id)
        if found is None:
            DBOS.enqueue_workflow_with_options(
                {
                    "workflow_name": WORKFLOW,
                    "queue_name": QUEUE,
                    "workflow_id": run_id,
                    "app_version": library.ABI,
                    "queue_partition_key": self._lane_for(run_id),
                },
                run_id,
            )
        elif found.status not in ("ENQUEUED", "DELAYED", "PENDING"):
            self._books.finish_run(_given_up(run_id, found.status))
            return False
        self._known.add(run_id)
        return True

    def _tell_again(self) -> None:
        for run_id, (_, since) in list(self._unwritten.items()):
            if time.monotonic() - since > TELL_AGAIN_SECONDS:
                del self._unwritten[run_id]
                DBOS.resume_workflow(run_id, queue_name=QUEUE)

    def _not_written(self, run_id: str) -> Ending | None:
        ending, _ = self._unwritten.get(run_id, (None, 0.0))
        return ending


# The library keeps one instance of itself per process, so there is one executor per process.
_executors: list[Engine] = []


@DBOS.workflow(name=WORKFLOW, max_recovery_attempts=RECOVERIES_MAX)
def _workflow(run_id: str) -> Result:
    if not _executors:
        raise Interrupted(run_id)
    return asdict(_executors[0].tell(run_id))


def _no_story(run: Run, world: object) -> Result:
    raise Misconfigured(
        f"This version of Tieout has no flow of the kind “{run.flow}”.",
        untouched="Nothing was read or sent.",
    )


def _under_way(run_id: str) -> Unavailable:
    return Unavailable(
        f"The run {run_id} is still under way.",
        untouched="It goes on; nothing was stopped.",
        do=f"`tieout show {run_id}` tells when it has ended.",
    )


def _given_up(run_id: str, status: str) -> Ending:
    if status == "CANCELLED":
        return Ending(run_id, "cancelled", UNEXPECTED_EXIT_CODE, "The run was cancelled.")
    words = (
        f"The process that executed this run died more than {RECOVERIES_MAX} times, so it is not "
        "begun again by itself. What was committed stays; the next run goes on from there."
    )
    if status != "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        words = f"The engine ended this run without an outcome ({status}); the log has the details."
    return Ending(run_id, "failed", UNEXPECTED_EXIT_CODE, words)


def _unwritten(run_id: str, error: Exception) -> Ending:
    trouble = error if isinstance(error, Trouble) else None
    words = trouble.sentence() if trouble else f"{type(error).__name__}; the log has the details."
    code = trouble.exit_code if trouble else UNEXPECTED_EXIT_CODE
    return Ending(run_id, "failed", code, f"The outcome could not be written down: {words}")
