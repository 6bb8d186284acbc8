"""Claims about reading the practice JD Edwards, whatever way its undocumented behaviour falls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tieout.clock import PracticeSystemsClock
from tieout.engine.story import Interrupted
from tieout.errors import Refused, Trouble
from tieout.http import Http
from tieout.jde import query
from tieout.jde.client import Jde
from tieout.jde.credentials import Credentials
from tieout.jde.tables import (
    ACCOUNT_BALANCES,
    ACCOUNT_LEDGER,
    BUSINESS_UNITS,
    COMPANIES,
    DATE_PATTERNS,
    LEDGERS,
)
from tieout.jde.wire import distinct_keys
from tieout.outgoing import Allowed
from tieout.project import JdeConnection
from tieout.sim.box import Box, serve
from tieout.sim.clock import PracticeClock
from tieout.sim.jde.ledger import Ledger
from tieout.sim.jde.system import System

LINES, PAGE_ROWS = 250, 60
POSTED = query.every(
    query.equal("company", "00001"), query.equal("posted", "P"), query.equal("fiscal_year", 2025),
    query.one_of("ledger", ["AA", "CA"]), query.equal("business_unit", "30"),
    query.between("gl_date", date(2025, 1, 31), date(2025, 2, 1)),
)  # fmt: skip


def line(n: int) -> dict[str, Any]:
    return {
        "DCT": "JE", "DOC": 100 + n // 2, "KCO": "00001", "DGJ": 125031 + n % 3, "JELN": n % 2 + 1,
        "LT": "AA", "POST": "P" if n % 10 else "", "CO": "00001", "AID": "00012592", "MCU": "30",
        "OBJ": "5005", "CTRY": 20, "FY": 25, "PN": 1, "CRCD": "USD", "BCRC": "USD", "AA": 1050 + n,
        "ICUT": "G", "ICU": 7, "UPMJ": 125031, "UPMT": 91625, "EXA": 'Rent, "May"',
    }  # fmt: skip


EXPECTED = [n for n in range(LINES) if n % 10 and n % 3 < 2]

WHO = Credentials("TIEOUT", "geheim")


class Practice:
    """A served practice AIS with a small ledger, and clients of it."""

    def __init__(self) -> None:
        clock = PracticeClock()
        self.ledger = Ledger(":memory:")
        self.ledger.insert("F0010", [{"CO": "00001", "NAME": "One", "CRCD": "USD", "DTPN": "R"}])
        self.ledger.insert("F0013", [{"CRCD": "USD", "CDEC": "2"}])
        self.ledger.insert("F0025", [{"LT": "AA", "DL01": "Actual"}])
        self.ledger.insert("F0006", [{"MCU": "30", "STYL": "CC", "CO": "00001"}])
        pattern = {"DTPN": "R", "DFYJ": 125001, "CTRY": 20, "FY": 25, "D01J": 125031}
        self.ledger.insert("F0008", [pattern])
        self.ledger.insert("F0911", [line(n) for n in range(LINES)])
        balance = {
            "AID": "00012592",
            "CTRY": 20,
            "FY": 25,
            "LT": "AA",
            "CO": "00001",
            "CRCD": "USD",
        }
        self.ledger.insert("F0902", [balance | {"AN01": 123456, "AND01": 200000, "APYC": -5}])
        self.system = System(self.ledger, clock, {"TIEOUT": "geheim"})
        self.box = Box(self.system, clock)
        self.url, self.stop = serve(self.box, 0, control=False)
        control, self.stop_control = serve(self.box, 0, control=True)
        self.clock = PracticeSystemsClock(control)
        self.http = Http(
            self.url + "/jderest",
            system="JDE",
            clock=self.clock,
            allow_http=True,
            allowed=Allowed([self.url]),
        )

    def switch(self, name: str, value: Any) -> None:
        self.system.control("switch", {"name": name, "value": value})

    def client(self, who: Credentials = WHO, **options: Any) -> Jde:
        connection = JdeConnection(
            url=self.url, environment="JPD920", secret="s", page_rows=PAGE_ROWS, allow_http=True,
            **options,
        )  # fmt: skip
        return Jde(self.http, connection, lambda: who, self.clock)

    def close(self) -> None:
        self.http.close()
        self.stop()
        self.stop_control()
        self.ledger.close()


@pytest.fixture
def practice() -> Iterator[Practice]:
    made = Practice()
    yield made
    made.close()


def read(client: Jde, where: query.Where | None = POSTED) -> list[tuple[int, str, Decimal]]:
    frames = list(client.read(ACCOUNT_LEDGER, where))
    return pl.concat(frames).select("document", "line_number", "amount").rows() if frames else []


def right(rows: list[tuple[int, str, Decimal]]) -> bool:
    """Whether these are the posted lines of the two days, in key order, to the cent."""
    wanted = sorted((100 + n // 2, n % 3, n % 2 + 1, Decimal(1050 + n) / 100) for n in EXPECTED)
    return [(d, int(Decimal(j)), a) for d, j, a in rows] == [(d, j, a) for d, _, j, a in wanted]


SWITCHES = [
    ("complex_query_order", "and_first"), ("cursor_reads", "open"), ("date_aggregate", "yyyyMMdd"),
    ("empty_sum", "null"), ("fetch_limit_rows", 100), ("invalid_token_status", 403),
    ("invalid_token_status", 401), ("mcu_literal", "justified"), ("order", "stable"),
    ("repeated_link", "repeats"), ("simple_date_format", "dd.MM.yyyy"), ("text_case", "ignored"),
    ("timestamp_format", "old"), ("unknown_path", "json"), ("device_check", False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [("as it comes", None), *SWITCHES])
def test_pages_totals_and_proof_hold_under_every_switch(
    practice: Practice, name: str, value: Any
) -> None:
    if value is not None:
        practice.switch(name, value)
    client = practice.client()
    assert right(read(client))
    rows, proof = client.read_proved(ACCOUNT_LEDGER, POSTED, sums=["amount"])
    assert rows.height == proof.before.count == len(EXPECTED)
    assert proof.before.sums == (("amount", sum(Decimal(1050 + n) for n in EXPECTED) / 100),)
    by_day = client.totals(
        ACCOUNT_LEDGER, group_by=["business_unit", "gl_date"], sums=["amount"], where=POSTED
    )
    assert by_day.select("business_unit", "gl_date", "count").rows() == [
        ("30", day, len([n for n in EXPECTED if n % 3 == place]))
        for place, day in enumerate((date(2025, 1, 31), date(2025, 2, 1)))
    ]
    nothing = client.measure(ACCOUNT_LEDGER, query.equal("company", "00099"), ["amount"])
    assert (nothing.count, nothing.sums) == (0, (("amount", Decimal(0)),))
    client.close()
    state = practice.system.control("state", {})
    assert state["sessions"] == 0
    assert practice.system.control("report", {})["refused"] == []


@pytest.mark.parametrize("links", ["stop", "silent"])
@pytest.mark.parametrize("limit", [100, 60, 25])
def test_a_fetch_limit_that_ends_results_is_overcome_by_keys(
    practice: Practice, links: str, limit: int
) -> None:
    practice.switch("fetch_limit_rows", limit)
    practice.switch("fetch_limit_links", links)
    rows, proof = practice.client().read_proved(ACCOUNT_LEDGER, POSTED)
    assert right(rows.select("document", "line_number", "amount").rows())
    assert proof.holds


@pytest.mark.parametrize("links", ["stop", "silent"])
@pytest.mark.parametrize("limit", [100, 60])
def test_an_ordinary_read_is_not_cut_off_by_a_fetch_limit(
    practice: Practice, links: str, limit: int
) -> None:
    practice.switch("fetch_limit_rows", limit)
    practice.switch("fetch_limit_links", links)
    assert right(read(practice.client()))
    whole = practice.client().read_whole(ACCOUNT_LEDGER, POSTED)
    assert right(whole.select("document", "line_number", "amount").rows())


@pytest.mark.parametrize("limit", [1, 2, 3, 17, 500])
def test_groups_that_a_fetch_limit_cuts_off_are_asked_for_after_the_last(
    practice: Practice, limit: int
) -> None:
    practice.switch("fetch_limit_rows", limit)
    practice.switch("fetch_limit_groups", "silent")
    found = practice.client().groups(
        ACCOUNT_LEDGER, group_by=("fiscal_year", "posted", "document"), sums=("amount",)
    )
    lines: dict[tuple[int, str, int], list[int]] = {}
    for n in range(LINES):
        lines.setdefault((2025, "P" if n % 10 else "", 100 + n // 2), []).append(1050 + n)
    assert found.rows() == [
        (*key, Decimal(sum(amounts)) / 100, len(amounts)) for key, amounts in sorted(lines.items())
    ]
    assert practice.system.control("report", {})["refused"] == []


def test_groups_that_were_counted_when_they_were_kept_are_not_counted_again(
    practice: Practice,
) -> None:
    client = practice.client()
    kept = client.groups(ACCOUNT_LEDGER, group_by=("posted",))
    for known in (kept, kept.clear()):
        asked = len(practice.box.control("log", {})["log"])
        assert client.groups(ACCOUNT_LEDGER, group_by=("posted",), known=known.equals).equals(kept)
        assert len(practice.box.control("log", {})["log"]) - asked == 1 + known.is_empty()


BREAKS = {
    "result set expired": {"advance": 61}, "session idle too long": {"advance": 1900},
    "session too old": {"advance": 50_000}, "server restarted": None,
}  # fmt: skip


@pytest.mark.parametrize("wait", BREAKS.values(), ids=BREAKS.keys())
@pytest.mark.parametrize("status", [401, 403, 444])
def test_a_read_that_is_broken_off_goes_on_after_its_last_line(
    practice: Practice, wait: dict[str, Any] | None, status: int
) -> None:
    practice.switch("invalid_token_status", status)
    pages = practice.client().read(ACCOUNT_LEDGER, POSTED)
    frames = [next(pages)]
    if wait:
        practice.box.control("clock", wait)
    else:
        practice.system.control("restart", {})
    rows = pl.concat([*frames, *pages])
    assert right(rows.select("document", "line_number", "amount").rows())


def test_a_lost_answer_to_a_next_link_skips_no_page(practice: Practice) -> None:
    practice.box.faults.control({"add": {"kind": "cut_after", "path": "/next", "nth": 2}})
    assert right(read(practice.client()))


@pytest.mark.parametrize("form", ["iso", "yyyyMMdd", "julian"])
def test_date_literals_read_in_another_format_are_noticed(practice: Practice, form: str) -> None:
    practice.client().check_dates()
    practice.switch("date_literal", form)
    with pytest.raises(Trouble):
        practice.client().check_dates()


@pytest.mark.parametrize(
    "ends",
    [
        {"D01J": 125031, "D02J": 125059},  # calendar months
        {"D01J": 125032, "D02J": 125060},  # 1 February, 1 March
        {"D01J": 125033, "D02J": 125061},  # 2 February, which reads the same, and 2 March
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("session", "form"), [("MM/dd/yyyy", "day_first"), ("dd.MM.yyyy", "month_first")]
)
def test_a_server_that_takes_the_day_for_the_month_is_noticed(
    practice: Practice, ends: dict[str, int], session: str, form: str
) -> None:
    practice.ledger.update("F0008", ends, {"DTPN": "R"})
    practice.switch("simple_date_format", session)
    practice.client().check_dates()
    practice.switch("date_literal", form)
    with pytest.raises(Refused, match="reads date literals in another format"):
        practice.client().check_dates()


def test_a_host_that_is_not_allowed_is_explained(practice: Practice) -> None:
    practice.switch("allowed_host", False)
    with pytest.raises(Refused, match="allowedHosts"):
        practice.client().sign_in()


def test_balances_and_master_data_come_as_the_ledger_holds_them(practice: Practice) -> None:
    client = practice.client()
    balance = pl.concat(client.read(ACCOUNT_BALANCES, query.equal("fiscal_year", 2025))).row(
        0, named=True
    )
    assert (balance["account_id"], balance["fiscal_year"]) == ("00012592", 2025)
    assert (balance["net_01"], balance["debit_01"]) == (Decimal("1234.5600"), Decimal("2000.0000"))
    assert balance["balance_forward"] == Decimal("-0.0500")
    assert pl.concat(client.read(COMPANIES, None))["currency"].to_list() == ["USD"]
    assert pl.concat(client.read(LEDGERS, None))["ledger"].to_list() == ["AA"]
    pattern = pl.concat(client.read(DATE_PATTERNS, None)).row(0, named=True)
    assert (pattern["end_01"], pattern["end_02"]) == (date(2025, 1, 31), None)


def test_a_business_unit_loaded_on_the_wrong_side_stops_the_run(practice: Practice) -> None:
    practice.ledger.insert("F0006", [{"MCU": "30", "STYL": "CC", "CO": "00001"}], raw=True)
    rows, _ = practice.client().read_proved(BUSINESS_UNITS, None)
    assert rows["business_unit"].to_list() == ["30", "30"]
    with pytest.raises(Refused, match="differ only in blanks: 30"):
        distinct_keys(BUSINESS_UNITS, rows)


SIGN_INS = {
    "password": (WHO, Credentials("TIEOUT", "wrong")),
    "basic": (WHO, Credentials("TIEOUT", "wrong")),
    "jwt": (Credentials(jwt="aaa.bbb.ccc"), Credentials(jwt="aaa.bbb.xxx")),
}


@pytest.mark.parametrize("kind", SIGN_INS)
def test_each_kind_of_sign_in_lets_in_who_is_known_and_tries_once_who_is_not(
    practice: Practice, kind: str
) -> None:
    practice.switch("bearer_tokens", {"aaa.bbb.ccc": "TIEOUT"})
    practice.switch("default_role", "NOROLE")  # what is not sent would be taken from here
    known, unknown = SIGN_INS[kind]
    client = practice.client(known, sign_in=kind)
    assert right(read(client))
    assert client.session.current().role == "*ALL"
    before = practice.system.sessions.opened
    with pytest.raises(Refused, match="did not accept") as refused:
        practice.client(unknown, sign_in=kind).session.current()
    assert "one attempt only" in refused.value.do
    assert practice.system.sessions.opened == before


def test_a_gateway_that_takes_no_basic_sign_in_is_told(practice: Practice) -> None:
    practice.switch("allow_basic", False)
    with pytest.raises(Refused, match="did not accept"):
        practice.client(WHO, sign_in="basic").session.current()


class MayDoNothingMore:
    """As what asks before each request once others may have taken over."""

    def __init__(self) -> None:
        self.lost = False

    def wait(self) -> None:
        if self.lost:
            raise Interrupted("lost")

    def refused(self, seconds: float | None) -> None:
        """It asked nothing."""


def test_who_was_taken_for_dead_while_it_signed_in_ends_that_session_and_asks_for_nothing_else(
    practice: Practice,
) -> None:
    """Nobody else knows of the session: it was not written down yet."""
    client, fence = practice.client(), MayDoNothingMore()
    practice.http.keep(fence)
    client.read_proved(ACCOUNT_LEDGER, POSTED)
    fence.lost = True
    with pytest.raises(Interrupted):
        client.read_proved(ACCOUNT_LEDGER, POSTED)
    assert practice.system.control("state", {})["sessions"] == 1
    client.close()
    assert practice.system.control("state", {})["sessions"] == 0
