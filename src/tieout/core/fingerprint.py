"""The balance fingerprint: grouped sums of F0902 that say cheaply what may have moved."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

BY_OBJECT = ("ledger", "fiscal_year", "company", "object_account")
BY_UNIT = ("ledger", "fiscal_year", "company", "business_unit")


def moved(before: pl.DataFrame, now: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The key of every group that is new, gone or has another count or sum than before.

    Aggregates are compared only with aggregates: AIS scales them by dictionary decimals
    (facts/jde-ais.md §3.3), which is the same on both sides.
    """
    keys = list(key)
    same = now.join(before, on=now.columns, how="semi", nulls_equal=True)
    changed = now.join(same, on=keys, how="anti").select(keys)
    gone = before.join(now, on=keys, how="anti").select(keys)
    return pl.concat([changed, gone]).sort(keys)


def fewer(before: pl.DataFrame, now: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The key of every group that has fewer rows than before, or none.

    F0902 rows do not disappear but by a purge or by row security: such groups are read whole.
    """
    keys = list(key)
    joined = before.select(*keys, was="count").join(now.select(*keys, "count"), on=keys, how="left")
    return joined.filter(pl.col("count").fill_null(0) < pl.col("was")).select(keys).sort(keys)
