"""The end of a run: what was proved is kept, what is open waits, and the position moves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from tieout.core import tie_out
from tieout.core.findings import Finding, Severity, counted
from tieout.core.frames import CELL_KEY
from tieout.core.tally import not_accounted
from tieout.flows.accounting import account_for_rows, told_of
from tieout.flows.at_once import parts_of
from tieout.flows.cells import EMPTIED, NOT_ASKED_FOR, PROVED, proved_in_scope, rows_sent
from tieout.flows.certified import reopen_what_moved
from tieout.flows.changes import SEEN
from tieout.flows.read_back import WAITING
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World
from tieout.project import LoadActuals
from tieout.store.positions import OpenCell
from tieout.store.rejects import same
from tieout.store.steps import Step

_KEY = list(CELL_KEY)
OK, REJECTED, DIFFERS = 0, 5, 6
ONLY_WHEN_SENT = "import-"  # rules that a run which sent nothing has not judged


def close_the_run(
    step: Step,
    world: World[LoadActuals],
    run: str,
    changes: dict[str, Any],
    figures: dict[str, Any],
) -> Result:
    """Move the position, leave open cells for the next run, and say what this run was.

    All that this run did not prove stands open, so the position may move; but a run that is not
    Complete lets no quiet one follow.
    """
    _keep_what_was_seen(step, world, run, changes["years"])
    compared = world.lazy("compared", {})
    for part in _proved(world, compared):
        step.keep("proved", part, replace=True)
    open_cells = _open_cells(world, run, compared)
    step.replace_open_cells(open_cells)
    passages, besides = account_for_rows(world, run, compared)
    missing = not_accounted(passages)
    step.reject(missing)
    waits = _of_open_cells(world, open_cells)
    settle_earlier(step, world, run, sent="rows_sent" in figures, found=missing, but=waits)
    reopen_what_moved(step, world, compared)
    findings = [r.finding for r in world.store.rejects(run=run)] + missing
    exit_code = OK
    if any(f.severity is Severity.REJECT for f in findings):
        exit_code = REJECTED
    elif open_cells or any(f.severity is Severity.DIFFERENCE for f in findings):
        exit_code = DIFFERS
    step.move_position(SEEN, changes["before"], changes["seen"] | {"proved": exit_code == OK})
    rejects = sum(f.cells for f in findings if f.severity is Severity.REJECT)
    told = {"open_cells": len(open_cells), "rejects": rejects, "findings": len(findings)}
    causes = sorted({f.rule for f in findings if f.severity is not Severity.NOTE})
    return {
        "outcome": "complete" if exit_code == OK else "needs_attention", "exit_code": exit_code,
        "sentence": _sentence(world, exit_code, compared, told | {"causes": causes}),
        "figures": figures | told, "accounted": told_of(passages, besides),
    }  # fmt: skip


def _proved(world: World[LoadActuals], compared: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """What Anaplan shows of the compared cells, and what was proved of others outside the scope."""
    now = compared.filter((pl.col("shown") != 0) | pl.col("in_ledger"))
    now = now.rename({"in_ledger": "ours"}).select(PROVED.keys())
    for part in parts_of(compared):
        yield now.filter(part).collect()
    before = world.lazy("proved", PROVED).select(PROVED.keys())
    # Of the scope, what was not compared is neither in the ledger nor in Anaplan any longer.
    inside = proved_in_scope(world, scope_for(world)).select(_KEY)
    outside = before.join(inside, on=_KEY, how="anti").collect()
    if outside.height:
        yield outside.join(compared.select(_KEY).collect(), on=_KEY, how="anti")


def settle_earlier(
    step: Step, world: World[Any], run: str, *, sent: bool, found: Sequence[Finding] = (),
    but: Collection[int] = (),
) -> None:  # fmt: skip
    """Standing rejects of earlier runs: fixed when this run does not find them, else sent again.

    `found`: what this step found, beside what earlier steps of the run did. `but`: rejects that
    this run has not judged.
    """
    settled: dict[str, list[int]] = {"fixed": [], "sent again": []}
    now = None
    for r in world.store.standing(world.flow_name):
        if r.run == run or r.id in but:
            continue
        if not sent and r.finding.rule.startswith(ONLY_WHEN_SENT):
            continue
        if now is None:  # most runs have nothing before them to settle
            ours = (mine.finding for mine in world.store.rejects(run=run))
            now = {same(f) for f in (*found, *ours)}
        settled["sent again" if same(r.finding) in now else "fixed"].append(r.id)
    for state, ids in settled.items():
        step.settle(ids, state)


def _of_open_cells(world: World[LoadActuals], open_cells: Sequence[OpenCell]) -> set[int]:
    """Rejected rows whose cells are open still: this run cannot have mended them."""
    still = {tuple(getattr(c, name) for name in _KEY) for c in open_cells}
    lines: dict[str, dict[int, int]] = {}
    found: set[int] = set()
    partly = any(cell.reason == NOT_ASKED_FOR for cell in open_cells)
    for r in world.store.standing(world.flow_name) if still else ():
        if r.finding.line is not None:
            lines.setdefault(r.run, {})[r.finding.line] = r.id
        elif partly and r.finding.rule.startswith(ONLY_WHEN_SENT):
            found.add(r.id)  # which rows it is about is not known: perhaps those that wait
    for run, ids in lines.items():
        rows = rows_sent(world, run, list(ids)).iter_rows()
        found |= {ids[line] for line, *cell in rows if tuple(cell) in still}
    return found


def _keep_what_was_seen(step: Step, world: World[LoadActuals], run: str, years: list[int]) -> None:
    """What this run saw of balances and batches is the next run's "before"."""
    for kind in ("by_object", "by_unit"):
        seen = world.last_of_this_run(run, f"seen_{kind}", {})
        kept = world.frame(kind, seen.schema)
        older = kept.filter(~pl.col("fiscal_year").is_in(years)) if kept.height else seen.clear()
        step.keep(kind, pl.concat([older.select(seen.columns), seen]), replace=True)
    # As they were at the start: what moved since is for the next run to find moved.
    batches = next(world.files_of_this_run(run, "seen_batches"))
    known = world.frame("batches", batches.schema)
    key = ["batch_type", "batch_number"]
    step.keep(
        "batches", pl.concat([known.join(batches, on=key, how="anti"), batches]), replace=True
    )


def _open_cells(world: World[LoadActuals], run: str, compared: pl.LazyFrame) -> list[OpenCell]:
    """Cells that are not proved: held, waiting, or shown differently by Anaplan."""
    odd = compared.filter(
        tie_out.differs() | (pl.col("value") != pl.col("shown")) | (pl.col("held") != "")
    ).collect()
    if odd.is_empty():
        return []
    waiting = world.of_this_run(run, "waiting", WAITING)
    sent = world.of_this_run(run, "to_send", dict.fromkeys(_KEY, pl.String))
    reasons = waiting.select(*_KEY, waits="held")
    odd = odd.join(reasons, on=_KEY, how="left").join(
        sent.select(*_KEY, sent=pl.lit(True)), on=_KEY, how="left"
    )
    reason = (
        pl.when(pl.col("waits").is_not_null()).then(pl.col("waits"))
        .when(pl.col("held") != "").then(pl.col("held"))
        .when(pl.col("sent").is_null() & (pl.col("shown") == 0)).then(pl.lit(EMPTIED))
        .otherwise(pl.lit("Anaplan shows another amount"))
    )  # fmt: skip
    rows = odd.select(*_KEY, "fiscal_year", "period", reason=reason, amount="value")
    return [OpenCell(**row) for row in rows.iter_rows(named=True)]


def _sentence(
    world: World[LoadActuals], exit_code: int, compared: pl.LazyFrame, told: dict[str, Any]
) -> str:
    scope = scope_for(world)
    last = max((m.shown for c in scope.companies for m in c.members if m.member), default=None)
    through = f" through {last}" if last else ""
    name = world.title
    if exit_code == OK:
        cells = compared.select(pl.len()).collect().item()
        return (
            f"{name} are in{through} and proved: {counted(cells, 'cell')}, F0911 = F0902 = Anaplan."
        )
    apart = (
        compared.group_by("ledger_company", "ledger", "currency")
        .agg(gap=(pl.col("f0911") - pl.col("anaplan")).abs().sum())
        .filter(pl.col("gap") != 0)
        .collect()
    )
    sums: dict[tuple[str, str], Decimal] = {}
    for company, ledger, named, gap in apart.iter_rows():
        place = (company, named or scope.kept_in(ledger, company))
        sums[place] = sums.get(place, Decimal(0)) + gap
    gaps = [
        f"{gap:,.{scope.decimals.get(currency, 2)}f} {currency} in {company}"
        for (company, currency), gap in sorted(sums.items())
    ]
    away = f" Anaplan is away from the ledger by {'; '.join(gaps)}." if gaps else ""
    rejected = f"{counted(told['rejects'], 'cell')} rejected, " if told["rejects"] else ""
    why = f" ({', '.join(told['causes'])})" if told["causes"] else ""
    return (
        f"{name}{through} need attention{why}: {rejected}"
        f"{counted(told['open_cells'], 'cell')} open.{away}"
    )
