"""The words that all tables of the project file are made of: patterns, durations, strictness."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct, field

from tieout.core.retention import AGE
from tieout.errors import Misconfigured

DURATION_UNITS_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$"
PERIOD = r"^[0-9]{4}-(0[1-9]|1[0-4])$"
CURRENT_OR_PERIOD = rf"^current$|{PERIOD}"
DOCUMENT_TYPE = r"^[A-HK-NQU-Z][A-Z0-9]$"  # not P R T I O J S, which JD Edwards keeps for itself
OBJECT_RANGE = r"^[^-\s]+(-[^-\s]+)?$"

TEMPLATE_COMPANY = "00000"  # of F0010; it is never a company of transactions
PERIODS_FROM_CALENDAR = "F0008"
Duration = Annotated[str, Meta(pattern=DURATION, description="a number and ms, s, m, h or d")]
PeriodText = Annotated[str, Meta(pattern=PERIOD, description="fiscal year and period, 2025-03")]
CurrentOrPeriod = Annotated[str, Meta(pattern=CURRENT_OR_PERIOD)]
FIRST_PERIOD = rf"^current( *\+ *[0-9]{{1,2}})?$|{PERIOD}"
PERIOD_RANGE = r"^[0-9]{4}-(0[1-9]|1[0-4])\.\.[0-9]{4}-(0[1-9]|1[0-4])$"
Code = Annotated[str, Meta(min_length=1)]
Age = Annotated[str, Meta(pattern=AGE)]
ObjectRange = Annotated[str, Meta(pattern=OBJECT_RANGE)]


def seconds(text: str) -> float:
    """A duration such as "90s" or "2h" in seconds."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)", text)
    if match is None:
        raise Misconfigured(f"{text!r} is not a duration such as 30s, 5m or 2h.")
    return float(match[1]) * DURATION_UNITS_SECONDS[match[2]]


class Strict(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the project file: unknown keys are refused."""


class ReadBack(Strict, frozen=True, kw_only=True):
    """What is read from Anaplan after a load, to prove it."""

    list: str = ""
    view: str = ""
    export: str = ""
    dimensions: dict[str, str] = field(default_factory=dict)


RENAMED = {"from_": "from", "import_": "import", "is_": "is"}  # words that Python keeps for itself
