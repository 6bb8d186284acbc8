"""Accounts, business units or companies into an Anaplan list: one row per code, read back."""

from __future__ import annotations

from typing import Any

import polars as pl

from tieout.core import members as core
from tieout.core.findings import Finding, Severity
from tieout.flows.loading import load
from tieout.flows.world import Result, Run, Steps, World
from tieout.jde import tables, wire
from tieout.jde.query import Where, every, one_of
from tieout.settings import LoadMembers
from tieout.store.steps import Step

MASTERS = {
    "accounts": tables.ACCOUNTS,
    "business_units": tables.BUSINESS_UNITS,
    "companies": tables.COMPANIES,
}
OK, REJECTED = 0, 5


def load_members(run: Run, world: World[LoadMembers]) -> Result:
    """The story of one run; returns outcome, exit code and sentence."""
    step = Steps(run, world)
    read = step(f"read the {world.flow.members.replace('_', ' ')}", read_members)
    compared = step("compare with the last load", compare_with_last, run.id)
    if not compared["to_send"] and not world.asked:
        return step("nothing new", nothing_new, read)
    load(run, world, step, rows_to_send)
    step("read back", read_back, run.id)
    return step("close the run", close_the_run, run.id, read)


def read_members(step: Step, world: World[LoadMembers]) -> Result:
    """Master data → one row per code, parents first; keeps `members`, writes findings."""
    table = MASTERS[world.flow.members]
    conditions: list[Where | None] = [
        one_of(alias, list(values)) for alias, values in world.flow.where.items()
    ]
    rows, _ = world.jde.read_proved(table, every(*conditions))
    wire.distinct_keys(table, rows)
    shaped = {
        "accounts": lambda: core.from_accounts(rows, world.flow.account_code),
        "business_units": lambda: core.from_business_units(rows),
        "companies": lambda: core.from_companies(rows),
    }[world.flow.members]()
    attributes = [c for c in dict.fromkeys(world.flow.columns.values()) if c != "code"]
    single, findings = core.one_per_code(shaped, attributes)
    fit, bad = core.check_codes(single)
    ordered = core.parents_first(fit, _parent(world.flow))
    step.keep("members", ordered)
    step.reject(findings + bad)
    return {"rows": rows.height, "members": ordered.height}


def _parent(flow: LoadMembers) -> str | None:
    """The attribute sent as the parent of a member, by the usual name of its column."""
    return next((a for header, a in flow.columns.items() if header.casefold() == "parent"), None)


def compare_with_last(step: Step, world: World[LoadMembers], run: str) -> Result:
    """Which members are not as Anaplan was last proved to hold them; keeps `to_send`."""
    members = world.of_this_run(run, "members")
    proved = world.frame("proved", members.schema)
    same = set(proved.columns) == set(members.columns)
    if same and not world.asked:
        changed = members.join(proved, on=members.columns, how="anti", nulls_equal=True)
    else:
        changed = members
    step.keep("to_send", changed)
    return {"to_send": changed.height}


def rows_to_send(world: World[LoadMembers], run: str) -> pl.DataFrame:
    """What the import's file says, TRUE and FALSE for active."""
    rows = world.of_this_run(run, "to_send")
    if "active" not in rows.columns:
        return rows
    words = pl.when(pl.col("active")).then(pl.lit("TRUE")).otherwise(pl.lit("FALSE"))
    return rows.with_columns(active=words)


def read_back(step: Step, world: World[LoadMembers], run: str) -> Result:
    """Every member must be in the list now, under its name and parent; keeps `in_list`."""
    found = world.anaplan.find("lists", world.flow.read_back.list)
    items = world.anaplan.list_items(found.id)
    codes = items.select(parent="name", parent_code="code").unique("parent", keep="none")
    shown = items.join(codes, on="parent", how="left").select(
        "code", "name", "parent", "parent_code"
    )
    members = world.of_this_run(run, "members")
    step.keep("in_list", shown)
    findings = [
        Finding(
            "member-missing", Severity.REJECT, f"member {code}",
            f"The list {found.name} has no member with the code {code!r} after the import.",
            "Read Anaplan's words for this row, correct the cause, and replay.",
            dimension=world.flow.members, member=code, cells=1,
        )
        for code in members.join(shown, on="code", how="anti")["code"].to_list()
    ]  # fmt: skip
    findings += _otherwise_named(world, found.name, members.join(shown, on="code", how="inner"))
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
                    f"{other.height} members have another name in Anaplan, such as "
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
            dimension=world.flow.members, member=row["code"], cells=1,
        )
        for row in moved.iter_rows(named=True)
    ]  # fmt: skip
    return findings


def close_the_run(step: Step, world: World[LoadMembers], run: str, read: dict[str, Any]) -> Result:
    """Keep what is proved, and say what this run was."""
    members = world.of_this_run(run, "members")
    there = world.of_this_run(run, "in_list").select("code").unique()
    found = world.store.rejects(run=run)
    rejected = [r for r in found if r.finding.severity == Severity.REJECT]
    refused = [r.finding.member for r in rejected if r.finding.member]
    proved = members.join(there, on="code", how="semi").filter(~pl.col("code").is_in(refused))
    step.keep("proved", proved if not rejected else proved.clear(), replace=True)
    sent = world.of_this_run(run, "to_send").height
    figures = {"rows_read": read["rows"], "rows_sent": sent, "rejects": len(rejected)}
    if rejected:
        return {
            "outcome": "needs_attention", "exit_code": REJECTED, "figures": figures,
            "sentence": f"{world.flow_name} need attention: {len(rejected)} findings among "
            f"{sent} members sent.",
        }  # fmt: skip
    return {
        "outcome": "complete", "exit_code": OK, "figures": figures,
        "sentence": f"{world.flow_name} are in and proved: {members.height} members, {sent} sent.",
    }  # fmt: skip


def nothing_new(step: Step, world: World[LoadMembers], read: dict[str, Any]) -> Result:
    """A quiet run touches nothing and says so."""
    return {
        "outcome": "complete", "exit_code": OK,
        "figures": {"rows_read": read["rows"], "rows_sent": 0, "rejects": 0},
        "sentence": f"Nothing new for {world.flow_name}: {read['members']} members, all as last "
        "proved; Anaplan was not asked.",
    }  # fmt: skip
