"""A large read cut into parts by company and period, each read by whichever process is free.

What is read is what the plan says, whoever reads it: a part carries out steps of the run that
handed it out, under the names that they would have there, and that run finds them done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from tieout.core.findings import counted
from tieout.flows.balances import PIECES, read_balances
from tieout.flows.lines import read_lines
from tieout.flows.world import Result, Run, Steps, World
from tieout.project import LoadActuals
from tieout.store.steps import Step

MOVED = ("years", "everything", "all_balances", "anew")  # what reading balances asks of changes
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


def hand_out_balances(
    step: Step, world: World[LoadActuals], run: str, title: str, pieces: int, changes: Result
) -> Result:
    """What each part is asked for: its pieces of the balances, and what moved."""
    what_moved = {name: changes[name] for name in MOVED}
    planned = world.last_of_this_run(run, "pieces", PIECES).drop_nulls("part")
    asked = [
        {
            "title": title, "of": pieces, "changes": what_moved,
            "what": f"balances of {_what(mine)}", "pieces": mine["piece"].unique().sort().to_list(),
        }
        for (_,), mine in planned.sort("part", "piece").group_by(["part"], maintain_order=True)
    ]  # fmt: skip
    world.sign_out()  # a run that waits for its parts keeps no session from them
    return {"parts": asked}


def read_part(run: Run, world: World[LoadActuals]) -> Result:
    """The story of one part."""
    step, part = Steps(run, world), world.part
    if pieces := part.get("pieces"):
        for piece in pieces:
            name = piece_name(part["title"], piece, part["of"])
            step(name, read_balances, run.id, part["changes"], piece)
        return {"sentence": f"Read for {run.id}: {part['what']}."}
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


def piece_name(title: str, number: int, of: int) -> str:
    """The step that reads a piece of the balances."""
    return f"{title}, {number} of {of}"


def _what(mine: pl.DataFrame) -> str:
    """In words: "company 00001, 2025 periods 1-4, 9; …"."""
    told = []
    by_period = "periods" in mine.columns
    mine = mine.explode("periods") if by_period else mine
    for (company, year), some in mine.group_by("company", "fiscal_year", maintain_order=True):
        periods = f" {_periods(some['periods'].unique().sort())}" if by_period else ""
        told.append(f"company {company}, {year}{periods}")
    more = len(told) - COMPANIES_NAMED_MAX
    return "; ".join(told[:COMPANIES_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def _periods(numbers: Iterable[int]) -> str:
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] + 1 == number:
            spans[-1].append(number)
        else:
            spans.append([number])
    told = [str(s[0]) if len(s) == 1 else f"{s[0]}-{s[-1]}" for s in spans]
    one = len(spans) == len(spans[0]) == 1
    return f"period {told[0]}" if one else f"periods {', '.join(told)}"
