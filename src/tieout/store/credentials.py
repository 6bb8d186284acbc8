"""Sealed credentials in the database: set, opened for use, never shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from tieout.errors import KeyTrouble, Misconfigured
from tieout.store import vault
from tieout.store.database import lock
from tieout.store.keys import KeyPlace
from tieout.store.schema import app_secret
from tieout.store.vault import Key

SECRETS = "secrets"  # the lock of who changes a secret or the key


@dataclass(frozen=True, slots=True)
class SecretNote:
    """What may be told of a secret: that it is there, since when, by whom, under which key."""

    name: str
    key_fingerprint: str
    set_at: datetime
    set_by: str
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Author:
    """Who sets something, and when."""

    name: str
    at: datetime


def put(
    connection: Connection, key: Key, name: str, fields: Mapping[str, str], author: Author,
    ends_at: datetime | None = None,
) -> str:  # fmt: skip
    """Seal `fields` under `name` in place of what was there; the key that had sealed it, or "".

    `ends_at`: until when a certificate among them holds.

    Whoever lost a key enters the credentials again one by one: the others stay sealed and go on
    naming the key they need.
    """
    lock(connection, SECRETS)
    replaced = next((h.key_fingerprint for h in listed(connection) if h.name == name), "")
    values = {
        "sealed": vault.seal(key, name, fields),
        "key_fingerprint": key.fingerprint,
        "set_at": author.at,
        "set_by": author.name,
        "ends_at": ends_at,
        "renewal_at": None,
        "renewal_by": None,
    }
    same = app_secret.c.name == name
    if connection.execute(update(app_secret).where(same).values(values)).rowcount == 0:
        connection.execute(insert(app_secret), {"name": name, **values})
    return replaced


def opened(connection: Connection, place: KeyPlace, name: str) -> dict[str, str]:
    """The fields of a secret; Misconfigured when it was never set.

    When the key is not there, KeyTrouble says which key the secret needs.
    """
    found = sealed(connection, name)
    try:
        place.held()  # that there is none is told before that nothing is sealed with it
    except KeyTrouble as trouble:
        if not found:
            raise
        needs = f"The credential {name} was sealed with the key {vault.fingerprint_of(found)}."
        raise KeyTrouble(
            f"{trouble.what} {needs}", untouched=trouble.untouched, do=trouble.do,
            who=trouble.who, code="key",
        ) from trouble  # fmt: skip
    if not found:
        raise Misconfigured(
            f"No credentials are stored for {name}.",
            untouched="Nothing was sent.",
            do=f"`tieout connect {name}`.",
            who="who holds the user name and password",
            code="no-credentials",
        )
    return place.opened(name, found)


def sealed(connection: Connection, name: str) -> str:
    """A secret as it lies in the database; nothing when it was never set."""
    return connection.execute(_SEALED, {"name": name}).scalar_one_or_none() or ""


_SEALED = select(app_secret.c.sealed).where(app_secret.c.name == bindparam("name"))


def listed(connection: Connection) -> list[SecretNote]:
    """What is stored, without what is in it."""
    columns = [app_secret.c[name] for name in SecretNote.__slots__]
    rows = connection.execute(select(*columns).order_by(app_secret.c.name))
    return [SecretNote(*row) for row in rows]
