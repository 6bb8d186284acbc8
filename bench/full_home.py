"""A home as large as a busy one after years: runs with their steps and calls, rejects, a trail.

The mirror, the plan and everything that is decided over are written by the product itself; what is
there by the hundred thousand (steps, calls, rejects) goes into its tables in large inserts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection, Table, insert

from bench.measured import FLOW
from bench.mirror import build
from tieout.app import Instance
from tieout.core.frames import AMOUNT, DIFFERENCES, as_schema
from tieout.core.journal import HELD, Batch, JournalRule, headers_of
from tieout.core.journal import build as built
from tieout.flows.replaying import REPLAY
from tieout.store import audit, batches, piles
from tieout.store.audit import Telling
from tieout.store.batches import NewBatch
from tieout.store.journals import NewJournal
from tieout.store.mappings import Mapping
from tieout.store.reject_schema import app_reject
from tieout.store.runs import Ending, NewRun, Run
from tieout.store.schema import app_call, app_run, app_step
from tieout.store.steps import Step
from tieout.verbs import setting_up

PLAN = """
[flows.plan]
kind = "submit_plan"
from = "planning"
to = "erp"
export = "Approved Plan"
columns = { "Company" = "company", "Account" = "account", "Cost Center" = "business_unit", \
"Time" = "period", "Amount" = "amount", "Approved" = "approved", "Approver" = "approver" }
ledger = "BA"
orchestration = "TIEOUT_PlanJournal"
inputs = { "BatchNumber" = "batch_number", "DocumentNumber" = "document_number", \
"DocumentType" = "document_type", "ControlBatch" = "batch_token", \
"TransactionNumber" = "transaction_number", "Company" = "company", "LedgerType" = "ledger", \
"GLDate" = "gl_date", "Reference1" = "token", "Explanation" = "explanation" }
line_inputs = { "AccountId" = "account_id", "Amount" = "amount", "Remark" = "remark", \
"LineNumber" = "line" }

[schedules.nightly]
when = "daily at 02:00 UTC"
run = ["accounts", "business_units", "companies", "actuals"]
"""
COPIES = 9  # of each line that a real load read: 250,000 cells of ten million lines
OUTCOMES = ("complete", "complete", "complete", "needs_attention", "failed")
STEPS, CALLS, TELLINGS = 14, 40, 40  # of a run
ROWS_AT_ONCE = 20_000  # of an insert
MAPPINGS, MAPPED = 2_000, 40  # the second of members that rejects are about
BATCHES, JOURNALS, LINES_MAX = 30, 72, 24_000  # of the newest batch; the others are a fiftieth
RULES = ("unmatched-member", "company-stopped", "not-proved", "rejected-by-anaplan")
COMPANIES, MEMBERS = 50, 5_000
BY = "bench"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is of what grows."""

    lines: int
    runs: int
    rejects: int


def made(home: Path, sizes: Sizes, seed: int, database: str = "") -> Instance:
    """An instance of that size in `home`, which must not be there; SQLite without `database`."""
    instance = build(home, sizes.lines, seed, COPIES, database)
    fill(instance, sizes)
    return instance


def fill(instance: Instance, sizes: Sizes) -> None:
    """Everything but the mirror."""
    config = instance.store.config()
    assert config is not None
    setting_up.apply_project(instance, config.text + PLAN)
    run = instance.store.runs(flow=FLOW, limit=1)[0]
    _earlier_runs(instance, sizes.runs)
    _rejects(instance, run, sizes.rejects)
    rows = [Mapping("account", f"X{n:05d}", f"{n}", why="as before") for n in range(MAPPINGS)]
    rows += [Mapping("account", f"M{n}", f"{n}", why="found") for n in range(MAPPED)]
    instance.store.set_mappings(rows, BY)
    for n in range(BATCHES):
        _batch(instance, LINES_MAX if n == BATCHES - 1 else LINES_MAX // 50, n)
    _preview(instance, run)


def _insert(instance: Instance, into: Table, rows: Iterator[dict[str, Any]]) -> None:
    while some := list(islice(rows, ROWS_AT_ONCE)):
        instance.store.database.transact(lambda c, s=some: c.execute(insert(into), s))


def _earlier_runs(instance: Instance, count: int) -> None:
    """Runs half an hour apart, each with its steps, its calls, and what the trail tells of it."""
    begun = instance.clock.now() - timedelta(days=400)
    at = [begun + timedelta(minutes=30 * n) for n in range(count)]
    ids = [f"{FLOW}-{10_000 + n}" for n in range(count)]
    sentence = "Actuals are in through 2025-12 and proved."
    _insert(instance, app_run, (
        {"id": ids[n], "flow": FLOW, "kind": "load_actuals", "number": n - count,
         "started_by": "system", "trigger": "schedule", "started_at": at[n],
         "finished_at": at[n] + timedelta(seconds=90 + n % 60),
         "outcome": OUTCOMES[n % len(OUTCOMES)], "sentence": sentence, "exit_code": 0,
         "config_version": 1, "asked": {}, "part_of": None,
         "figures": {"rows_read": 10_000 + n, "rows_sent": 1_000, "rejects": n % 3}}
        for n in range(count)
    ))  # fmt: skip
    _insert(instance, app_step, (
        {"run": ids[n], "name": f"read lines of part {s}", "seq": s, "started_at": at[n],
         "finished_at": at[n] + timedelta(seconds=s), "result": {"lines": s * 100}}
        for n in range(count) for s in range(STEPS)
    ))  # fmt: skip
    _insert(instance, app_call, (
        {"run": ids[n], "step": f"read lines of part {c % STEPS}", "n": c,
         "system": "JD Edwards" if c % 4 else "Anaplan", "method": "POST",
         "path": "/jderest/v2/dataservice", "status": 200, "ms": 40 + c, "bytes_in": 100_000,
         "bytes_out": 900, "tries": 1, "at": at[n] + timedelta(seconds=c)}
        for n in range(count) for c in range(CALLS)
    ))  # fmt: skip
    for first in range(0, count, 200):
        some = range(first, min(count, first + 200))
        told = [
            Telling("system", "finished step", ids[n], {"rows": s, "digest": "0" * 64}, ids[n],
                    f"read lines of part {s}")
            for n in some for s in range(TELLINGS)
        ]  # fmt: skip
        with instance.store.begin() as connection:
            audit.append(connection, at[some[0]], *told)


def _rejects(instance: Instance, run: Run, count: int) -> None:
    """Rejects of four rules, many members and all states; a tenth each are notes, and settled.

    Those that stand are of the newest run, as a run leaves them.
    """
    now = instance.clock.now()

    def row(n: int) -> dict[str, Any]:
        settled = n % 10 == 1
        state = "fixed" if settled else {2: "assigned", 3: "waived"}.get(n % 100, "open")
        return {
            "run": f"{FLOW}-10000" if settled else run.id, "flow": FLOW,
            "rule": RULES[n * 7 // 3 % 4], "subject": f"account {n}",
            "severity": "note" if n % 10 == 0 else "reject", "dimension": "account",
            "member": f"M{n * 31 % MEMBERS}", "company": f"{n * 17 % COMPANIES:05d}",
            "amount": None if n % 3 else Decimal(n * 97 % 1_000_000) / 100, "currency": "USD",
            "cells": n % 7, "what": f"Account {n} has no member in the list GL Accounts.",
            "remedy": "Map it.", "vendor_words": "", "state": state,
            "settled_run": run.id if settled else None, "line": n % 500_000,
            "first_seen": now - timedelta(seconds=n * 13 % 9_000_000), "why": "",
            "owner": BY if state == "assigned" else None, "decided_by": None,
            "decided_at": None, "decided_on": None,
        }  # fmt: skip

    def put(connection: Connection, rows: list[dict[str, Any]]) -> None:
        on = piles.put(connection, rows)
        connection.execute(insert(app_reject), [
            told | {"pile": pile, "weight": piles.weight(told["amount"])}
            for told, pile in zip(rows, on, strict=True)
        ])  # fmt: skip

    for first in range(0, count, ROWS_AT_ONCE):
        rows = [row(n) for n in range(first, min(count, first + ROWS_AT_ONCE))]
        instance.store.database.transact(lambda c, r=rows: put(c, r))


def _batch(instance: Instance, lines: int, n: int) -> None:
    """A plan that was prepared: its journals, kept as the flow keeps them, wait for a decision."""
    store = instance.store
    config = store.config()
    assert config is not None
    new = NewRun("plan", "prepare_plan", BY, config_version=config.version)
    run = store.new_run(new)
    differences = _differences(lines, n)
    batch = built(differences, pl.DataFrame(schema=dict(HELD)), JournalRule("BN", "Plan", 500))

    def keep(step: Step) -> dict[str, Any]:
        step.keep("differences", differences)
        step.keep("headers", headers_of(batch))
        step.keep("lines", batch.lines)
        new_batch = NewBatch(
            batch.digest, _moved(batch), {"totals": []}, [NewJournal.of(j) for j in batch.journals]
        )
        step.after(lambda c: batches.keep(c, run, new_batch, step.name, step.at()) and None)
        return {}

    store.run_step(run.id, "keep batch", keep)
    store.finish_run(run.id, Ending("complete", f"{lines:,} lines were prepared.", 7, {}))


def _moved(batch: Batch) -> Decimal:
    return sum((j.debits for j in batch.journals), Decimal(0))


def _differences(lines: int, n: int) -> pl.DataFrame:
    """What a plan says that the ledger does not, in so many lines of four companies."""
    place = pl.col("place")
    rows = pl.DataFrame({"place": pl.int_range(lines, eager=True)}).with_columns(
        company=pl.lit("0000") + (place % 4 + 1).cast(pl.String), ledger=pl.lit("BA"),
        account_id=(place // (JOURNALS // 3) + 1_000_000).cast(pl.String).str.zfill(8),
        fiscal_year=2026, period=place // 4 % (JOURNALS // 12) + 1,
        account=(place % 900 + 1_000).cast(pl.String), business_unit=(place % 60).cast(pl.String),
        member=pl.lit("Jan 26"), currency=pl.lit("USD"), decimals=2, gl_date=date(2026, 1, 31),
        subledger=pl.lit(""), subledger_type=pl.lit(""), target=place + 100 + n, posted=0,
        in_flight=0, others=0, difference=place + 100 + n, zeroed=False,
    )  # fmt: skip
    amounts = ("target", "posted", "in_flight", "others", "difference")
    return as_schema(rows.with_columns(pl.col(amounts).cast(AMOUNT)), DIFFERENCES)


def _preview(instance: Instance, of: Run) -> None:
    """A preview that has ended: all cells of the run it would send again."""
    store = instance.store
    config = store.config()
    assert config is not None
    asked = {REPLAY: of.id, "preview": True}
    run = store.new_run(
        NewRun(FLOW, "load_actuals", BY, config_version=config.version, asked=asked)
    )
    cells = store.scan(store.kept(f"{FLOW}-1", kind="to_send"))

    def keep(step: Step) -> dict[str, Any]:
        step.keep("to_send", cells.collect())
        return {}

    store.run_step(run.id, "choose what to send", keep)
    store.finish_run(run.id, Ending("complete", "Would send them.", 0, {"rows_to_send": 1_000}))
