"""Import of module data: cell keys from members, values added up, clear rules, rejects."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tieout.sim.anaplan.numbers import BOOLEANS, WRONG, iso_date, number
from tieout.sim.anaplan.rejects import Reject
from tieout.sim.anaplan.source import ImportFailed, Source
from tieout.sim.anaplan.state import TIME_ID, State, Thing
from tieout.sim.anaplan.wire import plain


@dataclass(slots=True)
class Dimension:
    """One dimension of the target: where its column is, and which members it has."""

    place: int
    by_text: dict[str, str]
    totals: set[str]
    wrong: str
    seen: set[str] = field(default_factory=set)


@dataclass(slots=True)
class LineItemTally:
    """How the rows fared for one line item."""

    name: str
    loaded: int = 0
    failed: int = 0
    ignored: int = 0


def lookup(state: State, model: str, list_id: str) -> tuple[dict[str, str], set[str]]:
    """Text → member id, code before name (A066); and the members that are totals (A058)."""
    items = state.items(model, list_id)
    by_text = {i.name: i.id for i in items}
    by_text.update({i.code: i.id for i in items if i.code})
    return by_text, {i.parent for i in items if i.parent} | {
        i.id for i in items if i.data.get("total")
    }


class ModuleImport:
    """One run of a module import over one source."""

    def __init__(self, state: State, model: str, definition: Thing, source: Source) -> None:
        self.state, self.model, self.source, self.definition = state, model, source, definition
        self.rule = definition.data
        module = state.thing(model, self.rule["target"], "module")
        if module is None:
            raise ImportFailed("failedToLocateModule", "The module no longer exists.")
        self.module = module
        mapping: dict[str, Any] = self.rule["map"]
        keys = {c for c, to in mapping.items() if "dimension" in to or "line_item_column" in to}
        if state.switch("missing_key_column") == "rows":
            keys = set()
        at = source.positions(mapping, keys)
        self.dimensions = [self._dimension(d, mapping, at) for d in module.data["dimensions"]]
        self.columns = [
            (place, mapping[name]["line_item"])
            for name, place in at.items()
            if "line_item" in mapping[name]
        ]
        self.by_column = next((at[c] for c in at if "line_item_column" in mapping[c]), None)
        self.value_at = next((at[c] for c in at if "value" in mapping[c]), None)
        of_module = [t for t in state.things(model, "line_item") if t.data["module"] == module.id]
        self.line_items = {t.id: t for t in of_module}
        self.names = {t.name: t.id for t in of_module}
        self.adds = state.switch("module_duplicates") == "sum"
        self.tallies: dict[str, LineItemTally] = {}
        self.sums: dict[tuple[str, str], Any] = {}
        self.rejects: list[Reject] = []

    def _dimension(self, list_id: str, mapping: dict[str, Any], at: dict[str, int]) -> Dimension:
        column = next(c for c, to in mapping.items() if to.get("dimension") == list_id)
        by_text, totals = lookup(self.state, self.model, list_id)
        wrong = "Item not found in calendar" if list_id == TIME_ID else "Item not found in list"
        return Dimension(at.get(column, -1), by_text, totals, wrong)

    def run(self) -> list[LineItemTally]:
        """Load all rows; per line item how many loaded, failed, were ignored."""
        for _, line_item in self.columns:
            self._tally(line_item)
        for line, row in enumerate(self.source.rows, self.source.first_line):
            if any(row):
                self._row(line, row)
        self._clear()
        self._write()
        return list(self.tallies.values())

    def _tally(self, line_item: str) -> LineItemTally:
        name = self.line_items[line_item].name
        return self.tallies.setdefault(line_item, LineItemTally(name))

    def _row(self, line: int, row: list[str]) -> None:
        errors: list[str] = []
        key: list[str] = []
        total = False
        for dimension in self.dimensions:
            text = row[dimension.place] if -1 < dimension.place < len(row) else ""
            member = dimension.by_text.get(text)
            if member is None:
                errors.append(f"{dimension.wrong}: {text}")  # A057
                continue
            dimension.seen.add(member)
            total = total or member in dimension.totals
            key.append(member)
        values = self._values(row, errors)
        if len(key) < len(self.dimensions) or not values:
            for line_item, _ in values or [(next(iter(self.line_items)), "")]:
                self._tally(line_item).failed += 1
        else:
            self._take("|".join(key), total, values, errors)
        if errors:
            self.rejects.append(Reject(line, row, errors))

    def _values(self, row: list[str], errors: list[str]) -> list[tuple[str, str]]:
        """(line item, text) of each value in the row, for either layout."""
        if self.by_column is None or self.value_at is None:
            return [(li, row[p] if p < len(row) else "") for p, li in self.columns]
        name = row[self.by_column]
        if name not in self.names:
            errors.append(f"Invalid line item identifier: {name}")  # A057
            return []
        return [(self.names[name], row[self.value_at])]

    def _take(
        self, key: str, total: bool, values: list[tuple[str, str]], errors: list[str]
    ) -> None:
        for line_item, text in values:
            tally = self._tally(line_item)
            data = self.line_items[line_item].data
            if total or data.get("formula"):  # A058: ignored, never listed as failed
                tally.ignored += 1
                continue
            if data["format"] == "NUMBER" and not text and self._blank_ignored():
                tally.ignored += 1  # A065
                continue
            value = parsed(data["format"], text)
            if value is None:
                errors.append(f"{WRONG[data['format']]}: {text}")  # A060
                tally.failed += 1
                continue
            tally.loaded += 1
            place = (line_item, key)
            if place in self.sums and data["format"] == "NUMBER" and self.adds:
                value = self.sums[place] + value  # A055: duplicates add up
            self.sums[place] = value

    def _blank_ignored(self) -> bool:
        return bool(self.state.switch("blank_number") == "ignore")

    def _clear(self) -> None:
        """Clear target prior to import (A059)."""
        mode, touched = self.rule["clear"], list(self.tallies)
        boxes = [sorted(d.seen) for d in self.dimensions]
        kept = self.rule.get("mapped_items") or [[] for _ in boxes]
        known = [sorted(set(old) | set(new)) for old, new in zip(kept, boxes, strict=True)]
        if known != kept:
            self.rule["mapped_items"] = known
            self.state.save(self.model, self.definition)
        if mode == "none":
            return
        if mode == "all":
            self.state.many("delete from cells where line_item = ?", ((li,) for li in touched))
            return
        if mode == "mapped" and self.state.switch("all_mapped_items") == "remembered":
            boxes = known  # A086
        sets = [set(box) for box in boxes]
        for line_item in touched:
            rows = self.state.rows("select key from cells where line_item = ?", line_item)
            gone = [(line_item, r[0]) for r in rows if _inside(r[0], sets)]
            self.state.many("delete from cells where line_item = ? and key = ?", gone)

    def _write(self) -> None:
        kept, gone = [], []
        double = self.state.switch("number_precision") == "double"
        for (line_item, key), value in self.sums.items():
            inexact = double and isinstance(value, Decimal)
            text = stored(Decimal(repr(float(value))) if inexact else value)  # A089
            if text:
                kept.append((line_item, key, text))
            else:
                gone.append((line_item, key))
        self.state.many("insert or replace into cells values (?, ?, ?)", kept)
        self.state.many("delete from cells where line_item = ? and key = ?", gone)


def _inside(key: str, sets: list[set[str]]) -> bool:
    return all(member in box for member, box in zip(key.split("|"), sets, strict=True))


def parsed(format_: str, text: str) -> Any:
    """The value of a source cell in a line item's format, or None when it is wrong (A060)."""
    if format_ == "NUMBER":
        return number(text) if text else Decimal(0)  # A065
    if format_ == "BOOLEAN":
        return BOOLEANS.get(text.lower()) if text else False
    if format_ == "DATE":
        return iso_date(text) if text else ""
    return text


def stored(value: Any) -> str:
    """A value as the state keeps it: exact text, "" for the empty value of its format."""
    if isinstance(value, Decimal):
        return plain(value) if value else ""
    if isinstance(value, bool):
        return "true" if value else ""
    return str(value)


def module_details(tally: LineItemTally) -> dict[str, Any]:
    """The detail of one line item in a module import's result (A044, A087)."""
    text = (
        f"{tally.name}: {tally.loaded} (0/{tally.loaded}) rows successful, "
        f"0 (0/0) rows has warnings, {tally.failed} failed, {tally.ignored} ignored"
    )
    kind = "lineItemRowsProcessed" + ("WithFailures" if tally.failed else "")
    return {"type": kind, "text": text, "values": _values_of(tally)}


def _values_of(tally: LineItemTally) -> dict[str, Any]:
    zero = dict.fromkeys(
        (
            "successCreateCount", "warningsRowCount", "warningsCreateCount",
            "warningsUpdateCount", "totalCreateCount", "invalidCount", "renamedCount",
            "createdCount",
        ),
        0,
    )  # fmt: skip
    done = dict.fromkeys(
        ("successRowCount", "successUpdateCount", "totalUpdateCount", "updatedCount"), tally.loaded
    )
    return {
        "lineItemName": tally.name, **zero, **done,
        "failedCount": tally.failed, "ignoredCount": tally.ignored,
        "totalRowCount": tally.loaded + tally.failed + tally.ignored,
    }  # fmt: skip
