"""Makes the demo company: all tables of the practice ledger, deterministic from a seed."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tieout.sim.company import blocked, masters
from tieout.sim.company.calendar import julian, pattern_rows
from tieout.sim.company.chart import Chart, build_chart
from tieout.sim.company.closing import Balances, close_years, purged_year
from tieout.sim.company.journals import (
    FIRST_BATCH,
    Batch,
    Book,
    Journal,
    Row,
    header_rows,
    ledger_rows,
)
from tieout.sim.company.payables import voucher_rows
from tieout.sim.company.post import sum_balances
from tieout.sim.company.trouble import Cases
from tieout.sim.company.years import write_years
from tieout.sim.jde.ledger import Ledger

LINES_DEFAULT = 60_000
NOTES = "demo"  # practice_state: where each case is
SPLIT_COMPANY, SPLIT_OBJECT, SPLIT_YEAR, SPLIT_PERIOD = "00001", "1210", 25, 7


def make_company(
    ledger: Ledger, *, seed: int = 1, lines: int = LINES_DEFAULT, trouble: bool = False
) -> dict[str, object]:
    """Fill an empty ledger with the demo company; returns notes on where its odd cases are.

    `lines` is the number of posted AA lines of F0911, met exactly unless it is below what the
    odd cases alone need (about 250). `trouble` adds company 00900, which forbids Complete.
    """
    chart = build_chart(trouble=trouble)
    book = Book(chart, seed)
    cases = Cases(book)
    cases.write()
    if trouble:
        blocked.write_journals(cases)
    write_years(book, max(0, lines - posted_lines(book.journals())))
    _number_batches(book.batches)
    rows = list(ledger_rows(chart, book.journals()))
    balances = _balances(book, rows)
    if trouble:
        blocked.disturb(cases, rows, balances)
    notes = {name: _note(value) for name, value in cases.notes.items()}
    with ledger.transaction():
        _write_masters(ledger, chart)
        ledger.insert("F0011", header_rows(chart, book.batches))
        ledger.insert("F0911", _in_key_order(rows))
        ledger.insert("F0902", [balances[key].row(key) for key in sorted(balances)])
        ledger.insert("F0411", voucher_rows(chart, book.journals()))
        _template_company(ledger)
        ledger.remember(NOTES, json.dumps(notes))
    return notes


def posted_lines(journals: Iterable[Journal]) -> int:
    """How many posted AA lines the journals make."""
    return sum(len(j.lines) for j in journals if j.posted == "P" and j.ledger == "AA")


def _in_key_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda r: (r["DCT"], r["DOC"], r["KCO"], r["DGJ"], r["JELN"], r["LT"]))


def _number_batches(batches: list[Batch]) -> None:
    """Batch numbers rise with the day the batch was opened; it is posted after its last line."""
    for number, batch in enumerate(
        sorted(batches, key=lambda b: (b.opened, b.number)), FIRST_BATCH
    ):
        batch.number = number
        for journal in batch.journals:
            journal.batch = number
        batch.posted_on = max([batch.posted_on, *(j.keyed for j in batch.journals)])


def _balances(book: Book, rows: list[Row]) -> Balances:
    posted_on = {b.number: julian(b.posted_on) for b in book.batches}
    edits = {account.id: account.edit for account in book.chart.accounts}
    balances = sum_balances(rows, edits, lambda row: posted_on[int(row["ICU"])])
    purged_year(book, balances)
    close_years(book, balances)
    _split_by_currency(book.chart, balances)
    return balances


def _split_by_currency(chart: Chart, balances: Balances) -> None:
    """Posting by currency was switched on in mid-year for one account: a blank and a USD row."""
    account = chart.balance(SPLIT_COMPANY, SPLIT_OBJECT)
    old = balances[account.id, 20, SPLIT_YEAR, "AA", "", "", ""]
    new = type(old)(old.account, old.governing, stamp=old.stamp)
    for index in range(SPLIT_PERIOD - 1, len(old.net)):
        new.net[index], old.net[index] = old.net[index], 0
        new.debit[index], old.debit[index] = old.debit[index], 0
    balances[account.id, 20, SPLIT_YEAR, "AA", "", "", "USD"] = new


def _write_masters(ledger: Ledger, chart: Chart) -> None:
    ledger.insert("F0008", [masters.AUDIT | row for row in pattern_rows(masters.PATTERNS)])
    ledger.insert("F0010", masters.company_rows(chart))
    ledger.insert("F0006", masters.unit_rows(chart))
    ledger.insert("F0901", masters.account_rows(chart))
    for table, rows in masters.other_rows().items():
        ledger.insert(table, rows)


def _template_company(ledger: Ledger) -> None:
    """Rows of company 00000, which is no company: an account, two lines, their balance."""
    account: Row = {"AID": "00000001", "CO": masters.TEMPLATE_COMPANY, "MCU": "0", "OBJ": "9990"}
    ledger.insert("F0901", [account | {"DL01": "Template account", "LDA": "6"} | masters.AUDIT])
    line: Row = account | masters.AUDIT | {
        "KCO": masters.TEMPLATE_COMPANY, "DCT": "JE", "DOC": 1, "DGJ": 125_015, "LT": "AA",
        "POST": "P", "ICU": 1, "ICUT": "G", "CTRY": 20, "FY": 25, "PN": 1, "CRCD": "USD",
        "BCRC": "USD", "EXA": "Template",
    }  # fmt: skip
    ledger.insert("F0911", [line | {"JELN": 1, "AA": 77_700}, line | {"JELN": 2, "AA": 100}])
    balance: Row = {
        "CTRY": 20,
        "FY": 25,
        "LT": "AA",
        "CRCX": "USD",
        "AN01": 77_800,
        "AND01": 77_800,
    }
    ledger.insert("F0902", [account | balance | masters.AUDIT])


def _note(value: object) -> object:
    """A note as JSON: journals by document and account, batches by number."""
    if isinstance(value, list):
        return [_note(item) for item in value]
    if isinstance(value, Journal):
        first = value.lines[0]
        return {
            "document": f"{value.type} {value.number} {value.company}", "batch": value.batch,
            "account": first.account.id, "code": first.account.code, "amount": first.amount,
            "day": value.day.isoformat(),
        }  # fmt: skip
    if isinstance(value, Batch):
        return f"{value.type} {value.number}"
    return value
