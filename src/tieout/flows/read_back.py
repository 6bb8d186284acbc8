"""Reading the whole scope back from Anaplan, and the tie-out that decides what a run was."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from tieout.core import tie_out
from tieout.core.cells import company_currencies
from tieout.core.frames import AMOUNT, CELL_KEY, CELLS, Schema, empty
from tieout.core.scope import Scope
from tieout.core.tally import CurrencyOf, Tally, tally_of
from tieout.errors import Misconfigured
from tieout.flows.at_once import ahead, parts_of
from tieout.flows.cells import currency_of_cells, members_in_anaplan, proved_in_scope
from tieout.flows.dimensions import (
    LINE_ITEMS,
    TIME,
    constants_of,
    lists_of,
    lowest_members,
    refuse_strangers,
)
from tieout.flows.exporting import run_export
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World, tell
from tieout.project import LoadActuals
from tieout.project_tables import LoadTable
from tieout.store.steps import Step
from tieout.strict_json import plain

_KEY = list(CELL_KEY)
SHOWN: Schema = {**dict.fromkeys(CELL_KEY, pl.String), "shown": AMOUNT}
SENT: Schema = {**dict.fromkeys(CELL_KEY, pl.String), "value": AMOUNT}
WAITING: Schema = {**dict.fromkeys(CELL_KEY, pl.String), "value": AMOUNT, "held": pl.String}


def read_back(step: Step, world: World[LoadActuals]) -> Result:
    """Every non-zero cell Anaplan shows, by code, as `anaplan` (CELL_KEY, shown)."""
    lists = lists_of(world)
    members = {d: lowest_members(world, d) for d in lists}
    frames, pages = [], _amounts(world, pages_shown(step, world, [*lists.values(), TIME]))
    for dimension, name in lists.items() if pages else ():
        told = pl.concat([page[name].unique() for page in pages])
        refuse_strangers(world, name, members[dimension], told)
    for page in pages:
        cells = page.rename({n: d for d, n in lists.items()} | {TIME: "member"})
        for dimension, names in members.items():
            cells = cells.join(names, left_on=dimension, right_on="name", how="inner")
            cells = cells.drop(dimension).rename({"code": dimension})
        whole = cells.with_columns(**constants_of(world)).rename({"value": "shown"})
        frames.append(whole.select(*SHOWN))
    found = pl.concat(frames) if frames else empty(SHOWN)
    for part in parts_of(found.lazy()):
        step.keep("anaplan", found.filter(part))
    scope = scope_for(world)
    currency_of = currency_of_cells(scope, members_in_anaplan(world, scope))
    shown = tally_of(found, "shown", currency_of)
    return {"cells": found.height, "tally": {"shown": shown.told()}}


def pages_shown(
    step: Step, world: World[LoadActuals] | World[LoadTable], dimensions: list[str]
) -> Iterator[pl.DataFrame]:
    """The read-back view page by page, or the read-back export run anew; dimensions are checked."""
    back = world.flow.read_back
    if back.view:
        pages = world.anaplan.read_view(world.anaplan.find("views", back.view).id)
    else:
        export = world.anaplan.find("exports", back.export)
        untouched = "What was loaded is not proved; the position did not move."
        run_export(step, world, export.id, export.name, untouched)
        pages = iter([world.anaplan.read_export(export.id, [*dimensions, LINE_ITEMS])])
    for page in pages:
        if sorted(set(page.columns) - {"value", LINE_ITEMS}) != sorted(dimensions):
            raise Misconfigured(
                f"{back.view or back.export} shows the dimensions {', '.join(page.columns)}; "
                f"{', '.join(dimensions)} were expected.",
                do="Name a view or export with exactly these, or set `read_back.dimensions`.",
            )
        yield page


def _amounts(world: World[LoadActuals], pages: Iterator[pl.DataFrame]) -> list[pl.DataFrame]:
    """The cells of the line item that the amount is loaded into; of the only one, if it is alone.

    A page may hold a single line item of several, so only all pages together tell.
    """
    amount = next(h for h, meaning in world.flow.columns.items() if meaning == "amount")
    names: set[str] = set()
    kept: list[pl.DataFrame] = []
    for page in pages:
        alone = len(names) < 2
        names |= set(page[LINE_ITEMS].unique()) if LINE_ITEMS in page.columns else set()
        kept.append(page)
        if len(names) > 1:
            others = len(kept) if alone else 1
            kept[-others:] = [p.filter(pl.col(LINE_ITEMS) == amount) for p in kept[-others:]]
    if len(names) == 1 and amount not in names and amount in _line_items(world):
        return []  # a view without zeros that shows another line item alone: no amount is there
    if len(names) > 1 and amount not in names:
        back = world.flow.read_back
        raise Misconfigured(
            f"{back.view or back.export} shows the line items {plain(', '.join(sorted(names)))}, "
            f"and none of them is called {amount!r}, as the amount of the import is.",
            do="Call the column of the amount as its line item is called, or name a view that "
            "shows no other.",
        )  # fmt: skip
    return [p.filter(pl.col("value") != 0).drop(LINE_ITEMS, strict=False) for p in kept]


def _line_items(world: World[LoadActuals]) -> list[str]:
    """Those of the module behind the view; an export does not tell."""
    view = world.flow.read_back.view
    return world.anaplan.line_items(world.anaplan.find("views", view)) if view else []


def compare(step: Step, world: World[LoadActuals], run: str) -> Result:
    """The three-sided comparison cell by cell; keeps `compared` and `tie_out`, writes findings."""
    scope = scope_for(world)
    cells = world.lazy("cells", CELLS)
    anaplan = world.lazy_of_this_run(run, "anaplan", SHOWN)
    members = members_in_anaplan(world, scope)
    inside, currencies = _inside(world, scope, members), company_currencies(members)
    waiting = world.of_this_run(run, "waiting", WAITING).select(_KEY)
    tables, findings = [], []
    counts = {"cells": 0, "differing": 0, "not_shown": 0}
    sent = world.lazy_of_this_run(run, "to_send", SENT)
    tally = _Tallies(currency_of_cells(scope, members), inside)

    def both() -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        for part in parts_of(cells, anaplan):
            shown = anaplan.filter(part).collect()
            yield tie_out.compare(cells.filter(part).collect(), shown, inside), shown

    for compared, shown in ahead(both()):
        step.keep("compared", compared, replace=True)
        tally.take(compared, shown)
        tables.append(tie_out.table(compared, currencies, scope.denominated))
        apart = compared.filter(pl.col("value") != pl.col("shown"))
        loaded = apart.join(waiting, on=_KEY, how="anti")
        findings.extend(tie_out.difference_findings(loaded, currencies, scope.denominated))
        counts["cells"] += compared.height
        differing = tie_out.differs() | (pl.col("value") != pl.col("shown"))
        counts["differing"] += compared.select(differing.sum()).item()
        if apart.height:
            counts["not_shown"] += _not_shown(apart, sent)
    step.keep("tie_out", pl.concat(tables), replace=True)
    tell(step, world, findings)
    return counts | {"tally": {name: each.told() for name, each in tally.tallies.items()}}


def _not_shown(apart: pl.DataFrame, sent: pl.LazyFrame) -> int:
    """How many cells were sent and do not show what was sent; all others of the file do."""
    both = apart.lazy().join(sent, on=_KEY, how="inner", suffix="_sent")
    return both.filter(pl.col("value_sent") != pl.col("shown")).collect().height


class _Tallies:
    """Counts what came into the comparison from either side."""

    def __init__(self, currency_of: CurrencyOf, inside: pl.DataFrame) -> None:
        self.tallies = dict.fromkeys(("ledger", "shown", "out of scope", "compared"), Tally())
        self._currency_of, self._inside = currency_of, inside

    def take(self, compared: pl.DataFrame, anaplan: pl.DataFrame) -> None:
        """The cells of a few companies, compared."""
        in_both = compared.filter(pl.col("shown") != 0)
        found = {
            "ledger": tally_of(compared.filter("in_ledger"), "value", self._currency_of),
            "shown": tally_of(in_both, "shown", self._currency_of),
            "compared": tally_of(compared, "shown", self._currency_of),
        }
        if in_both.height != anaplan.height:
            outside = anaplan.join(self._inside, on=["company", "member"], how="anti")
            found["out of scope"] = tally_of(outside, "shown", self._currency_of)
        for name, tally in found.items():
            self.tallies[name] += tally


def _inside(world: World[LoadActuals], scope: Scope, members: pl.DataFrame) -> pl.DataFrame:
    """Companies and period members to compare: those of now, and those the cells had before."""
    columns = ["company", "member", "ledger_company", "fiscal_year", "period"]
    own = members.filter(
        (pl.col("fiscal_year") == pl.col("shown_year"))
        & (pl.col("period") == pl.col("shown_period"))
    ).select(columns)
    before = proved_in_scope(world, scope).select(columns).unique().collect()
    moved = before.join(own, on=["company", "member"], how="anti")
    return pl.concat([own, moved])
