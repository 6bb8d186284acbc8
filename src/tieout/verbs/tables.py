"""What a flow that loads a table did, as plain values: its tie-out, and the story of a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from tieout.anaplan import wire
from tieout.app import Instance
from tieout.core import table as core
from tieout.core.policy import INSTANCE
from tieout.core.table import ROW, Shape
from tieout.errors import Misconfigured
from tieout.flows.load_table import maps_of
from tieout.flows.table_reading import ROWS, money_of, shape
from tieout.flows.world import World
from tieout.project_tables import LoadTable
from tieout.store import records, rejects, tasks
from tieout.store.records import Manifest
from tieout.store.rejects import Reject
from tieout.store.runs import Run
from tieout.verbs import acting, seeing, tracing

CELLS_SHOWN_MAX = 200  # of what a search finds; `found` says how many there are
ROWS_SHOWN_MAX = 1_000
LOADS_SHOWN_MAX = 20
FILE = "file"  # the column that says in which file of the records a row is kept


def is_table(instance: Instance, flow: str | None) -> bool:
    """Whether a flow loads a table; False for none."""
    return flow is not None and isinstance(seeing.known(instance, flow), LoadTable)


def tied(instance: Instance, flow: str, done: Run | None = None) -> dict[str, Any]:
    """The last comparison with its verdict: that of `done`, else of the flow's last run.

    `table_tie_out`: a row per number and currency.
    """
    manifests = instance.store.current(flow, "table_tie_out")
    table = instance.store.scan(manifests).collect().to_dicts() if manifests else []
    run = done or (seeing.last_run(instance, flow, finished=True) if manifests else None)
    code = (run.exit_code or 0) if run else 0
    if any(row["cells_differing"] for row in table):
        code = code or seeing.DIFFERS
    result: dict[str, Any] = {"ok": code == 0, "exit_code": code, "table_tie_out": table}
    if run is not None:
        result |= {"run": run.id, "sentence": run.sentence, "outcome": run.outcome}
    return result


def trace(instance: Instance, flow: str, members: Sequence[str], run: str = "") -> dict[str, Any]:
    """The cells that have all `members`, and of a single one its story.

    `story`: the rows of the table behind it, the files it was sent in with Anaplan's answer, and
    the findings about it. `run` keeps to what that run sent. Misconfigured when nothing agrees.
    """
    acting.require(instance, "view", INSTANCE)
    last = seeing.last_run(instance, flow)
    if last is None:
        raise Misconfigured(f"The flow {flow} was never run.", do=f"`tieout run {flow}`.")
    with instance.world_for(last.id, looking=True) as world:
        of = shape(world.flow)
        found = _cells(world, of, members, run)
        if found.is_empty():
            raise Misconfigured(
                f"No cell of {flow} has {' and '.join(members) or 'anything'}.",
                untouched="Only what runs have compared is searched.",
                do="Leave out a member, or run the flow first.",
            )
        keys = found.select(of.identify).unique(maintain_order=True)
        told: dict[str, Any] = {
            "ok": True, "flow": flow, "table": world.flow.table, "identify": list(of.identify),
            "found": keys.height, "cells": found.head(CELLS_SHOWN_MAX).to_dicts(),
        }  # fmt: skip
        if keys.height == 1:
            told["story"] = _story(world, of, keys)
        return told


def trace_reject(instance: Instance, reject: Reject) -> dict[str, Any]:
    """The cells that a reject of a table's flow is about, with the `reject`."""
    found = reject.finding
    with instance.world_for(reject.run, looking=True) as world:
        of, sent = shape(world.flow), instance.store.kept(reject.run, kind="sent")
        row = pl.DataFrame()
        if found.line is not None and sent:
            rows = world.store.scan(sent).filter(pl.col("line") == found.line)
            row = rows.select(of.identify).collect()
    members = list(row.row(0)) if row.height else [found.member] if found.member else []
    if not members:
        raise Misconfigured(
            f"Reject {reject.id} is about {found.subject}, which is no single cell or member.",
            do=f"`tieout show {reject.run}` tells what that run did.",
        )
    told = trace(instance, reject.flow, members)
    return told | {"reject": seeing.finding_as_json(reject)}


def _cells(world: World[LoadTable], of: Shape, members: Sequence[str], run: str) -> pl.DataFrame:
    """identify, item, value, shown, currency, waits of the compared cells with all members."""
    compared = world.lazy("compared", {})
    if not compared.collect_schema():
        return pl.DataFrame()
    for member in members:
        compared = compared.filter(pl.any_horizontal(pl.col(h) == member for h in of.identify))
    if run:
        sent = world.lazy_of_this_run(run, "sent", of.schema).select(of.identify)
        compared = compared.join(sent, on=list(of.identify), how="semi")
    return compared.sort([*of.identify, "item"]).collect()


def _story(world: World[LoadTable], of: Shape, key: pl.DataFrame) -> dict[str, Any]:
    cell = key.row(0, named=True)
    loads = _loads(world, of, key)
    lines = sorted({(load["run"], load["line"]) for load in loads})
    members = [("", value) for value in cell.values() if value and isinstance(value, str)]
    with world.store.database.read() as connection:
        found = rejects.about(connection, world.flow_name, members, lines)
    return {
        "cell": cell, "rows": _rows(world, of, key), "loads": loads[:LOADS_SHOWN_MAX],
        "findings": [seeing.finding_as_json(r) for r in found],
    }  # fmt: skip


def _rows(world: World[LoadTable], of: Shape, key: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of the mirror behind a cell, by JDE's aliases, with the run that read them."""
    mirror = world.store.current(world.flow_name, ROWS)
    if not mirror:
        return []
    read_by = mirror[0].run
    meant = core.rows_as_meant(
        world.store.scan(mirror), of, money_of(world, read_by), maps_of(world)
    )
    mine = meant.join(key.lazy(), on=list(of.identify), how="semi").head(ROWS_SHOWN_MAX)
    return [row | {"run": read_by} for row in mine.select(ROW).unnest(ROW).collect().to_dicts()]


def _loads(world: World[LoadTable], of: Shape, key: pl.DataFrame) -> list[dict[str, Any]]:
    """Every time a cell was sent, newest first: file, line, task and Anaplan's answer."""
    with world.store.database.read() as connection:
        files = records.of_flow(connection, world.flow_name, "sent")
    at = {m.path: m for m in files}
    told = []
    for path, own in _by_file(world, of, key, files):
        manifest = at[path]
        told += [_load(world, of, manifest, row) for row in own]
    return sorted(told, key=lambda load: load["sent_at"], reverse=True)


def _by_file(
    world: World[LoadTable], of: Shape, key: pl.DataFrame, files: Sequence[Manifest]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """The rows of a cell in the files that were sent; other columns were another flow once."""
    found = []
    for manifest in files:
        rows = world.store.scan([manifest])
        if set(of.identify) <= set(rows.collect_schema().names()):
            own = rows.join(key.lazy(), on=list(of.identify), how="semi").collect()
            found.append((manifest.path, own.to_dicts()))
    return found


def _load(
    world: World[LoadTable], of: Shape, manifest: Manifest, row: Mapping[str, Any]
) -> dict[str, Any]:
    run, line = manifest.run, row["line"]
    with world.store.database.read() as connection:
        task = tasks.of_run(connection, run)
    words = [
        text for dump in world.store.kept(run, kind="dump")
        for text in wire.dump_rows(world.store.read_bytes(dump))
        .filter(pl.col("line") == line)["errors"].to_list()
    ]  # fmt: skip
    chunk, chunk_line = tracing.chunk_of(world.store.kept(run, kind="file"), line)
    return {
        "run": run, "sent_at": manifest.written_at, "line": line, "chunk": chunk,
        "chunk_line": chunk_line, "task": task.task_id if task else None, "rejected": words,
        "numbers": {h: row[h] for h in of.numbers if h in row},
    }  # fmt: skip
