"""What was last seen through each connection: its imports, lists, orchestrations and the rest.

A look replaces what one before it saw. What is gone stays, marked, so that a thing that comes back
is known again and a flow that names it can be told since when it is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Table, Text, insert, select, update
from sqlalchemy.engine import Row

from tieout.core import drift
from tieout.core.drift import Thing
from tieout.store.columns import Json, Moment, Words
from tieout.store.database import insert_new, lock
from tieout.store.schema import metadata

LOCK = "catalogue"

app_catalogue = Table(
    "app_catalogue",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("told", Json, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("change", Words, nullable=False),  # what changed then, in words
    Column("gone_at", Moment),
)
app_catalogued = Table(
    "app_catalogued",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("place", Words, nullable=False),  # the model, or the environment, that was looked into
    Column("about", Json, nullable=False),  # its names and ids
    Column("looked_at", Moment, nullable=False),
    Column("looked_by", Words, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing as it was last seen, and what became of it."""

    thing: Thing
    first_seen: datetime
    changed_at: datetime
    change: str
    gone_at: datetime | None


@dataclass(frozen=True, slots=True)
class Catalogued:
    """When somebody last looked through a connection, and into what."""

    connection: str
    place: str
    about: Mapping[str, str]
    looked_at: datetime
    looked_by: str


def last(connection: Connection, name: str) -> Catalogued | None:
    """The last look through a connection."""
    row = connection.execute(
        select(app_catalogued).where(app_catalogued.c.connection == name)
    ).first()
    return None if row is None else Catalogued(**row._mapping)


def seen(connection: Connection, name: str, *, gone: bool = False) -> list[Seen]:
    """What is there, or with `gone` also what was, by kind and name."""
    query = select(app_catalogue).where(app_catalogue.c.connection == name)
    if not gone:
        query = query.where(app_catalogue.c.gone_at.is_(None))
    order = (app_catalogue.c.kind, app_catalogue.c.name, app_catalogue.c.id)
    return [_read(row) for row in connection.execute(query.order_by(*order))]


def keep(connection: Connection, look: Catalogued, things: Sequence[Thing]) -> list[str]:
    """Replace what was seen through a connection; what changed, in words, by kind and name.

    Nothing is told of a first look, nor of one into another place than the last one.
    """
    lock(connection, LOCK)
    before_it = last(connection, look.connection)
    same = before_it is not None and before_it.place == look.place
    if not same:
        mine = app_catalogue.c.connection == look.connection
        connection.execute(app_catalogue.delete().where(mine))
    held = {(s.thing.kind, s.thing.id): s for s in seen(connection, look.connection, gone=True)}
    changes = []
    for thing in things:
        words = _keep(connection, look, thing, held.pop((thing.kind, thing.id), None))
        changes += [f"{thing.subject}: {words}"] if words and same else []
    for one in held.values():
        if one.gone_at is None:
            values = {"gone_at": look.looked_at, "changed_at": look.looked_at, "change": "gone"}
            _update(connection, look.connection, one.thing, values)
            changes.append(f"{one.thing.subject}: gone")
    row = {name: getattr(look, name) for name in Catalogued.__slots__}
    if not insert_new(connection, app_catalogued, {**row, "about": dict(look.about)}):
        mine = app_catalogued.c.connection == look.connection
        connection.execute(update(app_catalogued).where(mine).values(row))
    return sorted(changes)


def _keep(connection: Connection, look: Catalogued, thing: Thing, held: Seen | None) -> str:
    """Write one thing down; what changed of it since it was last seen."""
    at = look.looked_at
    if held is None:
        row = {
            "connection": look.connection, "kind": thing.kind, "id": thing.id, "name": thing.name,
            "told": dict(thing.told), "first_seen": at, "changed_at": at, "change": "new",
        }  # fmt: skip
        connection.execute(insert(app_catalogue), row)
        return "new"
    told = {**held.thing.told, **thing.told}  # what was not asked for this time stays known
    words = "; ".join(drift.changes(held.thing, thing))
    words = "there again" + (f"; {words}" if words else "") if held.gone_at else words
    values: dict[str, Any] = {"name": thing.name, "told": told}
    if words:
        values |= {"changed_at": at, "change": words, "gone_at": None}
    if words or told != held.thing.told:
        _update(connection, look.connection, thing, values)
    return words


def _update(connection: Connection, name: str, thing: Thing, values: Mapping[str, Any]) -> None:
    key = {"connection": name, "kind": thing.kind, "id": thing.id}
    same = (app_catalogue.c[column] == value for column, value in key.items())
    connection.execute(update(app_catalogue).where(*same).values(values))


def _read(row: Row[Any]) -> Seen:
    thing = Thing(row.kind, row.id, row.name, row.told)
    return Seen(thing, row.first_seen, row.changed_at, row.change, row.gone_at)
