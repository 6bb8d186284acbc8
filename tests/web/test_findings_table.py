"""What is open as the page shows it in a browser: on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import browser
from demo_home import Home, Served, copied

REGION = "document.querySelector('section[aria-labelledby=findings] .wide')"
PHONE, DESK = 320, 1280


@pytest.fixture(scope="module")
def open_ones(
    made: tuple[Home, object], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server of a home in which a business unit waits for a mapping."""
    home = copied(made[0], tmp_path_factory.mktemp("open") / "home")
    assert home.run("map", "business-unit", "J77", "--withdraw", "--why", "a test").code == 0
    assert home.run("run", "actuals").code == 5
    with home.served() as found:
        yield found
    home.stop()


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_open_findings_are_readable_by_cause_with_amounts_and_what_to_do(
    open_ones: Served, tmp_path: Path, width: int
) -> None:
    with browser(tmp_path) as page:
        page.show(open_ones.url, width)
        rows = page.value(f"[...{REGION}.querySelectorAll('tr')].map(r => "
                          "[...r.children].map(c => c.innerText.trim()))")  # fmt: skip
        head, *body = rows
        assert head == [
            "Cause", "Effect", "Findings", "Cells", "Amount, without signs", "What to do",
        ]  # fmt: skip
        told = {row[0].split("\n")[0]: row[1:] for row in body}
        assert set(told) == {"unmatched-member", "company-stopped"}
        assert told["unmatched-member"][:4] == ["not loaded", "1", "3", "1,204.00 USD"]
        assert told["company-stopped"][3] == "1,204.00 USD"
        assert all(row[-1] for row in told.values()), "each says what to do"
        assert "J77" in told["unmatched-member"][-1]


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_page_never_scrolls_sideways_and_a_wide_table_scrolls_by_itself(
    open_ones: Served, tmp_path: Path, width: int
) -> None:
    with browser(tmp_path) as page:
        page.show(open_ones.url, width)
        assert page.value("window.innerWidth") == width
        assert page.value("document.documentElement.scrollWidth") <= width
        inside = page.value(f"{REGION}.getBoundingClientRect().right")
        assert inside <= width
        wider = page.value(f"{REGION}.scrollWidth > {REGION}.clientWidth")
        assert wider is (width == PHONE)
        assert page.value(f"getComputedStyle({REGION}).overflowX") == "auto"
        assert page.value(f"{REGION}.tabIndex") == 0, "the keyboard reaches what is cut off"
        hidden = f"[...{REGION}.querySelectorAll('th, td')].filter(c => !c.offsetHeight).length"
        assert page.value(hidden) == 0
