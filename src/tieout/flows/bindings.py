"""What a flow names in both systems, looked up first and compared with the last time.

Names are resolved to ids at the start of each run that has something to do; what changed since the
flow last used it is told as findings, and what it cannot go on with stops it there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tieout.anaplan.client import Anaplan
from tieout.anaplan.exports import check_export_columns
from tieout.anaplan.files import check_columns
from tieout.anaplan.names import KINDS
from tieout.core import drift
from tieout.core.drift import Thing
from tieout.core.findings import Finding
from tieout.errors import Misconfigured
from tieout.flows.world import Result, World, tell
from tieout.jde import orchestrations
from tieout.jde.orchestrations import Orchestration
from tieout.jde.orchestrator import Orchestrator
from tieout.project import Flow, LoadActuals, SubmitPlan
from tieout.project_tables import LoadTable
from tieout.store import bindings
from tieout.store.steps import Step

IMPORT, PROCESS, ORCHESTRATION = "import", "process", "orchestration"
TIME = "Time"  # a dimension that is no list
PLURALS = {word: plural for plural, word in KINDS.items()}
STOPPED_EXIT_CODE = 3  # what the flow names is not there: configuration
Bound = Mapping[tuple[str, str], Thing]  # what was last used, by kind and the name in the flow


@dataclass(frozen=True, slots=True)
class Look:
    """What was found: findings, and the things as they are now by kind and name in the flow."""

    findings: list[Finding] = field(default_factory=list)
    things: dict[tuple[str, str], Thing] = field(default_factory=dict)
    stops: list[str] = field(default_factory=list)  # what the flow cannot go on with

    def stop(self, finding: Finding) -> None:
        """The flow cannot go on: for this."""
        self.findings.append(finding)
        self.stops.append(finding.subject)


@dataclass(frozen=True, slots=True)
class Systems:
    """Where a flow's names are looked up; orchestrations only where the flow calls some."""

    anaplan: Anaplan
    orchestrator: Callable[[], Orchestrator]


# ------------------------------------------------------------------ in a run


def check_bindings(step: Step, world: World[Any], *, sends: bool = True) -> Result:
    """Look everything up that the flow names; findings, and why it cannot go on (`stops`).

    `sends` False: only what proves is needed, since nothing is to be loaded.
    """
    model = world.anaplan.resolve().id
    with world.store.database.read() as connection:
        bound = bindings.of_flow(connection, world.flow_name, model)
    systems = Systems(world.anaplan, lambda: world.orchestrator)
    found = look(systems, world.flow, bound, sends=sends)
    tell(step, world, found.findings)
    if not world.asked.get("preview"):
        flow, run, at = world.flow_name, step.run.id, step.at()
        step.after(lambda c: bindings.keep(c, flow, model, found.things, run, at))
    return {"stops": found.stops}


def stopped(step: Step, world: World[Any], stops: Sequence[str]) -> Result:
    """The run ends before anything was touched."""
    told = "; ".join(f"{one} is not as the flow needs it" for one in stops)
    return {
        "outcome": "failed", "exit_code": STOPPED_EXIT_CODE, "figures": {"rows_sent": 0},
        "sentence": f"{world.title} stopped before anything was touched: {told}. "
        "Nothing was changed in Anaplan or JD Edwards.",
    }  # fmt: skip


# ------------------------------------------------------------------ what is looked up


def names_of(flow: Flow, *, sends: bool = True) -> list[tuple[str, str]]:
    """Kind and name of everything a flow names; an import may turn out to be a process."""
    if isinstance(flow, SubmitPlan):
        named = [(ORCHESTRATION, flow.orchestration), (ORCHESTRATION, flow.reserve)]
        named += [("export", flow.export), ("export", flow.control_export)]
    else:
        back = flow.read_back
        named = [(IMPORT, flow.import_)] if sends else []
        named += [("list", back.list), ("view", back.view), ("export", back.export)]
        if isinstance(flow, LoadActuals | LoadTable):
            named += [("list", name) for name in back.dimensions.values() if name != TIME]
    return [(kind, name) for kind, name in dict.fromkeys(named) if name]


def look(systems: Systems, flow: Flow, bound: Bound, *, sends: bool = True) -> Look:
    """Everything that `flow` names, as it is now, beside what it last used."""
    found = Look()
    for kind, name in names_of(flow, sends=sends):
        before = _last(bound, kind, name)
        try:
            thing, detail = _find(systems, flow, kind, name)
        except Misconfigured as trouble:
            _not_there(systems, found, (kind, name), before, trouble)
            continue
        try:
            _check(flow, kind, name, detail)
        except Misconfigured as trouble:
            found.stop(drift.unfit(before, thing, trouble.what, _remedy(trouble)))
            continue
        if before and (note := drift.drifted(before, thing)):
            found.findings.append(note)
        found.things[thing.kind, name] = thing
    return found


def _last(bound: Bound, kind: str, name: str) -> Thing | None:
    """What was last used under this name; an import and a process are named alike."""
    kinds = (IMPORT, PROCESS) if kind == IMPORT else (kind,)
    return next((bound[k, name] for k in kinds if (k, name) in bound), None)


Looked = tuple[Thing, Any]  # and what the check of its columns or inputs needs


def _find(systems: Systems, flow: Flow, kind: str, name: str) -> Looked:
    if kind == ORCHESTRATION:
        found = systems.orchestrator().named(name)
        return thing_of(found), found
    if kind == IMPORT:
        return _action(systems.anaplan, name)
    if kind == "export" and isinstance(flow, SubmitPlan):
        layout = systems.anaplan.export_layout(name)
        return Thing(kind, layout.id, layout.name, {"columns": list(layout.headers)}), layout
    named = systems.anaplan.find(PLURALS[kind], name)
    return Thing(kind, named.id, named.name), None


def _check(flow: Flow, kind: str, name: str, detail: Any) -> None:
    """Misconfigured when what was found does not fit the flow."""
    if not isinstance(flow, SubmitPlan):
        if kind == IMPORT:
            check_columns(detail[1], detail[0].import_name, list(flow.columns))
    elif kind == "export":
        control = name == flow.control_export
        check_export_columns(detail, flow.control_columns if control else flow.columns)
    elif name == flow.orchestration:
        orchestrations.check(detail, flow.inputs, flow.lines, flow.line_inputs)


def _action(anaplan: Anaplan, name: str) -> Looked:
    """An import or process, with the columns that its import expects."""
    action = anaplan.action(name)
    layout = anaplan.file_layout(action)
    told: dict[str, drift.Facet] = {"columns": list(layout.headers), "source": action.file_id}
    if action.kind == "processes":
        told["reader"] = action.import_name
    return Thing(KINDS[action.kind], action.id, action.name, told), (action, layout)


def thing_of(found: Orchestration) -> Thing:
    """An orchestration with its inputs, those of an array as `Lines.Amount`."""
    inputs = {}
    for one in found.inputs:
        inputs[one.name] = "array" if one.columns else one.kind
        inputs |= {f"{one.name}.{column.name}": column.kind for column in one.columns}
    told: dict[str, drift.Facet] = {"inputs": inputs, "format": found.message_format}
    return Thing(ORCHESTRATION, found.object_name or found.name, found.name, told)


def _not_there(
    systems: Systems, found: Look, key: tuple[str, str], before: Thing | None,
    trouble: Misconfigured,
) -> None:  # fmt: skip
    """A name that cannot be resolved; the thing of last time may have another one by now."""
    kind, name = key
    now = _by_id(systems, before) if before else None
    if before is not None and now is not None and now.name != name:
        finding = drift.renamed(before, now)
        found.stop(finding)
        return
    found.stop(drift.missing(kind, name, trouble.what, _remedy(trouble)))


def _remedy(trouble: Misconfigured) -> str:
    return f"{trouble.do} Who can do it: {trouble.who}." if trouble.who else trouble.do


def _by_id(systems: Systems, before: Thing) -> Thing | None:
    """What has the id now that the flow last used."""
    if before.kind == ORCHESTRATION:
        shown = systems.orchestrator().shown()
        return next((thing_of(o) for o in shown if o.object_name == before.id), None)
    every = systems.anaplan.all(PLURALS[before.kind])
    return next((Thing(before.kind, n.id, n.name) for n in every if n.id == before.id), None)
