"""Sign balances that came without journals: prepared by one person, signed by another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from tieout.app import Instance
from tieout.core import proof
from tieout.core.frames import BUCKET_KEY, BUCKETS
from tieout.core.policy import Thing
from tieout.errors import Misconfigured
from tieout.flows.scope import scope_for
from tieout.store import baselines, people
from tieout.store.baselines import Balance, Baseline
from tieout.verbs import acting, seeing

_KEY = list(BUCKET_KEY)
_AT = pl.col("fiscal_year").cast(pl.Int32) * 100 + pl.col("period")


def listed(instance: Instance, flow: str | None = None) -> list[dict[str, Any]]:
    """Every baseline as it stands, oldest first."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        return [_as_json(b) for b in baselines.listed(connection, flow)]


def shown(instance: Instance, baseline_id: str) -> dict[str, Any]:
    """One baseline with all its balances: BUCKET_KEY and amount."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        held = baselines.require(connection, baseline_id)
        rows = baselines.balances(connection, baseline_id)
    told = [dict(zip((*BUCKET_KEY, "amount"), row, strict=True)) for row in rows]
    return {"ok": True, **_as_json(held), "rows": told}


def prepare(
    instance: Instance, flow: str, company: str, first: str, last: str, why: str
) -> dict[str, Any]:
    """Say that the balances without journals of a company's periods are converted ones.

    Taken are those that the last run held for it, and those before `detail_from`, with what F0902
    has beside their lines. Nothing changes before another person has signed.
    """
    acting.require(instance, "prepare baseline")
    if not why.strip():
        raise Misconfigured(
            "A baseline is not prepared without a reason.", untouched="Nothing was prepared.",
            do="Say with --why where the balances come from.",
        )  # fmt: skip
    rows = _without_journals(instance, flow, company, first, last)
    if not rows:
        raise Misconfigured(
            f"No balance of company {company} without journals is in {first} to {last}.",
            untouched="Nothing was prepared.",
            do=f"`tieout tie-out --flow {flow}` shows where the class {proof.NO_JOURNALS!r} is.",
        )
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, token, at), "prepare baseline")
        new = baselines.prepare(connection, flow, company, rows, why, by.name, at)
    return {"ok": True, **_as_json(new)}


def sign(instance: Instance, baseline_id: str, digest: str, reason: str = "") -> dict[str, Any]:
    """Sign what another person prepared; the next run loads these balances."""
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        held = baselines.require(connection, baseline_id)
        thing = Thing(baseline_id, held.state, held.prepared_by)
        by = acting.allowed(people.who(connection, token, at), "sign baseline", thing)
        done = baselines.sign(connection, baseline_id, digest, by.name, reason, at)
    return {"ok": True, **_as_json(done)}


def withdraw(instance: Instance, baseline_id: str, reason: str) -> dict[str, Any]:
    """Take a baseline back; the next run holds its balances again."""
    if not reason.strip():
        raise Misconfigured(
            f"{baseline_id} is not withdrawn without a reason.", untouched="It stays as it is."
        )
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        held = baselines.require(connection, baseline_id)
        thing = Thing(baseline_id, held.state, held.prepared_by)
        by = acting.allowed(people.who(connection, token, at), "withdraw baseline", thing)
        done = baselines.withdraw(connection, baseline_id, by.name, reason, at)
    return {"ok": True, **_as_json(done)}


def _without_journals(
    instance: Instance, flow: str, company: str, first: str, last: str
) -> Sequence[Balance]:
    """What F0902 has beside the lines, as the last run that compared both sides saw it."""
    (since, number), (until, through) = seeing.period_of(first), seeing.period_of(last)
    compared = seeing.last_comparison(instance, flow)
    if compared is None:
        raise Misconfigured(
            f"No run of {flow} has compared both sides yet.", do=f"`tieout run {flow}` does."
        )
    with instance.world_for(compared[0], looking=True) as world:
        early = scope_for(world).rule.detail_from
        before = early.fiscal_year * 100 + early.number if early else 0
        held = (pl.col("state") == proof.HELD) & (pl.col("reason") == proof.NO_JOURNALS)
        alone = (pl.col("state") == proof.BALANCE) & (before > _AT)
        unsigned = pl.col("reason") != proof.BASELINE
        found = (
            world.lazy("buckets", BUCKETS)
            .filter(
                pl.col("company") == company, (held | alone) & unsigned,
                _AT.is_between(since * 100 + number, until * 100 + through),
            )
            .select(*_KEY, signed=pl.col("balance") - pl.col("amount"))
            .filter(pl.col("signed") != 0)
            .collect()
        )  # fmt: skip
    return [tuple(row) for row in found.iter_rows()]


def _as_json(held: Baseline) -> dict[str, Any]:
    return {"baseline": held.id} | {
        name: getattr(held, name) for name in Baseline.__slots__ if name != "id"
    }
