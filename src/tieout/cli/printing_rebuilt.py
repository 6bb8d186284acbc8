"""How a file that was rebuilt from the records compares with the one that was uploaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tieout.cli.printing import paragraph
from tieout.core.findings import counted


def reproduced(found: Mapping[str, Any]) -> None:
    """Whether the rebuilt file is the one that was uploaded, and what it was rebuilt from."""
    size = f"{found['bytes']:,} bytes, {counted(found['rows'], 'row')}"
    if found["same"]:
        told = f"the same {size}, SHA-256 {found['sha256']}"
    else:
        first = found["first_difference"]
        told = (
            f"another file than the one that was uploaded ({size}, SHA-256 "
            f"{found['uploaded_sha256']}). They differ first in line {first['line']}: uploaded "
            f"{first['uploaded']!r}, rebuilt {first['rebuilt']!r}"
        )
    paragraph(f"Rebuilt the file of {found['run']}: {told}.", indent="")
    paragraph(f"Rebuilt from {', '.join(found['rebuilt_from'])}.", indent="")
