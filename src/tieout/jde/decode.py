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
BUILT = _decode is not None

_ROWSET = re.compile(rb'"rowset"\s*:\s*(?=\[)')
_PLAIN_AMOUNT = r"^-?[0-9]{1,34}(\.[0-9]{1,4})?$"
_PLAIN_INTEGER = r"^-?[0-9]{1,18}$"
POWER_CHARACTERS_MAX, POWER_TOO_LARGE = 9, 10**9

_JSON_NUMBER = r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?"
_PRINTED_NUMBER = f"^{_JSON_NUMBER}$"
_GRID_DATE = r"^(?:19|2[0-9])[0-9]{6}$"  # the Julian dates of JD Edwards begin in 1900
_ESCAPED_NAME = re.compile(rb'\\[^"]*"\s*:')


def rows(body: bytes, columns: Sequence[Column], prefix: str) -> tuple[pl.DataFrame, bytes]:
    """The rows of `body` in `columns` order, and the body with its rowset emptied.

    `prefix` is the table name in the member names (`F0911_AA`). Raises ValueError for an unknown,
    missing or repeated member, a lost decimal, an overflow, and anything that is not JSON.
    """
    found = _ROWSET.search(body)
    if found is None:
        return _empty(columns), body
    decoder = rows_in_c if _decode is not None else rows_in_python
    frame, end = decoder(body, found.end(), columns, prefix)
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
    keys = [f"{prefix}_{c.alias}" for c in columns]
    names = [f'"{key}"'.encode() for key in keys]
    texts = tuple(c.kind in ("text", "code", "date") for c in columns)
    wanted = rowset.count(names[0])
    plain = all(rowset.count(name) == wanted for name in names)
    if plain and not (b"\\" in rowset and _ESCAPED_NAME.search(rowset)):
        lists = _by_msgspec(rowset, tuple(keys), texts, wanted)
    else:  # a name that stands in a text, or twice in a row: look at every member
        lists = _by_json(rowset, keys, texts)
    series = [_series(c, values) for c, values in zip(columns, lists, strict=True)]
    return pl.DataFrame(series), start + len(rowset)


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
    rowset: bytes, keys: tuple[str, ...], texts: tuple[bool, ...], wanted: int
) -> list[list[Any]]:
    try:
        found = _row_decoder(keys, texts).decode(rowset)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"the rows are not as asked for: {error}") from error
    if len(found) != wanted:
        raise ValueError("a column is given twice in a row")
    lists: list[list[Any]] = []
    for place, text in enumerate(texts):
        values = [getattr(row, f"f{place}") for row in found]
        lists.append(values if text else [bytes(raw).decode() for raw in values])
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


def _by_json(rowset: bytes, keys: Sequence[str], texts: Sequence[bool]) -> list[list[Any]]:
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


def _series(column: Column, values: list[Any]) -> pl.Series:
    """One column of texts or printed numbers in its own type."""
    try:
        texts = pl.Series(column.name, values, dtype=pl.String)
        if column.kind in ("text", "code"):
            texts = texts.fill_null("")
            only_end = column.kind == "text"
            return texts.str.strip_chars_end(" ") if only_end else texts.str.strip_chars(" ")
        if column.kind == "date":
            return _dates(texts)
        if column.kind == "amount":
            return _numbers(texts, _PLAIN_AMOUNT, _amount_text).cast(column.polars)
        if column.kind == "integer":
            return _numbers(texts, _PLAIN_INTEGER, _integer_text).cast(column.polars)
        return _numbers(texts, _PRINTED_NUMBER, _refuse_number)
    except (pl.exceptions.PolarsError, UnicodeEncodeError, OverflowError) as error:
        raise ValueError(f"column {column.alias}: {error}") from error


def _dates(texts: pl.Series) -> pl.Series:
    trimmed = texts.str.strip_chars(" ")
    trimmed = trimmed.set(trimmed == "", None)
    wrong = trimmed.filter(~trimmed.str.contains(_GRID_DATE))
    if len(wrong):
        raise ValueError(f"column {texts.name}: {wrong[0]!r} is not a date of the form yyyyMMdd")
    return trimmed.str.to_date("%Y%m%d", strict=True)


def _numbers(texts: pl.Series, plain: str, other: Callable[[str], str]) -> pl.Series:
    """Numbers that match `plain` as they are; the others spelled out by `other`, or refused."""
    odd = (~texts.str.contains(plain)).fill_null(True)
    if not odd.any():
        return texts
    places = odd.arg_true().to_list()
    spelled = [other(str(texts[p])) for p in places]
    return texts.scatter(places, spelled)


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


def _refuse_number(text: str) -> str:
    raise ValueError(f"{text[:40]!r} is not a number")
