"""A table of mappings goes to a spreadsheet and back: whole or not at all, and no zero is lost."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal

import pytest
from books import Books, changed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tieout.errors import Misconfigured
from tieout.verbs import mapping, setting_up, suggesting

HEAD = "dimension,source,target,effective_from,why\n"
CODES = st.text("0123456789ABC.-,\"' ÄΩ", min_size=1, max_size=12).filter(lambda c: c == c.strip())


def table(*rows: str) -> str:
    return HEAD + "".join(f"{row}\n" for row in rows)


def test_an_exported_table_comes_back_as_it_was_and_changes_nothing(books: Books) -> None:
    setting_up.set_mapping(books.instance, "business-unit", "0012", "00045", 'zeros, "kept"')
    setting_up.set_mapping(books.instance, "account", "6010", "6020", "since then", "2025-04")
    text = mapping.exported(books.instance)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert ("0012", "00045") in [(r["source"], r["target"]) for r in rows]
    version = books.store.mapping_version()

    done = mapping.imported(books.instance, "\ufeff" + text, "again")

    assert (done["changed"], done["unchanged"], done["version"]) == ([], len(rows), version)
    assert books.store.mapping_version() == version


def test_all_rows_are_set_under_one_version_with_who_and_why_or_none_is(books: Books) -> None:
    before = books.store.mapping_version()
    told = mapping.imported(
        books.instance, table("account,6010,6020,,", "account,6030,6020,2025-04,own reason"),
        "one for both", preview=True,
    )  # fmt: skip
    assert (len(told["changed"]), books.store.mapping_version()) == (2, before)

    done = mapping.imported(
        books.instance, table("account,6010,6020,,", "account,6030,6020,2025-04,own reason"),
        "one for both",
    )  # fmt: skip

    assert done["version"] == before + 1
    held = {m["source"]: m for m in setting_up.mappings(books.instance)}
    assert (held["6010"]["version"], held["6030"]["version"]) == (before + 1, before + 1)
    assert (held["6010"]["why"], held["6030"]["why"]) == ("one for both", "own reason")
    assert held["6030"]["effective_from"] == "2025-04"
    mapping.imported(books.instance, table("account,6010,,,"), "taken back")
    assert "6010" not in {m["source"] for m in setting_up.mappings(books.instance)}


WRONG = [
    (table("acount,1,2,,"), "line 2: 'acount' is none of"),
    (table("account, 1,2,,"), "line 2: a code is empty or has spaces around it"),
    (table("account,,2,,"), "line 2: a code is empty"),
    (table("account,1,2,April,"), "line 2: effective_from is no period"),
    (table("account,1,2,,", "account,1,3,,"), "lines 2 and 3 both map account 1"),
    (table("account,1,2"), "Line 2 of the table has another number of columns"),
    ("source,target\n1,2\n", "lacks the column dimension"),
    (table("company,60,00001,,"), "line 2: there is no company 60, but 00060"),
    (table("account,5..4,2,,"), "line 2: the range 5..4 ends before it begins"),
    (table("account,40*,2,,", "account,*10,3,,"), "40\\* of account may take one code"),
]


@pytest.mark.parametrize(("text", "told"), WRONG, ids=[w[1][:30] for w in WRONG])
def test_a_table_that_cannot_be_meant_so_sets_nothing(
    asked_books: Books, text: str, told: str
) -> None:
    before = books_version(asked_books)
    good = "account,6010,6020,,\n" if text.startswith(HEAD) else ""
    with pytest.raises(Misconfigured, match=told):
        mapping.imported(asked_books.instance, text + good, "x")
    assert books_version(asked_books) == before


def books_version(books: Books) -> int:
    return books.store.mapping_version()


@pytest.fixture(scope="module")
def asked_books(loaded: Books, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """Loaded books on which no import succeeds."""
    copied = loaded.copy(tmp_path_factory.mktemp("asked") / "home")
    yield copied
    copied.close()


def test_a_mapping_from_a_period_on_moves_the_cells_of_that_period_and_later_ones(
    books: Books,
) -> None:
    before = books.anaplan()
    account = next(c[1] for c in sorted(before) if c[0] == "00001" and c[3] == "May 25")
    other = next(c[1] for c in sorted(before) if c[0] == "00001" and c[1] != account)

    setting_up.set_mapping(books.instance, "account", account, other, "reorganised", "2025-04")

    run = books.run()
    assert run.outcome == "complete"
    months = {"Apr 25", "May 25", "Jun 25", "Jul 25", "Aug 25", "Sep 25", "Oct 25", "Nov 25",
              "Dec 25"}  # fmt: skip
    moved = changed(before, books.anaplan())
    assert {c[3] for c in moved} <= months
    assert {c[1] for c in moved} == {account, other}
    assert not [c for c in books.anaplan() if c[:2] == ("00001", account) and c[3] in months]


@settings(suppress_health_check=list(HealthCheck), max_examples=40)
@given(st.lists(st.tuples(CODES, CODES), unique_by=lambda pair: pair[0], max_size=6))
def test_any_codes_survive_the_way_through_a_file(pairs: list[tuple[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(mapping.COLUMNS)
    writer.writerows(("account", source, target, "", "") for source, target in pairs)
    rows = [row for _, row in mapping._rows(text.getvalue(), "why")]
    assert [(row.source, row.target) for row in rows] == pairs


def test_a_range_and_a_default_move_whole_groups_of_accounts_and_every_cell_ties(
    books: Books,
) -> None:
    before = books.anaplan()
    accounts = sorted({c[1] for c in before if c[0] == "00001"})
    first, last, target = accounts[2], accounts[6], accounts[0]
    setting_up.set_mapping(books.instance, "account", f"{first}..{last}", target, "one group")
    setting_up.set_mapping(books.instance, "account", accounts[4], "=", "stays apart")

    run = books.run()

    assert run.outcome == "complete", run.sentence
    after = {c[1] for c in books.anaplan() if c[0] == "00001"}
    taken = {a for a in accounts if first <= a and a[: len(last)] <= last}
    assert taken >= set(accounts[2:7])
    assert not after & (taken - {accounts[4], target})
    assert accounts[4] in after
    with pytest.raises(Misconfigured, match="may take one code"):
        setting_up.set_mapping(books.instance, "account", f"{accounts[3]}..9999", "1110", "clash")
    assert books.run().outcome == "complete"


def test_an_unmapped_code_is_shown_the_members_it_could_be_meant_for(new_books: Books) -> None:
    new_books.person("add_item", list="Cost Centers", name="Unit J77 of old", code="0J77")
    assert new_books.run("cost_centers", full=True).outcome == "complete"
    assert new_books.run().exit_code == 5

    (found,) = suggesting.suggestions(new_books.instance)

    assert (found["dimension"], found["code"]) == ("business_unit", "J77")
    assert (found["amount"], found["currency"]) == (Decimal("1204.00"), "USD")
    best = found["members"][0]
    assert (best["code"], best["name"]) == ("0J77", "Unit J77 of old")
    assert best["why"] == "it is the same code but for zeros in front"
