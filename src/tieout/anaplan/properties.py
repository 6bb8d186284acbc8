"""Properties of a list's items as Anaplan's JSON tells them, beside the items themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from tieout.anaplan.wire import inside


def property_column(name: str) -> str:
    """Under which column an item has a property."""
    return f"property {name}"


def property_columns(
    entries: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> Iterator[pl.Series]:
    """Those of the properties that the list has, as text, an entry each."""
    of = [inside(entry, "properties") for entry in entries] if names else []
    for name in names:
        if any(name in properties for properties in of):
            told = [str(properties.get(name) or "") for properties in of]
            yield pl.Series(property_column(name), told, pl.String)


def property_formats(answer: Mapping[str, Any]) -> dict[str, str]:
    """The formats of a list's properties, in Anaplan's words."""
    told = inside(answer, "metadata").get("properties") or []
    entries = [p for p in told if isinstance(p, dict)] if isinstance(told, list) else []
    return {str(p.get("name") or ""): str(p.get("format") or "") for p in entries}
