"""What a flow sees of the engine, and how a story is told from its first line to its outcome."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from tieout.engine.recorded import restored, small
from tieout.errors import Trouble
from tieout.store.database import saying_what_failed

FINAL_OUTCOMES = frozenset({"complete", "needs_attention", "failed", "cancelled"})
# A person has to look at what was found: rejects, a difference, an approval, an open write.
ATTENTION_EXIT_CODES = frozenset({5, 6, 7, 10})
UNEXPECTED_EXIT_CODE = 1

Result: TypeAlias = dict[str, Any]
Story: TypeAlias = Callable[["Run", Any], Result]
WorldFor: TypeAlias = Callable[[str], AbstractContextManager[Any]]
Failpoint: TypeAlias = Callable[[str, str], None]
# Carries one step out and remembers that it was: (step name, body) → the body's result.
Keep: TypeAlias = Callable[[str, Callable[[], Result]], Result]

log = logging.getLogger(__name__)


class Interrupted(BaseException):
    """This process stops between two steps; the run stays as it is and is carried on later.

    Not an Exception: no story may catch it, and the engine library must not record it.
    """


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: its outcome word, the exit code of the command, and one sentence."""

    run: str
    outcome: str
    exit_code: int
    sentence: str


class Books(Protocol):
    """What the engine asks of the store."""

    def run_step(self, run: str, name: str, function: Callable[[Any], Result]) -> Result:
        """The recorded result of the step, else `function(step)`, committed with its effects."""
        ...

    def flow_kind(self, run: str) -> str:
        """The kind of the run's flow, which names its story."""
        ...

    def begin_run(self, run: str) -> None:
        """Mark a waiting run as running."""
        ...

    def finish_run(self, ending: Ending) -> None:
        """Give the run its outcome, once."""
        ...

    def ending(self, run: str) -> Ending | None:
        """The outcome of a run that has ended."""
        ...

    def unfinished_runs(self) -> list[str]:
        """Runs that wait or are under way, oldest first."""
        ...


class Run:
    """A run as its flow sees it: each line of a story is one `step`."""

    def __init__(
        self,
        id: str,
        flow: str,
        books: Books,
        keep: Keep,
        failpoint: Failpoint = lambda step, point: None,
    ) -> None:
        self.id, self.flow = id, flow
        self._books, self._keep, self._failpoint = books, keep, failpoint
        self._told: set[str] = set()

    def step(self, name: str, function: Callable[..., Result], *args: object) -> Result:
        """Carry out `function(step, *args)` once in the life of this run and return its result.

        `step` is the store's unit of work: what it writes is committed together with the result.
        Effects elsewhere may happen again when the process dies before that commit, so `function`
        looks before it writes. `name` is unique in the run. The result is a small dict of JSON
        types, Decimal, dates; sequences come back as lists. Raises what `function` raises.
        """
        if name in self._told:
            raise ValueError(f"the run {self.id} has two steps named “{name}”")
        self._told.add(name)

        def effect(step: Any) -> Result:
            result = small(name, function(step, *args))
            self._failpoint(name, "inside")
            return result

        def body() -> Result:
            self._failpoint(name, "before")
            result: Result = restored(self._books.run_step(self.id, name, effect))
            self._failpoint(name, "after")
            return result

        result = self._keep(name, body)
        self._failpoint(name, "between")
        return result


def tell(run: Run, books: Books, story: Story, world_for: WorldFor) -> Ending:
    """Tell `story` to its end and write down how it ended. Raises only what stops the process.

    A run that has ended keeps its ending: the process may have died right after writing it.
    """
    before = books.ending(run.id)
    if before is not None:
        return before
    books.begin_run(run.id)
    ending = _told(run, story, world_for)
    books.finish_run(ending)
    return ending


def _told(run: Run, story: Story, world_for: WorldFor) -> Ending:
    ending: Ending | None = None
    try:
        with saying_what_failed(), world_for(run.id) as world:
            ending = _of_result(run.id, story(run, world))
    except Exception as error:
        if ending is not None:  # the story was told; only signing out failed
            log.warning("run %s: closing the connections failed", run.id, exc_info=error)
            return ending
        return _of_error(run.id, error)
    return ending


def _of_result(run: str, told: Mapping[str, Any]) -> Ending:
    """A story ends with "outcome" (default complete), "exit_code" (0) and "sentence" ("")."""
    outcome = str(told.get("outcome", "complete"))
    if outcome not in FINAL_OUTCOMES:
        raise ValueError(f"“{outcome}” is no outcome of a run")
    return Ending(run, outcome, int(told.get("exit_code", 0)), str(told.get("sentence", "")))


def _of_error(run: str, error: Exception) -> Ending:
    if not isinstance(error, Trouble):
        log.error("run %s: unexpected error", run, exc_info=error)
        words = f"Something unexpected happened ({type(error).__name__}); the log has the details."
        return Ending(run, "failed", UNEXPECTED_EXIT_CODE, words)
    log.warning("run %s: %s", run, error.sentence())
    attention = error.exit_code in ATTENTION_EXIT_CODES
    outcome = "needs_attention" if attention else "failed"
    return Ending(run, outcome, error.exit_code, error.sentence())
