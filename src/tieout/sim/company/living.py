"""The living ledger: reads accounts back, keys and posts journals, stamps rows as JDE does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from tieout.sim.clock import PracticeClock
from tieout.sim.company.calendar import days_of, from_julian, julian, period_of
from tieout.sim.company.chart import Account, Chart, Company
from tieout.sim.company.journals import Journal, Line, Row, ledger_row
from tieout.sim.company.post import post_rows
from tieout.sim.jde.ledger import Ledger
from tieout.sim.jde.money import header_amount
from tieout.sim.jde.numbers import draw

LINE_KEY = ("DCT", "DOC", "KCO", "DGJ", "JELN", "LT", "EXTL")
Found = dict[str, Any]  # a row as `Ledger.rows` gives it


@dataclass(frozen=True, slots=True)
class Living:
    """The ledger of the running practice system, with the clock that stamps changes."""

    ledger: Ledger
    clock: PracticeClock

    def stamp(self) -> tuple[int, int]:
        """UPMJ and UPMT of a change made now."""
        now = self.clock.today()
        return julian(now.date()), now.hour * 10_000 + now.minute * 100 + now.second

    def companies(self) -> dict[str, Company]:
        """The companies of F0010 but the template."""
        decimals = {row["CRCD"]: int(row["CDEC"]) for row in self.ledger.rows("F0013")}
        found = {}
        for row in self.ledger.rows("F0010"):
            year = period_of(row["DTPN"], from_julian(row["DFYJ"]))[0]
            made = (row["CO"], row["NAME"], row["CRCD"], decimals[row["CRCD"]], row["DTPN"], year)
            if row["CO"] != "00000":
                found[row["CO"]] = Company(*made, row["PNC"], "")
        return found

    def account(self, **where: str) -> Account:
        """One account by columns of F0901; LookupError names what was sought."""
        found = self.ledger.rows("F0901", where)
        if not found:
            raise LookupError(f"no account {where}")
        return account_of(found[0])

    def of_code(self, code: str) -> Account:
        """The account written BU.OBJ.SUB or given by its eight-digit id."""
        if "." not in code:
            return self.account(AID=code)
        unit, object_account, *rest = code.split(".")
        return self.account(MCU=unit, OBJ=object_account, SUB="".join(rest))

    def busiest(self, company: str, *, low: str = "5000", high: str = "7999") -> Account:
        """The account of an object range with most posted lines; for a stable default."""
        found = self.ledger.query(
            "SELECT AID FROM F0911 WHERE CO = ? AND POST = 'P' AND LT = 'AA' AND OBJ BETWEEN ? "
            "AND ? AND SBL = '' GROUP BY AID ORDER BY count(*) DESC, AID LIMIT 1",
            (company, low, high),
        )
        if not found:
            raise LookupError(f"company {company} has no posted lines from {low} to {high}")
        return self.account(AID=found[0][0])

    def current(self, company: str) -> tuple[int, int]:
        """Fiscal year and period the company is in."""
        known = self.companies()[company]
        return known.year, known.period

    def day_in(self, company: str, year: int, period: int) -> date:
        """The last day of a period of a company."""
        return days_of(self.companies()[company].pattern, year, period)[1]

    def key(self, lines: Sequence[Line], day: date, text: str, *, status: str = "A",
            user: str = "MHOLT") -> list[Found]:  # fmt: skip
        """Enter one unposted journal in a new batch; returns its rows."""
        chart = Chart(companies=self.companies())
        company = lines[0].account.company
        today, time = self.stamp()
        batch, number = draw(self.ledger, "batch"), draw(self.ledger, "document")
        journal = Journal(
            company, "JE", number, day, "G", batch, from_julian(today), time, user, text,
            list(lines), posted="",
        )  # fmt: skip
        rows = [ledger_row(chart, journal, line, n) for n, line in enumerate(lines, 1)]
        self.ledger.insert("F0911", rows)
        entered = sum(max(line.amount, 0) for line in lines)
        debits = header_amount(entered, chart.companies[company].decimals)
        header: Row = {
            "ICUT": "G", "ICU": batch, "IST": status, "IAPP": "A" if status else "", "NDO": 1,
            "DOCN": 1, "AICU": debits, "AME": debits, "BAL": "Y", "BALJ": "Y", "IBOI": "Y",
            "DICJ": today, "USER": user, "PID": "P0911", "UPMJ": today, "UPMT": time,
        }  # fmt: skip
        self.ledger.insert("F0011", [header])
        return self.ledger.rows("F0911", {"ICUT": "G", "ICU": batch})

    def post(self, rows: Iterable[Found], *, balances: bool = True, restamp: bool = False) -> None:
        """Post lines: flag P and F0902; whether the lines are stamped anew is unknown (§3.1)."""
        stamp = self.stamp()
        for row in rows:
            if balances:
                post_rows(self.ledger, [row], stamp)
            change: Row = {"POST": "P"}
            if restamp:
                change |= {"UPMJ": stamp[0], "UPMT": stamp[1], "USER": "JDEPOST", "PID": "R09801"}
            self.ledger.update("F0911", change, key_of(row))

    def header(self, row: Mapping[str, Any], status: str) -> None:
        """Set the status of the batch of a line (or of a header) and stamp it."""
        today, time = self.stamp()
        change: Row = {"IST": status, "UPMJ": today, "UPMT": time}
        if status == "D":
            change |= {"USER": "JDEPOST", "PID": "R09801"}
        self.ledger.update("F0011", change, {"ICUT": row["ICUT"], "ICU": row["ICU"]})

    def new_journal(self, lines: Sequence[Line], day: date, text: str, *, balances: bool = True,
                    restamp: bool = False) -> list[Found]:  # fmt: skip
        """Key a journal and post it; without `balances` the post dies half-way."""
        rows = self.key(lines, day, text)
        self.post(rows, balances=balances, restamp=restamp)
        self.header(rows[0], "D" if balances else "U")
        return self.ledger.rows("F0911", {"ICUT": "G", "ICU": rows[0]["ICU"]})

    def touched(self, rows: Iterable[Mapping[str, Any]], **more: object) -> dict[str, object]:
        """What an event answers: every changed bucket by today's code, the first of them on top."""
        companies = self.companies()
        cells = [
            {
                "company": row["CO"], "account": row["AID"],
                "code": self.account(AID=row["AID"]).code,
                "ledger": row["LT"], "period": f"{row['CTRY'] * 100 + row['FY']}-{row['PN']:02}",
                "amount": plain(row["AA"], companies[row["CO"]].decimals),
                "document": f"{row['DCT']} {row['DOC']} {row['KCO']}",
                "batch_type": row["ICUT"], "batch_number": row["ICU"],
            }
            for row in rows
            if row["CO"] in companies
        ]  # fmt: skip
        return {**(cells[0] if cells else {}), "touched": cells, **more}


def account_of(row: Mapping[str, Any]) -> Account:
    """An F0901 row as an account."""
    return Account(
        row["AID"], row["CO"], row["MCU"].strip(), row["OBJ"], row["SUB"], row["DL01"],
        row["R001"], row["PEC"], row["CRCD"],
    )  # fmt: skip


def key_of(row: Mapping[str, Any]) -> Row:
    """The seven key columns of an F0911 row."""
    return {alias: row[alias] for alias in LINE_KEY}


def plain(amount: int, decimals: int) -> str:
    """A stored amount as decimal text."""
    digits = f"{abs(amount):0{decimals + 1}}"
    text = f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits
    return f"-{text}" if amount < 0 else text


def stored(text: str, decimals: int) -> int:
    """Decimal text as a stored amount; ValueError when it has more decimals than the currency."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    whole, _, part = rest.partition(".")
    if not (whole + part).isdigit() or len(part) > decimals:
        raise ValueError(f"not an amount of {decimals} decimals: {text!r}")
    return sign * int(whole + part.ljust(decimals, "0"))
