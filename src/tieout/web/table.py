"""A list as a table of a page: what its columns, filters and pages are called, and where they lead.

Every choice stands in the address, so that a page can be sent to somebody else; the same address
with `form=csv` or `form=xlsx` hands out all rows of the filter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from tempfile import SpooledTemporaryFile
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import Response, StreamingResponse

from tieout.core.listing import (
    COUNTED_ROWS_MAX,
    ROWS_MAX,
    ROWS_OF_A_PAGE,
    Column,
    Listed,
    Row,
    Wanted,
    read_cursor,
    read_wanted,
)
from tieout.verbs import exporting
from tieout.verbs.sheets.sheet import Sheet, Table
from tieout.web.view import View

EXCEL = ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
FORMS = {"csv": "text/csv; charset=utf-8", EXCEL[0]: EXCEL[1]}
KEPT_IN_MEMORY_BYTES_MAX = 4_000_000  # of a file on its way; more goes to the disk
PIECE_BYTES = 65_536
PLACES_OF_LIST = ("before", "after", "form")  # of a query: where a page begins, not what it shows

Page = Callable[[Wanted], Listed]


@dataclass(frozen=True, slots=True)
class Choice:
    """A link that changes one thing of the list."""

    word: str
    address: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A list as the macro `table` shows it."""

    name: str
    caption: str
    columns: Sequence[Column]
    listed: Listed
    many: str  # what its rows are called
    query: Mapping[str, str]
    path: str
    empty: str = "Nothing agrees with this filter."

    @property
    def rows(self) -> Sequence[Row]:
        """The rows of this page."""
        return self.listed.rows

    @property
    def heads(self) -> list[Column]:
        """The columns that are shown."""
        return heads(self.columns)

    @property
    def filters(self) -> list[Column]:
        """The columns that can be filtered by."""
        return [c for c in self.columns if c.find]

    def filter_of(self, column: Column) -> str:
        """What a column is filtered by now."""
        return self.listed.wanted.found_by.get(column.name, "")

    @property
    def is_filtered(self) -> bool:
        """Whether rows are left out."""
        return any(self.filter_of(c) for c in self.filters)

    def address(self, **changed: str) -> str:
        """This list with something of it changed; an empty value leaves it out."""
        kept = {k: v for k, v in self.query.items() if k not in PLACES_OF_LIST}
        asked = {k: v for k, v in {**kept, **changed}.items() if v}
        return self.path + (f"?{urlencode(asked)}" if asked else "")

    def sort_address(self, column: Column) -> str:
        """The list sorted by a column, turned round when it is sorted by it already."""
        down = self.sorted_by(column) == "ascending"
        return self.address(sort=("-" if down else "") + column.name)

    def sorted_by(self, column: Column) -> str:
        """ascending, descending or empty."""
        wanted = self.listed.wanted
        if wanted.sort != column.name:
            return ""
        return "descending" if wanted.descending else "ascending"

    @property
    def pages(self) -> list[Choice]:
        """The first page, the one before and the one after, as far as there are any."""
        found = []
        if self.listed.before:
            found.append(Choice("First", self.address()))
            found.append(Choice("Previous", self.address(before=self.listed.before)))
        if self.listed.after:
            word = "Look further" if self.listed.looked else "Next"
            found.append(Choice(word, self.address(after=self.listed.after)))
        return found

    @property
    def sizes(self) -> list[Choice]:
        """How many rows a page has."""
        if self.listed.found <= ROWS_OF_A_PAGE[0]:
            return []
        now = self.listed.wanted.rows
        return [Choice(str(n), self.address(rows=str(n)), n == now) for n in ROWS_OF_A_PAGE]

    @property
    def kept_fields(self) -> list[tuple[str, str]]:
        """What a form that filters must not lose."""
        names = {c.name for c in self.filters}
        return [(k, v) for k, v in self.query.items() if k not in names and k not in PLACES_OF_LIST]

    @property
    def one(self) -> str:
        """What a single row is called."""
        many = self.many
        return f"{many[:-3]}y" if many.endswith("ies") else many.removesuffix("s")

    @property
    def told(self) -> str:
        """How many rows there are, and how many of them are shown."""
        found = self.listed.found
        if self.listed.looked:
            return f"{found:,} among {self.listed.looked:,} {self.many} looked through"
        total = f"more than {COUNTED_ROWS_MAX:,}" if found > COUNTED_ROWS_MAX else f"{found:,}"
        if len(self.rows) == found:
            return f"{total} {self.one if found == 1 else self.many}"
        return f"{len(self.rows):,} of {total} {self.many}"


@dataclass(frozen=True, slots=True)
class List:
    """A list of a page: its columns, the rows of any page of it, and how it is named."""

    name: str
    caption: str
    many: str
    columns: Sequence[Column]
    usual: Wanted
    page: Page
    empty: str = "Nothing agrees with this filter."

    def shown(self, view: View) -> Shown:
        """The page of it that the address asks for."""
        wanted = read_wanted(self.columns, view.query, self.usual)
        return Shown(
            self.name, self.caption, self.columns, self.page(wanted), self.many, view.query,
            view.request.url.path, self.empty,
        )  # fmt: skip

    def rows(self, wanted: Wanted) -> Iterator[Row]:
        """All rows of the filter, read a page at a time."""
        wanted = replace(wanted, rows=ROWS_MAX, start=None, backwards=False)
        while True:
            listed = self.page(wanted)
            yield from listed.rows
            if not listed.after:
                return
            wanted = replace(wanted, start=read_cursor(listed.after))

    def file(self, view: View, facts: Sequence[tuple[str, Any]] = ()) -> Response | None:
        """All rows of the filter as the file that the address asks for; None when it asks not."""
        form = view.query.get("form", "")
        if form not in FORMS:
            return None
        wanted = read_wanted(self.columns, view.query, self.usual)
        names = tuple(c.name for c in heads(self.columns))

        def rows() -> Iterator[tuple[Any, ...]]:
            for row in self.rows(wanted):
                yield tuple(row.get(name) for name in names)

        by = "; ".join(f"{k}: {v}" for k, v in wanted.found_by.items())
        made = [
            ("Filter", by or "none: every row"), *facts,
            ("Made at", view.instance.clock.now()), ("Made by", view.actor.name),
        ]  # fmt: skip
        sheet = Sheet(
            self.caption, f"All {self.many} of this filter.", True, made,
            [Table(self.name, self.caption, names, rows)],
        )  # fmt: skip
        return handed_out(view, sheet, self.name, form)


def heads(columns: Sequence[Column]) -> list[Column]:
    """The columns of a list without those that only filter."""
    return [c for c in columns if c.kind != "filter"]


def handed_out(view: View, sheet: Sheet, name: str, form: str) -> Response:
    """A sheet as a download."""
    file = SpooledTemporaryFile(max_size=KEPT_IN_MEMORY_BYTES_MAX)  # noqa: SIM115 - sent piecewise
    exporting.written(view.instance, sheet, f".{form}", file)  # type: ignore[arg-type]  # it is one
    file.seek(0)

    def pieces() -> Iterable[bytes]:
        with file:
            while piece := file.read(PIECE_BYTES):
                yield piece

    headers = {"Content-Disposition": disposition(f"{name}.{form}")}
    return StreamingResponse(pieces(), headers=headers, media_type=FORMS[form])


def disposition(name: str) -> str:
    """The header that names a download, RFC 6266: plain letters, and the whole name beside them."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
