"""The first page of an evidence pack: what it proves for each company, and where everything is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import polars as pl

from tieout.app import Instance
from tieout.core.findings import counted
from tieout.verbs import certifying, explaining, seeing
from tieout.verbs.sheets import page
from tieout.verbs.sheets.sheet import Value
from tieout.verbs.words import money

FOLDERS = {
    "tie-outs": "Tie-outs", "registers": "Registers", "configuration": "Configuration",
    "parquet": "Both sides, line by line", "trail": "The trail", "checking": "Check this pack",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a company's period ties, in a sentence."""

    sentence: str
    good: bool


@dataclass(frozen=True, slots=True)
class Link:
    """Files of the pack that belong together."""

    folder: str
    title: str
    about: str
    names: tuple[str, ...]


def write(
    verdicts: Sequence[Verdict], facts: Sequence[tuple[str, Value]], links: Sequence[Link],
    file: BinaryIO, *, practised: bool,
) -> None:  # fmt: skip
    """Write the page."""
    folders = [
        (title, [link for link in links if link.folder == folder])
        for folder, title in FOLDERS.items()
    ]
    values = {"verdicts": verdicts, "facts": facts, "folders": folders, "practised": practised}
    page.fill("index.html", values, file)


def verdicts(instance: Instance, flow: str, period: str) -> list[Verdict]:
    """A sentence for each company, ledger and currency of a flow's last comparison."""
    classes = explaining.explain(instance, flow, period)["classes"]
    year, number = seeing.period_of(period)
    signed = {
        c["company"]: c for c in certifying.listed(instance, flow)
        if (c["fiscal_year"], c["period"]) == (year, number)
    }  # fmt: skip
    told = []
    companies = _ledger_companies(instance, flow, year, number)
    for row in seeing.tie_out_table(instance, flow, period):
        own = companies.get(row["company"], [row["company"]])
        here = [
            c for c in classes if c["ledger_company"] in own and c["currency"] == row["currency"]
        ]
        signatures = " ".join(_signed(company, signed.get(company)) for company in own)
        told.append(Verdict(f"{_told(row, here)} {signatures}", not row["cells_differing"]))
    return told


def _ledger_companies(
    instance: Instance, flow: str, year: int, number: int
) -> dict[str, list[str]]:
    """Anaplan's company → the companies of JD Edwards in it, which are what is certified."""
    at = (pl.col("fiscal_year") == year) & (pl.col("period") == number)
    cells = instance.store.scan(instance.store.current(flow, "compared")).filter(at)
    pairs = cells.select("company", "ledger_company").unique().collect().rows()
    found: dict[str, list[str]] = {}
    for company, own in sorted(pairs):
        found.setdefault(company, []).append(own)
    return found


def _told(row: dict[str, Any], classes: Sequence[dict[str, Any]]) -> str:
    currency, cells = row["currency"], counted(row["cells"], "cell")
    place = f"Company {row['company']}, ledger {row['ledger']}"
    by_class = Counter[str]()
    for found in classes:
        by_class[found["class"]] += found["cells"]
    why = "; ".join(f"{counted(n, 'cell')} {name}" for name, n in sorted(by_class.items()))
    if differing := row["cells_differing"]:
        by = money(row["difference"], currency)
        return f"{place}: {differing:,} of {cells} differ, by {by} in all ({why})."
    sides = f"F0911 = F0902 = Anaplan = {money(row['gross_f0911'], currency)}"
    besides = f"; {why}" if why else ""
    return f"{place}: all {cells} tie, {sides} (cells added without their signs){besides}."


def _signed(company: str, held: dict[str, Any] | None) -> str:
    if held is None:
        return f"Nobody has certified {company}."
    if held["state"] == "certified":
        return (
            f"{company} is certified by {held['certified_by']}, prepared by {held['prepared_by']}."
        )
    if held["state"] == "reopened":
        return f"The certification of {company} was opened again by {held['reopened_by']}."
    return f"{company} is prepared for certification by {held['prepared_by']}, not certified."
