"""The table of mappings as an Excel workbook whose cells are all text, and back as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

import python_calamine
import xlsxwriter  # type: ignore[import-untyped]  # no stubs

from tieout.errors import Misconfigured
from tieout.verbs.mapping import COLUMNS

WORKBOOK = ".xlsx"
WIDTH_CHARACTERS = 24
AS_WRITTEN = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}


def written(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """COLUMNS of mappings as a workbook; also cells that are filled in later are text."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, **AS_WRITTEN}) as book:
        sheet, text = book.add_worksheet("mappings"), book.add_format({"num_format": "@"})
        sheet.set_column(0, len(COLUMNS) - 1, WIDTH_CHARACTERS, text)
        sheet.freeze_panes(1, 0)
        bold = book.add_format({"bold": True, "num_format": "@"})
        for place, name in enumerate(COLUMNS):
            sheet.write_string(0, place, name, bold)
        for line, row in enumerate(rows, start=1):
            for place, name in enumerate(COLUMNS):
                sheet.write_string(line, place, str(row[name] or ""), text)
    return file.getvalue()


def as_csv(content: bytes) -> str:
    """The first sheet of a workbook as CSV, for the same checks as a CSV file.

    Misconfigured for what is no workbook, and for cells that hold neither text nor a whole number:
    a date or a fraction is what Excel made of a code.
    """
    try:
        sheet = python_calamine.CalamineWorkbook.from_filelike(
            io.BytesIO(content)
        ).get_sheet_by_index(0)
        rows = sheet.to_python(skip_empty_area=False)
    except python_calamine.CalamineError as error:
        raise Misconfigured(
            f"This is no Excel workbook that can be read: {error}.",
            untouched="Nothing was mapped.", do="Save it as .xlsx, or as CSV.",
        ) from error  # fmt: skip
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for line, row in enumerate(rows, start=1):
        cells = [_text(value, line) for value in row]
        if any(cells):
            writer.writerow(cells)
        else:  # so that lines keep their numbers
            raise Misconfigured(
                f"Line {line} of the workbook is empty.", untouched="Nothing was mapped.",
                do="Delete empty lines between the mappings.",
            )  # fmt: skip
    return text.getvalue()


def _text(value: object, line: int) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
        return str(int(value))
    raise Misconfigured(
        f"Line {line} of the workbook holds {value!r}, which is not text.",
        untouched="Nothing was mapped.",
        do="Format the column as text and write the code again: Excel has changed it.",
    )
