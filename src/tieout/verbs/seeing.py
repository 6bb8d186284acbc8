"""See runs, one run, rejects and the tie-out, as plain values that every face prints alike."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl

from tieout.app import Instance
from tieout.store.runs import Run

RUNS_SHOWN_MAX = 50


def seconds_of(run: Run) -> Decimal | None:
    """How long a finished run took, to the hundredth."""
    if run.finished_at is None:
        return None
    took = run.finished_at - run.started_at
    return (Decimal(took.days * 86400 + took.seconds) + Decimal(took.microseconds) / 1_000_000).quantize(
        Decimal("0.01")
    )


def run_as_json(run: Run) -> dict[str, Any]:
    """A run as `--json` prints it."""
    return {
        "flow": run.flow, "run": run.id, "kind": run.kind, "outcome": run.outcome,
        "exit_code": run.exit_code, "sentence": run.sentence, "started_by": run.started_by,
        "started_at": run.started_at, "finished_at": run.finished_at, "seconds": seconds_of(run),
        "rows_read": run.figures.get("rows_read", 0), "rows_sent": run.figures.get("rows_sent", 0),
        "rejects": run.figures.get("rejects", 0), "figures": dict(run.figures),
    }  # fmt: skip


def runs(instance: Instance, flow: str | None = None) -> list[dict[str, Any]]:
    """The latest runs, newest first."""
    return [run_as_json(r) for r in instance.store.runs(flow=flow, limit=RUNS_SHOWN_MAX)]


def show(instance: Instance, run_id: str) -> dict[str, Any]:
    """One run with its steps, its calls by system, its findings and its files."""
    store = instance.store
    run = store.run(run_id)
    calls: dict[str, int] = {}
    for call in store.calls(run_id):
        calls[call.system] = calls.get(call.system, 0) + 1
    return {
        **run_as_json(run),
        "steps": [
            {"name": s.name, "started_at": s.started_at, "finished_at": s.finished_at, "result": s.result}
            for s in store.steps(run_id)
        ],
        "calls": calls,
        "findings": rejects(instance, run=run_id),
        "files": [
            {"kind": m.kind, "rows": m.rows, "bytes": m.bytes, "sha256": m.sha256, "path": m.path}
            for m in store.kept(run_id)
        ],
    }  # fmt: skip


def rejects(
    instance: Instance, *, run: str | None = None, flow: str | None = None, state: str | None = None
) -> list[dict[str, Any]]:
    """Findings with what became of them."""
    found = instance.store.rejects(run=run, flow=flow, state=state)
    return [
        {
            "id": r.id, "run": r.run, "flow": r.flow, "state": r.state, "rule": r.finding.rule,
            "severity": r.finding.severity.value, "subject": r.finding.subject, "what": r.finding.what,
            "remedy": r.finding.remedy, "company": r.finding.company, "dimension": r.finding.dimension,
            "member": r.finding.member, "amount": r.finding.amount, "currency": r.finding.currency,
            "cells": r.finding.cells, "vendor_words": r.finding.vendor_words,
        }
        for r in found
    ]  # fmt: skip


def tie_out_table(instance: Instance, flow: str, period: str | None = None) -> list[dict[str, Any]]:
    """The rows of the last comparison: a row per company, ledger, currency, year and period."""
    manifests = instance.store.current(flow, "tie_out")
    if not manifests:
        return []
    table = instance.store.scan(manifests).collect()
    if period:
        year, _, number = period.partition("-")
        table = table.filter((pl.col("fiscal_year") == int(year)) & (pl.col("period") == int(number)))
    return table.to_dicts()
