"""The plan journals that agree with a search, each with its batch, decision, lines and trail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from tieout.app import Instance
from tieout.flows.drill import Wanted
from tieout.store import audit, batches
from tieout.store import journals as stored
from tieout.store.batches import Batch
from tieout.store.journals import Journal
from tieout.verbs import acting, approving, batch_lines

JOURNALS_SHOWN_MAX = 5  # the newest
BATCHES_AT_ONCE = 40  # that are looked through for lines


def journals(instance: Instance, wanted: Wanted, run: str, key: str) -> list[dict[str, Any]]:
    """Our plan journals that agree, each with its batch, decision, lines and trail.

    Those of the newest batches, as far as JOURNALS_SHOWN_MAX; they come oldest first.
    """
    with instance.store.database.read() as connection:
        of: dict[str, list[Journal]] = {}
        for journal in stored.listed(connection, alike=_alike(wanted)):
            if _may_be(journal, wanted, key):
                of.setdefault(journal.batch, []).append(journal)
        found = [b for b in batches.listed(connection) if b.id in of and run in ("", b.run)][::-1]
    told: list[dict[str, Any]] = []
    agrees, near = _agrees(wanted), _agrees(wanted, "difference")
    for start in range(0, len(found), BATCHES_AT_ONCE):
        some = found[start : start + BATCHES_AT_ONCE]
        for batch in batch_lines.with_any(instance, some, near):
            if len(told) >= JOURNALS_SHOWN_MAX:
                return told[::-1]
            lines = batch_lines.frame(instance, batch, agrees, near)
            told += _of_batch(instance, batch, of[batch.id][::-1], lines, len(told))
    return told[::-1]


def journal(instance: Instance, name: str) -> dict[str, Any]:
    """One of them by its name, BATCH/NUMBER, as `journals` tells it but without its lines."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        found = stored.named(connection, name)
        batch = batches.find(connection, found.batch)
    return _journal(instance, found, batch)


def _of_batch(
    instance: Instance, batch: Batch, found: Sequence[Journal], lines: pl.DataFrame, before: int
) -> list[dict[str, Any]]:
    """Those of the journals that have one of the lines, as far as they are shown."""
    told: list[dict[str, Any]] = []
    parts = lines.partition_by("transaction_number", as_dict=True)
    for journal in found:
        mine = parts.get((journal.transaction,))
        if mine is not None and before + len(told) < JOURNALS_SHOWN_MAX:
            told.append(_journal(instance, journal, batch) | {"journal_lines": mine.to_dicts()})
    return told


def _journal(instance: Instance, journal: Journal, batch: Batch) -> dict[str, Any]:
    return approving.journal_as_json(journal) | {
        "decided_by": batch.decided_by, "decided_at": batch.decided_at,
        "prepared_by": batch.prepared_by, "prepared_at": batch.prepared_at,
        "prepared_run": batch.run, "batch_state": batch.state, "digest": batch.digest,
        "trail": _trail(instance, journal),
    }  # fmt: skip


def _alike(wanted: Wanted) -> dict[str, str | int]:
    """What the database compares, so that few headers are read."""
    year, period = wanted.period or (None, None)
    told = {
        "company": wanted.company, "ledger": wanted.ledger, "fiscal_year": year, "period": period,
        "document_number": None if wanted.document is None else str(wanted.document),
        "batch_number": None if wanted.batch is None else str(wanted.batch),
    }  # fmt: skip
    return {name: value for name, value in told.items() if value not in (None, "")}


def _may_be(journal: Journal, wanted: Wanted, key: str) -> bool:
    """Whether a journal agrees as far as its header tells."""
    if key and key not in (journal.batch, journal.name, journal.token, journal.transaction):
        return False
    year, period = wanted.period or (journal.fiscal_year, journal.period)
    return (
        (wanted.document is not None or not wanted.document_type)
        and (wanted.document is None or str(wanted.document) == journal.document_number)
        and (wanted.batch is None or str(wanted.batch) == journal.batch_number)
        and wanted.company in ("", journal.company)
        and wanted.ledger in ("", journal.ledger)
        and (year, period) == (journal.fiscal_year, journal.period)
    )


def _agrees(wanted: Wanted, amount: str = "amount") -> list[pl.Expr]:
    """What a journal's line agrees with: the plan's codes, or the account it is entered to."""
    named = ("account", "business_unit", "member", "company")
    found = [
        pl.any_horizontal(pl.col(name) == code for name in names)
        for code, names in (
            (wanted.account, ("account", "account_id")),
            (wanted.business_unit, ("business_unit",)), (wanted.member, ("member",)),
            (wanted.code, named),
        ) if code
    ]  # fmt: skip
    if wanted.amount is not None:
        found.append(pl.col(amount).abs() == abs(wanted.amount))
    return found


def _trail(instance: Instance, journal: Journal) -> list[dict[str, Any]]:
    """What the trail says of a journal and of its batch, in order."""
    with instance.store.database.read() as connection:
        entries = [
            entry for name in (journal.batch, journal.name)
            for entry in audit.entries(connection, object_=name)
        ]  # fmt: skip
    return [
        {"at": e.at, "actor": e.actor, "act": e.act, "object": e.object, "run": e.run,
         "step": e.step, "entry": e.seq}
        for e in sorted(entries, key=lambda e: e.seq)
    ]  # fmt: skip
