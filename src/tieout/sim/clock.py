"""The clock of the practice systems: it can be moved forward and made to run faster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

PRACTICE_SECONDS_PER_SECOND_MAX = 100_000.0


class PracticeClock:
    """Wall clock of both practice systems; starts at the real time and only moves forward."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._base = time.time()
        self._since = time.monotonic()
        self._scale = 1.0
        self._listeners: list[Callable[[], None]] = []

    def listen(self, passed: Callable[[], None]) -> None:
        """Call `passed` whenever the clock was moved, so that what was due then happens."""
        self._listeners.append(passed)

    def forget(self, passed: Callable[[], None]) -> None:
        """Call `passed` no more."""
        self._listeners.remove(passed)

    def now(self) -> float:
        """Seconds since 1970 on the practice clock."""
        with self._lock:
            return self._now()

    def _now(self) -> float:
        return self._base + (time.monotonic() - self._since) * self._scale

    def _rebase(self) -> None:
        self._base, self._since = self._now(), time.monotonic()

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`; a negative step is refused."""
        if seconds < 0:
            raise ValueError("the practice clock only moves forward")
        with self._lock:
            self._rebase()
            self._base += seconds
        for passed in tuple(self._listeners):
            passed()

    def set_scale(self, scale: float) -> None:
        """Let `scale` practice seconds pass in one real second."""
        if not 0 < scale <= PRACTICE_SECONDS_PER_SECOND_MAX:
            raise ValueError(
                f"scale must be above 0 and at most {PRACTICE_SECONDS_PER_SECOND_MAX:g}"
            )
        with self._lock:
            self._rebase()
            self._scale = scale

    def reading(self) -> dict[str, float]:
        """What `POST /control/clock` answers: `now` (epoch seconds) and `scale`."""
        with self._lock:
            return {"now": self._now(), "scale": self._scale}

    def today(self) -> datetime:
        """Now as an aware UTC datetime."""
        return datetime.fromtimestamp(self.now(), UTC)
