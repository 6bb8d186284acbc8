"""No evidence pack is made of what does not belong together; a difference is on its first page."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from zipfile import ZipFile

import pytest
from books import Books, assert_tied

from tieout.engine.story import Interrupted
from tieout.errors import Busy, Refused
from tieout.verbs.evidence import making

COMPANY, PERIOD = "00001", "2025-05"


def interrupt() -> None:
    """The process of the run dies."""
    raise Interrupted("compare:before")


def test_no_pack_is_made_while_a_run_may_change_what_is_packed(
    books: Books, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        books.run(full=True, meanwhile={"compare:before": interrupt})
    with pytest.raises(Busy, match="has a run under way"):
        making.make(books.instance, PERIOD, to=tmp_path / "pack.zip")
    assert not (tmp_path / "pack.zip").exists()


def test_no_pack_is_made_of_lines_that_were_read_after_both_sides_were_compared(
    books: Books, tmp_path: Path
) -> None:
    books.event("backdated", company=COMPANY, period=PERIOD, amount="12.34")
    seen = books.run(preview=True)
    with pytest.raises(Refused, match=f"{seen.id} read lines of actuals after"):
        making.make(books.instance, PERIOD, to=tmp_path / "pack.zip")
    assert_tied(books, books.run())
    making.make(books.instance, PERIOD, to=tmp_path / "pack.zip")


def test_a_kept_file_that_was_damaged_is_named_and_no_pack_is_made(
    books: Books, tmp_path: Path
) -> None:
    year = int(PERIOD[:4])
    kept = books.store.current("actuals", "lines", company=COMPANY, fiscal_year=year)[0]
    path = books.home / "records" / kept.path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(Refused, match=f"The kept file {kept.path} of run"):
        making.make(books.instance, PERIOD, to=tmp_path / "pack.zip")
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == []


def test_a_difference_of_the_period_is_on_the_first_page(books: Books, tmp_path: Path) -> None:
    cell = next(c for c in sorted(books.anaplan()) if c[0] == COMPANY and c[3] == "May 25")
    books.type_over(cell, Decimal("1.23"))
    assert books.tie_out().exit_code == 6
    told = making.make(books.instance, PERIOD, "actuals", tmp_path / "pack.zip")
    with ZipFile(tmp_path / "pack.zip") as pack:
        text = pack.read("index.html").decode()
    assert f"Company {COMPANY}, ledger AA: 1 of " in text
    assert "(1 cell unexplained)" in text
    assert text.count('"verdict attention"') == 2, "of the flow and of the company"
    assert any("1 cell unexplained" in sentence for sentence in told["verdicts"])
