"""Reads the body of an answer with every size bounded, before a byte of it is interpreted."""

from __future__ import annotations

from collections.abc import Iterator

from isal import isal_zlib

from tieout.strict_json import plain

GZIP_MEMBERS_MAX = 1_000  # of one body: as many as a file of Anaplan has chunks
WIRE_BYTES_MAX = 64 * 2**20  # of one body as it travels
BODY_BYTES_MAX = 96 * 2**20  # of one body after gunzip; an upload chunk of Anaplan has 50 MB
# Ledger pages shrink to a thirtieth; only what was made to be large shrinks to a two-hundredth.
RATIO_BYTES_MAX = 200  # after gunzip, for each byte that travelled
RATIO_FROM_BYTES = 8 * 2**20  # where the ratio begins to count

DamagedError: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # a stub's slip


class UnreadableError(Exception):
    """A body that is too large or in an encoding that was not asked for, in words."""


class _Gunzip:
    """Unzips a body piece by piece; a body may be several gzip members, one behind the other."""

    def __init__(self) -> None:
        self._member, self._members = isal_zlib.decompressobj(wbits=31), 1

    @property
    def whole(self) -> bool:
        """Whether what came so far ends with a whole member."""
        return bool(self._member.eof)

    def more(self, piece: bytes, size_max: int) -> bytes:
        """What `piece` adds, at most `size_max` bytes."""
        part: bytes = b""
        while piece and len(part) < size_max:
            if self._member.eof:
                self._member, self._members = isal_zlib.decompressobj(wbits=31), self._members + 1
                if self._members > GZIP_MEMBERS_MAX:
                    raise UnreadableError(f"answered with more than {GZIP_MEMBERS_MAX} gzip parts")
            part += self._member.decompress(piece, size_max - len(part))
            piece = self._member.unused_data
        return part


def whole_body(pieces: Iterator[bytes], encoding: str, received: list[int]) -> bytes:
    """The body, gunzipped here because the library knows no limit; `received` counts its bytes.

    Raises UnreadableError when it is too large or was made to be, DamagedError when it is no gzip.
    """
    return b"".join(_unzipped(pieces, encoding, received))


def _unzipped(pieces: Iterator[bytes], encoding: str, received: list[int]) -> Iterator[bytes]:
    if encoding not in ("", "identity", "gzip"):
        raise UnreadableError(f"answered in the encoding {plain(encoding)!r}, not asked for")
    gunzip = _Gunzip() if encoding == "gzip" else None
    size = 0
    for piece in pieces:
        received[0] += len(piece)
        fair = max(RATIO_FROM_BYTES, RATIO_BYTES_MAX * received[0])
        part = gunzip.more(piece, min(BODY_BYTES_MAX, fair) - size + 1) if gunzip else piece
        size += len(part)
        if received[0] > WIRE_BYTES_MAX or size > BODY_BYTES_MAX:
            raise UnreadableError(f"answered with more than {size >> 20} MB, too much to read")
        if gunzip and size > fair:
            raise UnreadableError(
                f"answered with a body that grows more than {RATIO_BYTES_MAX} times when unzipped"
            )
        yield part
    if gunzip is not None and received[0] and not gunzip.whole:
        raise DamagedError("the body ends too early")
