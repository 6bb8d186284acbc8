"""Workbooks of others are read by a program of its own: what one of them asks for ends with it."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import pytest
import xlsxwriter

from tieout.errors import Misconfigured
from tieout.verbs.sheets import mapping_book

CELL = '<c r="{}" t="inlineStr"><is><t>{}</t></is></c>'
SHARED = '<c t="s"><v>0</v></c>'
FAR = f'<row r="1">{CELL.format("A1", "x")}</row><row r="{{0}}">{CELL.format("{1}{0}", "y")}</row>'


def crafted(cells: str, shared: str = "") -> bytes:
    """A workbook whose cells, and shared texts, are what somebody wrote by hand."""
    made: dict[str, Any] = {"in_memory": True}
    file, crafted_ = io.BytesIO(), io.BytesIO()
    with xlsxwriter.Workbook(file, made) as book:
        book.add_worksheet().write_string(0, 0, "x")
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(crafted_, "w", zipfile.ZIP_DEFLATED) as z:
        for name in whole.namelist():
            text = whole.read(name).decode()
            if name.endswith("sheet1.xml"):
                text = re.sub("<sheetData>.*</sheetData>", f"<sheetData>{cells}</sheetData>", text)
            if name.endswith("sharedStrings.xml") and shared:
                text = re.sub("<si>.*</si>", f"<si><t>{shared}</t></si>", text)
            z.writestr(name, text)
    return crafted_.getvalue()


BOMBS = [
    ("half a terabyte of cells", FAR.format(1_048_576, "XFD"), "", "more memory or time"),
    ("a row far down", FAR.format(1_000_000, "B"), "", "beyond row 200,000"),
    ("a column far out", FAR.format(2, "ZZ"), "", "beyond row 200,000 or column 100"),
    ("one long text in many cells", f"<row>{SHARED * 5_000}</row>", "x" * 1_000_000,
     "more memory or time"),
    ("a text in some cells", f"<row>{SHARED * 60}</row>", "x" * 1_000_000,
     "more than 50,000,000 characters"),
    ("an entity", CELL.format("A1", "&boom;"), "", "unrecognized entity|no Excel workbook"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "shared", "words"), [b[1:] for b in BOMBS], ids=[b[0] for b in BOMBS]
)
def test_a_small_file_that_asks_for_too_much_is_refused_and_nothing_else_ends(
    cells: str, shared: str, words: str
) -> None:
    content = crafted(cells, shared)
    assert len(content) < 10_000
    with pytest.raises(Misconfigured, match=words) as refusal:
        mapping_book.as_csv(content)
    assert refusal.value.untouched == "Nothing was mapped."


def test_cells_that_stand_apart_keep_their_line_and_column() -> None:
    cells = (CELL.format("B1", "0012"), CELL.format("A2", 'é,"'))
    rows = "".join(f'<row r="{n}">{cell}</row>' for n, cell in enumerate(cells, start=1))
    assert mapping_book.as_csv(crafted(rows)) == ',0012\n"é,""",\n'
