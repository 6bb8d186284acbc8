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
    """A call that waits until `due` on the practice clock, or (None) until it is released."""

    number: int
    due: float | None
    call: Call


class CallQueue:
    """The calls that wait, in the order in which they came."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def waiting(self) -> list[Waiting]:
        """All that wait."""
        found = json.loads(self._ledger.recall(KEPT) or "[]")
        return [Waiting(w["number"], w["due"], Call(**w["call"])) for w in found]

    def add(self, call: Call, due: float | None) -> None:
        """Let a call wait."""
        with self._ledger.transaction():
            kept = self.waiting()
            number = max((w.number for w in kept), default=0) + 1
            self._keep([*kept, Waiting(number, due, call)])

    def take(self, now: float | None, number: int = 0) -> list[Call]:
        """Those that are due (`now` None: all, or the one with this number); they wait no more."""
        with self._ledger.transaction():
            kept = self.waiting()
            if now is None:
                taken = [w for w in kept if number in (0, w.number)]
            else:
                taken = [w for w in kept if w.due is not None and w.due <= now]
            if taken:
                self._keep([w for w in kept if w not in taken])
            return [w.call for w in sorted(taken, key=lambda w: (w.due or 0, w.number))]

    def before(self, call: Call) -> bool:
        """J088: whether a call of the same single queue waits, and this one behind it."""
        if call.queue not in (SINGLE, USER_SINGLE):
            return False
        return any(
            w.call.queue == call.queue and (call.queue == SINGLE or w.call.user == call.user)
            for w in self.waiting()
        )

    def _keep(self, waiting: list[Waiting]) -> None:
        self._ledger.remember(KEPT, json.dumps([asdict(w) for w in waiting]))
