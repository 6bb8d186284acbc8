"""One answer of the data service: the envelope around the rows, and the peer's own complaints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import polars as pl

from tieout.jde import decode
from tieout.jde.wire import FISCAL_YEAR, Column, Table
from tieout.strict_json import plain, read_json

PEER = "JD Edwards"
COMPLAINTS_MAX = 5
CELL_BYTES_MAX = 8_192  # of one value: the longest text of a table has 256 characters
QUERY_CHARACTERS = "%&=+/?:@!$'()*,;"  # of a link, kept as they are beside letters and digits
EXPIRED = "JAS_MSG347"  # "The query results expired": jde-ais.md §3.6


@dataclass(frozen=True, slots=True)
class Page:
    """One page: rows under our names, whether there are more, and the query of the next link."""

    frame: pl.DataFrame
    more: bool
    next_query: str


class ComplaintError(Exception):
    """The answer holds the peer's own error, in its words."""

    @property
    def expired(self) -> bool:
        """Whether the result set was kept too long: the query has to be asked again."""
        return EXPIRED in str(self)


def decode_page(
    body: bytes, table: Table, columns: Sequence[str], decoder: decode.Decoder | None = None
) -> Page:
    """A GRID_DATA page (jde-ais.md §3.4) with `columns` in their order.

    Raises ComplaintError for an error inside, ValueError when rows, columns or counts are not as
    asked for, Refused when the answer is not JSON. `decoder` picks one; else the fastest there is.
    """
    physical = table.physical(columns)
    frame, envelope = decode.rows(body, physical, table.owner or table.name, decoder)
    answer = read_json(envelope, PEER)
    words = complaints(answer)
    if words:
        raise ComplaintError(words)
    if _may_have_long_texts(body):
        _refuse_long_texts(table, frame)
    grid = _member(answer, f"fs_DATABROWSE_{table.name}", "data", "gridData")
    summary = grid.get("summary")
    if grid.get("rowset") != [] or not isinstance(summary, dict):
        raise ValueError("the answer has no grid of rows")
    if summary.get("records") != frame.height:
        raise ValueError(f"{summary.get('records')} rows are announced, {frame.height} are there")
    if not isinstance(summary.get("moreRecords"), bool):
        raise ValueError("the answer does not say whether there are more rows")
    return Page(_named(frame, physical, columns), summary["moreRecords"], _next_query(answer))


def _may_have_long_texts(body: bytes) -> bool:
    """Whether a text may be longer than CELL_BYTES_MAX.

    To measure them all takes a quarter of the time that decoding takes. Within a text no quotation
    mark stands behind a comma, and one that is too long covers a whole slice. A page that is
    written with blanks is measured.
    """
    size = CELL_BYTES_MAX // 2
    return any(
        body.find(b',"', start, start + size) < 0 for start in range(0, len(body) - size, size)
    )


def _refuse_long_texts(table: Table, frame: pl.DataFrame) -> None:
    """Series, not expressions, as below."""
    for column in frame:
        if column.dtype == pl.String:
            longest = column.str.len_bytes().max()
            if isinstance(longest, int) and longest > CELL_BYTES_MAX:
                raise ValueError(
                    f"a value of {table.name}.{column.name} has more than {CELL_BYTES_MAX:,} bytes"
                )


def _named(frame: pl.DataFrame, physical: Sequence[Column], columns: Sequence[str]) -> pl.DataFrame:
    """The columns that were asked for. Series, not expressions: those wait for other threads."""
    names = {c.alias: c.name for c in physical}
    picked = []
    for name in columns:
        if name == FISCAL_YEAR:
            year = frame.get_column("century") * 100 + frame.get_column("year")
            picked.append(year.cast(pl.Int32).alias(FISCAL_YEAR))
        else:
            picked.append(frame.get_column(names.get(name, name)))
    return pl.DataFrame(picked)


def _member(answer: Any, *path: str) -> dict[str, Any]:
    for name in path:
        answer = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(answer, dict):
        raise ValueError(f"the answer has no {path[0]}")
    return answer


def _next_query(answer: dict[str, Any]) -> str:
    """The query string of the next link, without its host, and without raw characters."""
    links = answer.get("links")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == "next":
            query = urlsplit(str(link.get("href") or "")).query
            return quote(query, safe=QUERY_CHARACTERS)
    return ""


def complaints(answer: Any) -> str:
    """The errors inside an answer of any status, in the peer's words; empty when there are none.

    The words are as `strict_json.plain` lets them pass: one line, short, without secrets.
    """
    if not isinstance(answer, dict):
        return ""
    found: list[str] = []
    for name, value in answer.items():
        if name in ("sysErrors", "errors"):
            found += texts(value)
        elif name in ("exception", "error") and value:
            found += [*texts(answer.get("message")), *texts(value)]
        elif name.startswith(("fs_", "ds_")) and isinstance(value, dict):
            found += [*texts(value.get("errors")), *texts(value.get("error"))]
    if answer.get("status") == "ERROR" and not found:
        found += texts(answer.get("message")) or ["status ERROR"]
    return plain("; ".join(dict.fromkeys(found[:COMPLAINTS_MAX])))


def texts(value: Any) -> list[str]:
    """The sentences of an error in any of its shapes: text, object, or a list of either."""
    if isinstance(value, str):
        return [value.strip()] if value.strip() else []
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    if isinstance(value, dict):
        names = ("CODE", "TITLE", "DESC", "message", "errorText", "exception")
        said = [str(value[n]).strip() for n in names if value.get(n)]
        return [": ".join(dict.fromkeys(said))] if said else [str(value)] if value else []
    return [str(value)] if value else []
