"""Whether what people certified is still so: a changed balance reopens a certified period."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

import polars as pl

from tieout.core.findings import Finding, Severity
from tieout.core.frames import CELL_KEY
from tieout.flows.world import World, tell
from tieout.project import LoadActuals
from tieout.store import certifications
from tieout.store.certifications import Certification, Place
from tieout.store.steps import Step

_COLUMNS = [*CELL_KEY, "f0911", "f0902", "anaplan"]


def digests(compared: pl.LazyFrame, places: Collection[Place]) -> dict[Place, tuple[str, int]]:
    """SHA-256 over the compared cells of each of `places` and their number; no cells: no digest.

    The text that is hashed is the CSV of cell key, F0911, F0902 and Anaplan (in the sign of the
    ledger, four decimals), sorted by the key.
    """
    found = {}
    periods: dict[tuple[str, int], set[int]] = {}
    for company, year, period in places:
        periods.setdefault((company, year), set()).add(period)
    for (company, year), wanted in periods.items():
        here = compared.filter(
            pl.col("ledger_company") == company, pl.col("fiscal_year") == year,
            pl.col("period").is_in(sorted(wanted)),
        ).select(*_COLUMNS, "period").collect()  # fmt: skip
        for (period,), cells in here.partition_by("period", as_dict=True).items():
            text = cells.select(_COLUMNS).sort(CELL_KEY).write_csv()
            digest = hashlib.sha256(text.encode()).hexdigest()
            found[(company, year, period)] = (digest, cells.height)
    return found


def digest_of(found: Mapping[Place, tuple[str, int]]) -> str:
    """SHA-256 over what `digests` found: a line `company,year-period,cells,digest` for each place.

    The lines are sorted by company, year and period; each ends with a line feed.
    """
    lines = (
        f"{company},{year}-{period:02d},{cells},{digest}\n"
        for (company, year, period), (digest, cells) in sorted(found.items())
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def reopen_what_moved(step: Step, world: World[LoadActuals], compared: pl.LazyFrame) -> None:
    """Reopen certifications whose cells are not as they were signed, with a finding of each."""
    with world.store.database.read() as connection:
        held = certifications.listed(connection, world.flow_name)
    now = {p: digest for p, (digest, _) in digests(compared, [c.place for c in held]).items()}
    if not now:
        return
    with world.store.database.read() as connection:
        moved = certifications.moved(connection, world.flow_name, now)
    flow, run, by, at = world.flow_name, step.run.id, step.run.started_by, step.at()
    step.after(lambda c: certifications.reopen(c, flow, now, run, by, at))
    tell(step, world, [_reopened(certification) for certification in moved])


def _reopened(held: Certification) -> Finding:
    signed = f", certified by {held.certified_by}" if held.certified_by else ""
    return Finding(
        "certification-reopened", Severity.NOTE, held.name,
        f"Amounts of {held.name} changed after it was {held.state}{signed}: it is open again.",
        "Compare what changed (`tieout tie-out`), then prepare and certify it anew.", held.company,
        "period", f"{held.fiscal_year}-{held.period:02d}", cells=held.cells,
    )  # fmt: skip
