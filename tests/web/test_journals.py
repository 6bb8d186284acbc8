"""A journal at the page: it is light, and its lines are paged, filtered and handed out whole."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from html import unescape

import polars as pl
import pytest
from batch_records import CELLS, prepared
from web_office import Browser, WebOffice, make_place

from tieout.core.frames import JOURNAL_LINES

LINES = 499  # of a journal; it holds at most 500
FIRST_PAINT_BYTES_MAX = 80_000  # beside the styles, which are 35 KB


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebOffice]:
    found = WebOffice(tmp_path_factory.mktemp("journals") / "home")
    found.people()
    yield found
    found.close()


@pytest.fixture(scope="module")
def dora(office: WebOffice) -> Browser:
    return office.browser("dora")


@pytest.fixture(scope="module")
def journal(office: WebOffice) -> str:
    """A journal of 499 lines, as its page names it."""
    make_place(office)
    place = pl.int_range(pl.len())
    cells = pl.concat([CELLS.head(1)] * LINES).with_columns(
        account_id=(place + 1).cast(pl.String).str.zfill(8),
        account=(place + 5_000).cast(pl.String),
        difference=(place + 1).cast(CELLS.schema["difference"]),
    )
    return f"{prepared(office, cells=cells)}.1"


def rows(page: str) -> list[list[str]]:
    """The cells of the table of lines."""
    table = page.partition('<table class="list">')[2].partition("</table>")[0]
    found = re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2], re.DOTALL)
    return [
        [unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in found
    ]


def test_a_page_of_a_journal_of_hundreds_of_lines_is_light_and_leads_to_all_of_them(
    dora: Browser, journal: str
) -> None:
    path, seen = f"/journals/{journal}", list[str]()
    for _ in range(20):
        page = dora.ask(path).text
        assert len(page.encode()) <= FIRST_PAINT_BYTES_MAX
        seen += [row[0] for row in rows(page)]
        ahead = re.search(r'href="([^"]+after=[^"]+)"', page)
        if ahead is None:
            break
        path = unescape(ahead[1])
    assert seen == [str(n) for n in range(1, LINES + 1)], "each once, in their order"


def test_lines_of_a_journal_are_found_by_account_and_sorted_by_amount_in_the_address(
    dora: Browser, journal: str
) -> None:
    found = rows(dora.ask(f"/journals/{journal}?account=505&sort=-amount").text)
    assert [row[1] for row in found] == [str(n) for n in range(5_059, 5_049, -1)]
    assert found[0][4] == "60.00"
    assert dora.ask(f"/journals/{journal}?sort=nothing").status == 422


def test_every_line_of_a_journal_is_handed_out_whatever_page_is_shown(
    dora: Browser, journal: str
) -> None:
    file = dora.ask(f"/journals/{journal}?form=csv&rows=50")
    table = [row for row in csv.reader(io.StringIO(file.text)) if len(row) > 5]
    amounts = [Decimal(row[4]) for row in table[1:]]
    assert amounts == [Decimal(n) for n in range(1, LINES + 1)]


def test_a_search_shows_the_first_lines_of_a_journal_and_leads_to_its_page(
    dora: Browser, journal: str
) -> None:
    batch, _, number = journal.rpartition(".")
    page = dora.ask(f"/records?q={batch}/{number}").text
    assert "(50 of 499 that agree)" in page
    assert f'<a href="/journals/{journal}">All 499 lines' in page


def test_a_journal_whose_lines_are_not_those_of_its_digest_is_told_without_them(
    office: WebOffice, dora: Browser
) -> None:
    make_place(office)
    batch = prepared(office, kept=pl.DataFrame(schema=dict(JOURNAL_LINES)))
    page = dora.ask(f"/journals/{batch}.1")
    assert page.status == 200
    assert "<table" not in page.text
