"""Local time: the first instant at which the wall clock of a zone has reached a time.

That one definition decides the days on which a clock is changed: a time that a gap leaves out is
reached at the first instant after the gap, a time that comes twice is reached the first time.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
HALF_DAY = timedelta(hours=12)  # no zone changes its clock twice within it
MIDNIGHT = time()
EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
OF_THE_MACHINE = ("localtime", "posixrules")  # not the same zone on another machine


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of the IANA data base with this name, None when there is none."""
    if name in OF_THE_MACHINE:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a directory, a path out of the data
        return None


def wall_clock(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the wall clock of `zone` shows at an instant, without zone."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def reached(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant, in UTC, at which the wall clock shows `wall` or a later time."""
    late = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if wall_clock(late, zone) == wall:
        return late  # of a time that comes twice, fold 0 is the first
    early = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while late - early > SECOND:  # in a gap these two stand before and after it
        middle = early + (late - early) // SECOND // 2 * SECOND
        if wall_clock(middle, zone) >= wall:
            late = middle
        else:
            early = middle
    return late


def spelled(instant: datetime, zone: ZoneInfo) -> str:
    """An instant as the people of a zone read it: Tue 01 Dec 2026 06:00 CST."""
    return f"{instant.astimezone(zone):%a %d %b %Y %H:%M %Z}"


def begin_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, in UTC; of a day that a zone left out, that of the next."""
    return reached(datetime.combine(day, MIDNIGHT), zone)


def clock_change(after: datetime, until: datetime, zone: ZoneInfo) -> datetime | None:
    """The first instant in (after, until] at which the clock of `zone` was changed, or None."""
    before = after
    while before < until:
        end = min(before + HALF_DAY, until)
        offset = _offset(before, zone)
        if _offset(end, zone) != offset:
            while end - before > SECOND:
                middle = before + (end - before) // SECOND // 2 * SECOND
                if _offset(middle, zone) == offset:
                    before = middle
                else:
                    end = middle
            return end
        before = end
    return None


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()
