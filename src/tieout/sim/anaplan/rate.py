"""The request budget of a tenant: a token bucket, and the worst minute ever seen."""

from __future__ import annotations

from collections import deque
from email.utils import formatdate
from math import ceil

WINDOW_SECONDS = 60.0


class Budget:
    """A bucket of `per_minute` requests that refills evenly (A012); not thread safe by itself."""

    def __init__(self) -> None:
        self.worst = 0
        self.taken = 0
        self.refused = 0
        self._level: float | None = None
        self._at = 0.0
        self._recent: deque[float] = deque()

    def take(self, now: float, per_minute: int) -> float:
        """0 when the request may pass, else the seconds until one may."""
        self._count(now)
        self.taken += 1
        per_second = per_minute / WINDOW_SECONDS
        level = float(per_minute) if self._level is None else self._level
        level = min(float(per_minute), level + (now - self._at) * per_second)
        self._at = now
        if level >= 1:
            self._level = level - 1
            return 0.0
        self._level = level
        self.refused += 1
        return (1 - level) / per_second

    def _count(self, now: float) -> None:
        self._recent.append(now)
        while self._recent[0] <= now - WINDOW_SECONDS:
            self._recent.popleft()
        self.worst = max(self.worst, len(self._recent))


def retry_after(form: str, now: float, wait: float) -> dict[str, str]:
    """The `Retry-After` header as the switch says: seconds, a date, or absent (A012)."""
    if form == "absent":
        return {}
    seconds = max(1, ceil(wait))
    text = formatdate(now + seconds, usegmt=True) if form == "date" else str(seconds)
    return {"Retry-After": text}
