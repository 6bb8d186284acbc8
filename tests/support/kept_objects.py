"""A step that keeps two lines, for stores whose records lie in object storage."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from tieout.store.records import Manifest
from tieout.store.steps import Step
from tieout.store.store import Store


def keep(step: Step) -> dict[str, object]:
    amounts = pl.Series("amount", [Decimal("1.25"), Decimal("-0.25")], pl.Decimal(38, 4))
    step.keep("lines", pl.DataFrame([amounts]), company="00001")
    return {}


def kept(ours: Store, run: str) -> Manifest:
    ours.run_step(run, "read", keep)
    [manifest] = ours.kept(run)
    return manifest


def total(ours: Store, manifest: Manifest) -> Decimal:
    return ours.scan([manifest]).collect()["amount"].sum()
