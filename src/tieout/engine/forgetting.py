"""Rows of the engine library about runs that ended long ago are deleted; the run itself stays.

An id that the library forgets could be enqueued again (guide/engine.md §6, pitfall 17). Ours cannot
run again all the same: what is told is the run in the store, and one that has ended is only shown
(`story.tell`), so nothing is deleted of a run that the store does not know as ended.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from dbos import DBOS
from dbos._error import DBOSException

from tieout.errors import Unavailable
from tieout.store import runs
from tieout.store.database import saying_what_failed
from tieout.store.store import Store

STAYS = timedelta(days=7)  # after the end of its run
BATCH = 500
ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


def forget_ended(
    store: Store, *, stays: timedelta = STAYS, batch: int = BATCH,
    goes_on: Callable[[], bool] = lambda: True,
) -> int:  # fmt: skip
    """Delete in batches what is older than `stays`; of how many runs. Stops when not `goes_on`.

    For a process that executes runs. The library is asked for the oldest first, so that a day
    without anything to delete costs one look at one batch. Raises Unavailable.
    """
    try:
        with saying_what_failed():
            return _forgotten(store, stays, batch, goes_on)
    except DBOSException as error:  # this process stopped executing meanwhile
        raise Unavailable(f"The engine does not answer ({type(error).__name__}).") from error


def _forgotten(
    store: Store, stays: timedelta, batch: int, goes_on: Callable[[], bool]
) -> int:  # fmt: skip
    before, kept, forgotten = store.clock.now() - stays, 0, 0
    while goes_on():
        listed = DBOS.list_workflows(
            status=ENDED, limit=batch, offset=kept, load_input=False, load_output=False
        )
        ids = [workflow.workflow_id for workflow in listed]
        old = _ended_before(store, ids, before)
        if not old:
            break
        DBOS.delete_workflows(old)
        forgotten += len(old)
        kept += len(ids) - len(old)
    return forgotten


def _ended_before(store: Store, ids: list[str], before: datetime) -> list[str]:
    """Those of the library's ids whose run ended before; a run's own id follows the first space."""
    run_of = {id_: id_.partition(" ")[2] for id_ in ids}
    with store.database.read() as connection:
        found = runs.among(connection, sorted({*run_of.values()}))
    ended = {run.id for run in found.values() if run.finished_at and run.finished_at < before}
    return [id_ for id_ in ids if run_of[id_] in ended]
