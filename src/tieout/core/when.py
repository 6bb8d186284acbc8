"""Reads the text of `when`, and says what is wrong with one that cannot be read."""

from __future__ import annotations

import difflib
import re
from datetime import time
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from tieout.core.local_time import EPOCH, zone_named
from tieout.core.schedule import Cron, Daily, Every, PeriodCloses, Rule, WorkingDay
from tieout.core.working_days import WORKING_DAYS_MAX

EXAMPLES = (
    "when the period closes",
    "working day 1 at 06:00 America/Chicago",
    "daily at 05:30 Europe/Berlin",
    "every 20 minutes from working day -2 to 5",
    "every 2 hours",
    "cron 0 6 * * 1-5 America/Chicago",
)
DAY_MINUTES = 24 * 60
MISSPELT_LETTERS_MIN = 5  # of a name that may be meant for another
_ZONE = r"(?: (?P<zone>.+))?"
_FORMS = {
    "closes": re.compile(r"when the period closes"),
    "working day": re.compile(rf"working day (?P<day>\S+) at (?P<at>\S+){_ZONE}"),
    "daily": re.compile(rf"daily at (?P<at>\S+){_ZONE}"),
    "every": re.compile(
        r"every (?P<pace>\S+) (?P<unit>minutes?|hours?)"
        rf"(?: from working day (?P<first>\S+) to (?:working day )?(?P<last>\S+))?{_ZONE}"
    ),
    "cron": re.compile(rf"cron (?P<cron>\S+ \S+ \S+ \S+ \S+){_ZONE}"),
}
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_TWELVE_HOURS = re.compile(r"(1[0-2]|0?[1-9])(?::([0-5][0-9]))? ?([ap])\.?m\.?")
_DAY = re.compile(r"[+-]?[0-9]{1,4}")
_WRITTEN_IN = {"cron", "zone"}  # the parts whose capital letters matter


class UnreadableError(ValueError):
    """A text that means no time; its words say why and what to write instead."""


def parse(text: str, zone: str = "UTC") -> Rule:
    """The rule that `text` stands for; `zone` holds where the text names none.

    Raises UnreadableError.
    """
    said = " ".join(text.split())
    for form, pattern in _FORMS.items():
        if (match := re.fullmatch(pattern.pattern, said, re.IGNORECASE)) is not None:
            parts = {
                k: v if k in _WRITTEN_IN else v.lower() for k, v in match.groupdict("").items()
            }
            return _rule(form, parts, zone)
    near = difflib.get_close_matches(said.lower(), EXAMPLES, n=1, cutoff=0)
    raise UnreadableError(f"{text!r} means no time; write it as in “{near[0]}”")


def _rule(form: str, parts: dict[str, str], zone: str) -> Rule:
    if form == "closes":
        return PeriodCloses()
    where = _zone(parts["zone"] or zone)
    if form == "working day":
        return WorkingDay(_working_day(parts["day"]), _time(parts["at"]), where)
    if form == "daily":
        return Daily(_time(parts["at"]), where)
    if form == "every":
        return Every(_minutes(parts["pace"], parts["unit"]), _window(parts), where)
    return Cron(_cron(parts["cron"]), where)


def _time(text: str) -> time:
    if match := _TIME.fullmatch(text):
        return time(int(match[1]), int(match[2]))
    hint = "05:30"
    if match := _TWELVE_HOURS.fullmatch(text):
        hour = int(match[1]) % 12 + (12 if match[3] == "p" else 0)
        hint = f"{hour:02d}:{match[2] or '00'}"
    elif text == "24:00":
        hint = "00:00, which begins a day"
    raise UnreadableError(f"{text!r} is no time of day; write hours and minutes such as {hint}")


def _zone(name: str) -> ZoneInfo:
    if (zone := zone_named(name)) is not None:
        return zone
    raise UnreadableError(zone_unknown(name))


def zone_unknown(name: str) -> str:
    """What is wrong with a name that is no zone's, and which may be meant."""
    known = sorted(available_timezones())
    folded = {other.lower(): other for other in known}
    places = {other.rpartition("/")[2].lower(): other for other in known}
    asked = name.lower().replace(" ", "_")
    near = folded.get(asked) or places.get(asked)
    if near is None:
        # An abbreviation is like those of many zones.
        words = [*folded, *places] if len(asked) >= MISSPELT_LETTERS_MIN else []
        close = difflib.get_close_matches(asked, words, n=1)
        near = (folded | places).get(close[0]) if close else None
    hint = f"did you mean {near}" if near else "write one such as America/Chicago"
    return f"{name!r} is no time zone of the IANA data base; {hint}"


def _working_day(text: str) -> int:
    if not _DAY.fullmatch(text):
        raise UnreadableError(f"{text!r} is no number of a working day; write 1, or -2")
    number = int(text)
    if number == 0:
        raise UnreadableError(
            "there is no working day 0: 1 is the first after the period's end, -1 the last before"
        )
    if abs(number) > WORKING_DAYS_MAX:
        raise UnreadableError(f"working day {number} is more than {WORKING_DAYS_MAX} from the end")
    return number


def _window(parts: dict[str, str]) -> tuple[int, int] | None:
    if not parts["first"]:
        return None
    first, last = _working_day(parts["first"]), _working_day(parts["last"])
    if first > last:
        raise UnreadableError(
            f"working day {first} does not come before working day {last}; write “from working "
            f"day {last} to {first}”"
        )
    return first, last


def _minutes(text: str, unit: str) -> int:
    number = int(text) if _DAY.fullmatch(text) else 0
    minutes = number * (60 if unit.startswith("hour") else 1)
    if not 1 <= minutes <= DAY_MINUTES:
        raise UnreadableError(
            f"“every {text} {unit}” is no pace; write 1 to {DAY_MINUTES} minutes, such as “every "
            "20 minutes”"
        )
    return minutes


def _cron(expression: str) -> str:
    try:
        first = next(CronSim(expression, EPOCH), None)
    except CronSimError as error:
        words = str(error).lower().removeprefix("bad ")
        raise UnreadableError(
            f"{expression!r} is no cron expression: its {words} cannot be; write minute, hour, day "
            "of the month, month and weekday, such as “0 6 * * 1-5”"
        ) from error
    if first is None:
        raise UnreadableError(f"{expression!r} names a day that no year has")
    return expression.upper()
