"""Trace: the whole story of a record, from an Anaplan cell to its ledger lines and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from tieout.anaplan import wire
from tieout.app import Instance
from tieout.core.frames import CELL_KEY
from tieout.core.mapping import resolved
from tieout.core.policy import INSTANCE
from tieout.errors import Misconfigured
from tieout.flows import drill
from tieout.flows.dimensions import ALWAYS
from tieout.flows.drill import FILE, Wanted
from tieout.flows.loading import FIRST_DATA_LINE
from tieout.flows.world import World
from tieout.project import LISTS_OF, LoadActuals, LoadMembers
from tieout.store import purges, records, rejects, tasks
from tieout.store.records import Manifest
from tieout.verbs import acting, seeing, tracing_journals

CELLS_SHOWN_MAX = 200  # of what a search finds; `found` says how many there are
LINES_SHOWN_MAX = 1_000
LOADS_SHOWN_MAX = 20  # the newest loads of one cell
_KEY = list(CELL_KEY)
_CELL = [f"cell_{name}" for name in CELL_KEY]
# How the file of an import names what a cell calls member and value.
SENT = {"company": "company", "account": "account", "business_unit": "business_unit",
        "period": "member", "ledger": "ledger", "currency": "currency"}  # fmt: skip


def trace(
    instance: Instance, wanted: Wanted, *, run: str = "", key: str = "",
    cell: Mapping[str, str] | None = None, lines_max: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """What there is of a record: `cells`, `lines`, `journals`, how many were `found`, and `story`.

    `run` keeps to what that run read or sent, `cell` to the one with exactly this CELL_KEY; `key`
    names a batch or journal of ours. A search that finds exactly one cell has its story: figures,
    buckets, lines, mappings, loads and findings. `looked` and `of` say how many lines were looked
    through where that was not all: no more than `lines_max`, if it is given. Misconfigured when
    nothing agrees, NotAllowed for who may not look.
    """
    acting.require(instance, "view", INSTANCE)
    if run:
        instance.store.run(run)
    found: dict[str, Any] = {"cells": [], "lines": [], "journals": []}
    counts, looked = Counter[str](), Counter[str]()
    if not key:
        for world in _worlds(instance, run):
            traced = _traced(world, wanted, run, cell, lines_max)
            looked.update(traced.looked)
            counts.update({"cells": traced.cells_found, "lines": len(traced.lines)})
            found["cells"] += traced.cells
            found["lines"] += traced.lines
    one = found["cells"][0] if counts["cells"] == 1 else {}
    if one.get("period") is not None and not wanted.period:  # no journal of another one agrees
        wanted = replace(wanted, period=(one["fiscal_year"], one["period"]))
    found["journals"] = tracing_journals.journals(instance, wanted, run, key)
    if not any(found.values()):
        part = looked["looked"] < looked["of"]
        raise Misconfigured(
            "Nothing in the records of this instance agrees with that"
            + (
                f": of {looked['of']:,} lines the newest {looked['looked']:,} were looked through."
                if part
                else "."
            ),
            untouched="Only what runs have read and sent is searched.",
            do="Name its period: then every line of it is looked through."
            if part
            else "Leave out a condition, or run the flow first.",
        )
    counts["journals"] = len(found["journals"])
    stories = [cell.pop("story") for cell in found["cells"] if "story" in cell]
    told = {
        "ok": True, "found": {name: counts[name] for name in found},
        "cells": found["cells"][:CELLS_SHOWN_MAX],
        "lines": found["lines"][:LINES_SHOWN_MAX], "journals": found["journals"],
        **(looked if looked["looked"] < looked["of"] else {}),
    }  # fmt: skip
    if len(stories) != 1:
        return told
    stories[0]["findings"] += _findings_of_members(instance, stories[0]["cell"])
    return told | {"story": stories[0]}


@dataclass(frozen=True, slots=True)
class _Traced:
    """What one flow has of a record: of its cells those that are shown, and how many there are."""

    cells: list[dict[str, Any]]
    cells_found: int
    lines: Sequence[dict[str, Any]] = ()
    looked: Mapping[str, int] = field(default_factory=dict)


def _worlds(instance: Instance, run: str) -> Iterator[World[LoadActuals]]:
    """The flows of actuals that were ever run (or that of `run`), as their last run had them."""
    for name, flow in instance.project().flows.items():
        if not isinstance(flow, LoadActuals):
            continue
        last = seeing.last_run(instance, name)
        if last is not None and (not run or instance.store.run(run).flow == name):
            with instance.world_for(last.id, looking=True) as world:
                yield world


def _traced(
    world: World[LoadActuals], wanted: Wanted, run: str, cell: Mapping[str, str] | None,
    lines_max: int,
) -> _Traced:  # fmt: skip
    if wanted.of_lines:
        lines, looked = _lines_that_agree(world, wanted, lines_max)
        lines = _read_by(world, lines, run)
        cells = drill.compared_cells(world, wanted, lines.filter("holds"))
        return _Traced(_cells(cells), cells.height, _lines(world, lines), looked)
    if wanted == Wanted(amount=wanted.amount) and wanted.amount is not None:
        cells = _sent_by(world, drill.cells_of(world, wanted.amount), run)
        return _of_amount(world, wanted, cells, run, lines_max)
    placed = drill.agreeing(drill.buckets(world, wanted), wanted)
    cells = drill.compared_cells(world, wanted, placed)
    if cell is not None:
        cells = cells.filter(pl.col(n).eq_missing(pl.lit(v)) for n, v in cell.items())
    cells = _sent_by(world, cells, run)
    if wanted.amount is not None:
        return _of_amount(world, wanted, cells, run, lines_max)
    told = _cells(cells)
    if len(told) == 1:
        mine = placed.join(
            cells.select(pl.col(_KEY).name.prefix("cell_")), on=_CELL, how="semi", nulls_equal=True
        )
        told[0]["story"] = _story(world, cells, mine)
    return _Traced(told, cells.height)


def _sent_by(world: World[LoadActuals], cells: pl.DataFrame, run: str) -> pl.DataFrame:
    if not run:
        return cells
    sent = _sent(world, world.store.kept(run, kind="sent"), cells)
    return cells.join(sent.select(_KEY).unique(), on=_KEY, how="semi", nulls_equal=True)


def _lines_that_agree(
    world: World[LoadActuals], wanted: Wanted, lines_max: int
) -> tuple[pl.DataFrame, dict[str, int]]:
    lines, looked, of = drill.lines_of(world, wanted, lines_max)
    return drill.agreeing(drill.of_lines(world, lines), wanted), {"looked": looked, "of": of}


def _of_amount(
    world: World[LoadActuals], wanted: Wanted, cells: pl.DataFrame, run: str, lines_max: int
) -> _Traced:
    """Cells and lines with an amount, whatever its sign."""
    assert wanted.amount is not None, "asked for only then"
    either = [wanted.amount, -wanted.amount]
    same = pl.any_horizontal(pl.col(n).is_in(either) for n in ("f0911", "f0902", "value", "shown"))
    lines, looked = _lines_that_agree(world, wanted, lines_max)
    found = cells.filter(same) if cells.height else cells
    return _Traced(_cells(found), found.height, _lines(world, _read_by(world, lines, run)), looked)


def _read_by(world: World[LoadActuals], lines: pl.DataFrame, run: str) -> pl.DataFrame:
    if not run:
        return lines
    paths = [m.path for m in world.store.kept(run, kind="lines")]
    return lines.filter(pl.col(FILE).is_in(paths))


def _cells(found: pl.DataFrame) -> list[dict[str, Any]]:
    """The figures of the first cells; `difference` is how far Anaplan or F0902 is from F0911."""
    found = found.sort(_KEY).head(CELLS_SHOWN_MAX)
    gap = pl.max_horizontal(
        (pl.col("f0911") - pl.col("f0902")).abs(), (pl.col("f0911") - pl.col("anaplan")).abs()
    )
    return found.with_columns(difference=gap).to_dicts()


def _lines(world: World[LoadActuals], found: pl.DataFrame) -> list[dict[str, Any]]:
    """Lines with the run, step and time of their reading, the versions that hold first."""
    if found.is_empty():
        return []
    with world.store.database.read() as connection:
        kept = records.among(connection, "path", found[FILE].unique().to_list())
    files = {m.path: m for m in kept}
    by = ["gl_date", "document_type", "document", "line_number", "read"]
    rows = found.sort(by, descending=[False] * 4 + [True]).to_dicts()
    for row in rows:
        read = files[row.pop(FILE)]
        row |= {"run": read.run, "step": read.step, "read_at": read.written_at}
    return sorted(rows, key=lambda row: not row["holds"])


# ---------------------------------------------------------------------------- one cell


def _story(world: World[LoadActuals], cell: pl.DataFrame, placed: pl.DataFrame) -> dict[str, Any]:
    key = cell.row(0, named=True)
    lines = drill.lines_in(world, placed)
    columns = ("account_id", "ledger_account", "ledger_unit", "fiscal_year", "period", "lines",
               "amount", "balance", "state", "reason", "sign")  # fmt: skip
    told = placed.select("company", "ledger", "currency", *columns)
    sent = _times_sent(world, cell)
    return {
        "cell": {name: key[name] for name in _KEY},
        "buckets": told.sort("account_id", "fiscal_year", "period").to_dicts(),
        "lines": _lines(world, lines),
        "mappings": _mappings(world, key, placed),
        "loads": [
            _load(world, m.run, line, amount, key) for m, line, amount in sent[:LOADS_SHOWN_MAX]
        ],
        "open": [
            {"reason": c.reason, "amount": c.amount, "since": c.since_run}
            for c in world.store.open_cells(world.flow_name)
            if all(getattr(c, name) == key[name] for name in _KEY)
        ],
        "findings": _findings(world, key, {(m.run, line) for m, line, _ in sent[:LOADS_SHOWN_MAX]}),
        "purged": _purged(world, placed),
    }  # fmt: skip


def _purged(world: World[LoadActuals], placed: pl.DataFrame) -> list[str]:
    """What of the lines and loads of a cell is gone by the rules of retention."""
    places = placed.select("company", "ledger", "fiscal_year").unique(maintain_order=True)
    with world.store.database.read() as connection:
        told = [
            sentence for place in places.iter_rows()
            for sentence in purges.of_records(
                connection, world.flow_name, ("lines", "earlier_lines"), place
            )
        ]  # fmt: skip
        return told + purges.of_records(connection, world.flow_name, ("sent", "dump"))


def _mappings(
    world: World[LoadActuals], key: Mapping[str, Any], placed: pl.DataFrame
) -> list[dict[str, Any]]:
    """The mappings by which JD Edwards' codes became the cell's, with who set them and why."""
    own = {"account": "ledger_account", "business_unit": "ledger_unit", "company": "company"}
    told = []
    for dimension in ALWAYS:
        found = resolved(world.store.mapping(dimension), placed[own[dimension]])
        rules = set(found.filter(pl.col("target") == key[dimension])["rule"].to_list())
        for held in world.store.mappings_that_hold(dimension):
            if held.mapping.source in rules:
                told.append({
                    "dimension": dimension, "source": held.mapping.source,
                    "target": held.mapping.target, "version": held.version,
                    "set_by": held.set_by, "set_at": held.set_at, "why": held.mapping.why,
                })  # fmt: skip
    return told


def _times_sent(
    world: World[LoadActuals], cell: pl.DataFrame
) -> list[tuple[Manifest, int, Any]]:  # fmt: skip
    """Every time the cell was sent, newest first: the kept file, the line, the amount."""
    with world.store.database.read() as connection:
        files = records.of_flow(connection, world.flow_name, "sent")
    at = {m.path: m for m in files}
    rows = _sent(world, files, cell).to_dicts()
    told = [(at[row[FILE]], row["line"], row["amount"]) for row in rows]
    return sorted(told, key=lambda one: one[0].written_at, reverse=True)


def _sent(
    world: World[LoadActuals], files: Sequence[Manifest], cells: pl.DataFrame
) -> pl.DataFrame:
    """The rows of the files of imports that hold these cells: CELL_KEY, line, amount, FILE."""
    if not files:
        return cells.select(_KEY).clear().with_columns(line=None, amount=None, **{FILE: None})
    rows = world.store.scan(files, source=FILE).rename(SENT)
    if cells.height <= drill.FEW_KEYS:  # columns are passed over sooner than they are joined
        near = ("company", "account")
        rows = rows.filter(pl.col(n).is_in(cells[n].unique().implode()) for n in near)
    return rows.join(
        cells.lazy().select(_KEY), on=_KEY, how="semi", nulls_equal=True
    ).select(*_KEY, "line", "amount", FILE).collect()  # fmt: skip


def _load(
    world: World[LoadActuals], run: str, line: int, amount: Any, key: Mapping[str, Any]
) -> dict[str, Any]:
    """One load: file, chunk and line, task, Anaplan's answer, what was read back."""
    store = world.store
    with store.database.read() as connection:
        task = tasks.of_run(connection, run)
        gone = {p.object for p in purges.listed(connection, run=run)}
        told = purges.of_run(connection, run)
    vendor = [
        plain for m in store.kept(run, kind="dump") if m.id not in gone
        for plain in wire.dump_rows(store.read_bytes(m))
        .filter(pl.col("line") == line)["errors"].to_list()
    ]  # fmt: skip
    files = [m for m in store.kept(run, kind="anaplan") if m.id not in gone]
    own = [pl.col(name) == key[name] for name in _KEY]
    back = store.scan(files).filter(*own).collect() if files else pl.DataFrame()
    chunk, chunk_line = chunk_of(store.kept(run, kind="file"), line)
    ended = store.run(run)
    return {
        "run": run, "started_by": ended.started_by, "started_at": ended.started_at,
        "config_version": ended.config_version, "line": line, "chunk": chunk,
        "chunk_line": chunk_line, "amount": amount,
        "task": task.task_id if task else None, "state": task.state if task else None,
        "rejected": vendor, "read_back": back["shown"].sum() if back.height else None,
        "outcome": ended.outcome, "purged": told,
        "answer_purged": any(m.id in gone for m in store.kept(run, kind="dump")),
    }  # fmt: skip


def chunk_of(files: Sequence[Manifest], line: int) -> tuple[int | None, int | None]:
    """Which chunk of the file a line stands in (from 1), and which row of the chunk it is."""
    before = FIRST_DATA_LINE
    for number, manifest in enumerate(files, start=1):
        if line < before + manifest.rows:
            return number, line - before + 1
        before += manifest.rows
    return None, None


def _findings(
    world: World[LoadActuals], key: Mapping[str, Any], sent: set[tuple[str, int]]
) -> list[dict[str, Any]]:
    """Findings about the cell's members, or about a line of a file that it was `sent` in."""
    members = [(name, str(key[name])) for name in _KEY if key[name]]
    with world.store.database.read() as connection:
        found = rejects.about(connection, world.flow_name, members, sorted(sent))
    return [seeing.finding_as_json(r) for r in found]


def _findings_of_members(instance: Instance, cell: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the flows of members found about the codes of a cell."""
    told = []
    for name, flow in instance.project().flows.items():
        if isinstance(flow, LoadMembers):
            code = cell.get(LISTS_OF.get(flow.members, ""), "")
            if not code:
                continue
            with instance.store.database.read() as connection:
                found = rejects.of_code(connection, name, code)
            told += [seeing.finding_as_json(r) for r in found]
    return told
