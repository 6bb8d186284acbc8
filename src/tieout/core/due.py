"""What becomes of the times at which a schedule was due: one decision for all that have come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from tieout.core.schedule import Rule
from tieout.core.working_days import WorkCalendar

LATE_SECONDS_MAX = 300  # begun later than this after its time, a schedule did not run on time
COUNTED_TIMES_MAX = 1000
SPANS = tuple(timedelta(hours=hours) for hours in (1, 24, 24 * 40, 24 * 400))

Missed = Literal["once", "skip", "ask"]
State = Literal["running", "skipped", "paused", "missed", "asked", "left out"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What people and earlier times have to say to a time that has come."""

    missed: Missed = "once"
    skip_next: bool = False
    paused_until: datetime | None = None
    busy: bool = False  # an earlier time of the schedule is not through yet


@dataclass(frozen=True, slots=True)
class Decided:
    """One due time, what becomes of it, and for how many due times it stands (itself included)."""

    due: datetime
    state: State
    times: int = 1
    late: bool = False


def late(due: datetime, now: datetime) -> bool:
    """Whether nothing ran when it should have."""
    return now - due > timedelta(seconds=LATE_SECONDS_MAX)


def due_until(
    rule: Rule, first: datetime, now: datetime, calendar: WorkCalendar
) -> list[datetime]:  # fmt: skip
    """The due times from `first` to `now`, in order; of more than COUNTED_TIMES_MAX also the last.

    Thus a process that comes back after a year does not go through half a million minutes.
    """
    found = [first]
    while (due := rule.next_after(found[-1], calendar)) is not None and due <= now:
        found.append(due)
        if len(found) >= COUNTED_TIMES_MAX:
            return [*found, *_last_until(rule, found[-1], now, calendar)]
    return found


def _last_until(
    rule: Rule, after: datetime, now: datetime, calendar: WorkCalendar
) -> list[datetime]:  # fmt: skip
    """The last due time in (after, now], if there is any; looked for from the end."""
    for span in SPANS:
        begin = max(after, now - span)
        last = None
        due = rule.next_after(begin, calendar)
        while due is not None and due <= now:
            last, due = due, rule.next_after(due, calendar)
        if last is not None:
            return [last]
    return []


def decide(dues: Sequence[datetime], now: datetime, standing: Standing) -> list[Decided]:
    """What becomes of due times that have come, in order: at most one of them runs.

    The next time may be skipped by a person; those within a pause are left out. Of the rest the
    last one stands for all: begun in time it runs, else the rule for missed times decides.
    """
    decided: list[Decided] = []
    rest = list(dues)
    if standing.skip_next and rest:
        decided.append(Decided(rest.pop(0), "skipped"))
    until = standing.paused_until
    paused = [due for due in rest if until is not None and due < until]
    if paused:
        decided.append(Decided(paused[-1], "paused", len(paused)))
    rest = rest[len(paused) :]
    if not rest:
        return decided
    too_late = late(rest[-1], now)
    state: State = "running"
    if standing.busy:
        state = "left out"
    elif too_late and standing.missed != "once":
        state = "missed" if standing.missed == "skip" else "asked"
    return [*decided, Decided(rest[-1], state, len(rest), too_late or len(rest) > 1)]
