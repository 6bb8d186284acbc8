"""How many steps of a process work at once: a run that waits for somebody keeps no place."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from tieout.clock import Clock

STEPS_AT_ONCE = 8  # each may hold a part of a ledger in memory
LOOK_SECONDS = 0.5  # how often who waits for a place looks whether to go on


class Places:
    """Places to work, taken by a step when it begins and given up when it first has to wait.

    A step that was woken goes on without a place: it may hold what others wait for. What it does
    then is to look at a task again, or to read in a session of which there are few.
    """

    def __init__(self, count: int = STEPS_AT_ONCE) -> None:
        self._free = threading.BoundedSemaphore(count)
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()  # by run: whichever thread of a step has to wait
        self._here = threading.local()  # the run whose step this thread works at

    @contextmanager
    def taken(self, run: str, going_on: Callable[[], None]) -> Iterator[None]:
        """One of them for a step of `run`, waited for; what `going_on` raises ends the waiting."""
        while not self._free.acquire(timeout=LOOK_SECONDS):
            going_on()
        with self._lock:
            self._taken[run] += 1
        self._here.run = run
        try:
            yield
        finally:
            self._here.run = ""
            self.give_up(run)

    def give_up(self, run: str) -> None:
        """Another step may have the place of this run, if it has one."""
        with self._lock:
            if not self._taken[run]:
                del self._taken[run]
                return
            self._taken[run] -= 1
        self._free.release()

    def rest(self) -> None:
        """The same for the run whose step this thread works at."""
        if run := getattr(self._here, "run", ""):
            self.give_up(run)

    def asked(self, run: str, going_on: Callable[[], None]) -> Callable[[], None]:
        """What a run asks while any thread of its step waits: its place goes, then `going_on`.

        Else it could wait for a session whose holder waits for that place.
        """

        def waits() -> None:
            self.give_up(run)
            going_on()

        return waits


class RestingClock:
    """A clock on which who sleeps gives up its place to work."""

    def __init__(self, clock: Clock, places: Places) -> None:
        self._clock, self._places = clock, places

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Seconds that never run backwards, for deadlines."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let `seconds` of this clock pass, without a place."""
        self._places.rest()
        self._clock.sleep(seconds)
