"""Send again: what a run could not load, what rejects hold back, a period; or read periods anew.

What would be sent, and what changed since, is shown first; only then is it sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from tieout.app import Instance
from tieout.core.frames import AMOUNT
from tieout.engine.durable import Engine
from tieout.errors import Busy, Misconfigured, Refused
from tieout.flows.asked import PERIODS
from tieout.flows.cells import currency_of_cells, members_in_anaplan
from tieout.flows.replaying import ALIGN, REJECTS, REPLAY, would_send
from tieout.flows.scope import scope_for
from tieout.project import LoadActuals
from tieout.store import batches, journals, rejects
from tieout.store.runs import Run
from tieout.verbs import acting, planning, running, seeing
from tieout.verbs.running import Done

NEVER_SENT = ("reserved", "absent")  # states of a journal that certainly is not in JD Edwards
BATCH_ENDS = "-batch"  # no run is called so: its name ends with a number
JOURNALS_TOLD_MAX = 5
PREVIEWS_KEPT_MAX = 20  # in memory, some hundred cells each


@dataclass(frozen=True, slots=True)
class Replay:
    """What is to be sent again: the flow, and what its run is asked for."""

    flow: str
    asked: Mapping[str, Any]
    name: str  # as a sentence names it


def of_run(instance: Instance, run_id: str) -> Replay:
    """What a run could not load, with today's mapping and members."""
    acting.require(instance, "run")  # before it is told whether there is such a run
    earlier = instance.store.run(run_id)
    if not earlier.finished:
        raise Misconfigured(
            f"{run_id} has not ended.", untouched="Nothing was sent.",
            do=f"`tieout run {earlier.flow}` carries it to its end.",
        )  # fmt: skip
    if earlier.outcome in planning.FAILED and not _knew_its_cells(instance, earlier):
        raise Misconfigured(
            f"{run_id} ended before it knew what it would send.", untouched="Nothing was sent.",
            do=f"`tieout run {earlier.flow}` sends all that is not proved.",
        )  # fmt: skip
    return _named(earlier.flow, {REPLAY: run_id})


def _named(flow: str, asked: Mapping[str, Any]) -> Replay:
    """What a run was asked to send again, named as a sentence does."""
    if REPLAY in asked:
        return Replay(flow, asked, f"what {asked[REPLAY]} could not load")
    if REJECTS in asked:
        found = sorted(asked[REJECTS])
        told, many = ", ".join(map(str, found)), len(found) > 1
        name = f"what reject{'s' if many else ''} {told} hold{'' if many else 's'} back"
        return Replay(flow, {**asked, REJECTS: found}, name)
    if PERIODS not in asked:
        return Replay(flow, asked, "what is not proved")
    first, last, companies = (asked[PERIODS][n] for n in ("from", "to", "companies"))
    name = first if first == last else f"{first} to {last}"
    name += f" of company {', '.join(companies)}" if companies else ""
    return Replay(flow, asked, name)


def _knew_its_cells(instance: Instance, run: Run) -> bool:
    """Whether a run of actuals came so far; a run of members is never sent alone."""
    if not isinstance(seeing.known(instance, run.flow), LoadActuals):
        return True
    return any(step.name == ALIGN for step in instance.store.steps(run.id))


def of_rejects(instance: Instance, ids: Sequence[int]) -> Replay:
    """What rejects of one flow hold back; a flow of members is refused when it is to run."""
    acting.require(instance, "run")
    with instance.store.database.read() as connection:
        found = {r.id: r for r in rejects.of_ids(connection, ids)}
    if missing := sorted(set(ids) - found.keys()):
        raise Misconfigured(
            f"There is no reject {', '.join(map(str, missing))}.", untouched="Nothing was sent.",
            do="`tieout rejects` lists them with their numbers.",
        )  # fmt: skip
    flows = sorted({r.flow for r in found.values()})
    if len(flows) != 1:
        raise Misconfigured(
            f"These rejects are of several flows ({', '.join(flows)}).",
            untouched="Nothing was sent.", do="Send those of one flow at a time.",
        )  # fmt: skip
    return _named(flows[0], {REJECTS: sorted(found)})


def of_period(
    instance: Instance, flow: str, period: str, companies: Sequence[str] = ()
) -> Replay:  # fmt: skip
    """Every cell of a period as the mirror has it, although Anaplan was proved to show it."""
    return _periods(instance, flow, (period, period), companies, (), why="")


def backfill(
    instance: Instance, flow: str, first: str, last: str, *, companies: Sequence[str] = (),
    ledgers: Sequence[str] = (), why: str = "",
) -> Replay:  # fmt: skip
    """Periods read anew from JD Edwards and sent whole, locked ones too, which takes a reason."""
    if not why.strip():
        raise Misconfigured(
            "Closed periods are not reloaded without a reason.", untouched="Nothing was read.",
            do="Say why with --why; it is kept with the run.",
        )  # fmt: skip
    return _periods(instance, flow, (first, last), companies, ledgers, why=why)


def _periods(
    instance: Instance, flow: str, bounds: tuple[str, str], companies: Sequence[str],
    ledgers: Sequence[str], *, why: str,
) -> Replay:  # fmt: skip
    acting.require(instance, "run")
    configured = seeing.known(instance, flow)
    if not isinstance(configured, LoadActuals):
        raise Misconfigured(
            f"The flow {flow} loads no periods.", untouched="Nothing was sent.",
            do=f"Name one of: {', '.join(running.actuals_flows(instance)) or 'none'}.",
        )  # fmt: skip
    first, last = (f"{y}-{n:02d}" for y, n in map(seeing.period_of, bounds))
    since, through = configured.from_period, configured.to_period
    if last < first or first < since or (through != "current" and last > through):
        raise Misconfigured(
            f"{flow} loads {since} to {through}, not all of {first} to {last}.",
            untouched="Nothing was sent.",
            do="Name periods of the flow, the earlier one first; `from_period` says where it "
            "begins.",
        )
    for name, asked, known in (
        ("company", companies, configured.companies), ("ledger", ledgers, configured.ledgers),
    ):  # fmt: skip
        if strange := sorted(set(asked) - set(known)):
            raise Misconfigured(
                f"{flow} does not load {name} {', '.join(strange)}.",
                untouched="Nothing was sent.", do=f"Name one of: {', '.join(known)}.",
            )  # fmt: skip
    periods = {
        "from": first, "to": last, "companies": sorted(set(companies)),
        "ledgers": sorted(set(ledgers)), "read": bool(why),
    }  # fmt: skip
    return _named(flow, {PERIODS: periods} | ({"unlock": why} if why else {}))


def preview(instance: Instance, replay: Replay, engine: Engine | None = None) -> dict[str, Any]:
    """Read and prove, and say what would be sent and what changed since; nothing is sent.

    `cells`: company, account, business unit, member, ledger, currency with `shown` (by Anaplan),
    `then` (in the run that is replayed) and `now`; `sums` per company and currency, without signs.
    """
    asked = {**replay.asked, "preview": True}
    done = running.run_flow(instance, replay.flow, asked=asked, engine=engine)
    return previewed(instance, done.run.id)


def begin_preview(instance: Instance, replay: Replay, engine: Engine | None = None) -> Run:
    """Start to read and prove what would be sent, and do not wait for it; see `previewed`."""
    asked = {**replay.asked, "preview": True}
    return running.begin(instance, replay.flow, asked=asked, engine=engine)


def of_preview(instance: Instance, run_id: str) -> Replay:
    """What a preview is the preview of; Misconfigured for a run that is none."""
    acting.require(instance, "view")
    run = instance.store.run(run_id)
    if not run.asked.get("preview"):
        raise Misconfigured(f"{run_id} is no preview.", untouched="Nothing was sent.")
    return _named(run.flow, {k: v for k, v in run.asked.items() if k != "preview"})


def previewed(instance: Instance, run_id: str, cells_max: int = 0) -> dict[str, Any]:
    """What a preview that has ended found, as `preview` tells it; Busy while it is under way.

    `found`: how many cells; with `cells_max` no more of them are told, and who looks again is told
    the same, until another run has proved something; each then names the currency it is `shown_in`.
    """
    replay, run = of_preview(instance, run_id), instance.store.run(run_id)
    if not run.finished:
        raise Busy(
            f"{run_id} has not found out yet what would be sent.", untouched="Nothing was sent.",
            do="Look again when it has ended.",
        )  # fmt: skip
    result = {
        "ok": run.exit_code == 0, "exit_code": run.exit_code, "flow": replay.flow,
        "replays": replay.name, "sentence": run.sentence, "run": run.id,
        "rows_to_send": run.figures.get("rows_to_send", 0),
    }  # fmt: skip
    if not isinstance(seeing.known(instance, replay.flow), LoadActuals) or not result["ok"]:
        return result
    proved = instance.store.current(run.flow, "proved")
    key = (run.id, str(cells_max), *(manifest.id for manifest in proved))
    told = instance.kept_previews.get(key) if cells_max else None
    if told is None:
        told = _told_of(instance, run, cells_max)
        while len(instance.kept_previews) >= PREVIEWS_KEPT_MAX:
            instance.kept_previews.pop(next(iter(instance.kept_previews)), None)
        if cells_max:
            instance.kept_previews[key] = told
    return result | told


def _told_of(instance: Instance, run: Run, cells_max: int) -> dict[str, Any]:
    with instance.world_for(run.id, looking=True) as world:
        cells = would_send(world, run.id)
        scope = scope_for(world)
        currency_of = currency_of_cells(scope, members_in_anaplan(world, scope))
    changed = cells.filter(pl.col("then").is_not_null() & (pl.col("then") != pl.col("now")))
    sums = (
        cells.group_by("company", "ledger", "currency")
        .agg(cells=pl.len(), amount=pl.col("now").abs().sum().cast(AMOUNT))
        .sort("company", "ledger", "currency")
        .to_dicts()
    )
    for row in sums:
        row["currency"] = row["currency"] or currency_of(row["ledger"], row["company"])
    shown = (cells.head(cells_max) if cells_max else cells).to_dicts()
    if cells_max:  # for people: without a currency of its own a cell is in that of its company
        for row in shown:
            row["shown_in"] = row["currency"] or currency_of(row["ledger"], row["company"])
    return {
        "found": cells.height, "sums": sums, "other_amount": changed.height,
        "by_mapping": cells.select(pl.col("then").is_null().sum()).item(),
        "cells": shown,
    }  # fmt: skip


def begin(instance: Instance, replay: Replay, engine: Engine | None = None) -> Run:
    """Send it, and do not wait for it: the run that does."""
    return running.begin(instance, replay.flow, asked=replay.asked, engine=engine)


def send(instance: Instance, replay: Replay, engine: Engine | None = None) -> Done:
    """Send it: what the mirror and JD Edwards say now, and nothing beside it."""
    return running.run_flow(instance, replay.flow, asked=replay.asked, engine=engine)


def batch_again(
    instance: Instance, batch_id: str, engine: Engine | None = None, *, look: bool = False
) -> dict[str, Any]:
    """A batch of which nothing reached JD Edwards goes again, under its own keys and approval.

    With `look` only says which journals would. Refused when one of them was sent, or may have been:
    what the ledger lacks then is for a new preparation to say.
    """
    acting.require(instance, "run")  # who may only look sends nothing
    with instance.store.database.read() as connection:
        batch = batches.find(connection, batch_id)
        found = journals.listed(connection, batch=batch_id)
    there = [j for j in found if j.state not in NEVER_SENT]
    if batch.state != "approved" or there:
        told = ", ".join(f"{j.name} {j.state}" for j in there[:JOURNALS_TOLD_MAX])
        raise Refused(
            f"Batch {batch_id} is {batch.state}" + (f" ({told})" if told else "") + ": only an "
            "approved batch of which nothing was sent goes again as it is.",
            untouched="Nothing was sent.",
            do=f"`tieout prepare {batch.flow}` compares the plan with the ledger anew.",
        )
    if waiting := [j.name for j in found if j.state == "absent"]:
        raise Refused(
            f"{', '.join(waiting[:JOURNALS_TOLD_MAX])} of {batch_id} is proved absent.",
            untouched="Nothing was sent.",
            do=f"`tieout release {waiting[0]} --reason WHY` lets it go again, by a named person.",
        )
    if look:
        named = [j.name for j in found]
        return {"ok": True, "exit_code": 0, "batch": batch_id, "journals": named,
                "digest": batch.digest, "flow": batch.flow}  # fmt: skip
    return planning.again(instance, batch_id, engine)
