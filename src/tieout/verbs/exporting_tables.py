"""The last comparison of a table with Anaplan as a document that says by itself what it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from tieout.app import Instance
from tieout.core.findings import counted
from tieout.core.table import CURRENCY, Shape
from tieout.core.table_tie_out import COMPARED
from tieout.errors import Misconfigured
from tieout.flows.table_reading import shape
from tieout.project_tables import Filter, LoadTable
from tieout.store.runs import Run
from tieout.verbs import acting, exporting, seeing, tables
from tieout.verbs.sheets.sheet import Row, Sheet, Table, Value
from tieout.verbs.words import OUTCOMES

ROWS_AT_ONCE = 50_000  # that are in memory as values
NUMBERS = ("value", "shown")  # of the table, and of Anaplan
SUMS = ("gross_table", "gross_anaplan", "difference", "table", "anaplan")


def export(instance: Instance, flow: str, path: Path, *, cells: bool = False) -> dict[str, Any]:
    """Write the last comparison of a flow that loads a table; what was written, and its SHA-256.

    `cells`: those that tie as well. Misconfigured when both sides were never compared.
    """
    acting.require(instance, "view")
    exporting.form_of(path)
    return exporting.saved(instance, lambda: statement(instance, flow, cells=cells), path)


def statement(instance: Instance, flow: str, *, cells: bool = False) -> Sheet:
    """The document: verdict, facts, sums, what does not tie, where the rows went, findings."""
    last = _last(instance, flow)
    found = tables.tied(instance, flow)
    run = instance.store.run(last[0])
    with instance.world_for(run.id, looking=True) as world:
        of = shape(world.flow)
        compared = world.lazy("compared", COMPARED)
        facts = _facts(instance, flow, world.flow, run)
    sorted_cells = compared.sort([*of.identify, "item"])
    sums = found["table_tie_out"]
    differing, numbers = (sum(r[n] for r in sums) for n in ("cells_differing", "cells"))
    facts += [
        ("Compared at", last[1]), ("Numbers", numbers), ("Numbers that differ", differing),
        ("SHA-256 of the compared numbers", _digest(sorted_cells, of)),
        ("That hash is", f"over CSV with line feeds: {', '.join([*of.identify, 'item'])}, value, "
         "shown, sorted by the first, amounts with four decimals"),
        *exporting.made(instance),
    ]  # fmt: skip
    apart = sorted_cells.filter((pl.col("value") != pl.col("shown")) | (pl.col("waits") != ""))
    told = [
        _sums(sums),
        _cells("Numbers that do not tie", "Every number that differs or waits.", apart, of),
        _account(seeing.show(instance, run.id)["accounted"]),
        _findings(seeing.rejects(instance, run=run.id)),
        *([_cells("Every number", "All that were compared.", sorted_cells, of)] * cells),
    ]  # fmt: skip
    return Sheet(
        f"Tie-out of {flow}", _verdict(found, numbers, differing), bool(found["ok"]), facts, told
    )


def _last(instance: Instance, flow: str) -> tuple[str, datetime]:
    """The run that compared both sides last, and when."""
    manifests = instance.store.current(flow, "table_tie_out")
    if not manifests:
        raise Misconfigured(
            f"No run of {flow} has compared both sides yet.",
            untouched="Nothing was written.", do=f"`tieout run {flow}` does.",
        )  # fmt: skip
    return manifests[-1].run, manifests[-1].written_at


def _verdict(found: Mapping[str, Any], numbers: int, differing: int) -> str:
    if found["ok"]:
        return f"All {counted(numbers, 'number')} tie."
    told = f"{differing:,} of {counted(numbers, 'number')} differ" if differing else "Not complete"
    return f"{told}. The run said: {found.get('sentence', '')}"


def _facts(
    instance: Instance, name: str, flow: LoadTable, run: Run
) -> list[tuple[str, Value]]:  # fmt: skip
    project = instance.applied(run.config_version)
    erp, planning = project.jde(flow), project.anaplan(flow)
    config = instance.store.config(run.config_version)
    back = flow.read_back.list or flow.read_back.view or flow.read_back.export
    steps = {s.name: s.result for s in instance.store.steps(run.id)}
    return [
        ("What was compared", f"{flow.table} as JD Edwards showed it, read whole and added up, = "
         "Anaplan (read back), number by number, as a full outer join of "
         + ", ".join(flow.identify)),
        ("Not compared", "rows that the conditions leave out; texts of a list are findings"),
        ("Flow", name),
        ("Conditions", "; ".join(map(_condition, flow.where)) or "none: every row"),
        ("Rows read", int(steps.get("read the table", {}).get("rows", 0))),
        ("JD Edwards", f"{erp.url}, environment {erp.environment}, role {erp.role}"),
        ("Anaplan", f"workspace {planning.workspace}, model {planning.model}, read from {back}"),
        ("Configuration version", run.config_version),
        ("Configuration SHA-256", config.sha256 if config else ""),
        ("Mapping version", int(steps.get("fold into cells", {}).get("mapping", 0))),
        ("Compared by run", f"{run.id} ({run.kind}), started by {run.started_by}"),
        ("Run started", run.started_at),
        ("Run ended", run.finished_at),
        ("Run outcome", f"{OUTCOMES[run.outcome]}. {run.sentence}"),
    ]  # fmt: skip


def _condition(one: Filter) -> str:
    parts = [f"is {', '.join(map(str, one.is_))}"] if one.is_ else []
    parts += [f"is not {', '.join(map(str, one.is_not))}"] if one.is_not else []
    parts += [f"from {one.from_}"] if one.from_ is not None else []
    parts += [f"to {one.to}"] if one.to is not None else []
    return f"{one.field} {' and '.join(parts)}"


def _digest(compared: pl.LazyFrame, of: Shape) -> str:
    """SHA-256 over what was compared; the text behind it can be made of the file with --cells."""
    amounts = [pl.col(n).cast(pl.Decimal(38, 4)) for n in NUMBERS]
    frame = compared.select(*of.identify, "item", *amounts).collect()
    return hashlib.sha256(frame.write_csv(line_terminator="\n").encode()).hexdigest()


def _sums(found: list[dict[str, Any]]) -> Table:
    rows = [[r["item"], r[CURRENCY], r["cells"], r["cells_differing"], *(r[n] for n in SUMS)]
            for r in found]  # fmt: skip
    about = (
        "Sums over the cells of a number and currency; difference and gross: sums of amounts "
        "without their signs. Without a currency a sum is a control total, no amount of money."
    )
    return Table("Sums", about, ("number", CURRENCY, "cells", "differ", *SUMS), lambda: rows)


def _cells(name: str, about: str, compared: pl.LazyFrame, of: Shape) -> Table:
    def rows() -> Iterator[Row]:
        gap = (pl.col("value") - pl.col("shown")).alias("gap")
        shown = compared.select(*of.identify, "item", CURRENCY, *NUMBERS, gap, "waits").collect()
        for part in shown.iter_slices(ROWS_AT_ONCE):
            yield from part.iter_rows()

    columns = (*of.identify, "number", CURRENCY, "table", "Anaplan", "table_less_anaplan", "waits")
    return Table(name, about, columns, rows)


def _account(told: Mapping[str, Any] | None) -> Table:
    rows = [
        [p["step"], p["verb"], p["what"], p["came"]["rows"], went["as"], went["rows"], p["agrees"]]
        for p in (told or {}).get("passages", ())
        for went in p["went"]
    ]
    about = "What came into every step of the run and where it went; `agrees` with all its sums."
    columns = ("step", "verb", "what", "came", "went_as", "went", "agrees")
    return Table("Where the rows went", about, columns, lambda: rows)


def _findings(found: list[dict[str, Any]]) -> Table:
    names = ("rule", "severity", "state", "subject", "what", "remedy", "amount", CURRENCY)
    rows = [[one.get(name) for name in names] for one in found]
    return Table("Findings", "What the run found, and what would mend it.", names, lambda: rows)
