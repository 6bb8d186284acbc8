"""The manifest: one row for each file of kept rows or bytes, without which nobody sees the file.

A row is committed in the transaction of the step that wrote the file (`store.files`) and is never
taken away: a later file may supersede it, and a purge leaves it as what remains.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    func,
    insert,
    select,
    type_coerce,
    update,
)
from sqlalchemy.engine import Row
from sqlalchemy.types import NULLTYPE

from tieout.store.retention_schema import app_purged
from tieout.store.schema import app_manifest

IDS_AT_ONCE = 500  # of one statement

Key: TypeAlias = tuple[str, str, str, str, int]  # flow, kind, company, ledger, fiscal year


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one file holds: whose it is, how much, and the hash of its bytes."""

    id: str
    run: str
    step: str
    flow: str
    kind: str
    company: str
    ledger: str
    fiscal_year: int
    path: str
    rows: int
    bytes: int
    sha256: str
    written_at: datetime
    sums: Mapping[str, str] = field(default_factory=dict)
    superseded_by: str | None = None

    @property
    def key(self) -> Key:
        """What a newer file must share to take this one's place."""
        return (self.flow, self.kind, self.company, self.ledger, self.fiscal_year)

    def brief(self) -> dict[str, object]:
        """What a step's result says about this file."""
        return {"id": self.id, "kind": self.kind, "rows": self.rows, "sha256": self.sha256}

    def told(self, seq: int) -> dict[str, object]:
        """What the trail says about it: all that stands in row `seq` but what the entry says."""
        of_the_entry = ("run", "step", "superseded_by")
        names = [name for name in self.__slots__ if name not in of_the_entry]
        return {name: getattr(self, name) for name in names} | {"seq": seq}


def add(connection: Connection, manifests: Sequence[Manifest]) -> dict[str, int]:
    """Make files visible; the number of each one's row, by its id."""
    rows = [{name: getattr(m, name) for name in Manifest.__slots__} for m in manifests]
    if not rows:
        return {}
    return {row.id: row.seq for row in connection.execute(_ADD, rows)}


_ADD = insert(app_manifest).returning(app_manifest.c.id, app_manifest.c.seq)


def supersede(connection: Connection, key: Key, run: str) -> list[str]:
    """Retire the visible files of `key` in favour of what `run` is about to add; their ids."""
    values = {f"of_{name}": value for name, value in zip(_KEY, key, strict=True)}
    return sorted(connection.execute(_SUPERSEDE, values | {"superseded_by": run}).scalars())


_KEY = ("flow", "kind", "company", "ledger", "fiscal_year")
_SUPERSEDE = (
    update(app_manifest)
    .where(
        *(app_manifest.c[name] == bindparam(f"of_{name}") for name in _KEY),
        app_manifest.c.superseded_by.is_(None),
    )
    .returning(app_manifest.c.id)
)


def retire(connection: Connection, ids: Sequence[str], run: str) -> list[str]:
    """Retire these visible files in favour of what `run` is about to add; their ids."""
    retired: list[str] = []
    for start in range(0, len(ids), IDS_AT_ONCE):
        mine = app_manifest.c.id.in_(ids[start : start + IDS_AT_ONCE])
        still = app_manifest.c.superseded_by.is_(None)
        query = update(app_manifest).where(mine, still).values(superseded_by=run)
        retired += connection.execute(query.returning(app_manifest.c.id)).scalars()
    return sorted(retired)


def _there() -> ColumnElement[bool]:
    return app_manifest.c.id.not_in(select(app_purged.c.object))


def _key(
    flow: str, kind: str, company: str | None, ledger: str | None, fiscal_year: int | None
) -> list[ColumnElement[bool]]:
    given = {"company": company, "ledger": ledger, "fiscal_year": fiscal_year}
    columns = app_manifest.c
    return [columns.flow == flow, columns.kind == kind] + [
        columns[name] == value for name, value in given.items() if value is not None
    ]


def there(connection: Connection) -> Iterator[Manifest]:
    """Every file that was not purged, oldest first."""
    rows = connection.execute(select(app_manifest).where(_there()).order_by(app_manifest.c.seq))
    return (_read(row) for row in rows)


def current(
    connection: Connection,
    flow: str,
    kind: str,
    *,
    company: str | None = None,
    ledger: str | None = None,
    fiscal_year: int | None = None,
) -> list[Manifest]:
    """The files that hold now, oldest first."""
    key = zip(_KEY, (flow, kind, company, ledger, fiscal_year), strict=True)
    given = {name: value for name, value in key if value is not None}
    return [_read(row) for row in connection.execute(_current(*given), given)]


@cache
def _current(*names: str) -> Select[Any]:
    query = _by(*names).where(app_manifest.c.superseded_by.is_(None), _there())
    return query.order_by(app_manifest.c.seq)


def kept(
    connection: Connection, run: str, *, step: str | None = None, kind: str | None = None
) -> list[Manifest]:
    """The files a run kept, superseded or not, oldest first."""
    wanted = {"run": run, "step": step, "kind": kind}
    given = {name: value for name, value in wanted.items() if value is not None}
    return [_read(row) for row in connection.execute(_kept(*given), given)]


@cache
def _kept(*names: str) -> Select[Any]:
    return _by(*names).order_by(app_manifest.c.seq)


def of_runs(
    connection: Connection, runs: Collection[str], kinds: Collection[str]
) -> list[Manifest]:
    """The files of some kinds that these runs kept, superseded or not, oldest first."""
    found, wanted, columns = [], sorted(runs), app_manifest.c
    for start in range(0, len(wanted), IDS_AT_ONCE):
        mine = columns.run.in_(wanted[start : start + IDS_AT_ONCE]), columns.kind.in_(kinds)
        rows = connection.execute(select(app_manifest).where(*mine).order_by(columns.seq))
        found += [_read(row) for row in rows]
    return found


def _by(*names: str) -> Select[Any]:
    """The rows whose columns `names` are as the values that go with the statement."""
    return select(app_manifest).where(*(app_manifest.c[n] == bindparam(n) for n in names))


def before(
    connection: Connection, run: str, flow: str, kind: str, *, step: str | None = None
) -> list[Manifest]:
    """The files that held when `run` (or its `step`) began to keep files, oldest first.

    Of kinds whose files always replace those of the same key: the last step that kept some of a key
    kept all that held of it. Superseded since or not.
    """
    columns = app_manifest.c
    mine = [columns.run == run] + ([columns.step == step] if step is not None else [])
    first = select(func.min(columns.seq)).where(*mine).scalar_subquery()
    query = select(app_manifest).where(
        columns.flow == flow, columns.kind == kind, columns.seq < first
    )
    found = [_read(row) for row in connection.execute(query.order_by(columns.seq))]
    last = {m.key: (m.run, m.step) for m in found}
    return [m for m in found if last[m.key] == (m.run, m.step)]


def of_flow(connection: Connection, flow: str, kind: str) -> list[Manifest]:
    """Every file of a kind that runs of a flow kept and no purge removed, oldest first."""
    query = select(app_manifest).where(*_key(flow, kind, None, None, None), _there())
    return [_read(row) for row in connection.execute(query.order_by(app_manifest.c.seq))]


def among(connection: Connection, column: str, values: Collection[str]) -> list[Manifest]:
    """The files whose `column` (id or path) is one of `values`, whatever became of them."""
    found, wanted = [], sorted(values)
    for start in range(0, len(wanted), IDS_AT_ONCE):
        some = app_manifest.c[column].in_(wanted[start : start + IDS_AT_ONCE])
        found += [_read(row) for row in connection.execute(select(app_manifest).where(some))]
    return found


def flows_with(connection: Connection, kind: str) -> list[str]:
    """The flows that ever kept a file of this kind."""
    query = select(app_manifest.c.flow).where(app_manifest.c.kind == kind).distinct()
    return sorted(connection.execute(query).scalars())


def newest(connection: Connection) -> str:
    """The path of the visible file that was kept last; empty before the first."""
    query = select(app_manifest.c.path).where(_there()).order_by(app_manifest.c.seq.desc())
    return connection.execute(query.limit(1)).scalar_one_or_none() or ""


def paths(connection: Connection) -> set[str]:
    """The path of every visible file."""
    return set(connection.execute(select(app_manifest.c.path).where(_there())).scalars())


def as_stored(connection: Connection) -> list[dict[str, object]]:
    """Every row of the manifest with every column exactly as the database holds it."""
    columns = [type_coerce(column, NULLTYPE).label(column.name) for column in app_manifest.c]
    query = select(*columns).order_by(app_manifest.c.seq)
    return [dict(row._mapping) for row in connection.execute(query)]


def _read(row: Row[Any]) -> Manifest:
    columns = dict(row._mapping)
    del columns["seq"]
    return Manifest(**columns)
