"""What may have changed in the ledger since the last proved run, asked as cheaply as it can be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import polars as pl

from tieout.core import fingerprint
from tieout.core.findings import Finding, Severity, counted
from tieout.core.periods import PERIODS_MAX
from tieout.core.scope import Scope
from tieout.flows.asked import reads_anew, refuse_no_period
from tieout.flows.partitions import PARTITION
from tieout.flows.scope import scope_for
from tieout.flows.world import Result, World, tell
from tieout.jde import tables
from tieout.jde.query import Where, at_least, either, every, not_equal, one_of
from tieout.project import LoadActuals
from tieout.store import baselines
from tieout.store.steps import Step

POSTED_BATCH = "D"
SUMS = tuple(f"{part}_{n:02d}" for part in ("net", "debit") for n in range(1, PERIODS_MAX + 1))
BATCH_COLUMNS = ("batch_type", "batch_number", "status", "batch_date", "updated", "updated_time")
SEEN = "seen"  # the position that keeps what the last proved run saw
Seen = Callable[[str, pl.DataFrame], pl.DataFrame]  # kind, frame with its columns → as it was


def look_for_changes(
    step: Step, world: World[LoadActuals], run: str, reference: str, polls: bool
) -> Result:
    """Compare fingerprint, window, batches and account stamps with those of the last proved run.

    Returns `quiet` and, for a run that has something to do, what it is. All it saw is kept with the
    run and becomes the next run's "before" only when this run ends (design §2 (i)). A run that only
    `polls` looks at the open years, until it finds something.
    """
    refuse_no_period(world)
    scope = scope_for(world)
    before = world.store.position(world.flow_name, SEEN) or {}
    reconfigured = bool(before) and before.get("configured") != world.configured
    everything = not before or reconfigured or _sweep_due(world, before)
    if everything:
        world.jde.check_dates()
    doubtful = bool(before) and not before.get("proved", False)
    moved_reference = before.get("reference") != reference
    anew = reads_anew(world)
    whole = everything or doubtful or anew or not polls
    years = scope.years() if whole else scope.open_years()
    groups = _moved_groups(step, world, scope, years, _of_the_last_run(world, years))
    window, next_window = _window(world, scope, before)
    batches, next_batches = _batches(step, world, before)
    batches_moved = bool(before) and batches != (before.get("batches") or {}).get("hash")
    seen = {
        "window": window,
        "batches": next_batches,
        "accounts": _accounts(world, before),
        "mappings": world.store.mapping_version(),
        "baselines": _baselines(world),
        "reference": reference,
        "configured": world.configured,
        "target": world.target,
    }
    reasons = []
    if everything:
        reasons.append(_why_everything(before, reconfigured))
    if doubtful:
        reasons.append("the last run was not complete")
    if groups:
        reasons.append(f"{counted(groups, 'balance group')} moved")
    for name, words in (
        ("window", "lines were updated"), ("accounts", "accounts changed"),
        ("mappings", "mappings changed"), ("baselines", "baselines were signed or withdrawn"),
    ):  # fmt: skip
        if before and seen[name] != before.get(name, 0):
            reasons.append(words)
    if batches_moved:
        reasons.append("batches moved")
    if moved_reference and before:
        reasons.append("a company's period or constants moved")
    open_cells = world.store.open_cells(world.flow_name)
    if open_cells:
        reasons.append(f"{counted(len(open_cells), 'cell')} left open")
    if world.asked:
        reasons.append("asked for: " + ", ".join(sorted(world.asked)))
    if reasons and years != scope.years():
        years = scope.years()
        if _moved_groups(step, world, scope, years, _of_the_last_run(world, years)) > groups:
            reasons.append("balance groups of earlier years moved")
    kept = seen | {"window": next_window, "swept": before.get("swept")}
    if everything:
        kept["swept"] = world.clock.now().date().isoformat()
    return {
        "quiet": not reasons, "everything": everything, "reasons": reasons, "seen": kept,
        "before": before or None,
        "all_balances": everything or doubtful, "anew": anew,
        "years": years, "lines_moved": bool(before) and window != before.get("window"),
        "batches_moved": batches_moved,
        "reference_moved": moved_reference,
        "baselines_moved": seen["baselines"] != before.get("baselines", 0),
        "accounts_moved": seen["accounts"] != before.get("accounts"),
    }  # fmt: skip


def _baselines(world: World[LoadActuals]) -> int:
    with world.store.database.read() as connection:
        return baselines.decided(connection, world.flow_name)


def _why_everything(before: dict[str, Any], reconfigured: bool) -> str:
    if not before:
        return "first load"
    return "the flow's configuration changed" if reconfigured else "everything is read anew"


def _sweep_due(world: World[LoadActuals], before: dict[str, Any]) -> bool:
    if world.asked.get("full"):
        return True
    last = date.fromisoformat(before["swept"])
    return world.clock.now().date() >= last + timedelta(days=world.flow.sweep_days)


def look_again(step: Step, world: World[LoadActuals], run: str, changes: dict[str, Any]) -> Result:
    """How many groups of F0902 moved since this run looked last.

    A journal that is re-dated while partitions are read one after the other may be in none of them,
    or in two, and every one ties. What moved is to be read again, by the batches as they are now.
    """

    def seen(kind: str, like: pl.DataFrame) -> pl.DataFrame:
        return world.last_of_this_run(run, f"seen_{kind}", like.schema).select(like.columns)

    groups = _moved_groups(step, world, scope_for(world), changes["years"], seen)
    if groups:
        where = _batches_where(world, changes["before"] or {})
        step.keep(
            "seen_batches", world.jde.read_whole(tables.BATCHES, where, columns=BATCH_COLUMNS)
        )
    return {"groups": groups}


def tell_that_it_moves(step: Step, world: World[LoadActuals], buckets: int) -> Result:
    """The finding of a ledger that never rested."""
    moved = Finding(
        "ledger-moved", Severity.DIFFERENCE, "balances of JD Edwards",
        f"{counted(buckets, 'account balance')} moved after the lines were read, the last of "
        "several times, so that what was loaded may be of several moments.",
        "Run again when posting has ended.", cells=buckets,
    )  # fmt: skip
    tell(step, world, [moved])
    return {"buckets": buckets}


def _moved_groups(
    step: Step, world: World[LoadActuals], scope: Scope, years: list[int], seen: Seen
) -> int:
    """Keep both groupings of F0902, what moved in them, and the partitions to be read whole.

    `seen`: a grouping as it was before. Returns how many groups moved.
    """
    where = balances_where(scope, years)
    moved, whole = 0, []
    for kind, key in (("by_object", fingerprint.BY_OBJECT), ("by_unit", fingerprint.BY_UNIT)):
        before = partial(seen, kind)
        now = world.jde.groups(
            tables.ACCOUNT_BALANCES, group_by=key, sums=SUMS, where=where,
            known=partial(_same, before),
        )  # fmt: skip
        changed = fingerprint.moved(before(now), now, key)
        step.keep(f"seen_{kind}", now)
        step.keep(f"moved_{kind}", changed)
        whole.append(fingerprint.fewer(before(now), now, key).select(PARTITION))
        moved = max(moved, changed.height)
    step.keep("read_whole", pl.concat(whole).unique())
    return moved


def _of_the_last_run(world: World[LoadActuals], years: list[int]) -> Seen:
    """The groupings that the last proved run saw, of the same years and with the same columns."""

    def seen(kind: str, like: pl.DataFrame) -> pl.DataFrame:
        kept = world.frame(kind, like.schema).select(like.columns)
        return kept.filter(pl.col("fiscal_year").is_in(years))

    return seen


def _same(before: Callable[[pl.DataFrame], pl.DataFrame], now: pl.DataFrame) -> bool:
    return now.equals(before(now))


def balances_where(scope: Scope, years: list[int]) -> Where | None:
    """Balances of the scope's ledgers and companies in `years`."""
    return every(
        one_of("ledger", list(scope.rule.ledgers)),
        one_of("fiscal_year", list(years)),
        one_of("company", scope.company_codes()),
    )


def window_where(world: World[LoadActuals], scope: Scope, since: str | None) -> Where | None:
    """Lines stamped (or dated) on or after `since` less the overlap, whatever their posted code."""
    column = "updated" if world.flow.detect == "updated" else "gl_date"
    overlap = timedelta(days=world.flow.overlap_days)
    first = date.fromisoformat(since) - overlap if since else None
    return every(
        at_least(column, first) if first else None,
        one_of("ledger", list(scope.rule.ledgers)),
        one_of("company", scope.company_codes()),
    )


def _window(
    world: World[LoadActuals], scope: Scope, before: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The date-filtered read in numbers, and the same for the date the next run starts from."""
    since = (before.get("window") or {}).get("since")
    now = _measured(world, scope, since)
    latest = now["latest"] or world.clock.now().date().isoformat()
    return now, now if latest == since else _measured(world, scope, latest)


def _measured(world: World[LoadActuals], scope: Scope, since: str | None) -> dict[str, Any]:
    """Count, sum and latest stamp of the lines stamped from `since` on, or of all lines."""
    column = "updated" if world.flow.detect == "updated" else "gl_date"
    found = world.jde.totals(
        tables.ACCOUNT_LEDGER, group_by=(), sums=("amount",),
        maxima=tuple(dict.fromkeys((column, "updated_time"))),
        where=window_where(world, scope, since),
    )  # fmt: skip
    latest = found.item(0, f"max_{column}")
    return {
        "since": since,
        "latest": _capped(world, latest),
        "count": found.item(0, "count"),
        "sum": str(found.item(0, "amount")),
        "time": found.item(0, "max_updated_time"),
    }


def _accounts(world: World[LoadActuals], before: dict[str, Any]) -> dict[str, Any]:
    """How many accounts were stamped on which day, and how late: one group a day, hashed."""

    def told(days: pl.DataFrame) -> dict[str, Any]:
        return {"count": int(days["count"].sum()), "stamps": _hash(days.sort("updated"))}

    days = world.jde.groups(
        tables.ACCOUNTS, group_by=("updated",), maxima=("updated_time",),
        where=one_of("company", list(world.flow.companies)),
        known=lambda days: told(days) == before.get("accounts"),
    )  # fmt: skip
    return told(days)


def _batches(
    step: Step, world: World[LoadActuals], before: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Keep batches changed lately or not posted (the first time: all).

    Returns a hash of them, to be compared with what the last run expected, and what the next run
    may expect if nothing moves: the day it starts from and the hash it will find.
    """
    since = (before.get("batches") or {}).get("since")
    overlap = timedelta(days=world.flow.overlap_days)
    where = _batches_where(world, before)
    found = world.jde.read_whole(tables.BATCHES, where, columns=BATCH_COLUMNS)
    step.keep("seen_batches", found)
    key = ["batch_type", "batch_number"]
    latest = _capped(world, found["updated"].max()) or since
    later = found
    if latest:
        recent = pl.col("updated") >= date.fromisoformat(latest) - overlap
        later = found.filter(recent | (pl.col("status") != POSTED_BATCH))
    return _hash(found.sort(key)), {"since": latest, "hash": _hash(later.sort(key))}


def _batches_where(world: World[LoadActuals], before: dict[str, Any]) -> Where | None:
    """Batches changed since the last proved run looked, less the overlap, or not posted."""
    since = (before.get("batches") or {}).get("since")
    if not since:
        return None
    first = date.fromisoformat(since) - timedelta(days=world.flow.overlap_days)
    return either(at_least("updated", first), not_equal("status", POSTED_BATCH))


def _capped(world: World[LoadActuals], day: object) -> str | None:
    """A day to start from, never in the future: one odd stamp must not blind the next runs."""
    if not isinstance(day, date):
        return None
    return min(day, world.clock.now().date()).isoformat()


def _hash(frame: pl.DataFrame) -> str:
    return hashlib.sha256(frame.write_csv().encode()).hexdigest()[:16]
