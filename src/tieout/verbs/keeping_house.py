"""Once a day, in a process that executes runs: what nobody needs any more goes away."""

from __future__ import annotations

import logging
import threading

from tieout.engine.durable import Engine
from tieout.engine.forgetting import forget_ended
from tieout.errors import Trouble
from tieout.store.store import Store

FIRST_SECONDS = 60.0  # after the start, which has better things to do
PAUSE_SECONDS = 24 * 3600.0

log = logging.getLogger(__name__)


class House:
    """Does it in a thread of its own; several processes may, each finds less to do."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store, self._engine = store, engine
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="house", daemon=True)

    def start(self) -> None:
        """From now on, until `close`."""
        self._thread.start()

    def close(self, timeout_seconds: float) -> None:
        """Begin nothing more; a batch under way comes to its end."""
        self._closing.set()
        self._thread.join(timeout_seconds)

    def tidy(self) -> tuple[int, int]:
        """Forget ended runs in the engine and remove files of no step; how many of each."""
        forgotten = 0
        if self._engine.alive:
            forgotten = forget_ended(self._store, goes_on=self._goes_on)
        removed = len(self._store.sweep()) if self._goes_on() else 0
        if forgotten or removed:
            log.info("the engine forgot %s runs, %s files of no step are gone", forgotten, removed)
        return forgotten, removed

    def _goes_on(self) -> bool:
        return not self._closing.is_set() and self._engine.alive

    def _work(self) -> None:
        pause = FIRST_SECONDS
        while not self._closing.wait(pause):
            pause = PAUSE_SECONDS
            try:
                self.tidy()
            except Trouble as trouble:  # the database may be away; tomorrow is another day
                log.warning("what nobody needs was not taken away: %s", trouble.sentence())
            except Exception:  # tomorrow there is nobody else to do it
                log.exception("what nobody needs was not taken away")
