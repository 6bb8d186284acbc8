"""Claims about bodies: what was made to be large is refused before it is unzipped."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from random import Random

import pytest

from tieout.body import BODY_BYTES_MAX, WIRE_BYTES_MAX, UnreadableError, whole_body

PIECE_BYTES = 64 * 2**10


def pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (gzip.compress(b"") * 20_000, "gzip parts"),
        (gzip.compress(b"\0" * (BODY_BYTES_MAX // 8)) * 9, "grows more than 200 times"),
        (gzip.compress(Random(1).randbytes(2**20)) * 97, "more than 6. MB, too much to read"),
    ],
    ids=["empty members", "zeros", "noise"],
)
def test_a_gzip_bomb_of_many_members_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(UnreadableError, match=words):
        whole_body(pieces(body), "gzip", [0])


def test_a_body_without_an_end_is_not_read_for_ever() -> None:
    received = [0]
    endless = (b"x" * PIECE_BYTES for _ in iter(int, 1))
    with pytest.raises(UnreadableError, match="too much to read"):
        whole_body(endless, "", received)
    assert received[0] <= WIRE_BYTES_MAX + PIECE_BYTES


def test_a_ledger_that_repeats_itself_is_read() -> None:
    """A hundred times smaller under way: a year of the same rent is no bomb."""
    rows = b"".join(b'{"F0911_AA":%d.50,"F0911_EXA":"RENT"},' % (n % 40) for n in range(400_000))
    received = [0]
    assert whole_body(pieces(gzip.compress(rows)), "gzip", received) == rows
    assert len(rows) > 60 * received[0]
