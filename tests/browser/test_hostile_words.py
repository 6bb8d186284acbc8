"""Hostile texts before a real browser that keeps no policy of ours: none of them runs."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from hostile_words import MARK
from playwright.sync_api import Page, Route, sync_playwright
from poisoned import Poisoned, poisoned, turns, visited
from web_office import ORIGIN

pytestmark = pytest.mark.needs("chromium")
__all__ = ["poisoned"]
EVENTS = """() => {
  for (const e of document.querySelectorAll('*')) {
    for (const name of ['mouseover', 'focus', 'toggle']) e.dispatchEvent(new Event(name));
  }
  return window.%s ?? 0;
}"""


def test_no_text_of_others_runs_in_a_browser_even_without_our_policy(
    poisoned: Poisoned, dice: Random, record_property: pytest.RecordProperty
) -> None:
    shown = 0
    with sync_playwright() as play, ThreadPoolExecutor(1) as pool:
        chromium = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = chromium.new_context(bypass_csp=True).new_page()
        assert ran(page, f"<img src=x onerror=window.{MARK}=1>"), "what would run is seen"
        for turn in turns(dice, 1):
            poisoned.spoil(turn)
            with poisoned.seen() as browser:
                pages = pool.submit(lambda b: list(visited(b)), browser).result()
                for address, text in pages:
                    assert ran(page, text) == 0, (turn, address)
                    shown += 1
        chromium.close()
    record_property("pages before a browser", shown)


def ran(page: Page, text: str) -> int:
    """Whether a page made a hostile text run, by itself or when it is touched."""

    def answer(route: Route) -> None:
        if route.request.url == ORIGIN + "/":
            route.fulfill(body=text, content_type="text/html; charset=utf-8")
        else:
            route.fulfill(body="", status=404)

    page.unroute_all()
    page.route("**/*", answer)
    page.goto(ORIGIN + "/")
    found: int = page.evaluate(EVENTS % MARK)
    return found
