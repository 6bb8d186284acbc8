"""Kept files changed and their manifest rows written anew to match: somebody tampers."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from random import Random

import polars as pl
from books import GZIP_WINDOW_BITS, Books

from tieout.store.own_sqlite import sqlite3
from tieout.store.records import Manifest

GZIP_MARK = b"\x1f\x8b"


def remove_a_row(books: Books, kind: str, dice: Random, flow: str = "actuals") -> None:
    """Take a row out of one of the files of a kind that the unfinished run kept."""
    run = books.store.unfinished_run(flow)
    assert run is not None
    manifest = dice.choice([m for m in books.store.kept(run.id, kind=kind) if m.rows])
    if manifest.path.endswith(".parquet"):
        lost = dice.randrange(manifest.rows)
        edit_frame(books, manifest, lambda f: pl.concat([f[:lost], f[lost + 1 :]]))
        return
    lines = unpacked(books.store.read_bytes(manifest)).splitlines(keepends=True)
    del lines[dice.randrange(1, len(lines))]
    write_anew(books, manifest, packed(b"".join(lines)), manifest.rows - 1)


def remove_a_row_of_before(books: Books, kind: str, company: str, dice: Random) -> None:
    """Take a row of a company out of a file that an earlier run kept and that holds now."""
    kept = books.store.current("actuals", kind, company=company)
    manifest = dice.choice([m for m in kept if m.rows])
    lost = dice.randrange(manifest.rows)
    edit_frame(books, manifest, lambda f: pl.concat([f[:lost], f[lost + 1 :]]))


Edit = Callable[[pl.DataFrame], pl.DataFrame]


def edit_frame(books: Books, manifest: Manifest, edit: Edit) -> None:
    """Change the rows of a kept file."""
    path = books.home / "records" / manifest.path
    frame = edit(pl.read_parquet(path))
    frame.write_parquet(path)
    write_anew(books, manifest, path.read_bytes(), frame.height)


def write_anew(books: Books, manifest: Manifest, data: bytes, rows: int) -> None:
    """Other bytes in a kept file, and a manifest row that says they are what was written."""
    (books.home / "records" / manifest.path).write_bytes(data)
    db = sqlite3.connect(books.home / "tieout.sqlite")
    with db:
        done = db.execute(
            "update app_manifest set rows = ?, bytes = ?, sha256 = ? where id = ?",
            (rows, len(data), hashlib.sha256(data).hexdigest(), manifest.id),
        )
    db.close()
    assert done.rowcount == 1


def unpacked(chunk: bytes) -> bytes:
    """The text of a chunk."""
    return zlib.decompress(chunk, GZIP_WINDOW_BITS)


def packed(text: bytes) -> bytes:
    """A chunk of a text."""
    packer = zlib.compressobj(wbits=GZIP_WINDOW_BITS)
    return packer.compress(text) + packer.flush()


def remove_an_uploaded_row(books: Books) -> None:
    """The last row of the file that Anaplan holds is lost there."""
    db = sqlite3.connect(books.home / "sim" / "anaplan.sqlite")
    with db:
        number, file, body = db.execute(
            "select c.n, c.file, c.body from chunks c join objects o on o.id = c.file "
            "where o.name = 'GL Actuals.csv' and c.user <> '' order by c.n desc"
        ).fetchone()
        text = unpacked(body) if bytes(body)[:2] == GZIP_MARK else bytes(body)
        left = b"".join(text.splitlines(keepends=True)[:-1])
        db.execute("update chunks set body = ? where n = ? and file = ?", (left, number, file))
    db.close()
