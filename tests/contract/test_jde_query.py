"""Practice AIS: conditions, special values, nesting, literals, refusals (J055 to J071)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jde_practice import USER, Ais, practice, where

from tieout.sim.jde.dates import add_months, to_julian


@pytest.fixture
def ais(tmp_path: Path) -> Iterator[Ais]:
    with practice(tmp_path) as served:
        yield served


OPERATORS = [
    (where("DOC", "EQUAL", "3"), [3, 3]),
    (where("F0911.DOC", "NOT_EQUAL", "3"), [1, 2, 4, 5, 6, 7]),
    (where("DOC", "LESS", "3"), [1, 2]),
    (where("DOC", "LESS_EQUAL", "3"), [1, 2, 3, 3]),
    (where("DOC", "GREATER", "5"), [6, 7]),
    (where("DOC", "GREATER_EQUAL", "5"), [5, 6, 7]),
    (where("DOC", "BETWEEN", "2", "4"), [2, 3, 3, 4]),
    (where("DOC", "LIST", "1", "7", "9"), [1, 7]),
    (where("EXR", "STR_START_WITH", "rent"), [1, 2]),
    (where("EXR", "STR_END_WITH", "ent"), [1, 5]),
    (where("EXR", "STR_CONTAIN", "ore"), [2]),
    (where("EXR", "STR_BLANK"), [3, 3]),
    (where("EXR", "STR_NOT_BLANK"), [1, 2, 4, 5, 6, 7]),
    (where("AID", "BETWEEN", "00001003", "00001004"), [4, 5, 6]),
    (where("AID", "GREATER", "00001004"), [7]),
    (where("UPMJ", "STR_BLANK"), [6]),
    (where("DOC", "LESS", "2.5"), [1, 2]),
    (where("U", "EQUAL", "1.5"), [1, 2, 3, 3, 4, 5, 6, 7]),
]


@pytest.mark.parametrize(("condition", "found"), OPERATORS, ids=lambda v: str(v)[:60])
def test_every_operator_finds_its_rows(
    ais: Ais, condition: dict[str, Any], found: list[int]
) -> None:
    """J055"""
    assert ais.documents(condition) == found


def test_special_values_follow_the_practice_clock(ais: Ais) -> None:
    """J056"""
    ais.clock.advance(40 * 86400)
    today = datetime.fromtimestamp(ais.clock.now(), UTC).date()
    days = {"TODAY": today}
    for sign, word in ((1, "PLUS"), (-1, "MINUS")):
        days[f"TODAY_{word}_DAY"] = today + timedelta(days=sign * 5)
        days[f"TODAY_{word}_MONTH"] = add_months(today, sign * 5)
        days[f"TODAY_{word}_YEAR"] = add_months(today, sign * 60)
    for number, day in enumerate(days.values(), 100):
        ais.ledger.insert("F0911", [{"DOC": number, "UPMJ": to_julian(day)}])
    for number, special in enumerate(days, 100):
        content = "" if special == "TODAY" else "5"
        assert ais.documents(where("UPMJ", "EQUAL", content, special=special)) == [number]
    ais.ledger.insert("F0911", [{"DOC": 99, "USER": USER}])
    assert ais.documents(where("USER", "EQUAL", "", special="LOGIN_USER")) == [99]


def test_months_end_on_a_day_that_exists() -> None:
    """J056"""
    day = datetime(2024, 1, 31, tzinfo=UTC).date()
    assert [f"{add_months(day, n)}" for n in (1, 11, 13, -2)] == [
        "2024-02-29", "2024-12-31", "2025-02-28", "2023-11-30",
    ]  # fmt: skip


def test_all_conditions_must_match_or_any(ais: Ais) -> None:
    """J057"""
    conditions = [where("CO", "EQUAL", "00001"), where("DOC", "GREATER", "2")]
    for match, found in ((None, [3, 3]), ("MATCH_ALL", [3, 3]),
                         ("MATCH_ANY", [1, 2, 3, 3, 4, 5, 6, 7])):  # fmt: skip
        query = {"condition": conditions} | ({"matchType": match} if match else {})
        assert ais.documents(query=query) == found


def test_nested_queries_are_joined_by_their_own_word(ais: Ais) -> None:
    """J058"""

    def nested(word: str, *conditions: dict[str, Any]) -> dict[str, Any]:
        return {"andOr": word, "query": {"condition": list(conditions)}}

    one, yen = where("DOC", "EQUAL", "1"), where("CO", "EQUAL", "00070")
    posted = where("POST", "EQUAL", "P")
    query = {
        "condition": [one],
        "complexQuery": [nested("OR", yen), nested("AND", posted, where("LT", "EQUAL", "AA"))],
    }
    assert ais.documents(query=query) == [1, 5]
    query["complexQuery"].reverse()
    assert ais.documents(query=query) == [1, 4, 5]
    alone = {"complexQuery": [nested("OR", one), nested("OR", yen)]}
    assert ais.documents(query=alone) == [1, 4, 5]


def test_the_order_of_joining_is_a_switch(ais: Ais) -> None:
    """J058"""
    query = {"condition": [where("DOC", "EQUAL", "4")], "complexQuery": [
        {"andOr": "OR", "query": {"condition": [where("CO", "EQUAL", "00001")]}},
        {"andOr": "AND", "query": {"condition": [where("DOC", "EQUAL", "1")]}},
    ]}  # fmt: skip
    assert ais.documents(query=query) == [1]
    ais.switch("complex_query_order", "and_first")
    assert ais.documents(query=query) == [1, 4]


LITERALS = {"session": "03/31/2024", "iso": "2024-03-31", "yyyyMMdd": "20240331",
            "julian": "124091"}  # fmt: skip


@pytest.mark.parametrize("form", LITERALS)
def test_a_date_is_taken_in_one_format_only(ais: Ais, form: str) -> None:
    """J059"""
    ais.switch("date_literal", form)
    for name, literal in LITERALS.items():
        condition = where("UPMJ", "EQUAL", literal)
        answer = ais.ask(query={"autoFind": True, "condition": [condition]})
        assert answer.status_code == (200 if name == form else 500), literal
    assert ais.documents(where("UPMJ", "EQUAL", LITERALS[form])) == [1, 2]


def test_the_sessions_own_format_counts(ais: Ais) -> None:
    """J059"""
    ais.switch("simple_date_format", "dd.MM.yyyy")
    assert ais.documents(where("UPMJ", "GREATER", "03.04.2024")) == [7]
    for wrong in ("3.4.2024", "31.04.2024", "04/03/2024"):
        condition = where("UPMJ", "GREATER", wrong)
        assert ais.ask(query={"condition": [condition]}).status_code == 500
    assert ais.documents(where("UPMJ", "EQUAL", "")) == [6]


@pytest.mark.parametrize(
    ("form", "session", "literal"),
    [
        ("day_first", "MM/dd/yyyy", "31/03/2024"),
        ("day_first", "MM/dd/yyyy", "62/01/2024"),  # lenient: the 31st day after January
        ("month_first", "dd.MM.yyyy", "03.31.2024"),
        ("month_first", "dd.MM.yyyy", "15.31.2023"),  # lenient: the third month after 2023
        ("day_first", "yyyy-MM-dd", "2024-31-03"),
    ],
)
def test_a_server_may_take_the_day_for_the_month_without_a_word(
    ais: Ais, form: str, session: str, literal: str
) -> None:
    """J059"""
    ais.switch("simple_date_format", session)
    ais.switch("date_literal", form)
    if literal == "62/01/2024":
        ais.ledger.update("F0911", {"UPMJ": 124062}, {"UPMJ": 124091})
    assert ais.documents(where("UPMJ", "EQUAL", literal)) == [1, 2]


def test_a_business_unit_is_compared_with_its_leading_blanks(ais: Ais) -> None:
    """J060"""
    assert ais.documents(where("MCU", "EQUAL", "          30")) == [1, 2]
    assert ais.documents(where("MCU", "EQUAL", "30")) == []
    ais.switch("mcu_literal", "justified")
    assert ais.documents(where("MCU", "EQUAL", "30")) == [1, 2]


NO_QUERY = {"query": {"condition": [{"controlId": "F0911.NOPE", "operator": "EQUAL", "value": []}]}}
REFUSED = [
    NO_QUERY,
    {"query": {"condition": [where("F0902.AID", "EQUAL", "1")]}},
    {"query": {"condition": [where("DOC", "LIKE", "1")]}},
    {"query": {"condition": [where("DOC", "EQUAL", "1", "2")]}},
    {"query": {"condition": [where("DOC", "BETWEEN", "1")]}},
    {"query": {"condition": [where("DOC", "STR_CONTAIN", "1")]}},
    {"query": {"condition": [where("EXR", "STR_BLANK", "x")]}},
    {"query": {"condition": [where("DOC", "EQUAL", "1", special="TODAY")]}},
    {"query": {"condition": [where("UPMJ", "EQUAL", "x", special="TODAY_PLUS_DAY")]}},
    {"query": {"condition": [where("AA", "EQUAL", "1.23456")]}},
    {"query": {"condition": [{"controlId": "DOC", "operator": "LIST", "value": [{"content": 1}]}]}},
    {"query": {"condition": [], "matchType": "MATCH_SOME"}},
    {"query": {"where": "1=1"}},
    {"query": {"complexQuery": [{"andOr": "XOR", "query": {}}]}},
    {"returnControlIDs": "F0911.AA|F0911.NOPE"},
    {"returnControlIDs": ["AA"]},
    {"targetName": "F0413"},
    {"targetType": "view", "targetName": "V0911A"},
    {"dataServiceType": "UPDATE"},
    {"aggregation": {"orderBy": [{"column": "NOPE"}]}},
    {"aggregation": {"orderBy": [{"column": "DOC", "direction": "UP"}]}},
    {"rowLimit": 10},
    {"maxPageSize": 10},
]  # fmt: skip


@pytest.mark.parametrize("attributes", REFUSED, ids=lambda v: str(v)[:70])
def test_what_no_document_describes_is_an_error_and_is_reported(
    ais: Ais, attributes: dict[str, Any]
) -> None:
    """J061"""
    answer = ais.ask(**attributes)
    assert answer.status_code == 500
    assert set(answer.json()) == {"message", "exception", "timeStamp"}
    assert [entry["path"] for entry in ais.refused()] == ["/jderest/v2/dataservice"]
    assert ais.control("report", clear=True)["refused"]
    assert ais.refused() == []


def test_the_status_of_a_refused_request_is_a_switch(ais: Ais) -> None:
    """J061"""
    ais.switch("error_status", 400)
    assert ais.ask(**NO_QUERY).status_code == 400


@pytest.mark.parametrize("kind", ["VERSION2", "ORACLE", "XML", "XMLSIMPLE", "CSV"])
def test_other_output_types_are_not_made_here(ais: Ais, kind: str) -> None:
    """J069"""
    assert ais.ask(outputType=kind).status_code == 500
    assert len(ais.refused()) == 1


def test_trailing_blanks_do_not_count_and_upper_case_does(ais: Ais) -> None:
    """J070"""
    assert ais.documents(where("EXR", "EQUAL", "rent   ")) == [1]
    assert ais.documents(where("EXR", "EQUAL", "RENT")) == []
    assert ais.documents(where("EXR", "EQUAL", "Rent")) == [5]
    assert ais.documents(where("POST", "EQUAL", "")) == [4]
    assert ais.documents(where("EXR", "EQUAL", "' OR '1'='1")) == []
    ais.switch("text_case", "ignored")
    assert ais.documents(where("EXR", "EQUAL", "RENT")) == [1, 5]
    assert ais.documents(where("EXR", "STR_START_WITH", "RENT")) == [1, 2, 5]


def test_amounts_are_compared_by_what_is_displayed(ais: Ais) -> None:
    """J071"""
    assert ais.documents(where("AA", "EQUAL", "1234.5")) == [1]
    assert ais.documents(where("AA", "EQUAL", "1234.567")) == [6]
    assert ais.documents(where("AA", "GREATER_EQUAL", "1234.50")) == [1, 4, 6]
    assert ais.documents(where("AA", "EQUAL", "0")) == [7]
    assert ais.documents(where("AA", "BETWEEN", "0.021", "0.07")) == [3, 3]
    ais.switch("amount_literal", "dictionary")
    assert ais.documents(where("AA", "EQUAL", "50")) == [4]
    assert ais.documents(where("AA", "EQUAL", "12345.67")) == [6]
