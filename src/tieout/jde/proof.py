"""What makes a read complete: as many rows as counted before and after it, and equal sums.

When a read is counted. A DB fetch limit may end a result set early and say that there are no more
rows (J045, and no document rules it out), and a row can fall between two pages when a row before it
is deleted. So every result of more than one page is counted after its first page and once more at
its end, and one page that is full or holds more than FEW_ROWS_MAX rows is counted after it. A page
of fewer rows is one look at the database, without a place for a row to fall through, and no limit
can have cut it: the limit is 2000 by default and was 500 in older releases, and Oracle's own page
of 100 rows would not work below 100. That is why a poll that finds nothing new needs no count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from tieout.errors import Refused, Trouble, Unavailable
from tieout.jde.page import PEER
from tieout.jde.session import CNC, UNTOUCHED
from tieout.jde.wire import Table

PROVED_READS_MAX = 3
FEW_ROWS_MAX = 99  # of one page; the smallest fetch limit there can be is 100
EXTRA_PAGES_MAX = 5  # rows that arrive while we read; more is a link that never ends


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


class NotWholeError(Exception):
    """A read brought other rows than were counted; `proof` says how many."""

    def __init__(self, proof: Proof) -> None:
        super().__init__(f"{proof.before.count} counted, {proof.rows} read")
        self.proof = proof


class Tally:
    """How many rows a read should bring and how many have come.

    `expected` is a count that the caller has made and compares himself; without it the rows are
    counted here, unless they are few (see above).
    """

    def __init__(self, count: Callable[[], int], expected: int | None, page_rows: int) -> None:
        self._count, self._expected, self._page_rows = count, expected, page_rows
        self._known = expected
        self._pages = 0
        self.rows = 0

    def take(self, rows: int, *, more: bool) -> None:
        """Note a page; counts when it is the first sign that this is not a small result."""
        self.rows += rows
        self._pages += 1
        large = more or self._pages > 1 or rows > FEW_ROWS_MAX or rows >= self._page_rows
        if self._known is None and large:
            self._known = self._count()

    @property
    def short(self) -> bool:
        """Whether rows are missing so far."""
        return self._known is not None and self.rows < self._known

    @property
    def endless(self) -> bool:
        """Whether far more rows came than there are (J17)."""
        extra = EXTRA_PAGES_MAX * self._page_rows
        return self._known is not None and self.rows > self._known + extra

    def settle(self) -> None:
        """NotWholeError unless as many rows came as there were before and are now."""
        if self._known is None or self._expected is not None:
            return
        one_look = self._pages == 1 and self.rows == self._known
        after = self._known if one_look else self._count()
        proof = Proof(Measure(self._known), self.rows, Measure(after))
        if not proof.holds:
            raise NotWholeError(proof)


def unproved(table: Table, proof: Proof, reads: int) -> Trouble:
    """What to say when `reads` reads of `table` were not whole."""
    before, after = proof.before, proof.after
    if proof.rows < before.count and before == after:
        return Refused(
            f"{PEER} counts {before.count} rows of {table.name} but shows {proof.rows}: a DB fetch "
            "limit of the HTML server ends the reading early.",
            untouched="Nothing was sent to Anaplan.", who=CNC,
            do="Raise the DB Fetch Limit of the HTML server (jas.ini) or lower page_rows.",
        )  # fmt: skip
    times = f", {reads} times" if reads > 1 else ""
    return Unavailable(
        f"{table.name} changed while it was read{times}: {before.count} rows before, "
        f"{proof.rows} read, {after.count} after.",
        untouched="Nothing was sent to Anaplan.", who="whoever posts at this time",
        do="Run again when posting has ended.",
    )  # fmt: skip


def broken_off(table: Table, times: int, words: str) -> Refused:
    """The same result set broke off again and again."""
    return Refused(
        f"{PEER} broke off the reading of {table.name} {times} times in a row: {words}.",
        untouched=UNTOUCHED, evidence=words, who=CNC,
        do="Read with a smaller page_rows, or raise resultSetTimeout.",
    )  # fmt: skip


def endless(table: Table) -> Refused:
    """The pages have no end."""
    return Refused(
        f"{PEER} sends pages of {table.name} that were already read: next links lead in a circle.",
        untouched=UNTOUCHED, do="Check the AIS server and what stands between it and us.", who=CNC,
    )  # fmt: skip


def complained(table: Table, words: str) -> Refused:
    """The answer holds the peer's own error."""
    return Refused(
        f"{PEER} answered the reading of {table.name} with an error: {words}.",
        untouched=UNTOUCHED, evidence=words, who=CNC,
    )  # fmt: skip
