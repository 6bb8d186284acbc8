"""Members of an Anaplan list: one row per code, conflicts settled by a stated rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from tieout.core.cells import account_code
from tieout.core.findings import Finding, Severity, counted
from tieout.errors import Refused

CODE_CHARACTERS_MAX = 60  # Anaplan's limit for codes
NO_POSTING = ("I", "N", "P")  # F0901.PEC and F0006.PECC of members that take no postings any more
NAMES_SHOWN_MAX = 3


def from_accounts(accounts: pl.DataFrame, code: str) -> pl.DataFrame:
    """F0901 rows → code, description, active, level, category_NN; still one row per account."""
    return accounts.with_columns(
        code=account_code(code),
        active=~pl.col("posting_edit").is_in(NO_POSTING),
        level=pl.col("level_of_detail"),
    )


def from_business_units(units: pl.DataFrame) -> pl.DataFrame:
    """F0006 rows → code, description, company, type, active, category_NN."""
    return units.with_columns(
        code=pl.col("business_unit"),
        active=~pl.col("posting_edit").is_in(("N", "P")),
        type=pl.col("business_unit_type"),
    )


def from_companies(companies: pl.DataFrame) -> pl.DataFrame:
    """F0010 rows → code, description, currency, active; the template company 00000 is none."""
    return companies.filter(pl.col("company") != "00000").with_columns(
        code=pl.col("company"), description=pl.col("name"), active=pl.lit(True)
    )


def refuse_collisions(rows: pl.DataFrame, key: Sequence[str], table: str) -> None:
    """Refuse master data in which two rows have one key: trimming made two keys equal (rule 7).

    `key`: what JD Edwards keeps unique beside the primary key, such as business_unit,
    object_account and subsidiary of F0901. A bad load can leave `30` left-justified beside the
    right-justified one; the amounts of both would merge. Primary keys are checked as they are read.
    """
    several = rows.group_by(key).len().filter(pl.col("len") > 1).sort(key)
    if several.is_empty():
        return
    codes = [".".join(v for v in row[:-1] if v) for row in several.iter_rows()]
    shown = ", ".join(codes[:NAMES_SHOWN_MAX]) + ("…" if len(codes) > NAMES_SHOWN_MAX else "")
    raise Refused(
        f"{table} holds several rows that become one key when blanks are trimmed: {shown}.",
        untouched="Nothing was sent.",
        do="Correct the badly justified rows in JD Edwards.",
        who="the JD Edwards team",
    )


def refuse_look_alikes(accounts: pl.DataFrame, code: str) -> None:
    """Refuse accounts that share a code by another object and subsidiary: amounts would add up.

    `code`: the flow's `account_code`. A point inside an object reads like the one between object
    and subsidiary: `41.10` and `41` with the subsidiary `10`.
    """
    parts = ["object_account", "subsidiary"]
    if code not in ("object.subsidiary", "account"):
        return
    if code == "account":
        parts.insert(0, "business_unit")
    keys = accounts.select(*parts, code=account_code(code)).unique()
    several = keys.group_by("code").len().filter(pl.col("len") > 1).sort("code")
    if several.is_empty():
        return
    codes = several["code"].to_list()
    shown = ", ".join(codes[:NAMES_SHOWN_MAX]) + ("…" if len(codes) > NAMES_SHOWN_MAX else "")
    raise Refused(
        f"Accounts of F0901 with different {', '.join(parts)} have one code in Anaplan: {shown}.",
        untouched="Nothing was sent.",
        do='Set `account_code = "account_id"`, or recode one of them in JD Edwards.',
        who="the JD Edwards team",
    )


def one_per_code(
    rows: pl.DataFrame, attributes: Sequence[str]
) -> tuple[pl.DataFrame, list[Finding]]:
    """One row per code. The attribute most rows agree on wins, then the first in text order.

    A member is active when one of its rows is. Every conflict of a name or parent is told as a
    note, so that the rule never settles something silently.
    """
    findings: list[Finding] = []
    text = [a for a in attributes if a != "active"]
    if rows["code"].n_unique() == rows.height:  # one row per code already
        alone = rows.lazy().select("code", *attributes).sort("code")
        return alone.with_columns(pl.col(text).fill_null("")).collect(), findings
    result = rows.select("code").unique().sort("code")
    for attribute in attributes:
        if attribute == "active":
            chosen = rows.group_by("code").agg(pl.col("active").any())
        else:
            votes = rows.filter(pl.col(attribute) != "").group_by("code", attribute).len()
            ranked = votes.sort(["code", "len", attribute], descending=[False, True, False])
            chosen = ranked.group_by("code", maintain_order=True).first().select("code", attribute)
            several = (
                votes.group_by("code")
                .agg(pl.col(attribute).sort(), n=pl.len())
                .filter(pl.col("n") > 1)
            )
            if not several.is_empty():
                findings.append(_conflict(attribute, several))
        result = result.join(chosen, on="code", how="left")
    return result.with_columns(pl.col(text).fill_null("")), findings


def _conflict(attribute: str, several: pl.DataFrame) -> Finding:
    codes = several.sort("code")["code"].head(NAMES_SHOWN_MAX).to_list()
    more = "…" if several.height > len(codes) else ""
    return Finding(
        "name-conflict", Severity.NOTE, f"{attribute}",
        f"{counted(several.height, 'code')} with different values of {attribute} in several rows "
        f"({', '.join(codes)}{more}); the value most rows agree on was sent.",
        "Make the master data agree if another value is wanted.", cells=several.height,
    )  # fmt: skip


def check_codes(members: pl.DataFrame) -> tuple[pl.DataFrame, list[Finding]]:
    """Leave out codes Anaplan cannot take (empty or longer than 60 characters), each a finding."""
    bad = [code for code in members["code"] if not 0 < len(code) <= CODE_CHARACTERS_MAX]
    if not bad:
        return members, []
    findings = [
        Finding(
            "code-too-long", Severity.REJECT, code or "(empty code)",
            f"The code {code!r} cannot be a code in Anaplan: it is empty or longer than "
            f"{CODE_CHARACTERS_MAX} characters.",
            "Choose another `account_code`, or correct the master data.", member=code, cells=1,
        )
        for code in bad
    ]  # fmt: skip
    return members.filter(~pl.col("code").is_in(bad)), findings


def parents_first(members: pl.DataFrame, parent: str | None) -> pl.DataFrame:
    """Order rows so that a parent that is itself a member stands before its children.

    Depth is found by walking up at most as many levels as there are members; a circle keeps its
    place at the end, where Anaplan will refuse it in its own words.
    """
    if parent is None or members.is_empty():
        return members
    parent_of: Mapping[str, str] = dict(
        zip(members["code"].to_list(), members[parent].to_list(), strict=True)
    )
    depth: dict[str, int] = {}
    for code in parent_of:
        path: dict[str, None] = {}  # in the order walked; looking one up takes no walk
        here = code
        while here in parent_of and here not in depth and here not in path:
            path[here] = None
            here = parent_of[here]
        base = depth.get(here, -1) if here not in path else len(parent_of)
        for offset, name in enumerate(reversed(path), start=1):
            depth[name] = base + offset
    order = pl.DataFrame({"code": list(depth), "depth": list(depth.values())})
    return members.join(order, on="code").sort("depth", "code").drop("depth")
