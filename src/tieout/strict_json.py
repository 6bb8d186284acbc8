"""The strict reader of other systems' JSON, and the excerpt that evidence may keep of a body."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from tieout.errors import Refused
from tieout.redaction import blotted

JSON_LEVELS_MAX = 64
JSON_VALUES_MAX = 1_000_000  # of one body; pages of a ledger have their own reader
NUMBER_CHARACTERS_MAX = 100
TEXT_CHARACTERS_MAX = 65_536  # of one value: a text cell of Anaplan has at most 60,000
EVIDENCE_CHARACTERS_MAX = 400


class _NotStrictError(ValueError):
    """JSON that no honest system sends, in words."""


def read_json(body: bytes, system: str, values_max: int = JSON_VALUES_MAX) -> Any:
    """The value of `body`: `Decimal` for fractions and exponents, `int` for other numbers.

    Raises Refused, with a sentence about `system`, for a page, an empty or cut body, text that is
    not UTF-8, NaN and Infinity, names given twice, numbers of more than 100 digits, texts of more
    than 65,536 characters, depth over 64, more than `values_max` values.
    """
    if sum(map(body.count, (b",", b"[", b"{"))) > values_max:  # each takes a hundred bytes
        raise _refusal(system, body, f"JSON of more than {values_max:,} values")
    try:
        value = _decoder.decode(body.decode("utf-8-sig"))
        _check(value)
        if b"\\ud" in body.lower():
            json.dumps(value, ensure_ascii=False, default=str).encode()  # half a character
    except _NotStrictError as error:
        raise _refusal(system, body, f"JSON that is not acceptable: {error}") from error
    except RecursionError as error:
        raise _refusal(system, body, f"JSON more than {JSON_LEVELS_MAX} levels deep") from error
    except ValueError as error:
        raise _refusal(system, body, _what_it_is(body)) from error
    return value


def _refusal(system: str, body: bytes, what: str) -> Refused:
    return Refused(f"{system} answered with {what}.", evidence=excerpt(body))


def _what_it_is(body: bytes) -> str:
    start = body.lstrip()[:200].lower()
    if not start:
        return "an empty body where JSON was expected"
    if start.startswith((b"<!doctype", b"<html")) or b"<html" in start:
        return "an HTML page, not JSON: is the address that of a web client, a proxy or a sign-in"
    if start[:1] in b"{[":
        return "JSON that is cut off or damaged"
    return "something that is not JSON"


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if len(text) > NUMBER_CHARACTERS_MAX or abs(value.adjusted()) > NUMBER_CHARACTERS_MAX:
        raise _NotStrictError(f"a number of more than {NUMBER_CHARACTERS_MAX} digits")
    return value


def _integer(text: str) -> int:
    if len(text) > NUMBER_CHARACTERS_MAX:
        raise _NotStrictError(f"a number of more than {NUMBER_CHARACTERS_MAX} digits")
    return int(text)


def _no_constant(name: str) -> Any:
    raise _NotStrictError(f"{name} is not a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _NotStrictError(f"the name {twice[:60]!r} stands twice in one object")
    return value


_decoder = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_decimal, parse_int=_integer, parse_constant=_no_constant
)


def _check(value: Any) -> None:
    level: list[Any] = [[value]]
    for _ in range(JSON_LEVELS_MAX + 1):  # the value itself stands in a list of ours
        inside: list[Any] = []
        for item in level:
            values = item.values() if isinstance(item, dict) else item
            for one in values:
                if isinstance(one, dict | list):
                    inside.append(one)
                elif isinstance(one, str) and len(one) > TEXT_CHARACTERS_MAX:
                    raise _NotStrictError(f"a text of more than {TEXT_CHARACTERS_MAX:,} characters")
        if not inside:
            return
        level = inside
    raise RecursionError


def excerpt(body: bytes) -> str:
    """The first words of `body` as evidence may keep them, see `plain`."""
    return plain(body[: 4 * EVIDENCE_CHARACTERS_MAX].decode("utf-8", "replace"))


def plain(text: object) -> str:
    """A peer's words as a sentence, a log or the database may hold them.

    One line of printable characters, at most 400, in which whatever looks like a password, a token
    or a cookie, or is known to be one, is blotted out.
    """
    start = str(text)[: 4 * EVIDENCE_CHARACTERS_MAX]
    line = " ".join("".join(c if c.isprintable() else " " for c in start).split())
    return blotted(line)[:EVIDENCE_CHARACTERS_MAX]
