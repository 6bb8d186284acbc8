"""Ranges, patterns and a default: which row of the mapping table takes a code, and since when."""

from __future__ import annotations

import re
from random import Random

import polars as pl
import pytest
from core_frames import mapping
from hypothesis import given, reject
from hypothesis import strategies as st

from tieout.core.mapping import (
    KINDS,
    conflicts,
    ends,
    fault,
    kind_of,
    mapped_to,
    meet,
    resolved,
    takes,
    through_mapping,
)

CODES = st.text("0129A.", min_size=1, max_size=4)
RANGES = st.tuples(CODES, CODES).map(lambda p: "..".join(sorted(p))).filter(lambda s: not fault(s))
PATTERNS = st.text("01A*?", min_size=1, max_size=4).filter(lambda s: kind_of(s) == "pattern")


def target_of(code: str, *rows: str, at: tuple[int, int] = (2025, 6)) -> str:
    frame = pl.DataFrame(
        {"account": [code], "shown_year": [at[0]], "shown_period": [at[1]]},
        schema_overrides={"shown_year": pl.Int32, "shown_period": pl.Int16},
    )
    found: str = through_mapping(frame, "account", mapping(*rows))["account"].item()
    return found


@pytest.mark.parametrize(
    ("code", "rows", "target"),
    [
        ("4010", ["4000..4999>SALES"], "SALES"),
        ("49995", ["4000..4999>SALES"], "SALES"),  # begins with the last code
        ("5000", ["4000..4999>SALES"], "5000"),
        ("0456", ["0400..0499>A", "400..499>B"], "A"),  # objects are text
        ("4010.HRS", ["*.HRS>HOURS"], "HOURS"),
        ("4010", ["4?10>X"], "X"),
        ("4110", ["4?10>X"], "X"),
        ("41110", ["4?10>X"], "41110"),
        ("9", ["*>OTHER"], "OTHER"),
        ("4010", ["*>OTHER", "40*>P", "4000..4999>R", "4010>E"], "E"),
        ("4011", ["*>OTHER", "40*>P", "4000..4999>R", "4010>E"], "R"),
        ("40", ["*>OTHER", "40*>P", "4000..4999>R", "4010>E"], "P"),
        ("41", ["*>OTHER", "40*>P"], "OTHER"),
        ("4010", ["4000..4999>OLD", "4000..4499>NEW@2025-04"], "NEW"),
        ("4600", ["4000..4999>OLD", "4000..4499>NEW@2025-04"], "OLD"),
        ("4010", ["4000..4999>OLD", "4000..4499>NEW@2025-07"], "OLD"),
        ("4010", ["4000..4999>OLD", "4010>=@2025-05"], "4010"),  # from then on itself
        ("4010", ["*>OTHER@2026-01"], "4010"),
        ("?00012", ["*>OTHER", "?00012>X"], "?00012"),  # an account that F0901 never showed
        ("a+b", ["a+*>X"], "X"),  # a dot or plus is itself
        ("aab", ["a+*>X"], "aab"),
    ],
)
def test_the_nearest_row_that_has_begun_takes_a_code(
    code: str, rows: list[str], target: str
) -> None:
    assert target_of(code, *rows) == target


def test_a_code_changes_its_target_each_time_another_row_takes_it() -> None:
    rows = mapping("*>OTHER", "4*>P@2025-02", "4010>E@2025-05", "4000..4999>R@2025-04")
    found = resolved(rows, pl.Series(["4010", "4011", "4010"]))
    told: dict[str, list[tuple[int, str, str]]] = {code: [] for code in ("4010", "4011")}
    for source, target, since, rule in found.sort("source", "since").iter_rows():
        told[source].append((since, target, rule))
    assert told == {
        "4010": [(0, "OTHER", "*"), (202502, "P", "4*"), (202504, "R", "4000..4999"),
                 (202505, "E", "4010")],
        "4011": [(0, "OTHER", "*"), (202502, "P", "4*"), (202504, "R", "4000..4999")],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["4000..4999>A", "4500..5999>B"], [("4000..4999", "4500..5999")]),
        (["4000..4999>A", "5000..5999>B"], []),
        (["4000..4999>A", "49995..5>B"], [("4000..4999", "49995..5")]),
        (["4000..4999>A", "4500..5999>A"], []),  # they agree
        (["4000..4999>A", "4500..5999>B@2025-04"], []),  # the later one holds from then on
        (["40*>A", "*10>B"], [("40*", "*10")]),
        (["40*>A", "41*>B"], []),
        (["4?>A", "?4*>B"], [("4?", "?4*")]),
        (["40*>A", "4000..4999>B", "4010>C", "*>D"], []),  # of different kinds
    ],
)
def test_two_rows_that_may_take_one_code_are_told_before_they_are_set(
    rows: list[str], told: list[tuple[str, str]]
) -> None:
    assert list(conflicts(mapping(*rows))) == told


@pytest.mark.parametrize("source", ["4999..4000", "..4999", "4000..", "4..5..6"])
def test_a_range_that_cannot_be_one_is_told(source: str) -> None:
    assert fault(source)


@given(st.lists(st.one_of(RANGES, PATTERNS), min_size=2, max_size=2), st.lists(CODES, max_size=30))
def test_what_both_sources_take_is_told_as_a_conflict(sources: list[str], codes: list[str]) -> None:
    one, other = sources
    if kind_of(one) != kind_of(other):
        return
    frame = pl.DataFrame({"code": codes}, schema={"code": pl.String})
    both = frame.filter(takes(one) & takes(other))
    if both.height:
        assert meet(one, other)


@given(st.lists(RANGES, min_size=2, max_size=2))
def test_two_ranges_meet_only_where_some_code_is_in_both(sources: list[str]) -> None:
    one, other = sources
    low = max(ends(one)[0], ends(other)[0])
    frame = pl.DataFrame({"code": [low]})
    assert meet(one, other) == bool(frame.filter(takes(one) & takes(other)).height)


@given(PATTERNS, st.lists(st.text("01A*?.+", max_size=6), max_size=20))
def test_a_pattern_fits_as_people_read_it(pattern: str, codes: list[str]) -> None:
    frame = pl.DataFrame({"code": codes}, schema={"code": pl.String})
    read = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    assert frame.filter(takes(pattern))["code"].to_list() == [
        c for c in codes if re.fullmatch(read, c)
    ]


@given(
    st.lists(st.tuples(st.one_of(CODES, RANGES, PATTERNS, st.just("*")), st.sampled_from("XYZ="),
                       st.sampled_from(["", "2025-01", "2025-06", "2025-12"])), max_size=8),
    st.lists(CODES, min_size=1, max_size=8, unique=True), st.integers(1, 12),
)  # fmt: skip
def test_through_the_table_goes_a_code_as_one_row_after_the_other_says(
    rules: list[tuple[str, str, str]], codes: list[str], month: int
) -> None:
    table = mapping(*(f"{s}>{t}@{since}" for s, t, since in rules))
    rows = pl.DataFrame({
        "account": codes, "shown_year": [2025] * len(codes), "shown_period": [month] * len(codes),
        "n": range(len(codes)),
    })  # fmt: skip
    found = through_mapping(rows, "account", table).sort("n")["account"].to_list()
    assert found == [_slowly(code, rules, f"2025-{month:02d}") for code in codes]


@given(
    st.lists(st.tuples(st.one_of(CODES, RANGES, PATTERNS, st.just("*")), st.sampled_from("01X="),
                       st.sampled_from(["", "2025-06"])), max_size=8),
    st.lists(CODES, min_size=1, max_size=8, unique=True), st.sampled_from("01X"),
)  # fmt: skip
def test_the_codes_behind_a_member_are_those_that_the_table_takes_there(
    rules: list[tuple[str, str, str]], codes: list[str], member: str
) -> None:
    table = mapping(*(f"{s}>{t}@{since}" for s, t, since in rules))
    if list(conflicts(table)):  # refused when it is set; here any of them
        reject()
    every = resolved(table, pl.Series(codes))
    behind = set(every.filter(pl.col("target") == member)["source"])
    assert set(mapped_to(table, pl.Series(codes), member)) == behind


def _slowly(code: str, rules: list[tuple[str, str, str]], at: str) -> str:
    latest = {(source, since): target for source, target, since in rules}
    one = pl.DataFrame({"code": [code]})
    for kind in KINDS:
        begun = [
            (since, target) for (source, since), target in latest.items()
            if kind_of(source) == kind and since <= at and one.filter(takes(source)).height
        ]  # fmt: skip
        if begun:
            newest = max(since for since, _ in begun)
            targets = {target for since, target in begun if since == newest}
            if len(targets) > 1:  # refused when it is set; here any of them
                reject()
            return targets.pop().replace("=", code)
    return code


def test_ranges_are_told_apart_and_take_their_codes_as_each_alone_would(dice: Random) -> None:
    letters = "0123AZaz.é"

    def code() -> str:
        return "".join(dice.choices(letters, k=dice.randint(1, 5)))

    drawn = [f"{code()}..{code()}" for _ in range(300)]
    sources = [source for source in dict.fromkeys(drawn) if not fault(source)]
    table = pl.DataFrame({"source": sources, "target": [str(n % 7) for n in range(len(sources))]})
    met = {
        (one, other) for n, one in enumerate(sources) for m, other in enumerate(sources)
        if n < m and n % 7 != m % 7 and meet(one, other)
    }  # fmt: skip
    told = list(conflicts(table))
    assert len(told) == len(set(told))
    assert set(told) == met
    codes = pl.Series([code() for _ in range(400)])
    for n, source in enumerate(sources[:60]):
        alone = resolved(table[n : n + 1], codes)
        frame = codes.unique().alias("code").to_frame()
        assert set(alone["source"]) == set(frame.filter(takes(source))["code"])
