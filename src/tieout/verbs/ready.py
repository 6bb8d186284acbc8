"""Which rejects can be sent again, because a mapping was set since their run began."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from tieout.app import Instance
from tieout.core.mapping import EXACT, kind_of, resolved
from tieout.flows.dimensions import ALWAYS
from tieout.store import desk, piles, runs
from tieout.store.piles import Pile
from tieout.verbs import acting
from tieout.verbs.setting_up import UNMATCHED

STOPPED = "company-stopped"  # the rule of what waits for other members of its company


@dataclass(slots=True)
class Ready:
    """Rejects of one flow that nothing stands in the way of: how many, and the first of them."""

    rows: int = 0
    ids: list[int] = field(default_factory=list)

    def take(self, found: Sequence[int], rows: int, ids_max: int) -> None:
        """Some more of them, of which so many are told by their number."""
        self.rows += rows
        self.ids = sorted([*self.ids, *found])[:ids_max]


def ready(instance: Instance, ids_max: int, run: str = "") -> dict[str, Ready]:
    """Flow → its rejects (perhaps of one run) whose unmapped member was mapped since.

    They can be sent again: what was in their way is gone. So is that of a company that was held
    back, when all of its unmapped members were mapped. Only codes of mappings that were set since
    are looked for, so nothing is read where there are none.
    """
    acting.require(instance, "view")
    found: dict[str, Ready] = {}
    with instance.store.database.read() as connection:
        every = piles.listed(connection, {"run": run} if run else None)
        unmapped = [p for p in every if p.rule == UNMATCHED and p.undecided]
        begun = {
            id_: told.started_at
            for id_, told in runs.among(connection, sorted({p.run for p in unmapped})).items()
        }
    mapped = [m for d in (ALWAYS if unmapped else ()) for m in _mapped(instance, d, begun)]
    on: dict[int, list[int]] = {}
    with instance.store.database.read() as connection:
        for dimension, of, at, codes in mapped:
            mine = [p.id for p in unmapped if p.run == of and begun[of] == at]
            for number, ids in desk.about(connection, mine, dimension, codes).items():
                on.setdefault(number, []).extend(ids)
        for pile in unmapped:
            if pile.id in on:
                ids = on[pile.id]
                found.setdefault(pile.flow, Ready()).take(ids, len(ids), ids_max)
        for pile in _let_go(every, {id_: len(ids) for id_, ids in on.items()}):
            ids = desk.on_piles(connection, [pile.id], ids_max)
            found.setdefault(pile.flow, Ready()).take(ids, pile.rows, ids_max)
    return found


def _mapped(
    instance: Instance, dimension: str, begun: dict[str, datetime]
) -> Iterator[tuple[str, str, datetime, list[str]]]:
    """Each run with when it began, and the codes of a dimension that mean another member since."""
    held = instance.store.mappings_that_hold(dimension)
    set_at: dict[str, datetime] = {}
    for one in held:
        known = set_at.get(one.mapping.source, one.set_at)
        set_at[one.mapping.source] = max(known, one.set_at)
    since = [source for source, at in set_at.items() if at > min(begun.values())]
    if not since:
        return
    # A range or a pattern takes codes that only what was found can name.
    codes = since
    if not all(kind_of(source) == EXACT for source in since):
        with instance.store.database.read() as connection:
            codes = desk.members(connection)
    taken = resolved(instance.store.mapping(dimension), pl.Series("code", codes, pl.String))
    other = taken.filter(pl.col("target") != pl.col("source")).select("source", "rule")
    for run, at in begun.items():
        mine = sorted({code for code, rule in other.iter_rows() if set_at[rule] > at})
        if mine:
            yield dimension, run, at, mine


def _let_go(every: Sequence[Pile], ready: dict[int, int]) -> Iterator[Pile]:
    """The piles of held back companies whose unmapped members all can be sent again."""
    waits: dict[tuple[str, str], list[Pile]] = {}
    for pile in every:
        if pile.rule == UNMATCHED:
            waits.setdefault((pile.run, pile.company), []).append(pile)
    for pile in every:
        waited_for = waits.get((pile.run, pile.company), [])
        all_ready = all(ready.get(p.id, 0) == p.rows for p in waited_for)
        if pile.rule == STOPPED and pile.undecided and waited_for and all_ready:
            yield pile
