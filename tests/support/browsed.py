"""One served demo of a session, Chromium, and the people who look at its pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from demo_home import Home, Person, Served, copied
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

from tieout.web.view import THEME_COOKIE

PEOPLE = {"operator": "ana", "approver": "pat", "admin": "alex", "auditor": "audra"}
TROUBLE = ("error", "warning")  # of what a console says; the rest are hints to programmers
PAGE_MILLISECONDS_MAX = 60_000


def follow(there: Locator) -> None:
    """Click what leads to another page, and wait for that page: a click returns before it comes."""
    with there.page.expect_navigation():
        there.click()


@dataclass(frozen=True, slots=True)
class Look:
    """How a page is looked at: by whom, in which theme, how wide, with JavaScript or without."""

    role: str = "approver"
    theme: str = "light"
    width: int = 1280
    javascript: bool = True


@dataclass
class Desk:
    """A browser before a served home."""

    home: Home
    served: Served
    browser: Browser
    people: dict[str, Person] = field(default_factory=dict)

    def person(self, role: str) -> Person:
        """Somebody who has this role, signed in once."""
        if role not in self.people:
            self.people[role] = self.served.signed_in(PEOPLE[role])
        return self.people[role]

    def context(self, look: Look) -> BrowserContext:
        """A browser profile in which that person is signed in."""
        context = self.browser.new_context(
            viewport={"width": look.width, "height": 900}, java_script_enabled=look.javascript
        )
        context.set_default_timeout(PAGE_MILLISECONDS_MAX)
        cookies = self.person(look.role).cookies | {THEME_COOKIE: look.theme}
        context.add_cookies([
            {"name": name, "value": value, "url": self.served.url}
            for name, value in cookies.items()
        ])  # fmt: skip
        return context

    def page(self, look: Look) -> tuple[Page, list[str]]:
        """A page, and everything that its console says."""
        page, said = self.context(look).new_page(), []
        page.on("console", lambda m: said.append(m.text) if m.type in TROUBLE else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        return page, said


@pytest.fixture(scope="module")  # a browser that goes on keeps the thread's event loop from others
def desk(made: tuple[Home, object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A served home in which a business unit waits for a mapping, so that something is wrong."""
    found = copied(made[0], tmp_path_factory.mktemp("browsed") / "home")
    assert found.run("map", "business-unit", "J77", "--withdraw", "--why", "a test").code == 0
    assert found.run("run", "actuals").code == 5
    (found.path / "packs").mkdir()
    (found.path / "packs" / "evidence-2025-12-1.zip").write_bytes(b"a pack")
    with found.served() as served, sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield Desk(found, served, browser)
        browser.close()
    found.stop()


@pytest.fixture(scope="session")
def axe() -> str:
    """The program that looks for what keeps people out."""
    return (Path(__file__).parents[1] / "browser" / "vendor" / "axe.min.js").read_text()
