"""The clock the product is given: the system's, or that of the practice systems."""

from __future__ import annotations

import json
import time
import urllib.request
from datetime import UTC, datetime
from typing import Protocol

PRACTICE_CLOCK_TIMEOUT_SECONDS = 5


class Clock(Protocol):
    """Time as everything in the product sees it; tests pass their own."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for deadlines."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let `seconds` of this clock pass."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Now in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """The machine's monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep for real."""
        time.sleep(max(0.0, seconds))


class PracticeSystemsClock:
    """Reads the practice systems' clock at its control port (`TIEOUT_CLOCK=URL`)."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/") + "/control/clock"

    def _reading(self) -> dict[str, float]:
        # S310 warns of file: URLs; this one comes from the tests' own environment.
        request = urllib.request.Request(self._url, data=b"{}", method="POST")  # noqa: S310 - above
        limit = PRACTICE_CLOCK_TIMEOUT_SECONDS
        with urllib.request.urlopen(request, timeout=limit) as answer:  # noqa: S310 - above
            reading: dict[str, float] = json.load(answer)
        return reading

    def now(self) -> datetime:
        """The practice time."""
        return datetime.fromtimestamp(self._reading()["now"], UTC)

    def monotonic(self) -> float:
        """The practice clock only moves forward, so it serves for deadlines too."""
        return self._reading()["now"]

    def sleep(self, seconds: float) -> None:
        """Let practice seconds pass at the scale of the practice clock."""
        time.sleep(max(0.0, seconds) / self._reading()["scale"])
