"""Sealed credentials in the database: set, opened for use, never shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from tieout.errors import KeyTrouble, Misconfigured
from tieout.store import vault
from tieout.store.database import lock
from tieout.store.schema import app_secret
from tieout.store.vault import Key


@dataclass(frozen=True, slots=True)
class SecretNote:
    """What may be told of a secret: that it is there, since when, by whom, under which key."""

    name: str
    key_fingerprint: str
    set_at: datetime
    set_by: str


@dataclass(frozen=True, slots=True)
class Author:
    """Who sets something, and when."""

    name: str
    at: datetime


def put(
    connection: Connection, key: Key, name: str, fields: Mapping[str, str], author: Author
) -> None:
    """Seal `fields` under `name` in place of what was there.

    KeyTrouble when any stored secret was sealed with another key: overwriting one would hide that
    the key of the instance was exchanged.
    """
    lock(connection, "secrets")
    for held in listed(connection):
        if held.key_fingerprint != key.fingerprint:
            raise vault.wrong_key(held.name, held.key_fingerprint, key.fingerprint)
    values = {
        "sealed": vault.seal(key, name, fields),
        "key_fingerprint": key.fingerprint,
        "set_at": author.at,
        "set_by": author.name,
    }
    same = app_secret.c.name == name
    if connection.execute(update(app_secret).where(same).values(values)).rowcount == 0:
        connection.execute(insert(app_secret), {"name": name, **values})


def key_for(path: Path, name: str, held: Sequence[SecretNote]) -> Key:
    """The key in `path`; when it is not there, KeyTrouble says which key the secret needs."""
    try:
        return vault.read_key(path)
    except KeyTrouble as trouble:
        sealed_with = [note.key_fingerprint for note in held if note.name == name]
        if not sealed_with:
            raise
        raise KeyTrouble(
            f"{trouble.what} The credential {name} was sealed with the key {sealed_with[0]}.",
            untouched=trouble.untouched,
            do=trouble.do,
            who=trouble.who,
        ) from trouble


def get(connection: Connection, key: Key, name: str) -> dict[str, str]:
    """The opened fields; Misconfigured when the secret was never set."""
    query = select(app_secret.c.sealed).where(app_secret.c.name == name)
    sealed = connection.execute(query).scalar_one_or_none()
    if sealed is None:
        raise Misconfigured(
            f"No credentials are stored for {name}.",
            untouched="Nothing was sent.",
            do=f"`tieout connect {name}`.",
            who="who holds the user name and password",
        )
    return vault.unseal(key, name, sealed)


def listed(connection: Connection) -> list[SecretNote]:
    """What is stored, without what is in it."""
    columns = [app_secret.c[name] for name in SecretNote.__slots__]
    rows = connection.execute(select(*columns).order_by(app_secret.c.name))
    return [SecretNote(*row) for row in rows]
