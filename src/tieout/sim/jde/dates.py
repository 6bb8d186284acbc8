"""JDE dates (CYYDDD) and the formats in which AIS shows, takes and stamps dates."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import cache

_PATTERN_LETTERS = {
    "yyyy": "{0:%Y}", "yy": "{0:%y}", "MMMM": "{0:%B}", "MMM": "{0:%b}", "MM": "{0:%m}",
    "M": "{0.month}", "dd": "{0:%d}", "d": "{0.day}",
}  # fmt: skip


def to_julian(day: date) -> int:
    """The date as CYYDDD."""
    return (day.year - 1900) * 1000 + day.timetuple().tm_yday


@cache
def from_julian(number: int) -> date | None:
    """CYYDDD as a date; 0 is no date (jde-gl.md §2.1)."""
    if number <= 0:
        return None
    years, days = divmod(number, 1000)
    return date(1900 + years, 1, 1) + timedelta(days=days - 1)


def compact(number: int) -> str | None:
    """J036: "yyyyMMdd", or None for no date."""
    day = from_julian(number)
    return None if day is None else f"{day:%Y%m%d}"


def epoch_milliseconds(number: int) -> int | None:
    """J064: midnight UTC of the date in milliseconds, or None for no date."""
    day = from_julian(number)
    if day is None:
        return None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def add_months(day: date, months: int) -> date:
    """The same day `months` later, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return min(date(year, month + 1, 1) + timedelta(days=day.day - 1), following - timedelta(1))


def strftime_of(simple_date_format: str) -> str:
    """A session's `simpleDateFormat` ("MM/dd/yyyy") as a strftime pattern."""
    text = simple_date_format
    for java, python in (("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d")):
        text = text.replace(java, python)
    return text


def read_swapped(text: str, simple_date_format: str, form: str) -> date:
    """J059: the date of a server that reads day and month in its own order; ValueError if none."""
    first, second = ("dd", "MM") if form == "day_first" else ("MM", "dd")
    letters = [first if p != "yyyy" else p for p in re.findall("yyyy|MM|dd", simple_date_format)]
    letters[len(letters) - 1 - letters[::-1].index(first)] = second
    numbers = [int(part) for part in re.findall(r"\d+", text)]
    read = dict(zip(letters, numbers, strict=True))
    return add_months(date(read["yyyy"], 1, 1), read["MM"] - 1) + timedelta(days=read["dd"] - 1)


def by_pattern(number: int, pattern: str) -> str:
    """J064: the date by a Java SimpleDateFormat pattern of y, M and d; ValueError for others."""
    day = from_julian(number)
    if day is None:
        return " "
    made, rest = "", pattern
    while rest:
        run = rest[: len(rest) - len(rest.lstrip(rest[0]))]
        if run in _PATTERN_LETTERS:
            made += _PATTERN_LETTERS[run].format(day)
        elif rest[0].isalpha():
            raise ValueError(f"date pattern {pattern!r}")
        else:
            made += run
        rest = rest[len(run) :]
    return made


def stamp(seconds: float, form: str) -> str:
    """J020: `timeStamp` in the newer form with zone, or the older without."""
    moment = datetime.fromtimestamp(seconds, UTC)
    if form == "old":
        return f"{moment:%Y-%m-%d:%H.%M.%S}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"
