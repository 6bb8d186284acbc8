"""Anaplan's JSON and CSV on the wire ⇄ our values; field names: here, exports.py, outcome.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from io import BytesIO
from typing import Any

import polars as pl
from isal import isal_zlib

from tieout.core.frames import AMOUNT
from tieout.errors import Misconfigured, Refused
from tieout.strict_json import TEXT_CHARACTERS_MAX, plain

GZIP_LEVEL = 1
CHUNK_BYTES_MAX = 50_000_000  # before gzip
CHUNKS_MAX = 1_000  # of one file
NOISE = Decimal("0.0000001")  # what a double may add behind the fourth place; more is an error
DOUBLE_STEP = Decimal(2) ** -52  # … and for large amounts, relative to them
AMOUNT_END = Decimal(10) ** 34  # the first amount too large for Decimal(38, 4)
_wide = Context(prec=80, traps=[InvalidOperation])
SEPARATORS = (",", ";", "\t", "|")
LINE_ITEM = "line item"  # the dimension of a module's measures, as `_plain` spells it
SLICE_BYTES = 2**20  # of a page, looked at in one go
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_AMOUNT = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
ERROR_COLUMN = re.compile(r"_+Error_+\d+_*")


# ---------------------------------------------------------------------------- JSON


@dataclass(frozen=True, slots=True)
class PageOf:
    """One page of a collection: its entries, how many there are in all (0: not said), a next?"""

    entries: list[dict[str, Any]]
    total: int
    more: bool


def page_of(answer: Mapping[str, Any], key: str) -> PageOf:
    """One page of the collection `key`; no key means no entries (facts §3.1)."""
    paging = inside(inside(answer, "meta"), "paging")
    entries = answer.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise Refused(f"Anaplan's {key} are not a list of objects.", evidence=plain(entries))
    total = whole(paging.get("totalSize"), "number of entries")
    return PageOf(entries, total, bool(paging.get("next")))


def inside(answer: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object under `key`, empty when there is none; Refused if it is something else."""
    found = answer.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Refused(f"Anaplan's {key} is not an object.", evidence=plain(found))
    return found


def whole(value: object, what: str) -> int:
    """A whole number as Anaplan writes it, also as text; 0 when it is not said."""
    if value is None or value == "":
        return 0
    if isinstance(value, int) or (isinstance(value, str) and _WHOLE.fullmatch(value)):
        return int(value)
    raise Refused(f"Anaplan's {what} is {plain(value)!r}, which is no whole number.")


def token_of(answer: Mapping[str, Any]) -> tuple[str, float]:
    """The token of a sign-in or renewal, and when it ends (seconds since 1970)."""
    info = answer.get("tokenInfo")
    if not isinstance(info, dict) or not info.get("tokenValue"):
        raise Refused("The sign-in of Anaplan answered without a token.")
    return str(info["tokenValue"]), whole(info.get("expiresAt"), "end of a token") / 1000


@dataclass(frozen=True, slots=True)
class FileLayout:
    """How an import reads its file: the columns it was set up with, in file order."""

    headers: tuple[str, ...]
    separator: str
    quote: str
    encoding: str
    header_row: int
    first_data_row: int
    decimal_separator: str


def file_layout(answer: Mapping[str, Any]) -> FileLayout | None:
    """The stored layout of an import; None when it does not read a file."""
    source = inside(answer, "importMetadata").get("source")
    if not isinstance(source, dict):
        return None
    return FileLayout(
        tuple(str(h) for h in source.get("headerNames") or ()),
        str(source.get("columnSeparator") or ","),
        str(source.get("textDelimiter") or '"'),
        str(source.get("textEncoding") or ""),
        whole(source.get("headerRow"), "row of headers"),
        whole(source.get("firstDataRow"), "first row of data"),
        str(source.get("decimalSeparator") or "."),
    )


def list_items(entries: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Items of a list: id, name, code, parent (a name), and whether other items roll up into it."""
    rows = list(entries)
    columns = ("id", "name", "code", "parent")
    told = {column: [str(r.get(column) or "") for r in rows] for column in columns}
    # A member may have the name of another's code, so a parent's id counts where it is told.
    ids = {str(r["parentId"]) for r in rows if r.get("parentId")}
    names = {str(r["parent"]) for r in rows if r.get("parent") and not r.get("parentId")}
    rolled_up = [
        id_ in ids or name in names for id_, name in zip(told["id"], told["name"], strict=True)
    ]
    kinds = dict.fromkeys(columns, pl.String) | {"is_parent": pl.Boolean}
    return pl.DataFrame(told | {"is_parent": rolled_up}, schema=kinds)


def list_properties(
    entries: Iterable[Mapping[str, Any]], code: str, numbers: Sequence[str], texts: Sequence[str]
) -> pl.DataFrame:
    """Items as `code`, `numbers` (AMOUNT, blank is zero) and `texts`; items without code are out.

    Misconfigured where an item does not have one of the properties.
    """
    rows = [r for r in entries if r.get("code")]
    found = [inside(r, "properties") for r in rows]
    lacking = [n for n in (*numbers, *texts) if any(n not in p for p in found)]
    if lacking:
        raise Misconfigured(
            f"The list has no property {plain(', '.join(map(repr, lacking)))}.",
            do="Name the columns of the flow as the properties of the list are named.",
        )
    said = {n: pl.Series(n, [str(p[n] or "") for p in found], pl.String)
            for n in (*numbers, *texts)}  # fmt: skip
    codes = pl.Series(code, [str(r["code"]) for r in rows], pl.String)
    made = [amounts(said[n], f"property {n}").alias(n) for n in numbers]
    return pl.DataFrame([codes, *made, *(said[t] for t in texts)])


# ---------------------------------------------------------------------------- files to Anaplan


def import_csv(
    frame: pl.DataFrame, columns: Mapping[str, str], *, header: bool = True, separator: str = ","
) -> bytes:
    """`frame` as the file an import reads: UTF-8, RFC 4180, lines end in LF.

    `columns` maps each header to a column of `frame`, in file order. Amounts are plain decimals
    without zeros at the end. A missing amount is an error of ours: Anaplan would keep what it has.
    """
    out = []
    for title, name in columns.items():
        column = frame[name]
        if isinstance(column.dtype, pl.Decimal):
            if column.null_count():
                raise ValueError(f"{column.null_count()} amounts of {name!r} are missing")
            text = column.cast(pl.String)
            if column.dtype.scale:
                text = text.str.strip_chars_end("0").str.strip_chars_end(".")
        else:
            text = column.cast(pl.String)
            text = text.fill_null("") if text.null_count() else text
        out.append(text.alias(title))
    text_file = BytesIO()  # a third of the time that a str takes
    pl.DataFrame(out).write_csv(text_file, include_header=header, separator=separator)
    return text_file.getvalue()


def file_text(
    frames: Iterable[pl.DataFrame], columns: Mapping[str, str], *, separator: str = ","
) -> Iterator[bytes]:
    """The text of the file of all `frames`, frame by frame, with one header at its beginning."""
    for number, frame in enumerate(frames):
        yield import_csv(frame, columns, header=number == 0, separator=separator)


def chunks(
    frames: Iterable[pl.DataFrame], columns: Mapping[str, str], *, chunk_bytes: int,
    separator: str = ",",
) -> Iterator[bytes]:  # fmt: skip
    """The file of all `frames` as gzip members of `chunk_bytes` (before gzip) each.

    Borders may fall inside a row. Holds one frame's text and one chunk at a time; the same frames
    give the same bytes, so a repeated upload can be compared with the receipts of the first.
    """
    size = min(chunk_bytes, CHUNK_BYTES_MAX)
    waiting, count = bytearray(), 0
    for text in file_text(frames, columns, separator=separator):
        waiting += text
        while len(waiting) >= size:
            with memoryview(waiting) as view:
                chunk = _gzip(view[:size])
            del waiting[:size]
            count = _counted(count)
            yield chunk
    if waiting:
        _counted(count)
        yield _gzip(waiting)


def _counted(count: int) -> int:
    """One chunk more."""
    if count >= CHUNKS_MAX:
        raise Refused(
            f"The file would need more than {CHUNKS_MAX} chunks, Anaplan's limit.",
            do="Raise chunk_bytes.",
        )
    return count + 1


def unpacked(chunk: bytes) -> bytes:
    """The text of a chunk as `chunks` packed it."""
    return isal_zlib.decompress(chunk, 31)


def _gzip(data: bytes | bytearray | memoryview) -> bytes:
    return isal_zlib.compress(data, GZIP_LEVEL, 31)


# ---------------------------------------------------------------------------- files from Anaplan


def rows_of(data: bytes, what: str) -> pl.DataFrame:
    """A CSV of Anaplan with its header, every column as text (empty for blank).

    Fields are counted, because the reader fills a short row up without a word.
    """
    try:
        frame = pl.read_csv(data, infer_schema=False)
    except pl.exceptions.NoDataError:
        return pl.DataFrame()
    except pl.exceptions.PolarsError as error:
        raise Refused(
            f"Anaplan's {what} is not a table in UTF-8: {plain(error)}.",
            do="Keep it and ask Anaplan's support.",
        ) from error
    if _separators(data) != (frame.width - 1) * (frame.height + 1):
        raise Refused(f"Anaplan's {what} has rows with fewer fields than its header.")
    if _longest(frame) > TEXT_CHARACTERS_MAX:
        raise Refused(
            f"Anaplan's {what} has a value of more than {TEXT_CHARACTERS_MAX:,} characters.",
            do="Shorten that text in Anaplan.",
        )
    return frame.with_columns(pl.all().fill_null(""))


def _longest(frame: pl.DataFrame) -> int:
    """The bytes of the longest value, which are at least its characters."""
    longest = (column.str.len_bytes().max() for column in frame)
    return max((int(str(found)) for found in longest if found is not None), default=0)


def _separators(data: bytes) -> int:
    """How many commas stand outside of quotation marks; slice by slice, for pages are large."""
    count = quoted = 0
    for start in range(0, len(data), SLICE_BYTES):
        pieces = data[start : start + SLICE_BYTES].split(b'"')
        count += sum(piece.count(b",") for piece in pieces[quoted::2])
        quoted = (quoted + len(pieces) - 1) % 2
    return count


def dump_rows(data: bytes) -> pl.DataFrame:
    """The rows an import rejected or warned about.

    Columns: `line` (of the file sent, header included, so the first data row is 2), `status` ("E"
    rejected, "W" loaded with a warning, "" not said), `errors` (joined by "; "), and the columns of
    the file. Found by the pattern of their names, never by position (facts §3.5).
    """
    rows = rows_of(data, "list of rejected rows")
    if not rows.width:
        return pl.DataFrame(schema={"line": pl.Int64, "status": pl.String, "errors": pl.String})
    errors = [c for c in rows.columns if ERROR_COLUMN.fullmatch(c)]
    own = ["_Line_", "_Status_", *errors]
    line = pl.col("_Line_") if "_Line_" in rows.columns else pl.lit("")
    status = pl.col("_Status_") if "_Status_" in rows.columns else pl.lit("")
    told = pl.concat_str(errors, separator="; ") if errors else pl.lit("")
    return rows.select(
        line.cast(pl.Int64, strict=False).alias("line"),
        status.alias("status"),
        told.str.replace_all(r"(; )+$", "").alias("errors"),
        *[pl.col(c) for c in rows.columns if c not in own],
    )


def amounts(column: pl.Series, what: str) -> pl.Series:
    """Numbers as text → exact amounts with four places; blank is zero.

    What a double adds far behind the fourth place is dropped; a real fifth place, a thousands
    separator or a word is Refused, because a cast would round or lose it silently.
    """
    text = column.fill_null("").str.strip_chars()
    usual = text.str.contains(r"^-?[0-9]{1,34}(\.[0-9]{1,4})?$")
    if usual.all():
        return text.cast(AMOUNT)
    odd = [_amount(t, what) for t in text.filter(~usual).to_list()]
    positions = (~usual).arg_true()
    return text.set(~usual, "0").cast(AMOUNT).scatter(positions, pl.Series(odd, dtype=AMOUNT))


def _amount(text: str, what: str) -> Decimal:
    if not text:
        return Decimal(0)
    value = Decimal(text) if _AMOUNT.fullmatch(text) else AMOUNT_END
    if abs(value) < AMOUNT_END:
        rounded = value.quantize(Decimal("0.0001"), context=_wide)
        if abs(value - rounded) <= max(NOISE, abs(value) * DOUBLE_STEP):
            return rounded
    raise Refused(f"Anaplan's {what} holds {plain(text[:40])!r} where an amount was expected.")


@dataclass(frozen=True, slots=True)
class Cells:
    """The first line of a view's pages, and the non-zero cells of one: dimensions and `value`."""

    header: bytes
    frame: pl.DataFrame


def cells(page: bytes, dimensions: Sequence[str], header: bytes | None) -> Cells:
    """One page of a view in a tabular layout → its non-zero cells.

    `header` is that of the first page; whether later pages repeat it is not documented, so both
    are read. A page must end with a whole row: a row without all its members is Refused.
    """
    first = page.split(b"\n", 1)[0].rstrip(b"\r")
    if header is None or first == header:
        return Cells(first, _long(rows_of(page, "view"), dimensions))
    return Cells(header, _long(rows_of(header + b"\n" + page, "view"), dimensions))


def no_cells(dimensions: Sequence[str]) -> pl.DataFrame:
    """The frame of a view without any cell."""
    return pl.DataFrame(schema=dict.fromkeys(dimensions, pl.String) | {"value": AMOUNT})


def _long(rows: pl.DataFrame, dimensions: Sequence[str]) -> pl.DataFrame:
    """One row per non-zero cell; months or line items that stand side by side are unpivoted.

    One cell of each line item stays, zero or not: else nobody could tell which line items there
    are, and a single one of several would look like the only one.
    """
    named = {_plain(c): c for c in rows.columns}
    present = {d: named[_plain(d)] for d in dimensions if _plain(d) in named}
    values = [c for c in rows.columns if c not in present.values()]
    missing = [d for d in dimensions if d not in present]
    keys = [pl.col(column).alias(d) for d, column in present.items()]
    single = len(values) == 1 and (not missing or _plain(values[0]) == "value")
    if not single and (not values or len(missing) != 1):
        raise Refused(
            f"Anaplan's view has the columns {plain(', '.join(rows.columns))}, which do not fit "
            f"its dimensions {plain(', '.join(dimensions))}.",
            do="Save the view again with these dimensions on rows and columns.",
        )
    if single:
        long = rows.select(*keys, pl.col(values[0]).alias("value"))
    else:
        long = rows.select(*keys, *values).unpivot(
            values, index=list(present), variable_name=missing[0], value_name="value"
        )
    long = long.with_columns(amounts(long["value"], "view").alias("value"))
    short = long.filter(pl.any_horizontal(pl.col(*present) == "")) if present else long.clear()
    if short.height:
        raise Refused(f"Anaplan's view has {short.height} rows that do not name all members.")
    shown = pl.col("value") != 0
    line_items = next((d for d in dimensions if _plain(d) == LINE_ITEM), "")
    if line_items in long.columns:
        shown |= pl.col(line_items).is_first_distinct()
    return long.filter(shown)


def _plain(name: str) -> str:
    """A dimension's name without the ways in which headers spell it ("Line Item", "Line items")."""
    return re.sub(r"s$", "", name.strip().lower())
