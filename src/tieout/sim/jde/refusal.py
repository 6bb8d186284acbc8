"""How the practice AIS says no: the error it answers, and the report of calls it does not know."""

from __future__ import annotations

import sqlite3
import threading
from typing import Any

# What a request so odd that nobody foresaw it may raise; it is refused like any other.
UNREADABLE = (ArithmeticError, LookupError, TypeError, ValueError, RecursionError, sqlite3.Error)
REPORT_ENTRIES_MAX = 10_000


class AisError(Exception):
    """One refused request: HTTP status and message; `report` when no document describes the call.

    `what` groups it: "call", "data" (a data request), "cursor", "token" (session gone), "path".
    """

    def __init__(
        self, status: int, message: str, *, report: bool = False, what: str = "call"
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.report, self.what = status, message, report, what


def undocumented(message: str) -> AisError:
    """J061: a call the documents do not describe; answered with an error body and reported."""
    return AisError(500, message, report=True, what="data")


class Report:
    """The refused calls, for tests that assert that a client made none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[dict[str, Any]] = []

    def add(self, method: str, path: str, status: int, message: str) -> None:
        """Note one refused call; the path comes without query, so no token is kept."""
        with self._lock:
            if len(self._entries) < REPORT_ENTRIES_MAX:
                entry = {"method": method, "path": path, "status": status, "reason": message}
                self._entries.append(entry)

    def control(self, body: dict[str, Any]) -> dict[str, Any]:
        """`{}` lists the refused calls, `{"clear": true}` lists and forgets them."""
        with self._lock:
            entries = list(self._entries)
            if body.get("clear"):
                self._entries.clear()
            return {"refused": entries}
