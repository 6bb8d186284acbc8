"""How pages write what the command line does not show: days, sizes, the shape of a state."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from markupsafe import Markup, escape

from tieout.verbs import words

_COMMAND = re.compile("`([^`]+)`")  # as our sentences quote what is typed
BYTES_OF_UNITS = (("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000))

# A state → its words, its shape (an icon) and its tone (a class): never colour alone.
STATES: dict[str, tuple[str, str, str]] = {
    "waiting": ("Waiting", "clock", "wait"),
    "running": ("Running", "player-play", "run"),
    "complete": ("Complete", "circle-check", "good"),
    "needs_attention": ("Needs attention", "alert-triangle", "attention"),
    "failed": ("Failed", "circle-x", "bad"),
    "cancelled": ("Cancelled", "ban", "quiet"),
    "": ("Not run yet", "clock", "quiet"),
    # of a comparison, and of its certification
    "agrees": ("Agrees", "circle-check", "good"),
    "differs": ("Differs", "alert-triangle", "attention"),
    "certified": ("Certified", "circle-check", "good"),
    "reopened": ("Reopened", "alert-triangle", "attention"),
    "not certified": ("Not certified", "clock", "quiet"),
    # of a batch
    "prepared": ("Prepared", "clock", "wait"),
    "approved": ("Approved", "circle-check", "good"),
    "declined": ("Declined", "circle-x", "bad"),
    "void": ("Void", "ban", "quiet"),
    # of a journal
    "reserved": ("Reserved", "clock", "wait"),
    "sending": ("Sending", "player-play", "run"),
    "uncertain": ("Uncertain", "help-circle", "attention"),
    "absent": ("Absent", "alert-triangle", "attention"),
    "created": ("Created", "checkbox", "run"),
    "ready": ("Ready", "checkbox", "run"),
    "posted": ("Posted", "circle-check", "good"),
    "verified": ("Verified", "circle-check", "good"),
    "partial": ("Partial", "alert-triangle", "bad"),
    "refused": ("Refused", "circle-x", "bad"),
    "deleted": ("Deleted", "ban", "attention"),
    "voided": ("Voided", "ban", "quiet"),
    "drifted": ("Drifted", "alert-triangle", "bad"),
    # of a reject
    "open": ("Open", "alert-triangle", "attention"),
    "assigned": ("Assigned", "user", "wait"),
    "waived": ("Waived", "ban", "quiet"),
    "fixed": ("Fixed", "circle-check", "good"),
    "sent again": ("Sent again", "circle-check", "good"),
    "noted": ("Noted", "file-text", "quiet"),
}


def day(at: datetime | None) -> str:
    """A moment to the minute, in this machine's time zone: 23 Nov 2026 06:00 CST."""
    return "" if at is None else f"{at.astimezone():%d %b %Y %H:%M %Z}"


def count(number: object) -> str:
    """A whole number with its thousands apart; None: empty."""
    return "" if number is None else f"{number:,}"


def size(octets: int) -> str:
    """A number of bytes as people say it: 2.4 MB."""
    for name, one in BYTES_OF_UNITS:
        if octets >= one:
            return f"{Decimal(octets) / one:.1f} {name}"
    return f"{octets} bytes"


def at(text: str) -> str:
    """A moment that the trail spells in UTC, as people read it: 23 Nov 2026 06:00:12 CST."""
    return words.moment(datetime.fromisoformat(text)) if text else ""


def said(text: str) -> Markup:
    """A sentence of ours as text, what is typed in it as such."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


def title(text: str) -> str:
    """A name of ours as words: read_back → Read back."""
    told = text.replace("_", " ")
    return told[:1].upper() + told[1:]


def moneys(amounts: Mapping[str, Decimal]) -> str:
    """Amounts by their currency, never added up: 1,204.00 USD, 3.00 EUR."""
    return ", ".join(words.money(total, currency) for currency, total in sorted(amounts.items()))
