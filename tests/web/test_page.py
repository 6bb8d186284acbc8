"""The page of `tieout serve`: it shows, answers to nobody else and changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import browser
from demo_home import Home, Person, Served

CONTRAST_WANTED = 4.5
EDGE_CONTRAST_WANTED = 3  # of the border of a field
STYLE = Path(__file__).parents[2] / "src" / "tieout" / "web" / "static" / "tieout.css"


@pytest.fixture(scope="module")
def served(shared: Home) -> Iterator[Served]:
    """A `tieout serve` of a home that ties."""
    with shared.served() as found:
        yield found


@pytest.fixture(scope="module")
def ana(served: Served) -> Person:
    """Ana at a browser."""
    return served.signed_in("ana")


def test_health_says_that_the_executor_lives_and_which_version_it_is(served: Served) -> None:
    status, headers, body = served.ask("/healthz")
    assert status == 200
    assert headers["content-type"] == "application/json"
    told = json.loads(body)
    assert told["ok"] is True
    assert told["executor"] is True
    assert told["version"]


def test_the_page_says_in_one_sentence_that_everything_ties(ana: Person) -> None:
    page = ana.page("/")
    verdict = re.search(r"<h1[^>]*>(.*?)</h1>", page, re.DOTALL)
    assert verdict is not None
    assert "2025-12 is in and right: F0911 = F0902 = Anaplan in all 150 cells" in verdict[1]
    assert "all 5 flows are complete" in verdict[1]
    assert "Practice data" in page


def test_every_table_of_the_page_has_a_caption_and_every_heading_its_scope(ana: Person) -> None:
    for path in ("/", "/runs", "/runs/actuals-1", "/tie-outs", "/tie-outs/actuals", "/journals"):
        tables = re.findall(r"<table.*?</table>", ana.page(path), re.DOTALL)
        assert tables, path
        for table in tables:
            assert "<caption" in table, path
            assert re.findall(r"<th(?! scope=)[ >]", table) == [], path


@pytest.mark.parametrize("path", ["/", "/healthz", "/static/tieout.css", "/nothing", "/static/.."])
def test_every_answer_forbids_foreign_content_and_is_kept_by_nobody(
    served: Served, path: str
) -> None:
    _, headers, body = served.ask(path)
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self'")
    assert "script-src 'self'; connect-src 'self'; form-action 'self'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    kept = "no-cache" if path == "/static/tieout.css" else "no-store"
    assert headers["cache-control"] == kept
    assert "server" not in headers
    assert re.search(r"<script(?! src)|\sstyle=|\son\w+=", body) is None


@pytest.mark.parametrize("path", ["/", "/healthz", "/static/tieout.css"])
def test_head_answers_like_get_without_a_body(ana: Person, path: str) -> None:
    status, headers, body = ana.ask(path, "HEAD")
    assert (status, body) == (200, "")
    assert int(headers["content-length"]) > 0


@pytest.mark.parametrize("path", ["/nothing", "/static/nothing.css", "/static/../app.py"])
def test_a_page_that_is_not_there_is_told_plainly(served: Served, path: str) -> None:
    status, headers, body = served.ask(path)
    assert status == 404
    assert headers["content-type"].startswith("text/plain")
    assert body == "There is no such page. The start page is /.\n"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example"])
def test_a_foreign_name_that_points_to_this_machine_reads_nothing(
    served: Served, host: str
) -> None:
    status, _, body = served.ask("/", headers={"Host": host})
    assert status == 421
    assert "Tieout" not in body


def test_the_page_listens_on_this_machine_only(served: Served) -> None:
    port = int(served.url.rpartition(":")[2])
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert next(a for a in listening if a.endswith(f":{port:04X}")).startswith("0100007F")


def test_runs_of_other_commands_are_carried_out_by_the_server(ana: Person, shared: Home) -> None:
    done = shared.run("run", "accounts")
    assert done.code == 0
    assert "Nothing new for accounts" in done.out
    run = done.out.split(":")[0].split()[-1]
    assert run in ana.page("/")


def test_a_second_server_of_the_same_home_is_refused(served: Served, shared: Home) -> None:
    done = shared.run("serve", "--port", "0")
    assert done.code == 8
    assert f"The process {served.process.pid} executes the runs" in done.err


def test_every_pair_of_ink_and_paper_has_enough_contrast() -> None:
    themes = re.findall(r"\[data-bs-theme=\w+\] \{(.*?)\}", STYLE.read_text(), re.DOTALL)[:2]
    for theme in themes:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", theme))
        for paper in ("paper", "band"):
            for ink in ("ink", "soft", "good", "bad", "wait", "run", "link"):
                assert contrast(colours[ink], colours[paper]) >= CONTRAST_WANTED, (ink, paper)
            assert contrast(colours["edge"], colours[paper]) >= EDGE_CONTRAST_WANTED
        for tone in ("good", "bad", "wait", "run"):
            for ink in ("ink", tone):
                assert contrast(colours[ink], colours[f"{tone}-band"]) >= CONTRAST_WANTED, tone


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""

    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lights = sorted((light(one), light(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("width", [320, 1280])
def test_a_browser_shows_the_page_without_refusing_any_of_it(
    ana: Person, tmp_path: Path, width: int
) -> None:
    with browser(tmp_path) as page:
        page.sign_in(ana)
        page.show(ana.served.url, width)
        assert "all 5 flows are complete" in page.value("document.body.innerText")
        assert page.complaints() == []
