"""The rejects desk: what waits, by cause; assign it, waive it, open it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from tieout.core.findings import RULES, counted
from tieout.core.listing import Column, Listed, Wanted
from tieout.core.policy import Thing
from tieout.errors import Misconfigured
from tieout.verbs import ready, rejecting
from tieout.verbs.setting_up import UNMATCHED
from tieout.verbs.words import moment
from tieout.web.asking import WHY, Asking, Field, act, ask
from tieout.web.table import List
from tieout.web.view import View
from tieout.web.words_of_pages import moneys

REJECTS_MAX = 5_000  # decided on together
REJECTS_TOLD_MAX = 12
STATES = (
    ("open", "Open"), ("assigned", "Assigned"), ("waived", "Waived"), ("fixed", "Fixed"),
    ("sent again", "Sent again"),
)  # fmt: skip
COLUMNS = (
    Column("id", "Reject", kind="code", sort=True, link="address"),
    Column("what", "What is wrong", kind="words", find="contains"),
    Column("company", "Company", kind="code", sort=True, find="equals"),
    Column("amount", "Amount", kind="amount", sort=True),
    Column("currency", "Currency"),
    Column("cells", "Cells", kind="count", sort=True),
    Column("first_seen", "Age", kind="age", sort=True),
    Column("owner", "Owner", find="equals"),
    Column("state", "State", kind="status", find="choice", choices=STATES),
    Column("rule", "Cause", find="equals"),
    Column("flow", "Flow", find="equals"),
    Column("run", "Run", find="equals", link="run_address"),
    Column("member", "Member", kind="filter", find="equals"),
)
USUAL = Wanted("first_seen")
WAYS = (("cause", "cause"), ("owner", "owner"), ("state", "state"))


def desk(view: View) -> Response:
    """What somebody still has to do something about, the largest cause first."""
    told = List(
        "rejects", "Rejects, the oldest first", "rejects", COLUMNS, USUAL, partial(_page, view)
    )
    if file := told.file(view):
        return file
    by = view.query.get("by", "cause")
    if by not in rejecting.WAYS:
        by = "cause"
    run = view.query.get("run", "").strip()
    groups, waived = rejecting.standing_groups(view.instance, by, run)
    return view.page(
        "rejects.html", section="rejects", title="Rejects", shown=told.shown(view), ways=WAYS,
        groups=[group | _links(group, by, run) for group in groups], by=by,
        ready=_sendable(view, run), verdict=_verdict(groups), waived=waived,
        rows=sum(group["rows"] for group in groups),
        command=("tieout rejects", f"tieout rejects --by {by}"),
    )  # fmt: skip


def _page(view: View, wanted: Wanted) -> Listed:
    """A page of every reject that no run has settled, waived ones too; of one run, of all of it."""
    owner = wanted.found_by.get("owner", "")
    if owner.casefold() == rejecting.NOBODY:
        found_by = {**wanted.found_by, "owner": ""}
        found = rejecting.page(view.instance, replace(wanted, found_by=found_by))
        found = replace(found, wanted=wanted)
    else:
        found = rejecting.page(view.instance, wanted)
    rows = [
        {
            **row, "address": f"/rejects/{row['id']}", "run_address": f"/runs/{row['run']}",
            "owner": row["owner"] or "",
        }
        for row in found.rows
    ]  # fmt: skip
    return replace(found, rows=rows)


def _verdict(groups: Sequence[dict[str, Any]]) -> str:
    rows = sum(group["rows"] for group in groups)
    if not rows:
        return "Nothing waits: every row that was sent is in Anaplan."
    first = groups[0]
    more = "" if len(groups) == 1 else f" in {counted(len(groups), 'group')}"
    largest = moneys(first["amounts"])
    told = f"{counted(rows, 'reject')} wait{'s' if rows == 1 else ''}{more}."
    return told + (f" The largest group holds {largest} back." if largest else "")


def _links(group: dict[str, Any], by: str, run: str) -> dict[str, Any]:
    """Where a row of the groups leads: its rows, and what can be done with all of them."""
    query = {
        "cause": {"rule": group["group"], "flow": group["flow"]},
        "owner": {"owner": group["group"]}, "state": {"state": group["group"]},
    }[by]  # fmt: skip
    if run:
        query["run"] = run
    return {
        "address": f"/rejects?{urlencode({**query, 'by': by})}#rejects-caption",
        "chosen": urlencode(query),
        "maps": by == "cause" and group["group"] == UNMATCHED,
    }


def _sendable(view: View, run: str) -> list[dict[str, Any]]:
    """By flow, what a mapping was set for since: how many, and those that are sent together."""
    found = ready.ready(view.instance, REJECTS_MAX, run)
    return [
        {"flow": flow, "rows": one.rows, "together": len(one.ids), "ids": spans(one.ids)}
        for flow, one in found.items()
    ]


def spans(ids: Sequence[int]) -> str:
    """Numbers as one text, those that follow one another as a span: 12 14-20."""
    told: list[list[int]] = []
    for id_ in sorted(ids):
        if told and told[-1][1] == id_ - 1:
            told[-1][1] = id_
        else:
            told.append([id_, id_])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in told)


# ---------------------------------------------------------------------------- one reject


def loaded(view: View) -> Thing:
    """The reject that the path names."""
    row = _row(view)
    return Thing(f"Reject {row['id']}", row["state"])


def _row(view: View) -> dict[str, Any]:
    return rejecting.one(view.instance, _number(view.path("reject")))


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise Misconfigured(f"There is no reject {text[:30]!r}.")
    return int(text)


def reject(view: View) -> Response:
    """One reject: what is wrong, with Anaplan's own words, and what people decided."""
    row = _row(view)
    return view.page(
        "reject.html", section="rejects", title=f"Reject {row['id']}", row=row,
        meaning=RULES.get(row["rule"], ""), maps=row["rule"] == UNMATCHED,
        stands=row["settled_run"] is None and row["severity"] != "note",
        command=(f"tieout rejects --run {row['run']}", f"tieout trace --reject {row['id']}"),
        evidence=(
            ("Reject", row["id"]), ("Run", row["run"]), ("Line of the file", row["line"] or "none"),
            ("First seen", moment(row["first_seen"])),
        ),
    )  # fmt: skip


# ---------------------------------------------------------------------------- decisions


def chosen(view: View) -> list[int]:
    """The numbers that a decision is about; Misconfigured when there is none, or too many.

    Ticked rows, numbers that a form carries, or what waits under a row of the groups.
    """
    ids = [_number(text) for text in dict.fromkeys(view.each("id"))]
    for text in view.each("ids"):
        ids += _numbers(text)
    if not ids and (found_by := _group_of(view)):
        if found_by.get("owner") == rejecting.NOBODY:
            found_by["owner"] = ""
        ids = rejecting.chosen_by(view.instance, found_by, REJECTS_MAX)
    if not ids:
        raise Misconfigured(
            "No reject was chosen.", untouched="Nothing was changed.",
            do="Go back, tick the rejects in the list, and choose again.",
        )  # fmt: skip
    if len(ids) > REJECTS_MAX:
        raise too_many()
    return ids


def is_chosen(view: View) -> bool:
    """Whether an address names rejects in any of the ways of `chosen`."""
    return bool(view.each("id") or view.each("ids") or _group_of(view))


def _group_of(view: View) -> dict[str, str]:
    """What a row of the groups is: its cause, its owner or its state."""
    names = ("rule", "flow", "owner", "state", "run")
    return {name: view.query[name] for name in names if name in view.query}


def too_many() -> Misconfigured:
    """The refusal of more than are decided on together."""
    return Misconfigured(f"At most {REJECTS_MAX:,} rejects are decided on together.")


def _numbers(text: str) -> list[int]:
    """The numbers of `spans`."""
    found: list[int] = []
    for span in text.split():
        first, _, last = span.partition("-")
        a, b = _number(first), _number(last or first)
        if b < a or len(found) + b - a >= REJECTS_MAX:
            raise too_many()
        found += range(a, b + 1)
    return found


def _deciding(
    view: View, word: str, effect: str, fields: Sequence[Field], *, danger: bool = False
) -> tuple[Asking, list[int]]:
    ids = chosen(view)
    found = rejecting.some(view.instance, ids)
    amounts = rejecting.groups(found, "state")
    held = [moneys(group["amounts"]) for group in amounts if group["amounts"]]
    rows = counted(len(ids), "reject")
    told = ", ".join(str(i) for i in ids[:REJECTS_TOLD_MAX])
    facts = [
        ("Rejects", f"{rows}: {told}" + (" …" if len(ids) > REJECTS_TOLD_MAX else "")),
        ("Causes", ", ".join(sorted({row["rule"] for row in found}))),
        ("Amount, without signs", ", ".join(held) or "none"),
        ("Cells", f"{sum(row['cells'] for row in found):,}"),
    ]
    if len(ids) == REJECTS_MAX:
        facts.append(("At once", f"The oldest {REJECTS_MAX:,}; then the next ones."))
    asking = Asking(
        "rejects", f"{word} {rows}", f"{word} {rows}", "/rejects", effect=(effect,),
        facts=facts, fields=fields, hidden=[("ids", spans(ids))], danger=danger,
        command=(f"tieout rejects {word.lower()} {' '.join(map(str, ids[:REJECTS_TOLD_MAX]))} …",),
    )  # fmt: skip
    return asking, ids


def _assigning(view: View) -> tuple[Asking, list[int]]:
    names = [(name, name) for name in rejecting.owners(view.instance)]
    to = Field("to", "To whom", "select", view.actor.name, choices=names)
    note = Field("note", "A remark", "area", hint="Kept with it; may stay empty.")
    return _deciding(view, "Assign", "Somebody looks after them from now on.", (to, note))


def _waiving(view: View) -> tuple[Asking, list[int]]:
    effect = (
        "They leave the desk and stay as they are. No run is complete for it, and what may be "
        "certified stays the same. With an amount it takes an approver."
    )
    return _deciding(view, "Waive", effect, (WHY,), danger=True)


def _reopening(view: View) -> tuple[Asking, list[int]]:
    return _deciding(view, "Reopen", "They are open again, and nobody's.", (WHY,))


def ask_assign(view: View) -> Response:
    """To whom, and of how much."""
    return _asked(view, _assigning)


def assign(view: View) -> Response:
    """Somebody looks after rejects."""
    return _decided(
        view, _assigning, lambda ids: rejecting.assign(
            view.instance, ids, view.field("to"), view.field("note")
        )
    )  # fmt: skip


def ask_waive(view: View) -> Response:
    """What waiving means, and the reason."""
    return _asked(view, _waiving)


def waive(view: View) -> Response:
    """Rejects may stay as they are."""
    return _decided(
        view, _waiving, lambda ids: rejecting.waive(view.instance, ids, view.field("why"))
    )


def ask_reopen(view: View) -> Response:
    """What opening again means, and the reason."""
    return _asked(view, _reopening)


def reopen(view: View) -> Response:
    """Rejects are open again."""
    return _decided(
        view, _reopening, lambda ids: rejecting.reopen(view.instance, ids, view.field("why"))
    )


def _asked(view: View, asking: Callable[[View], tuple[Asking, list[int]]]) -> Response:
    if not is_chosen(view):
        return RedirectResponse("/rejects", 303)  # nothing was ticked
    return ask(view, asking(view)[0])


def _decided(
    view: View, asking: Callable[[View], tuple[Asking, list[int]]],
    decide: Callable[[list[int]], Any],
) -> Response:  # fmt: skip
    made, ids = asking(view)

    def carry_out() -> str:
        decide(ids)
        return f"/rejects/{ids[0]}" if len(ids) == 1 else "/rejects"

    return act(view, made, carry_out)
