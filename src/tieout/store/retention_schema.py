"""The tables of retention, beside those of `schema.py`: holds, purges, and what stays."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from tieout.store.columns import Json, Moment, Words
from tieout.store.schema import metadata

# A legal hold: no purge removes what it covers until it is released.
app_hold = Table(
    "app_hold",
    metadata,
    Column("name", Words, primary_key=True),
    Column("flow", Words, nullable=False),  # "": of every flow
    Column("company", Words, nullable=False),  # "": of every company
    Column("why", Words, nullable=False),
    Column("placed_by", Words, nullable=False),
    Column("placed_at", Moment, nullable=False),
    Column("released_by", Words),
    Column("released_at", Moment),
    Column("released_why", Words, nullable=False),
)

app_purge = Table(
    "app_purge",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("purged_at", Moment, nullable=False),
    Column("purged_by", Words, nullable=False),
    Column("digest", Text, nullable=False),  # of the preview that was shown
    Column("why", Words, nullable=False),
)

# What stays of a file (whose row of the manifest stays too) or of the calls of a run.
app_purged = Table(
    "app_purged",
    metadata,
    Column("object", Text, primary_key=True),  # the id of the file, or the run of the calls
    Column("purge", Integer, ForeignKey("app_purge.n"), nullable=False),
    Column("kind", Text, nullable=False),  # of retention
    Column("age", Text, nullable=False),  # that the rule of this kind said
    Column("flow", Text, nullable=False),
    Column("run", Text, ForeignKey("app_run.id"), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("totals", Json, nullable=False),  # the sum of every column of amounts
    Index("app_purged_run", "run"),
)
