"""Which cells a run may send that was asked for some only: a replay or a backfill.

What a run could not load is known by the cells it compared. A mapping may have given their amounts
other cells since, so a replay sends these too, and the old ones as zero: one without the other
would double an amount in Anaplan or lose it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import or_

import polars as pl

from tieout.core import tie_out
from tieout.core.frames import BUCKET_KEY, BUCKETS, CELL_KEY, ZERO, Schema, empty
from tieout.flows import drill
from tieout.flows.asked import LEDGER_PERIODS, periods_asked_for
from tieout.flows.balances import ACCOUNTS
from tieout.flows.cells import PROVED, rows_sent
from tieout.flows.world import World
from tieout.project import LoadActuals
from tieout.store import rejects
from tieout.store.rejects import Reject

REPLAY, REJECTS = "replay", "rejects"  # asked for: a run; ids of rejects, of that run or others
MEMBERS = ("account", "business_unit", "company")  # dimensions by which a reject names cells
FOLD = "fold into cells"  # the step that says which version of the mapping a run used
ALIGN = "check the members"  # the step after which it is known what a run sends
_KEY = list(CELL_KEY)
_CELLS: Schema = dict.fromkeys(CELL_KEY, pl.String)

Only = Callable[[pl.DataFrame], pl.Series]  # rows with CELL_KEY → which of them may be sent


def only_asked_for(world: World[LoadActuals], run: str) -> Only | None:
    """What of the touched cells this run may send; None: all of them."""
    now = folded_by(world, run)  # a mapping that was set since is for the next run
    periods = periods_asked_for(world)
    if periods is not None:
        wanted = _in_periods(world, periods, now)
    elif {REPLAY, REJECTS} & world.asked.keys():
        wanted = cells_to_replay(world, now)
    else:
        return None
    marked = wanted.with_columns(asked=pl.lit(True))

    def asked(rows: pl.DataFrame) -> pl.Series:
        found = rows.select(_KEY).join(marked, on=_KEY, how="left", maintain_order="left")
        return found["asked"].fill_null(False)

    return asked


def again(cells: pl.DataFrame, proved: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """CELL_KEY, value, held, gone, shown of cells that go although Anaplan was proved to show them.

    Only cells of periods that were `asked` for (CELL_KEY) go whole.
    """
    here = cells.join(asked, on=_KEY, how="semi")
    same = here.join(proved.select(*_KEY, "shown"), on=_KEY, how="inner")
    return same.filter(pl.col("value") == pl.col("shown")).select(
        *_KEY, "value", "held", gone=pl.lit(False), shown="shown"
    )


def _placed(periods: pl.DataFrame) -> pl.Expr:
    """The condition on `ledger_company`, `ledger`, `fiscal_year`, `period` of proved cells.

    A period that is folded into another now may have had a member of its own.
    """
    company = pl.col("company").alias("ledger_company")
    shown = periods.select(company, "ledger", fiscal_year="shown_year", period="shown_period")
    own = periods.select(company, "ledger", "fiscal_year", "period")
    places = pl.concat([shown, own]).unique()
    return pl.struct("ledger_company", "ledger", "fiscal_year", "period").is_in(
        places.select(pl.struct(pl.all()).alias("place"))["place"].implode()
    )


def cells_of_periods(world: World[LoadActuals], version: int) -> pl.DataFrame:
    """CELL_KEY of the cells that balances of the periods asked for are folded into, if any were.

    Of several companies in one cell any may be asked for.
    """
    periods = periods_asked_for(world)
    found = [empty(_CELLS)]
    if periods is None:
        return found[0]
    accounts, buckets = world.frame("accounts", ACCOUNTS), world.lazy("buckets", BUCKETS)
    on = [name for name in BUCKET_KEY if name in LEDGER_PERIODS]
    for (company,), wanted in periods.group_by("company", maintain_order=True):
        here = buckets.filter(pl.col("company") == company)
        here = here.join(wanted.select(on).lazy(), on=on, how="semi")
        placed = drill.placed(world, here.collect(), accounts, version)
        found.append(placed.select(pl.col(f"cell_{n}").alias(n) for n in _KEY).unique())
    return pl.concat(found).unique()


def _in_periods(world: World[LoadActuals], periods: pl.DataFrame, now: int) -> pl.DataFrame:
    """CELL_KEY by where a cell stands now, or stood when it was proved, and what moved with it."""
    proved = world.lazy("proved", PROVED).filter(_placed(periods)).select(_KEY).collect()
    found = pl.concat([cells_of_periods(world, now), proved]).unique()
    return _with_what_moved(found, _moves(world, drill.mapping_seen(world), now))


def cells_to_replay(world: World[LoadActuals], now: int) -> pl.DataFrame:
    """CELL_KEY of what the run could not load, or of what rejects hold back, as it is mapped now.

    `now`: the version of the mapping. Cells that changed places with one of them belong to it,
    however many mappings are in between.
    """
    run = str(world.asked.get(REPLAY, ""))
    found = rejects_asked_for(world)
    runs = {run} if not found else {r.run for r in found}
    wanted, moves = [empty(_CELLS)], [_moves(world, drill.mapping_seen(world), now)]
    for each in sorted(runs):
        left = not_loaded(world, each)
        mine = [r for r in found if r.run == each]
        wanted.append(_behind(world, each, left, mine) if found else left.select(_KEY))
        moves.append(_moves(world, _mapped_by(world, each), now))
    return _with_what_moved(pl.concat(wanted).unique(), pl.concat(moves).unique())


def rejects_asked_for(world: World[LoadActuals]) -> list[Reject]:
    """The rejects that the run was asked for by their ids."""
    with world.store.database.read() as connection:
        found = rejects.of_ids(connection, world.asked.get(REJECTS, ()))
    return [r for r in found if r.flow == world.flow_name]


def not_loaded(world: World[LoadActuals], run: str) -> pl.DataFrame:
    """CELL_KEY, ledger_company, value (then) of cells that were not proved when `run` ended."""
    compared = world.lazy_of_this_run(run, "compared")
    if "f0911" in compared.collect_schema():
        odd = tie_out.differs() | (pl.col("value") != pl.col("shown")) | (pl.col("held") != "")
        return compared.filter(odd).select(*_KEY, "ledger_company", "value").collect()
    # It ended before it compared: what it was about to send, and what waited.
    sides = [world.lazy_of_this_run(run, kind, {**_CELLS, "value": BUCKETS["amount"]})
             for kind in ("to_send", "waiting")]  # fmt: skip
    found = pl.concat([s.select(*_KEY, "value") for s in sides]).unique(_KEY)
    return (
        found.with_columns(ledger_company=pl.lit(""))
        .select(*_KEY, "ledger_company", "value")
        .collect()
    )


def _behind(
    world: World[LoadActuals], run: str, left: pl.DataFrame, rejects: Sequence[Reject]
) -> pl.DataFrame:
    """CELL_KEY of the cells of `left` that one of the rejects holds back.

    A rejected row of the file is one cell; any other reject is about all cells of its member.
    """
    numbers = [r.finding.line for r in rejects if r.finding.line is not None]
    others = [_of_reject(r) for r in rejects if r.finding.line is None]
    found = [left.filter(reduce(or_, others, pl.lit(False)))]
    if numbers:
        rows = rows_sent(world, run, numbers).select(_KEY)
        found.append(left.join(rows, on=_KEY, how="semi", nulls_equal=True))
    return pl.concat(found).select(_KEY).unique()


def _of_reject(reject: Reject) -> pl.Expr:
    f = reject.finding
    here = pl.lit(True)
    if f.company:
        here &= (pl.col("company") == f.company) | (pl.col("ledger_company") == f.company)
    if f.dimension in MEMBERS and f.member:
        here &= pl.col(f.dimension) == f.member
    return here


def folded_by(world: World[LoadActuals], run: str) -> int:
    """The version of the mapping that a run folded by."""
    version = _mapped_by(world, run)
    return world.store.mapping_version() if version is None else version


def _mapped_by(world: World[LoadActuals], run: str) -> int | None:
    """The same; None of a run that ended before it folded."""
    told = {s.name: s.result for s in world.store.steps(run)}
    version: int | None = told.get(FOLD, {}).get("mapping")
    return version


def _moves(world: World[LoadActuals], then: int | None, now: int) -> pl.DataFrame:
    """before_* and now_* (CELL_KEY) of cells whose amounts stand in another cell now than `then`.

    `then`, `now`: versions of the mapping. A company's buckets are in memory at once.
    """
    pair = {f"{side}_{name}": pl.String() for side in ("before", "now") for name in _KEY}
    if then is None or then == now:
        return empty(pair)
    accounts, buckets = world.frame("accounts", ACCOUNTS), world.lazy("buckets", BUCKETS)
    cell = [f"cell_{name}" for name in _KEY]
    found = [empty(pair)]
    for company in buckets.select("company").unique().collect()["company"].sort():
        here = buckets.filter(pl.col("company") == company).collect()
        sides = [
            drill.placed(world, here, accounts, version)
            .select(*BUCKET_KEY, *(pl.col(c).alias(f"{side}_{c[5:]}") for c in cell))
            for side, version in (("before", then), ("now", now))
        ]  # fmt: skip
        both = sides[0].join(sides[1], on=list(BUCKET_KEY), how="inner")
        other = pl.any_horizontal(pl.col(f"before_{n}") != pl.col(f"now_{n}") for n in _KEY)
        found.append(both.filter(other).select(pair.keys()).unique())
    return pl.concat(found)


def _with_what_moved(cells: pl.DataFrame, moves: pl.DataFrame) -> pl.DataFrame:
    """`cells` with every cell that amounts of theirs moved into or came from, and so on."""
    before = moves.select(pl.col(f"before_{n}").alias(n) for n in _KEY)
    now = moves.select(pl.col(f"now_{n}").alias(n) for n in _KEY)
    edges = pl.concat([
        pl.concat([before, now.rename({n: f"to_{n}" for n in _KEY})], how="horizontal"),
        pl.concat([now, before.rename({n: f"to_{n}" for n in _KEY})], how="horizontal"),
    ])  # fmt: skip
    return pl.concat([cells, *_reached(cells, edges)]).unique()


def _reached(cells: pl.DataFrame, edges: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The cells that can be reached from `cells`, those of each step together; each once."""
    known, fresh = cells, cells
    while not fresh.is_empty():
        beyond = edges.join(fresh, on=_KEY, how="semi")
        beyond = beyond.select(pl.col(f"to_{n}").alias(n) for n in _KEY).unique()
        fresh = beyond.join(known, on=_KEY, how="anti")
        known = pl.concat([known, fresh])
        yield fresh


def would_send(world: World[LoadActuals], run: str) -> pl.DataFrame:
    """What the preview `run` would send: CELL_KEY, shown (by Anaplan), then, now.

    `then`: what the run that is replayed had for the cell, null for a cell it had proved or that it
    did not know: a mapping brought it.
    """
    earlier = [world.asked[REPLAY]] if world.asked.get(REPLAY) else []
    earlier += sorted({r.run for r in rejects_asked_for(world)})
    left = [not_loaded(world, each).select(*_KEY, then="value") for each in earlier]
    before = pl.concat(left) if left else empty({**_CELLS, "then": BUCKETS["amount"]})
    before = before.unique(_KEY, keep="last", maintain_order=True)
    shown = world.lazy("proved", PROVED).select(*_KEY, "shown").collect()
    return (
        world.of_this_run(run, "to_send", {**_CELLS, "value": BUCKETS["amount"]})
        .select(*_KEY, now="value")
        .join(before, on=_KEY, how="left")
        .join(shown, on=_KEY, how="left")
        .select(*_KEY, pl.col("shown").fill_null(ZERO), "then", "now")
        .sort(_KEY)
    )
