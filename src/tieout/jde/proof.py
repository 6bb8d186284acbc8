"""What makes a read complete: as many rows as counted before and after it, and equal sums."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tieout.errors import Refused
from tieout.jde.page import PEER
from tieout.jde.session import CNC
from tieout.jde.wire import Table

PROVED_READS_MAX = 3


@dataclass(frozen=True, slots=True)
class Measure:
    """COUNT(*) and sums of one selection, by AGGREGATION; compared only with its like."""

    count: int
    sums: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """A read whose rows are as many as the server counted before and after, with equal sums."""

    before: Measure
    rows: int
    after: Measure

    @property
    def holds(self) -> bool:
        """Whether nothing moved and nothing is missing."""
        return self.before == self.after and self.rows == self.before.count


def unproved(table: Table, proof: Proof) -> Refused:
    before, after = proof.before, proof.after
    if proof.rows < before.count and before == after:
        return Refused(
            f"{PEER} counts {before.count} rows of {table.name} but shows {proof.rows}: a DB fetch "
            "limit of the HTML server ends the reading early.",
            untouched="Nothing was sent to Anaplan.", who=CNC,
            do="Raise the DB Fetch Limit of the HTML server (jas.ini) or lower page_rows.",
        )  # fmt: skip
    return Refused(
        f"{table.name} changed while it was read, {PROVED_READS_MAX} times: {before.count} rows "
        f"before, {proof.rows} read, {after.count} after.",
        untouched="Nothing was sent to Anaplan.", who="whoever posts at this time",
        do="Run again when posting has ended.",
    )  # fmt: skip
