"""A period that has no amounts any longer is empty in Anaplan, and is remembered as empty."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import polars as pl
from books import Books, Cells, assert_quiet, assert_tied, changed

from tieout.core.periods import month_label
from tieout.sim.company.calendar import fiscal_year

COMPANY, MONTH = "00001", "May 24"
OWN_MEMBERS = {2024: "Jan 26", 2025: "Feb 26"}  # of period 13: months that nothing else uses
FOLDED = 'period_13 = { default = "fold" }'
SEPARATE = 'period_13 = { default = "separate" }'


def write_periods(books: Books) -> None:
    """A table of periods in which period 13 has a member of its own."""
    rows = [
        (pattern, year, number, month_label(end))
        for pattern in "RABC"
        for year in range(2022, 2027)
        for number, end in enumerate(fiscal_year(pattern, year).ends[:12], 1)
    ]
    rows += [("A", year, 13, member) for year, member in OWN_MEMBERS.items()]
    lines = ["pattern,year,period,member", *(f"{p},{y},{n},{m}" for p, y, n, m in rows)]
    (books.home / "periods.csv").write_text("\n".join(lines) + "\n")


def vanish(books: Books) -> None:
    """The ledger loses a whole period of a company, lines and balances."""
    with closing(sqlite3.connect(books.home / "sim" / "jde.sqlite", timeout=30)) as ledger, ledger:
        ledger.execute("DELETE FROM F0911 WHERE CO = ? AND FY = 24 AND PN = 5", (COMPANY,))
        ledger.execute("UPDATE F0902 SET AN05 = 0, AND05 = 0 WHERE CO = ? AND FY = 24", (COMPANY,))


def of_the_period(cells: Cells) -> Cells:
    return {c: v for c, v in cells.items() if (c[0], c[3]) == (COMPANY, MONTH)}


def remembered(books: Books, company: str, member: str) -> int:
    """How many cells of a company's month are remembered with an amount."""
    proved = books.store.scan(books.store.current("actuals", "proved"))
    there = (pl.col("company") == company) & (pl.col("member") == member) & (pl.col("shown") != 0)
    return proved.filter(there).collect().height


def test_period_13_folded_again_leaves_nothing_in_its_own_member(books: Books) -> None:
    first = books.anaplan()
    write_periods(books)
    books.change_flow(FOLDED, f'periods = "periods.csv"\n{SEPARATE}')
    assert books.run().outcome == "complete"
    apart = {c for c in books.anaplan() if c[3] in OWN_MEMBERS.values()}
    assert apart

    books.change_flow(SEPARATE, FOLDED)
    assert_tied(books, books.run())

    assert changed(first, books.anaplan()) == {}
    assert not any(remembered(books, company, member) for company, _, _, member in apart)
    assert_quiet(books)


def test_a_period_that_goes_again_empties_the_member_it_had_before(books: Books) -> None:
    first = books.anaplan()
    write_periods(books)
    books.change_flow(FOLDED, f'periods = "periods.csv"\n{SEPARATE}')
    assert books.run().outcome == "complete"
    books.change_flow(SEPARATE, FOLDED)

    books.run(periods={"from": "2024-12", "to": "2024-12"})

    left = changed(first, books.anaplan())
    assert not [c for c in left if c[3] in ("Dec 24", OWN_MEMBERS[2024])]


def test_a_period_that_vanished_from_the_ledger_is_emptied_once(books: Books) -> None:
    before = of_the_period(books.anaplan())
    vanish(books)

    assert_tied(books, books.run(full=True))

    assert of_the_period(books.uploaded_cells()).keys() == before.keys()
    assert remembered(books, COMPANY, MONTH) == 0
    books.event("backdated", company="00060", period="2025-05")
    assert_tied(books, books.run())
    assert of_the_period(books.uploaded_cells()) == {}


def test_an_import_that_clears_never_brings_an_emptied_period_back(books: Books) -> None:
    vanish(books)
    books.run(full=True)
    books.set_actuals('locked_through = "2024-12"\nimport_clears = "all"')
    books.person("set_clear_mode", **{"import": "Load GL Actuals", "mode": "all"})
    books.event("backdated", company="00060", period="2025-05")

    assert_tied(books, books.run())

    assert of_the_period(books.anaplan()) == {}
