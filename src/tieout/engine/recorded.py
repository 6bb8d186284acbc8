"""How the engine library writes results, inputs and errors down: JSON of a closed set of types.

Whatever can be written here reads back equal, so that a run that is carried on after a crash sees
what the interrupted run saw. Nothing that is read back is ever executed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tieout.errors import Trouble

_TAG = "$"


class RecordedError(Exception):
    """An error of a class that is not Trouble, as it was written down: its class and its words."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(f"{kind}: {words}")
        self.kind, self.words = kind, words


def plain(value: object) -> Any:
    """`value` in JSON types alone; Decimal, dates, times and errors become tagged objects.

    Raises TypeError for every other type. Floats are refused, so that no amount becomes one.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, dict):
        return {_key(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        raise TypeError("a float cannot be recorded: say an amount as Decimal, a time in whole ms")
    return _tagged(value)


def restored(value: Any) -> Any:
    """The inverse of `plain`; sequences come back as lists. Raises ValueError for unknown tags."""
    if isinstance(value, list):
        return [restored(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    tag = next(iter(value), "")
    if tag.startswith(_TAG) and not tag.startswith(_TAG * 2):
        return _untagged(tag, value[tag])
    return {key.removeprefix(_TAG): restored(inner) for key, inner in value.items()}


def to_text(value: object) -> str:
    """`value` as one line of ASCII JSON: vendors' words may hold what no database can."""
    return json.dumps(plain(value), allow_nan=False, separators=(",", ":"))


def from_text(text: str) -> Any:
    """What `to_text` wrote."""
    return restored(json.loads(text, parse_float=_no_float, parse_constant=_no_float))


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{key!r} cannot be the name of a recorded value")
    return _TAG + key if key.startswith(_TAG) else key


def _tagged(value: object) -> dict[str, Any]:
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError("a time without a zone cannot be recorded")
        return {"$time": value.astimezone(UTC).isoformat()}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, Trouble):
        words = {name: getattr(value, name) for name in ("untouched", "do", "who", "evidence")}
        return {"$trouble": [type(value).__name__, value.what, words]}
    if isinstance(value, BaseException):
        return {"$error": [type(value).__name__, str(value)]}
    raise TypeError(f"a {type(value).__name__} cannot be recorded")


def _untagged(tag: str, content: Any) -> object:
    if tag == "$decimal":
        return Decimal(content)
    if tag == "$time":
        return datetime.fromisoformat(content)
    if tag == "$date":
        return date.fromisoformat(content)
    if tag == "$trouble":
        kind, what, words = content
        return _troubles().get(kind, Trouble)(what, **words)
    if tag == "$error":
        return RecordedError(*content)
    raise ValueError(f"the record has an unknown mark {tag!r}")


def _troubles() -> dict[str, type[Trouble]]:
    def below(kind: type[Trouble]) -> Iterator[type[Trouble]]:
        yield kind
        for child in kind.__subclasses__():
            yield from below(child)

    return {kind.__name__: kind for kind in below(Trouble)}


def _no_float(text: str) -> object:
    raise ValueError(f"the record holds the float {text}")
