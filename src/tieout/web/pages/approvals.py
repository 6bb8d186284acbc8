"""Approvals: what waits for another person, its exact lines, and the decision over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from starlette.responses import RedirectResponse, Response

from tieout.core.findings import counted
from tieout.core.listing import Column, Listed, Wanted
from tieout.core.policy import OWNER, Thing, who_may
from tieout.verbs import acting, approving, batch_lines, configuring, planning
from tieout.verbs.words import money
from tieout.web.asking import Asking, Field, act, ask, others
from tieout.web.pages.replays import short_wait
from tieout.web.table import List
from tieout.web.view import View
from tieout.web.words_of_pages import moneys

DIGEST_DIGITS = 12  # shown of a digest where the whole one stands beside it
STATES = {"prepared": "wait", "approved": "good", "declined": "bad", "void": "quiet"}
LINES = (
    Column("place", "Line", kind="code"),
    Column("journal", "Journal", kind="count", sort=True, find="equals"),
    Column("company", "Company", kind="code", sort=True, find="equals"),
    Column("account", "Account", kind="code", sort=True, find="contains"),
    Column("business_unit", "Cost center", kind="code", sort=True, find="equals"),
    Column("period", "Period", kind="code", sort=True),
    Column("size", "Amount", kind="amount", sort=True),
    Column("debit", "Debit", kind="amount", sort=True),
    Column("credit", "Credit", kind="amount", sort=True),
    Column("currency", "Currency"),
    Column("target", "Plan", kind="amount", sort=True),
    Column("posted", "In the ledger", kind="amount", sort=True),
    Column("in_flight", "On its way", kind="amount", sort=True),
    Column("remark", "Remark", kind="words"),
)
LARGEST_FIRST = Wanted("size", descending=True)


def inbox(view: View) -> Response:
    """What waits for a decision, whose, and how old it is."""
    every = view.query.get("all") == "yes"
    found = approving.approvals(view.instance, every=every)
    waiting = [b for b in found if b["state"] == "prepared"]
    people = acting.everybody(view.instance)
    rows = [
        b | {"amounts": [money(sum_, currency) for currency, sum_ in sorted(moved(b).items())],
             "may": view.may("approve", _thing(b)),
             "who": who_may(people, "approve", _thing(b)) if b["state"] == "prepared" else []}
        for b in found
    ]  # fmt: skip
    proposals = configuring.overview(view.instance)["waiting"]
    mine = [b for b in rows if b["state"] == "prepared" and b["may"]]
    total = len(waiting) + len(proposals)
    verdict = f"{counted(total, 'item')} wait{'s' if total == 1 else ''} for approval"
    verdict += f"; {len(mine)} for you." if total else "."
    return view.page(
        "approvals.html", section="approvals", title="Approvals", rows=rows, every=every,
        verdict=verdict if total else "Nothing waits for approval.", proposals=proposals,
        waiting=total, plans=planning.plan_flows(view.instance), tones=STATES,
        command=("tieout approvals --all" if every else "tieout approvals",),
    )  # fmt: skip


def moved(batch: Mapping[str, Any]) -> dict[str, Decimal]:
    """Currency → what the lines of a batch move, without signs."""
    sums: dict[str, Decimal] = {}
    for total in batch["summary"].get("totals", []):
        currency = total["currency"]
        sums[currency] = sums.get(currency, Decimal(0)) + Decimal(total["moved"])
    return sums


def _thing(batch: Mapping[str, Any]) -> Thing:
    return Thing(f"Batch {batch['batch']}", batch["state"], batch["prepared_by"])


# ---------------------------------------------------------------------------- one batch


def loaded(view: View) -> Thing:
    """The batch that the path names."""
    return _thing(approving.approval(view.instance, view.path("batch")))


def undecided(view: View) -> Thing:
    """The same as if it waited: who decided it meanwhile is told by the decision itself."""
    thing = loaded(view)
    return Thing(thing.name, "prepared", thing.prepared_by)


def batch(view: View) -> Response:
    """One batch: exact lines, totals by company, and what can be decided."""
    name = view.path("batch")
    found = approving.approval(view.instance, name)
    told = List(
        f"{name}-lines", "The exact lines, the largest first", "lines", LINES, LARGEST_FIRST,
        partial(_lines, view, name),
    )  # fmt: skip
    facts = (("Batch", name), ("Digest", found["digest"]), ("Lines", found["lines"]))
    if file := told.file(view, facts):
        return file
    return view.page(
        "approval.html", section="approvals", title=f"Batch {name}", batch=found,
        shown=told.shown(view), verdict=_verdict(found), tone=STATES[found["state"]],
        totals=_totals(found), instead=_instead(view, found), command=_commands(found),
        evidence=(*facts, ("Prepared by", found["prepared_by"])),
    )  # fmt: skip


def _lines(view: View, name: str, wanted: Wanted) -> Listed:
    found = batch_lines.page(view.instance, name, LINES, wanted)
    rows = [
        {**row, "debit": row["debit"] or None, "credit": row["credit"] or None}
        for row in found.rows
    ]
    return replace(found, rows=rows)


def _verdict(found: Mapping[str, Any]) -> str:
    what = f"{counted(found['lines'], 'line')} that move {moneys(moved(found))}"
    if found["state"] == "prepared":
        return f"{what} wait for approval."
    by = f" by {found['decided_by']}" if found["decided_by"] else ""
    because = f": {found['reason']}" if found["reason"] else ""
    return f"{what} are {found['state']}{by}{because}."


def _totals(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Totals by company, ledger and period, as amounts."""
    names = ("target", "posted", "in_flight", "difference", "moved")
    return [
        {**total, **{n: Decimal(total[n]) for n in names if n in total}}
        for total in found["summary"].get("totals", [])
    ]


def _instead(view: View, found: Mapping[str, Any]) -> str:
    """Why oneself cannot approve it, and who can: a sentence, "" where one can."""
    if found["state"] != "prepared" or view.may("approve", _thing(found)):
        return ""
    who = others(view, "approve", _thing(found), "approve it") or "Nobody here can approve it."
    if found["prepared_by"] == view.actor.name:
        return f"You prepared this batch. {who}"
    if found["prepared_by"] == OWNER:
        return "It was prepared before this instance had users; it has to be prepared again."
    return f"{view.may('approve', _thing(found)).why_not} {who}"


def _commands(found: Mapping[str, Any]) -> list[str]:
    name = found["batch"]
    told = [f"tieout approvals {name} --lines"]
    if found["state"] == "prepared":
        told.append(f"tieout approve {name} --digest {found['digest'][:DIGEST_DIGITS]}")
    return told


# ---------------------------------------------------------------------------- decisions


def _approving(view: View) -> Asking:
    found = approving.approval(view.instance, view.path("batch"))
    name, asks = found["batch"], found["summary"].get("asks", [])
    rules = {one["rule"]: one for one in asks}
    ticks = [
        Field(f"yes-{rule}", f"{one['subject']}: {one['what']}", "tick", hint=one["remedy"],
              missing=f"Say yes to “{one['subject']}”, or refuse the batch.")
        for rule, one in rules.items()
    ]  # fmt: skip
    return Asking(
        "approvals", f"Approve batch {name}", "Approve exactly these lines",
        f"/approvals/{name}",
        effect=(
            f"{counted(found['lines'], 'line')} in {counted(len(found['journals']), 'journal')} "
            f"that move {moneys(moved(found))} are submitted to JD Edwards, once.",
        ),
        facts=(("Prepared by", found["prepared_by"]), ("Digest", found["digest"])),
        fields=(*ticks, Field("why", "A remark", "area", hint="Kept with it; may stay empty.")),
        hidden=(("digest", found["digest"]),), danger=True,
        command=_commands(found)[1:],
    )  # fmt: skip


def ask_approve(view: View) -> Response:
    """What approving does, and what has to be said yes to."""
    return _decided_already(view) or ask(view, _approving(view))


def approve(view: View) -> Response:
    """Approve exactly the lines that were shown, and begin to send them: both or neither."""
    name = view.path("batch")
    yes = [k.removeprefix("yes-") for k in view.form if k.startswith("yes-")]

    def carry_out() -> str:
        digest, why = view.field("digest"), view.field("why").strip()
        done = approving.approve(view.instance, name, digest, why, yes=yes)
        view.engine.start()
        short_wait(view, view.instance.store.run(done["run"]))
        return f"/approvals/{name}"

    return act(view, _approving(view), carry_out)


def _refusing(view: View) -> Asking:
    found = approving.approval(view.instance, view.path("batch"))
    name = found["batch"]
    return Asking(
        "approvals", f"Refuse batch {name}", "Refuse it", f"/approvals/{name}",
        effect=(
            f"Nothing of its {counted(found['lines'], 'line')} is submitted. "
            f"{found['prepared_by']} reads why.",
        ),
        hidden=(("digest", found["digest"]),),
        command=(f"tieout refuse {name} --reason …",),
    )  # fmt: skip


def ask_refuse(view: View) -> Response:
    """What refusing means, and the reason."""
    return _decided_already(view) or ask(view, _refusing(view))


def refuse(view: View) -> Response:
    """Decline a batch."""
    name = view.path("batch")
    return _then_shown(view, _refusing(view), lambda: approving.refuse(
        view.instance, name, view.field("digest"), view.field("why")
    ))  # fmt: skip


def _withdrawing(view: View) -> Asking:
    found = approving.approval(view.instance, view.path("batch"))
    name = found["batch"]
    return Asking(
        "approvals", f"Withdraw batch {name}", "Withdraw it", f"/approvals/{name}",
        effect=(
            f"Its {counted(found['lines'], 'line')} are void, as long as nothing of it was "
            "submitted. A new preparation has their amounts.",
        ),
        command=(f"tieout withdraw {name} --reason …",),
    )  # fmt: skip


def ask_withdraw(view: View) -> Response:
    """What withdrawing means, and the reason."""
    return ask(view, _withdrawing(view))


def withdraw(view: View) -> Response:
    """Make a batch void of which nothing was sent."""
    name = view.path("batch")
    return _then_shown(view, _withdrawing(view), lambda: approving.withdraw(
        view.instance, name, view.field("why")
    ))  # fmt: skip


def _then_shown(view: View, asking: Asking, decide: Callable[[], Any]) -> Response:
    def carry_out() -> str:
        decide()
        return f"/approvals/{view.path('batch')}"

    return act(view, asking, carry_out)


def _decided_already(view: View) -> Response | None:
    """To the batch, which says who decided and when, where there is nothing left to decide."""
    found = approving.approval(view.instance, view.path("batch"))
    decided = found["state"] != "prepared"
    return RedirectResponse(f"/approvals/{found['batch']}", 303) if decided else None


# ---------------------------------------------------------------------------- a journal


def _journal(view: View) -> str:
    """The journal that the path names, as people call it: BATCH/NUMBER."""
    batch, _, number = view.path("journal").rpartition(".")
    return f"{batch}/{number}"


def _releasing(view: View) -> Asking:
    name = _journal(view)
    return Asking(
        "approvals", f"Release journal {name}", "Let it go once more",
        f"/journals/{view.path('journal')}",
        effect=(
            f"Tieout has proved that JD Edwards does not have it ({view.thing.state}). Make sure "
            "that nobody entered it by hand: it is submitted once more.",
        ),
        danger=True, command=(f"tieout release {name} --reason …",),
    )  # fmt: skip


def ask_release(view: View) -> Response:
    """What releasing means, and the reason."""
    return ask(view, _releasing(view))


def release(view: View) -> Response:
    """Let an absent journal go again, once."""
    name = _journal(view)

    def carry_out() -> str:
        done = approving.release(view.instance, name, view.field("why"))
        view.engine.start()
        return f"/runs/{done['run']}"

    return act(view, _releasing(view), carry_out)


# ---------------------------------------------------------------------------- prepare


def _preparing(view: View) -> Asking:
    flow = view.path("flow")
    return Asking(
        "approvals", f"Prepare a batch of {flow}", "Prepare", f"/flows/{flow}",
        effect=(
            "The plan is exported and compared with the ledger. What differs becomes a batch that "
            "waits for another person; nothing is submitted.",
            "An earlier batch of this flow that waits becomes void.",
        ),
        fields=(
            Field("again", "Journals that may be entered again",
                  hint="Only journals that people deleted or voided: BATCH/NUMBER, by commas."),
            Field("why", "Why they may", "area", hint="Only where journals are named."),
        ),
        command=(f"tieout prepare {flow}",),
    )  # fmt: skip


def ask_prepare(view: View) -> Response:
    """What preparing does."""
    return ask(view, _preparing(view))


def prepare(view: View) -> Response:
    """Compare the plan with the ledger; what differs becomes a batch that waits."""
    again = [name for name in view.field("again").replace(",", " ").split() if name]

    def carry_out() -> str:
        run = planning.begin(
            view.instance, view.path("flow"), again=again, why=view.field("why"),
            engine=view.engine,
        )  # fmt: skip
        short_wait(view, run)
        prepared = approving.prepared_in(view.instance, run.id)
        return f"/approvals/{prepared}" if prepared else f"/runs/{run.id}"

    return act(view, _preparing(view), carry_out)
