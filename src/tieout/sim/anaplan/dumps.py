"""Failure dumps as the API hands them out: whole or in chunks, of an import or of a process."""

from __future__ import annotations

from tieout.sim.anaplan.files import IDLE_SECONDS_MAX, asked_chunk, download, listed
from tieout.sim.anaplan.tasks import task_row
from tieout.sim.anaplan.wire import Exchange, Refusal
from tieout.sim.box import Response


def _chunks(exchange: Exchange) -> list[bytes]:
    """The dump of the task in the path, in chunks of at most 10 MB (A048).

    404 when there is none, or when a later run has replaced it (A049).
    """
    state, now = exchange.state, exchange.clock.now()
    task = task_row(exchange)
    import_id = exchange.ids.get("object", exchange.ids["action"])
    state.do("delete from dumps where touched < ?", now - IDLE_SECONDS_MAX)
    found = state.row(
        "select body from dumps where model = ? and user = ? and import = ? and task = ?",
        exchange.model, task[6], import_id, task[1],
    )  # fmt: skip
    if found is None:
        raise Refusal(404)
    state.do("update dumps set touched = ? where task = ?", now, task[1])
    size = int(state.switch("dump_chunk_bytes"))
    body = bytes(found[0])
    return [body[at : at + size] for at in range(0, len(body), size)]


def get_dump(exchange: Exchange) -> Response:
    """The whole dump, text/plain."""
    try:
        body = b"".join(_chunks(exchange))
    except Refusal:
        if exchange.state.switch("no_dump_status") == 204:
            return Response(204)
        raise
    return download(exchange, body, "text/plain")


def list_dump_chunks(exchange: Exchange) -> Response:
    """The ids of the dump's chunks (A048, A095)."""
    return listed(exchange, list(range(len(_chunks(exchange)))), counted_up=True)


def get_dump_chunk(exchange: Exchange) -> Response:
    """One chunk of the dump, text/plain."""
    chunks, number = _chunks(exchange), asked_chunk(exchange, counted_up=True)
    if not 0 <= number < len(chunks):
        raise Refusal(404)
    return download(exchange, chunks[number], "text/plain")
