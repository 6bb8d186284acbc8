"""Parts of a run: what it hands out, for whoever is free to read, as runs of their own.

A part has a row like every run, so that it is queued, taken over and given up like one. What it
does is steps of the run it is a part of (`engine.story`): nothing else has to know of the cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, insert, select

from tieout.store import runs
from tieout.store.audit import Telling
from tieout.store.runs import Run
from tieout.store.schema import UNFINISHED, app_run

KIND = "read_part"
PARTS_OF_A_RUN_MAX = 10_000  # of all its cuts, so that a list of them stays one


@dataclass(frozen=True, slots=True)
class Standing:
    """How often a run was cut, and how its parts stand."""

    cuts: int
    parts: int
    unfinished: int


def start(
    connection: Connection, of: Run, parts: Sequence[Mapping[str, Any]], at: datetime
) -> Telling:
    """Write down the parts of one cut of a run, each with what it is asked for; what was done."""
    before = standing(connection, [of.id]).get(of.id, Standing(0, 0, 0))
    made = [
        Run(
            id=f"{of.id}.{number}", flow=f"parts of {of.id}", kind=KIND, number=number,
            started_by=of.started_by, trigger=f"cut {before.cuts + 1} of {of.id}",
            started_at=at, outcome="waiting", asked=dict(asked), figures={},
            config_version=of.config_version, part_of=of.id,
        )
        for number, asked in enumerate(parts, start=before.parts + 1)
    ]  # fmt: skip
    if before.parts + len(made) > PARTS_OF_A_RUN_MAX:
        raise ValueError(f"{of.id} would have more than {PARTS_OF_A_RUN_MAX} parts")
    rows = [{name: getattr(part, name) for name in Run.__slots__} for part in made]
    connection.execute(insert(app_run), rows)
    told = [{"part": part.id, "asked": part.asked} for part in made]
    return Telling(of.started_by, "handed out parts", of.id, {"parts": told}, of.id)


def of_run(connection: Connection, run: str) -> list[Run]:
    """The parts of a run, in the order of their numbers."""
    query = select(app_run.c.id).where(app_run.c.part_of == run)
    found = runs.of_ids(connection, list(connection.execute(query).scalars()))
    return sorted(found, key=lambda part: part.number)


def standing(connection: Connection, ids: Sequence[str] | None = None) -> dict[str, Standing]:
    """How the parts of some runs stand, or of all that are unfinished; runs without any are not in
    it.
    """
    cut, unfinished = app_run.c.part_of, app_run.c.outcome.in_(UNFINISHED)
    query = select(
        cut, func.count(app_run.c.trigger.distinct()), func.count(),
        func.sum(case((unfinished, 1), else_=0)),
    ).group_by(cut)  # fmt: skip
    if ids is None:
        query = query.where(cut.in_(select(app_run.c.id).where(unfinished)))
    else:
        query = query.where(cut.in_(ids))
    return {row[0]: Standing(*row[1:]) for row in connection.execute(query)}


def worst(parts: Sequence[Run]) -> Run | None:
    """The first part that did not end complete, of its own accord if there is one."""
    ended = [p for p in parts if p.finished and p.outcome != "complete"]
    return min(ended, key=lambda part: (part.outcome == "cancelled", part.number), default=None)


def why_over(connection: Connection, part: Run) -> str:
    """Why a part need not be read to its end, in words; empty when it must be."""
    assert part.part_of is not None
    whole = runs.find(connection, part.part_of)
    if whole.finished:
        return f"{whole.id} has ended"
    other = worst(of_run(connection, whole.id))
    return f"{other.id} did not come to its end" if other else ""


def waiting(connection: Connection, run: str) -> list[str]:
    """The parts of a run that nobody has begun."""
    query = select(app_run.c.id).where(app_run.c.part_of == run, app_run.c.outcome == "waiting")
    return list(connection.execute(query.order_by(app_run.c.number)).scalars())
