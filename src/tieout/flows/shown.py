"""What the whole ledger must show us to be believed, told as findings before anything is sent."""

from __future__ import annotations

import polars as pl

from tieout.core import cells as core
from tieout.core import proof
from tieout.core.buckets import POSTED, SUMMARY
from tieout.core.findings import Finding, Severity, counted
from tieout.core.frames import AMOUNT, BUCKETS, CELLS
from tieout.core.periods import PERIODS_MAX
from tieout.core.scope import Reach, Scope
from tieout.flows.aligning import ALL_COMPANIES
from tieout.flows.cells import members_in_anaplan
from tieout.flows.changes import POSTED_BATCH
from tieout.flows.mirror import FIRST_KEPT, spanning
from tieout.flows.partitions import within
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World, tell
from tieout.jde import tables
from tieout.jde.query import (
    Every,
    Where,
    at_least,
    at_most,
    either,
    equal,
    every,
    not_equal,
    one_of,
)
from tieout.project import LoadActuals
from tieout.store.steps import Step

BATCHES_PER_QUERY_MAX = 200


# Findings that say that the books we see are not whole.
DOUBTS = {
    "not-zero", "company-without-rows", "no-longer-shown", "unknown-account", "batch-without-lines",
}  # fmt: skip


def check_what_is_shown(step: Step, world: World[LoadActuals], run: str) -> Result:
    """Every company has rows and nets to zero, every posted batch has lines, nothing is held.

    Unposted lines and folded periods are noted: they are no difference, and never loaded silently.
    Returns the companies of which not all is shown.
    """
    scope = scope_for(world)
    buckets = world.lazy("buckets", BUCKETS)
    held = buckets.filter(pl.col("state") == proof.HELD).collect()
    cells = world.lazy("cells", CELLS).filter(pl.col("held") != "").collect()
    findings = [
        *scope.findings,
        *proof.held_findings(within(held, scope), scope),
        *proof.completeness(within(proof.summed(buckets).collect(), scope), scope),
        *_unknown_accounts(cells, scope),
        *core.refused_findings(
            cells, core.company_currencies(members_in_anaplan(world, scope)), scope.denominated
        ),
        *_batches_without_lines(step, world, run, scope),
        *_unposted(world, scope),
        *_of_no_period(world, scope),
        *_of_other_periods(world, scope),
        *_folded_periods(buckets, scope),
    ]
    tell(step, world, findings)
    doubted = {f.company or ALL_COMPANIES for f in findings if f.rule in DOUBTS}
    return {"findings": len(findings), "doubted": sorted(doubted)}


def _unknown_accounts(cells: pl.DataFrame, scope: Scope) -> list[Finding]:
    unknown = cells.filter(pl.col("held") == core.UNKNOWN_ACCOUNT)
    currencies = {c.company: c.currency for c in scope.companies}
    unknown = unknown.with_columns(currency=core.kept_in(currencies, scope.denominated))
    groups = unknown.group_by("company", "account", "currency").agg(
        cells=pl.len(), amount=pl.col("f0911").abs().sum().cast(AMOUNT)
    )
    return [
        Finding(
            "unknown-account", Severity.DIFFERENCE, f"account id {row['account'].lstrip('?')}",
            f"F0901 does not show account id {row['account'].lstrip('?')}, but the ledger has "
            "amounts on it.",
            "Ask the JD Edwards administrator whether row security hides the account.",
            row["company"], "account", row["account"], row["amount"], row["currency"], row["cells"],
        )
        for row in groups.sort("company", "account", "currency").iter_rows(named=True)
    ]  # fmt: skip


def _batches_without_lines(
    step: Step, world: World[LoadActuals], run: str, scope: Scope
) -> list[Finding]:
    """Posted batches of which JD Edwards shows no line in any company or ledger.

    Asked of the batches seen in this run and of those that had none before. Batches older than the
    first period with detail may have been purged and are not asked for.
    """
    seen = world.of_this_run(run, "seen_batches", tables.BATCHES.schema)
    key = ["batch_type", "batch_number"]
    before = world.frame("batches_without_lines", seen.schema)
    every_one = pl.concat([before.select(seen.columns), seen]).unique(key, keep="last")
    posted = every_one.filter(pl.col("status") == POSTED_BATCH)
    first = scope.first_day_of_detail()
    if first is not None:
        posted = posted.filter(pl.col("batch_date") >= first)
    files = world.store.current(world.flow_name, "lines")
    if manifests := spanning(files, "batch_number", posted["batch_number"]):
        lines_of = world.store.scan(manifests, more=[FIRST_KEPT]).select(key)
        mirrored = lines_of.join(posted.lazy(), on=key, how="semi").unique().collect()
        posted = posted.join(mirrored, on=key, how="anti")
    shown = []
    for (kind,), rows in posted.sort(key).group_by(["batch_type"], maintain_order=True):
        numbers = rows["batch_number"].to_list()
        for start in range(0, len(numbers), BATCHES_PER_QUERY_MAX):
            some = numbers[start : start + BATCHES_PER_QUERY_MAX]
            where = every(equal("batch_type", str(kind)), one_of("batch_number", some))
            shown.append(world.jde.groups(tables.ACCOUNT_LEDGER, group_by=key, where=where))
    lines = pl.concat(shown) if shown else posted.clear()
    missing = posted.join(lines, on=key, how="anti")
    if missing.height or before.height:
        step.keep("batches_without_lines", missing, replace=True)
    return proof.batches_without_lines(list(posted.select(key).iter_rows()), lines)


def _unposted(world: World[LoadActuals], scope: Scope) -> list[Finding]:
    """Lines with any posted code but P, per company and code: counted, never loaded (rule 1)."""
    where = every(
        not_equal("posted", "P"), one_of("ledger", list(scope.rule.ledgers)),
        one_of("fiscal_year", scope.open_years()), one_of("company", scope.company_codes()),
    )  # fmt: skip
    group = ("company", "ledger", "posted")
    found = world.jde.groups(tables.ACCOUNT_LEDGER, group_by=group, where=where)
    return [
        Finding(
            "unposted", Severity.NOTE, f"company {row['company']}, ledger {row['ledger']}",
            f"{counted(row['count'], 'line')} with the posted code {row['posted'] or 'blank'}: not "
            "loaded.",
            "They arrive with the run after they are posted.", row["company"], cells=row["count"],
        )
        for row in found.sort(list(group)).iter_rows(named=True)
    ]  # fmt: skip


def _of_no_period(world: World[LoadActuals], scope: Scope) -> list[Finding]:
    """Posted lines of a period that no year has: in no balance and no cell, so nothing misses them.

    Custom loaders write such rows (facts/jde-gl.md §2.5). Nothing is told of their amounts:
    aggregates are scaled by dictionary decimals.
    """
    where = every(
        equal("posted", POSTED), one_of("ledger", list(scope.rule.ledgers)),
        one_of("company", scope.company_codes()), one_of("fiscal_year", scope.years()),
        either(at_most("period", 0), at_least("period", PERIODS_MAX + 1)),
    )  # fmt: skip
    group = ("company", "ledger", "fiscal_year", "period")
    found = world.jde.groups(tables.ACCOUNT_LEDGER, group_by=group, where=where)
    return [
        Finding(
            "period-missing", Severity.DIFFERENCE,
            f"company {row['company']}, ledger {row['ledger']}, {row['fiscal_year']}, "
            f"period {row['period']}",
            f"{counted(row['count'], 'posted line')} of company {row['company']}, ledger "
            f"{row['ledger']}, with the period {row['period']} of {row['fiscal_year']}: F0902 has "
            "no such period, so no balance and no cell holds them.",
            "Ask the JD Edwards team to correct the period of these lines (R099103) and to repost.",
            row["company"], "period", cells=row["count"],
        )
        for row in found.sort(list(group)).iter_rows(named=True)
    ]  # fmt: skip


def _of_other_periods(world: World[LoadActuals], scope: Scope) -> list[Finding]:
    """Posted lines dated in what is loaded whose fiscal year or period lies outside of it (rule 9).

    F0902 holds them where they say, so that every side of the tie-out lacks them.
    """
    reaches: dict[Reach, list[str]] = {}
    for company in scope.companies:
        if (reach := company.reach(scope.rule.detail_from)) is not None:
            reaches.setdefault(reach, []).append(company.company)
    group = ("company", "ledger", "fiscal_year", "period")
    found = []
    for reach, companies in sorted(reaches.items()):
        where = every(
            equal("posted", POSTED), not_equal("document_type", SUMMARY),
            one_of("ledger", list(scope.rule.ledgers)), one_of("company", companies),
            at_least("gl_date", reach.begin), at_most("gl_date", reach.end), _outside(reach),
        )  # fmt: skip
        found.append(world.jde.groups(tables.ACCOUNT_LEDGER, group_by=group, where=where))
    return [
        Finding(
            "period-differs", Severity.DIFFERENCE,
            f"company {row['company']}, ledger {row['ledger']}, "
            f"{row['fiscal_year']}-{row['period']:02d}",
            f"{counted(row['count'], 'posted line')} of company {row['company']}, ledger "
            f"{row['ledger']}, dated in a period that is loaded, with the period "
            f"{row['fiscal_year']}-{row['period']:02d}, which is not: no cell holds them.",
            "Ask the JD Edwards team to correct the period of these lines (R099103) and to repost; "
            "if their G/L date is wrong, to void and enter them again.",
            row["company"], "period", cells=row["count"],
        )
        for row in pl.concat(found).sort(list(group)).iter_rows(named=True)
    ] if found else []  # fmt: skip


def _outside(reach: Reach) -> Where:
    """Lines whose fiscal year and period come before the first or after the last of a reach."""
    (first, last), century = (reach.first, reach.last), reach.first.fiscal_year // 100
    return either(
        not_equal("CTRY", century),
        at_most("FY", first.fiscal_year % 100 - 1), at_least("FY", last.fiscal_year % 100 + 1),
        Every((equal("FY", first.fiscal_year % 100), at_most("period", first.number - 1))),
        Every((equal("FY", last.fiscal_year % 100), at_least("period", last.number + 1))),
    )  # fmt: skip


def _folded_periods(buckets: pl.LazyFrame, scope: Scope) -> list[Finding]:
    """What the policy folds into another period, so that the tie-out can be read (rule 11)."""
    members = scope.member_frame().filter(pl.col("period") != pl.col("shown_period"))
    folded = buckets.join(members.lazy(), on=["company", "fiscal_year", "period"], how="inner")
    groups = (
        folded.group_by("company", "ledger", "currency", "fiscal_year", "period", "shown_period")
        .agg(buckets=pl.len(), amount=pl.col("amount").abs().sum().cast(AMOUNT))
        .filter(pl.col("amount") != 0)
        .sort("company", "ledger", "currency", "fiscal_year", "period")
        .collect()
    )
    return [
        Finding(
            "period-folded", Severity.NOTE,
            f"company {row['company']}, ledger {row['ledger']}, "
            f"{row['fiscal_year']}-{row['period']:02d}",
            f"Period {row['period']} is folded into period {row['shown_period']} ("
            f"{counted(row['buckets'], 'account balance')}).",
            "", row["company"], "period", amount=row["amount"],
            currency=row["currency"] or scope.kept_in(row["ledger"], row["company"]),
            cells=row["buckets"],
        )
        for row in groups.iter_rows(named=True)
    ]  # fmt: skip
