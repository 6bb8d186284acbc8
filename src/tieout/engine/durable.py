"""The product's engine: runs that a dead process leaves behind are carried on by a living one.

The engine library (DBOS) orders the runs, remembers which are unfinished and begins them again
after a crash; the store decides, step by step, what was already done
(docs/decisions/0022-a-step-is-recorded-once.md). A SQLite file has one executor, a
PostgreSQL database any number (docs/decisions/0021-many-executors.md).
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
from tieout.engine.hold import FileHold, Hold
from tieout.engine.membership import Membership
from tieout.engine.places import Places
from tieout.engine.queue import RECOVERIES_MAX, WORKFLOW, RunQueue
from tieout.engine.story import (
    Failpoint,
    Interrupted,
    PartsUnderWay,
    Result,
    Run,
    Story,
    WorldFor,
    ending_of_error,
    no_story,
    nothing_fails,
    tell,
)
from tieout.engine.watch import LOOK_SECONDS, executed, follow
from tieout.errors import Busy, Misconfigured, Trouble, Unavailable
from tieout.store import executors, runs
from tieout.store.database import Database, DatabaseAway, TryAgain
from tieout.store.executors import TakenForDead
from tieout.store.leases import TakenOver
from tieout.store.store import DATABASE_FILE, Store

LAST_STEP_SECONDS = 2.0  # how long closing waits for a step to reach its end before it gives up
PICKER_SECONDS_MAX = 5.0  # how long closing waits for a look at waiting runs
LOST_STEP_SECONDS_MAX = 60.0  # how long one that lost its hold waits for steps before it stays out
REJOIN_PAUSE_SECONDS = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How busy an executor may be, and how long it lets a run lie that does not move."""

    runs_at_once: int = 64  # most of the time a run waits for another system
    poll_seconds: float = 1.0  # what an idle process costs
    patience_seconds: float = 30.0


class Engine:
    """An executor of one instance; at most one per process, and one per SQLite file.

    Which runs exist is the store's matter: an unfinished run in the store is the request to
    execute it, whichever process wrote it.
    """

    def __init__(
        self, store: Store, stories: Mapping[str, Story], world_for: WorldFor, *,
        pace: Pace = Pace(), lane_for: Callable[[runs.Run], str] = lambda run: "all",
        failpoint: Failpoint = nothing_fails, places: Places | None = None,
    ) -> None:  # fmt: skip
        """`stories` by flow kind; `world_for(run id)` opens and closes the connections of a run.

        Runs of one lane go one after the other, oldest first: let it name what must not be used
        twice at once, such as the Anaplan model. The clock of the worlds gives up `places`.
        """
        self._store, self._stories, self._world_for = store, stories, world_for
        self._pace, self._failpoint = pace, failpoint
        self._places = places or Places()
        self._queue = RunQueue(store, lane_for, pace.patience_seconds)
        self._system: SqlEngine | None = None
        self._held: Hold | None = None
        self._picker: threading.Thread | None = None
        self._wake, self._closing, self._stopping, self._out = (threading.Event() for _ in range(4))
        self._changed = threading.Condition()
        self._active: set[str] = set()  # runs being told in this process
        self._lost: Trouble | None = None  # why this process may not execute any more

    def launch(self) -> None:
        """Become an executor: carry on what a dead one left, then take up waiting runs.

        Raises Busy when another process (named by its id) executes this SQLite file, Misconfigured
        when unfinished runs were begun by a version that this one cannot carry on.
        """
        if _executors:
            raise Busy("This process already executes an instance.")
        self._enter()
        self._picker = threading.Thread(target=self._pick_up, name="pick-up", daemon=True)
        self._picker.start()

    @property
    def alive(self) -> bool:
        """Whether this process executes the instance and takes up waiting runs."""
        there = self._picker is not None and self._picker.is_alive()
        return there and not self._closing.is_set() and not self._out.is_set()

    @property
    def name(self) -> str:
        """Under which id this process executes."""
        return self._queue.executor

    def refuse_lost(self) -> None:
        """Raises why this process may not execute any more, when that is so for good."""
        if self._lost is not None:
            raise self._lost
        ended = self._picker is not None and not self._picker.is_alive()
        if ended and not self._closing.is_set():
            raise Unavailable(
                "This process takes up no more runs; the log has the details.",
                untouched="What was committed stays; the runs wait.",
                do="Stop this process and start it again.",
            )

    def start(self) -> None:
        """Take up runs that were committed just now at once instead of at the next look."""
        self._wake.set()

    def wait(self, run_id: str, timeout_seconds: float) -> runs.Run:
        """The run when it has ended. Raises Unavailable when it goes on after the time-out."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            rest = deadline - time.monotonic()
            try:
                run = self._as_it_stands(run_id)
            except DatabaseAway:  # for a while, perhaps
                if rest <= 0:
                    raise
            else:
                if run.finished:
                    return run
            self.refuse_lost()
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
                if not executed(self._store):
                    self.launch()
                    break
            except Busy:
                pass
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
        """Enqueue every unfinished run that the library does not have yet; their ids."""
        return self._queue.look(frozenset(self._active))

    def close(self, finish_seconds: float) -> bool:
        """Let the runs under way finish, then stop; unfinished ones are carried on by the next.

        Returns False when a step still works in its thread: the process then has to end itself
        (`os._exit`), and what it holds is held until it does.
        """
        self._closing.set()
        self._wake.set()
        if self._picker is not None:
            # The library waits for its database as long as it takes; what it then does is to look.
            self._picker.join(PICKER_SECONDS_MAX)
        self._until_idle(finish_seconds)
        self._stopping.set()
        idle = self._until_idle(LAST_STEP_SECONDS)
        if idle:
            self._let_go()
        return idle

    def refuse_unheld(self) -> None:
        """Before every effect elsewhere: raises Interrupted when others may have taken over."""
        if not self._holds():
            raise Interrupted("lost")

    def _enter(self) -> None:
        try:
            self._held = self._hold()
            self._system = library.system_engine(self._store.database.url)
            library.refuse_stranded_runs(self._system)
            library.prepare(self._system, self._pace.runs_at_once, self._pace.poll_seconds)
            _executors.append(self)
            DBOS(config=library.config(self._system, self._queue.executor, self._pace.runs_at_once))
            DBOS.launch()
            self.resume_unfinished()
            if isinstance(self._held, Membership):
                self._held.start()
        except BaseException:
            self._let_go()
            raise

    def _hold(self) -> Hold:
        """What says that the runs this process begins are its own."""
        if self._store.database.is_sqlite:
            self._queue.executes_as(library.EMBEDDED)
            return FileHold(self._store.home / DATABASE_FILE)
        member = Membership(Database(self._store.database.url), library.ABI, self._bury)
        member.join()
        self._queue.executes_as(member.id)
        self._store.database.guard, self._store.database.executor = member.guard, member.id
        return member

    def _bury(self) -> None:
        """What dead executors had begun goes back to the queue; called after every beat."""
        try:
            dead = library.give_to_the_living(self._unburied)
        except Exception:  # it is done again at the next beat, by whoever lives
            log.warning("what dead executors had begun could not be given on", exc_info=True)
            return
        if dead:
            log.warning("took over what was begun by %s", ", ".join(dead))

    def _unburied(self) -> set[str]:
        """Who may still write. One that is silent and was passed over tells its runs itself."""
        with self._store.database.read() as connection:
            return {one.id for one in executors.listed(connection)}

    def _holds(self) -> bool:
        """Whether what this process tells is still its own; the first time it is not, all stops."""
        if self._held is not None and not self._held.kept() and not self._out.is_set():
            log.error("%s", self._held.lost().sentence())
            if isinstance(self._held, FileHold):
                self._lost = self._held.lost()
            self._out.set()
            self._wake.set()
        return not self._out.is_set()

    def _leave_the_library(self) -> None:
        if self in _executors:
            DBOS.destroy(workflow_completion_timeout_sec=0)
            _executors.remove(self)

    def _let_go(self) -> None:
        self._leave_the_library()
        self._store.database.unguard()
        if self._held is not None:
            self._held.close()
            self._held = None
        if self._system is not None:
            self._system.dispose()
            self._system = None

    def tell(self, run_id: str) -> runs.Run:
        """Tell one run; called by the library, in a thread of its own."""
        with self._under_way(run_id):
            try:
                self._queue.told(run_id)
                found = self._store.run(run_id)
                waits = self._places.asked(run_id, self._go_on)
                run = Run(found, self._store, self._keep, self._failpoint, waits)
                story = self._stories.get(found.kind) or no_story(found.kind)
                return tell(run, self._store, story, self._world_for)
            except PartsUnderWay:  # the queue gives it out again when they have ended
                return self._store.run(run_id)
            except (DatabaseAway, TakenForDead, TryAgain) as error:
                self._queue.broken_off(run_id)
                raise Interrupted(run_id) from error
            except Exception as error:
                # Not even its outcome could be written down; it is told again when that may work.
                self._queue.unwritten[run_id] = ending_of_error(run_id, error)
                raise Interrupted(run_id) from error

    def _go_on(self) -> None:
        if self._stopping.is_set() or not self._holds():
            raise Interrupted("paused")

    def _keep(self, run_id: str, name: str, body: Callable[[], Result]) -> Result:
        self._go_on()
        try:
            with self._places.taken(run_id, self._go_on):
                return body()
        except (DatabaseAway, TakenForDead, TryAgain) as error:
            # Whether the step was committed is not known here, and what it did at another system
            # has happened: it says nothing of the run, which is told again from there.
            self._queue.broken_off(run_id)
            raise Interrupted(name) from error
        except Exception as error:
            if self._holds() and not isinstance(error, TakenOver):
                raise
            # Another process may tell this run by now: its outcome is not ours to say.
            raise Interrupted(name) from error

    @contextmanager
    def _under_way(self, run_id: str) -> Iterator[None]:
        if self._closing.is_set() or self._out.is_set():
            raise Interrupted(run_id)
        with self._changed:
            self._active.add(run_id)
        try:
            yield
        finally:
            with self._changed:
                self._active.discard(run_id)
                self._changed.notify_all()
            self._wake.set()  # parts are there to be enqueued, or the run they are parts of

    def _until_idle(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._active, timeout=seconds)

    def _pick_up(self) -> None:
        works = True
        while not self._closing.is_set():
            if not self._holds() and not self._enter_again():
                return
            try:
                self.resume_unfinished()
                works = True
            except Exception:  # the database may be away for a while; the runs are still in it
                if works:  # told once, not at every look
                    log.warning("waiting runs could not be looked up", exc_info=True)
                works = False
            self._wake.wait(self._pace.poll_seconds)
            self._wake.clear()

    def _enter_again(self) -> bool:
        """After the hold was lost: let go of all, and be another executor when that is possible."""
        self._leave_the_library()  # so that it takes no more runs from the queue
        if self._lost is not None:
            return False
        if not self._until_idle(LOST_STEP_SECONDS_MAX):
            self._lost = Unavailable(
                "This process lost its hold on the database, and a step of it does not end.",
                untouched="What was committed stays; others carry its runs on.",
                do="Stop this process and start it again.",
            )
            return False
        self._let_go()
        told = ""
        while not self._closing.is_set():
            try:
                self._enter()
            except Misconfigured as error:  # of another version's runs: that does not pass
                self._lost = error
                return False
            except Exception as error:
                if told != (told := type(error).__name__):
                    log.warning("could not become an executor again", exc_info=True)
                self._closing.wait(REJOIN_PAUSE_SECONDS)
            else:
                if not self._closing.is_set():
                    self._out.clear()
                    return True
                self._let_go()  # who closes did not wait for this
        return False

    def _as_it_stands(self, run_id: str) -> runs.Run:
        run = self._store.run(run_id)
        if run.finished or run_id not in self._queue.unwritten:
            return run
        ending = self._queue.unwritten[run_id]
        return dataclasses.replace(
            run, outcome=ending.outcome, sentence=ending.sentence, exit_code=ending.exit_code
        )


# The library keeps one instance of itself per process, so there is one executor per process.
_executors: list[Engine] = []


@DBOS.workflow(name=WORKFLOW, max_recovery_attempts=RECOVERIES_MAX)
def _workflow(run_id: str) -> Result:
    if not _executors:
        raise Interrupted(run_id)
    run = _executors[0].tell(run_id)
    return {"outcome": run.outcome, "exit_code": run.exit_code}


def _under_way(run_id: str) -> Unavailable:
    return Unavailable(
        f"The run {run_id} is still under way.",
        untouched="It goes on; nothing was stopped.",
        do=f"`tieout show {run_id}` tells when it has ended.",
    )
