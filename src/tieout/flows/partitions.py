"""Partitions of the ledger (company, ledger, fiscal year): in which balances and lines are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import polars as pl

from tieout.core.scope import Scope

PARTITION = ("company", "ledger", "fiscal_year")
SPANNED = ("document", "batch_number", "period", "read")  # numbers by which lines are looked for
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


def packed(some: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Partitions as a step's result has them: a company once for all of its years in a ledger.

    Ten thousand of them would not fit one by one into what a result may hold (`store.steps`).
    """
    years: dict[tuple[str, str], list[int]] = {}
    for company, ledger, year in sorted({tuple(partition) for partition in some}):
        years.setdefault((company, ledger), []).append(year)
    companies: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for (company, ledger), of in years.items():
        companies.setdefault((ledger, tuple(of)), []).append(company)
    return [[ledger, list(of), codes] for (ledger, of), codes in companies.items()]


def unpacked(some: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """The same partitions one by one, in their order."""
    return sorted(
        [c, ledger, year] for ledger, years, codes in some for c in codes for year in years
    )


def in_partition(partition: Partition) -> pl.Expr:
    """The condition for rows of a partition."""
    return pl.all_horizontal(pl.col(name) == value for name, value in partition.items())


def spans(lines: pl.DataFrame) -> dict[str, str]:
    """The first and last document, batch, period and read of a file of lines.

    So that a search may pass it over: `{"document": "100..250", "batch_number": "7..7", …}`; what
    no line has is left out.
    """
    found = lines.select(pl.col(name).cast(pl.Int64).min().alias(name) for name in SPANNED).vstack(
        lines.select(pl.col(name).cast(pl.Int64).max().alias(name) for name in SPANNED)
    )
    ends = {name: found[name].to_list() for name in SPANNED}
    return {name: f"{first}..{last}" for name, (first, last) in ends.items() if first is not None}


def outside(spans: Mapping[str, str], name: str, value: int) -> bool:
    """Whether a file with these `spans` cannot hold a line with this number."""
    first, _, last = spans.get(name, "").partition("..")
    return bool(last) and not int(first) <= value <= int(last)


def within(keys: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """Only buckets of the companies and periods in scope."""
    members = scope.member_frame().select("company", "fiscal_year", "period")
    return keys.join(members, on=["company", "fiscal_year", "period"], how="semi")
