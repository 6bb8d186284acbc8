"""How the whole instance stands: one verdict, each flow's last run, what is open, the tie-out."""

from __future__ import annotations

from typing import Any

from tieout.app import Instance
from tieout.core.findings import counted
from tieout.errors import Misconfigured
from tieout.project import LoadActuals
from tieout.store import batches
from tieout.store.schema import UNFINISHED
from tieout.verbs import practice, seeing
from tieout.verbs.words import moment

RUNS_SHOWN_MAX = 15


def overview(instance: Instance) -> dict[str, Any]:
    """Everything the status page shows; a configuration that does not hold is told, not raised."""
    found: dict[str, Any] = {
        "problem": "", "flows": [], "tie_out": [], "at": instance.clock.now(),
        "home": str(instance.home), "practice": practice.practice_home(instance.home),
        "runs": seeing.runs(instance, limit=RUNS_SHOWN_MAX),
        "findings": seeing.grouped(seeing.rejects(instance, standing=True)),
        "waiting": _waiting(instance),
    }  # fmt: skip
    try:
        project = instance.project()
        for name, flow in project.flows.items():
            found["flows"].append(_flow(instance, name))
            if isinstance(flow, LoadActuals):
                found["tie_out"].append(_compared(instance, name))
    except Misconfigured as trouble:
        found["problem"] = trouble.sentence()
    return found | {"verdict": verdict(found), "good": _good(found)}


def _good(found: dict[str, Any]) -> bool:
    """Whether every flow is complete and no cell differed."""
    complete = all(f["last"] and f["last"]["ok"] for f in found["flows"])
    companies = [c for flow in found["tie_out"] for c in flow["companies"]]
    tied = all(not c["cells_differing"] for c in companies)
    return bool(found["flows"]) and complete and tied and not found["problem"]


def _flow(instance: Instance, name: str) -> dict[str, Any]:
    last = seeing.last_run(instance, name)
    return {"flow": name, "last": seeing.run_as_json(last) if last else None}


def _waiting(instance: Instance) -> dict[str, str]:
    """Flow → its batch that waits for a decision."""
    with instance.store.database.read() as connection:
        return {b.flow: b.id for b in batches.listed(connection, states=("prepared",))}


def _compared(instance: Instance, name: str) -> dict[str, Any]:
    last = seeing.last_comparison(instance, name)
    table = seeing.tie_out_table(instance, name)
    periods = sorted(f"{row['fiscal_year']}-{row['period']:02d}" for row in table)
    return {
        "flow": name, "run": last[0] if last else "", "at": last[1] if last else None,
        "companies": seeing.totals(table), "open_cells": len(instance.store.open_cells(name)),
        "first": periods[0] if table else "", "last": periods[-1] if table else "",
    }  # fmt: skip


def verdict(found: dict[str, Any]) -> str:
    """One sentence or two: is everything in, and right?"""
    if found["problem"]:
        return str(found["problem"])
    waits = found["waiting"]
    last = {f["flow"]: f["last"] for f in found["flows"] if f["flow"] not in waits}
    told = [_list_of(
        [n for n, run in last.items() if run and run["outcome"] in outcomes], one, many
    ) for outcomes, one, many in (
        (("needs_attention",), "needs attention", "need attention"),
        (("failed", "cancelled"), "did not finish", "did not finish"),
        (UNFINISHED, "is under way", "are under way"),
    )]  # fmt: skip
    told.append(_list_of([n for n, run in last.items() if not run], "has not run", "have not run"))
    told.append(_list_of(list(waits), "waits for approval", "wait for approval"))
    told = [sentence for sentence in told if sentence]
    if not told:
        told = [f"All {counted(len(last), 'flow')} are complete."]
    return " ".join([*told, _tied(found["tie_out"])]).strip()


def _list_of(names: list[str], one: str, many: str) -> str:
    if not names:
        return ""
    text = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return f"{text[0].upper()}{text[1:]} {one if len(names) == 1 else many}."


def _tied(compared: list[dict[str, Any]]) -> str:
    companies = [c for flow in compared for c in flow["companies"]]
    if not companies:
        return ""
    cells = sum(c["cells"] for c in companies)
    differing = sum(c["cells_differing"] for c in companies)
    at = moment(max(flow["at"] for flow in compared if flow["at"]))
    if differing:
        return f"When last compared ({at}), {differing:,} of {counted(cells, 'cell')} differed."
    left = sum(flow["open_cells"] for flow in compared)
    if left:
        return (
            f"When last compared ({at}), none of {counted(cells, 'cell')} differed, but "
            f"{counted(left, 'cell')} stayed open."
        )
    return f"When last compared ({at}), F0911 = F0902 = Anaplan in all {counted(cells, 'cell')}."
