"""What a ledger holds and is about to hold: balances, unposted lines, rows that wait to be entered.

A difference is a target minus all of this, whoever wrote it (jde-gl.md §4.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import polars as pl

from tieout.core.frames import AMOUNT, Schema
from tieout.errors import Unavailable
from tieout.jde import query
from tieout.jde.client import Jde
from tieout.jde.journals import POSTED, PROCESSED, RECONCILIATION
from tieout.jde.proof import PROVED_READS_MAX, Measure
from tieout.jde.query import Where
from tieout.jde.tables import (
    ACCOUNT_BALANCES,
    ACCOUNTS,
    BATCH_FILE,
    BUSINESS_UNITS,
    JOURNAL_LINES,
)
from tieout.jde.wire import distinct_keys

Measures: TypeAlias = tuple[Measure, Measure]

UNIT, CODE = "business_unit", ("business_unit", "object_account", "subsidiary")
CELL = ("company", "ledger", "account_id", "fiscal_year", "period")
DOCUMENT = ("document_type", "document", "document_company")
PARTS = tuple(f"{part}_{n:02}" for part in ("net", "debit") for n in range(1, 15))
BALANCE = (
    "company", "account_id", "fiscal_year", "fiscal_quarter", "ledger", "subledger",
    "subledger_type", "currency", *PARTS,
)  # fmt: skip
# Month and day: a year is named by the end of its first period, which has half a year at most.
FIRST_PERIOD_BEGINS = (7, 1)
REFERENCES = ("reference_1", "reference_2")
VOID = "V"  # F0911.RE of a voided journal
MODEL = "M"  # F0911.POST of a model journal, which is never posted
MARKS: Schema = {
    "reference": pl.String,
    "lines": pl.Int64,
    "posted": pl.Int64,
    "voided": pl.Int64,
    "debits": AMOUNT,
    "credits": AMOUNT,
}  # debits and credits are both positive
ENTERED = (
    *CELL, *DOCUMENT, *REFERENCES, "explanation", "posted", "reversal", "amount",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A ledger at one moment: F0902 rows (BALANCE), and those of `unposted` and `unprocessed`."""

    ledger: str
    balances: pl.DataFrame
    unposted: pl.DataFrame
    unprocessed: pl.DataFrame

    def in_flight(self, document_type: str) -> pl.DataFrame:
        """Both kinds of rows: who entered which amount, when, in which batch; is it ours?

        Columns: company, account_id, subledger, subledger_type, gl_date, amount, document,
        reference, author, batch, ours, ledger. `batch` is type and number, or the control batch of
        a row without a number; `document` is what the batch file tells documents apart by and
        `reference` what says that such a row is ours, both "" for lines that are entered. Company,
        account and ledger are "" where a row of the batch file leaves them out. Model journals are
        left out: they are never posted.
        """
        typed = pl.format("{} {}", "batch_type", "batch_number")
        numbered = pl.when(pl.col("batch_number") > 0).then(typed)
        same = [
            "company", "account_id", "subledger", "subledger_type", "gl_date", "amount", "ledger",
            _own(document_type).alias("ours"),
        ]  # fmt: skip
        lines = self.unposted.filter(pl.col("posted") != MODEL).select(
            *same, author="originator", batch=typed, document=pl.lit(""), reference=pl.lit("")
        )
        filed = self.unprocessed.select(
            *same, author="edi_user", batch=numbered.otherwise("control_batch"),
            document=pl.format("{} {}", "control_batch", "transaction"), reference=_reference(),
        )  # fmt: skip
        return pl.concat([lines, filed])


@dataclass(frozen=True, slots=True, eq=False)
class Entered:
    """What the account ledger says of some years of a ledger.

    `posted`: CELL, amount, of the posted lines; `documents`: CELL and DOCUMENT of a type, each
    once, posted or not; `marks`: MARKS by reference of what says that it is ours.
    """

    posted: pl.DataFrame
    documents: pl.DataFrame
    marks: pl.DataFrame


def _own(document_type: str) -> pl.Expr:
    """Whether a row is of our type and one of its references ends its explanation, as ours do."""
    marked = [
        (pl.col(name) != "") & pl.col("explanation").str.ends_with(pl.col(name))
        for name in REFERENCES
    ]
    own = (pl.col("document_type") == document_type) & pl.any_horizontal(marked)
    return own.fill_null(False)


def _reference() -> pl.Expr:
    """Which of its references ends the explanation of a row of ours."""
    marked = pl.when(pl.col("explanation").str.ends_with(pl.col("reference_1")))
    first = marked.then(pl.col("reference_1")).otherwise(pl.col("reference_2"))
    return pl.when(pl.col("reference_1") != "").then(first).otherwise(pl.col("reference_2"))


def ledger_now(
    jde: Jde, ledger: str, years: Sequence[int], document_type: str
) -> tuple[Entered, Held]:
    """What is posted, and what is held and about to be, of one moment; Unavailable without rest."""
    for _ in range(PROVED_READS_MAX):
        found, measured = entered(jde, ledger, years, document_type)
        holds = held(jde, ledger, years)
        if measured == _measured(jde, ledger, years):
            return found, holds
    raise _moves(ledger)


def entered(
    jde: Jde, ledger: str, years: Sequence[int], document_type: str
) -> tuple[Entered, Measures]:
    """The account ledger folded page by page, and its measures, equal before and after."""
    where = _of_years(ledger, years)
    for _ in range(PROVED_READS_MAX):
        before, rows, folded = _measured(jde, ledger, years), 0, _nothing()
        count = before[0].count
        for page in jde.read(JOURNAL_LINES, where, columns=ENTERED, expected=count):
            rows += page.height
            folded = _folded(folded, page, document_type)
        if rows == count and before == _measured(jde, ledger, years):
            return folded, before
    raise _moves(ledger)


def _measured(jde: Jde, ledger: str, years: Sequence[int]) -> Measures:
    """Count and sum of all lines, and of those not posted: a post moves only the second."""
    both = (_of_years(ledger, years), _open(ledger, years))
    whole, waiting = (jde.measure(JOURNAL_LINES, where, ["amount"]) for where in both)
    return whole, waiting


def _nothing() -> Entered:
    schema = {name: JOURNAL_LINES.schema[name] for name in ENTERED}
    none = pl.DataFrame(schema=schema)
    marks = pl.DataFrame(schema=dict(MARKS))
    return Entered(none.select(*CELL, "amount"), none.select(*CELL, *DOCUMENT), marks)


def _folded(so_far: Entered, page: pl.DataFrame, document_type: str) -> Entered:
    posted = page.filter(pl.col("posted") == POSTED).select(*CELL, "amount")
    ours = page.filter(_own(document_type))
    amount, none = pl.col("amount"), pl.lit(0).cast(page.schema["amount"])
    marks = ours.group_by(reference=_reference()).agg(
        lines=pl.len().cast(pl.Int64),
        posted=(pl.col("posted") == POSTED).sum().cast(pl.Int64),
        voided=(pl.col("reversal") == VOID).sum().cast(pl.Int64),
        debits=pl.when(amount > 0).then(amount).otherwise(none).sum().cast(AMOUNT),
        credits=pl.when(amount < 0).then(-amount).otherwise(none).sum().cast(AMOUNT),
    )
    documents = page.filter(pl.col("document_type") == document_type).select(*CELL, *DOCUMENT)
    return Entered(
        _summed([so_far.posted, posted], CELL, "amount"),
        pl.concat([so_far.documents, documents]).unique(),
        _summed([so_far.marks, marks], ("reference",), *(n for n in MARKS if n != "reference")),
    )


def _summed(frames: list[pl.DataFrame], key: Sequence[str], *sums: str) -> pl.DataFrame:
    whole = pl.concat(frames)
    return whole.group_by(key).agg(pl.col(s).sum().cast(whole.schema[s]) for s in sums)


def _of_years(ledger: str, years: Sequence[int]) -> Where | None:
    return query.every(query.equal("ledger", ledger), query.one_of("fiscal_year", list(years)))


def held(jde: Jde, ledger: str, years: Sequence[int]) -> Held:
    """All a ledger holds and is about to hold in some years; Unavailable if it does not rest.

    A row goes from the batch file into the ledger and then into the balance. It is read in that
    order, and read again if the first two moved until the third was read: no row counts twice.
    """
    for _ in range(PROVED_READS_MAX):
        waiting, filed = jde.read_proved(BATCH_FILE, _waiting(ledger), sums=["amount"])
        lines, entered = jde.read_proved(JOURNAL_LINES, _open(ledger, years), sums=["amount"])
        found = balances(jde, ledger, years)
        rests = filed.after == jde.measure(BATCH_FILE, _waiting(ledger), ["amount"])
        if rests and entered.after == jde.measure(JOURNAL_LINES, _open(ledger, years), ["amount"]):
            return Held(ledger, found, lines, waiting)
    raise _moves(ledger)


def _moves(ledger: str) -> Unavailable:
    return Unavailable(
        f"The ledger {ledger} changed while it was read, {PROVED_READS_MAX} times.",
        untouched="Nothing was sent to JD Edwards.", who="whoever enters or posts at this time",
        do="Run again when entering and posting have ended.",
    )  # fmt: skip


def unposted(jde: Jde, ledger: str, years: Sequence[int] = ()) -> pl.DataFrame:
    """JOURNAL_LINES of a ledger that are not posted, of any author; all years if none is given.

    Every posted code but "P" counts: what it means is for the caller to judge.
    """
    return jde.read_proved(JOURNAL_LINES, _open(ledger, years), sums=["amount"])[0]


def unprocessed(jde: Jde, ledger: str) -> pl.DataFrame:
    """BATCH_FILE rows that may still become lines of a ledger; a blank one falls to a default.

    Year and period are mostly 0 there: JD Edwards derives them from the G/L date when it enters
    the row. `with_account_ids` finds the account.
    """
    return jde.read_proved(BATCH_FILE, _waiting(ledger), sums=["amount"])[0]


def _open(ledger: str, years: Sequence[int]) -> Where | None:
    """Lines that are not posted, of some years by what they say or by their date.

    The post gives a line the year and period of its date (facts/jde-gl.md §2.5), so that one which
    carries another year, or none, will stand in these years all the same.
    """
    of_years: Where | None = None
    if years:
        begin, end = date(min(years) - 1, *FIRST_PERIOD_BEGINS), date(max(years) + 1, 12, 31)
        dated = (query.at_least("gl_date", begin), query.at_most("gl_date", end))
        of_years = query.either(query.one_of("fiscal_year", list(years)), query.Every(dated))
    return query.every(query.equal("ledger", ledger), query.not_equal("posted", POSTED), of_years)


def _waiting(ledger: str) -> Where | None:
    return query.every(
        query.one_of("ledger", [ledger, ""]), query.not_equal("processed", PROCESSED),
        query.not_equal("processed", RECONCILIATION),
    )  # fmt: skip


def with_account_ids(rows: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """Rows of the batch file with the short id of an account that stands there by its parts.

    "" stays where there is neither id nor parts (a typed account number is never taken apart), or
    where ACCOUNTS have no such account.
    """
    ids = accounts.select(*CODE, found="account_id").unique(subset=CODE, keep="none")
    joined = rows.join(ids, on=CODE, how="left", maintain_order="left")
    known = pl.when(pl.col("account_id") != "").then("account_id").otherwise("found")
    return joined.with_columns(account_id=known.fill_null("")).drop("found")


def balances(jde: Jde, ledger: str, years: Sequence[int]) -> pl.DataFrame:
    """F0902 of a ledger, one row per subledger and currency, as `core.buckets` folds them."""
    if not years:
        raise ValueError("no fiscal years")
    where = query.every(query.equal("ledger", ledger), query.one_of("fiscal_year", list(years)))
    return jde.read_proved(ACCOUNT_BALANCES, where, columns=BALANCE, sums=PARTS)[0]


def posting_accounts(jde: Jde, companies: Sequence[str] = ()) -> pl.DataFrame:
    """F0901 of some or all companies, with posting edit codes and currency."""
    names = (
        "account_id", "company", *CODE, "description", "level_of_detail", "posting_edit",
        "currency",
    )  # fmt: skip
    rows, _ = jde.read_proved(ACCOUNTS, _of(companies), columns=names)
    distinct_keys(ACCOUNTS, rows)
    return rows


def posting_units(jde: Jde, companies: Sequence[str] = ()) -> pl.DataFrame:
    """F0006 of some or all companies, with posting edit codes."""
    names = (UNIT, "company", "description", "business_unit_type", "posting_edit")
    rows, _ = jde.read_proved(BUSINESS_UNITS, _of(companies), columns=names)
    distinct_keys(BUSINESS_UNITS, rows)
    return rows


def _of(companies: Sequence[str]) -> Where | None:
    return query.one_of("company", list(companies)) if companies else None
