"""Reading the whole scope back from Anaplan, and the tie-out that decides what a run was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from tieout.core import tie_out
from tieout.core.cells import company_currencies
from tieout.core.findings import Severity
from tieout.core.frames import AMOUNT, CELL_KEY, CELLS, Schema, empty
from tieout.errors import Misconfigured, Refused
from tieout.flows.cells import EMPTIED, PROVED, members_in_anaplan
from tieout.flows.changes import SIGNS
from tieout.flows.dimensions import LINE_ITEMS, TIME, constants_of, lists_of, lowest_members
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World
from tieout.settings import LoadActuals
from tieout.store.positions import OpenCell
from tieout.store.rejects import Reject
from tieout.store.steps import Step

_KEY = list(CELL_KEY)
SHOWN: Schema = {**dict.fromkeys(CELL_KEY, pl.String), "shown": AMOUNT}
WAITING: Schema = {**dict.fromkeys(CELL_KEY, pl.String), "value": AMOUNT, "held": pl.String}
OK, REJECTED, DIFFERS = 0, 5, 6


def read_back(step: Step, world: World[LoadActuals]) -> Result:
    """Every non-zero cell Anaplan shows, by code, as `anaplan` (CELL_KEY, shown)."""
    lists = lists_of(world)
    members = {d: lowest_members(world, d) for d in lists}
    frames = []
    for page in _pages(world, [*lists.values(), TIME]):
        cells = _one_line_item(world, page).rename(
            {n: d for d, n in lists.items()} | {TIME: "member"}
        )
        for dimension, names in members.items():
            cells = cells.join(names, left_on=dimension, right_on="name", how="inner")
            cells = cells.drop(dimension).rename({"code": dimension})
        whole = cells.with_columns(**constants_of(world)).rename({"value": "shown"})
        frames.append(whole.select(*SHOWN))
    found = pl.concat(frames) if frames else empty(SHOWN)
    step.keep("anaplan", found)
    return {"cells": found.height}


def _pages(world: World[LoadActuals], dimensions: list[str]) -> Iterator[pl.DataFrame]:
    """The read-back view page by page, or the read-back export run anew; dimensions are checked."""
    back = world.flow.read_back
    if back.view:
        pages = world.anaplan.read_view(world.anaplan.find("views", back.view).id)
    else:
        export = world.anaplan.find("exports", back.export)
        known = world.anaplan.task_ids("exports", export.id)
        task = world.anaplan.start("exports", export.id, known)
        done = world.anaplan.wait("exports", export.id, task, name=export.name)
        if done.outcome != "ok":
            raise Refused(
                f"The export {export.name} did not succeed ({done.state}).",
                untouched="What was loaded is not proved; the position did not move.",
                do="Run it in Anaplan and correct what it says.", evidence="; ".join(done.words),
            )  # fmt: skip
        pages = iter([world.anaplan.read_export(export.id, [*dimensions, LINE_ITEMS])])
    for page in pages:
        if sorted(set(page.columns) - {"value", LINE_ITEMS}) != sorted(dimensions):
            raise Misconfigured(
                f"{back.view or back.export} shows the dimensions {', '.join(page.columns)}; "
                f"{', '.join(dimensions)} were expected.",
                do="Name a view or export with exactly these, or set `read_back.dimensions`.",
            )
        yield page


def _one_line_item(world: World[LoadActuals], page: pl.DataFrame) -> pl.DataFrame:
    """Where a view shows several line items, the one that the amount is loaded into."""
    if LINE_ITEMS not in page.columns:
        return page
    amount = next(h for h, meaning in world.flow.columns.items() if meaning == "amount")
    if page[LINE_ITEMS].n_unique() > 1:
        page = page.filter(pl.col(LINE_ITEMS) == amount)
    return page.drop(LINE_ITEMS)


def compare(step: Step, world: World[LoadActuals], run: str) -> Result:
    """The three-sided comparison cell by cell; keeps `compared` and `tie_out`, writes findings."""
    scope = scope_for(world)
    cells = world.frame("cells", CELLS)
    anaplan = world.of_this_run(run, "anaplan", SHOWN)
    members = members_in_anaplan(world, scope)
    own = members.filter(
        (pl.col("fiscal_year") == pl.col("shown_year"))
        & (pl.col("period") == pl.col("shown_period"))
    )
    compared = tie_out.compare(cells, anaplan, own)
    currencies = company_currencies(members)
    step.keep("compared", compared, replace=True)
    table = tie_out.table(compared, currencies)
    step.keep("tie_out", table, replace=True)
    waiting = world.of_this_run(run, "waiting", WAITING)
    loaded = compared.join(waiting.select(_KEY), on=_KEY, how="anti")
    step.reject(tie_out.difference_findings(loaded, currencies))
    differing = compared.filter(tie_out.differs() | (pl.col("value") != pl.col("shown")))
    return {"cells": compared.height, "differing": differing.height}


def close_the_run(
    step: Step,
    world: World[LoadActuals],
    run: str,
    changes: dict[str, Any],
    figures: dict[str, Any],
) -> Result:
    """Move the positions, leave open cells for the next run, and say what this run was."""
    _keep_what_was_seen(step, world, run)
    return _close(step, world, run, figures, changes["signs"])


def close_the_tie_out(step: Step, world: World[LoadActuals], run: str) -> Result:
    """Say whether both sides agree now; no position moves, but a difference ends the quiet."""
    return _close(step, world, run, {}, world.store.position(world.flow_name, SIGNS))


def _close(
    step: Step,
    world: World[LoadActuals],
    run: str,
    figures: dict[str, Any],
    signs: dict[str, Any] | None,
) -> Result:
    """`signs`: where the next run starts; a run that is not Complete lets no quiet one follow."""
    compared = world.frame("compared", {})
    proved = compared.filter((pl.col("shown") != 0) | pl.col("in_ledger"))
    step.keep("proved", proved.select(PROVED.keys()), replace=True)
    open_cells = _open_cells(world, run, compared)
    step.replace_open_cells(open_cells)
    findings = [r.finding for r in world.store.rejects(run=run)]
    _settle_earlier(step, world, run)
    exit_code = OK
    if any(f.severity is Severity.REJECT for f in findings):
        exit_code = REJECTED
    elif open_cells or any(f.severity is Severity.DIFFERENCE for f in findings):
        exit_code = DIFFERS
    if signs is not None:
        before = world.store.position(world.flow_name, SIGNS)
        step.move_position(SIGNS, before, signs | {"proved": exit_code == OK})
    rejects = sum(f.cells for f in findings if f.severity is Severity.REJECT)
    figures = figures | {
        "open_cells": len(open_cells),
        "rejects": rejects,
        "findings": len(findings),
    }
    return {
        "outcome": "complete" if exit_code == OK else "needs_attention", "exit_code": exit_code,
        "sentence": _sentence(world, exit_code, compared, len(open_cells), rejects),
        "figures": figures,
    }  # fmt: skip


def _settle_earlier(step: Step, world: World[LoadActuals], run: str) -> None:
    """Open rejects of earlier runs: fixed when this run does not find them, else sent again."""
    earlier = [r for r in world.store.rejects(flow=world.flow_name, state="open") if r.run != run]
    now = {_same(r) for r in world.store.rejects(run=run)}
    for state, there in (("fixed", False), ("sent again", True)):
        step.settle([r.id for r in earlier if (_same(r) in now) is there], state)


def _same(reject: Reject) -> tuple[str, str, str]:
    return (reject.finding.rule, reject.finding.subject, reject.finding.company)


def _keep_what_was_seen(step: Step, world: World[LoadActuals], run: str) -> None:
    """What this run saw of balances and batches is the next run's "before"."""
    for kind in ("by_object", "by_unit"):
        seen = world.of_this_run(run, f"seen_{kind}")
        kept = world.frame(kind, seen.schema)
        years = seen["fiscal_year"].unique().to_list()
        older = kept.filter(~pl.col("fiscal_year").is_in(years)) if kept.height else seen.clear()
        step.keep(kind, pl.concat([older.select(seen.columns), seen]), replace=True)
    batches = world.of_this_run(run, "seen_batches")
    known = world.frame("batches", batches.schema)
    key = ["batch_type", "batch_number"]
    step.keep(
        "batches", pl.concat([known.join(batches, on=key, how="anti"), batches]), replace=True
    )


def _open_cells(world: World[LoadActuals], run: str, compared: pl.DataFrame) -> list[OpenCell]:
    """Cells that are not proved: held, waiting, or shown differently by Anaplan."""
    waiting = world.of_this_run(run, "waiting", WAITING)
    sent = world.of_this_run(run, "to_send", dict.fromkeys(_KEY, pl.String))
    reasons = waiting.select(*_KEY, waits="held")
    odd = (
        compared.join(reasons, on=_KEY, how="left")
        .join(sent.select(*_KEY, sent=pl.lit(True)), on=_KEY, how="left")
        .filter(tie_out.differs() | (pl.col("value") != pl.col("shown")) | (pl.col("held") != ""))
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
    world: World[LoadActuals], exit_code: int, compared: pl.DataFrame, open_cells: int, rejects: int
) -> str:
    last = max((c.current for c in scope_for(world).companies), default=None)
    through = f" through {last}" if last else ""
    name = world.flow_name.replace("_", " ").capitalize()
    if exit_code == OK:
        return (
            f"{name} are in{through} and proved: {compared.height} cells, F0911 = F0902 = Anaplan."
        )
    apart = (
        compared.group_by("company")
        .agg(gap=(pl.col("f0911") - pl.col("anaplan")).abs().sum())
        .filter(pl.col("gap") != 0)
        .sort("company")
    )
    scope = scope_for(world)
    gaps = [
        f"{r['gap'].normalize():,f} {scope.currency_of(r['company'])} in {r['company']}"
        for r in apart.iter_rows(named=True)
    ]
    away = f" Anaplan is away from the ledger by {'; '.join(gaps)}." if gaps else ""
    rejected = f"{rejects} rejected, " if rejects else ""
    return f"{name}{through} need attention: {rejected}{open_cells} cells are open.{away}"
