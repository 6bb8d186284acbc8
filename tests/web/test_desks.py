"""Flows, connections, the calendar, the configuration and the settings at the page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from html import unescape

import pytest
from desks import PROJECT
from web_office import SCHEDULED, Answer, Browser, WebOffice, a_proposal

from tieout.core.findings import Finding, Severity
from tieout.store.runs import NewRun
from tieout.verbs import setting_up
from tieout.verbs.sheets import mapping_book
from tieout.verbs.sheets.csv_file import FORMULA_SIGNS

TEXT = PROJECT + SCHEDULED
PASSWORD = "Zx7-canary-of-a-page-41"
HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "'-alert(3)-'",
    "javascript:alert(4)", "{{7*7}}", "</title><svg onload=alert(5)>", "\u202e<b>x</b>",
    '" autofocus onfocus="alert(6)', "<a href='data:text/html,x'>y</a>", "=HYPERLINK(\"x\")",
)  # fmt: skip


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebOffice]:
    found = WebOffice(tmp_path_factory.mktemp("desks") / "home")
    found.people()
    yield found
    found.close()


@pytest.fixture(scope="module")
def eve(office: WebOffice) -> Browser:
    return office.browser("eve")


@pytest.fixture(scope="module")
def anna(office: WebOffice) -> Browser:
    return office.browser("anna")


def words(answer: Answer) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", answer.text).split()))


# ---------------------------------------------------------------------------- flows


def test_a_flow_is_told_in_words_and_run_by_who_may(office: WebOffice, anna: Browser) -> None:
    assert "companies: members into a list" in words(anna.ask("/flows"))
    assert "daily at 05:30 America/Chicago" in words(anna.ask("/flows/companies"))
    dora = office.browser("dora")
    assert "/flows/companies/run" not in dora.ask("/flows/companies").text
    assert dora.send("/flows/companies/run", how="usual").status == 403
    answer = anna.send("/flows/companies/run", how="full")
    run = answer.header("location").rpartition("/")[2]
    assert dict(office.store.run(run).asked) == {"full": True}
    again = anna.send("/flows/companies/run", how="full")
    assert again.header("location") == answer.header("location"), "it carries the same run on"
    other = anna.send("/flows/companies/run", how="usual")
    assert other.status == 409
    assert f"{run} of companies is under way" in words(other)


def test_only_a_flow_that_loads_periods_offers_to_load_them_anew(anna: Browser) -> None:
    assert "backfill" not in anna.ask("/flows/companies").text
    assert anna.ask("/flows/companies/backfill").status == 404
    assert anna.ask("/flows/companies/prepare").status == 404


# ---------------------------------------------------------------------------- connections


def test_credentials_are_written_and_never_shown_again(office: WebOffice, eve: Browser) -> None:
    path = "/connections/erp/credentials"
    form = {"username": "SVC", "password": PASSWORD}
    wrong = eve.send(path, username="SVC", password="")
    assert wrong.status == 422
    assert 'value="SVC"' in wrong.text
    assert eve.send(path, **form).header("location") == "/connections/erp"
    for page in ("/connections/erp", path, "/connections", "/settings/keys"):
        assert PASSWORD not in eve.ask(page).text
    assert "by eve; nobody can read them" in words(eve.ask("/connections/erp"))
    assert office.browser("anna").send(path, **form).status == 403


def test_a_connection_is_tested_rung_by_rung_with_a_text_to_send(eve: Browser) -> None:
    page = eve.send("/connections/erp/test")
    told = words(page)
    assert page.status == 200
    assert "erp does not hold at “door”" in told
    assert re.search(r"\d+ ms", told)
    assert "Who can do it:" in told
    assert "Subject: Tieout and JD Edwards (erp)" in told
    assert "not reached" in told


def test_a_connection_that_was_never_looked_through_says_so(eve: Browser) -> None:
    told = words(eve.ask("/connections/planning/catalogue"))
    assert "Nobody has looked through this connection yet." in told


# ---------------------------------------------------------------------------- calendar


def test_the_next_five_times_are_told_with_their_zone(anna: Browser) -> None:
    page = anna.ask("/calendar").text
    table = page.partition('id="nightly-next"')[2].partition("</table>")[0]
    assert table.count("<tr>") == 1 + 5
    assert "05:30" in table
    assert re.search(r"C[SD]T", table)


def test_a_time_is_skipped_once_paused_and_resumed_each_with_a_reason(anna: Browser) -> None:
    assert anna.send("/calendar/nightly/skip", why="").status == 422
    assert anna.send("/calendar/nightly/skip", why="the close is late").status == 303
    assert "anna skips the next time: the close is late" in words(anna.ask("/calendar"))
    wrong = anna.send("/calendar/nightly/pause", until="someday", why="a move")
    assert wrong.status == 422
    assert 'value="someday"' in wrong.text
    assert ">a move</textarea>" in wrong.text
    assert anna.send("/calendar/nightly/pause", until="2027-01-01", why="a move").status == 303
    assert "Paused until" in words(anna.ask("/calendar"))
    assert anna.send("/calendar/nightly/resume", why="moved").status == 303
    assert "Paused until" not in words(anna.ask("/calendar"))
    assert anna.send("/calendar/nightly/answer", answer="run", why="x").status == 422


# ---------------------------------------------------------------------------- configuration


def test_a_change_is_said_in_words_before_it_is_applied_and_becomes_a_version(eve: Browser) -> None:
    path, text = "/settings/configuration/edit", TEXT.replace("05:30", "06:15")
    planned = eve.send(path, text=text, step="plan")
    assert "What would change" in words(planned)
    assert "06:15" in words(planned)
    assert eve.send(path, text=text, step="apply").status == 422, "no reason was given"
    assert eve.send(path, text=text, step="apply", why="later").status == 303
    versions = eve.ask("/settings/configuration/versions").text
    newest = re.findall(r"/settings/configuration/versions/(\d+)", versions)[0]
    page = eve.ask(f"/settings/configuration/versions/{newest}").text
    assert "<del>-when = &#34;daily at 05:30 America/Chicago&#34;</del>" in page
    assert "<ins>+when = &#34;daily at 06:15 America/Chicago&#34;</ins>" in page
    assert "daily at 06:15" in words(eve.ask("/calendar"))


def test_a_text_that_cannot_be_meant_keeps_every_keystroke(eve: Browser) -> None:
    text = TEXT + "\n[flows.</textarea><b>]\nkind = 'x'\n"
    answer = eve.send("/settings/configuration/edit", text=text, step="plan", why="<i>")
    assert answer.status == 422
    assert "There is a problem" in answer.text
    area = re.search(r"<textarea[^>]*name=\"text\"[^>]*>(.*?)</textarea>", answer.text, re.DOTALL)
    assert area
    assert unescape(area[1]) == text
    assert ">&lt;i&gt;</textarea>" in answer.text


def test_who_proposed_a_configuration_does_not_approve_it(office: WebOffice, eve: Browser) -> None:
    path = f"/settings/configuration/proposals/{a_proposal(office)}"
    assert path in office.browser("ben").ask("/approvals").text
    told = words(eve.ask(path))
    assert "You proposed this." in told
    assert "ben or carla can approve it." in told
    assert eve.ask(f"{path}/approve").status == 403
    assert eve.send(f"{path}/take-back", why="not yet").status == 303
    assert "is void by eve" in words(eve.ask(path))


# ---------------------------------------------------------------------------- settings


def test_a_hold_is_placed_and_released_with_reasons(eve: Browser) -> None:
    path = "/settings/retention/hold"
    assert eve.send(path, name="audit-2026", flow="", company="", why="").status == 422
    assert (
        eve.send(path, name="audit-2026", flow="companies", company="", why="asked").status == 303
    )
    assert "audit-2026" in words(eve.ask("/settings/retention"))
    assert eve.send("/settings/retention/holds/audit-2026/release", why="over").status == 303
    assert eve.ask("/settings/retention/purge").status == 303, "nothing is due"


def test_nothing_is_purged_without_the_word_that_means_it(eve: Browser) -> None:
    answer = eve.send("/settings/retention/purge", why="old", word="yes", digest="0" * 64)
    assert answer.status == 422
    assert "“remove” was not written" in words(answer)


def test_the_key_is_changed_and_told_by_its_fingerprint_alone(
    office: WebOffice, eve: Browser
) -> None:
    before = re.findall(r'class="code">(\w+)<', eve.ask("/settings/keys").text)
    key = (office.home / "key").read_text().strip()
    assert eve.send("/settings/keys/rotate", how="all").status == 303
    after = eve.ask("/settings/keys").text
    assert len(re.findall(r'class="code">(\w+)<', after)) == len(before) + 1
    assert key not in after
    assert office.browser("ben").ask("/settings/keys").status == 403


# ---------------------------------------------------------------------------- mappings


def upload(browser: Browser, name: str, content: bytes, why: str = "a test") -> Answer:
    """A file with a reason, as a form sends it."""
    edge = "----edge"
    body = io.BytesIO()
    body.write(f'--{edge}\r\nContent-Disposition: form-data; name="why"\r\n\r\n{why}\r\n'.encode())
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body.write(head.encode() + content + f"\r\n--{edge}--\r\n".encode())
    headers = {
        "content-type": f"multipart/form-data; boundary={edge}",
        "sec-fetch-site": "same-origin",
    }
    return browser.ask("/mappings/table", "POST", headers=headers, body=body.getvalue())


def test_a_table_goes_out_and_comes_back_with_leading_zeros(
    office: WebOffice, anna: Browser
) -> None:
    setting_up.set_mapping(office.desk("anna"), "company", "00001", "1001", "as named")
    file = anna.ask("/mappings/table.xlsx")
    assert "00001" in mapping_book.as_csv(file.body)
    edited = mapping_book.written([{
        "dimension": "company", "source": "00001", "target": "1002", "effective_from": "",
        "why": "renamed",
    }])  # fmt: skip
    shown = upload(anna, "mappings.xlsx", edited)
    assert "1 mapping would change" in words(shown)
    assert "1001" in words(shown)
    text = re.search(r'name="text" value="([^"]*)"', shown.text)
    assert text
    form = {"confirmed": "yes", "why": "a test", "text": unescape(text[1])}
    assert anna.send("/mappings/table", **form).status == 303
    assert "00001 stands for 1002" in words(
        anna.ask("/mappings/code?dimension=company&source=00001")
    )


def test_no_code_of_the_table_is_a_formula_in_a_spreadsheet_and_every_one_comes_back(
    office: WebOffice, anna: Browser
) -> None:
    codes = ("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "'=1", "''plain", "\uff1d1", "it's")
    for place, code in enumerate(codes, start=1):
        setting_up.set_mapping(office.desk("anna"), "company", f"8{place:04}", code, f"={code}")
    table = anna.ask("/mappings/table.csv").body
    rows = list(csv.DictReader(io.StringIO(table.decode(), newline="")))
    shown = {r["source"]: r["target"] for r in rows if r["source"].startswith("8")}
    assert [c for c in shown.values() if c.startswith(FORMULA_SIGNS)] == []
    assert [r["why"] for r in rows if r["why"].startswith(FORMULA_SIGNS)] == []
    assert "0 mappings would change" in words(upload(anna, "mappings.csv", table))


@pytest.mark.parametrize(
    ("name", "content", "words_of"),
    [
        ("x.csv", b"", "No file was chosen|lacks the column"),
        ("x.csv", b"\xff\xfe\x00", "no UTF-8 text"),
        ("x.xlsx", b"PK not a workbook", "no Excel workbook"),
        ("x.csv", b"a" * 5_000_001, "larger than 5 MB"),
        ("x.csv", b"dimension,source,target\nplanet,1,2\n", "none of account"),
    ],
    ids=["empty", "not text", "no workbook", "too large", "no dimension"],
)
def test_a_file_that_cannot_be_used_sets_nothing_and_the_reason_stays(
    anna: Browser, name: str, content: bytes, words_of: str
) -> None:
    before = anna.ask("/mappings/table.csv").text
    answer = upload(anna, name, content, why="as agreed")
    assert answer.status == 422
    assert re.search(words_of, words(answer)), words(answer)
    assert ">as agreed</textarea>" in answer.text
    assert anna.ask("/mappings/table.csv").text == before


# ---------------------------------------------------------------------------- hostile words


def test_words_of_a_peer_are_text_on_every_page_that_shows_them(
    office: WebOffice, anna: Browser, eve: Browser
) -> None:
    found = [
        Finding(
            "unmatched-member", Severity.REJECT, word, word, remedy=word, company=word,
            dimension="company", member=word, vendor_words=word, currency="USD",
        )
        for word in HOSTILE
    ]  # fmt: skip
    run = office.store.new_run(NewRun("companies", "load_members", "anna", alone=False)).id
    office.store.run_step(run, "find", lambda step: step.reject(found) or {})
    ids = [r.id for r in office.store.rejects(run=run)]
    for word in HOSTILE:
        setting_up.set_mapping(office.desk("anna"), "company", f"C{word.strip()}", word, word)
    pages = ["/rejects", "/rejects?by=owner", "/mappings", "/mappings/unmapped", f"/runs/{run}"]
    pages += [f"/rejects/{i}" for i in ids] + [f"/rejects/assign?id={i}" for i in ids]
    for path in pages:
        page = anna.ask(path).text
        assert page, path
        assert not re.search(r"<(script(?! src)|svg on|img src=x|b>x|a href='data)", page), path
        assert not re.search(r"<[^>]*\son\w+\s*=", page), path
        assert not re.search(r'(href|action|src)="\s*(javascript|data):', page), path
        assert "49" not in re.findall(r"\{\{7\*7\}\}|\b49\b", page), path
    export = anna.ask("/rejects?form=csv").text
    assert not re.search(r'(^|,)"?=', export, re.MULTILINE), "no cell is a formula"
    assert eve.ask(f"/rejects/{ids[0]}").header("content-security-policy").count("unsafe") == 0
