"""What the demo company does for a living: sales, purchases, payroll, depreciation, allocations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from tieout.sim.company.chart import INTERCOMPANY, TREASURY, Account
from tieout.sim.company.journals import Book, Journal, Line

# Local currency units for 1,000 dollars, to make amounts of a believable size.
PER_THOUSAND_DOLLARS = {"USD": 1_000, "EUR": 920, "JPY": 149_000, "KWD": 307}
# The currency in which a company is invoiced from abroad, its decimals, and its rate × 1,000.
ABROAD = {"USD": ("EUR", 2, 1_087), "EUR": ("USD", 2, 920), "JPY": ("USD", 2, 149_300)}
SKEW = 1_000  # amounts are drawn as low + (high - low) · r², r of this fineness
Maker = Callable[["Desk", date, int], list[Line]]


@dataclass(frozen=True, slots=True)
class Desk:
    """One company's accountant: knows its accounts and draws amounts in its currency."""

    book: Book
    company: str

    def amount(self, low: int, high: int) -> int:
        """A positive amount of `low` to `high` dollars' worth, in stored units."""
        dice, company = self.book.dice, self.book.chart.companies[self.company]
        r = dice.randrange(1, SKEW)
        scale: int = 10**company.decimals
        top = (high - low) * r * r // SKEW + low * SKEW
        amount = top * PER_THOUSAND_DOLLARS[company.currency] * scale // (SKEW * 1_000)
        return amount + dice.randrange(1, 60 if company.decimals else 9)

    def account(self, object_account: str) -> Account:
        """A balance sheet account of the company."""
        return self.book.chart.balance(self.company, object_account)

    def some(
        self, kinds: tuple[str, ...], categories: tuple[str, ...], count: int
    ) -> list[Account]:
        """Up to `count` accounts of one unit of the given kinds."""
        chart, dice = self.book.chart, self.book.dice
        units = chart.units_of(self.company, *kinds)
        unit = units[dice.randrange(len(units))]
        known = [a for c in categories for a in chart.by_use[unit.code, c] if a.edit == ""]
        return dice.sample(known, min(max(1, count), len(known)))

    def against(self, lines: list[Line], object_account: str, remark: str) -> list[Line]:
        """The lines and one that balances them."""
        total = sum(line.amount for line in lines)
        return [*lines, Line(self.account(object_account), -total, remark)]


def sale(desk: Desk, day: date, limit: int) -> list[Line]:
    """Receivables against revenue of one sales unit."""
    count = desk.book.dice.randrange(1, 7)
    picked = desk.some(("sales",), ("REV",), min(count, limit - 1))
    lines = [Line(a, -desk.amount(900, 60_000), f"Invoice {day:%b %Y}") for a in picked]
    return desk.against(lines, "1210", "Customer invoices")


def cost_of_sales(desk: Desk, day: date, limit: int) -> list[Line]:
    """Cost of goods sold out of finished goods."""
    picked = desk.some(("sales", "plant"), ("COG",), min(desk.book.dice.randrange(1, 7), limit - 1))
    lines = [Line(a, desk.amount(500, 38_000), "Shipped") for a in picked]
    return desk.against(lines, "1340", "Relief of inventory")


def purchase(desk: Desk, day: date, limit: int) -> list[Line]:
    """Received goods not yet vouchered."""
    picked = desk.some(("balance",), ("INV",), min(desk.book.dice.randrange(1, 5), limit - 1))
    lines = [Line(a, desk.amount(700, 45_000), f"Receipt {day:%d.%m.}") for a in picked]
    return desk.against(lines, "2115", "Received not vouchered")


def voucher(desk: Desk, day: date, limit: int) -> list[Line]:
    """A supplier invoice charged to one unit."""
    picked = desk.some(("plant", "staff", "sales"), ("MFG", "OPX", "TRV"),
                       min(desk.book.dice.randrange(1, 8), limit - 1))  # fmt: skip
    remark = REMARKS[desk.book.dice.randrange(len(REMARKS))]
    lines = [Line(a, desk.amount(20, 9_000), remark) for a in picked]
    return desk.against(lines, "2110", "Supplier invoice")


def payment(desk: Desk, day: date, limit: int) -> list[Line]:
    """Suppliers paid from the bank."""
    return desk.against(
        [Line(desk.account("2110"), desk.amount(900, 90_000))], "1110", "Payment run"
    )


def receipt(desk: Desk, day: date, limit: int) -> list[Line]:
    """Customers' money received."""
    return desk.against([Line(desk.account("1210"), -desk.amount(900, 120_000))], "1110", "Lockbox")


def payroll(desk: Desk, day: date, limit: int) -> list[Line]:
    """Payroll of one unit against wages and taxes payable."""
    picked = desk.some(("plant", "staff", "sales"), ("PAY",), max(1, limit - 2))
    lines = [Line(a, desk.amount(1_500, 52_000), f"Payroll {day:%b}") for a in picked]
    lines = desk.against(lines, "2120", "Net pay")
    if limit > len(lines):
        tax = -lines[-1].amount // 4
        lines[-1].amount += tax
        lines.append(Line(desk.account("2125"), -tax, "Withheld"))
    return lines


def depreciation(desk: Desk, day: date, limit: int) -> list[Line]:
    """Monthly depreciation of plants and offices."""
    chart = desk.book.chart
    units = chart.units_of(desk.company, "plant", "staff")[: max(1, limit - 1)]
    accounts = [chart.of(f"{u.code}.{'6560' if u.kind == 'plant' else '7330'}") for u in units]
    lines = [Line(a, desk.amount(1_200, 9_500), "Monthly depreciation") for a in accounts]
    return desk.against(lines, "1620", "Depreciation")


def allocation(desk: Desk, day: date, limit: int) -> list[Line]:
    """Facility cost moved inside the allocation center: its lines net to zero by themselves.

    Hiding such a unit by row security leaves every company at zero (design §2 f).
    """
    units = desk.book.chart.units_of(desk.company, "allocation")
    if not units:
        return revaluation(desk, day, limit)
    amount = desk.amount(4_000, 20_000)
    into, out = (desk.book.chart.of(f"{units[0].code}.{o}") for o in ("7360", "7370"))
    return [Line(into, amount, "Facilities in"), Line(out, -amount, "Facilities out")]


def revaluation(desk: Desk, day: date, limit: int) -> list[Line]:
    """Unrealised exchange differences on payables."""
    treasury = TREASURY[desk.company]
    loss = desk.book.dice.randrange(2)
    account = desk.book.chart.of(f"{treasury}.{'8550' if loss else '8060'}")
    amount = desk.amount(50, 6_000) * (1 if loss else -1)
    return desk.against([Line(account, amount, "Revaluation")], "2110", "Exchange difference")


def accrual(desk: Desk, day: date, limit: int) -> list[Line]:
    """An expense accrued at period end."""
    picked = desk.some(("plant", "staff"), ("MFG", "OPX"), min(2, limit - 1))
    lines = [Line(a, desk.amount(400, 9_000), "Accrued, invoice open") for a in picked]
    return desk.against(lines, "2150", "Accrual")


REMARKS = (
    "Monthly service", "Utilities", "Repair order 4711", "Consumables", "Travel report",
    "Spare parts", "Licence renewal", "Freight", "Training", "Cleaning", "Rent", "Supplies",
)  # fmt: skip

# name → share of the lines, batch type, document type, maker
KINDS: dict[str, tuple[int, str, str, Maker]] = {
    "Sales": (26, "IB", "RI", sale),
    "Cost of sales": (16, "N", "IM", cost_of_sales),
    "Goods received": (10, "O", "OV", purchase),
    "Supplier vouchers": (24, "V", "PV", voucher),
    "Payment run": (4, "K", "PK", payment),
    "Receipts": (4, "RB", "RC", receipt),
    "Payroll": (16, "7", "T2", payroll),
}
MONTHLY: dict[str, Maker] = {
    "Depreciation": depreciation, "Facilities allocation": allocation, "Revaluation": revaluation,
}  # fmt: skip


def in_foreign_currency(desk: Desk, journal: Journal) -> Journal:
    """Turn a voucher into a foreign one: an AA and a CA row each, both balanced (§2.7)."""
    company = desk.book.chart.companies[desk.company]
    if company.currency not in ABROAD:
        return journal
    currency, decimals, rate = ABROAD[company.currency]
    shift: int = 10**decimals
    base: int = 10**company.decimals
    for line in journal.lines[:-1]:
        line.foreign = line.amount * shift * 1_000 // (rate * base)
    journal.lines[-1].foreign = -sum(line.foreign for line in journal.lines[:-1])
    journal.lines[-1].account = desk.book.chart.of(
        f"{company.unit}.2110.FOREIGN"
        if f"{company.unit}.2110.FOREIGN" in desk.book.chart.texts
        else f"{company.unit}.2110"
    )
    journal.currency = currency
    return journal


def intercompany(book: Book, day: date, seller: str, buyer: str) -> None:
    """One entry over two companies and the AE rows the post makes of it, detail method (§2.10)."""
    desk, other = Desk(book, seller), Desk(book, buyer)
    amount = desk.amount(2_000, 40_000)
    batch = book.open("G", day)
    revenue = desk.some(("sales",), ("REV",), 1)[0]
    cost = other.some(("plant",), ("COG",), 1)[0]
    lines = [Line(revenue, -amount, "Castings delivered"), Line(cost, amount, "Castings received")]
    entry = book.enter(batch, seller, ("JE", "Intercompany sales"), day, lines)
    settled = [
        Line(desk.account(INTERCOMPANY), amount, "", f"000{buyer}", "A"),
        Line(other.account(INTERCOMPANY), -amount, "", f"000{seller}", "A"),
    ]
    book.enter(batch, seller, ("AE", "Intercompany settlement"), day, settled, number=entry.number,
               keyed=entry.keyed, user="JDEPOST")  # fmt: skip


def reversing(desk: Desk, day: date, next_day: date, limit: int, mirror_posted: str = "P") -> None:
    """An accrual (RE=R) and its mirror on a later date, which posts on its own (§2.10)."""
    batch = desk.book.open("G", day)
    lines = accrual(desk, day, limit)
    entry = desk.book.enter(batch, desk.company, ("JE", "Accrual, reverses"), day, lines,
                            reversal="R")  # fmt: skip
    mirror = [Line(line.account, -line.amount, line.remark) for line in lines]
    desk.book.enter(batch, desk.company, ("JE", "Accrual, reverses"), next_day, mirror,
                    number=entry.number, keyed=entry.keyed, posted=mirror_posted)  # fmt: skip
    batch.status = "D" if mirror_posted == "P" else "A"


def weekday(book: Book, first: date, last: date) -> date:
    """A day from first to last, not on a weekend where there is a choice."""
    day = first + timedelta(days=book.dice.randrange((last - first).days + 1))
    while day.weekday() > 4 and day > first:
        day -= timedelta(days=1)
    return day
