"""The rejects desk at the page: what waits is mapped, given to somebody, waived, and sent again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from html import unescape

import pytest
from demo_home import Home, Person, Served, copied, until

TARGET = {"dimension": "business_unit", "source": "J77", "target": "other", "typed": "30"}


@pytest.fixture(scope="module")
def served(made: tuple[Home, object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A home in which a business unit waits for a mapping."""
    home = copied(made[0], tmp_path_factory.mktemp("desk") / "home")
    assert home.run("map", "business-unit", "J77", "--withdraw", "--why", "a test").code == 0
    assert home.run("run", "actuals").code == 5
    with home.served() as found:
        yield found
    home.stop()


@pytest.fixture(scope="module")
def ana(served: Served) -> Person:
    return served.signed_in("ana")


@pytest.fixture(scope="module")
def pat(served: Served) -> Person:
    return served.signed_in("pat")


def verdict(page: str) -> str:
    """The sentence that heads a page."""
    found = re.search(r"<h1.*?</h1>", page, re.DOTALL)
    assert found
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", found[0]).split()))


def number_of(page: str, rule: str) -> str:
    """The number of the one reject of a cause."""
    rows = re.findall(r'<a href="/rejects/(\d+)">.*?</tr>', page, re.DOTALL)
    (found,) = [
        n for n in rows if re.search(rf'/rejects/{n}">(?:(?!</tr>).)*{rule}<', page, re.DOTALL)
    ]
    return str(found)


def numbers_of(spans: str) -> list[int]:
    """The numbers that a form carries as spans."""
    ends = [span.split("-") for span in spans.split()]
    return [n for span in ends for n in range(int(span[0]), int(span[-1]) + 1)]


def test_what_waits_is_told_by_cause_with_its_amount_age_owner_and_what_to_do(ana: Person) -> None:
    page = ana.page("/rejects")
    told = "2 rejects wait in 2 groups. The largest group holds 1,204.00 USD back."
    assert verdict(page) == told
    group = r"<tr><th[^>]*><a[^>]*>[^<]*</a><span[^>]*>unmatched-member.*?</tr>"
    (row,) = re.findall(group, page, re.DOTALL)
    for word in ("1,204.00 USD", "under 1 hour", "nobody", "Map these", "Waive"):
        assert word in row
    assert "J77" in ana.page("/mappings/unmapped")
    by_owner = ana.page("/rejects?by=owner")
    assert ">nobody</a>" in by_owner


def test_the_filter_of_the_address_is_what_an_export_holds(ana: Person) -> None:
    _, headers, text = ana.ask("/rejects?rule=unmatched-member&form=csv")
    assert headers["content-disposition"].startswith('attachment; filename="rejects.csv"')
    assert "unmatched-member" in text
    assert "company-stopped" not in text


@pytest.mark.parametrize("name", ["audra", "alex"])
@pytest.mark.parametrize("path", ["assign", "waive", "reopen"])
def test_who_settles_no_rejects_is_told_which_role_does(
    served: Served, name: str, path: str
) -> None:
    person = served.signed_in(name)
    number = number_of(served.signed_in("ana").page("/rejects"), "unmatched-member")
    status, _, text = person.ask(f"/rejects/{path}", "POST", form={"id": number, "why": "no"})
    assert status == 403
    assert "operator or approver" in text
    assert "/rejects/assign" not in person.page("/rejects")


@pytest.mark.parametrize("id_", ["", "x", "999999", "1' or '1'='1"])
def test_a_reject_that_is_not_there_is_not_decided_on(ana: Person, id_: str) -> None:
    status, _, text = ana.ask("/rejects/waive", "POST", form={"id": id_, "why": "no"})
    assert status in (404, 422), text
    assert ana.ask(f"/rejects/{id_ or 'x'}".replace(" ", "%20"))[0] == 404


def test_a_waiver_without_a_reason_comes_back_with_all_that_was_chosen(pat: Person) -> None:
    number = number_of(pat.page("/rejects"), "company-stopped")
    status, _, page = pat.ask("/rejects/waive", "POST", form={"id": number, "why": " "})
    assert status == 422
    assert "There is a problem" in page
    assert '<a href="#why">Say why.</a>' in page
    assert f'name="ids" value="{number}"' in page
    assert "<title>Error: " in page


def test_an_amount_is_waived_by_an_approver_alone_and_what_was_written_stays(
    ana: Person, pat: Person
) -> None:
    number = number_of(ana.page("/rejects"), "company-stopped")
    form = {"id": number, "why": "closes in <May>"}
    status, _, page = ana.ask("/rejects/waive", "POST", form=form)
    assert status == 403
    assert "waive amounts" in page
    assert "closes in &lt;May&gt;" in page
    assert pat.ask("/rejects/waive", "POST", form=form)[:1] == (303,)
    assert "Waived" in pat.page(f"/rejects/{number}")
    assert "1 reject waits." in verdict(pat.page("/rejects"))
    assert pat.ask("/rejects/reopen", "POST", form=form)[0] == 303
    assert "2 rejects wait" in verdict(pat.page("/rejects"))


def test_a_form_that_is_sent_twice_at_once_is_carried_out_once(ana: Person) -> None:
    number = number_of(ana.page("/rejects"), "company-stopped")
    form = {"id": number, "to": "pat", "note": "as agreed", "once": "the one form"}

    def send(_: int) -> tuple[int, str]:
        status, headers, _ = ana.ask("/rejects/assign", "POST", form=form)
        return status, headers["location"]

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(send, range(4))) == {(303, f"/rejects/{number}")}
    again = ana.ask("/rejects/assign", "POST", form=form | {"to": "nobody-there"})
    assert again[0] == 303, "the same form leads where it has led"
    assert "pat looks after it" in ana.page(f"/rejects/{number}")
    told = ana.served.signed_in("ana").ask("/rejects/assign", "POST", form=form | {"to": "ghost"})
    assert told[0] == 422, "another session's form of the same number is another form"
    assert "There is no user" in told[2]


def test_a_mapping_is_refused_without_a_member_or_a_reason_and_nothing_written_is_lost(
    ana: Person,
) -> None:
    form = TARGET | {"typed": "", "why": "moved", "since": "2025-4"}
    status, _, page = ana.ask("/mappings/new", "POST", form=form)
    assert status == 422
    assert 'value="2025-4"' in page
    assert ">moved</textarea>" in page
    status, _, page = ana.ask("/mappings/new", "POST", form=form | {"typed": "30"})
    assert status == 422
    assert "is no fiscal period" in page
    assert 'value="30"' in page


def test_the_member_is_picked_from_the_list_by_a_word_of_its_name(ana: Person) -> None:
    page = ana.page("/mappings/new?dimension=business_unit&source=J77&q=30")
    assert re.search(r'type="radio"[^>]*value="30"', page)
    assert "found for “30”" in page


def test_a_mapped_reject_is_sent_again_after_it_was_shown_exactly(ana: Person) -> None:
    assert ana.ask("/mappings/new", "POST", form=TARGET | {"why": "as before"})[0] == 303
    page = ana.page("/rejects")
    assert "2 rejects of actuals can now be sent again:" in page
    (ids,) = re.findall(r'type="hidden" name="ids" value="([^"]+)"', page)
    numbers = numbers_of(ids)
    assert len(numbers) == 2, "the code, and the company that waited for it"
    assert ana.ask(f"/replay/new?id={numbers[0]}")[0] == 200

    status, headers, _ = ana.ask("/replay", "POST", form={"ids": ids})
    assert status == 303
    preview = headers["location"]
    told = re.match(r"(\d+) rows would be sent", verdict(ended(ana, preview)))
    assert told
    cells = re.findall(r"<tr><th scope=\"row\">00001</th>.*?</tr>", ana.page(preview))
    assert len(cells) == 1 + int(told[1]), "the sum of the company, and each of its cells"
    total, *amounts = (as_amount(re.findall(r'number">(-?[\d,]+\.\d+)<', row)[0]) for row in cells)
    assert total == sum(abs(each) for each in amounts)
    assert ana.served.signed_in("audra").ask(preview, "POST", form={})[0] == 403

    status, headers, _ = ana.ask(preview, "POST", form={})
    assert status == 303
    run = headers["location"]
    assert "are in through 2025-12 and proved" in verdict(ended(ana, run))
    assert "Nothing waits" in verdict(ana.page("/rejects"))


def as_amount(text: str) -> Decimal:
    """An amount as the page writes it."""
    return Decimal(text.replace(",", ""))


def ended(person: Person, address: str) -> str:
    """The page of a run that is over, or of what it found."""
    pages: list[str] = []

    def over() -> bool:
        pages.append(person.page(address))
        return not re.search(r"Reading and proving|state run|state wait", pages[-1])

    until(over)
    return pages[-1]


def test_a_run_is_no_preview_and_what_is_none_cannot_be_sent(ana: Person) -> None:
    assert ana.ask("/replay/actuals-1")[0] == 404
    assert ana.ask("/replay/actuals-1", "POST", form={})[0] == 404
    assert ana.ask("/replay/nothing-1")[0] == 404
