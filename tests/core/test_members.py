"""Rule 7 and traps 10 and 16: codes of members, one row per code, parents before children."""

from __future__ import annotations

from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.core.findings import Severity
from tieout.core.members import (
    CODE_CHARACTERS_MAX,
    check_codes,
    from_accounts,
    from_business_units,
    from_companies,
    one_per_code,
    parents_first,
    refuse_collisions,
)
from tieout.errors import Refused


def units(*codes: str) -> pl.DataFrame:
    """Business units by code, already trimmed as a page is decoded."""
    return pl.DataFrame({"business_unit": codes}, schema={"business_unit": pl.String})


def test_two_units_that_trimming_makes_equal_stop_the_run() -> None:
    """Trap 10: `          30` and `30          ` were two rows of F0006."""
    with pytest.raises(Refused, match=r"F0006 holds several rows .*: 30"):
        refuse_collisions(units("30", "M30", "30"), ["business_unit"], "F0006")


def test_codes_that_differ_in_leading_zeros_are_two_codes() -> None:
    refuse_collisions(units("30", "030", "M30", "m30"), ["business_unit"], "F0006")


def test_two_accounts_of_one_long_account_stop_the_run_and_are_named() -> None:
    chart = pl.DataFrame(
        {"business_unit": ["30"] * 5, "object_account": list("11233"), "subsidiary": [""] * 5}
    )
    with pytest.raises(Refused, match=r"F0901 .*: 30\.1, 30\.3\.") as caught:
        refuse_collisions(chart, ["business_unit", "object_account", "subsidiary"], "F0901")
    assert "JD Edwards team" in caught.value.sentence()


@pytest.mark.parametrize(
    ("posting_edit", "account_active", "unit_active"),
    [("", True, True), ("B", True, True), ("I", False, True), ("N", False, False),
     ("P", False, False), ("K", True, True), ("M", True, True)],
)  # fmt: skip
def test_members_that_take_no_postings_are_not_active(
    posting_edit: str, account_active: bool, unit_active: bool
) -> None:
    row = {
        "posting_edit": [posting_edit], "object_account": ["5005"], "subsidiary": ["X"],
        "level_of_detail": ["6"], "business_unit": ["30"], "business_unit_type": ["CC"],
    }  # fmt: skip
    account = from_accounts(pl.DataFrame(row), "object.subsidiary").row(0, named=True)
    assert (account["code"], account["active"], account["level"]) == ("5005.X", account_active, "6")
    unit = from_business_units(pl.DataFrame(row)).row(0, named=True)
    assert (unit["code"], unit["active"], unit["type"]) == ("30", unit_active, "CC")


def test_the_template_company_is_no_member() -> None:
    found = from_companies(pl.DataFrame({"company": ["00000", "00001"], "name": ["x", "One"]}))
    assert found.select("code", "description", "active").rows() == [("00001", "One", True)]


def named(*pairs: tuple[str, str, bool]) -> pl.DataFrame:
    """Rows of code, description, active."""
    schema = {"code": pl.String, "description": pl.String, "active": pl.Boolean}
    return pl.DataFrame(list(pairs), schema=schema, orient="row")


@pytest.mark.parametrize(
    ("names", "winner"),
    [
        (["Rent", "Rent", "Lease"], "Rent"),
        (["Lease", "Rent", "Rent"], "Rent"),
        (["Rent", "Lease"], "Lease"),  # a tie: the first in text order
        (["Lease", "Rent"], "Lease"),
        (["", "", "Rent"], "Rent"),  # a blank has no vote
        (["", ""], ""),
    ],
)
def test_the_name_most_rows_agree_on_is_sent(names: list[str], winner: str) -> None:
    found, findings = one_per_code(
        named(*(("5005", name, True) for name in names)), ["description", "active"]
    )
    assert found.rows() == [("5005", winner, True)]
    told = len({name for name in names if name}) > 1
    assert [(f.rule, f.severity) for f in findings] == (
        [("name-conflict", Severity.NOTE)] if told else []
    )


def test_a_member_is_active_while_one_of_its_rows_is() -> None:
    rows = named(("1", "a", False), ("1", "a", True), ("2", "b", False))
    found, _ = one_per_code(rows, ["description", "active"])
    assert found.select("code", "active").rows() == [("1", True), ("2", False)]


ROWS = st.lists(
    st.tuples(st.sampled_from("1234"), st.sampled_from(["", "x", "y"]), st.booleans()), max_size=12
)


@given(ROWS, st.randoms(use_true_random=False))
def test_every_code_has_one_row_whatever_the_order_of_the_rows(
    rows: list[tuple[str, str, bool]], dice: Random
) -> None:
    shuffled = list(rows)
    dice.shuffle(shuffled)
    found, findings = one_per_code(named(*rows), ["description", "active"])
    again, told_again = one_per_code(named(*shuffled), ["description", "active"])
    assert found.equals(again)
    assert findings == told_again
    assert found["code"].to_list() == sorted({row[0] for row in rows})
    for code, name, active in found.iter_rows():
        mine = [row for row in rows if row[0] == code]
        assert active is any(row[2] for row in mine)
        assert name == "" or name in {row[1] for row in mine}


@pytest.mark.parametrize(
    ("code", "fits"), [("", False), ("x" * 60, True), ("x" * 61, False), ("é" * 60, True)]
)
def test_a_code_that_anaplan_cannot_take_is_left_out_and_told(code: str, fits: bool) -> None:
    assert CODE_CHARACTERS_MAX == 60
    members, findings = check_codes(named((code, "a", True), ("5005", "b", True)))
    assert members["code"].to_list() == ([code, "5005"] if fits else ["5005"])
    assert [f.rule for f in findings] == ([] if fits else ["code-too-long"])


def tree(**parents: str) -> pl.DataFrame:
    """code=parent."""
    found = {"code": list(parents), "parent": list(parents.values())}
    return pl.DataFrame(found, schema={"code": pl.String, "parent": pl.String})


def ordered(frame: pl.DataFrame) -> list[str]:
    return parents_first(frame, "parent")["code"].to_list()


def test_a_parent_stands_before_its_children() -> None:
    assert ordered(tree(c="b", b="a", a="", d="elsewhere")) == ["a", "d", "b", "c"]
    assert parents_first(tree(b="a", a=""), None)["code"].to_list() == ["b", "a"]
    assert ordered(tree()) == []


@pytest.mark.parametrize(
    "circle", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "a", "d": "c"}]
)
def test_a_circle_of_parents_stands_at_the_end_and_loses_nobody(circle: dict[str, str]) -> None:
    found = ordered(tree(z="y", y="", **circle))
    assert found[:2] == ["y", "z"]
    assert set(found[2:]) == set(circle)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh") | st.just("")))
def test_no_member_is_lost_and_no_parent_comes_late(parents: dict[str, str]) -> None:
    found = ordered(tree(**parents))
    assert sorted(found) == sorted(parents)

    def in_circle(code: str) -> bool:
        seen: list[str] = []
        while code in parents and code not in seen:
            seen.append(code)
            code = parents[code]
        return code in seen

    for child, parent in parents.items():
        if parent in parents and not in_circle(child):
            assert found.index(parent) < found.index(child)


def test_a_chain_of_parents_as_deep_as_a_long_list_is_walked_quickly() -> None:
    chain = {f"m{n}": f"m{n + 1}" for n in range(20_000)}
    assert ordered(tree(**chain))[0] == "m19999"
