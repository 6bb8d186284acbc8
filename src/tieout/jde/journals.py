"""What JD Edwards shows of one journal: its lines, its batch, and rows that wait in the batch file.

This is the only proof there is of a journal: the answer to its submission is none. A look never
misses a journal that moves meanwhile from the batch file into the ledger, since it looks in that
order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from tieout.jde import query
from tieout.jde.client import Jde
from tieout.jde.proof import FEW_ROWS_MAX
from tieout.jde.query import Where
from tieout.jde.tables import BATCH_FILE, BATCHES, JOURNAL_LINES

JOURNAL_BATCHES = "G"
POSTED, PROCESSED, RECONCILIATION = "P", "1", "2"  # EDSP 2: not an entry (jde-ais.md §4.6)
# A plain condition, so that AIS can also be asked for the rows after a key (wire.query).
EVERY_DOCUMENT = query.at_least("document", 0)


@dataclass(frozen=True, slots=True)
class JournalKey:
    """What one journal, alone in its batch, is found by.

    `reference` stands in reference 1 or 2 of every line of ours. Numbers are 0 where none were
    reserved; `batch_token` and `transaction_number` are "" where they do not go along. Document
    numbers may be drawn per `document_company`; "" is any.
    """

    reference: str
    document_type: str
    batch_number: int = 0
    document: int = 0
    batch_token: str = ""
    transaction_number: str = ""
    document_company: str = ""
    batch_type: str = JOURNAL_BATCHES


@dataclass(frozen=True, slots=True)
class Header:
    """One row of F0011, with JD Edwards' own codes (jde-gl.md §2.9)."""

    batch_type: str
    batch_number: int
    status: str
    approved: str
    user: str


@dataclass(frozen=True, slots=True, eq=False)
class FoundJournal:
    """One look: every row that stands under a key of ours, whoever wrote it.

    `rows` are JOURNAL_LINES of F0911, `waiting` unprocessed BATCH_FILE rows of F0911Z1; what was
    not looked at is None.
    """

    key: JournalKey
    rows: pl.DataFrame
    waiting: pl.DataFrame | None
    headers: tuple[Header, ...] | None

    @property
    def lines(self) -> pl.DataFrame:
        """The rows with our reference."""
        return self.rows.filter(_ours(self.key))

    @property
    def others(self) -> pl.DataFrame:
        """Rows without our reference under our batch or document number: a clash, or additions."""
        return self.rows.filter(~_ours(self.key))

    @property
    def nothing(self) -> bool:
        """Whether JD Edwards shows nothing under any key of ours."""
        return self.rows.is_empty() and (self.waiting is None or self.waiting.is_empty())

    @property
    def posted_codes(self) -> dict[str, int]:
        """How many of our lines have each posted code; "" is unposted, "P" posted."""
        counted = self.lines.group_by("posted").len().sort("posted")
        return dict(counted.iter_rows())

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
    def status(self) -> str:
        """F0011.IST of the batch our lines stand in; "" is pending, or no batch."""
        numbers = self.batch_numbers or (self.key.batch_number,)
        return next((h.status for h in self.headers or () if h.batch_number in numbers), "")


def find_journal(jde: Jde, key: JournalKey, *, batch_file: bool = True) -> FoundJournal:
    """Look for a journal in 3 requests, unless it has more than one page of lines.

    More than 99 rows are counted as well; then the batch is not read here: `headers` is None and
    `with_headers` reads it. Without `batch_file`, rows that wait are not looked at.
    """
    waiting = jde.read_whole(BATCH_FILE, _waiting(key)) if batch_file else None
    found = jde.read_whole(JOURNAL_LINES, query.every(EVERY_DOCUMENT, _keyed(key)))
    rows = found.filter(_ours(key) | _numbered(key))
    seen = FoundJournal(key, rows, waiting, None)
    few = min(FEW_ROWS_MAX, jde.page_rows - 1)
    counts = sum(f is not None and f.height > few for f in (waiting, found))
    return seen if batch_file and counts else with_headers(jde, seen)


def with_headers(jde: Jde, found: FoundJournal) -> FoundJournal:
    """The same look with the batches of our lines and of our number: one request, or none."""
    key = found.key
    numbers = {*found.batch_numbers, *([key.batch_number] if key.batch_number else [])}
    if not numbers:
        return replace(found, headers=())
    where = query.every(
        query.equal("batch_type", key.batch_type), query.one_of("batch_number", sorted(numbers))
    )
    names = ("batch_type", "batch_number", "status", "approved", "user")
    rows = jde.read_whole(BATCHES, where, columns=names)
    return replace(found, headers=tuple(Header(*row) for row in rows.iter_rows()))


def _waiting(key: JournalKey) -> Where | None:
    """Unprocessed rows of the batch file under any key of ours."""
    parts = [_keyed(key)]
    if key.transaction_number:
        own = [query.equal("transaction", key.transaction_number)]
        if key.batch_token:
            own.append(query.equal("control_batch", key.batch_token))
        parts.append(query.Every(tuple(own)))
    return query.every(
        EVERY_DOCUMENT, query.not_equal("processed", PROCESSED),
        query.not_equal("processed", RECONCILIATION), query.either(*parts),
    )  # fmt: skip


def _keyed(key: JournalKey) -> Where:
    """By reference 2 (which has an index), by reference 1 in our type, and by our numbers."""
    own_type = query.equal("document_type", key.document_type)
    parts: list[Where] = [
        query.equal("reference_2", key.reference),
        query.Every((own_type, query.equal("reference_1", key.reference))),
    ]
    if key.document:
        own: list[Where] = [own_type, query.equal("document", key.document)]
        if key.document_company:
            own.append(query.equal("document_company", key.document_company))
        parts.append(query.Every(tuple(own)))
    if key.batch_number:
        batch = query.equal("batch_type", key.batch_type)
        parts.append(query.Every((batch, query.equal("batch_number", key.batch_number))))
    return query.either(*parts)


def _ours(key: JournalKey) -> pl.Expr:
    return (pl.col("reference_1") == key.reference) | (pl.col("reference_2") == key.reference)


def _numbered(key: JournalKey) -> pl.Expr:
    """Exactly under our numbers; a database may compare texts without regard to case."""
    batch = (pl.col("batch_type") == key.batch_type) & (pl.col("batch_number") == key.batch_number)
    company = (pl.col("document_company") == key.document_company) | (not key.document_company)
    type_ = pl.col("document_type") == key.document_type
    document = type_ & company & (pl.col("document") == key.document)
    return (batch & bool(key.batch_number)) | (document & bool(key.document))
