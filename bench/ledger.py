"""A ledger drawn from a seed, as the bytes that AIS and Anaplan would answer with.

Nothing here is random in the usual sense: every value is a hash of the line's number and the seed,
so the same rows come out on every machine and under every version of Polars.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl

COMPANIES = (("00001", "USD", 2), ("00060", "EUR", 2), ("00070", "JPY", 0), ("00090", "KWD", 3))
YEARS, PERIODS = (2024, 2025), range(1, 13)
UNITS = 60  # business units of a company
ACCOUNTS_MAX, LINES_PER_ACCOUNT_MIN = 20_000, 50  # of all companies
ACCOUNTS_PER_COMPANY_MIN = 60
PAGE_ROWS_MAX = 5_000
LINES_PER_DOCUMENT, DOCUMENTS_PER_BATCH = 7, 20
BATCH_LINES = LINES_PER_DOCUMENT * DOCUMENTS_PER_BATCH
SALTS_PER_SEED = 100
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WORDS = [
    "rent", "accrual", "payroll", "freight", "invoice", "reversal", "adj", "FX", "reval", "bank",
    "fee", "depreciation", "supplies", "consulting", "travel", "Mueller", "GmbH", "ACME", "Corp",
    "stock", "transfer", "intercompany", "recharge", "quarter", "close",
]  # fmt: skip
ODD_TEXTS = ('say "hi" },{', "café Zürich", 'a\\b/c, "x', "line\nbreak", "東京 支払", "=1+1")
TEXTS, TEXT_CHARACTERS_MAX, ODD_TEXT_EVERY = 20_000, 30, 100
TEN_MILLION = 10**7  # from here on Java prints a double with an exponent
_ODD_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)

Place = tuple[str, int, int]  # company, fiscal year, period


@dataclass
class Lines:
    """F0911 of one company and period: pages without their ends, and what they add up to."""

    pages: list[tuple[bytes, int]]  # the rows, joined by commas, and how many
    count: int
    total: Decimal


@dataclass
class Ledger:
    """Everything the practice side needs to answer a first load."""

    lines: dict[Place, Lines] = field(default_factory=dict)
    balances: dict[tuple[str, int], list[tuple[bytes, int]]] = field(default_factory=dict)
    accounts: list[tuple[bytes, int]] = field(default_factory=list)
    batches: list[tuple[bytes, int]] = field(default_factory=list)
    groups: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    members: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    cells: pl.DataFrame = field(default_factory=pl.DataFrame)  # what Anaplan must show, by code


def drawn(number: pl.Expr, salt: int) -> pl.Expr:
    """A hash of a number (splitmix64), as UInt64."""
    step, *mixers = (pl.lit(m, pl.UInt64) for m in _ODD_MULTIPLIERS)
    z = number.cast(pl.UInt64) + pl.lit(salt, pl.UInt64) * step
    z = (z ^ (z // 2**30)) * mixers[0]
    z = (z ^ (z // 2**27)) * mixers[1]
    return z ^ (z // 2**31)


def chart(company: int, accounts: int) -> pl.DataFrame:
    """The accounts of one company: place, AID, MCU, OBJ, SUB and the code Anaplan knows."""
    code = COMPANIES[company][0]
    place = pl.col("place")
    return (
        pl.DataFrame({"place": pl.int_range(accounts, eager=True)})
        .with_columns(
            company=pl.lit(code),
            account_id=(place + (company + 1) * 1_000_000).cast(pl.String).str.zfill(8),
            unit=(place % UNITS + int(code) * 100 + 1).cast(pl.String),
            object=(place // UNITS * 97 % 9_000 + 1_000).cast(pl.String),
            sub=pl.when(place % 3 == 0).then(pl.lit("01")).otherwise(pl.lit("")),
        )
        .with_columns(
            account=pl.col("object")
            + pl.when(pl.col("sub") != "").then(pl.lit(".01")).otherwise(pl.lit(""))
        )
    )


def texts() -> pl.Series:
    """Remarks as they stand between quotes in JSON; one in a hundred needs escapes or UTF-8."""
    plain = []
    for i in range(TEXTS):
        words = [WORDS[(i * k) % len(WORDS)] for k in (7, 11, 13, 17)[: 1 + i % 4]]
        text = ODD_TEXTS[i % len(ODD_TEXTS)] if i % ODD_TEXT_EVERY == 0 else " ".join(words)
        # AIS escapes what it must; some releases escape all that is not ASCII.
        escaped = json.dumps(text[:TEXT_CHARACTERS_MAX], ensure_ascii=i % 200 == 0)
        plain.append(escaped[1:-1])
    return pl.Series(plain)


def amount_text(minor: pl.Expr, decimals: int) -> pl.Expr:
    """An amount in its smallest unit as Java prints a double: 1234.5, 12.0, 1.2345678E7."""
    size, unit = minor.abs(), 10**decimals
    digits = size.cast(pl.String)
    fraction = (size % unit).cast(pl.String).str.zfill(decimals) if decimals else pl.lit("0")
    plain = (size // unit).cast(pl.String) + pl.lit(".") + _without_zeros(fraction)
    power = (digits.str.len_chars() - 1 - decimals).cast(pl.String)
    long = digits.str.head(1) + pl.lit(".") + _without_zeros(digits.str.slice(1)) + "E" + power
    sign = pl.when(minor < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return sign + pl.when(size >= TEN_MILLION * unit).then(long).otherwise(plain)


def _without_zeros(digits: pl.Expr) -> pl.Expr:
    short = digits.str.strip_chars_end("0")
    return pl.when(short == "").then(pl.lit("0")).otherwise(short)


def draw_lines(place: Place, seed: int, numbers: range, accounts: int) -> pl.DataFrame:
    """The lines of one company and period, netting to zero; `numbers` are their numbers.

    A sixth power draws the accounts: a few carry most lines, many carry one now and then.
    """

    def draw(of: pl.Expr, salt: int) -> pl.Expr:
        return drawn(of, seed * SALTS_PER_SEED + salt)

    number, (_, year, period) = pl.col("number"), place
    share = draw(number, 1) % 65_536
    third = share * share // 65_536 * share // 65_536
    power = third * third // 65_536
    magnitude = pl.lit(10, pl.Int64).pow(draw(number, 2) % 6 + 2).cast(pl.Int64)
    size = (draw(number, 3) % 2**40).cast(pl.Int64) % magnitude + 1
    document = number // LINES_PER_DOCUMENT
    frame = pl.DataFrame(
        {"number": pl.int_range(numbers.start, numbers.stop, eager=True)}
    ).with_columns(
        place=(power * accounts // 65_536).cast(pl.Int64),
        minor=pl.when(draw(number, 4) % 2 == 0).then(size).otherwise(-size),
        document=document + 100_000,
        kind=pl.lit(pl.Series(["JE", "PV", "RI", "PK", "RC"])).gather(document % 5),
        day=(draw(document, 5) % 28 + 1).cast(pl.String).str.zfill(2),
        batch=document // DOCUMENTS_PER_BATCH + 1_000,
        text=(draw(number, 6) % TEXTS).cast(pl.Int64),
    )
    date = pl.lit(f"{year}{period:02d}") + pl.col("day")
    last = number == numbers.stop - 1
    return frame.with_columns(
        date=date,
        minor=pl.when(last).then(pl.col("minor") - pl.col("minor").sum()).otherwise("minor"),
    ).sort("kind", "document", "number")


def line_rows(lines: pl.DataFrame, place: Place, pool: pl.Series) -> pl.Series:
    """Each line as the JSON object of a GRID_DATA row: thirty columns of F0911."""
    company, year, period = place
    currency, decimals = next((c, d) for code, c, d in COMPANIES if code == company)
    n = pl.col("number")
    subledger = pl.when(n % 11 == 0).then((n % 9_000 + 1_000).cast(pl.String).str.zfill(8))
    members: list[tuple[str, pl.Expr | str, bool]] = [
        ("DCT", pl.col("kind"), True), ("DOC", pl.col("document"), False), ("KCO", company, True),
        ("DGJ", pl.col("date"), True), ("JELN", n % LINES_PER_DOCUMENT + 1, False),
        ("LT", "AA", True), ("EXTL", "", True), ("POST", "P", True), ("CO", company, True),
        ("AID", pl.col("account_id"), True), ("MCU", pl.col("unit").str.pad_start(12), True),
        ("OBJ", pl.col("object"), True), ("SUB", pl.col("sub"), True),
        ("SBL", subledger.otherwise(pl.lit("")), True),
        ("SBLT", pl.when(n % 11 == 0).then(pl.lit("A")).otherwise(pl.lit("")), True),
        ("CTRY", str(year // 100), False), ("FY", str(year % 100), False),
        ("PN", str(period), False), ("CRCD", currency, True), ("BCRC", currency, True),
        ("AA", amount_text(pl.col("minor"), decimals), False), ("ICUT", "G", True),
        ("ICU", pl.col("batch"), False), ("UPMJ", pl.col("date"), True),
        ("UPMT", n % 24 * 10_000 + n % 60 * 100, False), ("EXA", pl.col("explanation"), True),
        ("EXR", pl.col("remark"), True), ("R2", pl.col("reference"), True), ("RE", "", True),
        ("SUMM", "", True),
    ]  # fmt: skip
    remarked = lines.with_columns(
        explanation=pool.gather(lines["text"]),
        remark=pool.gather((lines["text"] * 31) % TEXTS),
        reference=pl.when(n % 3 == 0).then(pl.lit("PO") + n.cast(pl.String)).otherwise(pl.lit("")),
    )
    return remarked.select(json_row("F0911", members)).to_series()


def json_row(table: str, members: list[tuple[str, pl.Expr | str, bool]]) -> pl.Expr:
    """`members` (alias, value, whether it is quoted) as one JSON object."""
    parts: list[pl.Expr] = []
    waiting = "{"
    for alias, value, quoted in members:
        mark = '"' if quoted else ""
        waiting += f'"{table}_{alias}":{mark}'
        if isinstance(value, str):
            waiting += value
        else:
            parts += [pl.lit(waiting), value.cast(pl.String)]
            waiting = ""
        waiting += mark + ","
    return pl.concat_str(*parts, pl.lit(waiting[:-1] + "}"))


def pages(rows: pl.Series) -> list[tuple[bytes, int]]:
    """Rows dealt out evenly to pages of at most PAGE_ROWS_MAX."""
    count = max(1, -(-rows.len() // PAGE_ROWS_MAX))
    size = -(-rows.len() // count)
    parts = [rows.slice(start, size) for start in range(0, rows.len(), size)]
    return [(",".join(part.to_list()).encode(), part.len()) for part in parts]
