"""What is sent to the pages is bounded, and read of who may send it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from web_office import ORIGIN, WebOffice

COOKIE = "tieout_session"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[WebOffice]:
    found = WebOffice(tmp_path / "home")
    found.people()
    yield found
    found.close()


def test_of_who_is_not_signed_in_little_is_read_and_nothing_where_it_would_be_in_vain(
    office: WebOffice,
) -> None:
    form = urlencode({"name": "dora", "password": "x" * 150_000}).encode()
    sent = {
        "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin",
    }  # fmt: skip
    assert office.browser().ask("/login", "POST", headers=sent, body=form).status == 413
    read: list[int] = []

    async def upload(path: str, cookies: str = "") -> int:
        """The status of an upload of 5 MB by pieces; `read` has how much of it was taken."""
        pieces, statuses = [b"x" * 50_000] * 100, []
        headers = {"host": "127.0.0.1:7070", "cookie": cookies, **sent}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
            "path": path, "raw_path": path.encode(), "query_string": b"", "scheme": "http",
            "server": ("127.0.0.1", 7070), "client": ("127.0.0.1", 5), "root_path": "",
            "headers": [(n.encode(), v.encode()) for n, v in headers.items()],
        }  # fmt: skip

        async def receive() -> dict[str, object]:
            piece = pieces.pop()
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message: Any) -> None:
            statuses.append(message.get("status"))

        await office.app(scope, receive, send)
        read.append(5_000_000 - sum(map(len, pieces)))
        return int(statuses[0])

    assert asyncio.run(upload("/login")) == 413
    assert asyncio.run(upload("/mappings/table")) == 303
    signed_in = f"{COOKIE}={office.browser('anna').cookies[COOKIE]}"
    assert asyncio.run(upload("/mappings/table", signed_in)) == 422, "no file is among it"
    assert read == [150_000, 0, 5_000_000]


def test_a_body_that_is_too_large_or_lies_about_its_length_is_not_read(office: WebOffice) -> None:
    for length in ("20000001", "-1", "1e3", "x"):
        headers = {"content-length": length, "origin": ORIGIN}
        assert office.browser("eve").ask("/login", "POST", headers=headers).status == 413
