"""Actual amounts (AA) and foreign currency (CA) in one module: every ledger ties on its own."""

from __future__ import annotations

from decimal import Decimal

import pytest
from books import FLIP, Books
from expected import Expected

BEFORE = """\
columns = { "Company" = "company", "Account" = "account", "Cost Center" = "business_unit", \
"Time" = "period", "Amount" = "amount" }"""
AFTER = """\
columns = { "Company" = "company", "Account" = "account", "Cost Center" = "business_unit", \
"Ledger" = "ledger", "Currency" = "currency", "Time" = "period", "Amount" = "amount" }"""

Cell = tuple[str, str, str, str, str, str]  # company, account, cost center, ledger, currency, month


def in_anaplan(books: Books) -> dict[Cell, Decimal]:
    rows = books.control("anaplan", "cells", module="GL Actuals by Ledger")["cells"]
    names = ("Companies", "GL Accounts", "Cost Centers", "Ledgers", "Currencies", "Time")
    found: dict[Cell, Decimal] = {}
    for row in rows:
        company, account, center, ledger, currency, month = (row[n] for n in names)
        found[company, account, center, ledger, currency, month] = Decimal(row["value"])
    return found


def in_the_ledger(books: Books) -> dict[Cell, Decimal]:
    """By the second path, a ledger and a currency at a time."""
    path = Expected(books.home / "sim" / "jde.sqlite")
    found: dict[Cell, Decimal] = {}
    try:
        lines = path.lines(("AA", "CA"))
        for ledger, currency in sorted({(key.ledger, key.currency) for key in lines}):
            of_these = {
                k: v for k, v in lines.items() if (k.ledger, k.currency) == (ledger, currency)
            }
            cells = path.cells(
                companies=books.companies, flip=FLIP, mapping=books.mapping(), source=of_these
            )
            for (company, account, center, month), amount in cells.items():
                if amount:
                    found[company, account, center, ledger, currency, month] = amount
    finally:
        path.close()
    return found


@pytest.fixture
def by_ledger(books: Books) -> Books:
    """The loaded company, with its actuals sent to the module that shows ledger and currency."""
    books.person("add_ledgers")
    books.change_flow(BEFORE, AFTER)
    books.change_flow('ledgers = ["AA"]', 'ledgers = ["AA", "CA"]')
    books.change_flow('import = "Load GL Actuals"', 'import = "Load GL Actuals by Ledger"')
    books.change_flow(
        'read_back = { view = "GL Actuals" }',
        'read_back = { view = "GL Actuals by Ledger", '
        'dimensions = { ledger = "Ledgers", currency = "Currencies" } }',
    )
    return books


def test_every_ledger_and_currency_is_loaded_and_ties_on_its_own(by_ledger: Books) -> None:
    run = by_ledger.run()

    assert (run.outcome, run.exit_code) == ("complete", 0), run.sentence
    shown = in_anaplan(by_ledger)
    assert {(cell[3], cell[4]) for cell in shown} >= {("AA", "USD"), ("AA", "JPY"), ("CA", "EUR")}
    assert shown == in_the_ledger(by_ledger)
    table = by_ledger.store.scan(by_ledger.store.current("actuals", "tie_out")).collect()
    assert set(table["ledger"]) == {"AA", "CA"}
    assert not by_ledger.tie_out_gaps().height


def test_what_moves_later_is_sent_by_ledger_and_currency_too(by_ledger: Books) -> None:
    assert by_ledger.run().outcome == "complete"
    before = in_the_ledger(by_ledger)
    by_ledger.event("void_reenter")
    by_ledger.event("backdated")

    run = by_ledger.run()

    after = in_the_ledger(by_ledger)
    assert after != before
    assert (run.outcome, run.exit_code) == ("complete", 0), run.sentence
    assert in_anaplan(by_ledger) == after


def test_a_foreign_amount_typed_over_is_told_in_its_own_currency(by_ledger: Books) -> None:
    assert by_ledger.run().outcome == "complete"
    cell, amount = next((c, v) for c, v in sorted(in_anaplan(by_ledger).items()) if c[3] == "CA")
    by_ledger.person(
        "set_cell", module="GL Actuals by Ledger", members=cell, value=str(amount + 100)
    )

    run = by_ledger.tie_out()

    assert run.exit_code == 6
    assert f"100.00 {cell[4]} in {cell[0]}" in run.sentence
    [told] = by_ledger.findings(run, "anaplan-differs")
    assert (told.finding.currency, told.finding.amount) == (cell[4], 100)


def test_what_a_lock_holds_back_is_told_by_currency_and_never_added_over_currencies(
    by_ledger: Books,
) -> None:
    """Rule 5: yen and euro are never added."""
    by_ledger.set_actuals('locked_through = "2025-12"')

    run = by_ledger.run()

    ledger = in_the_ledger(by_ledger)
    base = {(company, currency) for company, _, _, of, currency, _ in ledger if of == "AA"}
    foreign: dict[tuple[str, str], Decimal] = {}
    for (company, _, _, _, currency, _), amount in ledger.items():
        if (company, currency) not in base:
            place = (company, currency)
            foreign[place] = foreign.get(place, Decimal(0)) + abs(amount)
    found = [r.finding for r in by_ledger.findings(run, "locked-period")]
    told_of = {(f.company, f.currency): f.amount for f in found}
    assert foreign
    assert {place: told_of.get(place) for place in foreign} == foreign
    assert told_of.keys() == foreign.keys() | base
    folded = [r.finding for r in by_ledger.findings(run, "period-folded")]
    assert folded
    assert {f.currency for f in folded if "ledger CA" in f.subject} <= {c for _, c in foreign}
