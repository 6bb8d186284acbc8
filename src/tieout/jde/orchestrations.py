"""What AIS tells of its orchestrations: names, message formats, inputs and their types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from tieout.errors import Misconfigured
from tieout.jde.page import PEER
from tieout.strict_json import plain

GENERIC, STANDARD = "Generic", "JDE Standard"  # the two formats we write (jde-ais.md §4.2)
NUMERIC, DATE = "Numeric", "Date"
CATALOG_KINDS = {"number": NUMERIC, "integer": NUMERIC, "string": ""}  # dates are strings there
# Members that AIS reads beside the inputs: an input of that name would never arrive (§4.1).
TAKEN = ("token", "deviceName", "username", "password", "environment", "role", "jde__jobQueue")
NAMES_SHOWN_MAX = 30
AUTHOR = "the JDE developer who built the orchestration"
UNSENT = "Nothing was sent to JD Edwards."


@dataclass(frozen=True, slots=True)
class Input:
    """One input: `kind` is String, Numeric, Date or "" (not told); an array has `columns`.

    An array whose columns are not told has none here: what is put there cannot be checked.
    """

    name: str
    kind: str = ""
    columns: tuple[Input, ...] = ()


@dataclass(frozen=True, slots=True)
class Orchestration:
    """One orchestration as its author shows it; `inputs` is empty if they are hidden."""

    name: str
    inputs: tuple[Input, ...]
    message_format: str = GENERIC
    object_name: str = ""
    description: str = ""

    def input(self, name: str) -> Input | None:
        """The input of that name."""
        return _named(self.inputs, name)


def discovered(told: Any) -> tuple[Orchestration, ...]:
    """The answer of `/discover` (§1.3); what has no name is left out."""
    found = told.get("orchestrations") if isinstance(told, dict) else None
    entries = [e for e in found if isinstance(e, dict)] if isinstance(found, list) else []
    return tuple(_entry(e) for e in entries if _text(e, "name"))


def _entry(entry: dict[str, Any]) -> Orchestration:
    return Orchestration(
        _text(entry, "name"), _inputs(entry.get("inputs")),
        _text(entry, "inputFormat") or GENERIC, _text(entry, "omwObjectName"),
        plain(_text(entry, "description")),
    )  # fmt: skip


def _inputs(told: Any) -> tuple[Input, ...]:
    """Inputs, or columns of an array, which some releases may tell as mere names (U15)."""
    found = []
    for item in told if isinstance(told, list) else []:
        if isinstance(item, str) and item:
            found.append(Input(item))
        elif isinstance(item, dict) and _text(item, "name"):
            columns = _inputs(item.get("array"))
            found.append(Input(_text(item, "name"), _text(item, "type"), columns))
    return tuple(found)


def cataloged_names(document: Any) -> tuple[str, ...]:
    """The orchestrations in an OpenAPI 3 document (§1.4)."""
    paths = _inside(document, "paths")
    names = (path.removeprefix("/") for path in paths) if isinstance(paths, dict) else ()
    return tuple(name for name in names if name)


def cataloged(document: Any, name: str) -> tuple[Input, ...]:
    """The inputs of an orchestration in an OpenAPI 3 document (§1.4); none if it is not there."""
    content = _inside(document, "paths", f"/{name}", "post", "requestBody", "content")
    schema = _resolved(document, _inside(content, "application/json", "schema"))
    return _properties(document, schema, arrays=True)


def _properties(document: Any, schema: Any, *, arrays: bool) -> tuple[Input, ...]:
    found = []
    properties = _inside(schema, "properties")
    for name, told in properties.items() if isinstance(properties, dict) else ():
        shape = _resolved(document, told)
        columns: tuple[Input, ...] = ()
        if arrays and _inside(shape, "type") == "array":
            row = _resolved(document, _inside(shape, "items"))
            columns = _properties(document, row, arrays=False)
        found.append(Input(name, CATALOG_KINDS.get(str(_inside(shape, "type")), ""), columns))
    return tuple(found)


def _resolved(document: Any, schema: Any) -> Any:
    reference = _inside(schema, "$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    return _inside(document, *reference[2:].split("/"))


def merged(shown: Orchestration | None, name: str, more: Sequence[Input]) -> Orchestration | None:
    """What discovery shows, with the inputs and columns that only the catalog has (`more`).

    The catalog has no message format; the messages it describes are flat: Generic.
    """
    if shown is None:
        return Orchestration(name, tuple(more)) if more else None
    if not shown.inputs:
        return replace(shown, inputs=tuple(more))
    inputs = []
    for one in shown.inputs:
        other = _named(more, one.name)
        filled = one.columns or (other.columns if other else ())
        kinds = [c if c.kind else replace(c, kind=_kind(other, c.name)) for c in filled]
        inputs.append(replace(one, columns=tuple(kinds)))
    return replace(shown, inputs=tuple(inputs))


def _kind(array: Input | None, column: str) -> str:
    told = _named(array.columns, column) if array else None
    return told.kind if told else ""


def check(
    found: Orchestration, names: Iterable[str], array: str = "", columns: Iterable[str] = ()
) -> None:
    """Misconfigured if the orchestration has no such inputs, array or columns, with those it has.

    Columns are checked where they are told; a name that AIS takes for itself is refused too.
    """
    if found.message_format not in (GENERIC, STANDARD):
        raise _wrong(
            f"The orchestration {found.name} takes messages in the format "
            f"{plain(found.message_format)}, not {GENERIC} or {STANDARD}.",
            code="message-format",
        )
    if not found.inputs:
        raise _wrong(
            f"The orchestration {found.name} does not show its inputs.",
            "Let its author expose the inputs in discovery.", "hidden-inputs",
        )  # fmt: skip
    wanted = [*names, array] if array else [*names]
    _check_names(f"The orchestration {found.name}", "input", wanted, found.inputs)
    told = found.input(array) if array else None
    if told is not None and told.columns:
        place = f"The array {array} of the orchestration {found.name}"
        _check_names(place, "column", columns, told.columns)


def _check_names(place: str, what: str, wanted: Iterable[str], has: Sequence[Input]) -> None:
    taken = [n for n in wanted if n in TAKEN]
    if taken:
        raise _wrong(
            f"{place} cannot be given {', '.join(taken)}: AIS takes that for itself.", code="input"
        )
    missing = sorted(n for n in wanted if _named(has, n) is None)
    if missing:
        raise _wrong(
            f"{place} has no {what} {', '.join(map(repr, missing))}. "
            f"It has: {', '.join(plain(i.name) for i in has)}.",
            code="input",
        )


def unknown(name: str, names: Iterable[str]) -> Misconfigured:
    """What to say when no orchestration of that name is shown; the likeliest names come first."""
    have = sorted(set(names))
    close = get_close_matches(name, have, NAMES_SHOWN_MAX, 0.6)
    listed = [*close, *(n for n in have if n not in close)]
    more = len(listed) - NAMES_SHOWN_MAX
    shown = ", ".join(plain(n) for n in listed[:NAMES_SHOWN_MAX]) or "none"
    return _wrong(
        f"{PEER} shows no orchestration {plain(name)!r} to its user. It shows: {shown}"
        + (f" and {more} more." if more > 0 else "."),
        "Correct the name in the project file (upper and lower case differ), or let its author "
        "share it and expose it in discovery.", "missing-orchestration",
    )  # fmt: skip


def _wrong(
    what: str, do: str = "Correct the flow in the project file.", code: str = ""
) -> Misconfigured:
    return Misconfigured(what, untouched=UNSENT, do=do, who=AUTHOR, code=code)


def _named(inputs: Sequence[Input], name: str) -> Input | None:
    return next((i for i in inputs if i.name == name), None)


def _text(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    return value.strip() if isinstance(value, str) else ""


def _inside(told: Any, *path: str) -> Any:
    for name in path:
        told = told.get(name) if isinstance(told, dict) else None
    return told
