"""The plan and its control export agree to the last digit, or the plan is refused."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
from plan_frames import plan

from tieout.core.frames import PLAN_CONTROL
from tieout.core.plan import control_findings


def control(*given: tuple[str, str, int, str], company: str = "00001") -> pl.DataFrame:
    """(member, version, rows, amount) → what the control export says."""
    rows = [(company, *row[:3], Decimal(row[3])) for row in given]
    return pl.DataFrame(rows, schema=dict(PLAN_CONTROL), orient="row")


def test_a_plan_that_differs_from_its_control_export_is_refused() -> None:
    rows = plan({}, {"account": "4010", "amount": Decimal("0.5")})
    assert control_findings(rows, control(("Jan 26", "", 2, "100.5"))) == []
    other = control(("Jan 26", "", 3, "100.5"), ("Feb 26", "", 1, "4"))
    found = control_findings(rows, other)
    assert [(f.member, f.subject, f.amount) for f in found] == [
        ("Feb 26", "company 00001, Feb 26", Decimal(-4)),
        ("Jan 26", "company 00001, Jan 26", Decimal(0)),
    ]


def test_a_difference_at_the_eighteenth_decimal_is_one() -> None:
    rows = plan({"amount": Decimal("0.000000000000000001")})
    assert control_findings(rows, control(("Jan 26", "", 1, "1E-18"))) == []
    assert len(control_findings(rows, control(("Jan 26", "", 1, "0")))) == 1


def test_each_version_is_compared_with_its_own_control() -> None:
    """Two versions that are wrong by the same amount must not make each other right."""
    rows = plan({"version": "BUD"}, {"version": "FC", "amount": Decimal(7)})
    right = control(("Jan 26", "BUD", 1, "100"), ("Jan 26", "FC", 1, "7"))
    assert control_findings(rows, right) == []
    crossed = control(("Jan 26", "BUD", 1, "7"), ("Jan 26", "FC", 1, "100"))
    assert [(f.subject, f.amount) for f in control_findings(rows, crossed)] == [
        ("company 00001, Jan 26, version BUD", Decimal(93)),
        ("company 00001, Jan 26, version FC", Decimal(-93)),
    ]


def test_a_control_without_versions_is_compared_with_the_plan_of_all_versions() -> None:
    rows = plan({"version": "BUD"}, {"version": "FC", "amount": Decimal(7)})
    assert control_findings(rows, control(("Jan 26", "", 2, "107"))) == []
    assert len(control_findings(rows, control(("Jan 26", "", 1, "100")))) == 1


def test_a_control_row_that_stands_twice_counts_twice() -> None:
    once = ("Jan 26", "", 1, "100")
    assert control_findings(plan({}), control(once)) == []
    assert len(control_findings(plan({}), control(once, once))) == 1
