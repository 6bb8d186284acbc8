"""The close cockpit: is a period in, and is it right? One sentence, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from tieout.app import Instance
from tieout.core.findings import counted
from tieout.errors import Misconfigured
from tieout.project import LoadActuals, SubmitPlan
from tieout.store import batches, certifications, piles, standing
from tieout.store.schema import UNFINISHED
from tieout.verbs import acting, practice, schedule_overview, seeing
from tieout.verbs.words import money

PERIODS_SHOWN = 12
NEXT_SHOWN = 4
Found = dict[str, Any]


def cockpit(instance: Instance, period: str = "") -> Found:
    """How a period stands: `verdict`, its `tone`, `problems` with where to look, `loads`, `next`.

    `period` is fiscal year and period (2025-03), by default the last that was compared. `periods`
    tells every period that was compared: cells, differing, open, and whether it is certified. A
    configuration that does not hold is told in `problem`, not raised.
    """
    acting.require(instance, "view")
    found: Found = {
        "at": instance.clock.now(), "home": str(instance.home), "problem": "", "loads": [],
        "periods": [], "period": period, "next": [], "amiss": [], "waiting": [],
        "practice": practice.practice_home(instance.home), "unproved": [],
    }  # fmt: skip
    try:
        _fill(instance, found, period)
    except Misconfigured as trouble:
        found["problem"] = trouble.sentence()
    found["problems"] = _problems(found)
    found["tone"] = _tone(found)
    return found | {"good": found["tone"] == "good", "verdict": verdict(found)}


def _fill(instance: Instance, found: Found, period: str) -> None:
    project = instance.project()
    tables = {
        name: seeing.tie_out_table(instance, name)
        for name, flow in project.flows.items() if isinstance(flow, LoadActuals)
    }  # fmt: skip
    with instance.store.database.read() as connection:
        held = {name: standing.open_cells(connection, name) for name in tables}
        signed = certifications.listed(connection)
        waits = batches.listed(connection, states=("prepared",))
        undecided = {name: piles.count(connection, name) for name in project.flows}
    found["periods"] = _periods(tables, held, signed)
    named = [row["period"] for row in found["periods"]]
    if period and period not in named:
        seeing.period_of(period)
        raise Misconfigured(f"No flow has compared a cell of {period} yet.", do="Choose another.")
    found["period"] = period or (named[-1] if named else "")
    found["waiting"] = [{"flow": b.flow, "batch": b.id} for b in waits]
    waiting = {b.flow: b.id for b in waits}
    for name, flow in project.flows.items():
        kind = "actuals" if isinstance(flow, LoadActuals) else "members"
        kind = "plan" if isinstance(flow, SubmitPlan) else kind
        found["loads"].append(
            _load(instance, name, kind, _of_period(tables.get(name, ()), found["period"]))
            | {"undecided": undecided[name], "batch": waiting.get(name, "")}
        )
    found["unproved"] = [name for name, table in tables.items() if not table]
    found |= _due(instance)


def periods(instance: Instance) -> list[Found]:
    """Every period that was compared, oldest first, as `cockpit` tells them; without open cells."""
    acting.require(instance, "view")
    flows = instance.project().flows
    tables = {
        name: seeing.tie_out_table(instance, name)
        for name, flow in flows.items() if isinstance(flow, LoadActuals)
    }  # fmt: skip
    return _periods(tables, {}, ())


def _load(instance: Instance, name: str, kind: str, rows: Sequence[Mapping[str, Any]]) -> Found:
    last = seeing.last_run(instance, name)
    told = seeing.run_as_json(last) if last else None
    gaps: dict[str, Decimal] = {}
    for row in rows:
        if row["cells_differing"]:
            gaps[row["currency"]] = gaps.get(row["currency"], Decimal(0)) + row["difference"]
    return {
        "flow": name, "kind": kind, "last": told, "gaps": gaps,
        "cells": sum(row["cells"] for row in rows),
        "differing": sum(row["cells_differing"] for row in rows),
    }  # fmt: skip


def _of_period(table: Sequence[Mapping[str, Any]], period: str) -> list[Mapping[str, Any]]:
    return [row for row in table if named(row["fiscal_year"], row["period"]) == period]


def named(fiscal_year: int, period: int) -> str:
    """A period as it is written everywhere: 2025-03."""
    return f"{fiscal_year}-{period:02d}"


def _periods(
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    held: Mapping[str, Mapping[tuple[int, int], int]], signed: Sequence[Any],
) -> list[Found]:  # fmt: skip
    """Every period that was compared or has open cells, oldest first."""
    found: dict[str, Found] = {}

    def at(year: int, number: int) -> Found:
        empty = {"cells": 0, "differing": 0, "open": 0, "certified": 0, "reopened": 0}
        new = {"period": named(year, number), "places": set(), **empty}
        return found.setdefault(named(year, number), new)

    for flow, table in tables.items():
        for row in table:
            told = at(row["fiscal_year"], row["period"])
            told["cells"] += row["cells"]
            told["differing"] += row["cells_differing"]
            told["places"].add((flow, row["company"]))
    for cells in held.values():
        for (year, number), count in cells.items():
            at(year, number)["open"] += count
    for one in signed:
        if one.state in ("certified", "reopened"):
            at(one.fiscal_year, one.period)[one.state] += 1
    rows = [row | {"places": len(row["places"])} for _, row in sorted(found.items())]
    return [row | {"state": _state(row)} for row in rows]


def _state(row: Found) -> str:
    """differs, open, reopened, certified (every company of it) or agrees."""
    if row["differing"]:
        return "differs"
    if row["open"]:
        return "open"
    if row["reopened"]:
        return "reopened"
    return "certified" if row["certified"] and row["certified"] >= row["places"] else "agrees"


def _due(instance: Instance) -> Found:
    """The next times of all schedules, soonest first, and what did not run."""
    told = schedule_overview.standing(instance)
    times: list[tuple[datetime, Found]] = []
    for schedule in told["schedules"]:
        for time in schedule["next"][:NEXT_SHOWN]:
            row = {**time, "schedule": schedule["schedule"], "run": schedule["run"]}
            times.append((time["at"], row))
    times.sort(key=lambda one: one[0])
    amiss = [f"{s['schedule']}: {sentence}" for s in told["schedules"] for sentence in s["amiss"]]
    return {"next": [row for _, row in times[:NEXT_SHOWN]], "amiss": amiss}


def _problems(found: Found) -> list[Found]:
    """What is wrong or waits, the gravest first, each in a sentence and with where to look."""
    told: list[Found] = []
    period = found["period"]
    here = next((p for p in found["periods"] if p["period"] == period), None)
    others = [p["period"] for p in found["periods"] if p["period"] != period and _amiss(p)]
    for load in found["loads"]:
        told += _of_load(load, period, others if load["kind"] == "actuals" else [])
    # A cell that differs stays open as well: it is told once.
    if here and here["open"] > here["differing"]:
        what = f"{counted(here['open'] - here['differing'], 'cell')} of {period} stayed open."
        address = f"/tie-outs?period={period}"
        told.append(_problem("attention", what, address, "See what stayed open"))
    for name in found["unproved"]:
        what = f"{_upper(name)} has not been compared with Anaplan yet."
        told.append(_problem("wait", what, "", ""))
    grave = {"attention": 0, "bad": 0, "run": 1, "wait": 2}
    return sorted(told, key=lambda one: grave[one["tone"]])


def _amiss(row: Found) -> bool:
    return bool(row["differing"] or row["open"])


def _elsewhere(periods: Sequence[str]) -> str:
    """Which other periods a flow needs attention for."""
    if not periods:
        return ""
    last = periods[-1]
    if len(periods) == 1:
        return f" in {last}"
    return f" in {last} and {counted(len(periods) - 1, 'earlier period')}"


def _of_load(load: Found, period: str, others: Sequence[str]) -> list[Found]:
    name, last = _upper(load["flow"]), load["last"]
    if load["batch"]:
        what = f"Batch {load['batch']} waits for approval."
        return [_problem("wait", what, f"/approvals/{load['batch']}", "See the batch")]
    if last is None:
        return [_problem("wait", f"{name} has not run yet.", "", "")]
    at, told = f"/runs/{last['run']}", []
    if load["differing"]:
        gaps = ", ".join(money(sum_, currency) for currency, sum_ in sorted(load["gaps"].items()))
        what = (
            f"{name} differs by {gaps} in {load['differing']:,} of "
            f"{counted(load['cells'], 'cell')} of {period}."
        )
        address = f"/tie-outs/{load['flow']}?period={period}"
        told.append(_problem("attention", what, address, "See the tie-out"))
    if last["outcome"] in UNFINISHED:
        told.append(_problem("run", f"{name} is under way.", at, f"Follow {last['run']}"))
    elif last["outcome"] in ("failed", "cancelled"):
        told.append(_problem("bad", f"{name} did not finish.", at, f"See {last['run']}"))
    elif last["outcome"] != "complete" and not load["differing"]:
        what = f"{name} needs attention{_elsewhere(others)}."
        told.append(_problem("attention", what, at, f"See {last['run']}"))
    if load["undecided"] and told:
        many = counted(load["undecided"], "finding")
        address = f"/rejects?flow={load['flow']}"
        told.append(_problem("attention", f"{many} of {load['flow']} to settle.", address,
                             f"See {many}"))  # fmt: skip
    return told


def _problem(tone: str, what: str, address: str, word: str) -> Found:
    return {"tone": tone, "what": what, "address": address, "word": word}


def _upper(name: str) -> str:
    told = name.replace("_", " ")
    return told[:1].upper() + told[1:]


def _tone(found: Found) -> str:
    if found["problem"]:
        return "bad"
    tones = {one["tone"] for one in found["problems"]}
    for tone in ("bad", "attention", "run", "wait"):
        if tone in tones:
            return "attention" if tone == "bad" else tone
    return "good" if found["period"] else "wait"


def verdict(found: Found) -> str:
    """One sentence: is the period in, and right? Then what stands against it."""
    if found["problem"]:
        return str(found["problem"])
    if not found["loads"]:
        return "No flow is configured yet."
    told = [one["what"] for one in found["problems"]]
    period = found["period"]
    here: Found = next((p for p in found["periods"] if p["period"] == period), {})
    if not period:
        return " ".join(["Nothing has been compared yet.", *told])
    right = not here["differing"] and not here["open"]
    equal = f"F0911 = F0902 = Anaplan in all {counted(here['cells'], 'cell')}"
    if not told:
        return (
            f"{period} is in and right: {equal}, and all "
            f"{counted(len(found['loads']), 'flow')} are complete."
        )
    if right and found["tone"] in ("run", "wait"):
        return " ".join([f"{period} is in and right: {equal}.", *told])
    begin = f"When last compared, {period} had {equal}, but:" if right else ""
    return " ".join([begin or f"{period} is not complete.", *told])
