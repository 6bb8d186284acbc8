"""A large read cut into parts by company and period, each read by whichever process is free.

What is read is what the plan says, whoever reads it: a part carries out steps of the run that
handed it out, under the names that they would have there, and that run finds them done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from tieout.core.findings import counted
from tieout.flows.lines import read_lines
from tieout.flows.world import Result, Run, Steps, World
from tieout.project import LoadActuals
from tieout.store.steps import Step

COMPANIES_NAMED_MAX = 3  # in the words that say what a part reads


def hand_out(
    step: Step, world: World[LoadActuals], run: str, title: str, number: int, last: int
) -> Result:
    """What each part is asked for: its reads of the plan, and how it calls them."""
    planned = world.of_this_run(run, "reads").filter(pl.col("read").is_between(number + 1, last))
    asked = [
        {
            "title": title, "number": number, "last": last, "what": _what(mine),
            "reads": mine["read"].unique().sort().to_list(),
        }
        for (_,), mine in planned.drop_nulls("part").sort("part", "read").group_by(
            ["part"], maintain_order=True
        )
    ]  # fmt: skip
    world.sign_out()  # a run that waits for its parts keeps no session from them
    return {"parts": asked}


def read_part(run: Run, world: World[LoadActuals]) -> Result:
    """The story of one part."""
    step, part = Steps(run, world), world.part
    lines = sum(
        step(title, read_lines, run.id, read)["lines"]
        for title, read in titled(part["title"], part["number"], part["last"], part["reads"])
    )
    return {
        "figures": {"rows_read": lines},
        "sentence": f"Read {counted(lines, 'line')} for {run.id}: {part['what']}.",
    }


def titled(title: str, number: int, last: int, reads: Sequence[int]) -> Iterator[tuple[str, int]]:
    """The steps of the reads of a plan that goes on after `number`: their names and numbers."""
    return ((f"{title}, {n - number} of {last - number}", n) for n in reads)


def _what(mine: pl.DataFrame) -> str:
    """In words: "company 00001, 2025 periods 1 to 4; …"."""
    told = []
    rows = mine.explode("periods").group_by("company", "fiscal_year", maintain_order=True)
    for (company, year), some in rows:
        periods = some["periods"].sort()
        first, last = periods[0], periods[-1]
        words = f"period {first}" if first == last else f"periods {first} to {last}"
        told.append(f"company {company}, {year} {words}")
    more: list[Any] = told[COMPANIES_NAMED_MAX:]
    return "; ".join(told[:COMPANIES_NAMED_MAX]) + (f" and {len(more)} more" if more else "")
