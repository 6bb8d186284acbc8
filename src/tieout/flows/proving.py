"""Proof of what was mirrored: lines against balances, partition by partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
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
from tieout.flows.lines import first_read
from tieout.flows.mirror import FIRST_KEPT, spanning
from tieout.flows.partitions import (
    ACCOUNTS_PER_QUERY_MAX,
    PARTITION,
    Partition,
    in_partition,
    packed,
    partition_of,
    within,
)
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World
from tieout.jde import tables
from tieout.jde.client import Jde
from tieout.jde.query import equal, every, one_of
from tieout.project import LoadActuals
from tieout.store import baselines
from tieout.store.records import Manifest
from tieout.store.steps import Step

_KEY = list(BUCKET_KEY)
AT_ONCE = 2  # partitions that are tied side by side
# What became of a line that came into the folds of a run; `PROVED` counts buckets.
PROVED, FOLDED, AGAIN = "proved", "folded", "read again"
SUMMARISED = "summarised detail"
HIDDEN, OUTSIDE = "of an account no longer shown", "out of scope"
WANTED: Schema = {name: BUCKETS[name] for name in BUCKET_KEY}


def prove(
    step: Step, world: World[LoadActuals], run: str, partitions: Sequence[Sequence[Any]],
    read_whole: Sequence[int],
) -> Result:  # fmt: skip
    """Tie the lines of partitions to their balances; keep the `buckets` of each.

    `read_whole`: the years of which this run read all lines. Returns `again`: the partitions
    (`packed`) with buckets that do not tie, whose lines should be read again. Keeps `proved_rows`:
    of every partition ever proved, how many rows came and what became of them.
    """
    counted: list[pl.DataFrame] = []

    def tied_at_once(partition: Sequence[Any]) -> tuple[int, int]:
        key = partition_of(partition)
        sides = _tied(world, run, key, key["fiscal_year"] in read_whole)
        if (apart := proof.not_tied(sides.tied)).is_empty():
            counted.extend(_keep(step, world, key, sides))
        return sides.tied.height, apart.height

    found = shared([tied_at_once] * min(AT_ONCE, len(partitions)), partitions)
    apart = [p for p, (_, differ) in zip(partitions, found, strict=True) if differ]

    def tied_by_balances_of_now(jde: Jde, partition: Sequence[Any]) -> int:
        key = partition_of(partition)
        sides = _tied(world, run, key, key["fiscal_year"] in read_whole, (step, jde))
        counted.extend(_keep(step, world, key, sides))
        return proof.not_tied(sides.tied).height

    left = by_readers(world, tied_by_balances_of_now, apart)
    again = [partition for partition, differ in zip(apart, left, strict=True) if differ]
    _keep_counted(step, world, partitions, counted)
    return {"buckets": sum(buckets for buckets, _ in found), "again": packed(again)}


def _keep_counted(
    step: Step, world: World[LoadActuals], partitions: Sequence[Sequence[Any]],
    counted: list[pl.DataFrame],
) -> None:  # fmt: skip
    """What was counted of `partitions` takes the place of what was counted of them before."""
    if not partitions:
        return
    here = {name: fold.PROVED_ROWS[name] for name in PARTITION}
    proved = pl.DataFrame([tuple(p) for p in partitions], schema=here, orient="row")
    before = world.frame("proved_rows", fold.PROVED_ROWS)
    others = before.join(proved, on=list(PARTITION), how="anti")
    step.keep("proved_rows", pl.concat([others, *counted]), replace=True)


@dataclass(frozen=True, slots=True)
class _Sides:
    """The buckets of a partition, the ACCOUNT_YEARS they were tied to, and the folds behind them.

    `folds` are all of this run, `latest` the last one of each bucket; the rest was read again.
    """

    tied: pl.DataFrame
    years: pl.DataFrame
    folds: pl.DataFrame
    latest: pl.DataFrame


def _tied(
    world: World[LoadActuals], run: str, key: Partition, everything: bool,
    balances_of_now: tuple[Step, Jde] | None = None,
) -> _Sides:  # fmt: skip
    """The buckets of a partition with state and reason, and what they were tied from.

    With `balances_of_now`, balances are read once more, after the lines, for accounts that do not
    tie (the sandwich).
    """
    scope = scope_for(world)
    before = world.frame("buckets", BUCKETS, **key)
    folds = _folds_of(world, run, key)
    latest = folds.sort("read").unique(_KEY, keep="last")
    lines = _lines_side(world, run, key, before, latest, everything)
    balances = world.frame("balances", BALANCES, **key)
    years = world.frame("account_years", ACCOUNT_YEARS, **key)
    in_use = _lines_in_use(world, run, key, lines)
    with world.store.database.read() as connection:
        signed = baselines.signed(connection, world.flow_name, *key.values())
    tied = proof.tie(fold.join_sides(lines, balances, years), scope, in_use, signed)
    if balances_of_now is None:
        return _Sides(tied, years, folds, latest)
    step, jde = balances_of_now
    accounts = proof.not_tied(tied)["account_id"].unique().sort().to_list()
    balances, years = _balances_again(jde, key, accounts, balances, years)
    step.keep("balances", balances, replace=True, **key)
    step.keep("account_years", years, replace=True, **key)
    tied = proof.tie(fold.join_sides(lines, balances, years), scope, in_use, signed)
    return _Sides(tied, years, folds, latest)


def _keep(
    step: Step, world: World[LoadActuals], key: Partition, sides: _Sides
) -> list[pl.DataFrame]:
    """Keep the buckets of a partition, with those that were shown before and are no longer.

    Returns what was counted.
    """
    before, shown = world.frame("buckets", BUCKETS, **key), sides.tied
    if not before.is_empty():
        years = pl.concat([_years_of_others(world, key), sides.years])
        shown = proof.hold_vanished(sides.tied, before, years)
    kept = within(shown, scope_for(world))
    step.keep("buckets", kept, replace=True, **key)
    return _counted(world.number, sides, shown, kept)


def _counted(
    run_number: int, sides: _Sides, shown: pl.DataFrame, kept: pl.DataFrame
) -> list[pl.DataFrame]:
    """Buckets, and what became of every line that came into the folds of this run."""
    lines, amount, read = pl.col("lines"), pl.col("amount"), pl.col("read")
    ours = read >= first_read(run_number)
    left_out, left_out_amount = pl.col("left_out"), pl.col("left_out_amount")
    counted = partial(fold.proved_rows, run_number=run_number)
    found = [
        counted(kept, counts={
            PROVED: (pl.len(), proof.taken().sum()),
            FOLDED: (lines.filter(ours).sum(), amount.filter(ours).sum()),
        }),
        counted(sides.latest, counts={SUMMARISED: (left_out.sum(), left_out_amount.sum())}),
    ]  # fmt: skip
    for whole, part, why in ((sides.tied, shown, HIDDEN), (shown, kept, OUTSIDE)):
        if part is not whole and (why == HIDDEN or part.height != whole.height):
            there = whole.filter(ours & (lines > 0))
            left = there.join(part, on=[*_KEY, "read"], how="anti")
            found.append(counted(left, counts={why: (lines.sum(), amount.sum())}))
    if sides.folds.height > sides.latest.height:
        again = sides.folds.join(sides.latest, on=[*_KEY, "read"], how="anti")
        both = (lines + left_out).sum(), (amount + left_out_amount).sum()
        found.append(counted(again, counts={AGAIN: both}))
    return found


def _years_of_others(world: World[LoadActuals], key: Partition) -> pl.DataFrame:
    """Accounts with a balance row in the other companies: one that moved there is not gone."""
    kept = world.frame(
        "account_years", ACCOUNT_YEARS, ledger=key["ledger"], fiscal_year=key["fiscal_year"]
    )
    return kept.filter(pl.col("company") != key["company"])


def _folds_of(world: World[LoadActuals], run: str, key: Partition) -> pl.DataFrame:
    """Every fold of the partition in this run, those that were replaced by a later one too."""
    kept_here = [m for m in world.store.kept(run, kind="folds") if _is_of(m, key)]
    if not kept_here:
        return fold.join_folds([])
    return world.store.scan(kept_here).collect().filter(in_partition(key))


def _lines_side(
    world: World[LoadActuals], run: str, key: Partition, before: pl.DataFrame,
    latest: pl.DataFrame, everything: bool,
) -> pl.DataFrame:  # fmt: skip
    """The fold of the mirror: what this run read replaces what was there of the same buckets."""
    names = [*_KEY, "lines", "amount", "misdated", "read"]
    if everything:
        return latest.select(names)
    wanted = world.of_this_run(run, "wanted", WANTED).select(_KEY).filter(in_partition(key))
    covered = pl.concat([wanted, latest.select(_KEY)]).unique()
    kept = before.filter(pl.col("lines") > 0).select(names).join(covered, on=_KEY, how="anti")
    return pl.concat([kept, latest.select(names)])


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
    manifests = spanning(manifests, "batch_number", using["batch_number"])
    if not manifests:
        return empty(schema)
    lines = (
        world.store.scan(manifests, more=[FIRST_KEPT])
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
