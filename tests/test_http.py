"""Claims about the one HTTP door: limits, tries, what may have happened, and secrets in no log."""

from __future__ import annotations

import gzip
import json
import logging
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from functools import partial
from typing import Any

import pytest

from tieout.body import BODY_BYTES_MAX
from tieout.errors import Refused, Unavailable, Uncertain
from tieout.http import Answer, Call, Http
from tieout.outgoing import Allowed
from tieout.pace import RETRY_AFTER_SECONDS_MAX, retry_after
from tieout.sim.box import Box, Request, Response, serve
from tieout.sim.clock import PracticeClock
from tieout.through import Means

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


class TestClock:
    """A clock that moves only when somebody sleeps on it."""

    __test__ = False

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return NOW + timedelta(seconds=sum(self.slept))

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Peer:
    """A system that answers what the test says and remembers what it was asked."""

    name = "peer"

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[Request], Response] = lambda _: Response(200, b'{"ok": true}')

    def handle(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answer(request)

    def control(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        raise ValueError(verb)


class Bench:
    """A served peer, its faults, and a door to it."""

    def __init__(self) -> None:
        self.peer, self.clock, self.calls = Peer(), TestClock(), list[Call]()
        self.box = Box(self.peer, PracticeClock())
        self.url, self.stop = serve(self.box, 0, control=False)
        self.http = self.door()

    def door(self, **options: Any) -> Http:
        own = {"allow_http": True, "allowed": Allowed([self.url]), "told": self.calls.append}
        options = {"timeout_seconds": 20} | own | options
        return Http(self.url + "/base", system="The peer", clock=self.clock, **options)

    def fault(self, kind: str, **fields: Any) -> None:
        self.box.faults.control({"add": {"kind": kind, **fields}})

    def get(self, path: str = "/x", **options: Any) -> Answer:
        return self.http.send("GET", path, repeatable=True, **options)

    def post(self, **options: Any) -> Answer:
        return self.http.send("POST", "/x", json={"n": 1}, repeatable=False, **options)


@pytest.fixture
def bench() -> Iterator[Bench]:
    one = Bench()
    yield one
    one.http.close()
    one.stop()


def test_an_answer_comes_back_with_lower_case_headers_and_strict_json(bench: Bench) -> None:
    bench.peer.answer = lambda _: Response(404, b'{"amount": 0.10}', {"X-Thing": "1"})
    answer = bench.get()
    assert answer.status == 404
    assert answer.headers["x-thing"] == "1"
    assert answer.json() == {"amount": Decimal("0.10")}


def test_a_decimal_leaves_as_a_plain_number_and_not_through_a_double(bench: Bench) -> None:
    bench.http.send("POST", "/x", json={"a": Decimal("12345678901234567890.10")}, repeatable=False)
    assert bench.peer.requests[0].body == b'{"a":12345678901234567890.10}'


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "truncate"])
def test_a_lost_read_is_tried_again(bench: Bench, kind: str) -> None:
    bench.fault(kind, times=2)
    assert bench.get().json() == {"ok": True}
    assert len(bench.clock.slept) == 2


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "truncate", "status_after"])
def test_a_lost_write_is_uncertain_and_never_sent_again(bench: Bench, kind: str) -> None:
    bench.fault(kind, status=503)
    with pytest.raises(Uncertain, match="may have been carried out"):
        bench.post()
    assert len(bench.calls) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_read_ends_unavailable_after_a_bounded_number_of_tries(bench: Bench, status: int) -> None:
    bench.fault("status", status=status, times=99)
    with pytest.raises(Unavailable, match="4 times"):
        bench.get()
    assert [call.tries for call in bench.calls] == [1, 2, 3, 4]
    assert bench.clock.slept == sorted(bench.clock.slept)


def test_a_500_is_an_answer_to_a_read_and_uncertain_for_a_write(bench: Bench) -> None:
    bench.peer.answer = lambda _: Response(500, b'{"message": "no"}')
    assert bench.get().status == 500
    with pytest.raises(Uncertain) as caught:
        bench.post()
    assert "no" in caught.value.evidence


EVERY_STATUS = (200, 202, 302, 307, 400, 403, 404, 429, 444, 500, 502, 503, 504)


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_what_must_not_happen_twice_is_sent_once_and_every_status_comes_back(
    bench: Bench, status: int
) -> None:
    headers = {"Location": "http://elsewhere.example/x", "Retry-After": "1"}
    bench.peer.answer = lambda _: Response(status, b'{"n": 1}', headers)
    assert bench.post(once=True).status == status
    assert len(bench.peer.requests) == 1
    assert not bench.clock.slept


@pytest.mark.parametrize("location", ["http://[x", "http://\xff.example/", "//", "ftp:", "\x01"])
def test_a_redirect_to_nowhere_does_not_make_a_sent_request_look_unsent(
    bench: Bench, location: str
) -> None:
    bench.peer.answer = lambda _: Response(307, b"", {"Location": location})
    try:
        assert bench.post(once=True).status == 307
    except Uncertain:
        assert len(bench.peer.requests) == 1


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "truncate"])
def test_what_must_not_happen_twice_is_uncertain_without_a_whole_answer(
    bench: Bench, kind: str
) -> None:
    bench.fault(kind)
    with pytest.raises(Uncertain, match="may have been carried out"):
        bench.post(once=True)
    assert len(bench.calls) == 1


def test_without_a_connection_it_was_certainly_not_sent(bench: Bench) -> None:
    bench.stop()
    with pytest.raises(Unavailable, match="was not reached"):
        bench.post(once=True)


def test_429_is_waited_for_even_by_a_write_because_nothing_was_done(bench: Bench) -> None:
    bench.fault("status", status=429, headers={"Retry-After": "7"})
    assert bench.post().status == 200
    assert 7 <= bench.clock.slept[0] <= 8


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("3600", RETRY_AFTER_SECONDS_MAX),
        (format_datetime(NOW + timedelta(seconds=30), usegmt=True), 30.0),
        (format_datetime(NOW - timedelta(seconds=30), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=2), usegmt=True), RETRY_AFTER_SECONDS_MAX),
        ("-5", None),
        ("soon", None),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
        ("Mon, 32 Jan 2026 00:00:00 +99999999999", None),
        ("Mon, 01 Jan 2026 00:00:00 -9999", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", RETRY_AFTER_SECONDS_MAX),
        ("", None),
        (None, None),
    ],
)
def test_every_form_of_retry_after_is_understood(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_a_connection_that_was_never_made_is_tried_again_even_for_a_write() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    clock = TestClock()
    http = Http(
        url, system="The peer", clock=clock, allow_http=True, allowed=Allowed([url]), tries=3
    )
    with pytest.raises(Unavailable, match="was not reached"):
        http.send("POST", "/x", json={}, repeatable=False)
    assert len(clock.slept) == 2


def test_a_slow_drip_ends_at_the_deadline_although_bytes_keep_coming(bench: Bench) -> None:
    bench.peer.answer = lambda _: Response(200, b" " * 4000)
    bench.fault("drip")
    http = bench.door(tries=1)
    with pytest.raises(Unavailable, match="did not answer in time"):
        http.send("GET", "/x", repeatable=True, timeout_seconds=1.6)  # a piece comes each second
    assert bench.calls[0].milliseconds < 3000


def test_headers_that_drip_end_at_the_deadline_too(bench: Bench) -> None:
    bench.peer.answer = lambda _: Response(200, b"{}", {f"X-{n}": "y" * 80 for n in range(40)})
    bench.fault("drip")
    with pytest.raises(Unavailable, match="did not answer in time"):
        bench.door(tries=1).send(
            "GET", "/x", repeatable=True, timeout_seconds=1.6
        )  # a piece comes each second
    assert bench.calls[0].milliseconds < 3000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_not_followed(bench: Bench, status: int) -> None:
    bench.peer.answer = lambda _: Response(status, b"", {"Location": "http://169.254.169.254/x"})
    with pytest.raises(Refused, match=r"redirect to 169\.254\.169\.254"):
        bench.get()
    assert len(bench.peer.requests) == 1


def test_a_gzip_answer_is_unzipped_and_its_size_is_counted_as_it_travels(bench: Bench) -> None:
    body = gzip.compress(json.dumps({"a": "x" * 10_000}).encode())
    bench.peer.answer = lambda _: Response(200, body, {"Content-Encoding": "gzip"})
    assert bench.get().json() == {"a": "x" * 10_000}
    assert bench.calls[0].bytes_in == len(body)


def test_every_member_of_a_gzip_answer_is_read(bench: Bench) -> None:
    """A file uploaded in gzip chunks may come back as those chunks, one behind the other."""
    parts = [f"row {n}\n".encode() * 9_000 for n in range(40)]
    body = b"".join(gzip.compress(p) for p in parts)
    bench.peer.answer = lambda _: Response(200, body, {"Content-Encoding": "gzip"})
    assert bench.get().body == b"".join(parts)


@pytest.mark.parametrize(
    "tail",
    [gzip.compress(b"[2]", mtime=0)[:-9], b"\x1f\x8b", b"no gzip"],
    ids=["cut off", "begun", "no gzip"],
)
def test_a_gzip_answer_whose_last_member_is_damaged_is_not_read_as_whole(
    bench: Bench, tail: bytes
) -> None:
    body = gzip.compress(b"[1]") + tail
    bench.peer.answer = lambda _: Response(200, body, {"Content-Encoding": "gzip"})
    with pytest.raises(Unavailable, match="damaged gzip"):
        bench.get()


@pytest.mark.parametrize(
    "request_", [
        {"query": "a=\x00"},
        {"query": "a=\ud800"},
        {"path": "/next?x=\x01"},
        {"headers": {"Authorization": "AnaplanAuthToken €"}},
        {"headers": {"x": "a\r\nb"}},
    ],
)  # fmt: skip
def test_what_http_cannot_carry_is_refused_and_not_sent(
    bench: Bench, request_: dict[str, Any]
) -> None:
    """A link or a token of the peer may hold anything."""
    with pytest.raises(Refused, match="HTTP"):
        bench.http.send("POST", **{"path": "/x", "repeatable": False, **request_})
    assert bench.peer.requests == []


def test_a_redirect_to_nowhere_is_refused_in_a_short_sentence(bench: Bench) -> None:
    for location in ("https://[::1", "https://" + "x" * 9_000):
        answer = Response(302, b"", {"Location": location})
        bench.peer.answer = partial(lambda answer, _: answer, answer)
        with pytest.raises(Refused, match="redirect") as caught:
            bench.get()
        assert len(caught.value.sentence()) < 900


def test_a_gzip_bomb_is_refused_before_it_is_unzipped(bench: Bench) -> None:
    body = gzip.compress(b"\0" * (BODY_BYTES_MAX + 2**20), compresslevel=9)
    bench.peer.answer = lambda _: Response(200, body, {"Content-Encoding": "gzip"})
    with pytest.raises(Refused, match="grows more than 200 times"):
        bench.get()
    assert len(bench.calls) == 1


@pytest.mark.parametrize("cut", [5, 12, 40])
def test_a_damaged_gzip_body_is_never_read_as_if_it_were_whole(bench: Bench, cut: int) -> None:
    body = gzip.compress(json.dumps(list(range(100))).encode())[:-cut]
    bench.peer.answer = lambda _: Response(200, body, {"Content-Encoding": "gzip"})
    with pytest.raises(Unavailable, match="damaged gzip"):
        bench.get()


def test_an_encoding_nobody_asked_for_is_refused(bench: Bench) -> None:
    bench.peer.answer = lambda _: Response(200, b"x", {"Content-Encoding": "br"})
    with pytest.raises(Refused, match="'br'"):
        bench.get()


def test_proxies_of_the_environment_are_ignored(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert bench.door().send("GET", "/x", repeatable=True).status == 200


def test_cookies_are_not_sent_back_unless_asked_for(bench: Bench) -> None:
    bench.peer.answer = lambda _: Response(200, b"{}", {"Set-Cookie": "JSESSIONID=abc; Path=/"})
    bench.get()
    bench.get()
    assert "cookie" not in bench.peer.requests[1].headers
    sticky = bench.door(means=Means(keep_cookies=True))
    sticky.send("GET", "/x", repeatable=True)
    sticky.send("GET", "/x", repeatable=True)
    assert bench.peer.requests[3].headers["cookie"] == "JSESSIONID=abc"


def test_evidence_and_logs_hold_no_secret(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = "SECRET-4711"
    echo = json.dumps({"token": token, "said": f"AnaplanAuthToken {token} refused"}).encode()
    bench.peer.answer = lambda _: Response(500, echo)
    with pytest.raises(Uncertain) as caught:
        bench.post(
            headers={"Authorization": f"AnaplanAuthToken {token}"}, query=f"token={token}&p=2"
        )
    shown = caught.value.sentence() + caught.value.evidence + repr(bench.calls) + caplog.text
    assert token not in shown
    assert bench.calls[0].path == "/base/x?token&p"


BAD_BODIES = [
    (b"<!DOCTYPE html><html>Sign in</html>", "an HTML page, not JSON"),
    (b"", "an empty body"),
    (b'{"a": [1, 2', "cut off or damaged"),
    (b"OK", "not JSON"),
    (b'{"a": NaN}', "NaN is not a number"),
    (b'{"a": -Infinity}', "Infinity is not a number"),
    (b'{"a": 1, "a": 2}', "stands twice"),
    (b"[" * 65 + b"]" * 65, "levels deep"),
    (b"[" * 100_000 + b"]" * 100_000, "levels deep"),
    (b'{"a": ' + b"9" * 5000 + b"}", "more than 100 digits"),
    (b'{"a": 1e400}', "more than 100 digits"),
    (b'{"a": [{"b": "' + b"x" * 65_537 + b'"}]}', "a text of more than 65,536 characters"),
    (b'"' + b"x" * 65_537 + b'"', "a text of more than 65,536 characters"),
    (b'{"a": "\xff"}', "cut off or damaged"),
    (b'{"a": "\\ud800"}', "cut off or damaged"),
]


@pytest.mark.parametrize(("body", "words"), BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_what_is_not_honest_json_is_refused_in_one_sentence(body: bytes, words: str) -> None:
    with pytest.raises(Refused, match=words):
        Answer(200, {}, body, "JD Edwards").json()


def test_numbers_stay_exact_and_whole_numbers_stay_whole() -> None:
    value = Answer(200, {}, b'{"a": 1.10, "b": 12345678901234567890, "c": 1E+3}').json()
    assert value == {"a": Decimal("1.10"), "b": 12345678901234567890, "c": Decimal("1000")}
    assert [type(v) for v in value.values()] == [Decimal, int, Decimal]
    assert Answer(200, {}, b"[" * 64 + b"]" * 64).json()
    with pytest.raises(Refused, match="not with an object"):
        Answer(200, {}, b"null").json_object()
