"""Journals: what was written back, as it stands in JD Edwards."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from tieout.core.listing import Column, Listed, Wanted
from tieout.core.policy import Thing
from tieout.errors import Misconfigured, NotAllowed, Refused
from tieout.store.schema import JOURNAL_STATES
from tieout.verbs import approving, batch_lines, listing, tracing_journals
from tieout.web.table import List
from tieout.web.view import View

# What a state means to who reads the ledger.
MEANINGS = {
    "reserved": "has its numbers, and was not sent", "sending": "is being sent",
    "uncertain": "we do not know whether it arrived; JD Edwards is asked before anything else",
    "absent": "did not arrive, as JD Edwards says", "created": "in JD Edwards, unposted",
    "ready": "in JD Edwards, approved to be posted", "posted": "posted",
    "verified": "posted, and every line is as it was approved",
    "partial": "only some lines arrived", "refused": "JD Edwards refused it",
    "deleted": "deleted in JD Edwards before it was posted", "voided": "reversed in JD Edwards",
    "drifted": "posted with other lines than were approved",
}  # fmt: skip
COLUMNS = (
    Column("journal", "Journal", link="address", sort=True),
    Column("state", "State", find="choice", sort=True,
           choices=tuple((s, s[:1].upper() + s[1:]) for s in JOURNAL_STATES), kind="status"),
    Column("batch_number", "Batch", kind="code", find="equals"),
    Column("document_number", "Document", kind="code", find="equals"),
    Column("company", "Company", kind="code", find="equals", sort=True),
    Column("ledger", "Ledger", kind="code"),
    Column("period", "Period", kind="code", find="equals", sort=True),
    Column("lines", "Lines", kind="count"),
    Column("debit", "Debit", kind="amount"),
    Column("credit", "Credit", kind="amount"),
    Column("currency", "Currency", kind="code"),
    Column("meaning", "In JD Edwards", kind="words"),
    Column("looked_at", "Last seen", kind="moment"),
)  # fmt: skip
LINES = (
    Column("line", "Line", kind="count", sort=True),
    Column("account", "Account", kind="code", sort=True, find="contains"),
    Column("business_unit", "Cost center", kind="code", sort=True, find="equals"),
    Column("member", "Period", kind="code"),
    Column("amount", "Amount", kind="amount", sort=True),
    Column("currency", "Currency"),
    Column("target", "Plan says", kind="amount", sort=True),
    Column("posted", "Ledger had", kind="amount", sort=True),
    Column("in_flight", "On its way", kind="amount", sort=True),
    Column("remark", "Remark", kind="words"),
)


def journals(view: View) -> Response:
    """Every journal, the newest batch first."""
    told = List(
        "journals", "Journals in JD Edwards", "journals", COLUMNS,
        Wanted("journal", descending=True), partial(_rows, view),
        empty="No journal yet. They are made when a plan is prepared.",
    )  # fmt: skip
    if file := told.file(view):
        return file
    return view.page(
        "journals.html", section="approvals", title="Journals", shown=told.shown(view),
        command=("tieout journals", "tieout journals check"),
    )  # fmt: skip


def _rows(view: View, wanted: Wanted) -> Listed:
    found = listing.journals(view.instance, COLUMNS, wanted)
    for row in found.rows:
        assert isinstance(row, dict)
        row["address"] = f"/journals/{row['batch']}.{row['number']}"
        row["meaning"] = "given up" if row["given_up"] else MEANINGS[row["state"]]
    return found


def _found(view: View) -> dict[str, Any]:
    """The journal that the path names: batch and number, with a point between them."""
    batch, _, number = view.path("journal").rpartition(".")
    for told in approving.all_journals(view.instance, batch) if batch else ():
        if str(told["number"]) == number:
            return told
    raise Misconfigured(f"There is no journal {view.path('journal')}.")


def loaded(view: View) -> Thing:
    """The journal, its state and who prepared it."""
    found = _found(view)
    batch = approving.approval(view.instance, found["batch"])
    return Thing(found["journal"], found["state"], batch["prepared_by"])


def journal(view: View) -> Response:
    """One journal: its lines beside what the plan says and the ledger had, and its trail."""
    found = _found(view)
    name = f"{found['batch']}.{found['number']}"
    told = List(
        f"{name}-lines", f"Lines of {found['journal']}", "lines", LINES, Wanted("line"),
        partial(_lines, view, found), empty="No line agrees with this filter.",
    )  # fmt: skip
    facts = (("Journal", found["journal"]), ("Lines", found["lines"]))
    shown, trouble = None, ""
    try:
        if file := told.file(view, facts):
            return file
        shown = told.shown(view)
    except (NotAllowed, Misconfigured):
        raise
    except Refused as error:  # a batch that is not as it was prepared is told, never shown
        trouble = error.sentence()
    return view.page(
        "journal.html", section="approvals", title=f"Journal {found['journal']}",
        journal=found, told=tracing_journals.journal(view.instance, found["journal"]),
        shown=shown, trouble=trouble, meanings=MEANINGS,
        command=(f"tieout trace {found['journal']}",),
    )  # fmt: skip


def _lines(view: View, found: Mapping[str, Any], wanted: Wanted) -> Listed:
    return batch_lines.page(view.instance, found["batch"], LINES, wanted, found["number"])
