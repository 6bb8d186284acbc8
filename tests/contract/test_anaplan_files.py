"""Practice Anaplan: files, chunks, gzip, private copies, expiry."""

from __future__ import annotations

import gzip
from typing import Any

import httpx2
import pytest
from anaplan_practice import LEDGER_HEAD, OTHER, Practice

HOUR = 3600
GZIP, BINARY = "application/x-gzip", "application/octet-stream"
ROW = "00001,5005,Jan 24,{},,,,\n"


def ledger(*amounts: str) -> bytes:
    return (LEDGER_HEAD + "".join(ROW.format(a) for a in amounts)).encode()


def announce(anaplan: Practice, count: int, name: str = "Load Ledger") -> str:
    file = anaplan.source(name)
    answer = anaplan.on_model("POST", f"/files/{file}", json={"chunkCount": count})
    assert answer.status_code == 200
    assert answer.json()["file"]["id"] == file
    return file


def put(
    anaplan: Practice, file: str, number: int, body: bytes, kind: str = BINARY
) -> httpx2.Response:
    path = f"/files/{file}/chunks/{number}"
    return anaplan.on_model("PUT", path, content=body, headers={"Content-Type": kind})


def run(anaplan: Practice) -> dict[str, Any]:
    return anaplan.finish(anaplan.start("imports", "Load Ledger"))


def failure(result: dict[str, Any]) -> str:
    assert result["successful"] is False
    return str(result["details"][0]["type"])


def test_chunk_ids_are_listed_as_soon_as_their_number_is_known(anaplan: Practice) -> None:
    """A024"""
    file = announce(anaplan, 3)
    chunks = anaplan.get(f"/files/{file}/chunks")["chunks"]
    assert chunks == [{"id": str(n), "name": f"Chunk {n}"} for n in range(3)]
    assert put(anaplan, file, 3, b"x").status_code == 400


@pytest.mark.parametrize("code", [400, 409])
def test_a_chunk_without_an_announced_count_is_refused(anaplan: Practice, code: int) -> None:
    """A024"""
    anaplan.switch("unannounced_chunk_status", code)
    assert put(anaplan, anaplan.source("Load Ledger"), 0, b"x").status_code == code


def test_chunks_may_come_in_any_order_split_rows_and_be_sent_again(anaplan: Practice) -> None:
    """A025"""
    body = (LEDGER_HEAD + "00001,5005,Jan 24,7,Zürich,,,\n").encode()
    cut = body.index("ü".encode()) + 1  # within the two bytes of a character
    file = announce(anaplan, 2)
    codes = [
        put(anaplan, file, n, part).status_code
        for n, part in ((1, b"wrong"), (1, body[cut:]), (0, body[:cut]))
    ]
    assert codes == [204, 204, 204]
    assert run(anaplan)["failureDumpAvailable"] is False
    assert anaplan.cells()["Note", "00001", "5005", "Jan 24"] == "Zürich"


def test_only_the_content_type_makes_a_chunk_gzip(anaplan: Practice) -> None:
    """A026"""
    packed = gzip.compress(ledger("8"))
    file = announce(anaplan, 1)
    put(anaplan, file, 0, packed, GZIP)
    run(anaplan)
    assert anaplan.cells()["Amount", "00001", "5005", "Jan 24"] == "8"
    file = announce(anaplan, 1)
    members = gzip.compress(LEDGER_HEAD.encode()) + gzip.compress(ROW.format("9").encode())
    assert put(anaplan, file, 0, members, GZIP).status_code == 204
    run(anaplan)
    assert anaplan.cells()["Amount", "00001", "5005", "Jan 24"] == "9"
    file = announce(anaplan, 1)
    put(anaplan, file, 0, packed, BINARY)
    assert anaplan.on_model("GET", f"/files/{file}").content == packed
    assert failure(run(anaplan)) == "missingFields"


def test_a_body_that_is_not_gzip_is_refused(anaplan: Practice) -> None:
    """A026"""
    file = announce(anaplan, 1)
    assert put(anaplan, file, 0, b"plain", GZIP).status_code == 400
    assert put(anaplan, file, 0, b"plain", "text/csv").status_code == 415
    anaplan.switch("bad_gzip_status", 500)
    assert put(anaplan, file, 0, b"plain", GZIP).status_code == 500


def test_an_open_count_needs_to_be_completed(anaplan: Practice) -> None:
    """A027"""
    body = ledger("9")
    file = announce(anaplan, -1)
    assert anaplan.on_model("POST", f"/files/{file}/complete", json={}).status_code == 400
    put(anaplan, file, 0, body[:30])
    put(anaplan, file, 1, body[30:])
    assert failure(run(anaplan)) == "importFailedGeneralError"
    for sent in ({"id": int(file)}, {"id": file}, {}):
        answer = anaplan.on_model("POST", f"/files/{file}/complete", json=sent)
        assert answer.json()["file"]["chunkCount"] == 2
    assert run(anaplan)["successful"] is True


def test_a_missing_chunk_fails_the_import(anaplan: Practice) -> None:
    """A028"""
    body = ledger("1", "2")
    file = announce(anaplan, 2)
    put(anaplan, file, 0, body[:-20])
    assert failure(run(anaplan)) == "importFailedGeneralError"
    assert anaplan.cells() == {}


def test_a_server_that_skips_missing_chunks_loads_too_little_in_silence(anaplan: Practice) -> None:
    """A028"""
    anaplan.switch("missing_chunk", "skip")
    file = announce(anaplan, 2)
    put(anaplan, file, 0, ledger("1"))
    assert run(anaplan)["failureDumpAvailable"] is False
    assert anaplan.cells() == {("Amount", "00001", "5005", "Jan 24"): "1"}


def test_a_file_can_be_replaced_in_one_call(anaplan: Practice) -> None:
    """A029"""
    announce(anaplan, 5)
    file = anaplan.upload("Load Ledger", b"small")
    assert anaplan.on_model("GET", f"/files/{file}").content == b"small"
    assert [f["chunkCount"] for f in anaplan.get("/files")["files"] if f["id"] == file] == [1]
    answer = anaplan.on_model("PUT", f"/files/{file}", content=b"x", headers={"Content-Type": GZIP})
    assert answer.status_code == 415


def set_default(anaplan: Practice, body: bytes) -> str:
    anaplan.person("set_default_file", file="Ledger.csv", text=body.decode())
    return anaplan.source("Load Ledger")


def test_a_private_copy_goes_before_the_default_file(anaplan: Practice) -> None:
    """A030"""
    file = set_default(anaplan, ledger("100"))
    anaplan.upload("Load Ledger", ledger("1"))
    assert anaplan.on_model("GET", f"/files/{file}").content == ledger("1")
    anaplan.sign_in(OTHER)
    assert anaplan.on_model("GET", f"/files/{file}").content == ledger("100")
    run(anaplan)
    assert anaplan.cells() == {("Amount", "00001", "5005", "Jan 24"): "100"}


def test_a_copy_nobody_touched_for_48_hours_is_gone(anaplan: Practice) -> None:
    """A031"""
    anaplan.upload("Load Ledger", ledger("1"))
    anaplan.clock.advance(47 * HOUR)
    anaplan.sign_in()
    assert run(anaplan)["successful"] is True
    anaplan.clock.advance(47 * HOUR)
    anaplan.sign_in()
    assert run(anaplan)["successful"] is True  # the last run touched it
    anaplan.clock.advance(49 * HOUR)
    anaplan.sign_in()
    assert failure(run(anaplan)) == "uploadedFileNoLongerAvailable"


def test_an_expired_copy_lets_the_old_default_file_load(anaplan: Practice) -> None:
    """A031"""
    set_default(anaplan, ledger("100"))
    anaplan.upload("Load Ledger", ledger("1"))
    anaplan.clock.advance(49 * HOUR)
    anaplan.sign_in()
    run(anaplan)
    assert anaplan.cells()["Amount", "00001", "5005", "Jan 24"] == "100"


def test_chunks_and_the_whole_file_are_the_same_bytes(anaplan: Practice) -> None:
    """A032"""
    file = announce(anaplan, 2)
    put(anaplan, file, 0, b"ab")
    put(anaplan, file, 1, b"cd")
    parts = [anaplan.on_model("GET", f"/files/{file}/chunks/{n}") for n in (0, 1)]
    whole = anaplan.on_model("GET", f"/files/{file}")
    assert whole.content == b"".join(p.content for p in parts) == b"abcd"
    assert whole.headers["Content-Type"] == BINARY
    empty = anaplan.source("Load Accounts")
    assert anaplan.on_model("GET", f"/files/{empty}").status_code == 404
    assert anaplan.on_model("GET", f"/files/{empty}/chunks/0").status_code == 404
    assert "chunks" not in anaplan.get(f"/files/{empty}/chunks")


def test_the_file_list_tells_the_layout_of_uploads_but_not_of_exports(anaplan: Practice) -> None:
    """A032"""
    files = {f["name"]: f for f in anaplan.get("/files")["files"]}
    upload, export = files["Ledger.csv"], files["Ledger Export"]
    assert (upload["encoding"], upload["separator"], upload["headerRow"]) == ("UTF-8", ",", 1)
    assert "encoding" not in export
    assert export["id"].startswith("116")


def test_deleting_a_file_keeps_its_default(anaplan: Practice) -> None:
    """A033"""
    file = set_default(anaplan, b"default")
    anaplan.upload("Load Ledger", b"private")
    assert anaplan.on_model("DELETE", f"/files/{file}").status_code == 204
    assert anaplan.on_model("GET", f"/files/{file}").content == b"default"
    assert file in [f["id"] for f in anaplan.get("/files")["files"]]


def test_an_unknown_file_id_makes_another_file(anaplan: Practice) -> None:
    """A034"""
    body = {"chunkCount": 1, "name": "new.csv"}
    made = anaplan.on_model("POST", "/files/113999999999", json=body).json()["file"]
    assert made["id"] != "113999999999"
    assert (made["name"], made["chunkCount"], made["headerRow"]) == ("new.csv", 0, -1)
    assert made["id"] in [f["id"] for f in anaplan.get("/files")["files"]]


def test_a_file_has_at_most_a_thousand_chunks(anaplan: Practice) -> None:
    """A035"""
    file = anaplan.source("Load Ledger")
    path = f"/files/{file}"
    assert anaplan.on_model("POST", path, json={"chunkCount": 1001}).status_code == 400
    assert anaplan.on_model("POST", path, json={"chunkCount": 1000}).status_code == 200
    big = gzip.compress(bytes(50 * 1024 * 1024 + 1), 1)
    assert put(anaplan, file, 0, big, GZIP).status_code == 400
    anaplan.switch("file_limits", False)
    assert put(anaplan, file, 0, big, GZIP).status_code == 204
    assert anaplan.on_model("POST", path, json={"chunkCount": 1001}).status_code == 200


def test_a_file_overwritten_while_an_import_runs_changes_what_is_read(anaplan: Practice) -> None:
    """A036"""
    anaplan.switch("task_step_seconds", 100)
    anaplan.upload("Load Ledger", ledger("1"))
    task = anaplan.start("imports", "Load Ledger")
    anaplan.clock.advance(150)
    assert anaplan.get(task)["task"]["taskState"] == "IN_PROGRESS"
    anaplan.upload("Load Ledger", ledger("2"))
    anaplan.clock.advance(200)
    anaplan.get(task)
    assert anaplan.cells()["Amount", "00001", "5005", "Jan 24"] == "2"
