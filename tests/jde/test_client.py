"""Claims about reading from JD Edwards: sessions, pages, totals, and what is proved."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tieout.errors import Refused
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
        "tokenrequest", "dataservice", *["dataservice/next"] * 3, "tokenrequest/logout",
    ]  # fmt: skip
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
    client = ledger.client()
    ledger.ais.password = "changed"
    ledger.fault(
        "status", path="tokenrequest", status=403, body='{"message": "no", "exception": "E"}'
    )
    with pytest.raises(Refused, match="did not accept the user TIEOUT"):
        documents(client)
    assert len(ledger.box.control("log", {})["log"]) == 1


def test_an_expired_result_set_goes_on_after_the_last_line(ledger: Desk) -> None:
    client = ledger.client()
    pages = client.read(ACCOUNT_LEDGER, query.equal("company", "00001"))
    found = next(pages)["document"].to_list()
    ledger.clock.sleep(61)
    for frame in pages:
        found += frame["document"].to_list()
    assert found == TEN
