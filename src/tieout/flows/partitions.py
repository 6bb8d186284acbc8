"""Partitions of the ledger (company, ledger, fiscal year): in which balances and lines are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import polars as pl

from tieout.core.scope import Scope

PARTITION = ("company", "ledger", "fiscal_year")
ACCOUNTS_PER_QUERY_MAX = 200  # facts/jde-gl.md §3.2b
Partition: TypeAlias = dict[str, Any]  # by the names of PARTITION


def partition_of(values: Sequence[Any]) -> Partition:
    """A partition from its values, as a step's result has them."""
    return dict(zip(PARTITION, values, strict=True))


def partitions(scope: Scope, years: Sequence[int]) -> list[tuple[str, str, int]]:
    """(company, ledger, fiscal year) in scope."""
    return [
        (company.company, ledger, year)
        for company in scope.companies
        for ledger in scope.rule.ledgers
        for year in company.years()
        if year in years
    ]


def in_partition(partition: Partition) -> pl.Expr:
    """The condition for rows of a partition."""
    return pl.all_horizontal(pl.col(name) == value for name, value in partition.items())


def within(keys: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """Only buckets of the companies and periods in scope."""
    members = scope.member_frame().select("company", "fiscal_year", "period")
    return keys.join(members, on=["company", "fiscal_year", "period"], how="semi")
