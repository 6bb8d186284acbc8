"""Running imports, exports and processes: never started twice, waited for with a deadline."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from tieout.anaplan.names import Model, Named
from tieout.anaplan.outcome import (
    RUNNING_STATES,
    TaskBrief,
    TaskResult,
    TaskState,
    task_brief,
    task_result,
    task_state,
)  # fmt: skip
from tieout.anaplan.session import Session, accepted, part
from tieout.anaplan.sign_in import WHO
from tieout.clock import Clock
from tieout.errors import Busy, Refused, Unavailable, Uncertain

LOCALE = "en_US"
LOOKS = 8  # for a task whose start may be on its way, spread over the time it may take
POLL_SECONDS_FIRST, POLL_GROWTH, POLL_TIMES_MAX = 1.0, 1.5, 6  # up to 6 × the configured pause
FAILED_POLLS_MAX = 30  # one after the other; Anaplan's own client tolerates as many
POLLS_WITHOUT_RESULT_MAX = 5
UNKNOWN_TASK_POLLS_MAX = 3
LONG_TASK_SECONDS = 600.0

Progress = Callable[[TaskState], None]


class Tasks:
    """The tasks of one model; `kind` is "imports", "processes" or "exports"."""

    def __init__(
        self, session: Session, model: Callable[[], Model], clock: Clock, *,
        poll_seconds: float, task_seconds_max: float, quiet_seconds: float,
    ) -> None:  # fmt: skip
        self._session, self._model, self._clock = session, model, clock
        self._poll, self._limit, self._quiet = poll_seconds, task_seconds_max, quiet_seconds

    @property
    def seconds_max(self) -> float:
        """How long a task is waited for."""
        return self._limit

    def list(self, kind: str, action_id: str) -> list[TaskBrief]:
        """The tasks Anaplan remembers of an import, export or process."""
        entries = self._session.items(self._path(kind, action_id), "tasks")
        return [task_brief(e) for e in entries]

    def start(
        self, kind: str, action: Named, known_ids: Collection[str], *, again: bool = False
    ) -> str:
        """Start a task once and return its id; see `Anaplan.start`."""
        if again:
            adopted = self._look(kind, action, known_ids, self._quiet)
            if adopted is not None:
                return adopted
        started = self._post(kind, action.id)
        if started is not None:
            return started
        # Anaplan may hold a request open while the model is busy and carry it out long after we
        # hung up, so that even a long look without a find does not allow a second start.
        try:
            adopted = self._look(kind, action, known_ids, self._looking)
        except (Unavailable, Refused) as error:
            if isinstance(error, Unavailable) and type(error) is not Unavailable:
                raise  # not Anaplan was away, but what we keep: the step is told again
            raise self._lost(action) from error  # which says nothing of the start
        if adopted is not None:
            return adopted
        raise self._lost(action)

    @property
    def _looking(self) -> float:
        """For how many seconds a start whose answer was lost may still become a task."""
        return self._session.request_seconds + self._quiet

    def _lost(self, action: Named) -> Uncertain:
        return Uncertain(
            f"It is not known whether {action.name!r} was started: Anaplan's answer was lost, and "
            f"no task of it was seen within {self._looking:.0f} seconds; it may still be carried "
            "out.",
            untouched="It was not started a second time.",
            do="Look at its history in Anaplan, then run again: a task that is not over is let end "
            "first.", who=WHO,
        )  # fmt: skip

    def settle(
        self, kind: str, action: Named, task_id: str | None, known_ids: Collection[str],
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        """Wait until what somebody else started is over; see `Anaplan.settle`."""
        task_id = task_id or self._look(kind, action, known_ids, self._looking)
        if task_id is None:
            return
        try:
            self.wait(kind, action, task_id, progress)
        except Uncertain as error:  # Anaplan does not know it any more, or it is not over
            if any(t.state in RUNNING_STATES for t in self.list(kind, action.id)):
                raise Busy(
                    f"A task of {action.name!r} that an earlier run started is not over after "
                    f"{self._limit / 60:.0f} minutes.",
                    untouched="Nothing was started beside it.",
                    do="Let it end or cancel it in Anaplan, then run again.", who=WHO,
                ) from error  # fmt: skip

    def let_end(
        self, kind: str, action: Named, progress: Progress | None = None
    ) -> tuple[TaskResult, ...]:
        """Wait for every task of an action that is not over; see `Anaplan.let_end`."""
        open_ = [t for t in self.list(kind, action.id) if t.state in RUNNING_STATES]
        return tuple(self.wait(kind, action, t.task_id, progress) for t in open_)

    def wait(self, kind: str, action: Named, task_id: str, progress: Progress | None) -> TaskResult:
        """Poll until the end; see `Anaplan.wait`."""
        watch = _Watch(self._clock.monotonic(), self._poll)
        while self._clock.monotonic() - watch.began < self._limit:
            self._clock.sleep(watch.pause(self._clock.monotonic()))
            state = self._poll_once(kind, action.id, task_id, watch)
            if state is None:
                continue
            if progress is not None:
                progress(state)
            if not state.running and not watch.lacks_result(state):
                return task_result(state, action.id, action.name)
        raise Uncertain(
            f"Task {task_id} of {action.name!r} is not over after {self._limit / 60:.0f} minutes.",
            do="Let it end or cancel it in Anaplan; nothing else may load this model meanwhile.",
            who=WHO,
        )

    def _path(self, kind: str, action_id: str) -> str:
        return f"{self._model().path}/{kind}/{part(action_id)}/tasks"

    def _new_one(self, kind: str, action: Named, known_ids: Collection[str]) -> str | None:
        """The latest task that was not there before we began, if any; others are waited for.

        The list does not say whose a task is. If somebody else started one meanwhile, either may be
        ours, so that all must be over before what they did is read back.
        """
        new = [t for t in self.list(kind, action.id) if t.task_id not in known_ids]
        new.sort(key=lambda t: t.created_at)
        for other in new[:-1]:
            self.wait(kind, action, other.task_id, None)
        return new[-1].task_id if new else None

    def _post(self, kind: str, action_id: str) -> str | None:
        """Ask for a task; None when no readable answer came, so that it may or may not run."""
        path = self._path(kind, action_id)
        try:
            answer = self._session.send("POST", path, repeatable=False, json={"localeName": LOCALE})
        except Uncertain:
            return None
        accepted(answer, f"POST {path}")
        try:
            return _task_id(answer.json_object())
        except Refused:
            return None

    def _look(
        self, kind: str, action: Named, known_ids: Collection[str], seconds: float
    ) -> str | None:
        """Look several times over `seconds` for a task whose answer is lost."""
        found = self._new_one(kind, action, known_ids)
        for _ in range(LOOKS):
            if found is not None:
                break
            self._clock.sleep(seconds / LOOKS)
            found = self._new_one(kind, action, known_ids)
        return found

    def _poll_once(
        self, kind: str, action_id: str, task_id: str, watch: _Watch
    ) -> TaskState | None:
        """One poll; None when it failed and another is allowed."""
        path = f"{self._path(kind, action_id)}/{part(task_id)}"
        try:
            answer = self._session.send("GET", path, repeatable=True)
            if answer.status == 404:
                watch.unknown(task_id)
                return None
            task = accepted(answer, f"GET {path}").json_object().get("task")
        except Unavailable:
            watch.failed()
            return None
        if not isinstance(task, dict):
            raise Refused("Anaplan answered a poll without a task.", evidence=answer.excerpt())
        watch.failures = watch.unknowns = 0
        return task_state(task)


class _Watch:
    """The patience of one wait: growing pauses, and how many odd answers are borne."""

    def __init__(self, began: float, poll_seconds: float) -> None:
        self.began, self._poll = began, poll_seconds
        self._next = min(POLL_SECONDS_FIRST, poll_seconds)
        self.failures = self.unknowns = self.without_result = 0

    def pause(self, now: float) -> float:
        """Short at first, then the configured pause, longer for tasks that take long."""
        pause = self._next
        ceiling = self._poll * (POLL_TIMES_MAX if now - self.began > LONG_TASK_SECONDS else 1)
        self._next = min(ceiling, pause * POLL_GROWTH)
        return pause

    def failed(self) -> None:
        """One more poll without an answer."""
        self.failures += 1
        if self.failures > FAILED_POLLS_MAX:
            raise Unavailable(
                f"Anaplan did not answer {FAILED_POLLS_MAX} polls in a row.",
                do="Try again later: the task may still run and is found again by its id.",
            )

    def unknown(self, task_id: str) -> None:
        """One more 404: after some of them the task is gone, as after a failover."""
        self.unknowns += 1
        if self.unknowns >= UNKNOWN_TASK_POLLS_MAX:
            raise Uncertain(
                f"Anaplan no longer knows task {task_id}; whether it ran is not known.",
                do="Read the values back; then run again.",
            )

    def lacks_result(self, state: TaskState) -> bool:
        """Whether a finished task still owes its result, which may come a moment later."""
        if state.result is not None or state.state == "CANCELLED":
            return False
        self.without_result += 1
        if self.without_result >= POLLS_WITHOUT_RESULT_MAX:
            raise Uncertain(
                f"Task {state.task_id} is {state.state} but Anaplan gives no result for it.",
                do="Read the values back; then run again.",
            )
        return True


def _task_id(answer: dict[str, Any]) -> str:
    """The id of a started task, nested as observed or bare as in older documentation."""
    task = answer.get("task")
    task_id = (task if isinstance(task, dict) else answer).get("taskId")
    if not task_id:
        raise Refused("Anaplan answered without a task id.")
    return str(task_id)
