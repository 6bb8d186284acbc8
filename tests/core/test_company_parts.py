"""Companies may be folded and compared a few at a time: no cell is left out or counted twice."""

from __future__ import annotations

import polars as pl
from core_frames import SHOWN, accounts, buckets, cells, rows, scope
from hypothesis import given
from hypothesis import strategies as st

from tieout.core import tie_out
from tieout.core.cells import PART_ROWS, in_parts, shown_members
from tieout.core.frames import CELL_KEY, sorted_by

KEY = list(CELL_KEY)
YEAR = scope("00001", "00060", first="2025-01")
CHART = accounts("00000001=30.5005", "00000002=40.5005")
LEDGER = buckets(
    {"amount": 500}, {"amount": 300, "account_id": "00000002"},
    {"amount": -800, "company": "00060"}, {"amount": 40, "period": 2},
)  # fmt: skip
SIZES = st.dictionaries(
    st.text("0123456789", min_size=1, max_size=5), st.integers(1, 2 * PART_ROWS)
)


@given(SIZES)
def test_every_company_stands_in_one_part_and_small_ones_share_it(sizes: dict[str, int]) -> None:
    parts = in_parts(sizes)
    assert [company for part in parts for company in part] == sorted(sizes)
    for part in parts:
        assert len(part) == 1 or sum(sizes[c] for c in part) <= PART_ROWS


def test_companies_that_a_mapping_names_are_left_for_a_part_of_their_own() -> None:
    assert in_parts({"00001": 1, "00002": 1, "00003": 1}, {"00002", "00009"}) == [
        ["00001", "00003"]
    ]


def test_cells_folded_company_by_company_are_those_folded_at_once() -> None:
    parts = [
        cells(LEDGER.filter(pl.col("company") == company), CHART, YEAR)
        for company in ("00001", "00060")
    ]
    assert pl.concat(parts).equals(cells(LEDGER, CHART, YEAR))


def test_a_comparison_company_by_company_is_the_comparison_at_once() -> None:
    ledger = cells(LEDGER, CHART, YEAR)
    more = {"account": "9999", "business_unit": "30", "ledger": "AA", "currency": "", "shown": 7}
    stale = rows(SHOWN, [more], company="00060", member="Jan 25")
    shown = pl.concat([rows(SHOWN, ledger.select(*KEY, shown="value").to_dicts()), stale])
    members = shown_members(YEAR.member_frame(), {})
    parts = [
        tie_out.compare(
            ledger.filter(pl.col("company") == company),
            shown.filter(pl.col("company") == company),
            members,
        )
        for company in ("00001", "00060")
    ]
    whole = tie_out.compare(ledger, shown, members)
    assert pl.concat(parts).equals(whole)
    tables = [tie_out.table(part, {}) for part in parts]
    assert pl.concat(tables).equals(tie_out.table(whole, {}))


VALUES = st.sampled_from(["", "a", "b", None])


@given(st.lists(st.tuples(VALUES, VALUES), max_size=6))
def test_leaving_out_columns_with_one_value_does_not_change_the_order(
    pairs: list[tuple[str | None, str | None]],
) -> None:
    frame = pl.DataFrame(pairs, schema={"a": pl.String, "b": pl.String}, orient="row")
    assert sorted_by(frame, ["a", "b"]).equals(frame.sort("a", "b"))
