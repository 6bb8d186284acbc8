"""Figures of an instance for a program that watches it: counts, no names and no amounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tieout.app import Instance
from tieout.store import measures
from tieout.verbs import acting

RIGHT: Final = "read metrics"


@dataclass(frozen=True, slots=True)
class Figures:
    """What is counted; a mapping holds a count by its word."""

    runs: Mapping[str, int]
    open_rejects: Mapping[str, int]
    waiting_batches: int


def measure(instance: Instance) -> Figures:
    """The counts as they are now."""
    acting.require(instance, RIGHT)
    with instance.store.database.read() as connection:
        return Figures(
            measures.runs(connection), measures.open_rejects(connection),
            measures.waiting_batches(connection),
        )  # fmt: skip
