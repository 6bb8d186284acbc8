"""Which Anaplan list holds which dimension of a cell, and the members it has now."""

from __future__ import annotations

from typing import Any

import polars as pl

from tieout.errors import Misconfigured, Refused, Unavailable
from tieout.flows.world import World
from tieout.project import LoadActuals
from tieout.strict_json import plain

ALWAYS = ("account", "business_unit", "company")
WHERE_A_COLUMN = ("ledger", "currency")  # dimensions of a cell only where the import has a column
TIME = "Time"
LINE_ITEMS = "Line items"  # how Anaplan names the dimension of a module's measures
NAMES_SHOWN_MAX = 5


def dimensions_of(world: World[LoadActuals]) -> tuple[str, ...]:
    """The dimensions of this flow's cells besides Time."""
    columns = set(world.flow.columns.values())
    return (*ALWAYS, *(d for d in WHERE_A_COLUMN if d in columns))


def constants_of(world: World[LoadActuals]) -> dict[str, pl.Expr]:
    """Ledger and currency where they are no dimension: a flow without the column has one ledger."""
    values = {"ledger": world.flow.ledgers[0], "currency": ""}
    present = dimensions_of(world)
    return {name: pl.lit(value) for name, value in values.items() if name not in present}


def lists_of(world: World[LoadActuals]) -> dict[str, str]:
    """Dimension → name of its list: as configured, else as the members flows say, else the rest.

    One dimension may be left to the view: it is the one whose list nobody else names.
    """
    wanted = dimensions_of(world)
    known = {**world.dimensions, **world.flow.read_back.dimensions}
    missing = [d for d in wanted if d not in known]
    if not missing:
        return {d: known[d] for d in wanted}
    view = world.flow.read_back.view
    shown = world.anaplan.dimensions(world.anaplan.find("views", view).id) if view else []
    left = [n for n in shown if n not in known.values() and n not in (TIME, LINE_ITEMS)]
    if len(missing) == len(left) == 1:
        return {d: known.get(d, left[0]) for d in wanted}
    raise Misconfigured(
        f"No flow says which Anaplan list holds {', '.join(missing)}; the view {view!r} has "
        f"{', '.join(shown) or 'no dimensions'}.",
        untouched="Nothing was sent.",
        do='Set `read_back.dimensions` of the flow, such as { company = "Companies" }.',
    )


def lowest_members(world: World[LoadActuals], dimension: str) -> pl.DataFrame:
    """name, code of the members that hold amounts: not roll-ups. Without a code the name serves."""
    return members_of(world, lists_of(world)[dimension])


def members_of(world: World[Any], name: str) -> pl.DataFrame:
    """The same of the list `name`."""
    return _lowest(name, world.anaplan.list_items(world.anaplan.find("lists", name).id))


def refuse_strangers(world: World[Any], name: str, known: pl.DataFrame, shown: pl.Series) -> None:
    """Unavailable if `shown` names a member that the list has now and `known` lacks.

    The lists are read before the view: a member that is added or renamed in between would fall out
    of the comparison with its amount. Other names that `known` lacks are those of totals.
    """
    names = shown.unique()
    strange = names.filter(~names.is_in(known["name"].implode()))
    if strange.is_empty():
        return
    now = members_of(world, name)["name"]
    came = strange.filter(strange.is_in(now.implode())).sort().to_list()
    if came:
        raise Unavailable(
            f"The Anaplan list {name} changed while the cells were read: "
            f"{', '.join(map(plain, came[:NAMES_SHOWN_MAX]))} came or was renamed.",
            untouched="What was loaded is not proved; the position did not move.",
            do="Run the flow again.", who="the administrator of Anaplan",
        )  # fmt: skip


def _lowest(name: str, items: pl.DataFrame) -> pl.DataFrame:
    code = pl.when(pl.col("code") != "").then(pl.col("code")).otherwise(pl.col("name"))
    found = items.filter(~pl.col("is_parent")).select("name", code=code)
    for column in ("name", "code"):
        twice = found.filter(pl.col(column).is_duplicated())[column].unique().sort().to_list()
        if twice:
            raise Refused(
                f"The Anaplan list {name} has several members with the {column} "
                f"{', '.join(twice[:NAMES_SHOWN_MAX])}; their amounts cannot be told apart.",
                untouched="Nothing was sent.",
                do="Give every member of the list a code and a name of its own.",
                who="the administrator of Anaplan",
            )
    return found
