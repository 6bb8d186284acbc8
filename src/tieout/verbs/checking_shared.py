"""What `tieout doctor` tells of what runs share: models, sessions, the counts of the desk."""

from __future__ import annotations

from collections.abc import Iterator

from tieout.app import Instance
from tieout.core.findings import counted
from tieout.errors import Refused
from tieout.store import leases, piles, seat_line
from tieout.verbs.checking import Check, Looking, good, notice, trouble


def models(looking: Looking, instance: Instance) -> Iterator[Check]:
    """Which run holds a model, and whether it has ended with a task that nobody saw the end of."""
    with instance.store.database.read() as connection:
        held = leases.listed(connection)
    for lease in held:
        if lease.run_ended and lease.asked is not None:
            yield notice(
                "models",
                f"The run {lease.holder.run} ended, and whether {lease.asked.name} is over in the "
                f"model {lease.place.name} is not known.",
                "The next run there asks Anaplan, and lets it end first.",
            )
    told = ", ".join(f"{lease.place.name} by {lease.holder.run}" for lease in held)
    yield good("models", f"Models of Anaplan in use: {told or 'none'}.")


def sessions(looking: Looking, instance: Instance) -> Iterator[Check]:
    """How many sessions of each connection are open, and by which runs."""
    with instance.store.database.read() as connection:
        taken = seat_line.taken(connection)
        waiting = seat_line.waiting(connection)
    for name in sorted({*taken, *waiting}):
        holders = sorted({run or "a command" for run in taken.get(name, [])})
        told = f"{name}: {counted(len(taken.get(name, [])), 'session')} in use"
        told += f" ({', '.join(holders)})" if holders else ""
        if waiting.get(name):
            told += f"; {counted(waiting[name], 'run')} in line"
        yield good("sessions", f"{told}.")
    if not taken and not waiting:
        yield good("sessions", "No session of JD Edwards is in use.")


def desk(looking: Looking, instance: Instance) -> Iterator[Check]:
    """Whether what the pages tell as counts of rejects is what stands."""
    with instance.store.database.read() as connection:
        apart = piles.miscounted(connection)
    if not apart:
        yield good("desk", "The rejects desk counts what stands.")
        return
    told = Refused(
        f"The rejects desk counts other rejects than stand, in {counted(apart, 'place')}.",
        untouched="The rejects themselves, and every amount.",
        do="Send the file of `tieout doctor --bundle` to the makers; until then believe the lists "
        "(`tieout rejects`), not the counts.",
        who="who runs this machine",
    )
    yield trouble("desk", told)
