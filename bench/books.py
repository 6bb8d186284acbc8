"""The whole company: lines, the balances that agree with them, and what Anaplan must show."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import polars as pl

from bench.ledger import (
    ACCOUNTS_MAX,
    ACCOUNTS_PER_COMPANY_MIN,
    BATCH_LINES,
    COMPANIES,
    LINES_PER_ACCOUNT_MIN,
    MONTHS,
    PERIODS,
    YEARS,
    Ledger,
    Lines,
    Place,
    amount_text,
    chart,
    draw_lines,
    json_row,
    line_rows,
    pages,
    texts,
)

FLIPPED = ("4000", "4999")  # Anaplan shows these objects with the opposite sign
ALL_PERIODS = range(1, 15)  # F0902 has fourteen columns
DATE, TIME = "20251231", "120000"
AMOUNT = pl.Decimal(38, 4)


def make(rows: int, seed: int) -> Ledger:
    """About `rows` lines (exactly: see `Ledger.lines`) of four companies and two years."""
    accounts = min(ACCOUNTS_MAX, rows // LINES_PER_ACCOUNT_MIN) // len(COMPANIES)
    accounts = max(accounts, ACCOUNTS_PER_COMPANY_MIN)
    ledger, pool = Ledger(), texts()
    cells, batches, charts = [], [], []
    places = list(_places())
    number = 0  # of the next line
    for company, (code, _, decimals) in enumerate(COMPANIES):
        known = chart(company, accounts)
        charts.append(known)
        for year in YEARS:
            sums = []
            for period in PERIODS:
                place = (code, year, period)
                at = places.index(place)
                count = (at + 1) * rows // len(places) - at * rows // len(places)
                lines = draw_lines(place, seed, range(number, number + count), accounts)
                number += -(-count // BATCH_LINES) * BATCH_LINES
                rows_of = line_rows(
                    lines.join(known, on="place", maintain_order="left"), place, pool
                )
                total = Decimal(int(lines["minor"].sum())).scaleb(-decimals)
                ledger.lines[place] = Lines(pages(rows_of), count, total)
                sums.append(_summed(lines, period))
                batches.append(lines.select("batch", "date").unique("batch"))
            moved = pl.concat(sums).join(known, on="place")
            _add_balances(ledger, (code, year), moved, decimals)
            cells.append(_cells(moved, year, decimals))
    every = pl.concat(charts)
    ledger.cells = pl.concat(cells)
    ledger.accounts = pages(_account_rows(every))
    ledger.batches = pages(_batch_rows(pl.concat(batches).unique("batch").sort("batch")))
    ledger.members = _members(every)
    ledger.groups["accounts"] = [
        {"groupBy": {"F0901.UPMJ": DATE}, "COUNT": every.height, "F0901.UPMT_MAX": int(TIME)}
    ]
    return ledger


def _places() -> Iterator[Place]:
    for code, _, _ in COMPANIES:
        for year in YEARS:
            for period in PERIODS:
                yield (code, year, period)


def _summed(lines: pl.DataFrame, period: int) -> pl.DataFrame:
    """Net and debit of every account that moved in a period, in the smallest unit."""
    minor = pl.col("minor")
    return lines.group_by("place").agg(
        pl.lit(period).alias("period"), net=minor.sum(), debit=minor.filter(minor > 0).sum()
    )


def _add_balances(ledger: Ledger, at: tuple[str, int], moved: pl.DataFrame, decimals: int) -> None:
    """F0902 of a company and year, and its totals by object and by business unit."""
    code, year = at
    currency = next(c for known, c, _ in COMPANIES if known == code)
    columns = [
        pl.col(name).filter(pl.col("period") == n).sum().alias(f"{name}{n:02d}")
        for name in ("net", "debit") for n in ALL_PERIODS
    ]  # fmt: skip
    key = ["account_id", "object", "unit"]
    rows = moved.group_by(key).agg(columns).sort("account_id")
    members: list[tuple[str, pl.Expr | str, bool]] = [
        ("AID", pl.col("account_id"), True), ("CTRY", str(year // 100), False),
        ("FY", str(year % 100), False), ("FQ", "", True), ("LT", "AA", True), ("SBL", "", True),
        ("SBLT", "", True), ("CRCD", currency, True), ("CO", code, True),
        ("OBJ", pl.col("object"), True), ("MCU", pl.col("unit").str.pad_start(12), True),
    ]  # fmt: skip
    amounts = [(f"AN{n:02d}", f"net{n:02d}") for n in ALL_PERIODS]
    amounts += [(f"AND{n:02d}", f"debit{n:02d}") for n in ALL_PERIODS]
    members += [(alias, amount_text(pl.col(name), decimals), False) for alias, name in amounts]
    ledger.balances[at] = pages(rows.select(json_row("F0902", members)).to_series())
    for kind, column, alias in (("by_object", "object", "OBJ"), ("by_unit", "unit", "MCU")):
        grouped = rows.group_by(column).agg(
            pl.len().alias("rows"), *(pl.col(name).sum() for _, name in amounts)
        )
        ledger.groups.setdefault(kind, []).extend(
            {
                "groupBy": {"F0902.LT": "AA", "F0902.CTRY": year // 100, "F0902.FY": year % 100,
                            "F0902.CO": code, f"F0902.{alias}": row[column]},
                "COUNT": row["rows"],
                **{f"F0902.{a}_SUM": _decimal(row[name], decimals) for a, name in amounts},
            }
            for row in grouped.sort(column).iter_rows(named=True)
        )  # fmt: skip


def _decimal(minor: int, decimals: int) -> str:
    return str(Decimal(minor).scaleb(-decimals))


def _cells(moved: pl.DataFrame, year: int, decimals: int) -> pl.DataFrame:
    """company, account, unit, time, value (in Anaplan's sign) of every cell that is not zero."""
    first, last = FLIPPED
    sign = pl.when(pl.col("object").is_between(pl.lit(first), pl.lit(last))).then(-1).otherwise(1)
    months = pl.Series([f"{month} {year % 100:02d}" for month in MONTHS])
    unit = pl.lit(Decimal(1).scaleb(-decimals)).cast(AMOUNT)
    value = (pl.col("net") * sign).cast(AMOUNT) * unit
    return moved.filter(pl.col("net") != 0).select(
        "company", "account", "unit", time=pl.lit(months).gather(pl.col("period") - 1),
        value=value.cast(AMOUNT),
    )  # fmt: skip


def _account_rows(accounts: pl.DataFrame) -> pl.Series:
    members: list[tuple[str, pl.Expr | str, bool]] = [
        ("AID", pl.col("account_id"), True), ("CO", pl.col("company"), True),
        ("MCU", pl.col("unit").str.pad_start(12), True), ("OBJ", pl.col("object"), True),
        ("SUB", pl.col("sub"), True), ("DL01", pl.lit("Account ") + pl.col("object"), True),
    ]  # fmt: skip
    return accounts.sort("account_id").select(json_row("F0901", members)).to_series()


def _batch_rows(batches: pl.DataFrame) -> pl.Series:
    members: list[tuple[str, pl.Expr | str, bool]] = [
        ("ICUT", "G", True), ("ICU", pl.col("batch"), False), ("IST", "D", True),
        ("DICJ", pl.col("date"), True), ("UPMJ", pl.col("date"), True), ("UPMT", TIME, False),
    ]  # fmt: skip
    return batches.select(json_row("F0011", members)).to_series()


def _members(accounts: pl.DataFrame) -> dict[str, list[dict[str, str]]]:
    """The three lists of Anaplan: the name of an item is not its code."""
    found = {}
    for kind, column in (("company", "company"), ("account", "account"), ("unit", "unit")):
        codes = accounts[column].unique().sort().to_list()
        found[kind] = [
            {"id": f"{n + 1:012d}", "name": f"{kind.title()} {code}", "code": code, "parent": ""}
            for n, code in enumerate(codes)
        ]
    return found
