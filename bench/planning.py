"""What the practice Anaplan answers: names, a file that takes chunks, one task, a view to read."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import polars as pl
from isal import isal_zlib

from bench.answers import NotPreparedError
from bench.ledger import Ledger

VIEW_PAGE_ROWS = 50_000
GZIP_WINDOW_BITS = 31
MODEL = "/workspaces/8a81b09d5/models/75A40874E"
IMPORT, FILE, VIEW = "112000000001", "113000000001", "206000000001"
LISTS = {
    "101000000001": ("Companies", "company"), "101000000002": ("GL Accounts", "account"),
    "101000000003": ("Cost Centers", "unit"),
}  # fmt: skip
COLUMNS = ("Company", "Account", "Cost Center", "Time", "Amount")
DIMENSIONS = ("Companies", "GL Accounts", "Cost Centers", "Time")
AMOUNT = pl.Decimal(38, 4)


class Planning:
    """One model. Stores the chunks; the cells of its view are those the ledger asks for."""

    def __init__(self, ledger: Ledger) -> None:
        self.chunks: dict[int, bytes] = {}
        self._cells = ledger.cells
        self._pages = _view_pages(ledger)
        self._fixed = {path: json.dumps(told).encode() for path, told in _answers(ledger).items()}
        self._started = False

    def start_anew(self) -> None:
        """Forget the file and the task of the round before."""
        self.chunks, self._started = {}, False

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of one call; NotPreparedError when there is none."""
        path = path.removeprefix("/2/0")
        if path.startswith("/token/"):
            expires = (time.time() + 1800) * 1000
            token = {"expiresAt": int(expires), "tokenId": "1", "tokenValue": "bench"}
            return 201, json.dumps({"status": "SUCCESS", "tokenInfo": token}).encode()
        if chunk := re.fullmatch(f"{MODEL}/files/{FILE}/chunks/([0-9]+)", path):
            self.chunks[int(chunk[1])] = body
            return 204, b""
        if page := re.fullmatch(f"{MODEL}/views/{VIEW}/readRequests/R/pages/([0-9]+)", path):
            return 200, self._pages[int(page[1])]
        if path in (f"{MODEL}/files/{FILE}", f"{MODEL}/files/{FILE}/complete"):
            count = len(self.chunks) if path.endswith("complete") else -1
            file = {"id": FILE, "name": "actuals.csv", "chunkCount": count}
            return 200, json.dumps({"file": file}).encode()
        if path.startswith(f"{MODEL}/imports/{IMPORT}/tasks"):
            return 200, json.dumps(self._task(method, path)).encode()
        if path == f"{MODEL}/views/{VIEW}/readRequests":
            return 200, json.dumps({"viewReadRequest": self._request()}).encode()
        if path == f"{MODEL}/views/{VIEW}/readRequests/R" and method == "DELETE":
            return 200, b"{}"
        if path not in self._fixed:
            raise NotPreparedError(f"{method} {path}")
        return 200, self._fixed[path]

    def _request(self) -> dict[str, Any]:
        return {
            "requestId": "R", "viewId": VIEW, "requestState": "COMPLETE", "successful": True,
            "availablePages": len(self._pages),
        }  # fmt: skip

    def _task(self, method: str, path: str) -> dict[str, Any]:
        brief = {"taskId": "T1", "taskState": "COMPLETE", "creationTime": 1}
        if method == "POST":
            self._started = True
            return {"task": brief}
        if path.endswith("/tasks"):
            tasks = [brief] if self._started else []
            return {"meta": {"paging": {"totalSize": len(tasks)}}, "tasks": tasks}
        rows = str(self._cells.height)
        detail = {
            "localMessageText": f"{rows} rows successful", "type": "hierarchyImported",
            "values": ["successRowCount", rows, "totalRowCount", rows, "failedCount", "0"],
        }  # fmt: skip
        result = {
            "successful": True, "objectId": IMPORT, "objectName": "Load GL Actuals",
            "failureDumpAvailable": False, "details": [detail],
        }  # fmt: skip
        return {"task": brief | {"progress": 1.0, "currentStep": "Complete.", "result": result}}

    # ------------------------------------------------------------------ after the clock stopped

    def file(self) -> bytes:
        """The uploaded file, unzipped."""
        parts = [self.chunks[n] for n in sorted(self.chunks)]
        return b"".join(isal_zlib.decompress(part, GZIP_WINDOW_BITS) for part in parts)

    def wrong_cells(self) -> int:
        """How many cells of the uploaded file are not what the ledger says, or are not there."""
        if not self.chunks:
            return self._cells.height
        sent = pl.read_csv(self.file(), schema=dict.fromkeys(COLUMNS, pl.String)).select(
            company="Company", account="Account", unit="Cost Center", time="Time",
            sent=pl.col("Amount").cast(AMOUNT),
        )  # fmt: skip
        key = ["company", "account", "unit", "time"]
        both = self._cells.join(sent, on=key, how="full", coalesce=True)
        return both.filter(pl.col("value").ne_missing(pl.col("sent"))).height


def _view_pages(ledger: Ledger) -> list[bytes]:
    """The cells as the read-back shows them: by the names of the members."""
    named = ledger.cells
    for column in ("company", "account", "unit"):
        title = pl.lit(f"{column.title()} ")
        named = named.with_columns((title + pl.col(column)).alias(column))
    text = pl.col("value").cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
    named = named.select("company", "account", "unit", "time", text)
    named.columns = [*DIMENSIONS, "Amount"]
    return [
        part.write_csv(include_header=not n).encode()
        for n, part in enumerate(named.iter_slices(VIEW_PAGE_ROWS))
    ]


def _answers(ledger: Ledger) -> dict[str, dict[str, Any]]:
    """Every answer that does not depend on what was asked before."""

    def many(key: str, entries: list[Any]) -> dict[str, Any]:
        return {"meta": {"paging": {"totalSize": len(entries)}}, key: entries}

    source = {
        "headerNames": list(COLUMNS), "columnSeparator": ",", "textDelimiter": '"',
        "textEncoding": "UTF-8", "headerRow": 1, "firstDataRow": 2, "decimalSeparator": ".",
    }  # fmt: skip
    rows, time_only = (
        [{"id": "1", "name": d} for d in DIMENSIONS[:3]],
        [{"id": "2", "name": "Time"}],
    )
    model = {
        "id": MODEL.rsplit("/", maxsplit=1)[-1], "name": "FP&A 2026", "activeState": "UNLOCKED",
        "currentWorkspaceId": MODEL.split("/")[2], "currentWorkspaceName": "Finance",
    }  # fmt: skip
    load = {"id": IMPORT, "name": "Load GL Actuals", "importDataSourceId": FILE}
    lists = [{"id": number, "name": name} for number, (name, _) in LISTS.items()]
    return {
        "/models": many("models", [model]),
        f"{MODEL}/imports": many("imports", [load]),
        f"{MODEL}/imports/{IMPORT}": {"importMetadata": {"source": source}},
        f"{MODEL}/processes": many("processes", []),
        f"{MODEL}/lists": many("lists", lists),
        f"{MODEL}/views": many("views", [{"id": VIEW, "name": "GL Actuals"}]),
        f"{MODEL}/views/{VIEW}": {"rows": rows, "columns": time_only, "pages": []},
        **{
            f"{MODEL}/lists/{number}/items": many("listItems", ledger.members[kind])
            for number, (_, kind) in LISTS.items()
        },
    }  # fmt: skip
