"""From buckets to cells: folded as the mapping says, and which of them are not as proved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from tieout.core import buckets as fold
from tieout.core import cells as core
from tieout.core import proof
from tieout.core.frames import BUCKETS, CELL_KEY, sorted_by
from tieout.core.mapping import resolved
from tieout.core.scope import Scope
from tieout.core.tally import CurrencyOf, Tally, tallies_by, tally_of
from tieout.flows.at_once import ahead
from tieout.flows.balances import ACCOUNTS
from tieout.flows.cells import (
    currency_of_cells,
    mappings,
    members_in_anaplan,
    proved_in_scope,
)
from tieout.flows.dimensions import constants_of, dimensions_of
from tieout.flows.proving import PROVED
from tieout.flows.replaying import again, cells_of_periods
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World
from tieout.project import LoadActuals
from tieout.store.steps import Step

_KEY = list(CELL_KEY)


@dataclass(frozen=True)
class Folding:
    """How a flow makes cells of buckets: a few companies at a time, each with all that it needs."""

    world: World[LoadActuals]
    scope: Scope
    accounts: pl.DataFrame  # ACCOUNTS
    tables: Mapping[str, pl.DataFrame]  # the mapping of every dimension

    def parts(self, buckets: pl.LazyFrame) -> list[pl.Expr]:
        """Conditions on the ledger's company that take every bucket and every proved cell once.

        Only companies that the mapping of companies names must be together.
        """
        sizes = dict(buckets.group_by("company").len().collect().iter_rows())
        named = resolved(self.tables["company"], pl.Series(list(sizes), dtype=pl.String))
        together = {*named["source"], *named["target"]}
        parts = [pl.col("company").is_in(part) for part in core.in_parts(sizes, together)]
        return [*parts, ~pl.any_horizontal(pl.lit(False), *parts)]

    def cells(self, buckets: pl.DataFrame) -> pl.DataFrame:
        """CELLS of some buckets."""
        return core.fold(
            buckets, self.accounts, self.scope.member_frame(),
            code=self.world.flow.account_code, flip=self.world.flow.signs.flip,
            tables=self.tables,
            by_currency=self.scope.denominated if "currency" in dimensions_of(self.world) else None,
        ).with_columns(**constants_of(self.world))  # fmt: skip


def fold_cells(step: Step, world: World[LoadActuals], changes: dict[str, Any]) -> Result:
    """Fold all buckets into cells, and find those whose value is not the one proved in Anaplan.

    Keeps `cells` and `touched`. What was proved in another model does not count. A few companies
    are in memory at once. Returns the version of the mapping that it used, and what it counted.
    """
    scope, version = scope_for(world), world.store.mapping_version()
    buckets, proved = world.lazy("buckets", BUCKETS), proved_in_scope(world, scope)
    folding = Folding(world, scope, world.frame("accounts", ACCOUNTS), mappings(world, version))
    anew = (changes["before"] or {}).get("target") != world.target
    asked = cells_of_periods(world, version)

    def folded() -> Iterator[_Part]:
        for mine in folding.parts(buckets):
            here = buckets.filter(mine).collect()
            cells = folding.cells(here)
            yield _Part(
                here, cells, _touched(cells, proved.filter(mine).collect(), asked, anew=anew)
            )

    counted = dict.fromkeys(("in cells", "out of scope", "cells", "touched"), Tally())
    count = _Counting(world, scope)
    for part in ahead(folded()):
        more = bool(counted["cells"].rows)
        for name, tally in count(part).items():
            counted[name] += tally
        if more and part.cells.is_empty() and part.touched.is_empty():
            continue
        step.keep("cells", part.cells, replace=True)
        step.keep("touched", part.touched)
    counted["proved"] = count.proved()
    return {
        "cells": counted["cells"].rows, "touched": counted["touched"].rows, "mapping": version,
        "tally": {name: tally.told() for name, tally in counted.items()},
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Part:
    """The buckets of a few companies, their cells, and which of those are not as proved."""

    buckets: pl.DataFrame
    cells: pl.DataFrame
    touched: pl.DataFrame


class _Counting:
    """Counts what came into the fold and where it went."""

    def __init__(self, world: World[LoadActuals], scope: Scope) -> None:
        members = members_in_anaplan(world, scope)
        self._world, self._of_cells = world, currency_of_cells(scope, members)
        self._scope = scope.member_frame().select("company", "fiscal_year", "period")
        # Where companies of several currencies share cells, only a sum over all of them is kept.
        several = "" in core.company_currencies(members).values()
        mixed = several and "currency" not in dimensions_of(world)
        self._of_buckets: CurrencyOf = (lambda _ledger, _company: "") if mixed else scope.kept_in

    def __call__(self, part: _Part) -> dict[str, Tally]:
        """What one part holds."""
        found = {
            "in cells": tally_of(part.cells, "f0911", self._of_buckets, rows="buckets",
                                 company="ledger_company"),
            "cells": tally_of(part.cells, "value", self._of_cells),
            "touched": tally_of(part.touched, "value", self._of_cells),
        }  # fmt: skip
        if found["in cells"].rows != part.buckets.height:
            on = list(self._scope.columns)
            outside = part.buckets.join(self._scope, on=on, how="anti")
            outside = outside.with_columns(taken=proof.taken())
            found["out of scope"] = tally_of(outside, "taken", self._of_buckets)
        return found

    def proved(self) -> Tally:
        """The buckets of all partitions, as proving counted them."""
        rows = self._world.frame("proved_rows", fold.PROVED_ROWS)
        return tallies_by(rows, "what", self._of_buckets).get(PROVED, Tally())


def _touched(
    cells: pl.DataFrame, proved: pl.DataFrame, asked: pl.DataFrame, *, anew: bool
) -> pl.DataFrame:
    touched = core.touched(cells, proved.select(*_KEY, "shown"))
    if anew and proved.height:
        # Nothing is proved there: all cells go, and zeros for those the ledger has no longer.
        gone = touched.filter("gone")
        touched = pl.concat([core.touched(cells, proved.select(*_KEY, "shown").clear()), gone])
    else:
        touched = sorted_by(pl.concat([touched, again(cells, proved, asked)]), _KEY)
    touched = touched.join(proved.select(*_KEY, "ours"), on=_KEY, how="left")
    return touched.with_columns(pl.col("ours").fill_null(True))
