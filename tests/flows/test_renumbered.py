"""An account id that JD Edwards replaced by another: never added up with what took its place."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from books import Books, told

TABLES = ("F0901", "F0902", "F0911")


def renumber(books: Books, code: str) -> None:
    """The account of a code gets another short id in all its tables, as by a merge of charts."""
    unit, object_account = code.split(".")
    with closing(sqlite3.connect(books.home / "sim" / "jde.sqlite", timeout=30)) as ledger, ledger:
        (old,) = ledger.execute(
            "SELECT AID FROM F0901 WHERE trim(MCU) = ? AND OBJ = ? AND trim(SUB) = ''",
            (unit, object_account),
        ).fetchone()
        new = f"{int(ledger.execute('SELECT max(AID) FROM F0901').fetchone()[0]) + 1:08}"
        for table in TABLES:
            ledger.execute(f"UPDATE {table} SET AID = ? WHERE AID = ?", (new, old))


def test_an_account_that_took_the_place_of_another_is_held_and_never_added_to_it(
    books: Books,
) -> None:
    """Their group of balances has as many rows as before, so that no count tells of the loss."""
    company, month = "00060", "Mar 25"
    held = books.anaplan()
    plain = (c for c in sorted(held) if c[0] == company and c[3] == month and "." not in c[1])
    _, account, center, _ = next(c for c in plain if "6000" < c[1] < "7999")
    renumber(books, f"{center}.{account}")
    books.event("backdated", company=company, account=f"{center}.{account}", amount="12.34")

    run = books.run()

    assert (run.outcome, run.exit_code) == ("needs_attention", 6), told(books, run)
    assert "no-longer-shown" in books.rules(run)
    waiting = books.open_cells()
    assert (company, account, center, month) in waiting
    assert {cell[1:3] for cell in waiting} == {(account, center)}
    after = books.anaplan()
    assert {cell: after[cell] for cell in waiting} == {cell: held[cell] for cell in waiting}
