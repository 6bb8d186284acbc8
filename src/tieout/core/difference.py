"""What a journal has to move: target minus what the ledger holds and what is on its way into it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from tieout.core.cells import flipped
from tieout.core.findings import Finding, Severity
from tieout.core.frames import (
    AMOUNT,
    DIFFERENCES,
    LEDGER_CELL,
    PLACE,
    ZERO,
    as_schema,
    empty,
    sorted_by,
)
from tieout.core.left_behind import left_behind
from tieout.core.periods import Period
from tieout.core.plan import CheckedPlan
from tieout.core.plan_accounts import Chart, attributes
from tieout.core.plan_periods import BEFORE_CURRENT, PRIOR_YEAR
from tieout.core.plan_rules import CELL_FAULTS, Fault, findings_of, refusals, too_long
from tieout.core.scope import Scope

SUBJECTS_SHOWN_MAX = 3
_CELL = list(LEDGER_CELL)
_PLACE = list(PLACE)
_YEAR = ["company", "ledger", "fiscal_year"]  # what one flow owns


@dataclass(frozen=True, slots=True)
class Holdings:
    """What JD Edwards holds in the plan's ledgers.

    `balances`: PLAN_BALANCES (F0902); `journals`: LEDGER_CELL, amount, the posted lines of F0911
    summed; `in_flight`: IN_FLIGHT, a line without company takes that of its account.
    """

    balances: pl.DataFrame
    journals: pl.DataFrame
    in_flight: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Universe:
    """What a complete plan speaks for: in it, what the plan does not name is meant to be zero.

    `accounts`: ranges of object accounts such as `5000-6999`; `confirmed`: whether the control
    export says that the plan arrived whole.
    """

    companies: Collection[str]
    accounts: Sequence[str]
    first: Period
    last: Period
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Revision:
    """DIFFERENCES of every cell that the plan speaks for, zero ones included, and findings."""

    cells: pl.DataFrame
    findings: tuple[Finding, ...]

    def to_send(self) -> pl.DataFrame:
        """The cells that need a journal line."""
        return self.cells.filter((pl.col("difference") != 0) & ~too_long("difference"))


_TOO_LONG = Fault(
    "plan-amount", Severity.REJECT, too_long("difference"),
    pl.format("company {}, account {} × {}", "company", "account", "business_unit"),
    "The difference of {subject} has more than fifteen digits, which no ledger line holds.",
    "Ask the planner to correct the amount, or the controller what the ledger holds.",
)  # fmt: skip


def revise(
    plan: CheckedPlan,
    holdings: Holdings,
    scope: Scope,
    chart: Chart,
    *,
    universe: Universe | None = None,
    entered: pl.DataFrame | None = None,
) -> Revision:
    """The differences between an approved plan and its ledgers.

    `entered`: ENTERED of earlier journals. Without `universe` the plan is partial: what it does
    not name is left alone. With it, what is neither named nor kept out by a row that is refused or
    not approved goes to zero.
    """
    targets = plan.cells.filter(pl.col("reason") == "")
    folded = scope.member_frame().select(
        "company", "fiscal_year", "period", "shown_year", "shown_period"
    )
    posted = _shown(holdings.balances, folded, {"posted": "balance"})
    waiting, lost = placed(holdings.in_flight, scope, chart)
    others = waiting.with_columns(
        others=pl.when(pl.col("ours")).then(ZERO).otherwise(pl.col("amount"))
    )
    moving = _shown(others, folded, {"in_flight": "amount", "others": "others"})
    places = posted.join(moving, on=_PLACE, how="full", coalesce=True).with_columns(
        pl.col("posted", "in_flight", "others").fill_null(ZERO)
    )
    held = places.group_by(_CELL).agg(pl.col("posted", "in_flight", "others").sum().cast(AMOUNT))
    standing = places.select(*_PLACE, left=pl.col("posted") + pl.col("in_flight"))
    findings: list[Finding] = []
    zeroed = empty(DIFFERENCES)
    if universe is not None:
        zeroed, findings = _zeroed(plan, held, chart, universe)
    named = targets.with_columns(zeroed=pl.lit(False)).join(held, on=_CELL, how="left")
    whole = pl.concat([as_schema(_counted(named), DIFFERENCES), zeroed])
    cells = sorted_by(whole, _CELL)
    findings = [
        *findings_of([_TOO_LONG], cells.with_columns(base_currency="currency")),
        *_foreign(waiting, lost.filter(_may_concern(scope)), cells),
        *_without_ledger(holdings.in_flight),
        *_unexplained(holdings, cells),
        *([] if entered is None else left_behind(entered, targets, cells, standing)),
        *findings,
    ]
    return Revision(cells, tuple(findings))


def _counted(cells: pl.DataFrame) -> pl.DataFrame:
    filled = cells.with_columns(pl.col("posted", "in_flight", "others").fill_null(ZERO))
    return filled.with_columns(difference=pl.col("target") - pl.col("posted") - pl.col("in_flight"))


def _shown(rows: pl.DataFrame, folded: pl.DataFrame, sums: dict[str, str]) -> pl.DataFrame:
    """Amounts per PLACE, summed over currency and over periods that fold into one."""
    placed = rows.join(folded, on=["company", "fiscal_year", "period"], how="left").with_columns(
        fiscal_year=pl.coalesce("shown_year", "fiscal_year"),
        period=pl.coalesce("shown_period", "period"),
    )
    return placed.group_by(_PLACE).agg(
        pl.col(column).sum().cast(AMOUNT).alias(name) for name, column in sums.items()
    )


def placed(
    in_flight: pl.DataFrame, scope: Scope, chart: Chart
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Waiting lines with the fiscal year and period of their G/L date, and those without a place.

    The period is computed as JD Edwards will at the post, not believed.
    """
    homes = chart.accounts.select("account_id", home="company")
    days = scope.days().filter(pl.col("first_day") <= pl.col("last_day")).sort("last_day")
    rows = (
        in_flight.join(homes, on="account_id", how="left")
        .with_columns(
            company=pl.when(pl.col("company") != "").then("company").otherwise(pl.col("home"))
        )
        .sort("gl_date")
        .join_asof(
            days, left_on="gl_date", right_on="last_day", by="company", strategy="forward",
            check_sortedness=False,
        )
    )  # fmt: skip
    found = ((pl.col("first_day") <= pl.col("gl_date")) & pl.col("home").is_not_null()).fill_null(
        False
    )
    return rows.filter(found), rows.filter(~found)


def _zeroed(
    plan: CheckedPlan, held: pl.DataFrame, chart: Chart, universe: Universe
) -> tuple[pl.DataFrame, list[Finding]]:
    """DIFFERENCES of cells that a complete plan brings to zero, and what a person must know."""
    if not universe.confirmed or not plan.unread.is_empty():
        return empty(DIFFERENCES), [_not_zeroed(plan, universe)]
    ledgers = plan.cells.filter(pl.col("reason") == "")["ledger"].unique().to_list()
    at = pl.col("fiscal_year") * 100 + pl.col("period").cast(pl.Int32)
    first, last = (p.fiscal_year * 100 + p.number for p in (universe.first, universe.last))
    never = [PRIOR_YEAR, BEFORE_CURRENT]
    cells = (
        held.filter(
            (pl.col("posted") + pl.col("in_flight") != 0)
            & pl.col("company").is_in(list(universe.companies))
            & pl.col("ledger").is_in(ledgers)
            & at.is_between(first, last)
        )
        .join(plan.cells, on=_CELL, how="anti")
        .join(plan.periods, on=["company", "fiscal_year", "period"], how="inner")
        .filter(~pl.col("early") & ~pl.col("says").is_in(never))
        .join(attributes(chart), on="account_id", how="left")
        .filter(flipped(universe.accounts))
        .with_columns(
            account="own_code", business_unit="own_unit", currency="base_currency",
            subledger=pl.lit(""), subledger_type=pl.lit(""), target=ZERO, zeroed=pl.lit(True),
        )
    )  # fmt: skip
    findings = findings_of(CELL_FAULTS, cells)
    good = _counted(cells.filter(refusals(CELL_FAULTS) == ""))
    groups = good.group_by("company", "ledger", "currency").agg(
        cells=pl.len(),
        amount=pl.col("difference").sum().cast(AMOUNT),
        names=pl.format("{} × {}", "account", "business_unit").unique().sort()
        .head(SUBJECTS_SHOWN_MAX).str.join(", "),
    )  # fmt: skip
    findings += [
        Finding(
            "plan-zeroed", Severity.ASK, f"company {row['company']}, ledger {row['ledger']}",
            f"{row['cells']} cells of company {row['company']} that ledger {row['ledger']} holds "
            f"are not in the plan ({row['names']}…) and would go to zero.",
            "Ask the planner whether these amounts are meant to go; confirm them apart.",
            row["company"], amount=row["amount"], currency=row["currency"], cells=row["cells"],
        )
        for row in groups.sort("company", "ledger", "currency").iter_rows(named=True)
    ]  # fmt: skip
    return as_schema(good, DIFFERENCES), findings


def _not_zeroed(plan: CheckedPlan, universe: Universe) -> Finding:
    if not universe.confirmed:
        why = "no control export confirms that it arrived whole"
        remedy = "Ask the Anaplan administrator for a control export that agrees."
    else:
        codes = plan.unread.select(pl.format("{} × {}", "account", "business_unit")).to_series()
        names = ", ".join(codes.unique().sort().head(SUBJECTS_SHOWN_MAX).to_list())
        why = f"{plan.unread.height} of its rows mean no ledger cell ({names}…)"
        remedy = "Ask the planner to correct these rows, approved or not; then prepare again."
    return Finding(
        "plan-not-zeroed", Severity.REJECT, "the complete plan",
        f"Nothing that the plan does not name is brought to zero: {why}.", remedy,
        cells=plan.unread.height,
    )  # fmt: skip


def _foreign(waiting: pl.DataFrame, lost: pl.DataFrame, cells: pl.DataFrame) -> list[Finding]:
    """Others' lines that wait in a ledger and year of the plan, and lines without a place."""
    owned = cells.select(_YEAR).unique()
    key = ["company", "ledger", "author", "batch"]
    theirs = waiting.filter(~pl.col("ours")).join(owned, on=_YEAR, how="semi")
    groups = theirs.group_by(key).agg(
        lines=pl.len(), amount=pl.col("amount").abs().sum().cast(AMOUNT)
    )
    found = [
        Finding(
            "others-in-flight", Severity.ASK, f"company {row['company']}, ledger {row['ledger']}",
            f"{row['lines']} lines of {row['author'] or 'somebody'} (batch {row['batch']}) wait in "
            f"ledger {row['ledger']} of company {row['company']}; the differences count them as if "
            "they were posted.",
            "Ask that person to post or delete them first, or confirm that they will be posted.",
            row["company"], amount=row["amount"], cells=row["lines"],
        )
        for row in groups.sort(key).iter_rows(named=True)
    ]  # fmt: skip
    missing = lost.join(owned.select("ledger").unique(), on="ledger", how="semi")
    return found + [
        Finding(
            "in-flight-unplaced", Severity.ASK, f"ledger {row['ledger']}",
            f"{row['lines']} lines of {row['author'] or 'somebody'} (batch {row['batch']}) wait in "
            f"ledger {row['ledger']} and name no account or period that we can read.",
            "Ask that person to process or delete them before the plan is prepared again.",
            amount=row["amount"], cells=row["lines"],
        )
        for row in missing.group_by("ledger", "author", "batch")
        .agg(lines=pl.len(), amount=pl.col("amount").abs().sum().cast(AMOUNT))
        .sort("ledger", "author", "batch").iter_rows(named=True)
    ]  # fmt: skip


def _may_concern(scope: Scope) -> pl.Expr:
    """Whether a line without a place is of a company of the plan, or of none that we can read."""
    company = pl.coalesce(pl.col("company").replace("", None), "home")
    return company.is_null() | company.is_in(scope.company_codes())


def _without_ledger(in_flight: pl.DataFrame) -> list[Finding]:
    """Rows that wait without a ledger: they go where the version says, mostly to the actuals."""
    rows = in_flight.filter((pl.col("ledger") == "") & ~pl.col("ours")).unique()
    if rows.is_empty():
        return []
    authors = ", ".join(rows["author"].unique().sort().head(SUBJECTS_SHOWN_MAX).to_list())
    return [
        Finding(
            "in-flight-without-ledger", Severity.NOTE, f"lines of {authors}",
            f"{rows.height} lines of {authors} wait in F0911Z1 and name no ledger; R09110Z puts "
            "them where its version says, mostly into AA, so the plan does not count them.",
            amount=rows.select(pl.col("amount").abs().sum().cast(AMOUNT)).item(),
            cells=rows.height,
        )
    ]  # fmt: skip


def _unexplained(holdings: Holdings, cells: pl.DataFrame) -> list[Finding]:
    """Balances of the plan's ledgers and years that no posted journal explains.

    Somebody loaded the budget another way (R14110, P14101); a repost would take it away again, and
    Oracle says that the two ways must not be mixed (facts/jde-gl.md §4.1).
    """
    balances = holdings.balances.group_by(_CELL).agg(pl.col("balance").sum().cast(AMOUNT))
    both = (
        balances.join(holdings.journals, on=_CELL, how="full", coalesce=True)
        .with_columns(pl.col("balance", "amount").fill_null(ZERO))
        .join(cells.select(_YEAR).unique(), on=_YEAR, how="semi")
        .filter(pl.col("balance") != pl.col("amount"))
    )
    groups = both.group_by(_YEAR).agg(
        cells=pl.len(),
        amount=(pl.col("balance") - pl.col("amount")).sum().cast(AMOUNT),
        accounts=pl.col("account_id").unique().sort().head(SUBJECTS_SHOWN_MAX).str.join(", "),
    )
    return [
        Finding(
            "content-without-journals", Severity.ASK,
            f"company {row['company']}, ledger {row['ledger']}, {row['fiscal_year']}",
            f"{row['cells']} balances of ledger {row['ledger']} of company {row['company']} are "
            f"not the sum of their journals (account id {row['accounts']}…).",
            "Ask the JD Edwards administrator how this budget was loaded, and the controller "
            "whether the plan may build on it.", row["company"], amount=row["amount"],
            cells=row["cells"],
        )
        for row in groups.sort(_YEAR).iter_rows(named=True)
    ]  # fmt: skip


def out_of_balance(cells: pl.DataFrame, must_balance: Collection[str]) -> list[Finding]:
    """Documents of a ledger that must balance whose lines do not add up to nothing.

    The missing side is never invented: the plan brings both, or nothing is sent.
    """
    key = ["company", "ledger", "fiscal_year", "period", "member", "currency"]
    groups = (
        cells.filter(pl.col("ledger").is_in(list(must_balance)))
        .group_by(key)
        .agg(cells=pl.len(), amount=pl.col("difference").sum().cast(AMOUNT))
        .filter(pl.col("amount") != 0)
    )
    return [
        Finding(
            "plan-out-of-balance", Severity.REJECT,
            f"company {row['company']}, {row['member']}",
            f"Ledger {row['ledger']} must balance (F0025), and the journal of company "
            f"{row['company']}, {row['member']} would not.",
            "Ask the planner to plan both sides, or the controller for a ledger that need not "
            "balance.", row["company"], "period", row["member"], amount=row["amount"],
            currency=row["currency"], cells=row["cells"],
        )
        for row in groups.sort(key).iter_rows(named=True)
    ]  # fmt: skip
