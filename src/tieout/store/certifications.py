"""Certifications: two people sign that a company's period ties; a changed balance reopens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update
from sqlalchemy.engine import Row

from tieout.errors import Busy, Misconfigured, Refused
from tieout.store import audit, runs
from tieout.store.audit import Telling
from tieout.store.database import lock
from tieout.store.schema import app_certification

LOCK = "certifications"
Place: TypeAlias = tuple[str, int, int]  # company, fiscal year, period


@dataclass(frozen=True, slots=True)
class Certification:
    """One company's period of a flow, as it stands."""

    flow: str
    company: str
    fiscal_year: int
    period: int
    state: str
    digest: str  # SHA-256 over its compared cells
    cells: int
    run: str  # that compared them
    prepared_by: str
    prepared_at: datetime
    certified_by: str | None = None
    certified_at: datetime | None = None
    reopened_by: str | None = None
    reason: str = ""

    @property
    def place(self) -> Place:
        """What it is about, in its flow."""
        return (self.company, self.fiscal_year, self.period)

    @property
    def name(self) -> str:
        """How people and the trail call it."""
        return named(self.flow, self.place)


def named(flow: str, place: Place) -> str:
    """The name of a certification: actuals/00001/2025-03."""
    company, year, period = place
    return f"{flow}/{company}/{year}-{period:02d}"


def prepare(connection: Connection, new: Certification) -> Certification:
    """Keep what one person says ties; it waits for another. Refused when it is certified so."""
    lock(connection, LOCK)
    before = find(connection, new.flow, new.place)
    if before and before.state == "certified" and before.digest == new.digest:
        raise Refused(
            f"{before.name} is certified by {before.certified_by} with exactly these amounts.",
            untouched="It stays certified.",
        )
    connection.execute(delete(app_certification).where(*_same(new.flow, new.place)))
    row = {name: getattr(new, name) for name in Certification.__slots__}
    connection.execute(insert(app_certification), row)
    detail = {"digest": new.digest, "cells": new.cells, "compared_by": new.run}
    _tell(connection, new.prepared_at, new.prepared_by, "prepared certification", new, detail)
    return new


def certify(
    connection: Connection, flow: str, place: Place, by: str, reason: str, at: datetime
) -> Certification:
    """The second person signs what the first has prepared.

    Busy while a run of the flow is under way: it may find other amounts, and may have looked at the
    certifications already.
    """
    lock(connection, LOCK)
    held = require(connection, flow, place)
    if run := runs.unfinished(connection, flow):
        raise Busy(
            f"{run.id} is under way and may find other amounts.",
            untouched=f"{held.name} was not certified.",
            do=f"Certify it when that has ended (`tieout show {run.id}`).",
        )
    told = {"state": "certified", "certified_by": by, "certified_at": at, "reason": reason}
    connection.execute(update(app_certification).where(*_same(flow, place)).values(told))
    detail = {"digest": held.digest, "cells": held.cells, "reason": reason}
    _tell(connection, at, by, "certified", held, detail)
    return require(connection, flow, place)


def reopen(
    connection: Connection, flow: str, now: Mapping[Place, str], run: str, by: str, at: datetime
) -> None:
    """What was prepared or certified with another digest than `now` is reopened by a run."""
    lock(connection, LOCK)
    for held in moved(connection, flow, now):
        told = {"state": "reopened", "reopened_by": run}
        connection.execute(update(app_certification).where(*_same(flow, held.place)).values(told))
        detail = {"digest": held.digest, "now": now[held.place]}
        telling = Telling(by, "reopened certification", held.name, detail, run)
        audit.append(connection, at, telling)


def moved(connection: Connection, flow: str, now: Mapping[Place, str]) -> list[Certification]:
    """The certifications of a flow that hold and whose digest is another one now."""
    return [
        held for held in listed(connection, flow)
        if held.state != "reopened" and now.get(held.place, held.digest) != held.digest
    ]  # fmt: skip


def listed(connection: Connection, flow: str | None = None) -> list[Certification]:
    """Every certification, of one flow or of all, by company and period."""
    query = select(app_certification).order_by(*app_certification.primary_key.columns)
    if flow is not None:
        query = query.where(app_certification.c.flow == flow)
    return [_read(row) for row in connection.execute(query)]


def find(connection: Connection, flow: str, place: Place) -> Certification | None:
    """One certification, None when nobody prepared it."""
    row = connection.execute(select(app_certification).where(*_same(flow, place))).first()
    return _read(row) if row else None


def require(connection: Connection, flow: str, place: Place) -> Certification:
    """The same; Misconfigured when nobody prepared it."""
    found = find(connection, flow, place)
    if found is None:
        raise Misconfigured(
            f"Nobody has prepared the certification of {named(flow, place)}.",
            do="`tieout certify COMPANY PERIOD --prepare` does, by another person.",
        )
    return found


def _same(flow: str, place: Place) -> list[ColumnElement[bool]]:
    company, year, period = place
    columns = app_certification.c
    return [
        columns.flow == flow, columns.company == company, columns.fiscal_year == year,
        columns.period == period,
    ]  # fmt: skip


def _tell(
    connection: Connection, at: datetime, by: str, act: str, held: Certification,
    detail: Mapping[str, object],
) -> None:  # fmt: skip
    audit.append(connection, at, Telling(by, act, held.name, detail))


def _read(row: Row[Any]) -> Certification:
    return Certification(**row._mapping)
