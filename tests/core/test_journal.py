"""A journal's names follow from what it says, and an approval is bound to all of it."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from core_frames import rows
from hypothesis import given
from hypothesis import strategies as st
from plan_frames import chart, checked, holdings, plan, years

from tieout.core.difference import revise
from tieout.core.frames import DIFFERENCES
from tieout.core.journal import (
    HELD,
    Batch,
    JournalRule,
    build,
    cut,
    digest_of,
    explanation,
    key_findings,
    too_long_findings,
)

RULE = JournalRule("BN", "Anaplan Budget 26", 500)


def moved(*given_rows: Mapping[str, Any]) -> pl.DataFrame:
    """Differences of account id 00000001 in January 2026, but for what is given."""
    return rows(
        DIFFERENCES, given_rows, company="00001", ledger="BA", account_id="00000001",
        fiscal_year=2026, period=1, account="5005", business_unit="30", member="Jan 26",
        currency="USD", decimals=2, gl_date=date(2026, 1, 31), difference=Decimal(0), zeroed=False,
    )  # fmt: skip


def seen(*given_rows: Mapping[str, Any]) -> pl.DataFrame:
    """How many documents of ours that cell has seen."""
    usual = {"company": "00001", "ledger": "BA", "account_id": "00000001", "fiscal_year": 2026}
    return rows(HELD, given_rows, **usual, period=1)


def built(*given_rows: Mapping[str, Any], documents: int = 0, rule: JournalRule = RULE) -> Batch:
    held = seen({"documents": documents}) if documents else seen()
    return build(moved(*given_rows), held, rule)


TWO = ({"difference": Decimal(20)}, {"difference": Decimal("-5.5"), "account_id": "00000002"})


# ------------------------------------------------------------------------ documents


def test_a_journal_is_one_company_one_period_and_one_currency() -> None:
    found = built(
        *TWO,
        {"difference": Decimal(1), "company": "00060"},
        {"difference": Decimal(1), "period": 2, "gl_date": date(2026, 2, 28)},
        {"difference": Decimal(0), "period": 3},
    )
    assert [(j.company, j.period, j.lines) for j in found.journals] == [
        ("00001", 1, 2), ("00001", 2, 1), ("00060", 1, 1),
    ]  # fmt: skip
    first = found.journals[0]
    assert (first.debits, first.credits, first.net) == (20, Decimal("5.5"), Decimal("14.5"))
    lines = found.lines_of(first).select("line", "account_id", "amount", "remark")
    assert lines.rows() == [
        (1, "00000001", Decimal(20), "5005 × 30 Jan 26"),
        (2, "00000002", Decimal("-5.5"), "5005 × 30 Jan 26"),
    ]


def test_nothing_to_move_is_no_journal() -> None:
    assert built({"difference": Decimal(0)}).journals == ()
    assert built().lines.is_empty()


def test_a_document_has_at_most_so_many_lines() -> None:
    many = [{"difference": Decimal(n), "account_id": f"{n:08d}"} for n in range(1, 8)]
    found = built(*many, rule=JournalRule("BN", "x", 3))
    assert [(j.chunk, j.chunks, j.lines) for j in found.journals] == [
        (1, 3, 3),
        (2, 3, 3),
        (3, 3, 1),
    ]
    assert found.lines["line"].to_list() == [1, 2, 3, 1, 2, 3, 1]
    assert found.lines["account_id"].to_list() == [f"{n:08d}" for n in range(1, 8)]


def test_a_ledger_that_must_balance_is_not_torn_apart() -> None:
    many = [{"difference": Decimal(n), "account_id": f"{n:08d}"} for n in range(1, 8)]
    rule = JournalRule("BN", "x", 3, frozenset({"BA"}))
    found = built(*many, rule=rule)
    assert [j.lines for j in found.journals] == [7]
    assert [f.cells for f in too_long_findings(found.journals, rule)] == [7]
    assert too_long_findings(built(*TWO, rule=rule).journals, rule) == []


# ------------------------------------------------------------------------ names


def test_keys_fit_their_fields_and_are_their_own_batch_in_jde() -> None:
    (journal,) = built(*TWO).journals
    assert re.fullmatch("T[0-9A-HJKMNP-TV-Z]{21}", journal.transaction_number)
    assert re.fullmatch("T[0-9A-HJKMNP-TV-Z]{14}", journal.batch_token)
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{8}", journal.reference)
    assert journal.explanation == f"Anaplan Budget 26 {journal.reference}"


def test_a_plan_that_goes_back_and_forth_is_a_journal_each_time() -> None:
    """120 → 100 → 120 → 100: the ledger remembers how often we were there."""
    steps = [-20, 20, -20]
    keys = {
        built({"difference": Decimal(step)}, documents=n).journals[0].transaction_number
        for n, step in enumerate(steps, 1)
    }
    assert len(keys) == 3


def test_a_restored_database_builds_the_same_journal_under_the_same_names() -> None:
    one, other = built(*TWO, documents=3), built(*reversed(TWO), documents=3)
    assert (one.journals, one.digest) == (other.journals, other.digest)
    assert one.lines.equals(other.lines)


def test_what_became_of_one_document_does_not_rename_the_others() -> None:
    """The first of two chunks arrived, the database was restored: the second keeps its name."""
    small = JournalRule("BN", "x", 1)
    both = build(moved(*TWO), seen(), small)
    rest = build(moved(TWO[1]), seen({"documents": 1}), small)
    assert rest.journals[0].transaction_number == both.journals[1].transaction_number


def test_names_do_not_depend_on_words() -> None:
    """A new label needs a new approval, and is no reason to send an amount twice."""
    other = built(*TWO, rule=JournalRule("BN", "Forecast", 500))
    assert other.journals[0].reference == built(*TWO).journals[0].reference
    assert other.digest != built(*TWO).digest


FIELDS = {
    "company": "00002", "ledger": "JA", "account_id": "00000009", "fiscal_year": 2027, "period": 2,
    "currency": "EUR", "gl_date": date(2026, 1, 30), "difference": Decimal("20.01"),
    "subledger": "7", "subledger_type": "A",
}  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_whatever_reaches_the_ledger_changes_every_name_and_the_digest(field: str) -> None:
    one, other = built(TWO[0]), built(TWO[0] | {field: FIELDS[field]})
    for name in ("transaction_number", "batch_token", "reference"):
        assert getattr(one.journals[0], name) != getattr(other.journals[0], name)
    assert one.digest != other.digest


def test_two_journals_under_one_reference_are_refused() -> None:
    (journal,) = built(TWO[0]).journals
    assert key_findings([journal]) == []
    twin = replace(journal, period=2)
    (finding,) = key_findings([journal, twin])
    assert finding.subject == f"reference {journal.reference}"
    assert "2026-01" in finding.what
    assert "2026-02" in finding.what


# ------------------------------------------------------------------------ the digest


def hashed(array: list[Any]) -> bytes:
    """SHA-256 of the canonical JSON, by the standard library alone."""
    text = json.dumps(array, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def test_the_names_are_the_hash_of_what_moves_and_anybody_can_compute_them() -> None:
    """The golden vector: a change here lets a restored database send a journal twice."""
    (j,) = built(*TWO, documents=3).journals
    array = [
        "tieout journal 1", ["BN", "00001", "BA", "2026", "1", "USD", "2026-01-31"],
        [["00000001", "", "", "20.0000", "3"], ["00000002", "", "", "-5.5000", "0"]],
    ]  # fmt: skip
    bits = "".join(f"{byte:08b}" for byte in hashed(array))
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    letters = "".join(digits[int(bits[n : n + 5], 2)] for n in range(0, 215, 5))
    assert (j.transaction_number, j.batch_token, j.reference) == (
        f"T{letters[:21]}", f"T{letters[21:35]}", letters[35:43],
    )  # fmt: skip
    assert (j.transaction_number, j.batch_token, j.reference) == (
        "TFTF9EXBMGN7BJ3C2JVCJW",
        "TVGTQK8GPVCWX67",
        "6RVPXHZR",
    )


def test_the_digest_is_the_hash_of_all_lines_and_anybody_can_compute_it() -> None:
    """The golden vector: a change here voids every approval that was given."""
    found = built(*TWO)
    (j,) = found.journals
    array = ["tieout batch 1", [[
        j.transaction_number, j.batch_token, j.reference, "00001", "BA", "BN", "USD", "2026", "1",
        "2026-01-31", "1", "1", f"Anaplan Budget 26 {j.reference}",
        [["1", "00001", "00000001", "", "", "20.0000", "5005 × 30 Jan 26"],
         ["2", "00001", "00000002", "", "", "-5.5000", "5005 × 30 Jan 26"]],
    ]]]  # fmt: skip
    assert found.digest == hashed(array).hex()
    assert found.digest == "7f921a09d93b041c86a6a389328c198fa5aeedc6526ac9c13e17eee6553e51bf"


def test_the_digest_says_no_when_a_line_is_missing_or_moved() -> None:
    found = built(*TWO)
    assert digest_of(found.journals, found.lines) == found.digest
    assert digest_of(found.journals, found.lines.head(1)) != found.digest
    assert digest_of(found.journals, found.lines.reverse()) != found.digest
    assert digest_of((), found.lines) != found.digest


# ------------------------------------------------------------------------ texts


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Budget 26", "Budget 26"),
        ("  Budget\n26 ", "Budget 26"),
        ("x" * 30, "x" * 30),
        ("Bu\u0308ro", "B\u00fcro"),
        ("plan \U0001f680", "plan ?"),
    ],
)
def test_a_text_that_fits_is_kept(text: str, kept: str) -> None:
    assert cut(text, 30) == kept


@given(st.text(max_size=90), st.text(max_size=90), st.integers(8, 30))
def test_texts_are_cut_to_the_field_the_same_way_every_time(
    one: str, other: str, width: int
) -> None:
    assert len(cut(one, width)) <= width
    assert cut(cut(one, width), width) == cut(one, width)
    clean = [cut(text, 1_000) for text in (one, other)]
    assert (cut(one, width) == cut(other, width)) == (clean[0] == clean[1])


def test_two_long_texts_that_begin_alike_stay_two_texts() -> None:
    one, other = "Travel and entertainment, North", "Travel and entertainment, South"
    assert cut(one, 30) != cut(other, 30)
    assert len(cut(one, 30)) == 30


def test_the_reference_in_an_explanation_is_never_cut() -> None:
    text = explanation("A very long label of a very long plan", "ABCD1234")
    assert len(text) == 30
    assert text.endswith(" ABCD1234")


# ------------------------------------------------------------------------ speed

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
CPU_SECONDS_MAX = 2


def test_twenty_thousand_plan_lines_are_checked_differenced_and_built_in_two_seconds() -> None:
    keys = [(unit, number) for unit in range(20) for number in range(5000, 5084)]
    known = chart(*(f"{n}=00001/U{u}.{o}" for n, (u, o) in enumerate(keys, 1)))
    named = plan(
        *({"account": str(o), "business_unit": f"U{u}", "member": f"{m} 26",
           "amount": Decimal(o * n) / 3} for u, o in keys for n, m in enumerate(MONTHS, 1))
    ).head(20_000)  # fmt: skip
    held = holdings({(n, p): 100 for n in range(1, len(keys) + 1, 2) for p in range(1, 13)})
    within = years()
    begin = time.process_time()
    found = checked(named, known, scope=within)
    revision = revise(found, held, within, known)
    batch = build(revision.to_send(), seen(), RULE)
    used = time.process_time() - begin
    print(f"20,000 plan lines checked, differenced and built in {used:.2f} s of CPU")
    assert batch.lines.height == revision.to_send().height > 19_000
    assert sum(j.lines for j in batch.journals) == batch.lines.height
    assert used < CPU_SECONDS_MAX
