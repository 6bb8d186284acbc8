"""Fiscal periods of a G/L date by F0008 and F0010, and what JDE says about the date (X0903)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tieout.sim.jde.ledger import Ledger

PERIODS = 14
PRIOR_YEAR_TYPE = "##"


@dataclass(frozen=True, slots=True)
class Message:
    """What an edit says: its code, its words, and whether it is only a warning."""

    code: str
    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a date falls: fiscal year (four digits), period, and the year's last day."""

    year: int
    period: int
    last: int


class Fiscal:
    """The calendars of the companies, as the tables have them now."""

    def __init__(self, ledger: Ledger) -> None:
        self._years = ledger.rows("F0008")
        self._companies = {row["CO"]: row for row in ledger.rows("F0010")}
        self._places: dict[tuple[str, int], Place | None] = {}  # lines share their dates

    def place(self, company: str, day: int) -> Place | None:
        """The period whose end is the first not before the date; None without an F0008 row."""
        if (company, day) not in self._places:
            self._places[company, day] = self._place(company, day)
        return self._places[company, day]

    def _place(self, company: str, day: int) -> Place | None:
        pattern = self._companies.get(company, {}).get("DTPN", "")
        for row in self._years:
            if row["DTPN"] == pattern and row["DFYJ"] <= day <= last_day(row):
                ends = [row[f"D{n:02}J"] for n in range(1, PERIODS + 1)]
                period = next(n for n, end in enumerate(ends, 1) if day <= end)
                return Place(row["CTRY"] * 100 + row["FY"], period, last_day(row))
        return None

    def judge(
        self, company: str, day: int, document_type: str, before_current: str
    ) -> Message | None:
        """J111 J112: the message about a G/L date; `before_current` is what PBCO is (J111)."""
        known = self._companies.get(company)
        if known is None:
            return Message("CO", f"Company {company} is not in Company Constants")
        at, now = self.place(company, day), self.place(company, int(known["DFYJ"]))
        if at is None or now is None:
            return Message("F0008", f"No date pattern {known['DTPN']} covers the G/L date {day}")
        current = (now.year, int(known["PNC"]))
        if at.year < now.year:
            prior = document_type == PRIOR_YEAR_TYPE
            return Message("PYEB", "G/L date is in a prior fiscal year", warning=prior)
        if (at.year, at.period) < current:
            warning = before_current == "warning"
            return Message("PBCO", "G/L date is before the current period", warning=warning)
        if (at.year, at.period) <= _following(current, int(known["NNP"])):
            return None
        if at.year == now.year:
            return Message("PACO", "G/L date is after the next period", warning=True)
        return Message("WACO", "G/L date is in a later fiscal year", warning=True)


def last_day(row: Mapping[str, Any]) -> int:
    """The last day of a row of F0008."""
    return max(int(row[f"D{n:02}J"]) for n in range(1, PERIODS + 1))


def _following(at: tuple[int, int], periods: int) -> tuple[int, int]:
    year, period = at
    return (year + 1, 1) if period >= (periods or 12) else (year, period + 1)
