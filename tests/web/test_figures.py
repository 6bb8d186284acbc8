"""The figures for a program that watches: for whom they are, and what they count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prepared_batches import ENDED
from web_office import Browser, WebOffice

from tieout.core.findings import Finding, Severity
from tieout.store.runs import NewRun
from tieout.verbs import people, rejecting
from tieout.web.api.operations import PREFIX


@pytest.fixture
def office(tmp_path: Path) -> Iterator[WebOffice]:
    found = WebOffice(tmp_path / "home")
    found.people()
    yield found
    found.close()


def test_figures_are_for_who_holds_a_token_that_was_made_for_them(office: WebOffice) -> None:
    browser = Browser(office.app)
    assert browser.ask("/metrics").status == 401
    made = people.make_token(
        office.desk("dora"), user=None, scopes=("read metrics",), days=9, what_for="prometheus"
    )
    headers = {"authorization": f"Bearer {made['secret']}"}
    assert browser.ask(PREFIX + "/runs", headers=headers).status == 403
    narrower = people.make_token(
        office.desk("dora"), user=None, scopes=("view",), days=9, what_for="x"
    )
    other = {"authorization": f"Bearer {narrower['secret']}"}
    assert browser.ask("/metrics", headers=other).status == 403


def test_the_figures_count_the_same_rejects_as_the_desk(office: WebOffice) -> None:
    for what in ("import-rejected", "import-rejected", "unmatched-member"):
        run = office.store.new_run(NewRun("companies", "load_members", "anna", alone=False)).id
        severity = Severity.REJECT if what == "import-rejected" else Severity.NOTE
        finding = Finding(what, severity, f"row {run}", "It was rejected.")
        office.store.run_step(run, "find", lambda step, f=finding: step.reject([f]) or {})
        office.store.finish_run(run, ENDED)
    found = rejecting.desk(office.desk("dora"))
    rejecting.waive(office.desk("ben"), [found[0]["id"]], "a test")
    made = people.make_token(
        office.desk("dora"), user=None, scopes=("read metrics",), days=9, what_for="prometheus"
    )
    headers = {"authorization": f"Bearer {made['secret']}"}
    told = Browser(office.app).ask("/metrics", headers=headers).text
    counted = dict(re.findall(r'^tieout_open_rejects[{]rule="(.*?)"[}] ([0-9.]+)$', told, re.M))
    groups, _ = rejecting.standing_groups(office.desk("dora"))
    assert counted == {g["group"]: f"{g['rows']}.0" for g in groups}
    assert counted == {"import-rejected": "1.0"}
