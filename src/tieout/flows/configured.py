"""As what a flow is configured, as digests: what was proved under another one counts no more."""

from __future__ import annotations

import hashlib

import msgspec

from tieout.flows.world import PlanOf
from tieout.project import Flow, Project, SubmitPlan

DIGEST_DIGITS = 16


def configured(project: Project, flow: Flow) -> str:
    """A digest that changes with the flow itself and with either end: then all is read anew."""
    erp = project.jde(flow)
    return _digest([flow, erp.url, erp.environment, erp.role, target(project, flow)])


def shared(project: Project, flow: Flow) -> str:
    """The same as `configured`, with what a plan shares with the flow of its actuals."""
    return _digest([configured(project, flow), plan_of(project, flow)])


def target(project: Project, flow: Flow) -> str:
    """A digest of where a flow loads to; what was proved in another model counts no more."""
    to = project.anaplan(flow)
    lists = project.lists_of(project.anaplan_name(flow))
    if isinstance(flow, SubmitPlan):
        return _digest([to.api_url, to.workspace, to.model, flow.export, lists])
    return _digest([to.api_url, to.workspace, to.model, flow.import_, flow.read_back, lists])


def plan_of(project: Project, flow: Flow) -> PlanOf | None:
    """What a flow that submits a plan shares with the flow of its actuals; None for others."""
    shared = project.actuals_of(flow) if isinstance(flow, SubmitPlan) else None
    if shared is None or not isinstance(flow, SubmitPlan):
        return None
    allowed = project.jde(flow).plan_ledgers
    return PlanOf(*shared, companies=project.companies_of(flow), allowed=allowed)


def _digest(value: object) -> str:
    told = msgspec.json.encode(value, order="sorted")
    return hashlib.sha256(told).hexdigest()[:DIGEST_DIGITS]
