"""Practice AIS: counts, sums, groups, currency decimals, batches (J040, J062 to J075)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jde_practice import Ais, exact, practice, where


@pytest.fixture
def ais(tmp_path: Path) -> Iterator[Ais]:
    with practice(tmp_path) as served:
        yield served


def totals(*functions: str, by: str = "", **more: Any) -> dict[str, Any]:
    """`totals("SUM AA", "COUNT *", by="CO LT")` as an `aggregation`."""
    asked = [dict(zip(("aggregation", "column"), f.split(), strict=True)) for f in functions]
    groups = [{"column": name} for name in by.split()]
    return {"aggregations": asked} | ({"groupBy": groups} if groups else {}) | more


def by_company(output: list[dict[str, Any]], key: str = "CO") -> dict[str, dict[str, str]]:
    """group value → the other members as text."""
    return {
        str(item["groupBy"][key]): {k: str(v) for k, v in item.items() if k != "groupBy"}
        for item in output
    }


AA = {"condition": [where("LT", "EQUAL", "AA")]}


def test_sums_have_dictionary_decimals_unless_the_currency_is_asked_for(ais: Ais) -> None:
    """J040"""
    query = {"condition": [*AA["condition"], where("DOC", "LIST", "1", "4", "6")]}
    plain = by_company(ais.output(totals("SUM AA", by="CO"), query=query))
    assert {co: item["AA_SUM"] for co, item in plain.items()} == {
        "00001": "1234.50", "00070": "50.00", "00090": "12345.67",
    }  # fmt: skip
    for block in (
        {"type": "COMPANY", "keyCols": ["F0911.CO"], "currencyCols": ["F0911.AA"]},
        {"type": "LEDGERTYPE_COMPANY_CURRENCYCODE", "keyCols": ["LT", "CO", "CRCD"]},
    ):
        scaled = by_company(ais.output(totals("SUM AA", by="CO", currency=block), query=query))
        assert {co: item["AA_SUM"] for co, item in scaled.items()} == {
            "00001": "1234.50", "00070": "5000", "00090": "1234.567",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("block", "shown"),
    [
        ({"type": "CURRENCYCODE", "keyCols": ["CRCD"]}, "-50.00"),
        ({"type": "MCU", "keyCols": ["MCU"]}, "-50.00"),
        ({"type": "AID", "keyCols": ["AID"]}, "-5000"),
        ({"type": "LEDGERTYPE_CURRENCYCODE", "keyCols": ["LT", "CRCD"]}, "-50.00"),
        ({"type": "COMPANY", "keyCols": ["CO"], "currencyCols": ["ACR"]}, "-50.00"),
    ],
)
def test_each_currency_type_looks_at_its_own_key(
    ais: Ais, block: dict[str, Any], shown: str
) -> None:
    """J040"""
    query = {"condition": [where("DOC", "EQUAL", "5")]}  # dollars, in the yen company
    assert str(ais.output(totals("SUM AA", currency=block), query=query)[0]["AA_SUM"]) == shown


def test_a_group_of_several_decimals_and_undescribed_blocks_are_refused(ais: Ais) -> None:
    """J040"""
    for block in (
        {"type": "COMPANY", "keyCols": ["CO"]},
        {"type": "STATIC", "keyCols": ["CO"]},
        {"type": "COMPANY", "keyCols": ["CO"], "asIfCurrency": "USD"},
        {"type": "COMPANY", "keyCols": []},
    ):
        aggregation = totals("SUM AA", currency=block)
        assert ais.ask(dataServiceType="AGGREGATION", aggregation=aggregation).status_code == 500
    assert len(ais.refused()) == 4


def test_count_has_one_of_three_believed_shapes(ais: Ais) -> None:
    """J062"""
    query = {"condition": [where("POST", "EQUAL", "P")]}
    shapes = {"count": {"ds_F0911": {"count": 7}}, "top": {"count": 7},
              "output": {"ds_F0911": {"output": [{"COUNT": 7}]}}}  # fmt: skip
    for shape, body in shapes.items():
        ais.switch("count_shape", shape)
        assert ais.ask(dataServiceType="COUNT", query=query).json() == body


def test_every_function_under_the_name_of_its_column_as_sent(ais: Ais) -> None:
    """J063"""
    functions = [
        "SUM F0911.AA", "MIN F0911.AA", "MAX AA", "AVG F0911.AA", "COUNT *", "COUNT AID",
        "COUNT_DISTINCT AID", "SUM_DISTINCT F0911.AA", "AVG_DISTINCT F0911.AA", "MAX DOC",
    ]  # fmt: skip
    same = {"DOC": 80, "CO": "00001", "LT": "ZZ", "AID": "1"}
    amounts = enumerate((10, 10, 15, -20))
    ais.ledger.insert("F0911", [same | {"AA": amount, "JELN": line} for line, amount in amounts])
    query = {"condition": [where("LT", "EQUAL", "ZZ")]}
    output = ais.output(totals(*functions), query=query)
    assert [{k: str(v) for k, v in item.items()} for item in output] == [{
        "F0911.AA_SUM": "0.15", "F0911.AA_MIN": "-0.20", "AA_MAX": "0.15", "F0911.AA_AVG": "0.04",
        "COUNT": "4", "AID_COUNT": "4", "AID_COUNT_DISTINCT": "1", "F0911.AA_SUM_DISTINCT": "0.05",
        "F0911.AA_AVG_DISTINCT": "0.02", "DOC_MAX": "80",
    }]  # fmt: skip


def test_groups_come_under_group_by_with_their_keys_as_sent(ais: Ais) -> None:
    """J063"""
    output = ais.output(totals("COUNT *", by="F0911.CO LT F0911.FY"))
    assert {(i["groupBy"]["F0911.CO"], i["groupBy"]["LT"], i["groupBy"]["F0911.FY"], i["COUNT"])
            for i in output} == {("00001", "AA", 24, 3), ("00001", "CA", 24, 1),
                                 ("00070", "AA", 24, 2), ("00090", "AA", 24, 2)}  # fmt: skip


def test_sums_are_exact_where_a_double_is_not(ais: Ais) -> None:
    """J063"""
    big = [
        {"DOC": n, "CO": "00001", "LT": "ZZ", "AA": 900_719_925_474_099 + n} for n in range(95, 99)
    ]
    ais.ledger.insert("F0911", big)
    output = ais.output(totals("SUM AA"), query={"condition": [where("LT", "EQUAL", "ZZ")]})
    assert str(output[0]["AA_SUM"]) == "36028797018967.82"


def test_a_date_group_is_epoch_milliseconds_or_a_pattern(ais: Ais) -> None:
    """J064"""
    posted = {"condition": [where("DOC", "LIST", "1", "2", "3", "6")]}
    plain = by_company(ais.output(totals("COUNT *", by="UPMJ"), query=posted), "UPMJ")
    assert {k: v["COUNT"] for k, v in plain.items()} == {
        "1711843200000": "2", "1711929600000": "2", "None": "1",
    }  # fmt: skip
    month = totals("COUNT *") | {"groupBy": [{"column": "UPMJ", "specialHandling": "yyyy-MM"}]}
    shown = by_company(ais.output(month, query=posted), "UPMJ")
    assert {k: v["COUNT"] for k, v in shown.items()} == {"2024-03": "2", "2024-04": "2", " ": "1"}
    user = totals("COUNT *") | {"groupBy": [{"column": "USER", "specialHandling": "User"}]}
    assert ais.output(user)[0]["groupBy"] == {"USER": " "}
    for special in ("CALQTR", "HH:mm", "yyyy-QQ"):
        wrong = totals("COUNT *") | {"groupBy": [{"column": "UPMJ", "specialHandling": special}]}
        assert ais.ask(dataServiceType="AGGREGATION", aggregation=wrong).status_code == 500


def test_having_leaves_groups_out(ais: Ais) -> None:
    """J065"""

    def having(function: str, operator: str, content: str) -> set[str]:
        name, column = function.split()
        condition = {"aggregation": name, "controlId": column, "operator": operator,
                     "value": [{"content": content, "specialValueId": "LITERAL"}]}  # fmt: skip
        more = {"having": {"condition": [condition]}, "query": AA}
        return set(by_company(ais.output(totals("COUNT *", by="CO"), **more)))

    assert having("COUNT *", "GREATER", "2") == {"00001"}
    assert having("SUM F0911.AA", "EQUAL", "0.07") == {"00001"}
    assert having("SUM F0911.AA", "LESS_EQUAL", "0") == {"00070"}
    assert having("SUM F0911.AA", "NOT_EQUAL", "0") == {"00001", "00090"}


def test_least_and_greatest_texts_dates_and_nothing_at_all(ais: Ais) -> None:
    """J066"""
    functions = ("MIN MCU", "MAX EXR", "MAX UPMJ", "MAX UPMT")
    assert ais.output(totals(*functions)) == [{
        "MCU_MIN": "          30", "EXR_MAX": "日本 é", "UPMJ_MAX": 1735603200000,
        "UPMT_MAX": 93005,
    }]  # fmt: skip
    ais.switch("date_aggregate", "yyyyMMdd")
    assert ais.output(totals("MAX UPMJ")) == [{"UPMJ_MAX": "20241231"}]
    nothing = {"condition": [where("DOC", "EQUAL", "999")]}
    asked = totals("SUM AA", "COUNT *", "MAX EXR", "MAX UPMJ", "AVG AA")
    empty = {"AA_SUM": 0, "COUNT": 0, "EXR_MAX": " ", "UPMJ_MAX": None, "AA_AVG": 0}
    assert ais.output(asked, query=nothing) == [empty]
    ais.switch("empty_sum", "null")
    assert ais.output(asked, query=nothing) == [empty | {"AA_SUM": None, "AA_AVG": None}]
    assert ais.output(totals("SUM AA", by="CO"), query=nothing) == []


def test_a_batch_answers_under_the_position_of_each_request(ais: Ais) -> None:
    """J067"""
    target = {"targetType": "table", "findOnEntry": "true"}
    requests = [
        target | {"targetName": "F0010"},
        target | {"targetName": "F0911", "dataServiceType": "COUNT"},
        target | {"targetName": "F0911", "dataServiceType": "AGGREGATION",
                  "aggregation": totals("COUNT *")},
        target | {"targetName": "F0911", "returnControlIDs": "NOPE"},
    ]  # fmt: skip
    body = {"batchDataRequest": True, "dataRequests": requests, "targetName": None,
            "targetType": None, "dataServiceType": None, "findOnEntry": None}  # fmt: skip
    answer = exact(ais.ask(**body))
    grid = answer["fs_0_DATABROWSE_F0010"]["data"]["gridData"]
    assert grid["summary"] == {"records": 3, "moreRecords": False}
    assert answer["ds_1_F0911"] == {"count": 8}
    assert answer["ds_2_F0911"] == {"output": [{"COUNT": 8}]}
    assert "NOPE" in answer["fs_3_DATABROWSE_F0911"]["error"]["message"]
    assert len(ais.refused()) == 1


def test_a_failing_request_fails_the_whole_batch_or_its_own_part(ais: Ais) -> None:
    """J073"""
    inner = {"targetName": "F0413", "targetType": "table"}
    answer = ais.ask(batchDataRequest=True, dataRequests=[inner])
    assert (answer.status_code, list(answer.json())) == (200, ["fs_0_DATABROWSE_F0413"])
    ais.switch("batch_error", "whole")
    assert ais.ask(batchDataRequest=True, dataRequests=[inner]).status_code == 500


def test_paging_inside_a_batch_is_refused(ais: Ais) -> None:
    """J067"""
    inner = {"targetName": "F0010", "targetType": "table", "enableNextPageProcessing": True}
    answer = ais.ask(batchDataRequest=True, dataRequests=[inner]).json()
    assert "error" in answer["fs_0_DATABROWSE_F0010"]
    assert len(ais.refused()) == 1


def test_groups_come_in_the_order_asked_and_otherwise_in_none(ais: Ais) -> None:
    """J072"""
    order = {"orderBy": [{"column": "CO", "direction": "DESC"}]}
    ordered = ais.output(totals("COUNT *", by="F0911.CO", **order))
    assert [i["groupBy"]["F0911.CO"] for i in ordered] == ["00090", "00070", "00001"]
    orders = {
        tuple(i["groupBy"]["CO"] for i in ais.output(totals("COUNT *", by="CO"))) for _ in range(30)
    }
    assert len(orders) > 1
    ais.switch("order", "stable")
    again = {
        tuple(i["groupBy"]["CO"] for i in ais.output(totals("COUNT *", by="CO"))) for _ in range(30)
    }
    assert len(again) == 1


def test_a_fetch_limit_leaves_groups_whole_or_cuts_them_off_without_a_word(ais: Ais) -> None:
    """J075"""
    order = {"orderBy": [{"column": "CO", "direction": "ASC"}]}
    ais.switch("fetch_limit_rows", 2)

    def companies(**more: Any) -> list[str]:
        return [i["groupBy"]["CO"] for i in ais.output(totals("COUNT *", by="CO", **more))]

    assert companies(**order) == ["00001", "00070", "00090"]
    ais.switch("fetch_limit_groups", "silent")
    assert companies(**order) == ["00001", "00070"]
    assert len(companies()) == 2
    assert ais.output(totals("COUNT *")) == [{"COUNT": 8}]
    asked = {"dataServiceType": "AGGREGATION", "aggregation": totals("COUNT *", by="CO", **order)}
    assert list(ais.ask(**asked).json()) == ["ds_F0911"]


@pytest.mark.parametrize(
    "aggregation",
    [
        {"aggregations": []},
        totals("SUM EXR"),
        totals("SUM *"),
        totals("MEDIAN AA"),
        totals("SUM NOPE"),
        totals("SUM AA", by="NOPE"),
        totals("SUM AA", orderBy=[{"column": "CO"}]),
        totals("SUM AA", limit=5),
    ],
    ids=str,
)
def test_an_aggregation_no_document_describes_is_refused_and_reported(
    ais: Ais, aggregation: dict[str, Any]
) -> None:
    """J061"""
    answer = ais.ask(dataServiceType="AGGREGATION", aggregation=aggregation)
    assert answer.status_code == 500
    assert len(ais.refused()) == 1
