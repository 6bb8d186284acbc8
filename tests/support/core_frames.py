"""Small frames for the tests of the core: calendars, lines, balances, accounts, buckets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from tieout.core.cells import fold
from tieout.core.frames import (
    AMOUNT,
    BALANCES,
    BUCKET_KEY,
    BUCKETS,
    CELL_KEY,
    LINES,
    Schema,
)
from tieout.core.periods import Period, Policy
from tieout.core.scope import Reference, Scope, ScopeRule, scope_of
from tieout.sim.company.calendar import FIRST_YEAR, LAST_YEAR, fiscal_year

# The companies of facts/jde-gl.md, appendix A: base currency, decimals, date pattern.
COMPANIES = {
    "00001": ("USD", 2, "R"),
    "00060": ("USD", 2, "A"),
    "00070": ("JPY", 0, "R"),
    "00090": ("KWD", 3, "B"),
    "00200": ("EUR", 2, "C"),
}
SHOWN: Schema = {**dict.fromkeys(CELL_KEY, pl.String), "shown": AMOUNT}
IN_USE: Schema = {
    **{name: BUCKETS[name] for name in BUCKET_KEY},
    "in_use_amount": AMOUNT,
    "in_use_lines": pl.Int64,
}


def rows(schema: Schema, given: Sequence[Mapping[str, Any]], **defaults: Any) -> pl.DataFrame:
    """Rows in a schema; what a row does not give comes from `defaults`, else blank or zero."""
    blank = {
        name: "" if kind == pl.String else None if kind == pl.Date else 0
        for name, kind in schema.items()
    }
    full = [{**blank, **defaults, **row} for row in given]
    return pl.DataFrame(full, schema=dict(schema), orient="row")


def patterns(first_year: int = FIRST_YEAR, last_year: int = LAST_YEAR) -> pl.DataFrame:
    """F0008 of the practice company's four patterns."""
    return pl.DataFrame(
        [
            {"date_pattern": pattern, "fiscal_year_start": known.first}
            | {f"end_{n:02d}": end for n, end in enumerate(known.ends, 1)}
            for pattern in "RABC"
            for year in range(first_year, last_year + 1)
            for known in [fiscal_year(pattern, year)]
        ]
    )


def reference(year: int = 2025, period: int = 12, f0008: pl.DataFrame | None = None) -> Reference:
    """The small tables; every company stands in `year` and `period`."""
    return Reference(
        companies=pl.DataFrame(
            [
                {
                    "company": company, "currency": currency, "date_pattern": pattern,
                    "fiscal_year_start": fiscal_year(pattern, year).first,
                    "current_period": period,
                }
                for company, (currency, _, pattern) in COMPANIES.items()
            ]
        ),
        patterns=patterns() if f0008 is None else f0008,
        currencies=pl.DataFrame(
            {"currency": ["USD", "EUR", "JPY", "KWD"], "decimals": ["2", "2", "0", "3"]}
        ),
        ledgers=pl.DataFrame(
            {
                "ledger": ["AA", "CA", "BA", "XA"], "required_to_balance": ["Y", "Y", "N", "Y"],
                "denominated_currency": ["", "", "", "EUR"],
            }
        ),
    )  # fmt: skip


def scope(
    *companies: str,
    first: str = "2024-01",
    last: str | None = None,
    locked: str | None = None,
    detail: str | None = None,
    period_13: Mapping[str, Policy] | None = None,
    prior_years: int = 1,
    members: Mapping[tuple[str, int, int], str] | None = None,
    small_tables: Reference | None = None,
) -> Scope:
    """The scope of a flow over `companies` (all of them when none is named)."""
    rule = ScopeRule(
        companies=companies or tuple(COMPANIES),
        ledgers=("AA",),
        from_period=Period.parse(first),
        to_period=Period.parse(last) if last else None,
        prior_years=prior_years,
        locked_through=Period.parse(locked) if locked else None,
        detail_from=Period.parse(detail) if detail else None,
        period_13=period_13 or {},
        member_table=members,
    )
    return scope_of(rule, small_tables or reference())


def lines(*given: Mapping[str, Any]) -> pl.DataFrame:
    """Posted lines of company 00001 in January 2025, but for what is given; keys are distinct."""
    numbered = [{"document": number, **row} for number, row in enumerate(given, 1)]
    return rows(
        LINES, numbered, document_type="JE", document_company="00001", gl_date=date(2025, 1, 15),
        line_number="1", ledger="AA", posted="P", company="00001", account_id="00000001",
        fiscal_year=2025, period=1, currency="USD", base_currency="USD", amount=Decimal(0),
    )  # fmt: skip


F0902: Schema = {
    **{name: BALANCES[name] for name in BUCKET_KEY if name != "period"},
    **{f"{part}_{n:02d}": AMOUNT for part in ("net", "debit") for n in range(1, 15)},
}


def f0902(*given: Mapping[str, Any]) -> pl.DataFrame:
    """Balance rows of company 00001 in 2025, but for what is given."""
    return rows(
        F0902, given, company="00001", ledger="AA", currency="USD", account_id="00000001",
        fiscal_year=2025,
    )  # fmt: skip


def buckets(*given: Mapping[str, Any]) -> pl.DataFrame:
    """Tied buckets of company 00001 in January 2025, but for what is given."""
    full = [{"balance": row.get("amount", 0), **row} for row in given]
    return rows(
        BUCKETS, full, company="00001", ledger="AA", account_id="00000001", fiscal_year=2025,
        period=1, lines=1, has_balance=True, state="tied",
    )  # fmt: skip


def accounts(*codes: str) -> pl.DataFrame:
    """`00000001=30.5005.TRAVEL` → account id, business unit, object account, subsidiary."""
    found = []
    for text in codes:
        account_id, _, account = text.partition("=")
        unit, object_account, *subsidiary = account.split(".", 2)
        found.append((account_id, unit, object_account, "".join(subsidiary)))
    names = ["account_id", "business_unit", "object_account", "subsidiary"]
    return pl.DataFrame(found, schema=dict.fromkeys(names, pl.String), orient="row")


def mapping(*pairs: str) -> pl.DataFrame:
    """`A>B` or `A>B@2025-04` → a mapping table."""
    found = []
    for text in pairs:
        source, _, rest = text.partition(">")
        target, _, since = rest.partition("@")
        found.append((source, target, since))
    names = ["source", "target", "effective_from"]
    return pl.DataFrame(found, schema=dict.fromkeys(names, pl.String), orient="row")


def cells(
    bucket_rows: pl.DataFrame,
    known: pl.DataFrame,
    within: Scope,
    *,
    code: str = "object.subsidiary",
    flip: Sequence[str] = (),
    **tables: pl.DataFrame,
) -> pl.DataFrame:
    """`fold` with short names; `account=mapping(...)` and so on give the mapping tables."""
    return fold(bucket_rows, known, within.member_frame(), code=code, flip=flip, tables=tables)


def total(frame: pl.DataFrame, column: str) -> Decimal:
    """The sum of an amount column, zero for no rows."""
    return sum(frame[column].to_list(), Decimal(0))


def values(frame: pl.DataFrame, column: str = "value") -> dict[str, Decimal]:
    """`account business unit member` → amount."""
    return {
        f"{row[0]} {row[1]} {row[2]}": row[3]
        for row in frame.select("account", "business_unit", "member", column).iter_rows()
    }
