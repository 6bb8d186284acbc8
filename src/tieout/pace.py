"""When a request may go: the turns a peer allows, what its 429 asks for, growing pauses."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

RETRY_AFTER_SECONDS_MAX = 120.0
BACK_OFF_SECONDS_FIRST, BACK_OFF_SECONDS_MAX = 0.5, 30.0


class Pace(Protocol):
    """How many requests a peer bears; asked before each of them, those that are tried again too."""

    def wait(self) -> None:
        """Return when the next request may go; Unavailable when that would take too long."""
        ...

    def refused(self, seconds: float | None) -> None:
        """The peer answered 429, and asked for so many seconds; None when it named no time."""
        ...


def back_off(asked_seconds: float | None, attempt: int) -> float:
    """How long to wait: what the peer asked for, else growing; with jitter, so callers spread."""
    grown = min(BACK_OFF_SECONDS_MAX, BACK_OFF_SECONDS_FIRST * 2.0 ** (attempt - 1))
    jitter = random.uniform(0.0, grown / 2)  # noqa: S311 - jitter is no secret
    if asked_seconds is None:
        return grown - jitter
    return min(RETRY_AFTER_SECONDS_MAX, asked_seconds + jitter)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds of a `Retry-After` header (integer or HTTP date), 0 to 120; None if unreadable."""
    if not value:
        return None
    if re.fullmatch(r"\d{1,9}", value.strip()):
        return min(RETRY_AFTER_SECONDS_MAX, float(value))
    try:
        when = parsedate_to_datetime(value)
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
        seconds = (when - now).total_seconds()
    except (ValueError, OverflowError):  # a year or an offset beyond all calendars
        return None
    return min(RETRY_AFTER_SECONDS_MAX, max(0.0, seconds))
