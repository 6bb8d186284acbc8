"""What `tieout doctor` tells of what runs share: models of Anaplan, sessions of JD Edwards."""

from __future__ import annotations

from collections.abc import Iterator

from tieout.app import Instance
from tieout.core.findings import counted
from tieout.store import leases, seats
from tieout.verbs.checking import Check, Looking, good, notice


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
        taken = seats.taken(connection)
        waiting = seats.waiting(connection)
    for name in sorted({*taken, *waiting}):
        holders = sorted({run or "a command" for run in taken.get(name, [])})
        told = f"{name}: {counted(len(taken.get(name, [])), 'session')} in use"
        told += f" ({', '.join(holders)})" if holders else ""
        if waiting.get(name):
            told += f"; {counted(waiting[name], 'run')} in line"
        yield good("sessions", f"{told}.")
    if not taken and not waiting:
        yield good("sessions", "No session of JD Edwards is in use.")
