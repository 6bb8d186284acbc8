"""The lines that an approver is shown are those of the digest they decide over, or none."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from core_frames import rows
from desks import Office

from tieout.core.frames import DIFFERENCES, JOURNAL_LINES
from tieout.core.journal import HELD, Batch, JournalRule, build, headers_of
from tieout.errors import Misconfigured, NotAllowed, Refused
from tieout.store import batches
from tieout.store.batches import NewBatch
from tieout.store.journals import NewJournal
from tieout.store.runs import NewRun
from tieout.store.steps import Step
from tieout.verbs import approving

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


def prepared(office: Office, *, kept: pl.DataFrame | None = None) -> str:
    """A batch of these cells that anna prepared; `kept` stands in its records instead."""
    store, built = office.store, build(CELLS, rows(HELD, ()), RULE)
    run = store.new_run(NewRun("plan", "prepare_plan", "anna", alone=False))

    def keep(step: Step) -> dict[str, Any]:
        new = NewBatch(built.digest, Decimal("32.50"), {}, [_new(built, n) for n in (0, 1)])
        step.keep("differences", CELLS)
        step.keep("headers", headers_of(built))
        step.keep("lines", built.lines if kept is None else kept)
        at = store.clock.now()
        step.after(lambda c: batches.keep(c, step.run, new, step.name, at))
        return {}

    store.run_step(run.id, "keep the batch", keep)
    return batches.id_of(run.id)


def _new(built: Batch, number: int) -> NewJournal:
    return NewJournal.of(built.journals[number])


def test_each_line_is_told_with_its_journal_its_side_and_what_the_ledger_held(
    office: Office,
) -> None:
    found = approving.lines(office.desk("ben"), prepared(office))
    told = [
        (x["journal"], x["line"], x["account"], x["period"], x["debit"], x["credit"], x["posted"],
         x["target"], x["zeroed"], x["currency"])
        for x in found
    ]  # fmt: skip
    assert told == [
        (1, 1, "5005", 1, Decimal(20), Decimal(0), Decimal(100), Decimal(120), False, "USD"),
        (1, 2, "5010", 1, Decimal(0), Decimal("5.50"), Decimal("5.50"), Decimal(0), True, "USD"),
        (2, 1, "5005", 2, Decimal(7), Decimal(0), Decimal(0), Decimal(7), False, "USD"),
    ]
    assert [x["remark"] for x in found][2] == "5005 × 30 Feb 26"


def test_lines_that_are_not_those_of_the_digest_are_not_shown(office: Office) -> None:
    built = build(CELLS, rows(HELD, ()), RULE)
    for other in (
        built.lines.with_columns(amount=pl.col("amount") + 1),
        built.lines.head(2),
        pl.DataFrame(schema=dict(JOURNAL_LINES)),
    ):
        batch = prepared(office, kept=other)
        with pytest.raises(Refused, match="not those that were shown"):
            approving.lines(office.desk("ben"), batch)
        approving.withdraw(office.desk("anna"), batch, "a test")


def test_lines_are_shown_to_users_alone_and_of_known_batches_alone(office: Office) -> None:
    batch = prepared(office)
    with pytest.raises(NotAllowed):
        approving.lines(office.owner, batch)
    with pytest.raises(Misconfigured, match="no batch plan-99-batch"):
        approving.lines(office.desk("dora"), "plan-99-batch")
    assert len(approving.lines(office.desk("dora"), batch)) == 3
