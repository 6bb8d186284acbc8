"""Books with the two example flows that load tables, and both sides by a second path."""

from __future__ import annotations

import json
import sqlite3
from decimal import Decimal

from books import Books

from tieout.verbs import setting_up
from tieout.verbs.demo_tables import BALANCES, PAYABLES

DECIMALS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
UNPLANNED, PLANNED = "J77", "30"  # a unit of F0902 that Anaplan's list does not have
FLOWS = ("balances", "payables")

BalanceCell = tuple[str, ...]  # company, account, cost center, fiscal year, line item


def with_tables(books: Books) -> Books:
    """The same books with the example flows configured."""
    applied = books.store.config()
    assert applied is not None
    setting_up.apply_project(books.instance, applied.text + BALANCES + PAYABLES)
    return books


def map_unplanned(books: Books) -> None:
    """A person maps the unit that is not planned."""
    setting_up.set_mapping(books.instance, "business_unit", UNPLANNED, PLANNED, "with its plant")


def _currencies(books: Books) -> dict[str, str]:
    return {r["CO"]: r["CRCD"] for r in books.systems.jde.ledger.rows("F0010")}


def balances_of_jde(books: Books) -> dict[BalanceCell, Decimal]:
    """What F0902 says of every number, row by row; zeros left out."""
    currency, mapped = _currencies(books), books.mapping()
    found: dict[BalanceCell, Decimal] = {}
    for row in books.systems.jde.ledger.rows("F0902", {"LT": "AA"}):
        if row["FY"] not in (24, 25) or row["CO"] not in books.companies:
            continue
        account = row["OBJ"] + (f".{row['SUB']}" if row["SUB"] else "")
        unit = mapped.get(row["MCU"].strip(), row["MCU"].strip())
        cell = (row["CO"], account, unit, f"20{row['FY']}")
        places = DECIMALS[currency[row["CO"]]]
        numbers = {"Opening": row["APYC"]}
        numbers |= {f"Period {n}": row[f"AN{n:02}"] for n in range(1, 15)}
        for name, amount in numbers.items():
            key = (*cell, name)
            found[key] = found.get(key, Decimal(0)) + Decimal(amount).scaleb(-places)
    return {key: amount for key, amount in found.items() if amount}


def balances_of_anaplan(books: Books) -> dict[BalanceCell, Decimal]:
    """What the practice Anaplan holds, asked at its control port."""
    rows = books.control("anaplan", "cells", module="Account Balances")["cells"]
    return {
        (r["Companies"], r["GL Accounts"], r["Cost Centers"], r["Fiscal Years"], r["line_item"]):
        Decimal(r["value"])
        for r in rows
    }  # fmt: skip


def payables_of_jde(books: Books) -> dict[str, tuple[str, ...]]:
    """What F0411 says of every open voucher: due date, status, open amounts as plain text."""
    currency = _currencies(books)
    found = {}
    for row in books.systems.jde.ledger.rows("F0411", {"POST": "D"}):
        if not row["AAP"]:
            continue
        code = f"{row['KCO']}-{row['DCT']}-{row['DOC']}-{row['SFX']}-{row['SFXE']}"
        opened = Decimal(row["AAP"]).scaleb(-DECIMALS[currency[row["CO"]]])
        foreign = Decimal(row["FAP"]).scaleb(-DECIMALS[row["CRCD"]])
        found[code] = (row["PST"], row["CRCD"], _plain(opened), _plain(foreign))
    return found


def payables_of_anaplan(books: Books) -> dict[str, tuple[str, ...]]:
    """The same of the items of the list, as the practice Anaplan keeps them."""
    db = sqlite3.connect(f"file:{books.home / 'sim' / 'anaplan.sqlite'}?mode=ro", uri=True)
    try:
        rows = db.execute(
            "select i.code, i.data from items i join objects o on o.id = i.list "
            "where o.name = 'Open Payables'"
        ).fetchall()
    finally:
        db.close()
    return {
        code: (p["Pay Status"], p["Currency"], p["Open Amount"], p["Open Foreign"])
        for code, p in ((code, json.loads(data)) for code, data in rows if data)
    }


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}" if amount else "0"


def one_balance(books: Books, **where: str | int) -> dict[str, str | int]:
    """A row of F0902 of a company in dollars with something in period 3."""
    found = books.systems.jde.ledger.rows("F0902", {"LT": "AA", "FY": 25, "CO": "00001", **where})
    return next(row for row in found if row["AN03"] and not row["SBL"])


KEY = ("AID", "CTRY", "FY", "FQ", "LT", "SBL", "SBLT", "CRCD")


def key_of(row: dict[str, str | int]) -> dict[str, str | int]:
    """The primary key of a row of F0902."""
    return {name: row[name] for name in KEY}
