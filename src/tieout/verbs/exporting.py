"""Hand the last comparison out as a document that says by itself what it is and what it proves."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from tieout.app import Instance
from tieout.core.findings import counted
from tieout.core.frames import CELL_KEY
from tieout.errors import Busy, Misconfigured
from tieout.flows import certified, explained
from tieout.flows.scope import scope_for
from tieout.project import LoadActuals
from tieout.store.records import Manifest
from tieout.store.runs import Run
from tieout.verbs import acting, certifying, explaining, practice, seeing
from tieout.verbs.sheets import csv_file, excel, page
from tieout.verbs.sheets.sheet import Row, Sheet, Table, Value
from tieout.verbs.words import OUTCOMES

FORMS = (".csv", ".xlsx", ".html")
ROWS_AT_ONCE = 50_000  # that are in memory as values
VERSION = version("tieout")
WHAT = (
    "F0911 (posted ledger lines) = F0902 (balances) = Anaplan (read back), cell by cell, as a full "
    "outer join of company, account, business unit, period, ledger and currency"
)
NOT_COMPARED = "units, subledgers, opening balances, unposted lines"
SIGN = "that of the ledger, debit positive; Anaplan's amounts are turned back to it"
HASHED = (
    "over the rows of the table Hashes: company,period,cells,digest on a line each, in their "
    "order, every line ended by a line feed"
)
SUMS = ("gross_f0911", "gross_f0902", "gross_anaplan", "difference", "f0911", "f0902", "anaplan")
_KEY = list(CELL_KEY)
_NAMED = ("company", "account", "business_unit", "member", "ledger", "cell_currency")
_GAPS = ("f0911_less_f0902", "f0911_less_anaplan")
CELLS = (*_NAMED, "ledger_company", "currency", "period", "f0911", "f0902", "anaplan", *_GAPS)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which comparison is handed out; `period` None: all; `cells`: those that tie as well."""

    flow: str
    period: str | None = None
    cells: bool = False

    @property
    def named(self) -> str:
        """The period as it is written everywhere (2025-03), empty for all."""
        return _named(*seeing.period_of(self.period)) if self.period else ""

    def inside(self) -> list[pl.Expr]:
        """Conditions on fiscal year and period."""
        if not self.period:
            return []
        year, number = seeing.period_of(self.period)
        return [pl.col("fiscal_year") == year, pl.col("period") == number]


def form_of(path: Path) -> str:
    """The form that the name of a file asks for; Misconfigured when there is none such."""
    if path.suffix.lower() not in FORMS:
        raise Misconfigured(
            f"{path.name} does not say in which form the tie-out is wanted.",
            untouched="Nothing was written.", do=f"Let it end with {', '.join(FORMS)}.",
        )  # fmt: skip
    if not path.absolute().parent.is_dir():
        raise Misconfigured(
            f"There is no directory {path.parent}.", untouched="Nothing was written."
        )
    return path.suffix.lower()


def export(instance: Instance, asked: Asked, path: Path) -> dict[str, Any]:
    """Write the last comparison of a flow to `path`; what was written, and its SHA-256."""
    acting.require(instance, "view")
    form_of(path)
    return saved(instance, lambda: statement(instance, asked), path)


def saved(instance: Instance, made: Callable[[], Sheet], path: Path) -> dict[str, Any]:
    """Write a document whole or not at all; what was written, and its SHA-256."""
    form = form_of(path)
    part = path.with_name(path.name + ".part")
    try:
        sheet = made()
        with part.open("w+b") as file:
            written(instance, sheet, form, file)
            file.flush()
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.replace(part, path)
    except OSError as error:
        raise Misconfigured(
            f"{path} cannot be written: {os.strerror(error.errno or 0)}.",
            untouched="A file that was there before is as it was.",
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return {"file": str(path), "bytes": path.stat().st_size, "sha256": digest}


def written(instance: Instance, sheet: Sheet, form: str, file: BinaryIO) -> None:
    """Write a sheet in one of FORMS."""
    if form == ".csv":
        csv_file.write(sheet, file)
    elif form == ".xlsx":
        excel.write(sheet, file, instance.clock.now())
    else:
        page.write(sheet, file)


def statement(instance: Instance, asked: Asked) -> Sheet:
    """The last comparison of a flow as a document. Misconfigured when there is none.

    Busy when a run compared both sides anew while it was put together.
    """
    last = seeing.last_comparison(instance, asked.flow)
    if last is None:
        raise Misconfigured(
            f"No run of {asked.flow} has compared both sides yet.",
            untouched="Nothing was written.", do=f"`tieout run {asked.flow}` does.",
        )  # fmt: skip
    run = instance.store.run(last[0])
    told = seeing.tied(instance, asked.flow, asked.period)
    found = told | explaining.explain(instance, asked.flow, asked.period)
    compared = _Compared(instance, run, asked)
    facts = [
        *_facts(instance, asked, run, found), ("Compared at", last[1]),
        *compared.facts(), *made(instance),
    ]  # fmt: skip
    tables = [
        *_sums(found["tie_out"]), _classes(found["classes"]), compared.apart(found["differences"]),
        _certifications(instance, asked), compared.hashes(),
        *([compared.every()] if asked.cells else []),
    ]  # fmt: skip
    if seeing.last_comparison(instance, asked.flow) != last:
        raise Busy(
            f"A run of {asked.flow} compared both sides anew meanwhile.",
            untouched="Nothing was written.", do="Export it again.",
        )  # fmt: skip
    title = f"Tie-out of {asked.flow}" + (f", {asked.named}" if asked.named else "")
    return Sheet(title, verdict(found), bool(found["ok"]), facts, tables)


def verdict(found: dict[str, Any]) -> str:
    """Whether it ties, in a sentence that begins with the answer."""
    counts, cells = found["outcomes"], sum(row["cells"] for row in found["tie_out"])
    differing = sum(row["cells_differing"] for row in found["tie_out"])
    if found["ok"]:
        return f"All {counted(cells, 'cell')} tie."
    told = f"{differing:,} of {counted(cells, 'cell')} differ" if differing else "Not complete"
    by = f"{counts['explained']:,} explained by a class, {counts['unexplained']:,} unexplained"
    said = f" The run said: {found['sentence']}" if found.get("sentence") else ""
    return f"{told}: {by}.{said}"


def _facts(
    instance: Instance, asked: Asked, run: Run, found: dict[str, Any]
) -> list[tuple[str, Value]]:
    """What was compared, how it was asked, and how many cells tie."""
    project = instance.applied(run.config_version)
    flow = project.flows[asked.flow]
    assert isinstance(flow, LoadActuals), f"{asked.flow} loads no actuals"
    erp, planning = project.jde(flow), project.anaplan(flow)
    table, counts = found["tie_out"], found["outcomes"]
    periods = sorted({_period(row) for row in table})
    config = instance.store.config(run.config_version)
    back = flow.read_back.view or flow.read_back.export
    return [
        ("What was compared", WHAT),
        ("Not compared", NOT_COMPARED),
        ("Sign of amounts", SIGN),
        ("Flow", asked.flow),
        ("Asked for", f"period {asked.named}" if asked.named else "every period of the flow"),
        ("Companies", ", ".join(flow.companies)),
        ("Ledgers", ", ".join(flow.ledgers)),
        ("Periods", f"{periods[0]} to {periods[-1]}" if periods else "none"),
        ("JD Edwards", f"{erp.url}, environment {erp.environment}, role {erp.role}"),
        ("Anaplan", f"workspace {planning.workspace}, model {planning.model}, read from {back}"),
        ("Cells", sum(row["cells"] for row in table)),
        *((f"Cells {name}", number) for name, number in counts.items()),
        ("Configuration version", run.config_version),
        ("Configuration SHA-256", config.sha256 if config else ""),
        ("Mapping version", _mapping_version(instance, run)),
        ("Compared by run", f"{run.id} ({run.kind}), started by {run.started_by}"),
        ("Run started", run.started_at),
        ("Run ended", run.finished_at),
        ("Run outcome", f"{OUTCOMES[run.outcome]}. {run.sentence}"),
    ]  # fmt: skip


def _mapping_version(instance: Instance, run: Run) -> int:
    """The version of the mapping table by which the run folded its cells."""
    results = [step.result for step in instance.store.steps(run.id)]
    return next((int(r["mapping"]) for r in results if "mapping" in r), 0)


def made(instance: Instance) -> list[tuple[str, Value]]:
    """Who made a document, when, and with what."""
    practised = practice.practice_home(instance.home)
    by = acting.require(instance, "view")
    return [
        ("Made at", instance.clock.now()),
        ("Made by", by.name),
        ("Tieout version", VERSION),
        *([("Practice data", "nothing here is of a real system")] if practised else []),
    ]


def _period(row: dict[str, Any]) -> str:
    return _named(row["fiscal_year"], row["period"])


def _named(fiscal_year: int, period: int) -> str:
    return f"{fiscal_year}-{period:02d}"


def _sums(table: list[dict[str, Any]]) -> Iterator[Table]:
    counts = ("cells", "cells_differing")
    about = (
        "Sums over the cells of a company, ledger, currency{}; difference: sum of the differences "
        "of all cells, gross: sums of the amounts, both without their signs."
    )
    totals = [[t[n] for n in (*_TOTAL, "periods", *counts, *SUMS)] for t in seeing.totals(table)]
    yield Table("Totals", about.format(""), (*_TOTAL, "periods", *counts, *SUMS), lambda: totals)
    rows = [[*(r[n] for n in _TOTAL), _period(r), *(r[n] for n in (*counts, *SUMS))] for r in table]
    columns = (*_TOTAL, "period", *counts, *SUMS)
    yield Table("Sums", about.format(" and period"), columns, lambda: rows)


_TOTAL = ("company", "ledger", "currency")
_OF_CLASS = ("cells", "ledger_gap", "anaplan_gap", "evidence", "permits_complete",
             "permits_certification")  # fmt: skip


def _classes(found: list[dict[str, Any]]) -> Table:
    rows = [
        [c["class"], c["outcome"], c["ledger_company"], c["ledger"], c["currency"], _period(c),
         *(c[name] for name in _OF_CLASS)]
        for c in found
    ]  # fmt: skip
    columns = ("class", "outcome", "ledger_company", "ledger", "currency", "period", "cells",
               *_GAPS, *_OF_CLASS[3:])  # fmt: skip
    about = (
        "Which class explains differing cells, with its evidence, and whether it permits a "
        "complete run and a certification; amounts are sums without their signs."
    )
    return Table("Classes", about, columns, lambda: rows)


_OF_CERTIFICATION = (
    "state", "cells", "digest", "run", "prepared_by", "prepared_at", "certified_by", "certified_at",
    "reopened_by", "reason",
)  # fmt: skip


def _certifications(instance: Instance, asked: Asked) -> Table:
    rows = [
        [c["company"], _period(c), *(c[name] for name in _OF_CERTIFICATION)]
        for c in certifying.listed(instance, asked.flow)
        if asked.named in ("", _period(c))
    ]
    about = "What two people signed; a digest is that of the table Hashes when it was signed."
    columns = ("ledger_company", "period", *_OF_CERTIFICATION)
    return Table("Certifications", about, columns, lambda: rows)


class _Compared:
    """The compared cells of a flow, read from their files a few at a time."""

    def __init__(self, instance: Instance, run: Run, asked: Asked) -> None:
        self._store, self._inside = instance.store, asked.inside()
        self._files = instance.store.current(asked.flow, "compared")
        with instance.world_for(run.id, looking=True) as world:
            self._currencies = {c.company: c.currency for c in scope_for(world).companies}
        frame = self._scan(self._files)
        places = frame.select("ledger_company", "fiscal_year", "period").unique().collect().rows()
        self._digests = certified.digests(frame, sorted(places))

    def facts(self) -> list[tuple[str, Value]]:
        """The hash of all of them, and what it is of."""
        digest = certified.digest_of(self._digests)
        return [("SHA-256 of the compared cells", digest), ("That hash is", HASHED)]

    def hashes(self) -> Table:
        """The digest of each company and period, which is what is certified."""
        rows = [
            (company, _named(year, period), cells, digest)
            for (company, year, period), (digest, cells) in sorted(self._digests.items())
        ]
        about = (
            "SHA-256 over the compared cells as CSV: a header, then company, account, "
            "business_unit, member, ledger, cell currency, f0911, f0902 and anaplan with four "
            "decimals, sorted by the first six."
        )
        columns = ("ledger_company", "period", "cells", "digest")
        return Table("Hashes", about, columns, lambda: rows)

    def apart(self, differences: list[dict[str, Any]]) -> Table:
        """Every cell that does not tie, or that a class explains, once, with all its classes."""
        cells = pl.DataFrame(differences, schema=dict(explained.EXPLAINED_CELLS))
        classes = cells.group_by(_KEY).agg(
            pl.col("class").sort().str.join("; "), outcome=pl.col("outcome").max()
        )
        about = (
            "Every cell that does not tie, and those whose value is F0902's own; F0911 less F0902, "
            "and less Anaplan."
        )

        def rows() -> Iterator[Row]:
            for manifest in self._files:
                here = self._scan([manifest]).join(
                    classes.lazy(), on=_KEY, how="inner", nulls_equal=True, maintain_order="left"
                )
                yield from self._rows(here, ["held", "class", "outcome"])

        return Table("Cells that do not tie", about, (*CELLS, "held", "class", "outcome"), rows)

    def every(self) -> Table:
        """All compared cells."""

        def rows() -> Iterator[Row]:
            for manifest in self._files:
                yield from self._rows(self._scan([manifest]), [])

        return Table("Cells", "Every cell that was compared.", CELLS, rows)

    def _scan(self, files: list[Manifest]) -> pl.LazyFrame:
        return self._store.scan(files).filter(*self._inside)

    def _rows(self, frame: pl.LazyFrame, more: list[str]) -> Iterator[Row]:
        number = pl.col("period").cast(pl.String).str.zfill(2)
        base = pl.col("ledger_company").replace_strict(self._currencies, default="")
        shown = frame.select(
            *_KEY, "ledger_company",
            shown_in=pl.when(pl.col("currency") != "").then(pl.col("currency")).otherwise(base),
            at=pl.concat_str("fiscal_year", pl.lit("-"), number),
            f0911="f0911", f0902="f0902", anaplan="anaplan",
            off_ledger=pl.col("f0911") - pl.col("f0902"),
            off_anaplan=pl.col("f0911") - pl.col("anaplan"),
            **{f"more_{name}": pl.col(name) for name in more},
        ).collect()  # fmt: skip
        for part in shown.iter_slices(ROWS_AT_ONCE):
            yield from part.iter_rows()
