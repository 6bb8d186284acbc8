"""The requests that all processes together may send to one Anaplan tenant: one row says whose turn.

The generic cell rate algorithm (GCRA): the row holds until when the tenant's requests are used up,
and each one moves that by the time it is worth. Whoever asks is never turned away but told how
long to wait, so that nobody has to ask twice.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, Table, Text, text

from tieout.clock import Clock
from tieout.errors import Unavailable
from tieout.store.database import Database
from tieout.store.schema import metadata
from tieout.store.server_time import MICROSECONDS, clock_words

WINDOW_SECONDS = 60.0
# A request that is on its way for so long still counts in the window it was given its turn in.
LATE_SECONDS_MAX = 2.0
TURN_SECONDS_MAX = 300.0  # longer than the longest pause that a 429 may ask for, and a queue
HOLD_SECONDS = 10.0  # after a 429 that names no time
TURNS_AT_ONCE, BUSY_SECONDS = 8, 0.5  # for a process whose last request is so little time ago
LOOK_AGAIN_SECONDS = 1.0  # who waited longer looks whether a 429 came meanwhile

app_budget = Table(
    "app_budget",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("used_until", BigInteger, nullable=False),  # microseconds since 1970
    Column("held_until", BigInteger, nullable=False),  # the same: a 429 asked for this pause
)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` requests in any window, `burst` of them at once after a rest.

    What may go at once is taken off the steady rate: after a burst, a whole window of requests at
    that rate must still fit (burst + window / worth = limit).
    """

    limit: int
    burst: int
    window_seconds: float = WINDOW_SECONDS
    late_seconds: float = LATE_SECONDS_MAX

    @property
    def worth(self) -> int:
        """The microseconds that one request uses up."""
        window = (self.window_seconds + self.late_seconds) * MICROSECONDS
        return math.ceil(window / (self.limit - self.burst))

    @property
    def at_once(self) -> int:
        """The microseconds that may be used up ahead of time."""
        return self.burst * self.worth


@dataclass(frozen=True, slots=True)
class _Turn:
    """One request may go between these two moments of the clock that was passed in."""

    begins: float
    ends: float


class Budget:
    """The turns of one process; safe to use from many threads."""

    def __init__(
        self, database: Database, tenant: str, rate: Rate, clock: Clock, *, by_database: bool = True
    ) -> None:
        """`by_database`: by the database's clock, that all share, else by `clock`, if they do."""
        self._database, self._tenant, self._rate, self._clock = database, tenant, rate, clock
        self._by_database = by_database
        self._several = min(TURNS_AT_ONCE, max(1, rate.burst // 2))
        self._lock = threading.Lock()
        self._turns: deque[_Turn] = deque()
        self._asked = -math.inf

    def wait(self) -> None:
        """Let time pass until one more request may go.

        Unavailable when its turn would come later than in TURN_SECONDS_MAX. Who oversleeps, like a
        process that was stopped, or learns of a 429, asks anew.
        """
        give_up = self._clock.monotonic() + TURN_SECONDS_MAX
        while self._clock.monotonic() <= give_up:
            turn = self._next()
            pause = turn.begins - self._clock.monotonic()
            if pause > 0:
                self._clock.sleep(pause)
            held = pause > LOOK_AGAIN_SECONDS and self._held()
            if not held and self._clock.monotonic() <= turn.ends:
                return
        raise _too_long(self._tenant)

    def refused(self, seconds: float | None) -> None:
        """A 429 came: nobody's turn is earlier than the peer asked, and then at the steady rate."""
        asked = HOLD_SECONDS if seconds is None else min(seconds, TURN_SECONDS_MAX)
        hold = round(asked * MICROSECONDS)
        with self._lock:
            self._turns.clear()
            with self._database.begin() as connection:
                self._hold(connection, hold)

    def _next(self) -> _Turn:
        """A turn that was taken and not used, else new ones: several when requests come fast."""
        with self._lock:
            now = self._clock.monotonic()
            busy, self._asked = now - self._asked < BUSY_SECONDS, now
            while self._turns and self._turns[0].ends < now:
                self._turns.popleft()
            if not self._turns:
                several = busy and self._by_database
                self._turns.extend(self._taken(self._several if several else 1))
            return self._turns.popleft()

    def _taken(self, turns: int) -> list[_Turn]:
        with self._database.begin() as connection:
            asked, now = self._clock.monotonic(), self._now(connection)
            row = connection.execute(
                text(_TAKE.format(now=now)),
                {
                    "tenant": self._tenant, "worth": turns * self._rate.worth,
                    "burst": self._rate.at_once, "most": self._rate.at_once + _AHEAD_MAX,
                },
            ).first()  # fmt: skip
        if row is None:
            raise _too_long(self._tenant)
        # The row was moved between `asked` and `told`: counted from either, whichever is safe.
        told, latest = self._clock.monotonic(), asked + self._rate.late_seconds / 2
        ahead = [row.ahead - later * self._rate.worth for later in reversed(range(turns))]
        waits = [max(0, each - self._rate.at_once) / MICROSECONDS for each in ahead]
        if not self._by_database:  # such a clock may run at any speed, so nobody is ever late
            latest = math.inf
        return [_Turn(told + wait, latest + wait) for wait in waits]

    def _hold(self, connection: Connection, hold: int) -> None:
        now = self._now(connection)
        values = {"tenant": self._tenant, "hold": hold, "used": hold + self._rate.at_once}
        connection.execute(text(_HOLD.format(now=now)), values)

    def _held(self) -> bool:
        with self._database.read() as connection:
            now = self._now(connection)
            values = {"tenant": self._tenant, "most": _AHEAD_MAX}
            return connection.execute(text(_HELD.format(now=now)), values).first() is not None

    def _now(self, connection: Connection) -> str:
        """The SQL of now in microseconds: of the database, else of the clock that all share."""
        if self._by_database:
            return clock_words(connection)
        return str(round(self._clock.now().timestamp() * MICROSECONDS))


_AHEAD_MAX = round(TURN_SECONDS_MAX * MICROSECONDS)
# One statement each, so that the row is held no longer than it takes. {now} is our own SQL. A row
# that is further ahead than anybody may wait was written before the clock was set back.
_TAKE = """
    INSERT INTO app_budget (tenant, used_until, held_until) VALUES (:tenant, {now} + :worth, 0)
    ON CONFLICT (tenant) DO UPDATE SET used_until = :worth + CASE
        WHEN app_budget.used_until - {now} > :most THEN {now} + :burst
        WHEN app_budget.used_until > {now} THEN app_budget.used_until ELSE {now} END
    WHERE app_budget.used_until + :worth - {now} <= :most
        OR app_budget.used_until - {now} > :most
    RETURNING used_until - {now} AS ahead
"""
_HELD = """
    SELECT tenant FROM app_budget
    WHERE tenant = :tenant AND held_until > {now} AND held_until - {now} <= :most
"""
_HOLD = """
    INSERT INTO app_budget (tenant, used_until, held_until)
    VALUES (:tenant, {now} + :used, {now} + :hold)
    ON CONFLICT (tenant) DO UPDATE SET
        used_until = CASE WHEN app_budget.used_until > {now} + :used
            THEN app_budget.used_until ELSE {now} + :used END,
        held_until = CASE WHEN app_budget.held_until > {now} + :hold
            THEN app_budget.held_until ELSE {now} + :hold END
"""


def _too_long(tenant: str) -> Unavailable:
    return Unavailable(
        f"The requests that the Anaplan tenant {tenant} allows a minute are used up for the next "
        f"{TURN_SECONDS_MAX / 60:.0f} minutes.",
        untouched="This request was not sent.",
        do="Run again later, or run fewer flows at the same time.",
    )  # fmt: skip
