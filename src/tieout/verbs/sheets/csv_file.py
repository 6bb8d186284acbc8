"""A sheet as CSV in UTF-8: the facts, then every table under its name, an empty line between."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import BinaryIO

from tieout.verbs.sheets.sheet import Row, Sheet, Value, places_of, plain

# What a spreadsheet would take for a formula when it begins a text.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def write(sheet: Sheet, file: BinaryIO) -> None:
    """Write `sheet` to `file`."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")  # a text with one of them is then quoted
    writer.writerow([_harmless(sheet.title)])
    writer.writerow([_harmless(sheet.verdict)])
    for name, value in sheet.facts:
        writer.writerow([_harmless(name), _cell(value)])
    for table in sheet.tables:
        writer.writerow([])
        writer.writerow([_harmless(table.name), _harmless(table.about)])
        writer.writerow(table.columns)
        writer.writerows(_row(table.columns, row) for row in table.rows())
    text.detach()


def _cell(value: Value, places: int = 2) -> str:
    told = plain(value, places)
    return _harmless(told) if isinstance(value, str) else told


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def _row(columns: Sequence[str], row: Row) -> list[str]:
    places = places_of(columns, row)
    return [_cell(value, places) for value in row]
