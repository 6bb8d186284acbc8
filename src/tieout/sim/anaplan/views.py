"""Views of a module as grids: which members stand on rows, columns and pages, and their cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

from tieout.sim.anaplan.state import LINE_ITEMS_ID, TIME_ID, Item, State, Thing
from tieout.sim.anaplan.wire import csv_text, plain

LAYOUTS = ("GRID_CURRENT_PAGE", "GRID_ALL_PAGES", "TABULAR_SINGLE_COLUMN", "TABULAR_MULTI_COLUMN")
SPECIAL = re.compile(r"[^\w &]")
EMPTY = {"NUMBER": "0", "BOOLEAN": "false"}
Key = tuple[str, ...]


@dataclass(slots=True)
class View:
    """A saved view, or a module's default view (whose id is the module's own, A079)."""

    id: str
    name: str
    module: str
    rows: list[str]
    columns: list[str]
    pages: list[str]
    filtered: bool
    totals: bool


def view_of(state: State, model: str, view_id: str) -> View | None:
    """The view with this id, if there is one."""
    thing = state.thing(model, view_id, "view", "module")
    if thing is None:
        return None
    data = thing.data
    if thing.kind == "module":
        rows = [d for d in data["dimensions"] if d != TIME_ID]
        columns = [TIME_ID] if TIME_ID in data["dimensions"] else []
        return View(thing.id, thing.name, thing.id, rows, columns, [LINE_ITEMS_ID], False, True)
    axes = (data["rows"], data["columns"], data["pages"])
    name = saved_view_name(state, model, thing)
    return View(thing.id, name, data["module"], *axes, data["filter"], data["totals"])


def saved_view_name(state: State, model: str, view: Thing) -> str:
    """`Module.View`, a part with special characters in single quotes (A079)."""
    module = state.thing(model, view.data["module"], "module")
    parts = (module.name if module else "", view.name)
    return ".".join(f"'{p}'" if SPECIAL.search(p) else p for p in parts)


def dimension_name(state: State, model: str, dimension: str) -> str:
    """The name of a dimension: a list's, or that of Time or of the line items."""
    if dimension in (TIME_ID, LINE_ITEMS_ID):
        return "Time" if dimension == TIME_ID else "Line items"
    thing = state.thing(model, dimension, "list")
    return thing.name if thing else dimension


class Grid:
    """The cells of one view, read once, laid out per page."""

    def __init__(self, state: State, model: str, view: View) -> None:
        self.state, self.view = state, view
        module = state.thing(model, view.module, "module")
        assert module is not None
        self.line_items = [
            t for t in state.things(model, "line_item") if t.data["module"] == view.module
        ]
        self.dimensions: list[str] = [LINE_ITEMS_ID, *module.data["dimensions"]]
        everything = {d: state.items(model, d) for d in self.dimensions[1:]}
        everything[LINE_ITEMS_ID] = [Item(t.id, t.name) for t in self.line_items]
        self.names = {d: {i.id: i.name for i in items} for d, items in everything.items()}
        self.parents = {d: {i.id: i.parent for i in items} for d, items in everything.items()}
        self.members = {d: self._shown(items) for d, items in everything.items()}
        self._kept: tuple[dict[str, str], dict[Key, dict[Key, str]]] | None = None
        self.empty = {t.id: EMPTY.get(t.data["format"], "") for t in self.line_items}

    def _shown(self, items: list[Item]) -> list[str]:
        """All members, or only those that are no total (A080)."""
        if self.view.totals:
            return [i.id for i in items]
        parents = {i.parent for i in items if i.parent}
        return [i.id for i in items if i.id not in parents and not i.data.get("total")]

    def cell_count(self) -> int:
        """Cells of one page, counted as the switch `cells_counted` says (A076)."""
        columns = self._size(self.view.columns)
        rows = self._size(self.view.rows)
        if self.view.filtered and self.state.switch("cells_counted") == "shown":
            page = {d: self.members[d][0] for d in self.view.pages}
            rows = len(self._cells(page))
        return rows * columns

    def _size(self, dimensions: list[str]) -> int:
        size = 1
        for dimension in dimensions:
            size *= len(self.members[dimension])
        return size

    def page(
        self, chosen: dict[str, str], *, filtered: bool | None = None
    ) -> tuple[list[Key], Iterator[tuple[Key, list[str]]]]:
        """Column keys, and for each shown row its key and cells, in list order."""
        cells = self._cells(chosen)
        axes = [self.members[d] for d in self.view.columns]
        columns: list[Key] = list(product(*axes))
        keep = self.view.filtered if filtered is None else filtered
        rows = (
            self._filtered(cells) if keep else product(*(self.members[d] for d in self.view.rows))
        )
        return columns, self._lines(rows, columns, cells, chosen)

    def _filtered(self, cells: dict[Key, dict[Key, str]]) -> list[Key]:
        order = [{m: n for n, m in enumerate(self.members[d])} for d in self.view.rows]
        return sorted(cells, key=lambda k: tuple(o[m] for o, m in zip(order, k, strict=True)))

    def _lines(
        self,
        rows: Iterable[Key],
        columns: list[Key],
        cells: dict[Key, dict[Key, str]],
        chosen: dict[str, str],
    ) -> Iterator[tuple[Key, list[str]]]:
        fixed = self._line_item_empty(chosen)
        for row in rows:
            found = cells.get(row, {})
            if fixed is not None:
                yield row, [found.get(c, fixed) for c in columns]
            else:
                yield row, [found.get(c) or self._empty(row, c) for c in columns]

    def _line_item_empty(self, chosen: dict[str, str]) -> str | None:
        return self.empty[chosen[LINE_ITEMS_ID]] if LINE_ITEMS_ID in chosen else None

    def _empty(self, row: Key, column: Key) -> str:
        by = dict(zip([*self.view.rows, *self.view.columns], [*row, *column], strict=True))
        return self.empty[by[LINE_ITEMS_ID]]

    def _cells(self, chosen: dict[str, str]) -> dict[Key, dict[Key, str]]:
        """Row key → column key → printed value; totals are sums over all members below."""
        if self._kept is not None and self._kept[0] == chosen:
            return self._kept[1]
        place = {d: n for n, d in enumerate(self.dimensions)}
        rows = [place[d] for d in self.view.rows]
        columns = [place[d] for d in self.view.columns]
        fixed = [(place[d], m) for d, m in chosen.items()]
        shown = [set(self.members[d]) for d in self.dimensions]
        out: dict[Key, dict[Key, str]] = {}
        for key, value in self._read():
            if all(key[p] == m for p, m in fixed) and all(
                member in some for member, some in zip(key, shown, strict=True)
            ):
                row = tuple([key[p] for p in rows])
                out.setdefault(row, {})[tuple([key[p] for p in columns])] = value
        self._kept = (dict(chosen), out)
        return out

    def _read(self) -> Iterable[tuple[Key, str]]:
        sql = "select key, value from cells where line_item = ?"
        leaves = (
            ((t.id, *r[0].split("|")), r[1]) for t in self.line_items
            for r in self.state.rows(sql, t.id)
        )  # fmt: skip
        return self._summed(leaves) if self.view.totals else leaves

    def _summed(self, leaves: Iterable[tuple[Key, str]]) -> Iterable[tuple[Key, str]]:
        sums: dict[Key, Decimal] = {}
        numeric = {t.id for t in self.line_items if t.data["format"] == "NUMBER"}
        for key, value in leaves:
            if key[0] not in numeric:
                continue
            above = [self._line(d, m) for d, m in zip(self.dimensions, key, strict=True)]
            for combination in product(*above):
                sums[combination] = sums.get(combination, Decimal(0)) + Decimal(value)
        return ((k, plain(v)) for k, v in sums.items() if v)

    def _line(self, dimension: str, member: str) -> list[str]:
        """The member and every total above it."""
        line = [member]
        while self.parents[dimension].get(line[-1]):
            line.append(self.parents[dimension][line[-1]])
        return line

    def named(self, dimensions: list[str], key: Key) -> list[str]:
        """The names of the members of a key."""
        return [self.names[d][m] for d, m in zip(dimensions, key, strict=True)]


def grid_rows(grid: Grid, chosen: dict[str, str]) -> Iterator[list[str]]:
    """The CSV grid: a line of page members if there are pages, a line per column dimension, then
    the rows with their members to the left (A074)."""
    view = grid.view
    if view.pages:
        yield [grid.names[d][chosen[d]] for d in view.pages]
    columns, lines = grid.page(chosen)
    for n, dimension in enumerate(view.columns):
        names = grid.names[dimension]
        yield [""] * len(view.rows) + [names[c[n]] for c in columns]
    for row, cells in lines:
        yield grid.named(view.rows, row) + cells


def tabular_rows(state: State, model: str, grid: Grid, layout: str) -> Iterator[list[str]]:
    """The tabular layouts: one header line of dimension names, then data (A078)."""
    view = grid.view
    names = {d: dimension_name(state, model, d) for d in grid.dimensions}
    pages_first = state.switch("tabular_pages") == "first"
    single = layout == "TABULAR_SINGLE_COLUMN"
    filtered = view.filtered and bool(state.switch("tabular_filter"))
    heads = ([names[d] for d in view.pages], [names[d] for d in view.rows])
    started = False
    for page in product(*(grid.members[d] for d in view.pages)):
        columns, lines = grid.page(dict(zip(view.pages, page, strict=True)), filtered=filtered)
        titles = [" ".join(grid.named(view.columns, c)) for c in columns]
        if not started:
            started = True
            if single:
                yield [*heads[0], *(names[d] for d in view.columns), *heads[1], "Value"]
            else:
                yield [*(heads[0] + heads[1] if pages_first else heads[1] + heads[0]), *titles]
        left = grid.named(view.pages, page)
        for row, cells in lines:
            labels = grid.named(view.rows, row)
            if single:
                for column, cell in zip(columns, cells, strict=True):
                    yield [*left, *grid.named(view.columns, column), *labels, cell]
            else:
                yield (left + labels if pages_first else labels + left) + cells


def layout_rows(state: State, model: str, view_id: str, layout: str) -> Iterator[list[str]]:
    """The rows of a whole view in one of the LAYOUTS."""
    view = view_of(state, model, view_id)
    if view is None:
        return iter(())
    grid = Grid(state, model, view)
    if layout.startswith("TABULAR"):
        return tabular_rows(state, model, grid, layout)
    return _all_pages(grid, layout)


def _all_pages(grid: Grid, layout: str) -> Iterator[list[str]]:
    pages: Any = product(*(grid.members[d] for d in grid.view.pages))
    for page in [next(pages)] if layout == "GRID_CURRENT_PAGE" else pages:
        yield from grid_rows(grid, dict(zip(grid.view.pages, page, strict=True)))


def export_text(state: State, model: str, view_id: str, layout: str) -> str:
    """A whole view as CSV text."""
    return csv_text(layout_rows(state, model, view_id, layout))
