"""One executor among several on a PostgreSQL database: it is heard of, and others take its place.

Executors are rows of the store that beat by the database's clock. One that is silent for
TTL_SECONDS is taken for dead: its row goes, and with it every later transaction of that process is
refused (`store.executors.require`), whatever it believes of itself. It stops believing earlier,
after DOUBT_SECONDS without an acknowledged beat.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from tieout.errors import Trouble, Unavailable
from tieout.store import executors, seats
from tieout.store.database import Database
from tieout.store.executors import Executor, Process
from tieout.store.machine import lives, this_machine

BEAT_SECONDS = 2.0
TTL_SECONDS = 10.0
DOUBT_SECONDS = 7.0
AWAY_SECONDS_MAX = 60.0  # how long a step waits for the database to say that it may go on
LOOK_SECONDS = 0.1
CLOSE_SECONDS_MAX = 5.0  # for a thread that waits for the database

log = logging.getLogger(__name__)


def boot_seconds() -> float:
    """Seconds that go on while this process, or this machine, is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def living(connection: Connection) -> list[Executor]:
    """The executors that are not dead: heard of in time, and their process is not seen to be gone.

    A process that ended is seen at once by others of its machine, by others after TTL_SECONDS.
    """
    here = this_machine()
    known = executors.listed(connection)
    return [e for e in known if e.silent_seconds <= TTL_SECONDS and not _gone(e, here)]


def _gone(executor: Executor, here: str) -> bool:
    return executor.machine == here and not lives(executor.pid)


class Membership:
    """This process as one of the executors of a database, from `join` to `close`."""

    def __init__(
        self, database: Database, abi: str, bury: Callable[[], None], *,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:  # fmt: skip
        """`bury` gives what dead executors left to the living; it is called after every beat, in a
        thread of its own, since the library waits for locks and tries again as long as it takes.

        `database` is this object's own, so that no other use of connections delays a beat.
        """
        self.id = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
        self._process = Process(socket.gethostname(), this_machine(), os.getpid(), abi)
        self._database, self._bury = database, bury
        self._beat_seconds = beat_seconds
        self._left, self._lost, self._beaten = (threading.Event() for _ in range(3))
        self._heard = 0.0  # boot seconds before the last beat that the database took
        self._threads: list[threading.Thread] = []

    def join(self) -> None:
        """Be known to the others; nothing is executed under an id that they do not know."""
        self._heard = boot_seconds()
        with self._database.begin() as connection:
            executors.join(connection, self.id, self._process)

    def start(self) -> None:
        """Beat from now on, and once at once: what the dead left is not waited for."""
        self._beat()
        for name, work in (("heartbeat", self._live), ("take-over", self._take_over)):
            self._threads.append(threading.Thread(target=work, name=name, daemon=True))
            self._threads[-1].start()

    def guard(self, connection: Connection) -> None:
        """What each writing transaction of this process begins with; raises Unavailable."""
        executors.require(connection, self.id)

    def kept(self) -> bool:
        """Whether an effect may begin now; while the database is away, waits until it can tell.

        False, and for ever, when this executor was taken for dead or the database stays away.
        """
        began = boot_seconds()
        while not self._lost.is_set():
            if boot_seconds() - self._heard < DOUBT_SECONDS:
                return True
            if boot_seconds() - began > AWAY_SECONDS_MAX:
                self._lost.set()
            self._left.wait(LOOK_SECONDS)
        return False

    def lost(self) -> Trouble:
        """Another process may have taken over."""
        return Unavailable(
            "This process was not heard of by the database for too long, so others may have taken "
            "over its runs; it stopped before the next step.",
            untouched="What was committed stays; the runs are carried on by another executor.",
            do="Nothing; when no executor is left, start `tieout worker` or `tieout serve`.",
        )

    def close(self) -> None:
        """Leave: the others take over at their next beat what is unfinished here."""
        self._left.set()
        self._beaten.set()
        for thread in self._threads:
            thread.join(CLOSE_SECONDS_MAX)
        try:
            with self._database.begin() as connection:
                executors.leave(connection, [self.id])
        except Trouble:  # it is taken for dead after TTL_SECONDS instead
            log.warning("leaving the executors failed", exc_info=True)
        self._database.close()

    def _live(self) -> None:
        while not self._left.wait(self._beat_seconds) and not self._lost.is_set():
            try:
                self._beat()
            except (Trouble, DBAPIError) as error:
                log.warning("no beat: %s", error)

    def _take_over(self) -> None:
        while self._beaten.wait() and not self._left.is_set() and not self._lost.is_set():
            self._beaten.clear()
            self._bury()

    def _beat(self) -> None:
        asked = boot_seconds()
        with self._database.begin() as connection:
            known = executors.beat(connection, self.id)

            def alive() -> set[str]:
                return {one.id for one in living(connection)} | {self.id}

            dead = sorted({one.id for one in executors.listed(connection)} - alive())
            buried = executors.bury(connection, dead, alive) if known and dead else []
            seats.free(connection, buried)
            seats.give_back(connection, self.id)
        if not known:
            self._lost.set()
            self._beaten.set()
            return
        self._heard = asked
        if buried:
            log.warning("taken for dead: %s", ", ".join(buried))
        self._beaten.set()
