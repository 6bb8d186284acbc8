"""What is known of cells between runs, why one waits, and the rows that are sent of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import polars as pl

from tieout.core import cells as core
from tieout.core.frames import AMOUNT, CELL_KEY, Schema
from tieout.core.scope import Scope
from tieout.core.tally import CurrencyOf, Tally, tally_of
from tieout.flows.dimensions import ALWAYS
from tieout.flows.scope import scope_for
from tieout.flows.world import World
from tieout.project import LoadActuals

_KEY = list(CELL_KEY)
# What Anaplan was last proved to show, a row per cell that the ledger or Anaplan has. `ours`: the
# ledger had the cell; `ledger_company`, year and period say where it stood in the ledger.
PROVED: Schema = {
    **dict.fromkeys(CELL_KEY, pl.String),
    "ledger_company": pl.String,
    "fiscal_year": pl.Int32,
    "period": pl.Int16,
    "shown": AMOUNT,
    "ours": pl.Boolean,
}
TOUCHED: Schema = {
    **dict.fromkeys(CELL_KEY, pl.String),
    "value": AMOUNT,
    "held": pl.String,
    "gone": pl.Boolean,  # no longer a cell of the ledger: it would be sent as zero
    "shown": AMOUNT,  # by Anaplan, as last proved
    "ours": pl.Boolean,
}
EMPTIED = "emptied in Anaplan"  # by an import that clears more than configured, or by hand
UNMATCHED, STOPPED = "no such member in Anaplan", "another cell of the company has no member"
DOUBTED = "not of the ledger, while not all of the company is shown"
MOVED = "its amounts may stand in a held cell now"
GONE_MEMBER = "gone from Anaplan with their member"
INCOMPLETE = "an account of the company is unknown"
NOT_ASKED_FOR = "not of what was to be sent again"


def mappings(world: World[LoadActuals], version: int | None = None) -> dict[str, pl.DataFrame]:
    """The mapping table of every dimension, as it is or as it was in a version."""
    return {dimension: world.store.mapping(dimension, at_version=version) for dimension in ALWAYS}


def currency_of_cells(scope: Scope, members: pl.DataFrame) -> CurrencyOf:
    """The currency of a cell that names none, by its ledger and the company as Anaplan has it.

    `members`: `members_in_anaplan`.
    """
    currencies = core.company_currencies(members)
    return lambda ledger, company: scope.denominated.get(ledger) or currencies.get(company, "")


def tally_of_rows(world: World[LoadActuals]) -> Callable[[pl.DataFrame], Tally]:
    """Counts rows of the file that is sent."""
    scope = scope_for(world)
    currency_of = currency_of_cells(scope, members_in_anaplan(world, scope))
    return lambda rows: tally_of(rows, "amount", currency_of)


def members_in_anaplan(
    world: World[LoadActuals], scope: Scope, version: int | None = None
) -> pl.DataFrame:
    """`Scope.member_frame` with the companies' codes as Anaplan has them, and `ledger_company`.

    `version` of the mapping; None: as it is.
    """
    members = scope.member_frame().with_columns(ledger_company=pl.col("company"))
    table = world.store.mapping("company", at_version=version)
    return core.shown_members(members, {"company": table})


def proved_in_scope(world: World[LoadActuals], scope: Scope) -> pl.LazyFrame:
    """What was proved of the companies and periods that are in scope now, as the ledger has them.

    A mapping or a table of periods may have given them other members since: their old cells are in
    scope and go to zero. Cells of a company or period that left the scope stay as they are.
    """
    members = scope.member_frame().rename({"company": "ledger_company"})
    key = ["ledger_company", "fiscal_year", "period"]
    shown = members.select("ledger_company", fiscal_year="shown_year", period="shown_period")
    # A period that is folded into another now may have had a member of its own.
    coordinates = pl.concat([shown, members.select(key)])
    return world.lazy("proved", PROVED).join(coordinates.unique().lazy(), on=key, how="semi")


def rows_to_send(world: World[LoadActuals], run: str) -> Iterator[pl.DataFrame]:
    """What the import's file says, one row per cell, under the names `columns` uses."""
    for part in world.files_of_this_run(run, "to_send"):
        yield part.rename({"member": "period", "value": "amount"})


def rows_sent(world: World[LoadActuals], run: str, lines: Sequence[int]) -> pl.DataFrame:
    """line, CELL_KEY of some rows of the file that a run sent, by their lines in it."""
    sent = world.store.scan(world.store.kept(run, kind="sent")).rename({"period": "member"})
    whole = sent.filter(pl.col("line").is_in(lines)).with_columns(pl.col(_KEY).fill_null(""))
    return whole.select("line", *_KEY).collect()
