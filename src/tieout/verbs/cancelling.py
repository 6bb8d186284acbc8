"""End a run before its end, as long as nothing of it is on its way."""

from __future__ import annotations

from typing import Any

from tieout.app import Instance
from tieout.engine.story import cancelled, leave_out_parts
from tieout.errors import Misconfigured, Refused
from tieout.store import audit, cancels, runs
from tieout.store.audit import Telling
from tieout.store.cancels import Cancel
from tieout.store.runs import Run
from tieout.verbs import acting, seeing
from tieout.verbs.approving import SUBMIT

WAITING = ("waiting",)


def cancel(instance: Instance, run_id: str, why: str) -> dict[str, Any]:
    """Ask a run to end: at once if nobody tells it, soon if it waits for others within
    a step, else before its next step; its parts with it.

    A run whose import was asked for goes on to its end. Refused for a run that has ended, and for
    one that sends a batch, whose journals are settled one by one. Misconfigured without a reason.
    """
    by = acting.require(instance, "run")
    if not why.strip():
        raise Misconfigured(f"{run_id} is not cancelled without a reason.", do="Say it with --why.")
    at = instance.clock.now()
    with instance.store.begin() as connection:
        found = runs.find(connection, run_id)
        _refuse_unfit(found)
        asked = Cancel(run_id, by.name, why, at)
        if cancels.ask(connection, asked):
            telling = Telling(by.name, "asked run to end", run_id, {"why": why}, run_id)
            audit.append(connection, at, telling)
        standing = cancels.asked(connection, run_id)
    if standing is not None:
        leave_out_parts(instance.store, run_id, f"{run_id} was cancelled")
        found = instance.store.finish_run(run_id, cancelled(standing), only=WAITING)
    return {"ok": True, "will_end": standing is not None, **seeing.run_as_json(found)}


def refuse_unfit(instance: Instance, run_id: str) -> None:
    """Refused for a run that cannot be cancelled, before a person is asked for a reason."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        _refuse_unfit(runs.find(connection, run_id))


def _refuse_unfit(run: Run) -> None:
    if run.finished:
        raise Refused(f"{run.id} has ended ({run.outcome}).", untouched="It stays as it is.")
    if run.part_of:
        raise Refused(
            f"{run.id} is a part of {run.part_of}, which needs every one of them.",
            untouched="It goes on.",
            do=f"`tieout cancel {run.part_of}` ends the whole run.",
        )
    if run.kind == SUBMIT:
        raise Refused(
            f"{run.id} sends the approved batch {run.asked.get('batch', '')}; its journals are "
            "looked for one by one, so it is not cancelled.",
            untouched="It goes on.",
            do="`tieout withdraw` makes a batch void of which nothing was sent.",
        )
