"""How cells of a source file become values: numbers, booleans, dates."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
WRONG = {  # A060: the words of the failure dump, by format
    "NUMBER": "Invalid number", "BOOLEAN": "Invalid Boolean (yes/no/true/false)",
    "DATE": "Invalid date", "TEXT": "Invalid text",
}  # fmt: skip
BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def number(text: str) -> Decimal | None:
    """The exact number, or None: thousands separators and other junk are refused (A060)."""
    return Decimal(text) if NUMBER.fullmatch(text) else None


def iso_date(text: str) -> str | None:
    """`YYYY-MM-DD` or `YYYYMMDD` as an ISO date, or None (A060)."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None
