"""What each flow last used in Anaplan and JD Edwards under the names it is configured with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Table, Text, bindparam, select, update

from tieout.core.drift import Thing
from tieout.store.columns import Json, Moment, Words
from tieout.store.database import insert_new
from tieout.store.schema import metadata

app_binding = Table(
    "app_binding",
    metadata,
    Column("flow", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("configured", Words, primary_key=True),  # the name, or id, in the project file
    Column("model", Words, nullable=False),  # of Anaplan, by id; another one has other things
    Column("id", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("told", Json, nullable=False),
    Column("bound_at", Moment, nullable=False),
    Column("run", Text, nullable=False),
)

Bound = Mapping[tuple[str, str], Thing]  # by kind and name in the flow


def of_flow(connection: Connection, flow: str, model: str) -> dict[tuple[str, str], Thing]:
    """What the flow last used, if that was with this model."""
    rows = connection.execute(_OF_FLOW, {"flow": flow, "model": model})
    return {(r.kind, r.configured): Thing(r.kind, r.id, r.name, r.told) for r in rows}


_OF_FLOW = select(app_binding).where(
    app_binding.c.flow == bindparam("flow"), app_binding.c.model == bindparam("model")
)


def listed(connection: Connection, flow: str) -> list[dict[str, Any]]:
    """What a flow used last, of whatever model: kind, configured, id, name, bound_at, run."""
    named = [c for c in app_binding.c if c.name not in ("flow", "told")]
    query = select(*named).where(app_binding.c.flow == flow)
    rows = connection.execute(query.order_by(app_binding.c.kind, app_binding.c.configured))
    return [dict(row._mapping) for row in rows]


def keep(
    connection: Connection, flow: str, model: str, things: Bound, run: str, at: datetime
) -> None:
    """Remember what a run found under each name; what it did not find stays as it was last."""
    for (kind, configured), thing in things.items():
        row = {
            "flow": flow, "kind": kind, "configured": configured, "model": model,
            "id": thing.id, "name": thing.name, "told": dict(thing.told), "bound_at": at,
            "run": run,
        }  # fmt: skip
        if not insert_new(connection, app_binding, row):
            key = (app_binding.c[name] == row[name] for name in ("flow", "kind", "configured"))
            connection.execute(update(app_binding).where(*key).values(row))
