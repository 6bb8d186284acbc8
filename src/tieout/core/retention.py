"""How long records stay that nothing needs any more, in the words of the project file."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

AGE = r"^[1-9][0-9]{0,3} (days?|years?)$"
AGE_WORDS = 'an age such as "400 days" or "7 years"'
IN_USE = "in use"
# What can be purged, in the order in which it is told; all else is in use, or stays for ever.
KINDS = {
    "lines": "earlier versions of ledger lines",
    "compacted": "files of lines that were copied into one",
    "uploads": "files sent to Anaplan, and what it answered",
    "workings": "what runs worked with and later runs replaced",
    "calls": "exchanges with JD Edwards and Anaplan",
}


def ends_before(age: str, now: datetime) -> datetime:
    """What is older than this moment has reached `age`."""
    number, unit = _parts(age)
    if unit == "day":
        return now - timedelta(days=number)
    year = max(1, now.year - number)
    try:
        return now.replace(year=year)
    except ValueError:  # 29 February
        return now.replace(year=year, day=28)


def rule(kind: str, age: str) -> str:
    """A rule as the project file has it."""
    return f'{kind} = "{age}"'


def _parts(age: str) -> tuple[int, str]:
    if not re.fullmatch(AGE, age):
        raise ValueError(f"not {AGE_WORDS}: {age!r}")
    number, unit = age.split(" ")
    return int(number), unit.removesuffix("s")
