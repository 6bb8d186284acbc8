"""What Anaplan has of a table's cells or items: its members before a load, its numbers after."""

from __future__ import annotations

import polars as pl

from tieout.core import table as core
from tieout.core import table_tie_out as tie_out
from tieout.core.findings import Finding, Severity, counted
from tieout.core.frames import empty
from tieout.core.mapping import resolved
from tieout.core.table import Shape
from tieout.flows.dimensions import LINE_ITEMS, TIME, members_of
from tieout.flows.read_back import pages_shown
from tieout.flows.table_account import filled
from tieout.flows.table_reading import shape
from tieout.flows.world import Result, World, tell
from tieout.project_tables import LoadTable
from tieout.store.steps import Step

SHOWN_IN = "shown_in"  # the position that says of which model and columns `proved` tells
UNMATCHED = "unmatched-member"
MEMBERS_SHOWN_MAX = 1_000  # findings about missing members of one list


def list_of(world: World[LoadTable], header: str) -> str:
    """The list that holds what a header names: as `read_back.dimensions` says, else its name."""
    return world.flow.read_back.dimensions.get(header, header)


def known_codes(world: World[LoadTable]) -> dict[str, pl.Series]:
    """Header → the codes its Anaplan list has now; nothing where the import makes the items.

    Months are not asked for: what Time does not have Anaplan rejects, in its own words.
    """
    if world.flow.read_back.list:
        return {}
    lists = {h: list_of(world, h) for h in world.flow.identify}
    return {h: members_of(world, name)["code"] for h, name in lists.items() if name != TIME}


def unmatched(
    world: World[LoadTable], rows: pl.DataFrame, known: dict[str, pl.Series], of: Shape
) -> tuple[pl.DataFrame, list[Finding]]:
    """Rows with a member that Anaplan lacks, and a finding per member.

    A zero for a member that is gone is left out of both: with the member went the cell.
    """
    found: list[Finding] = []
    without = pl.repeat(False, rows.height, eager=True)
    for header, codes in known.items():
        here = ~rows[header].is_in(codes.implode())
        without |= here
        some = (
            rows.filter(here & ~_zero(rows, of)).group_by(header).agg(cells=pl.len()).sort(header)
        )
        found += [
            Finding(
                UNMATCHED, Severity.REJECT, f"{header} {row[header]}",
                f"The Anaplan list {list_of(world, header)} has no member with the code "
                f"{row[header]!r}, which holds back {counted(row['cells'], 'cell')}.",
                "Add the member in Anaplan" + _or_map(world, header, row[header]) + ", then run "
                "the flow again.", dimension=world.flow.maps.get(header, ""),
                member=row[header], cells=row["cells"],
            )
            for row in some.head(MEMBERS_SHOWN_MAX).iter_rows(named=True)
        ]  # fmt: skip
    return rows.filter(without), found


def _or_map(world: World[LoadTable], header: str, code: str) -> str:
    dimension = world.flow.maps.get(header)
    return (
        f", or map it (`tieout map {dimension.replace('_', '-')} {code} TARGET`)"
        if dimension
        else ""
    )


def _zero(rows: pl.DataFrame, of: Shape) -> pl.Series:
    """Whether a row says nothing but zero."""
    return rows.select(pl.all_horizontal(pl.col(h) == 0 for h in of.numbers)).to_series()


# ------------------------------------------------------------------ after a load


def read_back(step: Step, world: World[LoadTable]) -> Result:
    """Every cell with a number, or every item, that Anaplan shows within the flow's conditions.

    Also those that were within them when it was read last, until they are empty: a mapping moves
    what a row is folded into, but not what Anaplan has. Keeps `anaplan` (identify, numbers, texts),
    a row per cell.
    """
    of = shape(world.flow)
    key = list(of.identify)
    found = _items(world, of) if world.flow.read_back.list else _cells(step, world, of)
    before, _ = proved_before(world, of)
    before = before.filter(inside(world, before, mapped=False))
    now = found.filter(inside(world, found))
    moved = found.join(now, on=key, how="anti").join(before, on=key, how="semi")
    cells = pl.concat([now, moved])
    step.keep("anaplan", cells)
    return {
        "cells": cells.height, "outside": found.height - cells.height,
        "tally": filled(cells.lazy(), of).told(),
    }  # fmt: skip


def _cells(step: Step, world: World[LoadTable], of: Shape) -> pl.DataFrame:
    lists = {h: list_of(world, h) for h in of.identify}
    members = {
        h: members_of(world, name) for h, name in lists.items() if name != TIME
    }  # fmt: skip
    frames = []
    for page in pages_shown(step, world, list(lists.values())):
        alone = LINE_ITEMS not in page.columns  # a module with a single line item
        whole = page.with_columns(pl.lit(of.numbers[0]).alias(LINE_ITEMS)) if alone else page
        ours = pl.col(LINE_ITEMS).is_in(of.numbers) & (pl.col("value") != 0)
        cells = whole.filter(ours).rename({name: header for header, name in lists.items()})
        for header, names in members.items():
            cells = cells.join(names, left_on=header, right_on="name", how="inner")
            cells = cells.drop(header).rename({"code": header})
        frames.append(cells.select(*of.identify, LINE_ITEMS, "value"))
    if not frames:
        return empty(of.schema)
    numbers = [pl.col("value").filter(pl.col(LINE_ITEMS) == h).sum().alias(h) for h in of.numbers]
    wide = pl.concat(frames).group_by(of.identify).agg(numbers)
    return wide.select(pl.col(name).cast(kind) for name, kind in of.schema.items())


def _items(world: World[LoadTable], of: Shape) -> pl.DataFrame:
    """Items of the list by code, with their properties; a blank number is zero."""
    found = world.anaplan.find("lists", world.flow.read_back.list)
    return world.anaplan.items_with(found.id, of.identify[0], of.numbers, of.texts)


def proved_before(world: World[LoadTable], of: Shape) -> tuple[pl.DataFrame, bool]:
    """What Anaplan was last read to show, and whether that was under this configuration.

    Of another model, or of other columns, it counts no more.
    """
    told = world.store.position(world.flow_name, SHOWN_IN) or {}
    known = told.get("in") == [world.target, list(of.schema)]
    proved = world.frame("proved", of.schema) if known else pl.DataFrame(schema=of.schema)
    return proved, known and told.get("under") == world.configured


def inside(world: World[LoadTable], found: pl.DataFrame, *, mapped: bool = True) -> pl.Expr:
    """Which of the cells that Anaplan shows are within the conditions of the flow.

    Known of a condition that lists values of a field which alone names a member. Without `mapped`,
    of a member that no mapping may have moved.
    """
    of = shape(world.flow)
    within = pl.lit(True)
    for header in of.identify:
        source = of.sources[header]
        if header in world.flow.maps and not mapped:
            continue
        for one in world.flow.where:
            if one.is_ and source.names == (one.field,) and not source.shown_as:
                codes = pl.Series([str(value) for value in one.is_])
                within &= pl.col(header).is_in(_mapped(world, header, codes).implode())
    return within


def _mapped(world: World[LoadTable], header: str, codes: pl.Series) -> pl.Series:
    """Codes as Anaplan has them."""
    if header not in world.flow.maps:
        return codes
    table = world.store.mapping(world.flow.maps[header])
    known = resolved(table, codes).sort("since").unique("source", keep="last")
    pairs = dict(known.select("source", "target").iter_rows())
    return pl.Series([pairs.get(code, code) for code in codes])


def compare(step: Step, world: World[LoadTable], run: str) -> Result:
    """The table and Anaplan cell by cell; keeps `compared` and `table_tie_out`, writes findings."""
    of = shape(world.flow)
    cells = world.of_this_run(run, "cells")
    shown = world.of_this_run(run, "anaplan", of.schema)
    waiting = world.of_this_run(run, "waiting")
    compared = tie_out.compare(cells, shown, waiting, of)
    step.keep("compared", compared, replace=True)
    step.keep("table_tie_out", tie_out.table_of(compared), replace=True)
    findings = tie_out.difference_findings(compared, of, world.flow.table)
    findings += _missing_items(world, cells, shown, waiting, of)
    tell(step, world, findings)
    apart = compared.filter((pl.col("value") != pl.col("shown")) & (pl.col("waits") == ""))
    return {"cells": cells.height, "numbers": compared.height, "differing": apart.height}


def _missing_items(
    world: World[LoadTable], cells: pl.DataFrame, shown: pl.DataFrame, waiting: pl.DataFrame,
    of: Shape,
) -> list[Finding]:  # fmt: skip
    """Items that the list lacks after the load, and those whose texts are others."""
    if not world.flow.read_back.list:
        return []
    key = list(of.identify)
    sent = cells.join(waiting, on=key, how="anti")
    lost = sent.join(shown, on=key, how="anti")
    other = tie_out.texts_apart(sent, shown, of)
    found = []
    if lost.height:
        found.append(
            Finding(
                "member-missing", Severity.REJECT, core.subjects(lost, of),
                f"The list {world.flow.read_back.list} lacks {counted(lost.height, 'item')} after "
                "the import.", "Read Anaplan's words for these rows, correct the cause, and run "
                "the flow again.", cells=lost.height,
            )
        )  # fmt: skip
    for (item,), some in other.group_by(["item"], maintain_order=True):
        found.append(
            Finding(
                "anaplan-differs", Severity.DIFFERENCE, f"{item}: {core.subjects(some, of)}",
                f"{counted(some.height, 'item')} with another {item} in Anaplan, such as "
                f"{some['shown'][0]!r} for {some['value'][0]!r}.",
                "The next run sends these items again; find out who or what changed them.",
                cells=some.height,
            )
        )  # fmt: skip
    return found
