"""The lines that an approver is shown are those of the digest they decide over, or none."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from batch_records import CELLS, RULE, prepared
from core_frames import rows
from desks import Office

from tieout.core.frames import JOURNAL_LINES
from tieout.core.journal import HELD, build
from tieout.errors import Misconfigured, NotAllowed, Refused
from tieout.verbs import approving, batch_lines


def test_each_line_is_told_with_its_journal_its_side_and_what_the_ledger_held(
    office: Office,
) -> None:
    found = batch_lines.lines(office.desk("ben"), prepared(office))
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
            batch_lines.lines(office.desk("ben"), batch)
        approving.withdraw(office.desk("anna"), batch, "a test")


def test_lines_are_shown_to_users_alone_and_of_known_batches_alone(office: Office) -> None:
    batch = prepared(office)
    with pytest.raises(NotAllowed):
        batch_lines.lines(office.owner, batch)
    with pytest.raises(Misconfigured, match="no batch plan-99-batch"):
        batch_lines.lines(office.desk("dora"), "plan-99-batch")
    assert len(batch_lines.lines(office.desk("dora"), batch)) == 3
