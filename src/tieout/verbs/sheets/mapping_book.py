"""The table of mappings as an Excel workbook whose cells are all text, and back as CSV."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from tieout.errors import Misconfigured
from tieout.verbs.mapping import COLUMNS
from tieout.verbs.sheets import excel, reading
from tieout.verbs.sheets.excel import TEXT_CHARACTERS_MAX

WORKBOOK = ".xlsx"
WIDTH_CHARACTERS = 24
READING_SECONDS_MAX = 120.0  # of the wall; its own limits end it far earlier
MADE_AT = (1980, 1, 1, 0, 0, 0)  # of every part: the same mappings are the same bytes
_PLAIN, _BOLD = 1, 2  # styles of a cell; both are text, so that Excel changes no code
# What XML cannot hold, and what Excel would read as if it were such a character.
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\r\ufffe\uffff]|_(?=x[0-9a-fA-F]{4}_)")
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_FORMATS = "http://schemas.openxmlformats.org"
_MAIN = f"{_FORMATS}/spreadsheetml/2006/main"
_RELATIONS = f"{_FORMATS}/package/2006/relationships"
_OFFICE = f"{_FORMATS}/officeDocument/2006/relationships"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_FORMATS}/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPES}.styles+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}.worksheet+xml"/>'
        "</Types>"
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="mappings" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" '
        f'Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>'
    ),
    "xl/styles.xml": (
        f'<styleSheet xmlns="{_MAIN}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/>'
        '</font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>'
        '</cellStyleXfs><cellXfs count="3">'
        '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        '<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" '
        'applyFont="1"/></cellXfs><cellStyles count="1">'
        '<cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    ),
}


def written(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """COLUMNS of mappings as a workbook; also cells that are filled in later are text.

    Written here, as the few parts that such a book needs: the library that makes our other
    workbooks takes five times as long for it.
    """
    file = io.BytesIO()
    with ZipFile(file, "w") as book:
        for name, text in {**_PARTS, "xl/worksheets/sheet1.xml": _sheet(rows)}.items():
            book.writestr(ZipInfo(name, MADE_AT), _XML + text, ZIP_DEFLATED)
    return file.getvalue()


def _sheet(rows: Iterable[Mapping[str, Any]]) -> str:
    """The worksheet: a row a mapping below the names of COLUMNS, which stay in sight."""
    told = [_row(COLUMNS, _BOLD)]
    told += [_row([str(row[name] or "") for name in COLUMNS], _PLAIN) for row in rows]
    return (
        f'<worksheet xmlns="{_MAIN}"><sheetViews><sheetView tabSelected="1" workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView>'
        f'</sheetViews><cols><col min="1" max="{len(COLUMNS)}" width="{WIDTH_CHARACTERS}" '
        f'style="{_PLAIN}" customWidth="1"/></cols><sheetData>{"".join(told)}</sheetData>'
        "</worksheet>"
    )


def _row(texts: Sequence[str], style: int) -> str:
    cells = [
        f'<c t="inlineStr" s="{style}"><is><t xml:space="preserve">{_fit(text)}</t></is></c>'
        if text else f'<c s="{style}"/>' for text in texts
    ]  # fmt: skip
    return f"<row>{''.join(cells)}</row>"


def _fit(text: str) -> str:
    """A text as it stands in XML, and as Excel reads it back."""
    if text.isalnum() and len(text) <= TEXT_CHARACTERS_MAX:  # a code, of which nothing changes
        return text
    text = _UNFIT.sub(lambda found: f"_x{ord(found[0]):04X}_", excel.cut(text))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def as_csv(content: bytes) -> str:
    """The first sheet of a workbook as CSV, for the same checks as a CSV file.

    Misconfigured for what is no workbook, and for cells that hold neither text nor a whole number:
    a date or a fraction is what Excel made of a code.
    """
    rows = [json.loads(line) for line in _read(content).splitlines()]
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


def _read(content: bytes) -> str:
    """What `reading` says of a workbook; it is given nothing else, and not this process."""
    try:
        done = subprocess.run(  # noqa: S603 - our own program, and no argument of others
            [sys.executable, "-I", "-m", reading.__name__], input=content, env={}, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=READING_SECONDS_MAX,
        )  # fmt: skip
        code, told = done.returncode, done.stdout.decode()
    except subprocess.TimeoutExpired:
        code, told = -1, ""
    if code == 0:
        return told
    if code != reading.UNREADABLE_EXIT_CODE:
        told = "it takes more memory or time to be read than any table of mappings does"
    raise Misconfigured(
        f"This is no Excel workbook that can be read: {told}.",
        untouched="Nothing was mapped.", do="Save it as .xlsx, or as CSV.",
    )  # fmt: skip


def _text(value: str | list[str], line: int) -> str:
    if isinstance(value, str):
        return value
    raise Misconfigured(
        f"Line {line} of the workbook holds {value[0]}, which is not text.",
        untouched="Nothing was mapped.",
        do="Format the column as text and write the code again: Excel has changed it.",
    )
