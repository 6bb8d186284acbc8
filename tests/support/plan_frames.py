"""Small frames for the tests of plan write-back: a plan, a chart of accounts, and the rule."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import core_frames
import polars as pl

from tieout.core.difference import Holdings
from tieout.core.frames import AMOUNT, IN_FLIGHT, LEDGER_CELL, PLAN, PLAN_BALANCES, TARGETS
from tieout.core.plan import CheckedPlan, PlanRule, check_plan
from tieout.core.plan_accounts import Chart
from tieout.core.scope import Reference, Scope

NAMES = ("account_id", "company", "business_unit", "object_account", "subsidiary")
F0025 = pl.DataFrame(
    [
        ("AA", "AU", "Y", "Y", ""), ("BA", "BU", "N", "N", ""), ("BU", "", "N", "N", ""),
        ("JA", "JU", "N", "N", ""), ("BB", "", "Y", "N", ""), ("BR", "", "N", "Y", ""),
        ("BE", "", "N", "N", "EUR"), ("XA", "", "N", "N", ""),
    ],
    schema=["ledger", "units_ledger", "close_to_retained_earnings", "required_to_balance",
            "denominated_currency"],
    orient="row",
)  # fmt: skip


def chart(
    *codes: str,
    code: str = "object.subsidiary",
    units: Mapping[str, str] | None = None,
    closed_units: Mapping[str, str] | None = None,
    targets: pl.DataFrame | None = None,
    **tables: pl.DataFrame,
) -> Chart:
    """`1=00001/30.5005.TRAVEL:L/EUR` → account id 00000001 of company 00001 with PEC L in EUR."""
    found = []
    for text in codes:
        number, _, rest = text.partition("=")
        head, _, marks = rest.partition(":")
        company, _, account = head.partition("/")
        unit, object_account, *subsidiary = account.split(".", 2)
        edit, _, currency = marks.partition("/")
        found.append((
            f"{int(number):08d}", company, unit, object_account, "".join(subsidiary), edit, currency
        ))  # fmt: skip
    schema = dict.fromkeys([*NAMES, "posting_edit", "currency"], pl.String)
    accounts = pl.DataFrame(found, schema=schema, orient="row")
    homes = dict(zip(accounts["business_unit"], accounts["company"], strict=True)) | (units or {})
    f0006 = pl.DataFrame(
        [(unit, company, (closed_units or {}).get(unit, "")) for unit, company in homes.items()],
        schema=dict.fromkeys(["business_unit", "company", "posting_edit"], pl.String),
        orient="row",
    )
    none = pl.DataFrame(schema=dict(TARGETS))
    return Chart(accounts, f0006, code, tables, none if targets is None else targets)


def targets(*texts: str) -> pl.DataFrame:
    """`00001/5005/30=2` or `00001/5005/30=2#SUB/A` → TARGETS."""
    found = []
    for text in texts:
        key, _, rest = text.partition("=")
        number, _, subledger = rest.partition("#")
        name, _, kind = subledger.partition("/")
        found.append((*key.split("/"), f"{int(number):08d}", name, kind))
    return pl.DataFrame(found, schema=dict(TARGETS), orient="row")


def plan(*given: Mapping[str, Any], **defaults: Any) -> pl.DataFrame:
    """Approved rows of company 00001, account 5005 × 30 in January 2026, but for what is given."""
    usual = {
        "company": "00001", "account": "5005", "business_unit": "30", "member": "Jan 26",
        "version": "", "currency": "", "amount": Decimal(100), "approved": True,
        "approver": "ada",
    }  # fmt: skip
    return pl.DataFrame([usual | defaults | row for row in given], schema=dict(PLAN), orient="row")


def years(*companies: str, **options: Any) -> Scope:
    """Every period from 2024 to 2027; the companies stand in 2025-12."""
    return core_frames.scope(*companies, first="2024-01", last="2027-12", **options)


def reference(year: int, period: int) -> Reference:
    """The small tables when every company stands in that period."""
    return core_frames.reference(year, period)


def rule(**options: Any) -> PlanRule:
    usual = {
        "ledgers": {"": "BA"}, "allowed": ("BA",), "first_period": "current + 1",
        "rounding": "half-up", "flip": ("4000-4999",),
    }  # fmt: skip
    return PlanRule(**(usual | options))


def actuals(**amounts: int) -> pl.DataFrame:
    """`a1=-500` → what account id 00000001 had."""
    rows = [(f"{int(name[1:]):08d}", Decimal(amount)) for name, amount in amounts.items()]
    return pl.DataFrame(rows, schema={"account_id": pl.String, "amount": AMOUNT}, orient="row")


def checked(
    rows: pl.DataFrame,
    known: Chart,
    *,
    scope: Scope | None = None,
    usual: pl.DataFrame | None = None,
    **options: Any,
) -> CheckedPlan:
    """`check_plan` with a usual rule, scope and F0025."""
    within = years() if scope is None else scope
    had = actuals() if usual is None else usual
    return check_plan(rows, rule(**options), known, within, F0025, had)


def told(found: CheckedPlan) -> dict[str, tuple[str, Decimal | None, int]]:
    """rule → subject, amount and cells of its (last) finding."""
    return {f.rule: (f.subject, f.amount, f.cells) for f in found.findings}


def holdings(
    posted: Mapping[tuple[int, int], Any] | None = None,
    waiting: pl.DataFrame | None = None,
    journals: Mapping[tuple[int, int], Any] | None = None,
) -> Holdings:
    """`{(1, 2): 100}`: account id 00000001 of company 00001 holds 100 in BA in 2026-02."""
    known = {} if posted is None else posted
    told = known if journals is None else journals
    cell = {"company": "00001", "ledger": "BA", "fiscal_year": 2026}
    schema = {name: PLAN_BALANCES[name] for name in LEDGER_CELL} | {"amount": AMOUNT}
    lines = [
        cell | {"account_id": f"{number:08d}", "period": period, "amount": Decimal(amount)}
        for (number, period), amount in told.items()
    ]
    balances = core_frames.rows(
        PLAN_BALANCES,
        [
            cell | {"account_id": f"{number:08d}", "period": period, "balance": Decimal(amount)}
            for (number, period), amount in known.items()
        ],
        currency="USD",
    )
    journal_frame = pl.DataFrame(lines, schema=schema, orient="row")
    return Holdings(balances, journal_frame, in_flight() if waiting is None else waiting)


def in_flight(*given: Mapping[str, Any]) -> pl.DataFrame:
    """Unposted lines of ours for account id 00000001 on 15 January 2026, but for what is given."""
    return core_frames.rows(
        IN_FLIGHT, given, company="00001", ledger="BA", account_id="00000001",
        gl_date=date(2026, 1, 15), amount=Decimal(0), ours=True, author="TIEOUT", batch="G 7",
    )  # fmt: skip
