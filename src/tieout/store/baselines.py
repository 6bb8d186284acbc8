"""Baselines: balances that came without journals, as two people signed them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

import polars as pl
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Row

from tieout.core.frames import BUCKET_KEY
from tieout.core.proof import BASELINES
from tieout.errors import Misconfigured, Refused
from tieout.store import audit
from tieout.store.audit import Telling
from tieout.store.columns import Moment, Money, Words
from tieout.store.database import lock
from tieout.store.schema import metadata

LOCK = "baselines"
STATES = ("prepared", "signed", "withdrawn")
Balance: TypeAlias = tuple[str, str, str, str, int, int, Decimal]  # BUCKET_KEY, and the amount

app_baseline = Table(
    "app_baseline",
    metadata,
    Column("id", Text, primary_key=True),
    Column("flow", Text, nullable=False),
    Column("company", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("digest", Text, nullable=False),  # SHA-256 over its balances
    Column("balances", Integer, nullable=False),
    Column("gross", Money, nullable=False),  # the balances added without their signs
    Column("why", Words, nullable=False),
    Column("prepared_by", Words, nullable=False),
    Column("prepared_at", Moment, nullable=False),
    Column("decided_by", Words),
    Column("decided_at", Moment),
    Column("reason", Words, nullable=False),
    CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="app_baseline_state"),
    Index("app_baseline_flow", "flow", "state"),
)
app_baseline_balance = Table(
    "app_baseline_balance",
    metadata,
    Column("baseline", Text, ForeignKey("app_baseline.id"), primary_key=True),
    Column("company", Text, primary_key=True),
    Column("ledger", Text, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("account_id", Text, primary_key=True),
    Column("fiscal_year", Integer, primary_key=True, autoincrement=False),
    Column("period", Integer, primary_key=True, autoincrement=False),
    Column("amount", Money, nullable=False),
    Index("app_baseline_place", "company", "ledger", "fiscal_year"),
)


@dataclass(frozen=True, slots=True)
class Baseline:
    """Balances of one company that stand without journals, and who says so."""

    id: str
    flow: str
    company: str
    state: str
    digest: str
    balances: int
    gross: Decimal
    why: str
    prepared_by: str
    prepared_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str = ""


def digest_of(rows: Sequence[Balance]) -> str:
    """SHA-256 over the balances, a line each: key and amount with four decimals, by their key."""
    lines = ("\t".join([*map(str, row[:-1]), f"{row[-1]:.4f}"]) for row in sorted(rows))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def prepare(
    connection: Connection, flow: str, company: str, rows: Sequence[Balance], why: str, by: str,
    at: datetime,
) -> Baseline:  # fmt: skip
    """Keep what one person says is converted; it waits for another.

    What was prepared before for the company and not signed yet is replaced.
    """
    lock(connection, LOCK)
    for held in listed(connection, flow):
        if (held.company, held.state) == (company, "prepared"):
            _decide(connection, held, "withdrawn", by, "prepared anew", at)
    count = connection.execute(select(func.count()).select_from(app_baseline)).scalar_one()
    gross = sum((abs(row[-1]) for row in rows), Decimal(0))
    new = Baseline(
        f"baseline-{count + 1}", flow, company, "prepared", digest_of(rows), len(rows), gross, why,
        by, at,
    )  # fmt: skip
    values = {name: getattr(new, name) for name in Baseline.__slots__}
    connection.execute(insert(app_baseline), values)
    names = (*BUCKET_KEY, "amount")
    told = [{"baseline": new.id, **dict(zip(names, row, strict=True))} for row in rows]
    connection.execute(insert(app_baseline_balance), told)
    detail = {"flow": flow, "company": company, "digest": new.digest, "balances": len(rows),
              "gross": f"{gross:.4f}", "why": why}  # fmt: skip
    audit.append(connection, at, Telling(by, "prepared baseline", new.id, detail))
    return new


def sign(
    connection: Connection, baseline_id: str, digest: str, by: str, reason: str, at: datetime
) -> Baseline:
    """The second person signs what the first prepared; it takes the place of an earlier one."""
    lock(connection, LOCK)
    held = _in_state(connection, baseline_id, ("prepared",))
    if digest != held.digest or digest != digest_of(_rows(connection, baseline_id)):
        raise Refused(
            f"The balances of {baseline_id} are not those of this digest.",
            untouched="Nothing was signed.", do="Look at it again (`tieout baselines`).",
        )  # fmt: skip
    mine = {row[:-1] for row in _rows(connection, baseline_id)}
    for other in listed(connection, held.flow):
        if other.state == "signed" and mine & {r[:-1] for r in _rows(connection, other.id)}:
            raise Refused(
                f"{other.id} has a balance of {baseline_id} as well.",
                untouched="Nothing was signed.",
                do=f"Withdraw {other.id} first, or prepare the balances it lacks.",
            )
    return _decide(connection, held, "signed", by, reason, at)


def withdraw(
    connection: Connection, baseline_id: str, by: str, reason: str, at: datetime
) -> Baseline:
    """Take a baseline back: its balances are without explanation again from the next run on."""
    lock(connection, LOCK)
    held = _in_state(connection, baseline_id, ("prepared", "signed"))
    return _decide(connection, held, "withdrawn", by, reason, at)


def listed(connection: Connection, flow: str | None = None) -> list[Baseline]:
    """Every baseline, of one flow or of all, in the order of their making."""
    query = select(app_baseline).order_by(app_baseline.c.prepared_at, app_baseline.c.id)
    if flow is not None:
        query = query.where(app_baseline.c.flow == flow)
    return [_read(row) for row in connection.execute(query)]


def require(connection: Connection, baseline_id: str) -> Baseline:
    """One baseline; Misconfigured when there is none of this name."""
    row = connection.execute(select(app_baseline).where(app_baseline.c.id == baseline_id)).first()
    if row is None:
        raise Misconfigured(
            f"There is no baseline {baseline_id}.", do="`tieout baselines` lists them."
        )
    return _read(row)


def balances(connection: Connection, baseline_id: str) -> list[Balance]:
    """The balances of a baseline, by their key."""
    return sorted(_rows(connection, baseline_id))


def signed(connection: Connection, flow: str, company: str, ledger: str, year: int) -> pl.DataFrame:
    """BASELINES of a partition: what a balance has beside its lines, as it was signed."""
    table = app_baseline_balance.c
    query = (
        select(*(table[name] for name in BUCKET_KEY), table.amount)
        .join(app_baseline, app_baseline.c.id == table.baseline)
        .where(
            app_baseline.c.flow == flow, app_baseline.c.state == "signed",
            table.company == company, table.ledger == ledger, table.fiscal_year == year,
        )
    )  # fmt: skip
    rows = [tuple(row) for row in connection.execute(query)]
    return pl.DataFrame(rows, schema=BASELINES, orient="row")


def decided(connection: Connection, flow: str) -> int:
    """How many signatures and withdrawals there were: another number, other baselines."""
    told = [b.state for b in listed(connection, flow) if b.decided_at is not None]
    return len(told) + told.count("withdrawn")  # one that was signed before counts again


def _rows(connection: Connection, baseline_id: str) -> list[Balance]:
    table = app_baseline_balance.c
    query = select(*(table[name] for name in BUCKET_KEY), table.amount)
    found = connection.execute(query.where(table.baseline == baseline_id))
    return [(r[0], r[1], r[2], r[3], r[4], r[5], r[6]) for r in found]


def _in_state(connection: Connection, baseline_id: str, states: Sequence[str]) -> Baseline:
    """A baseline as it is under the lock: another person may have decided a moment ago."""
    held = require(connection, baseline_id)
    if held.state not in states:
        raise Refused(
            f"{baseline_id} is {held.state}, not {' or '.join(states)}.",
            untouched="It stays as it is.", do="`tieout baselines` lists them.",
        )  # fmt: skip
    return held


def _decide(
    connection: Connection, held: Baseline, state: str, by: str, reason: str, at: datetime
) -> Baseline:
    told = {"state": state, "decided_by": by, "decided_at": at, "reason": reason}
    connection.execute(update(app_baseline).where(app_baseline.c.id == held.id).values(told))
    detail = {"digest": held.digest, "balances": held.balances, "reason": reason}
    audit.append(connection, at, Telling(by, f"{state} baseline", held.id, detail))
    return require(connection, held.id)


def _read(row: Row[Any]) -> Baseline:
    return Baseline(**row._mapping)
