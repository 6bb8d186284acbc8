"""What the project file says of a flow that loads any table or view of JD Edwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, field

from tieout.core.table_words import (
    ALIAS,
    FISCAL_YEAR,
    TYPE,
    Field,
    fields_of,
    meant,
    numbers,
    problems,
)
from tieout.project_words import RENAMED, Code, ReadBack, Strict

Alias = Annotated[
    str, Meta(pattern=ALIAS, description="a JDE alias without its prefix: AAP, not RPAAP")
]
Type = Annotated[str, Meta(pattern=TYPE, description="such as code, code 12, date, amount of CRCD")]
TARGET = r"^[FV][A-Z0-9]{2,9}$"
Target = Annotated[str, Meta(pattern=TARGET)]


class Filter(Strict, frozen=True, kw_only=True, rename=RENAMED):
    """Which rows are read: those whose field is one of, none of, or between the values."""

    field: Code
    is_: tuple[str | int, ...] = ()
    is_not: tuple[str | int, ...] = ()
    from_: str | int | None = None
    to: str | int | None = None


class LoadTable(
    Strict, frozen=True, kw_only=True, tag_field="kind", tag="load_table", rename=RENAMED
):
    """The rows of any JDE table or view, summed into cells of an Anaplan module or items of a list.

    `fields` says of every column that is read what it holds. `columns` says what the import's file
    holds; those of them that `identify` name the cell or item, all others are its values.
    """

    from_: str
    to: str
    import_: str
    columns: dict[str, str]
    read_back: ReadBack
    table: Target
    owner: Target | None = None  # of the columns of a view; None: `table` itself
    fields: dict[Alias, Type]
    key: tuple[Alias, ...]
    where: tuple[Filter, ...] = ()
    identify: tuple[Code, ...]
    maps: dict[str, Literal["account", "business_unit", "company"]] = field(default_factory=dict)
    unmatched: Literal["stop", "load rest"] = "stop"
    import_clears: Literal["nothing", "mapped", "all"] = "nothing"


def table_problems(place: str, flow: LoadTable) -> list[str]:
    """What a flow that loads a table says that cannot be meant, each in words with its place."""
    fields = fields_of(flow.fields)
    found = [f"{place}.{problem}" for problem in problems(fields, flow.columns)]
    found += [f"{place}.key names {a}, which is no field" for a in flow.key if a not in fields]
    if not flow.key:
        found.append(f"{place}.key names none: the primary key of {flow.table} is needed")
    if flow.owner and not flow.table.startswith("V"):
        found.append(f"{place}.owner is for a view; {flow.table} owns its columns")
    for number, one in enumerate(flow.where, 1):
        found += _filter_problems(f"{place}.where, condition {number}", one, fields)
    for key, headers in (("identify", flow.identify), ("maps", tuple(flow.maps))):
        found += [f"{place}.{key} names {h}, no column" for h in headers if h not in flow.columns]
    found += [
        f"{place}.maps names {h}, which identifies nothing"
        for h in flow.maps if h in flow.columns and h not in flow.identify
    ]  # fmt: skip
    if not found:
        found += _shape_problems(place, flow, fields)
    return found


def _filter_problems(place: str, one: Filter, fields: Mapping[str, Field]) -> list[str]:
    if one.field not in fields:
        return [f"{place} names {one.field}, which is no field"]
    given = [*one.is_, *one.is_not, *(v for v in (one.from_, one.to) if v is not None)]
    if not given:
        return [f"{place} says nothing: it needs `is`, `is_not`, `from` or `to`"]
    found = []
    if one.field == FISCAL_YEAR and not one.is_:
        found.append(f"{place}: {FISCAL_YEAR} takes `is` only")
    for value in given:
        try:
            meant(fields[one.field], value)
        except ValueError as error:
            found.append(f"{place}: {error}")
    return found


def _shape_problems(place: str, flow: LoadTable, fields: Mapping[str, Field]) -> list[str]:
    """What identifies, what is added up, and what proves it fit together."""
    found = []
    added = numbers(flow.columns, flow.identify, fields)
    said = [h for h in flow.columns if h not in flow.identify and h not in added]
    back = flow.read_back
    named = [kind for kind in ("list", "view", "export") if getattr(back, kind)]
    if len(named) != 1:
        found.append(f"{place}.read_back needs one of `list`, `view` and `export`")
    if not flow.identify:
        found.append(f"{place}.identify names none")
    if not added:
        found.append(f"{place}.columns has no number or amount besides what identifies")
    if back.list and flow.import_clears != "nothing":
        found.append(f"{place}.import_clears is for modules: an import of a list clears nothing")
    if back.list and len(flow.identify) != 1:
        found.append(f"{place}.identify must be the one column that holds the code of an item")
    if not back.list and said:
        found.append(
            f"{place}.columns has {', '.join(said)}: cells hold numbers; name it in `identify`, or "
            "load a list"
        )
    strange = [h for h in back.dimensions if h not in flow.identify]
    if strange:
        found.append(f"{place}.read_back.dimensions names {', '.join(strange)}, no `identify`")
    return found
