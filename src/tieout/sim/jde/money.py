"""How many decimals an amount has: the governing currency of a row, as an SQL expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tieout.sim.jde.ledger import Ledger
from tieout.sim.jde.tables import DICTIONARY_DECIMALS

FOREIGN_LEDGERS = ("CA",)  # J035: amounts in the transaction currency of the row
PAYABLES, FOREIGN_PAYABLES = "F0411", ("ACR", "FAP")  # J131
DECIMALS_MAX = 4


@dataclass(frozen=True, slots=True)
class Currencies:
    """Decimals by currency code, and the currency of companies and of denominated ledgers."""

    decimals: Mapping[str, int]
    companies: Mapping[str, str]
    ledgers: Mapping[str, str]

    @classmethod
    def of(cls, ledger: Ledger) -> Currencies:
        """Read F0013, F0010 and F0025 as they are now."""
        return cls(
            {c: int(d or DICTIONARY_DECIMALS) for c, d in _pairs(ledger, "F0013", "CRCD", "CDEC")},
            dict(_pairs(ledger, "F0010", "CO", "CRCD")),
            {k: c for k, c in _pairs(ledger, "F0025", "LT", "CRCX") if c},
        )

    def of_code(self, column: str = '"CRCD"') -> str:
        """SQL: the decimals of the currency code in `column`."""
        return _case(column, dict(self.decimals))

    def of_company(self, column: str = '"CO"') -> str:
        """SQL: the decimals of the base currency of the company in `column`."""
        known = {co: self._decimals(code) for co, code in self.companies.items() if code}
        without = [co for co, code in self.companies.items() if not code]
        if not without:
            return _case(column, known)
        return f"CASE WHEN {column} IN ({_texts(without)}) THEN {self.of_code()} " \
               f"ELSE {_case(column, known)} END"  # fmt: skip

    def of_ledger(self, column: str, otherwise: str) -> str:
        """SQL: the decimals of the ledger's own currency, else `otherwise`."""
        whens = "".join(
            f"WHEN {column} = {_texts([lt])} THEN {self._decimals(code)} "
            for lt, code in self.ledgers.items()
        )
        return f"CASE {whens}ELSE {otherwise} END" if whens else otherwise

    def _decimals(self, code: str) -> int:
        return self.decimals.get(code, DICTIONARY_DECIMALS)

    def of_column(self, table: str, alias: str) -> str:
        """J035: SQL for the decimals of an amount column of `table`, row by row.

        Ledger's denominated currency, else company, else currency code (jde-gl.md §2.6); the
        foreign ledger and the foreign amount follow the row's own currency code.
        """
        if table in ("F0911", "F0911Z1") and alias == "ACR":
            return self.of_code()
        if table == PAYABLES:
            return self.of_code() if alias in FOREIGN_PAYABLES else self.of_company()
        if table not in ("F0911", "F0902", "F0911Z1"):
            return str(DICTIONARY_DECIMALS)
        ledger = self.of_ledger('"LT"', self.of_company())
        code = self.of_code()
        if code != ledger:
            ledger = f'CASE WHEN "LT" IN ({_texts(FOREIGN_LEDGERS)}) THEN {code} ELSE {ledger} END'
        if table == "F0902":
            denominated = self.of_code('"CRCX"')
            if denominated != ledger:
                ledger = f"CASE WHEN \"CRCX\" <> '' THEN {denominated} ELSE {ledger} END"
        return ledger


def _pairs(ledger: Ledger, table: str, key: str, value: str) -> list[tuple[str, str]]:
    found = ledger.query(f'SELECT "{key}", "{value}" FROM "{table}"')  # noqa: S608 - ours
    return [(str(k), str(v)) for k, v in found]


def _texts(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


def _case(column: str, decimals: dict[str, int]) -> str:
    """CASE over the keys whose decimals are not the dictionary's; a constant when there is none."""
    whens = ""
    for number in sorted(set(decimals.values()) - {DICTIONARY_DECIMALS}):
        keys = sorted(key for key, value in decimals.items() if value == number)
        whens += f"WHEN {column} IN ({_texts(keys)}) THEN {number} "
    return f"CASE {whens}ELSE {DICTIONARY_DECIMALS} END" if whens else str(DICTIONARY_DECIMALS)


def show(value: int, decimals: int) -> str:
    """J034: the exact decimal text of a scaled integer; zero is `0` whatever the decimals."""
    if not value or not decimals:
        return str(value)
    digits = str(abs(value)).rjust(decimals + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


def header_amount(amount: int, decimals: int) -> int:
    """An amount of a batch header, which knows no currency: a third decimal is cut off (§2.6)."""
    up: int = 10 ** max(0, DICTIONARY_DECIMALS - decimals)
    down: int = 10 ** max(0, decimals - DICTIONARY_DECIMALS)
    return amount * up // down
