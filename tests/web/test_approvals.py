"""Approvals at the page: exact lines are shown, another person decides over them, once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape

import pytest
from prepared_batches import prepare
from web_office import Browser, WebOffice, a_batch

from tieout.verbs import approving

CLICKS = 200
ASK = {"rule": "plan-sign", "subject": "account 5005", "what": "It changes sign.", "remedy": "Ask."}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebOffice]:
    found = WebOffice(tmp_path_factory.mktemp("approvals") / "home")
    found.people()
    yield found
    found.close()


@pytest.fixture
def batch(office: WebOffice) -> str:
    """A batch that anna prepared."""
    return a_batch(office)


def text_of(page: str) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))


def digest(office: WebOffice, batch: str) -> str:
    return str(approving.approval(office.desk("dora"), batch)["digest"])


def decide(browser: Browser, batch: str, act: str, **form: str) -> tuple[int, str]:
    answer = browser.send(f"/approvals/{batch}/{act}", **form)
    return answer.status, text_of(answer.text) if answer.status != 303 else ""


def test_who_prepared_a_batch_reads_who_can_approve_it_and_finds_no_button(
    office: WebOffice, batch: str
) -> None:
    page = office.browser("anna").ask(f"/approvals/{batch}").text
    told = text_of(page)
    assert "You prepared this batch. ben or carla can approve it." in told
    assert f"/approvals/{batch}/approve" not in page
    assert office.browser("anna").ask(f"/approvals/{batch}/approve").status == 403
    status, told = decide(office.browser("anna"), batch, "approve", digest=digest(office, batch))
    assert status == 403
    assert approving.approval(office.desk("dora"), batch)["state"] == "prepared"


def test_the_inbox_says_what_waits_for_whom(office: WebOffice, batch: str) -> None:
    told = text_of(office.browser("ben").ask("/approvals").text)
    assert "1 item waits for approval; 1 for you." in told
    assert "0 for you" in text_of(office.browser("anna").ask("/approvals").text)
    assert "ben or carla" in text_of(office.browser("dora").ask("/approvals").text)


def test_every_line_is_shown_with_what_the_ledger_holds_and_handed_out_whole(
    office: WebOffice, batch: str
) -> None:
    page = office.browser("ben").ask(f"/approvals/{batch}").text
    rows = re.findall(r'<tr>\s*<th scope="row">\s*(\d\.\d)\s*</th>(.*?)</tr>', page, re.DOTALL)
    assert [place for place, _ in rows] == ["1.1", "2.1", "1.2"], "the largest first"
    assert all(word in rows[0][1] for word in ("20.00", "120.00", "100.00", "5005"))
    assert digest(office, batch) in page
    file = office.browser("ben").ask(f"/approvals/{batch}?form=csv")
    assert file.header("content-disposition").startswith("attachment")
    assert file.text.count("5005 ×") == 2
    assert digest(office, batch) in file.text


def test_200_clicks_on_approve_at_once_make_one_decision_and_one_run(
    office: WebOffice, batch: str
) -> None:
    form = {"digest": digest(office, batch), "why": "as planned"}
    browsers = [office.browser(name) for name in ("ben", "carla") for _ in range(4)]
    before = len(office.store.runs(limit=1_000))

    def click(n: int) -> int:
        once = {"once": "one"} if n % 2 else {}  # half of them the same form, sent twice and more
        return decide(browsers[n % 8], batch, "approve", **form, **once)[0]

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(click, range(CLICKS)))
    found = approving.approval(office.desk("dora"), batch)
    told = office.trail("approved batch")
    assert [name for _, name, _ in told].count(batch) == 1
    assert (found["state"], found["decided_by"]) == ("approved", told[-1][0])
    assert len(office.store.runs(limit=1_000)) == before + 1
    assert set(statuses) == {303, 409}
    status, words = decide(office.browser("carla"), batch, "approve", **form)
    assert status == 409
    assert f"approved by {found['decided_by']}" in words or found["decided_by"] in words
    assert office.browser("carla").ask(f"/approvals/{batch}/approve").status == 303


def test_other_lines_than_those_that_were_shown_are_not_approved(
    office: WebOffice, batch: str
) -> None:
    status, told = decide(office.browser("ben"), batch, "approve", digest="0" * 64, why="so")
    assert status == 409
    assert "not those that were shown" in told
    assert ">so</textarea>" in office.browser("ben").send(
        f"/approvals/{batch}/approve", digest="0" * 64, why="so"
    ).text  # fmt: skip
    assert approving.approval(office.desk("dora"), batch)["state"] == "prepared"


def test_what_a_batch_asks_has_to_be_said_yes_to_apart(office: WebOffice, batch: str) -> None:
    asking = prepare(office.store, asks=[ASK])
    status, told = decide(office.browser("ben"), asking.id, "approve", digest=asking.digest)
    assert status == 422
    assert "Say yes to “account 5005”" in told
    form = {"digest": asking.digest, "yes-plan-sign": "yes"}
    assert decide(office.browser("ben"), asking.id, "approve", **form)[0] == 303


def test_a_batch_is_refused_with_a_reason_which_its_preparer_reads(
    office: WebOffice, batch: str
) -> None:
    form = {"digest": digest(office, batch)}
    status, told = decide(office.browser("ben"), batch, "refuse", **form)
    assert (status, "Say why." in told) == (422, True)
    assert decide(office.browser("ben"), batch, "refuse", **form, why="too <high>")[0] == 303
    told = text_of(office.browser("anna").ask(f"/approvals/{batch}").text)
    assert "declined by ben: too <high>" in told


def test_who_prepared_a_batch_may_withdraw_it(office: WebOffice, batch: str) -> None:
    assert decide(office.browser("dora"), batch, "withdraw", why="no")[0] == 403
    assert decide(office.browser("anna"), batch, "withdraw", why="entered by hand")[0] == 303
    assert approving.approval(office.desk("dora"), batch)["state"] == "void"
