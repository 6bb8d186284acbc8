"""Calls that wait: kept in the practice state until their time comes or somebody lets them go."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from tieout.sim.jde.ledger import Ledger

KEPT = "waiting calls"
SYNCHRONOUS, ASYNCHRONOUS, SINGLE, USER_SINGLE, USER_ASYNCHRONOUS = (
    "JDE__DEFAULT", "JDE__ASYNCH", "JDE__SINGLE", "JDE__USER_SINGLE", "JDE__USER_ASYNCH",
)  # fmt: skip
QUEUES = (SYNCHRONOUS, ASYNCHRONOUS, SINGLE, USER_SINGLE, USER_ASYNCHRONOUS)
AUTHORS = {"JDE_DEFAULT": SYNCHRONOUS, "JDE_ASYNC": ASYNCHRONOUS, "JDE_SINGLE": SINGLE,
           "JDE_USER_SINGLE": USER_SINGLE, "JDE_USER_ASYNC": USER_ASYNCHRONOUS}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One accepted call: who calls what with which body, and how its run is disturbed."""

    user: str
    date_format: str
    name: str
    body: str
    queue: str = SYNCHRONOUS
    plan: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that waits until `due` on the practice clock, or (None) until it is released.

    `behind` waits for nothing but the calls before it in its single queue.
    """

    number: int
    due: float | None
    call: Call
    behind: bool = False

    def holds_up(self, call: Call) -> bool:
        """J088: whether a call must wait until this one has run."""
        if call.queue != self.call.queue or call.queue not in (SINGLE, USER_SINGLE):
            return False
        return call.queue == SINGLE or call.user == self.call.user


class CallQueue:
    """The calls that wait, in the order in which they came."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def waiting(self) -> list[Waiting]:
        """All that wait."""
        found = json.loads(self._ledger.recall(KEPT) or "[]")
        return [Waiting(w["number"], w["due"], Call(**w["call"]), w["behind"]) for w in found]

    def add(self, call: Call, due: float | None, *, behind: bool = False) -> None:
        """Let a call wait."""
        with self._ledger.transaction():
            kept = self.waiting()
            number = max((w.number for w in kept), default=0) + 1
            self._keep([*kept, Waiting(number, due, call, behind)])

    def due(self, now: float) -> list[Call]:
        """Those whose time has come, or that nothing holds up any more; they wait no longer."""
        with self._ledger.transaction():
            kept, taken = self.waiting(), []
            for waiting in sorted(kept, key=lambda w: (w.due or 0, w.number)):
                before = [w for w in kept if w.number < waiting.number and w not in taken]
                free = waiting.behind and not any(w.holds_up(waiting.call) for w in before)
                if free or (waiting.due is not None and waiting.due <= now):
                    taken.append(waiting)
            return self._take(kept, taken)

    def take(self, number: int = 0) -> list[Call]:
        """All that wait, or the one with this number; they wait no longer."""
        with self._ledger.transaction():
            kept = self.waiting()
            return self._take(kept, [w for w in kept if number in (0, w.number)])

    def _take(self, kept: list[Waiting], taken: list[Waiting]) -> list[Call]:
        if taken:
            self._keep([w for w in kept if w not in taken])
        return [w.call for w in taken]

    def holds_up(self, call: Call) -> bool:
        """J088: whether a call of the same single queue waits before this one."""
        return any(w.holds_up(call) for w in self.waiting())

    def _keep(self, waiting: list[Waiting]) -> None:
        self._ledger.remember(KEPT, json.dumps([asdict(w) for w in waiting]))
