"""Journals of the demo company as values, and the ledger rows and batch headers they become."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from tieout.sim.company.calendar import julian, period_of
from tieout.sim.company.chart import Account, Chart
from tieout.sim.jde.money import header_amount

Row = dict[str, int | str]

FIRST_DOCUMENT, FIRST_BATCH = 100_001, 40_001
DOCUMENTS_PER_BATCH_MAX = 8
LEDGER_ACTUAL, LEDGER_FOREIGN, LEDGER_BUDGET = "AA", "CA", "BA"


@dataclass(slots=True)
class Line:
    """One line; `amount` and `foreign` are integers scaled by their currency's decimals."""

    account: Account
    amount: int
    remark: str = ""
    subledger: str = ""
    subledger_type: str = ""
    units: int = 0
    foreign: int = 0


@dataclass(slots=True)
class Journal:
    """One document of one batch; a foreign one has a `currency`, and AA and CA rows."""

    company: str
    type: str
    number: int
    day: date
    batch_type: str
    batch: int
    keyed: date
    time: int
    user: str
    explanation: str
    lines: list[Line]
    currency: str = ""
    ledger: str = LEDGER_ACTUAL
    posted: str = "P"
    reversal: str = ""
    summarized: str = ""
    changed: date | None = None
    period: tuple[int, int] | None = None


@dataclass(slots=True)
class Batch:
    """One F0011 header; `posted_on` moves its stamp, never the stamp of its lines (§3.1)."""

    type: str
    number: int
    opened: date
    posted_on: date
    status: str = "D"
    user: str = "JDEPOST"
    journals: list[Journal] = field(default_factory=list)


class Book:
    """Next numbers, dice and everything written so far."""

    def __init__(self, chart: Chart, seed: int) -> None:
        self.chart = chart
        self.dice = random.Random(f"tieout demo {seed}")
        self.batches: list[Batch] = []
        self._documents = FIRST_DOCUMENT

    def document(self) -> int:
        """The next document number."""
        self._documents += self.dice.randrange(1, 3)
        return self._documents

    def open(self, batch_type: str, opened: date, *, status: str = "D", days: int = 1) -> Batch:
        """A new batch, posted `days` after it was opened."""
        number = FIRST_BATCH + len(self.batches)
        batch = Batch(batch_type, number, opened, opened + timedelta(days=days), status)
        self.batches.append(batch)
        return batch

    def write(self, batch: Batch, journal: Journal) -> Journal:
        """Put a journal into a batch."""
        batch.journals.append(journal)
        return journal

    def enter(self, batch: Batch, company: str, document: tuple[str, str], day: date,
              lines: list[Line], **rest: Any) -> Journal:  # fmt: skip
        """Key a journal: `document` is its type and explanation; returns it."""
        dice = self.dice
        time = dice.randrange(7, 19) * 10_000 + dice.randrange(60) * 100 + dice.randrange(60)
        keyed = day + timedelta(days=dice.randrange(3))
        journal = Journal(
            company, document[0], self.document(), day, batch.type, batch.number, keyed, time,
            USERS[dice.randrange(len(USERS))], document[1], lines,
        )  # fmt: skip
        journal = replace(journal, **rest)
        return self.write(batch, journal)

    def journals(self) -> Iterator[Journal]:
        """All journals in the order of their batches."""
        return (journal for batch in self.batches for journal in batch.journals)


USERS = ("MHOLT", "JVEGA", "SKIM", "PBAUER", "RALI", "TNGUYEN", "AFORD", "INTERFACE")


def ledger_rows(chart: Chart, journals: Iterable[Journal]) -> Iterator[Row]:
    """F0911: one row a line, and for a foreign journal a second one in ledger CA (§2.7)."""
    for journal in journals:
        for number, line in enumerate(journal.lines, 1):
            row = ledger_row(chart, journal, line, number)
            yield row
            if journal.currency:
                yield row | {"LT": LEDGER_FOREIGN, "AA": line.foreign, "U": 0, "UM": ""}


def ledger_row(chart: Chart, journal: Journal, line: Line, number: int) -> Row:
    """One F0911 row. Fiscal year and period follow the *account's* company (§2.5)."""
    account = line.account
    company = chart.companies[account.company]
    year, period = journal.period or period_of(company.pattern, journal.day)
    keyed, changed = julian(journal.keyed), julian(journal.changed or journal.keyed)
    return {
        "KCO": journal.company, "DCT": journal.type, "DOC": journal.number,
        "DGJ": julian(journal.day), "JELN": number, "LT": journal.ledger, "POST": journal.posted,
        "ICU": journal.batch, "ICUT": journal.batch_type, "DICJ": keyed, "DSYJ": keyed,
        "TICU": journal.time, "CO": account.company, "ANI": account.code, "AM": "2",
        "AID": account.id, "MCU": account.unit, "OBJ": account.object, "SUB": account.subsidiary,
        "SBL": line.subledger, "SBLT": line.subledger_type, "CTRY": year // 100, "FY": year % 100,
        "PN": period, "CRCD": journal.currency or company.currency, "AA": line.amount,
        "U": line.units, "UM": "EA" if line.units else "", "RE": journal.reversal,
        "EXA": journal.explanation, "EXR": line.remark, "SUMM": journal.summarized,
        "TORG": journal.user, "USER": journal.user, "PID": "P0911", "JOBN": "RIDGEWEB1",
        "UPMJ": changed, "UPMT": journal.time, "CRRM": "F" if journal.currency else "D",
        "ACR": line.foreign, "BCRC": company.currency, "DSVJ": julian(journal.day),
    }  # fmt: skip


def header_rows(chart: Chart, batches: Iterable[Batch]) -> Iterator[Row]:
    """F0011: document counts entered and found, and the sum of debits as control total."""
    for batch in batches:
        debits = sum(
            header_amount(line.amount, chart.companies[line.account.company].decimals)
            for journal in batch.journals
            for line in journal.lines
            if line.amount > 0 and journal.type != "BF"
        )
        documents = len({(j.type, j.number, j.company) for j in batch.journals})
        posted = batch.status == "D"
        yield {
            "ICUT": batch.type, "ICU": batch.number, "IST": batch.status,
            "IAPP": "" if batch.status == "" else "A", "AICU": debits, "AME": debits,
            "NDO": documents, "DOCN": documents, "BAL": "Y", "BALJ": "Y", "POB": "N", "IBOI": "Y",
            "AUSR": "KSTONE" if batch.status else "", "DICJ": julian(batch.opened),
            "USER": batch.user if posted else batch.journals[0].user if batch.journals else "MHOLT",
            "PID": "R09801" if posted else "P0011", "JOBN": "RIDGEBAT1",
            "UPMJ": julian(batch.posted_on if posted else batch.opened), "UPMT": 213_000,
        }  # fmt: skip
