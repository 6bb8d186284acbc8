"""Proof of what was mirrored: lines against balances, partition by partition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from tieout.core import buckets as fold
from tieout.core import proof
from tieout.core.frames import (
    ACCOUNT_YEARS,
    AMOUNT,
    BALANCES,
    BUCKET_KEY,
    BUCKETS,
    LINE_KEY,
    Schema,
    empty,
)
from tieout.flows.at_once import by_readers, shared
from tieout.flows.partitions import (
    ACCOUNTS_PER_QUERY_MAX,
    PARTITION,
    Partition,
    in_partition,
    partition_of,
    within,
)
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World
from tieout.jde import tables
from tieout.jde.client import Jde
from tieout.jde.query import equal, every, one_of
from tieout.project import LoadActuals
from tieout.store.records import Manifest
from tieout.store.steps import Step

_KEY = list(BUCKET_KEY)
AT_ONCE = 2  # partitions that are tied side by side
WANTED: Schema = {name: BUCKETS[name] for name in BUCKET_KEY}


def prove(
    step: Step, world: World[LoadActuals], run: str, partitions: Sequence[Sequence[Any]],
    read_whole: Sequence[int],
) -> Result:  # fmt: skip
    """Tie the lines of partitions to their balances; keep the `buckets` of each.

    `read_whole`: the years of which this run read all lines. Returns `again`: the partitions with
    buckets that do not tie, whose lines should be read again.
    """

    def tied_at_once(partition: Sequence[Any]) -> tuple[int, int]:
        key = partition_of(partition)
        tied, years = _tied(world, run, key, key["fiscal_year"] in read_whole)
        if (apart := proof.not_tied(tied)).is_empty():
            _keep(step, world, key, tied, years)
        return tied.height, apart.height

    found = shared([tied_at_once] * min(AT_ONCE, len(partitions)), partitions)
    apart = [p for p, (_, differ) in zip(partitions, found, strict=True) if differ]

    def tied_by_balances_of_now(jde: Jde, partition: Sequence[Any]) -> int:
        key = partition_of(partition)
        tied, years = _tied(world, run, key, key["fiscal_year"] in read_whole, (step, jde))
        _keep(step, world, key, tied, years)
        return proof.not_tied(tied).height

    left = by_readers(world, tied_by_balances_of_now, apart)
    again = [partition for partition, differ in zip(apart, left, strict=True) if differ]
    return {"buckets": sum(buckets for buckets, _ in found), "again": again}


def _tied(
    world: World[LoadActuals], run: str, key: Partition, everything: bool,
    balances_of_now: tuple[Step, Jde] | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:  # fmt: skip
    """The buckets of a partition with state and reason, and the ACCOUNT_YEARS they were tied to.

    With `balances_of_now`, balances are read once more, after the lines, for accounts that do not
    tie (the sandwich).
    """
    scope = scope_for(world)
    before = world.frame("buckets", BUCKETS, **key)
    lines = _lines_side(world, run, key, before, everything)
    balances = world.frame("balances", BALANCES, **key)
    years = world.frame("account_years", ACCOUNT_YEARS, **key)
    in_use = _lines_in_use(world, run, key, lines)
    tied = proof.tie(fold.join_sides(lines, balances, years), scope, in_use)
    if balances_of_now is None:
        return tied, years
    step, jde = balances_of_now
    accounts = proof.not_tied(tied)["account_id"].unique().sort().to_list()
    balances, years = _balances_again(jde, key, accounts, balances, years)
    step.keep("balances", balances, replace=True, **key)
    step.keep("account_years", years, replace=True, **key)
    return proof.tie(fold.join_sides(lines, balances, years), scope, in_use), years


def _keep(
    step: Step, world: World[LoadActuals], key: Partition, tied: pl.DataFrame, years: pl.DataFrame
) -> None:
    """Keep the buckets of a partition, with those that were shown before and are no longer."""
    before = world.frame("buckets", BUCKETS, **key)
    if not before.is_empty():
        tied = proof.hold_vanished(tied, before, pl.concat([_years_of_others(world, key), years]))
    step.keep("buckets", within(tied, scope_for(world)), replace=True, **key)


def _years_of_others(world: World[LoadActuals], key: Partition) -> pl.DataFrame:
    """Accounts with a balance row in the other companies: one that moved there is not gone."""
    kept = world.frame(
        "account_years", ACCOUNT_YEARS, ledger=key["ledger"], fiscal_year=key["fiscal_year"]
    )
    return kept.filter(pl.col("company") != key["company"])


def _lines_side(
    world: World[LoadActuals], run: str, key: Partition, before: pl.DataFrame, everything: bool
) -> pl.DataFrame:
    """The fold of the mirror: what this run read replaces what was there of the same buckets."""
    names = [*_KEY, "lines", "amount", "misdated", "read"]
    schema = {name: BUCKETS[name] for name in names}
    here = in_partition(key)
    kept_here = [m for m in world.store.kept(run, kind="folds") if _is_of(m, key)]
    folds = world.store.scan(kept_here).collect() if kept_here else empty(schema)
    folds = folds.select(names).filter(here)
    latest = folds.sort("read").unique(_KEY, keep="last")
    if everything:
        return latest
    wanted = world.of_this_run(run, "wanted", WANTED).select(_KEY).filter(here)
    covered = pl.concat([wanted, latest.select(_KEY)]).unique()
    kept = before.filter(pl.col("lines") > 0).select(names).join(covered, on=_KEY, how="anti")
    return pl.concat([kept, latest])


def _balances_again(
    jde: Jde, key: Partition, accounts: list[str], balances: pl.DataFrame, years: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:  # fmt: skip
    """F0902 of some accounts, read after their lines."""
    parts = []
    for start in range(0, len(accounts), ACCOUNTS_PER_QUERY_MAX):
        where = every(
            *(equal(name, key[name]) for name in PARTITION),
            one_of("account_id", accounts[start : start + ACCOUNTS_PER_QUERY_MAX]),
        )  # fmt: skip
        parts.append(jde.read_whole(tables.ACCOUNT_BALANCES, where))
    rows = pl.concat([pl.DataFrame(schema=tables.ACCOUNT_BALANCES.schema), *parts])
    others = ~pl.col("account_id").is_in(accounts)
    return (
        pl.concat([balances.filter(others), fold.fold_balances(rows)]),
        pl.concat([years.filter(others), fold.account_years(rows)]),
    )


def _lines_in_use(
    world: World[LoadActuals], run: str, key: Partition, side: pl.DataFrame
) -> pl.DataFrame:
    """BUCKET_KEY, in_use_amount, in_use_lines of the lines behind `side` whose batch is in use."""
    schema = {name: BUCKETS[name] for name in _KEY} | {
        "in_use_amount": AMOUNT,
        "in_use_lines": pl.Int64,
    }
    batches = world.batches_seen(run, tables.BATCHES.schema)
    using = batches.filter(pl.col("status") == proof.IN_USE).select("batch_type", "batch_number")
    if using.is_empty():
        return empty(schema)
    manifests = world.store.current(world.flow_name, "lines", **key)
    manifests += [
        m for m in world.store.kept(run, kind="lines")
        if m not in manifests and _is_of(m, key)
    ]  # fmt: skip
    if not manifests:
        return empty(schema)
    lines = (
        world.store.scan(manifests)
        .join(using.lazy(), on=["batch_type", "batch_number"], how="semi")
        .collect()
        .unique([*LINE_KEY, "read"])
        .with_columns(currency=fold.bucket_currency())
    )
    held_now = side.select(*_KEY, "read")
    return (
        lines.join(held_now, on=[*_KEY, "read"], how="semi")
        .group_by(_KEY)
        .agg(
            in_use_amount=pl.col("amount").sum().cast(AMOUNT), in_use_lines=pl.len().cast(pl.Int64)
        )
    )


def _is_of(manifest: Manifest, key: Partition) -> bool:
    """Whether a file belongs to the partition; only its own files need to be opened."""
    return (manifest.company, manifest.ledger, manifest.fiscal_year) == tuple(key.values())
