"""The practice ledger: the SQLite file that holds the JDE tables, and the one way to write it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tieout.sim.jde.dates import by_pattern
from tieout.sim.jde.tables import TABLES, Column, Table

Value = int | str
Row = Mapping[str, Value]

NUMBER_MAX = 999_999_999_999_999  # fifteen digits, the widest number of the dictionary


class Ledger:
    """One SQLite file with one table per JDE table, values kept as JDE keeps them.

    Amounts are integers scaled by the governing currency, dates CYYDDD integers (0 = none),
    text without trailing blanks. All calls may come from any thread; `transaction` makes
    several writes one. Column names are aliases without prefix ("AA", "MCU").
    """

    def __init__(self, path: Path | str) -> None:
        self.lock = threading.RLock()
        self._db = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.create_function("jde_date", 2, by_pattern, deterministic=True)
        self._depth = 0
        with self.transaction():
            for table in TABLES.values():
                for statement in table.ddl():
                    self._db.execute(statement)
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS practice_state "
                "(name TEXT PRIMARY KEY, value TEXT NOT NULL)"
            )

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are kept together or not at all; may be nested."""
        with self.lock:
            if self._depth:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            else:
                self._db.execute("COMMIT")
            finally:
                self._depth -= 1

    def insert(self, table: str, rows: Iterable[Row], *, raw: bool = False) -> int:
        """Insert rows and return how many; columns not named take blank or zero.

        MCU and its kin are right-justified and widths are checked, unless `raw` (which is how
        a bad load leaves a left-justified business unit). ValueError names what does not fit.
        """
        groups: dict[tuple[str, ...], list[tuple[Value, ...]]] = {}
        for row in rows:
            groups.setdefault(tuple(row), []).append(tuple(row.values()))
        with self.transaction():
            for aliases, values in groups.items():
                self._insert(TABLES[table], aliases, values, raw)
        return sum(map(len, groups.values()))

    def _insert(
        self, table: Table, aliases: tuple[str, ...], rows: list[tuple[Value, ...]], raw: bool
    ) -> None:
        columns = [_column(table, alias) for alias in aliases]
        if not raw:
            fitted = [_fit_all(c, v) for c, v in zip(columns, zip(*rows, strict=True), strict=True)]
            rows = list(zip(*fitted, strict=True))
        names = ", ".join(f'"{alias}"' for alias in aliases)
        marks = ", ".join("?" * len(aliases))
        statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'  # noqa: S608 - ours
        self._db.executemany(statement, rows)

    def update(self, table: str, values: Row, where: Row) -> int:
        """Set `values` on the rows whose columns equal `where`; returns how many."""
        spec = TABLES[table]
        sets = ", ".join(f'"{_column(spec, alias).alias}" = ?' for alias in values)
        condition, parameters = _equal(spec, where)
        statement = f'UPDATE "{table}" SET {sets} WHERE {condition}'  # noqa: S608 - ours
        new = [_fit(spec.columns[alias], value) for alias, value in values.items()]
        with self.transaction():
            return self._db.execute(statement, [*new, *parameters]).rowcount

    def delete(self, table: str, where: Row) -> int:
        """Delete the rows whose columns equal `where`; returns how many."""
        condition, parameters = _equal(TABLES[table], where)
        with self.transaction():
            statement = f'DELETE FROM "{table}" WHERE {condition}'  # noqa: S608 - ours
            return self._db.execute(statement, parameters).rowcount

    def rows(self, table: str, where: Row | None = None) -> list[dict[str, Any]]:
        """The rows whose columns equal `where`, all columns, in primary key order."""
        spec = TABLES[table]
        condition, parameters = _equal(spec, where or {})
        order = ", ".join(f'"{alias}"' for alias in spec.key)
        statement = f'SELECT * FROM "{table}" WHERE {condition}'  # noqa: S608 - ours
        found = self.query(f"{statement} ORDER BY {order}", parameters)
        return [dict(zip(spec.columns, row, strict=True)) for row in found]

    def query(self, statement: str, parameters: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Run one SELECT over the tables and return its rows."""
        with self.lock:
            return self._db.execute(statement, parameters).fetchall()

    def remember(self, name: str, value: str) -> None:
        """Keep a word of the practice system's own state beside the tables."""
        with self.transaction():
            self._db.execute("REPLACE INTO practice_state VALUES (?, ?)", (name, value))

    def recall(self, name: str) -> str | None:
        """The word kept under `name`, or None."""
        found = self.query("SELECT value FROM practice_state WHERE name = ?", (name,))
        return str(found[0][0]) if found else None


def _column(table: Table, alias: str) -> Column:
    try:
        return table.columns[alias]
    except KeyError:
        raise ValueError(f"{table.name} has no column {alias}") from None


def _equal(table: Table, where: Row) -> tuple[str, list[Value]]:
    condition = " AND ".join(f'"{_column(table, alias).alias}" = ?' for alias in where)
    return condition or "1", [_fit(table.columns[a], v) for a, v in where.items()]


def _fit(column: Column, value: Value) -> Value:
    return _fit_all(column, [value])[0]


def _fit_all(column: Column, values: Sequence[Value]) -> list[Value]:
    """The values as the column keeps them; ValueError when one is of the wrong type or width."""
    cache: dict[Value, Value] = {}
    made = []
    for value in values:
        kept = cache.get(value)
        if kept is None:
            kept = cache[value] = _fit_one(column, value)
        made.append(kept)
    return made


def _fit_one(column: Column, value: Value) -> Value:
    if not column.is_text:
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > NUMBER_MAX:
            raise ValueError(f"{column.alias} takes an integer of 15 digits, not {value!r}")
        return value
    if not isinstance(value, str):
        raise ValueError(f"{column.alias} takes text, not {value!r}")
    text = value.rstrip(" ")
    if len(text) > column.width:
        raise ValueError(f"{column.alias} holds {column.width} characters, not {value!r}")
    return text.lstrip(" ").rjust(column.width) if column.kind == "right" and text else text
