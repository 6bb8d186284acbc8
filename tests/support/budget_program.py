"""A process that asks a practice Anaplan as fast as the budget of its tenant allows.

    python budget_program.py '{"database": …, "url": …, "tenant": …, …}'

Prints how many requests it sent, how many were answered with 429, and what a turn cost.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tieout.clock import SystemClock
from tieout.http import Call, Http
from tieout.outgoing import Allowed
from tieout.store.budget import Budget, Rate
from tieout.store.database import Database


def main(asked: dict[str, Any]) -> None:
    """Ask with several threads until the time is over."""
    clock, calls = SystemClock(), list[Call]()
    names = ("limit", "burst", "window_seconds", "late_seconds")
    rate = Rate(**{name: asked[name] for name in names})
    budget = Budget(Database(asked["database"]), asked["tenant"], rate, clock)
    http = Http(
        asked["url"],
        system="Anaplan",
        clock=clock,
        allow_http=True,
        allowed=Allowed([asked["url"]]),
        told=calls.append,
    )
    http.keep(budget)
    end = time.monotonic() + asked["seconds"]

    def ask() -> None:
        while time.monotonic() < end:
            http.send("GET", "/2/0/users/me", repeatable=True)

    with ThreadPoolExecutor(asked["threads"]) as threads:
        for each in [threads.submit(ask) for _ in range(asked["threads"])]:
            each.result()
    http.close()
    refused = sum(call.status == 429 for call in calls)
    print(json.dumps({"sent": len(calls), "refused": refused}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
