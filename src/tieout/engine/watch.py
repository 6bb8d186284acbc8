"""Follow a run that another process executes."""

from __future__ import annotations

import time
from pathlib import Path

from tieout.engine.lock import executor_of
from tieout.engine.story import Books, Ending

LOOK_SECONDS = 0.2


def follow(books: Books, home: Path, run_id: str, timeout_seconds: float) -> Ending | None:
    """The run's ending, or None: nobody executes this instance any more, or time is up.

    Waits in real time: it waits for a process of this machine, not for a peer.
    """
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        # In this order: an executor that ends between the two looks has written the ending.
        executed = executor_of(home) is not None
        ending = books.ending(run_id)
        if ending is not None or not executed:
            return ending
        time.sleep(LOOK_SECONDS)
    return books.ending(run_id)
