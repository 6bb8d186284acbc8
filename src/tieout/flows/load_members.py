"""Accounts, business units or companies into an Anaplan list: one row per code, read back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from tieout.core import members as core
from tieout.core.findings import Finding, Severity, counted
from tieout.flows.bindings import check_bindings, stopped
from tieout.flows.closing import settle_earlier
from tieout.flows.gone_members import (
    DIMENSION,
    GONE,
    LISTED_IN,
    gone_findings,
    inactive_rows,
    keep_listed,
    no_longer_here,
    still_listed,
)
from tieout.flows.loading import load
from tieout.flows.member_properties import otherwise_said, sent_properties
from tieout.flows.world import Result, Run, Steps, World
from tieout.jde import tables, wire
from tieout.jde.query import Where, every, one_of
from tieout.project import LoadMembers
from tieout.store.steps import Step

MASTERS = {
    "accounts": tables.ACCOUNTS,
    "business_units": tables.BUSINESS_UNITS,
    "companies": tables.COMPANIES,
}
OK, REJECTED = 0, 5
FOUND_BEFORE_THE_LOAD = ("code-too-long", GONE)  # no row that was sent is concerned
PROVED_UNDER = "proved_under"  # the position that keeps the configuration of the last proof


def load_members(run: Run, world: World[LoadMembers]) -> Result:
    """The story of one run; returns outcome, exit code and sentence."""
    step = Steps(run, world)
    read = step(f"read the {world.flow.members.replace('_', ' ')}", read_members)
    compared = step("compare with the last load", compare_with_last, run.id)
    if world.asked.get("preview"):
        return step("preview", previewed, read, compared)
    if compared.get("stops"):
        return step("stop before anything is touched", stopped, compared["stops"])
    busy = compared["to_send"] or compared["not_here"] or read["rejects"]
    if not busy and not _whole(world):
        return step("nothing new", nothing_new, run.id, read)
    if compared["to_send"]:
        load(run, world, step, rows_to_send)
    step("read back", read_back, run.id)
    return step("close the run", close_the_run, run.id, read, compared)


def _whole(world: World[LoadMembers]) -> bool:
    """Whether every member goes again, whatever was proved."""
    return bool(world.asked.get("full"))


def read_members(step: Step, world: World[LoadMembers]) -> Result:
    """Master data → one row per code, parents first; keeps `members`, writes findings."""
    table = MASTERS[world.flow.members]
    conditions: list[Where | None] = [
        one_of(alias, list(values)) for alias, values in world.flow.where.items()
    ]
    rows, _ = world.jde.read_proved(table, every(*conditions))
    world.sign_out()  # this flow asks nothing more, and others may wait for the session
    wire.distinct_keys(table, rows)
    if world.flow.members == "accounts":
        core.refuse_look_alikes(rows, world.flow.account_code)
    shaped = {
        "accounts": lambda: core.from_accounts(rows, world.flow.account_code),
        "business_units": lambda: core.from_business_units(rows),
        "companies": lambda: core.from_companies(rows),
    }[world.flow.members]()
    attributes = [c for c in dict.fromkeys(world.flow.columns.values()) if c != "code"]
    single, findings = core.one_per_code(shaped, attributes)
    fit, bad = core.check_codes(single)
    ordered = core.parents_first(fit, _parent(world.flow))
    world.keep(step, "members", ordered)
    return {
        "rows": rows.height, "members": ordered.height,
        "rejects": _report(step, world, findings + bad),
    }  # fmt: skip


def _report(step: Step, world: World[LoadMembers], findings: list[Finding]) -> int:
    """Write findings down, those of a preview only in its own record; how many are rejects."""
    if not world.asked.get("preview"):
        step.reject(findings)
    elif findings:
        told = [{"rule": f.rule, "subject": f.subject, "what": f.what} for f in findings]
        step.keep("would_find", pl.DataFrame(told))
    return sum(f.severity is Severity.REJECT for f in findings)


def _parent(flow: LoadMembers) -> str | None:
    """The attribute sent as the parent of a member, by the usual name of its column."""
    return next((a for header, a in flow.columns.items() if header.casefold() == "parent"), None)


def compare_with_last(step: Step, world: World[LoadMembers], run: str) -> Result:
    """Which members are not as Anaplan was last proved to hold them; keeps `to_send` and `gone`.

    What was proved under another configuration counts no more: the model may be another one.
    Members that JD Edwards has no longer are sent as inactive where the flow has such a column.
    """
    members = world.of_this_run(run, "members")
    proved = world.frame("proved", members.schema)
    same = set(proved.columns) == set(members.columns)
    stands = world.store.positions(world.flow_name)
    changed = members
    if same and stands.get(PROVED_UNDER) == world.configured and not _whole(world):
        changed = members.join(proved, on=members.columns, how="anti", nulls_equal=True)
    not_here = no_longer_here(world, members, stands.get(LISTED_IN))
    gone = still_listed(world, not_here)
    inactive = inactive_rows(gone, members)
    if not gone.is_empty():
        world.keep(step, "gone", gone)
    world.keep(step, "to_send", pl.concat([changed, inactive]))
    rejects = _report(step, world, gone_findings(world, gone))
    found = {
        "to_send": changed.height + inactive.height, "not_here": not_here.height,
        "gone": gone.height, "rejects": rejects,
    }  # fmt: skip
    asks = found["to_send"] and not world.asked.get("preview")
    return found | (check_bindings(step, world) if asks else {})


def rows_to_send(world: World[LoadMembers], run: str) -> Iterator[pl.DataFrame]:
    """What the import's file says, TRUE and FALSE for active."""
    words = pl.when(pl.col("active")).then(pl.lit("TRUE")).otherwise(pl.lit("FALSE"))
    for rows in world.files_of_this_run(run, "to_send"):
        yield rows.with_columns(active=words) if "active" in rows.columns else rows


def previewed(
    step: Step, world: World[LoadMembers], read: dict[str, Any], compared: dict[str, Any]
) -> Result:
    """A preview reads and compares, and says what would be sent; Anaplan is not asked."""
    rejects = read["rejects"] + compared["rejects"]
    unfit = f" {rejects} need attention first." if rejects else ""
    return {
        "outcome": "complete", "exit_code": OK,
        "figures": {
            "rows_read": read["rows"], "rows_sent": 0, "rows_to_send": compared["to_send"],
            "gone": compared["gone"], "would_reject": rejects,
        },
        "sentence": f"{compared['to_send']} of {read['members']} members of {world.flow_name} "
        f"would be sent; nothing was sent.{unfit}",
    }  # fmt: skip


def read_back(step: Step, world: World[LoadMembers], run: str) -> Result:
    """Every member must be in the list now, as it was sent; keeps `in_list`."""
    found = world.anaplan.find("lists", world.flow.read_back.list)
    items = world.anaplan.list_items(found.id, tuple(sent_properties(world.flow)))
    every = items.lazy()
    codes = every.select(parent="name", parent_code="code").unique("parent", keep="none")
    shown = every.join(codes, on="parent", how="left").drop("id", "is_parent").collect()
    world.keep(step, "in_list", shown)
    members = world.of_this_run(run, "members")
    there = set(shown["code"])
    findings = [
        Finding(
            "member-missing", Severity.REJECT, f"member {code}",
            f"The list {found.name} has no member with the code {code!r} after the import.",
            "Read Anaplan's words for this row, correct the cause, and replay.",
            dimension=DIMENSION[world.flow.members], member=code, cells=1,
        )
        for code in members["code"] if code not in there
    ]  # fmt: skip
    both = members.join(shown, on="code", how="inner")
    findings += _otherwise_named(world, found.name, both)
    findings += otherwise_said(world, found, both)
    step.reject(findings)
    return {"items": items.height, "findings": len(findings)}


def _otherwise_named(
    world: World[LoadMembers], list_name: str, both: pl.DataFrame
) -> list[Finding]:
    """Members that Anaplan shows under another name (a note) or another parent (a reject)."""
    findings = []
    if "description" in both.columns:
        other = both.filter(
            (pl.col("description") != "") & (pl.col("description") != pl.col("name"))
        )
        if other.height:
            findings.append(
                Finding(
                    "name-differs", Severity.NOTE, f"list {list_name}",
                    f"{counted(other.height, 'member')} with another name in Anaplan, such as "
                    f"{other['name'][0]!r} for {other['description'][0]!r}.",
                    "Anaplan makes names unique, or a person renamed them; members are matched by "
                    "code.",
                    cells=other.height,
                )
            )  # fmt: skip
    parent = _parent(world.flow)
    if parent is None:
        return findings
    right = (pl.col(parent) == pl.col("parent_code")) | (pl.col(parent) == pl.col("parent"))
    moved = both.filter((pl.col(parent) != "") & ~right.fill_null(False))
    findings += [
        Finding(
            "parent-differs", Severity.REJECT, f"member {row['code']}",
            f"Anaplan shows {row['code']} under {row['parent'] or 'no parent'}, not under "
            f"{row[parent]}.",
            "Add the parent in Anaplan or correct the category code, and replay.",
            dimension=DIMENSION[world.flow.members], member=row["code"], cells=1,
        )
        for row in moved.iter_rows(named=True)
    ]  # fmt: skip
    return findings


def close_the_run(
    step: Step, world: World[LoadMembers], run: str, read: dict[str, Any],
    compared: dict[str, Any],
) -> Result:  # fmt: skip
    """Keep what is proved, settle what earlier runs left open, and say what this run was."""
    members = world.of_this_run(run, "members")
    there = world.of_this_run(run, "in_list")
    found = [r.finding for r in world.store.rejects(run=run)]
    rejected = [f for f in found if f.severity is Severity.REJECT]
    listed = members.join(there, on="code", how="semi")
    step.keep("proved", _proved(listed, rejected), replace=True)
    stands = world.store.positions(world.flow_name)
    step.move_position(PROVED_UNDER, stands.get(PROVED_UNDER), world.configured)
    gone = world.of_this_run(run, "gone") if compared["gone"] else listed.clear()
    keep_listed(step, world, listed, gone, rejected)
    step.move_position(LISTED_IN, stands.get(LISTED_IN), world.target)
    settle_earlier(step, world, run, sent=True)
    sent = compared["to_send"]
    figures = {"rows_read": read["rows"], "rows_sent": sent, "rejects": len(rejected)}
    if rejected:
        causes = ", ".join(sorted({f.rule for f in rejected}))
        return {
            "outcome": "needs_attention", "exit_code": REJECTED, "figures": figures,
            "sentence": f"{world.title} need attention: {counted(len(rejected), 'finding')} "
            f"({causes}); {counted(sent, 'member')} sent.",
        }  # fmt: skip
    return {
        "outcome": "complete", "exit_code": OK, "figures": figures,
        "sentence": f"{world.title} are in and proved: {counted(members.height, 'member')}, "
        f"{sent:,} sent.",
    }  # fmt: skip


def _proved(listed: pl.DataFrame, rejected: list[Finding]) -> pl.DataFrame:
    """The members Anaplan holds as they were sent; none when a reject names no member."""
    of_the_load = [f for f in rejected if f.rule not in FOUND_BEFORE_THE_LOAD]
    if any(not f.member for f in of_the_load):
        return listed.clear()
    named = [f.member for f in of_the_load]
    return listed.filter(~pl.col("code").is_in(named)) if named else listed


def nothing_new(step: Step, world: World[LoadMembers], run: str, read: dict[str, Any]) -> Result:
    """A quiet run touches nothing and says so; what an earlier one still had open is fixed."""
    settle_earlier(step, world, run, sent=True)
    return {
        "outcome": "complete", "exit_code": OK,
        "figures": {"rows_read": read["rows"], "rows_sent": 0, "rejects": 0},
        "sentence": f"Nothing new for {world.flow_name}: {counted(read['members'], 'member')}, all "
        "as last proved; Anaplan was not asked.",
    }  # fmt: skip
