"""The versions of the configuration that were applied to this instance."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, desc, func, insert, select

from tieout.store.database import lock
from tieout.store.schema import app_config


@dataclass(frozen=True, slots=True)
class Config:
    """One applied configuration, its text as it was given."""

    version: int
    applied_at: datetime
    applied_by: str
    text: str
    sha256: str


def current(connection: Connection) -> Config | None:
    """The configuration that holds now; None before the first one."""
    query = select(app_config).order_by(desc(app_config.c.version)).limit(1)
    row = connection.execute(query).first()
    return None if row is None else Config(**row._mapping)


def newest(connection: Connection) -> int | None:
    """The version of the configuration that holds now."""
    return connection.execute(select(func.max(app_config.c.version))).scalar()


def find(connection: Connection, version: int) -> Config | None:
    """The configuration of one version."""
    row = connection.execute(select(app_config).where(app_config.c.version == version)).first()
    return None if row is None else Config(**row._mapping)


def apply(connection: Connection, text: str, applied_by: str, at: datetime) -> tuple[Config, bool]:
    """Make `text` the configuration; with whether that changed anything."""
    lock(connection, "config")
    held = current(connection)
    digest = hashlib.sha256(text.encode()).hexdigest()
    if held is not None and held.sha256 == digest:
        return held, False
    following = held.version + 1 if held is not None else 1
    config = Config(following, at, applied_by, text, digest)
    values = {name: getattr(config, name) for name in Config.__slots__}
    connection.execute(insert(app_config), values)
    return config, True
