"""The hidden trouble that still lets a run be Complete: every odd case of jde-gl.md, Appendix A."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from tieout.sim.company.calendar import days_of
from tieout.sim.company.chart import Account
from tieout.sim.company.journals import LEDGER_BUDGET, Book, Journal, Line
from tieout.sim.company.trade import Desk, reversing, voucher

# Remarks that break careless CSV, spreadsheets and encodings; at most 30 characters each.
REMARKS = (
    "Bolts, nuts, washers", 'Pipe 3/4" "galvanised"', "First line\nsecond line", "Tab\there",
    "=cmd|' /C calc'!A0", "+1-800-555-0100", "-2+3", "@SUM(A1:A9)", "Prüfgerät für Kassel",
    "出張旅費 大阪", "شحن إلى الكويت", "Façade, l'été « neuf »", "semi;colon", "back\\slash",
    "'leading quote", "100% <b>bold</b> & more", "00012592", "1.204,00", "NULL", "🔩 hex bolts",
)  # fmt: skip
UNMAPPED_UNIT_TOTAL = 120_400  # 1,204.00 USD, all in one odd unit
PROJECT_ACCOUNT, PROJECT_LEVEL = (
    "36.7100.REBUILD",
    "9",
)  # F0901.LDA 8 and 9 are job cost (jde-gl §1.2)
RECODED = ("32.6480", ("34", "6490", "RECODED"))
TWO_NAMES = ("15.7010", "Rent, marketing hall")


def usd(dollars: int, cents: int = 0) -> int:
    """Dollars as stored units."""
    return dollars * 100 + cents


class Cases:
    """Writes each case and notes where it is, for events, reports and tests."""

    def __init__(self, book: Book) -> None:
        self.book, self.chart = book, book.chart
        self.notes: dict[str, object] = {}

    def account(self, code: str) -> Account:
        """The account written so, made if the chart has it not."""
        if code not in self.chart.texts:
            unit, object_account, *rest = code.split(".")
            self.chart.add(unit, object_account, "".join(rest))
        return self.chart.of(code)

    def entry(self, code: str, amount: int, day: date, text: str, **rest: Any) -> Journal:
        """A posted journal of two lines in a batch of its own: `code` against accruals."""
        account = self.account(code)
        subledger = str(rest.pop("subledger", ""))
        units = int(str(rest.pop("units", 0)))
        against = str(rest.pop("against", ""))
        other = self.account(against) if against else self.chart.balance(account.company, "2150")
        batch = self.book.open("G", day)
        lines = [
            Line(account, amount, text, subledger, "A" if subledger else "", units),
            Line(other, -amount, text, units=-units if against else 0),
        ]
        kind = str(rest.pop("type", "JE"))
        return self.book.enter(batch, account.company, (kind, text), day, lines, **rest)

    def write(self) -> None:
        """All cases, in the order of the list in the brief."""
        self.late_and_unposted()
        self.reversals_and_void()
        self.members()
        self.summary()
        self.edit_codes()
        self.odds_and_ends()
        self.remarks()
        self.budget()

    def late_and_unposted(self) -> None:
        """Batches nobody posted, and two posted weeks late: with and without a moved stamp."""
        for company in self.chart.companies.values():
            desk, numbers = Desk(self.book, company.code), []
            for year, month, status in (
                (2025, 2, "A"),
                (2025, 8, ""),
                (2025, 11, "A"),
                (2025, 12, "E"),
            ):
                day = date(year, month, 10)
                batch = self.book.open("G", day, status=status)
                lines = voucher(desk, day, 6)
                self.book.enter(batch, company.code, ("JE", "Open batch"), day, lines,
                                posted="", keyed=day)  # fmt: skip
                numbers.append(batch)
            self.notes[f"unposted {company.code}"] = numbers
        day = date(2025, 3, 11)
        for name, changed in (("late", None), ("late restamped", date(2025, 10, 2))):
            late = self.entry(
                "30.6450", usd(8_640, 25), day, "Posted late", keyed=day, changed=changed
            )
            self.book.batches[-1].posted_on = date(2025, 10, 2)
            self.notes[name] = late

    def reversals_and_void(self) -> None:
        """An accrual whose mirror waits, a void dated in a later period, a cell at zero (§2.10)."""
        desk = Desk(self.book, "00001")
        reversing(desk, date(2025, 10, 31), date(2025, 11, 1), 3, mirror_posted="")
        reversing(desk, date(2025, 12, 31), date(2026, 1, 1), 3, mirror_posted="")
        first = self.entry(
            "31.6450", usd(3_377, 40), date(2025, 5, 14), "Wrong supplier", reversal="V"
        )
        back = [Line(line.account, -line.amount, line.remark) for line in first.lines]
        batch = self.book.batches[-1]
        self.book.write(batch, replace(first, day=date(2025, 6, 3), lines=back,
                                       keyed=date(2025, 6, 3)))  # fmt: skip
        self.notes["void"] = first
        netted = self.entry("33.6450", usd(100), date(2025, 4, 8), "Nets to nothing")
        self.entry("33.6450", -usd(100), date(2025, 4, 24), "Nets to nothing")
        self.notes["zero cell"] = netted

    def members(self) -> None:
        """A unit and an account that list filters leave out, a recoded account, a second name."""
        parts = (usd(700), usd(354, 10), usd(149, 90))
        for code, amount, month in zip(
            ("J77.6450", "J77.6550.REBUILD", "J77.6450"), parts, (3, 7, 11), strict=True
        ):
            self.entry(code, amount, date(2025, month, 19), "Line 7 rebuild")
        self.notes["unmapped unit"] = "J77"
        for month, amount in ((4, usd(500, 25)), (9, usd(306, 25))):
            self.entry(PROJECT_ACCOUNT, amount, date(2025, month, 23), "Line 7 rebuild, advice")
        self.account(PROJECT_ACCOUNT).level = PROJECT_LEVEL
        self.notes["project account"] = self.account(PROJECT_ACCOUNT).id
        code, new = RECODED
        for year in (2024, 2025):
            for month in (2, 5, 8, 11):
                self.entry(code, usd(400 + 10 * month, 75), date(year, month, 6), "Lubricants")
        self.account(code).recoded = new
        self.notes["recoded"] = self.account(code).id
        self.account(TWO_NAMES[0]).name = TWO_NAMES[1]

    def summary(self) -> None:
        """Two details marked SUMM = Y and the BF row that stands for them (R09811)."""
        day = days_of("R", 2024, 2)[1]
        for amount in (usd(1_111, 11), usd(2_222, 22)):
            self.entry("35.6490.LAB", amount, date(2024, 2, 13), "Gauge check", summarized="Y")
            self.book.batches[-1].journals[-1].lines[1].account = self.account("35.6510.LAB")
        first, second = (b.journals[-1] for b in self.book.batches[-2:])
        batch = self.book.open("G", day)
        for line, other in zip(first.lines, second.lines, strict=True):
            total = Line(line.account, line.amount + other.amount, "Summarised")
            self.book.enter(batch, "00001", ("BF", "Balance forward"), day, [total], keyed=day)
        self.notes["summary"] = [line.account.id for line in first.lines]

    def edit_codes(self) -> None:
        """Subledgers kept and dropped by the balance, units, history of a closed unit."""
        for number, code in enumerate(("30.8740", "30.8741", "30.8740", "30.8741")):
            person = f"0000100{number % 3 + 1}"
            for year in (2024, 2025):
                day = date(year, 4 + number, 9)
                self.entry(code, usd(480 + number, 35), day, "Travel", subledger=person)
        for month in (1, 6, 9, 12):
            day = date(2025, month, 15)
            self.entry("30.9100", usd(250), day, "Pieces made", units=month * 100_00,
                       against="30.9400")  # fmt: skip
        self.entry("40.6450", usd(912, 60), date(2024, 3, 12), "Last repair before closing")
        for code in ("M30.000456", "M30.000789"):
            for year in (2024, 2025):
                self.entry(code, usd(1_530, 5), date(year, 9, 18), "Legacy line")
        self.notes["units"] = self.account("30.9100").id

    def odds_and_ends(self) -> None:
        """A prior-year entry, a model journal, a text edit that reopened its batch, a loan."""
        prior = self.entry("50.7110", usd(6_050), date(2024, 12, 31), "Audit fee prior year",
                           type="##", keyed=date(2025, 2, 17))  # fmt: skip
        self.notes["prior year"] = prior
        self.entry("50.7150", usd(75), date(2025, 1, 31), "Model journal", posted="M")
        self.book.batches[-1].status = ""
        self.entry("51.7160", usd(333, 30), date(2025, 9, 4), "Text corrected later",
                   changed=date(2025, 11, 20))  # fmt: skip
        self.book.batches[-1].status = "A"
        self.notes["text edit"] = self.book.batches[-1]
        self.entry("1.1292", usd(987_654_321, 9), date(2024, 6, 28), "Group loan converted")
        self.entry("1.1292", -usd(987_654_321, 9), date(2025, 6, 27), "Group loan repaid")

    def remarks(self) -> None:
        """Lines whose remarks hold commas, quotes, newlines, formulas and letters of the world."""
        units = ("30", "31", "33", "61", "63", "71", "91", "204")
        for number, remark in enumerate(REMARKS):
            unit = units[number % len(units)]
            company = self.chart.companies[self.chart.units[unit].company]
            code = next(a.code for a in self.chart.by_use[unit, "COG"] if a.edit == "")
            day = date(2025, 1 + number % 12, 12)
            amount = (211 + number) * 10**company.decimals + (5 if company.decimals else 0)
            self.entry(code, amount, day, remark)

    def budget(self) -> None:
        """A posted budget of 2025 in ledger BA, with an account that takes only budget."""
        accounts = [self.account("30.9000"), *self.chart.by_use["30", "MFG"][:8],
                    *self.chart.by_use["50", "OPX"][:8]]  # fmt: skip
        for month in range(1, 13):
            day = days_of("R", 2025, month)[1]
            batch = self.book.open("G", day)
            lines = [Line(a, usd(1_000 + 25 * month + int(a.id) % 97), "Budget") for a in accounts]
            self.book.enter(batch, "00001", ("BN", "Budget 2025"), day, lines, ledger=LEDGER_BUDGET)
