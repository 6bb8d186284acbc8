"""Planned failures: which request goes wrong, when, how often, and in which way."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Any

KINDS = (
    "status",        # answered with `status`, `body`, `headers`; not processed
    "status_after",  # the same, but processed first
    "cut_before",    # connection reset, not processed
    "cut_after",     # processed, then reset: the answer is lost
    "late",          # nothing for `seconds`, reset, and processed only then
    "delay",         # processed and answered after `seconds`
    "truncate",      # processed; half of the answer, then reset
    "drip",          # processed; the answer at 20 bytes a second
    "replace",       # processed; the answer edited: `find` (regular expression) → `body`
    "twice",         # processed twice, as a proxy does that repeats a request; the second answer
    "queued",        # accepted and reset; runs `seconds` later on the practice clock, or on release
    "accepted",      # the same, but answered 202 with an empty body
)  # fmt: skip


@dataclass(slots=True)
class Fault:
    """One planned failure. It hits matches number `nth` … `nth + times - 1` (counted from 1).

    `meanwhile` is what happens inside the system in the moment before the request is carried out.
    """

    kind: str
    method: str = ""
    path: str = ""
    body_match: str = ""
    nth: int = 1
    times: int = 1
    status: int = 500
    body: str = ""
    find: str = ""
    seconds: float = 0.0
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    meanwhile: dict[str, dict[str, Any]] = field(default_factory=dict)  # control verb → its body
    seen: int = 0
    hit: int = 0

    def applies(self, method: str, path: str, body: bytes) -> bool:
        """Whether the request matches (method equal, path and body by regular expression)."""
        if self.method and self.method != method:
            return False
        if self.path and not re.search(self.path, path):
            return False
        return not self.body_match or bool(re.search(self.body_match.encode(), body))


class Faults:
    """The faults planned on one data port; the first that is due wins."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def match(self, method: str, path: str, body: bytes) -> Fault | None:
        """The fault this request meets, if any."""
        with self._lock:
            chosen = None
            for fault in self._faults:
                if not fault.applies(method, path, body):
                    continue
                fault.seen += 1
                if chosen is None and fault.nth <= fault.seen < fault.nth + fault.times:
                    fault.hit += 1
                    chosen = fault
            return chosen

    def control(self, body: dict[str, Any]) -> dict[str, Any]:
        """`{"clear": true}`, `{"add": {...}}` (or a list of faults), or `{}` to list them."""
        with self._lock:
            if body.get("clear"):
                self._faults.clear()
            added = body.get("add", [])
            for item in added if isinstance(added, list) else [added]:
                fault = Fault(**item)
                if fault.kind not in KINDS:
                    raise ValueError(f"unknown kind {fault.kind!r}; one of {', '.join(KINDS)}")
                self._faults.append(fault)
            names = [n for n in Fault.__slots__ if n not in ("headers", "meanwhile")]
            return {"faults": [{n: getattr(f, n) for n in names} for f in self._faults]}
