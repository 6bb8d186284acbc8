"""The practice ledger: rows as JDE keeps them, and requests nobody foresaw (J026, J061)."""

from __future__ import annotations

import copy
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from jde_practice import DEVICE, practice, where

from tieout.sim.jde.ledger import Ledger
from tieout.sim.jde.tables import TABLES

ODD_REQUESTS = 150
VALID: dict[str, Any] = {
    "targetName": "F0911", "targetType": "table", "dataServiceType": "AGGREGATION",
    "findOnEntry": "true", "maxPageSize": "5", "outputType": "GRID_DATA",
    "returnControlIDs": "DOC|AA", "enableNextPageProcessing": True,
    "query": {"condition": [where("DOC", "BETWEEN", "1", "5"),
                            where("UPMJ", "LESS", "5", special="TODAY_MINUS_YEAR")],
              "complexQuery": [{"andOr": "OR", "query": {"matchType": "MATCH_ANY"}}]},
    "aggregation": {"aggregations": [{"aggregation": "AVG", "column": "AA"}],
                    "groupBy": [{"column": "DGJ", "specialHandling": "yyyy-MM"}],
                    "orderBy": [{"column": "DGJ", "direction": "ASC"}],
                    "currency": {"type": "COMPANY", "keyCols": ["CO"], "currencyCols": ["AA"]}},
    "having": {"condition": [{"aggregation": "SUM", "controlId": "AA", "operator": "LESS",
                              "value": [{"content": "1", "specialValueId": "LITERAL"}]}]},
}  # fmt: skip
ODD: list[Any] = [
    None, True, 0, -1, 1.5, "", "x", "99999", "9" * 40, "'", '"', [], {}, [[]], [None], {"a": 1},
    "TODAY_PLUS_YEAR", "*", "MCU", "NaN", [VALID], "%", "2024-13-45",
]  # fmt: skip


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every member inside a JSON value."""
    inner: Any = ()
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [way for key, item in inner for way in ((*at, key), *paths(item, (*at, key)))]


def damaged(dice: Random) -> Any:
    """A valid request in which one to three members are odd or missing."""
    request = copy.deepcopy(VALID) | {"dataServiceType": dice.choice(("AGGREGATION", "BROWSE"))}
    if request["dataServiceType"] == "BROWSE":
        request["aggregation"] = {"orderBy": [{"column": "DOC", "direction": "ASC"}]}
    for _ in range(dice.randint(1, 3)):
        *way, last = dice.choice(paths(request))
        inner: Any = request
        for key in way:
            inner = inner[key]
        if dice.random() < 0.2:
            del inner[last]
        else:
            inner[last] = copy.deepcopy(dice.choice(ODD))
    return request


def test_every_odd_request_gets_an_answer_and_none_breaks_the_server(
    tmp_path: Path, dice: Random
) -> None:
    """J061"""
    with practice(tmp_path) as ais:
        ais.sign_in()
        for _ in range(ODD_REQUESTS):
            request = damaged(dice)
            headers = {"jde-AIS-Auth": ais.token, "jde-AIS-Auth-Device": DEVICE}
            answer = ais.send("POST", "/v2/dataservice", json=request, headers=headers)
            assert answer.status_code in (200, 500), (request, answer.text)
            assert isinstance(json.loads(answer.text), dict), request
        assert ais.refused()
        assert len(ais.rows()) == 8


def test_a_request_nested_beyond_reason_is_refused(tmp_path: Path) -> None:
    """J061"""
    with practice(tmp_path) as ais:
        query: dict[str, Any] = {"condition": [where("DOC", "EQUAL", "1")]}
        for depth in range(200):
            query = {"complexQuery": [{"andOr": "AND", "query": query}]}
            if depth == 15:
                assert ais.documents(query=query) == [1]
        assert ais.ask(query=query).status_code == 500
        text = '{"a":' * 50_000 + "1" + "}" * 50_000
        headers = {"Content-Type": "application/json", "jde-AIS-Auth": ais.token}
        answer = ais.send("POST", "/v2/dataservice", content=text.encode(), headers=headers)
        assert answer.status_code == 400


def test_text_is_kept_as_jde_keeps_it(tmp_path: Path) -> None:
    """J037 J060"""
    ledger = Ledger(tmp_path / "jde.sqlite")
    ledger.insert("F0006", [{"MCU": "30", "DL01": "Works  "}, {"MCU": "         M30"}])
    assert [row["MCU"] for row in ledger.rows("F0006")] == ["          30", "         M30"]
    assert ledger.rows("F0006", {"MCU": "30"})[0]["DL01"] == "Works"
    ledger.insert("F0006", [{"MCU": "30"}], raw=True)  # as a bad load leaves it
    assert len(ledger.rows("F0006")) == 3
    assert ledger.update("F0006", {"CO": "00001"}, {"MCU": "M30"}) == 1
    assert ledger.delete("F0006", {"CO": "00001"}) == 1
    ledger.insert("F0005", [{"SY": "09", "RT": "LT", "KY": "AA"}])
    assert ledger.rows("F0005")[0]["KY"] == "        AA"  # user defined codes too
    row = ledger.rows("F0006", {"MCU": "30"})[0]
    assert (row["RP50"], row["AN8"], row["D1J"]) == ("", 0, 0)


@pytest.mark.parametrize(
    "row",
    [{"DCT": "JEX"}, {"AA": 1.5}, {"AA": "1"}, {"AA": True}, {"AA": 10**15}, {"EXR": 5}, {"ZZ": 1},
     {"MCU": "1234567890123"}],
    ids=str,
)  # fmt: skip
def test_a_value_that_does_not_fit_its_column_is_refused(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    ledger = Ledger(tmp_path / "jde.sqlite")
    with pytest.raises(ValueError, match=next(iter(row))):
        ledger.insert("F0911", [{"DOC": 1}, {"DOC": 2} | row])
    assert ledger.rows("F0911") == []


def test_writes_of_a_transaction_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "jde.sqlite")

    def both() -> None:
        with ledger.transaction():
            ledger.insert("F0013", [{"CRCD": "USD"}])
            ledger.insert("F0013", [{"CRCD": "USD"}])

    with pytest.raises(sqlite3.IntegrityError):
        both()
    assert ledger.rows("F0013") == []
    ledger.insert("F0013", [{"CRCD": "EUR"}])
    ledger.close()
    assert len(Ledger(tmp_path / "jde.sqlite").rows("F0013")) == 1


def test_tables_have_the_published_keys() -> None:
    assert TABLES["F0911"].key == ("DCT", "DOC", "KCO", "DGJ", "JELN", "LT", "EXTL")
    assert TABLES["F0902"].key == ("AID", "CTRY", "FY", "FQ", "LT", "SBL", "SBLT", "CRCD")
    widths = {alias: TABLES["F0911"].columns[alias].width for alias in ("MCU", "OBJ", "SUB", "AID")}
    assert widths == {"MCU": 12, "OBJ": 6, "SUB": 8, "AID": 8}
    assert {f"AN{n:02d}" for n in range(1, 15)} <= set(TABLES["F0902"].columns)
    assert len([a for a in TABLES["F0006"].columns if a.startswith("RP")]) == 50


def test_many_threads_read_while_rows_are_posted(tmp_path: Path) -> None:
    with practice(tmp_path) as ais:
        ais.sign_in()

        def post(number: int) -> int:
            row = {"DOC": number, "CO": "00001", "LT": "AA", "POST": "P", "AA": 1, "EXR": "new"}
            return ais.ledger.insert("F0911", [row])

        def read(_: int) -> int:
            return len(ais.documents(where("EXR", "EQUAL", "new"), maxPageSize="500"))

        with ThreadPoolExecutor(4) as pool:
            posted = [pool.submit(post, 1000 + n) for n in range(50)]
            seen = [pool.submit(read, n) for n in range(20)]
            assert sum(p.result() for p in posted) == 50
            assert all(0 <= s.result() <= 50 for s in seen)
        assert read(0) == 50


def test_verbs_of_the_company_run_in_one_transaction(tmp_path: Path) -> None:
    """J026"""
    ledger_rows: list[Ledger] = []

    def event(body: dict[str, Any]) -> dict[str, Any]:
        ledger_rows[0].insert("F0013", [{"CRCD": body["currency"]}])
        if body.get("fails"):
            raise ValueError("no such event")
        return {"made": body["currency"]}

    with practice(tmp_path, verbs={"event": event}) as ais:
        ledger_rows.append(ais.ledger)
        assert ais.control("event", currency="AUD") == {"made": "AUD"}
        refused = ais.http.post(
            f"{ais.control_url}/control/event", json={"currency": "NZD", "fails": 1}
        )
        assert refused.status_code == 400
        assert {r["CRCD"] for r in ais.ledger.rows("F0013")} == {"AUD", "JPY", "KWD", "USD"}
        assert ais.http.post(f"{ais.control_url}/control/dance", json={}).status_code == 400
        ais.sign_in()
        seen = ais.control("restart")
        assert (seen["sessions"], seen["sessions_opened"], seen["result_sets"]) == (0, 1, 0)
