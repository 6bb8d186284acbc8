"""Journals built from differences: who they are is decided by what they say, before they are sent.

A journal is one document of one company, period and currency, and one JDE batch of its own: so
every key that JD Edwards sees depends on that document alone, whatever else is sent with it.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import msgspec
import polars as pl

from tieout.core.findings import Finding, Severity
from tieout.core.frames import (
    AMOUNT,
    DIFFERENCES,
    JOURNAL_LINES,
    LEDGER_CELL,
    Schema,
    as_schema,
    empty,
)

KEY_FORMAT = "tieout journal 1"
DIGEST_FORMAT = "tieout batch 1"

# Widths of the fields our texts go to (facts/jde-gl.md §4.2), in characters.
EXPLANATION_CHARACTERS_MAX = 30  # EXA
REMARK_CHARACTERS_MAX = 30  # EXR
REFERENCE_CHARACTERS_MAX = 8  # R1, R2
TRANSACTION_CHARACTERS_MAX = 22  # EDTN
BATCH_CHARACTERS_MAX = 15  # EDBT

MARK = "T"  # what our transaction numbers and batch tokens begin with
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no I, L, O, U: read aloud without mistakes
SHORTENED = "~"
WIDEST = "\uffff"  # of what a column of two-byte characters holds
TAIL_CHARACTERS = 6

# How many documents of ours (document type, ledger) a cell has seen: every line of theirs in F0911,
# posted or not, and in F0911Z1, unprocessed; and those gone from there that a person let go again.
HELD: Schema = {**{name: DIFFERENCES[name] for name in LEDGER_CELL}, "documents": pl.Int64}
_HOME = ("company", "ledger", "fiscal_year", "period")
_DOCUMENT = [*_HOME, "currency", "gl_date", "chunk"]


@dataclass(frozen=True, slots=True)
class Journal:
    """The header of one document, and the sums its lines must have wherever they are read.

    `debits` and `credits` are positive; `net` is their difference.
    """

    transaction_number: str
    batch_token: str
    reference: str
    company: str
    ledger: str
    document_type: str
    currency: str
    fiscal_year: int
    period: int
    gl_date: date
    chunk: int  # from 1
    chunks: int
    explanation: str
    lines: int
    debits: Decimal
    credits: Decimal

    @property
    def net(self) -> Decimal:
        """Debits less credits; nothing in a ledger that must balance."""
        return self.debits - self.credits


@dataclass(frozen=True, slots=True)
class Batch:
    """What a person approves: journals, their lines (JOURNAL_LINES), and the digest of both."""

    journals: tuple[Journal, ...]
    lines: pl.DataFrame
    digest: str

    def lines_of(self, journal: Journal) -> pl.DataFrame:
        """The lines of one journal, in order."""
        return self.lines.filter(pl.col("transaction_number") == journal.transaction_number)


# The headers of a batch as rows, to be kept beside its lines.
JOURNALS: Schema = {
    **dict.fromkeys(
        ("transaction_number", "batch_token", "reference", "company", "ledger", "document_type",
         "currency"), pl.String,
    ),
    "fiscal_year": pl.Int32, "period": pl.Int16, "gl_date": pl.Date, "chunk": pl.Int32,
    "chunks": pl.Int32, "explanation": pl.String, "lines": pl.Int64, "debits": AMOUNT,
    "credits": AMOUNT,
}  # fmt: skip


def headers_of(batch: Batch) -> pl.DataFrame:
    """The journals of a batch as JOURNALS, in their order."""
    rows = [[getattr(j, name) for name in JOURNALS] for j in batch.journals]
    return pl.DataFrame(rows, schema=dict(JOURNALS), orient="row")


def batch_of(headers: pl.DataFrame, lines: pl.DataFrame) -> Batch:
    """The batch that `headers_of` took apart, its digest computed anew."""
    journals = tuple(Journal(**row) for row in headers.select(*JOURNALS).iter_rows(named=True))
    return Batch(journals, lines, digest_of(journals, lines))


@dataclass(frozen=True, slots=True)
class JournalRule:
    """How a flow writes its journals.

    `label` begins the explanation of every document, such as `Anaplan Budget 26`.
    """

    document_type: str
    label: str
    lines_max: int
    must_balance: frozenset[str] = frozenset()  # ledgers, from F0025


def build(differences: pl.DataFrame, held: pl.DataFrame, rule: JournalRule) -> Batch:
    """DIFFERENCES that are not zero → a batch of journals; `held`: HELD, no row means none.

    The same differences over the same ledger give the same batch, keys and digest included.
    """
    moved = differences.filter(pl.col("difference") != 0)
    if moved.is_empty():
        return Batch((), empty(JOURNAL_LINES), digest_of((), empty(JOURNAL_LINES)))
    counts = held.select(*HELD)
    known = moved.join(counts, on=list(LEDGER_CELL), how="left", validate="m:1")
    rows = _in_chunks(known.with_columns(pl.col("documents").fill_null(0)), rule)
    journals, frames = [], []
    for part in rows.partition_by(_DOCUMENT, maintain_order=True):
        lines = part.select(
            "company", "account_id", "subledger", "subledger_type", line="line",
            amount="difference", remark=_remark(part),
        )  # fmt: skip
        key = _key(part, rule)
        journals.append(_journal(part, key, rule))
        frames.append(lines.with_columns(transaction_number=pl.lit(key.transaction_number)))
    lines = as_schema(pl.concat(frames), JOURNAL_LINES)
    return Batch(tuple(journals), lines, digest_of(journals, lines))


def _in_chunks(moved: pl.DataFrame, rule: JournalRule) -> pl.DataFrame:
    """Rows in the order of their lines, with chunk and line, both from 1.

    An account has one line in a document, so none is torn apart. A ledger that must balance has one
    document whatever its length (`too_long_findings`).
    """
    document = [*_HOME, "currency", "gl_date"]
    number = pl.int_range(pl.len()).over(document)
    whole = pl.col("ledger").is_in(sorted(rule.must_balance))
    chunk = pl.when(whole).then(0).otherwise(number // rule.lines_max)
    return (
        moved.sort(*document, "account_id")
        .with_columns(chunk=(chunk + 1).cast(pl.Int32))
        .with_columns(
            chunks=pl.col("chunk").max().over(document),
            line=(pl.int_range(pl.len()).over([*document, "chunk"]) + 1).cast(pl.Int32),
        )
    )


def _remark(part: pl.DataFrame) -> pl.Series:
    """What a line says for itself: the cell of Anaplan it comes from."""
    texts = part.select(pl.format("{} × {} {}", "account", "business_unit", "member")).to_series()
    return pl.Series(
        [cut(text, REMARK_CHARACTERS_MAX) for text in texts.to_list()], dtype=pl.String
    )


@dataclass(frozen=True, slots=True)
class Key:
    """The three names of one journal, all of them from its content."""

    transaction_number: str
    batch_token: str
    reference: str


def key_of(content: Sequence[object]) -> Key:
    """The names of what `content` says: SHA-256 of its canonical JSON, in base 32.

    They are different places of one hash, so that a clash of one says nothing about the others.
    """
    letters = _letters(_sha256([KEY_FORMAT, *content]))
    number = TRANSACTION_CHARACTERS_MAX - len(MARK)
    batch = number + BATCH_CHARACTERS_MAX - len(MARK)
    return Key(
        MARK + letters[:number],
        MARK + letters[number:batch],
        letters[batch : batch + REFERENCE_CHARACTERS_MAX],
    )


def _key(part: pl.DataFrame, rule: JournalRule) -> Key:
    """The key of a journal: what it moves, where, and how often ours moved these cells before.

    120 → 100 → 120 → 100 moves -20 twice; the second time the cell has seen two more documents of
    ours, so it is another journal. A restored database sees the same and builds the same key again.
    Documents of other cells do not count, so that what became of one chunk of a batch does not
    rename the next.
    """
    head = part.row(0, named=True)
    where = [
        rule.document_type, head["company"], head["ledger"], str(head["fiscal_year"]),
        str(head["period"]), head["currency"], str(head["gl_date"]),
    ]  # fmt: skip
    moves = part.select(
        "account_id", "subledger", "subledger_type", pl.col("difference").cast(pl.String),
        pl.col("documents").cast(pl.String),
    )  # fmt: skip
    return key_of([where, moves.rows()])


def _journal(part: pl.DataFrame, key: Key, rule: JournalRule) -> Journal:
    head = part.row(0, named=True)
    amounts = part["difference"]
    nothing = Decimal(0)
    return Journal(
        key.transaction_number, key.batch_token, key.reference, head["company"], head["ledger"],
        rule.document_type, head["currency"], head["fiscal_year"], head["period"],
        head["gl_date"], head["chunk"], head["chunks"], explanation(rule.label, key.reference),
        part.height,
        sum(amounts.filter(amounts > 0).to_list(), nothing),
        -sum(amounts.filter(amounts < 0).to_list(), nothing),
    )  # fmt: skip


def explanation(label: str, reference: str) -> str:
    """The text of a document: a label, cut, and its reference, which is never cut."""
    return f"{cut(label, EXPLANATION_CHARACTERS_MAX - len(reference) - 1)} {reference}"


def cut(text: str, characters: int) -> str:
    """`text` as JD Edwards can hold it: one line, no blanks at its ends, at most so long.

    A longer text ends with six letters of its hash, so that two long texts do not become one. What
    a column of two-byte characters cannot hold becomes a question mark.
    """
    clean = unicodedata.normalize("NFC", text)
    if not clean.isprintable() or max(clean, default="") > WIDEST:  # few texts: this is slow
        clean = "".join(
            "?" if c > WIDEST else " " if unicodedata.category(c).startswith("C") else c
            for c in clean
        )
    clean = clean.strip()
    if len(clean) <= characters:
        return clean
    tail = SHORTENED + _letters(_sha256([clean]))[:TAIL_CHARACTERS]
    return clean[: characters - len(tail)] + tail


def digest_of(journals: Sequence[Journal], lines: pl.DataFrame) -> str:
    """What an approval is bound to: SHA-256 of the canonical JSON of all that will be sent.

    `["tieout batch 1", [[header…, [[line…]…]]…]]`, every value a text, amounts with four decimals,
    journals and lines in their order.
    """
    texts = lines.select(pl.all().cast(pl.String))
    by_number = {
        str(name): part.drop("transaction_number").rows()
        for (name,), part in texts.partition_by(
            "transaction_number", as_dict=True, maintain_order=True
        ).items()
    }
    told = [
        [
            *(str(getattr(journal, name)) for name in _HEADER),
            by_number.get(journal.transaction_number, []),
        ]
        for journal in journals
    ]
    return _sha256([DIGEST_FORMAT, told]).hex()


_HEADER = (
    "transaction_number", "batch_token", "reference", "company", "ledger", "document_type",
    "currency", "fiscal_year", "period", "gl_date", "chunk", "chunks", "explanation",
)  # fmt: skip


def _sha256(content: Sequence[object]) -> bytes:
    return hashlib.sha256(msgspec.json.encode(content)).digest()


def _letters(hashed: bytes) -> str:
    """A hash in base 32, most significant digit first, fifty-one digits of five bits."""
    number = int.from_bytes(hashed, "big")
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(251, 0, -5))


def key_findings(journals: Sequence[Journal]) -> list[Finding]:
    """Journals that would carry one reference: forty bits meet once in a thousand million pairs."""
    seen: dict[str, Journal] = {}
    found = []
    for journal in journals:
        other = seen.setdefault(journal.reference, journal)
        if other is not journal:
            found.append(
                Finding(
                    "journal-key", Severity.REJECT, f"reference {journal.reference}",
                    f"The journals of company {other.company}, {other.fiscal_year}-"
                    f"{other.period:02d} and of company {journal.company}, {journal.fiscal_year}-"
                    f"{journal.period:02d} would carry the same reference.",
                    "Send one of the two periods first; ask the Tieout administrator.",
                    journal.company,
                )
            )  # fmt: skip
    return found


def too_long_findings(journals: Sequence[Journal], rule: JournalRule) -> list[Finding]:
    """Documents that may not be torn apart, because their ledger must balance, and are too long."""
    return [
        Finding(
            "journal-too-long", Severity.REJECT,
            f"company {j.company}, {j.fiscal_year}-{j.period:02d}",
            f"The journal of company {j.company}, {j.fiscal_year}-{j.period:02d} has {j.lines} "
            f"lines, more than the {rule.lines_max} of one document, and ledger {j.ledger} must "
            "balance, so it cannot be torn apart.",
            "Raise the number of lines of a document, or ask the planner to send it in parts that "
            "balance.", j.company, "period", cells=j.lines,
        )
        for j in journals
        if j.lines > rule.lines_max and j.ledger in rule.must_balance
    ]  # fmt: skip
