"""The mapping table as a file that people edit in a spreadsheet, and back, with leading zeros."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import polars as pl

from tieout.app import Instance
from tieout.core.findings import counted
from tieout.core.mapping import fault
from tieout.errors import Misconfigured
from tieout.project import LISTS_OF, LoadMembers
from tieout.store.mappings import Mapping
from tieout.verbs import acting
from tieout.verbs.setting_up import DIMENSIONS, PERIOD, mappings
from tieout.verbs.sheets.csv_file import FORMULA_SIGNS

COLUMNS = ("dimension", "source", "target", "effective_from", "why")
FAULTS_SHOWN_MAX = 10
ZEROS_MAX = 12  # of the longest code, a business unit


def rows_exported(instance: Instance) -> list[dict[str, Any]]:
    """The mappings that hold, in the order of the table."""
    acting.require(instance, "view")
    return mappings(instance)


def exported(instance: Instance) -> str:
    """The same as CSV with COLUMNS; what a spreadsheet took for a formula has an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows_exported(instance):
        writer.writerow([_marked(row[name] or "") for name in COLUMNS])
    return text.getvalue()


def _marked(text: str) -> str:
    return f"'{text}" if text.lstrip("'").startswith(FORMULA_SIGNS) else text


def _unmarked(text: str) -> str:
    """A cell as it was before `_marked`; an apostrophe before anything else stays."""
    marked = text.startswith("'") and text.lstrip("'").startswith(FORMULA_SIGNS)
    return text[1:] if marked else text


def imported(instance: Instance, text: str, why: str, *, preview: bool = False) -> dict[str, Any]:
    """Set what the CSV `text` says differently, together, under one version of the table.

    A row without target withdraws its mapping; what the file does not name stays. `why` is the
    reason of rows that have none. Misconfigured tells every row that cannot be meant so, and then
    nothing is set. With `preview` nothing is set either.
    """
    by = acting.require(instance, "map")
    rows = _rows(text, why)
    faults = [fault for line, row in rows for fault in _faults(line, row)]
    faults += _twice(rows) + _without_zeros(instance, rows)
    if faults:
        more = len(faults) - FAULTS_SHOWN_MAX
        told = faults[:FAULTS_SHOWN_MAX] + ([f"and {more} more"] if more > 0 else [])
        raise Misconfigured(
            f"The table of mappings cannot be used: {'; '.join(told)}.",
            untouched="Nothing was mapped.", do="Correct these rows and import it again.",
        )  # fmt: skip
    held = {(m["dimension"], m["source"], m["effective_from"]): m["target"]
            for m in mappings(instance)}  # fmt: skip
    changed = [
        row for _, row in rows
        if held.get((row.dimension, row.source, row.effective_from)) != row.target
    ]  # fmt: skip
    version = instance.store.mapping_version()
    if changed and not preview:
        version = instance.store.set_mappings(changed, by.name)
    told_of = [
        {"dimension": r.dimension, "source": r.source, "target": r.target, "why": r.why,
         "effective_from": r.effective_from,
         "before": held.get((r.dimension, r.source, r.effective_from))}
        for r in changed
    ]  # fmt: skip
    return {"ok": True, "version": version, "changed": told_of,
            "unchanged": len(rows) - len(changed), "preview": preview}  # fmt: skip


def _rows(text: str, why: str) -> list[tuple[int, Mapping]]:
    """The rows of the file with their line numbers, from 2."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    found = tuple(reader.fieldnames or ())
    if missing := [name for name in COLUMNS[:3] if name not in found]:
        raise Misconfigured(
            f"The table of mappings lacks the column {' and '.join(missing)}.",
            untouched="Nothing was mapped.", do=f"Its columns are {', '.join(COLUMNS)}.",
        )  # fmt: skip
    rows = []
    for line, read in enumerate(reader, start=2):
        if None in read or None in read.values():
            raise Misconfigured(
                f"Line {line} of the table has another number of columns than its first line.",
                untouched="Nothing was mapped.",
            )
        row = {name: _unmarked(cell) for name, cell in read.items()}
        rows.append((line, Mapping(
            row["dimension"].strip().replace("-", "_"), row["source"], row["target"] or None,
            row.get("effective_from") or "", row.get("why") or why,
        )))  # fmt: skip
    return rows


def _faults(line: int, row: Mapping) -> list[str]:
    faults = []
    if row.dimension not in DIMENSIONS:
        faults.append(f"line {line}: {row.dimension!r} is none of {', '.join(DIMENSIONS)}")
    codes = [code for code in (row.source, row.target) if code is not None]
    if not row.source or any(code != code.strip() for code in codes):
        faults.append(f"line {line}: a code is empty or has spaces around it")
    if wrong := fault(row.source):
        faults.append(f"line {line}: {wrong}")
    if row.effective_from and not PERIOD.fullmatch(row.effective_from):
        faults.append(f"line {line}: effective_from is no period such as 2025-04")
    return faults


def _twice(rows: Sequence[tuple[int, Mapping]]) -> list[str]:
    seen: dict[tuple[str, str, str], int] = {}
    faults = []
    for line, row in rows:
        key = (row.dimension, row.source, row.effective_from)
        if key in seen:
            faults.append(f"lines {seen[key]} and {line} both map {row.dimension} {row.source}")
        seen[key] = line
    return faults


def _without_zeros(instance: Instance, rows: Sequence[tuple[int, Mapping]]) -> list[str]:
    """Codes that no member has, but with zeros in front: a spreadsheet has taken them for numbers.

    Compared with the members that the flows of this instance have read.
    """
    known = _known(instance)
    faults = []
    for line, row in rows:
        codes = known.get(row.dimension, set())
        if not codes or row.source in codes or not row.source.isdigit():
            continue
        padded = [row.source.zfill(n) for n in range(len(row.source) + 1, ZEROS_MAX + 1)]
        if like := [code for code in padded if code in codes]:
            faults.append(
                f"line {line}: there is no {row.dimension} {row.source}, but {like[0]}: the "
                "spreadsheet dropped its zeros"
            )
    return faults


def _known(instance: Instance) -> dict[str, set[str]]:
    """Dimension → codes of JD Edwards, as far as a flow has read its members."""
    found: dict[str, set[str]] = {}
    flows = instance.applied().flows if instance.store.config() else {}
    for name, flow in flows.items():
        if not isinstance(flow, LoadMembers) or flow.members not in LISTS_OF:
            continue
        manifests = instance.store.current(name, "members")
        if manifests:
            codes = instance.store.scan(manifests).select(pl.col("code")).collect()["code"]
            found.setdefault(LISTS_OF[flow.members], set()).update(codes.to_list())
    return found


def sentence(result: dict[str, Any]) -> str:
    """What an import did, in one sentence."""
    rows = counted(len(result["changed"]), "mapping")
    same = f"{result['unchanged']:,} are as they were"
    if result["preview"]:
        return f"{rows} would change; {same}. Nothing was set."
    return f"{rows} set under version {result['version']}; {same}."
