"""Every page names the environment it reaches, and the command and the call that give the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from desks import PROJECT
from web_office import SCHEDULED, WHO, WebOffice, a_batch, make_place

from tieout.core.policy import RIGHTS
from tieout.verbs import setting_up
from tieout.web.routes import ADDRESSES, ANYBODY
from tieout.web.twins import TWINS, twin_of


@pytest.fixture
def office(tmp_path: Path) -> Iterator[WebOffice]:
    found = WebOffice(tmp_path / "home")
    found.people()
    yield found
    found.close()


def ribbon(page: str) -> tuple[str, str]:
    """The tone and the word of a page's ribbon."""
    found = re.search(r'class="ribbon (\w+)".*?<strong>([^<]*)</strong>', page, re.DOTALL)
    assert found, page[:500]
    return found[1], found[2]


def staged(stage: str) -> str:
    """The project with both its connections of a stage; a stage asks for the ids of the model."""
    text = PROJECT.replace('system = "jde"', f'system = "jde"\nstage = "{stage}"')
    pins = f'workspace_id = "{"8" * 32}"\nmodel_id = "{"A" * 32}"'
    return text.replace('system = "anaplan"', f'system = "anaplan"\nstage = "{stage}"\n{pins}')


@pytest.mark.parametrize(
    ("stage", "told"), [("TEST", ("test", "TEST")), ("PROD", ("real", "PROD")), ("", ("real", ""))]
)
def test_every_page_names_the_environment_it_reaches(
    office: WebOffice, stage: str, told: tuple[str, str]
) -> None:
    if stage:
        setting_up.apply_project(office.desk("eve"), staged(stage) + SCHEDULED)
    tone, word = told
    paths = [a.path for a in ADDRESSES if a.method == "GET" and "{" not in a.path]
    for path in [*paths, "/nothing", "/flows/nothing"]:
        answer = office.browser("eve").ask(path, headers={"accept": "text/html"})
        if answer.header("content-type").startswith("text/html"):
            assert ribbon(answer.text) == (tone, word or "REAL SYSTEMS"), path
    assert ribbon(office.browser().ask("/login").text)[0] == tone


def test_every_page_shows_its_command_and_every_call_that_it_shows_is_answered(
    office: WebOffice,
) -> None:
    make_place(office)
    batch = a_batch(office)
    parts = {"run": office.store.runs()[0].id, "flow": "companies", "batch": batch,
             "connection": "erp"}  # fmt: skip
    browsers = {who: office.browser(who) for who in WHO.values()}
    seen = set()
    for address in ADDRESSES:
        path = re.sub(r"\{(\w+)\}", lambda m: parts.get(m[1], ""), address.path)
        if address.method != "GET" or address.act is ANYBODY or "//" in path or path.endswith("/"):
            continue
        who = next(who for role, who in WHO.items() if role in RIGHTS[address.act or "view"])
        answer = browsers[who].ask(path)
        if answer.status != 200 or not answer.header("content-type").startswith("text/html"):
            continue
        if path != "/password":  # a password is no part of a command
            assert "Show as command" in answer.text, path
        found = re.search(r"curl --fail [^<]*? (http\S+?/api/v1[^<\s]*)", unescape(answer.text))
        assert bool(found) == bool(twin_of(path, {})), path
        if found:
            seen.add(path)
            headers = {"authorization": f"Bearer {office.secrets[who]}"}
            call = office.browser().ask(urlsplit(found[1]).path, headers=headers)
            loaded = not path.startswith("/tie-outs/")  # nothing was loaded to be compared
            assert call.status == (200 if loaded else 404), (path, found[1], call.text)
    assert len(seen) == len(TWINS), "each call stands on a page"
