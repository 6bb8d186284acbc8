"""Whole registers for auditors: rows as they stand, page by page, without anything secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from tieout.store import runs
from tieout.store.configs import Config
from tieout.store.database import Database
from tieout.store.runs import Run
from tieout.store.schema import app_config, app_mapping, app_run

PAGE_ROWS_MAX = 1_000


def runs_since(database: Database, flow: str, at: datetime) -> Iterator[Run]:
    """The runs of a flow that began at `at` or later, oldest first."""

    def page(after: int) -> list[Run]:
        query = select(app_run.c.id).where(
            app_run.c.flow == flow, app_run.c.started_at >= at, app_run.c.number > after
        )
        with database.read() as connection:
            ids = connection.execute(query.order_by(app_run.c.number).limit(PAGE_ROWS_MAX))
            return [runs.find(connection, run) for run in ids.scalars()]

    yield from _pages(page)


def _pages(page: Callable[[int], list[Run]]) -> Iterator[Run]:
    after = 0
    while found := page(after):
        yield from found
        after = found[-1].number


def flows_run(connection: Connection) -> list[str]:
    """The names of all flows that ever ran, configured today or not."""
    return list(connection.execute(select(app_run.c.flow).distinct().order_by("flow")).scalars())


def mapping_changes(connection: Connection) -> list[dict[str, Any]]:
    """Every mapping that was ever set, oldest first, with every column."""
    query = select(app_mapping).order_by(app_mapping.c.version, *app_mapping.primary_key.columns)
    return [dict(row._mapping) for row in connection.execute(query)]


def configurations(connection: Connection) -> list[Config]:
    """Every configuration that was ever applied, oldest first."""
    query = select(app_config).order_by(app_config.c.version)
    return [Config(**row._mapping) for row in connection.execute(query)]
