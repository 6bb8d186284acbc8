"""A tie-out that is handed out says what the comparison said, to the cent, and what it is of."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from books import Books
from python_calamine import CalamineWorkbook

from tieout.errors import Misconfigured
from tieout.verbs import exporting, seeing
from tieout.verbs.exporting import Asked

PERIOD = "2025-05"
Rows = list[dict[str, str]]


def tables(path: Path) -> tuple[dict[str, str], dict[str, Rows]]:
    """The facts and the tables of an exported CSV."""
    with path.open(newline="") as file:
        lines = list(csv.reader(file))
    breaks = [n for n, line in enumerate(lines) if not line]
    found: dict[str, Rows] = {}
    for begin, end in zip(breaks, [*breaks[1:], len(lines)], strict=True):
        (name, _), columns, *rows = lines[begin + 1 : end]
        found[name] = [dict(zip(columns, row, strict=True)) for row in rows]
    return {line[0]: line[1] for line in lines[2 : breaks[0]]}, found


def sums(rows: list[Mapping[str, object]] | Rows) -> dict[tuple[object, ...], Decimal]:
    """Absolute amounts of cells by company and side."""
    found: dict[tuple[object, ...], Decimal] = {}
    for row in rows:
        for side in ("f0911", "f0902", "anaplan"):
            key = (row["company"], side)
            found[key] = found.get(key, Decimal(0)) + abs(_exact(row[side]))
    return found


def _exact(value: object) -> Decimal:
    return Decimal(repr(value) if isinstance(value, float) else str(value))


def expected(books: Books, period: str) -> dict[tuple[object, ...], Decimal]:
    """The same of the tie-out as it is kept."""
    return {
        (row["company"], side): row[f"gross_{side}"]
        for row in seeing.tie_out_table(books.instance, "actuals", period)
        for side in ("f0911", "f0902", "anaplan")
    }


def test_csv_and_workbook_add_up_to_the_tie_out_to_the_cent(books: Books, tmp_path: Path) -> None:
    asked = Asked("actuals", PERIOD, cells=True)
    for name in ("tie.csv", "tie.xlsx"):
        done = exporting.export(books.instance, asked, tmp_path / name)
        data = (tmp_path / name).read_bytes()
        assert done["sha256"] == hashlib.sha256(data).hexdigest()

    facts, found = tables(tmp_path / "tie.csv")
    told = expected(books, PERIOD)
    assert sums(found["Cells"]) == told
    assert sums([
        {"company": r["company"], **{s: r[f"gross_{s}"] for s in ("f0911", "f0902", "anaplan")}}
        for r in found["Sums"]
    ]) == told  # fmt: skip

    book = CalamineWorkbook.from_path(str(tmp_path / "tie.xlsx"))
    _, columns, *rows = book.get_sheet_by_name("Cells").to_python(skip_empty_area=False)
    titles = [str(column) for column in columns]
    assert sums([dict(zip(titles, row, strict=True)) for row in rows]) == told
    assert {row[0] for row in rows} == {key[0] for key in told}, "codes keep their zeros"
    assert facts["Cells"] == str(len(rows)) == str(len(found["Cells"]))


def test_the_hash_on_a_tie_out_is_rebuilt_from_its_own_cells(books: Books, tmp_path: Path) -> None:
    exporting.export(books.instance, Asked("actuals", PERIOD, cells=True), tmp_path / "tie.csv")
    facts, found = tables(tmp_path / "tie.csv")
    key = ("company", "account", "business_unit", "member", "ledger", "cell_currency")
    places = sorted({(c["ledger_company"], c["period"]) for c in found["Cells"]})
    whole = ""
    for place in places:
        company, period = place
        here = [c for c in found["Cells"] if (c["ledger_company"], c["period"]) == place]
        here.sort(key=lambda c: [c[name] for name in key])
        text = "company,account,business_unit,member,ledger,currency,f0911,f0902,anaplan\n"
        for c in here:
            sides = (f"{Decimal(c[side]):.4f}" for side in ("f0911", "f0902", "anaplan"))
            text += ",".join([*(c[n] or '""' for n in key), *sides]) + "\n"
        digest = hashlib.sha256(text.encode()).hexdigest()
        assert {"ledger_company": company, "period": period, "cells": str(len(here)),
                "digest": digest} in found["Hashes"]  # fmt: skip
        whole += f"{company},{period},{len(here)},{digest}\n"
    assert facts["SHA-256 of the compared cells"] == hashlib.sha256(whole.encode()).hexdigest()


def test_a_tie_out_says_who_compared_what_when_and_by_which_versions(
    books: Books, tmp_path: Path
) -> None:
    exporting.export(books.instance, Asked("actuals"), tmp_path / "tie.csv")
    facts, found = tables(tmp_path / "tie.csv")
    assert exporting.statement(books.instance, Asked("actuals", "2025-5")).title.endswith(PERIOD)
    run, at = seeing.last_comparison(books.instance, "actuals") or ("", books.clock.now())
    assert facts["Compared by run"].startswith(f"{run} (load_actuals), started by ")
    assert facts["Compared at"] == at.isoformat()
    assert (facts["Configuration version"], facts["Mapping version"]) == ("1", "1")
    assert facts["Companies"] == ", ".join(books.companies)
    assert facts["Tieout version"]
    assert facts["Sign of amounts"].startswith("that of the ledger, debit positive")
    assert facts["Cells tied"] == facts["Cells"]
    assert "Cells" not in found, "only where all cells are asked for"
    assert found["Cells that do not tie"] == []


def test_a_cell_that_differs_is_handed_out_with_its_amounts_and_its_class(
    books: Books, tmp_path: Path
) -> None:
    cell = next(c for c in sorted(books.anaplan()) if c[0] == "00001" and c[3] == "May 25")
    books.type_over(cell, Decimal("1.23"))
    assert books.tie_out().exit_code == 6
    for name in ("tie.csv", "tie.html"):
        exporting.export(books.instance, Asked("actuals", PERIOD), tmp_path / name)
    facts, found = tables(tmp_path / "tie.csv")
    (apart,) = found["Cells that do not tie"]
    assert (apart["company"], apart["account"], apart["business_unit"]) == cell[:3]
    assert (apart["outcome"], facts["Cells unexplained"]) == ("unexplained", "1")
    gap = Decimal(apart["f0911"]) - Decimal(apart["anaplan"])
    assert Decimal(apart["f0911_less_anaplan"]) == gap != 0
    (kind,) = found["Classes"]
    assert Decimal(kind["f0911_less_anaplan"]) == abs(gap)
    assert (kind["permits_complete"], kind["permits_certification"]) == ("no", "no")
    text = (tmp_path / "tie.html").read_text()
    assert '<p class="verdict attention">1 of ' in text


def test_a_file_that_cannot_be_written_or_has_no_form_is_refused_and_nothing_is_left(
    books: Books, tmp_path: Path
) -> None:
    for path in (tmp_path / "tie.pdf", tmp_path / "nowhere" / "tie.csv"):
        with pytest.raises(Misconfigured):
            exporting.export(books.instance, Asked("actuals"), path)
    with pytest.raises(Misconfigured, match="No cell of actuals is in 2031-01"):
        exporting.export(books.instance, Asked("actuals", "2031-01"), tmp_path / "tie.csv")
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ""] == []
