"""Working days around the end of a fiscal period: which day is the first after it, the last in it.

A period ends on a date of F0008 or of a file, never by its number. Periods shorter than two weeks
are adjusting periods: they end a year, they do not close a month, so they belong to the one before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

DAY = timedelta(days=1)
REGULAR_DAYS_MIN = 14  # a period of fewer days is an adjusting one
WORKING_DAYS_MAX = 31  # furthest from the end of a period; a month has no more
LOOKED_AT_DAYS_MAX = 400  # from a period's end, for that working day
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SATURDAY_AND_SUNDAY = frozenset({5, 6})
DECEMBER = 12


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Period ends in order, and the days on which nobody works.

    `ends` None: periods are calendar months. `weekend` holds days as `date.weekday` counts them.
    """

    title: str = "calendar months"
    ends: tuple[date, ...] | None = None
    holidays: frozenset[date] = frozenset()
    weekend: frozenset[int] = SATURDAY_AND_SUNDAY

    def ends_from(self, day: date) -> Iterator[date]:
        """The period ends on or after `day`, in order; endless for calendar months."""
        if self.ends is not None:
            yield from self.ends[bisect_left(self.ends, day) :]
            return
        year, month = day.year, day.month
        while year < date.max.year:
            year, month = (year + 1, 1) if month == DECEMBER else (year, month + 1)
            yield date(year, month, 1) - DAY

    def is_working_day(self, day: date) -> bool:
        """Whether people work on `day`."""
        return day.weekday() not in self.weekend and day not in self.holidays

    def working_day(self, end: date, number: int) -> date | None:
        """The working day of that number around a period's end.

        1 is the first after it, -1 the last on or before it. None when so many holidays follow
        that there is none within LOOKED_AT_DAYS_MAX.
        """
        step = DAY if number > 0 else -DAY
        day = end + DAY if number > 0 else end
        left = abs(number)
        for _ in range(LOOKED_AT_DAYS_MAX):
            left -= self.is_working_day(day)
            if not left:
                return day
            day += step
        return None

    def days(self, number: int, since: date) -> Iterator[date]:
        """That working day of every period, in order, those on or after `since`."""
        for end in self.ends_from(since - LOOKED_AT_DAYS_MAX * DAY):
            day = self.working_day(end, number)
            if day is not None and day >= since:
                yield day

    def days_between(self, first: int, last: int, since: date) -> Iterator[date]:
        """Every day from working day `first` to `last` around each period's end, each day once."""
        following = since
        for end in self.ends_from(since - LOOKED_AT_DAYS_MAX * DAY):
            begin, until = self.working_day(end, first), self.working_day(end, last)
            if begin is None or until is None:
                continue
            following = max(following, begin)
            while following <= until:
                yield following
                following += DAY

    def ends_known_until(self) -> date | None:
        """The last period end that is known; None for calendar months, which never end."""
        return self.ends[-1] if self.ends else None


def period_ends(years: Iterable[Sequence[date]]) -> tuple[date, ...]:
    """The ends of the regular periods of fiscal years, in order; each year as its period ends.

    An adjusting period (13 on 31 December after 12 on 30 December; or 13 and 14 that repeat the end
    of 12) gives its end to the period before it.
    """
    found: list[date] = []
    for ends in years:
        found += _regular(ends)
    return tuple(sorted(set(found)))


def _regular(ends: Sequence[date]) -> list[date]:
    """The ends of a year without those that a short period follows."""
    followed = [
        (end, (after - end).days >= REGULAR_DAYS_MIN) for end, after in pairwise(ends)
    ]  # fmt: skip
    return [end for end, regular in followed if regular] + [ends[-1]]
