"""Whole registers for auditors: rows as they stand, page by page, without anything secret."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from tieout.store.configs import Config
from tieout.store.database import Database
from tieout.store.runs import Run
from tieout.store.schema import app_config, app_mapping, app_run

PAGE_ROWS_MAX = 1_000


def runs_since(database: Database, flow: str, at: datetime) -> Iterator[Run]:
    """The runs of a flow that began at `at` or later, oldest first."""
    wanted = select(app_run).where(app_run.c.flow == flow, app_run.c.started_at >= at)
    query, after = wanted.order_by(app_run.c.number).limit(PAGE_ROWS_MAX), 0
    while True:
        with database.read() as connection:
            rows = connection.execute(query.where(app_run.c.number > after))
            found = [Run(**row._mapping) for row in rows]
        yield from found
        if len(found) < PAGE_ROWS_MAX:
            return
        after = found[-1].number


def flows_run(connection: Connection) -> list[str]:
    """The names of all flows that ever ran, configured today or not."""
    whole = select(app_run.c.flow).where(app_run.c.part_of.is_(None))
    return list(connection.execute(whole.distinct().order_by("flow")).scalars())


def mapping_changes(connection: Connection) -> list[dict[str, Any]]:
    """Every mapping that was ever set, oldest first, with every column."""
    query = select(app_mapping).order_by(app_mapping.c.version, *app_mapping.primary_key.columns)
    return [dict(row._mapping) for row in connection.execute(query)]


def configurations(connection: Connection) -> list[Config]:
    """Every configuration that was ever applied, oldest first."""
    query = select(app_config).order_by(app_config.c.version)
    return [Config(**row._mapping) for row in connection.execute(query)]
