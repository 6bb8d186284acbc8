"""A batch with its records: the exact lines, and what explains each of them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
from core_frames import rows
from desks import Office

from tieout.core.frames import DIFFERENCES
from tieout.core.journal import HELD, JournalRule, build, headers_of
from tieout.store import batches
from tieout.store.batches import NewBatch
from tieout.store.journals import NewJournal
from tieout.store.runs import NewRun
from tieout.store.steps import Step

RULE = JournalRule("BN", "Anaplan Budget 26", 500)
CELLS = rows(
    DIFFERENCES,
    (
        {"account_id": "00000001", "difference": Decimal(20), "posted": Decimal(100),
         "target": Decimal(120)},
        {"account_id": "00000002", "account": "5010", "difference": Decimal("-5.50"),
         "posted": Decimal("5.50"), "zeroed": True},
        {"account_id": "00000001", "period": 2, "gl_date": date(2026, 2, 28),
         "member": "Feb 26", "difference": Decimal(7), "target": Decimal(7)},
        {"account_id": "00000003", "target": Decimal(3), "posted": Decimal(3)},
    ),
    company="00001", ledger="BA", fiscal_year=2026, period=1, account="5005", business_unit="30",
    member="Jan 26", currency="USD", decimals=2, gl_date=date(2026, 1, 31), target=Decimal(0),
    posted=Decimal(0), in_flight=Decimal(0), difference=Decimal(0), zeroed=False,
)  # fmt: skip


def prepared(
    office: Office, *, kept: pl.DataFrame | None = None, cells: pl.DataFrame = CELLS
) -> str:
    """A batch of these cells that anna prepared; `kept` stands in its records instead."""
    store, built = office.store, build(cells, rows(HELD, ()), RULE)
    run = store.new_run(NewRun("plan", "prepare_plan", "anna", alone=False))

    def keep(step: Step) -> dict[str, Any]:
        journals = [NewJournal.of(each) for each in built.journals]
        new = NewBatch(built.digest, Decimal("32.50"), {}, journals)
        step.keep("differences", cells)
        step.keep("headers", headers_of(built))
        step.keep("lines", built.lines if kept is None else kept)
        at = store.clock.now()
        step.after(lambda c: batches.keep(c, step.run, new, step.name, at))
        return {}

    store.run_step(run.id, "keep the batch", keep)
    return batches.id_of(run.id)
