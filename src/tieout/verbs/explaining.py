"""Explain a tie-out: which cells tie, which differ for a known reason, and which for none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from tieout.app import Instance
from tieout.core.frames import CELL_KEY
from tieout.flows import explained
from tieout.flows.explained import CLASSES, EXPLAINED, TIED, UNEXPLAINED
from tieout.flows.scope import scope_for
from tieout.verbs import acting, seeing


def explain(instance: Instance, flow: str, period: str | None = None) -> dict[str, Any]:
    """The last comparison of a flow by outcome and class.

    `outcomes`: how many cells are tied, explained and unexplained; `classes`: a row per company,
    ledger, currency, period and class with cells, `ledger_gap`, `anaplan_gap` (sums of amounts
    without their signs), the evidence, and whether the class permits a Complete run and a
    certification; `differences`: the same cell by cell.
    """
    acting.require(instance, "view")
    compared = seeing.last_comparison(instance, flow)
    if compared is None:
        return {"outcomes": dict.fromkeys((TIED, EXPLAINED, UNEXPLAINED), 0), "classes": [],
                "differences": []}  # fmt: skip
    with instance.world_for(compared[0], looking=True) as world:
        cells = explained.explained_cells(world)
        kept_in = scope_for(world).kept_in
    if period:
        year, number = seeing.period_of(period)
        cells = cells.filter((pl.col("fiscal_year") == year) & (pl.col("period") == number))
    table = seeing.tie_out_table(instance, flow, period)
    apart = {
        outcome: cells.filter(pl.col("outcome") == outcome).select(CELL_KEY).n_unique()
        for outcome in (EXPLAINED, UNEXPLAINED)
    }
    both = cells.select(CELL_KEY).n_unique()
    tied = sum(row["cells"] for row in table) - both
    classes = [_class(row, kept_in) for row in explained.by_place(cells).to_dicts()]
    return {
        "outcomes": {TIED: tied, **apart}, "classes": classes, "differences": cells.to_dicts(),
    }  # fmt: skip


def _class(row: dict[str, Any], kept_in: Callable[[str, str], str]) -> dict[str, Any]:
    known = CLASSES.get(row["class"])
    return row | {
        "currency": row["currency"] or kept_in(row["ledger"], row["ledger_company"]),
        "evidence": known.evidence if known else "no class of difference fits",
        "permits_complete": bool(known and known.complete),
        "permits_certification": bool(known and known.certify),
    }
