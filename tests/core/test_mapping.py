"""Codes mapped on their way into Anaplan: since which period, to which member, of whom."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from core_frames import accounts, buckets, cells, mapping, scope, values

from tieout.core import cells as core

CHART = accounts(
    "00000001=30.5005", "00000002=30.5005.TRAVEL", "00000003=M30.000456", "00000004=40.4010",
    "00000005=30.49995",
)  # fmt: skip
YEAR = scope("00001", "00060", "00070", first="2025-01")


@pytest.mark.parametrize(
    ("table", "target"),
    [
        (mapping(), "5005"),
        (mapping("5005>6000"), "6000"),
        (mapping("5006>6000"), "5005"),
        (mapping("5005>6000", "6000>7000"), "6000"),  # one step, no chains
        (mapping("5005>6000@2025-03"), "5005"),
        (mapping("5005>6000@2025-02"), "6000"),
        (mapping("5005>6000", "5005>6100@2025-02"), "6100"),
        (mapping("5005>6100@2025-02", "5005>6000"), "6100"),
        (mapping("5005>6000", "5005>6100"), "6100"),  # of one start: the later row
        (mapping("5005>6000", "5005>6100@2025-03"), "6000"),
        (mapping("5005>6000@2024-12", "5005>6100@2025-01"), "6100"),
        (mapping("5005>6000").drop("effective_from"), "6000"),
    ],
)
def test_a_code_goes_to_the_latest_target_that_has_begun(table: pl.DataFrame, target: str) -> None:
    found = cells(buckets({"amount": 5, "period": 2}), CHART, YEAR, account=table)
    assert values(found) == {f"{target} 30 Feb 25": Decimal(5)}


OWN_MEMBERS = {("R", 2025, n): name for n, name in ((12, "Dec 25"), (13, "P13"), (14, "P14"))}
ADJUSTED = buckets(*({"amount": 10**n, "period": 12 + n} for n in range(3)))


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("2025-12", {"6000 30 Dec 25": 111}),
        ("2025-13", {"5005 30 Dec 25": 111}),
        ("2025-14", {"5005 30 Dec 25": 111}),
    ],
)
def test_an_adjusting_period_that_is_folded_is_mapped_as_the_period_that_shows_it(
    since: str, found: dict[str, int]
) -> None:
    """Its amounts stand in December's cell, and one cell has one account."""
    folded = scope("00001", first="2025-01", last="2025-14", period_13={"default": "fold"})
    shown = cells(ADJUSTED, CHART, folded, account=mapping(f"5005>6000@{since}"))
    assert values(shown) == found


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("2025-12", {"6000 30 Dec 25": 1, "6000 30 P13": 10, "6000 30 P14": 100}),
        ("2025-13", {"5005 30 Dec 25": 1, "6000 30 P13": 10, "6000 30 P14": 100}),
        ("2025-14", {"5005 30 Dec 25": 1, "5005 30 P13": 10, "6000 30 P14": 100}),
        ("2026-01", {"5005 30 Dec 25": 1, "5005 30 P13": 10, "5005 30 P14": 100}),
    ],
)
def test_a_mapping_may_begin_with_an_adjusting_period_that_has_its_own_member(
    since: str, found: dict[str, int]
) -> None:
    policy = {"members": OWN_MEMBERS, "period_13": {"default": "separate"}}
    apart = scope("00001", first="2025-12", last="2025-14", **policy)
    shown = cells(ADJUSTED, CHART, apart, account=mapping(f"5005>6000@{since}"))
    assert values(shown) == found


def test_a_mapping_of_one_period_leaves_the_earlier_one_where_it_was() -> None:
    rows_given = buckets({"amount": 5, "period": 2}, {"amount": 6, "period": 3})
    found = cells(rows_given, CHART, YEAR, business_unit=mapping("30>CC30@2025-03"))
    assert values(found) == {"5005 30 Feb 25": Decimal(5), "5005 CC30 Mar 25": Decimal(6)}


def test_a_mapped_company_is_loaded_and_read_back_under_its_other_code() -> None:
    table = {"company": mapping("00001>US01")}
    found = cells(buckets({"amount": 5}), CHART, YEAR, **table)
    assert found["company"].to_list() == ["US01"]
    members = core.shown_members(YEAR.member_frame(), table)
    assert set(members["company"].to_list()) == {"US01", "00060", "00070"}
    assert members.height == YEAR.member_frame().height
    assert core.company_currencies(members)["US01"] == "USD"


def test_companies_of_two_currencies_in_one_cell_are_held() -> None:
    table = {"company": mapping("00070>00001")}
    mixed = buckets({"amount": 5}, {"amount": 700, "company": "00070"})
    found = cells(mixed, CHART, YEAR, **table)
    assert found["held"].to_list() == [core.TWO_CURRENCIES]
    assert core.company_currencies(core.shown_members(YEAR.member_frame(), table))["00001"] == ""
    alone = cells(buckets({"amount": 5}), CHART, YEAR, **table)
    assert alone["held"].to_list() == [""]


def test_companies_of_one_currency_may_share_a_cell() -> None:
    shared = buckets({"amount": 5}, {"amount": 7, "company": "00060"})
    found = cells(shared, CHART, YEAR, company=mapping("00060>00001"))
    assert found.select("value", "held", "buckets").rows() == [(Decimal(12), "", 2)]


def test_a_cell_of_two_calendars_names_a_period_that_exists() -> None:
    """September 2025 is 2024-12 in the Oct–Sep company and 2025-09 in the other."""
    both = scope("00001", "00090", first="2024-01")
    shared = buckets(
        {"amount": 5, "period": 9},
        {"amount": 7, "company": "00090", "fiscal_year": 2024, "period": 12},
    )
    found = cells(shared, CHART, both, company=mapping("00090>00001"))
    assert found.select("member", "fiscal_year", "period").rows() == [("Sep 25", 2024, 12)]
