"""What is handed out as CSV, workbook or page says exactly what it was given, and runs nothing."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from decimal import Decimal
from zipfile import ZipFile

from python_calamine import CalamineWorkbook

from tieout.verbs import mapping
from tieout.verbs.sheets import csv_file, excel, mapping_book, page
from tieout.verbs.sheets.sheet import Row, Sheet, Table

AT = datetime(2026, 1, 5, 6, 0, 0, 123, tzinfo=UTC)
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx")
ROWS: list[Row] = [
    ("00001", "USD", Decimal("-1234567.8900"), 3, True),
    ("00070", "JPY", Decimal("774782396.0000"), 0, False),
    ("00090", "KWD", Decimal("99999999999.1234"), 0, None),
    ("00200", "EUR", Decimal("123456789012345.67"), 0, AT),
    *((text, "EUR", Decimal("0.01"), 1, "<b>&'\"") for text in FORMULAS),
]
COLUMNS = ("company", "currency", "gross_f0911", "cells", "note")


def sheet(rows: list[Row]) -> Sheet:
    """A sheet with one table."""
    facts = [("Flow", "=cmd()"), ("Compared at", AT), ("Cells", 12)]
    return Sheet("Tie-out", "All tie.", True, facts, [Table("Sums", "", COLUMNS, lambda: rows)])


def as_csv(what: Sheet) -> list[list[str]]:
    """Its rows as CSV."""
    file = io.BytesIO()
    csv_file.write(what, file)
    return list(csv.reader(io.StringIO(file.getvalue().decode(), newline="")))


def as_book(what: Sheet) -> bytes:
    """Its workbook."""
    file = io.BytesIO()
    excel.write(what, file, AT)
    return file.getvalue()


def as_page(what: Sheet) -> str:
    """Its page."""
    file = io.BytesIO()
    page.write(what, file)
    return file.getvalue().decode()


def test_no_text_of_a_csv_is_a_formula_and_every_amount_keeps_its_digits() -> None:
    rows = as_csv(sheet(ROWS))
    assert ["Flow", "'=cmd()"] in rows
    assert ["Compared at", "2026-01-05T06:00:00.000123+00:00"] in rows
    assert ["00001", "USD", "-1234567.89", "3", "yes"] in rows
    assert ["00070", "JPY", "774782396", "0", "no"] in rows
    assert ["00090", "KWD", "99999999999.1234", "0", ""] in rows
    assert [row[0] for row in rows[-len(FORMULAS) :]] == [f"'{text}" for text in FORMULAS]


def test_a_workbook_has_amounts_as_numbers_as_far_as_excel_is_exact_and_codes_as_text() -> None:
    book = CalamineWorkbook.from_filelike(io.BytesIO(as_book(sheet(ROWS))))
    assert book.sheet_names == ["Facts", "Sums"]
    found = book.get_sheet_by_name("Sums").to_python(skip_empty_area=False)[2:]
    assert [row[0] for row in found] == [str(row[0]) for row in ROWS]
    amounts = [row[2] for row in found]
    assert amounts[:3] == [-1234567.89, 774782396, 99999999999.1234]
    assert amounts[3] == "123456789012345.67", "17 digits are more than Excel keeps"


def test_a_table_of_mappings_comes_back_from_its_workbook_character_for_character() -> None:
    texts = [
        "00001", " as it stands ", "a & b <c> \"'", "_x0041_", "a\x01b", "one\ttwo\nthree\rfour",
        "Zürich €", "", "=1+1", "'0",
    ]  # fmt: skip
    rows = [
        {"dimension": "account", "source": text, "target": f"T{n}", "effective_from": "",
         "why": text}
        for n, text in enumerate(texts)
    ]  # fmt: skip
    made = mapping_book.written(rows)
    assert made == mapping_book.written(rows), "the same mappings are the same bytes"
    book = CalamineWorkbook.from_filelike(io.BytesIO(made))
    found = book.get_sheet_by_name("mappings").to_python(skip_empty_area=False)
    assert found == [list(mapping.COLUMNS), *(list(row.values()) for row in rows)]
    with ZipFile(io.BytesIO(made)) as parts:
        page = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in page
    assert "<v>" not in page, "nothing is a number, so that 00001 stays 00001"


def test_nothing_in_a_workbook_is_a_formula_or_a_link() -> None:
    with ZipFile(io.BytesIO(as_book(sheet(ROWS)))) as parts:
        pages = [parts.read(n).decode() for n in parts.namelist() if "worksheets/" in n]
    assert not any("<f>" in text or "hyperlink" in text for text in pages)


def test_a_page_needs_nothing_else_and_shows_what_it_was_given_as_text() -> None:
    text = as_page(sheet(ROWS))
    assert not re.search(r"<script|src=|href=|url\(|@import", text)
    assert "&lt;b&gt;&amp;&#39;&#34;" in text
    assert "-1,234,567.89" in text
    assert "99,999,999,999.1234" in text
    assert "@media print" in text
    assert 'name="viewport"' in text


def test_an_empty_table_says_so() -> None:
    assert "None." in as_page(sheet([]))
    assert as_csv(sheet([]))[-1] == list(COLUMNS)
