"""Plan amounts checked and turned into ledger cells: one account, one period, one exact amount."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from tieout.core.cells import flipped, shown_members
from tieout.core.findings import Finding, Severity
from tieout.core.frames import (
    AMOUNT,
    CONTROL_KEY,
    LEDGER_CELL,
    PLAN,
    PLAN_AMOUNT,
    PLAN_CELLS,
    PLAN_KEY,
    ZERO,
    as_schema,
    sorted_by,
)
from tieout.core.plan_accounts import Chart, elsewhere, resolve
from tieout.core.plan_periods import plan_periods
from tieout.core.plan_rules import (
    CELL_FAULTS,
    ROW_FAULTS,
    findings_of,
    ledger_findings,
    refusals,
    refused_ledgers,
)
from tieout.core.rounding import Rounding, quantised
from tieout.core.scope import Scope

UNAPPROVED = "plan-unapproved"
LEDGER_REFUSED = "ledger-refused"
PLAN_DIGITS_MAX = 16  # before the decimal point; more are refused before anything is computed
SUBJECTS_SHOWN_MAX = 3
_KEY = list(PLAN_KEY)
_CELL = list(LEDGER_CELL)


@dataclass(frozen=True, slots=True)
class PlanRule:
    """How a flow reads its plan.

    `ledgers`: version → ledger, {"": "BA"} for an export without versions; `allowed`: the ledgers
    a plan may write at all; `first_period`: see `plan_periods`; `flip`: the sign table of actuals.
    """

    ledgers: Mapping[str, str]
    allowed: Collection[str]
    first_period: str
    rounding: Rounding
    flip: Sequence[str]


@dataclass(frozen=True, slots=True)
class CheckedPlan:
    """What a plan says, and everything that is wrong with it.

    `cells`: PLAN_CELLS of each row that means exactly one ledger cell, also of rows that are
    refused or not approved (their `reason` says so): a complete plan leaves those cells alone.
    `unread`: PLAN_KEY of the rows that mean none. `rounded`: what rounding added, by currency.
    `periods`: PLAN_PERIODS, what could have been named.
    """

    cells: pl.DataFrame
    findings: tuple[Finding, ...]
    unread: pl.DataFrame
    rounded: Mapping[str, Decimal]
    periods: pl.DataFrame


def check_plan(
    plan: pl.DataFrame,
    rule: PlanRule,
    chart: Chart,
    scope: Scope,
    ledgers: pl.DataFrame,
    actuals: pl.DataFrame,
) -> CheckedPlan:
    """PLAN → PLAN_CELLS and all findings at once.

    `scope` resolves companies and calendars (`scope_of` over all years a plan can name); `ledgers`:
    F0025; `actuals`: account_id, amount in ledger sign, what sign an account usually has.
    """
    known = shown_members(scope.member_frame(), chart.tables)
    codes = known["company"].unique().to_list()
    rows = as_schema(plan, PLAN).with_row_index("row").with_columns(
        pl.col(*_KEY, "currency").fill_null(""),
        pl.col("approved").fill_null(False),  # what does not say yes says no
    )  # fmt: skip
    rows = rows.with_columns(
        ledger=pl.col("version").replace_strict(
            dict(rule.ledgers), default=None, return_dtype=pl.String
        ),
        company_known=pl.col("company").is_in(codes),
    )
    periods = plan_periods(scope, rule.first_period)
    rows = resolve(rows, periods, chart)
    rows = _in_ledger_sign(rows, rule)
    lost = rows.filter(pl.col("matches") == 0).select("row", "account", "business_unit", "company")
    rows = rows.join(elsewhere(lost, chart), on="row", how="left").with_columns(
        rows_of_cell=pl.len().over(_KEY),
        rows_of_account=pl.when(
            pl.col("account_id").is_not_null() & pl.col("period").is_not_null()
        ).then(pl.len().over(_CELL_OF)),
    )
    approved = rows.filter(pl.col("approved"))
    used = rows["ledger"].drop_nulls().unique().to_list()
    currencies = rows["base_currency"].drop_nulls().unique().to_list()
    bad = refused_ledgers(used, rule.allowed, ledgers, currencies)
    faults = (*ROW_FAULTS, *CELL_FAULTS)
    cells = _cells(rows.filter(_MEANT), refusals(faults), list(bad))
    sent = cells.filter(pl.col("reason") == "")
    rounded = _rounded(sent)
    findings = [
        *ledger_findings(bad, approved),
        *findings_of(faults, approved),
        *_sign_findings(sent, actuals),
        *_rounding_findings(rounded),
        *_unapproved(rows),
    ]
    unread = rows.filter(~_MEANT).select(_KEY).sort(_KEY)
    return CheckedPlan(cells, tuple(findings), unread, rounded, periods)


_MEANT = pl.all_horizontal(pl.col("ledger", "account_id", "period").is_not_null())
_CELL_OF = ["ledger_company", "ledger", "account_id", "fiscal_year", "period"]


def _in_ledger_sign(rows: pl.DataFrame, rule: PlanRule) -> pl.DataFrame:
    """Amounts rounded once and turned by the sign table of actuals: sign, target, rounded.

    An amount that is too large to compute with becomes the largest that is refused.
    """
    amount = _bounded(pl.col("amount"))
    flips = flipped(rule.flip).fill_null(False)
    decimals = pl.col("decimals").fill_null(2)
    signed = pl.when(flips).then(-amount).otherwise(amount)
    return rows.with_columns(
        sign=pl.when(flips).then(-1).otherwise(1).cast(pl.Int8),
        target=quantised(signed, decimals, rule.rounding),
        _exact=signed,
    ).with_columns(rounded=pl.col("target").cast(PLAN_AMOUNT) - pl.col("_exact"))


def _bounded(amount: pl.Expr) -> pl.Expr:
    """An amount no larger than sums of it can be; what is cut here is refused for its digits."""
    limit = pl.lit(10**PLAN_DIGITS_MAX).cast(PLAN_AMOUNT)
    return pl.when(amount.abs() >= limit).then(limit).otherwise(amount)


def _cells(rows: pl.DataFrame, refused: pl.Expr, bad_ledgers: Sequence[str]) -> pl.DataFrame:
    """PLAN_CELLS of the rows that mean one ledger cell."""
    reason = pl.concat_str(
        pl.when(~pl.col("approved")).then(pl.lit(UNAPPROVED)),
        pl.when(pl.col("ledger").is_in(list(bad_ledgers))).then(pl.lit(LEDGER_REFUSED)),
        pl.when(pl.col("_refused") != "").then(pl.col("_refused")),
        separator=" ", ignore_nulls=True,
    )  # fmt: skip
    cells = rows.with_columns(_refused=refused).with_columns(
        company="ledger_company", currency="base_currency", reason=reason.fill_null("")
    )
    return sorted_by(as_schema(cells, PLAN_CELLS), _CELL)


def _rounded(cells: pl.DataFrame) -> dict[str, Decimal]:
    sums = cells.group_by("currency").agg(pl.col("rounded").sum()).sort("currency")
    return dict(sums.iter_rows())


def _rounding_findings(rounded: Mapping[str, Decimal]) -> list[Finding]:
    return [
        Finding(
            "plan-rounded", Severity.NOTE, f"amounts in {currency}",
            f"Rounding to the decimals of {currency} changed the total of the plan by "
            f"{_plain(amount)}, in ledger sign.",
            amount=quantised_total(amount), currency=currency,
        )
        for currency, amount in rounded.items()
        if amount != 0
    ]  # fmt: skip


def quantised_total(amount: Decimal) -> Decimal:
    """A sum of roundings with the four decimals of an amount."""
    return amount.quantize(Decimal("0.0001"))


def _plain(amount: Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _sign_findings(cells: pl.DataFrame, actuals: pl.DataFrame) -> list[Finding]:
    """Accounts whose plan has the opposite sign of their actuals: a wrong sign table, or meant."""
    usual = actuals.group_by("account_id").agg(usual=pl.col("amount").sum())
    planned = cells.group_by("company", "currency", "account_id", "account", "business_unit").agg(
        planned=pl.col("target").sum().cast(AMOUNT), cells=pl.len()
    )
    both = planned.join(usual, on="account_id")
    opposite = both.filter(
        ((pl.col("planned") > ZERO) & (pl.col("usual") < ZERO))
        | ((pl.col("planned") < ZERO) & (pl.col("usual") > ZERO))
    ).sort("company", "account", "business_unit")
    return [
        Finding(
            "plan-sign", Severity.ASK,
            f"company {row['company']}, account {row['account']} × {row['business_unit']}",
            f"The plan of account {row['account']} × {row['business_unit']} is "
            f"{_side(row['planned'])} and its actuals are {_side(row['usual'])}.",
            "Ask the planner whether the sign is meant; if not, correct it, or `signs` of the "
            "flow.", row["company"], "account", row["account"], amount=row["planned"],
            currency=row["currency"], cells=row["cells"],
        )
        for row in opposite.iter_rows(named=True)
    ]  # fmt: skip


def _side(amount: Decimal) -> str:
    return "debit" if amount > 0 else "credit"


def _unapproved(rows: pl.DataFrame) -> list[Finding]:
    """One note per company with what is left out because nobody approved it."""
    groups = (
        rows.filter(~pl.col("approved"))
        .group_by("company", pl.col("base_currency").fill_null("").alias("currency"))
        .agg(
            cells=pl.len(),
            amount=pl.col("target").abs().sum().cast(AMOUNT),
            members=pl.col("member").unique().sort().head(SUBJECTS_SHOWN_MAX),
        )
        .sort("company", "currency")
    )
    return [
        Finding(
            UNAPPROVED, Severity.NOTE, f"company {row['company']}",
            f"{row['cells']} cells of company {row['company']} are not approved "
            f"({', '.join(row['members'])}…) and are left as they are in the ledger.",
            company=row["company"], amount=row["amount"], currency=row["currency"],
            cells=row["cells"],
        )
        for row in groups.iter_rows(named=True)
    ]  # fmt: skip


def control_findings(plan: pl.DataFrame, control: pl.DataFrame) -> list[Finding]:
    """Where the plan and its control export (PLAN_CONTROL) do not agree, version by version.

    A control export without versions is compared with the plan of all versions. Both must name
    members in the same way: compare them as they were exported.
    """
    key = list(CONTROL_KEY)
    told = control.with_columns(pl.col(key).fill_null(""))
    told = told.group_by(key).agg(pl.col("rows").sum(), pl.col("amount").sum())
    has_versions = (told["version"] != "").any()
    version = pl.col("version").fill_null("") if has_versions else pl.lit("")
    mine = plan.group_by(*key[:2], version.alias("version")).agg(
        rows=pl.len().cast(pl.Int64),
        amount=_bounded(pl.col("amount").fill_null(0)).sum().cast(PLAN_AMOUNT),
    )
    both = mine.join(told, on=key, how="full", coalesce=True, suffix="_told").with_columns(
        pl.col("rows", "rows_told").fill_null(0),
        pl.col("amount", "amount_told").fill_null(0).cast(PLAN_AMOUNT),
    )
    differing = both.filter(
        (pl.col("rows") != pl.col("rows_told")) | (pl.col("amount") != pl.col("amount_told"))
    ).with_columns(
        subject=pl.concat_str(
            pl.format("company {}, {}", "company", "member"),
            pl.when(pl.col("version") != "").then(pl.format("version {}", "version")),
            separator=", ", ignore_nulls=True,
        )
    ).sort(key)  # fmt: skip
    return [
        Finding(
            "control-differs", Severity.REJECT, row["subject"],
            f"The plan has {row['rows']} rows and {_plain(row['amount'])} for {row['subject']}; "
            f"its control export says {row['rows_told']} rows and {_plain(row['amount_told'])}.",
            "Run both exports again; if they still differ, ask the Anaplan administrator which "
            "view each of them reads.", row["company"], "period", row["member"],
            amount=quantised_total(row["amount"] - row["amount_told"]), cells=row["rows"],
        )
        for row in differing.iter_rows(named=True)
    ]  # fmt: skip
