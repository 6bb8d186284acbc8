"""Members that an earlier run brought into a list and that JD Edwards has no longer."""

from __future__ import annotations

import polars as pl

from tieout.core.cells import account_code
from tieout.core.findings import Finding, Severity
from tieout.core.mapping import resolved
from tieout.flows.changes import SUMS
from tieout.flows.world import World
from tieout.jde import tables
from tieout.jde.query import Where, one_of
from tieout.project import LoadMembers
from tieout.store.steps import Step

GONE = "member-gone"
DIMENSION = {"accounts": "account", "business_units": "business_unit", "companies": "company"}
LISTED_IN = "listed_in"  # the position that names the model and list of the record `listed`
ACTIVE = "active"
NAMES_SHOWN_MAX = 3
REJECTS_SHOWN_MAX = 1_000


def no_longer_here(
    world: World[LoadMembers], members: pl.DataFrame, listed_in: str | None
) -> pl.DataFrame:
    """Rows of `listed` (what earlier runs brought into this same list) that `members` lacks.

    `listed_in` is the position LISTED_IN.
    """
    if listed_in != world.target:
        return members.clear()
    listed = world.frame("listed", members.schema)
    return listed.join(members.select("code"), on="code", how="anti")


def still_listed(world: World[LoadMembers], not_here: pl.DataFrame) -> pl.DataFrame:
    """Those of them that Anaplan still has; it is asked only when there are any."""
    if not_here.is_empty():
        return not_here
    found = world.anaplan.find("lists", world.flow.read_back.list)
    codes = world.anaplan.list_items(found.id).select("code").unique()
    return not_here.join(codes, on="code", how="semi")


def inactive_rows(gone: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """The rows to send for them, inactive; none for a flow without such a column."""
    if ACTIVE not in members.columns:
        return members.clear()
    columns = [
        pl.lit(False).alias(ACTIVE) if name == ACTIVE
        else pl.col(name) if name in gone.columns
        else pl.lit("").alias(name)
        for name in members.columns
    ]  # fmt: skip
    return gone.select(columns)


def gone_findings(world: World[LoadMembers], gone: pl.DataFrame) -> list[Finding]:
    """A reject for each that still has amounts and is neither mapped nor sent as inactive; a note.

    The note names the others, so that no member leaves without a word.
    """
    if gone.is_empty():
        return []
    codes = gone["code"].sort().to_list()
    dimension = DIMENSION[world.flow.members]
    burdened: set[str] = set()
    if ACTIVE not in world.flow.columns.values():
        named = resolved(world.store.mapping(dimension), gone["code"])
        mapped = set(named.filter(pl.col("target") != pl.col("source"))["source"].to_list())
        burdened = _with_amounts(world, [c for c in codes if c not in mapped])
    quiet = [c for c in codes if c not in burdened]
    found = [
        Finding(
            GONE, Severity.REJECT, f"member {code}",
            f"JD Edwards has {code} no longer among these {world.flow.members.replace('_', ' ')}, "
            "but still has balances of it; Anaplan keeps the member.",
            f"Restore it in JD Edwards, map it to another member (`tieout map "
            f"{dimension.replace('_', '-')}`), or remove it from the list in Anaplan.",
            dimension=dimension, member=code, cells=1,
        )
        for code in sorted(burdened)[:REJECTS_SHOWN_MAX]
    ]  # fmt: skip
    return found + ([_note(world, quiet)] if quiet else [])


def _note(world: World[LoadMembers], codes: list[str]) -> Finding:
    sent = ACTIVE in world.flow.columns.values()
    shown = ", ".join(codes[:NAMES_SHOWN_MAX]) + ("…" if len(codes) > NAMES_SHOWN_MAX else "")
    return Finding(
        GONE, Severity.NOTE, f"list {world.flow.read_back.list}",
        f"JD Edwards has {len(codes)} of its members no longer ({shown}); "
        + ("they are sent as inactive." if sent else "Anaplan keeps them."),
        "Tieout deletes no member; remove them in Anaplan if nobody needs their history.",
        dimension=DIMENSION[world.flow.members], cells=len(codes),
    )  # fmt: skip


def _with_amounts(world: World[LoadMembers], codes: list[str]) -> set[str]:
    """Which codes F0902 has amounts for."""
    if not codes:
        return set()
    key, where = _asked(world.flow, codes)
    sums = world.jde.groups(tables.ACCOUNT_BALANCES, group_by=key, sums=SUMS, where=where)
    amounts = sums.filter(pl.any_horizontal(pl.col(SUMS) != 0))
    code = account_code(world.flow.account_code) if len(key) > 1 else pl.col(key[0])
    return set(amounts.select(code=code)["code"].to_list()) & set(codes)


def _asked(flow: LoadMembers, codes: list[str]) -> tuple[tuple[str, ...], Where | None]:
    """What F0902 is grouped by and cut down to, to find the amounts of `codes`."""
    if flow.members != "accounts":
        return (DIMENSION[flow.members],), None
    if flow.account_code == "account_id":
        return ("account_id",), one_of("account_id", codes)
    parts = [code.split(".") for code in codes]
    objects = [p[1] if flow.account_code == "account" and len(p) > 1 else p[0] for p in parts]
    key = ("business_unit", "object_account", "subsidiary")
    return key, one_of("object_account", sorted(set(objects)))


def keep_listed(
    step: Step, world: World[LoadMembers], listed: pl.DataFrame, gone: pl.DataFrame,
    rejected: list[Finding],
) -> None:  # fmt: skip
    """What the next run compares with: the members in the list, and who is gone but not settled."""
    named = [f.member for f in rejected if f.rule == GONE]
    failed = any(f.rule != GONE for f in rejected) and ACTIVE in world.flow.columns.values()
    due = gone if failed or gone.is_empty() else gone.filter(pl.col("code").is_in(named))
    if not due.is_empty():
        listed = pl.concat([listed, due], how="diagonal_relaxed")
    step.keep("listed", listed, replace=True)
