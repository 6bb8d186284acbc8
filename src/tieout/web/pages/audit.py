"""Audit: who did what, and whether the chain of it is whole."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from starlette.responses import Response

from tieout.core.listing import Column, Listed, Wanted
from tieout.core.policy import Thing
from tieout.errors import Misconfigured
from tieout.verbs import listing, trail
from tieout.web.table import List
from tieout.web.view import View

DIGITS_MAX = 18  # of the number of an entry
COLUMNS = (
    Column("seq", "Entry", kind="count", sort=True, link="address"),
    Column("at", "When", kind="moment"),
    Column("actor", "Who", find="equals"),
    Column("act", "Did", find="contains"),
    Column("object", "To what", find="contains"),
    Column("run", "Run", find="equals"),
    Column("short", "What", kind="words"),
    Column("hash", "Hash", kind="hash"),
)


def audit(view: View) -> Response:
    """The trail, newest first."""
    told = List(
        "audit", "The trail, newest first", "entries", COLUMNS, Wanted("seq", descending=True),
        partial(_rows, view),
    )  # fmt: skip
    if file := told.file(view):
        return file
    return view.page(
        "audit.html", section="audit", title="Audit", shown=told.shown(view),
        standing=trail.standing(view.instance), report=None,
        command=("tieout audit verify", "tieout audit export"),
    )  # fmt: skip


def _rows(view: View, wanted: Wanted) -> Listed:
    found = listing.trail(view.instance, wanted)
    for row in found.rows:
        assert isinstance(row, dict)
        row["address"] = f"/audit/{row['seq']}"
        if view.query.get("form"):  # a file has room for all of it
            row["short"] = row["told"]
        else:
            row["at"] = datetime.fromisoformat(row["at"])
    return found


def _entry(view: View) -> dict[str, Any]:
    number = view.path("entry")
    if not (number.isdecimal() and number.isascii() and len(number) <= DIGITS_MAX):
        raise Misconfigured(f"The trail has no entry {number}.")
    return listing.entry(view.instance, int(number))


def loaded(view: View) -> Thing:
    """The entry that the path names."""
    return Thing(f"entry {_entry(view)['seq']}")


def entry(view: View) -> Response:
    """One entry, whole, with its place in the chain."""
    found = _entry(view)
    detail = msgspec.json.format(msgspec.json.encode(found["told"]), indent=2).decode()
    return view.page(
        "entry.html", section="audit", title=f"Entry {found['seq']}", entry=found, detail=detail,
        command=("tieout audit export",),
    )  # fmt: skip


def verify(view: View) -> Response:
    """Check every entry, checkpoint and kept file now."""
    report = trail.check(view.instance)
    return view.page(
        "audit.html", section="audit", title="Audit", shown=None,
        standing=trail.standing(view.instance), report=report, command=("tieout audit verify",),
    )  # fmt: skip
