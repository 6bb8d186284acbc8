"""Reading back from Anaplan: the cells of a view and the items of a list, exact and complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl

from tieout.anaplan.names import Model
from tieout.anaplan.outcome import COMPLETE, RUNNING_STATES
from tieout.anaplan.properties import property_columns, property_formats
from tieout.anaplan.session import Session, accepted, part
from tieout.anaplan.wire import (
    cells,
    list_items,
    list_properties,
    no_cells,
    whole,
)
from tieout.clock import Clock
from tieout.errors import Refused, Trouble, Unavailable
from tieout.strict_json import plain

LAYOUT = "TABULAR_SINGLE_COLUMN"  # every dimension in a column of its own, then the value
READ_SECONDS_MAX = 25 * 60.0  # Anaplan forgets an idle read request after 30 minutes
READ_PAUSE_SECONDS_FIRST, READ_PAUSE_SECONDS_MAX = 0.5, 10.0


class Views:
    """The views and lists of one model."""

    def __init__(self, session: Session, model: Callable[[], Model], clock: Clock) -> None:
        self._session, self._model, self._clock = session, model, clock

    def items(self, list_id: str, properties: Sequence[str] = ()) -> pl.DataFrame:
        """The items of a list; see `Anaplan.list_items`."""
        path = f"{self._model().path}/lists/{part(list_id)}/items"
        entries = [*self._session.items(path, "listItems", query={"includeAll": "true"})]
        return list_items(entries).with_columns(property_columns(entries, properties))

    def property_formats(self, list_id: str) -> dict[str, str]:
        """The formats of a list's properties, by their names."""
        return property_formats(self._session.get(f"{self._model().path}/lists/{part(list_id)}"))

    def items_with(
        self, list_id: str, code: str, numbers: Sequence[str], texts: Sequence[str]
    ) -> pl.DataFrame:
        """The same with properties; see `Anaplan.items_with`."""
        path = f"{self._model().path}/lists/{part(list_id)}/items"
        entries = self._session.items(path, "listItems", query={"includeAll": "true"})
        return list_properties(entries, code, numbers, texts)

    def line_items(self, module_id: str) -> list[str]:
        """The names of all line items of a module."""
        path = f"{self._model().path}/modules/{part(module_id)}/lineItems"
        return [str(e.get("name") or "") for e in self._session.items(path, "items")]

    def dimensions(self, view_id: str) -> list[str]:
        """The names of a view's dimensions: rows, then columns, then pages."""
        answer = self._session.get(f"{self._model().path}/views/{part(view_id)}")
        view = answer["view"] if isinstance(answer.get("view"), dict) else answer
        axes = [view.get(axis) or [] for axis in ("rows", "columns", "pages")]
        names = [str(d.get("name") or "") for axis in axes for d in axis]
        if not names:
            raise Refused(f"Anaplan's view {view_id} has no dimensions.")
        return names

    def read(self, view_id: str) -> Iterator[pl.DataFrame]:
        """The non-zero cells of a view, page by page; see `Anaplan.read_view`."""
        dimensions = self.dimensions(view_id)
        base = f"{self._model().path}/views/{part(view_id)}/readRequests"
        made = self._session.send("POST", base, repeatable=True, json={"exportType": LAYOUT})
        request = _request(accepted(made, f"POST {base}").json_object())
        path = f"{base}/{part(str(request.get('requestId')))}"
        try:
            yield from self._pages(path, request, dimensions)
        finally:
            self._forget(path)

    def _pages(
        self, path: str, request: dict[str, Any], dimensions: list[str]
    ) -> Iterator[pl.DataFrame]:
        """Pages as they become available, until the request is complete and all are read."""
        header: bytes | None = None
        done, pause = 0, READ_PAUSE_SECONDS_FIRST
        give_up = self._clock.monotonic() + READ_SECONDS_MAX
        while self._clock.monotonic() < give_up:
            state, available = _progress(request)
            while done < available:
                page = self._page(f"{path}/pages/{done}")
                got = cells(page, dimensions, header)
                header, done = got.header, done + 1
                yield got.frame
            if state == COMPLETE:
                if not done:
                    yield no_cells(dimensions)
                return
            self._clock.sleep(pause)
            pause = min(READ_PAUSE_SECONDS_MAX, pause * 2)
            request = _request(self._session.get(path))
        raise Unavailable(
            f"Anaplan did not finish reading the view in {READ_SECONDS_MAX / 60:.0f} minutes."
        )

    def _page(self, path: str) -> bytes:
        answer = self._session.send("GET", path, repeatable=True, headers={"Accept": "text/csv"})
        return accepted(answer, f"GET {path}").body

    def _forget(self, path: str) -> None:
        """Free the space of the read request; Anaplan does it by itself after 30 minutes."""
        try:
            self._session.send("DELETE", path, repeatable=True)
        except Trouble:
            return


def _request(answer: dict[str, Any]) -> dict[str, Any]:
    request = answer.get("viewReadRequest")
    if not isinstance(request, dict) or not request.get("requestId"):
        raise Refused("Anaplan answered without a read request.")
    return request


def _progress(request: dict[str, Any]) -> tuple[str, int]:
    """The state of a read request and how many pages can be fetched."""
    state = str(request.get("requestState") or "")
    known = state in (*RUNNING_STATES, COMPLETE)
    if not known or (state == COMPLETE and request.get("successful") is not True):
        raise Refused(
            f"Anaplan could not read the view (state {plain(state) or 'missing'}).",
            do="Open the view in Anaplan; if it is empty or its filter fails, save it again.",
        )
    return state, whole(request.get("availablePages"), "number of pages")
