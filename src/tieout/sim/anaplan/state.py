"""What the practice Anaplan remembers: one SQLite file, committed after every change."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tieout.sim.anaplan.switches import SWITCHES, checked

TIME_ID = "20000000003"  # A019
LINE_ITEMS_ID = "20000000012"  # A019
ID_PREFIX = {  # A019
    "list": "101", "module": "102", "view": "207", "import": "112", "file": "113",
    "export": "116", "action": "117", "process": "118", "line_item": "206",
}  # fmt: skip

SCHEMA = """
create table if not exists meta (name text primary key, value text);
create table if not exists users (id text primary key, email text unique, password text,
  data text);
create table if not exists tokens (value text primary key, id text, refresh_id text,
  user text, expires real);
create table if not exists certificates (fingerprint text primary key, user text, pem text);
create table if not exists oauth_clients (id text primary key);
create table if not exists devices (device_code text primary key, user_code text, client text,
  user text, state text, expires real, pause real, polled real);
create table if not exists refreshes (token text primary key, family text, client text, user text,
  expires real, used integer);
create table if not exists signed (digest text primary key, at real);
create table if not exists workspaces (id text primary key, name text, data text);
create table if not exists models (id text primary key, workspace text, name text, data text);
create table if not exists objects (pos integer primary key, model text, id text, kind text,
  name text, data text, unique (model, id));
create table if not exists items (pos integer primary key, model text, list text, id text,
  code text, name text, parent text, data text, unique (model, list, id));
create table if not exists cells (line_item text, key text, value text,
  primary key (line_item, key)) without rowid;
create table if not exists contents (model text, file text, user text, chunk_count integer,
  complete integer, touched real, primary key (model, file, user));
create table if not exists chunks (model text, file text, user text, n integer, body blob,
  primary key (model, file, user, n));
create table if not exists tasks (seq integer primary key, id text unique, model text,
  kind text, parent text, user text, body text, created real, started real, finished real,
  state text, result text);
create index if not exists open_tasks on tasks (seq) where state not in ('COMPLETE', 'CANCELLED');
create index if not exists tasks_of_model on tasks (model, seq);
create table if not exists dumps (model text, user text, import text, task text, body blob,
  touched real, primary key (model, user, import));
create table if not exists reads (id text primary key, model text, kind text, target text,
  user text, created real, touched real, state text);
create table if not exists pages (request text, n integer, body blob, primary key (request, n));
create table if not exists report (seq integer primary key, at real, method text, path text,
  what text);
"""


@dataclass(slots=True)
class Thing:
    """One named object of a model: list, module, line item, view, import, export, process, file."""

    id: str
    kind: str
    name: str
    data: dict[str, Any]


@dataclass(slots=True)
class Item:
    """One member of a list (or of the Time dimension)."""

    id: str
    name: str
    code: str = ""
    parent: str = ""
    data: dict[str, Any] = field(default_factory=dict)


class State:
    """The SQLite file and the few questions everything else asks of it.

    Every request and every control verb is one `change`.
    """

    def __init__(self, path: Path | str) -> None:
        self.lock = threading.RLock()
        self.db = sqlite3.connect(str(path), check_same_thread=False)
        self.db.executescript("pragma journal_mode=wal; pragma synchronous=off;" + SCHEMA)
        self._switches = self.meta("switches", {})

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self.db.commit()
            self.db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """All or nothing: commit at the end, roll back when something breaks."""
        with self.lock:
            try:
                yield
            except BaseException:
                self.db.rollback()
                raise
            self.db.commit()

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """All rows of a query."""
        return self.db.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> Any:
        """The first row of a query, or None."""
        return self.db.execute(sql, values).fetchone()

    def do(self, sql: str, *values: Any) -> int:
        """Run one statement; how many rows it touched."""
        return self.db.execute(sql, values).rowcount

    def many(self, sql: str, values: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement for many rows."""
        self.db.executemany(sql, values)

    def meta(self, name: str, default: Any) -> Any:
        """A kept value by name."""
        found = self.row("select value from meta where name = ?", name)
        return default if found is None else json.loads(found[0])

    def keep_meta(self, name: str, value: Any) -> None:
        """Keep a value by name."""
        self.do("insert or replace into meta values (?, ?)", name, json.dumps(value))

    def switch(self, name: str) -> Any:
        """The present value of a switch."""
        return self._switches.get(name, SWITCHES[name][0])

    def set_switch(self, name: str, value: Any) -> None:
        """Set a switch; ValueError when there is no such switch or value."""
        self._switches = {**self._switches, name: checked(name, value)}
        self.keep_meta("switches", self._switches)

    def new_id(self, kind: str) -> str:
        """A free 12-digit object id of `kind`, drawn anew for every state (A019)."""
        while True:
            made = f"{ID_PREFIX[kind]}{secrets.randbelow(10**7):09d}"
            if self.row("select 1 from objects where id = ?", made) is None:
                return made

    def add(self, model: str, kind: str, name: str, **data: Any) -> str:
        """Add an object to a model; its id. A given `id` in `data` is used as it is."""
        made = str(data.pop("id", "") or self.new_id(kind))
        self.do(
            "insert into objects (model, id, kind, name, data) values (?, ?, ?, ?, ?)",
            model, made, kind, name, json.dumps(data),
        )  # fmt: skip
        return made

    def things(self, model: str, kind: str) -> list[Thing]:
        """All objects of one kind in a model, in the order they were made."""
        sql = "select id, kind, name, data from objects where model = ? and kind = ? order by pos"
        return [Thing(r[0], r[1], r[2], json.loads(r[3])) for r in self.rows(sql, model, kind)]

    def thing(self, model: str, id_: str, *kinds: str) -> Thing | None:
        """One object by id, if it is of one of `kinds` (any kind when none are given)."""
        sql = "select id, kind, name, data from objects where model = ? and id = ?"
        found = self.row(sql, model, id_)
        if found is None or (kinds and found[1] not in kinds):
            return None
        return Thing(found[0], found[1], found[2], json.loads(found[3]))

    def named(self, model: str, kind: str, name: str) -> Thing:
        """One object by name; LookupError when there is none."""
        for thing in self.things(model, kind):
            if thing.name == name:
                return thing
        raise LookupError(f"no {kind} {name!r}")

    def save(self, model: str, thing: Thing) -> None:
        """Write back a changed object."""
        self.do(
            "update objects set name = ?, data = ? where model = ? and id = ?",
            thing.name, json.dumps(thing.data), model, thing.id,
        )  # fmt: skip

    def items(self, model: str, list_id: str) -> list[Item]:
        """The members of a list in list order; the Time dimension's id gives its periods."""
        sql = (
            "select id, name, code, parent, data from items where model = ? and list = ? "
            "order by pos"
        )
        return [
            Item(r[0], r[1], r[2], r[3], json.loads(r[4]) if r[4] else {})
            for r in self.rows(sql, model, list_id)
        ]

    def add_items(self, model: str, list_id: str, items: Iterable[Item]) -> None:
        """Append members to a list."""
        self.many(
            "insert into items (model, list, id, name, code, parent, data) values (?,?,?,?,?,?,?)",
            (
                (
                    model,
                    list_id,
                    i.id,
                    i.name,
                    i.code,
                    i.parent,
                    json.dumps(i.data) if i.data else "",
                )
                for i in items
            ),
        )

    def save_items(self, model: str, list_id: str, items: Iterable[Item]) -> None:
        """Write back changed members."""
        self.many(
            "update items set name = ?, code = ?, parent = ?, data = ? "
            "where model = ? and list = ? and id = ?",
            (
                (
                    i.name,
                    i.code,
                    i.parent,
                    json.dumps(i.data) if i.data else "",
                    model,
                    list_id,
                    i.id,
                )
                for i in items
            ),
        )

    def next_item_ids(self, model: str, list_id: str, count: int) -> list[str]:
        """`count` new member ids of a list, running on from the last one."""
        thing = self.thing(model, list_id, "list")
        if thing is None:
            raise LookupError(f"no list {list_id}")
        first = int(thing.data["next_item"])
        thing.data["next_item"] = first + count
        self.save(model, thing)
        return [str(first + n) for n in range(count)]


def model_id() -> str:
    """A new model or task id: 32 hexadecimal digits, upper case (A019)."""
    return secrets.token_hex(16).upper()


def lower_id() -> str:
    """A new workspace, user or customer id: 32 hexadecimal digits, lower case (A019)."""
    return secrets.token_hex(16)
