"""Looks for secrets in everything an instance leaves behind, in every spelling."""

from __future__ import annotations

import base64
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import polars as pl

GZIP_MAGIC = b"\x1f\x8b\x08"
PARQUET_MAGIC = b"PAR1"
ZIP_MAGIC = b"PK\x03\x04"
GZIP_WINDOW_BITS = 31
UNPACKED_BYTES_MAX = 512 * 2**20
ARCHIVES_MAX = 3  # within one another


def spellings(secret: str) -> set[bytes]:
    """How a secret may stand in a file that is not packed."""
    plain = secret.encode()
    ways = {
        plain, quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode(),
        plain.hex().encode(), plain.hex().upper().encode(),
        secret.encode("utf-16-le"), secret.encode("utf-16-be"),
    }  # fmt: skip
    for start in range(3):  # wherever it begins in what was encoded
        inner = base64.b64encode(b"\0" * start + plain)[4 if start else 0 : -4]
        ways |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return ways


class Canaries:
    """The secrets that must be nowhere, by what they are."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._wanted = {
            what: spellings(secret) for what, secret in secrets.items() if len(secret) >= 12
        }
        self.searched: list[str] = []  # every file, name, member of an archive and process
        assert self._wanted, "short secrets stand everywhere"
        assert self._wanted.keys() == secrets.keys(), "short secrets stand everywhere"

    @property
    def ways(self) -> set[bytes]:
        """Every spelling of every one of them."""
        return set().union(*self._wanted.values())

    def in_bytes(self, data: bytes, where: str, nested: int = 0) -> Iterator[str]:
        """Where each is in `data`, and in what is packed in it."""
        self.searched.append(where)
        for what, ways in self._wanted.items():
            if any(way in data for way in ways):
                yield f"{what} in {where}"
        if nested < ARCHIVES_MAX:
            for name, inner in _packed(data):
                yield from self.in_bytes(inner, f"{where}, {name}", nested + 1)

    def in_files(self, root: Path, leave_out: tuple[str, ...] = ()) -> Iterator[str]:
        """The same of every file under `root`, and of the names of the files."""
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(root))
            if name.split("/", maxsplit=1)[0] in leave_out:
                continue
            yield from self.in_bytes(name.encode(), f"the name {name}")
            if path.is_file():
                yield from self.in_bytes(path.read_bytes(), name)

    def in_process(self, pid: int) -> Iterator[str]:
        """In what every user of a machine may see of a process, and its own user."""
        for name in ("cmdline", "environ"):
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                seen = Path(f"/proc/{pid}/{name}").read_bytes()
                yield from self.in_bytes(seen, f"/proc/…/{name}")


def _packed(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data.startswith(PARQUET_MAGIC):
        frame = pl.read_parquet(io.BytesIO(data))
        text = "\n".join(
            "\n".join(map(str, column.unique().to_list())) for column in frame.iter_columns()
        )
        yield "its columns", text.encode("utf-8", "surrogatepass")
        return
    if data.startswith(ZIP_MAGIC):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield name, archive.read(name)
        return
    start = data.find(GZIP_MAGIC)
    while start >= 0:
        try:
            unpacked = zlib.decompressobj(GZIP_WINDOW_BITS).decompress(
                data[start:], UNPACKED_BYTES_MAX
            )
            yield f"gzip at {start}", unpacked
        except zlib.error:
            pass  # the three bytes by chance
        start = data.find(GZIP_MAGIC, start + 1)
