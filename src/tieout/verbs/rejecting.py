"""The rejects desk: what is open, whose, how old; assign, waive, reopen; and the way to a cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

from tieout.app import Instance
from tieout.core.findings import RULES
from tieout.core.listing import Listed
from tieout.core.listing import Wanted as OfList
from tieout.core.policy import OWNER
from tieout.errors import Misconfigured
from tieout.flows.dimensions import ALWAYS
from tieout.flows.drill import Wanted
from tieout.store import desk as stored
from tieout.store import people, piles, rejects
from tieout.store.rejects import Decision, Reject
from tieout.verbs import acting, seeing, tables, tracing
from tieout.verbs.sheets import csv_file
from tieout.verbs.words import exact

WAYS = ("cause", "owner", "state")  # of grouping
NOBODY = "nobody"
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
    return _on_desk(instance, seeing.rejects(instance, run=run, flow=flow, standing=standing))


def _on_desk(instance: Instance, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With their age while they stand, and the chunk of the file they were sent in."""
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


def one(instance: Instance, id_: int) -> dict[str, Any]:
    """One reject as the desk shows it; Misconfigured when there is none of this number."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        row = seeing.finding_as_json(rejects.find(connection, id_))
    return _on_desk(instance, [row])[0]


def waived(instance: Instance, flow: str | None = None) -> int:
    """How many rejects are waived and would stand on the desk otherwise."""
    with instance.store.database.read() as connection:
        found = piles.listed(connection, {"state": "waived"} | ({"flow": flow} if flow else {}))
    return sum(pile.rows for pile in found)


def page(instance: Instance, wanted: OfList, *, waiting: bool = False) -> Listed:
    """A page of what stands, waived ones too; with a run in the filter, of all that run found.

    `waiting`: only of what somebody still has to do something about.
    """
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        found = stored.page(connection, wanted, waiting=waiting)
    rows = _on_desk(instance, [seeing.finding_as_json(reject) for reject in found.rejects])
    return replace(found.listed, rows=rows)


def some(instance: Instance, ids: Sequence[int]) -> list[dict[str, Any]]:
    """What `groups` asks of these rejects; Misconfigured when one of them is not there."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        found = stored.weighed(connection, sorted(set(ids)))
    known = {row["id"] for row in found}
    for id_ in ids:
        if id_ not in known:
            raise rejects.unknown(id_)
    return found


def chosen_by(instance: Instance, found_by: Mapping[str, str], rows_max: int) -> list[int]:
    """The numbers of what waits under a cause, an owner or a state, up to `rows_max`."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        return stored.ids(connection, found_by, rows_max)


def standing_groups(
    instance: Instance, by: str = "cause", run: str = ""
) -> tuple[list[dict[str, Any]], int]:
    """What waits as `groups` tells it, without the ids; and how many rejects are waived.

    Nothing is read reject by reject, however many there are.
    """
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        found = piles.listed(connection, {"run": run} if run else None)
        waiting = [pile for pile in found if pile.undecided]
        first = piles.oldest(connection, [pile.id for pile in waiting])
    now = instance.clock.now()
    made: dict[tuple[str, ...], dict[str, Any]] = {}
    for pile in waiting:
        owner = pile.owner or NOBODY
        key = {"cause": (pile.rule, pile.flow), "owner": (owner,), "state": (pile.state,)}[by]
        group = made.setdefault(key, _group(key[0], pile.flow, by))
        _grow(group, {"owners": owner, "states": pile.state}, pile.rows, pile.cells)
        if pile.amounts:
            _grow_amount(group, pile.currency, pile.amount)
        if pile.id in first:
            age = _seconds(first[pile.id], now)
            group["age_seconds"] = max(age, group["age_seconds"] or 0)
    return _largest_first(made.values()), sum(p.rows for p in found if not p.undecided)


def owners(instance: Instance) -> list[str]:
    """Who can be given a reject."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        return _owners(connection)


def _owners(connection: Any) -> list[str]:
    return [u.name for u in people.users(connection) if not u.closed_at] or [OWNER]


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
        group = made.setdefault(key, _group(key[0], row["flow"], by) | {"ids": []})
        group["ids"].append(row["id"])
        _grow(group, {"owners": owner, "states": row["state"]}, 1, row["cells"])
        if row["amount"] is not None:
            _grow_amount(group, row["currency"], abs(row["amount"]))
        ages = [a for a in (group["age_seconds"], row.get("age_seconds")) if a is not None]
        group["age_seconds"] = max(ages, default=None)
    return _largest_first(made.values())


def _group(name: str, flow: str, by: str) -> dict[str, Any]:
    cause = by == "cause"
    return {
        "group": name, "flow": flow if cause else "",
        "meaning": RULES.get(name, "") if cause else "", "rows": 0, "cells": 0, "amounts": {},
        "age_seconds": None, "owners": {}, "states": {},
    }  # fmt: skip


def _grow(group: dict[str, Any], words: Mapping[str, str], rows: int, cells: int) -> None:
    group["rows"] += rows
    group["cells"] += cells
    for name, word in words.items():
        group[name][word] = group[name].get(word, 0) + rows


def _grow_amount(group: dict[str, Any], currency: str, amount: Decimal) -> None:
    group["amounts"][currency] = group["amounts"].get(currency, Decimal(0)) + amount


def _largest_first(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    def size(group: Mapping[str, Any]) -> tuple[Decimal, int]:
        return (max(group["amounts"].values(), default=Decimal(0)), group["rows"])

    return sorted(found, key=size, reverse=True)


# ---------------------------------------------------------------------------- decisions


def assign(instance: Instance, ids: Sequence[int], to: str, note: str = "") -> dict[str, Any]:
    """Somebody looks after rejects from now on: all of them, or none when one cannot be assigned.

    `to`: a user, or the owner of an instance that has none.
    """
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        by = acting.allowed(people.who(connection, token, at), "settle rejects")
        names = _owners(connection)
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
    return csv_file.harmless(value) if isinstance(value, str) else value


def trace(instance: Instance, id_: int) -> dict[str, Any]:
    """The cell or member that a reject is about, told as `tracing.trace` does, with the `reject`.

    Misconfigured when it names neither.
    """
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        reject = rejects.find(connection, id_)
    if tables.is_table(instance, reject.flow):
        return tables.trace_reject(instance, reject)
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
