"""Practice AIS: next-page links, result sets that expire, pages lost on the way (J045 to J052)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import pytest
from jde_practice import DEVICE, Ais, grid, practice

ORDER = {"orderBy": [{"column": "F0911.DOC", "direction": "ASC"},
                     {"column": "F0911.LT", "direction": "ASC"}]}  # fmt: skip


@pytest.fixture
def ais(tmp_path: Path) -> Iterator[Ais]:
    with practice(tmp_path) as served:
        yield served


def first(ais: Ais, **attributes: Any) -> httpx2.Response:
    paged = {"enableNextPageProcessing": True, "maxPageSize": "3", "aggregation": ORDER}
    return ais.ask(**(paged | attributes))


def documents(answer: httpx2.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [int(row["F0911_DOC"]) for row in grid(answer)["rowset"]]


def test_paging_goes_on_past_the_fetch_limit_or_stops_at_it(ais: Ais) -> None:
    """J045"""
    ais.switch("fetch_limit_rows", 4)
    assert documents(ais.follow(ais.follow(first(ais)))) == [6, 7]
    ais.switch("fetch_limit_links", "stop")
    second = ais.follow(first(ais))
    assert documents(second) == [3]
    assert grid(second)["summary"] == {"records": 1, "moreRecords": True}
    assert second.json()["links"] == []


def test_a_fetch_limit_may_end_a_result_without_a_word(ais: Ais) -> None:
    """J045"""
    ais.switch("fetch_limit_rows", 4)
    ais.switch("fetch_limit_links", "silent")
    second = ais.follow(first(ais))
    assert documents(second) == [3]
    assert grid(second)["summary"] == {"records": 1, "moreRecords": False}
    assert second.json()["links"] == []
    whole = first(ais, maxPageSize="No Max", enableNextPageProcessing=None)
    assert grid(whole)["summary"] == {"records": 4, "moreRecords": False}
    short = first(ais, enableNextPageProcessing=None)
    assert grid(short)["summary"] == {"records": 3, "moreRecords": True}


@pytest.mark.parametrize("enabled", [True, "true"])
def test_the_next_link_stands_first_exactly_while_there_are_more(ais: Ais, enabled: object) -> None:
    """J047"""
    answer, pages = first(ais, enableNextPageProcessing=enabled), [[1, 2, 3], [3, 4, 5], [6, 7]]
    for number, page in enumerate(pages, 1):
        assert documents(answer) == page
        more = grid(answer)["summary"]["moreRecords"]
        assert more is (number < 3)
        assert [link["rel"] for link in answer.json()["links"]] == ["next"] * more
        answer = ais.follow(answer) if more else answer
    assert first(ais, enableNextPageProcessing=None).json()["links"] == []


def test_the_link_is_absolute_holds_the_encoded_token_and_a_raw_bar(ais: Ais) -> None:
    """J047"""
    asked = "F0911.DOC|F0911.AA"
    href = first(ais, returnControlIDs=asked).json()["links"][0]["href"]
    assert href.startswith("http://ais.practice.invalid:9300/jderest/v2/dataservice/next?stackId=1")
    assert f"token={quote(ais.token, safe='')}" in href
    assert f"returnControlIDs={asked}" in href
    parameters = parse_qs(urlsplit(href).query)
    assert (parameters["formOID"], parameters["outputType"]) == (["F0911"], ["GRID_DATA"])
    assert (parameters["token"], parameters["deviceName"]) == ([ais.token], [DEVICE])
    ais.switch("advertised_url", "https://elsewhere.example.com")
    assert first(ais).json()["links"][0]["href"].startswith("https://elsewhere.example.com/jderest")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("body", [b"", b"null", b"{}"])
def test_the_next_page_needs_no_body_and_keeps_its_size(ais: Ais, method: str, body: bytes) -> None:
    """J048"""
    headers = {"Content-Type": "application/json"}
    answer = ais.follow(first(ais), method, content=body, headers=headers)
    assert documents(answer) == [3, 4, 5]
    assert answer.json()["stateId"] == 2


def test_undocumented_parameters_and_bodies_are_refused(ais: Ais) -> None:
    """J048"""
    assert ais.follow(first(ais), json={"maxPageSize": "10"}).status_code == 500
    path = "/v2/dataservice/next"
    query = {"token": ais.token, "deviceName": DEVICE, "page": "2"}
    assert ais.send("POST", path, params=query).status_code == 500
    assert [entry["path"] for entry in ais.refused()] == ["/jderest" + path] * 2


def test_version_one_ignores_paging(ais: Ais) -> None:
    """J049"""
    answer = first(ais, path="/dataservice")
    assert grid(answer)["summary"] == {"records": 3, "moreRecords": True}
    assert "links" not in answer.json()
    assert ais.control("state")["result_sets"] == 0


def test_a_result_set_expires_after_sixty_idle_seconds(ais: Ais) -> None:
    """J050"""
    answer = first(ais)
    ais.clock.advance(59)
    answer = ais.follow(answer)
    assert documents(answer) == [3, 4, 5]
    ais.clock.advance(61)
    late = ais.follow(answer)
    assert late.status_code == 500
    assert late.json()["sysErrors"][0]["TITLE"].startswith("JAS_MSG347: The query results expired.")
    assert ais.follow(answer).status_code == 500
    assert ais.refused() == []
    ais.switch("result_set_seconds", 600)
    answer = first(ais)
    ais.clock.advance(590)
    assert documents(ais.follow(answer)) == [3, 4, 5]


def test_links_die_with_their_session(ais: Ais) -> None:
    """J050"""
    answer = first(ais)
    ais.send("POST", "/v2/tokenrequest/logout", json={"token": ais.token})
    assert ais.follow(answer).status_code == 444


def test_a_link_used_twice_skips_a_page_or_repeats_it(ais: Ais) -> None:
    """J051"""
    answer = first(ais)
    assert documents(ais.follow(answer)) == [3, 4, 5]
    assert documents(ais.follow(answer)) == [6, 7]
    assert documents(ais.follow(answer)) == []
    ais.switch("repeated_link", "repeats")
    answer = first(ais)
    assert documents(ais.follow(answer)) == documents(ais.follow(answer)) == [3, 4, 5]


def test_pages_show_rows_as_they_are_when_read_or_as_they_were_when_opened(ais: Ais) -> None:
    """J052"""

    def remark(answer: httpx2.Response) -> str:
        return str(grid(answer)["rowset"][1]["F0911_EXR"])

    answer = first(ais)
    ais.ledger.update("F0911", {"EXR": "changed"}, {"DOC": 4})
    assert remark(ais.follow(answer)) == "changed"
    ais.switch("cursor_reads", "open")
    answer = first(ais)
    ais.ledger.update("F0911", {"EXR": "again"}, {"DOC": 4})
    assert remark(ais.follow(answer)) == "changed"


def test_pages_by_offset_repeat_a_row_or_let_one_fall_out_when_rows_come_or_go(ais: Ais) -> None:
    """J052"""
    ais.switch("cursor_reads", "offset")
    answer = first(ais)
    ais.ledger.insert("F0911", [{"DCT": "JE", "KCO": "00001", "DOC": 0, "LT": "AA"}])
    second = ais.follow(answer)
    assert (documents(answer), documents(second)) == ([1, 2, 3], [3, 3, 4])  # line AA of 3 again
    third = ais.follow(second)
    assert documents(third) == [5, 6, 7]
    assert (grid(third)["summary"]["moreRecords"], third.json()["links"]) == (False, [])
    answer = first(ais)
    ais.ledger.delete("F0911", {"DOC": 0})
    assert (documents(answer), documents(ais.follow(answer))) == ([0, 1, 2], [3, 4, 5])
    ais.switch("fetch_limit_rows", 4)
    ais.switch("fetch_limit_links", "silent")
    assert documents(ais.follow(first(ais))) == [3]


def test_two_readers_page_at_the_same_time_without_mixing(ais: Ais) -> None:
    one, two = first(ais), first(ais, maxPageSize="5")
    assert documents(ais.follow(one)) == [3, 4, 5]
    assert documents(ais.follow(two)) == [5, 6, 7]
