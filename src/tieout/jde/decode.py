"""The rows of one AIS page as exact columns: loud about everything that is not as asked for.

Two decoders with the same results: C (`_decode`, built by `make setup` where a compiler is) and
this file's, on msgspec. Both take the digits of an amount from the body, never through a double.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import polars as pl

from tieout.jde.wire import Column

try:
    from tieout.jde import _decode  # type: ignore[attr-defined]  # built where gcc is
except ImportError:  # no compiler when it was set up: the decoder below is used
    _decode = None

AMOUNT_DECIMALS_MAX, AMOUNT_DIGITS_MAX = 4, 38
INTEGER_DIGITS_MAX = 19

# (body, offset of the rowset, columns, prefix) → the rows and where the rowset ends
Decoder = Callable[[bytes, int, Sequence[Column], str], tuple[pl.DataFrame, int]]

_ROWSET = re.compile(rb'"rowset"\s*:\s*(?=\[)')
POWER_CHARACTERS_MAX, POWER_TOO_LARGE = 9, 10**9

_JSON_NUMBER = r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?"
_PLAIN: dict[str, str] = {
    "amount": r"^-?[0-9]{1,34}(\.[0-9]{1,4})?$",
    "integer": r"^-?[0-9]{1,18}$",
    "printed": f"^{_JSON_NUMBER}$",
}
_GRID_DATE = r"^(?:19|2[0-9])[0-9]{6}$"  # the Julian dates of JD Edwards begin in 1900


def rows(
    body: bytes, columns: Sequence[Column], prefix: str, decoder: Decoder | None = None
) -> tuple[pl.DataFrame, bytes]:
    """The rows of `body` in `columns` order, and the body with its rowset emptied.

    `prefix` is the table name in the member names (`F0911_AA`). Raises ValueError for an unknown,
    missing or repeated member, a lost decimal, an overflow, and anything that is not JSON.
    """
    found = _ROWSET.search(body)
    if found is None:
        return _empty(columns), body
    fastest = rows_in_python if _decode is None else rows_in_c
    frame, end = (decoder or fastest)(body, found.end(), columns, prefix)
    return frame, body[: found.end()] + b"[]" + body[end:]


def _empty(columns: Sequence[Column]) -> pl.DataFrame:
    return pl.DataFrame(schema={c.name: c.polars for c in columns})


def rows_in_c(
    body: bytes, start: int, columns: Sequence[Column], prefix: str
) -> tuple[pl.DataFrame, int]:
    """The rows of the array at `start`, and where it ends; by the compiled decoder."""
    keys = tuple(f"{prefix}_{c.alias}".encode() for c in columns)
    names = tuple(c.name.encode() for c in columns)
    kinds = "".join(_code(c) for c in columns)
    schema, array, end = _decode.rows(body, start, keys, names, kinds)
    return pl.DataFrame(_Arrow(schema, array)), end


class _Arrow:
    """Capsules of the Arrow C data interface, which Polars takes over without copying."""

    __slots__ = ("_capsules",)

    def __init__(self, schema: object, array: object) -> None:
        self._capsules = (schema, array)

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """What `polars.DataFrame` asks for."""
        return self._capsules


def _code(column: Column) -> str:
    """The letter by which the C decoder knows the kind."""
    if column.kind == "integer":
        return {pl.Int32: "i", pl.Int16: "h"}.get(column.dtype, "q")
    return column.kind[0]


def rows_in_python(
    body: bytes, start: int, columns: Sequence[Column], prefix: str
) -> tuple[pl.DataFrame, int]:
    """The rows of the array at `start`, and where it ends; by msgspec, exact and loud as well."""
    rowset = _value_at(body, start)
    keys = tuple(f"{prefix}_{c.alias}" for c in columns)
    texts = tuple(c.kind in ("text", "code", "date") for c in columns)
    lists = _by_msgspec(rowset, keys, texts) or _by_json(rowset, keys, texts)
    try:
        return _typed(columns, lists), start + len(rowset)
    except (pl.exceptions.PolarsError, UnicodeEncodeError, OverflowError) as error:
        raise ValueError(f"a value is not of its column's type: {error}") from error


def _value_at(body: bytes, start: int) -> bytes:
    """The bytes of the JSON array at `start`, found without building its rows."""
    try:
        members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        for name, raw in members.items():
            if name.startswith("fs_"):
                found = bytes(msgspec.json.decode(raw, type=_Browse).data.gridData.rowset)
                if body[start : start + len(found)] == found:
                    return found
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"the page is not JSON: {error}") from error
    raise ValueError("the rowset is not where a page has it")


class _Grid(msgspec.Struct):
    rowset: msgspec.Raw


class _Data(msgspec.Struct):
    gridData: _Grid  # noqa: N815 - the wire's name


class _Browse(msgspec.Struct):
    data: _Data


@lru_cache(maxsize=64)
def _row_decoder(keys: tuple[str, ...], texts: tuple[bool, ...]) -> msgspec.json.Decoder[Any]:
    fields = [(f"f{i}", str | None if text else msgspec.Raw) for i, text in enumerate(texts)]
    row = msgspec.defstruct(
        "Row", fields, rename=dict(zip((f for f, _ in fields), keys, strict=True)),
        forbid_unknown_fields=True, gc=False,
    )  # fmt: skip
    return msgspec.json.Decoder(list[row])  # type: ignore[valid-type]  # made at run time


def _by_msgspec(
    rowset: bytes, keys: tuple[str, ...], texts: tuple[bool, ...]
) -> list[Sequence[Any]] | None:
    """Texts (or None) and printed numbers, column by column; None if `_by_json` has to look.

    msgspec keeps the last of two members of the same name. There is none when the rowset has just
    as many `":` as values; a text that holds these characters sends it the slow way for nothing.
    """
    try:
        found = _row_decoder(keys, texts).decode(rowset)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"the rows are not as asked for: {error}") from error
    spaced = b" :" in rowset or any(blank in rowset for blank in (b"\n", b"\r", b"\t"))
    if not found or spaced or rowset.count(b'":') != len(found) * len(keys):
        return None
    lists: list[Sequence[Any]] = list(zip(*map(msgspec.structs.astuple, found), strict=True))
    for place, text in enumerate(texts):
        if not text:
            lists[place] = b"\n".join(lists[place]).decode().split("\n")
            if len(lists[place]) != len(found):
                raise ValueError("a number column holds something that is not a number")
    return lists


class _Digits(str):
    """A JSON number, by its characters."""

    __slots__ = ()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise ValueError("a column is given twice in a row")
    return row


def _not_a_number(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


_every_member = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_Digits, parse_int=_Digits, parse_constant=_not_a_number
)


def _by_json(rowset: bytes, keys: Sequence[str], texts: Sequence[bool]) -> list[Sequence[Any]]:
    """The same, member by member: slower, and the one that sees names given twice."""
    try:
        found = _every_member.decode(rowset.decode())
    except RecursionError as error:
        raise ValueError("a row holds something deep") from error
    wanted = set(keys)
    for place, row in enumerate(found):
        if not isinstance(row, dict) or set(row) != wanted:
            raise ValueError(f"row {place + 1} has other columns than asked for")
    forms = [_as_text if text else _as_digits for text in texts]
    return [[form(row[key]) for row in found] for key, form in zip(keys, forms, strict=True)]


def _as_text(value: Any) -> str | None:
    if value is not None and (isinstance(value, _Digits) or not isinstance(value, str)):
        raise ValueError("a text column holds something that is not text")
    return value


def _as_digits(value: Any) -> str:
    if not isinstance(value, _Digits):
        raise ValueError("a number column holds something that is not a number")
    return str(value)


def _typed(columns: Sequence[Column], lists: list[Sequence[Any]]) -> pl.DataFrame:
    """Columns of texts and printed numbers, each in its own type."""
    names = [c.name for c in columns]
    raw = pl.DataFrame(
        dict(zip(names, lists, strict=True)), schema=dict.fromkeys(names, pl.String)
    ).with_columns(_trimmed(c) for c in columns if c.kind not in _PLAIN)
    checked = [c for c in columns if c.kind in (*_PLAIN, "date")]
    plain = raw.select(pl.col(c.name).str.contains(_PLAIN.get(c.kind, _GRID_DATE)) for c in checked)
    for column in checked:
        if not plain[column.name].all():
            places = (~plain[column.name]).arg_true().to_list()
            spelled = [_spelled(column, raw[column.name][p]) for p in places]
            raw = raw.with_columns(raw[column.name].scatter(places, spelled))
    return raw.select(_cast(c) for c in columns)


def _trimmed(column: Column) -> pl.Expr:
    text = pl.col(column.name)
    if column.kind == "text":
        return text.fill_null("").str.strip_chars_end(" ")
    bare = text.str.strip_chars(" ")
    if column.kind == "code":
        return bare.fill_null("")
    return pl.when(bare != "").then(bare).alias(column.name)  # a blank date is none


def _cast(column: Column) -> pl.Expr:
    if column.kind == "date":
        return pl.col(column.name).str.to_date("%Y%m%d", strict=True)
    return pl.col(column.name).cast(column.polars)


def _spelled(column: Column, text: str) -> str:
    """A number that is not in plain decimal form, in that form; ValueError if it is not exact."""
    try:
        if column.kind == "amount":
            return _amount_text(text)
        if column.kind == "integer":
            return _integer_text(text)
    except ValueError as error:
        raise ValueError(f"column {column.name}: {error}") from error
    kind = "date of the form yyyyMMdd" if column.kind == "date" else "number"
    raise ValueError(f"column {column.name}: {text[:40]!r} is not a {kind}")


def _digits(text: str) -> tuple[str, str, int]:
    """Sign, digits without zeros at either end, and exponent of a JSON number."""
    match = re.fullmatch(_JSON_NUMBER, text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a number")
    sign, whole, fraction, power = match.groups(default="")
    exponent = int(power or "0") if len(power) <= POWER_CHARACTERS_MAX else POWER_TOO_LARGE
    if len(power) > POWER_CHARACTERS_MAX and power[0] == "-":
        exponent = -exponent
    digits = (whole + fraction).rstrip("0")
    exponent += len(whole) - len(digits)
    digits = digits.lstrip("0")
    return sign, digits, exponent if digits else 0


def _amount_text(text: str) -> str:
    sign, digits, exponent = _digits(text)
    if exponent < -AMOUNT_DECIMALS_MAX:
        raise ValueError(f"{text[:40]} has more than {AMOUNT_DECIMALS_MAX} decimals")
    if digits and len(digits) + exponent + AMOUNT_DECIMALS_MAX > AMOUNT_DIGITS_MAX:
        raise ValueError(f"{text[:40]} is too large")
    scaled = (digits + "0" * (exponent + AMOUNT_DECIMALS_MAX)).zfill(AMOUNT_DECIMALS_MAX + 1)
    return f"{sign}{scaled[:-AMOUNT_DECIMALS_MAX]}.{scaled[-AMOUNT_DECIMALS_MAX:]}"


def _integer_text(text: str) -> str:
    sign, digits, exponent = _digits(text)
    if exponent < 0:
        raise ValueError(f"{text[:40]} is not a whole number")
    if len(digits) + exponent > INTEGER_DIGITS_MAX:
        raise ValueError(f"{text[:40]} is too large")
    return sign + (digits or "0") + "0" * exponent
