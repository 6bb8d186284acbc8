"""The edits of a journal line: account, business unit, ledger, subledger, currency, balance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from tieout.sim.jde.fiscal import Message
from tieout.sim.jde.ledger import Ledger

BUDGET_LETTERS = "BJKLMNOU"  # jde-gl.md §2.7
CLOSED_ACCOUNT = {"I": "inactive", "N": "non-posting", "P": "a purge candidate",
                  "M": "machine-generated only"}  # fmt: skip
CLOSED_UNIT = "NP"
Line = Mapping[str, Any]


class Masters:
    """The master rows the edits need, read once per run of a program."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._accounts: dict[str, Line | None] = {}
        self._units: dict[str, Line | None] = {}

    def account(self, number: str) -> Line | None:
        """The F0901 row of a short account id, exactly as it is kept."""
        if number not in self._accounts:
            found = self._ledger.rows("F0901", {"AID": number}) if len(number) <= 8 else []
            self._accounts[number] = found[0] if found else None
        return self._accounts[number]

    def unit(self, number: str) -> Line | None:
        """The F0006 row of a business unit."""
        if number not in self._units:
            found = self._ledger.rows("F0006", {"MCU": number})
            self._units[number] = found[0] if found else None
        return self._units[number]

    @cached_property
    def ledgers(self) -> dict[str, Line]:
        """F0025 by ledger type."""
        return {row["LT"]: row for row in self._ledger.rows("F0025")}

    @cached_property
    def companies(self) -> dict[str, Line]:
        """F0010 by company."""
        return {row["CO"]: row for row in self._ledger.rows("F0010")}

    @cached_property
    def types(self) -> set[str]:
        """The document types of UDC 00/DT."""
        rows = self._ledger.rows("F0005", {"SY": "00", "RT": "DT"})
        return {row["KY"].strip() for row in rows}

    @cached_property
    def decimals(self) -> dict[str, int]:
        """F0013: decimals by currency."""
        return {row["CRCD"]: int(row["CDEC"] or 2) for row in self._ledger.rows("F0013")}

    def places(self, company: str, ledger: str) -> int:
        """J035: the decimals of an amount of a company in a ledger."""
        denominated = self.ledgers.get(ledger, {}).get("CRCX", "")
        code = denominated or self.companies.get(company, {}).get("CRCD", "")
        return self.decimals.get(code, 2)


def line_messages(masters: Masters, line: Line, ledger: str) -> Iterable[Message]:
    """J114 J115 J116: what is wrong with one line (an F0911 or F0911Z1 row) in `ledger`."""
    account = masters.account(str(line["AID"]))
    if account is None:
        yield Message("AID", f"Account number {line['AID']!r} is not in the Account Master")
        return
    if ledger not in masters.ledgers:
        yield Message("LT", f"Ledger type {ledger!r} is not in the Ledger Type Master")
    if not line["AA"] and not line["U"]:
        yield Message("AA", "An amount is required")
    yield from account_messages(masters, account, ledger)
    edit = account["PEC"]
    if edit in "LS" and edit and not line["SBL"]:
        yield Message("SBL", f"Account {line['AID']} needs a subledger")
    if edit == "X" and line["SBL"]:
        yield Message("SBL", f"Account {line['AID']} takes no subledger")
    if bool(line["SBL"]) != bool(line["SBLT"]):
        yield Message("SBLT", "Subledger and subledger type go together")
    if edit == "U" and not line["U"]:
        yield Message("U", f"Account {line['AID']} needs units")


def account_messages(masters: Masters, account: Line, ledger: str) -> Iterable[Message]:
    """J114 J115: whether the account and its business unit may be posted to in `ledger`."""
    edit, number = account["PEC"], account["AID"]
    if edit and edit in CLOSED_ACCOUNT:
        yield Message("PEC", f"Account {number} is {CLOSED_ACCOUNT[edit]} (posting edit {edit})")
    if edit == "B" and not ledger.startswith(tuple(BUDGET_LETTERS)):
        yield Message("PEC", f"Account {number} takes budget ledgers only, not {ledger}")
    unit = masters.unit(account["MCU"])
    if unit is None:
        yield Message("MCU", f"Business unit {account['MCU'].strip()} is not in its master")
    elif unit["PECC"] and unit["PECC"] in CLOSED_UNIT:
        yield Message("0069", f"Business unit {account['MCU'].strip()} is not open for posting")
    elif unit["CO"] != account["CO"]:
        yield Message("CO", f"Account {number} and its business unit are of different companies")


def balance_message(masters: Masters, ledger: str, amounts: Iterable[int]) -> Message | None:
    """J116: a ledger that must balance takes no document that does not net to zero."""
    total = sum(amounts)
    if total and masters.ledgers.get(ledger, {}).get("FLRB") == "Y":
        return Message("BAL", f"Document is out of balance in ledger {ledger}")
    return None
