"""The approved plan as Anaplan exports it: layouts checked, files kept, codes found."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import polars as pl

from tieout.anaplan.exports import ExportLayout, check_export_columns
from tieout.anaplan.plan_rows import control_rows, plan_rows
from tieout.core.findings import Finding, Severity
from tieout.core.plan_members import in_codes
from tieout.flows.bindings import check_bindings
from tieout.flows.dimensions import ALWAYS, members_of
from tieout.flows.exporting import run_export
from tieout.flows.world import Result, World, tell
from tieout.project import SubmitPlan
from tieout.store.steps import Step

LAYOUT_DIGITS = 16
UNTOUCHED = "Nothing was prepared, and nothing was sent to JD Edwards."
EVERYTHING = "*"  # stops: a finding that concerns no single company


def check_exports(step: Step, world: World[SubmitPlan]) -> Result:
    """Exports and orchestrations by name, with the columns and inputs that the flow names.

    All that can be missing is looked for before anything is begun; with `stops` nothing is.
    """
    flow = world.flow
    found = check_bindings(step, world)
    if found["stops"]:
        return found
    plan = world.anaplan.export_layout(flow.export)
    check_export_columns(plan, flow.columns)
    control = None
    if flow.control_export:
        control = world.anaplan.export_layout(flow.control_export)
        check_export_columns(control, flow.control_columns)
    return found | {
        "plan": msgspec.to_builtins(plan),
        "control": msgspec.to_builtins(control) if control else None,
        "digest": _pinned(plan, control),
    }


def _pinned(*layouts: ExportLayout | None) -> str:
    """What an approval pins of the exports: names, columns and formats, in their order."""
    told = msgspec.json.encode([msgspec.to_builtins(layout) for layout in layouts if layout])
    return hashlib.sha256(told).hexdigest()[:LAYOUT_DIGITS]


def _layout(told: dict[str, Any]) -> ExportLayout:
    """A layout as "check the exports" found it."""
    return msgspec.convert(told, ExportLayout)


def keep_export(step: Step, world: World[SubmitPlan], kind: str, told: dict[str, Any]) -> Result:
    """Run an export and keep its file as it came; repeated, it only reads."""
    layout = _layout(told)
    task = run_export(step, world, layout.id, layout.name, UNTOUCHED)
    data = b"".join(world.anaplan.download(layout.id))
    step.keep_bytes(kind, data, ".csv")
    step.tell("exported", layout.name, task=task, bytes=len(data))
    return {"task": task, "bytes": len(data)}


def read_plan(step: Step, world: World[SubmitPlan], run: str, layouts: dict[str, Any]) -> Result:
    """The exported rows under codes; keeps `plan` (PLAN) and `control`, writes findings.

    `stops`: the companies of which a row cannot be read, or EVERYTHING.
    """
    data, flow = _file(world, run, "plan_file"), world.flow
    rows, findings = plan_rows(data, _layout(layouts["plan"]), flow.columns)
    lists = {d: world.dimensions[d] for d in ALWAYS if d in world.dimensions}
    members = {d: members_of(world, name) for d, name in lists.items()}
    rows, unknown = in_codes(rows, members)
    step.keep("plan", rows)
    if layouts["control"]:
        data = _file(world, run, "control_file")
        control = control_rows(data, _layout(layouts["control"]), flow.control_columns)
        step.keep("control", _company_codes(control, members.get("company")))
    findings += unknown
    tell(step, world, findings)
    return {"rows": rows.height, "stops": stops_of(findings)}


def stops_of(findings: list[Finding]) -> list[str]:
    """The companies that findings keep from being sent, or EVERYTHING."""
    return sorted({f.company or EVERYTHING for f in findings if f.severity is Severity.REJECT})


def _file(world: World[SubmitPlan], run: str, kind: str) -> bytes:
    return world.store.read_bytes(world.store.kept(run, kind=kind)[-1])


def _company_codes(control: pl.DataFrame, members: pl.DataFrame | None) -> pl.DataFrame:
    """The companies of the control export by code; one that the list lacks stays as it is."""
    if members is None:
        return control
    codes = members.select(company="name", _code="code")
    found = control.join(codes, on="company", how="left", maintain_order="left")
    return found.with_columns(company=pl.coalesce("_code", "company")).drop("_code")
