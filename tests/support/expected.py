"""The second path: what Anaplan must show, computed from the practice ledger by plain SQL.

It shares nothing with the product nor with the practice systems but the tables themselves, so a
rule that both sides of the product get wrong still fails here. Rules by number: jde-gl.md §7.1.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

Period = tuple[int, int]  # fiscal year (four digits) and period of the company
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
COMPANY_TEMPLATE = "00000"
FOREIGN = "CA"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One cell of the ledger at the grain of the tie-out."""

    company: str
    ledger: str
    currency: str
    fiscal_year: int
    period: int
    account: str
    business_unit: str


class Expected:
    """Expected totals of one practice ledger (`DIR/sim/jde.sqlite`), read as it is now."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        self._decimals: dict[str, int] = {
            code: int(n) for code, n in self._all("SELECT CRCD, CDEC FROM F0013")
        }
        self._denominated: dict[str, str] = dict(
            self._all("SELECT LT, CRCX FROM F0025 WHERE CRCX <> ''")
        )
        self._companies = {
            company: (currency, pattern)
            for company, currency, pattern in self._all("SELECT CO, CRCD, DTPN FROM F0010")
        }
        self._accounts = {
            aid: (f"{obj}.{sub}" if sub else obj, unit)
            for aid, unit, obj, sub in self._all("SELECT AID, trim(MCU), OBJ, SUB FROM F0901")
        }
        self._ends = self._period_ends()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _all(self, statement: str) -> list[tuple[Any, ...]]:
        return self._db.execute(statement).fetchall()

    def _period_ends(self) -> dict[tuple[str, int], list[date]]:
        """Pattern and fiscal year → its fourteen period ends (F0008)."""
        days = ", ".join(f"D{n:02}J" for n in range(1, 15))
        rows = self._db.execute(f"SELECT DTPN, CTRY, FY, {days} FROM F0008")
        return {(row[0], row[1] * 100 + row[2]): [day_of(n) for n in row[3:]] for row in rows}

    def currency(self, company: str, ledger: str, transaction: str) -> str:
        """Rule 4: denominated ledger, else company; the foreign ledger follows the transaction."""
        if ledger == FOREIGN:
            return transaction
        return self._denominated.get(ledger) or self._companies[company][0]

    def _amount(self, stored: int, currency: str) -> Decimal:
        return Decimal(stored).scaleb(-self._decimals[currency])

    def _place(self, aid: str, unit: str, account: str) -> tuple[str, str]:
        """Account code and business unit by the short id; a recode shows at once (§3.1)."""
        return self._accounts.get(aid, (account, unit))

    def lines(self, ledgers: Sequence[str] = ("AA",)) -> dict[Key, Decimal]:
        """Posted F0911 (rules 1, 3, 5): by account's company; details of a summary left out."""
        summaries = set(
            self._all("SELECT DISTINCT AID, LT, CTRY * 100 + FY, PN FROM F0911 WHERE DCT = 'BF'")
        )
        totals: dict[Key, Decimal] = defaultdict(Decimal)
        for aid, ledger, year, period, co, crcd, unit, obj, sub, amount, summed in self._db.execute(
            "SELECT AID, LT, CTRY * 100 + FY, PN, CO, CRCD, trim(MCU), OBJ, SUB, AA, SUMM "
            "FROM F0911 WHERE POST = 'P'"
        ):
            if ledger not in ledgers or co == COMPANY_TEMPLATE:
                continue
            if summed == "Y" and (aid, ledger, year, period) in summaries:
                continue
            currency = self.currency(co, ledger, crcd)
            place = self._place(aid, unit, f"{obj}.{sub}" if sub else obj)
            totals[Key(co, ledger, currency, year, period, *place)] += self._amount(
                amount, currency
            )
        return dict(totals)

    def balances(self, ledgers: Sequence[str] = ("AA",)) -> dict[Key, Decimal]:
        """F0902 net postings over subledger and currency rows; years without any are left out."""
        buckets = ", ".join(f"AN{n:02}" for n in range(1, 15))
        totals: dict[Key, Decimal] = defaultdict(Decimal)
        for aid, ledger, year, co, crcd, unit, obj, sub, *net in self._db.execute(
            f"SELECT AID, LT, CTRY * 100 + FY, CO, CRCD, trim(MCU), OBJ, SUB, {buckets} FROM F0902"
        ):
            if ledger not in ledgers or co == COMPANY_TEMPLATE:
                continue
            currency = self.currency(co, ledger, crcd)
            place = self._place(aid, unit, f"{obj}.{sub}" if sub else obj)
            for period, amount in enumerate(net, 1):
                if amount:
                    key = Key(co, ledger, currency, year, period, *place)
                    totals[key] += self._amount(amount, currency)
        return dict(totals)

    def units(self) -> dict[tuple[str, Period], tuple[Decimal, Decimal]]:
        """Rule 6: units of posted AA lines and of the units ledger, by short id and period."""
        found: dict[tuple[str, Period], list[Decimal]] = defaultdict(lambda: [Decimal()] * 2)
        for aid, year, period, units in self._all(
            "SELECT AID, CTRY * 100 + FY, PN, sum(U) FROM F0911 WHERE POST = 'P' AND LT = 'AA' "
            "AND U <> 0 GROUP BY 1, 2, 3"
        ):
            found[aid, (int(year), int(period))][0] += Decimal(units).scaleb(-2)
        buckets = ", ".join(f"AN{n:02}" for n in range(1, 15))
        statement = f"SELECT AID, CTRY * 100 + FY, {buckets} FROM F0902 WHERE LT = 'AU'"
        for aid, year, *net in self._all(statement):
            for period, units in enumerate(net, 1):
                if int(units):
                    found[aid, (int(year), period)][1] += Decimal(units).scaleb(-2)
        return {key: (values[0], values[1]) for key, values in found.items()}

    def month(self, company: str, fiscal_year: int, period: int) -> str:
        """Rules 10, 11: the Anaplan month in which the period ends; period 13 folds into 12."""
        end = self._ends[self._companies[company][1], fiscal_year][period - 1]
        return f"{MONTHS[end.month - 1]} {end.year % 100:02}"

    def cells(
        self,
        *,
        first: Period = (2024, 1),
        last: Mapping[str, Period] | None = None,
        companies: Iterable[str] = (),
        mapping: Mapping[str, str] | None = None,
        flip: Sequence[tuple[str, str]] = (),
        source: Mapping[Key, Decimal] | None = None,
    ) -> dict[tuple[str, str, str, str], Decimal]:
        """The Anaplan cells: (company, account, cost center, "Dec 25") → amount as it is shown.

        From fiscal period `first` to each company's current one (or `last`). `mapping` gives
        other members for codes of accounts and cost centers, `flip` the object ranges that
        Anaplan shows with the opposite sign, `source` other totals than those of the lines.
        Cells that net to zero are in it: a missing cell and an explicit zero are both right.
        """
        wanted, to = set(companies), mapping or {}
        ends = {**self.current(), **(last or {})}
        shown: dict[tuple[str, str, str, str], Decimal] = defaultdict(Decimal)
        for key, amount in (self.lines() if source is None else source).items():
            at = (key.fiscal_year, key.period)
            if (wanted and key.company not in wanted) or at < first:
                continue
            if self._fold(key.company, at) > ends[key.company]:
                continue
            object_account = key.account.partition(".")[0]
            sign = -1 if any(low <= object_account <= high for low, high in flip) else 1
            month = self.month(key.company, *at)
            account = to.get(key.account, key.account)
            center = to.get(key.business_unit, key.business_unit)
            shown[key.company, account, center, month] += sign * amount
        return dict(shown)

    def _fold(self, company: str, at: Period) -> Period:
        """The normal period to which an adjustment period belongs."""
        return at[0], min(at[1], 12)

    def current(self) -> dict[str, Period]:
        """Company → its current fiscal year and period (F0010)."""
        found = self._all("SELECT CO, DTPN, DFYJ, PNC FROM F0010")
        return {co: (self._year_of(pattern, int(day)), int(pn)) for co, pattern, day, pn in found}

    def _year_of(self, pattern: str, first_day: int) -> int:
        """Rule 10: the year in which the first period ends."""
        end_of_first = {y: ends[0] for (p, y), ends in self._ends.items() if p == pattern}
        start = day_of(first_day)
        return min(year for year, end in end_of_first.items() if end >= start)

    def wrong_periods(self) -> list[tuple[Any, ...]]:
        """Rule 9: posted lines whose year and period are not those of their G/L date."""
        found = []
        for row in self._all(
            "SELECT DISTINCT CO, DGJ, CTRY * 100 + FY, PN FROM F0911 WHERE POST = 'P'"
        ):
            company, day = row[0], day_of(int(row[1]))
            ends = self._ends[self._companies[company][1], int(row[2])]
            if next((n for n, end in enumerate(ends, 1) if day <= end), 0) != int(row[3]):
                found.append(row)
        return found

    def unposted(self) -> dict[str, int]:
        """Rule 1: lines of each company that are not posted, whatever their code."""
        return {
            company: int(count)
            for company, count in self._all(
                "SELECT CO, count(*) FROM F0911 WHERE POST <> 'P' AND LT = 'AA' GROUP BY CO"
            )
        }


def day_of(number: int) -> date:
    """CYYDDD as a date (rule 8)."""
    return date(1900 + number // 1000, 1, 1) + timedelta(days=number % 1000 - 1)


def differing(one: Mapping[Key, Decimal], other: Mapping[Key, Decimal]) -> dict[Key, Decimal]:
    """A full outer join: what `one` has more than `other`, cell by cell, zeros left out."""
    both = one.keys() | other.keys()
    gaps = {key: one.get(key, Decimal()) - other.get(key, Decimal()) for key in both}
    return {key: gap for key, gap in gaps.items() if gap}
