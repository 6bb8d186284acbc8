"""What became of a task: its state, and an outcome computed from the counts Anaplan reports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from tieout.anaplan.wire import whole
from tieout.strict_json import plain

Outcome = Literal["ok", "partial", "failed", "cancelled"]

RUNNING_STATES = ("NOT_STARTED", "IN_PROGRESS", "CANCELLING")
COMPLETE, CANCELLED = "COMPLETE", "CANCELLED"

_COUNT_NAMES = {
    "loaded": "successRowCount", "warned": "warningsRowCount", "failed": "failedCount",
    "ignored": "ignoredCount", "invalid": "invalidCount", "total": "totalRowCount",
}  # fmt: skip
_COUNT_TEXTS = {
    "loaded": re.compile(r"([\d,]+) \([^)]*\) rows? successful"),
    "warned": re.compile(r"([\d,]+) \([^)]*\) rows? ha(?:s|ve) warnings"),
    "failed": re.compile(r"([\d,]+) failed"),
    "ignored": re.compile(r"([\d,]+) ignored"),
}


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of one import as Anaplan counts them; None is "not said", never zero.

    `total` is what Anaplan read, to be compared with the rows sent.
    """

    loaded: int | None = None
    warned: int | None = None
    failed: int | None = None
    ignored: int | None = None
    invalid: int | None = None
    total: int | None = None

    @property
    def clean(self) -> bool:
        """Whether no count says that a row was left out or changed."""
        return not any((self.warned, self.failed, self.ignored, self.invalid))


@dataclass(frozen=True, slots=True)
class ObjectResult:
    """What one import (or export, or other action of a process) did, in counts and words."""

    object_id: str
    name: str
    outcome: Outcome
    counts: Counts
    dump_available: bool
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskState:
    """What a poll says: the state, how far (0 to 1, None if not said), what Anaplan is doing."""

    task_id: str
    state: str
    progress: float | None
    step: str
    result: Mapping[str, Any] | None

    @property
    def running(self) -> bool:
        """Whether the end is still to come. A state we do not know ends with its result."""
        return self.state in RUNNING_STATES or (
            self.state not in (COMPLETE, CANCELLED) and self.result is None
        )


@dataclass(frozen=True, slots=True)
class TaskBrief:
    """One entry of a task list; `created_at` in epoch milliseconds, 0 if not said."""

    task_id: str
    state: str
    created_at: int


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The end of a task. `outcome` is ours: Anaplan's "successful" stands beside lost rows.

    `objects` has one entry for an import; for a process one per action in their order, and one
    for the process itself if it says more than they do.
    Plain values throughout, so that msgspec turns it into JSON and back.
    """

    task_id: str
    state: str
    outcome: Outcome
    counts: Counts
    objects: tuple[ObjectResult, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """Everything Anaplan said."""
        return tuple(word for part in self.objects for word in part.words)


def task_state(task: Mapping[str, Any]) -> TaskState:
    """A poll's answer as a value; unknown fields are left alone."""
    progress, result = task.get("progress"), task.get("result")
    return TaskState(
        str(task.get("taskId") or ""),
        str(task.get("taskState") or ""),
        float(progress) if isinstance(progress, int | float | Decimal) else None,
        str(task.get("currentStep") or ""),
        result if isinstance(result, dict) else None,
    )


def task_brief(task: Mapping[str, Any]) -> TaskBrief:
    """One entry of a task list as a value."""
    return TaskBrief(
        str(task.get("taskId") or ""),
        str(task.get("taskState") or ""),
        whole(task.get("creationTime"), "creation time of a task"),
    )


def task_result(state: TaskState, action_id: str, action_name: str) -> TaskResult:
    """The outcome of a finished task: partial when a row, a nested action or a dump says so."""
    result = state.result or {}
    nested = result.get("nestedResults") or []
    own = _object(result, action_id, action_name)
    objects = tuple(_object(n, "", "") for n in nested)
    if not nested or own.words or worst(o.outcome for o in objects) != own.outcome:
        objects = (*objects, own)
    outcome = worst(o.outcome for o in (own, *objects))
    if state.state == CANCELLED:
        outcome = "cancelled"
    elif state.state != COMPLETE:
        outcome = "failed"
    return TaskResult(state.task_id, state.state, outcome, _sum(o.counts for o in objects), objects)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """A whole is as good as its worst part."""
    order: tuple[Outcome, ...] = ("ok", "partial", "failed", "cancelled")
    return max(outcomes, key=order.index, default="failed")


def _object(result: Mapping[str, Any], object_id: str, name: str) -> ObjectResult:
    details = [d for d in result.get("details") or [] if isinstance(d, dict)]
    counts = _sum(_counts(d) for d in details)
    dump = bool(result.get("failureDumpAvailable"))
    flagged = any(str(d.get("type") or "").endswith("WithFailures") for d in details)
    outcome: Outcome = "ok" if counts.clean and not dump and not flagged else "partial"
    if result.get("successful") is not True:
        outcome = "failed"
    words = tuple(filter(None, (_words(d) for d in details)))
    return ObjectResult(
        str(result.get("objectId") or object_id), str(result.get("objectName") or name),
        outcome, counts, dump, words,
    )  # fmt: skip


def _words(detail: Mapping[str, Any]) -> str:
    return plain(detail.get("localMessageText") or detail.get("type") or "")


def _counts(detail: Mapping[str, Any]) -> Counts:
    """The counts of one detail: from the flat list of names and values, else from the text."""
    flat = list(detail.get("values") or [])
    told = {str(k): v for k, v in zip(flat[::2], flat[1::2], strict=False)}
    text = str(detail.get("localMessageText") or "")
    found: dict[str, int | None] = {}
    for ours, theirs in _COUNT_NAMES.items():
        found[ours] = _whole(told.get(theirs))
        pattern = _COUNT_TEXTS.get(ours)
        match = pattern.search(text) if pattern and found[ours] is None else None
        if match:
            found[ours] = _whole(match[1].replace(",", ""))
    return Counts(**found)


def _whole(value: object) -> int | None:
    text = str(value) if value is not None else ""
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None


def _sum(parts: Iterable[Counts]) -> Counts:
    """The sum of what was said; None where nobody said anything."""
    every = list(parts)

    def total(name: str) -> int | None:
        said = [getattr(c, name) for c in every if getattr(c, name) is not None]
        return sum(said) if said else None

    return Counts(**{name: total(name) for name in _COUNT_NAMES})
