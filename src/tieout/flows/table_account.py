"""The account of a run that loads a table: every row and number that came in went somewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import polars as pl

from tieout.core.frames import AMOUNT
from tieout.core.table import CURRENCIES, HELD, ROWS, Shape, currency_column
from tieout.core.table_tie_out import COMPARED
from tieout.core.tally import CONTROL, Loaded, Passage, Tally, added, not_accounted, tally_from
from tieout.flows import table_reading
from tieout.flows.accounting import told_of
from tieout.flows.loading import counted_each
from tieout.flows.table_reading import jde_table, shape
from tieout.flows.world import Result, World
from tieout.project_tables import LoadTable
from tieout.store.steps import Step

READ, FOLD, ALIGN = "read the table", "fold into cells", "check the members"
WRITE, COMPARE = "write the file", "compare"
Steps = Mapping[str, Mapping[str, Any]]


def account(step: Step, world: World[LoadTable], run: str, *, quiet: bool = False) -> Result:
    """Compare what every step of a run passed on; a finding for each that does not agree.

    `quiet`: a run that found nothing new, and ended after its cells.
    """
    told = {s.name: s.result for s in world.store.steps(run)}
    passages = [*_read(world, run, told)]
    if not quiet:
        passages += [*_sent(world, run, told), *_shown(world, run, told)]
    missing = not_accounted(passages)
    step.reject(missing)
    gone = int(told[READ].get("gone", 0))
    accounted = told_of(passages, {"looked_at": 0, "closed": gone}) | {"closed_of": "row"}
    return {"accounted": accounted, "missing": missing}


def by_amounts(world: World[LoadTable]) -> Callable[[pl.DataFrame], Tally]:
    """Counts the rows of a file, with the sum of all their numbers as a control total."""
    of = shape(world.flow)
    return lambda rows: total(rows.lazy(), of)


def total(rows: pl.LazyFrame, of: Shape) -> Tally:
    """So many rows, and the sum of all their numbers: a control total, no amount of money."""
    numbers = [pl.col(h).sum().cast(AMOUNT) for h in of.numbers]
    count, *sums = rows.select(pl.len().alias(ROWS), *numbers).collect().row(0)
    return Tally(count, {CONTROL: sum(sums, Decimal(0))})


def by_currency(rows: pl.LazyFrame, of: Shape, count: pl.Expr) -> Tally:
    """So many rows (`count`), and their numbers added up by the currency that governs them."""
    tallies = [Tally(int(rows.select(count).collect().item() or 0))]
    for header in of.numbers:
        named = rows.group_by(pl.col(currency_column(header)).alias("of"))
        for currency, amount in named.agg(pl.col(header).sum().cast(AMOUNT)).collect().rows():
            tallies.append(Tally(0, {currency or CONTROL: amount}))
    return added(tallies)


def _read(world: World[LoadTable], run: str, told: Steps) -> Iterator[Passage]:
    """From the pages of JD Edwards to the mirror, and from there into cells."""
    of, folded = shape(world.flow), told[FOLD]["tally"]
    mirror = world.lazy(table_reading.ROWS, jde_table(world.flow).schema)
    there = Tally(mirror.select(pl.len()).collect().item())
    yield Passage(READ, "read", "rows", Tally(told[READ]["rows"]), {"in the mirror": there})
    cells = world.lazy_of_this_run(run, "cells")
    went = {"in cells": by_currency(cells, of, pl.col(ROWS).sum())}
    came, without = tally_from(folded["rows"]), tally_from(folded["without a member"])
    went["without a member"] = without
    if cells.filter(pl.col(HELD) == CURRENCIES).head(1).collect().height:
        # Where amounts of two currencies met in one held cell, only one sum over all is left.
        came, went = came.control(), {name: each.control() for name, each in went.items()}
    yield Passage(FOLD, "mirrored", "rows", came, went)


def _sent(world: World[LoadTable], run: str, told: Steps) -> Iterator[Passage]:
    """From the cells that are not proved to those sent, the rows of the file, and their end."""
    if WRITE not in told:
        return
    of, key = shape(world.flow), list(shape(world.flow).identify)
    touched = world.lazy_of_this_run(run, "touched")
    sending = world.lazy_of_this_run(run, "to_send")
    waiting = world.lazy_of_this_run(run, "waiting").select(*key, why=HELD)
    waits = touched.join(waiting, on=key, how="inner")
    reasons = waits.select(pl.col("why").unique().sort()).collect()["why"]
    went = {f"wait ({why})": total(waits.filter(pl.col("why") == why), of) for why in reasons}
    own = total(sending.join(touched, on=key, how="semi"), of)
    came = tally_from(told[FOLD]["tally"]["touched"])
    yield Passage(ALIGN, "touched", "cells", came, {"to send": own, **went})
    written = told[WRITE]
    rows = tally_from(written["tally"]["rows"])
    aligned = tally_from(told[ALIGN]["tally"]["to send"])
    yield Passage(WRITE, "to send", "cells", aligned, {"rows of the file": rows})
    kept = total(world.lazy_of_this_run(run, "sent"), of)
    yield Passage(WRITE, "wrote", "rows", rows, {"kept as they were sent": kept})
    file = written["file"]
    uploaded = told["start the import"].get("file") or told["upload the file"]["file"]
    same = file["bytes"] if uploaded == file else 0
    yield Passage("upload the file", "wrote", "bytes", Tally(file["bytes"]),
                  {"uploaded": Tally(same)})  # fmt: skip
    each = counted_each(world.flow)
    loaded = Loaded(**told["keep the dump"]["counts"])
    became = loaded.settled(rows.rows * each, _not_shown(world, run, of))
    yield Passage(
        "wait for the import", "sent", "rows" if each == 1 else "numbers", Tally(rows.rows * each),
        {name: Tally(count) for name, count in became.items()},
    )  # fmt: skip


def _not_shown(world: World[LoadTable], run: str, of: Shape) -> int:
    """Numbers of what was sent that Anaplan does not show as they were sent."""
    sent = world.lazy_of_this_run(run, "sent").select(of.identify)
    compared = world.lazy("compared", COMPARED).filter(pl.col("value") != pl.col("shown"))
    apart = compared.join(sent, on=list(of.identify), how="semi")
    return int(apart.select(pl.len()).collect().item())


def _shown(world: World[LoadTable], run: str, told: Steps) -> Iterator[Passage]:
    """From the numbers of both sides to the comparison."""
    of = shape(world.flow)
    compared = world.lazy("compared", COMPARED)
    cells = world.lazy_of_this_run(run, "cells")
    ours = _numbers(compared.filter("in_table"), "value")
    yield Passage(COMPARE, "folded", "numbers of the table", _wide(cells, of), {"compared": ours})
    theirs = _numbers(compared.filter(pl.col("shown") != 0), "shown")
    shown = tally_from(told["read back"]["tally"])
    yield Passage(COMPARE, "read back", "numbers of Anaplan", shown, {"compared": theirs})


def filled(cells: pl.LazyFrame, of: Shape) -> Tally:
    """How many numbers of cells are not zero, and their control total."""
    there = [(pl.col(h) != 0).sum() for h in of.numbers]
    count = sum(cells.select(there).collect().row(0)) if there else 0
    return Tally(count, total(cells, of).sums)


def _wide(cells: pl.LazyFrame, of: Shape) -> Tally:
    """How many numbers there are in cells, a column each, and their control total."""
    tally = total(cells, of)
    return Tally(tally.rows * len(of.numbers), tally.sums)


def _numbers(compared: pl.LazyFrame, amount: str) -> Tally:
    count, found = compared.select(pl.len(), pl.col(amount).sum().cast(AMOUNT)).collect().row(0)
    return Tally(count, {CONTROL: found})
