"""Balances that no journal explains: openings, the purged year, and the annual close R098201."""

from __future__ import annotations

from collections import defaultdict

from tieout.sim.company.chart import Chart, Company
from tieout.sim.company.journals import Book
from tieout.sim.company.post import Balance, Key
from tieout.sim.company.trade import Desk

PURGED_COMPANY, PURGED_YEAR = "00060", 2023
RETAINED_EARNINGS = "3400"
PROFIT_AND_LOSS = ("4000", "8999")  # AAI GLG6 to GLG12
CLOSE_DAY, CLOSE_TIME = 25, 220_000  # the close runs on 25 January
Balances = dict[Key, Balance]


def close_years(book: Book, balances: Balances) -> None:
    """Give every company its openings and carry each closed year forward, ledger AA only.

    Profit and loss accounts get a balance forward too, which nobody may add to a year (§1.4).
    """
    for company in book.chart.companies.values():
        years = sorted({_year(key) for key, b in balances.items() if b.account[0] == company.code})
        _open(book, company, balances, years[0])
        for year in range(years[0], company.year):
            _carry(book.chart, company, balances, year)


def purged_year(book: Book, balances: Balances) -> None:
    """FY2023 of one company: balances only, its lines were purged (R09911)."""
    desk = Desk(book, PURGED_COMPANY)
    company = book.chart.companies[PURGED_COMPANY]
    used = sorted({k[0] for k, b in balances.items() if b.account[0] == PURGED_COMPANY})
    accounts = {account.id: account for account in book.chart.accounts}
    clearing = book.chart.balance(PURGED_COMPANY, "1110").id
    for period in range(1, 13):
        total = 0
        for aid in used[::3]:
            amount = desk.amount(500, 60_000) * (1 if int(aid) % 2 else -1)
            _bucket(balances, company, accounts[aid].code, aid).add(period, amount)
            total += amount
        code = accounts[clearing].code
        _bucket(balances, company, code, clearing).add(period, -total)


def _bucket(balances: Balances, company: Company, code: str, aid: str) -> Balance:
    unit, object_account, *rest = code.split(".")
    key: Key = (aid, PURGED_YEAR // 100, PURGED_YEAR % 100, "AA", "", "", "")
    made = Balance((company.code, unit, object_account, "".join(rest)), company.currency)
    return balances.setdefault(key, made)


def _year(key: Key) -> int:
    return key[1] * 100 + key[2]


def _is_result(balance: Balance) -> bool:
    return PROFIT_AND_LOSS[0] <= balance.account[2] <= PROFIT_AND_LOSS[1]


def _of(balances: Balances, company: Company, year: int) -> Balances:
    return {
        key: balance
        for key, balance in balances.items()
        if balance.account[0] == company.code and key[3] == "AA" and _year(key) == year
    }


def _open(book: Book, company: Company, balances: Balances, year: int) -> None:
    """Openings of the balance sheet that net to zero; equity takes the difference."""
    desk, total = Desk(book, company.code), 0
    for _, balance in sorted(_of(balances, company, year).items()):
        if not _is_result(balance) and balance.account[2] < "3000" and len(balance.account[2]) == 4:
            sign = 1 if balance.account[2] < "2000" else -1
            balance.forward = sign * desk.amount(20_000, 900_000)
            total += balance.forward
    _retained(book.chart, company, balances, year).forward -= total


def _retained(chart: Chart, company: Company, balances: Balances, year: int) -> Balance:
    account = chart.balance(company.code, RETAINED_EARNINGS)
    key: Key = (account.id, year // 100, year % 100, "AA", "", "", "")
    text = (company.code, account.unit, account.object, account.subsidiary)
    return balances.setdefault(key, Balance(text, company.currency))


def _carry(chart: Chart, company: Company, balances: Balances, year: int) -> None:
    """Annual close of one year: APYC and APYN of the next, result into retained earnings."""
    result, forward = 0, defaultdict(int)
    for key, balance in _of(balances, company, year).items():
        net = sum(balance.net)
        forward[key] = balance.forward + net
        if _is_result(balance):
            result += net
    for key, amount in forward.items():
        following: Key = (key[0], (year + 1) // 100, (year + 1) % 100, *key[3:])
        old = balances[key]
        after = balances.setdefault(following, Balance(old.account, old.governing))
        after.forward, after.before = amount, sum(old.net)
        after.stamp = max(after.stamp, ((year - 1899) * 1000 + CLOSE_DAY, CLOSE_TIME))
    _retained(chart, company, balances, year + 1).forward += result
