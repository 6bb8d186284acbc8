"""What is touched is split: what can be sent, and what waits for a member, a lock or a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from tieout.core import cells as core
from tieout.core.findings import Finding, Severity, counted
from tieout.core.frames import AMOUNT, CELL_KEY, CELLS, sorted_by
from tieout.core.mapping import UNKNOWN_MARK
from tieout.core.tally import CurrencyOf, Tally, added, tally_of
from tieout.flows.at_once import parts_of
from tieout.flows.cells import (
    DOUBTED,
    EMPTIED,
    GONE_MEMBER,
    INCOMPLETE,
    MOVED,
    NOT_ASKED_FOR,
    PROVED,
    STOPPED,
    TOUCHED,
    UNMATCHED,
    currency_of_cells,
    members_in_anaplan,
)
from tieout.flows.dimensions import lists_of, lowest_members
from tieout.flows.replaying import Only, folded_by, only_asked_for
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World, tell
from tieout.project import LoadActuals
from tieout.store.steps import Step

_KEY = list(CELL_KEY)
_PLACE = ["ledger_company", "fiscal_year", "period"]  # of a cell in the ledger
_GAP = (pl.col("value") - pl.col("shown")).abs()  # how far Anaplan stays away while a cell waits
ALL_COMPANIES = "*"  # doubted: which company's lines are not shown is not known


def align(step: Step, world: World[LoadActuals], run: str, doubted: list[str]) -> Result:
    """Split what is touched into what can be sent and what waits, and why.

    Every member must exist in the Anaplan list that holds its dimension; a cell without one is a
    finding with its amount. `doubted`: companies of which not all is shown. Keeps `to_send`
    (CELL_KEY, value) and `waiting` (CELL_KEY, value, held), a few companies in each file.
    """
    scope = scope_for(world)
    members = members_in_anaplan(world, scope, folded_by(world, run))
    touched = world.lazy_of_this_run(run, "touched", TOUCHED)
    held = _held_zeros(world, members, touched, doubted)
    lists = lists_of(world)
    codes = {d: lowest_members(world, d).select("code") for d in lists}
    only = only_asked_for(world, run)
    beside = _needs_whole_file(world)
    findings, stopped, sent = [], list[str](), list[pl.DataFrame]()
    counted = _Counted(currency_of_cells(scope, members))
    for part in parts_of(touched):
        mine = held(touched.filter(part).collect())
        waiting, free, told = _aligned(world, members, mine, lists, codes, only)
        findings.extend(told)
        behind = waiting.filter(pl.col("held") == UNMATCHED)["company"]
        stopped.extend(behind.unique().to_list())
        counted.take(mine, waiting, free)
        step.keep("to_send", free)
        step.keep("waiting", waiting)
        if beside:
            sent.append(free.select(_KEY))
    tell(step, world, findings)
    if beside and counted.tallies["to send"].rows:
        others = _others(world, pl.concat(sent), codes)
        step.keep("to_send", others)
        counted.add("beside", others)
    return counted.told() | {"stopped": sorted(stopped)}


class _Counted:
    """What is touched, by what becomes of it: sent, waiting and why, or gone with its member."""

    def __init__(self, currency_of: CurrencyOf) -> None:
        self.tallies = dict.fromkeys(("touched", "to send", "beside", GONE_MEMBER), Tally())
        self.waiting: dict[str, Tally] = {}
        self._currency_of = currency_of

    def add(self, name: str, cells: pl.DataFrame) -> None:
        """Some cells more of a kind."""
        self.tallies[name] += tally_of(cells, "value", self._currency_of)

    def take(self, touched: pl.DataFrame, waiting: pl.DataFrame, free: pl.DataFrame) -> None:
        """What was touched of a few companies, and what becomes of it."""
        self.add("touched", touched)
        self.add("to send", free)
        for (why,), cells in waiting.group_by(["held"]):
            before = self.waiting.get(str(why), Tally())
            self.waiting[str(why)] = before + tally_of(cells, "value", self._currency_of)
        if waiting.height + free.height != touched.height:
            kept = pl.concat([waiting.select(_KEY), free.select(_KEY)])
            # A zero for a member that is gone: with the member went the cell it would empty.
            gone = touched.filter(pl.col("value") == 0).join(kept, on=_KEY, how="anti")
            self.add(GONE_MEMBER, gone)

    def told(self) -> dict[str, Any]:
        """As the result of the step."""
        sent = self.tallies["to send"] + self.tallies["beside"]
        return {
            "to_send": sent.rows, "waiting": added(self.waiting.values()).rows,
            "tally": {
                **{name: tally.told() for name, tally in self.tallies.items()},
                "waiting": {why: self.waiting[why].told() for why in sorted(self.waiting)},
            },
        }  # fmt: skip


def _aligned(
    world: World[LoadActuals], members: pl.DataFrame, touched: pl.DataFrame,
    lists: dict[str, str], codes: dict[str, pl.DataFrame], only: Only | None,
) -> tuple[pl.DataFrame, pl.DataFrame, list[Finding]]:  # fmt: skip
    """Of a few companies: what waits (with its reason), what can be sent, and the findings."""
    scope = scope_for(world)
    waiting = [touched.filter(pl.col("held") != "")]
    free = touched.filter(pl.col("held") == "")
    if scope.rule.locked_through is not None:
        free, locked = _locked(world, members, free, only)
        waiting.append(locked)
    free, unmatched, findings = _unmatched(world, members, free, lists, codes)
    waiting.append(unmatched)
    stopped = unmatched["company"].unique().sort()
    if stopped.len() and world.flow.unmatched == "stop company":
        behind = free.filter(pl.col("company").is_in(stopped.implode()))
        free = free.filter(~pl.col("company").is_in(stopped.implode()))
        waiting.append(behind.with_columns(held=pl.lit(STOPPED)))
        findings.extend(_stopped(world, behind, members))
    if only is not None:
        left = free.filter(~only(free)).with_columns(held=pl.lit(NOT_ASKED_FOR))
        free = free.join(left, on=_KEY, how="anti")
        waiting.append(left)
        findings.extend(_left_findings(world, left, members))
    findings.extend(_locked_findings(world, waiting, members))
    kept = pl.concat([w.select(*_KEY, "value", "held") for w in waiting])
    return kept, sorted_by(free.select(*_KEY, "value"), _KEY), findings


def _held_zeros(
    world: World[LoadActuals], members: pl.DataFrame, touched: pl.LazyFrame, doubted: list[str]
) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Holds what would be a wrong number: a zero for what is only not shown, or a part of a sum.

    A cell the ledger never had is emptied only while all of its company is shown. While an account
    of the company is unknown, no sum of the company is whole. A company's period with a cell that
    is gone and one that is held waits: a mapping may have moved the one into the other.
    """
    everything = ALL_COMPANIES in doubted
    shown = members.filter(pl.col("ledger_company").is_in(doubted) | pl.lit(everything))
    cells = world.lazy("cells", CELLS)
    unknown = (
        cells.filter(pl.col("account").str.starts_with(UNKNOWN_MARK))
        .select("company")
        .unique()
        .collect()
    )
    moved = _half_moved(world, cells, touched)
    incomplete = pl.col("company").is_in(unknown["company"].implode())
    not_ours = pl.col("company").is_in(shown["company"].unique().implode())

    def held(part: pl.DataFrame) -> pl.DataFrame:
        rules = (
            (incomplete, INCOMPLETE),
            (pl.col("gone") & ~pl.col("ours") & not_ours, DOUBTED),
            (_placed_in(world, cells, part, moved), MOVED),
        )
        reason = pl.col("held")
        for condition, why in rules:
            reason = pl.when((reason == "") & condition).then(pl.lit(why)).otherwise(reason)
        return part.with_columns(held=reason)

    return held


def _half_moved(
    world: World[LoadActuals], cells: pl.LazyFrame, touched: pl.LazyFrame
) -> pl.DataFrame:
    """Companies' periods that have both gone and held cells.

    By the ledger's company and period, for a mapping or a table of periods may change Anaplan's.
    """
    held = cells.filter(pl.col("held") != "").select(_PLACE).unique()
    gone = touched.filter("gone").select(_KEY)
    before = world.lazy("proved", PROVED).join(gone, on=_KEY, how="semi")
    return before.select(_PLACE).unique().join(held, on=_PLACE, how="semi").collect()


def _placed_in(
    world: World[LoadActuals], cells: pl.LazyFrame, part: pl.DataFrame, places: pl.DataFrame
) -> pl.Series:
    """Which rows of `part` stand in one of `places` now, or stood there if they are gone."""
    if places.is_empty():
        return pl.repeat(False, part.height, eager=True)
    wanted = part.lazy().select(_KEY)
    found = [
        frame.select(*_KEY, *_PLACE)
        .join(wanted, on=_KEY, how="semi")
        .join(places.lazy(), on=_PLACE, how="semi")
        .select(_KEY)
        for frame in (cells, world.lazy("proved", PROVED).join(cells, on=_KEY, how="anti"))
    ]
    marked = pl.concat(found).unique().with_columns(placed=pl.lit(True)).collect()
    rows = part.select(_KEY).join(marked, on=_KEY, how="left", maintain_order="left")
    return rows["placed"].fill_null(False)


def _needs_whole_file(world: World[LoadActuals]) -> bool:
    """Whether every other cell has to stand beside what is sent.

    The import clears its target, or something was emptied that nobody configured to be.
    """
    emptied = any(cell.reason == EMPTIED for cell in world.store.open_cells(world.flow_name))
    return emptied or world.flow.import_clears != "nothing"


def _others(
    world: World[LoadActuals], sent: pl.DataFrame, codes: dict[str, pl.DataFrame]
) -> pl.DataFrame:
    """The cells that are not sent, with what Anaplan was last proved to show.

    Also those that are held, locked or wait for a member: else the import would empty them.
    """
    shown = world.lazy("proved", PROVED).filter(pl.col("shown") != 0)
    others = shown.join(sent.lazy(), on=_KEY, how="anti").select(*_KEY, value="shown")
    for dimension, known in codes.items():
        others = others.join(known.lazy(), left_on=dimension, right_on="code", how="semi")
    return sorted_by(others.collect(), _KEY)


def _locked(
    world: World[LoadActuals], members: pl.DataFrame, free: pl.DataFrame, only: Only | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What can be sent and what a lock holds; a reason to unlock is for what was asked for."""
    locked = members.filter("locked").select("company", "member").unique()
    inside = free.join(locked, on=["company", "member"], how="semi")
    if world.asked.get("unlock"):
        inside = inside.clear() if only is None else inside.filter(~only(inside))
    outside = free.join(inside, on=_KEY, how="anti")
    return outside, inside.with_columns(held=pl.lit(core.LOCKED))


def _locked_findings(
    world: World[LoadActuals], waiting: Sequence[pl.DataFrame], members: pl.DataFrame
) -> list[Finding]:
    scope = scope_for(world)
    columns = [*_KEY, "value", "shown", "held"]
    locked = pl.concat([w.select(columns) for w in waiting]).filter(pl.col("held") == core.LOCKED)
    moved = pl.col("value") != pl.col("shown")
    groups = _by_currency(world, members, locked.filter(moved))
    same = locked.filter(~moved).group_by("company").agg(cells=pl.len())
    asked_for = [
        Finding(
            "locked-period", Severity.NOTE, f"company {row['company']}",
            f"{counted(row['cells'], 'cell')} that were asked for are as Anaplan shows them, in "
            f"periods locked through {scope.rule.locked_through}: not sent.",
            f"`tieout backfill {world.flow_name}` with a reason sends them all the same.",
            row["company"], cells=row["cells"],
        )
        for row in same.sort("company").iter_rows(named=True)
    ]  # fmt: skip
    return asked_for + [
        Finding(
            "locked-period", Severity.DIFFERENCE, f"company {row['company']}",
            f"{counted(row['cells'], 'cell')} changed in the ledger in periods locked through "
            f"{scope.rule.locked_through}: not sent.",
            "Run again with --unlock and a reason, or leave the plan as it was closed.",
            row["company"], amount=row["amount"], currency=row["kept_in"], cells=row["cells"],
        )
        for row in groups.iter_rows(named=True)
    ]  # fmt: skip


def _unmatched(
    world: World[LoadActuals], members: pl.DataFrame, free: pl.DataFrame, lists: dict[str, str],
    codes: dict[str, pl.DataFrame],
) -> tuple[pl.DataFrame, pl.DataFrame, list[Finding]]:  # fmt: skip
    """Cells whose members Anaplan has, those without, and a finding per missing member.

    A zero for a member that is gone is neither: with the member went the cell it would empty.
    """
    missing: list[pl.DataFrame] = []
    findings: list[Finding] = []
    for dimension, known in codes.items():
        without = free.join(known, left_on=dimension, right_on="code", how="anti")
        if without.is_empty():
            continue
        missing.append(without.select(_KEY))
        groups = _by_currency(world, members, without.filter(pl.col("value") != 0), dimension)
        findings.extend(
            _missing_member(dimension, lists[dimension], row)
            for row in groups.iter_rows(named=True)
        )
    if not missing:
        return free, free.clear(), []
    keys = pl.concat(missing).unique()
    unmatched = free.join(keys, on=_KEY, how="semi").filter(pl.col("value") != 0)
    unmatched = unmatched.with_columns(held=pl.lit(UNMATCHED))
    return free.join(keys, on=_KEY, how="anti"), unmatched, findings


def _by_currency(
    world: World[LoadActuals], members: pl.DataFrame, cells: pl.DataFrame, *more: str
) -> pl.DataFrame:
    """company, `more`, kept_in, cells, amount: how many wait, and how far Anaplan stays away.

    Amounts of two currencies are never added.
    """
    kept_in = core.kept_in(core.company_currencies(members), scope_for(world).denominated)
    names = dict.fromkeys(("company", *more))
    told = cells.select(*names, kept_in=kept_in, gap=_GAP).group_by(*names, "kept_in")
    sums = told.agg(cells=pl.len(), amount=pl.col("gap").sum().cast(AMOUNT))
    return sums.sort(*names, "kept_in")


def _missing_member(dimension: str, list_name: str, row: dict[str, Any]) -> Finding:
    word = dimension.replace("_", " ")
    member = row[dimension]
    return Finding(
        "unmatched-member", Severity.REJECT, f"{word} {member}",
        f"The Anaplan list {list_name} has no member with the code {member!r}, which "
        f"holds back {counted(row['cells'], 'cell')} of company {row['company']}.",
        f"Map it (`tieout map {word.replace(' ', '-')} {member} TARGET`) or add the member in "
        "Anaplan, then replay.", row["company"], dimension, member, row["amount"],
        row["kept_in"], row["cells"],
    )  # fmt: skip


def _left_findings(
    world: World[LoadActuals], left: pl.DataFrame, members: pl.DataFrame
) -> list[Finding]:
    """What moved beside that which was asked for: the next run of the flow sends it."""
    groups = _by_currency(world, members, left)
    return [
        Finding(
            "not-asked-for", Severity.DIFFERENCE, f"company {row['company']}",
            f"{counted(row['cells'], 'cell')} of company {row['company']} moved as well and wait: "
            "only what was asked for was sent.", f"`tieout run {world.flow_name}` sends them.",
            row["company"], amount=row["amount"], currency=row["kept_in"], cells=row["cells"],
        )
        for row in groups.iter_rows(named=True)
    ]  # fmt: skip


def _stopped(
    world: World[LoadActuals], behind: pl.DataFrame, members: pl.DataFrame
) -> list[Finding]:
    groups = _by_currency(world, members, behind)
    return [
        Finding(
            "company-stopped", Severity.REJECT, f"company {row['company']}",
            f"{counted(row['cells'], 'cell')} of company {row['company']} held back for its "
            "unmatched members, so that no part of a company is loaded.",
            "Settle the unmatched members; or set `unmatched = \"load rest\"`.", row["company"],
            amount=row["amount"], currency=row["kept_in"], cells=row["cells"],
        )
        for row in groups.iter_rows(named=True)
    ]  # fmt: skip
