"""Claims about reading from JD Edwards: sessions, pages, totals, and what is proved."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tieout.errors import Refused, Unavailable
from tieout.jde import query
from tieout.jde.client import Jde
from tieout.jde.tables import ACCOUNT_LEDGER

Desk = Any  # the fixture's class lives in conftest


def documents(client: Jde, where: query.Where | None = None) -> list[int]:
    frames = list(client.read(ACCOUNT_LEDGER, where))
    return pl.concat(frames)["document"].to_list() if frames else []


TEN = list(range(101, 111))


def test_a_read_signs_in_once_pages_by_links_and_signs_out(ledger: Desk) -> None:
    client = ledger.client()
    frames = list(client.read(ACCOUNT_LEDGER, query.equal("posted", "P")))
    client.close()
    assert [f.height for f in frames] == [3, 3, 3, 1]
    assert frames[0].schema == pl.Schema(ACCOUNT_LEDGER.schema)
    assert frames[0].row(0, named=True)["business_unit"] == "30"
    assert frames[0].row(0, named=True)["fiscal_year"] == 2025
    assert frames[0]["amount"].to_list() == [Decimal("10.5000")] * 3
    assert frames[0]["gl_date"].to_list() == [date(2025, 10, 31)] * 3
    assert [verb for verb, _ in ledger.ais.asked] == [
        "tokenrequest", "dataservice", "dataservice", *["dataservice/next"] * 3, "dataservice",
        "tokenrequest/logout",
    ]  # fmt: skip
    kinds = [body["dataServiceType"] for body in ledger.asked("dataservice")]
    assert kinds == ["BROWSE", "AGGREGATION", "AGGREGATION"]
    assert ledger.ais.tokens == {}


def test_totals_are_exact_and_grouped_under_our_names(ledger: Desk) -> None:
    client = ledger.client()
    found = client.totals(
        ACCOUNT_LEDGER, group_by=["company", "fiscal_year", "gl_date"], sums=["amount"],
        maxima=["updated_time", "updated"], where=query.at_least("gl_date", date(2025, 1, 31)),
    )  # fmt: skip
    assert found.rows() == [
        ("00001", 2025, date(2025, 10, 31), Decimal("105.0000"), 91625, date(2025, 11, 1), 10)
    ]
    assert client.count(ACCOUNT_LEDGER, query.above("document", 108)) == 2


def test_a_proved_read_counts_before_and_after(ledger: Desk) -> None:
    rows, proof = ledger.client().read_proved(ACCOUNT_LEDGER, None, sums=["amount"])
    assert rows.height == proof.rows == proof.before.count == proof.after.count == 10
    assert proof.before.sums == (("amount", Decimal("105.0000")),)


def test_a_wrong_password_is_tried_once_only(ledger: Desk) -> None:
    with pytest.raises(Refused, match="did not accept the user TIEOUT"):
        documents(ledger.client(password="wrong"))
    assert len(ledger.box.control("log", {})["log"]) == 1


def test_an_expired_result_set_goes_on_after_the_last_line(ledger: Desk) -> None:
    client = ledger.client()
    pages = client.read(ACCOUNT_LEDGER, query.equal("company", "00001"))
    found = next(pages)["document"].to_list()
    ledger.clock.sleep(61)
    for frame in pages:
        found += frame["document"].to_list()
    assert found == TEN


def test_a_session_lost_between_pages_goes_on_after_the_last_line(ledger: Desk) -> None:
    pages = ledger.client().read(ACCOUNT_LEDGER, None)
    found = next(pages)["document"].to_list()
    ledger.ais.tokens.clear()
    found += [d for frame in pages for d in frame["document"]]
    assert found == TEN


LOST_PAGES = [
    {"kind": "cut_after"}, {"kind": "cut_before"}, {"kind": "truncate"},
    {"kind": "status_after", "status": 502, "body": "<html>"},
    {"kind": "status", "status": 500, "body": '{"sysErrors":[{"TITLE":"JAS_MSG347: expired"}]}'},
    {"kind": "replace", "find": "^.*$", "body": '{"sysErrors":[{"TITLE":"JAS_MSG347: expired"}]}'},
    {"kind": "status", "status": 444, "body": '{"message":"Invalid Token"}'},
]  # fmt: skip


@pytest.mark.parametrize("fault", LOST_PAGES, ids=lambda f: f"{f['kind']}-{f.get('status', '')}")
@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_lost_page_is_neither_skipped_nor_read_twice(
    ledger: Desk, fault: dict[str, Any], page: int
) -> None:
    ledger.fault(path="/next", nth=page, **fault)
    assert documents(ledger.client()) == TEN


def test_a_result_set_that_always_expires_ends_with_advice(ledger: Desk) -> None:
    body = '{"sysErrors":[{"TITLE":"JAS_MSG347: The query results expired."}]}'
    ledger.fault("status", path="/dataservice", status=200, body=body, times=99)
    with pytest.raises(Refused, match="broke off the reading of F0911 4 times") as refused:
        documents(ledger.client())
    assert "page_rows" in refused.value.do


def test_next_pages_are_asked_from_our_own_address(ledger: Desk) -> None:
    documents(ledger.client())
    queries = [e["query"] for e in ledger.box.control("log", {})["log"] if "/next" in e["path"]]
    assert len(queries) == 3
    assert all("|" not in query and "%7C" in query for query in queries)


def test_odd_characters_in_a_link_are_sent_encoded(ledger: Desk) -> None:
    odd = r"next?odd=\\u0001 \\u00fc&rid="
    ledger.fault("replace", path="dataservice", find=r"next\?rid=", body=odd, times=9)
    assert documents(ledger.client()) == TEN
    queries = [e["query"] for e in ledger.box.control("log", {})["log"] if "/next" in e["path"]]
    assert all(query.isascii() and query.isprintable() for query in queries)


def test_a_line_without_a_date_in_its_key_is_never_gone_on_from(ledger: Desk) -> None:
    ledger.ais.tables["F0911"][2]["DGJ"] = None
    assert documents(ledger.client()) == TEN
    with pytest.raises(Refused, match="F0911 has no gl_date, which is part of its key"):
        list(ledger.client().read_by_keys(ACCOUNT_LEDGER, None))
    asked = [str(body["query"]) for body in ledger.asked("dataservice")]
    assert not any("None" in query for query in asked)


def test_more_rows_without_a_link_are_read_by_key(ledger: Desk) -> None:
    ledger.fault("replace", path="dataservice$", find='"links":.*', body='"links":[]}', times=9)
    assert documents(ledger.client()) == TEN
    assert ledger.asked("dataservice/next") == []


def test_more_rows_that_never_come_are_refused(ledger: Desk) -> None:
    empty = '"rowset":[],"summary":{"records":0,"moreRecords":true}}},"errors":[]}}'
    ledger.fault("replace", path="dataservice$", find='"rowset".*', body=empty, times=9)
    with pytest.raises(Refused, match="circle"):
        documents(ledger.client())


def test_links_that_lead_in_a_circle_are_refused(ledger: Desk) -> None:
    def back_to_the_start() -> None:
        for cursor in ledger.ais.cursors.values():
            cursor[2] = 0

    ledger.ais.between_pages = back_to_the_start
    with pytest.raises(Refused, match="circle"):
        documents(ledger.client())


def test_links_that_lead_back_to_an_earlier_page_are_refused(ledger: Desk) -> None:
    starts = iter([3, 0, 3, 0])

    def back_and_forth() -> None:
        for cursor in ledger.ais.cursors.values():
            cursor[2] = next(starts)

    ledger.ais.between_pages = back_and_forth
    with pytest.raises(Refused, match="circle"):
        documents(ledger.client())


def test_a_long_read_moves_to_a_new_session_before_the_old_one_ends(ledger: Desk) -> None:
    ledger.ais.between_pages = lambda: ledger.clock.sleep(45)
    ledger.ais.lives = {"sessionTimeout": "30", "timeToLive": "2"}
    assert documents(ledger.client(page_rows=1)) == TEN
    log = ledger.box.control("log", {})["log"]
    assert {entry["status"] for entry in log} == {200}
    assert len(ledger.asked("tokenrequest")) > 2


def test_a_read_may_be_broken_off_often_as_long_as_it_gets_on(ledger: Desk) -> None:
    ledger.ais.between_pages = lambda: ledger.clock.sleep(61)
    assert documents(ledger.client(page_rows=1)) == TEN


def test_pages_without_end_are_refused_by_a_proved_read(ledger: Desk) -> None:
    new = iter(range(1000))

    def grow() -> None:
        for cursor in ledger.ais.cursors.values():
            for _ in range(3):
                last = dict(cursor[1][-1], F0911_DOC=cursor[1][-1]["F0911_DOC"] + 1 + next(new))
                cursor[1].append(last)

    ledger.ais.between_pages = grow
    with pytest.raises(Refused, match="circle"):
        ledger.client().read_proved(ACCOUNT_LEDGER, None)
    with pytest.raises(Refused, match="circle"):
        documents(ledger.client())


def test_a_line_that_stands_on_two_pages_is_read_once(ledger: Desk) -> None:
    def one_back() -> None:
        for cursor in ledger.ais.cursors.values():
            cursor[2] -= 1

    ledger.ais.between_pages = one_back
    assert documents(ledger.client()) == TEN


def test_an_error_inside_a_successful_answer_is_refused_in_its_words(ledger: Desk) -> None:
    body = '{"sysErrors":[{"TITLE":"No such column F0911.XX","DESC":"d"}]}'
    ledger.fault("status", path="dataservice$", status=200, body=body, times=9)
    with pytest.raises(Refused, match=r"No such column F0911\.XX"):
        documents(ledger.client())
    with pytest.raises(Refused, match=r"No such column F0911\.XX"):
        ledger.client().count(ACCOUNT_LEDGER, None)


def test_a_renamed_column_is_refused(ledger: Desk) -> None:
    ledger.fault("replace", path="dataservice$", find="F0911_AA", body="F0911_AMOUNT")
    with pytest.raises(Refused, match="form that is not understood"):
        documents(ledger.client())


def test_a_failed_query_is_asked_once_more_in_a_new_session(ledger: Desk) -> None:
    client = ledger.client()
    client.sign_in()
    ledger.fault("status", path="dataservice$", status=500, body='{"message":"HTML server gone"}')
    assert client.count(ACCOUNT_LEDGER, None) == 10
    assert len(ledger.asked("tokenrequest")) == 2
    ledger.fault("status", path="dataservice$", status=500, body='{"message":"gone"}', times=9)
    with pytest.raises(Unavailable, match="gone"):
        client.count(ACCOUNT_LEDGER, None)


def test_reading_by_keys_needs_no_links(ledger: Desk) -> None:
    frames = list(ledger.client().read_by_keys(ACCOUNT_LEDGER, query.equal("company", "00001")))
    assert [f.height for f in frames] == [3, 3, 3, 1]
    assert pl.concat(frames)["document"].to_list() == TEN
    assert ledger.asked("dataservice/next") == []


def test_chosen_columns_come_in_their_order_and_without_the_key(ledger: Desk) -> None:
    frames = list(ledger.client().read(ACCOUNT_LEDGER, None, columns=["fiscal_year", "amount"]))
    assert frames[0].columns == ["fiscal_year", "amount"]
    assert sum(f.height for f in frames) == 10


# --- proof ----------------------------------------------------------------------------------------


def test_rows_cut_off_by_a_fetch_limit_are_read_by_keys(ledger: Desk) -> None:
    ledger.ais.hidden_after = 5  # rows of one result set; nothing announces it
    rows, proof = ledger.client(page_rows=4).read_proved(ACCOUNT_LEDGER, None)
    assert rows["document"].to_list() == TEN
    assert proof.holds


def test_rows_that_no_way_of_reading_shows_are_refused_with_the_limit_named(ledger: Desk) -> None:
    ledger.ais.on_no_page = {104, 110}
    with pytest.raises(Refused, match="counts 10 rows of F0911 but shows 8: a DB fetch limit"):
        ledger.client(page_rows=4).read_proved(ACCOUNT_LEDGER, None)


def test_a_line_posted_while_we_read_makes_us_read_again(ledger: Desk) -> None:
    def post_one() -> None:
        ledger.ais.between_pages = lambda: None
        row = dict(ledger.ais.tables["F0911"][0], DOC=50)
        ledger.ais.tables["F0911"].append(row)

    ledger.ais.between_pages = post_one
    rows, proof = ledger.client().read_proved(ACCOUNT_LEDGER, None, sums=["amount"])
    assert rows["document"].to_list() == [50, *TEN]
    assert proof.holds


def test_an_amount_edited_while_we_read_makes_us_read_again(ledger: Desk) -> None:
    def edit() -> None:
        ledger.ais.between_pages = lambda: None
        ledger.ais.tables["F0911"][0]["AA"] = Decimal("99.00")

    ledger.ais.between_pages = edit
    rows, _ = ledger.client().read_proved(ACCOUNT_LEDGER, None, sums=["amount"])
    assert rows["amount"][0] == Decimal("99.0000")


@pytest.mark.parametrize("way", ["read_proved", "read_whole"])
def test_a_ledger_that_never_rests_is_given_up_after_three_reads(ledger: Desk, way: str) -> None:
    def post_one() -> None:
        row = dict(ledger.ais.tables["F0911"][-1])
        ledger.ais.tables["F0911"].append(row | {"DOC": row["DOC"] + 1})

    ledger.ais.between_pages = post_one
    with pytest.raises(Unavailable, match="changed while it was read, 3 times"):
        getattr(ledger.client(), way)(ACCOUNT_LEDGER, None)


def test_nothing_is_proved_as_nothing(desk: Desk) -> None:
    rows, proof = desk.client().read_proved(ACCOUNT_LEDGER, None, sums=["amount"])
    assert rows.schema == pl.Schema(ACCOUNT_LEDGER.schema)
    assert (rows.height, proof.before.count, proof.before.sums) == (0, 0, (("amount", Decimal(0)),))


# --- every read is counted ------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [3, 4, 6, 9])
@pytest.mark.parametrize("way", ["read", "read_by_keys"])
def test_a_result_cut_off_in_silence_is_read_to_its_end(ledger: Desk, limit: int, way: str) -> None:
    ledger.ais.hidden_after = limit
    pages = getattr(ledger.client(), way)(ACCOUNT_LEDGER, None)
    assert pl.concat(pages)["document"].to_list() == TEN


def test_one_full_page_is_not_taken_for_the_whole(ledger: Desk) -> None:
    ledger.ais.hidden_after = 5
    assert documents(ledger.client(page_rows=5)) == TEN


def test_a_hundred_rows_on_one_page_are_counted(desk: Desk) -> None:
    desk.post(130)
    desk.ais.hidden_after = 100
    assert documents(desk.client(page_rows=1000)) == list(range(101, 231))


def test_a_few_rows_on_one_page_cost_one_request(ledger: Desk) -> None:
    assert documents(ledger.client(page_rows=1000)) == TEN
    assert len(ledger.asked("dataservice")) == 1


def test_a_hundred_rows_on_one_page_cost_one_count(desk: Desk) -> None:
    desk.post(100)
    assert len(documents(desk.client(page_rows=1000))) == 100
    assert len(desk.asked("dataservice")) == 2


@pytest.mark.parametrize("way", ["read", "read_by_keys"])
def test_lines_that_are_counted_and_on_no_page_are_refused(ledger: Desk, way: str) -> None:
    ledger.ais.on_no_page = {104}
    with pytest.raises(Refused, match="counts 10 rows of F0911 but shows 9"):
        list(getattr(ledger.client(), way)(ACCOUNT_LEDGER, None))
    with pytest.raises(Refused, match="counts 10 rows of F0911 but shows 9"):
        ledger.client().read_whole(ACCOUNT_LEDGER, None)


def a_line_leaves(ledger: Desk) -> None:
    """A line already read is deleted, so that the line after the page moves up onto it (J13)."""

    def delete() -> None:
        ledger.ais.between_pages = lambda: None
        del ledger.ais.tables["F0911"][0]
        for cursor in ledger.ais.cursors.values():
            del cursor[1][0]

    ledger.ais.between_pages = delete


def test_a_line_that_falls_between_two_pages_stops_the_read(ledger: Desk) -> None:
    a_line_leaves(ledger)
    with pytest.raises(Unavailable, match="10 rows before, 9 read, 9 after"):
        documents(ledger.client())


def test_a_line_that_falls_between_two_pages_is_there_when_read_again(ledger: Desk) -> None:
    a_line_leaves(ledger)
    rows = ledger.client().read_whole(ACCOUNT_LEDGER, None, columns=["document"])
    assert rows["document"].to_list() == TEN[1:]


def test_a_caller_that_counts_himself_is_not_counted_for(ledger: Desk) -> None:
    ledger.ais.hidden_after = 4
    frames = list(ledger.client().read(ACCOUNT_LEDGER, None, expected=10))
    assert pl.concat(frames)["document"].to_list() == TEN
    kinds = [body["dataServiceType"] for body in ledger.asked("dataservice")]
    assert set(kinds) == {"BROWSE"}


def test_nothing_is_read_whole_as_nothing(desk: Desk) -> None:
    rows = desk.client().read_whole(ACCOUNT_LEDGER, None, columns=["amount", "fiscal_year"])
    assert rows.schema == {"amount": pl.Decimal(38, 4), "fiscal_year": pl.Int32}
    assert rows.height == 0
