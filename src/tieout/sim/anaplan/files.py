"""Files of a model: private copies per user, default files, chunks, gzip, expiry."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

from tieout.sim.anaplan.state import State, Thing
from tieout.sim.anaplan.wire import Exchange, Refusal, enveloped, paged
from tieout.sim.box import Response

IDLE_SECONDS_MAX = 48 * 3600  # A031
CHUNKS_MAX = 1000  # A035
CHUNK_BYTES_MAX = 50 * 1024 * 1024  # A035
GZIP = "application/x-gzip"  # A026
BINARY = "application/octet-stream"
DEFAULT_USER = ""  # the default file of a data source belongs to nobody (A030)


def content_row(state: State, now: float, model: str, file: str, user: str) -> Any:
    """(user, chunk_count, complete) of the copy `user` sees: private, else default, else None.

    A private copy that nobody touched for 48 hours is gone (A031); the default stays (A030).
    """
    state.do(
        "delete from contents where model = ? and file = ? and user != '' and touched < ?",
        model, file, now - IDLE_SECONDS_MAX,
    )  # fmt: skip
    found = state.row(
        "select user, chunk_count, complete from contents where model = ? and file = ? "
        "and user in (?, '') order by user desc",
        model, file, user,
    )  # fmt: skip
    if found is not None:
        state.do(
            "update contents set touched = ? where model = ? and file = ? and user = ?",
            now, model, file, found[0],
        )  # fmt: skip
    return found


def chunk_bodies(state: State, model: str, file: str, user: str) -> dict[int, bytes]:
    """The chunks that were put, by number."""
    sql = "select n, body from chunks where model = ? and file = ? and user = ? order by n"
    return {int(r[0]): bytes(r[1]) for r in state.rows(sql, model, file, user)}


def put_content(
    state: State, now: float, model: str, file: str, user: str, bodies: list[bytes]
) -> None:
    """Replace a copy of a file by complete chunks (an export's result, a single PUT)."""
    _reset(state, now, model, file, user, len(bodies))
    state.many(
        "insert into chunks values (?, ?, ?, ?, ?)",
        ((model, file, user, n, body) for n, body in enumerate(bodies)),
    )


def _reset(state: State, now: float, model: str, file: str, user: str, count: int) -> None:
    state.do("delete from chunks where model = ? and file = ? and user = ?", model, file, user)
    state.do(
        "insert or replace into contents values (?, ?, ?, ?, ?, ?)",
        model, file, user, count, int(count != -1), now,
    )  # fmt: skip


def file_json(exchange: Exchange, file: Thing) -> dict[str, Any]:
    """One file as the list shows it; export files lack the text layout (A032)."""
    shown = {"id": file.id, "name": file.name, "chunkCount": _count(exchange, file.id)}
    if file.kind == "export":
        return shown | {"firstDataRow": 0, "headerRow": 0}
    return shown | {k: v for k, v in file.data.items() if not k.startswith("_")}


def _count(exchange: Exchange, file: str) -> int:
    now = exchange.clock.now()
    found = content_row(exchange.state, now, exchange.model, file, exchange.user)
    return 0 if found is None else max(0, int(found[1]))


def list_files(exchange: Exchange) -> Response:
    """`GET …/files`: uploaded files and the results of exports."""
    state, model = exchange.state, exchange.model
    files = state.things(model, "file") + state.things(model, "export")
    return paged(exchange, "file", "files", [file_json(exchange, f) for f in files])


def announce(exchange: Exchange) -> Response:
    """`POST …/files/{id}`: N chunks, or -1 and a later `complete` (A024, A027)."""
    body = exchange.body()
    count = body.get("chunkCount") if isinstance(body, dict) else None
    if not isinstance(count, int) or isinstance(count, bool) or count < -1:
        raise Refusal(400, "chunkCount is required")
    if count > CHUNKS_MAX and exchange.state.switch("file_limits"):
        raise Refusal(400, f"A file has at most {CHUNKS_MAX} chunks")  # A035
    state, model = exchange.state, exchange.model
    file = state.thing(model, exchange.ids["file"], "file", "export")
    if file is None:
        file = _create(exchange, str(body.get("name", "New file")))  # A034
        return enveloped("file", file=file_json(exchange, file))
    _reset(state, exchange.clock.now(), model, file.id, exchange.user, count)
    return enveloped("file", file=file_json(exchange, file))


def _create(exchange: Exchange, name: str) -> Thing:
    """An unknown id makes another file, with another id (A034)."""
    if not exchange.ids["file"].isdigit():
        raise Refusal(404)
    made = exchange.state.add(exchange.model, "file", name, firstDataRow=-1, headerRow=-1)
    return Thing(made, "file", name, {"firstDataRow": -1, "headerRow": -1})


def put_chunk(exchange: Exchange) -> Response:
    """`PUT …/chunks/{n}`: 204; any order, a repeated number replaces (A025)."""
    state, model, user = exchange.state, exchange.model, exchange.user
    file, number = exchange.thing("file", "file", "export").id, exchange.ids["chunk"]
    row = state.row(
        "select chunk_count from contents where model = ? and file = ? and user = ?",
        model, file, user,
    )  # fmt: skip
    if row is None or not number.isdigit():
        raise Refusal(state.switch("unannounced_chunk_status"), "Set the chunk count first")  # A024
    if int(number) >= (CHUNKS_MAX if row[0] == -1 else row[0]):
        raise Refusal(400, f"Chunk {number} is beyond the chunk count")  # A024
    state.do(
        "insert or replace into chunks values (?, ?, ?, ?, ?)",
        model, file, user, int(number), _decoded(exchange),
    )  # fmt: skip
    state.do(
        "update contents set touched = ? where model = ? and file = ? and user = ?",
        exchange.clock.now(), model, file, user,
    )  # fmt: skip
    return Response(204)


def _decoded(exchange: Exchange) -> bytes:
    """The chunk's bytes: unpacked only when the type says gzip, else kept as they came (A026)."""
    kind = exchange.header("content-type")
    if kind not in (GZIP, BINARY):
        raise Refusal(415)
    body = exchange.request.body
    if kind == GZIP:
        try:
            body = gzip.decompress(body)
        except (zlib.error, gzip.BadGzipFile, EOFError) as error:
            status = exchange.state.switch("bad_gzip_status")
            raise Refusal(status, "The chunk is not gzip") from error  # A026
    if len(body) > CHUNK_BYTES_MAX and exchange.state.switch("file_limits"):
        raise Refusal(400, f"A chunk has at most {CHUNK_BYTES_MAX} bytes")  # A035
    return body


def complete(exchange: Exchange) -> Response:
    """`POST …/complete`: fixes the chunk count of a file announced with -1 (A027)."""
    state, model, user = exchange.state, exchange.model, exchange.user
    file = exchange.thing("file", "file", "export")
    put = chunk_bodies(state, model, file.id, user)
    if not put:
        raise Refusal(400, "No chunk was uploaded")
    state.do(
        "update contents set complete = 1, chunk_count = max(chunk_count, ?) "
        "where model = ? and file = ? and user = ?",
        max(put) + 1, model, file.id, user,
    )  # fmt: skip
    return enveloped("file", file=file_json(exchange, file))


def list_chunks(exchange: Exchange) -> Response:
    """`GET …/chunks`: N ids as soon as N is announced, before any content (A024)."""
    file = exchange.thing("file", "file", "export")
    now = exchange.clock.now()
    row = content_row(exchange.state, now, exchange.model, file.id, exchange.user)
    count = 0 if row is None else int(row[1])
    numbers = list(range(count))
    if row is not None and count == -1:
        numbers = list(chunk_bodies(exchange.state, exchange.model, file.id, row[0]))
    return listed(exchange, numbers, counted_up=file.kind == "export")


def get_chunk(exchange: Exchange) -> Response:
    """`GET …/chunks/{n}`: 404 where there is none (A032)."""
    bodies = _visible(exchange)
    file = exchange.thing("file", "file", "export")
    number = asked_chunk(exchange, counted_up=file.kind == "export")
    if number not in bodies:
        raise Refusal(404)
    return download(exchange, bodies[number], BINARY)


def get_file(exchange: Exchange) -> Response:
    """`GET …/files/{id}`: all chunks joined, the same bytes; 404 when chunkCount is 0 (A032)."""
    bodies = _visible(exchange)
    if not bodies:
        raise Refusal(404)
    return download(exchange, b"".join(bodies.values()), BINARY)


def listed(exchange: Exchange, numbers: list[int], *, counted_up: bool) -> Response:
    """Chunks as a collection; only what is `counted_up` may begin with 1 (A095)."""
    how = exchange.state.switch("chunk_listing")
    first = int(how == "from_one" and counted_up)
    rows = [{"id": str(n + first), "name": f"Chunk {n + first}"} for n in numbers]
    return paged(exchange, "chunk", "chunks", rows[::-1] if how == "descending" else rows)


def asked_chunk(exchange: Exchange, *, counted_up: bool) -> int:
    """The number, from 0, of the chunk in the path; 404 for what is no number (A095)."""
    number = exchange.ids["chunk"]
    if not number.isdigit():
        raise Refusal(404)
    return int(number) - int(exchange.state.switch("chunk_listing") == "from_one" and counted_up)


def download(exchange: Exchange, body: bytes, kind: str) -> Response:
    """Content as it travels: as it is, or as gzip in one or two members (A096)."""
    how = exchange.state.switch("download_encoding")
    if how == "identity" or "gzip" not in exchange.request.headers.get("accept-encoding", ""):
        return Response(200, body, content_type=kind)
    half = len(body) // 2 if how == "gzip_members" else 0
    packed = b"".join(gzip.compress(part) for part in (body[:half], body[half:]) if part)
    return Response(200, packed, {"Content-Encoding": "gzip"}, kind)


def _visible(exchange: Exchange) -> dict[int, bytes]:
    file = exchange.thing("file", "file", "export").id
    now = exchange.clock.now()
    row = content_row(exchange.state, now, exchange.model, file, exchange.user)
    return {} if row is None else chunk_bodies(exchange.state, exchange.model, file, row[0])


def put_file(exchange: Exchange) -> Response:
    """`PUT …/files/{id}`: the whole content in one call, 204, never compressed (A029)."""
    file = exchange.thing("file", "file", "export").id
    if exchange.header("content-type") != BINARY:
        raise Refusal(415)
    state, now = exchange.state, exchange.clock.now()
    put_content(state, now, exchange.model, file, exchange.user, [exchange.request.body])
    return Response(204)


def delete_file(exchange: Exchange) -> Response:
    """`DELETE …/files/{id}`: 204; only the private copy goes, the default stays (A033)."""
    file = exchange.thing("file", "file", "export").id
    for table in ("contents", "chunks"):
        sql = f"delete from {table} where model = ? and file = ? and user = ?"  # noqa: S608 - ours
        exchange.state.do(
            sql,
            exchange.model, file, exchange.user,
        )  # fmt: skip
    return Response(204)
