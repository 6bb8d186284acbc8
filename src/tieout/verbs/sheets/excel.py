"""A sheet as an Excel workbook: codes stay text, amounts are numbers as far as Excel is exact."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import chain, islice
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import xlsxwriter  # type: ignore[import-untyped]  # no stubs
from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]  # no stubs

from tieout.verbs.sheets.sheet import Row, Sheet, Table, Value, places_of, plain

EXACT_DIGITS_MAX = 15  # of a number that Excel keeps to the last digit
ROWS_MAX = 1_048_576  # of a worksheet, its header included
TEXT_CHARACTERS_MAX = 32_767  # of a cell
CUT = " … (cut here)"
NAME_CHARACTERS_MAX = 31  # of a worksheet
WIDTH_CHARACTERS_MIN, WIDTH_CHARACTERS_MAX = 11, 60
LANDSCAPE_A4 = 9


def write(sheet: Sheet, file: BinaryIO, at: datetime) -> None:
    """Write `sheet` to `file` as made at `at`; a table too long for a worksheet goes on in more."""
    options = {
        "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
        "strings_to_numbers": False,
    }  # fmt: skip
    with TemporaryFile() as whole:  # a disk that is full fails the copy, not the library
        try:
            with xlsxwriter.Workbook(whole, options) as book:
                book.set_properties({"title": sheet.title, "created": at.replace(tzinfo=None)})
                paper = _Paper(book)
                paper.facts(sheet)
                for table in sheet.tables:
                    paper.table(table)
        except FileCreateError as error:  # it hides the system's own error in itself
            raise (error.args[0] if isinstance(error.args[0], OSError) else error) from error
        whole.seek(0)
        copyfileobj(whole, file)


class _Paper:
    """Writes worksheets of one book, and knows its formats."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._bold = book.add_format({"bold": True})
        self._head = book.add_format({"bold": True, "bottom": 1})
        self._wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        self._amounts: dict[int, Any] = {}

    def facts(self, sheet: Sheet) -> None:
        """The first worksheet: title, verdict, and every fact in a row."""
        page = self._book.add_worksheet("Facts")
        page.set_column(0, 0, 28)
        page.set_column(1, 1, WIDTH_CHARACTERS_MAX, self._wrapped)
        page.fit_to_pages(1, 0)
        self._text(page, 0, 0, sheet.title, self._bold)
        self._text(page, 1, 0, sheet.verdict)
        for number, (name, value) in enumerate(sheet.facts, start=3):
            self._text(page, number, 0, name)
            self._cell(page, number, 1, value, 2)

    def table(self, table: Table) -> None:
        """Worksheets with the rows of one table, each with the header."""
        rows, number = iter(table.rows()), 0
        while True:
            part = list(islice(rows, 1))
            if number and not part:
                return
            number += 1
            name = table.name if number == 1 else f"{table.name} {number}"
            self._worksheet(name, table, chain(part, islice(rows, ROWS_MAX - 3)))

    def _worksheet(self, name: str, table: Table, rows: Iterator[Row]) -> None:
        page = self._book.add_worksheet(name[:NAME_CHARACTERS_MAX])
        page.set_landscape()
        page.set_paper(LANDSCAPE_A4)
        page.fit_to_pages(1, 0)
        page.repeat_rows(1)
        page.freeze_panes(2, 0)
        self._text(page, 0, 0, table.about)
        for column, title in enumerate(table.columns):
            self._text(page, 1, column, title, self._head)
        widths = [len(title) + 2 for title in table.columns]
        last = 1
        for last, row in enumerate(rows, start=2):
            places = places_of(table.columns, row)
            for column, value in enumerate(row):
                self._cell(page, last, column, value, places)
                widths[column] = max(widths[column], len(plain(value, places)) + 3)
        for column, width in enumerate(widths):
            page.set_column(column, column, _between(width))
        page.autofilter(1, 0, last, len(table.columns) - 1)

    def _cell(self, page: Any, row: int, column: int, value: Value, places: int) -> None:
        if isinstance(value, Decimal) and _exact_in_excel(value):
            page.write_number(row, column, value, self._amount(value, places))
        elif isinstance(value, int) and not isinstance(value, bool):
            page.write_number(row, column, value)
        else:
            self._text(page, row, column, plain(value, places))

    def _text(self, page: Any, row: int, column: int, text: str, form: Any = None) -> None:
        text = cut(text)
        failed = page.write_string(row, column, text, form) if text else 0
        assert not failed, f"{page.name}: row {row}, column {column} was not written"

    def _amount(self, value: Decimal, places: int) -> Any:
        """The format of an amount: thousands apart, and all the decimals it has."""
        shown = max(places, len(plain(value, 0).partition(".")[2]))
        if shown not in self._amounts:
            form = "#,##0" + ("." + "0" * shown if shown else "")
            self._amounts[shown] = self._book.add_format({"num_format": form})
        return self._amounts[shown]


def cut(text: str) -> str:
    """A text that a cell can hold; of a longer one the beginning, and that it was cut."""
    if len(text) <= TEXT_CHARACTERS_MAX:
        return text
    return text[: TEXT_CHARACTERS_MAX - len(CUT)] + CUT


def _exact_in_excel(value: Decimal) -> bool:
    return len(value.normalize().as_tuple().digits) <= EXACT_DIGITS_MAX


def _between(width: int) -> int:
    return min(max(width, WIDTH_CHARACTERS_MIN), WIDTH_CHARACTERS_MAX)
