"""The tables of what runs found wrong, and of how much of it stands; see `store.rejects`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from tieout.store.columns import Moment, Money, Words
from tieout.store.schema import SERIAL, metadata

REJECT_STATES = ("open", "assigned", "fixed", "sent again", "waived")
_UNSETTLED, _ON_A_PILE = text("settled_run IS NULL"), text("pile IS NOT NULL")
_OF_A_LINE = text("line IS NOT NULL")
_STATES = ", ".join(f"'{word}'" for word in REJECT_STATES)


def _of_the_desk(name: str, *columns: str) -> Index:
    """An index of what stands on the desk alone, which is little beside what ever was found."""
    return Index(name, *columns, sqlite_where=_ON_A_PILE, postgresql_where=_ON_A_PILE)


app_reject = Table(
    "app_reject", metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("run", Text, ForeignKey("app_run.id"), nullable=False),
    Column("flow", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("subject", Words, nullable=False),
    Column("dimension", Words, nullable=False),
    Column("member", Words, nullable=False),
    Column("company", Words, nullable=False),
    Column("amount", Money),
    Column("currency", Words, nullable=False),
    Column("cells", Integer, nullable=False),
    Column("what", Words, nullable=False),
    Column("remedy", Words, nullable=False),
    Column("vendor_words", Words, nullable=False),
    Column("state", Text, nullable=False),
    Column("settled_run", Text, ForeignKey("app_run.id")),  # NULL while it stands
    Column("line", Integer),
    Column("first_seen", Moment, nullable=False),
    Column("owner", Words),
    Column("decided_by", Words),  # who assigned, waived or reopened it last
    Column("decided_at", Moment),
    Column("why", Words, nullable=False),
    Column("decided_on", SERIAL),  # the earlier row on which that was decided, if not on this one
    Column("pile", SERIAL),  # on which it stands (app_pile); NULL: it is a note, or was settled
    Column("weight", Text, nullable=False, server_default=text("''")),  # in the order of amounts
    CheckConstraint(f"state IN ({_STATES})", name="app_reject_state"),
    Index("app_reject_open", "flow", "state"),
    Index("app_reject_run", "run", "first_seen", "id"),
    Index("app_reject_member", "member", "flow", "pile"),
    Index("app_reject_line", "run", "line", sqlite_where=_OF_A_LINE, postgresql_where=_OF_A_LINE),
    Index("app_reject_standing", "id", sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED),
    Index("app_reject_of_flow", "flow", "id",
          sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED),
    # What a list is sorted by, its ties, and the pile: who filters looks into the index alone.
    _of_the_desk("app_reject_age", "first_seen", "id", "pile"),
    _of_the_desk("app_reject_company", "company", "id", "pile"),
    _of_the_desk("app_reject_weight", "weight", "id", "pile"),
    _of_the_desk("app_reject_cells", "cells", "id", "pile"),
    _of_the_desk("app_reject_pile", "pile", "first_seen", "id"),
)  # fmt: skip

# How many rejects that are alike in all of this stand, counted when they come and go: `rows` is
# never 0. No reject refers to it by a foreign key: to take a pile away would look through them all.
app_pile = Table(
    "app_pile", metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("flow", Text, nullable=False),
    Column("run", Text, ForeignKey("app_run.id"), nullable=False),
    Column("rule", Text, nullable=False),
    Column("company", Words, nullable=False),
    Column("state", Text, nullable=False),
    Column("owner", Words, nullable=False),  # "": nobody
    Column("currency", Words, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("cells", BigInteger, nullable=False),
    Column("amounts", BigInteger, nullable=False),  # of the rows, those that have one
    Column("amount", Money, nullable=False),  # their sum without signs
    UniqueConstraint(
        "flow", "run", "rule", "company", "state", "owner", "currency", name="app_pile_alike"
    ),
)  # fmt: skip
