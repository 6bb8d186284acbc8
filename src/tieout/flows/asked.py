"""Periods that a run was asked for: they go again whole, and a backfill reads them anew first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from tieout.core.frames import Schema, empty
from tieout.errors import Misconfigured
from tieout.flows.scope import scope_for
from tieout.flows.world import World
from tieout.project import LoadActuals

PERIODS = "periods"  # asked for: {"from", "to", "companies", "ledgers", "read"}
LEDGER_PERIODS: Schema = {
    "company": pl.String, "ledger": pl.String, "fiscal_year": pl.Int32, "period": pl.Int16,
    "shown_year": pl.Int32, "shown_period": pl.Int16,
}  # fmt: skip


def periods_asked_for(world: World[LoadActuals]) -> pl.DataFrame | None:
    """LEDGER_PERIODS of what the run was asked for; None when it was not asked for periods.

    No companies or ledgers: those of the flow. The bounds ("2025-01") are compared with the period
    that Anaplan shows, so that a folded period goes with the one it is folded into.
    """
    asked: Mapping[str, Any] | None = world.asked.get(PERIODS)
    if asked is None:
        return None
    shown = pl.format(
        "{}-{}", pl.col("shown_year"), pl.col("shown_period").cast(pl.String).str.zfill(2)
    )
    inside = shown.is_between(pl.lit(asked["from"]), pl.lit(asked["to"]))
    companies = pl.col("company").is_in(asked.get("companies") or world.flow.companies)
    ledgers = pl.DataFrame({"ledger": asked.get("ledgers") or world.flow.ledgers})
    members = scope_for(world).member_frame().filter(inside & companies)
    return members.join(ledgers, how="cross").select(
        pl.col(name).cast(kind) for name, kind in LEDGER_PERIODS.items()
    )


def refuse_no_period(world: World[LoadActuals]) -> None:
    """Misconfigured where the flow loads no period now, or none of those asked for."""
    scope = scope_for(world)
    if not scope.years():
        raise Misconfigured(
            " ".join(finding.what for finding in scope.findings) or "No company has a period.",
            untouched="Nothing was read or sent.",
            do="Correct `companies`, `from_period` or `to_period` of the flow.",
        )
    found = periods_asked_for(world)
    if found is not None and found.is_empty():
        asked = world.asked[PERIODS]
        raise Misconfigured(
            f"{world.flow_name} has no period from {asked['from']} to {asked['to']} to send.",
            untouched="Nothing was read or sent.",
            do="Name periods that have begun; a folded one goes with the one it is folded into.",
        )


def reads_anew(world: World[LoadActuals]) -> bool:
    """Whether the run was asked to read periods whatever moved in them."""
    return bool(world.asked.get(PERIODS, {}).get("read"))


def read_anew(world: World[LoadActuals], changes: Mapping[str, Any]) -> pl.DataFrame:
    """LEDGER_PERIODS whose balances and lines are read anew; none when they were once already."""
    found = periods_asked_for(world)
    if found is None or not changes["anew"]:
        return empty(LEDGER_PERIODS)
    return found
