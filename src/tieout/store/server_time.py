"""The database's own clock: the one that several processes share, whatever theirs say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, TextClause, text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS = 1_000_000  # in a second
_SERVER = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
_FILE = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"

_SERVER_NOW, _FILE_NOW = text(f"SELECT {_SERVER}"), text(f"SELECT {_FILE}")


def clock_words(connection: Connection) -> str:
    """The SQL of the moment of this very statement, in microseconds since 1970 (UTC)."""
    return _SERVER if connection.dialect.name == "postgresql" else _FILE


def server_time(connection: Connection) -> TextClause:
    """The same as an expression, to be stored or compared."""
    return text(clock_words(connection))


def read_server_time(connection: Connection) -> int:
    """The database's clock now, in microseconds since 1970 (UTC)."""
    now = _SERVER_NOW if connection.dialect.name == "postgresql" else _FILE_NOW
    return int(connection.execute(now).scalar_one())


def server_moment(connection: Connection) -> datetime:
    """The same as an aware moment."""
    return EPOCH + timedelta(microseconds=read_server_time(connection))
