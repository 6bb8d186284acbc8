"""Books that have grown old, and what is asked of their retention."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from books import Books

from tieout.store.own_sqlite import sqlite3
from tieout.verbs import retaining

KINDS = ("lines", "uploads", "workings", "calls")
RULES = "\n[retention]\n" + "".join(f'{kind} = "30 days"\n' for kind in KINDS)
LONG_AGO = timedelta(days=60)


def advance(books: Books, time: timedelta) -> None:
    books.clock.practice.advance(time.total_seconds())


def purge(books: Books) -> dict[str, Any]:
    """Look and purge."""
    return retaining.purge(books.instance, retaining.preview(books.instance)["digest"], "old")


def files(books: Books) -> set[str]:
    root = books.home / "records"
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def rows(books: Books, query: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(books.home / "tieout.sqlite")
    try:
        with db:
            return db.execute(query).fetchall()
    finally:
        db.close()


def by_kind(found: dict[str, Any]) -> dict[str, Any]:
    return {kind["kind"]: kind for kind in found["kinds"]}
