"""Certify that a company's period ties: prepared by one person, certified by another."""

from __future__ import annotations

from typing import Any

from tieout.app import Instance
from tieout.core.findings import Severity, counted
from tieout.core.policy import Thing
from tieout.errors import Misconfigured, Refused
from tieout.flows.certified import digests
from tieout.flows.changes import SEEN
from tieout.store import baselines, certifications, people
from tieout.store.certifications import Certification, Place
from tieout.verbs import acting, explaining, seeing

REASONS_SHOWN_MAX = 5


def listed(instance: Instance, flow: str | None = None) -> list[dict[str, Any]]:
    """Every certification as it stands."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        return [_as_json(c) for c in certifications.listed(connection, flow)]


def prepare(instance: Instance, flow: str, company: str, period: str) -> dict[str, Any]:
    """Say that a company's period ties as it was last compared; it waits for another person.

    Refused, with every reason, when something there does not permit it.
    """
    acting.require(instance, "prepare certification")
    place = (company, *seeing.period_of(period))
    name = certifications.named(flow, place)
    run = _compared(instance, flow)
    digest, cells = _now(instance, flow, run, place, name)
    if reasons := _against(instance, flow, run, company, period):
        more = len(reasons) - REASONS_SHOWN_MAX
        told = "; ".join(reasons[:REASONS_SHOWN_MAX]) + (f"; and {more} more" if more > 0 else "")
        raise Refused(
            f"{name} cannot be certified: {told}.", untouched="Nothing was prepared.",
            do="Settle these, run the flow, and prepare it again.",
        )  # fmt: skip
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, token, at), "prepare certification")
        new = Certification(flow, *place, "prepared", digest, cells, run, by.name, at)
        return {"ok": True, **_as_json(certifications.prepare(connection, new))}


def certify(
    instance: Instance, flow: str, company: str, period: str, digest: str, reason: str = ""
) -> dict[str, Any]:
    """Sign what another person prepared, if the amounts are still those of `digest`."""
    place = (company, *seeing.period_of(period))
    name = certifications.named(flow, place)
    token, at = acting.held_token(instance), instance.clock.now()
    run = _compared(instance, flow)
    now, _ = _now(instance, flow, run, place, name)
    if reasons := _other_baselines(instance, flow, run):
        raise Refused(
            f"{name} cannot be certified: {reasons[0]}.", untouched="Nothing was certified.",
            do=f"`tieout run {flow}` proves its balances anew; then look at it again.",
        )  # fmt: skip
    with instance.store.begin() as connection:
        held = certifications.require(connection, flow, place)
        thing = Thing(name, held.state, held.prepared_by)
        by = acting.allowed(people.who(connection, token, at), "certify", thing)
        if not held.digest == now == digest:
            raise Refused(
                f"The amounts of {name} are not those that were prepared or shown.",
                untouched="Nothing was certified.",
                do="Look at it again (`tieout certify`); who prepared it prepares it anew.",
            )
        done = certifications.certify(connection, flow, place, by.name, reason, at)
    return {"ok": True, **_as_json(done)}


def _compared(instance: Instance, flow: str) -> str:
    found = seeing.last_comparison(instance, flow)
    if found is None:
        raise Misconfigured(
            f"No run of {flow} has compared both sides yet.", do=f"`tieout run {flow}` does."
        )
    return found[0]


def _now(
    instance: Instance, flow: str, run: str, place: Place, name: str
) -> tuple[str, int]:  # fmt: skip
    with instance.world_for(run, looking=True) as world:
        found = digests(world.lazy("compared", {}), [place])
    if place not in found:
        raise Misconfigured(
            f"The last comparison of {flow} has no cell of {name}.",
            untouched="Nothing was certified.",
            do="Name a company of JD Edwards, and a fiscal year and period that the flow loads.",
        )
    return found[place]


def _against(instance: Instance, flow: str, run: str, company: str, period: str) -> list[str]:
    """What forbids it: differences of this period, and grave findings about the company."""
    told = [
        f"{counted(row['cells'], 'cell')} {row['class']}"
        for row in explaining.explain(instance, flow, period)["classes"]
        if row["ledger_company"] == company and not row["permits_certification"]
    ]
    told += _other_baselines(instance, flow, run)
    ended = instance.store.run(run)
    if not ended.finished:
        told.append(f"{run} has not ended")
    told += [
        f"{found.finding.subject}: {found.finding.rule}"
        for found in instance.store.rejects(run=run)
        if found.finding.severity in (Severity.REJECT, Severity.DIFFERENCE)
        and found.finding.company in (company, "")
        and found.state != "fixed"  # a waiver explains nothing
    ]
    return told


def _other_baselines(instance: Instance, flow: str, run: str) -> list[str]:
    """A reason where a baseline was signed or withdrawn that the comparison has not heard of."""
    seen = (instance.store.position(flow, SEEN) or {}).get("baselines", 0)
    with instance.store.database.read() as connection:
        same = baselines.decided(connection, flow) == seen
    return [] if same else [f"a baseline was signed or withdrawn since {run} looked"]


def _as_json(held: Certification) -> dict[str, Any]:
    names = (
        "flow", "company", "fiscal_year", "period", "state", "digest", "cells", "run",
        "prepared_by", "prepared_at", "certified_by", "certified_at", "reopened_by", "reason",
    )  # fmt: skip
    return {"certification": held.name} | {name: getattr(held, name) for name in names}
