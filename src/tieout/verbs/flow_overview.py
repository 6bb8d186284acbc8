"""What is configured to be loaded or submitted, in words, and how each of it stands."""

from __future__ import annotations

from typing import Any

from tieout.app import Instance
from tieout.core.findings import counted
from tieout.errors import Misconfigured
from tieout.project import Flow, LoadActuals, LoadMembers, Project, SubmitPlan
from tieout.store import bindings
from tieout.store.runs import Run
from tieout.verbs import acting, seeing

KINDS = {
    "load_members": "members into a list", "load_actuals": "actuals into a module",
    "load_table": "a table into a module or list", "submit_plan": "a plan into the ledger",
}  # fmt: skip


def flows(instance: Instance) -> list[dict[str, Any]]:
    """Every configured flow: what it does, its schedules, how its last run ended."""
    acting.require(instance, "view")
    project = instance.applied()
    return [_told(instance, project, name) for name in project.flows]


def flow(instance: Instance, name: str) -> dict[str, Any]:
    """One flow with what it is configured to do and what it is bound to.

    Misconfigured lists the flows when there is none of this name.
    """
    acting.require(instance, "view")
    project = instance.applied()
    if name not in project.flows:
        known = ", ".join(project.flows) or "none"
        raise Misconfigured(f"There is no flow {name!r}; there are: {known}.")
    configured = project.flows[name]
    with instance.store.database.read() as connection:
        bound = bindings.listed(connection, name)
    return _told(instance, project, name) | {
        "facts": list(_facts(configured).items()), "columns": dict(configured.columns),
        "bound": bound, "is_plan": isinstance(configured, SubmitPlan),
        "has_periods": isinstance(configured, LoadActuals),
    }  # fmt: skip


def _told(instance: Instance, project: Project, name: str) -> dict[str, Any]:
    configured = project.flows[name]
    last = seeing.last_run(instance, name)
    schedules = {n: s.when for n, s in project.schedules.items() if name in s.run}
    from_jde = not isinstance(configured, SubmitPlan)
    sides = (project.jde_name(configured), project.anaplan_name(configured))
    return {
        "flow": name, "kind": configured.__struct_config__.tag, "what": what_of(configured),
        "from": sides[0] if from_jde else sides[1], "to": sides[1] if from_jde else sides[0],
        "direction": "JD Edwards to Anaplan" if from_jde else "Anaplan to JD Edwards",
        "schedules": schedules, "last": seeing.run_as_json(last) if last else None,
        "under_way": under_way(instance, name),
    }  # fmt: skip


def under_way(instance: Instance, name: str) -> str:
    """The run of a flow that still waits or runs, "" when there is none."""
    run: Run | None = instance.store.unfinished_run(name)
    return run.id if run else ""


def what_of(configured: Flow) -> str:
    """What a flow does, as the end of a sentence."""
    told = KINDS[str(configured.__struct_config__.tag)]
    if isinstance(configured, LoadMembers):
        return f"{configured.members.replace('_', ' ')}: {told}"
    if isinstance(configured, LoadActuals):
        companies = counted(len(configured.companies), "company", "companies")
        return f"ledgers {', '.join(configured.ledgers)} of {companies}: {told}"
    return told


def _facts(configured: Flow) -> dict[str, str]:
    """The settings of a flow that say what it reads and where it leads, in words."""
    found: dict[str, str] = {}
    if isinstance(configured, SubmitPlan):
        found |= {
            "Export of Anaplan": configured.export, "Orchestration": configured.orchestration,
            "Ledger": configured.ledger or ", ".join(configured.ledgers().values()),
            "Document type": configured.document_type, "Approval": configured.approval,
            "Scope": configured.scope, "First period": configured.first_period,
            "Rounding": configured.rounding,
        }  # fmt: skip
        return found
    back = configured.read_back
    found |= {
        "Import of Anaplan": configured.import_,
        "Read back by": " ".join(
            f"{kind} {name}" for kind, name in (
                ("list", back.list), ("view", back.view), ("export", back.export),
            ) if name
        ),
    }  # fmt: skip
    if isinstance(configured, LoadActuals):
        found |= {
            "Companies": ", ".join(configured.companies),
            "Ledgers": ", ".join(configured.ledgers),
            "Periods": f"{configured.from_period} to {configured.to_period}",
            "Locked through": configured.locked_through or "nothing",
            "Detail from": configured.detail_from or "the first period",
            "Unmatched members": configured.unmatched,
            "Shown with the other sign": ", ".join(configured.signs.flip) or "nothing",
        }
    return found
