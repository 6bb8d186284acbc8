"""The request budget of each tenant: a token bucket, and the worst minute ever seen."""

from __future__ import annotations

from collections import deque
from email.utils import formatdate
from math import ceil
from typing import Any

WINDOW_SECONDS = 60.0


class Budget:
    """A bucket of `per_minute` requests that refills evenly (A012); not thread safe by itself.

    A full bucket and what flows in let twice as many pass within the first minute; `strictly`
    counts what passed in the last minute instead.
    """

    def __init__(self) -> None:
        self.worst = 0
        self.taken = 0
        self.refused = 0
        self._level: float | None = None
        self._at = 0.0
        self._recent: deque[float] = deque()
        self._passed: deque[float] = deque()

    def take(self, now: float, per_minute: int, *, strictly: bool = False) -> float:
        """0 when the request may pass, else the seconds until one may."""
        self._count(now)
        self.taken += 1
        wait = self._window(now, per_minute) if strictly else self._bucket(now, per_minute)
        self.refused += wait > 0
        return wait

    def _window(self, now: float, per_minute: int) -> float:
        while self._passed and self._passed[0] <= now - WINDOW_SECONDS:
            self._passed.popleft()
        if len(self._passed) < per_minute:
            self._passed.append(now)
            return 0.0
        return self._passed[0] + WINDOW_SECONDS - now

    def _bucket(self, now: float, per_minute: int) -> float:
        per_second = per_minute / WINDOW_SECONDS
        level = float(per_minute) if self._level is None else self._level
        level = min(float(per_minute), level + (now - self._at) * per_second)
        self._at = now
        if level >= 1:
            self._level = level - 1
            return 0.0
        self._level = level
        return (1 - level) / per_second

    def _count(self, now: float) -> None:
        self._recent.append(now)
        while self._recent[0] <= now - WINDOW_SECONDS:
            self._recent.popleft()
        self.worst = max(self.worst, len(self._recent))


class Budgets:
    """The budget of every tenant that called, by its name; "" takes calls of nobody."""

    def __init__(self) -> None:
        self.of_tenant: dict[str, Budget] = {}

    def take(self, tenant: str, now: float, per_minute: int, *, strictly: bool) -> float:
        """0 when the request may pass, else the seconds until one may."""
        budget = self.of_tenant.setdefault(tenant, Budget())
        return budget.take(now, per_minute, strictly=strictly)

    def told(self) -> dict[str, Any]:
        """What `state` shows: the worst tenant, and all of them."""
        each = {
            tenant: {"worst_minute": b.worst, "taken": b.taken, "refused": b.refused}
            for tenant, b in self.of_tenant.items()
        }
        return {
            "requests_worst_minute": max((b["worst_minute"] for b in each.values()), default=0),
            "requests_refused": sum(b["refused"] for b in each.values()),
            "requests_by_tenant": each,
        }


def retry_after(form: str, now: float, wait: float) -> dict[str, str]:
    """The `Retry-After` header as the switch says: seconds, a date, or absent (A012)."""
    if form == "absent":
        return {}
    seconds = max(1, ceil(wait))
    text = formatdate(now + seconds, usegmt=True) if form == "date" else str(seconds)
    return {"Retry-After": text}
