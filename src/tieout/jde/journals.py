"""What JD Edwards shows of one journal: its lines, its batch, and rows that wait in the batch file.

This is the only proof there is of a journal: the answer to its submission is none. A look never
misses a journal that moves meanwhile from the batch file into the ledger, since it looks in that
order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from tieout.jde import query
from tieout.jde.client import Jde
from tieout.jde.proof import FEW_ROWS_MAX
from tieout.jde.query import Where
from tieout.jde.tables import BATCH_FILE, BATCHES, JOURNAL_LINES
from tieout.jde.wire import AMOUNT

JOURNAL_BATCHES = "G"
POSTED, PROCESSED, RECONCILIATION = "P", "1", "2"  # EDSP 2: not an entry (jde-ais.md §4.6)
STATES = {"": "pending", "A": "approved", "D": "posted", "E": "in error", "U": "in use"}
# A plain condition, so that AIS can also be asked for the rows after a key (wire.query).
EVERY_DOCUMENT = query.at_least("document", 0)
CELL = ("account_id", "fiscal_year", "period", "ledger")
FILED = (
    "edi_user", "control_batch", "transaction", "processed", "batch_type", "batch_number",
    "reference_1", "reference_2",
)  # fmt: skip
SUMS: dict[str, Any] = {
    "account_id": pl.String, "fiscal_year": pl.Int32, "period": pl.Int16, "ledger": pl.String,
    "lines": pl.Int64, "amount": AMOUNT, "debit": AMOUNT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class JournalKey:
    """What one batch of our journals is found by; `token` stands in reference 1 or 2 of each line.

    `batch_number` 0: none was reserved. `control_batch` "": none was sent.
    """

    token: str
    document_type: str
    batch_number: int = 0
    control_batch: str = ""
    batch_type: str = JOURNAL_BATCHES


@dataclass(frozen=True, slots=True)
class Header:
    """One row of F0011; `state` is pending, approved, posted, in error, in use or unknown."""

    batch_type: str
    batch_number: int
    state: str
    approved: str
    user: str


@dataclass(frozen=True, slots=True, eq=False)
class FoundJournal:
    """One look: rows with our token, and rows that stand under our numbers without it.

    `lines` and `others` are JOURNAL_LINES; `filed` counts rows of the batch file by FILED. What was
    not looked at is None.
    """

    key: JournalKey
    lines: pl.DataFrame
    others: pl.DataFrame
    filed: pl.DataFrame | None
    headers: tuple[Header, ...] | None

    @property
    def sums(self) -> pl.DataFrame:
        """SUMS of our lines: one row per account, period and ledger, exact."""
        return sums(self.lines)

    @property
    def posted_codes(self) -> dict[str, int]:
        """How many of our lines have each posted code; "" is unposted, "P" posted."""
        counted = self.lines.group_by("posted").len().sort("posted")
        return dict(counted.iter_rows())

    @property
    def posted(self) -> bool:
        """Whether we have lines and every one of them is posted."""
        return set(self.posted_codes) == {POSTED}

    @property
    def batch_numbers(self) -> tuple[int, ...]:
        """The batches our lines stand in; another than that of the key was drawn by JDE."""
        return tuple(self.lines["batch_number"].unique().sort())

    @property
    def documents(self) -> tuple[tuple[str, int, str], ...]:
        """Type, number and company of our documents."""
        names = ("document_type", "document", "document_company")
        return tuple(self.lines.select(names).unique().sort(names).iter_rows())

    @property
    def clash(self) -> bool:
        """Whether rows without our token stand under our batch number or control batch."""
        return not self.others.is_empty() or self._filed(ours=False) > 0

    @property
    def waiting(self) -> int:
        """Our rows in the batch file that are not processed: they may still become a journal."""
        return self._filed(pl.col("processed") != PROCESSED, ours=True)

    @property
    def processed(self) -> int:
        """Our rows in the batch file that are processed."""
        return self._filed(pl.col("processed") == PROCESSED, ours=True)

    @property
    def nothing(self) -> bool:
        """Whether JD Edwards shows nothing of it; only then can it be absent."""
        return self.lines.is_empty() and not self.clash and self._filed(ours=True) == 0

    def _filed(self, *conditions: pl.Expr, ours: bool) -> int:
        if self.filed is None:
            return 0
        token = _ours(self.key)
        return int(self.filed.filter(*conditions, token if ours else ~token)["count"].sum())


def find_journal(jde: Jde, key: JournalKey, *, batch_file: bool = True) -> FoundJournal:
    """Look for a journal, in at most 3 requests unless it has more than one page of lines.

    More than 99 lines are counted as well; then the header of the batch is not read (None). A
    journal that was found whole needs no look at the batch file: `batch_file=False` reads lines and
    header.
    """
    filed = _filed(jde, key) if batch_file else None
    rows = jde.read_whole(JOURNAL_LINES, query.every(EVERY_DOCUMENT, _by_number_or_token(key)))
    lines = rows.filter(_ours(key))
    others = rows.filter(~_ours(key), _numbered(key))
    counted = rows.height > min(FEW_ROWS_MAX, jde.page_rows - 1)
    headers = None
    if not (batch_file and counted):
        numbers = {*lines["batch_number"], *([key.batch_number] if key.batch_number else [])}
        headers = _headers(jde, key.batch_type, sorted(numbers))
    return FoundJournal(key, lines, others, filed, headers)


def sums(rows: pl.DataFrame) -> pl.DataFrame:
    """SUMS of rows: how many lines, and what they and their debits add up to, per cell."""
    debit = pl.when(pl.col("amount") > 0).then(pl.col("amount")).otherwise(0)
    totals = rows.group_by(CELL).agg(
        lines=pl.len(), amount=pl.col("amount").sum(), debit=debit.sum()
    )
    return totals.select(pl.col(n).cast(t) for n, t in SUMS.items()).sort(CELL)


def _filed(jde: Jde, key: JournalKey) -> pl.DataFrame:
    """Rows of the batch file under our numbers or token, counted by FILED."""
    parts: list[Where] = [_by_number_or_token(key)]
    if key.control_batch:
        parts.append(query.equal("control_batch", key.control_batch))
    where = query.every(
        EVERY_DOCUMENT, query.not_equal("processed", RECONCILIATION), query.either(*parts)
    )
    found = jde.groups(
        BATCH_FILE, group_by=FILED, where=where, known=lambda f: f.height <= FEW_ROWS_MAX
    )
    batch = pl.col("control_batch") == key.control_batch if key.control_batch else pl.lit(False)
    return found.filter(_ours(key) | _numbered(key) | batch)


def _by_number_or_token(key: JournalKey) -> Where:
    """By batch number, by reference 2 (which has an index) and by reference 1 in our type."""
    tokens = (
        query.equal("reference_2", key.token),
        query.Every((
            query.equal("document_type", key.document_type), query.equal("reference_1", key.token),
        )),
    )  # fmt: skip
    if not key.batch_number:
        return query.either(*tokens)
    number = query.Every((
        query.equal("batch_type", key.batch_type), query.equal("batch_number", key.batch_number),
    ))  # fmt: skip
    return query.either(number, *tokens)


def _ours(key: JournalKey) -> pl.Expr:
    return (pl.col("reference_1") == key.token) | (pl.col("reference_2") == key.token)


def _numbered(key: JournalKey) -> pl.Expr:
    if not key.batch_number:
        return pl.lit(False)
    return (pl.col("batch_type") == key.batch_type) & (pl.col("batch_number") == key.batch_number)


def _headers(jde: Jde, batch_type: str, numbers: Sequence[int]) -> tuple[Header, ...]:
    if not numbers:
        return ()
    where = query.every(
        query.equal("batch_type", batch_type), query.one_of("batch_number", list(numbers))
    )
    names = ("batch_type", "batch_number", "status", "approved", "user")
    return tuple(
        Header(kind, number, STATES.get(status, "unknown"), approved, user.strip())
        for kind, number, status, approved, user in jde.read_whole(
            BATCHES, where, columns=names
        ).iter_rows()
    )
