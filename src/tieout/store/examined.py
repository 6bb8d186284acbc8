"""What `tieout doctor` asks a database about itself: product, durability, rows of the engine."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from tieout.store.own_sqlite import sqlite3

ENGINE_TABLE, ENGINE_SCHEMA = "workflow_status", "dbos"


def sqlite_version() -> tuple[int, ...]:
    """The version of SQLite that this process uses."""
    return sqlite3.sqlite_version_info


def product(connection: Connection) -> str:
    """Name and version of the database: "SQLite 3.51.3", "PostgreSQL 17.2"."""
    if connection.dialect.name == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    return f"PostgreSQL {connection.execute(text('SHOW server_version')).scalar_one()}"


def durability(connection: Connection) -> tuple[str, str]:
    """SQLite: journal mode and `synchronous` (2 is FULL). Else `fsync` and `synchronous_commit`."""
    asked = ("PRAGMA journal_mode", "PRAGMA synchronous")
    if connection.dialect.name != "sqlite":
        asked = ("SHOW fsync", "SHOW synchronous_commit")
    first, second = (str(connection.execute(text(words)).scalar_one()) for words in asked)
    return first.lower(), second.lower()


def engine_rows(connection: Connection) -> int:
    """How many runs the durable engine remembers; 0 when it never ran here."""
    schema = None if connection.dialect.name == "sqlite" else ENGINE_SCHEMA
    if not inspect(connection).has_table(ENGINE_TABLE, schema=schema):
        return 0
    table = f"{schema}.{ENGINE_TABLE}" if schema else ENGINE_TABLE
    count = text(f"SELECT count(*) FROM {table}")  # noqa: S608 - a name of ours
    return int(connection.execute(count).scalar_one())
