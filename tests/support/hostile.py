"""Answers of a hostile or broken peer, made from a seed, and a server that gives them."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

MEGABYTE = 2**20
HEAD_BYTES_MAX = 65_536
TARGETS = ("json", "jde sign-in", "jde rows", "anaplan sign-in", "anaplan list")
SIGN_INS = {
    "/v2/tokenrequest": {
        "username": "TIEOUT", "environment": "JPD920", "role": "*ALL",
        "userInfo": {"token": "044hostile", "dateFormat": "MDE", "dateSeperator": "/",
                     "decimalFormat": ".", "appsRelease": "E920"},
        "passwordAboutToExpire": False,
    },
    "/token/authenticate": {
        "status": "SUCCESS", "statusMessage": "Login successful",
        "tokenInfo": {"tokenId": "1", "tokenValue": "hostileToken", "refreshTokenId": "2",
                      "expiresAt": 4_000_000_000_000},
    },
}  # fmt: skip
GOOD: dict[str, Any] = {
    "json": {"ok": True, "amounts": [1.5, 2], "inner": {"name": "x"}},
    "jde sign-in": SIGN_INS["/v2/tokenrequest"],
    "anaplan sign-in": SIGN_INS["/token/authenticate"],
    "jde rows": {
        "fs_DATABROWSE_F0010": {
            "title": "Data Browser", "data": {"gridData": {
                "id": 1, "fullGridId": "1", "rowset": [{"F0010_CO": "00001", "F0010_NAME": "x"}],
                "summary": {"records": 1, "moreRecords": False},
            }},
        },
        "sysErrors": [], "currentApp": "DATABROWSE_F0010", "timeStamp": "x", "links": [],
    },
    "anaplan list": {
        "meta": {"schema": "x", "paging": {"currentPageSize": 1, "totalSize": 1, "offset": 0}},
        "status": {"code": 200, "message": "Success"},
        "models": [{"id": "B" * 32, "name": "FP&A", "activeState": "UNLOCKED",
                    "currentWorkspaceId": "a" * 32, "currentWorkspaceName": "Finance"}],
        "lists": [{"id": "101000000001", "name": "GL Accounts"}],
        "listItems": [{"id": "1", "name": "A", "code": "a", "parent": "P"}],
    },
}  # fmt: skip
OTHERS: tuple[Any, ...] = (
    None, True, -1, 0, 10**60, 1.5, "", "x" * 100_000, "\0", [], [[]], {}, {"a": []}, [None] * 1000,
)  # fmt: skip
ZEROS = gzip.compress(b"\0" * MEGABYTE)
Pieces = Iterator[bytes]


class Item:
    """One answer: what it is, for whom, its bytes, and whether it may be understood."""

    def __init__(self, seed: int, number: int) -> None:
        dice = Random(f"{seed} {number}")
        self.target = dice.choice(TARGETS)
        self.kind = dice.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
        if number < 0:  # what an honest peer answers to each question
            self.target, self.kind = TARGETS[number], "good"
        self.may_pass = self.kind in ("wrong types", "odd status", "good")
        self._dice = dice

    def pieces(self) -> Pieces:
        """The bytes, as they come."""
        return KINDS[self.kind][1](self._dice, self.target)


def _answer(body: bytes, *headers: str, status: str = "200 OK", length: str = "") -> Pieces:
    told = [f"Content-Length: {length or len(body)}", "Content-Type: application/json", *headers]
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"{line}\r\n" for line in told) + "\r\n"
    yield head.encode("latin-1") + body


def _gzip_bomb(dice: Random, target: str) -> Pieces:
    count = dice.randrange(40, 400)
    if dice.random() < 0.5:
        return _answer(ZEROS * count, "Content-Encoding: gzip")
    packer = zlib.compressobj(9, wbits=31)
    values = dice.choice([b"[],", b'{"a":1},', b"1,", b'"",', b" " * 99])
    body = packer.compress(b"[" + values * (20 * MEGABYTE // len(values))) + packer.flush()
    return _answer(body, "Content-Encoding: gzip")


def _many_values(dice: Random, target: str) -> Pieces:
    values = dice.choice([b"[],", b"{},", b"1,", b"1.5,", b'"a",', b"[[[]]],", b'{"a":{}},'])
    return _answer(b"[" + values * (dice.randrange(3, 8) * MEGABYTE // len(values)) + b"0]")


def _endless(dice: Random, target: str) -> Pieces:
    piece = dice.choice([b"[1,", b" ", b'"', b"[["]) * 65_536
    yield b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    while True:
        yield piece


def _nested(dice: Random, target: str) -> Pieces:
    levels = dice.choice([65, 1_000, 100_000, 3_000_000])
    opening, closing = dice.choice([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
    return _answer(opening * levels + b"1" + closing * levels)


def _odd_json(dice: Random, target: str) -> Pieces:
    value = dice.choice([
        "NaN", "Infinity", "-Infinity", "1e400", "-1e999999999", "1" * 5_000, "0." + "3" * 5_000,
        "01", "+1", ".5", "0x10", "'a'", '"\\ud800"', '"\\udc00x"', '"\t"', '"\\x41"', "undefined",
        "True", '{"a":1,"a":2}', "[1,]", "{,}", "[1 2]", "/* c */1", '"\ufffe',
    ])  # fmt: skip
    text = json.dumps(GOOD[target])
    place = dice.choice([f'{{"odd": {value}}}', text[:-1] + f', "odd": {value}}}'])
    return _answer(place.encode("utf-8", "surrogatepass"))


def _half(dice: Random, target: str) -> Pieces:
    body = json.dumps(GOOD[target]).encode()
    cut = dice.randrange(len(body))
    way = dice.randrange(4)
    if way == 0:
        return _answer(body[:cut], length=str(len(body)))
    if way == 1:
        return _answer(body[:cut])
    if way == 2:
        packed = gzip.compress(body)
        return _answer(packed[: dice.randrange(1, len(packed) - 1)], "Content-Encoding: gzip")
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return iter([head + b"%x\r\n" % len(body) + body[:cut]])


def _other_encoding(dice: Random, target: str) -> Pieces:
    body = json.dumps(GOOD[target]).encode()
    named = dice.choice(["br", "deflate", "zstd", "gzip, gzip", "x-unknown", "gzip\x7f"])
    ways = [
        (zlib.compress(body), f"Content-Encoding: {named}"), (body, "Content-Encoding: gzip"),
        (gzip.compress(gzip.compress(body)), "Content-Encoding: gzip"),
        (gzip.compress(body), "X-Encoding: gzip"), (dice.randbytes(500), "Content-Encoding: gzip"),
    ]  # fmt: skip
    return _answer(*dice.choice(ways))


def _no_json(dice: Random, target: str) -> Pieces:
    bomb = "".join(f'<!ENTITY a{n} "&a{n - 1};&a{n - 1};&a{n - 1};">' for n in range(1, 40))
    body = dice.choice([
        b"", b" ", b"<html><body>Sign in</body></html>", b"\xff\xfe\x00", dice.randbytes(4_000),
        f"<?xml version='1.0'?><!DOCTYPE a [{bomb}]><a>&a39;</a>".encode(), b"null", b"[]", b'"x"',
        json.dumps(GOOD[target]).encode("utf-16"), b"OK", b"a,b\n1,2\n", b"\xc3\x28", b"\0" * 999,
    ])  # fmt: skip
    return _answer(body)


def _odd_head(dice: Random, target: str) -> Pieces:
    body = json.dumps(GOOD[target]).encode()
    lines = dice.choice([
        ["X: " + "x" * 300_000], [f"X-{n}: y" for n in range(20_000)], ["no colon here"],
        ["X: a\0b"], ["Content-Length: 3"], ["Transfer-Encoding: chunked"], [" folded", "\tx: y"],
    ])  # fmt: skip
    length = dice.choice(["", "-5", "abc", "1e3", "99999999999999999999"])
    status = dice.choice(["200 OK", "200 OK", "2000 OK", "abc", "", "200 OK\0"])
    if length == "" and lines[0].startswith((" ", "X: x")) and status == "200 OK":
        status = "999 ?"
    return _answer(body, *lines, status=status, length=length)


def _drip(dice: Random, target: str) -> Pieces:
    yield b"HTTP/1.1 200 OK\r\n"
    letter = dice.choice([b"X: y\r\n", b"\r\n1\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
    for _ in range(200):
        time.sleep(0.05)
        yield letter


def _redirect(dice: Random, target: str) -> Pieces:
    to = dice.choice([
        "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "//evil.example",
        "https://[::1", "/" * 9_000, "\x01", "javascript:1", "http://127.0.0.1:1/x",
    ])  # fmt: skip
    status = dice.choice(["301 Moved", "302 Found", "303 See Other", "307 T", "308 P"])
    return _answer(b"", f"Location: {to}", status=status)


def _wrong_types(dice: Random, target: str) -> Pieces:
    value = json.loads(json.dumps(GOOD[target]))
    places = list(_places(value))
    for inside, key in dice.sample(places, min(len(places), dice.randrange(1, 4))):
        inside[key] = dice.choice(OTHERS)
    return _answer(json.dumps(value).encode())


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def _odd_status(dice: Random, target: str) -> Pieces:
    body = dice.choice([json.dumps(GOOD[target]).encode(), b"", b"\xff" * 100, b"<b>no</b>" * 900])
    codes = (201, 202, 206, 226, 299, 400, 401, 403, 404, 405, 409, 412, 415, 418, 429, 444, 446,
             451, 499, 500, 501, 502, 503, 504, 511, 599)  # fmt: skip
    after = dice.choice(["0", "99999999", "-1", "Thu, 99 Foo", "1e9"])
    return _answer(body, f"Retry-After: {after}", status=f"{dice.choice(codes)} ?")


def _good(dice: Random, target: str) -> Pieces:
    return _answer(json.dumps(GOOD[target]).encode())


KINDS: dict[str, tuple[int, Callable[[Random, str], Pieces]]] = {
    "good": (0, _good),
    "gzip bomb": (10, _gzip_bomb), "many values": (5, _many_values), "endless": (2, _endless),
    "nested": (8, _nested), "odd json": (16, _odd_json), "half": (12, _half),
    "other encoding": (8, _other_encoding), "no json": (10, _no_json), "odd head": (8, _odd_head),
    "drip": (1, _drip), "redirect": (6, _redirect), "wrong types": (20, _wrong_types),
    "odd status": (8, _odd_status),
}  # fmt: skip


@contextmanager
def hostile_peer(seed: int) -> Iterator[str]:
    """Its base URL; below `/N` is item N of the seed, but for a sign-in that is not its target."""
    door = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=_serve, args=(door, seed), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        door.close()


def _serve(door: socket.socket, seed: int) -> None:
    while True:
        try:
            caller, _ = door.accept()
        except OSError:
            return
        threading.Thread(target=_answered, args=(caller, seed), daemon=True).start()


def _answered(caller: socket.socket, seed: int) -> None:
    with caller, suppress(OSError, ValueError, IndexError):
        caller.settimeout(5)
        head = b""
        while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES_MAX:
            head += caller.recv(HEAD_BYTES_MAX)
        path = head.split(b" ", 2)[1].decode("latin-1")
        item = Item(seed, int(path.split("/")[1]))
        ours = next((a for p, a in SIGN_INS.items() if path.endswith(p)), None)
        pieces = item.pieces()
        if ours is not None and not item.target.endswith("sign-in"):
            pieces = _answer(json.dumps(ours).encode(), "Connection: close")
        for piece in pieces:
            caller.sendall(piece)
