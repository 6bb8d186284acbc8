"""How an export writes its file, and the check that it is the file the flow expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tieout.anaplan.sign_in import WHO
from tieout.anaplan.wire import inside
from tieout.errors import Misconfigured, Refused
from tieout.strict_json import plain

IGNORED = "ignored"  # the meaning of a header that the flow knows and does not use


@dataclass(frozen=True, slots=True)
class ExportLayout:
    """An export as Anaplan describes it: the columns of its file in order, and how it is written.

    `layout` and `data_types` are Anaplan's words, an open set; what it does not say is "".
    """

    id: str
    name: str
    headers: tuple[str, ...]
    separator: str
    delimiter: str
    encoding: str
    layout: str
    data_types: tuple[str, ...]


def export_layout(export_id: str, name: str, answer: Mapping[str, Any]) -> ExportLayout:
    """The layout in the metadata of an export; its counts are estimates and are not looked at."""
    found = inside(answer, "exportMetadata")
    headers = _texts(found, "headerNames", name)
    if not headers:
        raise Refused(
            f"Anaplan names no columns of the export {name!r}.",
            untouched="Nothing was prepared.", do="Set the export up again.", who=WHO,
            evidence=plain(found),
        )  # fmt: skip
    return ExportLayout(
        export_id, name, headers, _text(found, "separator", name), _text(found, "delimiter", name),
        _text(found, "encoding", name), _text(found, "layout", name),
        _texts(found, "dataTypes", name),
    )  # fmt: skip


def _text(found: Mapping[str, Any], key: str, name: str) -> str:
    value = found.get(key)
    if value is not None and not isinstance(value, str):
        raise _odd(key, name, value)
    return value or ""


def _texts(found: Mapping[str, Any], key: str, name: str) -> tuple[str, ...]:
    value = found.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise _odd(key, name, value)
    return tuple(value)


def _odd(key: str, name: str, value: object) -> Refused:
    return Refused(
        f"Anaplan describes the export {name!r} in a way that is not known: its {key} are "
        "something else than text.",
        untouched="Nothing was prepared.", do="Keep this and ask Anaplan's support.", who=WHO,
        evidence=plain(value),
    )  # fmt: skip


def check_export_columns(layout: ExportLayout, columns: Mapping[str, str]) -> None:
    """Refuse an export whose file would be read otherwise than it is meant; all problems at once.

    `columns`: header → meaning; every header has one, if only IGNORED. A column that nobody named
    may be a dimension, and then one amount of ours would stand for several of Anaplan's.
    """
    missing = [c for c in columns if c not in layout.headers]
    unnamed = [h for h in layout.headers if h not in columns]
    doubled = sorted({h for h in layout.headers if layout.headers.count(h) > 1})
    problems = []
    if missing:
        problems.append(f"it has no columns {_listed(missing)}, which the flow names")
    if unnamed:
        problems.append(f"its columns {_listed(unnamed)} are not named in the flow")
    if doubled:
        problems.append(f"several of its columns are called {_listed(doubled)}")
    if layout.encoding.upper().replace("-", "") != "UTF8":
        encoding = plain(layout.encoding) or "an encoding not told"
        problems.append(f"its file is written in {encoding}")
    if layout.separator != ",":
        problems.append(f"its columns are separated by {layout.separator or 'nothing told'!r}")
    if layout.delimiter != '"':
        problems.append(f"its texts stand in {layout.delimiter or 'nothing told'!r}")
    if problems:
        raise Misconfigured(
            f"The export {layout.name!r} does not fit the flow: {'; '.join(problems)}. "
            f"It has the columns {_listed(layout.headers)}.",
            untouched="Nothing was prepared.",
            do=f'Correct `columns` of the flow (a column may mean "{IGNORED}"), or define the '
            'export again as a CSV file in UTF-8 with commas and texts in ".',
            who=WHO, code="export-columns",
        )  # fmt: skip


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return plain(", ".join(repr(n) for n in names))
