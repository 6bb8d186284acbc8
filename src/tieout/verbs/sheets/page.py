"""A sheet as one page of HTML that needs nothing else: to read offline, on a phone and on paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tieout.verbs import words
from tieout.verbs.sheets.sheet import Sheet, Table, Value, currency_of, plain

TEMPLATES = Path(__file__).parent / "templates"
WORDS_CHARACTERS_MIN = 40  # of a text that may be broken into lines


def write(sheet: Sheet, file: BinaryIO) -> None:
    """Write `sheet` to `file`."""
    fill("sheet.html", {"sheet": sheet}, file)


def fill(template: str, values: Mapping[str, object], file: BinaryIO) -> None:
    """Write a page made from one of our templates, piece by piece."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.globals |= {"cells_of": _cells_of, "shown": _shown, "title_of": _title_of}
    for piece in made.get_template(template).generate(values):
        file.write(piece.encode())


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    kind: str  # the class of its style


def _cells_of(table: Table) -> Iterator[list[_Cell]]:
    """Every row of a table as it is shown."""
    for row in table.rows():
        currency = currency_of(table.columns, row)
        yield [_Cell(_shown(value, currency), _kind(value)) for value in row]


def _shown(value: Value, currency: str = "") -> str:
    """A value as a person reads it: thousands apart, every digit of an amount."""
    if isinstance(value, Decimal):
        return words.amount(value, currency)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return plain(value)


def _kind(value: Value) -> str:
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return "number"
    return "words" if len(plain(value)) >= WORDS_CHARACTERS_MIN else ""


def _title_of(column: str) -> str:
    """The name of a column as a heading: gross_f0911 → Gross F0911."""
    words_of = column.replace("f09", "F09").replace("anaplan", "Anaplan").split("_")
    return " ".join([words_of[0][:1].upper() + words_of[0][1:], *words_of[1:]])
