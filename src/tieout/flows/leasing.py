"""One task at a time in a model of Anaplan: only the run that holds the model asks for one."""

from __future__ import annotations

from typing import Any

from tieout.errors import Busy, Trouble, Unavailable, Uncertain
from tieout.flows.world import World
from tieout.store import leases
from tieout.store.leases import Asked, Holder, Lease, Place
from tieout.store.steps import Step
from tieout.store.tasks import TaskKey

LOOK_SECONDS = 0.5  # between two looks whether the holder has let the model go


def hold_model(step: Step, world: World[Any]) -> Lease:
    """The lease of the model for this run, which may have it already from an earlier try.

    Another run that has it is waited for, at most as long as a task may take, then Busy. Of one
    that has ended only the task is waited for: Anaplan is asked what became of it.
    """
    place, holder = _place(world), Holder(step.run.id, world.executor)
    give_up = world.clock.monotonic() + world.anaplan.task_seconds_max
    while True:  # ends at give_up, or when the task of the holder has ended
        lease = _taken(step, world, place, holder)
        if lease.holder.run == holder.run:
            return lease
        if lease.run_ended:
            let_its_task_end(world, lease)
            with world.store.begin() as connection:
                leases.take_over(connection, lease, holder, step.at())
        elif world.clock.monotonic() >= give_up:
            raise _held(lease)
        else:
            world.patience()
            world.give_way()
            world.clock.sleep(LOOK_SECONDS)


def _taken(step: Step, world: World[Any], place: Place, holder: Holder) -> Lease:
    with world.store.database.read() as connection:
        lease = leases.find(connection, place)
    if lease is not None and lease.holder == holder:  # since an earlier step
        return lease
    return world.store.database.transact(lambda c: leases.take(c, place, holder, step.at()))


def let_its_task_end(world: World[Any], lease: Lease) -> None:
    """Wait until nothing runs any more that the holder of this lease may have asked for."""
    if lease.asked is not None:
        asked = lease.asked
        world.anaplan.settle(
            asked.kind, asked.anaplan_id, lease.task, asked.known, name=asked.name,
            progress=lambda _state: world.patience(),
        )  # fmt: skip


def start_import_once(step: Step, world: World[Any], ours: Lease, key: TaskKey, name: str) -> str:
    """Start an import or process and return its task; what an earlier try started is adopted.

    The tasks that are there before the start are written down first, with the lease: only where
    that was done by an earlier try can a task that is new since then be ours.
    """
    before, database = world.store.task(key), world.store.database
    known = before.known if before else sorted(world.anaplan.task_ids(key.kind, key.anaplan_id))
    noted = database.transact(lambda c: leases.intend(c, ours, key, name, known, step.at()))
    if noted.task_id is not None:
        return noted.task_id
    asked = Asked(key.kind, key.anaplan_id, name, noted.known)
    task = _started(step, world, ours, asked, again=before is not None)
    database.transact(lambda c: leases.note_task(c, ours, key, asked, task, step.at()))
    return task


def start_export(step: Step, world: World[Any], ours: Lease, export_id: str, name: str) -> str:
    """Start an export and return its task; one that an earlier try started is let end first."""
    let_its_task_end(world, ours)
    known = tuple(sorted(world.anaplan.task_ids("exports", export_id)))
    asked = Asked("exports", export_id, name, known)
    _note(step, world, ours, asked, None)
    task = _started(step, world, ours, asked, again=False)
    _note(step, world, ours, asked, task)
    return task


def let_model_go(step: Step, world: World[Any]) -> None:
    """Give the lease back with the commit of this step, which knows that the task has ended."""
    place = _place(world)
    step.after(lambda connection: leases.release(connection, place, step.run.id))


def _started(step: Step, world: World[Any], ours: Lease, asked: Asked, again: bool) -> str:
    try:
        return world.anaplan.start(
            asked.kind, asked.anaplan_id, asked.known, again=again, name=asked.name
        )
    except Uncertain:
        raise
    except Trouble as error:
        if isinstance(error, Unavailable) and type(error) is not Unavailable:
            raise  # what we keep was away, perhaps after the start: the lease remembers it
        if not again:  # else an earlier try may have started it
            _note(step, world, ours, None, None)
        raise


def _note(
    step: Step, world: World[Any], ours: Lease, asked: Asked | None, task: str | None
) -> None:
    world.store.database.transact(lambda c: leases.note(c, ours, asked, task, step.at()))


def _place(world: World[Any]) -> Place:
    model = world.anaplan.resolve()
    return Place(world.tenant, model.workspace_id, model.id, model.name)


def _held(lease: Lease) -> Busy:
    told = f" with {lease.asked.name}" if lease.asked else ""
    return Busy(
        f"The Anaplan model {lease.place.name} is in use by the run {lease.holder.run}{told}, and "
        "was not let go in the time that a task may take.",
        untouched="Nothing was started there by this run.",
        do=f"See how it goes on (`tieout show {lease.holder.run}`), then run again.",
    )
