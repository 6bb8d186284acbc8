"""Practice AIS: BROWSE answers, how cells are printed, page sizes, order (J030 to J054)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from jde_practice import DEVICE, Ais, exact, grid, practice, where

from tieout.sim.jde.dates import to_julian
from tieout.sim.jde.ledger import Ledger
from tieout.sim.jde.render import hash_order
from tieout.sim.jde.tables import TABLES

BY_DOCUMENT = {"orderBy": [{"column": "F0911.DOC", "direction": "ASC"}]}


@pytest.fixture
def ais(tmp_path: Path) -> Iterator[Ais]:
    with practice(tmp_path) as served:
        yield served


def many(ledger: Ledger) -> None:
    rows = ({"DCT": "JE", "DOC": number, "AA": 1} for number in range(2500))
    ledger.insert("F0911", rows)


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Ais]:
    with practice(tmp_path, many) as served:
        yield served


def test_the_answer_is_under_the_name_of_the_table(ais: Ais) -> None:
    """J030"""
    answer = ais.ask().json()
    form = answer["fs_DATABROWSE_F0911"]
    assert form["title"] == "Data Browser - F0911 [Account Ledger]"
    assert answer["currentApp"] == "DATABROWSE_F0911"
    assert form["data"]["gridData"]["fullGridId"] == str(form["data"]["gridData"]["id"])
    assert set(ais.ask(targetName="F0006").json()) >= {"fs_DATABROWSE_F0006", "stackId", "rid"}


def test_columns_are_asked_with_or_without_table_and_come_back_with_underscore(
    ais: Ais,
) -> None:
    """J031"""
    row = ais.rows(returnControlIDs="F0911.AA|AID")[0]
    assert set(row) == {"F0911_AA", "F0911_AID"}


def test_without_a_list_all_columns_come_back_with_their_headings(ais: Ais) -> None:
    """J032"""
    columns = grid(ais.ask())["columns"]
    assert list(columns) == [f"F0911_{alias}" for alias in TABLES["F0911"].columns]
    assert columns["F0911_AA"] == "Amount "
    assert set(ais.rows()[0]) == set(columns)


def test_cells_of_a_row_come_in_hash_order_and_not_in_column_order(ais: Ais) -> None:
    """J033"""
    answer = grid(ais.ask(returnControlIDs="DCT|DOC|KCO|DGJ|JELN|LT|EXTL|AA|CO|AID"))
    rows = {tuple(row) for row in answer["rowset"]}
    assert len(rows) == 1  # the same in every row
    assert sorted(*rows) == sorted(answer["columns"])
    assert rows != {tuple(answer["columns"])}
    # known: new HashMap of these three prints {banana=…, apple=…, cherry=…}
    assert hash_order(("apple", "banana", "cherry")) == (1, 0, 2)


def test_amounts_are_json_numbers_exact_to_the_last_digit(ais: Ais) -> None:
    """J034"""
    ais.ledger.insert("F0911", [{"DOC": 90, "CO": "00001", "LT": "AA", "AA": 999999999999999},
                                {"DOC": 91, "CO": "00090", "LT": "AA", "AA": -1}])  # fmt: skip
    text = ais.ask(returnControlIDs="AA|U|JELN").text
    assert sorted(re.findall(r'"F0911_AA":([^",}]+)', text)) == [
        "-0.001", "-1234.50", "-5000", "0", "0.021", "0.07", "1234.50", "1234.567", "5000",
        "9999999999999.99",
    ]  # fmt: skip
    assert set(re.findall(r'"F0911_U":([^",}]+)', text)) == {"1.50", "0"}


def test_the_governing_currency_decides_the_decimals(ais: Ais) -> None:
    """J035"""
    shown = {
        (int(r["F0911_DOC"]), r["F0911_LT"]): (str(r["F0911_AA"]), str(r["F0911_ACR"]))
        for r in ais.rows()
    }
    assert shown[1, "AA"] == ("1234.50", "0")  # company in dollars
    assert shown[3, "AA"] == ("0.07", "0.021")  # its foreign amount in dinars
    assert shown[3, "CA"] == ("0.021", "0")  # foreign ledger: the currency of the row
    assert shown[5, "AA"] == ("-5000", "-33.33")  # company in yen, transaction in dollars
    assert shown[6, "AA"] == ("1234.567", "0")
    ais.ledger.insert("F0911", [{"DOC": 92, "CO": "00070", "LT": "XA", "AA": 1234}])
    condition = where("LT", "EQUAL", "XA")  # a ledger denominated in dinars
    assert str(ais.rows(condition)[0]["F0911_AA"]) == "1.234"
    balances = {r["F0902_AID"]: str(r["F0902_AN01"]) for r in ais.rows(targetName="F0902")}
    assert balances == {"00001001": "1234.50", "00001003": "5000", "00001004": "1234.567"}


def test_open_payables_have_the_published_key_and_their_two_currencies(ais: Ais) -> None:
    """J131"""
    assert TABLES["F0411"].key == ("DOC", "DCT", "KCO", "SFX", "SFXE")
    row = {"DOC": 7, "DCT": "PV", "KCO": "00070", "SFX": "001", "CO": "00070", "CRCD": "USD",
           "POST": "D", "AG": 5000, "AAP": 5000, "ACR": 3333, "FAP": 3333}  # fmt: skip
    ais.ledger.insert("F0411", [row])
    (shown,) = ais.rows(targetName="F0411", returnControlIDs="AG|AAP|ACR|FAP|POST")
    assert {name[6:]: str(value) for name, value in shown.items()} == {
        "AG": "5000", "AAP": "5000", "ACR": "33.33", "FAP": "33.33", "POST": "D",
    }  # fmt: skip


def test_a_business_view_has_its_own_name_and_the_columns_of_the_table_that_owns_them(
    ais: Ais,
) -> None:
    """J133"""
    ais.ledger.insert("F0411", [{"DOC": 7, "DCT": "PV", "CO": "00070", "AAP": 5000},
                                {"DOC": 8, "DCT": "PV", "CO": "00001", "AAP": 1}])  # fmt: skip
    view = {"targetName": "V0411A", "targetType": "view"}
    condition = where("F0411.DOC", "EQUAL", "7")
    asked = {"query": {"condition": [condition]}, "returnControlIDs": "F0411.DOC|F0411.AAP"}
    answer = ais.ask(**view, **asked).json()
    (row,) = answer["fs_DATABROWSE_V0411A"]["data"]["gridData"]["rowset"]
    assert {name: str(value) for name, value in row.items()} == {
        "F0411_DOC": "7", "F0411_AAP": "5000",
    }  # fmt: skip
    for wrong in ({"targetName": "V0411A"}, {"targetName": "F0411", "targetType": "view"}):
        assert ais.ask(**wrong).status_code != 200


def test_the_general_constants_are_a_row_per_product_code(ais: Ais) -> None:
    """J132"""
    ais.ledger.insert("F0009", [{"SY": "09", "IARG": "Y", "PBCO": "N"}])
    (shown,) = ais.rows(targetName="F0009", returnControlIDs="SY|IARG|PBCO|ALIA")
    assert {name[6:]: value for name, value in shown.items()} == {
        "SY": "09", "IARG": "Y", "PBCO": "N", "ALIA": " ",
    }  # fmt: skip


def test_dates_are_eight_digits_and_no_date_is_null(ais: Ais) -> None:
    """J036"""
    shown = {int(r["F0911_DOC"]): r["F0911_UPMJ"] for r in ais.rows()}
    assert shown[1] == "20240331"
    assert shown[6] is None
    assert shown[7] == "20241231"
    assert {r["F0911_DGJ"] for r in ais.rows()} == {"20240229"}


def test_text_loses_trailing_blanks_keeps_leading_ones_and_empty_is_one_blank(
    ais: Ais,
) -> None:
    """J037"""
    shown = {int(r["F0911_DOC"]): r for r in ais.rows(where("LT", "EQUAL", "AA"))}
    assert shown[1]["F0911_MCU"] == "          30"
    assert shown[4]["F0911_EXR"] == "  lead"
    assert (shown[3]["F0911_EXR"], shown[4]["F0911_POST"], shown[1]["F0911_SBL"]) == (" ",) * 3
    assert shown[2]["F0911_EXR"] == 'rent, and\n"more"'
    assert shown[6]["F0911_EXR"] == "日本 é"


def test_times_are_numbers_without_leading_zeros(ais: Ais) -> None:
    """J038"""
    row = ais.rows()[0]
    assert (row["F0911_UPMT"], row["F0911_TICU"]) == (93005, 5)


def test_version_one_prints_an_object_per_cell(ais: Ais) -> None:
    """J039"""
    answer = ais.ask("/dataservice", outputType=None, maxPageSize="1", aggregation=BY_DOCUMENT)
    data = exact(answer)["fs_DATABROWSE_F0911"]["data"]["gridData"]
    row = data["rowset"][0]
    assert (row["rowIndex"], row["MOExist"]) == (0, False)
    amount, day = row["F0911_AA"], row["F0911_UPMJ"]
    assert (amount["internalValue"], amount["value"]) == (Decimal("1234.5"), "1,234.50")
    assert (amount["dataType"], amount["dispDec"], amount["title"]) == (9, 2, "Amount")
    assert (day["internalValue"], day["value"], day["dataType"]) == (
        "1711843200000", "03/31/2024", 11,
    )  # fmt: skip
    assert data["titles"]["col_0"] == "Document Company"
    assert "columns" not in data


def test_a_page_says_how_many_rows_it_has_and_whether_there_are_more(ais: Ais) -> None:
    """J041"""
    assert grid(ais.ask(maxPageSize="7"))["summary"] == {"records": 7, "moreRecords": True}
    assert grid(ais.ask(maxPageSize="8"))["summary"] == {"records": 8, "moreRecords": False}
    nothing = where("DOC", "EQUAL", "999")
    answer = ais.ask(query={"autoFind": True, "condition": [nothing]})
    assert grid(answer)["summary"] == {"records": 0, "moreRecords": False}


def test_success_has_empty_errors_warnings_and_system_errors(ais: Ais) -> None:
    """J042"""
    answer = ais.ask().json()
    form = answer["fs_DATABROWSE_F0911"]
    assert (form["errors"], form["warnings"], answer["sysErrors"]) == ([], [], [])
    assert ais.refused() == []


def test_a_page_has_100_rows_unless_a_string_says_otherwise(large: Ais) -> None:
    """J043"""
    for size, records in ((None, 100), ("3", 3), ("No Max", 2000), ("no max", 2000)):
        assert grid(large.ask(maxPageSize=size))["summary"]["records"] == records
    for size in (500, "0", "-1", "many"):
        assert large.ask(maxPageSize=size).status_code == 500
    assert len(large.refused()) == 4


def test_the_fetch_limit_caps_a_page_and_only_more_records_tells(large: Ais) -> None:
    """J044"""
    answer = large.ask(maxPageSize="5000")
    assert grid(answer)["summary"] == {"records": 2000, "moreRecords": True}
    assert answer.json()["links"] == []
    large.switch("fetch_limit_rows", 50)
    assert grid(large.ask(maxPageSize="No Max"))["summary"]["records"] == 50


def test_without_find_nothing_is_found(ais: Ais) -> None:
    """J046"""
    assert ais.rows(findOnEntry=None) == []
    assert len(ais.rows(findOnEntry="TRUE")) == 8
    assert len(ais.rows(findOnEntry=None, query={"autoFind": True})) == 8
    ais.switch("find_needed", False)
    assert len(ais.rows(findOnEntry=None)) == 8


def test_rows_come_in_no_stable_order_unless_asked(ais: Ais) -> None:
    """J053"""
    orders = {tuple(r["F0911_DOC"] for r in ais.rows()) for _ in range(20)}
    assert len(orders) > 1
    ais.switch("order", "stable")
    assert len({tuple(r["F0911_DOC"] for r in ais.rows()) for _ in range(20)}) == 1


def test_ties_of_an_order_come_in_no_stable_order(ais: Ais) -> None:
    """J053"""
    by_currency = {"orderBy": [{"column": "F0911.CRCD", "direction": "DESC"}]}
    orders = {
        tuple(int(r["F0911_DOC"]) for r in ais.rows(aggregation=by_currency)) for _ in range(20)
    }
    assert len(orders) > 1
    assert {order[:3] for order in orders} <= {
        (a, b, c) for a in (1, 2, 5) for b in (1, 2, 5) for c in (1, 2, 5)
    }


def test_rows_come_in_the_order_asked(ais: Ais) -> None:
    """J054"""
    order = {"orderBy": [{"column": "F0911.LT", "direction": "DESC"},
                         {"column": "DOC", "direction": "DESC"}]}  # fmt: skip
    assert [(r["F0911_LT"], int(r["F0911_DOC"])) for r in ais.rows(aggregation=order)] == [
        ("CA", 3), ("AA", 7), ("AA", 6), ("AA", 5), ("AA", 4), ("AA", 3), ("AA", 2), ("AA", 1),
    ]  # fmt: skip


def test_row_security_hides_a_business_unit_in_every_table_that_has_one(ais: Ais) -> None:
    """J068"""
    before = {name: len(ais.rows(targetName=name)) for name in ("F0911", "F0902", "F0901", "F0006")}
    ais.switch("hidden_business_units", ["M30"])
    after = {name: len(ais.rows(targetName=name)) for name in before}
    assert (before["F0911"] - after["F0911"], before["F0902"] - after["F0902"]) == (3, 1)
    assert (before["F0901"] - after["F0901"], before["F0006"] - after["F0006"]) == (0, 1)
    assert ais.ask(dataServiceType="COUNT").json()["ds_F0911"]["count"] == after["F0911"]
    count = {"aggregations": [{"aggregation": "COUNT", "column": "*"}]}
    assert ais.output(count)[0]["COUNT"] == after["F0911"]
    either = {"matchType": "MATCH_ANY", "condition": [where("MCU", "EQUAL", "         M30"),
                                                      where("DOC", "EQUAL", "1")]}  # fmt: skip
    assert [int(r["F0911_DOC"]) for r in ais.rows(query=either)] == [1]


def test_a_table_can_be_browsed_by_get(ais: Ais) -> None:
    """J074"""
    ais.sign_in()
    query = [("$token", ais.token), ("$device", DEVICE), ("$field", "F0911.DOC"), ("$field", "LT"),
             ("$filter", "F0911.CO EQ 00001"), ("$filter", "F0911.DOC LE 3"),
             ("$sort", "-F0911.DOC"), ("$sort", "LT"), ("$limit", "3")]  # fmt: skip
    answer = ais.send("GET", "/v2/dataservice/table/F0911", params=query)
    shown = [(int(r["F0911_DOC"]), r["F0911_LT"]) for r in grid(answer)["rowset"]]
    assert shown == [(3, "AA"), (3, "CA"), (2, "AA")]
    assert grid(answer)["summary"] == {"records": 3, "moreRecords": True}
    assert answer.json()["links"] == []
    ais.ledger.insert("F0911", [{"DOC": 50, "UPMJ": to_julian(ais.clock.today())}])
    query = [*query[:2], ("$filter", "F0911.UPMJ GE 1 TODAY_MINUS_DAY")]
    answer = ais.send("GET", "/v2/dataservice/table/F0911", params=query)
    assert [r["F0911_DOC"] for r in grid(answer)["rowset"]] == [50]
    assert ais.refused() == []
    for wrong in (("$filter", "F0911.DOC LIKE 1"), ("$skip", "10")):
        answer = ais.send("GET", "/v2/dataservice/table/F0911", params=[*query[:2], wrong])
        assert answer.status_code == 500
    assert len(ais.refused()) == 2
