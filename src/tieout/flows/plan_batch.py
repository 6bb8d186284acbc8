"""The plan against the ledger: every finding at once, the difference per cell, and its journals."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from tieout.core import difference as core
from tieout.core.cells import shown_members
from tieout.core.findings import Finding, Severity
from tieout.core.frames import (
    AMOUNT,
    DIFFERENCES,
    LEDGER_CELL,
    PLAN,
    PLAN_CONTROL,
    Schema,
)
from tieout.core.journal import (
    HELD,
    Batch,
    JournalRule,
    build,
    headers_of,
    key_findings,
    too_long_findings,
)
from tieout.core.periods import Period
from tieout.core.plan import CheckedPlan, PlanRule, check_plan, control_findings
from tieout.core.scope import Scope
from tieout.flows.earlier_journals import entered_again, entered_before, findings_of
from tieout.flows.plan_export import EVERYTHING, stops_of
from tieout.flows.plan_ledger import chart_for, holdings, scope_for, shared, usual_amounts
from tieout.flows.sending import batch_as_kept
from tieout.flows.world import Result, World, tell
from tieout.jde import tables
from tieout.project import SubmitPlan
from tieout.store import batches
from tieout.store.steps import Step

ASKS: Schema = {
    **dict.fromkeys(("rule", "subject", "what", "remedy", "company", "currency"), pl.String),
    "amount": AMOUNT,
}  # what a person has to say yes to before the batch is sent
_CELL = list(LEDGER_CELL)


@dataclass(frozen=True, slots=True)
class Compared:
    """A plan against the ledger: what differs per cell, what is wrong, and what would be sent."""

    checked: CheckedPlan
    cells: pl.DataFrame  # DIFFERENCES
    findings: list[Finding]
    stopped: list[str]  # companies of JD Edwards, because of their findings
    kept: frozenset[str]  # codes, in either system, that mean no company but stopped ones
    batch: Batch


def compare(
    step: Step, world: World[SubmitPlan], run: str, stops: list[str], layout: str
) -> Result:  # fmt: skip
    """Check the plan and build what it changes; keeps `differences`, `headers`, `lines`.

    A company with a finding that refuses one of its rows sends nothing: half a plan is none.
    """
    pinned = _layout_findings(world, layout)
    found = compared(world, run, stops, findings_of(world, run) + pinned)
    step.keep("differences", found.cells)
    step.keep("headers", headers_of(found.batch))
    step.keep("lines", found.batch.lines)
    tell(step, world, found.findings)
    rejects = [f for f in found.findings if f.severity is Severity.REJECT]
    asks = [f for f in found.findings if f.severity is Severity.ASK and f.company not in found.kept]
    rows = [[getattr(f, name) for name in ASKS] for f in asks]
    step.keep("asks", pl.DataFrame(rows, schema=dict(ASKS), orient="row"))
    return {
        "digest": found.batch.digest, "journals": len(found.batch.journals),
        "lines": found.batch.lines.height, "amount": moved_amount(found.batch),
        "stopped": found.stopped, "cells": found.cells.height, "rejects": len(rejects),
        "asks": sorted({f.rule for f in asks}),
        "rounded": {c: str(a) for c, a in found.checked.rounded.items()},
        "at": step.at().isoformat(), "run": run,
    }  # fmt: skip


def moved_amount(batch: Batch) -> Decimal:
    """The lines of a batch added up without their signs."""
    return sum((j.debits + j.credits for j in batch.journals), Decimal(0))


def compared(
    world: World[SubmitPlan], run: str, stops: Sequence[str], earlier: Sequence[Finding]
) -> Compared:
    """The comparison from what this run has read: pure but for the reading of its records."""
    scope, chart = scope_for(world, run), chart_for(world, run)
    flow, plan = world.flow, world.of_this_run(run, "plan", PLAN)
    control = _control_findings(world, run, plan)
    rule = PlanRule(
        flow.ledgers(), shared(world).allowed, flow.first_period, flow.rounding,
        shared(world).actuals.signs.flip,
    )  # fmt: skip
    ledgers = world.of_this_run(run, "ledgers", tables.LEDGERS.schema)
    checked = check_plan(plan, rule, chart, scope, ledgers, usual_amounts(world, scope))
    names = _anaplan_codes(world, scope)
    universe = _universe(world, run, names, confirmed=not control)
    moved = core.revise(
        checked, holdings(world, run), scope, chart, universe=universe,
        entered=entered_before(world),
    )  # fmt: skip
    findings = [
        *_unresolved(scope), *control, *earlier, *checked.findings, *moved.findings,
        *core.out_of_balance(moved.to_send(), scope.must_balance),
    ]  # fmt: skip
    journals = JournalRule(flow.document_type, flow.label, flow.lines_max, scope.must_balance)
    known = pl.concat([world.of_this_run(run, "documents", HELD), entered_again(world)])
    held = known.group_by(_CELL).agg(pl.col("documents").sum())
    stopped = _stopped(scope, names, {*stops, *stops_of(findings)})
    batch = build(_left(moved.to_send(), stopped), held, journals)
    built = key_findings(batch.journals) + too_long_findings(batch.journals, journals)
    if built:
        findings += built
        stopped = _stopped(scope, names, {*stops, *stops_of(findings)})
        batch = build(_left(moved.to_send(), stopped), held, journals)
    meant = {code for company, codes in names.items() if company not in stopped
             for code in (company, *codes)}  # fmt: skip
    kept = {code for company in stopped for code in (company, *names.get(company, ()))} - meant
    return Compared(checked, moved.cells, findings, stopped, frozenset(kept), batch)


def _control_findings(world: World[SubmitPlan], run: str, plan: pl.DataFrame) -> list[Finding]:
    """Where the plan that is approved and the control export do not agree; none without one."""
    if not world.flow.control_export:
        return []
    control = world.of_this_run(run, "control", PLAN_CONTROL)
    return control_findings(plan.filter("approved"), control)


def _universe(
    world: World[SubmitPlan], run: str, names: dict[str, set[str]], *, confirmed: bool
) -> core.Universe | None:
    """What a complete plan speaks for; a company that the control lacks may not have been shown."""
    told = world.flow.universe
    if told is None:
        return None
    first, last = told.periods.split("..")
    shown = set(world.of_this_run(run, "control", PLAN_CONTROL)["company"])
    confirmed &= all(names.get(company, set()) & shown for company in told.companies)
    return core.Universe(
        told.companies, told.ranges(), Period.parse(first), Period.parse(last), confirmed
    )


def _layout_findings(world: World[SubmitPlan], layout: str) -> list[Finding]:
    """Whether the exports are laid out as they were when a batch of this flow was last approved."""
    with world.store.database.read() as connection:
        before = batches.listed(connection, flow=world.flow_name, states=("approved",))
    if not before or before[-1].summary.get("layout") in (None, layout):
        return []
    return [
        Finding(
            "plan-layout", Severity.ASK, f"export {world.flow.export}",
            "The exports of the plan are laid out otherwise than when a batch was last approved "
            f"({before[-1].id}).",
            "Ask the Anaplan administrator what was changed, and look at the lines closely.",
        )
    ]  # fmt: skip


def _unresolved(scope: Scope) -> list[Finding]:
    """Companies that F0010 or F0008 do not explain: they send nothing."""
    known = set(scope.company_codes())
    return [
        Finding(f.rule, Severity.REJECT, f.subject, f.what, f.remedy, f.company)
        for f in scope.findings
        if f.company not in known
    ]


def _anaplan_codes(world: World[SubmitPlan], scope: Scope) -> dict[str, set[str]]:
    """Company of JD Edwards → its codes in Anaplan: findings name a company by either."""
    table = world.store.mapping("company")
    members = scope.member_frame().with_columns(ledger_company="company")
    shown = shown_members(members, {"company": table})
    found: dict[str, set[str]] = {}
    for company, code in shown.select("ledger_company", "company").unique().iter_rows():
        found.setdefault(company, set()).add(code)
    return found


def _stopped(scope: Scope, names: dict[str, set[str]], stops: Collection[str]) -> list[str]:
    """The companies that findings keep from being sent."""
    companies = scope.company_codes()
    if EVERYTHING in stops:
        return companies
    return [c for c in companies if {c, *names.get(c, ())} & set(stops)]


def _left(cells: pl.DataFrame, stopped: Sequence[str]) -> pl.DataFrame:
    return cells.filter(~pl.col("company").is_in(list(stopped)))


def summary_of(world: World[SubmitPlan], run: str) -> dict[str, Any]:
    """What a person is shown of a batch first: totals by place, zeroed lines apart, asks."""
    cells = world.of_this_run(run, "differences", DIFFERENCES)
    batch = batch_as_kept(world, run)
    places = ["company", "ledger", "currency", "fiscal_year", "period"]
    sent = cells.join(
        batch.lines.select("company", "account_id").unique(), on=["company", "account_id"],
        how="semi",
    ).filter(pl.col("difference") != 0)  # fmt: skip
    sums = [pl.col(n).sum().cast(AMOUNT) for n in ("target", "posted", "in_flight", "difference")]
    moved = pl.col("difference").abs().sum().cast(AMOUNT).alias("moved")  # without the signs
    totals = sent.group_by(places).agg(pl.len().alias("lines"), *sums, moved).sort(places)
    zeroed = sent.filter("zeroed").group_by("company", "ledger", "currency").agg(
        pl.len().alias("lines"), pl.col("difference").sum().cast(AMOUNT)
    )  # fmt: skip
    return {
        "totals": totals.to_dicts(),
        "zeroed": zeroed.sort("company", "ledger", "currency").to_dicts(),
        "asks": world.of_this_run(run, "asks", ASKS).to_dicts(),
    }
