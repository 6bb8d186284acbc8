"""What a flow sees of the engine, and how a story is told from its first line to its outcome."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, TypeAlias

from tieout.errors import Misconfigured, Refused, Trouble
from tieout.store import parts, runs
from tieout.store.cancels import Cancel
from tieout.store.columns import canonical
from tieout.store.database import DatabaseAway, TryAgain, saying_what_failed
from tieout.store.executors import TakenForDead
from tieout.store.runs import Ending
from tieout.store.schema import RUN_OUTCOMES, UNFINISHED
from tieout.store.steps import Step
from tieout.store.store import Store

# A person has to look at what was found: rejects, a difference, an approval, an open write.
ATTENTION_EXIT_CODES = frozenset({5, 6, 7, 10})
UNEXPECTED_EXIT_CODE = 1
CANCELLED_EXIT_CODE = 130
CANCEL_LOOK_SECONDS = 2.0  # between two looks of who waits within a step
PAUSE_SECONDS = 1.0  # how long a process that stops may find a pause still going on

Result: TypeAlias = dict[str, Any]
StepFunction: TypeAlias = Callable[..., Mapping[str, Any]]
Story: TypeAlias = Callable[["Run", Any], Mapping[str, Any]]
WorldFor: TypeAlias = Callable[[str], AbstractContextManager[Any]]
Failpoint: TypeAlias = Callable[[str, str], None]
# Carries one step out and remembers that it was: (run id, step name, body) → the body's result.
Keep: TypeAlias = Callable[[str, str, Callable[[], Result]], Result]

log = logging.getLogger(__name__)


class Interrupted(BaseException):
    """This process stops between two steps; the run stays as it is and is carried on later.

    Not an Exception: no story may catch it, and the engine library must not record it.
    """


class PartsUnderWay(BaseException):
    """Parts of this run go on; it is told again when the last one has ended.

    Not an Exception: no story may catch it.
    """


class Ended(BaseException):
    """A person asked this run to end, or a part of it failed. No story may catch it."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.sentence)
        self.ending = ending


def cancelled(cancel: Cancel) -> Ending:
    """How a run ends that a person asked to end."""
    words = (
        f"Cancelled by {cancel.asked_by}: {cancel.why}. Nothing was asked of Anaplan that loads; "
        "the next run goes on from what was read."
    )
    return Ending("cancelled", words, CANCELLED_EXIT_CODE, {})


def nothing_fails(step: str, point: str) -> None:
    """The failpoint of every process that is not a crash test."""


class Run:
    """A run as its flow sees it: each line of a story is one `step`."""

    def __init__(
        self, run: runs.Run, store: Store, keep: Keep, failpoint: Failpoint = nothing_fails,
        going_on: Callable[[], None] = lambda: None,
        tell_parts: Callable[[Sequence[runs.Run]], None] = lambda parts: None,
    ) -> None:  # fmt: skip
        """`failpoint(step, point)` is called at the points before, inside, after and between.

        `going_on` raises Interrupted when this process stops. `tell_parts` of this run here, if
        nobody else would. The steps of a part are those of the run it is a part of, which has `id`.
        """
        self.told, self.id, self.flow = run, run.part_of or run.id, run.flow
        self._tell_parts = tell_parts
        self._store, self._keep, self._failpoint = store, keep, failpoint
        self._going_on = going_on
        self._told: set[str] = set()
        self._asked_at: float | None = None  # when it was last looked whether it is to end

    def step(self, name: str, function: StepFunction, *args: object) -> Result:
        """Carry out `function(step, *args)` once in the life of this run and return its result.

        `step` is the store's unit of work: what it gathers is committed together with the result.
        An effect elsewhere may happen again when the process dies before that commit, so
        `function` looks before it writes. `name` is unique in the run. The result is the same JSON
        value the first time and every later time (Decimal comes back as text). Raises what
        `function` raises.
        """
        if name in self._told:
            raise ValueError(f"the run {self.id} has two steps named “{name}”")
        self._told.add(name)

        def effect(step: Step) -> Mapping[str, Any]:
            result = function(step, *args)
            self._failpoint(name, "inside")
            return result

        def body() -> Result:
            self._failpoint(name, "before")
            self._end_if_left_out()
            result = self._store.run_step(self.id, name, effect, self._end_if_cancelled)
            self._failpoint(name, "after")
            return result

        result = self._keep(self.told.id, name, body)
        self._failpoint(name, "between")
        return result

    def in_parts(self, name: str, function: StepFunction, *args: object) -> None:
        """Carry out a step that returns `parts`: what each run of its own is asked for.

        Returns when all of them are complete. Raises PartsUnderWay until they have ended, Ended
        when one failed.
        """

        def hand_out(step: Step, *args: object) -> Mapping[str, Any]:
            asked = function(step, *args)["parts"]
            step.after(lambda c: parts.start(c, self.told, asked, step.at()))
            return {"parts": len(asked)}

        self.step(name, hand_out, *args)
        self._end_if_cancelled()
        self._tell_parts(self._parts())
        found = self._parts()
        if not all(part.finished for part in found):
            raise PartsUnderWay(self.id)
        self._end_if_cancelled()
        if (worst := parts.worst(found)) is not None:
            raise Ended(ending_of_part(worst))

    def _parts(self) -> list[runs.Run]:
        with self._store.database.read() as connection:
            return parts.of_run(connection, self.id)

    def pause(self, seconds: float) -> None:
        """Let time pass between two steps; a process that stops does not wait for its end."""
        clock = self._store.clock
        end = clock.monotonic() + seconds
        while (rest := end - clock.monotonic()) > 0:
            self._going_on()
            self._end_if_cancelled()
            clock.sleep(min(PAUSE_SECONDS, rest))

    def go_on_waiting(self) -> None:
        """For who waits within a step: raises when this run is to end, or this process stops."""
        self._going_on()
        now = self._store.clock.monotonic()
        if self._asked_at is None or now - self._asked_at >= CANCEL_LOOK_SECONDS:
            self._asked_at = now
            self._end_if_cancelled()

    def _end_if_cancelled(self) -> None:
        cancel = self._store.cancel_of(self.id)
        if cancel is not None:
            raise Ended(cancelled(cancel))

    def _end_if_left_out(self) -> None:
        if self.told.part_of:
            with self._store.database.read() as connection:
                why = parts.why_over(connection, self.told)
            if why:
                raise Ended(left_out(why))


def tell(run: Run, store: Store, story: Story, world_for: WorldFor) -> runs.Run:
    """Tell `story` to its end and write down how it ended. Raises only what stops the process.

    A run that has ended keeps its ending: the process may have died right after writing it.
    """
    told = run.told.id
    try:
        with store.begin() as connection:
            runs.take_up(connection, told)
    except Refused:
        if not (found := store.run(told)).finished:
            raise  # of a full disk
        return found  # it was cancelled a moment ago
    try:
        ending = _told(run, story, world_for)
    except Ended as early:
        ending = early.ending
    except (Interrupted, PartsUnderWay):
        with suppress(Trouble):  # who carries the run on has other things to tell
            store.write_late_calls(run.id)
        raise
    if run.id == told:
        return store.finish_run(told, ending)
    store.write_late_calls(run.id)
    ended = store.finish_run(told, ending)
    if ended.outcome != "complete":
        leave_out_parts(store, run.id, f"{told} did not come to its end")
    return ended


def leave_out_parts(store: Store, run: str, why: str) -> None:
    """End the parts of a run that nobody has begun; those under way end before their next step."""
    with store.database.read() as connection:
        waiting = parts.waiting(connection, run)
    for part in waiting:
        store.finish_run(part, left_out(why), only=("waiting",))


def left_out(why: str) -> Ending:
    """How a part ends that is not read any more."""
    return Ending("cancelled", f"It was not read to its end: {why}.", CANCELLED_EXIT_CODE, {})


def _told(run: Run, story: Story, world_for: WorldFor) -> Ending:
    ending: Ending | None = None
    try:
        with saying_what_failed(), world_for(run.told.id) as world:
            ending = ending_of_result(story(run, world))
    except Exception as error:
        if ending is None:
            if isinstance(error, DatabaseAway | TakenForDead | TryAgain):
                raise  # it says nothing of the run, also between two steps: it is told again
            return ending_of_error(run.told.id, error)
        # The story was told; only signing out failed, which takes nothing from its outcome.
        log.warning("run %s: closing the connections failed", run.told.id, exc_info=error)
    return ending


def ending_of_result(told: Mapping[str, Any]) -> Ending:
    """The ending of a story that came to its end.

    It may say "outcome" (else it is complete), "sentence", "exit_code" and "figures". Raises
    ValueError or TypeError for what cannot be the end of a run.
    """
    outcome, figures = str(told.get("outcome", "complete")), dict(told.get("figures", {}))
    if outcome not in RUN_OUTCOMES or outcome in UNFINISHED:
        raise ValueError(f"not how a run ends: {outcome}")
    canonical(figures)
    return Ending(outcome, str(told.get("sentence", "")), int(told.get("exit_code", 0)), figures)


def ending_of_part(part: runs.Run) -> Ending:
    """How a run ends of which a part did not come to its end."""
    words = f"{part.id}, which reads {part.asked.get('what', 'a part')}, failed: {part.sentence}"
    outcome = part.outcome if part.outcome != "cancelled" else "failed"
    return Ending(outcome, words, part.exit_code or UNEXPECTED_EXIT_CODE, {})


def ending_of_error(run: str, error: Exception) -> Ending:
    """How a story that was broken off ended; an unexpected error is told in the log alone."""
    if not isinstance(error, Trouble):
        log.error("run %s: unexpected error", run, exc_info=error)
        words = f"Something unexpected happened ({type(error).__name__}); the log has the details."
        return Ending("failed", words, UNEXPECTED_EXIT_CODE, {})
    log.warning("run %s: %s", run, error.sentence())
    attention = error.exit_code in ATTENTION_EXIT_CODES
    outcome = "needs_attention" if attention else "failed"
    return Ending(outcome, error.sentence(), error.exit_code, {})


def no_story(kind: str) -> Story:
    """Of a kind that this version does not know: it ends at once and says so."""

    def story(run: Run, world: Any) -> Result:
        raise Misconfigured(
            f"This version of Tieout has no flow of the kind “{kind}”.",
            untouched="Nothing was read or sent.",
        )

    return story
