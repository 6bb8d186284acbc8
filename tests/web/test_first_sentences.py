"""What a page says first, and what the menu counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from prepared_batches import ENDED
from web_office import WebOffice, a_batch, a_proposal

from tieout.core.findings import Finding, Severity
from tieout.store.runs import NewRun


@pytest.fixture
def office(tmp_path: Path) -> Iterator[WebOffice]:
    found = WebOffice(tmp_path / "home")
    found.people()
    yield found
    found.close()


def first_sentence(page: str) -> str:
    found = re.search(r"<h1[^>]*>(.*?)</h1>", page, re.DOTALL)
    assert found, page[:500]
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", found[1]).split()))


def counted(page: str) -> dict[str, str]:
    """Word of the menu → what is counted beside it."""
    menu = page[page.index('id="menu"') : page.index("</nav>")]
    told = {}
    for item in menu.split("<li")[1:]:
        words = re.sub(r"<[^>]+>", " ", item).split(">", 1)[1].split()
        if "waits" in item:
            told[words[0]] = " ".join(words[1:])
    return told


def test_the_menu_counts_what_waits_and_says_so_in_words(office: WebOffice) -> None:
    anna = office.browser("anna")
    assert counted(anna.ask("/help").text) == {}
    run = office.store.new_run(NewRun("companies", "load_members", "anna")).id
    found = [Finding("unmatched-member", Severity.REJECT, f"J{n}", "None.") for n in range(2)]
    office.store.run_step(run, "find", lambda step: step.reject(found) or {})
    office.store.finish_run(run, ENDED)
    a_batch(office)
    a_proposal(office)
    for path in ("/help", "/runs", "/rejects"):
        assert counted(anna.ask(path).text) == {"Rejects": "2 waiting", "Approvals": "2 waiting"}


def test_nobody_who_is_not_signed_in_is_told_what_waits(office: WebOffice) -> None:
    a_batch(office)
    assert "waiting" not in office.browser().ask("/login").text


def test_a_single_row_is_told_as_one(office: WebOffice) -> None:
    office.store.new_run(NewRun("companies", "load_members", "anna"))
    page = unescape(office.browser("anna").ask("/runs").text)
    assert "(1 run)" in page


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/tie-outs", "Nothing was compared yet."),
        ("/settings/people", "people may sign in; nobody has reviewed yet who may what."),
        ("/audit", "entries, the last "),
        ("/calendar", "Next: "),
        ("/approvals", "Nothing waits for approval."),
        ("/mappings", "No code waits for a mapping; 0 mappings hold"),
    ],
)
def test_a_page_says_first_what_one_came_for(office: WebOffice, path: str, told: str) -> None:
    assert told in first_sentence(office.browser("finn").ask(path).text)


def test_what_is_printed_says_who_looked_and_when(office: WebOffice) -> None:
    page = unescape(re.sub(r"<[^>]+>", "", office.browser("finn").ask("/flows/companies").text))
    footer = page[page.rindex("Flow") :]
    assert "Shown tofinn" in footer
    assert re.search(r"\d\d \w{3} \d{4} \d\d:\d\d:\d\d \w+", footer)


def test_a_cause_is_told_in_words_with_its_rule_under_it_and_an_owner_by_name(
    office: WebOffice,
) -> None:
    run = office.store.new_run(NewRun("companies", "load_members", "anna")).id
    found = [Finding("unmatched-member", Severity.REJECT, "J77", "None.")]
    office.store.run_step(run, "find", lambda step: step.reject(found) or {})
    office.store.finish_run(run, ENDED)
    page = office.browser("anna").ask("/rejects").text
    assert ">The Anaplan list has no such member and no mapping names another</a>" in page
    assert '<span class="quiet">unmatched-member in companies</span>' in page
    assert ">nobody</a>" in office.browser("anna").ask("/rejects?by=owner").text
