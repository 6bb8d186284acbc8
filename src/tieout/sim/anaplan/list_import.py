"""Import of a list: items found by code or name, created, renamed, moved, never deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tieout.sim.anaplan.numbers import BOOLEANS, WRONG, number
from tieout.sim.anaplan.rejects import Reject
from tieout.sim.anaplan.source import ImportFailed, Source
from tieout.sim.anaplan.state import Item, State, Thing


@dataclass(slots=True)
class Members:
    """The items of the target list, found by id, code and name."""

    items: list[Item]
    by_code: dict[str, Item] = field(default_factory=dict)
    by_name: dict[str, Item] = field(default_factory=dict)
    by_id: dict[str, Item] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for item in self.items:
            self.take(item)

    def take(self, item: Item) -> None:
        """Index one item."""
        self.by_id[item.id] = item
        self.by_name[item.name] = item
        if item.code:
            self.by_code[item.code] = item

    def find(self, text: str) -> Item | None:
        """The item with this code, else with this name (A066)."""
        return self.by_code.get(text) or self.by_name.get(text)


@dataclass(slots=True)
class Tally:
    """How the rows of one import fared."""

    created: int = 0
    updated: int = 0
    warned_created: int = 0
    warned_updated: int = 0
    failed: int = 0
    ignored: int = 0
    renamed: int = 0
    rejects: list[Reject] = field(default_factory=list)


class ListImport:
    """One run of a list import over one source."""

    def __init__(self, state: State, model: str, definition: Thing, source: Source) -> None:
        self.state, self.model, self.source = state, model, source
        self.rule = definition.data
        found = state.thing(model, self.rule["target"], "list")
        if found is None:
            raise ImportFailed("failedToLocateHierarchy", "The list no longer exists.")
        self.target = found
        self.members = Members(state.items(model, found.id))
        self.tally = Tally()
        roles = {role: name for name, role in self.rule["map"].items()}
        self.at = source.positions(self.rule["map"], {roles[self.rule["identity"]]})
        self.role_at = {role: self.at[name] for role, name in roles.items() if name in self.at}
        self._made: list[Item] = []
        self._rejected: set[str] = set()
        self._changed: dict[str, Item] = {}
        self._loaded: list[tuple[int, list[str], Item, bool, list[str]]] = []

    def run(self) -> Tally:
        """Load all rows; parents are resolved when every row is in (A061)."""
        seen: set[str] = set()
        for line, row in enumerate(self.source.rows, self.source.first_line):
            if not any(row):
                self.tally.ignored += 1
                continue
            self._row(line, row, seen)
        self._parents()
        self.state.add_items(self.model, self.target.id, self._made)
        made = {i.id for i in self._made}
        changed = [i for i in self._changed.values() if i.id not in made]
        self.state.save_items(self.model, self.target.id, changed)
        self.tally.rejects.sort(key=lambda reject: reject.line)
        return self.tally

    def _text(self, row: list[str], role: str) -> str:
        place = self.role_at.get(role)
        return row[place] if place is not None and place < len(row) else ""

    def _reject(self, line: int, row: list[str], text: str) -> None:
        self._rejected.add(self._text(row, self.rule["identity"]))
        self.tally.failed += 1
        self.tally.rejects.append(Reject(line, row, [text]))

    def _row(self, line: int, row: list[str], seen: set[str]) -> None:
        key = self._text(row, self.rule["identity"])
        if not key:
            return self._reject(line, row, "Error parsing key - no values")
        if key in seen:  # A056
            if self.rule["duplicates"] == "reject":
                raise ImportFailed("hierarchyImportDuplicateSourceKey", f"Duplicate key: {key}")
            return self._reject(line, row, f"Duplicate key: {key}")
        seen.add(key)
        by_code = self.rule["identity"] == "code"
        item = (self.members.by_code if by_code else self.members.by_name).get(key)
        name = self._text(row, "name") or (item.name if item else key)
        holder = self.members.by_name.get(name)
        if holder is not None and holder is not item:  # A064
            if self.rule["unique_names"] == "reject":
                return self._reject(line, row, f"Name or code already exists: {name}")
            name = self._free_name(name, item)
        warnings = self._load(item, key if by_code else self._text(row, "code"), name, row)
        loaded = self.members.by_name[name]
        self._loaded.append((line, row, loaded, item is None, warnings))
        return None

    def _free_name(self, name: str, item: Item | None) -> str:
        """`name~1`, `name~2`, …: the first that is free or is the item's own already (A064)."""
        n = 1
        while self.members.by_name.get(f"{name}~{n}", item) is not item:
            n += 1
        return f"{name}~{n}"

    def _load(self, item: Item | None, code: str, name: str, row: list[str]) -> list[str]:
        """Create or change one item; the warnings of its property cells."""
        if item is None:
            made = self.state.next_item_ids(self.model, self.target.id, 1)[0]
            item = Item(made, name, code)
            self._made.append(item)
        elif item.name != name:
            del self.members.by_name[item.name]
            item.name = name
            self.tally.renamed += 1
        if code:
            item.code = code
        self.members.take(item)
        self._changed[item.id] = item
        formats = {p["name"]: p["format"] for p in self.target.data["properties"]}
        warnings = []
        for role in self.role_at:
            if role.startswith("property:"):
                prop, text = role[9:], self._text(row, role)
                value = PROPERTY[formats.get(prop, "TEXT")](text)
                if value is None:  # A060: the row loads without this cell
                    warnings.append(f"{WRONG[formats[prop]]}: {text}")
                else:
                    item.data[prop] = value
        return warnings

    def _parents(self) -> None:
        """Move each loaded item; an unknown parent, or a loop, is a warning (A062)."""
        own = self.target.data.get("parent", {}).get("id")
        pool = Members(self.state.items(self.model, own)) if own else self.members
        for line, row, item, new, warnings in self._loaded:
            text = self._text(row, "parent")
            if "parent" in self.role_at:
                parent = pool.find(text) if text else None
                if text and (parent is None or (not own and self._loops(item, parent))):
                    lost = text in self._rejected
                    warnings.append("Has dependency on rejected row" if lost else "Invalid parent")
                else:
                    item.parent = parent.id if parent else ""
            self._count(new, bool(warnings))
            if warnings:
                self.tally.rejects.append(Reject(line, row, warnings, "W"))

    def _loops(self, item: Item, parent: Item) -> bool:
        above: Item | None = parent
        while above is not None:
            if above is item:
                return True
            above = self.members.by_id.get(above.parent)
        return False

    def _count(self, new: bool, warned: bool) -> None:
        tally = self.tally
        if warned:
            tally.warned_created += new
            tally.warned_updated += not new
        else:
            tally.created += new
            tally.updated += not new


def _number_text(text: str) -> str | None:
    if not text:
        return ""
    return None if number(text) is None else text


def _boolean_text(text: str) -> str | None:
    if not text:
        return "false"
    found = BOOLEANS.get(text.lower())
    return None if found is None else str(found).lower()


PROPERTY: dict[str, Callable[[str], str | None]] = {
    "TEXT": str, "NUMBER": _number_text, "BOOLEAN": _boolean_text,
}  # fmt: skip


def list_details(name: str, tally: Tally) -> dict[str, Any]:
    """The detail of a list import's result: text, type, counters (A043, A044)."""
    good = tally.created + tally.updated
    warned = tally.warned_created + tally.warned_updated
    text = f"{name}: {good} ({tally.created}/{tally.updated}) rows successful, "
    if tally.failed or warned:
        text += (
            f"{warned} ({tally.warned_created}/{tally.warned_updated}) rows has warnings, "
            f"{tally.failed} failed, {tally.ignored} ignored"
        )
    else:
        text += f"{tally.ignored} ignored "
    created = tally.created + tally.warned_created
    updated = tally.updated + tally.warned_updated
    return {
        "type": "hierarchyRowsProcessed" + ("WithFailures" if tally.failed else ""),
        "text": text,
        "values": {
            "hierarchyName": name, "successRowCount": good,
            "successCreateCount": tally.created, "successUpdateCount": tally.updated,
            "warningsRowCount": warned, "warningsCreateCount": tally.warned_created,
            "warningsUpdateCount": tally.warned_updated, "failedCount": tally.failed,
            "ignoredCount": tally.ignored,
            "totalRowCount": good + warned + tally.failed + tally.ignored,
            "totalCreateCount": created, "totalUpdateCount": updated,
            "invalidCount": 0, "updatedCount": updated, "renamedCount": tally.renamed,
            "createdCount": created,
        },
    }  # fmt: skip
