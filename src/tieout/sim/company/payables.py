"""Supplier vouchers of the demo company as accounts payable (F0411): what is open, what is paid."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from tieout.sim.company.calendar import julian, period_of
from tieout.sim.company.chart import Chart
from tieout.sim.company.journals import Journal, Row

VOUCHER, TRADE = "PV", "2110"
SUPPLIERS, FIRST_SUPPLIER = 40, 60_001
TERMS = ((30, "N30"), (45, "N45"), (60, "N60"))
PAID_THROUGH = date(2025, 11, 15)  # what is due until then is paid, but for a few in dispute
DISPUTED_ONE_IN = 25
HELD_ONE_IN = 40
APPROVED, PAID, HELD = "A", "P", "H"  # of PST
POSTED = "D"  # of POST (jde-gl.md §2.9)


def voucher_rows(chart: Chart, journals: Iterable[Journal]) -> Iterator[Row]:
    """F0411: one pay item per posted voucher; its own dice, so that nothing else changes."""
    dice = random.Random("payables")
    for journal in journals:
        trade = [line for line in journal.lines if line.account.object == TRADE]
        if journal.type != VOUCHER or journal.posted != "P" or not trade:
            continue
        company = chart.companies[trade[0].account.company]
        days, terms = TERMS[dice.randrange(len(TERMS))]
        due = journal.day + timedelta(days=days)
        gross, foreign = (-sum(getattr(line, of) for line in trade) for of in ("amount", "foreign"))
        disputed = dice.randrange(DISPUTED_ONE_IN) == 0
        paid = due <= PAID_THROUGH and not disputed
        held = disputed or dice.randrange(HELD_ONE_IN) == 0
        year, period = period_of(company.pattern, journal.day)
        supplier = FIRST_SUPPLIER + dice.randrange(SUPPLIERS)
        yield {
            "KCO": journal.company, "DOC": journal.number, "DCT": journal.type, "SFX": "001",
            "AN8": supplier, "PYE": supplier, "DIVJ": julian(journal.day), "DDJ": julian(due),
            "DDNJ": julian(due), "DGJ": julian(journal.day), "CTRY": year // 100,
            "FY": year % 100, "PN": period, "CO": company.code, "ICU": journal.batch,
            "ICUT": journal.batch_type, "DICJ": julian(journal.keyed), "BALJ": "Y",
            "PST": PAID if paid else HELD if held else APPROVED, "AG": gross,
            "AAP": 0 if paid else gross, "ATXN": gross, "CRRM": "F" if journal.currency else "D",
            "CRCD": journal.currency or company.currency, "ACR": foreign,
            "FAP": 0 if paid else foreign, "GLC": "TRAD", "POST": POSTED,
            "MCU": trade[0].account.unit, "PTC": terms, "RMK": journal.explanation,
            "VINV": f"R-{journal.number}", "TORG": journal.user, "BCRC": company.currency,
            "USER": journal.user, "PID": "P0411", "JOBN": "RIDGEWEB1",
            "UPMJ": julian(journal.keyed), "UPMT": journal.time,
        }  # fmt: skip
