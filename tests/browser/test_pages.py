"""Every page in a browser: usable by everybody, in both themes, on a desk and on a phone.

`make test` looks at every page once, as its seed says; `make campaign PARTS=browser` in every way
that there is, and keeps a picture of each in `artefacts/screens`.
"""

from __future__ import annotations

import os
import re
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from addresses import addresses
from browsed import PEOPLE, Desk, Look
from playwright.sync_api import Page

pytestmark = pytest.mark.needs("chromium")
DESK_PIXELS, PHONE_PIXELS, LEAST_PIXELS = 1280, 360, 320
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WORDS = """() => {
  const main = document.querySelector('main').cloneNode(true);
  main.querySelectorAll('pre, code, textarea').forEach(e => e.remove());
  return main.textContent;
}"""
SCREENS = Path(__file__).parents[2] / "artefacts" / "screens"
EVERYTHING = bool({"browser", "all"} & set(os.environ.get("TIEOUT_CAMPAIGN", "").split(",")))
LOOKS = [
    Look(*how)
    for how in product(PEOPLE, ("light", "dark"), (DESK_PIXELS, PHONE_PIXELS), (True, False))
]


def looks(address: str) -> list[Look]:
    """All of them in a campaign, else two by the run's seed: one with JavaScript, one without."""
    if EVERYTHING:
        return LOOKS
    dice = Random(f"{os.environ['TIEOUT_SEED']} {address}")
    return [dice.choice([look for look in LOOKS if look.javascript is js]) for js in (True, False)]


CASES = [(address, look) for address in addresses() for look in looks(address)]


def named(value: Any) -> str:
    if isinstance(value, str):
        return value
    js = "with" if value.javascript else "without"
    return f"{value.role} {value.theme} {value.width} {js} JavaScript"


@pytest.mark.parametrize(("address", "look"), CASES, ids=named)
def test_everybody_can_use_every_page(desk: Desk, axe: str, address: str, look: Look) -> None:
    page, said = desk.page(look)
    answer = page.goto(desk.served.url + address)
    assert answer is not None
    assert answer.status in (200, 403, 404, 409, 422), address
    assert page.locator("h1").count() == 1, "one heading says what the page is"
    assert page.locator("html").get_attribute("data-bs-theme") == look.theme
    assert sideways(page) <= 0, "nobody scrolls sideways"
    assert "`" not in page.evaluate(WORDS), "what is typed is shown as such"
    if EVERYTHING:
        picture(page, address, look)  # as wide as it is looked at, before it is made narrow
    if look.javascript:
        assert violations(page, axe) == []
        page.set_viewport_size({"width": LEAST_PIXELS, "height": 900})
        assert sideways(page) <= 0, "nor in the narrowest window"
    assert [text for text in said if "status of" not in text] == [], "nothing was forbidden"
    page.context.close()


def sideways(page: Page) -> int:
    """How many pixels a page is wider than its window."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return wide


def violations(page: Page, axe: str) -> list[str]:
    """What keeps people out of a page, as axe finds it."""
    page.evaluate(axe)
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", TAGS)
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary'][:200]}"
        for rule in found["violations"] for node in rule["nodes"]
    ]  # fmt: skip


def picture(page: Page, address: str, look: Look) -> None:
    """Keep what the page looks like."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", address).strip("-") or "home"
    js = "" if look.javascript else "-plain"
    file = f"{name}-{look.role}-{look.theme}-{look.width}{js}.png"
    page.screenshot(path=SCREENS / file, full_page=True)


def test_a_page_that_keeps_somebody_out_would_be_found(desk: Desk, axe: str) -> None:
    page, _ = desk.page(Look())
    page.goto(desk.served.url + "/help")
    page.evaluate("document.querySelector('label[for=word]').remove()")
    assert any(found.startswith("label") for found in violations(page, axe))
    page.evaluate("document.querySelector('main').style.minWidth = '3000px'")
    assert sideways(page) > 0
    page.context.close()
