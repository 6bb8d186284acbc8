"""Amounts, moments and counts in the words and forms that every face prints alike."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from tieout.core.findings import counted

PLACES_USUAL = 2
# ISO 4217 currencies with other than two decimals, as far as their amounts are shown at all.
PLACES = {
    "BHD": 3, "CLP": 0, "ISK": 0, "JOD": 3, "JPY": 0, "KRW": 0, "KWD": 3, "OMR": 3, "PYG": 0,
    "TND": 3, "UGX": 0, "VND": 0, "XAF": 0, "XOF": 0,
}  # fmt: skip
HOURS_SHOWN_MAX = 48  # of an age; from then on it is told in days
NOTED = "noted"  # the state of a note: told, with nothing left to do
OUTCOMES = {
    "waiting": "Waiting", "running": "Running", "complete": "Complete", "failed": "Failed",
    "needs_attention": "Needs attention", "cancelled": "Cancelled",
}  # fmt: skip


def exact(value: Decimal, places: int = PLACES_USUAL) -> str:
    """An amount as a plain decimal string: all its digits, at least `places` of them decimals."""
    return _with_places(value, places, "f")


def amount(value: object, currency: str = "") -> str:
    """An amount with thousands separators and its currency's decimals, never rounded; None: ""."""
    if value is None:
        return ""
    return _with_places(Decimal(str(value)), PLACES.get(currency, PLACES_USUAL), ",f")


def _with_places(value: Decimal, places: int, form: str) -> str:
    exponent = value.normalize().as_tuple().exponent
    least = max(places, -exponent) if isinstance(exponent, int) else places
    # A negative zero would print a sign that no ledger shows.
    return f"{value + 0 if value else Decimal(0):{form[:-1]}.{least}{form[-1]}}"


def money(value: object, currency: str = "") -> str:
    """An amount followed by its currency."""
    return f"{amount(value, currency)} {currency}".strip()


def moment(at: datetime | None) -> str:
    """A moment in this machine's time zone, its name included: 23 Nov 2026 06:00:12 CST."""
    return "" if at is None else f"{at.astimezone():%d %b %Y %H:%M:%S %Z}"


def age(seconds: int) -> str:
    """How long something has been open: under 1 hour, 5 hours, 12 days."""
    hours = seconds // 3600
    if hours < 1:
        return "under 1 hour"
    return counted(hours, "hour") if hours < HOURS_SHOWN_MAX else counted(hours // 24, "day")


def lasted(seconds: object) -> str:
    """A length of time: 2.8 s, 3 min 05 s."""
    if seconds is None:
        return ""
    whole = Decimal(str(seconds))
    if whole < 60:
        return f"{whole:.1f} s"
    return f"{int(whole) // 60} min {int(whole) % 60:02d} s"
