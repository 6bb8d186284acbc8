"""The tables of passwords, sessions, tries, identities of others, and commands of the API."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, text

from tieout.store.columns import Json, Moment, Words
from tieout.store.schema import metadata

password = Table(
    "app_password",
    metadata,
    Column("user", Text, ForeignKey("app_user.name"), primary_key=True),
    Column("argon2", Text, nullable=False),
    Column("set_at", Moment, nullable=False),
    Column("set_by", Words, nullable=False),
    # The other people who have seen it, or the one before it, as of a token.
    Column("handed_by", Words, nullable=False),
    Column("temporary", Boolean, nullable=False),  # it opens the page that changes it, no other
)

session = Table(
    "app_session",
    metadata,
    Column("id", Text, primary_key=True),  # what people see of it
    Column("sha256", Text, nullable=False, unique=True),  # of what the cookie holds
    Column("known_sha256", Text, nullable=False, unique=True),  # of what the browser keeps
    Column("user", Text, ForeignKey("app_user.name"), nullable=False),
    Column("scopes", Json, nullable=False),
    Column("way", Text, nullable=False),  # "password", "setup", or the issuer that vouched
    Column("handed_by", Words, nullable=False),
    Column("address", Words, nullable=False),
    Column("browser", Words, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("ended_by", Words),
    Index("app_session_user", "user"),
)

tried = Table(
    "app_tried",
    metadata,
    Column("who", Words, primary_key=True),  # a name and an address, an address, or a browser
    Column("tries", Integer, nullable=False),
    Column("last_at", Moment, nullable=False),
)

# Who is who at another system that vouches for people.
identity = Table(
    "app_identity",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Words, primary_key=True),
    Column("user", Text, ForeignKey("app_user.name"), nullable=False),
    Column("bound_at", Moment, nullable=False),
    Column("bound_by", Words, nullable=False),
    # The people who said so and could be that subject, as of a token; none: the issuer said it.
    Column("handed_by", Words, nullable=False, server_default=text("''")),
)

# A person who was sent there and has not come back yet.
asked_elsewhere = Table(
    "app_asked_elsewhere",
    metadata,
    Column("state_sha256", Text, primary_key=True),
    Column("told", Json, nullable=False),
    Column("asked_at", Moment, nullable=False),
)

# A command of the API under the key its caller gave it: it is carried out once.
command = Table(
    "app_command",
    metadata,
    Column("user", Text, primary_key=True),
    Column("key", Words, primary_key=True),
    Column("sha256", Text, nullable=False),  # of what was asked
    Column("status", Integer),  # of its answer; none while it is carried out
    Column("answer", Words, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Index("app_command_asked", "asked_at"),
)
