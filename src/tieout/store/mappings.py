"""The mapping table: which code of the ledger becomes which member of the plan, since when.

A row is never edited: setting a mapping adds rows under a new version, so that every run can be
repeated with the mapping it used. `core/mapping.py` says which codes a row takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import polars as pl
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.engine import Row

from tieout.core.mapping import conflicts
from tieout.errors import Misconfigured
from tieout.store.database import lock
from tieout.store.schema import app_mapping

TABLE = pl.Schema({"source": pl.String(), "target": pl.String(), "effective_from": pl.String()})


@dataclass(frozen=True, slots=True)
class Mapping:
    """`source` becomes `target` from `effective_from` on ("2025-04"; empty: always).

    `target` None withdraws an earlier row of the same source and start.
    """

    dimension: str
    source: str
    target: str | None
    effective_from: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class SetMapping:
    """A mapping as it was set: by whom, when, in which version."""

    mapping: Mapping
    version: int
    set_at: datetime
    set_by: str


Held: TypeAlias = tuple[Sequence[SetMapping], pl.DataFrame]  # of a version: its rows, and as TABLE


def version(connection: Connection) -> int:
    """The newest version of the whole table; 0 when nothing was ever mapped."""
    newest = select(func.coalesce(func.max(app_mapping.c.version), 0))
    return int(connection.execute(newest).scalar_one())


def add(connection: Connection, rows: Sequence[Mapping], set_by: str, at: datetime) -> int:
    """Set `rows` together under a new version and return it.

    Misconfigured, and nothing is set, when two of the rows that would hold then may take one code.
    """
    lock(connection, "mapping")
    following = version(connection) + 1
    told = {"version": following, "set_by": set_by, "set_at": at}
    if rows:
        values = [{n: getattr(row, n) for n in Mapping.__slots__} | told for row in rows]
        connection.execute(insert(app_mapping), values)
        for dimension in sorted({row.dimension for row in rows}):
            _refuse_conflicts(connection, dimension)
        return following
    return following - 1


def _refuse_conflicts(connection: Connection, dimension: str) -> None:
    for one, other in conflicts(table(connection, dimension)):
        raise Misconfigured(
            f"Both {one} and {other} of {dimension.replace('_', ' ')} may take one code and begin "
            "together, but have different targets.", untouched="Nothing was mapped.",
            do="Make them apart, give them one target, or let one begin later.",
        )  # fmt: skip


def holding(
    connection: Connection, dimension: str, *, at_version: int | None = None
) -> list[SetMapping]:
    """The settings that hold for `dimension` (in an earlier version), by source and start."""
    wanted = app_mapping.c.dimension == dimension
    if at_version is not None:
        wanted &= app_mapping.c.version <= at_version
    query = select(app_mapping).where(wanted).order_by(app_mapping.c.version)
    latest = {(row.source, row.effective_from): row for row in connection.execute(query)}
    return [_read(latest[key]) for key in sorted(latest) if latest[key].target is not None]


def table(connection: Connection, dimension: str, *, at_version: int | None = None) -> pl.DataFrame:
    """What holds for `dimension` (in an earlier version) as TABLE, by source and start."""
    return as_table(holding(connection, dimension, at_version=at_version))


def held(connection: Connection, dimension: str, at_version: int) -> Held:
    """What held in a version, as rows and as a table."""
    rows = holding(connection, dimension, at_version=at_version)
    return rows, as_table(rows)


def as_table(held: Sequence[SetMapping]) -> pl.DataFrame:
    """What holds as TABLE, in the same order."""
    rows = [(s.mapping.source, s.mapping.target, s.mapping.effective_from) for s in held]
    return pl.DataFrame(rows, schema=TABLE, orient="row")


def history(connection: Connection, dimension: str, source: str) -> list[SetMapping]:
    """Every setting of one code, oldest first."""
    query = select(app_mapping).where(
        app_mapping.c.dimension == dimension, app_mapping.c.source == source
    )
    return [_read(row) for row in connection.execute(query.order_by(app_mapping.c.version))]


def _read(row: Row[Any]) -> SetMapping:
    mapping = Mapping(row.dimension, row.source, row.target, row.effective_from, row.why)
    return SetMapping(mapping, row.version, row.set_at, row.set_by)
