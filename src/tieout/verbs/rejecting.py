"""The rejects desk: what is open, whose, how old; assign, waive, reopen; and the way to a cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

from tieout.app import Instance
from tieout.core.findings import RULES
from tieout.core.policy import OWNER
from tieout.errors import Misconfigured
from tieout.flows.dimensions import ALWAYS
from tieout.flows.drill import Wanted
from tieout.store import people, rejects
from tieout.store.rejects import Decision, Reject
from tieout.verbs import acting, seeing, tracing
from tieout.verbs.words import exact

WAYS = ("cause", "owner", "state")  # of grouping
NOBODY = "nobody"
# A spreadsheet takes text that begins so for a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (
    "id", "flow", "run", "state", "owner", "rule", "severity", "subject", "company", "dimension",
    "member", "cells", "amount", "currency", "first_seen", "age_seconds", "decided_by",
    "decided_at", "why", "decided_on", "settled_run", "chunk", "line", "what", "remedy",
    "vendor_words",
)  # fmt: skip


def desk(
    instance: Instance, *, run: str | None = None, flow: str | None = None, standing: bool = True
) -> list[dict[str, Any]]:
    """Rejects with their age while they stand, and with the chunk of the file they were sent in.

    `standing`: only those that somebody still has to do something about.
    """
    acting.require(instance, "view")
    found = seeing.rejects(instance, run=run, flow=flow, standing=standing)
    now = instance.clock.now()
    files: dict[str, list[Any]] = {}
    for row in found:
        over = row["settled_run"] or row["severity"] == "note"
        row["age_seconds"] = None if over else _seconds(row["first_seen"], now)
        row["chunk"] = None
        if row["line"] is not None:
            if row["run"] not in files:
                files[row["run"]] = list(instance.store.kept(row["run"], kind="file"))
            row["chunk"], _ = tracing.chunk_of(files[row["run"]], row["line"])
    return found


def waived(instance: Instance, flow: str | None = None) -> int:
    """How many rejects are waived and would stand on the desk otherwise."""
    return len(instance.store.rejects(flow=flow, state="waived", standing=True))


def _seconds(since: datetime, now: datetime) -> int:
    return max(0, int((now - since).total_seconds()))


def groups(found: Sequence[Mapping[str, Any]], by: str = "cause") -> list[dict[str, Any]]:
    """What is on the desk by cause (rule and flow), owner or state.

    Amounts are sums without signs, never across currencies; the group with the largest of any
    currency comes first. A note is in no group.
    """
    made: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in found:
        if row["severity"] == "note":
            continue
        owner = row["owner"] or NOBODY
        key = {"cause": (row["rule"], row["flow"]), "owner": (owner,), "state": (row["state"],)}[by]
        group = made.setdefault(
            key,
            {"group": key[0], "flow": row["flow"] if by == "cause" else "",
             "meaning": RULES.get(row["rule"], "") if by == "cause" else "",
             "rows": 0, "cells": 0, "amounts": {}, "age_seconds": None, "owners": {}, "states": {},
             "ids": []},
        )  # fmt: skip
        group["rows"] += 1
        group["cells"] += row["cells"]
        group["ids"].append(row["id"])
        for name, word in (("owners", owner), ("states", row["state"])):
            group[name][word] = group[name].get(word, 0) + 1
        if row["amount"] is not None:
            amounts, currency = group["amounts"], row["currency"]
            amounts[currency] = amounts.get(currency, Decimal(0)) + abs(row["amount"])
        ages = [a for a in (group["age_seconds"], row["age_seconds"]) if a is not None]
        group["age_seconds"] = max(ages, default=None)

    def size(group: Mapping[str, Any]) -> tuple[Decimal, int]:
        return (max(group["amounts"].values(), default=Decimal(0)), group["rows"])

    return sorted(made.values(), key=size, reverse=True)


# ---------------------------------------------------------------------------- decisions


def assign(instance: Instance, ids: Sequence[int], to: str, note: str = "") -> dict[str, Any]:
    """Somebody looks after rejects from now on: all of them, or none when one cannot be assigned.

    `to`: a user, or the owner of an instance that has none.
    """
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, token, at), "settle rejects")
        names = [user.name for user in people.users(connection)] or [OWNER]
        if to not in names:
            raise Misconfigured(
                f"There is no user {to!r}.", untouched="Nothing was assigned.",
                do=f"Name one of: {', '.join(names)}.",
            )  # fmt: skip
        done = rejects.assign(connection, ids, to, Decision(by.name, at, note))
    return _decided(done)


def waive(instance: Instance, ids: Sequence[int], why: str) -> dict[str, Any]:
    """Rejects may stay as they are, for a reason; with an amount that takes an approver.

    Nothing but the desk looks at it: what a run proves, and what may be certified, stays as it is.
    """
    _require_reason(why, "waived")
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        actor = people.who(connection, token, at)
        by = acting.allowed(actor, "settle rejects")
        found = rejects.listed(connection, ids=ids)
        if any(reject.finding.amount is not None for reject in found):
            acting.allowed(actor, "waive amounts")
        done = rejects.waive(connection, ids, Decision(by.name, at, why))
    return _decided(done)


def reopen(instance: Instance, ids: Sequence[int], why: str) -> dict[str, Any]:
    """What was waived or assigned is open again, and nobody's."""
    _require_reason(why, "reopened")
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, token, at), "settle rejects")
        done = rejects.reopen(connection, ids, Decision(by.name, at, why))
    return _decided(done)


def _require_reason(why: str, done: str) -> None:
    if not why.strip():
        raise Misconfigured(
            f"A reject is {done} for a reason, and none was given.",
            untouched="Nothing was changed.", do="Say why: --why REASON.",
        )  # fmt: skip


def _decided(done: Sequence[Reject]) -> dict[str, Any]:
    return {"ok": True, "rejects": [seeing.finding_as_json(reject) for reject in done]}


# ---------------------------------------------------------------------------- files and cells


def as_csv(found: Sequence[Mapping[str, Any]]) -> str:
    """Rows of the desk as CSV with COLUMNS: numbers as numbers, text as it is.

    Text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_in_file(row[name]) for name in COLUMNS] for row in found)
    return text.getvalue()


def _in_file(value: object) -> object:
    if isinstance(value, Decimal):
        return exact(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


def trace(instance: Instance, id_: int) -> dict[str, Any]:
    """The cell or member that a reject is about, told as `tracing.trace` does, with the `reject`.

    Misconfigured when it names neither.
    """
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        reject = rejects.find(connection, id_)
    found, run = reject.finding, ""
    row = _row_sent(instance, reject) if found.line is not None else {}
    cell: dict[str, str] | None = None
    if "account" in row:
        run, cell = reject.run, {name: row[column] for column, name in tracing.SENT.items()}
        wanted = Wanted(
            company=cell["company"], account=cell["account"], business_unit=cell["business_unit"],
            member=cell["member"],
        )  # fmt: skip
    elif "code" in row:
        wanted = Wanted(code=row["code"])
    elif found.dimension in ALWAYS:
        named = {"company": found.company, found.dimension: found.member}
        wanted = Wanted(
            company=named["company"], account=named.get("account", ""),
            business_unit=named.get("business_unit", ""),
        )  # fmt: skip
    else:
        raise Misconfigured(
            f"Reject {id_} is about {found.subject}, which is no single cell or member.",
            do=f"`tieout show {reject.run}` tells what that run did.",
        )
    told = tracing.trace(instance, wanted, run=run, cell=cell)
    return told | {"reject": seeing.finding_as_json(reject)}


def _row_sent(instance: Instance, reject: Reject) -> dict[str, Any]:
    """The row of the file that a reject is about."""
    rows = instance.store.scan(instance.store.kept(reject.run, kind="sent"))
    return next(iter(rows.filter(pl.col("line") == reject.finding.line).collect().to_dicts()), {})
