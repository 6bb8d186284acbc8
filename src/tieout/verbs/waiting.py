"""How much waits for a person: what the menu counts beside its words."""

from __future__ import annotations

from tieout.app import Instance
from tieout.store import batches, configs, piles
from tieout.verbs import acting


def counts(instance: Instance) -> dict[str, int]:
    """`rejects` to settle, and `approvals` to give: of batches and of configurations."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        return {
            "rejects": piles.undecided(connection),
            "approvals": batches.waiting(connection)
            + len(configs.proposals(connection, ("prepared",))),
        }
