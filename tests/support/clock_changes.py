"""A second reading of time zones: the pieces of constant offset, and what a wall clock shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo, available_timezones

FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2031, 1, 3, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
DAYS = (LAST - FIRST).days


@dataclass(frozen=True)
class Piece:
    """A time in which the clock of a zone is not changed."""

    begin: datetime
    end: datetime
    offset: timedelta


def offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    found = instant.astimezone(zone).utcoffset()
    assert found is not None
    return found


@cache
def pieces(name: str) -> tuple[Piece, ...]:
    """The five years of a zone, cut minute-exactly where its clock is changed."""
    zone = ZoneInfo(name)
    cuts = [FIRST - 5 * DAY]
    offsets = [offset(zone, cuts[0])]
    for number in range(-5, DAYS + 5):
        day = FIRST + number * DAY
        if offset(zone, day + DAY) == offsets[-1]:
            continue
        minute = next(m for m in range(1, 1441) if offset(zone, day + m * MINUTE) != offsets[-1])
        cuts.append(day + minute * MINUTE)
        offsets.append(offset(zone, cuts[-1]))
    return tuple(map(Piece, cuts, [*cuts[1:], LAST + 9 * DAY], offsets))


def reached(name: str, wall: datetime) -> datetime:
    """The first instant at which the clock shows `wall` or later, found piece by piece."""
    utc = wall.replace(tzinfo=UTC)
    return next(
        max(piece.begin, utc - piece.offset)
        for piece in pieces(name)
        if utc - piece.offset < piece.end
    )


@cache
def zones_apart() -> list[str]:
    """Every zone there is, one for each way of changing clocks in these five years."""
    data = resources.files("tzdata") / "zoneinfo"
    known = sorted(available_timezones() - {"localtime"})
    files = {(data / name).read_bytes(): name for name in known if (data / name).is_file()}
    found: dict[tuple[timedelta, ...], str] = {}
    for name in sorted(files.values()):
        zone = ZoneInfo(name)
        told = tuple(offset(zone, FIRST + n * DAY) for n in range(-5, DAYS + 5))
        found.setdefault(told, name)
    return list(found.values())


def dates() -> Iterator[date]:
    yield from ((FIRST + n * DAY).date() for n in range(DAYS - 2))
