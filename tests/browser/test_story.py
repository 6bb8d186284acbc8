"""The story of a newcomer, as it is told: from what is missing in Anaplan to the auditor's pack."""

from __future__ import annotations

import re
import shutil
import time
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from browsed import follow
from demo_home import Home, Served, copied
from playwright.sync_api import Browser, Page, expect, sync_playwright

pytestmark = pytest.mark.needs("chromium")
STORY_SECONDS_MAX = 180
STEP_MILLISECONDS_MAX = 90_000  # of a run that is waited for


@pytest.fixture(scope="module")
def home(made: tuple[Home, object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A business unit has no member in Anaplan, and the planners have changed one amount."""
    found = copied(made[0], tmp_path_factory.mktemp("story") / "home")
    assert found.run("map", "business-unit", "J77", "--withdraw", "--why", "a test").code == 0
    assert found.run("run", "actuals").code == 5
    cells = found.control("anaplan", "cells", module="Approved Plan")["cells"]
    names = ("Companies", "GL Accounts", "Cost Centers", "Versions", "Time")
    amounts = [c for c in cells if c["line_item"] == "Amount" and c["value"]]
    approved = {
        tuple(c[n] for n in names) for c in cells
        if c["line_item"] == "Approved" and str(c["value"]).casefold() == "true"
    }  # fmt: skip
    cell = next(
        c for c in amounts
        if c["Companies"] == "00060" and tuple(c[n] for n in names) in approved
        and Decimal(str(c["value"])) > 0
    )  # fmt: skip
    key = [cell[n] for n in names]
    amount = str(Decimal(str(cell["value"])) + 1000)
    found.control("anaplan", "people", do="change_plan", cells=[key], amount=amount, approved=True)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def served(home: Home) -> Iterator[Served]:
    with home.served() as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as play:
        found = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()


def sign_in(page: Page, served: Served, name: str) -> None:
    """As people do it, after whoever was there has signed out."""
    if page.get_by_role("button", name="Sign out").count():
        follow(page.get_by_role("button", name="Sign out"))
    page.goto(served.url)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(served.password)
    follow(page.get_by_role("button", name="Sign in"))
    expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()


def until_it_says(page: Page, words: str) -> None:
    """Load the page anew, as without JavaScript, until its first sentence says this."""
    deadline = time.monotonic() + STEP_MILLISECONDS_MAX / 1000
    while not re.search(words, page.locator("h1").inner_text()):
        assert time.monotonic() < deadline, page.locator("main").inner_text()
        page.wait_for_timeout(200)
        page.reload()


def test_a_newcomer_maps_sends_again_prepares_has_it_approved_and_the_auditor_takes_the_pack(
    served: Served, chromium: Browser, tmp_path: Path
) -> None:
    began = time.monotonic()
    page = chromium.new_page()
    page.set_default_timeout(STEP_MILLISECONDS_MAX)
    _ana_maps_and_sends_again(page, served)
    batch = _ana_prepares(page, served)
    _pat_approves(page, served, batch)
    _audra_takes_the_pack(page, served, tmp_path / "pack.zip")
    assert time.monotonic() - began < STORY_SECONDS_MAX
    page.context.close()


def _ana_maps_and_sends_again(page: Page, served: Served) -> None:
    sign_in(page, served, "ana")
    expect(page.get_by_text("Practice data: nothing here reaches a real system.")).to_be_visible()
    expect(page.locator("h1")).not_to_contain_text("All 5 flows are complete")
    follow(page.get_by_role("link", name="Rejects", exact=True))
    expect(page.locator("h1")).to_contain_text("2 rejects wait in 2 groups")
    follow(page.get_by_role("link", name="Map these"))
    follow(page.get_by_role("link", name="Map J77"))
    page.get_by_label("Search the members of Anaplan").fill("30")
    follow(page.get_by_role("button", name="Search"))
    page.locator('input[type=radio][value="30"]').check()
    page.get_by_label("Why").fill("J77 is run from cost center 30")
    follow(page.get_by_role("button", name="Set the mapping"))
    expect(page.get_by_role("status")).to_contain_text("2 rejects of actuals can now be sent again")
    follow(page.get_by_role("button", name="Send 2 rejects again"))
    until_it_says(page, "rows would be sent")
    expect(page.locator("main")).to_contain_text("Exactly what would be sent")
    follow(page.get_by_role("button", name=re.compile("^Send [0-9]+ rows now$")))
    until_it_says(page, "F0911 = F0902 = Anaplan")
    follow(page.get_by_role("link", name="Rejects", exact=True))
    expect(page.locator("h1")).to_contain_text("Nothing waits")


def _ana_prepares(page: Page, served: Served) -> str:
    """What she prepares, and cannot approve herself."""
    page.goto(f"{served.url}/flows/plan")
    follow(page.get_by_role("link", name="Prepare a batch …"))
    follow(page.get_by_role("button", name="Prepare", exact=True))
    if "/runs/" in page.url:  # it took longer than the page waits
        until_it_says(page, "waits for approval")
        page.goto(f"{served.url}/approvals")
        follow(page.locator("td, th").get_by_role("link", name=re.compile("-batch$")).first)
    expect(page.locator("h1")).to_contain_text("wait for approval")
    expect(page.locator("main")).to_contain_text("You prepared this batch. pat can approve it.")
    expect(page.get_by_role("link", name="Approve …")).to_have_count(0)
    batch = page.url.rpartition("/")[2]
    answer = page.goto(f"{served.url}/approvals/{batch}/approve")
    assert answer is not None
    assert answer.status == 403
    expect(page.locator("main")).to_contain_text("ana may not approve")
    page.goto(f"{served.url}/flows/plan")
    expect(page.locator("main")).to_contain_text("Waits for approval")
    follow(page.get_by_role("link", name="See the batch"))
    assert page.url.endswith(f"/approvals/{batch}")
    return batch


def _pat_approves(page: Page, served: Served, batch: str) -> None:
    sign_in(page, served, "pat")
    follow(page.get_by_role("link", name="Approvals", exact=True))
    follow(page.get_by_role("link", name=batch))
    follow(page.get_by_role("link", name="Approve …"))
    for tick in page.locator("input[type=checkbox]").all():
        tick.check()
    follow(page.get_by_role("button", name="Approve exactly these lines"))
    expect(page.locator("h1")).to_contain_text("approved by pat")
    deadline = time.monotonic() + STEP_MILLISECONDS_MAX / 1000
    while "Created" not in page.locator("main").inner_text():
        assert time.monotonic() < deadline, page.locator("main").inner_text()
        page.wait_for_timeout(200)
        page.reload()
    row = page.get_by_role("row").filter(has_text="Created").first
    assert re.search(r"\b\d{4,}\b", row.inner_text()), "JD Edwards' own numbers stand beside it"


def _audra_takes_the_pack(page: Page, served: Served, file: Path) -> None:
    sign_in(page, served, "audra")
    page.goto(f"{served.url}/evidence")
    period = page.get_by_label("Period")
    period.select_option(index=0)
    follow(page.get_by_role("button", name="Build pack"))
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("evidence.*zip")).first.click()
    download.value.save_as(file)
    with zipfile.ZipFile(file) as pack:
        assert pack.testzip() is None
        assert any(name.endswith("index.html") for name in pack.namelist())


HOSTILE = (
    "<script>window.ran=1</script>", '"><img src=x onerror=window.ran=1>',
    "</textarea><svg onload=window.ran=1>", "javascript:window.ran=1", "'-(window.ran=1)-'",
    '" autofocus onfocus="window.ran=1', "{{ window.ran }}",
    "<a href=javascript:window.ran=1>x</a>",
)  # fmt: skip


def test_hostile_words_run_nothing_on_any_page_that_shows_them(
    served: Served, chromium: Browser
) -> None:
    ana, alex = served.signed_in("ana"), served.signed_in("alex")
    codes = []
    for n, word in enumerate(HOSTILE):
        form = {"dimension": "company", "source": f"X{n}{word}", "target": "other", "typed": word}
        assert ana.ask("/mappings/new", "POST", form=form | {"why": word})[0] == 303
        codes.append(urlencode({"dimension": "company", "source": f"X{n}{word}"}))
        hold = {"name": f"{n} {word}", "flow": "", "company": word, "why": word}
        assert alex.ask("/settings/retention/hold", "POST", form=hold)[0] in (303, 409, 422)
    hostile = quote(HOSTILE[1])
    pages = [
        "/mappings", "/settings/retention", f"/mappings/new?dimension=company&source={hostile}",
        f"/rejects?rule={hostile}&owner={hostile}", f"/approvals?all={hostile}",
        f"/rejects/assign?id={hostile}", f"/connections/{hostile}", f"/calendar/{hostile}/skip",
    ]  # fmt: skip
    pages += [f"/mappings/code?{code}" for code in codes]
    context = chromium.new_context()
    for person in (ana, alex):  # alex at last, who may see all of it
        context.add_cookies([
            {"name": k, "value": v, "url": served.url} for k, v in person.cookies.items()
        ])  # fmt: skip
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    for address in pages:
        page.goto(served.url + address)
        assert page.evaluate("window.ran") is None, address
        assert page.locator("h1").count() == 1, address
    assert [text for text in said if "status of" not in text] == [], "nothing was even tried"
    context.close()
