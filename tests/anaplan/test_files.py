"""Claims about uploads: every chunk is confirmed, nothing short is completed, repeats resume."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from planning import ACTUALS, Planning, actuals

from tieout.anaplan import wire
from tieout.anaplan.client import Action
from tieout.errors import Misconfigured, Refused, Unavailable
from tieout.sim.box import Request, Response, json_response

FRAME = actuals(
    *[("00001", "5005", "30", f"{month} 24", "100.50") for month in ("Jan", "Feb", "Mar", "Apr")],
    *[("00060", "8740.TRAVEL", "40", f"{month} 25", "-3") for month in ("Jan", "Feb", "Mar")],
)


def chunks() -> list[bytes]:
    return list(wire.chunks([FRAME], ACTUALS, chunk_bytes=60))


@pytest.fixture
def ready(planning: Planning) -> Action:
    planning.fill_lists()
    return planning.client.action("Load GL Actuals")


def test_chunks_that_split_rows_arrive_as_one_file(planning: Planning, ready: Action) -> None:
    receipts: dict[int, str] = {}
    done = planning.client.upload(ready.file_id, chunks, receipt=receipts.__setitem__)
    assert done.chunks == done.sent == len(chunks()) >= 5
    assert sorted(receipts) == list(range(done.chunks))
    task = planning.client.start(ready.kind, ready.id, [])
    result = planning.client.wait(ready.kind, ready.id, task)
    assert (result.outcome, result.counts.total) == ("ok", FRAME.height)
    assert planning.cells().height == FRAME.height


def test_a_chunk_answered_503_for_a_while_is_sent_again(planning: Planning, ready: Action) -> None:
    planning.fault("status", method="PUT", path="/chunks/2$", status=503, times=2)
    done = planning.client.upload(ready.file_id, chunks, receipt=lambda n, d: None)
    assert done.sent == len(chunks())


def test_a_chunk_that_is_never_taken_ends_the_upload_before_it_is_completed(
    planning: Planning, ready: Action
) -> None:
    receipts: dict[int, str] = {}
    planning.fault("status", method="PUT", path="/chunks/3$", status=503, times=99)
    completes = planning.count("POST", "/complete")
    with pytest.raises(Unavailable):
        planning.client.upload(ready.file_id, chunks, receipt=receipts.__setitem__)
    assert planning.count("POST", "/complete") == completes
    assert 3 not in receipts
    assert {0, 1, 2} <= set(receipts)


def test_a_repeated_upload_sends_only_what_has_no_receipt(
    planning: Planning, ready: Action
) -> None:
    receipts: dict[int, str] = {}
    planning.fault("status", method="PUT", path="/chunks/3$", status=503, times=4)
    with pytest.raises(Unavailable):
        planning.client.upload(ready.file_id, chunks, receipt=receipts.__setitem__)
    kept = len(receipts)
    announced = planning.count("POST", f"/files/{ready.file_id}")
    done = planning.client.upload(
        ready.file_id, chunks, receipt=receipts.__setitem__, have=dict(receipts)
    )
    assert done.sent == len(chunks()) - kept
    assert planning.count("POST", f"/files/{ready.file_id}") == announced
    task = planning.client.start(ready.kind, ready.id, [])
    assert planning.client.wait(ready.kind, ready.id, task).counts.total == FRAME.height


def test_a_chunk_whose_receipt_is_of_other_bytes_is_sent_again(
    planning: Planning, ready: Action
) -> None:
    receipts: dict[int, str] = {}
    planning.fault("status", method="PUT", path="/chunks/3$", status=503, times=4)
    with pytest.raises(Unavailable):
        planning.client.upload(ready.file_id, chunks, receipt=receipts.__setitem__)
    have = receipts | {1: "1" * 64}
    done = planning.client.upload(ready.file_id, chunks, receipt=lambda n, d: None, have=have)
    assert done.sent == len(chunks()) - len(receipts) + 1
    task = planning.client.start(ready.kind, ready.id, [])
    assert planning.client.wait(ready.kind, ready.id, task).counts.total == FRAME.height


def test_a_401_in_mid_upload_is_renewed_and_the_same_chunk_sent(
    planning: Planning, ready: Action
) -> None:
    planning.fault("status", method="PUT", path="/chunks/2$", status=401)
    before = planning.count("POST", "/token/authenticate")
    done = planning.client.upload(ready.file_id, chunks, receipt=lambda n, d: None)
    assert done.sent == len(chunks())
    assert planning.count("POST", "/token/authenticate") == before + 1


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
def test_a_chunk_whose_answer_is_lost_is_sent_again(
    planning: Planning, ready: Action, kind: str
) -> None:
    planning.fault(kind, method="PUT", path="/chunks/1$")
    planning.client.upload(ready.file_id, chunks, receipt=lambda n, d: None)
    task = planning.client.start(ready.kind, ready.id, [])
    assert planning.client.wait(ready.kind, ready.id, task).counts.total == FRAME.height


def test_a_chunk_answered_200_instead_of_204_is_not_taken_for_stored(
    planning: Planning, ready: Action
) -> None:
    planning.fault("status", method="PUT", path="/chunks/0$", status=200, body="{}")
    with pytest.raises(Refused, match="not 204"):
        planning.client.upload(ready.file_id, chunks, receipt=lambda n, d: None)


def test_an_answer_about_another_file_is_refused(planning: Planning, ready: Action) -> None:
    planning.fault(
        "replace", method="POST", path=f"/files/{ready.file_id}$",
        find=ready.file_id, body="113999999999",
    )  # fmt: skip
    with pytest.raises(Refused, match=r"113999999999 instead of"):
        planning.client.upload(ready.file_id, chunks, receipt=lambda n, d: None)
    assert planning.count("PUT", f"/files/{ready.file_id}/chunks/0") == 0


def test_a_chunk_count_that_differs_at_the_end_is_refused(
    planning: Planning, ready: Action
) -> None:
    planning.fault(
        "replace", method="POST", path="/complete$",
        find=r'"chunkCount":\s*\d+', body='"chunkCount":2',
    )  # fmt: skip
    with pytest.raises(Refused, match="counts 2 chunks"):
        planning.client.upload(ready.file_id, chunks, receipt=lambda n, d: None)


def test_nothing_is_never_uploaded_as_an_empty_file(planning: Planning, ready: Action) -> None:
    with pytest.raises(Refused, match="nothing to upload"):
        planning.client.upload(ready.file_id, list, receipt=lambda n, d: None)


def test_at_most_two_chunks_travel_at_once(planning: Planning, ready: Action) -> None:
    class Watched:
        """Counts how many uploads are inside the practice Anaplan at the same time."""

        name = "watched"

        def __init__(self) -> None:
            self.inside = self.most = 0
            self.lock, self.both = threading.Lock(), threading.Barrier(2, timeout=2)

        def handle(self, request: Request) -> Response:
            with self.lock:
                self.inside += 1
                self.most = max(self.most, self.inside)
            if request.method == "PUT" and int(request.path.rsplit("/", 1)[1]) < 4:
                self.both.wait()  # two of them must meet, or the barrier breaks
            answer = planning.system.handle(request)
            with self.lock:
                self.inside -= 1
            return answer

        def control(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
            return planning.system.control(verb, body)

    watched = Watched()
    planning.box.system = watched
    planning.client.upload(ready.file_id, chunks, receipt=lambda n, d: None)
    assert watched.most == 2


@pytest.mark.parametrize(
    ("find", "body", "words"),
    [
        (r'"Cost Center"', '"CC"', "expects the columns CC"),
        (r'"Cost Center",', "", "does not know the configured columns Cost Center"),
        (r'"UTF-8"', '"ISO-8859-1"', "declared as ISO-8859-1"),
        (r'"headerRow":\s*1', '"headerRow":2', "header is in row 2"),
        (r'"firstDataRow":\s*2', '"firstDataRow":3', "data in row 3"),
        (r'"columnSeparator":\s*","', '"columnSeparator":"#"', "separator is '#'"),
        (r'"decimalSeparator":\s*"."', '"decimalSeparator":","', "decimal separator is ','"),
    ],
)
def test_a_changed_import_is_refused_before_anything_is_touched(
    planning: Planning, find: str, body: str, words: str
) -> None:
    action = planning.client.action("Load GL Actuals")
    assert planning.client.layout(action, list(ACTUALS)).headers == tuple(ACTUALS)
    planning.fault("replace", method="GET", path=f"/imports/{action.id}$", find=find, body=body)
    with pytest.raises(Misconfigured, match=words) as caught:
        planning.client.layout(action, list(ACTUALS))
    assert "Nothing was changed in Anaplan" in caught.value.sentence()


def test_a_html_page_instead_of_json_is_told_as_such(planning: Planning) -> None:
    planning.client.resolve()
    planning.fault(
        "replace", method="GET", path="/imports$", find=r"^.*$", body="<html>Sign in</html>"
    )
    with pytest.raises(Refused, match="HTML page, not JSON"):
        planning.client.action("Load GL Actuals")


def test_a_body_cut_in_the_middle_is_read_again_and_never_half(planning: Planning) -> None:
    planning.client.resolve()
    planning.fault("truncate", method="GET", path="/imports$", times=2)
    assert len(planning.client.all("imports")) >= 4


def test_small_answers_of_a_small_system_are_enough_for_an_upload(served: Any) -> None:
    class Small:
        """Answers the three calls of an upload as the facts show them."""

        name = "small"
        stored: dict[int, bytes]

        def __init__(self) -> None:
            self.stored, self.calls = {}, list[tuple[str, str]]()

        def handle(self, request: Request) -> Response:
            self.calls.append((request.method, request.path.rsplit("/", 1)[1]))
            if request.path.endswith("/authenticate"):
                token = {"tokenInfo": {"tokenValue": "t", "expiresAt": 0}}
                return json_response(201, token)
            if request.path.endswith("/models"):
                model = {"id": "M", "name": "FP&A 2026", "currentWorkspaceId": "w",
                         "currentWorkspaceName": "Finance"}  # fmt: skip
                return json_response(200, {"models": [model]})
            if request.method == "PUT":
                assert request.headers["content-type"] == "application/x-gzip"
                self.stored[int(request.path.rsplit("/", 1)[1])] = request.body
                return Response(204)
            if request.method == "POST" and "/files/" in request.path:
                body = json.loads(request.body)
                assert body in ({"chunkCount": -1}, {"id": "113000000001"})
                return json_response(200, {"file": {"id": "113000000001"}})
            return Response(204)

        def control(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
            raise ValueError(verb)

    small = Small()
    planning = served(small)
    planning.client.upload("113000000001", chunks, receipt=lambda n, d: None)
    assert [small.stored[n] for n in range(len(chunks()))] == chunks()
    assert small.calls[-1] == ("POST", "complete")


@pytest.mark.parametrize(
    ("total", "words"),
    [("told", "chunks changed while they were read"), ("absent", "not those from 0")],
)
def test_a_file_with_a_chunk_missing_from_its_list_is_refused(
    planning: Planning, ready: Action, total: str, words: str
) -> None:
    planning.client.upload(ready.file_id, chunks, receipt=lambda n, d: None)
    planning.fault(
        "replace", method="GET", path="/chunks$", find=r'\{"id":\s*"1"[^}]*\},?', body=""
    )
    planning.system.control("switch", {"name": "paging_total", "value": total})
    with pytest.raises(Refused, match=words):
        list(planning.client.download(ready.file_id))


def exported(planning: Planning) -> tuple[str, bytes]:
    """An export that has run, in several chunks: its id, and its whole content."""
    planning.system.control("switch", {"name": "export_chunk_bytes", "value": 60})
    export = planning.client.find("exports", "GL Actuals Export")
    task = planning.client.start("exports", export.id, [])
    assert planning.client.wait("exports", export.id, task).outcome == "ok"
    whole = b"".join(planning.client.download(export.id))
    assert whole.count(b"100.5") == 4
    return export.id, whole


@pytest.fixture
def filled(planning: Planning, ready: Action) -> Planning:
    """The frame is in Anaplan's cells."""
    assert planning.load(ready, FRAME, ACTUALS).outcome == "ok"
    return planning


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chunk_listing", "descending"), ("page_cap", 2), ("page_cap", 1),
        ("paging_total", "absent"), ("download_encoding", "gzip"),
        ("download_encoding", "gzip_members"),
    ],
)  # fmt: skip
def test_a_download_is_whole_however_its_chunks_are_listed_paged_and_packed(
    filled: Planning, name: str, value: str | int
) -> None:
    export, whole = exported(filled)
    filled.system.control("switch", {"name": name, "value": value})
    assert len(list(filled.client.download(export))) > 2
    assert b"".join(filled.client.download(export)) == whole


def test_a_long_list_of_chunks_without_a_total_is_followed_to_its_end(filled: Planning) -> None:
    export, whole = exported(filled)
    for name, value in (("page_cap", 2), ("paging_total", "absent")):
        filled.system.control("switch", {"name": name, "value": value})
    assert b"".join(filled.client.download(export)) == whole


def test_chunks_that_are_not_counted_from_zero_are_never_taken_for_the_whole(
    filled: Planning,
) -> None:
    export, _ = exported(filled)
    filled.system.control("switch", {"name": "chunk_listing", "value": "from_one"})
    with pytest.raises(Refused, match="not those from 0"):
        list(filled.client.download(export))
