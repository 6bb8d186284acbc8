"""Which key an instance seals with, which one comes next, and which ones were: by their names.

The database knows the fingerprints alone. A process whose keys lack the current one is told so
before it does anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Column, Connection, Table, Text, desc, select, update

from tieout.errors import KeyTrouble
from tieout.store import vault
from tieout.store.columns import Moment, Words
from tieout.store.database import insert_new
from tieout.store.keys import KeyPlace
from tieout.store.schema import audit, metadata
from tieout.store.vault import Key

State = Literal["current", "next", "retired", "lost"]
CURRENT: State = "current"
NEXT: State = "next"
RETIRED: State = "retired"  # no credential is sealed with it any more
LOST: State = "lost"  # it was replaced without having been here

app_key = Table(
    "app_key",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Column("set_by", Words, nullable=False),
)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key by its name: what it is for now, since when, and by whom."""

    fingerprint: str
    state: State
    since: datetime
    set_by: str


def listed(connection: Connection) -> list[KnownKey]:
    """All of them, oldest first."""
    rows = connection.execute(select(app_key).order_by(app_key.c.since, app_key.c.fingerprint))
    return [KnownKey(*row) for row in rows]


def in_state(connection: Connection, state: State) -> str:
    """The fingerprint of the key in that state, "" when there is none."""
    query = select(app_key.c.fingerprint).where(app_key.c.state == state)
    return connection.execute(query).scalar() or ""


def move(connection: Connection, fingerprint: str, state: State, by: str, at: datetime) -> None:
    """A key is in that state from now on, whether it was known or not."""
    values = {"state": state, "since": at, "set_by": by}
    if not insert_new(connection, app_key, {"fingerprint": fingerprint, **values}):
        same = app_key.c.fingerprint == fingerprint
        connection.execute(update(app_key).where(same).values(values))


def current(connection: Connection) -> str:
    """The fingerprint of the key that seals; "" on an instance that has none yet.

    Instances of before there was a table of keys told them in the trail.
    """
    found = in_state(connection, CURRENT)
    if found:
        return found
    made = (audit.c.act == "made key") & (audit.c.object == "key")
    query = select(audit.c.detail).where(made).order_by(desc(audit.c.seq)).limit(1)
    told = connection.execute(query).scalar()
    return str(json.loads(told).get("key", "")) if told else ""


def sealing(connection: Connection, place: KeyPlace) -> Key:
    """The key to seal with; KeyTrouble when the current one is not in its place."""
    fingerprint = current(connection)
    if not fingerprint:
        return place.newest()
    key = place.find(fingerprint)
    if key is None:
        raise not_here(fingerprint, place)
    return key


def not_here(fingerprint: str, place: KeyPlace) -> KeyTrouble:
    """The refusal of a place whose keys are others than the one this instance seals with."""
    return KeyTrouble(
        f"The credentials of this instance are sealed with the key {fingerprint}; "
        f"the key in {place.name} is {place.fingerprints()}.",
        untouched="Nothing was written or overwritten.",
        do=f"Put the key {fingerprint} back. {vault.if_lost(vault.MOVE)}",
        who="who keeps the key of this instance", code="key",
    )  # fmt: skip
