"""What people do at the pages, by keyboard, by mouse, and without JavaScript."""

from __future__ import annotations

import csv
import io

import pytest
from browsed import Desk, Look, follow
from demo_home import until

pytestmark = pytest.mark.needs("chromium")
STOPS_MAX = 80  # of the Tab key on one page
FOCUSED = """() => {
  const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
  return {
    words: (at.innerText || at.getAttribute('aria-label') || at.id || at.name || '').trim(),
    tag: at.tagName, seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 3,
    inside: box.width > 0 && box.height > 0,
  };
}"""


@pytest.mark.parametrize("width", [1280, 360])
def test_the_keyboard_reaches_everything_and_shows_where_it_is(desk: Desk, width: int) -> None:
    page, _ = desk.page(Look(width=width))
    page.goto(desk.served.url + "/")
    stops = []
    for _ in range(STOPS_MAX):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop["tag"] == "BODY":
            break
        stops.append(stop)
    assert stops[0]["words"] == "Skip to the content"
    assert all(stop["seen"] and stop["inside"] for stop in stops), stops
    words = [stop["words"] for stop in stops]
    assert {"Tieout", "Help", "Show as command"} <= set(words)
    reach = 'a[href], button, input:not([type=hidden]), select, summary, [tabindex="0"]'
    shown = page.evaluate(
        "s => [...document.querySelectorAll(s)].filter(e => e.checkVisibility()).length", reach
    )
    assert len(stops) == shown, "every stop comes once"
    page.context.close()


def test_the_first_stop_leads_past_the_menu(desk: Desk) -> None:
    page, _ = desk.page(Look())
    page.goto(desk.served.url + "/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
    page.context.close()


@pytest.mark.parametrize("javascript", [True, False])
def test_the_menu_opens_on_a_phone(desk: Desk, javascript: bool) -> None:
    page, _ = desk.page(Look(width=360, javascript=javascript))
    page.goto(desk.served.url + "/")
    assert not page.get_by_role("link", name="Tie-out", exact=True).is_visible()
    page.get_by_role("button", name="Menu").click()
    follow(page.get_by_role("link", name="Tie-out", exact=True))
    assert page.url.endswith("/tie-outs")
    page.context.close()


@pytest.mark.parametrize("javascript", [True, False])
def test_the_chosen_theme_holds_on_every_page_that_follows(desk: Desk, javascript: bool) -> None:
    page, _ = desk.page(Look(javascript=javascript))
    page.goto(desk.served.url + "/runs?flow=actuals")
    follow(page.get_by_role("button", name="Dark"))
    assert page.url.endswith("/runs?flow=actuals"), "one is led back to where one was"
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    follow(page.get_by_role("link", name="Home", exact=True))
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    page.context.close()


def test_a_list_is_sorted_filtered_and_handed_out_whole_by_its_address(desk: Desk) -> None:
    page, _ = desk.page(Look(javascript=False))
    page.goto(desk.served.url + "/tie-outs/actuals?period=2025-11&company=00001")
    page.get_by_label("Cost center").fill("55")
    follow(page.get_by_role("button", name="Filter"))
    assert "business_unit=55" in page.url
    follow(page.locator("thead").get_by_role("link", name="Account"))
    assert "sort=account" in page.url
    assert "business_unit=55" in page.url, "the filter holds"
    rows = page.locator("table").last.locator("tbody tr")
    shown = [rows.nth(n).locator("th").inner_text() for n in range(rows.count())]
    assert shown == sorted(shown)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    told = list(csv.reader(io.StringIO(download.value.path().read_text())))
    head = next(n for n, row in enumerate(told) if row[:2] == ["account", "business_unit"])
    assert [row[0] for row in told[head + 1 :]] == shown
    assert {row[1] for row in told[head + 1 :]} == {"55"}
    page.context.close()


def test_on_a_phone_what_a_row_is_of_stays_when_its_numbers_are_scrolled_to(desk: Desk) -> None:
    page, _ = desk.page(Look(width=360))
    page.goto(desk.served.url + "/tie-outs")
    table = page.locator(".wide").first
    place = "e => e.getBoundingClientRect().x"
    head, amount = table.locator("tbody th").first, table.locator("tbody td.amount, td.number").last
    before = [head.evaluate(place), amount.evaluate(place)]
    table.evaluate("e => { e.scrollLeft = e.scrollWidth; }")
    assert head.evaluate(place) == before[0]
    assert amount.evaluate(place) < before[1]
    wide = page.evaluate("[...document.querySelectorAll('caption')].map(e => e.offsetWidth)")
    assert max(wide) <= 360, "the heading of a table is read without scrolling"
    page.goto(desk.served.url + "/runs/actuals-1")
    sizes = page.evaluate(
        "[...document.querySelectorAll('.picture > svg')].map(e => e.clientWidth)"
    )
    assert sizes
    assert max(sizes) <= 360, "a picture is as wide as the phone"
    page.context.close()


def test_two_people_certify_a_period_and_the_first_cannot_do_it_alone(desk: Desk) -> None:
    address = desk.served.url + "/tie-outs/actuals?period=2025-11"
    ana, _ = desk.page(Look(role="operator", javascript=False))
    ana.goto(address)
    follow(ana.get_by_role("button", name="Prepare 00070"))
    row = ana.get_by_role("row", name="00070 Prepared")
    assert row.count() == 1
    assert row.get_by_role("button").count() == 0
    pat, _ = desk.page(Look(role="approver", javascript=False))
    pat.goto(address)
    pat.get_by_label("Remark about 00070").fill("agreed in the close meeting")
    follow(pat.get_by_role("button", name="Certify 00070"))
    assert pat.get_by_role("row", name="00070 Certified").count() == 1
    for page in (ana, pat):
        page.context.close()


def test_a_run_that_goes_on_is_followed_and_nothing_with_focus_is_replaced(desk: Desk) -> None:
    fault = {"kind": "delay", "seconds": 2, "path": "dataservice"}
    desk.home.control("jde", "faults", add=fault)
    page, said = desk.page(Look(role="operator"))
    assert desk.home.run("run", "accounts", "--full", "--no-wait").code == 0
    [(run,)] = desk.home.rows("select id from app_run where flow='accounts' order by number desc "
                              "limit 1")  # fmt: skip
    page.goto(f"{desk.served.url}/runs/{run}")
    stays = page.get_by_role("link", name="All runs of accounts")
    stays.focus()
    ended = page.get_by_role("link", name="Show its result")
    ended.wait_for()
    assert stays.evaluate("e => e === document.activeElement")
    assert page.locator("[role=status] tbody tr").count() > 3, "its steps came by themselves"
    follow(ended)
    assert "accounts" in page.locator("h1").inner_text().casefold()
    assert said == []
    page.context.close()


def test_without_javascript_a_run_that_goes_on_is_followed_by_loading_again_and_ended(
    desk: Desk,
) -> None:
    # Each read is late, so that the run can be asked to end while it goes on.
    desk.home.control("jde", "faults", add={"kind": "delay", "seconds": 4, "path": "dataservice"})
    page, _ = desk.page(Look(role="operator", javascript=False))
    assert desk.home.run("run", "cost_centers", "--full", "--no-wait").code == 0
    [(run,)] = desk.home.rows("select id from app_run where flow='cost_centers' order by number "
                              "desc limit 1")  # fmt: skip
    page.goto(f"{desk.served.url}/runs/{run}")
    follow(page.get_by_role("link", name="End this run"))
    follow(page.get_by_role("button", name="End the run"))
    assert "Say why the run has to end." in page.get_by_role("alert").inner_text()
    page.get_by_label("Why it has to end").fill("a test")
    follow(page.get_by_role("button", name="End the run"))
    assert "ana asked it to end" in page.locator("main").inner_text()
    until(lambda: desk.home.rows(f"select 1 from app_run where id='{run}' and finished_at<>''"))
    page.reload()
    assert page.get_by_text("Cancelled").count()
    page.context.close()
