"""A trace tells the story of a record: from a cell to its lines, and from a line to its cell."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from books import GZIP_WINDOW_BITS, Books, assert_tied
from hypothesis import given
from hypothesis import strategies as st

from tieout.errors import Misconfigured
from tieout.flows.drill import Wanted
from tieout.flows.partitions import outside
from tieout.verbs import setting_up
from tieout.verbs.tracing import trace

SAMPLE = 6


@pytest.fixture(scope="module")
def asked(loaded: Books, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """Loaded books that are only asked."""
    copied = loaded.copy(tmp_path_factory.mktemp("asked") / "home")
    yield copied
    copied.close()


def wanted_cell(cell: tuple[str, str, str, str]) -> Wanted:
    company, account, unit, member = cell
    return Wanted(company=company, account=account, business_unit=unit, member=member)


def one_story(books: Books, cell: tuple[str, str, str, str]) -> dict[str, Any]:
    """The story of exactly this cell: codes that begin alike may find others beside it."""
    found = trace(books.instance, wanted_cell(cell))
    assert "story" in found, [tuple(c[n] for n in ("account", "member")) for c in found["cells"]]
    return found


def sample_of(books: Books, dice: Random) -> list[tuple[str, str, str, str]]:
    """Cells whose account code is the beginning of no other's."""
    cells = sorted(books.anaplan())
    alone = [c for c in cells if not any(o[1].startswith(c[1] + ".") for o in cells)]
    return dice.sample(alone, SAMPLE)


def ledger_lines(books: Books, where: str, values: list[Any]) -> list[tuple[Any, ...]]:
    """Posted lines of ledger AA as the practice JD Edwards holds them."""
    db = sqlite3.connect(f"file:{books.home / 'sim' / 'jde.sqlite'}?mode=ro", uri=True)
    try:
        query = f"select DCT, DOC, KCO, JELN from F0911 where LT = 'AA' and POST = 'P' and {where}"
        return db.execute(query, values).fetchall()
    finally:
        db.close()


def test_the_lines_of_a_cell_add_up_to_it_and_each_leads_back_to_it(
    asked: Books, dice: Random
) -> None:
    for cell in sample_of(asked, dice):
        found = one_story(asked, cell)
        (figures,) = found["cells"]
        lines = [n for n in found["story"]["lines"] if n["holds"] and not n["summarised"]]
        assert sum(line["amount"] for line in lines) == figures["f0911"]
        assert sum(b["balance"] for b in found["story"]["buckets"]) == figures["f0902"]
        assert figures["shown"] == asked.anaplan()[cell]
        for line in lines:
            back = trace(
                asked.instance,
                Wanted(document=line["document"], document_type=line["document_type"],
                       amount=line["amount"]),
            )  # fmt: skip
            keys = [(c["company"], c["account"], c["business_unit"], c["member"])
                    for c in back["cells"]]  # fmt: skip
            assert cell in keys


def test_a_line_that_was_summarised_is_told_and_not_counted_beside_its_summary(
    asked: Books,
) -> None:
    """R09811 wrote a BF line for details that stay in F0911 with SUMM = Y."""
    kind, number, *_ = ledger_lines(asked, "SUMM = ? order by DOC limit 1", ["Y"])[0]
    found = trace(asked.instance, Wanted(document=number, document_type=kind))
    details = [line for line in found["lines"] if line["summarised"]]
    assert details
    cell = next(c for c in found["cells"])
    story = one_story(asked, (cell["company"], cell["account"], cell["business_unit"],
                              cell["member"]))["story"]  # fmt: skip
    told = {(n["document_type"], n["document"]): n for n in story["lines"] if n["holds"]}
    assert told[kind, number]["summarised"]
    assert any(n["document_type"] == "BF" and not n["summarised"] for n in told.values())


def test_a_document_is_found_with_every_line_the_ledger_has_of_it(
    asked: Books, dice: Random
) -> None:
    for cell in sample_of(asked, dice):
        line = one_story(asked, cell)["story"]["lines"][0]
        number, kind = line["document"], line["document_type"]
        found = trace(asked.instance, Wanted(document=number, document_type=kind))
        told = {(x["document_type"], x["document"], x["document_company"]) for x in found["lines"]}
        held = ledger_lines(asked, "DOC = ? and DCT = ?", [number, kind])
        inside = {row[:3] for row in held if row[2] in asked.companies}
        assert told == inside
        assert len(found["lines"]) == len([r for r in held if r[2] in asked.companies])


def test_the_line_of_the_file_that_a_trace_names_holds_the_cell_and_its_amount(
    asked: Books, dice: Random
) -> None:
    for cell in sample_of(asked, dice):
        (load, *_) = one_story(asked, cell)["story"]["loads"]
        chunks = [
            asked.store.read_bytes(m) for m in asked.store.kept(load["run"], kind="file")
        ]  # fmt: skip
        text = zlib.decompress(b"".join(chunks[: load["chunk"]]), GZIP_WINDOW_BITS).decode()
        line = text.splitlines()[load["line"] - 1].split(",")
        assert set(cell) <= {value.strip('"') for value in line}
        assert load["amount"] == Decimal(line[-1])
        assert load["read_back"] == load["amount"]
        assert load["task"]
        assert load["rejected"] == []


def test_a_mapped_code_is_told_with_who_mapped_it_and_why(asked: Books) -> None:
    (mapped,) = setting_up.mappings(asked.instance)
    found = trace(asked.instance, Wanted(business_unit=mapped["source"]))
    one = found["cells"][0]
    cell = (one["company"], one["account"], one["business_unit"], one["member"])
    (told,) = one_story(asked, cell)["story"]["mappings"]
    assert (told["source"], told["target"]) == (mapped["source"], mapped["target"])
    assert told["why"] == mapped["why"]
    assert told["set_by"]


def test_what_a_line_was_before_stands_beside_what_it_is(books: Books) -> None:
    books.event("edit_amount")
    run = books.run()
    assert_tied(books, run)
    moved = trace(books.instance, Wanted(), run=run.id)["cells"]
    cell = next(c for c in moved if c["f0911"])
    key = (cell["company"], cell["account"], cell["business_unit"], cell["member"])
    story = one_story(books, key)["story"]
    versions = [line for line in story["lines"] if not line["holds"]]
    assert versions
    assert {line["run"] for line in versions} == {"actuals-1"}
    assert sum(line["amount"] for line in story["lines"] if line["holds"]) == cell["f0911"]


def test_a_cell_that_waits_for_a_member_is_told_with_the_finding_and_since_when(
    new_books: Books,
) -> None:
    run = new_books.run()
    assert run.outcome == "needs_attention"
    rejected = new_books.findings(run, "unmatched-member")
    found = trace(new_books.instance, Wanted(business_unit=rejected[0].finding.member))
    cell = next(c for c in found["cells"] if c["f0911"])
    key = (cell["company"], cell["account"], cell["business_unit"], cell["member"])
    story = one_story(new_books, key)["story"]
    assert [f["rule"] for f in story["findings"]] == ["unmatched-member"]
    assert [o["since"] for o in story["open"]] == [run.id]
    assert story["loads"] == []


def test_a_cell_of_two_companies_is_told_with_the_buckets_of_both_by_either_code(
    books: Books,
) -> None:
    unit = min(c[2] for c in books.anaplan() if c[0] == "00001")
    setting_up.set_mapping(books.instance, "company", "00060", "00001", "planned together")
    setting_up.set_mapping(books.instance, "business_unit", "*", unit, "in one cost center")
    books.run()
    both = trace(books.instance, Wanted(company="00060", period=(2025, 3)))["cells"]
    cell = next(c for c in both if c["company"] == "00001" and c["f0911"])
    key = (cell["company"], cell["account"], cell["business_unit"], cell["member"])
    told = one_story(books, key)
    assert "00060" in {b["company"] for b in told["story"]["buckets"]}
    assert sum(b["amount"] for b in told["story"]["buckets"]) == told["cells"][0]["f0911"]


def test_what_no_run_ever_saw_is_said_to_be_in_no_record(asked: Books) -> None:
    for wanted in (Wanted(account="99999"), Wanted(document=1), Wanted(amount=Decimal("0.07"))):
        with pytest.raises(Misconfigured, match="Nothing in the records"):
            trace(asked.instance, wanted)


@given(st.lists(st.integers(1, 10**8), min_size=1), st.integers(1, 10**8))
def test_no_file_is_passed_over_that_holds_the_number_looked_for(
    numbers: list[int], other: int
) -> None:
    span = {"document": f"{min(numbers)}..{max(numbers)}"}
    assert not any(outside(span, "document", n) for n in numbers)
    assert not outside({}, "document", other)
    assert outside(span, "document", other) == (not min(numbers) <= other <= max(numbers))
