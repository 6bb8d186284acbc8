"""Sealed credentials in the database: set, opened for use, never shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from tieout.errors import KeyTrouble, Misconfigured
from tieout.store import audit, vault
from tieout.store.audit import Telling
from tieout.store.database import lock
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


@dataclass(frozen=True, slots=True)
class Author:
    """Who sets something, and when."""

    name: str
    at: datetime


def put(
    connection: Connection, key: Key, name: str, fields: Mapping[str, str], author: Author
) -> str:
    """Seal `fields` under `name` in place of what was there; the key that had sealed it, or "".

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
    }
    same = app_secret.c.name == name
    if connection.execute(update(app_secret).where(same).values(values)).rowcount == 0:
        connection.execute(insert(app_secret), {"name": name, **values})
    return replaced


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
            code="key",
        ) from trouble


def make_key(connection: Connection, path: Path, *, anew: bool) -> tuple[Key, list[SecretNote]]:
    """Make the key of an instance where there is none, and what stays sealed with lost ones.

    KeyTrouble when credentials are sealed and a new key is not asked for with `anew`: it would
    only hide that theirs is missing.
    """
    lock(connection, SECRETS)
    sealed = listed(connection)
    if sealed and not anew:
        names = ", ".join(f"{note.name} (key {note.key_fingerprint})" for note in sealed)
        raise KeyTrouble(
            f"There is no key in {path}, but there are credentials sealed with one: {names}.",
            untouched="The sealed credentials were left as they are; no key was made.",
            do=f"Put the key back. {vault.if_lost()}",
            who="who keeps the key of this instance",
        )
    return vault.make_key(path), sealed


def make_keys(connection: Connection, path: Path, author: Author, *, anew: bool) -> None:
    """The same, told in the trail; with `anew` a key of the trail that was lost is made as well."""
    if anew and (trail := audit.make_key(connection, anew=True)):
        told = Telling(author.name, "made key", "trail-key", {"public_key": trail.public})
        audit.append(connection, author.at, told, anew=True)
        if path.exists():
            return
    key, sealed = make_key(connection, path, anew=anew)
    others = {note.name: note.key_fingerprint for note in sealed}
    detail = {"key": key.fingerprint, "sealed_with_others": others}
    audit.append(connection, author.at, Telling(author.name, "made key", "key", detail))


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
            code="no-credentials",
        )
    return vault.unseal(key, name, sealed)


def listed(connection: Connection) -> list[SecretNote]:
    """What is stored, without what is in it."""
    columns = [app_secret.c[name] for name in SecretNote.__slots__]
    rows = connection.execute(select(*columns).order_by(app_secret.c.name))
    return [SecretNote(*row) for row in rows]
