"""The long tables that people page through: what of each can be sorted and found."""

from __future__ import annotations

from sqlalchemy import select

from tieout.store.listing import Long
from tieout.store.schema import app_run, audit

_RUN = app_run.c
RUNS = Long(
    select(app_run).where(_RUN.part_of.is_(None)),
    sorts={"started_at": _RUN.started_at}, key="id", key_column=_RUN.id,
    finds={"flow": _RUN.flow, "outcome": _RUN.outcome, "started_by": _RUN.started_by},
)  # fmt: skip

_ENTRY = audit.c
TRAIL = Long(
    select(_ENTRY.seq, _ENTRY.at, _ENTRY.actor, _ENTRY.act, _ENTRY.object, _ENTRY.detail,
           _ENTRY.run, _ENTRY.step, _ENTRY.hash),
    sorts={"seq": _ENTRY.seq}, key="seq", key_column=_ENTRY.seq,
    finds={"actor": _ENTRY.actor, "act": _ENTRY.act, "object": _ENTRY.object, "run": _ENTRY.run},
    contains=frozenset({"act", "object"}),
)  # fmt: skip
