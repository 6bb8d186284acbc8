"""When a schedule is due: the texts of `when`, each a frozen value that knows its next time.

A rule is asked with an aware moment and a calendar, and answers an instant in UTC. Times of day
are local: see `core.local_time` for the days on which clocks are changed. Intervals (`every 20
minutes`, a cron expression with a star for its minute or hour) go by elapsed time through them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from tieout.core.local_time import DAY, SECOND, begin_of, clock_change, reached, wall_clock
from tieout.core.working_days import WorkCalendar

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class PeriodCloses:
    """Due when JD Edwards moves a company's current period or year on (F0010), at no known time."""

    def next_after(self, moment: datetime, calendar: WorkCalendar) -> datetime | None:
        """None: the calendar does not tell it."""
        return None

    def __str__(self) -> str:
        return "when the period closes"


@dataclass(frozen=True, slots=True)
class Daily:
    """Every day at a local time."""

    at: time
    zone: ZoneInfo

    def next_after(self, moment: datetime, calendar: WorkCalendar) -> datetime | None:
        """The first due time after `moment`."""
        days = _every_day(_local_day(moment, self.zone))
        return _first_after(moment, days, self.at, self.zone)

    def __str__(self) -> str:
        return f"daily at {self.at:%H:%M} {self.zone}"


@dataclass(frozen=True, slots=True)
class WorkingDay:
    """A working day of every fiscal period, counted from its end, at a local time."""

    number: int
    at: time
    zone: ZoneInfo

    def next_after(self, moment: datetime, calendar: WorkCalendar) -> datetime | None:
        """The first due time after `moment`; None after the last period that is known."""
        days = calendar.days(self.number, _local_day(moment, self.zone))
        return _first_after(moment, days, self.at, self.zone)

    def __str__(self) -> str:
        return f"working day {self.number} at {self.at:%H:%M} {self.zone}"


@dataclass(frozen=True, slots=True)
class Every:
    """Every so many minutes of each local day, the first at its beginning.

    `window`: only on the days from one working day to another around each period's end.
    """

    minutes: int
    window: tuple[int, int] | None
    zone: ZoneInfo

    def next_after(self, moment: datetime, calendar: WorkCalendar) -> datetime | None:
        """The first due time after `moment`; None after the last period that is known."""
        since, step = _local_day(moment, self.zone), self.minutes * MINUTE
        days = calendar.days_between(*self.window, since) if self.window else _every_day(since)
        for day in days:
            begin, end = begin_of(day, self.zone), begin_of(day + DAY, self.zone)
            if end <= moment:
                continue
            due = begin if moment < begin else begin + ((moment - begin) // step + 1) * step
            if due < end:
                return due
        return None

    def __str__(self) -> str:
        window = f" from working day {self.window[0]} to {self.window[1]}" if self.window else ""
        pace = (
            f"{self.minutes // 60} hours" if self.minutes % 60 == 0 else f"{self.minutes} minutes"
        )
        return f"every {pace}{window} {self.zone}"


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression of five fields on the local wall clock.

    With a star for its minute or hour it means an interval: then an hour that comes twice counts
    twice, and one that is left out not at all, as with Debian's cron.
    """

    expression: str
    zone: ZoneInfo

    def next_after(self, moment: datetime, calendar: WorkCalendar) -> datetime | None:
        """The first due time after `moment`; None when there is none within fifty years."""
        if any(field.startswith("*") for field in self.expression.split()[:2]):
            return self._next_by_interval(moment)
        for wall in CronSim(self.expression, wall_clock(moment, self.zone)):
            if (due := reached(wall, self.zone)) > moment:
                return due
        return None

    def _next_by_interval(self, moment: datetime) -> datetime | None:
        """The first instant whose wall clock the expression names, hour by hour as they come."""
        since, shown = moment.astimezone(UTC), wall_clock(moment, self.zone)
        beyond = shown
        while True:
            wall = next(CronSim(self.expression, beyond), None)
            if wall is None:
                return None
            due = since + (wall - shown)
            change = clock_change(since, due, self.zone)
            if change is None:
                return due
            since, shown = change, wall_clock(change, self.zone)
            beyond = shown - SECOND

    def __str__(self) -> str:
        return f"cron {self.expression} {self.zone}"


Rule = PeriodCloses | Daily | WorkingDay | Every | Cron


def next_times(
    rule: Rule, moment: datetime, calendar: WorkCalendar, number: int
) -> list[datetime]:  # fmt: skip
    """The next `number` due times after `moment`, fewer when no more are known."""
    found: list[datetime] = []
    while len(found) < number and (due := rule.next_after(moment, calendar)) is not None:
        found.append(due)
        moment = due
    return found


def _local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The day that the wall clock shows: all times of earlier days have been reached by then."""
    return wall_clock(moment, zone).date()


def _every_day(day: date) -> Iterator[date]:
    while day < date.max:
        yield day
        day += DAY


def _first_after(
    moment: datetime, days: Iterator[date], at: time, zone: ZoneInfo
) -> datetime | None:  # fmt: skip
    """The first instant after `moment` at which one of `days`, in order, reaches the time."""
    for day in days:
        if (due := reached(datetime.combine(day, at), zone)) > moment:
            return due
    return None
