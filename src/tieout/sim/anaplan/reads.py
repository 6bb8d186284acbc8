"""Large-volume reads of views and lists: asked for, then fetched page by page as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tieout.sim.anaplan.lists import list_rows
from tieout.sim.anaplan.state import State, model_id
from tieout.sim.anaplan.views import LAYOUTS, layout_rows, view_of
from tieout.sim.anaplan.wire import Exchange, Refusal, csv_text, enveloped
from tieout.sim.box import Response

IDLE_SECONDS_MAX = 30 * 60  # A077
TOUCHING_PAGES = 100  # A077: only pages 0, 100, 200, … keep a read alive
STEPS = 2


def start(exchange: Exchange) -> Response:
    """`POST …/readRequests` (A077); `exportType` chooses the layout of a view (A078)."""
    kind = "view" if "view" in exchange.ids else "list"
    state, model, now = exchange.state, exchange.model, exchange.clock.now()
    target, layout = exchange.ids[kind], "LIST"
    if kind == "view":
        body = exchange.body()
        layout = str(body.get("exportType") or "TABULAR_MULTI_COLUMN")
        if layout not in LAYOUTS:
            raise Refusal(400, f"Invalid exportType {layout}")
        if view_of(state, model, target) is None:
            raise Refusal(404)
    else:
        exchange.thing("list", "list")
    id_ = model_id()
    state.do(
        "insert into reads values (?, ?, ?, ?, ?, ?, ?, 'IN_PROGRESS')",
        id_, model, layout, target, exchange.user, now, now,
    )  # fmt: skip
    return _shown(exchange, id_, "IN_PROGRESS", 0)


def pump(state: State, now: float) -> None:
    """Finish the reads that are due, and forget those nobody asked for (A077)."""
    state.do("delete from reads where touched < ? and state = 'COMPLETE'", now - IDLE_SECONDS_MAX)
    state.do("delete from pages where request not in (select id from reads)")
    due = now - STEPS * float(state.switch("task_step_seconds"))
    sql = "select id, model, kind, target from reads where state = 'IN_PROGRESS' and created <= ?"
    for id_, model, layout, target in state.rows(sql, due):
        state.many("insert into pages values (?, ?, ?)", _pages(state, model, layout, target, id_))
        state.do("update reads set state = 'COMPLETE', touched = ? where id = ?", now, id_)


def _pages(
    state: State, model: str, layout: str, target: str, id_: str
) -> Iterator[tuple[str, int, bytes]]:
    """Whole rows per page; the header on the first page, or by switch on every page (A078)."""
    rows = list_rows(state, model, target) if layout == "LIST" else None
    lines = list(rows if rows is not None else layout_rows(state, model, target, layout))
    size = int(state.switch("read_page_rows"))
    head, body = lines[:1], lines[1:]
    for n, at in enumerate(range(0, max(1, len(body)), size)):
        with_head = n == 0 or state.switch("page_headers") == "every"
        page = [*(head if with_head else []), *body[at : at + size]]
        yield id_, n, csv_text(page).encode()


def _row(exchange: Exchange) -> Any:
    target = exchange.ids.get("view", exchange.ids.get("list"))
    row = exchange.state.row(
        "select id, state from reads where id = ? and model = ? and target = ?",
        exchange.ids["read"], exchange.model, target,
    )  # fmt: skip
    if row is None:
        raise Refusal(404)
    return row


def get(exchange: Exchange) -> Response:
    """How far a read is, and how many pages there are."""
    id_, phase = _row(exchange)
    pages = exchange.state.row("select count(*) from pages where request = ?", id_)[0]
    return _shown(exchange, id_, phase, pages)


def get_page(exchange: Exchange) -> Response:
    """One page as CSV, from 0."""
    id_, _ = _row(exchange)
    number = exchange.ids["page"]
    page = exchange.state.row(
        "select body from pages where request = ? and n = ?",
        id_, int(number) if number.isdigit() else -1,
    )  # fmt: skip
    if page is None:
        raise Refusal(404)
    if int(number) % TOUCHING_PAGES == 0:
        now = exchange.clock.now()
        exchange.state.do("update reads set touched = ? where id = ?", now, id_)
    return Response(200, bytes(page[0]), content_type="text/csv")


def delete(exchange: Exchange) -> Response:
    """Gives the pages back: 200 with the state the read had, or CANCELLED (A077)."""
    id_, phase = _row(exchange)
    exchange.state.do("delete from pages where request = ?", id_)
    exchange.state.do("delete from reads where id = ?", id_)
    return _shown(exchange, id_, phase if phase == "COMPLETE" else "CANCELLED", 0)


def _shown(exchange: Exchange, id_: str, phase: str, pages: int) -> Response:
    kind = "view" if "view" in exchange.ids else "list"
    path = exchange.request.path.split("/readRequests")[0]
    read: dict[str, Any] = {
        "requestId": id_, f"{kind}Id": exchange.ids[kind], "requestState": phase,
        "url": f"https://api.anaplan.com{path}/readRequests/{id_}",
    }  # fmt: skip
    if phase == "COMPLETE":
        read |= {"availablePages": pages, "successful": True}
    return enveloped(f"{kind}ReadRequest", **{f"{kind}ReadRequest": read})
