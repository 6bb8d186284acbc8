"""See runs, one run, rejects and the tie-out, as plain values that every face prints alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

from tieout.app import Instance
from tieout.core.findings import RULES, Severity, counted
from tieout.core.listing import COUNTED_ROWS_MAX
from tieout.core.tally import CONTROL
from tieout.errors import Misconfigured
from tieout.flows.reproducing import reproduced
from tieout.project import Flow, LoadActuals
from tieout.store import leases, parts, purges, standing
from tieout.store.parts import Standing
from tieout.store.piles import UNDECIDED
from tieout.store.records import Manifest
from tieout.store.rejects import Reject
from tieout.store.runs import COMPACT, Run
from tieout.verbs.words import NOTED

RUNS_SHOWN_MAX = 50
RUNS_LOOKED_AT = 6  # at once, for the last one that tells how a flow stands
FILES_SHOWN_MAX = 200
TABLES_KEPT_MAX = 50  # of comparisons, some hundred rows each
DIFFERS = 6  # exit code, docs/reference/exit-codes.md
AMOUNTS = (
    "gross_f0911", "gross_f0902", "gross_anaplan", "f0911", "f0902", "anaplan", "difference",
)  # fmt: skip
GRAVITY = {"reject": 0, "difference": 1, "ask": 2, "note": 3}


def seconds_of(run: Run) -> float | None:
    """How long a finished run took, to the hundredth."""
    if run.finished_at is None:
        return None
    return round((run.finished_at - run.started_at).total_seconds(), 2)


def run_as_json(run: Run) -> dict[str, Any]:
    """A run as `--json` prints it."""
    return {
        "ok": run.outcome == "complete", "flow": run.flow, "run": run.id, "kind": run.kind,
        "outcome": run.outcome, "exit_code": run.exit_code, "sentence": run.sentence,
        "started_by": run.started_by, "started_at": run.started_at,
        "finished_at": run.finished_at, "seconds": seconds_of(run),
        "rows_read": run.figures.get("rows_read", 0), "rows_sent": run.figures.get("rows_sent", 0),
        "rejects": run.figures.get("rejects", 0), "figures": dict(run.figures),
    }  # fmt: skip


def runs(
    instance: Instance, flow: str | None = None, limit: int = RUNS_SHOWN_MAX
) -> list[dict[str, Any]]:
    """The latest runs, newest first; Misconfigured when `flow` was never run and does not exist."""
    found = instance.store.runs(flow=flow, limit=limit)
    if flow is not None and not found:
        known(instance, flow)
    with instance.store.database.read() as connection:
        cut = parts.standing(connection) if any(not r.finished for r in found) else {}
    return [
        run_as_json(r) | ({"sentence": _read_so_far(cut[r.id])} if r.id in cut else {})
        for r in found
    ]


def _read_so_far(stands: Standing) -> str:
    """How far a run is that was cut."""
    return f"{stands.parts - stands.unfinished} of {counted(stands.parts, 'part')} are read."


def _parts(instance: Instance, run: Run) -> dict[str, Any]:
    """The parts of a run, or what a part is one of; nothing for the others."""
    if run.part_of:
        return {"part_of": run.part_of, "reads": run.asked["what"]}
    with instance.store.database.read() as connection:
        found = parts.of_run(connection, run.id)
        cut = parts.standing(connection, [run.id])
    if not found:
        return {}
    told = [run_as_json(part) | {"reads": part.asked["what"]} for part in found]
    return {"parts": told} | ({} if run.finished else {"sentence": _read_so_far(cut[run.id])})


def known(instance: Instance, flow: str) -> Flow:
    """A flow of the project; Misconfigured lists those there are."""
    flows = instance.project().flows
    if flow not in flows:
        raise Misconfigured(
            f"There is no flow {flow!r}.",
            untouched="Nothing was run.",
            do=f"Name one of: {', '.join(sorted(flows)) or 'none is configured'}.",
        )
    return flows[flow]


def show(instance: Instance, run_id: str) -> dict[str, Any]:
    """One run with its account of rows, its steps, its calls, its findings and its files."""
    store = instance.store
    run = store.run(run_id)
    calls: dict[str, int] = {}
    for call in store.calls(run_id):
        calls[call.system] = calls.get(call.system, 0) + 1
    steps = store.steps(run_id)
    with store.database.read() as connection:
        purged = purges.of_run(connection, run_id)
    return {
        **run_as_json(run),
        **_parts(instance, run),
        "accounted": next(
            (_account(s.result["accounted"]) for s in steps if "accounted" in s.result), None
        ),
        "steps": [
            {
                "name": s.name, "started_at": s.started_at, "finished_at": s.finished_at,
                "result": s.result,
            }
            for s in steps
        ],
        "calls": calls,
        "findings": rejects(instance, run=run_id),
        "files": [
            {"kind": m.kind, "rows": m.rows, "bytes": m.bytes, "sha256": m.sha256, "path": m.path}
            for m in store.kept(run_id)
        ],
        "purged": purged,
        "models": [held for held in models_held(instance) if held["run"] == run_id],
    }  # fmt: skip


def in_short(instance: Instance, run_id: str) -> dict[str, Any]:
    """One run without what it may have millions of: findings and calls are counted.

    `done` counts the steps; `findings` severity → how many, up to COUNTED_ROWS_MAX and one of all;
    `calls` system → how many and their milliseconds; `cancel` who asked it to end.
    """
    store = instance.store
    run = store.run(run_id)
    with store.database.read() as connection:
        found = standing.of_run(connection, run_id, COUNTED_ROWS_MAX + 1)
        calls = standing.calls(connection, run_id)
        gone = purges.of_run(connection, run_id)
    steps = store.steps(run_id)
    return {
        **run_as_json(run), **_parts(instance, run), "asked": dict(run.asked),
        "trigger": run.trigger, "config_version": run.config_version, "finished": run.finished,
        "steps": [
            {"name": s.name, "started_at": s.started_at, "finished_at": s.finished_at,
             "seconds": (s.finished_at - s.started_at).total_seconds()}
            for s in steps
        ],
        "accounted": next(
            (_account(s.result["accounted"]) for s in steps if "accounted" in s.result), None
        ),
        "findings": found, "calls": calls, "purged": gone, "cancel": store.cancel_of(run_id),
        "files": [
            {"kind": m.kind, "rows": m.rows, "bytes": m.bytes, "sha256": m.sha256}
            for m in store.kept(run_id)[:FILES_SHOWN_MAX]
        ],
        "models": [held for held in models_held(instance) if held["run"] == run_id],
    }  # fmt: skip


def how_far(instance: Instance, run_id: str) -> tuple[str, int]:
    """The outcome of a run and how many steps it has done: what a page that follows it asks."""
    run = instance.store.run(run_id)
    with instance.store.database.read() as connection:
        return run.outcome, standing.steps_done(connection, run_id)


def models_held(instance: Instance) -> list[dict[str, Any]]:
    """Which run holds which model of Anaplan, and what it asked for there, oldest first.

    `ended`: the run is over, and the next one lets its task end first.
    """
    with instance.store.database.read() as connection:
        found = leases.listed(connection)
    return [
        {
            "model": held.place.name, "tenant": held.place.tenant, "run": held.holder.run,
            "since": held.taken_at, "ended": held.run_ended, "task": held.task,
            "asked_for": held.asked.name if held.asked else None,
        }
        for held in found
    ]  # fmt: skip


def _account(result: Mapping[str, Any]) -> dict[str, Any]:
    """The account of rows as the run's last step kept it, with its sums as amounts."""
    told: dict[str, Any] = dict(result)

    def amounts(tally: Mapping[str, Any]) -> dict[str, Any]:
        sums = {name: Decimal(amount) for name, amount in tally["sums"].items()}
        return {**tally, "sums": sums}

    told["passages"] = [
        p | {"came": amounts(p["came"]), "missing": amounts(p["missing"]),
             "went": [amounts(w) for w in p["went"]]}
        for p in told["passages"]
    ]  # fmt: skip
    names = {name for p in told["passages"] for name in p["came"]["sums"]}
    return told | {"sums_of": sorted(names - {CONTROL})}


def reproduce(instance: Instance, run_id: str) -> dict[str, Any]:
    """The file that a run uploaded, rebuilt from its records and compared with what was kept.

    Asks neither system anything. Misconfigured when the run uploaded no file.
    """
    with instance.world_for(run_id, looking=True) as world:
        found = reproduced(world, run_id)
    return {
        "ok": found.same, "exit_code": 0 if found.same else DIFFERS, "run": run_id,
        **asdict(found),
    }  # fmt: skip


def rejects(
    instance: Instance, *, run: str | None = None, flow: str | None = None, standing: bool = False
) -> list[dict[str, Any]]:
    """Findings with what became of them, the gravest first.

    `standing`: only those that somebody still has to do something about. A note never is.
    """
    if run is not None:
        instance.store.run(run)
    if flow is not None:
        known(instance, flow)
    found = instance.store.rejects(run=run, flow=flow, standing=standing)
    if standing:
        found = [
            r for r in found
            if r.state in UNDECIDED and r.finding.severity is not Severity.NOTE
        ]  # fmt: skip
    return [
        finding_as_json(r) for r in sorted(found, key=lambda r: GRAVITY[r.finding.severity.value])
    ]


def finding_as_json(r: Reject) -> dict[str, Any]:
    """A finding as `--json` prints it."""
    f = r.finding
    state = NOTED if f.severity is Severity.NOTE else r.state
    return {
        "id": r.id, "run": r.run, "flow": r.flow, "state": state, "rule": f.rule,
        "severity": f.severity.value, "subject": f.subject, "what": f.what, "remedy": f.remedy,
        "company": f.company, "dimension": f.dimension, "member": f.member, "amount": f.amount,
        "currency": f.currency, "cells": f.cells, "vendor_words": f.vendor_words,
        "line": f.line, "first_seen": r.first_seen, "owner": r.owner, "decided_by": r.decided_by,
        "decided_at": r.decided_at, "why": r.why, "decided_on": r.decided_on,
        "settled_run": r.settled_run,
    }  # fmt: skip


def _tie_out_of(instance: Instance, manifests: Sequence[Manifest]) -> pl.DataFrame:
    """The rows of the files of a comparison, kept: every page asks, and a file never changes."""
    key = tuple(m.id for m in manifests)
    kept = instance.kept_tables.get(key)
    if kept is None:
        kept = instance.store.scan(manifests).collect()
        while len(instance.kept_tables) >= TABLES_KEPT_MAX:
            instance.kept_tables.pop(next(iter(instance.kept_tables)), None)
        instance.kept_tables[key] = kept
    return kept


def tie_out_table(instance: Instance, flow: str, period: str | None = None) -> list[dict[str, Any]]:
    """The rows of the last comparison: a row per company, ledger, currency, year and period."""
    manifests = instance.store.current(flow, "tie_out")
    if not manifests:
        return []
    table = _tie_out_of(instance, manifests)
    if period:
        year, number = period_of(period)
        table = table.filter((pl.col("fiscal_year") == year) & (pl.col("period") == number))
    # A file without a ledger column holds one ledger only: the flow's.
    configured = instance.project().flows.get(flow)
    ledgers = configured.ledgers if isinstance(configured, LoadActuals) else ()
    only = ledgers[0] if len(ledgers) == 1 else ""
    return [row | {"ledger": row["ledger"] or only} for row in table.to_dicts()]


def period_of(text: str) -> tuple[int, int]:
    """Fiscal year and period of `2025-03`; Misconfigured for anything else."""
    year, _, number = text.partition("-")
    if not (len(year) == 4 and year.isdigit() and number.isdigit()):
        raise Misconfigured(f"{text!r} is no period.", do="Write fiscal year and period: 2025-03.")
    return int(year), int(number)


def totals(table: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The tie-out summed per company, ledger and currency; never across currencies."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in table:
        key = (row["company"], row["ledger"], row["currency"])
        total = found.setdefault(
            key,
            {"company": key[0], "ledger": key[1], "currency": key[2], "periods": 0, "cells": 0,
             "cells_differing": 0, **dict.fromkeys(AMOUNTS, Decimal(0))},
        )  # fmt: skip
        total["periods"] += 1
        for name in ("cells", "cells_differing", *AMOUNTS):
            total[name] += row[name]
    return [found[key] for key in sorted(found)]


def last_comparison(instance: Instance, flow: str) -> tuple[str, datetime] | None:
    """The run that compared both sides last, and when it wrote that down."""
    manifests = instance.store.current(flow, "tie_out")
    return (manifests[-1].run, manifests[-1].written_at) if manifests else None


def last_run(instance: Instance, flow: str, *, finished: bool = False) -> Run | None:
    """The flow's last run that tells how it stands; perhaps of finished ones only.

    A preview does not, nor a run that only copied files of the mirror.
    """
    limit = RUNS_LOOKED_AT
    while True:
        found = instance.store.runs(flow=flow, limit=limit)
        for run in found:
            tells = run.kind != COMPACT and not run.asked.get("preview")
            if tells and (run.finished or not finished):
                return run
        if len(found) < limit:
            return None
        limit *= 2


def tied(
    instance: Instance, flow: str, period: str | None = None, done: Run | None = None
) -> dict[str, Any]:
    """The last comparison with its verdict: that of `done`, else of the flow's last run.

    A comparison without a differing cell is not ok when its run was not complete: cells may be
    held open that nobody could compare.
    """
    table = tie_out_table(instance, flow, period)
    compared = last_comparison(instance, flow)
    if period and compared and not table:
        raise Misconfigured(
            f"No cell of {flow} is in {period}, so that period cannot be said to tie.",
            do="Name a fiscal year and period that the flow loads.",
        )
    run = done or (last_run(instance, flow, finished=True) if compared else None)
    code = (run.exit_code or 0) if run else 0
    broken_off = compared is not None and not instance.store.run(compared[0]).finished
    if broken_off or any(row["cells_differing"] for row in table):
        code = code or DIFFERS
    result: dict[str, Any] = {"ok": code == 0, "exit_code": code, "tie_out": table}
    if run is not None:
        result |= {"run": run.id, "sentence": run.sentence, "outcome": run.outcome}
    return result


def grouped(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Findings by rule, the gravest first: how many, cells, amounts without signs by currency."""
    groups: dict[str, dict[str, Any]] = {}
    for f in found:
        group = groups.setdefault(
            f["rule"],
            {"rule": f["rule"], "meaning": RULES.get(f["rule"], ""), "severity": f["severity"],
             "findings": 0, "cells": 0, "amounts": {}, "flows": [], "remedy": f["remedy"]},
        )  # fmt: skip
        group["findings"] += 1
        group["cells"] += f["cells"]
        if f["flow"] not in group["flows"]:
            group["flows"].append(f["flow"])
        if f["amount"] is not None:
            amounts, currency = group["amounts"], f["currency"]
            amounts[currency] = amounts.get(currency, Decimal(0)) + abs(f["amount"])
    return sorted(groups.values(), key=lambda g: GRAVITY[g["severity"]])
