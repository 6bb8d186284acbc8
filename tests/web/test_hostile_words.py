"""Texts of other systems and of people are shown as text: a thousand hostile ones in every field.

`make test` looks at every page with one draw of them, `make campaign PARTS=xss` with all fifty, so
that each field has held each of the thousand.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path
from random import Random
from urllib.parse import quote

import pytest
from certificates import certificate
from desks import PROJECT
from hostile_words import MARK, read, words
from poisoned import CAMPAIGN, Poisoned, poisoned, turns, visited
from web_office import Browser, WebOffice

from tieout.verbs import setting_up
from tieout.verbs.sheets.csv_file import FORMULA_SIGNS

__all__ = ["poisoned"]
NAME_CHARACTERS_MAX = 64  # of a common name
FILES = ("/rejects", "/runs", "/journals", "/tie-outs/actuals", "/approvals/plan-2-batch",
         "/audit", "/tie-outs")  # fmt: skip


def test_a_page_that_took_a_text_for_markup_would_be_found() -> None:
    page = '<table><tr><td class="words">{}</td></tr></table><input value="{}">'
    missed = [w for w in words() if not read(page.format(w, w)).found]
    assert [w for w in missed if re.search(r"<[a-zA-Z/!]", w)] == []
    assert read("<a href='javascript:x'>x</a>").found
    assert read(f'<div title="{MARK}" onclick="{MARK}">').found
    assert not read('<a href="/runs">x</a>').found


def test_no_text_of_others_is_ever_taken_for_markup(
    poisoned: Poisoned, dice: Random, record_property: pytest.RecordProperty
) -> None:
    pages = told = 0
    for turn in turns(dice, 1):
        poisoned.spoil(turn)
        with poisoned.seen() as browser:
            for address, text in visited(browser):
                found = read(text)
                assert found.found == [], (turn, address)
                pages += 1
                told += found.told
    record_property("pages with hostile texts", pages)
    record_property("hostile texts shown as text", told)
    record_property("fields of hostile texts", poisoned.fields)
    assert told > pages, "they were shown"


def test_no_text_of_an_address_or_a_form_is_taken_for_markup(
    poisoned: Poisoned, dice: Random, record_property: pytest.RecordProperty
) -> None:
    asked = 0
    with poisoned.seen() as browser:
        for word in words() if CAMPAIGN else dice.sample(words(), 5):
            sent = quote(word, safe="")
            for address in (
                f"/rejects?rule={sent}&owner={sent}&by={sent}", f"/runs?flow={sent}&sort={sent}",
                f"/records?q={sent}&account={sent}", f"/help?word={sent}", f"/{sent}",
                f"/mappings/new?dimension=company&source={sent}&q={sent}",
                f"/tie-outs/actuals?company={sent}&period={sent}", f"/runs/{sent}",
                f"/approvals?all={sent}&before={sent}", f"/audit?actor={sent}&act={sent}",
            ):  # fmt: skip
                answer = browser.ask(address, headers={"accept": "text/html"})
                assert answer.status < 500, (address, answer.text)
                assert read(answer.text).found == [], address
                asked += 1
            for address, form in (
                ("/login", {"name": word, "next": word}),
                ("/mappings/new", {"dimension": word, "source": word, "target": word}),
                ("/settings/retention/hold", {"name": word, "company": word}),
                ("/settings/people", {"name": word, "roles": word}),
                ("/settings/configuration/edit", {"text": word, "why": word}),
                ("/rejects/assign", {"id": word, "to": word}), ("/appearance", {"back": word}),
                ("/me/tokens", {"what_for": word, "days": word, "scopes": word}),
            ):  # fmt: skip
                answer = Browser(browser.app, dict(browser.cookies)).send(address, **form)
                assert answer.status < 500, (address, answer.text)
                if not answer.header("content-type").startswith("text/plain"):
                    assert read(answer.text).found == [], address
                place = answer.header("location")
                assert not place or (place.startswith("/") and place[1:2] not in ("/", "\\"))
                asked += 1
    record_property("hostile questions and forms", asked)


def test_no_name_in_a_certificate_is_taken_for_markup(
    tmp_path: Path, dice: Random, record_property: pytest.RecordProperty
) -> None:
    office = WebOffice(tmp_path / "home")
    signs_in = PROJECT.replace(
        'workspace = "Finance"', 'sign_in = "certificate"\nworkspace = "Finance"'
    )
    setting_up.apply_project(office.owner, signs_in)
    office.people()
    eve, told = office.browser("eve"), 0
    chosen = [w for w in words() if len(w) <= NAME_CHARACTERS_MAX and w.isprintable()]
    for word in chosen if CAMPAIGN else dice.sample(chosen, 3):
        pem = certificate(tmp_path, days=-1, name=word).read_text()
        answer = eve.send("/connections/planning/credentials", certificate=pem, private_key=pem)
        seen = read(answer.text)
        assert (answer.status < 500, seen.found) == (True, []), word
        told += seen.told
    assert told, "the name was shown"
    record_property("hostile names of certificates", told)
    office.close()


def test_no_text_of_others_becomes_a_formula_in_a_spreadsheet(
    poisoned: Poisoned, dice: Random, record_property: pytest.RecordProperty
) -> None:
    cells = 0
    for turn in turns(dice, 1):
        poisoned.texts = [
            sign + word for sign, word in zip("=+-@\t\r" * 200, words(), strict=False)
        ]
        poisoned.spoil(turn)
        with poisoned.seen() as browser:
            for address in FILES:
                told = browser.ask(f"{address}?form=csv")
                assert told.status == 200, (address, told.text)
                for row in csv.reader(io.StringIO(told.body.decode(), newline="")):
                    cells += len(row)
                    bad = [c for c in row if c.startswith(FORMULA_SIGNS) and not _number(c)]
                    assert bad == [], (address, bad)
                book = zipfile.ZipFile(io.BytesIO(browser.ask(f"{address}?form=xlsx").body))
                for name in book.namelist():
                    assert not re.search(rb"<f[ >]|<hyperlink|DDE", book.read(name)), (
                        address,
                        name,
                    )
                    assert "external" not in name.lower()
    poisoned.texts = words()
    record_property("cells of spreadsheets", cells)


def _number(text: str) -> bool:
    return re.fullmatch(r"-\d[\d.]*", text) is not None
