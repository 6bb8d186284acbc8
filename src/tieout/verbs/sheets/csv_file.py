"""A sheet as CSV in UTF-8: the facts, then every table under its name, an empty line between."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import BinaryIO

from tieout.verbs.sheets.sheet import Row, Sheet, Value, places_of, plain

# What some spreadsheet would take for a formula when it begins a text.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def write(sheet: Sheet, file: BinaryIO) -> None:
    """Write `sheet` to `file`."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")  # a text with one of them is then quoted
    writer.writerow([harmless(sheet.title)])
    writer.writerow([harmless(sheet.verdict)])
    for name, value in sheet.facts:
        writer.writerow([harmless(name), _cell(value)])
    for table in sheet.tables:
        writer.writerow([])
        writer.writerow([harmless(table.name), harmless(table.about)])
        writer.writerow(table.columns)
        writer.writerows(_row(table.columns, row) for row in table.rows())
    text.detach()


def _cell(value: Value, places: int = 2) -> str:
    told = plain(value, places)
    return harmless(told) if isinstance(value, str) else told


def harmless(text: str) -> str:
    """A text with an apostrophe in front where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def _row(columns: Sequence[str], row: Row) -> list[str]:
    places = places_of(columns, row)
    return [_cell(value, places) for value in row]
