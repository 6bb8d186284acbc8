"""The versions of the configuration that were applied, and those that wait for a second person."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Integer,
    Table,
    Text,
    desc,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Row

from tieout.errors import Misconfigured, Refused
from tieout.store import audit
from tieout.store.audit import Telling
from tieout.store.columns import Moment, Words
from tieout.store.database import lock
from tieout.store.schema import app_config, metadata

LOCK = "config"
PROPOSAL_STATES = ("prepared", "applied", "declined", "void")

app_proposal = Table(
    "app_proposal",
    metadata,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("base", Integer, nullable=False),  # the version it was made from; 0: the first
    Column("text", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("why", Words, nullable=False),
    Column("proposed_by", Words, nullable=False),
    Column("proposed_at", Moment, nullable=False),
    Column("decided_by", Words),
    Column("decided_at", Moment),
    Column("reason", Words, nullable=False),
    CheckConstraint(
        f"state IN ({', '.join(map(repr, PROPOSAL_STATES))})", name="app_proposal_state"
    ),
)


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a text the configuration, and why; `proposed_by` where two people did."""

    name: str
    why: str | None = None
    proposed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """One applied configuration, its text as it was given."""

    version: int
    applied_at: datetime
    applied_by: str
    text: str
    sha256: str
    why: str | None = None
    proposed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration that one person proposes and another has to apply."""

    id: str
    state: str
    base: int
    text: str
    sha256: str
    why: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str = ""


def current(connection: Connection) -> Config | None:
    """The configuration that holds now; None before the first one."""
    query = select(app_config).order_by(desc(app_config.c.version)).limit(1)
    row = connection.execute(query).first()
    return None if row is None else Config(**row._mapping)


def newest(connection: Connection) -> int | None:
    """The version of the configuration that holds now."""
    return connection.execute(select(func.max(app_config.c.version))).scalar()


def find(connection: Connection, version: int) -> Config | None:
    """The configuration of one version."""
    row = connection.execute(select(app_config).where(app_config.c.version == version)).first()
    return None if row is None else Config(**row._mapping)


def apply(connection: Connection, text: str, by: Author, at: datetime) -> tuple[Config, bool]:
    """Make `text` the configuration; with whether that changed anything."""
    lock(connection, LOCK)
    held = current(connection)
    digest = digest_of(text)
    if held is not None and held.sha256 == digest:
        return held, False
    following = held.version + 1 if held is not None else 1
    config = Config(following, at, by.name, text, digest, by.why, by.proposed_by)
    values = {name: getattr(config, name) for name in Config.__slots__}
    connection.execute(insert(app_config), values)
    detail = {"version": config.version, "sha256": digest}
    more = {"why": by.why, "proposed_by": by.proposed_by}
    detail |= {name: value for name, value in more.items() if value is not None}
    audit.append(connection, at, Telling(by.name, "applied configuration", "configuration", detail))
    return config, True


def digest_of(text: str) -> str:
    """SHA-256 of the bytes of a project file."""
    return hashlib.sha256(text.encode()).hexdigest()


# ------------------------------------------------------------------ two people


def propose(connection: Connection, text: str, by: str, why: str, at: datetime) -> Proposal:
    """Keep a text that another person has to apply; what waited before is void."""
    lock(connection, LOCK)
    for waiting in proposals(connection, ("prepared",)):
        if waiting.sha256 == digest_of(text) and waiting.base == (newest(connection) or 0):
            return waiting
        _decide(connection, waiting, "void", by, "another configuration was proposed", at)
    count = connection.execute(select(func.count()).select_from(app_proposal)).scalar_one()
    proposal = Proposal(
        f"config-{count + 1}", "prepared", newest(connection) or 0, text, digest_of(text), why, by,
        at,
    )  # fmt: skip
    values = {name: getattr(proposal, name) for name in Proposal.__slots__}
    connection.execute(insert(app_proposal), values)
    detail = {"sha256": proposal.sha256, "base": proposal.base, "why": why}
    audit.append(connection, at, Telling(by, "proposed configuration", proposal.id, detail))
    return proposal


def approve(
    connection: Connection, proposal: Proposal, digest: str, by: str, at: datetime
) -> Config:
    """Apply what another person proposed; Refused when it is not what was seen, or is outdated."""
    lock(connection, LOCK)
    if digest != proposal.sha256:
        raise Refused(
            f"{proposal.id} is another text than the one with the digest {digest}.",
            untouched="It was not applied.", do=f"Look at it anew: `tieout config plan "
            f"--proposal {proposal.id}`.",
        )  # fmt: skip
    now = newest(connection) or 0
    if now != proposal.base:
        raise Refused(
            f"{proposal.id} was made from version {proposal.base}, and version {now} holds by now: "
            "applying it would take that back.",
            untouched="It was not applied.", do="Let it be proposed anew from what holds now.",
            who=proposal.proposed_by,
        )  # fmt: skip
    author = Author(by, proposal.why, proposal.proposed_by)
    config, _ = apply(connection, proposal.text, author, at)
    _decide(connection, proposal, "applied", by, "", at)
    return config


def decline(
    connection: Connection, proposal: Proposal, by: str, reason: str, at: datetime
) -> Proposal:
    """Say no; by who proposed it, it is void."""
    state = "void" if by == proposal.proposed_by else "declined"
    return _decide(connection, proposal, state, by, reason, at)


def proposal(connection: Connection, id_: str) -> Proposal:
    """One proposal; Misconfigured when there is none of this id."""
    row = connection.execute(select(app_proposal).where(app_proposal.c.id == id_)).first()
    if row is None:
        raise Misconfigured(
            f"There is no proposed configuration {id_!r}.", do="`tieout config` lists what waits."
        )
    return _read(row)


def proposals(connection: Connection, states: Sequence[str] = PROPOSAL_STATES) -> list[Proposal]:
    """What was proposed, oldest first."""
    query = select(app_proposal).where(app_proposal.c.state.in_(states))
    return [_read(row) for row in connection.execute(query.order_by(app_proposal.c.proposed_at))]


def _decide(
    connection: Connection, held: Proposal, state: str, by: str, reason: str, at: datetime
) -> Proposal:
    values = {"state": state, "decided_by": by, "decided_at": at, "reason": reason}
    same = (app_proposal.c.id == held.id, app_proposal.c.state == "prepared")
    if not connection.execute(update(app_proposal).where(*same).values(values)).rowcount:
        now = proposal(connection, held.id)
        raise Refused(f"{held.id} is {now.state} by now.", untouched="It stays as it is.")
    if state != "applied":
        detail = {"reason": reason, "proposed_by": held.proposed_by}
        audit.append(connection, at, Telling(by, f"{state} configuration", held.id, detail))
    return proposal(connection, held.id)


def _read(row: Row[Any]) -> Proposal:
    return Proposal(**row._mapping)
