"""Account balances (F0902): read under the groups that moved, and which buckets they make dirty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from tieout.core import buckets as fold
from tieout.core.cells import remembered
from tieout.core.frames import ACCOUNT_YEARS, BALANCES, BUCKET_KEY, BUCKETS, Schema, as_schema
from tieout.core.members import refuse_collisions, refuse_look_alikes
from tieout.core.proof import NO_LONGER_SHOWN
from tieout.core.scope import Scope
from tieout.flows.asked import read_anew
from tieout.flows.at_once import by_readers
from tieout.flows.partitions import (
    ACCOUNTS_PER_QUERY_MAX,
    PARTITION,
    Partition,
    in_partition,
    packed,
    partition_of,
    partitions,
    within,
)
from tieout.flows.scope import scope_for
from tieout.flows.shares import how_many_parts, shared_out
from tieout.flows.world import Result, World
from tieout.jde import tables
from tieout.jde.client import Jde
from tieout.jde.query import Where, equal, every, one_of
from tieout.project import LoadActuals
from tieout.store.steps import Step

ACCOUNT_COLUMNS = (
    "account_id", "company", "business_unit", "object_account", "subsidiary", "description",
)  # fmt: skip
ACCOUNTS: Schema = {**dict.fromkeys(ACCOUNT_COLUMNS, pl.String), "gone": pl.Boolean}
READ_WHOLE: Schema = {"company": pl.String, "ledger": pl.String, "fiscal_year": pl.Int32}
PIECES: Schema = {
    "piece": pl.Int64,
    "part": pl.Int32,  # the part of the run that reads it; null: none
    **READ_WHOLE,
}  # fmt: skip
MOVED: Schema = {**READ_WHOLE, "object_account": pl.String, "business_unit": pl.String}
PLACES: Schema = {"account_id": pl.String, "object_account": pl.String, "business_unit": pl.String}


def read_accounts(step: Step, world: World[LoadActuals], changes: dict[str, Any]) -> Result:
    """F0901 of the companies in scope as it is now, when its stamps moved.

    An account that was there before and is not shown any more keeps its code and is marked: row
    security hides a unit from F0901 too, and its cells must not become zeros.
    """
    if not (changes["accounts_moved"] or changes["everything"]):
        return {"read": False}
    accounts = _accounts(world, one_of("company", list(world.flow.companies)))
    refuse_collisions(accounts, ("business_unit", "object_account", "subsidiary"), "F0901")
    refuse_look_alikes(accounts, world.flow.account_code)
    kept = remembered(world.frame("accounts", ACCOUNTS), accounts)
    step.keep("accounts", as_schema(kept, ACCOUNTS), replace=True)
    return {"read": True, "accounts": accounts.height, "gone": kept.height - accounts.height}


def read_new_accounts(step: Step, world: World[LoadActuals]) -> Result:
    """Accounts that have balances or lines and were made after F0901 was read in this run.

    Their amounts would be missing in cells that are sent without them.
    """
    known = world.frame("accounts", ACCOUNTS)
    ids = world.lazy("buckets", BUCKETS).select("account_id").unique().collect()["account_id"]
    missing = ids.filter(~ids.is_in(known["account_id"].implode())).sort().to_list()
    found = [known]
    for start in range(0, len(missing), ACCOUNTS_PER_QUERY_MAX):
        some = one_of("account_id", missing[start : start + ACCOUNTS_PER_QUERY_MAX])
        found.append(
            _accounts(world, some).with_columns(gone=pl.lit(False)).select(ACCOUNTS.keys())
        )
    if missing:
        step.keep("accounts", pl.concat(found), replace=True)
    return {"missing": len(missing)}


def _accounts(world: World[LoadActuals], where: Where | None) -> pl.DataFrame:
    return world.jde.read_whole(tables.ACCOUNTS, where, columns=ACCOUNT_COLUMNS)


def plan_balances(
    step: Step, world: World[LoadActuals], run: str, changes: dict[str, Any]
) -> Result:
    """Into how many pieces the reading of balances is cut; none when that does not pay.

    Keeps `pieces`: the partitions of each, and the part that reads it. What no part has the run
    reads by itself.
    """
    scope, anew = scope_for(world), read_anew(world, changes)
    here = partitions(scope, changes["years"])
    whole = [p for p in here if changes["all_balances"] or _asked_for(anew, p)]
    if not whole:
        return {"pieces": 0}
    where = every(
        one_of("company", sorted({company for company, _, _ in whole})),
        one_of("ledger", sorted({ledger for _, ledger, _ in whole})),
        one_of("fiscal_year", sorted({year for _, _, year in whole})),
    )
    counted = world.jde.groups(tables.ACCOUNT_BALANCES, group_by=PARTITION, where=where)
    rows = {row[:3]: row[3] for row in counted.select(*PARTITION, "count").iter_rows()}
    large = [partition for partition in whole if rows.get(partition)]
    parts = min(how_many_parts(world, sum(rows[p] for p in large)), len(large))
    if parts < 2:
        return {"pieces": 0}
    part_of = shared_out({n: rows[p] for n, p in enumerate(large, start=1)}, parts)
    cut: list[tuple[int, int | None, str, str, int]] = [
        (n, part_of[n], *partition) for n, partition in enumerate(large, start=1)
    ]
    apart, mine = set(large), len(large) + 1
    cut += [(mine, None, *partition) for partition in here if partition not in apart]
    step.keep("pieces", pl.DataFrame(cut, schema=dict(PIECES), orient="row"))
    return {"pieces": cut[-1][0]}


def read_balances(
    step: Step, world: World[LoadActuals], run: str, changes: dict[str, Any],
    piece: int | None = None,
) -> Result:  # fmt: skip
    """F0902 under the groups that moved (or all of it), and which buckets it makes dirty.

    Of the partitions of one `piece`, else of all. Keeps, per company, ledger and year: `balances`,
    `account_years` and `account_places` (the whole partition as it is now) and `dirty`
    (BUCKET_KEY). Returns the partitions (`packed`) that were read, and those into which a company's
    new period brought buckets; and how many buckets moved.
    """
    scope, anew = scope_for(world), read_anew(world, changes)
    opened = scope.open_years()
    found: list[tuple[str, str, int]] = []
    to_read: list[tuple[tuple[str, str, int], Groups | None]] = []
    here = partitions(scope, changes["years"])
    for partition in here if piece is None else _of_piece(world, run, piece):
        key = partition_of(partition)
        moved = _moved_groups(world, run, key)
        asked_for = _asked_for(anew, partition)
        if changes["all_balances"] or asked_for or _reads_whole(world, run, key):
            to_read.append((partition, None))
        elif moved is not None:
            to_read.append((partition, moved))
        elif partition[2] in opened:  # no other year can get a new period
            dirty = _dirty(world, scope, key, world.frame("balances", BALANCES, **key))
            if not dirty.is_empty():
                step.keep("dirty", dirty, **key)
                found.append(partition)

    def read(jde: Jde, piece: tuple[tuple[str, str, int], Groups | None]) -> int:
        key = partition_of(piece[0])
        balances = _kept_anew(step, world, jde, key, piece[1])
        if changes["everything"]:
            return 0  # its lines are read whole: nobody asks what is dirty
        dirty = _dirty(world, scope, key, balances)
        step.keep("dirty", dirty, **key)
        buckets = world.frame("buckets", BUCKETS, **key)
        hidden = buckets.filter(pl.col("reason") == NO_LONGER_SHOWN)  # not shown is no movement
        return dirty.join(hidden, on=list(BUCKET_KEY), how="anti").height

    moved_buckets = sum(by_readers(world, read, to_read))
    return {
        "partitions": packed([*found, *(partition for partition, _ in to_read)]),
        "dirty": moved_buckets,
    }


def _of_piece(world: World[LoadActuals], run: str, piece: int) -> list[tuple[str, str, int]]:
    """The partitions of a piece of the plan."""
    planned = world.last_of_this_run(run, "pieces", PIECES).filter(pl.col("piece") == piece)
    if planned.is_empty():
        raise ValueError(f"{run} planned no piece {piece} of the balances")
    return planned.select(*PARTITION).rows()


def _asked_for(anew: pl.DataFrame, partition: Sequence[Any]) -> bool:
    """Whether periods of the partition are read anew."""
    return not anew.filter(in_partition(partition_of(partition))).is_empty()


def _dirty(
    world: World[LoadActuals], scope: Scope, key: Partition, balances: pl.DataFrame
) -> pl.DataFrame:
    """Buckets of a partition whose balance is not the one that was proved."""
    return within(fold.moved_buckets(world.frame("buckets", BUCKETS, **key), balances), scope)


def _kept_anew(
    step: Step, world: World[LoadActuals], jde: Jde, key: Partition, moved: Groups | None
) -> pl.DataFrame:
    """Read a partition, or what stands under the groups that moved, and keep it as it is now."""
    rows = _balances_of(jde, key, moved)
    balances, years, places = fold.fold_balances(rows), fold.account_years(rows), _places(rows)
    if moved is not None:
        before_places = world.frame("account_places", PLACES, **key)
        before_years = world.frame("account_years", ACCOUNT_YEARS, **key)
        # What stood under groups that moved and did not come is gone, not untouched.
        others = before_places.filter(~moved.hold()).join(places, on="account_id", how="anti")
        here = before_years.join(others, on="account_id", how="semi")
        kept = world.frame("balances", BALANCES, **key)
        balances = pl.concat([balances, kept.join(here, on=list(ACCOUNT_YEARS), how="semi")])
        years, places = pl.concat([years, here]), pl.concat([places, others])
    step.keep("balances", balances, replace=True, **key)
    step.keep("account_years", years, replace=True, **key)
    step.keep("account_places", places, replace=True, **key)
    return balances


def _places(rows: pl.DataFrame) -> pl.DataFrame:
    """Where F0902 says each account stands; it may lag behind F0901 until R09806 runs."""
    return rows.select(*PLACES).unique()


@dataclass(frozen=True)
class Groups:
    """Objects and business units of one partition whose balances moved; one side may be unknown.

    The two groupings are asked one after the other, so that a balance which moves in between shows
    in one of them only: then that one alone decides.
    """

    objects: tuple[str, ...]
    units: tuple[str, ...]

    def where(self) -> Where | None:
        """The condition for rows of F0902 under these groups."""
        return every(
            one_of("object_account", list(self.objects)) if self.objects else None,
            one_of("business_unit", list(self.units)) if self.units else None,
        )

    def hold(self) -> pl.Expr:
        """The same condition over PLACES."""
        sides = [("object_account", self.objects), ("business_unit", self.units)]
        return pl.all_horizontal(pl.col(name).is_in(values) for name, values in sides if values)


def _balances_of(jde: Jde, key: Partition, moved: Groups | None) -> pl.DataFrame:
    """F0902 rows of one partition: all, or those under groups that moved."""
    columns = [
        "account_id", "fiscal_year", "ledger", "currency", "company", "object_account",
        "business_unit", *(f"net_{n:02d}" for n in range(1, 15)),
        *(f"debit_{n:02d}" for n in range(1, 15)),
    ]  # fmt: skip
    where = every(*(equal(name, key[name]) for name in key), moved.where() if moved else None)
    return jde.read_whole(tables.ACCOUNT_BALANCES, where, columns=columns)


def _reads_whole(world: World[LoadActuals], run: str, key: Partition) -> bool:
    """Whether a group of the partition lost rows."""
    whole = world.last_of_this_run(run, "read_whole", READ_WHOLE)
    return not whole.filter(in_partition(key)).is_empty()


def _moved_groups(world: World[LoadActuals], run: str, key: Partition) -> Groups | None:
    """The groups of a partition that moved in this run; None if none did since the last look.

    Of all its looks: a balance that moves between the two groupings of one look shows its unit
    then, and its object with the next look.
    """
    here, sides = in_partition(key), []
    for kind, name in (("by_object", "object_account"), ("by_unit", "business_unit")):
        last = world.last_of_this_run(run, f"moved_{kind}", MOVED).filter(here)
        every_look = world.of_this_run(run, f"moved_{kind}", MOVED).filter(here)
        sides.append((last.height, tuple(every_look[name].unique().sort())))
    if not any(moved for moved, _ in sides):
        return None
    return Groups(*(names for _, names in sides))
