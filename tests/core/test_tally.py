"""An account of rows: what came into a step went somewhere, in counts and in exact sums."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.core.findings import Severity
from tieout.core.frames import AMOUNT
from tieout.core.tally import (
    CONTROL,
    Loaded,
    Passage,
    Tally,
    added,
    control_total,
    not_accounted,
    tally_from,
    tally_of,
)

CURRENCIES = {"00001": "USD", "00060": "USD", "00070": "JPY"}
SCHEMA = {**dict.fromkeys(("company", "ledger", "currency"), pl.String), "amount": AMOUNT}
ROW = st.fixed_dictionaries(
    {
        "company": st.sampled_from(sorted(CURRENCIES)),
        "ledger": st.sampled_from(["AA", "CA"]),
        "currency": st.sampled_from(["", "", "EUR"]),
        "amount": st.decimals(-(10**15), 10**15, places=4),
    }
)
ROWS = st.lists(ROW, max_size=30)


def currency_of(_ledger: str, company: str) -> str:
    return CURRENCIES[company]


def counted(rows: list[dict[str, Any]]) -> Tally:
    return tally_of(pl.DataFrame(rows, schema=SCHEMA, orient="row"), "amount", currency_of)


def by_hand(rows: list[dict[str, Any]]) -> dict[str, Decimal]:
    """The same sums in plain Python."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[f"{row['ledger']} {row['currency'] or CURRENCIES[row['company']]}"] += row["amount"]
    return dict(sums)


@given(ROWS)
def test_rows_are_counted_and_added_up_by_ledger_and_currency(rows: list[dict[str, Any]]) -> None:
    assert counted(rows) == Tally(len(rows), by_hand(rows))


@given(ROWS)
def test_a_tally_survives_being_written_down(rows: list[dict[str, Any]]) -> None:
    assert tally_from(counted(rows).told()) == counted(rows)


@given(ROWS, st.data())
def test_rows_that_went_to_any_number_of_places_are_accounted_for(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    places: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        places[data.draw(st.sampled_from(["folded", "left out", "waiting"]))].append(row)
    went = {name: counted(there) for name, there in places.items()}

    passage = Passage("fold", "read", "lines", counted(rows), went)

    assert passage.agrees
    assert not_accounted([passage]) == []


@given(st.lists(ROW, min_size=1, max_size=30), st.data())
def test_one_row_removed_anywhere_is_a_difference_of_exactly_its_amount(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    lost = data.draw(st.integers(0, len(rows) - 1))
    left = rows[:lost] + rows[lost + 1 :]

    (finding,) = not_accounted(
        [Passage("prove", "mirrored", "lines", counted(rows), {"folded": counted(left)})]
    )

    assert (finding.rule, finding.severity) == ("not-accounted", Severity.DIFFERENCE)
    assert finding.cells == 1
    assert finding.what.startswith(f"1 of {len(rows)} lines went missing at the step “prove”")
    amount = rows[lost]["amount"]
    assert finding.amount == (amount or None)


@given(st.lists(ROW, min_size=1, max_size=30), st.data())
def test_an_amount_that_changed_on_its_way_is_a_difference_although_no_row_is_missing(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    changed = [*rows]
    changed[at] = rows[at] | {"amount": rows[at]["amount"] + Decimal("0.0001")}

    (finding,) = not_accounted(
        [Passage("compare", "folded", "cells", counted(rows), {"compared": counted(changed)})]
    )

    assert finding.cells == 0
    assert abs(finding.amount or 0) == Decimal("0.0001")


def test_amounts_of_several_currencies_never_cancel_out() -> None:
    usd = {"company": "00001", "ledger": "AA", "currency": "", "amount": Decimal(5)}
    jpy = usd | {"company": "00070", "amount": Decimal(-5)}

    passage = Passage("prove", "mirrored", "lines", counted([usd, jpy]), {"folded": Tally(2)})

    assert not passage.agrees
    (finding,) = not_accounted([passage])
    assert "-5.0000 in AA JPY; 5.0000 in AA USD" in finding.what
    assert finding.amount is None, "there is no sum of dollars and yen"


def test_rows_that_came_from_nowhere_are_a_difference_too() -> None:
    (finding,) = not_accounted([Passage("write", "to send", "cells", Tally(3), {"rows": Tally(4)})])

    assert finding.what.startswith("1 cells more than came")


@given(ROWS)
def test_a_control_total_of_a_file_is_that_of_the_rows_it_was_made_of(
    rows: list[dict[str, Any]],
) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    found = control_total(frame.lazy(), "amount")
    assert (found.rows, found.sums[CONTROL]) == (len(rows), sum(r["amount"] for r in rows))
    assert (found - counted(rows).control()).nothing


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.data())
def test_counts_that_anaplan_does_not_tell_are_settled_by_the_read_back(
    accepted: int, rejected: int, ignored: int, data: st.DataObject
) -> None:
    told = [data.draw(st.sampled_from([n, None])) for n in (accepted, rejected, ignored)]
    rows = accepted + rejected + ignored

    settled = Loaded(*told).settled(rows, rejected + ignored)

    assert sum(settled.values()) == rows
    assert all(n >= 0 for n in settled.values())
    assert (None in told) is any("read-back" in name for name in settled)


@pytest.mark.parametrize(("told", "agrees"), [((9, 0, 1), True), ((9, 0, 0), False)])
def test_a_row_that_anaplan_does_not_account_for_is_missing(
    told: tuple[int, int, int], agrees: bool
) -> None:
    became = Loaded(*told).settled(10, 0)
    went = {name: Tally(count) for name, count in became.items()}
    assert Passage("wait", "sent", "rows", Tally(10), went).agrees is agrees


@given(st.lists(ROWS, max_size=4))
def test_parts_add_up_to_the_whole(parts: list[list[dict[str, Any]]]) -> None:
    rows = [row for part in parts for row in part]
    assert (added(counted(part) for part in parts) - counted(rows)).nothing
