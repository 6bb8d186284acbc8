"""The balance fingerprint: groups that moved are found, and groups that lost rows."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from tieout.core.fingerprint import BY_OBJECT, fewer, moved
from tieout.core.frames import AMOUNT

SCHEMA = {
    "ledger": pl.String, "fiscal_year": pl.Int32, "company": pl.String,
    "object_account": pl.String, "count": pl.Int64, "net_01": AMOUNT, "debit_01": AMOUNT,
}  # fmt: skip


def groups(**by_object: tuple[int, int, int]) -> pl.DataFrame:
    """Object account → count, net, debit."""
    found = [
        ("AA", 2025, "00001", name.lstrip("o"), count, Decimal(net), Decimal(debit))
        for name, (count, net, debit) in by_object.items()
    ]
    return pl.DataFrame(found, schema=SCHEMA, orient="row")


BEFORE = groups(o1=(2, 10, 10), o2=(3, 0, 50), o3=(1, 5, 5))


@pytest.mark.parametrize(
    ("now", "objects"),
    [
        (BEFORE, []),
        (groups(o1=(2, 10, 10), o2=(3, 0, 60), o3=(1, 5, 5)), ["2"]),  # net stands, debits moved
        (groups(o1=(3, 10, 10), o2=(3, 0, 50), o3=(1, 5, 5)), ["1"]),  # another row of zeros
        (groups(o1=(2, 10, 10), o2=(3, 0, 50)), ["3"]),  # gone
        (groups(o1=(2, 10, 10), o2=(3, 0, 50), o3=(1, 5, 5), o4=(1, 0, 0)), ["4"]),  # new
        (groups(o1=(2, 9, 10), o2=(3, 1, 50), o3=(1, 5, 5)), ["1", "2"]),  # moved between two
    ],
)
def test_every_group_that_moved_is_found(now: pl.DataFrame, objects: list[str]) -> None:
    assert moved(BEFORE, now, BY_OBJECT)["object_account"].to_list() == objects
    assert moved(now, BEFORE, BY_OBJECT)["object_account"].to_list() == objects


def test_a_first_load_finds_every_group_moved() -> None:
    assert moved(BEFORE.clear(), BEFORE, BY_OBJECT).height == BEFORE.height


def test_a_group_that_lost_rows_or_is_gone_has_fewer() -> None:
    now = groups(o1=(1, 10, 10), o2=(4, 0, 50))
    assert fewer(BEFORE, now, BY_OBJECT)["object_account"].to_list() == ["1", "3"]
    assert fewer(BEFORE, BEFORE, BY_OBJECT).is_empty()
