"""A process that asks a hostile peer, and tells how each answer ended and how much it took.

`python hostile_program.py URL SEED FIRST COUNT`; prints one JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from hostile import Item

from tieout.anaplan.client import Anaplan, Connection
from tieout.anaplan.sign_in import Basic
from tieout.anaplan.token import Tokens
from tieout.errors import Trouble
from tieout.http import Http
from tieout.jde.client import Jde
from tieout.jde.credentials import Credentials
from tieout.jde.tables import COMPANIES
from tieout.outgoing import Allowed
from tieout.project import JdeConnection

EXCHANGE_SECONDS = 1.0
SENTENCE_CHARACTERS_MAX = 1_200


class Hurried:
    """A clock on which waits between tries are over at once."""

    def __init__(self) -> None:
        self._slept = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 26, 9, tzinfo=UTC)

    def monotonic(self) -> float:
        return time.monotonic() + self._slept

    def sleep(self, seconds: float) -> None:
        self._slept += seconds


def ask(base: str, number: int, target: str) -> None:
    """One question to the peer; returns when its answer was understood."""
    clock, url = Hurried(), f"{base}/{number}"
    http = Http(
        url, system="The peer", clock=clock, allowed=Allowed([base]), allow_http=True, tries=2,
        timeout_seconds=EXCHANGE_SECONDS,
    )  # fmt: skip
    try:
        if target == "json":
            http.send("GET", "/x", repeatable=True).json_object()
        elif target.startswith("jde"):
            connection = JdeConnection(url=url, environment="JPD920", secret="s", allow_http=True)
            jde = Jde(http, connection, lambda: Credentials("TIEOUT", "practice"), clock)
            if target == "jde rows":
                jde.read_whole(COMPANIES, None, columns=["company", "name"])
            else:
                jde.session.current()
        else:
            user = {"username": "a@b", "password": "practice"}
            if target == "anaplan sign-in":
                Tokens(http, Basic(http, lambda: user), clock).current()
                return
            chosen = Connection(workspace="Finance", model="FP&A")
            Anaplan(http, http, chosen, Basic(http, lambda: user), clock).list_items("101000000001")
    finally:
        http.close()


def main() -> None:
    base, seed, first, count = sys.argv[1], *map(int, sys.argv[2:])
    failures: list[str] = []
    ended = {"trouble": 0, "understood": 0}
    longest = 0.0
    for number in range(first, first + count):
        item = Item(seed, number)
        began = time.monotonic()
        shown = f"{number} ({item.kind}, {item.target})"
        try:
            ask(base, number, item.target)
            ended["understood"] += 1
            if not item.may_pass:
                failures.append(f"{shown} was understood")
        except Trouble as trouble:
            ended["trouble"] += 1
            told = trouble.sentence()
            if "\n" in told or len(told) > SENTENCE_CHARACTERS_MAX or not told.endswith("."):
                failures.append(f"{shown} ended in {told[:200]!r}")
        except Exception as error:  # noqa: BLE001 - that there are none is the claim
            failures.append(f"{shown} ended in {type(error).__name__}: {str(error)[:200]}")
        took = time.monotonic() - began
        longest = max(longest, took)
    print(json.dumps({**ended, "failures": failures, "peak_mb": peak(), "longest": longest}))


def peak() -> float:
    """The most memory this process ever had, in megabytes.

    By its own status where there is one: `ru_maxrss` begins with that of who started the process.
    """
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
