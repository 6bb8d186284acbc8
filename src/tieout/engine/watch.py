"""Follow a run that another process executes."""

from __future__ import annotations

import time

from tieout.engine.lock import executor_of
from tieout.engine.membership import living
from tieout.store import runs
from tieout.store.store import Store

LOOK_SECONDS = 0.2


def executed(store: Store) -> bool:
    """Whether some process executes the runs of this instance right now."""
    if store.database.is_sqlite:
        return executor_of(store.home) is not None
    with store.database.read() as connection:
        return bool(living(connection))


def follow(store: Store, run_id: str, timeout_seconds: float) -> runs.Run:
    """The run when it has ended, nobody executes this instance any more, or time is up.

    Waits in real time: it waits for a process of this machine, not for a peer.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        # In this order: an executor that ends between the two looks has written the ending.
        goes_on = executed(store)
        run = store.run(run_id)
        if run.finished or not goes_on or time.monotonic() >= deadline:
            return run
        time.sleep(LOOK_SECONDS)
