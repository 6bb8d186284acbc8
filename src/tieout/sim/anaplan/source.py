"""An import's source: the file its runner sees, decoded and cut into rows."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

from tieout.sim.anaplan.files import chunk_bodies, content_row
from tieout.sim.anaplan.state import State

csv.field_size_limit(10_000_000)


class ImportFailed(Exception):
    """The whole import is refused; `kind` is the vendor's failure type (A045)."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text


@dataclass(slots=True)
class Source:
    """Header names, data rows, and the file line of the first data row (A047)."""

    header: list[str]
    rows: list[list[str]]
    first_line: int

    def positions(self, mapping: dict[str, Any], needed: set[str]) -> dict[str, int]:
        """Where each mapped column stands; a column the file lacks is dropped silently (A053).

        A lacking column of `needed` (part of the key) fails the import (A054).
        """
        found = {name: self.header.index(name) for name in mapping if name in self.header}
        lost = sorted(needed - set(found))
        if lost:
            raise ImportFailed(
                "missingFields", f"Import incomplete - unavailable fields: {', '.join(lost)}"
            )
        return found


def read_source(state: State, now: float, model: str, user: str, file_id: str) -> Source:
    """The rows of the file as `user` sees it, at this moment: files take no lock (A036)."""
    file = state.thing(model, file_id, "file")
    seen = None if file is None else content_row(state, now, model, file_id, user)
    if file is None or seen is None:
        raise ImportFailed(
            "uploadedFileNoLongerAvailable", "The uploaded file is no longer available."
        )  # A031
    bodies = chunk_bodies(state, model, file_id, seen[0])
    missing = sorted(bodies) != list(range(seen[1])) and state.switch("missing_chunk") == "fail"
    if not seen[2] or missing:  # A027, A028
        raise ImportFailed("importFailedGeneralError", "The file is not complete.")
    layout = file.data
    text = b"".join(bodies.values()).decode(layout["encoding"], "replace")  # A063
    if state.switch("strip_mark"):
        text = text.removeprefix("\ufeff")  # A088
    rows = _rows(text, layout["separator"], layout["delimiter"])
    if state.switch("trim_cells"):
        rows = [list(map(str.strip, row)) for row in rows]  # A067
    first = int(layout["firstDataRow"])
    head = rows[int(layout["headerRow"]) - 1] if rows else []
    return Source(head, rows[first - 1 :], first)


def _rows(text: str, separator: str, delimiter: str) -> list[list[str]]:
    try:
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=separator, quotechar=delimiter, strict=True
        )
        return list(reader)
    except csv.Error as error:
        raise ImportFailed(
            "unmatchedTextDelimiter", f"Unmatched text delimiter: {error}"
        ) from error
